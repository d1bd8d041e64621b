"""Rows of text as a CSV file (RFC 4180, UTF-8) that a spreadsheet opens without taking any of it for a formula."""

import csv
import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tasks.desk import DeskError, WrongNameError


def check_target(path: Path) -> None:
    """Refuse, before anything is done, a file that cannot be written. Raises `WrongNameError`."""
    folder = path.parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise WrongNameError(f"no file can be written at {path}: name a file in a folder that is there")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str | None]]) -> None:
    """Write the rows, whole or not at all; only its owner may read the file. Raises `DeskError`."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows({name: _harmless(row[name] or "") for name in columns} for row in rows)
    write_whole(path, text.getvalue())


def write_whole(path: Path, text: str) -> None:
    """Write a file, whole or not at all; only its owner may read it. Raises `DeskError`."""
    with in_place_of(path) as part:
        part.write_text(text, encoding="utf-8", newline="")


@contextmanager
def in_place_of(path: Path) -> Iterator[Path]:
    """A file beside `path` to be written, which takes its place when it is whole, and is gone where it is not.

    Only its owner may read it. Raises `DeskError`.
    """
    part = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False, suffix=".part") as file:
            part = Path(file.name)
        yield part
        part.replace(path)
    except OSError as error:
        raise DeskError(f"{path} could not be written: {error.strerror}") from None
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def _harmless(value: str) -> str:
    """A text that a spreadsheet would take for a formula is quoted; a negative amount is not."""
    number = value.removeprefix("-").replace(".", "", 1).isdecimal()
    return f"'{value}" if value[:1] in {"=", "+", "-", "@", "\t"} and not number else value
