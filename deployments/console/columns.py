"""Rows of text as aligned lines, where no line is to be broken."""

from collections.abc import Sequence


def columns(cells: Sequence[Sequence[str]], left: int, gap: str = "   ") -> list[str]:
    """Rows of text as aligned lines: the first `left` columns to the left, the others, numbers, to the right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        gap.join(
            text.ljust(width) if place < left else text.rjust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
