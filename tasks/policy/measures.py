"""Weights and sizes with their units, as the policy file and the tables of products write them.

A weight is whole grams, a size three whole millimetres, the longest side first. A number without its unit is refused:
20 may be grams or kilograms, and a parcel would go by the wrong carrier.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import TypeAlias

Grams: TypeAlias = int
Size: TypeAlias = tuple[int, int, int]

WEIGHT = re.compile(r"([0-9]{1,7}(?:\.[0-9]{1,3})?) ?(g|kg)")
SIZE = re.compile(
    r"([0-9]{1,5}(?:\.[0-9]{1,2})?) ?x ?([0-9]{1,5}(?:\.[0-9]{1,2})?) ?x ?([0-9]{1,5}(?:\.[0-9]{1,2})?) ?(mm|cm)"
)
A_WEIGHT = "a weight with its unit, such as 450 g or 0.45 kg"
A_SIZE = "three sides with their unit, such as 30x20x10 cm"

_IN_GRAMS: Mapping[str, int] = MappingProxyType({"g": 1, "kg": 1000})
_IN_MM: Mapping[str, int] = MappingProxyType({"mm": 1, "cm": 10})


def read_weight(text: str) -> Grams:
    """The weight that a text means. Raises ValueError with what would be right."""
    found = WEIGHT.fullmatch(text)
    grams = Decimal(found[1]) * _IN_GRAMS[found[2]] if found else Decimal(0)
    if not grams or grams != int(grams):
        raise ValueError(A_WEIGHT)
    return int(grams)


def read_size(text: str) -> Size:
    """The size that a text means, its longest side first. Raises ValueError with what would be right."""
    found = SIZE.fullmatch(text)
    if found is None:
        raise ValueError(A_SIZE)
    sides = [Decimal(found[place]) * _IN_MM[found[4]] for place in (1, 2, 3)]
    if any(not side or side != int(side) for side in sides):
        raise ValueError(A_SIZE)
    first, second, third = sorted(map(int, sides), reverse=True)
    return first, second, third


def weight_in_words(grams: Grams) -> str:
    """A weight as a person writes it."""
    return f"{grams} g" if grams < _IN_GRAMS["kg"] else f"{Decimal(grams) / _IN_GRAMS['kg']} kg"


def size_in_words(size: Size) -> str:
    """A size as a person writes it."""
    return f"{'x'.join(str(Decimal(side) / _IN_MM['cm']) for side in size)} cm"
