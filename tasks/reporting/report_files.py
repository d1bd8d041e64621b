"""The daily report as files: a CSV file of each table, a workbook, and one HTML page. Only their owner may read them.

What stands in them never becomes a formula or a link of a spreadsheet's making: a text that begins like one stays text.
"""

import os
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from textwrap import wrap
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from tasks.desk import WrongNameError
from tasks.policy.money import minor_unit
from tasks.reporting.charts import STYLE, Bars, bars_of, chart_svg
from tasks.reporting.csv_file import in_place_of, write_csv, write_whole
from tasks.reporting.daily_report import DailyReport, cell_text, counted_by
from tasks.reporting.printable import plain_words, printable
from tasks.reporting.report_page import return_url
from tasks.reporting.tables import Cell, Column, Kind, Table, exact, in_decimals

NAMES_SHOPPERS = (
    "This report names shoppers: it was asked for with them. Keep it where only those may read it who need to."
)

LARGEST_PAGE = 300_000
"""Bytes that the HTML page stays below, so that a mail takes it."""

SIZES = ((40, 4), (25, 2), (12, 1), (6, 0))
"""Rows and charts of a table on the page: the first that fit. The CSV and Excel files have all."""


def check_folder(folder: Path) -> None:
    """Refuse, before anything is done, a folder that cannot be made or has something in it. Raises `WrongNameError`."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()) or not os.access(folder, os.W_OK):
            raise WrongNameError(f"{folder} is not empty, or cannot be written: name a new folder")
    except OSError as error:
        raise WrongNameError(f"{folder}: no folder can be made there ({error.strerror})") from None


def write_csv_files(folder: Path, report: DailyReport) -> int:
    """Write a file of each table, and `figures.csv` that says how each is worked out. Returns how many files.

    Amounts are exact decimals, times ISO 8601 in UTC, shares are of 1. Raises `DeskError`.
    """
    for table in report.tables:
        names = [column.name for column in table.columns]
        write_csv(
            folder / f"{table.name}.csv",
            names,
            (_exact_cells(table, row) for row in table.rows),
        )
    columns = ("table", "title", "n", "n_counts", "date_basis", "formula", "left_out", "notes")
    write_csv(folder / "figures.csv", columns, _figure_rows(report))
    return len(report.tables) + 1


def _exact_cells(table: Table, row: tuple[Cell, ...]) -> dict[str, str]:
    """A row of a CSV file; amounts have the decimals of their currency, and more where they have more."""
    currency = table.currency(row)
    return {
        column.name: exact(
            in_decimals(cell, currency) if column.kind is Kind.MONEY and isinstance(cell, Decimal) else cell
        )
        for column, cell in zip(table.columns, row, strict=True)
    }


def _figure_rows(report: DailyReport) -> Iterator[dict[str, str]]:
    empty = dict.fromkeys(("n", "n_counts", "date_basis", "formula", "left_out"), "")
    for store, words in report.windows.items():
        yield {**empty, "table": "", "title": f"window of {store}", "notes": words}
    if report.personal:
        yield {**empty, "table": "", "title": "with shoppers", "notes": NAMES_SHOPPERS}
    for table in report.tables:
        figure = table.figure
        yield {
            "table": table.name,
            "title": table.title,
            "n": str(table.n),
            "n_counts": figure.n,
            "date_basis": f"{figure.basis}: {figure.basis.words}",
            "formula": figure.formula,
            "left_out": figure.left_out,
            "notes": "; ".join(table.notes),
        }
    for words in report.not_computable:
        yield {**empty, "table": "", "title": "not computable", "notes": words}


def write_workbook(path: Path, report: DailyReport) -> None:
    """Write the workbook: what is in it, a sheet for each table with a chart of it, and how the figures are worked out.

    Days and times are real dates, in the store's own time; ids are text; money has its currency's format. An amount
    that a spreadsheet cannot hold exactly (more than 15 digits) is text. Raises `DeskError`.
    """
    from xlsxwriter import Workbook  # noqa: PLC0415 - few runs write one

    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "nan_inf_to_errors": False,
    }
    with in_place_of(path) as part:
        book = Workbook(str(part), options)
        book.set_properties(
            {"title": report.title, "comments": NAMES_SHOPPERS if report.personal else "No shopper in it."}
        )
        book.set_calc_mode("manual")
        look = _Look(book)
        _overview(book, look, report)
        for table in report.tables:
            _sheet(book, look, report, table)
        book.close()


_RIGHT, _LEFT = {"align": "right", "indent": 1}, {"align": "left", "indent": 1}


class _Look:
    """The formats of a workbook, each made once."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._made: dict[str, Any] = {}
        self.title = book.add_format({"bold": True, "font_size": 14})
        head = {"bold": True, "bg_color": "#E8EDF3", "bottom": 1, "text_wrap": True, "valign": "top"}
        self.head = book.add_format({**head, **_LEFT})
        self.text = book.add_format({**_LEFT, "valign": "top"})
        self.long_text = book.add_format({**_LEFT, "valign": "top", "text_wrap": True})
        self.number_head = book.add_format({**head, **_RIGHT})
        aside = {"font_color": "#555555", "italic": True}
        self.aside = book.add_format(aside)
        self.note = book.add_format({**aside, "text_wrap": True, "valign": "top"})
        self.wrap = book.add_format({**_LEFT, "text_wrap": True, "valign": "top"})
        self.plain = book.add_format({"valign": "top"})
        self.warn = book.add_format({"bold": True, "font_color": "#9C0006"})

    def of(self, number: str) -> Any:
        """A format of numbers, which stand to the right, or of dates."""
        if number not in self._made:
            side = _LEFT if number.startswith("yyyy") else _RIGHT
            self._made[number] = self._book.add_format({"num_format": number, "valign": "top", **side})
        return self._made[number]


_OVERVIEW = (30, 9, 40, 64, 54)
"""The widths of the overview's columns, in characters: what a page across takes."""


def _overview(book: Any, look: _Look, report: DailyReport) -> None:
    sheet = book.add_worksheet("Overview")
    for place, wide in enumerate(_OVERVIEW):
        sheet.set_column(place, place, wide)
    sheet.hide_gridlines(2)
    _as_printed(sheet, report)
    sheet.write_string(0, 0, report.title, look.title)
    row = 1
    for store, words in report.windows.items():
        sheet.write_string(row, 0, printable(f"{store}: {words}"))
        row += 1
    sheet.write_string(row, 0, f"made {report.made}; what waits is as of then", look.aside)
    row += 1
    if report.personal:
        sheet.write_string(row, 0, NAMES_SHOPPERS, look.warn)
        row += 1
    for words in report.totals():
        row += 1
        sheet.write_string(row, 0, printable(plain_words(words)))
    row += 2
    for place, head in enumerate(("Sheet", "n", "Counted by", "How it is worked out", "Left out")):
        sheet.write_string(row, place, head, look.head)
    for table in report.tables:
        row += 1
        figure = table.figure
        told = (table.title, "", f"{figure.n}; {figure.basis.words}", figure.formula, figure.left_out)
        sheet.set_row(row, _LINE * max(_lines(text, wide) for text, wide in zip(told, _OVERVIEW, strict=True)))
        for place, text in enumerate(told):
            sheet.write_string(row, place, text, look.wrap)
        sheet.write_number(row, 1, table.n, look.plain)
    row += 2
    sheet.write_string(row, 0, "What cannot be worked out", look.title)
    for words in report.not_computable:
        row += 1
        sheet.write_string(row, 0, printable(words))


_LINE = 15
"""The height of a line. Programs other than Excel do not fit a row to its text by themselves."""


def _lines(text: str, wide: int) -> int:
    """The lines that a text takes in a column that is so many characters wide."""
    return max(1, len(wrap(text, max(4, wide - 2))))


def _as_printed(sheet: Any, report: DailyReport) -> None:
    """A page across, as many as it takes down; the sheet's name and the report's stand on each."""
    sheet.set_landscape()
    sheet.set_paper(_A4)
    sheet.fit_to_pages(1, 0)
    sheet.set_margins(left=0.5, right=0.5, top=0.8, bottom=0.7)
    sheet.set_header(f"&L&14&A&R{report.title.replace('&', '&&')}")
    sheet.set_footer("&R&P of &N")


_A4 = 9


_HEAD_ROW = 1
_WIDTHS = {
    Kind.ID: 16,
    Kind.RETURN: 34,
    Kind.COUNT: 11,
    Kind.MONEY: 14,
    Kind.RATE: 14,
    Kind.SHARE: 10,
    Kind.DAYS: 10,
    Kind.DAY: 12,
    Kind.TIME: 17,
}


def _sheet(book: Any, look: _Look, report: DailyReport, table: Table) -> None:
    sheet = book.add_worksheet(table.title[:31].replace(":", ""))
    widths = [_width(table, place) for place in range(len(table.columns))]
    for place, wide in enumerate(widths):
        sheet.set_column(place, place, wide)
    sheet.freeze_panes(_HEAD_ROW + 1, 0)
    _as_printed(sheet, report)
    sheet.repeat_rows(_HEAD_ROW)
    sheet.print_area(0, 0, _HEAD_ROW + max(1, len(table.rows)), len(table.columns) - 1)
    note = "; ".join((counted_by(table), *table.notes))
    sheet.set_row(0, _LINE * _lines(note, sum(widths)))
    sheet.merge_range(0, 0, 0, len(table.columns) - 1, "", look.note)
    sheet.write_string(0, 0, note, look.note)
    heads = zip(table.columns, widths, strict=True)
    sheet.set_row(_HEAD_ROW, _LINE * max(2, *(_lines(column.title, wide) for column, wide in heads)))
    for place, column in enumerate(table.columns):
        sheet.write_string(_HEAD_ROW, place, column.title, look.number_head if column.kind.is_number else look.head)
    sentences = table.sentences
    for number, row in enumerate(table.rows, start=_HEAD_ROW + 1):
        longest = max((_lines(str(row[place]), widths[place]) for place in sentences), default=1)
        if longest > 1:
            sheet.set_row(number, _LINE * longest)
        for place, cell in enumerate(row):
            text = look.long_text if place in sentences else look.text
            _write(sheet, look, (number, place), cell, table.columns[place], table.currency(row), text)
    if not table.rows:
        sheet.write_string(_HEAD_ROW + 1, 0, table.why_empty, look.note)
    else:
        sheet.autofilter(_HEAD_ROW, 0, _HEAD_ROW + len(table.rows), len(table.columns) - 1)
    for number, bars in enumerate(bars_of(table)):
        _chart(book, sheet, table, bars, number)


def _width(table: Table, place: int) -> int:
    kind = table.columns[place].kind
    return _WIDTHS.get(kind) or _text_width(table, place)


def _text_width(table: Table, place: int) -> int:
    longest = max((len(str(row[place] or "")) for row in table.rows[:200]), default=0)
    return max(10, min(60 if place in table.sentences else 40, longest + 3))


def _write(
    sheet: Any, look: _Look, at: tuple[int, int], cell: Cell, column: Column, currency: str, text_format: Any
) -> None:
    match cell:
        case None | "":
            return
        case bool() | str():
            text = printable(str(cell))
            sheet.write_string(*at, plain_words(text) if column.kind is Kind.TEXT else text, text_format)
        case int():
            sheet.write_number(*at, cell, look.of("#,##0"))
        case Decimal() if Decimal(repr(float(cell))) != cell and column.kind in {Kind.MONEY, Kind.RATE}:
            sheet.write_string(*at, exact(cell))
        case Decimal():
            sheet.write_number(*at, float(cell), look.of(_number_format(column.kind, currency)))
        case _ if column.kind is Kind.DAY:
            sheet.write_datetime(*at, cell, look.of("yyyy-mm-dd"))
        case _:
            sheet.write_datetime(*at, cell.replace(tzinfo=None), look.of("yyyy-mm-dd hh:mm"))  # type: ignore[call-arg]


def _number_format(kind: Kind, currency: str) -> str:
    if kind is Kind.MONEY:
        digits = minor_unit(currency)
        return f"#,##0.{'0' * digits}" if digits else "#,##0"
    return {Kind.SHARE: "0.0%", Kind.DAYS: "0.0"}.get(kind, "0.00####")


def _chart(book: Any, sheet: Any, table: Table, bars: Bars, number: int) -> None:
    first, last = _HEAD_ROW + 1 + bars.first, _HEAD_ROW + bars.first + len(bars.labels)
    label, value = table.place(table.label), table.place(table.chart)
    chart = book.add_chart({"type": "column" if bars.days else "bar"})
    chart.add_series(
        {
            "name": bars.title,
            "categories": [sheet.name, first, label, last, label],
            "values": [sheet.name, first, value, last, value],
            "fill": {"color": "#2F5D8A"},
            "gap": 60,
        }
    )
    chart.set_title({"name": bars.title, "name_font": {"size": 11}})
    chart.set_legend({"none": True})
    chart.set_size({"width": 620, "height": 300})
    chart.set_x_axis({"num_font": {"size": 9}, **({"date_axis": True, "num_format": "d mmm"} if bars.days else {})})
    chart.set_y_axis({"num_font": {"size": 9}, **({} if bars.days else {"reverse": True})})
    sheet.insert_chart(_HEAD_ROW + 1 + 16 * number, len(table.columns) + 1, chart)


@cache
def _template() -> Template:
    loader = PackageLoader("tasks.reporting", "templates")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, finalize=_clean)
    return environment.get_template("daily_report.html")


def _clean(value: object) -> object:
    """A text without what would turn the direction of writing; whatever it is, HTML in it is escaped."""
    return printable(value) if type(value) is str else value


def report_html(report: DailyReport, back_office: str = "") -> str:
    """The page: no script, nothing asked for from anywhere, no shopper in it; with fewer rows and charts where it would
    be too large.
    """
    page = ""
    for rows, charts in SIZES:
        page = _template().render(
            report=report,
            totals=[plain_words(words) for words in report.totals()],
            made=report.made,
            tables=[_table(table, back_office, rows, charts) for table in report.tables if not table.lists],
            figures=report.figures,
            chart_style=Markup(STYLE),  # noqa: S704 - ours
        )
        if len(page.encode()) < LARGEST_PAGE:
            break
    return page


def _table(table: Table, back_office: str, most: int, charts: int) -> dict[str, Any]:
    """A table as the template takes it; columns that hold nothing are left out."""
    shown, rows = table.page_columns(), table.page_rows()
    return {
        "name": table.name,
        "title": table.title,
        "figure": table.figure,
        "n": table.n,
        "heads": [table.columns[place] for place in shown],
        "rows": [
            [
                (cell_text(table, row, place), table.columns[place], _link(table, row, place, back_office))
                for place in shown
            ]
            for row in rows[:most]
        ],
        "more": max(0, len(rows) - most),
        "why_empty": table.why_empty,
        "notes": table.notes,
        # What pygal draws of names is escaped by its own XML writer.
        "charts": [Markup(chart_svg(bars)) for bars in bars_of(table, charts)],  # noqa: S704
    }


def _link(table: Table, row: tuple[Cell, ...], place: int, back_office: str) -> str:
    """Where the return that a cell names is shown at REVER; empty for other cells, and where there is no such page."""
    return return_url(exact(row[place]), back_office) if table.columns[place].kind is Kind.RETURN else ""


def write_html(path: Path, report: DailyReport, back_office: str = "") -> None:
    """Write the page, whole or not at all. Raises `DeskError`."""
    write_whole(path, report_html(report, back_office))
