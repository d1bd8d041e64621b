"""The report's tables of money: what went out by store, day, method, reason, product, country and rule. Pure.

Currencies are never added. Each sum here is that of the ledger's refunds, to the cent: whatever they are split by, the
parts of a table come to the same.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import partial

from rever_api.models import CompensationMethod
from tasks.policy.label_costs import costs_of
from tasks.policy.money import ZERO, minor_unit
from tasks.policy.record import LABEL_KINDS, IntentKind, IntentState
from tasks.reporting.daily_data import Payment, ReportData, split
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
    RowsOf,
    Table,
    share_of,
)

STORE_CREDIT = frozenset({CompensationMethod.GIFT_CARD, CompensationMethod.PROMO_CODE})
"""Methods by which the money stays with the shop."""

NOT_READ = "(the return could not be read)"
NO_ARTICLE = "(no article named)"
SHIPPING = "(the order's shipping)"

MONEY_OUT = Figure(
    "money_out",
    "Money out",
    "refunded = the sum of the amounts of the ledger's refunds that REVER confirmed, REVER's own that were taken over "
    "among them. Of it: paid, as REVER shows; on its way, accepted by REVER and not paid; not shown, which REVER does "
    "not show. By hand = what people said they paid past the desk; REVER may show it or not, so it is never added",
    Basis.PAID,
    "refunds of REVER's that the ledger does not have (see the comparison with REVER); effects whose outcome is still "
    "open; exchanged goods; what a person dropped, of which nobody knows whether it was paid",
    "refunds",
)
BY_LINE = Figure(
    "money_by_line",
    "Money by reason or product",
    f"{MONEY_OUT.formula}. A refund of several lines is split over them by the value of the units that it pays, to the "
    "cent; what rounding leaves goes to the largest remainders, so that the parts come to the refund exactly. What it "
    "has in it of the order's shipping has a row of its own",
    Basis.PAID,
    MONEY_OUT.left_out,
    "refunds, each counted once for every reason or product in it",
)
RETAINED = Figure(
    "retained",
    "Retained revenue",
    "store credit = what was refunded as gift card or promo code; exchanged = the value of the units in exchanges that "
    "were made; retained share = (store credit + exchanged) / (refunded + exchanged)",
    Basis.PAID,
    "what was requested and not done; what shoppers paid on top in an exchange (REVER does not tell). REVER's own tile "
    "of this name counts new sales, and its share counts returns by what was requested: they differ from this one",
    "refunds and exchanges",
)
CONVERTED = Figure(
    "converted",
    "Converted",
    "refunded x the rate of the file, rounded to its minor unit; shown beside the exact sums, never in their place",
    Basis.PAID,
    "currencies without a rate in the file",
    "refunds",
)
EXCHANGES = Figure(
    "exchanges",
    "Exchanges",
    "exchanges that were made; value = what the units given back are worth, before costs. No money goes out",
    Basis.CLOSED,
    "what shoppers paid on top (REVER does not tell); exchanges whose outcome is open or that were refused",
    "exchanges",
)
LABELS = Figure(
    "labels",
    "Labels",
    "labels that REVER made for the desk, and labels made elsewhere that were registered",
    Basis.CLOSED,
    "labels that REVER made before the desk saw the return",
    "labels",
)
LABEL_COSTS = Figure(
    "label_costs",
    "Cost of labels by day",
    "labels that were made or registered x what a label of their carrier costs by the policy file (`labels`) as it is "
    "now, each on the store's own day; REVER tells no price",
    Basis.CLOSED,
    "labels of carriers whose cost the policy file does not tell, which are counted beside it; fees that are not in "
    "that cost; labels that REVER made before the desk saw the return",
    "labels",
)
RULES = Figure(
    "rules",
    "What the rules did",
    "effects by the rule that asked for them, and holds by the rule that held; amount = the refunds among the done",
    Basis.CLOSED,
    "decisions to wait or to do nothing: they leave no effect",
    "effects and holds",
)
PAYMENTS = Figure(
    "payments",
    "Payments, one by one",
    "each refund as the ledger has it: asked for (created), sent, confirmed (paid) and, by REVER's clock, processed",
    Basis.PAID,
    f"{MONEY_OUT.left_out}. REVER's API tells no gateway reference, no split into net and tax, and no credit "
    "note number, so they are not here",
    "refunds",
)
FIGURES = (MONEY_OUT, BY_LINE, RETAINED, CONVERTED, EXCHANGES, LABELS, LABEL_COSTS, RULES, PAYMENTS)

SUMS = (
    Column("refunds", "Refunds", Kind.COUNT),
    Column("refunded", "Refunded", Kind.MONEY),
    Column("paid", "Paid", Kind.MONEY),
    Column("on_its_way", "On its way", Kind.MONEY),
    Column("not_shown", "Not shown", Kind.MONEY),
    Column("by_hand", "By hand", Kind.MONEY),
)
SPLIT_SUMS = (*SUMS[:3], *(replace(column, rarely=True) for column in SUMS[3:]))
"""The same below a table that splits the money; what is 0 throughout is left out of pages."""


@dataclass(slots=True)
class Sums:
    """The sums of some refunds of one currency."""

    refunds: set[str] = field(default_factory=set)
    paid: Decimal = ZERO
    on_its_way: Decimal = ZERO
    not_shown: Decimal = ZERO
    by_hand: Decimal = ZERO

    def add(self, payment: Payment) -> None:
        """Add a refund, or a part of one."""
        self.refunds.add(payment.effect.id)
        self.paid += payment.paid
        self.on_its_way += payment.on_its_way
        self.not_shown += payment.not_shown
        self.by_hand += payment.by_hand

    @property
    def refunded(self) -> Decimal:
        """What the desk refunded."""
        return self.paid + self.on_its_way + self.not_shown

    def cells(self) -> tuple[Cell, ...]:
        """The cells below `SUMS`."""
        return len(self.refunds), self.refunded, self.paid, self.on_its_way, self.not_shown, self.by_hand


Key = tuple[Cell, ...]


def summed(parts: Iterable[tuple[Key, Payment]]) -> dict[Key, Sums]:
    """Sums by key; a key ends with the currency."""
    found: dict[Key, Sums] = defaultdict(Sums)
    for key, payment in parts:
        found[*key, payment.effect.currency].add(payment)
    return dict(found)


def money_tables(data: ReportData) -> Iterator[Table]:
    """All tables of money."""
    yield _by_store(data)
    if data.rates:
        yield _converted(data)
    yield _by_day(data)
    yield _by(data, "methods", "Money by method", "method", "Method", lambda it: it.effect.method)
    yield _by_line(data, "reasons", "Money by reason", (Column("reason", "Reason"),), lambda line: (line.reason,))
    product = (Column("sku", "SKU", Kind.ID), Column("product", "Product"))
    yield _by_line(data, "products", "Money by product", product, lambda line: (line.sku, line.product))
    yield _by(data, "countries", "Money by country", "country", "Country", lambda it: _country(data, it))
    yield _by(data, "why", "Money by the rule that paid", "rule", "Rule", lambda it: it.effect.rule)
    yield _retained(data)
    yield _exchanges(data)
    yield _labels(data)
    yield _label_costs(data)
    yield _rules(data)
    yield _payments(data)


def _country(data: ReportData, payment: Payment) -> str:
    parts = data.by_id.get(payment.effect.process_id)
    return (parts.row.country or "(not told)") if parts else NOT_READ


def _by_store(data: ReportData) -> Table:
    sums = summed(((it.effect.store,), it) for it in data.payments)
    rows = tuple((store, currency, *it.cells()) for (store, currency), it in _ordered(sums))
    return Table(
        "money",
        "Money out",
        MONEY_OUT,
        (STORE, CURRENCY, *SUMS),
        rows,
        n=len(data.payments),
        notes=tuple(_dropped(data)),
    )


def _ordered(sums: dict[Key, Sums]) -> list[tuple[Key, Sums]]:
    """The largest sums first within each store and currency."""
    return sorted(sums.items(), key=lambda it: (str(it[0][0]), str(it[0][-1]), -it[1].refunded, tuple(map(str, it[0]))))


def _dropped(data: ReportData) -> Iterator[str]:
    dropped = [
        it
        for it in data.effects
        if it.kind is IntentKind.REFUND and it.state is IntentState.DROPPED and it.amount and data.in_window(it)
    ]
    for currency in sorted({it.currency for it in dropped}):
        mine = [it for it in dropped if it.currency == currency]
        amount = sum((it.amount for it in mine), ZERO)
        words = "nobody knows whether it was paid, so it is in no sum"
        yield f"{amount:,} {currency} in {len(mine)} refunds was dropped by a person: {words}"


def _converted(data: ReportData) -> Table:
    sums = summed(((it.effect.store,), it) for it in data.payments)
    rates = {it.currency: it for it in data.rates}
    rows: list[tuple[Cell, ...]] = []
    for (store, currency), it in _ordered(sums):
        rate = rates.get(str(currency))
        into = None if rate is None else (it.refunded * rate.rate).quantize(Decimal(1).scaleb(-minor_unit(rate.into)))
        rows.append(
            (str(store), str(currency), it.refunded, rate.rate if rate else None, rate.into if rate else "", into)
        )
    columns = (
        STORE,
        CURRENCY,
        Column("refunded", "Refunded", Kind.MONEY),
        Column("rate", "Rate", Kind.RATE),
        Column("into", "Into"),
        Column("converted", "Converted", Kind.RATE),
    )
    return Table(
        "converted", "Converted, by the rates of a file", CONVERTED, columns, tuple(rows), n=len(data.payments)
    )


def _by_day(data: ReportData) -> Table:
    sums = summed(((it.effect.store, _day(data, it)), it) for it in data.payments)
    rows: list[tuple[Cell, ...]] = []
    for store, window in data.windows.items():
        currencies = sorted({str(key[-1]) for key in sums if key[0] == store})
        for currency in currencies or [""]:
            for day in window.days():
                found = sums.get((store, day.day, currency), Sums())
                rows.append((store, day.day, day.hours, currency, *found.cells()))
    columns = (STORE, Column("day", "Day", Kind.DAY), HOURS, CURRENCY, *SPLIT_SUMS)
    words = "a day is the store's own: 23 hours when clocks go forward, 25 when they go back"
    return Table(
        "days",
        "Money by day",
        MONEY_OUT,
        columns,
        tuple(rows),
        n=len(data.payments),
        chart="refunded",
        label="day",
        sparse=True,
        notes=(words, "pages leave out days without a refund; the files have all"),
    )


def _day(data: ReportData, payment: Payment) -> date:
    closed = payment.effect.closed_at
    assert closed is not None  # noqa: S101 - it is in the window
    return data.windows[payment.effect.store].day(closed)


def _by(data: ReportData, name: str, title: str, column: str, heading: str, key: Callable[[Payment], str]) -> Table:
    sums = summed(((it.effect.store, key(it)), it) for it in data.payments)
    rows = tuple(
        (str(store), str(value), str(currency), *it.cells()) for (store, value, currency), it in _ordered(sums)
    )
    columns = (STORE, Column(column, heading), CURRENCY, *SPLIT_SUMS)
    return Table(name, title, MONEY_OUT, columns, rows, n=len(data.payments), chart="refunded", label=column)


def _by_line(
    data: ReportData, name: str, title: str, columns: tuple[Column, ...], key: Callable[[LineRow], tuple[str, ...]]
) -> Table:
    parts = ((part_key, part) for it in data.payments for part_key, part in _line_parts(data, it, len(columns), key))
    sums = summed(parts)
    rows = tuple((*map(str, found), *it.cells()) for found, it in _ordered(sums))
    return Table(
        name,
        title,
        BY_LINE,
        (STORE, *columns, CURRENCY, *SPLIT_SUMS),
        rows,
        n=len(data.payments),
        chart="refunded",
        label=columns[0].name,
    )


def _line_parts(
    data: ReportData, payment: Payment, wide: int, key: Callable[[LineRow], tuple[str, ...]]
) -> Iterator[tuple[Key, Payment]]:
    """A refund split over its lines."""
    effect = payment.effect
    empty = ("",) * (wide - 1)
    if not effect.parts:
        yield (effect.store, NO_ARTICLE, *empty), payment
        return
    goods = split(effect.amount - effect.shipping, [value for _, value in effect.parts], effect.currency)
    weights = [*goods, *([effect.shipping] if effect.shipping else [])]
    # The whole is split first, and what is paid of it after, so that no rounding moves money from one row to another.
    refunded, by_hand = (split(it, weights, effect.currency) for it in (payment.refunded, payment.by_hand))
    paid = split(payment.paid, refunded, effect.currency)
    unpaid = [whole - part for whole, part in zip(refunded, paid, strict=True)]
    on_its_way = split(payment.on_its_way, unpaid, effect.currency)
    not_shown = [whole - part for whole, part in zip(unpaid, on_its_way, strict=True)]
    for place in range(len(weights)):
        line = data.line(effect.process_id, effect.parts[place][0]) if place < len(goods) else None
        of = key(line) if line else (NOT_READ if place < len(goods) else SHIPPING, *empty)
        yield (effect.store, *of), Payment(effect, paid[place], on_its_way[place], not_shown[place], by_hand[place])


def _retained(data: ReportData) -> Table:
    refunded: dict[Key, Decimal] = defaultdict(lambda: ZERO)
    credit: dict[Key, Decimal] = defaultdict(lambda: ZERO)
    exchanged: dict[Key, Decimal] = defaultdict(lambda: ZERO)
    n = 0
    for payment in data.payments:
        effect = payment.effect
        refunded[effect.store, effect.currency] += payment.refunded
        n += bool(payment.refunded)
        if effect.method in STORE_CREDIT:
            credit[effect.store, effect.currency] += payment.refunded
    for effect in data.effects:
        if effect.kind is IntentKind.EXCHANGE and effect.state is IntentState.DONE and data.in_window(effect):
            exchanged[effect.store, effect.currency] += effect.gross
            n += 1
    rows: list[tuple[Cell, ...]] = []
    for key in sorted({*refunded, *exchanged}, key=str):
        store, currency = key
        kept, whole = credit[key] + exchanged[key], refunded[key] + exchanged[key]
        rows.append((str(store), str(currency), credit[key], exchanged[key], kept, whole, share_of(kept, whole)))
    columns = (
        STORE,
        CURRENCY,
        Column("store_credit", "Store credit", Kind.MONEY),
        Column("exchanged", "Exchanged", Kind.MONEY),
        Column("retained", "Retained", Kind.MONEY),
        Column("of", "Of", Kind.MONEY),
        Column("share", "Share", Kind.SHARE),
    )
    return Table("retained", "Retained revenue", RETAINED, columns, tuple(rows), n=n)


def _exchanges(data: ReportData) -> Table:
    done = [
        it
        for it in data.effects
        if it.kind is IntentKind.EXCHANGE
        and it.state in {IntentState.DONE, IntentState.DONE_BY_HAND}
        and data.in_window(it)
    ]
    rows: list[tuple[Cell, ...]] = []
    for store, currency in sorted({(it.store, it.currency) for it in done}):
        mine = [it for it in done if (it.store, it.currency) == (store, currency)]
        by_hand = sum(it.state is IntentState.DONE_BY_HAND for it in mine)
        units, value = sum(it.units for it in mine), sum((it.gross for it in mine), ZERO)
        rows.append((store, currency, len(mine), by_hand, units, value))
    columns = (
        STORE,
        CURRENCY,
        Column("exchanges", "Exchanges", Kind.COUNT),
        Column("by_hand", "Of them by hand", Kind.COUNT),
        Column("units", "Units", Kind.COUNT),
        Column("value", "Value of the goods", Kind.MONEY),
    )
    return Table("exchanges", "Exchanges", EXCHANGES, columns, tuple(rows), n=len(done))


def _labels(data: ReportData) -> Table:
    found: dict[tuple[str, str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    n = 0
    for it in data.effects:
        if it.kind in LABEL_KINDS and data.in_window(it):
            how = "made" if it.kind is IntentKind.LABEL else "registered"
            if it.state in {IntentState.DONE, IntentState.DONE_BY_HAND, IntentState.REFUSED}:
                n += it.state is not IntentState.REFUSED
                found[it.store, it.carrier or "(not told)", how][it.state] += 1
    rows = tuple(
        (store, carrier, how, counts[IntentState.DONE], counts[IntentState.DONE_BY_HAND], counts[IntentState.REFUSED])
        for (store, carrier, how), counts in sorted(found.items())
    )
    columns = (
        STORE,
        Column("carrier", "Provider and carrier"),
        Column("how", "How"),
        Column("done", "Done", Kind.COUNT),
        Column("by_hand", "By hand", Kind.COUNT),
        Column("refused", "Refused", Kind.COUNT),
    )
    return Table("labels", "Labels", LABELS, columns, rows, n=n)


def _label_costs(data: ReportData) -> Table:
    """What the labels of each day cost, as far as the policy tells."""
    made: dict[tuple[str, date], Counter[str]] = defaultdict(Counter)
    for it in data.effects:
        done = it.state in {IntentState.DONE, IntentState.DONE_BY_HAND}
        if it.kind in LABEL_KINDS and done and it.closed_at is not None and data.in_window(it):
            made[it.store, data.windows[it.store].day(it.closed_at)][it.carrier] += 1
    rows: list[tuple[Cell, ...]] = []
    for (store, day), labels in sorted(made.items()):
        sums, untold = costs_of(labels, data.carriers.get(store, {}))
        for place, (currency, cost) in enumerate(list(sums.items()) or [("", None)]):
            counts = (labels.total(), untold) if place == 0 else (None, None)
            rows.append((store, day, *counts, currency, cost))
    columns = (
        STORE,
        Column("day", "Day", Kind.DAY),
        Column("labels", "Labels", Kind.COUNT),
        Column("untold", "Cost not told", Kind.COUNT),
        CURRENCY,
        Column("cost", "Cost", Kind.MONEY),
    )
    n = sum(labels.total() for labels in made.values())
    return Table("label_costs", "Cost of labels by day", LABEL_COSTS, columns, tuple(rows), n=n)


def _rules(data: ReportData) -> Table:
    counted: dict[tuple[str, str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    money: dict[tuple[str, str, str], dict[str, Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))
    n = 0
    for it in data.effects:
        if it.state is not IntentState.WITHDRAWN and data.in_window(it):
            key = (it.store, it.rule, it.kind.replace("_", " "))
            counted[key][it.state] += 1
            n += 1
            if it.kind is IntentKind.REFUND and it.state is IntentState.DONE:
                money[key][it.currency] += it.amount
    for hold in data.holds:
        if hold.store in data.windows and data.windows[hold.store].has(hold.since):
            counted[hold.store, hold.rule, "hold"]["held"] += 1
            n += 1
    rows: list[tuple[Cell, ...]] = []
    for key, counts in sorted(counted.items()):
        done, refused, held = counts[IntentState.DONE], counts[IntentState.REFUSED], counts["held"]
        others = sum(counts.values()) - done - refused - held
        for place, (currency, amount) in enumerate(sorted(money[key].items()) or [("", None)]):
            cells = (done, others, refused, held) if place == 0 else (None,) * 4
            rows.append((*key, *cells, currency, amount))
    columns = (
        STORE,
        Column("rule", "Rule"),
        Column("what", "What"),
        Column("done", "Done", Kind.COUNT),
        Column("by_person", "Closed by a person", Kind.COUNT),
        Column("refused", "Refused", Kind.COUNT),
        Column("held", "Held", Kind.COUNT),
        CURRENCY,
        Column("amount", "Refunded", Kind.MONEY),
    )
    return Table("rules", "What the rules did", RULES, columns, tuple(rows), n=n)


def _payments(data: ReportData) -> Table:
    """Every refund of the window, with the fields that finance asks for and REVER or the ledger knows."""
    listed = sorted(data.payments, key=lambda it: (it.effect.store, it.effect.closed_at or data.now))
    rows = RowsOf(listed, partial(_payment_cells, data))
    columns = (
        Column("refund", "Refund (ledger)", Kind.ID),
        RETURN,
        ORDER,
        STORE,
        Column("method", "Method"),
        CURRENCY,
        Column("amount", "Amount", Kind.MONEY),
        Column("gross", "Goods before costs", Kind.MONEY),
        Column("shipping", "Of it shipping", Kind.MONEY),
        Column("paid", "Paid", Kind.MONEY),
        Column("on_its_way", "On its way", Kind.MONEY),
        Column("not_shown", "Not shown", Kind.MONEY),
        Column("state", "State"),
        Column("created", "Created", Kind.TIME),
        Column("sent", "Sent", Kind.TIME),
        Column("confirmed", "Confirmed", Kind.TIME),
        Column("processed", "Processed by REVER", Kind.TIME),
        Column("rule", "Rule"),
        Column("why", "Why"),
        Column("approved_by", "Approved by"),
        Column("approved", "Approved", Kind.TIME),
        *((Column("shopper", "Shopper"), Column("email", "E-mail")) if data.personal else ()),
    )
    return Table("payments", "Payments, one by one", PAYMENTS, columns, rows, n=len(rows), lists=True)


_STATES = {IntentState.DONE: "done", IntentState.DONE_BY_HAND: "by hand"}


def _payment_cells(data: ReportData, payment: Payment) -> tuple[Cell, ...]:
    effect = payment.effect
    window, parts = data.windows[effect.store], data.by_id.get(effect.process_id)
    shopper = (parts.row.name, parts.row.email) if parts else ("", "")
    return (
        effect.id,
        effect.process_id,
        effect.order,
        effect.store,
        effect.method,
        effect.currency,
        effect.amount,
        effect.gross,
        effect.shipping,
        payment.paid,
        payment.on_its_way,
        payment.not_shown,
        "already paid by REVER" if effect.adopted else _STATES[effect.state],
        window.local(effect.created_at),
        window.local(effect.sent_at),
        window.local(effect.closed_at),
        window.local(payment.refunded_at),
        effect.rule,
        effect.why,
        effect.approved_by,
        window.local(effect.approved_at),
        *(shopper if data.personal else ()),
    )
