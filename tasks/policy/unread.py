"""The hold of a return that cannot be read: nothing is known of it but its id, so nothing may be done for it."""

from dataclasses import dataclass

from tasks.policy.decision import Hold
from tasks.policy.record import HoldKind

UNREADABLE = "unreadable"
"""The rule of a return in which a field that money hangs on cannot be read."""

READ_DENIED = "read_denied"
"""The rule of a return that REVER's list shows, and of which its read by id says that there is none."""

UNREAD_RULES = frozenset({UNREADABLE, READ_DENIED})
"""The rules whose holds end once the return can be read by its id."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Why a return could not be read: `found` names fields and what was found in them, "" where REVER has no such."""

    found: str = ""


def unread_hold(unread: Unread) -> Hold:
    """Hold a return that cannot be read."""
    if unread.found:
        why = f"REVER's answer about this return cannot be read: {unread.found}"
        return Hold(UNREADABLE, why, HoldKind.UNREADABLE, {"found": unread.found})
    why = "REVER's list shows this return, and its read by id says that there is none of this id"
    return Hold(READ_DENIED, why, HoldKind.UNREADABLE, {"found": "nothing"})
