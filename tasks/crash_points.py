"""Named points at which a test may kill or stop this process. Off, which is always but in those tests, a point costs
one comparison. The names are those of the crash matrix.
"""

from collections.abc import Callable
from enum import StrEnum


class CrashPoint(StrEnum):
    """Where a worker can die, in the order in which it comes by."""

    BEFORE_INTENT = "before the intent"
    AFTER_CLAIM = "after the claim, before the second read"
    AFTER_SENT = "after sent, before the request"
    AFTER_ANSWER = "after the answer is read"
    BETWEEN_REFUNDS = "between two effects of one return"
    WHILE_SETTLING = "while settling"
    WHILE_ANSWERING = "while a hold is answered"
    BEFORE_FILE_NOTED = "before it is noted that a file is taken"
    AFTER_FILE_NOTED = "before a file that is taken is put away"
    ARCHIVE_WRITTEN = "before an archive that is written gets its name"
    ARCHIVE_NAMED = "before the rows of an archive leave the ledger"
    ARCHIVE_REMOVING = "before it is committed that they leave"
    ARCHIVE_DONE = "after the rows of an archive have left"


_armed: list[Callable[[CrashPoint, str], None]] = []


def arm(fire: Callable[[CrashPoint, str], None]) -> None:
    """Have `fire(point, process_id)` called at every point from now on, in this process."""
    _armed.append(fire)


def reached(point: CrashPoint, process_id: str = "") -> None:
    """Say that this point is reached for a return ("" for a batch)."""
    if _armed:
        for fire in _armed:
            fire(point, process_id)
