"""The last look at a return and the mark `sent` in one transaction: nothing of ours comes between them."""

from datetime import datetime
from typing import TYPE_CHECKING

from rever_api.models import ReturnProcess
from tasks.ledger import Actor, Claim, SendVerdict, Sent, load_records, mark_sent, note_paid_elsewhere
from tasks.policy.covering import covers
from tasks.policy.decide import decide
from tasks.policy.decision import Adopt
from tasks.policy.label import decide_label
from tasks.policy.record import IntentKind
from tasks.policy.rules import StoreRules

if TYPE_CHECKING:
    from sqlalchemy import Connection


def mark_if_due(
    conn: "Connection", sent: Sent, process: ReturnProcess, rules: StoreRules, *, now: datetime, actor: Actor
) -> SendVerdict | str:
    """Decide anew by what REVER has just shown; where it still asks for this effect, mark it `sent`.

    Answers the verdict of `mark_sent`, or why the effect is no longer due: then nothing is sent.
    """
    changed = _no_longer_due(conn, sent.claim, process, rules, now, actor)
    return changed or mark_sent(
        conn, sent.claim, snapshot=sent.snapshot, deadline=sent.deadline, settle_at=sent.settle_at, now=now, actor=actor
    )


def _no_longer_due(
    conn: "Connection", claim: Claim, process: ReturnProcess, rules: StoreRules, now: datetime, actor: Actor
) -> str:
    """Why the fresh read no longer asks for this effect; empty where it still does. Notes who was faster."""
    record = load_records(conn, [claim.process_id])[claim.process_id].without(claim.intent.id)
    again = decide_label if claim.intent.kind is IntentKind.LABEL else decide
    decision = again(process, rules, record, now)
    if covers(decision, claim.intent, claim.exchange_items, claim.label):
        return ""
    if isinstance(decision, Adopt) and decision.paid_elsewhere:
        note_paid_elsewhere(conn, {claim.process_id: decision.paid_elsewhere}, now=now, actor=actor)
    return f"read again before the call, it is no longer due: {decision.why}"
