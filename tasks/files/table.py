"""A table out of a file: CSV in any of its forms, XLSX, XLS or ODS, row by row, each cell as exact text.

Nothing is interpreted: leading zeros, long ids and decimal signs stay as the file has them. A date cell of a workbook
is text in ISO 8601, since how a program shows it is not in the file. Rows have the numbers that a spreadsheet program
shows.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

LARGEST_TEXT = 2 * 1024**3
"""Bytes that a text file is smaller than. It is read row by row."""
LARGEST_WORKBOOK = 100 * 1024**2
"""Bytes that a workbook has at most."""
LARGEST_UNPACKED = 500 * 1024**2
"""Bytes that a workbook unpacks to at most: a few kilobytes can hold gigabytes."""
MOST_ROWS = 2_000_000
"""Rows of a table at most; a sheet of a workbook has no more than 1,048,576."""
MOST_COLUMNS = 500
LONGEST_CELL = 32_767
"""Characters of a cell; no spreadsheet program takes more."""

NO_VALUE = "#NO VALUE"
"""Stands for a formula that was never calculated, so that it is not taken for an empty cell."""

BLANKS = (
    " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff\u200b\u200c\u200d\u200e\u200f\u2060\xad"
)
"""What nobody sees at the ends of a cell: blanks, byte order marks of files put together, marks of direction."""


class InputFileError(Exception):
    """A file cannot be read, or means nothing that can be used; the text is a sentence that names the file."""


class Form(StrEnum):
    """What a file is, by its content; its name does not count."""

    TEXT = "text"
    XLSX = "XLSX"
    XLS = "XLS"
    ODS = "ODS"


@dataclass(frozen=True, slots=True)
class Row:
    """One row that is not empty: its number as a spreadsheet program shows it, from 1, and its cells as text.

    Cells may hold shoppers' names, so they stay out of its repr, as they do of what is made from a row.
    """

    number: int
    cells: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is to be read, where that is known; what is empty is found in the file itself."""

    encoding: str = ""
    separator: str = ""
    sheet: str = ""
    quoted: bool = True


AS_FOUND = Reading()


@dataclass(frozen=True, slots=True)
class Table:
    """A file that can be read, each time from its beginning.

    `how` says how it is read, for people. `encoding`, `separator` and `quoted` are those of a text file, `sheet` is
    that of a workbook; `sheets` are all visible sheets that hold something. `read` may raise `InputFileError` at any
    row.
    """

    path: Path
    form: Form
    how: str
    read: Callable[[], Iterator[Row]]
    encoding: str = ""
    separator: str = ""
    quoted: bool = True
    sheet: str = ""
    sheets: tuple[str, ...] = ()

    def rows(self) -> Iterator[Row]:
        """The rows that are not empty, in the limits of this module. Raises `InputFileError` for what is past them."""
        for many, row in enumerate(self.read(), 1):
            if many > MOST_ROWS:
                raise InputFileError(f"{self.path}: more than {MOST_ROWS:,} rows; split the file.")
            if len(row.cells) > MOST_COLUMNS:
                words = f"row {row.number} has {len(row.cells):,} cells, more than {MOST_COLUMNS}"
                raise InputFileError(f"{self.path}: {words}; it is no table.")
            if max(map(len, row.cells), default=0) > LONGEST_CELL:
                words = f"row {row.number} has a cell of more than {LONGEST_CELL:,} characters"
                raise InputFileError(f"{self.path}: {words}; a quotation mark may be left open.")
            yield row
