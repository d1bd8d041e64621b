"""The auditor: judges from the books and the state alone what was done and what is still owed.

Its arithmetic is the sandbox's own, never that of the code it judges.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal

from rever_api.models import (
    CompensationMethod,
    LogisticsEntry,
    ProcessStatus,
    RefundTiming,
    ReturnLineItem,
    ReturnMethod,
    ReturnProcess,
    ReturnStatus,
    ShippingStatus,
)
from rever_api.sandbox.arithmetic import (
    approved_units,
    costs,
    fully_reviewed,
    is_exchange,
    line_value,
    major,
    minor,
    refund_gross,
    reviewed,
)
from rever_api.sandbox.shops import OPS, Shop
from rever_api.sandbox.state import Actor, Effect, Sandbox, StoredProcess, as_text

LOST_LABEL = "loseLabel"
"""The entry of the books for a label that the shopper lost; its reference is the tracking number."""

_LABELS = {"createOrderV2", "createReverseDelivery"}
_DEAD = {ShippingStatus.CANCELED, ShippingStatus.ERROR}
_NOT_NOW = {ProcessStatus.COMPLETED, ProcessStatus.FAILED, ProcessStatus.CANCELED, ProcessStatus.ON_HOLD}
_TIMINGS = {RefundTiming.ON_START, RefundTiming.ON_ITEM_SENT, RefundTiming.ON_ITEM_VERIFIED}
_BY_PARCEL = {ReturnMethod.HOME_PICK_UP, ReturnMethod.DROP_OFF_POINT, ReturnMethod.DELIVERY_PICKUP}


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise. `invariant` is 1 (paid too much), 2 (done twice), 3 (paid where nothing may be paid) or
    4 (refunded and exchanged); `effect` is the number in the books of the effect that broke it.
    """

    invariant: int
    kind: str
    process_id: str
    effect: int
    why: str


@dataclass(frozen=True, slots=True)
class Due:
    """What a running return is still owed: money, units of goods, a label. `blocked` says why a person must decide.

    `payer` is `desk`, or `rever` where REVER pays by itself. `unreviewed` units wait for their inspection.
    """

    process_id: str
    store: str
    currency: str
    amount: Decimal
    exchange_units: int
    label: bool
    unreviewed: int
    payer: Literal["desk", "rever"]
    blocked: str = ""
    label_blocked: str = ""

    @property
    def anything(self) -> bool:
        """Whether a user of the API has something to do about it."""
        pays = self.payer == "desk" and (self.amount > 0 or self.exchange_units > 0 or bool(self.blocked))
        return pays or self.label


@dataclass(frozen=True, slots=True)
class Audit:
    """The verdict. `paid` is what went out through the API, `paid_by_others` what went out otherwise."""

    violations: tuple[Violation, ...]
    due: tuple[Due, ...]
    paid: dict[str, Decimal]
    paid_by_others: dict[str, Decimal]

    @property
    def clean(self) -> bool:
        """Whether no promise was broken; see `forgotten` for what was not done."""
        return not self.violations

    @property
    def due_total(self) -> dict[str, Decimal]:
        """Currency -> money that the desk can pay now, without a person's decision."""
        totals: dict[str, Decimal] = {}
        for due in self.due:
            if due.payer == "desk" and not due.blocked and due.amount > 0:
                totals[due.currency] = totals.get(due.currency, Decimal(0)) + due.amount
        return dict(sorted(totals.items()))

    @property
    def waits_for_review(self) -> tuple[str, ...]:
        """Ids of the running returns with units that are not inspected yet."""
        return tuple(due.process_id for due in self.due if due.unreviewed)

    def counts(self) -> dict[str, int]:
        """Kind of violation -> how many; the most important kinds are there with 0 too."""
        zero = dict.fromkeys(("double_refund", "double_exchange", "second_label", "over_paid"), 0)
        return zero | dict(Counter(violation.kind for violation in self.violations))

    def forgotten(self, explained: Collection[str] = ()) -> tuple[str, ...]:
        """Return the ids with something due that are not among `explained` (held, or open at the desk)."""
        return tuple(due.process_id for due in self.due if due.anything and due.process_id not in explained)

    def as_json(self, explained: Collection[str] = ()) -> dict[str, Any]:
        """Return all of it, amounts as strings."""
        return {
            "clean": self.clean,
            "counts": self.counts(),
            "violations": [asdict(violation) for violation in self.violations],
            "paid": as_text(self.paid),
            "paid_by_others": as_text(self.paid_by_others),
            "due_total": as_text(self.due_total),
            "due": [asdict(due) | {"amount": str(due.amount)} for due in self.due],
            "waits_for_review": list(self.waits_for_review),
            "forgotten": list(self.forgotten(explained)),
        }


def audit(sandbox: Sandbox) -> Audit:
    """Go through the books in order and through all processes as they are now."""
    with sandbox.locked():
        trails: dict[str, Trail] = {}
        shipping = Shipping(sandbox.options.shipping)
        spent = SpentLabels(sandbox.options.label_life, _made_at(sandbox))
        others: dict[str, Decimal] = {}
        for effect in sandbox.books:
            timing = sandbox.options.judged_by or sandbox.shops[effect.store].timing
            parcels = sandbox.options.parcels.get(effect.process_id, 1)
            new = Trail(timing, sandbox.options.bonus, shipping, parcels, spent)
            trails.setdefault(effect.process_id, new).follow(effect)
            if effect.foreign and effect.amount is not None:
                others[effect.currency] = others.get(effect.currency, Decimal(0)) + effect.amount
        found = (violation for trail in trails.values() for violation in trail.violations)
        dues = [_due_of(sandbox, stored, spent.lost) for stored in sandbox.processes.values()]
        return Audit(
            violations=tuple(sorted(found, key=lambda violation: violation.effect)),
            due=tuple(due for due in dues if due is not None),
            paid=sandbox.books.paid(),
            paid_by_others=dict(sorted(others.items())),
        )


class Shipping:
    """What was refunded beyond the goods of each order, as its shipping: by return, over all returns of the order."""

    def __init__(self, most: Mapping[str, Decimal] = MappingProxyType({})) -> None:
        self._most = most
        self._given: dict[str, Counter[str]] = {}

    def left(self, process: ReturnProcess) -> int:
        """Return how much this return may have beyond its goods, in all, in minor units."""
        given = self._given.get(process.order_id, Counter[str]())
        others = given.total() - given[process.rever_process_id]
        currency = process.return_line_items[0].currency
        return max(0, minor(self._most.get(process.order_id, Decimal(0)), currency) - others)

    def note(self, process: ReturnProcess, beyond: int) -> None:
        """Note how much it has had in all beyond its goods."""
        had = self._given.setdefault(process.order_id, Counter[str]())
        had[process.rever_process_id] = max(had[process.rever_process_id], beyond)


def _made_at(sandbox: Sandbox) -> dict[str, datetime]:
    """Tracking number -> when its label was made, of those that a call has made."""
    made = {effect.reference: effect.at for effect in sandbox.books if effect.operation in _LABELS}
    orders = (order for stored in sandbox.processes.values() for order in stored.orders)
    return {order.tracking_id: made[order.id] for order in orders if order.id in made}


class SpentLabels:
    """Which labels are spent, so that another one may be made: those that the shopper lost, by the books, and, where
    labels have a `life`, those that are older. One that was scanned is not spent: the goods go with it.
    """

    def __init__(self, life: float | None = None, made_at: Mapping[str, datetime] = MappingProxyType({})) -> None:
        self._life = life
        self._made_at = made_at
        self.lost: set[str] = set()

    def live(self, process: ReturnProcess, at: datetime) -> list[LogisticsEntry]:
        """The parcels of a return whose label the shopper can use, or has used, at this time."""
        return [it for it in process.logistics or () if it.status not in _DEAD and not self._is_spent(it, process, at)]

    def _is_spent(self, parcel: LogisticsEntry, process: ReturnProcess, at: datetime) -> bool:
        if parcel.status != ShippingStatus.CREATED:
            return False
        begun = process.started_at or datetime.max.replace(tzinfo=UTC)
        made = self._made_at.get(parcel.tracking_number, begun)
        old = self._life is not None and at - made >= timedelta(seconds=self._life)
        return old or parcel.tracking_number in self.lost


class Trail:
    """Counts what went out for one return, and notes every broken promise.

    Effects are followed in order; each is judged by the process as it was just before. An effect of another actor is
    counted, not judged; unless REVER pays by itself after the API has paid.
    """

    def __init__(
        self,
        timing: str,
        bonus: Mapping[str, Decimal] = MappingProxyType({}),
        shipping: Shipping | None = None,
        parcels: int = 1,
        spent: SpentLabels | None = None,
    ) -> None:
        self.violations: list[Violation] = []
        self._timing = timing
        self._bonus = bonus
        self._shipping = shipping or Shipping()
        self._parcels = parcels
        self._spent = spent or SpentLabels()
        self._refunded: Counter[str] = Counter()
        self._exchanged: Counter[str] = Counter()
        self._paid_by_type: Counter[str] = Counter()
        self._orders = 0
        self._api_paid = False

    def follow(self, effect: Effect) -> None:
        """Judge the effect, then count it."""
        judged = effect.by is Actor.API or (effect.by is Actor.REVER and self._api_paid)
        if judged and effect.before is not None:
            self._judge(effect, effect.before)
        if effect.operation == LOST_LABEL:
            self._spent.lost.add(effect.reference)
        if effect.operation == "issueRefund":
            self._refunded += _units(effect)
            self._paid_by_type[effect.type] += _minor(effect)
            self._api_paid = self._api_paid or effect.by is Actor.API
        if effect.operation == "issueExchange":
            self._exchanged += _units(effect)
            self._orders += 1
            self._api_paid = self._api_paid or effect.by is Actor.API

    def _judge(self, effect: Effect, before: ReturnProcess) -> None:
        if effect.operation == "issueRefund":
            self._judge_status(effect)
            self._judge_refund(effect, before)
        elif effect.operation == "issueExchange":
            self._judge_status(effect)
            self._judge_exchange(effect, before)
        elif effect.operation == "addReview":
            self._judge_review(effect, before)
        elif effect.operation == "createReturn":
            self._note(2, "double_return", effect, f"{before.rever_process_id} is a return of the same items already")
        elif effect.operation in _LABELS and (live := len(self._spent.live(before, effect.at))) >= self._parcels:
            self._note(2, "second_label", effect, f"there were {live} live labels for {self._parcels} already")

    def _judge_status(self, effect: Effect) -> None:
        if effect.status_before != ProcessStatus.RUNNING:
            kind = f"paid_while_{effect.status_before.lower()}"
            self._note(3, kind, effect, f"the process was {effect.status_before}")

    def _judge_refund(self, effect: Effect, before: ReturnProcess) -> None:
        self._judge_units(effect, before, self._refunded, self._exchanged, "double_refund")
        lines = _by_id(before)
        worth = 0
        for line_id, units in _units(effect).items():
            line = lines[line_id]
            worth += _most(line, units)
            if line.currency != effect.currency:
                self._note(1, "wrong_currency", effect, f"{effect.currency} for a line in {line.currency}")
            if not is_exchange(line) and line.compensation_method != effect.type:
                self._note(1, "wrong_method", effect, f"{effect.type} for a line of {line.compensation_method}")
        most = worth + self._on_top(worth, effect.type, len(lines)) + self._shipping.left(before)
        if _minor(effect) > most:
            self._note(1, "over_paid", effect, "more than the units in it are worth")
        self._judge_sums(effect, before)

    def _judge_sums(self, effect: Effect, before: ReturnProcess) -> None:
        """Compare all that was paid, this refund in it, with what is approved: per method, and in all less costs."""
        units = self._refunded + _units(effect)
        instead = sum(
            line_value(line, min(units[line.id], line.quantity))
            for line in before.return_line_items
            if is_exchange(line)
        )
        paid = sum(self._paid_by_type.values()) + _minor(effect)
        paid -= sum(self._on_top(self._of_method(before, it), it, len(before.return_line_items)) for it in self._bonus)
        beyond = paid - max(0, refund_gross(before, self._timing) + instead - costs(before))
        if beyond > self._shipping.left(before):
            self._note(1, "over_paid", effect, "more than the return's approved value less costs")
        of_method = self._of_method(before, effect.type) + self._shipping.left(before)
        of_method += self._on_top(of_method, effect.type, len(before.return_line_items))
        if self._paid_by_type[effect.type] + _minor(effect) > of_method + instead:
            self._note(1, "over_paid", effect, f"more than the approved value of the lines of {effect.type}")
        self._shipping.note(before, beyond)

    def _of_method(self, process: ReturnProcess, method: str) -> int:
        """Return the approved value of the lines of a method."""
        lines = [line for line in process.return_line_items if line.compensation_method == method]
        return sum(line_value(line, approved_units(process, line, self._timing)) for line in lines)

    def _on_top(self, worth: int, method: str, lines: int) -> int:
        """Return the most that a refund of this worth may have on top: the method's bonus, a line's rounding up."""
        percent = self._bonus.get(method, Decimal(0))
        return int(worth * percent / 100) + lines if percent else 0

    def _judge_exchange(self, effect: Effect, before: ReturnProcess) -> None:
        noted = len(self.violations)
        self._judge_units(effect, before, self._exchanged, self._refunded, "double_exchange")
        if self._orders and len(self.violations) == noted:
            self._note(2, "double_exchange", effect, "there was an exchange order already")

    def _judge_units(
        self, effect: Effect, before: ReturnProcess, same: Counter[str], other: Counter[str], twice: str
    ) -> None:
        """Compare units: of this kind so far, of the other kind so far, and in this effect, with the approved ones."""
        lines = _by_id(before)
        for line_id, new in _units(effect).items():
            approved = approved_units(before, lines[line_id], self._timing)
            done, elsewhere = same[line_id], other[line_id]
            if done and done + new > approved:
                self._note(2, twice, effect, f"{done} units done and {new} more, {approved} approved")
            elif new > approved:
                self._note(1, "not_approved", effect, f"{new} units, {approved} approved")
            elif done + new + elsewhere > approved:
                self._note(4, "refunded_and_exchanged", effect, f"{elsewhere} units had the other already")

    def _judge_review(self, effect: Effect, before: ReturnProcess) -> None:
        for line_id, units in _units(effect).items():
            there = sum(review.line_item_id == line_id for review in before.reviews or ())
            if there + units > _by_id(before)[line_id].quantity:
                self._note(2, "double_review", effect, "more reviews than units")

    def _note(self, invariant: int, kind: str, effect: Effect, why: str) -> None:
        self.violations.append(Violation(invariant, kind, effect.process_id, effect.number, why))


def _by_id(process: ReturnProcess) -> dict[str, ReturnLineItem]:
    return {line.id: line for line in process.return_line_items}


def _units(effect: Effect) -> Counter[str]:
    units: Counter[str] = Counter()
    for item in effect.items:
        units[item.line_item_id] += item.quantity
    return units


def _minor(effect: Effect) -> int:
    return 0 if effect.amount is None else minor(effect.amount, effect.currency)


def _most(line: ReturnLineItem, units: int) -> int:
    """Return the most that so many of the line's units can be worth: which ones they are, the books do not say."""
    starts = range(max(1, line.quantity - units + 1))
    return max(line_value(line, start + units) - line_value(line, start) for start in starts)


def _due_of(sandbox: Sandbox, stored: StoredProcess, lost: Collection[str]) -> Due | None:
    """Return what the process is owed, or None where REVER has ended or stopped it, or nothing is open."""
    process, shop = stored.process, sandbox.shops[stored.process.ecommerce_id]
    if process.rever_process_status in _NOT_NOW:
        return None
    timing = sandbox.options.judged_by or shop.timing
    amount, goods = _money(stored, timing), _goods(stored, timing)
    label = _wants_label(process, sandbox.options.parcels.get(process.rever_process_id, 1), lost)
    due = Due(
        process_id=process.rever_process_id,
        store=shop.id,
        currency=process.return_line_items[0].currency,
        amount=major(amount, process.return_line_items[0].currency),
        exchange_units=sum(units for _, units in goods),
        label=label,
        unreviewed=sum(
            line.quantity - reviewed(process, line)
            for line in process.return_line_items
            if not fully_reviewed(process, line)
        ),
        payer="desk" if shop.pays_itself_after is None else "rever",
        blocked=_blocked(sandbox, stored, shop, goods) if amount or goods else "",
        label_blocked=_label_blocked(process, shop) if label else "",
    )
    return due if due.amount or due.exchange_units or due.label or due.unreviewed else None


def _money(stored: StoredProcess, timing: str) -> int:
    process = stored.process
    instead = sum(
        line_value(line, min(stored.refunded.get(line.id, 0), approved_units(process, line, timing)))
        for line in process.return_line_items
        if is_exchange(line)
    )
    refunds = (process.compensation.refunds if process.compensation else ()) or ()
    paid = sum(minor(refund.amount, refund.currency) for refund in refunds)
    return max(0, max(0, refund_gross(process, timing) + instead - costs(process)) - paid)


def _goods(stored: StoredProcess, timing: str) -> list[tuple[ReturnLineItem, int]]:
    process = stored.process
    lines = [line for line in process.return_line_items if is_exchange(line)]
    if not all(fully_reviewed(process, line) for line in lines):
        return []
    left = [
        (
            line,
            approved_units(process, line, timing) - stored.exchanged.get(line.id, 0) - stored.refunded.get(line.id, 0),
        )
        for line in lines
    ]
    return [(line, units) for line, units in left if units > 0]


def _blocked(sandbox: Sandbox, stored: StoredProcess, shop: Shop, goods: list[tuple[ReturnLineItem, int]]) -> str:
    """Return why a person must decide about the money or the goods, or nothing."""
    process = stored.process
    if process.rever_process_status != ProcessStatus.RUNNING:
        return f"unknown process status {process.rever_process_status}"
    if shop.timing not in _TIMINGS:
        return f"unknown refund timing {shop.timing}"
    methods = {str(line.compensation_method) for line in process.return_line_items}
    if unknown := sorted(methods - set(CompensationMethod)):
        return f"unknown compensation method {unknown[0]}"
    if any(e.foreign and e.operation == "issueRefund" for e in sandbox.books.of(process.rever_process_id)):
        return "somebody else has paid another amount"
    for line, units in goods:
        if sandbox.stock.get(line.exchange_for.variant_id if line.exchange_for else "", 0) < units:
            return "the wanted variant is out of stock"
    return ""


def _is_gone(parcel: LogisticsEntry, lost: Collection[str]) -> bool:
    """Whether it was cancelled, or is a label that the shopper lost and nobody used."""
    unused = parcel.status == ShippingStatus.CREATED
    return parcel.status == ShippingStatus.CANCELED or (unused and parcel.tracking_number in lost)


def _live(process: ReturnProcess) -> int:
    """Return how many of its parcels have not come to nothing."""
    return sum(parcel.status not in _DEAD for parcel in process.logistics or ())


def _wants_label(process: ReturnProcess, parcels: int, lost: Collection[str]) -> bool:
    """Whether goods are still to be sent: not where every unit is inspected. A parcel in error is a person's, and a
    label that was lost is none.
    """
    begun = process.return_status in {ReturnStatus.COLLECTED, ReturnStatus.REVIEW_REQUIRED} and _live(process) > 0
    return (
        process.rever_process_status == ProcessStatus.RUNNING
        and (process.return_status in {ReturnStatus.STARTED, ""} or (parcels > 1 and begun))
        and process.return_method in _BY_PARCEL
        and not all(fully_reviewed(process, line) for line in process.return_line_items)
        and sum(not _is_gone(parcel, lost) for parcel in process.logistics or ()) < parcels
    )


def _label_blocked(process: ReturnProcess, shop: Shop) -> str:
    """Return why a person must see to the label: no carrier comes there, or only a person can order one."""
    country = process.pickup_address.country_code if process.pickup_address else ""
    fitting = [
        carrier.provider
        for carrier in shop.settings.carriers
        if country in carrier.countries
        and process.return_method in carrier.return_methods
        and (carrier.carrier, country) not in shop.refuses
    ]
    if not fitting:
        return f"no carrier for {process.return_method} in {country}"
    if all(provider == OPS for provider in fitting):
        return "provider OPS is handled by hand"
    street = process.pickup_address.address_line_1 if process.pickup_address else ""
    return "the address is too long for a label" if 0 < shop.longest_line < len(street) else ""
