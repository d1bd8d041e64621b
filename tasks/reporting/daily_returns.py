"""The report's tables of returns: what began, what was inspected, and how the refunds stand beside REVER. Pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal

from rever_api.models import ReviewStatus
from tasks.policy.comparison import Seen
from tasks.policy.money import ZERO
from tasks.reporting.daily_data import ReportData, add_up
from tasks.reporting.return_rows import LineRow
from tasks.reporting.tables import (
    CURRENCY,
    HOURS,
    ORDER,
    RETURN,
    STORE,
    Basis,
    Cell,
    Column,
    Figure,
    Kind,
    Table,
    share_of,
)

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
    "counted by when they were made, those of a status that is not known here apart; holds by when they were opened",
    "returns started",
)
INSPECTIONS = Figure(
    "inspections",
    "Inspections",
    "approval rate = approved / (approved + declined + missing), three times: by units, by what the units cost, and by "
    "returns (approved: all inspected units of the return were)",
    Basis.REVIEWED,
    "inspections without a time; units of a status that is not known here, which stand apart. The three rates differ: "
    "none stands for the others",
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
FIGURES = (RETURNS, RETURN_DAYS, INSPECTIONS, STARTED_LINES, RECONCILED, DIFFERING, RATES)


_KNOWN = frozenset(ReviewStatus)
UNKNOWN_STATUS = Column("unknown_status", "Units of unknown status", Kind.COUNT, rarely=True)


def return_tables(data: ReportData) -> Iterator[Table]:
    """All tables of returns, but those of what waits and of times."""
    yield _returns(data)
    yield _by_day(data)
    yield _inspections(data)
    yield _started(data, "top_reasons", "Top reasons", (Column("reason", "Reason"),), lambda it: (it.reason,))
    product = (Column("sku", "SKU", Kind.ID), Column("product", "Product"))
    yield _started(data, "top_products", "Top products", product, lambda it: (it.sku, it.product))
    yield _reconciled(data)
    yield _differing(data)
    if data.sold is not None:
        yield _rates(data)


def _returns(data: ReportData) -> Table:
    begun, held = data.begun, {it.process_id for it in data.holds}
    rows: list[tuple[Cell, ...]] = []
    for store in data.windows:
        mine = [it for it in begun if it.row.store == store]
        ever = sum(it.row.process_id in held for it in mine)
        waits = sum(it.row.store == store for it in data.waiting)
        inspected = Counter(
            review.status in _KNOWN
            for it in data.returns
            if it.row.store == store
            for review in it.reviews
            if data.windows[store].has(review.reviewed_at)
        )
        open_now = sum(it.store == store and it.state == "open" for it in data.holds)
        share = share_of(ever, len(mine))
        units = sum(it.row.units for it in mine)
        rows.append((store, len(mine), units, inspected[True], inspected[False], waits, open_now, ever, share))
    columns = (
        STORE,
        Column("started", "Started", Kind.COUNT),
        Column("units", "Units in them", Kind.COUNT),
        Column("inspected", "Units inspected", Kind.COUNT),
        UNKNOWN_STATUS,
        Column("waits", "Wait now", Kind.COUNT),
        Column("open_holds", "Open holds now", Kind.COUNT),
        Column("held", "Of the started, held", Kind.COUNT),
        Column("hold_rate", "Hold rate", Kind.SHARE),
    )
    return Table("returns", "Returns", RETURNS, columns, tuple(rows), n=len(begun))


def _by_day(data: ReportData) -> Table:
    begun = data.begun
    rows: list[tuple[Cell, ...]] = []
    for store, window in data.windows.items():
        of_store = [it for it in data.returns if it.row.store == store]
        started = Counter(window.day(it.row.started_at) for it in begun if it.row.store == store and it.row.started_at)
        inspected = Counter(
            (window.day(review.reviewed_at), review.status in _KNOWN)
            for it in of_store
            for review in it.reviews
            if review.reviewed_at and window.has(review.reviewed_at)
        )
        arrived = Counter(window.day(at) for it in of_store if (at := it.row.arrived_at) and window.has(at))
        held = Counter(window.day(it.since) for it in data.holds if it.store == store and window.has(it.since))
        rows += [
            (
                *(store, it.day, it.hours, started[it.day], arrived[it.day]),
                *(inspected[it.day, True], inspected[it.day, False], held[it.day]),
            )
            for it in window.days()
        ]
    columns = (
        STORE,
        Column("day", "Day", Kind.DAY),
        HOURS,
        Column("started", "Started", Kind.COUNT),
        Column("arrived", "Arrived, as watched", Kind.COUNT, rarely=True),
        Column("inspected", "Units inspected", Kind.COUNT),
        UNKNOWN_STATUS,
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


def _inspections(data: ReportData) -> Table:
    rows: list[tuple[Cell, ...]] = []
    n = 0
    for store, window in data.windows.items():
        units, unknown = Counter[str](), 0
        values: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))
        returns: Counter[bool] = Counter()
        for parts in data.returns:
            if parts.row.store != store:
                continue
            made = [it for it in parts.reviews if window.has(it.reviewed_at)]
            seen = [it for it in made if it.status in _KNOWN]
            unknown += len(made) - len(seen)
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
                    *((*counts, unknown) if first else (None,) * 4),
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
        UNKNOWN_STATUS,
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
    begun = data.begun
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
    begun = data.begun
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
