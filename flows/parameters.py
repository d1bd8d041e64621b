"""What the forms of the flows share: each field has a description to act on, and a default that harms nobody."""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError

from tasks.lookup import NO_EMAIL, WAYS, KeyKind, WrongKeyError, read_key
from tasks.policy.store import amount
from tasks.reporting.report import Mode, ReturnsReport, RunReport

Schema = dict[str, Any]

LAST = ("mode", "credentials")
"""What stands at the end of each form: a person says first what is meant, then whether it is to be done."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?) ?(Z|z|[+-]\d\d:?\d\d)?", re.ASCII)
_DIGITS = re.compile(r"-?[0-9]{1,12}")
_FIRST, _LAST = 2000, 9998
"""No return is older than this year; and at the end of the last one every zone still has a time in UTC."""


def whole(value: Any) -> Any:
    """A whole number in plain digits: `1_000`, full-width digits and blanks around it are none."""
    if isinstance(value, bool) or (isinstance(value, str) and not _DIGITS.fullmatch(value)):
        msg = "write a whole number in plain digits, such as 24"
        raise ValueError(msg)
    return value


def _day(value: Any) -> date | None:
    """A day as it is written, with nothing guessed: a number or a bare year is not taken."""
    if value is None or value == "":
        return None
    day: date | None = None
    if isinstance(value, date) and not isinstance(value, datetime):
        day = value
    elif isinstance(value, str) and _DATE.fullmatch(value.strip()):
        with suppress(ValueError):  # the 30th of February
            day = date.fromisoformat(value.strip())
    if day is None:
        msg = "write a date such as 2026-11-01"
        raise ValueError(msg)
    return day


def _store_time(value: Any) -> date | datetime | None:
    """A day, or a time that says its offset. Which moment a day begins is the store's own affair."""
    written = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if written is None and not isinstance(value, datetime):
        with suppress(ValueError):
            day = _day(value)
            if day is None or _FIRST <= day.year <= _LAST:
                return day
        raise ValueError(_WANTED)
    try:
        at = (
            value if written is None else datetime.fromisoformat(f"{written[1]}T{written[2]}{written[3] or ''}".upper())
        )
    except ValueError:
        at = None
    if at is None or not _FIRST <= at.year <= _LAST:
        raise ValueError(_WANTED)
    if at.utcoffset() is None:
        msg = f"say the time's offset from UTC, such as {at.isoformat()}Z or {at.isoformat()}+01:00"
        raise ValueError(msg)
    return at


_WANTED = (
    f"write a date such as 2026-11-01 (the start of that day at each store), or a time with its offset such as "
    f"2026-11-01T09:00+01:00, of the year {_FIRST} or later"
)


def _one_line(text: str) -> str:
    """Refuse what is none, takes several lines or may name a shopper."""
    if not text.isprintable() or not text.strip() or "@" in text:
        msg = "write it in one line, without an e-mail address: it is kept, and REVER may show it"
        raise ValueError(msg)
    return text.strip()


def _written(at: date | datetime | None) -> str | None:
    return None if at is None else at.isoformat()


# The bounds stand before the validator, so that they are in the form's schema too.
Amount = Annotated[Decimal | None, Field(ge=0), BeforeValidator(amount)]
"""An amount of money in a form, or none. The type of every one that is typed."""

Reason = Annotated[str, AfterValidator(_one_line), Field(min_length=1, max_length=200)]
"""Why something is asked for, in a few words of one line that name no shopper."""

Whole = Annotated[int | None, Field(ge=1), BeforeValidator(whole)]
"""A whole number of 1 or more in a form, or none."""

Day = Annotated[
    date | None,
    PlainValidator(_day),
    PlainSerializer(_written, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date"}),
]
"""A form's day, or none. The type of every parameter that is a day."""

StoreTime = Annotated[
    date | datetime | None,
    PlainValidator(_store_time),
    PlainSerializer(_written, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A form's point in time, or none: a time with its offset, or a date, which is the start of that day at each store
(`tasks.policy.clocks.StoreZone.begins`). The type of every parameter that is a time."""


def _return_key(typed: str) -> str:
    """What names a return, as it was typed. An e-mail address is refused: Prefect keeps what a form was filled with."""
    try:
        key = read_key(typed)
    except WrongKeyError as problem:
        raise PydanticCustomError(WRONG_KEY, "{why}", {"why": str(problem)}) from None
    if KeyKind.EMAIL in key.kinds:
        why = f"an e-mail address is not taken here, for Prefect keeps what a form is filled with; write {WAYS}"
        raise PydanticCustomError(WRONG_KEY, "{why} (`rever-returns find -` finds them by e-mail)", {"why": why})
    return typed.strip()


WRONG_KEY = "return_key"
"""The type of the errors of a `ReturnKey`: what was typed may be a shopper's name, so nobody repeats it."""

ReturnKey = Annotated[
    str,
    AfterValidator(_return_key),
    WithJsonSchema({"type": "string", "minLength": 1, "pattern": NO_EMAIL}),
]
"""What names returns in a form (`tasks.lookup`), but for an e-mail. The type of every parameter that names returns."""

KEYS = (
    "REVER's id of the return (retp_...), an order number (#1001: all its returns), a hold's id or a tracking number."
)
"""What a form says of a field that takes one `ReturnKey`."""


class FlowParameters(BaseModel):
    """The form of any flow; as it is, that of one that writes nothing.

    Unknown names are refused, so that a typo is never silently ignored.
    """

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, hide_input_in_errors=True)

    begins: ClassVar[bool] = False
    """Whether a desk may begin with this flow: where REVER is this machine, it makes the ledger that is not there."""

    first: ClassVar[Sequence[str]] = ()
    """What stands at the beginning of the form, before the fields of the forms that it builds on."""

    credentials: str = Field(
        "",
        title="Credentials block",
        description="Name of a `REVER credentials` block in Prefect. Empty: what the worker's environment says.",
    )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The schema as Prefect's form can show it."""
        return _as_form(handler.resolve_ref_schema(handler(schema)), cls.first, LAST, handler.resolve_ref_schema)

    def new_report(self, flow: str) -> RunReport:
        """The report with which a run of the flow begins."""
        return RunReport(flow)


class ReturnsParameters(FlowParameters):
    """The form of a flow over returns, which can be planned before it acts."""

    mode: Mode = Field(
        Mode.PLAN,
        title="Mode",
        description="plan: decide and report, write nothing anywhere. act: carry the decisions out.",
    )

    def new_report(self, flow: str) -> ReturnsReport:
        """The report with which a run of the flow begins."""
        return ReturnsReport(flow, mode=self.mode)


class StoresParameters(ReturnsParameters):
    """The form of a flow over the returns of whole stores."""

    begins: ClassVar[bool] = True

    stores: list[str] = Field(
        default_factory=list,
        title="Stores",
        description="E-commerce ids of the stores. Empty: all of this desk's stores.",
    )


class SearchParameters(StoresParameters):
    """The form of a flow that searches for returns."""

    process_ids: list[ReturnKey] = Field(
        default_factory=list,
        title="Returns",
        description="Each by REVER's id (retp_...), an order number (#1001: all its returns), a hold's id or a "
        "tracking number. Empty: all running returns of the stores.",
    )
    started_since: StoreTime = Field(
        None,
        title="Started since",
        description="Only returns that the shopper started at or after this: a date (the start of that day at the "
        "store), or a time with its offset, such as 2026-11-01T09:00+01:00. Empty: however old.",
    )
    max_returns: Whole = Field(
        None,
        title="At most this many returns",
        description="Look at no more returns than this. The stores have equal parts of it, and what one does not need "
        "goes to the others. Empty: all.",
    )
    max_amount: Amount = Field(
        None,
        title="At most this much money",
        description="Refund no more than this in one run, in each currency; what goes beyond waits. The stores have "
        "equal parts of it, and what one does not need goes to the others. Empty: no cap.",
    )


def _as_form(schema: Schema, first: Sequence[str], last: Sequence[str], resolve: Callable[[Schema], Schema]) -> Schema:
    """The schema of a form as Prefect's UI shows it well: one plain field a parameter, `first` first and `last` last.

    What pydantic writes is right but hard to fill: an optional number becomes a choice between "int" and "None", an
    amount of money one between "float", "str" and "None", and the order of the fields is lost where Prefect keeps
    it in PostgreSQL. Prefect's server takes null for a field that is neither required nor has a default. `resolve`
    returns what a `$ref` stands for.
    """
    properties: dict[str, Schema] = schema.get("properties", {})
    between = [name for name in properties if name not in {*first, *last}]
    order = [*first, *between, *(name for name in last if name in properties)]
    schema["properties"] = {name: _plain(properties[name], resolve) | {"position": n} for n, name in enumerate(order)}
    return schema


def _plain(field: Schema, resolve: Callable[[Schema], Schema]) -> Schema:
    """A field that may be left out, without the choice of a type."""
    kinds = [kind for kind in field.get("anyOf", ()) if kind.get("type") != "null"]
    if not kinds:
        return {name: value for name, value in field.items() if (name, value) != ("default", None)}
    # Of an amount's two kinds the number comes first; a text that is one is taken all the same where it comes in.
    kind = resolve(kinds[0]) if "$ref" in kinds[0] else kinds[0]
    return kind | {name: value for name, value in field.items() if name not in {"anyOf", "default"}}
