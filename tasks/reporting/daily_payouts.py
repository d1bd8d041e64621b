"""The report's tables of payouts: what payout files and REVER's statement have of the refunds. Pure.

They are what `reconcile-payouts` finds for the report's window, told in the report's own form.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import fields

from tasks.policy.facts import counted
from tasks.policy.money import ZERO
from tasks.policy.payouts import AGREES, Fate, Judged, MatchKey, Outcome, Sums, sums_of
from tasks.reconcile_payouts import PayoutsFound
from tasks.reporting.daily_data import ReportData
from tasks.reporting.tables import CURRENCY, ORDER, RETURN, STORE, Basis, Cell, Column, Figure, Kind, Table

PAYOUTS = Figure(
    "payouts",
    "Payouts",
    "each refund has one outcome in the ledger, at REVER, in the payout files and in REVER's statement "
    "(docs/payouts.md). Refunded = its amount; in the files = what its rows come to, less what came back; difference = "
    "in the files less refunded, of those that have a row. Sure = matched by a reference; probable = by order, amount "
    "and date, which is not proven",
    Basis.SENT,
    "refunds that no file is expected to have, from the difference; files that were not named. Nothing is corrected or "
    "held by it",
    "refunds",
)
PAYOUT_SUMS = Figure(
    "payout_sums",
    "Payouts, the books",
    "ledger = matched + not in the files; files = matched + unexplained + outside the window + repeated + no refunds "
    "(charges, fees, payouts), over all rows that could be read; only at REVER = what it shows and the ledger does not "
    "have as done",
    Basis.SENT,
    "rows that could not be read",
    "rows of the files",
)
FIGURES = (PAYOUTS, PAYOUT_SUMS)

NO_FILE = "no payout file was read for this window"

_ORDER = (
    *(Outcome.TWICE, Outcome.FAILED, Outcome.REVERSED, Outcome.OTHER_AMOUNT, Outcome.PARTLY, Outcome.MISSING),
    *(Outcome.LATE, Outcome.NOT_EXPECTED, Outcome.SEEN),
)
"""What is to be looked into first; what agrees comes last."""


def payout_tables(data: ReportData) -> Iterator[Table]:
    """All tables of payouts; where no file was read, the one that says so."""
    found = data.payouts
    yield _outcomes(found)
    if found is None:
        return
    yield _sums(found)
    if found.months:
        yield _months(found)
    yield _refunds(data, found, "payout_differing", "Payouts to be looked into", lists=False)
    yield _refunds(data, found, "payout_refunds", "Payouts, refund by refund", lists=True)
    yield _rows(found)


def _outcomes(found: PayoutsFound | None) -> Table:
    """Refunds by store, outcome and currency; those to be looked into first."""
    alike: dict[tuple[str, Outcome, str], list[Judged]] = defaultdict(list)
    for it in found.found.refunds if found else ():
        alike[it.refund.store, it.outcome, it.refund.currency].append(it)
    rows: list[tuple[Cell, ...]] = []
    for store, outcome, currency in sorted(alike, key=lambda key: (key[0], _ORDER.index(key[1]), key[2])):
        mine = alike[store, outcome, currency]
        with_rows = [it for it in mine if it.rows]
        probable = [it for it in with_rows if it.key is not MatchKey.REFERENCE]
        in_files = sum((row.amount for it in with_rows for row in it.rows), ZERO)
        refunded = sum((it.refund.amount for it in mine), ZERO)
        rows.append(
            (
                *(store, str(outcome), currency, len(mine), refunded),
                sum((it.refund.rever or ZERO for it in mine), ZERO),
                in_files,
                in_files - sum((it.refund.amount for it in with_rows), ZERO) if with_rows else None,
                *(len(with_rows) - len(probable), len(probable)),
                sum((row.amount for it in probable for row in it.rows), ZERO),
            )
        )
    columns = (
        STORE,
        Column("outcome", "Outcome"),
        CURRENCY,
        Column("refunds", "Refunds", Kind.COUNT),
        Column("refunded", "Refunded", Kind.MONEY),
        Column("rever", "REVER shows", Kind.MONEY),
        Column("in_files", "In the files", Kind.MONEY),
        Column("difference", "Difference", Kind.MONEY),
        Column("sure", "Sure", Kind.COUNT),
        Column("probable", "Probable", Kind.COUNT),
        Column("probable_amount", "Of the files, probable", Kind.MONEY),
    )
    return Table(
        "payouts",
        "Payouts",
        PAYOUTS,
        columns,
        tuple(rows),
        n=len(found.found.refunds) if found else 0,
        why_empty="no refund in this window" if found else f"{NO_FILE} (--payouts FILE: docs/payouts.md)",
        notes=tuple(_told_of_files(found)) if found else (),
    )


def _told_of_files(found: PayoutsFound) -> Iterator[str]:
    """Which files were read, and what of them is in no row here."""
    yield f"read: {', '.join(file.name for file in found.files)}"
    refused = sum(len(file.refused) for file in found.files)
    unexplained = sum(it.fate is Fate.UNEXPLAINED for it in found.found.rows)
    if unexplained:
        yield f"{counted(unexplained, 'row')} about refunds that no refund here explains"
    if refused:
        yield f"{counted(refused, 'row')} could not be read"


_FOR_FILES = frozenset({"refund", "method", "ledger", "rever", "in_file", "reference", "file", "rows"})
"""Columns of a refund that a page has no room for."""

_BOOKS = {
    "ledger": "Ledger",
    "ledger_matched": "Ledger, matched",
    "ledger_unmatched": "Ledger, not in the files",
    "rever": "REVER shows",
    "only_rever": "Only at REVER",
    "file": "Files",
    "matched": "Files, matched",
    "unexplained": "Files, unexplained",
    "outside": "Outside the window",
    "repeated": "Repeated",
    "other": "No refunds",
}


def _sums(found: PayoutsFound) -> Table:
    names = [each.name for each in fields(Sums)]
    rows = tuple(
        (currency, *(getattr(sums, name) for name in names)) for currency, sums in sums_of(found.found).items()
    )
    columns = (CURRENCY, *(Column(name, _BOOKS[name], Kind.MONEY) for name in names))
    return Table("payout_sums", "Payouts, the books", PAYOUT_SUMS, columns, rows, n=len(found.found.rows))


def _months(found: PayoutsFound) -> Table:
    rows = tuple(
        (
            *(it.month.period, it.month.currency, it.month.count, it.month.amount, it.count, it.amount),
            it.month.amount - it.amount,
        )
        for it in found.months
    )
    columns = (
        Column("period", "Month"),
        CURRENCY,
        Column("statement_count", "Refunds, statement", Kind.COUNT),
        Column("statement", "Statement", Kind.MONEY),
        Column("ledger_count", "Refunds, ledger", Kind.COUNT),
        Column("ledger", "Ledger", Kind.MONEY),
        Column("difference", "Difference", Kind.MONEY),
    )
    return Table("payout_months", "REVER's statement by month", PAYOUT_SUMS, columns, rows, n=len(rows))


def _refunds(data: ReportData, found: PayoutsFound, name: str, title: str, *, lists: bool) -> Table:
    """The refunds one by one: all of them for the files, those to be looked into for pages."""
    judged = [it for it in found.found.refunds if lists or it.outcome not in AGREES]
    judged.sort(key=lambda it: (_ORDER.index(it.outcome), it.refund.store, it.refund.at, it.refund.id))
    columns = (
        Column("outcome", "Outcome"),
        Column("missing_at", "Missing at"),
        RETURN,
        ORDER,
        STORE,
        Column("refund", "Refund", Kind.ID),
        Column("method", "Method"),
        CURRENCY,
        Column("refunded", "Refunded", Kind.MONEY),
        Column("ledger", "Ledger", Kind.MONEY),
        Column("rever", "REVER", Kind.MONEY),
        Column("payout", "Payout files", Kind.MONEY),
        Column("statement", "Statement", Kind.MONEY),
        Column("paid", "Sent", Kind.TIME),
        Column("in_file", "In the file", Kind.TIME),
        Column("match", "Matched by"),
        Column("reference", "Reference", Kind.ID),
        Column("file", "File"),
        Column("rows", "Rows", Kind.ID),
        Column("why", "Why"),
    )
    short = [it for it in columns if lists or it.name not in _FOR_FILES]
    places = [columns.index(it) for it in short]
    cells = (_cells(data, it) for it in judged)
    rows = tuple(tuple(row[place] for place in places) for row in cells)
    words = "each refund agrees, as far as the files go"
    return Table(name, title, PAYOUTS, tuple(short), rows, n=len(rows), lists=lists, why_empty=words)


def _cells(data: ReportData, it: Judged) -> tuple[Cell, ...]:
    refund, rows, window = it.refund, it.rows, data.windows[it.refund.store]
    return (
        str(it.outcome),
        ", ".join(it.missing_at),
        refund.process_id,
        refund.order,
        refund.store,
        refund.id,
        refund.method,
        refund.currency,
        refund.amount,
        refund.ledger,
        refund.rever,
        it.payout.amount if it.payout.rows else None,
        it.statement.amount if it.statement.rows else None,
        window.local(refund.at),
        window.local(rows[0].at) if rows else None,
        str(it.key),
        " ".join(dict.fromkeys(row.reference for row in rows if row.reference)),
        ", ".join(dict.fromkeys(row.file for row in rows)),
        ", ".join(str(row.number) for row in rows),
        it.why,
    )


def _rows(found: PayoutsFound) -> Table:
    """The rows of the files that are about refunds and that no refund explains, and those that could not be read."""
    rows: list[tuple[Cell, ...]] = [
        (
            *(row.file, row.number, str(row.source), row.type, row.order, row.reference, row.currency),
            *(row.amount, row.asked, row.at, it.why),
        )
        for it in found.found.rows
        if it.fate is Fate.UNEXPLAINED
        for row in (it.row,)
    ]
    rows += [
        (it.file, it.number, str(file.source), "", "", "", "", None, None, None, f"could not be read: {it.why}")
        for file in found.files
        for it in file.refused
    ]
    columns = (
        Column("file", "File"),
        Column("row", "Row", Kind.COUNT),
        Column("source", "Source"),
        Column("type", "Type"),
        ORDER,
        Column("reference", "Reference", Kind.ID),
        CURRENCY,
        Column("amount", "Amount", Kind.MONEY),
        Column("asked", "About", Kind.MONEY),
        Column("at", "Time, UTC", Kind.TIME),
        Column("why", "Why"),
    )
    words = "each row about a refund is explained"
    return Table(
        "payout_rows",
        "Rows that none explains",
        PAYOUT_SUMS,
        columns,
        tuple(rows),
        n=len(rows),
        lists=True,
        why_empty=words,
    )


def outcome_counts(table: Table) -> dict[str, int]:
    """How many refunds have each outcome, those that agree last."""
    counts: Counter[str] = Counter()
    for row in table.records():
        many = row["refunds"]
        counts[str(row["outcome"])] += many if isinstance(many, int) else 0
    return {str(outcome): counts[str(outcome)] for outcome in _ORDER if counts[str(outcome)]}
