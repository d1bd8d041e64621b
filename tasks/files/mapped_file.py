"""A file that a mapping reads as a whole: its rows, and what comes back of it."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from tasks.files.mapped_rows import Header, find_header
from tasks.files.mapping import FileMapping, load_mapping
from tasks.files.open_table import open_table
from tasks.files.private_copy import Stamp, stamp_of
from tasks.files.refused_file import ReturnedRow, refused_path, refused_path_of, write_refused
from tasks.files.table import InputFileError, Row, Table

MappingT = TypeVar("MappingT", bound=FileMapping)
RowT = TypeVar("RowT")

ReadRows = Callable[[Iterable[Row], Header, MappingT], Iterable[RowT]]
"""What makes the rows below a header into what they say."""


@dataclass(frozen=True, slots=True)
class MappedFile(Generic[MappingT, RowT]):
    """The rows of a file, and how they were read. `name` is how people know it; it may be read from another place.

    `digest` stands for its content.
    """

    name: str
    digest: str
    mapping: MappingT
    table: Table
    header: Header
    rows: tuple[RowT, ...]

    @property
    def how(self) -> tuple[str, str]:
        """How it was read, in two lines: the file's form, and its header."""
        names = " | ".join(name for name in self.header.names if name)
        return f"{self.name}: {self.table.how}", f"header in row {self.header.row}: {names}"

    def hand_back(self, rows: Sequence[ReturnedRow], to: Path | None) -> Path | None:
        """Write the rows that come back, beside the file where `to` does not say where; None where there are none.

        Raises `InputFileError`.
        """
        path = to or refused_path(self.table.path, self.table.form)
        return path if write_refused(path, self.table, self.header, rows) else None

    def hand_back_into(self, folder: Path, rows: Sequence[ReturnedRow], digest: str) -> Path:
        """Write the rows that come back of the file of this digest into a folder. Raises `InputFileError`.

        What is there already of the same rows stays: a run that was killed wrote it, and somebody may be mending it.
        Where other rows come back by now, they get a file of their own.
        """
        cells = repr([tuple(cells) for cells, _ in rows])
        of_rows = hashlib.sha256(f"{digest} {cells}".encode(errors="surrogatepass")).hexdigest()
        path = refused_path_of(Path(self.name), of_rows, folder, self.table.form)
        if not path.exists():
            write_refused(path, self.table, self.header, rows)
        return path


def read_mapped_file(
    file: Path, mapping: Path, model: type[MappingT], read: ReadRows[MappingT, RowT], names: tuple[str, str] = ("", "")
) -> MappedFile[MappingT, RowT]:
    """Read all rows of a file; `names` are how people know it and its mapping where those are not their paths.

    Raises `InputFileError` for a file or mapping that cannot be used, and for one that changes while it is read: the
    columns of one file would be taken for those of another.
    """
    rules = load_mapping(mapping, model, names[1])
    name = names[0] or str(file)
    try:
        before = _stamp(file)
        table = _table(file, rules)
        header = find_header(table.rows(), rules.columns.named(), name)
        rows = tuple(read(table.rows(), header, rules))
        digest = content_digest(file)
    except InputFileError as error:
        raise InputFileError(str(error).replace(str(file), name)) from error
    if _stamp(file) != before:
        raise InputFileError(f"{name}: changed while it was read; send it again once it is whole.")
    return MappedFile(name, digest, rules, table, header, rows)


def _stamp(file: Path) -> Stamp | None:
    try:
        return stamp_of(file.stat())
    except OSError:
        return None  # that it cannot be read is said where it is opened


def content_digest(file: Path) -> str:
    """What stands for the content of a file. Raises `InputFileError`."""
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise InputFileError(f"{file}: cannot be read ({error.strerror or type(error).__name__}).") from error


def _table(file: Path, rules: FileMapping) -> Table:
    table = open_table(file, rules.reading)
    if len(table.sheets) > 1 and not rules.sheet:
        raise InputFileError(f"{file}: has several sheets, {', '.join(table.sheets)}; name one (`sheet:`).")
    return table
