"""What of a return has to come back, and how it is divided into parcels. Pure.

A weight that no table tells is unknown, never 0: a parcel with such a unit in it has an unknown weight.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rever_api.models import NOT_RECEIVED, ReturnProcess
from tasks.policy.facts import counted
from tasks.policy.measures import Grams, Size, weight_in_words
from tasks.policy.record import Parcel
from tasks.policy.return_facts import Fact, LineFacts, Unknown
from tasks.policy.ruling import Ruling
from tasks.policy.store import ParcelSplit

MOST_PARCELS = 10
"""A return of more parcels than this is decided about by a person: more labels may be a slip in the policy file."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of a parcel: its weight, its largest unit on each side, and the volume of all units in mm³."""

    weight: Fact[Grams]
    longest: Fact[Size]
    volume: Fact[int]


UNMEASURED = Measured(Unknown("what it weighs"), Unknown("its size"), Unknown("its size"))
"""A parcel of which nobody has asked how large it is: no carrier has a limit."""


def to_come_back(process: ReturnProcess, ruling: Ruling | None) -> dict[str, int]:
    """Line -> units that the shopper has to send: neither inspected already, nor kept, nor never received."""
    left: dict[str, int] = {}
    for line in process.return_line_items:
        if line.return_reason != NOT_RECEIVED and (ruling is None or ruling.comes_back(line.id)):
            left[line.id] = left.get(line.id, 0) + max(0, line.quantity)
    for review in process.reviews or ():
        if review.line_item_id in left:
            left[review.line_item_id] -= 1
    return {line_id: units for line_id, units in left.items() if units > 0}


def packed(goods: Mapping[str, int], lines: Mapping[str, LineFacts], split: ParcelSplit) -> tuple[Parcel, ...]:
    """Divide the goods into parcels, in the order of their lines: each unit goes into the first that has room for it.

    One of no known weight counts as weighing nothing: it makes no further parcel. Returns more than `MOST_PARCELS`
    where there would be more; how many is not worked out then.
    """
    if split == ParcelSplit() or not goods:
        return (Parcel(tuple(goods.items())),)
    parcels: list[_Open] = []
    for line_id, units in goods.items():
        facts = lines.get(line_id)
        weight = facts.weight if facts and isinstance(facts.weight, int) else 0
        alone = facts is not None and facts.sku in split.alone
        for _ in range(units):
            place = None if alone else next((it for it in parcels if it.has_room(weight, split)), None)
            if place is None:
                if len(parcels) > MOST_PARCELS:
                    return tuple(it.closed for it in parcels)
                parcels.append(place := _Open({}, closed_for_others=alone))
            place.units[line_id] = place.units.get(line_id, 0) + 1
            place.weight += weight
    return tuple(it.closed for it in parcels)


@dataclass(slots=True)
class _Open:
    """A parcel while it is packed."""

    units: dict[str, int]
    weight: Grams = 0
    closed_for_others: bool = False

    def has_room(self, weight: Grams, split: ParcelSplit) -> bool:
        if self.closed_for_others:
            return False
        room = split.max_units is None or sum(self.units.values()) < split.max_units
        return room and (split.max_weight is None or self.weight + weight <= split.max_weight)

    @property
    def closed(self) -> Parcel:
        return Parcel(tuple(self.units.items()))


def measured(parcel: Parcel, lines: Mapping[str, LineFacts]) -> Measured:
    """What the tables of products tell of a parcel."""
    found = [(lines.get(line_id), units) for line_id, units in parcel.items]
    weights = [(facts, facts.weight if facts else Unknown(""), units) for facts, units in found]
    sizes = [(facts, facts.size if facts else Unknown(""), units) for facts, units in found]
    no_weight = _untold("weight", [facts for facts, weight, _ in weights if not isinstance(weight, int)])
    no_size = _untold("size", [facts for facts, size, _ in sizes if not isinstance(size, tuple)])
    known = [(size, units) for _, size, units in sizes if isinstance(size, tuple)]
    first, second, third = (max((size[side] for size, _ in known), default=0) for side in range(3))
    return Measured(
        no_weight or sum(weight * units for _, weight, units in weights if isinstance(weight, int)),
        no_size or (first, second, third),
        no_size or sum(size[0] * size[1] * size[2] * units for size, units in known),
    )


def _untold(what: str, lines: Sequence[LineFacts | None]) -> Unknown | None:
    if not lines:
        return None
    names = dict.fromkeys(
        it.sku if it and isinstance(it.sku, str) else f"line {it.line_id if it else ''}" for it in lines
    )
    return Unknown(f"the {what} of {', '.join(names)} (the table of products)")


def parcel_in_words(parcel: Parcel, lines: Mapping[str, LineFacts]) -> str:
    """What is in a parcel, and what it weighs, for a person. Names goods by their SKU, and no shopper."""
    weight = measured(parcel, lines).weight
    heavy = weight_in_words(weight) if isinstance(weight, int) else "of unknown weight"
    return f"{', '.join(_goods(parcel, lines)) or counted(0)}; {heavy}"


def _goods(parcel: Parcel, lines: Mapping[str, LineFacts]) -> Iterator[str]:
    for line_id, units in parcel.items:
        sku = lines[line_id].sku if line_id in lines else ""
        yield f"{units} of {sku if isinstance(sku, str) and sku else line_id}"
