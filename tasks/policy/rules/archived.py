"""The rule for a return that was over long ago and was archived: a person looks before money goes out for it again."""

from tasks.policy.case import Case
from tasks.policy.clocks import clock_time
from tasks.policy.decision import Hold
from tasks.policy.record import HoldKind

ARCHIVED = "archived"
"""The rule of the hold."""


def archived(case: Case) -> Hold | None:
    """Money or goods are due for a return that was wholly over for so long that its history was archived.

    What was done for it the ledger knows as before, unit by unit: asked about is only what is due beyond that.
    """
    due, at = case.due, case.record.archived_at
    if at is None or not (due.amount or due.exchange):
        return None
    why = (
        f"the return was over long ago, and archived at {clock_time(at)}; a person looks at it before it is paid again"
    )
    amount = due.amount or (due.exchange.gross if due.exchange else None)
    return case.hold(ARCHIVED, HoldKind.APPROVAL, why, {"archived": clock_time(at)}, amount=amount)
