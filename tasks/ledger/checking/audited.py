"""Whether the audit is whole: each return's chain unbroken to its end, and each effect's state told by a step."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, select

from tasks.ledger.chain import Head
from tasks.ledger.checking.finding import Finding
from tasks.ledger.schema import audit, chains, intents, words
from tasks.ledger.words import IN_AUDIT, digest
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


def check_audit(conn: Connection) -> Iterator[Finding]:
    """Yield chains that are broken or cut, effects whose state no step tells, and REVER's words that were changed."""
    heads: dict[str, Head] = defaultdict(Head)
    broken: set[str] = set()
    told: dict[str, set[str]] = defaultdict(set)
    hashed: dict[str, str] = {}
    for row in conn.execute(select(audit).order_by(audit.c.id)):
        told[row.intent_id].add(row.event)
        if IN_AUDIT in row.evidence:
            hashed[str(row.evidence[IN_AUDIT])] = row.process_id
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
    yield from _words(conn, hashed)


def _words(conn: Connection, hashed: Mapping[str, str]) -> Iterator[Finding]:
    """Compare REVER's words with the hashes in the audit; those that were forgotten on request have only the hash."""
    missing = dict(hashed)
    for row in conn.execute(select(words).order_by(words.c.seq)):
        named = missing.pop(row.digest, None)
        if named != row.process_id:
            yield Finding("audit", row.process_id, "REVER's words are kept that no step of the audit names")
        elif row.forgotten_at is None and digest(row.salt, row.text) != row.digest:
            yield Finding("audit", row.process_id, "REVER's words are not those that the audit has the hash of")
    for process_id in sorted(set(missing.values())):
        yield Finding("audit", process_id, "REVER's words, which the audit has the hash of, are gone")
