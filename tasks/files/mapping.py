"""The mapping of a store: what the columns and words of a file mean. YAML, read strictly.

`FileMapping` is what the mapping of any file says, `InspectionMapping` that of a warehouse's:

```yaml
columns: {rma: Return RMA Number, sku: SKU, quantity: Item Quantity, outcome: Condition}
words:
  GOOD: APPROVED
  DAMAGED: {status: DECLINED, reason: It came back damaged}
```
"""

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from rever_api.models import ReviewStatus
from tasks.files.dates import DateFormat, zone_named
from tasks.files.table import BLANKS, InputFileError, Reading
from tasks.policy.policy_text import PolicyText, Problem, nearest, read_yaml, shown

NOT_YET = "NOT_YET"
"""What a word means that says of a unit only that it arrived: its rows are refused until it is inspected."""

LARGEST_MAPPING = 1_000_000
"""Bytes that a mapping has at most."""
_NO_FIELDS = "this is no mapping; right would be `columns:` and `words:`, each with fields of its own."


def _known_zone(name: str) -> str:
    if zone_named(name) is None:
        raise ValueError("a time zone such as Europe/Madrid, or an offset such as +01:00")
    return name


ZoneName = Annotated[str, AfterValidator(_known_zone)]
"""The name of a zone, or an offset, that there is."""


class Outcome(BaseModel):
    """What a word means: a review, or `NOT_YET`. A decline needs a reason, here or in a column."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: str
    reason: str = ""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"status": value} if isinstance(value, str) else value

    @field_validator("status")
    @classmethod
    def _known(cls, value: str) -> str:
        known = (*ReviewStatus, NOT_YET)
        if value not in known:
            raise ValueError(f"one of {', '.join(known)}")
        return value


class FileColumns(BaseModel):
    """Which column of the file holds what, by the column's name in the header; left out where there is none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def named(self) -> dict[str, str]:
        """Field -> column, of those that are there."""
        return {field: column for field, column in self if column}


class Columns(FileColumns):
    """The columns of a warehouse's file."""

    process_id: str = Field("", description="REVER's id of the return, retp_...")
    rma: str = Field("", description="The return's number: the shop's own, or REVER's id.")
    order: str = Field("", description="The order's name, with or without #.")
    tracking: str = Field("", description="The tracking number of the parcel that came back.")
    line: str = Field("", description="REVER's id of the line.")
    sku: str = Field("", description="The product's SKU.")
    ean: str = Field("", description="The product's EAN, UPC or barcode.")
    quantity: str = Field("", description="How many units the row is about; without it one.")
    unit: str = Field("", description="What tells one unit from another: a licence plate, a serial number.")
    receipt: str = Field("", description="The warehouse's own id of the row or receipt: the same in each file.")
    outcome: str = Field("", description="What was found, in the warehouse's words.")
    approved: str = Field("", description="How many units are approved.")
    declined: str = Field("", description="How many units are declined.")
    missing: str = Field("", description="How many units did not come.")
    reason: str = Field("", description="Why, in the warehouse's words: `reasons` says what the shopper reads.")
    inspected_at: str = Field("", description="When it was inspected.")
    inspected_time: str = Field("", description="The time of day, where the date stands in a column of its own.")


RETURN_KEYS = ("process_id", "rma", "order", "tracking")
"""The columns that name a return, the strongest first."""
PRODUCT_KEYS = ("line", "sku", "ean")
"""The columns that name a product of it, the strongest first."""
COUNTS = {"approved": ReviewStatus.APPROVED, "declined": ReviewStatus.DECLINED, "missing": ReviewStatus.MISSING}
"""The columns that count units by what was found."""


class FileMapping(BaseModel):
    """What a mapping says of any file: how it is read, and of which store it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: FileColumns
    store: str = Field("", description="The only store that the file is about.")
    decimal: str = Field(".", description="The decimal sign of quantities.", pattern=r"^[.,]$")
    encoding: str = Field("", description="The encoding of a file that is not UTF-8.")
    separator: str = Field("", description="What parts the cells; left out, it is found.", max_length=1)
    quoted: bool = Field(True, description="Whether cells may be in quotation marks; else these are text.")
    sheet: str = Field("", description="The sheet of a workbook that has several.")
    fill_down: bool = Field(False, description="An empty cell that would name the return means the one above it.")
    several_parted_by: str = Field("", description="What parts several products in one cell; \\n for lines.")
    footers: tuple[str, ...] = Field((), description="First cells of rows that are no data, such as Total.")

    @field_validator("encoding")
    @classmethod
    def _encoding(cls, value: str) -> str:
        try:
            if value:
                codecs.lookup(value).incrementaldecoder("strict").decode(b"", final=True).encode()
        except (LookupError, ValueError, TypeError, AttributeError):
            raise ValueError("the name of an encoding, such as cp1252, latin-1 or utf-16") from None
        return value

    @property
    def reading(self) -> Reading:
        """How the file is read."""
        return Reading(self.encoding, self.separator, self.sheet, self.quoted)


def each_word_once(value: dict[str, Any]) -> dict[str, Any]:
    """Words of a mapping as they are compared, -> what they mean. Raises `ValueError` for one that is there twice."""
    many = Counter(fold(word) for word in value)
    if double := next((word for word in value if many[fold(word)] > 1), None):
        raise ValueError(f"each word once: capitals do not count, and {double!r} is there twice")
    return {fold(word): meaning for word, meaning in value.items()}


class InspectionMapping(FileMapping):
    """What the columns and words of a warehouse's file mean."""

    columns: Columns
    words: dict[str, Outcome] = Field({}, description="Word of the outcome's column -> what it means.")
    reasons: dict[str, str] = Field({}, description="Word of the reason's column -> what the shopper reads.")
    declined_reason: str = Field("", description="What the shopper reads of a decline that has no other reason.")
    received_is: Outcome | None = Field(None, description="What every row means, of a file that says only: received.")
    cumulative: bool = Field(False, description="Each file has the rows of those before it again.")
    date_format: DateFormat = Field(DateFormat.ISO, description="How dates are written.")
    zone: ZoneName = Field("UTC", description="The zone of times without an offset: Europe/Madrid, or +01:00.")

    @field_validator("words", "reasons")
    @classmethod
    def _once(cls, value: dict[str, Any]) -> dict[str, Any]:
        return each_word_once(value)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        there = self.columns.named()
        if not any(key in there for key in RETURN_KEYS):
            raise ValueError(f"a column that names the return: one of {', '.join(RETURN_KEYS)}")
        if not any(key in there for key in PRODUCT_KEYS):
            raise ValueError(f"a column that names the product: one of {', '.join(PRODUCT_KEYS)}")
        counted = [name for name in COUNTS if name in there]
        ways = ["outcome"] * ("outcome" in there) + ["received_is"] * (self.received_is is not None)
        ways += ["/".join(counted)] if counted else []
        if len(ways) != 1:
            found = f", and not {' and '.join(ways)} at once" if ways else ""
            words = "one way to tell what was found: the column `outcome`, columns that count (`approved`, `declined`,"
            raise ValueError(f"{words} `missing`), or `received_is` for a file that says only what came{found}")
        declines = [*self.words.values(), *([self.received_is] if self.received_is else [])]
        bare = any(it.status == ReviewStatus.DECLINED and not it.reason.strip() for it in declines)
        given = self.declined_reason.strip() or ("reason" in there and self.reasons)
        if (bare or "declined" in counted) and not given:
            places = "`reason:` beside it, `declined_reason`, or `reasons`"
            raise ValueError(f"a reason for each DECLINED, which the shopper reads: {places}")
        return self


MappingT = TypeVar("MappingT", bound=FileMapping)


class MappingError(InputFileError):
    """A mapping is missing, broken, or says what cannot be. `problems` holds one sentence for each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def fold(word: str) -> str:
    """A word, or a column's name, as it is compared: without blanks around it, capitals do not count."""
    return " ".join(word.strip(BLANKS).split()).casefold()


def load_mapping(path: Path, model: type[MappingT], name: str = "") -> MappingT:
    """Read a mapping as this model; `name` is how people know it where that is not its path.

    Raises `MappingError` with every problem: line, field, what was found, what would be right.
    """
    said = Path(name) if name else path
    try:
        if path.stat().st_size > LARGEST_MAPPING:
            raise MappingError((f"{said}: the mapping has more than {LARGEST_MAPPING:,} bytes.",))
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise MappingError((f"{said}: the mapping cannot be read ({error.strerror}).",)) from error
    except UnicodeDecodeError as error:
        raise MappingError((f"{said}: the mapping is not text in UTF-8.",)) from error
    text = read_yaml(_with_none(content, model), _NO_FIELDS)
    problems = list(text.problems)
    if not problems:
        try:
            return model.model_validate_json(json.dumps(text.values), strict=True)
        except ValidationError as error:
            problems += _problems(text, error, model)
    raise MappingError(tuple(problem.of(said) for problem in problems))


def _with_none(content: str, model: type[FileMapping]) -> str:
    """The text, with `{}` behind each list of words below which nothing but comments stands: nothing is decided yet."""
    lists = "|".join(name for name, field in model.model_fields.items() if get_origin(field.annotation) is dict)
    empty = rf"^({lists}):[ \t]*(?:#.*)?$(?=(?:\n[ \t]*(?:#.*)?)*(?:\n[^ \t#\n]|\Z))"
    return re.sub(empty, r"\1: {}", content.replace("\r\n", "\n"), flags=re.MULTILINE)


def _problems(text: PolicyText, error: ValidationError, model: type[FileMapping]) -> Iterator[Problem]:
    for detail in error.errors(include_url=False):
        at = tuple(part for part in detail["loc"] if part != "[key]")
        yield Problem(at, text.line(at), _sentence(at, detail, model))


def _sentence(at: tuple[str | int, ...], detail: ErrorDetails, model: type[FileMapping]) -> str:
    if detail["type"] == "extra_forbidden":
        known = _fields(at, model)
        return f"{shown(at)} is no field{nearest(str(at[-1]), known)}; there are {', '.join(known)}."
    right = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if detail["type"] == "missing":
        return f"{shown(at)} is missing; right would be `{at[-1]}:` with fields of its own."
    if not at:
        return f"the mapping lacks something; right would be {right}."
    found = json.dumps(detail["input"], default=str, ensure_ascii=False)
    return f"{shown(at)} is {found if len(found) < 100 else 'wrong'}; right would be {right}."


def _fields(at: tuple[str | int, ...], model: type[FileMapping]) -> tuple[str, ...]:
    """The fields that there are where an unknown one stands."""
    if at[:1] == ("columns",):
        return tuple(model.model_fields["columns"].annotation.model_fields)  # type: ignore[union-attr]
    return tuple((Outcome if len(at) > 1 else model).model_fields)
