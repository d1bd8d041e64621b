"""What the ledger's audit tells of one effect: each step with its time, and whether evidence settled it. Pure."""

from collections.abc import Sequence

from deployments.demo.promises import Promise
from rever_api.sandbox.state import Effect
from tasks.ledger import AuditRow, History

TELLING = ("why", "attempt", "by", "refunds like this", "known before")
"""The evidence that a reader of the trail is shown."""


def trail_of(known: History, effect: Effect) -> list[AuditRow]:
    """The audit rows of the intent that had this effect, in their order."""
    wanted = (effect.type, effect.amount, effect.currency)
    ids = {
        row.intent.id for row in known.intents if (row.intent.method, row.intent.amount, row.intent.currency) == wanted
    }
    return [row for row in known.audit if row.intent_id in ids]


def step_words(row: AuditRow) -> str:
    """One step in a line: time (UTC), what happened, on what evidence."""
    words = ", ".join(f"{name}: {row.evidence[name]}" for name in TELLING if name in row.evidence)
    return f"{row.at:%H:%M:%S}  {row.event:<8}  {words}"


def settled_by_evidence(trail: Sequence[AuditRow]) -> Promise:
    """That an effect was sent once, became unknown, and was found done at REVER."""
    events = [row.event for row in trail]
    kept = events.count("sent") == 1 and "unknown" in events and events[-1] == "done"
    kept = kept and "evidence" in str(trail[-1].evidence.get("by", ""))
    words = "sent once, then found done at REVER" if kept else " -> ".join(events)
    return Promise("unanswered refund", words, kept)
