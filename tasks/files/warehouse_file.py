"""A warehouse's file as a whole: read by its mapping, and what comes back of it."""

from dataclasses import dataclass
from pathlib import Path

from tasks.files.inspections import AnyRow, Header, find_header, read_inspections
from tasks.files.mapping import InspectionMapping, load_mapping
from tasks.files.open_table import open_table
from tasks.files.refused_file import refused_path, write_refused
from tasks.files.table import InputFileError, Table
from tasks.files.verdicts import FileVerdict


@dataclass(frozen=True, slots=True)
class WarehouseFile:
    """The rows of a file, and how they were read."""

    mapping: InspectionMapping
    table: Table
    header: Header
    rows: tuple[AnyRow, ...]

    @property
    def how(self) -> tuple[str, str]:
        """How it was read, in two lines: the file's form, and its header."""
        names = " | ".join(name for name in self.header.names if name)
        return f"{self.table.path}: {self.table.how}", f"header in row {self.header.row}: {names}"

    def hand_back(self, found: FileVerdict, to: Path | None) -> Path | None:
        """Write the rows that come back, beside the file where `to` does not say where; None where there are none.

        Raises `InputFileError`.
        """
        path = to or refused_path(self.table.path, self.table.form)
        return path if write_refused(path, self.table, self.header, found) else None


def read_warehouse_file(file: Path, mapping: Path) -> WarehouseFile:
    """Read all rows of a file. Raises `InputFileError` for a file or mapping that cannot be used."""
    rules = load_mapping(mapping)
    table = open_table(file, rules.reading)
    if len(table.sheets) > 1 and not rules.sheet:
        raise InputFileError(f"{file}: has several sheets, {', '.join(table.sheets)}; name one (`sheet:`).")
    header = find_header(table.rows(), rules, str(file))
    return WarehouseFile(rules, table, header, tuple(read_inspections(table.rows(), header, rules)))
