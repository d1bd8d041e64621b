"""The rows that come back: a file of the same shape with a column that says why, to be mended and sent again.

Text stays text with the same separator, in UTF-8 with a mark, which the reader and spreadsheet programs know; what such
a program would change (zeros before a number, long ids, dates) is kept from it as `="007"`. Every workbook becomes an
XLSX, each cell of it text. Only its owner may read it: such files hold shoppers' names.
"""

import csv
import io
import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, TYPE_STRING, WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

from tasks.files.dates import DATE
from tasks.files.mapped_rows import Header
from tasks.files.mapping import fold
from tasks.files.table import Form, InputFileError, Table
from tasks.files.text_table import GUARDED

ReturnedRow = tuple[Sequence[str], str]
"""The cells of a row that comes back, and why it does."""

WHY, OTHER_WHY = "why", "why it comes back"
"""The column that is added, or filled anew in a file that has come back before; the other where the file has data in
one of the first name.
"""


UNFINISHED = ".refused.part"
"""How the name of one ends that is still being written."""

_CAME_BACK = re.compile(r"(-[0-9a-f]{8})?\.refused(-\d+)?$")


def refused_path(path: Path, form: Form) -> Path:
    """A free name beside the file: nobody's mended file is written over."""
    suffix = (path.suffix or ".csv") if form is Form.TEXT else ".xlsx"
    names = (
        path.with_name(f"{path.stem}.refused{f'-{many}' if many > 1 else ''}{suffix}") for many in range(1, 10_000)
    )
    return next(name for name in names if not name.exists())


def refused_path_of(path: Path, digest: str, folder: Path, form: Form) -> Path:
    """The name in a folder for what comes back of just this file: the same where a run that was killed begins again."""
    suffix = (path.suffix or ".csv") if form is Form.TEXT else ".xlsx"
    return folder / f"{_CAME_BACK.sub('', path.stem)}-{digest[:8]}.refused{suffix}"


def expect_new(path: Path) -> None:
    """Raise `InputFileError` for a path at which the rows that come back cannot become a new file."""
    if path.exists():
        raise InputFileError(f"{path}: name a new file for the rows that come back; this one is there already.")
    if not path.parent.is_dir():
        raise InputFileError(f"{path}: name a new file, in a folder that is there, for the rows that come back.")


def write_refused(path: Path, table: Table, header: Header, rows: Sequence[ReturnedRow]) -> int:
    """Write the rows that come back, and say how many. Without any no file is written. Raises `InputFileError`."""
    if not rows:
        return 0
    if path.exists():
        raise InputFileError(f"{path}: is there already; name another file for the rows that come back.")
    mapped = {fold(header.names[at]) for at in header.places.values()}
    column = OTHER_WHY if WHY in mapped else WHY
    place = next((at for at, name in enumerate(header.names) if fold(name) == column), len(header.names))
    wide = len(header.names)
    lines = [_with(cells, wide, place, why) for cells, why in [(header.names, column), *rows]]
    text = path.suffix.casefold() != ".xlsx"
    content = _text(lines, table.separator or ",") if text else _xlsx(lines, place)
    _write(path, content)
    return len(rows)


def _with(cells: Sequence[str], wide: int, place: int, why: str) -> list[str]:
    """The cells with their reason. Those past the header stay behind it: without them the row would say another thing,
    and be taken.
    """
    past = list(cells[wide:])
    while past and not past[-1].strip():
        past.pop()
    return [*cells[:place], why, *cells[place + 1 : wide], *past]


def _text(rows: Sequence[Sequence[str]], separator: str) -> bytes:
    content = io.StringIO(newline="")
    writer = csv.writer(content, delimiter=separator)
    writer.writerows([[_harmless(cell) for cell in row] for row in rows])
    return content.getvalue().encode("utf-8-sig")


def _harmless(cell: str) -> str:
    """A cell that a spreadsheet program would calculate gets an apostrophe, which the reader takes away again.

    One that it would write in another way is kept as it is by a formula, which the reader takes for its text.
    """
    if _CHANGED.fullmatch(cell) or DATE.fullmatch(cell):
        return f'="{cell}"'
    number = cell.removeprefix("-").replace(".", "", 1).isdecimal()
    return f"'{cell}" if GUARDED.match(cell) and not number else cell


_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)[a-z]*"
_CHANGED = re.compile(
    rf"""-?0\d+|-?\d{{12,}}            # its zeros go, or it is rounded
    |\d+(?:\.\d+)?e[+-]?\d+        # 1E5 is taken for a number
    |\d+[.,]\d*0                   # 1.10 becomes 1.1
    |\d{{1,4}}[-/]\d{{1,4}}           # 3-4 is taken for a day, and so is DEC10
    |{_MONTH}[-/ ]?\d{{1,4}}|\d{{1,4}}[-/ ]?{_MONTH}""",
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
"""What may name something, and a spreadsheet program would write in another way."""
_A4, _LINE = 9, 15
_WIDTHS, _WHY_WIDTH, _MEASURED = (8, 32), 70, 500
"""Columns are as wide as what stands in their first rows, within these; longer text is wrapped."""


def _xlsx(rows: Sequence[Sequence[str]], why: int) -> bytes:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Refused")
    sheet.freeze_panes = "A2"
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", _A4
    sheet.page_setup.fitToHeight, sheet.sheet_properties.pageSetUpPr.fitToPage = 0, True
    sheet.print_title_rows = "1:1"
    widths = []
    for place in range(len(rows[0])):
        longest = max((len(line) for row in rows[:_MEASURED] for line in row[place].splitlines()), default=0)
        widths.append(_WHY_WIDTH if place == why else min(max(longest + 2, _WIDTHS[0]), _WIDTHS[1]))
        sheet.column_dimensions[get_column_letter(place + 1)].width = widths[-1]
    for number, row in enumerate(rows):
        cells: list[Any] = []
        for text in row:
            cell = WriteOnlyCell(sheet, value=ILLEGAL_CHARACTERS_RE.sub("\ufffd", text))
            cell.data_type, cell.number_format = TYPE_STRING, "@"
            cell.alignment = Alignment(wrap_text=True, vertical="top")
            if not number:
                cell.font = Font(bold=True)
            if len(cells) == why:
                cell.fill = PatternFill("solid", fgColor="FFF2CC")
            cells.append(cell)
        # A program does not make a row higher by itself for text that is wrapped in a file of another program.
        sheet.row_dimensions[number + 1].height = _LINE * max(map(_lines, row, widths))
        sheet.append(cells)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _lines(text: str, width: int) -> int:
    """How many lines a text takes in a cell of this width, about."""
    return sum(max(1, -(-len(line) // (width - 1))) for line in text.splitlines()) or 1


def _write(path: Path, content: bytes) -> None:
    """Write a new file that only its owner may read, whole or not at all. Raises `InputFileError`.

    Half a file, of a run that was killed or a disk that is full, would be taken for all that comes back.
    """
    unfinished = path.with_name(f".{secrets.token_hex(4)}{UNFINISHED}")
    try:
        try:
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(unfinished, path)
            except FileExistsError:
                raise
            except OSError:  # a file system without links
                if path.exists():
                    raise
                unfinished.rename(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise InputFileError(f"{path}: cannot be written ({error.strerror or type(error).__name__}).") from error
