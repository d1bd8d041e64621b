"""What the commands about a mapped file print alike: a guessed mapping, and the rows of a file that was checked."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeVar

from deployments.console.errors import UsageError
from tasks.files.guess import FileGuess
from tasks.files.guess_text import guess_lines, mapping_text
from tasks.reporting.printable import columns, printable

MOST_SHOWN = 100
"""Rows that are listed unless all are asked for."""


class JudgedRow(Protocol):
    """What becomes of one row of a file."""

    @property
    def verdict(self) -> StrEnum:
        """What it is."""

    @property
    def comes_back(self) -> bool:
        """Whether it goes into the file of the rows that are to be mended."""


RowT = TypeVar("RowT", bound=JudgedRow)


def told_guess(found: FileGuess, file: Path, out: Path | None) -> str:
    """Tell a guess, and write the mapping to `out`, which must not be there; without it, print it."""
    text = mapping_text(found, file.name)
    lines = guess_lines(found)
    if out is None:
        return "\n".join([*lines, "", *text.splitlines()])
    try:
        with out.open("x", encoding="utf-8") as mapping:
            mapping.write(text)
    except FileExistsError:
        raise UsageError(f"{out} is there already; name another file, or delete it.") from None
    return "\n".join([*lines, "", f"{out}: the mapping, to be gone over before it is used."])


def rows_lines(
    rows: Sequence[RowT],
    head: tuple[str, ...],
    cells: Callable[[RowT], tuple[str, ...]],
    *,
    already: StrEnum,
    every_row: bool,
    refused: Path | None,
) -> list[str]:
    """The rows below a header, those that come back first, and where these are; rows that are done only on demand."""
    shown = [row for row in rows if every_row or row.verdict is not already]
    if not every_row:
        shown = sorted(shown, key=lambda row: not row.comes_back)[:MOST_SHOWN]
    lines = []
    if shown:
        table = [head, *map(cells, shown)]
        lines += ["", *columns([[printable(cell) for cell in row] for row in table], len(head), "  ")]
    if left := len(rows) - len(shown):
        lines.append(f"and {left:,} more (--all lists every row)")
    if refused:
        lines += ["", f"{refused}: the rows that come back, with the reason of each; mend them and send it again."]
    return [*lines, "", "Nothing was sent to REVER."]
