"""Whether an effect that was sent is to be seen at REVER: the counts before it, and the judgement after it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from rever_api.models import ReturnProcess
from tasks.policy.decision import ExchangeDueItem
from tasks.policy.money import shown
from tasks.policy.reading import exchange_shown, refunds_shown
from tasks.policy.record import Intent, IntentKind


@dataclass(frozen=True, slots=True)
class Seen:
    """The effect is at REVER: the intent is done, by this evidence."""

    evidence: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NotYet:
    """Nothing can be said yet; look again at `look_at`."""

    look_at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Held:
    """A person must look: the effect is not to be seen after all this time, or something else is there instead."""

    why: str
    evidence: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


Verdict = Seen | NotYet | Held


def snapshot(
    kind: IntentKind,
    method: str,
    amount: Decimal,
    currency: str,
    process: ReturnProcess,
    exchange_items: tuple[ExchangeDueItem, ...] = (),
) -> dict[str, Any]:
    """Count what `judge` compares, just before the call: JSON values only, no personal data.

    The ledger adds `ledger_knew`, the number of like intents it knew as done when this one was marked `sent`.
    """
    match kind:
        case IntentKind.REFUND:
            return {"same": _same(process, method, amount, currency), "refunds": len(refunds_shown(process))}
        case IntentKind.EXCHANGE:
            variants = sorted({item.variant_id for item in exchange_items})
            return {"exchange_order": exchange_shown(process) is not None, "variants": variants}
        case IntentKind.LABEL:
            return {"logistics": len(process.logistics or ())}


def judge(
    intent: Intent, snapshot: Mapping[str, Any], process: ReturnProcess, *, now: datetime, settle_at: datetime
) -> Verdict:
    """Judge an open intent by a fresh read of its process and the snapshot taken before it was sent.

    Something else than what was sent is held at once; nothing at all, or a read that does not tell, only from
    `settle_at` on.
    """
    match intent.kind:
        case IntentKind.REFUND:
            verdict = _refund(intent, snapshot, process)
        case IntentKind.EXCHANGE:
            verdict = _exchange(intent, snapshot, process)
        case IntentKind.LABEL:
            verdict = _label(snapshot, process)
    if not isinstance(verdict, str):
        return verdict
    if now < settle_at:
        return NotYet(settle_at, verdict)
    waited = f"{verdict}, {_minutes(settle_at, intent)}; whether it was done is not known"
    return Held(waited, {"snapshot": str(dict(snapshot)), "settle_at": settle_at.isoformat(timespec="seconds")})


def _refund(intent: Intent, before: Mapping[str, Any], process: ReturnProcess) -> Seen | Held | str:
    """One more of this type, amount and currency than snapshot and ledger knew, and nothing else more."""
    if process.compensation is None or process.compensation.refunds is None:
        return "REVER's answer does not tell the refunds"
    paid = f"{shown(intent.amount, intent.currency)} by {intent.method}"
    same, everything = _same(process, intent.method, intent.amount, intent.currency), len(refunds_shown(process))
    known = max(_count(before, "same"), _count(before, "ledger_knew"))
    others = (everything - same) - (_count(before, "refunds") - _count(before, "same"))
    evidence = {"refunds like this": str(same), "known before": str(known), "all refunds": str(everything)}
    if same - known > 1:
        return Held(f"REVER shows {same - known} more refunds of {paid} where one was sent", evidence)
    if others > 0:
        return Held(f"REVER shows another new refund beside, or instead of, the one of {paid} that was sent", evidence)
    return Seen(evidence) if same - known == 1 else f"REVER does not show the refund of {paid} that was sent"


def _exchange(intent: Intent, before: Mapping[str, Any], process: ReturnProcess) -> Seen | Held | str:
    """An exchange order where none was, of the variants that were asked for."""
    if process.compensation is None:
        return "REVER's answer does not tell the exchange"
    order = exchange_shown(process)
    if order is None:
        return "REVER does not show the exchange that was sent"
    if before.get("exchange_order") or _count(before, "ledger_knew"):
        return "REVER showed an exchange order before, so a new one cannot be told from it"
    ordered = sorted({item.variant_id for item in order.ordered_items if item.variant_id})
    wanted = sorted(before.get("variants") or _chosen(intent, process))
    evidence = {"ordered": ", ".join(ordered), "wanted": ", ".join(wanted)}
    if not ordered:
        return "REVER shows an exchange order without saying of what"
    units = sum(item.quantity for item in intent.items)
    if ordered != wanted or (units and len(order.ordered_items) > units):
        return Held("REVER shows an exchange order of other items than were asked for", evidence)
    return Seen(evidence)


def _label(before: Mapping[str, Any], process: ReturnProcess) -> Seen | Held | str:
    """One more parcel than snapshot and ledger knew. Cancelled ones count on both sides: they were made once."""
    if process.logistics is None:
        return "REVER's answer does not tell the parcels"
    parcels, known = len(process.logistics), max(_count(before, "logistics"), _count(before, "ledger_knew"))
    evidence = {"parcels": str(parcels), "known before": str(known)}
    if parcels - known > 1:
        return Held(f"REVER shows {parcels - known} more parcels where one label was asked for", evidence)
    return Seen(evidence) if parcels - known == 1 else "REVER does not show the label that was asked for"


def _same(process: ReturnProcess, method: str, amount: Decimal, currency: str) -> int:
    """The refunds of this type, amount and currency that REVER shows."""
    alike = (it for it in refunds_shown(process) if (it.type, it.amount, it.currency) == (method, amount, currency))
    return sum(1 for _ in alike)


def _chosen(intent: Intent, process: ReturnProcess) -> set[str]:
    """The variants that the intent's lines ask for, where the snapshot does not name them."""
    ours = {item.line_id for item in intent.items}
    lines = (line for line in process.return_line_items if line.id in ours)
    return {line.exchange_for.variant_id for line in lines if line.exchange_for}


def _count(before: Mapping[str, Any], name: str) -> int:
    """A count of the snapshot, 0 where it is not there."""
    found = before.get(name)
    return found if isinstance(found, int) else 0


def _minutes(settle_at: datetime, intent: Intent) -> str:
    """How long was waited, in words."""
    if intent.sent_at is None:
        return "though it was waited for long enough"
    minutes = (settle_at - intent.sent_at).total_seconds() / 60
    return f"though {minutes:.0f} minutes were waited" if minutes >= 1 else "though it was waited for long enough"
