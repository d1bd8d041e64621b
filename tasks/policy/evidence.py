"""Whether an effect that was sent is to be seen at REVER: the counts before it, and the judgement after it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from rever_api.models import Refund, ReturnProcess
from tasks.policy.comparison import Standing
from tasks.policy.decision import ExchangeDueItem
from tasks.policy.facts import exchange_shown, paid_of, refunds_shown, strange
from tasks.policy.money import shown
from tasks.policy.record import Intent, IntentKind, PaidSeen


@dataclass(frozen=True, slots=True)
class Seen:
    """The effect is at REVER: the intent is done, by this evidence. `paid` says how much of a refund REVER has paid."""

    evidence: Mapping[str, str]
    paid: PaidSeen | None = field(default=None, compare=False)


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

    The ledger adds `ledger_knew`, the number of like intents it knew as done when this one was marked `sent`, and
    `ledger_paid`, what its done refunds of this type and currency came to.
    """
    match kind:
        case IntentKind.REFUND:
            return {
                "same": len(_same(process, method, amount, currency)),
                "refunds": len(refunds_shown(process)),
                "of_type": sorted(str(it.amount) for it in _of_type(process, method, currency)),
            }
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
            verdict = _refund(intent, snapshot, process, now)
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


def _refund(intent: Intent, before: Mapping[str, Any], process: ReturnProcess, now: datetime) -> Seen | Held | str:
    """One more of this type, amount and currency than snapshot and ledger knew, and nothing else more; or its legs."""
    if process.compensation is None or process.compensation.refunds is None:
        return "REVER's answer does not tell the refunds"
    of_type = _of_type(process, intent.method, intent.currency)
    for it in of_type:
        if how := strange(it):
            return Held(f"REVER shows a refund by {intent.method} of which what is still to be paid {how}")
    alike, everything = [it for it in of_type if it.amount == intent.amount], len(refunds_shown(process))
    new = len(alike) - max(_count(before, "same"), _count(before, "ledger_knew"))
    others = (everything - len(alike)) - (_count(before, "refunds") - _count(before, "same"))
    legs = _legs(intent, before, process) if new < 1 else ()
    if legs:
        return _in_legs(intent, before, legs, now)
    paid = f"{shown(intent.amount, intent.currency)} by {intent.method}"
    evidence = {
        "refunds like this": str(len(alike)),
        "known before": str(len(alike) - new),
        "all refunds": str(everything),
    }
    if new > 1 or others > 0:
        many = f"REVER shows {new} more refunds of {paid} where one was sent"
        another = f"REVER shows another new refund beside, or instead of, the one of {paid} that was sent"
        return Held(many if new > 1 else another, evidence)
    if new < 1:
        return f"REVER does not show the refund of {paid} that was sent"
    return Seen(evidence, Standing.of(intent, [min(alike, key=paid_of)]).seen(now))


def _in_legs(intent: Intent, before: Mapping[str, Any], legs: Sequence[Refund], now: datetime) -> Seen | str:
    """The new refunds come to what was sent. Where the view before was an old one, they may be older ones of ours."""
    words = " + ".join(str(it.amount) for it in legs)
    if sum(Decimal(it) for it in before["of_type"]) < Decimal(str(before.get("ledger_paid", 0))):
        paid = f"{shown(intent.amount, intent.currency)} by {intent.method}"
        return f"REVER shows {words} in place of {paid}, and its view before the call may have been an old one"
    return Seen({"legs": words}, Standing.of(intent, legs).seen(now))


def _exchange(intent: Intent, before: Mapping[str, Any], process: ReturnProcess) -> Seen | Held | str:
    """An exchange order where none was, of the variants that were asked for, or of some: it may be filled in part."""
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
    if not set(ordered) <= set(wanted) or (units and len(order.ordered_items) > units):
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


def _same(process: ReturnProcess, method: str, amount: Decimal, currency: str) -> list[Refund]:
    """The refunds of this type, amount and currency that REVER shows."""
    return [it for it in _of_type(process, method, currency) if it.amount == amount]


def _of_type(process: ReturnProcess, method: str, currency: str) -> list[Refund]:
    """The refunds of this type and currency that REVER shows."""
    return [it for it in refunds_shown(process) if (it.type, it.currency) == (method, currency)]


def _legs(intent: Intent, before: Mapping[str, Any], process: ReturnProcess) -> tuple[Refund, ...]:
    """The new refunds of the type, where they are several, come to the amount exactly, and are all that has changed."""
    known = before.get("of_type")
    shown_now = _of_type(process, intent.method, intent.currency)
    elsewhere = len(refunds_shown(process)) - len(shown_now)
    if not isinstance(known, list) or elsewhere != _count(before, "refunds") - len(known):
        return ()
    left, new = Counter(Decimal(it) for it in known), []
    for it in shown_now:
        if left[it.amount] > 0:
            left[it.amount] -= 1
        else:
            new.append(it)
    exact = len(new) > 1 and all(it.amount > 0 for it in new) and sum(it.amount for it in new) == intent.amount
    return tuple(new) if exact and not +left else ()


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
