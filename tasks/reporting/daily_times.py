"""The report's tables of times: how long returns took, and what is late by the EU's 14 days. Pure."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import TypeVar

from rever_api.models import CompensationMethod, ReviewStatus
from tasks.policy.record import IntentState
from tasks.reporting.daily_data import ReportData
from tasks.reporting.return_rows import ReturnParts, ReturnRow
from tasks.reporting.tables import CURRENCY, ORDER, RETURN, STORE, Basis, Cell, Column, Figure, Kind, Table

T = TypeVar("T", Decimal, timedelta)

WARNED_AT, LATE_AFTER = 12, 14
"""Days of the EU's right of withdrawal (Directive 2011/83, article 13): the refund is due within 14."""

TIMES = Figure(
    "times",
    "How long it took",
    "for each return paid in the window, to its first refund in it: from the start, from the arrival and from the last "
    "inspection before it; and from the arrival to that inspection. Median (of an even number, the mean of the middle "
    "two), p90 (the smallest time that nine of ten do not exceed) and worst, in days of 24 hours",
    Basis.PAID,
    "returns of which one of the two times is not known (counted beside it), or where they are the wrong way round; an "
    "arrival is known where the parcel was seen before it, or REVER says when it was",
    "returns",
)
FOURTEEN_DAYS = Figure(
    "fourteen_days",
    "The EU's 14 days",
    f"days since the goods were seen to move or arrived, whichever came first; where that time is not known, since the "
    f"start, the stricter; late: more than {LATE_AFTER}, warned: {WARNED_AT} to {LATE_AFTER}. For returns that "
    "wait, up to now; for those paid in the window, up to their first refund in it",
    Basis.NOW,
    "returns whose goods nobody has seen move (the shop may wait for them: article 13(3)); returns of exchanges alone; "
    "returns of which every unit was declined; whether the 14 days of the withdrawal itself were kept",
    "returns",
)
FIGURES = (TIMES, FOURTEEN_DAYS)


def time_tables(data: ReportData) -> Iterator[Table]:
    """All tables of times."""
    yield _times(data)
    yield _fourteen_days(data)
    yield _late(data)


@dataclass(frozen=True, slots=True)
class Course:
    """A return's times up to its first refund in the window."""

    row: ReturnRow
    reviewed_at: datetime | None
    paid_at: datetime


def courses(data: ReportData) -> list[Course]:
    """The returns that were paid in the window by the desk or by REVER, of which REVER was read."""
    first: dict[str, datetime] = {}
    for payment in data.payments:
        at = payment.effect.closed_at
        if at is not None and payment.effect.state is IntentState.DONE and payment.effect.amount:
            first[payment.effect.process_id] = min(at, first.get(payment.effect.process_id, at))
    found = []
    for process_id, paid_at in first.items():
        if parts := data.by_id.get(process_id):
            before = [it.reviewed_at for it in parts.reviews if it.reviewed_at and it.reviewed_at <= paid_at]
            found.append(Course(parts.row, max(before, default=None), paid_at))
    return found


def in_days(span: timedelta) -> Decimal:
    """A span in days of 24 hours, to some 9 seconds."""
    return (Decimal(round(span / timedelta(seconds=1))) / 86400).quantize(Decimal("0.0001"))


def _median(took: Sequence[timedelta]) -> Decimal:
    """The middle of spans in order; of an even number the mean of the middle two."""
    return median([in_days(took[(len(took) - 1) // 2]), in_days(took[len(took) // 2])])


def p90(sorted_values: Sequence[T]) -> T:
    """The smallest of values in order that nine of ten do not exceed (the nearest rank)."""
    return sorted_values[-(-9 * len(sorted_values) // 10) - 1]


SPANS: tuple[tuple[str, Callable[[Course], datetime | None], Callable[[Course], datetime | None]], ...] = (
    ("start to payment", lambda it: it.row.started_at, lambda it: it.paid_at),
    ("arrival to inspection", lambda it: it.row.arrived_at, lambda it: it.reviewed_at),
    ("inspection to payment", lambda it: it.reviewed_at, lambda it: it.paid_at),
    ("arrival to payment", lambda it: it.row.arrived_at, lambda it: it.paid_at),
)
PROMISED = "arrival to payment"
"""The span that a store's promise is about."""


def _times(data: ReportData) -> Table:
    found = courses(data)
    rows: list[tuple[Cell, ...]] = []
    for store in data.windows:
        mine = [it for it in found if it.row.store == store]
        for name, begins, ends in SPANS:
            spans = ((begins(it), ends(it)) for it in mine)
            took = sorted(end - begin for begin, end in spans if begin and end and end >= begin)
            promise = data.promise_days if name == PROMISED else None
            over = sum(in_days(each) > promise for each in took) if promise is not None and took else None
            three = (_median(took), in_days(p90(took)), in_days(took[-1])) if took else (None,) * 3
            rows.append((store, name, len(took), *three, len(mine) - len(took), promise, over))
    columns = (
        STORE,
        Column("span", "From and to"),
        Column("n", "Returns", Kind.COUNT),
        Column("median", "Median, days", Kind.DAYS),
        Column("p90", "p90, days", Kind.DAYS),
        Column("worst", "Worst, days", Kind.DAYS),
        Column("unknown", "Not known", Kind.COUNT),
        Column("promise", "Promise, days", Kind.COUNT),
        Column("over", "Over the promise", Kind.COUNT),
    )
    return Table("times", "How long it took", TIMES, columns, tuple(rows), n=len(found))


@dataclass(frozen=True, slots=True)
class Clock:
    """How long a return's refund has been due by the EU's rule: since when, by what, and for how many days."""

    row: ReturnRow
    since: datetime
    by: str
    days: Decimal

    @property
    def late(self) -> bool:
        """Whether it took, or takes, more than 14 days."""
        return self.days > LATE_AFTER

    @property
    def warned(self) -> bool:
        """Whether it is near."""
        return WARNED_AT <= self.days <= LATE_AFTER


def clock(parts: ReturnParts, until: datetime) -> Clock | None:
    """The EU's clock of a return up to a time; None where it does not run: nobody has seen the goods move."""
    row = parts.row
    if not row.moved and row.arrived_at is None and row.moved_at is None:
        return None
    seen = min((at for at in (row.moved_at, row.arrived_at) if at is not None), default=None)
    if row.started_at is None and seen is None:
        return None
    begins = [at for at in (row.started_at, seen) if at is not None]
    since = max(begins)
    by = "goods seen" if seen is not None and since == seen else "start"
    return Clock(row, since, by, in_days(max(timedelta(0), until - since)))


def _owed(parts: ReturnParts) -> bool:
    """Whether a refund may be due: not for exchanges alone, and not where every unit was declined."""
    if parts.lines and all(line.method == CompensationMethod.EXCHANGE for line in parts.lines):
        return False
    decided = [it for it in parts.reviews if it.status in set(ReviewStatus)]
    turned_down = all(it.status != ReviewStatus.APPROVED for it in decided)
    return not (decided and len(decided) >= parts.row.units and turned_down)


def open_clocks(data: ReportData) -> tuple[list[Clock], int]:
    """The clocks of the returns that wait and are not refunded whole, and how many of those have none running."""
    waits = [it for it in data.waiting if _owed(it) and it.row.unrefunded]
    clocks = [found for it in waits if (found := clock(it, data.now))]
    return clocks, len(waits) - len(clocks)


def paid_clocks(data: ReportData) -> Iterator[Clock]:
    """The clocks of the returns that were paid in the window, up to their first refund in it."""
    return (
        found
        for it in courses(data)
        if (parts := data.by_id.get(it.row.process_id)) and (found := clock(parts, it.paid_at))
    )


def _fourteen_days(data: ReportData) -> Table:
    waiting, still = open_clocks(data)
    paid = Counter((it.row.store, it.late) for it in paid_clocks(data))
    rows: list[tuple[Cell, ...]] = []
    for store in data.windows:
        mine = [it for it in waiting if it.row.store == store]
        rows.append(
            (
                store,
                sum(it.late for it in mine),
                sum(it.warned for it in mine),
                len(mine),
                paid[store, True],
                paid[store, True] + paid[store, False],
            )
        )
    columns = (
        STORE,
        Column("late", "Wait: late", Kind.COUNT),
        Column("warned", "Wait: warned", Kind.COUNT),
        Column("waiting", "Wait: all with a clock", Kind.COUNT),
        Column("paid_late", "Paid: late", Kind.COUNT),
        Column("paid", "Paid: all with a clock", Kind.COUNT),
    )
    notes = (
        (f"of {still} more returns that wait the clock does not run: nobody has seen the goods move",) if still else ()
    )
    n = len(waiting) + paid.total()
    return Table("fourteen_days", "The EU's 14 days", FOURTEEN_DAYS, columns, tuple(rows), n=n, notes=notes)


def _late(data: ReportData) -> Table:
    waiting, _ = open_clocks(data)
    near = sorted((it for it in waiting if it.late or it.warned), key=lambda it: (-it.days, it.row.process_id))
    rows = tuple(
        (
            it.row.process_id,
            it.row.order,
            it.row.store,
            "late" if it.late else "warned",
            it.days,
            data.windows[it.row.store].local(it.since),
            it.by,
            str(it.row.stage),
            it.row.rule,
            it.row.currency,
            it.row.unrefunded,
        )
        for it in near
    )
    columns = (
        RETURN,
        ORDER,
        STORE,
        Column("late", "14 days"),
        Column("days", "Days", Kind.DAYS),
        Column("since", "Since", Kind.TIME),
        Column("by", "Since what"),
        Column("stage", "Stage"),
        Column("rule", "Waits by"),
        CURRENCY,
        Column("value", "Value not refunded", Kind.MONEY),
    )
    return Table(
        "late", "Late and nearly late", FOURTEEN_DAYS, columns, rows, n=len(rows), why_empty="none is late or nearly so"
    )
