"""The answers the rules can give for one return: each says which rule gave it and why, without personal data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from tasks.policy.record import FeeTerms, HoldKind, IntentKind, LineUnits, OrderShipping, Parcel, Replaced


@dataclass(frozen=True, slots=True)
class RefundDue:
    """One issueRefund: `amount` is what is paid, `gross` the value of its units before costs.

    `exempt` is the part of `gross` that bears no costs, `bonus` what the amount has on top, and `shipping` the part of
    the order's shipping costs that it has on top too. An `amount` of 0 closes its units without a call. `bonus_sum` is
    the part of `bonus` that is a fixed sum, `fee` what the fees in percent of its lines (`fee_terms`) take off.
    """

    method: str
    amount: Decimal
    gross: Decimal
    currency: str
    items: tuple[LineUnits, ...]
    exempt: Decimal = Decimal(0)
    bonus: Decimal = Decimal(0)
    shipping: OrderShipping | None = None
    bonus_sum: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    fee_terms: tuple[tuple[str, FeeTerms], ...] = ()

    @property
    def on_top(self) -> Decimal:
        """What the amount has on top of the units' value."""
        return self.bonus + (self.shipping.amount if self.shipping else Decimal(0))

    @property
    def costs(self) -> Decimal:
        """What was taken off for the return's costs, beside the fees in percent."""
        return self.gross + self.on_top - self.fee - self.amount


@dataclass(frozen=True, slots=True)
class ExchangeDueItem:
    """The replacement for some units of one line: which variant is wanted for them."""

    line_id: str
    variant_id: str
    product_id: str
    units: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ExchangeDue:
    """One issueExchange with all units that are to be exchanged. `gross` is their value, for the report only."""

    items: tuple[ExchangeDueItem, ...]
    gross: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Compensate:
    """Money or goods are due now: refunds in order (one per method), then the exchange."""

    rule: str
    why: str
    costs: Decimal
    refunds: tuple[RefundDue, ...] = ()
    exchange: ExchangeDue | None = None


@dataclass(frozen=True, slots=True)
class Adopt:
    """REVER already shows, to the cent and per method, what is due: record it as done and send nothing.

    `paid_elsewhere`: when, a moment ago, somebody else has done just that at a store where only this desk pays.
    """

    rule: str
    why: str
    costs: Decimal
    refunds: tuple[RefundDue, ...]
    paid_elsewhere: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class MakeLabel:
    """A label or pickup is due. `generation` counts the labels of this return: 1, then 2 after a cancelled one.

    `warehouse` is the name or id of the warehouse that a rule of the merchant's sends it to; empty where none does.
    `slots` are the hours in which a pickup may come (REVER's `pickup_ranges`); empty for as the return says. Where the
    return travels in several, `parcels` are all of them and `parcel` is the one that this label is for, from 1.
    `replaces` is the parcel whose label expired or was lost, where it is made in the place of that one.
    """

    rule: str
    why: str
    generation: int
    provider: str
    carrier: str
    return_method: str
    warehouse: str = ""
    slots: tuple[str, ...] = ()
    parcel: int = 1
    parcels: tuple[Parcel, ...] = ()
    replaces: Replaced | None = None


@dataclass(frozen=True, slots=True)
class AskedEffect:
    """An effect is due that a person, a file or another system has asked for, or a rule of the merchant's.

    `wanted` is what was asked for, as its kind has it. `stake` is the money that goes out because of it though this
    desk does not send it (REVER pays what a review approves): it meets the guards as a refund does.
    """

    rule: str
    why: str
    kind: IntentKind
    wanted: Any
    stake: RefundDue | None = None


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A return is called off: why, as REVER shows it (it must name no shopper), and which rule of the merchant's wants
    it; empty where somebody asked for it.
    """

    reason: str
    policy_rule: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be done now; it is looked at again no later than `until`.

    `reopens` says that what is waited for takes a return from its end again: it is no older view of it.
    `for_another_run` says that an effect is due which the run that decides may not do: another one must.
    """

    rule: str
    why: str
    until: datetime
    reopens: bool = False
    for_another_run: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Hold:
    """A person decides. `evidence` is what was seen; `label` says that it stops the label, not the money.

    `refunds` is what REVER shows and this desk did not send, per currency, where the hold tells of it: an answer takes
    that as seen, and no more; so it does with `to_pay`, what the shopper is to pay for dearer goods. Where the amounts
    can be worked out, `pays` is what this desk refunds once a person lets the rule pass (0: nothing), and `goods` the
    value of what it orders then; a hold with other figures is the same one. `besides` is how much of `pays` is for
    other payments than those of its own `items`. `leaves` and `leaves_goods` are what stays due for other units once a
    person closes the `items`; `shipping` is closed with them. `bonus_sum` is the bonus that is a fixed sum,
    where it goes with them, `fee_terms` are the fees in percent that they bear: paid by hand they have had them, and
    `leaves_by_hand` is what stays due then.
    `paid_elsewhere`: when, a moment ago, somebody else refunded what this desk had refunded too.
    `says` is what a file says of the inspected units, where that is what is asked about: line -> status -> units.
    """

    rule: str
    why: str
    kind: HoldKind
    evidence: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    amount: Decimal | None = None
    currency: str = ""
    items: tuple[LineUnits, ...] = ()
    label: bool = False
    refunds: Mapping[str, Decimal] = field(default_factory=lambda: MappingProxyType({}))
    to_pay: Decimal | None = field(default=None, compare=False)
    pays: Decimal | None = field(default=None, compare=False)
    goods: Decimal | None = field(default=None, compare=False)
    besides: Decimal | None = field(default=None, compare=False)
    leaves: Decimal | None = field(default=None, compare=False)
    leaves_goods: Decimal | None = field(default=None, compare=False)
    leaves_by_hand: Decimal | None = field(default=None, compare=False)
    shipping: OrderShipping | None = field(default=None, compare=False)
    bonus_sum: Decimal = field(default=Decimal(0), compare=False)
    fee_terms: tuple[tuple[str, FeeTerms], ...] = field(default=(), compare=False)
    paid_elsewhere: datetime | None = field(default=None, compare=False)
    says: Mapping[str, Mapping[str, int]] = field(default_factory=lambda: MappingProxyType({}), compare=False)


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing is due. `final`: every unit has its outcome, nothing is open, and REVER shows the same."""

    rule: str
    why: str
    final: bool = False


Decision = Compensate | Adopt | MakeLabel | AskedEffect | Wait | Hold | Nothing


class DecisionName(StrEnum):
    """The word for a decision in reports, in the ledger and on pages: docs/running.md lists them."""

    REFUND = "refund"
    EXCHANGE = "exchange"
    ALREADY_PAID = "already paid"
    LABEL = "label"
    WAIT = "wait"
    HOLD = "hold"
    NO_ACTION = "no action"
    REVIEW = "review"
    CANCEL = "cancel"
    REGISTER_LABEL = "register label"
    CREATE_RETURN = "create return"


_NAMES: Mapping[type[Decision], DecisionName] = {
    Compensate: DecisionName.REFUND,
    Adopt: DecisionName.ALREADY_PAID,
    MakeLabel: DecisionName.LABEL,
    Wait: DecisionName.WAIT,
    Hold: DecisionName.HOLD,
    Nothing: DecisionName.NO_ACTION,
}


def decision_name(decision: Decision) -> DecisionName:
    """The word for this decision."""
    if isinstance(decision, AskedEffect):
        return DecisionName[decision.kind.name]
    if isinstance(decision, Compensate) and not decision.refunds:
        return DecisionName.EXCHANGE
    return _NAMES[type(decision)]


def left_to_another_run(decision: Decision) -> bool:
    """Whether an effect is due that the run which decided so may not do."""
    return isinstance(decision, Wait) and decision.for_another_run


def refunds_of(decision: Decision) -> tuple[RefundDue, ...]:
    """The refunds that go out once a decision is carried out, by this desk or because of what it does."""
    match decision:
        case Compensate(refunds=refunds):
            return refunds
        case AskedEffect(stake=RefundDue() as stake):
            return (stake,)
        case _:
            return ()


NOT_WAIVED = frozenset(
    {
        "completed_unpaid",
        "contradictory",
        "incomplete_read",
        "label_not_shown",
        "needs_facts",
        "no_address",
        "no_carrier",
        "no_country",
        "no_variant",
        "read_denied",
        "reads_differ",
        "too_many_parcels",
        "unknown_method",
        "unknown_return_method",
        "unknown_review_status",
        "unknown_status",
        "unknown_timing",
        "unreadable",
    }
)
"""Rules that hold as long as REVER shows the same: without what they miss nothing can be worked out, so a
person can only have it looked at again (`look_again`)."""
