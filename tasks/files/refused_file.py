"""The rows that come back: a file of the same shape with a column that says why, to be mended and sent again.

Text stays text with the same separator, in UTF-8 with a mark, which the reader and spreadsheet programs know; every
workbook becomes an XLSX, each cell of it text. Only its owner may read it: such files hold shoppers' names.
"""

import csv
import io
import os
import re
from collections.abc import Sequence
from pathlib import Path

import openpyxl
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, TYPE_STRING, WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

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


def write_refused(path: Path, table: Table, header: Header, rows: Sequence[ReturnedRow]) -> int:
    """Write the rows that come back, and say how many. Without any no file is written. Raises `InputFileError`."""
    if not rows:
        return 0
    if path.exists():
        raise InputFileError(f"{path}: is there already; name another file for the rows that come back.")
    mapped = {fold(header.names[at]) for at in header.places.values()}
    column = OTHER_WHY if WHY in mapped else WHY
    place = next((at for at, name in enumerate(header.names) if fold(name) == column), len(header.names))
    names = _with(header.names, place, column)
    lines = [_with(cells[: len(header.names)], place, why) for cells, why in rows]
    text = path.suffix.casefold() != ".xlsx"
    content = _text([names, *lines], table.separator or ",") if text else _xlsx([names, *lines], place)
    _write(path, content)
    return len(rows)


def _with(cells: Sequence[str], place: int, value: str) -> list[str]:
    return [*cells[:place], value, *cells[place + 1 :]]


def _text(rows: Sequence[Sequence[str]], separator: str) -> bytes:
    content = io.StringIO(newline="")
    writer = csv.writer(content, delimiter=separator)
    writer.writerows([[_harmless(cell) for cell in row] for row in rows])
    return content.getvalue().encode("utf-8-sig")


def _harmless(cell: str) -> str:
    """A cell that a spreadsheet program would calculate gets an apostrophe, which the reader takes away again."""
    number = cell.removeprefix("-").replace(".", "", 1).isdecimal()
    return f"'{cell}" if GUARDED.match(cell) and not number else cell


def _xlsx(rows: Sequence[Sequence[str]], why: int) -> bytes:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Refused")
    sheet.freeze_panes = "A2"
    sheet.column_dimensions[get_column_letter(why + 1)].width = 80
    for number, row in enumerate(rows):
        cells = []
        for text in row:
            cell = WriteOnlyCell(sheet, value=ILLEGAL_CHARACTERS_RE.sub("\ufffd", text))
            cell.data_type, cell.number_format = TYPE_STRING, "@"
            if not number:
                cell.font = Font(bold=True)
            cells.append(cell)
        sheet.append(cells)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _write(path: Path, content: bytes) -> None:
    """Write a new file that only its owner may read. Raises `InputFileError`."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
    except OSError as error:
        raise InputFileError(f"{path}: cannot be written ({error.strerror or type(error).__name__}).") from error
