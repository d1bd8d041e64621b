"""Tables of text: how the letters are coded, what parts the cells, and the rows one by one, in flat memory."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tasks.files.code_page import code_page
from tasks.files.table import Form, InputFileError, Reading, Row, Table

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""What may part cells, with its name. Where two fit equally well the first is taken."""

_SAMPLE = 200
"""Rows by which the separator is found."""
_CHUNK = 1 << 20
_WORDS = 8 << 20
"""Bytes whose words tell Windows-1250 from Windows-1252."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8 with a byte order mark"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_ZERO = "it has a zero character"
_GUARDS = frozenset("='")
"""What a cell begins with that may hold more than its text."""
KEPT_TEXT = re.compile(r'="([^"]*)"')
"""How programs keep a spreadsheet from changing 007 into 7."""
GUARDED = re.compile(r"'*[=+\-@\t]")
"""The beginning of a cell that a spreadsheet program would calculate, once its apostrophes are gone."""


_Quoting = Literal[0, 3]
"""Whether cells may be in quotation marks (`csv.QUOTE_MINIMAL`), or these are text (`csv.QUOTE_NONE`)."""


class BrokenQuotesError(InputFileError):
    """A quotation mark is left open or stands alone; or the file's cells are in none, and it is text."""


@dataclass(frozen=True, slots=True)
class _Encoding:
    """A codec by Python's name, and in words."""

    codec: str
    words: str


def text_table(path: Path, reading: Reading) -> Table:
    """The table of a text file. Raises `InputFileError` where it is no text, or its encoding is not known."""
    encoding = _encoding(path, reading.encoding)
    stated, skip = _separator_line(path, encoding.codec)
    quoting: _Quoting = csv.QUOTE_MINIMAL if reading.quoted else csv.QUOTE_NONE
    separator = reading.separator or stated or _separator(path, encoding.codec, quoting)
    name = SEPARATORS.get(separator, repr(separator))

    def read() -> Iterator[Row]:
        return _rows(path, encoding.codec, separator, quoting, skip=skip)

    how = f"text in {encoding.words}, cells parted by {name}" + ("" if reading.quoted else ", quotation marks are text")
    return Table(path, Form.TEXT, how, read, encoding=encoding.codec, separator=separator, quoted=reading.quoted)


def _encoding(path: Path, named: str) -> _Encoding:
    """How the letters are coded: by its mark, as UTF-8 where all of it is, as it was named, else as Windows-1252, or as
    Windows-1250 where its words say so.

    UTF-8 goes before what was named: a text in another encoding is practically never UTF-8 by chance, and one and the
    same program writes either.
    """
    with path.open("rb") as file:
        begins = file.read(4096)
    for mark, codec, words in _BOMS:
        if begins.startswith(mark):
            return _checked(path, _Encoding(codec, words))
    even, odd = begins[0::2].count(0), begins[1::2].count(0)
    if max(even, odd) * 4 > len(begins) and min(even, odd) * 10 < max(even, odd):
        codec = "utf-16-le" if odd > even else "utf-16-be"
        return _checked(path, _Encoding(codec, "UTF-16 without a byte order mark"))
    fault = _fault(path, "utf-8")
    if not fault:
        return _Encoding("utf-8", "UTF-8")
    if fault.startswith(_ZERO):
        raise InputFileError(f"{path}: is not text in UTF-8: {fault}.")
    if named and codecs.lookup(named).name != "utf-8":
        return _checked(path, _Encoding(named, f"{named}, as the mapping says"))
    with path.open("rb") as file:
        found = code_page(file.read(_WORDS))
    such_as = ", ".join(map(repr, found.central[:3]))
    if found.is_central and not _fault(path, "cp1250"):
        words = f"Windows-1250, by words such as {such_as} (`encoding: cp1252` in the mapping if they are wrong)"
        return _Encoding("cp1250", words)
    fault = _fault(path, "cp1252")
    if fault and not fault.startswith(_ZERO):
        words = "is neither UTF-8 nor Windows-1252; name its encoding (`encoding:` in the mapping)"
        raise InputFileError(f"{path}: {words}.")
    doubt = f" (`encoding: cp1250` in the mapping if {such_as} is right)" if such_as else ""
    return _checked(path, _Encoding("cp1252", f"Windows-1252{doubt}"))


def _checked(path: Path, encoding: _Encoding) -> _Encoding:
    if fault := _fault(path, encoding.codec):
        raise InputFileError(f"{path}: is not text in {encoding.words}: {fault}.")
    return encoding


def _fault(path: Path, codec: str) -> str:
    """Why the file is no text in this encoding; empty where it is. It is read once, in flat memory."""
    decoder = codecs.getincrementaldecoder(codec)()
    read = 0
    with path.open("rb") as file:
        while True:
            chunk = file.read(_CHUNK)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeError as error:
                at = getattr(error, "start", 0)
                return f"the bytes around {read + at:,} are not valid"
            if "\0" in text:
                return f"{_ZERO} around byte {read + text.index(chr(0)):,}"
            if not chunk:
                return ""
            read += len(chunk)


def _separator_line(path: Path, codec: str) -> tuple[str, bool]:
    """The separator of a first line `sep=;`, as Excel writes and reads it, and whether there is one."""
    with path.open(encoding=codec, newline="") as file:
        first = file.readline(20).strip().strip('"')
    return (first[4], True) if len(first) == 5 and first.lower().startswith("sep=") else ("", False)


def _separator(path: Path, codec: str, quoting: _Quoting) -> str:
    """What parts the cells: that by which the most rows have the same number of cells, and of these the most cells."""
    with path.open(encoding=codec, newline="") as file:
        sample = file.read(64 * 1024)
    cut = max(sample.rfind("\n"), sample.rfind("\r"))
    text = sample[: cut + 1] if len(sample) == 64 * 1024 and cut > 0 else sample
    best, found = (0.0, 0), ","
    for separator in SEPARATORS:
        widths = Counter[int]()
        try:
            for many, cells in enumerate(
                csv.reader(io.StringIO(text, newline=""), delimiter=separator, quoting=quoting)
            ):
                if many == _SAMPLE:
                    break
                widths[len(cells)] += 1
        except csv.Error:
            continue
        del widths[0]
        several = {width: many for width, many in widths.items() if width > 1}
        if not several:
            continue
        width = max(several, key=lambda each: (several[each], each))
        score = (round(several[width] / widths.total(), 1), width)
        if score > best:
            best, found = score, separator
    return found


def _rows(path: Path, codec: str, separator: str, quoting: _Quoting, *, skip: bool) -> Iterator[Row]:
    """The rows that are not empty. A row that is broken ends the file: what comes after it would be guesswork."""
    number = 0
    with path.open(encoding=codec, newline="") as file:
        reader = csv.reader(file, delimiter=separator, quoting=quoting, strict=True)
        while True:
            number += 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                words = f"row {number} cannot be read ({error}); a quotation mark may be left open or stand alone"
                more = "where none of the file's cells is in quotation marks, say `quoted: false` in the mapping"
                raise BrokenQuotesError(f"{path}: {words}; {more}.") from error
            row = "".join(cells)
            if not row or row.isspace() or (skip and number == 1):
                continue
            if "=" in row or "'" in row:
                cells = [_plain(cell) if cell[:1] in _GUARDS else cell for cell in cells]
            yield Row(number, tuple(cells))


def _plain(cell: str) -> str:
    """The text of a cell: `="007"` is how programs keep Excel from changing 007, an apostrophe keeps a formula away."""
    if cell[:1] == "=" and (formula := KEPT_TEXT.fullmatch(cell)):
        return formula[1]
    return cell[1:] if cell[:1] == "'" and GUARDED.match(cell) else cell
