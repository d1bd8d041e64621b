"""What one check found, and the rule by which many of them are one verdict."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a line stands. Only `broken` is a failure."""

    OK = "ok"
    ATTENTION = "attention"
    BROKEN = "broken"
    NOT_USED = "not used"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what was looked at, how it stands, what was found, and what to do ("" where there is nothing to do)."""

    name: str
    state: State
    found: str
    to_do: str = ""


def ok(name: str, found: str) -> Line:
    """All is well."""
    return Line(name, State.OK, found)


def attention(name: str, found: str, to_do: str) -> Line:
    """It works, and a person should know."""
    return Line(name, State.ATTENTION, found, to_do)


def broken(name: str, found: str, to_do: str) -> Line:
    """It does not work until a person has done something."""
    return Line(name, State.BROKEN, found, to_do)


def not_used(name: str, found: str) -> Line:
    """It is not set up, and need not be."""
    return Line(name, State.NOT_USED, found)


def sound(lines: Iterable[Line]) -> bool:
    """Whether nothing is broken."""
    return all(line.state is not State.BROKEN for line in lines)
