"""The daily report: tables of what was paid, what waits and how long it took, and what cannot be worked out.

Also the account of the run that made it: for a terminal, as JSON, and as a page in Prefect's UI. No shopper is in it,
unless the files were asked for with shoppers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, ClassVar

from tasks.policy.clocks import clock_time
from tasks.policy.facts import counted
from tasks.reporting.daily_data import ReportData
from tasks.reporting.daily_money import FIGURES as MONEY_FIGURES
from tasks.reporting.daily_money import money_tables
from tasks.reporting.daily_payouts import FIGURES as PAYOUT_FIGURES
from tasks.reporting.daily_payouts import NO_FILE, outcome_counts, payout_tables
from tasks.reporting.daily_returns import FIGURES as RETURN_FIGURES
from tasks.reporting.daily_returns import return_tables
from tasks.reporting.daily_times import FIGURES as TIME_FIGURES
from tasks.reporting.daily_times import time_tables
from tasks.reporting.daily_waiting import FIGURES as WAITING_FIGURES
from tasks.reporting.daily_waiting import waiting_tables
from tasks.reporting.printable import markdown, plain_words
from tasks.reporting.report import RunReport
from tasks.reporting.report_page import linked
from tasks.reporting.tables import Cell, Column, Figure, Kind, Table, exact, readable

FIGURES = (*MONEY_FIGURES, *PAYOUT_FIGURES, *RETURN_FIGURES, *WAITING_FIGURES, *TIME_FIGURES)
"""Every figure of the report."""

MOST_ROWS = 30
"""Rows of a table that a page shows; the files have all."""

TABLES = (
    "money",
    "converted",
    "reconciled",
    "payouts",
    "payout_sums",
    "payout_months",
    "fourteen_days",
    "returns",
    "waiting",
    "causes",
    "holds",
    "days",
    "methods",
    "reasons",
    "products",
    "countries",
    "why",
    "retained",
    "exchanges",
    "labels",
    "label_costs",
    "rules",
    "return_days",
    "times",
    "inspections",
    "top_reasons",
    "top_products",
    "rates",
    "differing",
    "payout_differing",
    "late",
    "payments",
    "payout_refunds",
    "payout_rows",
    "open_returns",
)
"""All tables in the order in which they are read: sums first, then single returns, then the long lists for files."""

SHOWN_IN_TERMINAL = ("money", "returns", "waiting", "fourteen_days", "reconciled", "payouts", "rates")
"""Tables that a terminal shows; the files and the page have all."""


@dataclass(frozen=True)
class DailyReport:
    """The report. `windows` are the stores' windows in words, `tables` in the order in which they are read; `zone` is
    that of all its stores, UTC where they are in several.
    """

    made_at: datetime
    windows: Mapping[str, str]
    tables: tuple[Table, ...]
    not_computable: tuple[str, ...]
    unread: Mapping[str, str] = field(default_factory=dict)
    personal: bool = False
    zone: tzinfo = UTC

    @classmethod
    def of(cls, data: ReportData) -> "DailyReport":
        """Work the report out."""
        parts = (money_tables, payout_tables, return_tables, waiting_tables, time_tables)
        tables = (table for part in parts for table in part(data))
        zones = {window.zone for window in data.windows.values()}
        return cls(
            made_at=data.now,
            windows={store: window.words for store, window in data.windows.items()},
            tables=tuple(sorted(tables, key=lambda table: TABLES.index(table.name))),
            not_computable=tuple(_not_computable(data)),
            unread=dict(data.unread),
            personal=data.personal,
            zone=zones.pop() if len(zones) == 1 else UTC,
        )

    @property
    def made(self) -> str:
        """When it was made, by the clock of its stores."""
        return clock_time(self.made_at, self.zone)

    @property
    def title(self) -> str:
        """What the report is about, in words."""
        spans = set(self.windows.values())
        when = spans.pop() if len(spans) == 1 else "each store's own days"
        return f"Returns and refunds, {when}"

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The figures of its tables, each once."""
        return tuple(dict.fromkeys(table.figure for table in self.tables))

    def totals(self) -> list[str]:
        """What says most, in a few lines for a message: money, what waits, what is late, what differs from REVER."""
        said = []
        for row in self.table("money").records():
            shown = {name: readable(row[name], Kind.MONEY, str(row["currency"])) for name in ("refunded", "on_its_way")}
            refunds = f"{shown['refunded']} {row['currency']} refunded in {counted(_count(row['refunds']), 'refund')}"
            said.append(f"{row['store']}: {refunds}, of it {shown['on_its_way']} on its way")
        late = {row["store"]: row for row in self.table("fourteen_days").records()}
        for row in self.table("returns").records():
            store = row["store"]
            said.append(
                f"{store}: {counted(_count(row['started']), 'return')} started, {row['waits']} wait, "
                f"{counted(_count(row['open_holds']), 'open hold')}, {late[store]['late']} late by the EU's 14 days, "
                f"{late[store]['warned']} nearly"
            )
        if outcomes := outcome_counts(self.table("payouts")):
            said.append(f"payouts: {', '.join(f'{many:,} {outcome}' for outcome, many in outcomes.items())}")
        differ = self.table("differing").n
        return [*said, f"{counted(differ, 'return')} {'differs' if differ == 1 else 'differ'} from REVER"]

    def table(self, name: str) -> Table:
        """The table of this name. Raises `KeyError`."""
        return {table.name: table for table in self.tables}[name]


def _not_computable(data: ReportData) -> Iterator[str]:
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
    if data.payouts is None:
        yield f"whether the refunds were paid out: not computable, {NO_FILE} (give one: --payouts)"
    if data.promise_days is None:
        yield "how many were paid within the store's promise: not computable, no promise is named (--promise DAYS)"
    if any(limits.cost is not None for carriers in data.carriers.values() for limits in carriers.values()):
        yield "cost of a return: not computable, what a warehouse and its people cost is told nowhere"
    else:
        words = "REVER tells no prices of labels, and the policy file (labels) tells none"
        yield f"cost of a return, and what labels cost: not computable, {words}"
    yield "what shoppers paid on top in exchanges: not computable, REVER does not tell"
    if data.unread:
        words = "could not be read: the money is in all sums, the reasons are not known"
        yield f"{counted(len(data.unread), 'return')} {words}"


def _count(cell: Cell) -> int:
    return cell if isinstance(cell, int) else 0


def counted_by(table: Table) -> str:
    """What stands below a table: its number of cases, and what decides what is in it."""
    return f"n = {table.n:,} {table.figure.n}, {table.figure.basis.words}"


@dataclass
class DailyRun(RunReport):
    """The account of a run that made the daily report, and the report."""

    found: DailyReport | None = None

    thing: ClassVar[str] = "return"
    by_stores: ClassVar[bool] = False

    @property
    def page(self) -> str:
        """The report as markdown, for Prefect's UI."""
        return "\n".join(_page(self.found, self.back_office)) + "\n" if self.found else ""

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints. Amounts are decimal strings, times ISO 8601 in UTC, shares of 1."""
        return {**super().as_json(), **(report_json(self.found) if self.found else {})}

    def results(self) -> list[str]:
        """The tables that say most."""
        return list(_lines(self.found)) if self.found else []

    def result(self) -> str:
        """What went out, in one line."""
        if self.found is None:
            return self.counted
        sums = self.found.table("money")
        said = [
            f"{row['store']}: {readable(row['refunded'], Kind.MONEY, str(row['currency']))} {row['currency']} refunded"
            for row in sums.records()
        ]
        late = sum(row["late"] for row in self.found.table("fourteen_days").records() if isinstance(row["late"], int))
        said += [f"{late} late by the EU's 14 days"] if late else []
        return f"{self.found.title}: {'; '.join(said) or 'nothing refunded'}"


def report_json(report: DailyReport) -> dict[str, Any]:
    """The report as JSON has it."""
    return {
        "made_at": exact(report.made_at),
        "windows": dict(report.windows),
        "with_shoppers": report.personal,
        "tables": [
            {
                "name": table.name,
                "title": table.title,
                "figure": table.figure.name,
                "n": table.n,
                "rows": [
                    {name: cell if isinstance(cell, int) else exact(cell) or None for name, cell in row.items()}
                    for row in table.records()
                ],
                "notes": list(table.notes),
            }
            for table in report.tables
        ],
        "figures": {
            figure.name: {
                "title": figure.title,
                "formula": figure.formula,
                "date_basis": str(figure.basis),
                "left_out": figure.left_out,
                "n_counts": figure.n,
            }
            for figure in report.figures
        },
        "not_computable": list(report.not_computable),
        "unread": dict(report.unread),
    }


def cell_text(table: Table, row: tuple[Any, ...], place: int) -> str:
    """A cell for people: REVER's words in plain spelling."""
    column = table.columns[place]
    text = readable(row[place], column.kind, table.currency(row))
    return plain_words(text) if column.kind is Kind.TEXT else text


def _lines(report: DailyReport) -> Iterator[str]:
    yield f"  {report.title}"
    for name in SHOWN_IN_TERMINAL:
        table = next((each for each in report.tables if each.name == name), None)
        if table is None:
            continue
        yield ""
        yield f"  {table.title}"
        yield from _columns(table)
        yield f"    {counted_by(table)}"
        yield from (f"    {note}" for note in table.notes)
    yield ""
    yield from (f"  {words}" for words in report.not_computable)


def _columns(table: Table) -> Iterator[str]:
    """The rows in columns for a terminal; columns that hold nothing are left out."""
    if not table.rows:
        yield f"    {table.why_empty}"
        return
    shown = table.page_columns()
    heads = [table.columns[place].title for place in shown]
    cells = [[cell_text(table, row, place) for place in shown] for row in table.rows]
    wide = [max(len(head), *(len(row[n]) for row in cells)) for n, head in enumerate(heads)]
    right = [table.columns[place].kind.is_number for place in shown]
    for row in [heads, *cells]:
        line = "  ".join(
            each.rjust(width) if number else each.ljust(width)
            for each, width, number in zip(row, wide, right, strict=True)
        )
        yield f"    {line.rstrip()}"


def _page(report: DailyReport, back_office: str) -> Iterator[str]:
    yield f"### {markdown(report.title)}\n"
    for store, words in report.windows.items():
        yield f"- **{markdown(store)}**: {markdown(words)}"
    yield f"- made {report.made}; what waits is as of then"
    yield "\n#### In short\n"
    yield from (f"- {markdown(plain_words(words))}" for words in report.totals())
    for table in report.tables:
        if table.lists:
            continue
        yield f"\n#### {table.title}\n"
        yield from _markdown_table(table, back_office)
        yield f"\n*{markdown('; '.join((counted_by(table), *table.notes)))}*"
    yield "\n#### What cannot be worked out\n"
    yield from (f"- {markdown(words)}" for words in report.not_computable)
    yield "\n#### How the figures are worked out\n"
    for figure in report.figures:
        yield f"- **{markdown(figure.title)}** ({markdown(figure.basis.words)}): {markdown(figure.formula)}."
        yield f"  Left out: {markdown(figure.left_out)}."


def _markdown_table(table: Table, back_office: str) -> Iterator[str]:
    """A table whose cells are short, so that it wraps; columns that hold nothing are left out."""
    if not table.rows:
        yield f"{table.why_empty}"
        return
    shown = table.page_columns()
    heads = [table.columns[place] for place in shown]
    yield f"| {' | '.join(markdown(head.title) for head in heads)} |"
    yield f"| {' | '.join('---:' if head.kind.is_number else '---' for head in heads)} |"
    rows = table.page_rows()
    for row in rows[:MOST_ROWS]:
        cells = [_markdown_cell(table, row, place, table.columns[place], back_office) for place in shown]
        yield f"| {' | '.join(cells)} |"
    if len(rows) > MOST_ROWS:
        yield f"\nand {len(rows) - MOST_ROWS:,} more rows; the files have all"


def _markdown_cell(table: Table, row: tuple[Any, ...], place: int, column: Column, back_office: str) -> str:
    text = cell_text(table, row, place)
    if column.kind is Kind.RETURN:
        return linked(text, back_office)
    return markdown(text)
