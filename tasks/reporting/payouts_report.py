"""The report of a four-way comparison: for a terminal, as JSON, as rows of a CSV file and of Prefect's tables.

No shopper in any of it: a refund is named by its order and its ids.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta, tzinfo
from typing import Any, ClassVar

from tasks.files.payout_file import RefusedRow
from tasks.policy.clocks import clock_time
from tasks.policy.facts import counted
from tasks.policy.money import shown
from tasks.policy.payouts import AGREES, Fate, Found, Judged, JudgedRow, MatchKey, Outcome, Sums, sums_of
from tasks.reconcile_payouts import PayoutsFound
from tasks.reporting.daily_data import add_up
from tasks.reporting.report import RunReport

SHOWN = 25
"""Refunds and rows of one kind that a terminal lists; the files have all."""

REFUND_COLUMNS = (
    *("outcome", "missing_at", "store", "order", "process_id", "refund", "method", "currency", "ledger", "rever"),
    *("payout", "statement", "difference", "paid_at", "row_at", "days", "match", "reference", "file", "rows", "why"),
)
"""The columns of a refund. `difference` is what the files have less what was refunded, where they have it."""

ROW_COLUMNS = (
    *("file", "row", "source", "type", "kind", "order", "reference", "currency", "amount", "asked", "at", "fate"),
    "why",
)
"""The columns of a row of a file that no refund explains."""

CSV_COLUMNS = tuple(dict.fromkeys(("record", *REFUND_COLUMNS, *ROW_COLUMNS)))
"""The columns of the CSV file: `record` is `refund`, `row` (of a file, unexplained) or `refused` (not readable)."""

_ORDER = {each: place for place, each in enumerate((*[it for it in Outcome if it is not Outcome.SEEN], Outcome.SEEN))}


@dataclass
class PayoutsReport(RunReport):
    """The account of a run that compared payout files, REVER's statement, the ledger and REVER's refunds."""

    found: PayoutsFound | None = None

    thing: ClassVar[str] = "return"
    by_stores: ClassVar[bool] = False

    @property
    def sums(self) -> dict[str, Sums]:
        """The sums by currency."""
        return sums_of(self.found.found) if self.found else {}

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints. Amounts are decimal strings, times ISO 8601 in UTC."""
        if self.found is None:
            return super().as_json()
        return {
            **super().as_json(),
            "files": [file.how for file in self.found.files],
            "since": self.found.since.isoformat(timespec="seconds"),
            "until": self.found.until.isoformat(timespec="seconds"),
            "sums": {
                currency: {each.name: str(getattr(sums, each.name)) for each in fields(sums)}
                for currency, sums in self.sums.items()
            },
            "outcomes": {str(outcome): many for outcome, many in self._outcomes().items()},
            "refunds": [refund_cells(it) for it in self.judged()],
            "unexplained": [row_cells(it) for it in self.unexplained()],
            "refused": [{"file": it.file, "row": it.number, "why": it.why} for it in self._refused()],
            "months": self._months(),
        }

    def judged(self) -> list[Judged]:
        """The refunds, those that agree last."""
        refunds = self.found.found.refunds if self.found else ()
        return sorted(refunds, key=lambda it: (_ORDER[it.outcome], it.refund.store, it.refund.at, it.refund.id))

    def unexplained(self) -> list[JudgedRow]:
        """The rows of the files that are about refunds and that none explains."""
        return [it for it in self.found.found.rows if it.fate is Fate.UNEXPLAINED] if self.found else []

    def csv_rows(self) -> list[dict[str, str]]:
        """All of it as rows of one file: each refund, each row that none explains, each row that was refused."""
        rows = [{"record": "refund", **refund_cells(it)} for it in self.judged()]
        rows += [{"record": "row", **row_cells(it)} for it in self.unexplained()]
        rows += [{"record": "refused", "file": it.file, "row": str(it.number), "why": it.why} for it in self._refused()]
        return [{name: row.get(name, "") for name in CSV_COLUMNS} for row in rows]

    def fill_tables(self, most: int) -> None:
        """Fill the tables that Prefect shows, with so many rows at most."""
        differing = [it for it in self.judged() if it.outcome is not Outcome.SEEN]
        self.tables["files"] = [
            {"file": file.name, "read as": file.how.removeprefix(f"{file.name}: "), "rows": str(len(file.rows))}
            for file in (self.found.files if self.found else ())
        ]
        self.tables["refunds"] = [refund_cells(it) for it in differing][:most]
        self.tables["unexplained"] = [row_cells(it) for it in self.unexplained()][:most]
        self.tables["sums"] = [
            {"currency": currency, **{each.name: str(getattr(sums, each.name)) for each in fields(sums)}}
            for currency, sums in self.sums.items()
        ]
        if months := self._months():
            self.tables["statement"] = months

    def results(self) -> list[str]:
        """How the files were read, the sums, the counts, and what differs."""
        if self.found is None:
            return []
        lines = [f"  file:      {file.how}" for file in self.found.files]
        since, until = (clock_time(at, self.zone()) for at in (self.found.since, self.found.until))
        lines.append(f"  refunds:   paid from {since} to {until}, and earlier ones that the files have")
        for currency, sums in self.sums.items():
            lines += _sum_lines(currency, sums)
        lines += [f"  {it['period']}: {_month_words(it)}" for it in self._months()]
        lines += [f"  {many:>5} {outcome}: {self._amounts(outcome)}" for outcome, many in self._outcomes().items()]
        lines += [] if self._outcomes() else ["  no refund in the window"]
        differing = [it for it in self.judged() if it.outcome not in AGREES]
        lines += _few([f"  {_judged_words(it, self.zone(it.refund.store))}" for it in differing])
        unexplained = self.unexplained()
        if unexplained:
            lines.append(f"  {counted(len(unexplained), 'row')} about refunds that no refund here explains:")
            lines += _few([f"    {_row_words(it, self.zone())}" for it in unexplained])
        refused = list(self._refused())
        if refused:
            lines.append(f"  {counted(len(refused), 'row')} could not be read, and so {_is(refused)} in no sum:")
            lines += _few([f"    {it.file}, row {it.number}: {it.why}" for it in refused])
        probable = sum(bool(it.rows) and it.key is not MatchKey.REFERENCE for it in self.judged())
        if probable:
            lines.append(f"  {counted(probable, 'match', 'matches')} by order, date and amount: probable, not proven")
        return lines

    def result(self) -> str:
        """The counts, in one line."""
        told = ", ".join(f"{many} {outcome}" for outcome, many in self._outcomes().items())
        rows = len(self.unexplained())
        return f"{told or 'no refund'}; {counted(rows, 'row')} of the files unexplained"

    def _outcomes(self) -> dict[Outcome, int]:
        counts = Counter(it.outcome for it in self.judged())
        return {outcome: counts[outcome] for outcome in Outcome if counts[outcome]}

    def _amounts(self, outcome: Outcome) -> str:
        money = add_up((it.refund.currency, it.refund.amount) for it in self.judged() if it.outcome is outcome)
        return ", ".join(shown(amount, currency) for currency, amount in sorted(money.items()))

    def _refused(self) -> Iterator[RefusedRow]:
        for file in self.found.files if self.found else ():
            yield from file.refused

    def _months(self) -> list[dict[str, str]]:
        return [
            {
                "period": it.month.period,
                "currency": it.month.currency,
                "statement_count": str(it.month.count),
                "statement": str(it.month.amount),
                "ledger_count": str(it.count),
                "ledger": str(it.amount),
                "difference": str(it.month.amount - it.amount),
            }
            for it in (self.found.months if self.found else ())
        ]


def _days(judged: Judged) -> str:
    """How many days after the refund its first row is."""
    return f"{(judged.rows[0].at - judged.refund.at) / timedelta(days=1):.1f}" if judged.rows else ""


def _of(found: Found) -> str:
    return str(found.amount) if found.rows else ""


def refund_cells(it: Judged) -> dict[str, str]:
    """A refund as text."""
    refund, rows = it.refund, it.rows
    difference = "" if not rows else str(sum((row.amount for row in rows), -refund.amount))
    cells = {
        "outcome": str(it.outcome),
        "missing_at": ", ".join(it.missing_at),
        "store": refund.store,
        "order": refund.order,
        "process_id": refund.process_id,
        "refund": refund.id,
        "method": refund.method,
        "currency": refund.currency,
        "ledger": "" if refund.ledger is None else str(refund.ledger),
        "rever": "" if refund.rever is None else str(refund.rever),
        "payout": _of(it.payout),
        "statement": _of(it.statement),
        "difference": difference,
        "paid_at": refund.at.isoformat(timespec="seconds"),
        "row_at": rows[0].at.isoformat(timespec="seconds") if rows else "",
        "days": _days(it),
        "match": str(it.key),
        "reference": " ".join(dict.fromkeys(row.reference for row in rows if row.reference)),
        "file": ", ".join(dict.fromkeys(row.file for row in rows)),
        "rows": ", ".join(str(row.number) for row in rows),
        "why": it.why,
    }
    return {name: cells[name] for name in REFUND_COLUMNS}


def row_cells(it: JudgedRow) -> dict[str, str]:
    """A row of a file as text."""
    row = it.row
    return {
        "file": row.file,
        "row": str(row.number),
        "source": str(row.source),
        "type": row.type,
        "kind": str(row.kind),
        "order": row.order,
        "reference": row.reference,
        "currency": row.currency,
        "amount": str(row.amount),
        "asked": str(row.asked),
        "at": row.at.isoformat(timespec="seconds"),
        "fate": str(it.fate),
        "why": it.why,
    }


def _sum_lines(currency: str, sums: Sums) -> list[str]:
    parts = [
        *((sums.matched, "matched"), (sums.unexplained, "unexplained"), (sums.outside, "outside the window")),
        *((sums.repeated, "repeated"), (sums.other, "no refunds (charges, fees, payouts)")),
    ]
    signed = (f"{'-' if amount < 0 else '+'} {abs(amount):,} {words}" for amount, words in parts if amount)
    told = " ".join(signed).removeprefix("+ ") or "0"
    theirs = f", {sums.only_rever:,} of it not in the ledger" if sums.only_rever else ""
    off = sums.matched - sums.ledger_matched
    agree = (
        "what is matched agrees" if not off else f"of what is matched {abs(off):,} {'less' if off < 0 else 'more'} than"
    )
    return [
        f"  {currency} ledger: {sums.ledger:,} = {sums.ledger_matched:,} matched + {sums.ledger_unmatched:,} not in"
        f" the files; REVER shows {sums.rever:,}{theirs}",
        f"  {currency} files:  {sums.file:,} = {told}; {agree}{' the ledger has' if off else ''}",
    ]


def _month_words(it: dict[str, str]) -> str:
    return (
        f"the statement has {it['statement']} {it['currency']} in {it['statement_count']}, the ledger"
        f" {it['ledger']} in {it['ledger_count']}: difference {it['difference']}"
    )


def _judged_words(it: Judged, zone: tzinfo) -> str:
    refund = it.refund
    where = f" at {', '.join(it.missing_at)}" if it.missing_at else ""
    said = f"{it.outcome}{where}: order {refund.order} ({refund.process_id}), {shown(refund.amount, refund.currency)}"
    said += f" by {refund.method}, {clock_time(refund.at, zone)}"
    places: dict[str, list[str]] = {}
    for row in it.rows:
        places.setdefault(row.file, []).append(str(row.number))
    rows = ", ".join(f"{file} row {', '.join(numbers)}" for file, numbers in places.items())
    return "; ".join(filter(None, [said, rows, it.why]))


def _row_words(it: JudgedRow, zone: tzinfo) -> str:
    row = it.row
    order = f"order {row.order}, " if row.order else ""
    what = f"{row.type}, " if row.type else ""
    amount = shown(row.asked, row.currency)
    return f"{row.file} row {row.number}: {what}{order}{amount}, {clock_time(row.at, zone)}: {it.why}"


def _is(rows: Sequence[object]) -> str:
    return "is" if len(rows) == 1 else "are"


def _few(lines: Sequence[str]) -> list[str]:
    more = len(lines) - SHOWN
    return [*lines[:SHOWN], *([f"    and {more:,} more; --csv FILE has all"] if more > 0 else [])]
