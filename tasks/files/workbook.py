"""Workbooks: XLSX by openpyxl, XLS by xlrd, ODS by calamine, each cell as the text of its value.

A number whose format is all zeros (`00000`) has its zeros. One of more than 15 digits was rounded by the program that
wrote it: it is written with an exponent, so that nobody takes it for an id.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, TypeVar

import openpyxl
import python_calamine
import xlrd

from tasks.files.table import MOST_COLUMNS, NO_VALUE, Form, InputFileError, Reading, Row, Table

_ZEROS = re.compile(r"0{2,}")
_EXACT = 10**15
"""From here on not every whole number is one that a workbook can hold."""
_MOST_OF_A_SHEET = 1_048_576
"""Rows that a sheet of an XLSX can have."""
_FORMULAS = re.compile(rb"<(?:\w+:)?f[ >/]")
_ROW = re.compile(rb"<(?:\w+:)?row[ >/]")
_MOST_ELEMENTS = 20_000_000
"""Beginnings and ends of elements in a part: each text that cells share has four."""
_MOST_IN_A_ROW = 2_000_000
_MOST_CELLS = 20_000_000
"""Cells of an ODS that hold something; no file that is small enough has so many without repeating them."""
_REPEATED = re.compile(rb'number-(?:columns|rows)-repeated="(\d+)"')

T = TypeVar("T")

Cells = Iterator[tuple[int, tuple[str, ...]]]
"""Rows: the number and the cells of each."""


class _Sheets:
    """The sheets of an open workbook that a person sees, and how the rows of one are read."""

    def __init__(self, names: tuple[str, ...], read: Callable[[str], Cells]) -> None:
        self.names = names
        self.read = read


def workbook_table(path: Path, form: Form, reading: Reading) -> Table:
    """The table of a workbook's one sheet, or of the sheet that is named. Raises `InputFileError`."""
    opened = {Form.XLSX: _xlsx, Form.XLS: _xls, Form.ODS: _ods}[form]
    sheets: _Sheets = _sound(path, form, lambda: opened(path))
    if reading.sheet and reading.sheet not in sheets.names:
        there = ", ".join(map(repr, sheets.names)) or "none"
        raise InputFileError(f"{path}: has no sheet {reading.sheet!r} that is shown; there are {there}.")
    filled = _sound(path, form, lambda: tuple(name for name in sheets.names if _filled(sheets.read(name))))
    if not filled:
        raise InputFileError(f"{path}: has no sheet that is shown and holds anything.")
    sheet = reading.sheet or filled[0]

    def read() -> Iterator[Row]:
        cells = sheets.read(sheet)
        while (row := _sound(path, form, lambda: next(cells, None))) is not None:
            if any(cell and not cell.isspace() for cell in row[1]):
                yield Row(*row)

    return Table(path, form, f"{form}, sheet {sheet!r}", read, sheet=sheet, sheets=filled)


def _sound(path: Path, form: Form, read: Callable[[], T]) -> T:
    """What is read. A workbook can be broken in any way, and the engines then raise whatever they meet first."""
    try:
        return read()
    except (InputFileError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, python_calamine.PasswordError) or "ncrypt" in str(error):
            raise InputFileError(f"{path}: is protected by a password; save it without one.") from error
        words = f"cannot be read as {form} ({type(error).__name__}); open it in a spreadsheet program and save it anew"
        raise InputFileError(f"{path}: {words}.") from error


def _filled(cells: Cells) -> bool:
    return any(any(cell and not cell.isspace() for cell in row) for _, row in cells)


def _xlsx(path: Path) -> _Sheets:
    content = path.read_bytes()
    calculated = _check_xlsx(path, content)
    values = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    names = tuple(sheet.title for sheet in values.worksheets if getattr(sheet, "sheet_state", "visible") == "visible")

    def rows_of(book: Any, name: str) -> Iterator[Any]:
        sheet = book[name]
        sheet.reset_dimensions()  # what a file says of its own size is often wrong
        return iter(sheet.iter_rows())

    def read(name: str) -> Cells:
        written = None
        if calculated:
            written = rows_of(openpyxl.load_workbook(io.BytesIO(content), read_only=True), name)
        for number, row in enumerate(rows_of(values, name), 1):
            if number > _MOST_OF_A_SHEET:
                raise InputFileError(f"{path}: a row has the number {number:,}; no sheet has so many.")
            texts = [_xlsx_text(cell) for cell in row]
            for place, cell in enumerate(next(written, ()) if written else ()):
                if cell.data_type == "f" and row[place].value is None:
                    texts[place] = NO_VALUE
            yield number, tuple(texts)

    return _Sheets(names, read)


def _xlsx_text(cell: Any) -> str:
    value = cell.value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value, cell.number_format)  # to look it up takes as long as to read the cell
    return _text(value)


def _check_xlsx(path: Path, content: bytes) -> bool:
    """Refuse a part that would fill the memory, and say whether any sheet has a formula.

    A sheet is read row by row, so it may be far larger than its file, but not with millions of elements in one row; the
    other parts are read whole. All are looked at piece by piece.
    """
    formulas = False
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        for name in packed.namelist():
            if not name.endswith((".xml", ".rels")):
                continue
            sheet, before, many = name.startswith("xl/worksheets/"), b"", 0
            most = _MOST_IN_A_ROW if sheet else _MOST_ELEMENTS
            with packed.open(name) as part:
                while chunk := part.read(1 << 20):
                    formulas = formulas or (sheet and _FORMULAS.search(before + chunk) is not None)
                    rows = _ROW.split(chunk) if sheet else [chunk]
                    for place, piece in enumerate(rows):
                        many = piece.count(b"<") + (many if place == 0 else 0)
                        if many > most:
                            words = f"{name} has more than {most:,} elements" + (" in one row" * sheet)
                            raise InputFileError(f"{path}: {words}; it is no table.")
                    before = chunk[-20:]
    return formulas


def _xls(path: Path) -> _Sheets:
    if "EncryptedPackage".encode("utf-16-le") in path.read_bytes():  # an XLSX with a password is packed so
        raise InputFileError(f"{path}: is protected by a password; save it without one.")
    book = xlrd.open_workbook(str(path), formatting_info=True, logfile=io.StringIO())
    names = tuple(sheet.name for sheet in book.sheets() if sheet.visibility == 0)

    def read(name: str) -> Cells:
        sheet = book.sheet_by_name(name)
        for number in range(sheet.nrows):
            yield number + 1, tuple(_xls_text(book, cell) for cell in sheet.row(number))

    return _Sheets(names, read)


def _xls_text(book: xlrd.Book, cell: Any) -> str:
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return str(xlrd.error_text_from_code.get(cell.value, "#N/A"))
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return _text(bool(cell.value))
    if cell.ctype == xlrd.XL_CELL_DATE:
        return _text(xlrd.xldate_as_datetime(cell.value, book.datemode))
    if cell.ctype == xlrd.XL_CELL_NUMBER:
        shown = book.format_map.get(book.xf_list[cell.xf_index].format_key) if cell.xf_index is not None else None
        return _text(cell.value, shown.format_str if shown else "")
    return str(cell.value)


def _ods(path: Path) -> _Sheets:
    _check_ods(path)
    with closing(python_calamine.load_workbook(str(path))) as book:
        visible = python_calamine.SheetVisibleEnum.Visible
        names = tuple(sheet.name for sheet in book.sheets_metadata if sheet.visible == visible)
        found = {name: book.get_sheet_by_name(name) for name in names}

    def read(name: str) -> Cells:
        for number, row in enumerate(found[name].to_python(skip_empty_area=False), 1):
            yield number, tuple(map(_text, row))

    return _Sheets(names, read)


def _check_ods(path: Path) -> None:
    """Refuse a sheet that says with a few letters that a cell stands there a million times: it would fill the memory.

    Every sheet ends in many empty ones, so only what is repeated and not empty counts, generously.
    """
    with zipfile.ZipFile(path) as packed:
        content = packed.read("content.xml")
    many = cells = 0
    rows = 1
    for cell in re.finditer(rb"<(?:\w+:)?(?:covered-)?table-(row|cell)\b([^>]*?)(/?)>", content):
        repeated = _REPEATED.search(cell[2])
        if cell[1] == b"row":
            rows = int(repeated[1]) if repeated else 1
        elif not cell[3]:
            cells += rows * (int(repeated[1]) if repeated else 1)
            if cells > _MOST_CELLS:
                raise InputFileError(f"{path}: repeats its cells to more than {_MOST_CELLS:,}; it is no table.")
        if repeated and not cell[3] and b"table-cell" in cell[0]:
            many = max(many, int(repeated[1]))
        elif repeated and cell[1] == b"row" and int(repeated[1]) > 1000:
            row = content[cell.end() : content.find(b"table-row>", cell.end())]
            if b"<text:p" in row or b":value" in row:
                raise InputFileError(f"{path}: a row is there {int(repeated[1]):,} times; it is no table.")
    if many > MOST_COLUMNS:
        raise InputFileError(f"{path}: a cell is there {many:,} times in its row, more than {MOST_COLUMNS} columns.")


def _text(value: Any, number_format: str = "") -> str:
    """The exact text of a cell's value."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return _number(value, number_format)
    if isinstance(value, datetime):
        value = value.date() if value.time() == time() else value.replace(microsecond=0)
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


def _number(value: int | float, number_format: str) -> str:
    """A number in plain digits, as exact as the file has it."""
    if isinstance(value, float):
        if not value.is_integer() or abs(value) >= _EXACT:
            text = repr(value)
            return text if "e" not in text or abs(value) >= _EXACT else f"{value:.15f}".rstrip("0")
        value = int(value)
    return str(value).zfill(len(number_format)) if _ZEROS.fullmatch(number_format) else str(value)
