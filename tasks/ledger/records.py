"""What the ledger knows of many returns, as the rules see it: a few queries, however many returns.

Also the way between rows and values: intents, holds, claims.
"""

import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, Select, bindparam, exists, func, select

from tasks.database.engines import chunks
from tasks.database.lists import among
from tasks.ledger.parcels import parcels_of
from tasks.ledger.schema import holds, intents, ledger, lines, order_shipping, records, waivers
from tasks.ledger.types import Claim
from tasks.policy.kinds import KINDS
from tasks.policy.kinds.label import parcels_read
from tasks.policy.kinds.register_label import MADE_LABEL
from tasks.policy.record import (
    MADE,
    MONEY_KINDS,
    SHIPPING,
    FeeTerms,
    HoldKind,
    Intent,
    IntentKind,
    IntentState,
    LineTerms,
    LineUnits,
    OpenHold,
    OrderShipping,
    PaidSeen,
    ParcelChange,
    Record,
    Replaced,
    Waiver,
)
from tasks.policy.replaced import reissues
from tasks.policy.return_facts import ShippingPart

# Between rows and values: intents, holds, claims.


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


def terms_json(terms: Mapping[str, LineTerms]) -> dict[str, list[str]]:
    """Lines as they were when a hold was opened: line -> total, quantity, currency, rounding."""
    return {line: [format(t.total, "f"), str(t.quantity), t.currency, t.rounding] for line, t in terms.items()}


def terms_of(details: Mapping[str, Any]) -> dict[str, LineTerms]:
    """The reverse of `terms_json`. Holds of before the rounding was written down have lines that round half up."""
    return {
        line: LineTerms(Decimal(total), int(quantity), currency, *(rounding or ["half_up"]))
        for line, (total, quantity, currency, *rounding) in details.get("terms", {}).items()
    }


def terms_row(process_id: str, line_id: str, terms: LineTerms) -> dict[str, Any]:
    """A line's terms as a row of `lines`."""
    return {
        "process_id": process_id,
        "line_id": line_id,
        "total": terms.total,
        "quantity": terms.quantity,
        "currency": terms.currency,
        "rounding": terms.rounding,
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


SAYS = "says"
"""Under this name the details of a hold have what a file says of the inspected units: line -> status -> units."""

EXEMPT, BONUS, BONUS_SUM, FEE = "exempt", "bonus", "bonus_sum", "fee"
"""Under these names the details of a refund have the value of its units that bear no costs, what is paid on top, how
much of that is a fixed sum, and what fees in percent take off."""

FEE_TERMS = "fee_terms"
"""Under this name they have those fees: line -> the rule, how many percent, and the bounds."""


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
        carrier=carrier_of(row.details),
        **parcels_of_label(row.details),
        adopted=row.adopted,
        nothing_sent=row.nothing_sent,
        paid_seen=paid_of(row.paid_seen),
        made=str(row.evidence.get(MADE, "")) if row.state == IntentState.DONE else "",
        exempt=Decimal(row.details.get(EXEMPT, "0")),
        bonus=Decimal(row.details.get(BONUS, "0")),
        bonus_sum=Decimal(row.details.get(BONUS_SUM, "0")),
        fee=Decimal(row.details.get(FEE, "0")),
        fee_terms=fee_terms_of(row.details),
        source=row.details.get("new_return", {}).get("source", ""),
        shipping=shipping_of(row.details),
        replaces=Replaced(**row.details["replaces"]) if "replaces" in row.details else None,
    )


def fee_terms_json(terms: Iterable[tuple[str, FeeTerms]]) -> dict[str, dict[str, str]]:
    """The fees in percent of a refund's lines, for the details of its intent."""
    found = {}
    for line_id, it in terms:
        bounds = {"at_least": it.at_least, "at_most": it.at_most}
        told = {name: format(amount, "f") for name, amount in bounds.items() if amount is not None}
        found[line_id] = {"rule": it.rule, "percent": format(it.percent, "f"), **told}
    return found


def fee_terms_of(details: Mapping[str, Any]) -> tuple[tuple[str, FeeTerms], ...]:
    """The reverse of `fee_terms_json`."""
    bounds = ("at_least", "at_most")
    return tuple(
        (
            line_id,
            FeeTerms(
                it["rule"], Decimal(it["percent"]), *(Decimal(it[name]) if name in it else None for name in bounds)
            ),
        )
        for line_id, it in details.get(FEE_TERMS, {}).items()
    )


def shipping_json(shipping: OrderShipping) -> dict[str, Any]:
    """The part of an order's shipping that a refund has in it, for the details of its intent, or of a hold about it."""
    amounts = {name: format(getattr(shipping, name), "f") for name in ("amount", "worth", "whole")}
    return {SHIPPING: {"order_id": shipping.order_id, "number": shipping.number, **amounts}}


def shipping_of(details: Mapping[str, Any]) -> OrderShipping | None:
    """The reverse of `shipping_json`; None where there is none."""
    found = details.get(SHIPPING)
    if found is None:
        return None
    amounts = {name: Decimal(found[name]) for name in ("amount", "worth", "whole")}
    return OrderShipping(found["order_id"], found["number"], **amounts)


def shipping_row(shipping: OrderShipping, *, store: str, process_id: str, intent_id: str) -> dict[str, Any]:
    """A part of an order's shipping as a row of `order_shipping`."""
    number = {"store": store, "order_id": shipping.order_id, "number": shipping.number}
    return number | {"process_id": process_id, "intent_id": intent_id}


def carrier_of(details: Mapping[str, Any]) -> str:
    """`PROVIDER/CARRIER` that a label was asked of; empty for other kinds, and where a person took care of it."""
    label = details.get("label", {})
    return f"{label['provider']}/{label['carrier']}" if label.get("carrier") else ""


def parcels_of_label(details: Mapping[str, Any]) -> dict[str, Any]:
    """The parcels of the return as its label was asked for, and which of them the label is for."""
    made = details.get(MADE_LABEL, {})
    label = details.get("label", {}) or made
    if not label.get("carrier"):
        return {}
    return {"parcel": int(label.get("parcel", 0 if made else 1)), "parcels": parcels_read(label.get("parcels", ()))}


def claim_of(row: Row[Any]) -> Claim:
    """The claim on the intent of a whole row, for who holds its token."""
    intent = intent_of(row)
    content = KINDS[intent.kind].restored(intent, row.details, row.rule, row.why)
    return Claim(intent, row.token, row.process_id, row.store, content)


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
        says=row.details.get(SAYS, {}),
    )


def unit_rows(process_id: str, intent: Intent) -> list[dict[str, Any]]:
    """One row per unit that the intent takes."""
    shared = {"process_id": process_id, "intent_id": intent.id}
    keys = KINDS[intent.kind].key(intent)
    return [shared | {"space": space, "line_id": line_id, "n": n} for space, line_id, n in keys]


def _beside_gross(intent: Intent) -> dict[str, Any]:
    """The amounts of a refund by which it is not just its units' value less costs."""
    amounts = {EXEMPT: intent.exempt, BONUS: intent.bonus, BONUS_SUM: intent.bonus_sum, FEE: intent.fee}
    told: dict[str, Any] = {name: format(amount, "f") for name, amount in amounts.items() if amount}
    told |= {FEE_TERMS: fee_terms_json(intent.fee_terms)} if intent.fee_terms else {}
    return told if intent.shipping is None else told | shipping_json(intent.shipping)


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
        "details": {**(details or {}), **_beside_gross(intent)},
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


REVIEW_BEFORE = select(ledger.c.review_before).scalar_subquery().label("review_before")
"""The time before which nobody can say what people answered; beside each record, for the rules."""

_RECORDS = select(
    records,
    exists().where(holds.c.process_id == records.c.process_id, holds.c.state == "open").label("held"),
    exists().where(waivers.c.process_id == records.c.process_id).label("waived"),
    REVIEW_BEFORE,
).where(among(records.c.process_id, "ids"))
# What `intent_of` reads: a snapshot or a text that nobody needs is decoded all the same.
_OF_AN_INTENT = (
    "id", "process_id", "kind", "state", "items", "method", "currency", "amount", "gross", "generation", "created_at",
    "sent_at", "look_at", "error_code", "evidence", "details", "adopted", "nothing_sent", "paid_seen",
)  # fmt: skip
_INTENTS = (
    select(*(intents.c[name] for name in _OF_AN_INTENT))
    .where(among(intents.c.process_id, "ids"))
    .order_by(intents.c.seq)
)
_HOLDS = select(holds).where(among(holds.c.process_id, "ids"), holds.c.state == "open").order_by(holds.c.seq)
_WAIVERS = (
    select(waivers, holds.c.answer, holds.c.answered_at)
    .select_from(waivers.outerjoin(holds, holds.c.id == waivers.c.hold_id))
    .where(among(waivers.c.process_id, "ids"))
    .order_by(waivers.c.seq)
)
_LINES = select(lines).where(among(lines.c.process_id, "ids"))


@dataclass(frozen=True, slots=True)
class StoredWaiver:
    """A waiver with its place in the table, and the units of the hold that it answers."""

    seq: int
    waiver: Waiver
    items: tuple[LineUnits, ...]
    label: bool


@dataclass(frozen=True, slots=True)
class LedgerRecord:
    """A return's record, with what only the ledger itself needs: its last decision and its waivers' places."""

    record: Record
    decided: tuple[str, str, str] = ("", "", "")
    final: bool = False
    waivers: tuple[StoredWaiver, ...] = field(default=())


def load_records(conn: Connection, process_ids: Collection[str]) -> dict[str, Record]:
    """The record of each of these returns; an empty one for a return never seen. A few queries, however many ids."""
    found = look(conn, process_ids)
    return {process_id: found[process_id].record for process_id in process_ids}


def replaced_labels(conn: Connection, process_ids: Collection[str]) -> dict[str, Record]:
    """The records of those of these returns of which a label was replaced; for most returns nothing is read."""
    some = select(intents.c.process_id).where(
        among(intents.c.process_id, "ids"), intents.c.kind == IntentKind.LABEL, intents.c.generation > 1
    )
    found = {row.process_id for ids in chunks(process_ids) for row in conn.execute(some, {"ids": ids})}
    return {key: record for key, record in load_records(conn, found).items() if reissues(record)}


def look(conn: Connection, process_ids: Collection[str]) -> dict[str, LedgerRecord]:
    """As `load_records`, with what only the ledger itself needs. Locks nothing."""
    found = {row.process_id: row for ids in chunks(process_ids) for row in conn.execute(_RECORDS, {"ids": ids})}
    held = [process_id for process_id, row in found.items() if row.held]
    waived = [process_id for process_id, row in found.items() if row.waived]
    loaded = load(conn, found, held, waived)
    unseen = set(process_ids) - loaded.keys()
    before = conn.execute(select(ledger.c.review_before)).scalar() if unseen else None
    moved = parcels_of(conn, unseen)
    return loaded | {each: LedgerRecord(Record(each, review_before=before, parcels=moved[each])) for each in unseen}


def load(
    conn: Connection,
    rows: dict[str, Row[Any]],
    held: Collection[str] | None = None,
    waived: Collection[str] | None = None,
) -> dict[str, LedgerRecord]:
    """The records of these rows of `records`, by process id. Open holds and waivers only of these, or of all."""
    intent_rows = _by_process(conn, _INTENTS, rows)
    hold_rows = _by_process(conn, _HOLDS, rows if held is None else held)
    waiver_rows = _by_process(conn, _WAIVERS, rows if waived is None else waived)
    # Terms are fixed by intents, so a return without one has none.
    line_rows = _by_process(conn, _LINES, intent_rows)
    moved = parcels_of(conn, rows)
    return {
        process_id: _assemble(
            row,
            intent_rows[process_id],
            hold_rows[process_id],
            waiver_rows[process_id],
            line_rows[process_id],
            moved[process_id],
        )
        for process_id, row in rows.items()
    }


def _by_process(conn: Connection, query: Select[Any], ids: Collection[str]) -> dict[str, list[Row[Any]]]:
    found: dict[str, list[Row[Any]]] = defaultdict(list)
    for piece in chunks(ids):
        for row in conn.execute(query, {"ids": piece}):
            found[row.process_id].append(row)
    return found


def _assemble(
    row: Row[Any],
    intent_rows: Sequence[Row[Any]],
    hold_rows: Sequence[Row[Any]],
    waiver_rows: Sequence[Row[Any]],
    line_rows: Sequence[Row[Any]],
    moved: tuple[ParcelChange, ...],
) -> LedgerRecord:
    """Costs and terms hold only as long as a live intent stands on them: a dead one fixes nothing."""
    made = tuple(intent_of(each) for each in intent_rows)
    named = {item.line_id for intent in made if intent.live and intent.kind in MONEY_KINDS for item in intent.items}
    stored = tuple(
        StoredWaiver(
            each.seq,
            Waiver(each.rule, each.amount, each.currency, each.used_by, each.answer or "", each.answered_at),
            items_of(each.items),
            each.label,
        )
        for each in waiver_rows
    )
    costs: Decimal | None = row.costs if any(i.live and KINDS[i.kind].pays and i.bears_costs for i in made) else None
    record = Record(
        process_id=row.process_id,
        store=row.store,
        costs=costs,
        lines={
            each.line_id: LineTerms(each.total, int(each.quantity), each.currency, each.rounding)
            for each in line_rows
            if each.line_id in named
        },
        intents=made,
        holds=tuple(hold_of(each) for each in hold_rows),
        waivers=tuple(each.waiver for each in stored),
        review_before=row.review_before,
        former=row.former,
        parcels=moved if row.archived_at is None else None,
        archived_at=row.archived_at,
    )
    return LedgerRecord(record, (row.decision, row.rule, row.why), row.final, stored)


# What of each order's shipping went with refunds: read for the rules, so that an order's is refunded once.

_PARTS = (
    select(order_shipping.c.store, order_shipping.c.order_id, order_shipping.c.number, intents)
    .select_from(order_shipping.join(intents, intents.c.id == order_shipping.c.intent_id))
    .where(order_shipping.c.store == bindparam("s"), among(order_shipping.c.order_id, "ids"))
    .order_by(order_shipping.c.order_id, order_shipping.c.number)
)
_LAST = select(func.max(order_shipping.c.number)).where(
    order_shipping.c.store == bindparam("s"), order_shipping.c.order_id == bindparam("o")
)


def shipping_parts(conn: Connection, store: str, order_ids: Collection[str]) -> dict[str, tuple[ShippingPart, ...]]:
    """Order id -> the parts of its shipping that refunds of this store have; an empty one for an order without any.

    What a person gave up was paid to nobody: it is a part of nothing, whose return has none any more.
    """
    found: dict[str, list[ShippingPart]] = defaultdict(list)
    for ids in chunks(order_ids):
        for row in conn.execute(_PARTS, {"s": store, "ids": ids}):
            found[row.order_id].append(_part(row.process_id, row.number, intent_of(row)))
    return {order_id: tuple(found[order_id]) for order_id in order_ids}


def next_number(conn: Connection, store: str, order_id: str) -> int:
    """The number of the next part of an order's shipping."""
    return int(conn.execute(_LAST, {"s": store, "o": order_id}).scalar() or 0) + 1


def _part(process_id: str, number: int, intent: Intent) -> ShippingPart:
    shipping, zero = intent.shipping, Decimal(0)
    if shipping is None or intent.state is IntentState.DROPPED:
        return ShippingPart(process_id, number, zero, zero, intent.live)
    sent_at = None if intent.live else intent.sent_at
    return ShippingPart(process_id, number, shipping.amount, shipping.worth, intent.live, sent_at)
