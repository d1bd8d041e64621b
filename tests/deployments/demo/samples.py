"""Rows of a ledger and effects of a book, as few words as a test of the demo needs."""

from datetime import UTC, date, datetime
from decimal import Decimal

from rever_api.sandbox.state import Actor, Effect
from tasks.ledger import AuditRow, HoldRow, IntentRow, Unfinished
from tasks.policy.record import Intent, IntentKind, IntentState

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def done(
    process_id: str = "retp_1",
    amount: str = "0",
    *,
    store: str = "acme",
    currency: str = "EUR",
    kind: IntentKind = IntentKind.REFUND,
    adopted: bool = False,
    nothing_sent: bool = False,
    why: str = "",
) -> IntentRow:
    """An effect that is done."""
    intent = Intent(
        id=f"i-{process_id}-{kind}-{amount}",
        kind=kind,
        state=IntentState.DONE,
        method="GIFT_CARD" if kind is IntentKind.REFUND else "",
        currency=currency if kind is IntentKind.REFUND else "",
        amount=Decimal(amount),
        adopted=adopted,
        nothing_sent=nothing_sent,
    )
    return IntentRow(intent, process_id, store, "rule", why, {}, 1, NOW, date(2026, 11, 23))


def hold(process_id: str, store: str = "acme") -> HoldRow:
    """An open hold."""
    return HoldRow("h-1", 1, process_id, store, "#1", "guard", "cap", "too much", {}, NOW, None, "", False, "", {})


def waits(process_id: str, store: str = "acme", decision: str = "wait", *, held: bool = False) -> Unfinished:
    """A return that is not at its end."""
    return Unfinished(process_id, store, decision, "wait_goods", "waiting", NOW, held)


def effect(
    process_id: str = "retp_1", amount: str | None = "10.00", operation: str = "issueRefund", by: Actor = Actor.API
) -> Effect:
    """An entry of REVER's books."""
    return Effect(
        number=1,
        at=NOW,
        process_id=process_id,
        store="acme",
        operation=operation,
        by=by,
        status_before="RUNNING",
        amount=None if amount is None else Decimal(amount),
        currency="EUR",
        type="GIFT_CARD",
    )


def step(event: str, intent_id: str = "i-1", **evidence: str) -> AuditRow:
    """One row of the audit."""
    return AuditRow(1, "retp_1", NOW, "flow", event, "rule", evidence, "10.00", "EUR", intent_id, "", "")
