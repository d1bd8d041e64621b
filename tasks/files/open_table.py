"""Open a file as a table: what it is by its content, and how it is read. Its name does not count."""

import lzma
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

from tasks.files.table import (
    AS_FOUND,
    LARGEST_TEXT,
    LARGEST_UNPACKED,
    LARGEST_WORKBOOK,
    Form,
    InputFileError,
    Reading,
    Table,
)
from tasks.files.text_table import text_table
from tasks.files.workbook import workbook_table


def open_table(path: Path, reading: Reading = AS_FOUND) -> Table:
    """Find out what a file is and how it is read. Raises `InputFileError`."""
    try:
        if not path.is_file():
            why = "is no file" if path.exists() else "is not there"
            raise InputFileError(f"{path}: {why}.")
        size = path.stat().st_size
        with path.open("rb") as file:
            begins = file.read(4096)
    except OSError as error:
        raise InputFileError(f"{path}: cannot be read ({error.strerror or type(error).__name__}).") from error
    if not size:
        raise InputFileError(f"{path}: is empty.")
    form = _form(path, begins)
    most = LARGEST_TEXT if form is Form.TEXT else LARGEST_WORKBOOK
    if size > most:
        raise InputFileError(f"{path}: has {size:,} bytes; a {form} file may have {most:,}. Split it.")
    if form is Form.TEXT:
        return text_table(path, reading)
    return workbook_table(path, form, reading)


def _form(path: Path, begins: bytes) -> Form:
    """What a file is by its first bytes; raises `InputFileError` for what is known to be no table."""
    if begins.startswith(b"\xd0\xcf\x11\xe0"):
        return Form.XLS
    if begins.startswith(b"PK\x03\x04"):
        return _form_of_zip(path)
    plain = begins.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for mark, what in ((b"%pdf", "a PDF"), (b"\x1f\x8b", "packed by gzip; unpack it"), (b"rar!", "a RAR archive")):
        if plain.startswith(mark):
            raise InputFileError(f"{path}: is {what}, no table.")
    if plain.startswith((b"<!doctype", b"<html", b"<table", b"<?xml")):
        words = "is a web page or XML, whatever its name says; open it in a spreadsheet program and save it as XLSX"
        raise InputFileError(f"{path}: {words}.")
    return Form.TEXT


_DAMAGED = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, NotImplementedError, RuntimeError, ValueError, EOFError,
)  # fmt: skip
"""What an archive raises that is damaged: of zipfile, and of what unpacks its parts."""


def _form_of_zip(path: Path) -> Form:
    try:
        with zipfile.ZipFile(path) as packed:
            names = set(packed.namelist())
            unpacked = sum(item.file_size for item in packed.infolist())
            kind = b""
            with suppress(KeyError):
                kind = packed.open("mimetype").read(100)
    except _DAMAGED as error:
        raise InputFileError(f"{path}: is a broken workbook or archive ({error}).") from error
    if unpacked > LARGEST_UNPACKED:
        raise InputFileError(f"{path}: unpacks to {unpacked:,} bytes; a workbook may have {LARGEST_UNPACKED:,}.")
    if "xl/workbook.xml" in names or any(name.startswith("xl/worksheets/") for name in names):
        return Form.XLSX
    if kind.startswith(b"application/vnd.oasis.opendocument.spreadsheet"):
        return Form.ODS
    raise InputFileError(f"{path}: is an archive and no workbook (XLSX or ODS); unpack it.")
