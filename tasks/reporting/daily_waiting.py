"""The report's tables of what waits: at what stage, since when, for what and for whom. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta

from tasks.policy.money import ZERO
from tasks.reporting.daily_data import ReportData
from tasks.reporting.return_rows import AGES, OLDEST, ReturnRow, Stage, age_in_words
from tasks.reporting.tables import CURRENCY, ORDER, RETURN, STORE, Basis, Cell, Column, Figure, Kind, RowsOf, Table

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
OPEN_RETURNS = Figure(
    "open_returns",
    "Returns that wait, one by one",
    "each return that is running or on hold at REVER, the oldest first",
    Basis.NOW,
    "returns that ended",
    "returns",
)
FIGURES = (WAITING, CAUSES, HOLDS, OPEN_RETURNS)


def waiting_tables(data: ReportData) -> Iterator[Table]:
    """All tables of what waits."""
    yield _waiting(data)
    yield _causes(data)
    yield _holds(data)
    yield _open_returns(data)


def _age(data: ReportData, row: ReturnRow) -> timedelta | None:
    return None if row.started_at is None else max(timedelta(0), data.now - row.started_at)


BUCKETS = (*(words for _, words in AGES), OLDEST)


def _waiting(data: ReportData) -> Table:
    waits = [it.row for it in data.waiting]
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
        rows.append((store, str(stage), *counts, len(mine), currency, sum((it.unrefunded for it in mine), ZERO)))
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
    waits = [it.row for it in data.waiting]
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


def _open_returns(data: ReportData) -> Table:
    """Every return that waits, the oldest first."""
    waits = sorted((it.row for it in data.waiting), key=lambda row: (row.started_at or data.now, row.process_id))
    held = {it.process_id: it.id for it in data.holds if it.state == "open"}
    rows = RowsOf(waits, lambda row: _open_cells(data, row, held.get(row.process_id, "")))
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
