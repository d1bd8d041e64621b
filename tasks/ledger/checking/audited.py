"""Whether the audit is whole: each return's chain unbroken to its end, and each effect's state told by a step."""

from collections import defaultdict
from collections.abc import Iterator

from sqlalchemy import Connection, select

from tasks.ledger.chain import Head
from tasks.ledger.checking.finding import Finding
from tasks.ledger.schema import audit, chains, intents
from tasks.policy.record import IntentState

TOLD_BY = {
    IntentState.INTENDED: {"intended"},
    IntentState.SENT: {"sent"},
    IntentState.UNKNOWN: {"unknown"},
    IntentState.DONE: {"done", "adopted", "nothing_to_send"},
    IntentState.REFUSED: {"refused"},
    IntentState.WITHDRAWN: {"withdrawn"},
    IntentState.DONE_BY_HAND: {"answered"},
    IntentState.DROPPED: {"answered"},
}
"""State -> the steps of which one must have been written when an intent came to it."""


def check(conn: Connection) -> Iterator[Finding]:
    """Yield chains that are broken or cut, and effects whose state no step tells."""
    heads: dict[str, Head] = defaultdict(Head)
    broken: set[str] = set()
    told: dict[str, set[str]] = defaultdict(set)
    for row in conn.execute(select(audit).order_by(audit.c.id)):
        told[row.intent_id].add(row.event)
        if heads[row.process_id].link(row._asdict()) != row.hash and row.process_id not in broken:
            broken.add(row.process_id)
            steps = heads[row.process_id].steps
            why = (
                f"step {steps} ({row.event}, row {row.id}) does not follow from the one before: changed, or one is gone"
            )
            yield Finding("audit", row.process_id or "the ledger itself", why)
    ends = {row.process_id: row for row in conn.execute(select(chains))}
    for process_id in sorted({*heads, *ends} - broken):
        head, end = heads.get(process_id, Head()), ends.get(process_id)
        known = (end.steps, end.head) if end else (0, "")
        if known != (head.steps, head.hash):
            why = f"there are {head.steps} steps where {known[0]} were written: the last ones were changed or removed"
            yield Finding("audit", process_id or "the ledger itself", why)
    for row in conn.execute(select(intents.c.id, intents.c.process_id, intents.c.state)):
        if not told[row.id] & TOLD_BY[IntentState(row.state)]:
            why = f"effect {row.id} is {IntentState(row.state).replace('_', ' ')}, and no step of the audit says so"
            yield Finding("audit", row.process_id, why)
