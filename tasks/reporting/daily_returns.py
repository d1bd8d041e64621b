"""The report's tables of returns: what began, what waits and for whom, how long it took, what is late. Pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from rever_api.models import CompensationMethod, ReviewStatus
from tasks.policy.comparison import Seen
from tasks.policy.money import ZERO
from tasks.policy.record import IntentState
from tasks.reporting.daily_data import ReportData, StoreWindow, add_up
from tasks.reporting.daily_money import CURRENCY, STORE
from tasks.reporting.return_rows import AGES, OLDEST, LineRow, ReturnParts, ReturnRow, Stage, age_in_words
from tasks.reporting.tables import Basis, Cell, Column, Figure, Kind, Table, share_of

WARNED_AT, LATE_AFTER = 12, 14
"""Days of the EU's right of withdrawal (Directive 2011/83, article 13): the refund is due within 14."""

RETURNS = Figure(
    "returns",
    "Returns",
    "returns that shoppers started; hold rate = those of them that were ever held / those of them, of which the ledger "
    "or REVER tells",
    Basis.STARTED,
    "returns without a start (REVER does not tell it); of holds those of before the window's own",
    "returns",
)
RETURN_DAYS = Figure(
    "return_days",
    "Returns by day",
    "returns started and arrived, units inspected and holds opened, each on the store's own day",
    Basis.STARTED,
    "what has no time at REVER, and goods that were there when their parcel was first looked at. Inspections are "
    "counted by when they were made, holds by when they were opened",
    "returns started",
)
INSPECTIONS = Figure(
    "inspections",
    "Inspections",
    "approval rate = approved / (approved + declined + missing), three times: by units, by what the units cost, and by "
    "returns (approved: all inspected units of the return were)",
    Basis.REVIEWED,
    "inspections without a time; statuses that are not known here. The three rates differ: none stands for the others",
    "units inspected",
)
STARTED_LINES = Figure(
    "started_lines",
    "Top reasons and products",
    "units and returns that shoppers started, by the reason they gave and by product; value = what the lines cost",
    Basis.STARTED,
    "whether they were paid: that is in the tables of money",
    "returns",
)
WAITING = Figure(
    "waiting",
    "What waits, by age",
    "returns that are running or on hold at REVER, by the whole days since they were started; value = what their lines "
    "cost, less what REVER shows as refunded",
    Basis.NOW,
    "returns that ended. Buckets are REVER's: under 7, 7 to 14, 15 to 21, 22 to 30, over 30 days",
    "returns",
)
CAUSES = Figure(
    "causes",
    "What waits, by cause",
    "the same returns, by what the ledger last decided of them and by which rule",
    Basis.NOW,
    "returns that ended; for returns that no run has looked at there is no cause",
    "returns",
)
HOLDS = Figure(
    "holds",
    "Holds",
    "holds by the rule that held: opened and answered in the window, and open now, with the age of the oldest",
    Basis.HELD,
    "nothing; a hold that was opened before the window and answered in it counts as answered alone",
    "holds",
)
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
RECONCILED = Figure(
    "reconciled",
    "Beside REVER",
    "ours = refunds that the ledger has as done at REVER; REVER = refunds it shows, on their way or paid; difference "
    "= REVER less ours, over the whole life of the returns that were read",
    Basis.NOW,
    "returns that did not change in the window and do not wait; this table corrects and holds nothing (`reconcile`)",
    "returns with money on either side",
)
DIFFERING = Figure(
    "differing",
    "Returns that differ from REVER",
    "returns whose refunds do not match one by one, and that nobody has answered for",
    Basis.NOW,
    "what people said was paid by hand, or has been seen by a person",
    "returns",
)
RATES = Figure(
    "rates",
    "Return rates",
    "order return rate = orders with a return started in the window / orders placed in it; unit return rate = units in "
    "them / units sold; revenue return rate = what these units cost / sales. Never the other way round",
    Basis.STARTED,
    "REVER tells no date of an order, so the returns are those started in the window, not those of its orders: a rate "
    "by order date is not computable. Orders, units and sales are those of the file",
    "orders with a return",
)
OPEN_RETURNS = Figure(
    "open_returns",
    "Returns that wait, one by one",
    "each return that is running or on hold at REVER, the oldest first",
    Basis.NOW,
    "returns that ended",
    "returns",
)
FIGURES = (
    RETURNS,
    RETURN_DAYS,
    INSPECTIONS,
    STARTED_LINES,
    WAITING,
    CAUSES,
    HOLDS,
    TIMES,
    FOURTEEN_DAYS,
    RECONCILED,
    DIFFERING,
    RATES,
    OPEN_RETURNS,
)

RETURN, ORDER = Column("process_id", "Return", Kind.RETURN), Column("order", "Order", Kind.ID)


def return_tables(data: ReportData) -> Iterator[Table]:
    """All tables of returns but the lists of single ones."""
    yield _returns(data)
    yield _by_day(data)
    yield _waiting(data)
    yield _causes(data)
    yield _holds(data)
    yield _times(data)
    yield _fourteen_days(data)
    yield _late(data)
    yield _inspections(data)
    yield _started(data, "top_reasons", "Top reasons", (Column("reason", "Reason"),), lambda it: (it.reason,))
    product = (Column("sku", "SKU", Kind.ID), Column("product", "Product"))
    yield _started(data, "top_products", "Top products", product, lambda it: (it.sku, it.product))
    yield _reconciled(data)
    yield _differing(data)
    if data.sold is not None:
        yield _rates(data)


def _window(data: ReportData, row: ReturnRow) -> StoreWindow:
    return data.windows[row.store]


def _begun(data: ReportData) -> list[ReturnParts]:
    return [it for it in data.returns if _window(data, it.row).has(it.row.started_at)]


def _returns(data: ReportData) -> Table:
    begun, held = _begun(data), {it.process_id for it in data.holds}
    rows: list[tuple[Cell, ...]] = []
    for store in data.windows:
        mine = [it for it in begun if it.row.store == store]
        ever = sum(it.row.process_id in held for it in mine)
        waits = sum(it.row.store == store and it.row.waits for it in data.returns)
        inspected = sum(
            data.windows[store].has(review.reviewed_at)
            for it in data.returns
            if it.row.store == store
            for review in it.reviews
        )
        open_now = sum(it.store == store and it.state == "open" for it in data.holds)
        share = share_of(ever, len(mine))
        units = sum(it.row.units for it in mine)
        rows.append((store, len(mine), units, inspected, waits, open_now, ever, share))
    columns = (
        STORE,
        Column("started", "Started", Kind.COUNT),
        Column("units", "Units in them", Kind.COUNT),
        Column("inspected", "Units inspected", Kind.COUNT),
        Column("waits", "Wait now", Kind.COUNT),
        Column("open_holds", "Open holds now", Kind.COUNT),
        Column("held", "Of the started, held", Kind.COUNT),
        Column("hold_rate", "Hold rate", Kind.SHARE),
    )
    return Table("returns", "Returns", RETURNS, columns, tuple(rows), n=len(begun))


def _by_day(data: ReportData) -> Table:
    begun = _begun(data)
    rows: list[tuple[Cell, ...]] = []
    for store, window in data.windows.items():
        of_store = [it for it in data.returns if it.row.store == store]
        started = Counter(window.day(it.row.started_at) for it in begun if it.row.store == store and it.row.started_at)
        inspected = Counter(
            window.day(review.reviewed_at)
            for it in of_store
            for review in it.reviews
            if review.reviewed_at and window.has(review.reviewed_at)
        )
        arrived = Counter(window.day(at) for it in of_store if (at := it.row.arrived_at) and window.has(at))
        held = Counter(window.day(it.since) for it in data.holds if it.store == store and window.has(it.since))
        rows += [
            (store, day.day, day.hours, started[day.day], arrived[day.day], inspected[day.day], held[day.day])
            for day in window.days()
        ]
    columns = (
        STORE,
        Column("day", "Day", Kind.DAY),
        Column("hours", "Hours", Kind.COUNT),
        Column("started", "Started", Kind.COUNT),
        Column("arrived", "Arrived, as watched", Kind.COUNT, rarely=True),
        Column("inspected", "Units inspected", Kind.COUNT),
        Column("held", "Holds opened", Kind.COUNT),
    )
    return Table(
        "return_days",
        "Returns by day",
        RETURN_DAYS,
        columns,
        tuple(rows),
        n=len(begun),
        chart="started",
        label="day",
        sparse=True,
    )


def _age(data: ReportData, row: ReturnRow) -> timedelta | None:
    return None if row.started_at is None else max(timedelta(0), data.now - row.started_at)


BUCKETS = (*(words for _, words in AGES), OLDEST)


def _left(row: ReturnRow) -> Decimal:
    return max(ZERO, row.value - row.refunded)


def _waiting(data: ReportData) -> Table:
    waits = [it.row for it in data.returns if it.row.waits]
    found: dict[tuple[str, Stage, str], list[ReturnRow]] = defaultdict(list)
    for row in waits:
        found[row.store, row.stage, row.currency].append(row)
    order = list(Stage)
    rows: list[tuple[Cell, ...]] = []
    for (store, stage, currency), mine in sorted(
        found.items(), key=lambda it: (it[0][0], order.index(it[0][1]), it[0][2])
    ):
        ages = Counter("" if (age := _age(data, row)) is None else age_in_words(age) for row in mine)
        counts = [ages[bucket] for bucket in (*BUCKETS, "")]
        rows.append((store, str(stage), *counts, len(mine), currency, sum(map(_left, mine), ZERO)))
    columns = (
        STORE,
        Column("stage", "Stage"),
        *(Column(f"age_{place}", bucket.capitalize(), Kind.COUNT) for place, bucket in enumerate(BUCKETS)),
        Column("age_unknown", "Not known", Kind.COUNT, rarely=True),
        Column("returns", "Returns", Kind.COUNT),
        CURRENCY,
        Column("value", "Value not refunded", Kind.MONEY),
    )
    return Table(
        "waiting",
        "What waits, by stage and age",
        WAITING,
        columns,
        tuple(rows),
        n=len(waits),
        chart="returns",
        label="stage",
        why_empty="nothing waits",
    )


def _causes(data: ReportData) -> Table:
    waits = [it.row for it in data.returns if it.row.waits]
    held = {it.process_id for it in data.holds if it.state == "open"}
    found: dict[tuple[str, str, str], list[ReturnRow]] = defaultdict(list)
    for row in waits:
        decision = "held for a person" if row.process_id in held else row.decision or "no run has looked at it"
        found[row.store, decision, row.rule].append(row)
    rows = tuple(
        (store, decision, rule, len(mine), max((it.days for row in mine if (it := _age(data, row))), default=None))
        for (store, decision, rule), mine in sorted(found.items(), key=lambda it: (it[0][0], -len(it[1]), it[0]))
    )
    columns = (
        STORE,
        Column("decision", "What it does"),
        Column("rule", "By which rule"),
        Column("returns", "Returns", Kind.COUNT),
        Column("oldest", "Oldest, days", Kind.COUNT),
    )
    return Table("causes", "What waits, by cause", CAUSES, columns, rows, n=len(waits), why_empty="nothing waits")


def _holds(data: ReportData) -> Table:
    found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    oldest: dict[tuple[str, str], int] = {}
    n = 0
    for it in data.holds:
        if it.store not in data.windows:
            continue
        window, key = data.windows[it.store], (it.store, it.rule)
        opened, is_open = window.has(it.since), it.state == "open"
        answered = it.state == "answered" and window.has(it.answered_at)
        if not (opened or answered or is_open):
            continue  # of after the window
        n += 1
        found[key]["opened"] += opened
        found[key]["answered"] += answered
        found[key]["gone"] += it.state == "closed" and opened
        found[key]["open"] += is_open
        if is_open:
            oldest[key] = max(oldest.get(key, 0), (data.now - it.since).days)
    rows = tuple(
        (*key, counts["opened"], counts["answered"], counts["gone"], counts["open"], oldest.get(key))
        for key, counts in sorted(found.items())
    )
    columns = (
        STORE,
        Column("rule", "Rule"),
        Column("opened", "Opened", Kind.COUNT),
        Column("answered", "Answered", Kind.COUNT),
        Column("gone", "Opened, closed by itself", Kind.COUNT),
        Column("open", "Open now", Kind.COUNT),
        Column("oldest", "Oldest open, days", Kind.COUNT),
    )
    return Table("holds", "Holds", HOLDS, columns, rows, n=n)


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


def median(sorted_values: Sequence[Decimal]) -> Decimal:
    """The middle one of values in order; of an even number the mean of the two in the middle."""
    low, high = sorted_values[(len(sorted_values) - 1) // 2], sorted_values[len(sorted_values) // 2]
    return (low + high) / 2


def p90(sorted_values: Sequence[Decimal]) -> Decimal:
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
            spans = [(begins(it), ends(it)) for it in mine]
            days = sorted(in_days(end - begin) for begin, end in spans if begin and end and end >= begin)
            promise = data.promise_days if name == PROMISED else None
            over = sum(each > promise for each in days) if promise is not None and days else None
            three = (median(days), p90(days), days[-1]) if days else (None,) * 3
            rows.append((store, name, len(days), *three, len(mine) - len(days), promise, over))
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
    waits = [it for it in data.returns if it.row.waits and _owed(it) and _left(it.row)]
    clocks = [found for it in waits if (found := clock(it, data.now))]
    return clocks, len(waits) - len(clocks)


def paid_clocks(data: ReportData) -> list[Clock]:
    """The clocks of the returns that were paid in the window, up to their first refund in it."""
    return [
        found
        for it in courses(data)
        if (parts := data.by_id.get(it.row.process_id)) and (found := clock(parts, it.paid_at))
    ]


def _fourteen_days(data: ReportData) -> Table:
    waiting, still = open_clocks(data)
    paid = paid_clocks(data)
    rows: list[tuple[Cell, ...]] = []
    for store in data.windows:
        mine, done = [it for it in waiting if it.row.store == store], [it for it in paid if it.row.store == store]
        rows.append(
            (
                store,
                sum(it.late for it in mine),
                sum(it.warned for it in mine),
                len(mine),
                sum(it.late for it in done),
                len(done),
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
    n = len(waiting) + len(paid)
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
            _left(it.row),
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


def _inspections(data: ReportData) -> Table:
    rows: list[tuple[Cell, ...]] = []
    n = 0
    for store, window in data.windows.items():
        units: Counter[str] = Counter()
        values: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))
        returns: Counter[bool] = Counter()
        for parts in data.returns:
            if parts.row.store != store:
                continue
            known = set(ReviewStatus)
            seen = [it for it in parts.reviews if window.has(it.reviewed_at) and it.status in known]
            units.update(it.status for it in seen)
            for it in seen:
                if it.value is not None:
                    values[it.currency][it.status] += it.value
            if seen:
                returns[all(it.status == ReviewStatus.APPROVED for it in seen)] += 1
        n += units.total()
        counts = (units[ReviewStatus.APPROVED], units[ReviewStatus.DECLINED], units[ReviewStatus.MISSING])
        by_unit, by_return = share_of(counts[0], units.total()), share_of(returns[True], returns.total())
        for place, currency in enumerate(sorted(values) or [""]):
            whole = sum(values[currency].values(), ZERO)
            by_value = share_of(values[currency][ReviewStatus.APPROVED], whole)
            first = place == 0
            rows.append(
                (
                    store,
                    *(counts if first else (None,) * 3),
                    by_unit if first else None,
                    by_return if first else None,
                    currency,
                    values[currency][ReviewStatus.APPROVED],
                    by_value,
                )
            )
    columns = (
        STORE,
        Column("approved", "Units approved", Kind.COUNT),
        Column("declined", "Declined", Kind.COUNT),
        Column("missing", "Missing", Kind.COUNT),
        Column("by_unit", "Rate by units", Kind.SHARE),
        Column("by_return", "Rate by returns", Kind.SHARE),
        CURRENCY,
        Column("value", "Value approved", Kind.MONEY),
        Column("by_value", "Rate by value", Kind.SHARE),
    )
    return Table("inspections", "Inspections", INSPECTIONS, columns, tuple(rows), n=n)


def _started(
    data: ReportData, name: str, title: str, columns: tuple[Column, ...], key: Callable[[LineRow], tuple[str, ...]]
) -> Table:
    begun = _begun(data)
    units: Counter[tuple[str, ...]] = Counter()
    returns: dict[tuple[str, ...], set[str]] = defaultdict(set)
    values: dict[tuple[str, ...], Decimal] = defaultdict(lambda: ZERO)
    whole: Counter[str] = Counter()
    for parts in begun:
        for line in parts.lines:
            of = (line.store, *key(line), line.currency)
            units[of] += max(0, line.quantity)
            whole[line.store] += max(0, line.quantity)
            returns[of].add(line.process_id)
            values[of] += line.total or ZERO
    rows = tuple(
        (
            *of[:-1],
            units[of],
            share_of(units[of], whole[of[0]]),
            len(returns[of]),
            of[-1],
            values[of],
        )
        for of in sorted(units, key=lambda of: (of[0], -units[of], of))
    )
    told = (
        STORE,
        *columns,
        Column("units", "Units", Kind.COUNT),
        Column("share", "Of the store's units", Kind.SHARE),
        Column("returns", "Returns", Kind.COUNT),
        CURRENCY,
        Column("value", "Value", Kind.MONEY),
    )
    return Table(name, title, STARTED_LINES, told, rows, n=len(begun), chart="units", label=columns[0].name)


def _reconciled(data: ReportData) -> Table:
    with_money = [it for it in data.comparisons if it.ours or it.theirs or it.by_hand]
    rows: list[tuple[Cell, ...]] = []
    for store, currency in sorted({(it.store, it.currency) for it in with_money}):
        mine = [it for it in with_money if (it.store, it.currency) == (store, currency)]
        ours, theirs = sum((it.ours for it in mine), ZERO), sum((it.theirs for it in mine), ZERO)
        way, hand = sum((it.on_its_way for it in mine), ZERO), sum((it.by_hand for it in mine), ZERO)
        same = sum(it.seen is Seen.SAME for it in mine)
        differ = sum(it.process_id in data.differing for it in mine)
        rows.append((store, currency, len(mine), ours, theirs, theirs - ours, way, hand, same, differ))
    columns = (
        STORE,
        CURRENCY,
        Column("returns", "Returns", Kind.COUNT),
        Column("ours", "Our ledger", Kind.MONEY),
        Column("rever", "REVER", Kind.MONEY),
        Column("difference", "Difference", Kind.MONEY),
        Column("on_its_way", "Of REVER's, on its way", Kind.MONEY),
        Column("by_hand", "By hand", Kind.MONEY),
        Column("same", "The same", Kind.COUNT),
        Column("differ", "To be looked into", Kind.COUNT),
    )
    return Table("reconciled", "Beside REVER", RECONCILED, columns, tuple(rows), n=len(with_money))


def _differing(data: ReportData) -> Table:
    found = {it.process_id: it for it in data.comparisons}
    rows = tuple(
        (process_id, it.order_name if (it := found.get(process_id)) else "", it.store if it else "", how)
        for process_id, how in sorted(data.differing.items())
    )
    columns = (RETURN, ORDER, STORE, Column("how", "How it differs"))
    return Table(
        "differing", "Returns that differ from REVER", DIFFERING, columns, rows, n=len(rows), why_empty="none differs"
    )


def _rates(data: ReportData) -> Table:
    begun = _begun(data)
    rows: list[tuple[Cell, ...]] = []
    for store in data.windows:
        sold = (data.sold or {}).get(store)
        mine = [it for it in begun if it.row.store == store]
        orders = len({it.row.order or it.row.process_id for it in mine})
        units = sum(it.row.units for it in mine)
        value = add_up((it.row.currency, it.row.value) for it in mine)
        placed, units_sold = (sold.orders, sold.units) if sold else (None, None)
        sales = dict(sold.sales) if sold else {}
        for place, currency in enumerate(sorted(sales) or [""]):
            first = place == 0
            rows.append(
                (
                    store,
                    orders if first else None,
                    placed if first else None,
                    share_of(orders, placed) if first else None,
                    units if first else None,
                    units_sold if first else None,
                    share_of(units, units_sold) if first else None,
                    currency,
                    value.get(currency, ZERO) if currency else None,
                    sales.get(currency),
                    share_of(value.get(currency, ZERO), sales.get(currency)),
                )
            )
    columns = (
        STORE,
        Column("orders_returned", "Orders with a return", Kind.COUNT),
        Column("orders", "Orders placed", Kind.COUNT),
        Column("order_rate", "Order return rate", Kind.SHARE),
        Column("units_returned", "Units", Kind.COUNT),
        Column("units", "Units sold", Kind.COUNT),
        Column("unit_rate", "Unit return rate", Kind.SHARE),
        CURRENCY,
        Column("value", "Value", Kind.MONEY),
        Column("sales", "Sales", Kind.MONEY),
        Column("revenue_rate", "Revenue return rate", Kind.SHARE),
    )
    return Table("rates", "Return rates", RATES, columns, tuple(rows), n=len(begun))


def open_returns_table(data: ReportData) -> Table:
    """Every return that waits, the oldest first."""
    waits = sorted(
        (it.row for it in data.returns if it.row.waits), key=lambda row: (row.started_at or data.now, row.process_id)
    )
    held = {it.process_id: it.id for it in data.holds if it.state == "open"}
    rows = tuple(_open_cells(data, row, held.get(row.process_id, "")) for row in waits)
    columns = (
        RETURN,
        ORDER,
        STORE,
        Column("country", "Country"),
        Column("stage", "Stage"),
        Column("days", "Whole days", Kind.COUNT),
        Column("started", "Started", Kind.TIME),
        Column("inspected", "Inspected", Kind.TIME),
        Column("decision", "What it does"),
        Column("rule", "By which rule"),
        Column("hold", "Open hold", Kind.ID),
        CURRENCY,
        Column("value", "Value", Kind.MONEY),
        Column("refunded", "Refunded", Kind.MONEY),
        *((Column("shopper", "Shopper"), Column("email", "E-mail")) if data.personal else ()),
    )
    return Table(
        "open_returns",
        "Returns that wait, one by one",
        OPEN_RETURNS,
        columns,
        rows,
        n=len(rows),
        why_empty="nothing waits",
        lists=True,
    )


def _open_cells(data: ReportData, row: ReturnRow, hold: str) -> tuple[Cell, ...]:
    window, age = data.windows[row.store], _age(data, row)
    return (
        row.process_id,
        row.order,
        row.store,
        row.country,
        str(row.stage),
        None if age is None else age.days,
        window.local(row.started_at),
        window.local(row.reviewed_at),
        row.decision,
        row.rule,
        hold,
        row.currency,
        row.value,
        row.refunded,
        *((row.name, row.email) if data.personal else ()),
    )


def not_computable(data: ReportData) -> Iterable[str]:
    """What finance asks for and nobody here can work out, with the reason."""
    if data.sold is None:
        yield "order, unit and revenue return rates: not computable, no order counts (give a file of them: --orders)"
    else:
        missing = sorted(set(data.windows) - set(data.sold))
        if missing:
            yield f"return rates of {', '.join(missing)}: not computable, the file of orders does not name it"
    yield "return rates by the date of the order: not computable, REVER does not tell when an order was placed"
    if not data.tracked:
        yield "times from the arrival: not computable, no parcel was watched until it arrived"
    if data.promise_days is None:
        yield "how many were paid within the store's promise: not computable, no promise is named (--promise DAYS)"
    yield "cost of a return, and what labels cost: not computable, REVER tells no prices of labels"
    yield "what shoppers paid on top in exchanges: not computable, REVER does not tell"
    if data.unread:
        yield f"{len(data.unread)} returns could not be read: their money is in all sums, their reasons are not known"
