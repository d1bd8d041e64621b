"""What the ledger knows of one return, as the rules see it. Plain values: no database, no clock."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType


class IntentKind(StrEnum):
    """What an intent does at REVER."""

    REFUND = "refund"
    EXCHANGE = "exchange"
    LABEL = "label"
    REVIEW = "review"
    CANCEL = "cancel"
    REGISTER_LABEL = "register_label"
    CREATE_RETURN = "create_return"


class IntentState(StrEnum):
    """Where an intent stands. All but REFUSED and WITHDRAWN are live: their units are taken."""

    INTENDED = "intended"
    SENT = "sent"
    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    WITHDRAWN = "withdrawn"
    DONE_BY_HAND = "done_by_hand"
    DROPPED = "dropped"


MADE = "process"
"""Under this name the evidence of an effect has the id of the return that it made."""

OPEN_STATES = frozenset({IntentState.INTENDED, IntentState.SENT, IntentState.UNKNOWN})
"""States in which nobody knows the outcome yet."""

REFUNDED = frozenset({IntentState.SENT, IntentState.UNKNOWN, IntentState.DONE, IntentState.DONE_BY_HAND})
"""States in which a refund counts as one that the shopper had, as for the caps: it was sent, or paid by a person."""

DEAD_STATES = frozenset({IntentState.REFUSED, IntentState.WITHDRAWN})
"""States whose units are free again."""

MONEY_KINDS = frozenset({IntentKind.REFUND, IntentKind.EXCHANGE})
"""Kinds that share one key space of units: a unit is refunded or exchanged, never both."""

LABEL_KINDS = frozenset({IntentKind.LABEL, IntentKind.REGISTER_LABEL})
"""Kinds that bring the return a parcel. They share the numbers of its labels, and stand beside money."""

ALL_BUT_LABELS = frozenset(IntentKind) - LABEL_KINDS
"""Kinds of which one at a time is under way."""


@dataclass(frozen=True, slots=True)
class LineUnits:
    """Units of one line, by their number: the n-th *approved* unit of the line, n = 1..quantity, never a list place."""

    line_id: str
    units: tuple[int, ...]

    @property
    def quantity(self) -> int:
        """How many units these are."""
        return len(self.units)


ROUNDING = "half_up"
"""The rounding rule of lines whose first intent is made now; `tasks.policy.money` has each by its name."""


@dataclass(frozen=True, slots=True)
class LineTerms:
    """A line's total, quantity and currency, as its first intent fixed them. A later change at REVER holds.

    `rounding` is the rule of `tasks.policy.money` by which its units are worth what they are worth. It is fixed with
    the rest: a rule of a later version does not value anew what is half paid. It is this desk's own, so two terms that
    differ in nothing else are equal.
    """

    total: Decimal
    quantity: int
    currency: str
    rounding: str = field(default=ROUNDING, compare=False)


@dataclass(frozen=True, slots=True)
class FeeTerms:
    """A fee in percent of what is refunded, as a merchant's rule says it. It is one fee for all lines that the rule
    gives it to, `at_least` and `at_most` bound it as a whole, in the return's currency.

    A line's first refund fixes it for that line, and for those of the same rule.
    """

    rule: str
    percent: Decimal
    at_least: Decimal | None = None
    at_most: Decimal | None = None

    def same(self, other: "FeeTerms | None") -> bool:
        """Whether it is the same fee. Without bounds it does not matter by which rule it is."""
        if other is None or (self.percent, self.at_least, self.at_most) != (
            other.percent,
            other.at_least,
            other.at_most,
        ):
            return False
        return self.rule == other.rule or (self.at_least is None and self.at_most is None)

    def words(self, currency: str) -> str:
        """The fee as a person reads it; the bounds are amounts of this currency."""
        bounds = (("at least", self.at_least), ("at most", self.at_most))
        said = (f", {which} {amount} {currency}" for which, amount in bounds if amount is not None)
        return f"{self.percent} %{''.join(said)} by rule {self.rule!r}"


@dataclass(frozen=True, slots=True)
class PaidSeen:
    """How much of a refund REVER showed as paid when it was last looked at; the rest was on its way.

    `most` is the most that was ever shown, `since` when that was first seen; `dated` whether REVER has named the time
    of the payment (`refunded_at`). What falls below `most`, or loses its time, has come back.
    """

    paid: Decimal
    most: Decimal
    since: datetime
    dated: bool = False


@dataclass(frozen=True, slots=True)
class OrderShipping:
    """The part of an order's shipping costs that one refund has in it; all that refunds have of an order is numbered.

    `number` counts from 1 within the order: a part is worked out by all that have lower numbers. `worth` is the value
    of the goods that it goes with, `whole` what the order's shipping costs were said to be then.
    """

    order_id: str
    number: int = field(compare=False)
    amount: Decimal
    worth: Decimal = field(compare=False)
    whole: Decimal = field(compare=False)


@dataclass(frozen=True, slots=True)
class Parcel:
    """What travels together under one label: lines with so many units of each."""

    items: tuple[tuple[str, int], ...] = ()

    @property
    def units(self) -> int:
        """How many units are in it."""
        return sum(units for _, units in self.items)


@dataclass(frozen=True, slots=True)
class Replaced:
    """The parcel whose label is replaced by another, since it expired or was lost.

    `parcel` is its number within the return, from 1, and `mark` what it is known by from then on
    (`tasks.policy.replaced`); empty where it had no tracking number. `by` is who asked for it, empty where the store's
    policy did; `why` their reason, without personal data.
    """

    parcel: int
    mark: str = ""
    by: str = ""
    why: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Intent:
    """One effect that was meant, and what came of it.

    `gross` is the value of its units before costs, `exempt` the part of it that bears none, `amount` what is paid,
    `bonus` what it has on top of that value, `shipping` the part of the order's shipping that it has on top, too.
    `bonus_sum` is the part of `bonus` that is a fixed sum, which a return has once. `fee` is what the fees in percent
    of its lines (`fee_terms`, by line) take off; these lines bear no costs beside it.
    `look_at` is when an open intent is looked at next: its lease's end, its deadline, or the end of `settle_after`.
    `told_no_until` is the end of `settle_after` of one that was sent and withdrawn, since somebody on the way said no.
    `error_code` is REVER's code of a refusal (gRPC number as text), empty otherwise. `generation` counts labels; 0 for
    the others. `carrier` is the `PROVIDER/CARRIER` that a label was asked of, and `reason` the class of a refusal
    (`rever_api.errors`); both are empty where that is not known. `parcels` are all parcels of the return as its label
    was asked for, empty where that is one with all that comes back; `parcel` is which of them the label is for, from 1,
    0 for other kinds and where a person took care of it. `adopted` marks a refund that REVER had already made
    itself. `nothing_sent` marks an intent that came to 0 after costs, closed without a call. `paid_seen` is None until
    somebody has looked what REVER shows of it. `made` is the id of the return that it made at REVER, where it did.
    `replaces` is the parcel in whose place a label is made, where it is one that was there already.
    """

    id: str
    kind: IntentKind
    state: IntentState
    items: tuple[LineUnits, ...] = ()
    method: str = ""
    currency: str = ""
    amount: Decimal = Decimal(0)
    gross: Decimal = Decimal(0)
    generation: int = 0
    created_at: datetime | None = None
    sent_at: datetime | None = None
    look_at: datetime | None = None
    told_no_until: datetime | None = None
    error_code: str = ""
    reason: str = ""
    carrier: str = ""
    parcel: int = 0
    parcels: tuple[Parcel, ...] = ()
    adopted: bool = False
    nothing_sent: bool = False
    paid_seen: PaidSeen | None = None
    made: str = ""
    exempt: Decimal = Decimal(0)
    bonus: Decimal = Decimal(0)
    bonus_sum: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    fee_terms: tuple[tuple[str, FeeTerms], ...] = ()
    source: str = ""
    shipping: OrderShipping | None = None
    replaces: Replaced | None = None

    @property
    def live(self) -> bool:
        """Whether its units are taken."""
        return self.state not in DEAD_STATES

    @property
    def bears_costs(self) -> bool:
        """Whether the return's costs may come off any of its units."""
        return self.gross > self.exempt

    @property
    def open(self) -> bool:
        """Whether its outcome is still to come."""
        return self.state in OPEN_STATES

    @property
    def in_hand(self) -> bool:
        """Whether a run carries it out now, or broke off before it wrote down what came of it."""
        return self.state in {IntentState.INTENDED, IntentState.SENT}


class HoldKind(StrEnum):
    """Why a person is asked."""

    UNKNOWN_OUTCOME = "unknown_outcome"
    GUARD = "guard"
    APPROVAL = "approval"
    REFUSED = "refused"
    FOREIGN_REFUND = "foreign_refund"
    NOT_PAID_BY_REVER = "not_paid_by_rever"
    OUT_OF_STOCK = "out_of_stock"
    LABEL = "label"
    CONTRADICTION = "contradiction"
    UNKNOWN_VALUE = "unknown_value"
    UNREADABLE = "unreadable"
    AFTER_RESTORE = "after_restore"
    ON_ITS_WAY = "on_its_way"
    CAME_BACK = "came_back"


@dataclass(frozen=True, slots=True)
class OpenHold:
    """A hold that nobody has answered. `rule` names what held; `label` whether it stops the label, not the money.

    `says` is what a file says of the inspected units, where that is what is asked about: line -> status -> units.
    """

    id: str
    version: int
    kind: HoldKind
    rule: str
    why: str
    since: datetime
    label: bool = False
    amount: Decimal | None = None
    currency: str = ""
    intent_id: str = ""
    says: Mapping[str, Mapping[str, int]] = field(default_factory=lambda: MappingProxyType({}))


REFUNDS_SEEN = "refunds_seen"
"""A waiver that no rule uses up: up to this amount a person has seen refunds at REVER that this desk did not send."""

TO_PAY_SEEN = "to_pay_seen"
"""A waiver that no rule uses up: up to this amount a person knows what the shopper is to pay for an exchange."""

STILL_ON_ITS_WAY = "still_on_its_way"
"""The rule of the hold for money that REVER has accepted to pay and has not paid within the patience for it."""

CAME_BACK = "came_back"
"""The rule of the hold for money that REVER showed as paid and no longer does."""

SHOWS_LESS = "rever_shows_less"
"""The rule of the hold for what was done and REVER does not show."""

CANCEL_REFUSED = "cancel_refused"
"""The rule of the hold for a cancellation that REVER refused."""

INSPECTION_CONTRADICTS = "inspection_contradicts"
"""The rule of the hold for a warehouse's file that says of units what REVER does not show."""

TAKEN = frozenset({"done_by_hand", "drop"})
"""A person's answers that take it as REVER shows it."""

LASTING = frozenset({REFUNDS_SEEN, TO_PAY_SEEN, STILL_ON_ITS_WAY, CAME_BACK, SHOWS_LESS})
"""Waivers that no further effect uses up: they are about what REVER shows, up to their amount."""


@dataclass(frozen=True, slots=True)
class Waiver:
    """A person's answer that goes on: this rule does not hold again, once, up to this amount.

    The amount is None where the hold names no money.

    `used_by` is the intent that was claimed under it, empty while it is unused. An intent that is withdrawn gives its
    waivers back. `answer` is what the person said, and `at` when; empty where that is not known.
    """

    rule: str
    amount: Decimal | None = None
    currency: str = ""
    used_by: str = ""
    answer: str = ""
    at: datetime | None = None

    def lets_pass(self, rule: str, amount: Decimal | None, currency: str) -> bool:
        """Whether it is of this rule and the amount at stake is within what the person saw."""
        if self.rule != rule:
            return False
        if amount is None:
            return True
        return self.amount is not None and self.currency == currency and amount <= self.amount


@dataclass(frozen=True, slots=True)
class ParcelChange:
    """A change of where a parcel of the return is, as this desk saw it.

    `parcel` is its number within the return; 0 stands for the return itself, whose status at REVER tells too how far
    the goods have come. `n` counts the changes of this parcel from 1. `before` is empty at its first sight, `status`
    where REVER no longer shows it. `seen_at` is when it was seen, `told_at` when REVER says it was, and `as_of` the
    return's last change at REVER by the read that showed it; None where REVER does not say. `tracking` is erased with
    the shopper's data.
    """

    parcel: int
    n: int
    before: str
    status: str
    seen_at: datetime
    told_at: datetime | None = None
    as_of: datetime | None = None
    tracking: str = field(default="", repr=False)
    carrier: str = ""

    @property
    def at(self) -> datetime:
        """When it was: as REVER says, else when it was seen. Never before it was so."""
        return self.seen_at if self.told_at is None else min(self.told_at, self.seen_at)


@dataclass(frozen=True, slots=True)
class Record:
    """All that the ledger knows of one return. An empty one is a return never seen.

    `costs` is the return's costs C as the first refund intent fixed them. `lines` are the terms fixed by each line's
    first intent. `intents` are in the order they were made, dead ones too. `review_before` is when the ledger was made
    or restored, where nobody can say what people answered before that; `former` is what a ledger that was replaced
    knew of this return beyond its backup, in words. `parcels` are the changes of its parcels, oldest first; None where
    nobody has kept any, and the time of a scan is not known. `archived_at` is when it was over and its history was
    moved to an archive, the changes of its parcels too.
    """

    process_id: str
    store: str = ""
    costs: Decimal | None = None
    lines: Mapping[str, LineTerms] = field(default_factory=lambda: MappingProxyType({}))
    intents: tuple[Intent, ...] = ()
    holds: tuple[OpenHold, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    review_before: datetime | None = None
    former: str = ""
    parcels: tuple[ParcelChange, ...] | None = None
    archived_at: datetime | None = None

    def waived(self, rule: str, amount: Decimal | None = None, currency: str = "") -> bool:
        """Whether a person has let this rule pass for this amount, and no intent has used that up."""
        withdrawn = {intent.id for intent in self.intents if intent.state is IntentState.WITHDRAWN}
        return any(
            waiver.lets_pass(rule, amount, currency)
            for waiver in self.waivers
            if not waiver.used_by or waiver.used_by in withdrawn
        )

    def seen(self, refunds: Mapping[str, Decimal]) -> bool:
        """Whether a person has seen that others refunded so much, currency by currency: what came later, nobody has."""
        return all(
            any(waiver.lets_pass(REFUNDS_SEEN, amount, currency) for waiver in self.waivers)
            for currency, amount in refunds.items()
        )

    def without(self, intent_id: str) -> "Record":
        """The record as it would be had this intent not been made: for deciding again just before the call.

        Terms and costs that only this intent fixed go with it, and the waivers it used are unused again.
        """
        rest = tuple(intent for intent in self.intents if intent.id != intent_id)
        named = {item.line_id for intent in rest if intent.kind in MONEY_KINDS for item in intent.items}
        refunds = any(intent.kind is IntentKind.REFUND and intent.bears_costs for intent in rest)
        return Record(
            process_id=self.process_id,
            store=self.store,
            costs=self.costs if refunds else None,
            lines={line: terms for line, terms in self.lines.items() if line in named},
            intents=rest,
            holds=self.holds,
            waivers=tuple(
                replace(waiver, used_by="") if waiver.used_by == intent_id else waiver for waiver in self.waivers
            ),
            review_before=self.review_before,
            former=self.former,
            parcels=self.parcels,
            archived_at=self.archived_at,
        )


# What the ledger's intents of one return have taken: units, gross value, and what REVER once refused.


BY_A_PERSON = frozenset({IntentState.DONE_BY_HAND, IntentState.DROPPED})
"""States in which a person closed an intent: REVER is not expected to show it, and it may."""

Units = Mapping[str, frozenset[int]]
"""Line id -> numbers of units."""


def units_of(items: Iterable[LineUnits]) -> Units:
    """The units named, per line."""
    units: dict[str, frozenset[int]] = {}
    for item in items:
        units[item.line_id] = units.get(item.line_id, frozenset()) | frozenset(item.units)
    return units


def compensation_units(intent: Intent) -> list[tuple[str, str, int]]:
    """The keys of the units that a refund or exchange takes, in the one space that both share: space, line, number."""
    return [("compensation", item.line_id, n) for item in intent.items for n in item.units]


SHIPPING = "shipping"
"""The key space of the shipping of a return's order: each return has one, and it is refunded once."""


def shipping_unit(intent: Intent) -> list[tuple[str, str, int]]:
    """The key of the order's shipping, where a refund has a part of it."""
    return [(SHIPPING, "", 1)] if intent.shipping is not None else []


def cancellation_given_up(record: Record) -> bool:
    """Whether a person has given up calling the return off: after an unknown outcome, or after REVER refused."""
    dropped = any(it.kind is IntentKind.CANCEL and it.state is IntentState.DROPPED for it in record.intents)
    return dropped or any(it.rule == CANCEL_REFUSED and it.answer in TAKEN for it in record.waivers)


def money_intents(record: Record) -> tuple[Intent, ...]:
    """The live refund and exchange intents."""
    return tuple(intent for intent in record.intents if intent.kind in MONEY_KINDS and intent.live)


def taken(record: Record) -> Units:
    """Units that no other intent may take."""
    return units_of(item for intent in money_intents(record) for item in intent.items)


def taken_by_desk(record: Record) -> Units:
    """Units that an effect of this desk compensates, or REVER itself: not those that a person closed."""
    return units_of(
        item for intent in money_intents(record) if intent.state not in BY_A_PERSON for item in intent.items
    )


def closed_by_person(record: Record) -> bool:
    """Whether a person has closed units of this return."""
    return any(intent.state in BY_A_PERSON for intent in money_intents(record))


def open_money_intent(record: Record) -> Intent | None:
    """The effect whose outcome is still to come and beside which no money moves, if any: all but those of labels."""
    return next((intent for intent in record.intents if intent.open and intent.kind not in LABEL_KINDS), None)


def refusal(record: Record, kind: IntentKind, units: Units, method: str | None = None) -> Intent | None:
    """The last refused intent of this kind, and method if one is given, that asked for any of these units."""
    for intent in reversed(record.intents):
        alike = intent.kind is kind and intent.state is IntentState.REFUSED and method in {None, intent.method}
        if alike and overlap(units_of(intent.items), units):
            return intent
    return None


def overlap(some: Units, others: Units) -> bool:
    """Whether any unit is in both."""
    return any(numbers & others.get(line_id, frozenset()) for line_id, numbers in some.items())
