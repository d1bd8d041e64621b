"""What a merchant's rule does: the actions, each of a kind, and what of an action is worked out from the facts.

Actions of different kinds act side by side; of one kind the first rule that matches wins. `decline` and `accept` are
one kind, so are `fee` and `no_fee`, `bonus` and `no_bonus`. An action is of the lines that its rule matched, or, where
`OF_RETURN` names its kind, of the return as a whole.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from rever_api.models import CompensationMethod
from tasks.policy.condition_fields import days_between
from tasks.policy.condition_reader import MONEY, PERCENT, money, percent, wrong_amount
from tasks.policy.conditions import Truth
from tasks.policy.money import fee_in_percent
from tasks.policy.record import FeeTerms
from tasks.policy.return_facts import Fact, LineFacts, Money, ReturnFacts, Unknown
from tasks.policy.store import REFUND_METHODS, provider_and_carrier


class ActionKind(StrEnum):
    """What an action is about."""

    PAY = "pay"
    APPROVAL = "approval"
    ACCEPTANCE = "acceptance"
    METHODS = "methods"
    BONUS = "bonus"
    KEEP = "keep"
    FEE = "fee"
    SHIPPING = "shipping"
    WAREHOUSE = "warehouse"
    CARRIER = "carrier"
    RETURN_METHOD = "return_method"
    OUT_OF_STOCK = "out_of_stock"
    ADD_ON = "add_on"
    CANCEL = "cancel"
    ALARM = "alarm"


OF_RETURN = frozenset(
    {
        ActionKind.SHIPPING,
        ActionKind.WAREHOUSE,
        ActionKind.CARRIER,
        ActionKind.RETURN_METHOD,
        ActionKind.CANCEL,
        ActionKind.ALARM,
    }
)
"""Kinds of which a return has one: there is one label, and one decision to call it off."""


def _money(data: Any) -> Money:
    found = data if isinstance(data, Money) else money(data)
    if found is None:
        msg = "an amount with its currency, such as 24.00 EUR"
        raise ValueError(msg)
    if msg := wrong_amount(found):
        raise ValueError(msg)
    return found


FROM_THE_FILE = "from the file"
"""The context in which an action is read: there a share has its sign, and 0.1 is none."""


def _percent(data: Any, info: ValidationInfo) -> Decimal:
    found = data if isinstance(data, Decimal) and info.context != FROM_THE_FILE else percent(data)
    if found is None:
        msg = "a percentage, such as 10 %"
        raise ValueError(msg)
    return found


def _line(text: str) -> str:
    """One line: a text that YAML folds (`why: >`) ends in a new line."""
    line = text.strip()
    if not line or not line.isprintable():
        msg = "one line of words"
        raise ValueError(msg)
    return line


def _reason(text: str) -> str:
    if "@" in text:
        msg = "a reason without an e-mail address: REVER shows it"
        raise ValueError(msg)
    return text


def _in_the_file(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


Sum = Annotated[
    Money,
    BeforeValidator(_money),
    PlainSerializer(lambda it: f"{it.amount:f} {it.currency}"),
    _in_the_file(MONEY.pattern),
]
Share = Annotated[
    Decimal, BeforeValidator(_percent), PlainSerializer(lambda it: f"{it:f} %"), _in_the_file(PERCENT.pattern)
]
Method = Annotated[CompensationMethod, Field(strict=False)]
Credit = Literal["GIFT_CARD", "PROMO_CODE"]
Text = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_line)]
Days = Annotated[int, Field(ge=0, le=3650, strict=True)]


class _Action(BaseModel):
    """What all actions have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Pay(_Action):
    """When the lines are paid: at this moment, or so many whole days after it."""

    at: Literal["start", "first_scan", "arrival", "inspection"] = Field(description="The moment.")
    plus_days: Days = Field(0, description="Whole calendar days after it.")


class Approve(_Action):
    """A person is asked before the lines are paid; `then` is what happens where nobody has answered in time."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"required": ["then"], "properties": {"then": {"enum": ["decline", "go_on"]}}},
            "then": {"required": ["within_days"], "properties": {"within_days": {"type": "integer"}}},
        }
    )

    who: Text = Field(description="Who is asked.")
    why: Text = Field(description="Why, in words for them.")
    within_days: Days | None = Field(None, description="How long they have; no limit where it is left out.")
    then: Literal["wait", "decline", "go_on"] = Field("wait", description="What happens after that.")

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.then != "wait" and self.within_days is None:
            msg = f"`then: {self.then}` needs within_days"
            raise ValueError(msg)
        return self


class Decline(_Action):
    """The lines are not paid."""

    why: Text = Field(description="Why, in words.")


class Accept(_Action):
    """The lines are not declined by a rule below this one."""

    why: Text = Field(description="Why, in words.")


class Methods(_Action):
    """Which compensation the lines may have. A wish for another becomes the first of `instead` that may be and that the
    store offers; where there is none, it is held.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["only"], "properties": {"only": {"minItems": 1}}},
                {"required": ["never"], "properties": {"never": {"minItems": 1}}},
            ]
        }
    )

    only: tuple[Method, ...] = Field((), description="Only these; all, where it is left out.")
    never: tuple[Method, ...] = Field((), description="None of these.")
    instead: tuple[Method, ...] = Field((), description="In this order, in the place of what may not be.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.only and not self.never:
            msg = "`only` or `never` says which methods"
            raise ValueError(msg)
        return self


MOST_PERCENT = 100
"""Of a bonus or a fee: more is a point that was forgotten, as in 1000 % for 10.00 %."""

_UP_TO_100 = r"(?:0{0,2}[0-9]{1,2}(?:\.[0-9]{1,6})?|0?100(?:\.0{1,6})?) ?%"


UpTo100 = Annotated[Share, _in_the_file(_UP_TO_100)]

_NULL: Mapping[str, Any] = MappingProxyType({"type": "null"})
_TOLD: Mapping[str, Any] = MappingProxyType({"type": "string"})


def _one_way(amount: Decimal | Money | None, percent: Decimal | None) -> None:
    """Raise ValueError unless it is said how much, and in one way."""
    if (amount is None) == (percent is None):
        msg = "either `amount` or `percent` says how much"
        raise ValueError(msg)
    if percent is not None and percent > MOST_PERCENT:
        msg = f"`percent` is more than {MOST_PERCENT} %"
        raise ValueError(msg)


class Bonus(_Action):
    """More than the value, for a shopper who takes credit: so many percent of it, or a sum, once for the return. A
    refund in money is never above the value.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["percent"], "properties": {"percent": {**_TOLD}, "amount": {**_NULL}}},
                {
                    "required": ["amount"],
                    "properties": {"amount": {**_TOLD}, "percent": {**_NULL}, "at_most": {**_NULL}},
                },
            ]
        }
    )

    percent: UpTo100 | None = Field(None, description="Of the lines' value, at most 100 %.")
    amount: Sum | None = Field(None, description="Instead of percent: a sum, once for the return.")
    methods: tuple[Credit, ...] = Field(
        description="For whom: those who take one of these.", json_schema_extra={"minItems": 1}
    )
    at_most: Sum | None = Field(None, description="With percent: the most that all bonuses of the return come to.")

    @model_validator(mode="after")
    def _is_for_somebody(self) -> Self:
        if not self.methods:
            msg = "`methods` names none"
            raise ValueError(msg)
        _one_way(self.amount, self.percent)
        if self.at_most is not None and self.percent is None:
            msg = "`at_most` goes with `percent`"
            raise ValueError(msg)
        return self


class NoBonus(_Action):
    """No bonus by a rule below this one."""


class KeepItem(_Action):
    """The shopper keeps the goods: the lines are refunded without a label and without waiting for them."""


class Fee(_Action):
    """What is taken off the refunds of the lines: a sum, once or for each unit past the first `free_units`, or so many
    percent of what is refunded.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"required": ["free_units"], "properties": {"free_units": {"minimum": 1}}},
            "then": {"required": ["per"], "properties": {"per": {"const": "unit"}}},
            "oneOf": [
                {
                    "required": ["amount"],
                    "properties": {
                        "amount": {**_TOLD},
                        "percent": {**_NULL},
                        "at_least": {**_NULL},
                        "at_most": {**_NULL},
                    },
                },
                {
                    "required": ["percent"],
                    "properties": {"percent": {**_TOLD}, "amount": {**_NULL}, "per": {"const": "return"}},
                },
            ],
        }
    )

    amount: Sum | None = Field(None, description="The fee.")
    percent: UpTo100 | None = Field(
        None, description="Instead of amount: of the value of the units that are refunded, at most 100 %."
    )
    at_least: Sum | None = Field(None, description="With percent: the least that all units of these lines bear.")
    at_most: Sum | None = Field(None, description="With percent: the most that all units of these lines bear.")
    per: Literal["return", "unit"] = Field("return", description="For what it is taken.")
    free_units: Annotated[int, Field(ge=0, le=1000, strict=True)] = Field(0, description="Units that are free.")

    @model_validator(mode="after")
    def _is_a_sum_or_a_share(self) -> Self:
        _one_way(self.amount, self.percent)
        if self.percent is None and (self.at_least or self.at_most):
            msg = "`at_least` and `at_most` go with `percent`"
            raise ValueError(msg)
        if self.percent is not None and self.per != "return":
            msg = "`per: unit` goes with `amount`"
            raise ValueError(msg)
        low, high = self.at_least, self.at_most
        if low and high and (low.currency != high.currency or low.amount > high.amount):
            msg = "`at_least` is no more than `at_most`, in one currency"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _counts_units(self) -> Self:
        if self.free_units and self.per != "unit":
            msg = "`free_units` goes with `per: unit`"
            raise ValueError(msg)
        return self


class NoFee(_Action):
    """No fee for the lines, by any rule below this one."""


class RefundShipping(_Action):
    """The order's shipping is refunded too: all of it, or in proportion to what comes back."""

    share: Literal["whole", "proportion"] = Field(description="How much.")


class Warehouse(_Action):
    """Where the goods go."""

    name: Text = Field(description="The warehouse's name or id at REVER.")


class Carrier(_Action):
    """Who brings them."""

    name: Annotated[Text, AfterValidator(provider_and_carrier), _in_the_file("[^/]+/.+")] = Field(
        description="PROVIDER/CARRIER."
    )


class ReturnBy(_Action):
    """How they come back."""

    method: Literal["HOME_PICK_UP", "DROP_OFF_POINT", "DELIVERY_PICKUP", "IN_STORE"] = Field(description="The way.")


class OutOfStock(_Action):
    """What becomes of an exchange that is out of stock."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"properties": {"do": {"const": "hold"}, "refund_by": {"type": "null"}, "days": {"type": "null"}}},
                {
                    "properties": {
                        "do": {"const": "refund"},
                        "refund_by": {"enum": [*sorted(map(str, REFUND_METHODS))]},
                        "days": {"type": "null"},
                    },
                    "required": ["refund_by"],
                },
                {
                    "properties": {
                        "do": {"const": "wait"},
                        "refund_by": {"type": "null"},
                        "days": {"type": "integer"},
                    },
                    "required": ["days"],
                },
            ]
        }
    )

    do: Literal["hold", "refund", "wait"] = Field(description="Hold it, refund it, or wait.")
    refund_by: Method | None = Field(None, description="With refund: the method.")
    days: Days | None = Field(None, description="With wait: how long.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.do == "refund") != (self.refund_by is not None) or (self.do == "wait") != (self.days is not None):
            msg = "refund_by goes with `do: refund`, days with `do: wait`"
            raise ValueError(msg)
        if self.refund_by is CompensationMethod.EXCHANGE:
            msg = "refund_by is a refund, no exchange"
            raise ValueError(msg)
        return self


class AddOn(_Action):
    """Lines that are no goods (an insurance, an engraving): never refunded by themselves, and no unit to review."""


class Cancel(_Action):
    """The return is called off, once."""

    why: Annotated[Text, AfterValidator(_reason)] = Field(description="Why, in words.")


class Alarm(_Action):
    """A notice; nothing else changes."""

    why: Text = Field(description="What is wrong.")


Action = (
    Pay
    | Approve
    | Decline
    | Accept
    | Methods
    | Bonus
    | NoBonus
    | KeepItem
    | Fee
    | NoFee
    | RefundShipping
    | Warehouse
    | Carrier
    | ReturnBy
    | OutOfStock
    | AddOn
    | Cancel
    | Alarm
)

ACTIONS: Mapping[str, tuple[type[Action], ActionKind]] = MappingProxyType(
    {
        "pay": (Pay, ActionKind.PAY),
        "approve": (Approve, ActionKind.APPROVAL),
        "decline": (Decline, ActionKind.ACCEPTANCE),
        "accept": (Accept, ActionKind.ACCEPTANCE),
        "methods": (Methods, ActionKind.METHODS),
        "bonus": (Bonus, ActionKind.BONUS),
        "no_bonus": (NoBonus, ActionKind.BONUS),
        "keep_item": (KeepItem, ActionKind.KEEP),
        "fee": (Fee, ActionKind.FEE),
        "no_fee": (NoFee, ActionKind.FEE),
        "refund_shipping": (RefundShipping, ActionKind.SHIPPING),
        "warehouse": (Warehouse, ActionKind.WAREHOUSE),
        "carrier": (Carrier, ActionKind.CARRIER),
        "return_by": (ReturnBy, ActionKind.RETURN_METHOD),
        "out_of_stock": (OutOfStock, ActionKind.OUT_OF_STOCK),
        "add_on": (AddOn, ActionKind.ADD_ON),
        "cancel": (Cancel, ActionKind.CANCEL),
        "alarm": (Alarm, ActionKind.ALARM),
    }
)
"""Name in the policy file -> the action's model and its kind."""

_KINDS = dict(ACTIONS.values())
_NAMES = {model: name for name, (model, _) in ACTIONS.items()}


def kind_of(action: Action) -> ActionKind:
    """The kind of an action."""
    return _KINDS[type(action)]


def name_of(action: Action) -> str:
    """Its name in the policy file."""
    return _NAMES[type(action)]


def alike(one: Action, other: Action) -> bool:
    """Whether two actions of a kind do the same, whatever their words. Not two fees: each rule's fee is taken once."""
    if isinstance(one, Decline | Accept):
        return type(one) is type(other)
    return one == other and not isinstance(one, Fee)


def action_in_words(action: Action) -> str:
    """An action with its fields, as a person reads it: `pay (at first_scan)`."""
    fields = action.model_dump(mode="json", exclude_unset=True)
    values = "; ".join(f"{name} {', '.join(it) if isinstance(it, list) else it}" for name, it in fields.items())
    return f"{name_of(action)}{f' ({values})' if values else ''}"


def day_of(pay: Pay, facts: ReturnFacts) -> Fact[date]:
    """The day of what `pay` names, from which its days are counted."""
    return {
        "start": facts.started_on,
        "first_scan": facts.first_scanned_on,
        "arrival": facts.arrived_on,
        "inspection": facts.reviewed_on,
    }[pay.at]


def is_due(pay: Pay, facts: ReturnFacts) -> Truth:
    """Whether the moment to pay has come; unknown where nobody says when it was. All units must be inspected."""
    came = {"start": True, "first_scan": facts.scanned, "arrival": facts.arrived, "inspection": facts.reviewed}[pay.at]
    day = day_of(pay, facts)
    if came is False or day is None:
        return Truth.NO
    if came is True and not pay.plus_days:
        return Truth.YES
    days = days_between(day, facts.today)
    if not isinstance(days, int):
        return Truth.UNKNOWN
    return Truth.YES if days >= pay.plus_days else Truth.NO


def method_for(wish: str, methods: Methods, offered: Sequence[str]) -> str:
    """The compensation that a line gets; empty where a person must say. `offered` is what the store has; () is all."""

    def may_be(method: str) -> bool:
        return (not methods.only or method in methods.only) and method not in methods.never

    if may_be(wish):
        return wish
    others = (str(other) for other in methods.instead if may_be(other) and (not offered or other in offered))
    return next(others, "")


def fee_of(fee: Fee, lines: Iterable[LineFacts]) -> Fact[Money]:
    """What the fee comes to for all units of these lines: never more than they are worth."""
    lines, sums = tuple(lines), [it for it in (fee.amount, fee.at_least, fee.at_most) if it is not None]
    currency, worth = next((it.currency for it in sums), ""), Decimal(0)
    for line in lines:
        if not isinstance(line.value, Money):
            return line.value
        currency = currency or line.value.currency
        if line.value.currency != currency:
            return Unknown(f"the lines' totals in {currency}")
        worth += line.value.amount
    if fee.amount is None:
        return Money(fee_in_percent(worth, fee_terms(fee), currency), currency)
    units = max(0, sum(line.quantity for line in lines) - fee.free_units)
    return Money(min(fee.amount.amount * (units if fee.per == "unit" else 1), worth), currency)


def fee_terms(fee: Fee, rule: str = "") -> FeeTerms:
    """The terms of a fee in percent, as a refund fixes them."""
    at_least, at_most = (None if it is None else it.amount for it in (fee.at_least, fee.at_most))
    return FeeTerms(rule, fee.percent or Decimal(0), at_least, at_most)
