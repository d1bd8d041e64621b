"""Files for tests: text in any encoding, XLSX with formulas and formats, ODS out of its XML."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import openpyxl

from tasks.files.open_table import open_table
from tasks.files.table import AS_FOUND, InputFileError, Reading, Row

ODS = "application/vnd.oasis.opendocument.spreadsheet"
_CONTENT = """<?xml version="1.0"?><office:document-content
 xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet><table:table
 table:name="Returns">{rows}</table:table></office:spreadsheet></office:body></office:document-content>"""
_MANIFEST = """<?xml version="1.0"?><manifest:manifest
 xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"><manifest:file-entry manifest:full-path="/"
 manifest:media-type="application/vnd.oasis.opendocument.spreadsheet"/></manifest:manifest>"""


def read(path: Path, reading: Reading = AS_FOUND) -> list[Row]:
    return list(open_table(path, reading).rows())


def rows_or_words(path: Path) -> list[Row] | str:
    """The rows, or the sentence with which the file is refused. It must name the file."""
    try:
        return read(path)
    except InputFileError as refused:
        words = str(refused)
    return words if words.startswith(f"{path}: ") and words.endswith(".") else "no sentence"


def cells(path: Path, reading: Reading = AS_FOUND) -> list[list[str]]:
    return [list(row.cells) for row in read(path, reading)]


def text(path: Path, content: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(content.encode(encoding))
    return path


def xlsx(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(list(row))
    book.save(path)
    return path


def ods(path: Path, rows: str) -> Path:
    """An ODS of these rows, in its own XML."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("mimetype", ODS)
        packed.writestr("content.xml", _CONTENT.format(rows=rows))
        packed.writestr("META-INF/manifest.xml", _MANIFEST)
    path.write_bytes(content.getvalue())
    return path


def ods_row(*texts: str) -> str:
    """One row of texts."""
    return f"<table:table-row>{''.join(map(ods_cell, texts))}</table:table-row>"


def ods_cell(words: str, value: str = 'office:value-type="string"') -> str:
    """A cell of this text; `value` are the attributes that say what it is."""
    return f"<table:table-cell {value}><text:p>{words}</text:p></table:table-cell>"
