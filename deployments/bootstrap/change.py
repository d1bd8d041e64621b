"""What bootstrap did with one thing, or, when it only checks, would do."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from prefect.exceptions import ObjectAlreadyExists

Act = Callable[[], Awaitable[object]]


class Outcome(StrEnum):
    """What became of a thing on the server."""

    MADE = "made"
    CHANGED = "changed"
    LEFT = "left"


_CHECKED = {Outcome.MADE: "would make", Outcome.CHANGED: "would change", Outcome.LEFT: "leaves"}


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the account: what, what became of it, and what differed or is worth knowing."""

    outcome: Outcome
    what: str
    words: str = ""

    def line(self, *, check: bool = False) -> str:
        """As it is printed."""
        did = _CHECKED[self.outcome] if check else self.outcome
        return f"{did:<{12 if check else 8}} {self.what}{f': {self.words}' if self.words else ''}"


async def put(
    what: str, *, check: bool, there: bool, make: Act, mend: Act, differs: Sequence[str] = (), left: str = ""
) -> Change:
    """Make a thing that is not there, mend one that differs, leave the rest; with `check` only say so."""
    if not there:
        if not check:
            # There by now: somebody did the same at this moment, or the client asked again after an answer was lost.
            with suppress(ObjectAlreadyExists):
                await make()
        return Change(Outcome.MADE, what)
    if differs:
        if not check:
            await mend()
        return Change(Outcome.CHANGED, what, ", ".join(differs))
    return Change(Outcome.LEFT, what, left)
