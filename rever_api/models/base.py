"""What every REVER model shares: how a value is read, once, so that no field has a rule of its own.

REVER's conventions (its published reference): `null`, "" and absent mean the same; unknown fields are never an error;
enums are open, so a value this project does not know passes through as the plain string it is.

Whatever is read is bounded and clean afterwards: nothing later (a database, a log, arithmetic) has to look again.

* *Empty is absent*: `null`, blank text, `{}`, and objects that hold nothing but these. A list is different where its
  field is None by default (`reviews`, `refunds`, `logistics`): there `[]` says "none", and only its absence, `null` or
  `{}` says "unknown". Reading `[]` as "unknown" would hold every return without a review; reading "unknown" as
  "none" would pay again what REVER did not show. An object with such a list in it says something, so
  `compensation: {"refunds": []}` is there, and `exchange_order: {"ordered_items": []}` is not.
* *What carries money is strict* (ids of returns and lines, amounts, quantities, currencies, statuses, methods): an
  unclean value makes the object unreadable, which is for a person to see.
* *What carries none is tolerant* (names, addresses, tracking, times): letters that no database takes are replaced, a
  number is taken for its text, what is too long is cut, and what cannot be read at all counts as absent.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, get_args, get_origin

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

MOST_LETTERS = 2_000
"""Of a free text; the rest is cut."""

MOST_ID_LETTERS = 200
"""Of an id, a currency or a word of an enum."""

MOST_ENTRIES = 10_000
"""Of a list: as many as one line may have units, each with its review."""

UNREADABLE = "unreadable"
"""The type of the errors whose message is ours, and holds no word that was found."""

_MOST_DIGITS = 30
_DEEPEST = 20
_UNCLEAN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_REPLACED = "\N{REPLACEMENT CHARACTER}"
_AMOUNT = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,4})?")
_COUNT = re.compile(r"-?[0-9]{1,12}")
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(?::(\d\d)([.,]\d{1,9})?)?\s?([Zz]|[+-]\d\d:?\d\d)?)?", re.ASCII
)
_FIRST_YEAR = 2000


@dataclass(frozen=True, slots=True)
class Spoiled:
    """Stands where JSON held what no field takes: NaN, a number without end, two values of one name, a bottomless list.

    So it spoils the field it is in, and not the page around it. `what` says what was found.
    """

    what: str


class ApiModel(BaseModel):  # noqa: PLW1641 - pydantic gives a frozen model its hash
    """A frozen object of the API. A field whose value is empty counts as absent and takes its default.

    Fields that are unknown here are kept as they came, in `model_extra` and as attributes. Nothing rests on them: they
    are not cleaned, not compared, and not in the repr, since they may hold a shopper's data.
    """

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True, hide_input_in_errors=True)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        known = type(self).model_fields
        return ((name, value) for name, value in super().__repr_args__() if name in known)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, value: Any) -> Any:
        """Treat what is empty as absent, as proto3 JSON does; an empty list stays one in a field that is a list."""
        if type(value) is not dict:
            return value
        shape = _shape(cls)
        # Nearly every value is a text, and whether one is empty is asked in place: a call takes three times as long.
        return {
            key: item
            for key, item in value.items()
            if (item and not item.isspace() if type(item) is str else not _is_absent(item, shape.get(key, _NO_FIELD)))
            or key not in shape
        }


class InputModel(ApiModel):
    """An object that a caller sends. What it does not know is refused: a misspelt filter would search all stores."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class _Field:
    """What a field holds: objects of a model, a list, a list whose emptiness says something."""

    model: type[ApiModel] | None = None
    is_list: bool = False
    tells_none: bool = False


_NO_FIELD = _Field()


@cache
def _shape(model: type[ApiModel]) -> Mapping[str, _Field]:
    """The fields of a model by every name that they may have in JSON."""
    found: dict[str, _Field] = {}
    for name, info in model.model_fields.items():
        kinds = set(_kinds(info.annotation))
        is_list = tuple in kinds
        inner = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, ApiModel)), None)
        field = _Field(inner, is_list, is_list and info.default is None)
        found |= {name: field, **({info.alias: field} if info.alias else {})}
    return found


def _kinds(annotation: Any) -> list[Any]:
    """All types that an annotation names."""
    parts = [part for inner in get_args(annotation) for part in _kinds(inner)]
    return [get_origin(annotation) or annotation, *parts]


def _is_absent(item: Any, field: _Field) -> bool:
    if field.is_list and isinstance(item, (list, tuple)):
        return False
    return _is_empty(item, field.model, _DEEPEST)


def _is_empty(item: Any, model: type[ApiModel] | None, deep: int) -> bool:
    """Whether this says nothing. `model` is what an object is read as, None where that is not known."""
    if item is None:
        return True
    if isinstance(item, str):
        return not item or item.isspace()
    if not deep:
        return False
    if isinstance(item, dict):
        shape = _shape(model) if model else {}
        for name, value in item.items():
            field = shape.get(name, _NO_FIELD)
            says_none = field.tells_none and isinstance(value, (list, tuple))
            if says_none or not _is_empty(value, field.model, deep - 1):
                return False
        return True
    return isinstance(item, (list, tuple)) and all(_is_empty(value, model, deep - 1) for value in item)


def _shown(value: Any) -> str:
    """What was found, for a person: never its words, which may be a shopper's."""
    if isinstance(value, Spoiled):
        return value.what
    if isinstance(value, str):
        figures = re.fullmatch(r"[0-9 _.,+eE-]{1,24}", value)
        return repr(value) if figures else f"a text of {len(value)} characters"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if isinstance(value, int | Decimal):
        small = abs(value) < 10**_MOST_DIGITS if isinstance(value, int) else _is_sensible(value)
        return str(value) if small else "a number beyond all bounds"
    return "an object" if isinstance(value, dict) else f"a {type(value).__name__}"


def _wrong(what: str, value: Any) -> PydanticCustomError:
    return PydanticCustomError(UNREADABLE, "{what} expected, found {found}", {"what": what, "found": _shown(value)})


def is_clean(text: str) -> bool:
    """Whether a text may be an id: printable, not blank, without what stands for lost letters, and not too long."""
    return text.isprintable() and not text.isspace() and _REPLACED not in text and len(text) <= MOST_ID_LETTERS


def cleaned(text: str, most: int = MOST_LETTERS) -> str:
    """A free text without letters that no database takes, at most so many of it."""
    if len(text) > most:
        text = text[:most]
    return text if text.isprintable() else _UNCLEAN.sub(_REPLACED, text)


def _id(value: Any) -> Any:
    """An id, also one that came as a number."""
    if isinstance(value, str) and is_clean(value):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**_MOST_DIGITS:
        return str(value)
    raise _wrong(f"an id of at most {MOST_ID_LETTERS} printable characters", value)


def _loose_id(value: Any) -> Any:
    """An id on which no money hangs; empty where it is invalid."""
    if isinstance(value, str):
        return value if is_clean(value) else ""
    try:
        return _id(value)
    except PydanticCustomError:
        return ""


def _text(value: Any) -> Any:
    """A free text, also one that came as a number; empty for anything else."""
    if isinstance(value, str):
        return value if value.isprintable() and len(value) <= MOST_LETTERS else cleaned(value)
    return _loose_id(str(value) if isinstance(value, Decimal) and value.is_finite() else value)


def word(value: Any) -> str:
    """A word of an enum that money hangs on."""
    if isinstance(value, str) and is_clean(value):
        return value
    raise _wrong("a word", value)


def loose_word(value: Any) -> str:
    """A word of an enum that no money hangs on: cleaned; empty where it is no text."""
    return cleaned(value, MOST_ID_LETTERS) if isinstance(value, str) else ""


def _amount(value: Any) -> Any:
    """An amount by the contract's pattern, or a JSON number, which must have been read with `parse_float=Decimal`."""
    if isinstance(value, str) and _AMOUNT.fullmatch(value):
        return Decimal(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18:
        return Decimal(value)
    if isinstance(value, Decimal) and _is_sensible(value):
        return Decimal(format(value, "f"))
    if isinstance(value, float):
        raise _wrong("an exact amount, a Decimal or a text such as 24.00 (from JSON: parse_float=Decimal),", value)
    raise _wrong("an amount such as 24.00", value)


def _is_sensible(value: Decimal) -> bool:
    """Whether a number can be written out: a power of ten without end takes all memory there is."""
    if not value.is_finite():
        return False
    exponent = value.as_tuple().exponent
    return value.adjusted() < 18 and isinstance(exponent, int) and exponent >= -18


def _count(value: Any) -> Any:
    """A whole number, as JSON or as text (proto3 JSON writes 64-bit numbers as text)."""
    if isinstance(value, str) and _COUNT.fullmatch(value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**12:
        return value
    if isinstance(value, Decimal) and _is_sensible(value) and value == value.to_integral_value():
        return _count(int(value))
    raise _wrong("a whole number", value)


def _loose_count(value: Any) -> Any:
    try:
        return _count(value)
    except PydanticCustomError:
        return None


def _loose_flag(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _instant(value: Any) -> Any:
    """A time, in UTC; one without an offset is taken as UTC. None where it is invalid or before 2000.

    No rule pays on a time alone, so an unreadable one never stops money. Digits alone are no year and no count of
    seconds, a leap second is the second after the one before it, and Go's and Unix's zero times are nothing said.
    """
    try:
        if isinstance(value, str):
            value = _time(value.strip())
        if not isinstance(value, datetime):
            return None
        value = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return value if value.year >= _FIRST_YEAR else None


def _time(text: str) -> datetime:
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError("no time")
    day, minute, second, fraction, offset = found.groups()
    leap = second == "60"
    seconds = "59" if leap else second or "00"
    fraction = (fraction or "").replace(",", ".") if not leap else ""
    at = datetime.fromisoformat(f"{day}T{minute or '00:00'}:{seconds}{fraction}{(offset or '').upper()}")
    return at + timedelta(seconds=1) if leap else at


def _object(value: Any) -> Any:
    """An object on which no money hangs; None where it is invalid."""
    return value if isinstance(value, dict | ApiModel) else None


def _objects(value: Any) -> Any:
    """A list of objects on which no money hangs: what is none, or empty, is left out; empty where it is no list."""
    if not isinstance(value, list | tuple):
        return ()
    return tuple(
        item
        for item in value[:MOST_ENTRIES]
        if isinstance(item, ApiModel) or (isinstance(item, dict) and not _is_empty(item, None, _DEEPEST))
    )


def _counted_objects(value: Any) -> Any:
    """A list whose entries count: what is no object stays as an empty one.

    Left out, it would say that there are fewer than there are, and another label would be ordered.
    """
    entries = value[:MOST_ENTRIES] if isinstance(value, list | tuple) else [value]
    return tuple(item if isinstance(item, dict | ApiModel) else {} for item in entries)


def _words(value: Any) -> Any:
    """A list of words on which no money hangs."""
    if not isinstance(value, list | tuple):
        return ()
    return tuple(item for item in value[:MOST_ENTRIES] if isinstance(item, str) and not _is_empty(item, None, 1))


def _scope(value: Any) -> Any:
    """What something serves, where an empty list means all: what cannot be read serves none instead."""
    words: tuple[str, ...] = _words(value)
    return words or (() if isinstance(value, list | tuple) and not value else ("unreadable",))


def _bounded(value: Any) -> Any:
    """A list on which money hangs: of at most so many entries."""
    if isinstance(value, list | tuple) and len(value) <= MOST_ENTRIES:
        return value
    raise _wrong(f"a list of at most {MOST_ENTRIES}", value)


Id = Annotated[str, BeforeValidator(_id)]
"""The id of a return, a line or a store: clean, or the object is unreadable."""

LooseId = Annotated[str, BeforeValidator(_loose_id)]
"""An id on which no money hangs; empty where it is unclean."""

Text = Annotated[str, BeforeValidator(_text)]
"""A free text, cleaned."""

Currency = Annotated[str, BeforeValidator(word)]
"""A currency's code as it came; whether it is one is the rules' to say."""

Money = Annotated[Decimal, BeforeValidator(_amount)]
"""A decimal amount in major units, exact; a JSON string by the contract's pattern, or a number read as Decimal."""

Count = Annotated[int, BeforeValidator(_count)]
"""A whole number."""

LooseCount = Annotated[int | None, BeforeValidator(_loose_count)]
"""A whole number on which no money hangs; None where it is none."""

LooseFlag = Annotated[bool, BeforeValidator(_loose_flag)]
"""Whether it is true; false where it is not said readably."""

Instant = Annotated[AwareDatetime | None, BeforeValidator(_instant)]
"""An ISO 8601 time, aware, in UTC; None where it cannot be read."""

Loose = BeforeValidator(_object)
"""Marks an object on which no money hangs."""

LooseList = BeforeValidator(_objects)
"""Marks a list of objects on which no money hangs."""

LooseCountedList = BeforeValidator(_counted_objects)
"""The same where "none" and "unknown" differ, and each entry counts."""

LooseWords = BeforeValidator(_words)
"""Marks a list of words on which no money hangs."""

Scope = BeforeValidator(_scope)
"""Marks a list of words whose emptiness means all."""

Bounded = BeforeValidator(_bounded)
"""Marks a list on which money hangs."""
