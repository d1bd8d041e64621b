"""Between rows and values: intents, holds, claims."""

import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sqlalchemy import Row

from tasks.ledger.types import Claim
from tasks.policy.decision import ExchangeDueItem, MakeLabel
from tasks.policy.record import HoldKind, Intent, IntentKind, IntentState, LineTerms, LineUnits, OpenHold, PaidSeen


def new_id() -> str:
    """An opaque id, unique without asking anybody."""
    return uuid4().hex


def new_token() -> str:
    """What makes a claim somebody's: nobody else can guess or repeat it."""
    return secrets.token_hex(16)


def items_json(items: Iterable[LineUnits]) -> dict[str, list[int]]:
    """Line -> unit numbers, in the order of the items."""
    found: dict[str, list[int]] = {}
    for item in items:
        found.setdefault(item.line_id, []).extend(item.units)
    return found


def items_of(found: Mapping[str, list[int]]) -> tuple[LineUnits, ...]:
    """The reverse of `items_json`."""
    return tuple(LineUnits(line, tuple(units)) for line, units in found.items())


def exchange_json(items: Iterable[ExchangeDueItem]) -> list[dict[str, Any]]:
    """What an exchange sends, for the intent's details."""
    return [
        {"line": i.line_id, "variant": i.variant_id, "product": i.product_id, "units": list(i.units)} for i in items
    ]


def exchange_of(details: Mapping[str, Any]) -> tuple[ExchangeDueItem, ...]:
    """The reverse of `exchange_json`."""
    return tuple(
        ExchangeDueItem(i["line"], i["variant"], i["product"], tuple(i["units"])) for i in details.get("exchange", ())
    )


def label_json(label: MakeLabel) -> dict[str, str]:
    """What a label needs, for the intent's details."""
    return {"provider": label.provider, "carrier": label.carrier, "return_method": label.return_method}


def terms_json(terms: Mapping[str, LineTerms]) -> dict[str, list[str]]:
    """Lines as they were when a hold was opened: line -> total, quantity, currency."""
    return {line: [format(t.total, "f"), str(t.quantity), t.currency] for line, t in terms.items()}


def terms_of(details: Mapping[str, Any]) -> dict[str, LineTerms]:
    """The reverse of `terms_json`."""
    return {
        line: LineTerms(Decimal(total), int(quantity), currency)
        for line, (total, quantity, currency) in details.get("terms", {}).items()
    }


def paid_json(seen: PaidSeen | None) -> dict[str, Any] | None:
    """What REVER showed as paid of a refund, for its row; NULL where nobody has looked."""
    if seen is None:
        return None
    since = seen.since.astimezone(UTC).isoformat()
    return {"paid": format(seen.paid, "f"), "most": format(seen.most, "f"), "since": since, "dated": seen.dated}


def paid_of(found: Mapping[str, Any] | None) -> PaidSeen | None:
    """The reverse of `paid_json`."""
    if found is None:
        return None
    since = datetime.fromisoformat(found["since"])
    return PaidSeen(Decimal(found["paid"]), Decimal(found["most"]), since, found["dated"])


def intent_of(row: Row[Any]) -> Intent:
    """The intent of a whole row of `intents`."""
    return Intent(
        id=row.id,
        kind=IntentKind(row.kind),
        state=IntentState(row.state),
        items=items_of(row.items),
        method=row.method,
        currency=row.currency,
        amount=row.amount,
        gross=row.gross,
        generation=row.generation,
        created_at=row.created_at,
        sent_at=row.sent_at,
        look_at=row.look_at,
        told_no_until=row.look_at if row.state == IntentState.WITHDRAWN else None,
        error_code=row.error_code,
        reason=row.evidence.get("reason", "") if row.state == IntentState.REFUSED else "",
        carrier=_carrier(row.details),
        adopted=row.adopted,
        nothing_sent=row.nothing_sent,
        paid_seen=paid_of(row.paid_seen),
    )


def _carrier(details: Mapping[str, Any]) -> str:
    """`PROVIDER/CARRIER` that a label was asked of; empty for other kinds, and where a person took care of it."""
    label = details.get("label", {})
    return f"{label['provider']}/{label['carrier']}" if label.get("carrier") else ""


def claim_of(row: Row[Any]) -> Claim:
    """The claim on the intent of a whole row, for who holds its token."""
    intent = intent_of(row)
    label = None
    if intent.kind is IntentKind.LABEL:
        label = MakeLabel(row.rule, row.why, row.generation, **row.details["label"])
    return Claim(intent, row.token, row.process_id, row.store, exchange_of(row.details), label)


def hold_of(row: Row[Any]) -> OpenHold:
    """The hold of a whole row of `holds`, as the rules see it."""
    return OpenHold(
        id=row.id,
        version=row.version,
        kind=HoldKind(row.kind),
        rule=row.rule,
        why=row.why,
        since=row.since,
        label=row.label,
        amount=row.amount,
        currency=row.currency,
        intent_id=row.intent_id,
    )


def unit_rows(process_id: str, intent: Intent) -> list[dict[str, Any]]:
    """One row per unit that the intent covers; a label's is its generation."""
    shared = {"process_id": process_id, "intent_id": intent.id}
    if intent.kind is IntentKind.LABEL:
        return [shared | {"space": "label", "line_id": "", "n": intent.generation}]
    return [
        shared | {"space": "compensation", "line_id": item.line_id, "n": n} for item in intent.items for n in item.units
    ]


def intent_row(
    intent: Intent,
    *,
    process_id: str,
    store: str,
    day: Any,
    now: datetime,
    rule: str,
    why: str,
    lease_until: datetime | None = None,
    details: Mapping[str, Any] | None = None,
    evidence: Mapping[str, Any] | None = None,
    counted: bool = False,
) -> dict[str, Any]:
    """A whole new row of `intents`; one that is not open is closed from the start. The token is fresh."""
    return {
        "id": intent.id,
        "process_id": process_id,
        "store": store,
        "kind": intent.kind,
        "state": intent.state,
        "method": intent.method,
        "currency": intent.currency,
        "amount": intent.amount,
        "gross": intent.gross,
        "generation": intent.generation,
        "items": items_json(intent.items),
        "details": dict(details or {}),
        "token": new_token(),
        "lease_until": lease_until or now,
        "snapshot": {},
        "look_at": intent.look_at,
        "rule": rule,
        "why": why,
        "evidence": dict(evidence or {}),
        "adopted": intent.adopted,
        "nothing_sent": intent.nothing_sent,
        "paid_seen": paid_json(intent.paid_seen),
        "counted": counted,
        "day": day,
        "created_at": now,
        "closed_at": None if intent.open else now,
    }
