"""The doctor's findings for a terminal and as JSON. Pure."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any

from deployments.doctor.line import Line, State, sound

WIDTH = 118


def lines_text(lines: Sequence[Line]) -> str:
    """One paragraph for each line, what to do below it, and the sum of it all."""
    wide = max(len(line.name) for line in lines)
    told = [_paragraph(line, wide) for line in lines]
    counts = Counter(line.state for line in lines)
    total = ", ".join(f"{counts[state]} {state}" for state in State if counts[state])
    return "\n".join([*told, "", f"{total}."])


def lines_json(lines: Sequence[Line]) -> dict[str, Any]:
    """`ok` is false where something is broken; `checks` are the lines in their order."""
    checks = [{"name": line.name, "state": str(line.state), "found": line.found, "to_do": line.to_do} for line in lines]
    return {"ok": sound(lines), "checks": checks}


def _paragraph(line: Line, wide: int) -> str:
    head = f"{line.state:<11}  {line.name:<{wide}}  "
    found = textwrap.fill(line.found, WIDTH, initial_indent=head, subsequent_indent=" " * len(head), **_WHOLE)
    if not line.to_do:
        return found
    below = " " * len(head)
    to_do = textwrap.fill(line.to_do, WIDTH, initial_indent=f"{below}-> ", subsequent_indent=f"{below}   ", **_WHOLE)
    return f"{found}\n{to_do}"


_WHOLE: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}
"""A path or a command is not cut in two."""
