"""What the daily report is worked out from: a window of time for each store, and the rows that are in it. Plain."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from math import floor

from tasks.ledger import Effect, HeldReturn
from tasks.policy.comparison import RefundComparison
from tasks.policy.money import ZERO, minor_unit
from tasks.policy.record import IntentKind, IntentState
from tasks.policy.store import CarrierLimits
from tasks.reconcile_payouts import PayoutsFound
from tasks.reporting.return_rows import LineRow, ReturnParts, Seen


@dataclass(frozen=True, slots=True)
class StoreDay:
    """A day of a store. It has 23 hours when clocks go forward, and 25 when they go back."""

    day: date
    hours: int


@dataclass(frozen=True, slots=True)
class StoreWindow:
    """From `since` to before `until`, in a store's zone."""

    store: str
    since: datetime
    until: datetime
    zone: tzinfo = UTC

    def has(self, at: datetime | None) -> bool:
        """Whether a time is in it; one that is not known is not."""
        return at is not None and self.since <= at < self.until

    def day(self, at: datetime) -> date:
        """The store's own date at a time."""
        return at.astimezone(self.zone).date()

    def local(self, at: datetime | None) -> datetime | None:
        """A time as the store's clocks show it."""
        return None if at is None else at.astimezone(self.zone)

    def days(self) -> Iterator[StoreDay]:
        """The store's days that have a part in it, with the hours of the whole day."""
        day = self.day(self.since)
        while (begins := self._begins(day)) < self.until:
            ends = self._begins(day + timedelta(days=1))
            yield StoreDay(day, round((ends - begins) / timedelta(hours=1)))
            day += timedelta(days=1)

    @property
    def words(self) -> str:
        """The window in the store's own time."""
        since, until = self.since.astimezone(self.zone), self.until.astimezone(self.zone)
        last = (until - timedelta(microseconds=1)).date()
        if since.time() == until.time() == time():
            return f"{since:%F}" if since.date() == last else f"{since:%F} to {last:%F}"
        return f"{since:%F %H:%M} to {until:%F %H:%M %Z}"

    def _begins(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Sold:
    """What a shop sold in the window, as its own file says; None where the file has no such column."""

    orders: int | None = None
    units: int | None = None
    sales: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rate:
    """One unit of `currency` is `rate` units of `into`."""

    currency: str
    into: str
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Payment:
    """A refund of the ledger, and what REVER shows of it: `paid + on_its_way + not_shown` is its amount.

    What a person paid by hand is none of the three, but `by_hand`. `refunded_at` is REVER's time of it, where REVER
    says and it is clear which refund is meant.
    """

    effect: Effect
    paid: Decimal = ZERO
    on_its_way: Decimal = ZERO
    not_shown: Decimal = ZERO
    by_hand: Decimal = ZERO
    refunded_at: datetime | None = None

    @property
    def refunded(self) -> Decimal:
        """What the desk refunded."""
        return self.paid + self.on_its_way + self.not_shown

    @classmethod
    def of(cls, effect: Effect, seen: Seen | None) -> "Payment":
        """The refund beside what was just read of it; where nothing was, what the ledger saw last counts.

        Of a refund that REVER confirmed and of which nobody has looked how it stands, all counts as paid.
        """
        if effect.state is IntentState.DONE_BY_HAND:
            return cls(effect, by_hand=effect.amount)
        if seen is not None:
            on_its_way, not_shown = seen.amount - seen.paid, effect.amount - seen.amount
            # Of most refunds neither is left: they share one zero, for a year of them is in memory.
            return cls(effect, seen.paid, on_its_way or ZERO, not_shown or ZERO, refunded_at=seen.refunded_at)
        paid = effect.amount if effect.paid_seen is None else min(effect.amount, effect.paid_seen.paid)
        return cls(effect, paid, (effect.amount - paid) or ZERO)


@dataclass(frozen=True)
class ReportData:
    """All that a report is made of. `returns` are those that began, moved or were acted on in the window, and all that
    wait; `unread` are those that could not be read, with the reason. `sold` and `rates` come from files, where given,
    and `payouts` is what came of comparing payout files. `carriers` is what each store's policy tells of them, by
    `PROVIDER/CARRIER`: what a label costs.
    """

    windows: Mapping[str, StoreWindow]
    now: datetime
    effects: Sequence[Effect] = ()
    holds: Sequence[HeldReturn] = ()
    returns: Sequence[ReturnParts] = ()
    comparisons: Sequence[RefundComparison] = ()
    differing: Mapping[str, str] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    sold: Mapping[str, Sold] | None = None
    rates: Sequence[Rate] = ()
    payouts: PayoutsFound | None = None
    carriers: Mapping[str, Mapping[str, CarrierLimits]] = field(default_factory=dict)
    promise_days: int | None = None
    tracked: bool = False
    personal: bool = False

    @cached_property
    def by_id(self) -> dict[str, ReturnParts]:
        """The returns by their ids."""
        return {parts.row.process_id: parts for parts in self.returns}

    @cached_property
    def begun(self) -> list[ReturnParts]:
        """The returns that were started in the window."""
        return [parts for parts in self.returns if self.windows[parts.row.store].has(parts.row.started_at)]

    @cached_property
    def waiting(self) -> list[ReturnParts]:
        """The returns that wait."""
        return [parts for parts in self.returns if parts.row.waits]

    @cached_property
    def payments(self) -> list[Payment]:
        """The refunds that were paid in the window, or are known to have been accepted; by hand too."""
        ended = {IntentState.DONE, IntentState.DONE_BY_HAND}
        return [
            Payment.of(effect, parts.seen_of(effect.id) if (parts := self.by_id.get(effect.process_id)) else None)
            for effect in self.effects
            if effect.kind is IntentKind.REFUND and effect.state in ended and self.in_window(effect)
        ]

    def in_window(self, effect: Effect) -> bool:
        """Whether an effect was closed in its store's window."""
        return effect.store in self.windows and self.windows[effect.store].has(effect.closed_at)

    def line(self, process_id: str, line_id: str) -> LineRow | None:
        """A line of a return that was read."""
        parts = self.by_id.get(process_id)
        return next((line for line in parts.lines if line.line_id == line_id), None) if parts else None


def split(amount: Decimal, weights: Sequence[Decimal], currency: str) -> list[Decimal]:
    """Split an amount in proportion to weights, to the currency's minor unit, so that the parts sum up to it exactly.

    What is left of the rounding goes, a unit each, to the largest remainders. Without weights all goes to the first.
    """
    total = sum(weights, ZERO)
    if amount == total:
        return list(weights)
    if not amount:
        return [ZERO] * len(weights)
    if len(weights) == 1 or total <= 0:
        return [amount, *(ZERO for _ in weights[1:])]
    unit = Decimal(1).scaleb(-minor_unit(currency))
    whole = int(amount / unit)
    shares = [Fraction(whole) * Fraction(weight) / Fraction(total) for weight in weights]
    parts = [floor(share) for share in shares]
    order = sorted(range(len(parts)), key=lambda place: (parts[place] - shares[place], place))
    for place in order[: whole - sum(parts)]:
        parts[place] += 1
    amounts = [part * unit for part in parts]
    amounts[0] += amount - whole * unit  # what is smaller than the minor unit
    return amounts


Money = dict[str, Decimal]


def add_up(amounts: Iterable[tuple[str, Decimal]]) -> Money:
    """Sums by currency."""
    sums: Money = defaultdict(lambda: ZERO)
    for currency, amount in amounts:
        sums[currency] += amount
    return dict(sums)
