"""What the ledger tells those who account for the money: effects and holds as flat rows, for reports and frames."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from sys import intern
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from tasks.database.engines import chunks
from tasks.ledger.records import carrier_of, items_of, paid_of, shipping_of
from tasks.ledger.schema import holds, intents, lines, records, waivers
from tasks.policy.money import ZERO, gross, shared
from tasks.policy.record import OPEN_STATES, IntentKind, IntentState, LineTerms, PaidSeen

AT_ONCE = 5000
"""Effects whose lines and approvals are looked up together."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A row of `intents` for accountants. `parts` are its lines with the value of the units of each, before costs.

    `shipping` is the part of `amount` that is the order's shipping. `closed_at` is when the ledger had its outcome.
    `approved_by` let a rule pass for it, at `approved_at`.
    """

    id: str
    process_id: str
    order: str
    store: str
    kind: IntentKind
    state: IntentState
    method: str
    currency: str
    amount: Decimal
    gross: Decimal
    shipping: Decimal
    units: int
    parts: tuple[tuple[str, Decimal], ...]
    carrier: str
    created_at: datetime
    sent_at: datetime | None
    closed_at: datetime | None
    rule: str
    why: str
    adopted: bool
    paid_seen: PaidSeen | None
    approved_by: str
    approved_at: datetime | None


@dataclass(frozen=True, slots=True)
class HeldReturn:
    """A row of `holds` for accountants; `state` is open, answered or closed (by itself)."""

    id: str
    process_id: str
    order: str
    store: str
    kind: str
    rule: str
    why: str
    amount: Decimal | None
    currency: str
    since: datetime
    state: str
    answer: str
    answered_by: str
    answered_at: datetime | None


def effects(
    conn: Connection, stores: Collection[str], since: datetime | None = None, until: datetime | None = None
) -> list[Effect]:
    """The effects that were closed in `since <= t < until`, and all that are open, in the order they were made.

    None is without a bound; without any, they are all effects of these stores, withdrawn ones too.
    """
    query = (
        select(intents, records.c.order_name)
        .join(records, records.c.process_id == intents.c.process_id)
        .where(intents.c.store.in_(sorted(stores)))
        .order_by(intents.c.seq)
    )
    bounds: list[ColumnElement[bool]] = []
    if since is not None:
        bounds.append(intents.c.closed_at >= since)
    if until is not None:
        bounds.append(intents.c.closed_at < until)
    if bounds:
        query = query.where(or_(and_(*bounds), intents.c.state.in_(sorted(OPEN_STATES))))
    found: list[Effect] = []
    last = -1
    while rows := conn.execute(query.where(intents.c.seq > last).limit(AT_ONCE)).all():
        last = rows[-1].seq
        ids = {row.process_id for row in rows}
        terms, approvals = _terms(conn, ids), _approvals(conn, ids)
        found += [_effect(row, terms[row.process_id], approvals.get(row.id, ("", None))) for row in rows]
    return found


def _effect(row: Any, terms: dict[str, LineTerms], approval: tuple[str, datetime | None]) -> Effect:
    items = items_of(row.items)
    parts = tuple((it.line_id, shared(gross(terms[it.line_id], it.units))) for it in items if it.line_id in terms)
    return Effect(  # a year of them is in memory, so what comes again and again is there once
        id=row.id,
        process_id=intern(row.process_id),
        order=row.order_name,
        store=intern(row.store),
        kind=IntentKind(row.kind),
        state=IntentState(row.state),
        method=intern(row.method),
        currency=intern(row.currency),
        amount=shared(row.amount),
        gross=shared(row.gross),
        shipping=shipping.amount if (shipping := shipping_of(row.details)) else ZERO,
        units=sum(item.quantity for item in items),
        parts=parts,
        carrier=intern(carrier_of(row.details)),
        created_at=row.created_at,
        sent_at=row.sent_at,
        closed_at=row.closed_at,
        rule=intern(row.rule),
        why=row.why,
        adopted=row.adopted,
        paid_seen=paid_of(row.paid_seen),
        approved_by=approval[0],
        approved_at=approval[1],
    )


def _terms(conn: Connection, process_ids: Collection[str]) -> dict[str, dict[str, LineTerms]]:
    found: dict[str, dict[str, LineTerms]] = defaultdict(dict)
    for ids in chunks(process_ids):
        for row in conn.execute(select(lines).where(lines.c.process_id.in_(ids))):
            found[row.process_id][row.line_id] = LineTerms(row.total, int(row.quantity), row.currency, row.rounding)
    return found


def _approvals(conn: Connection, process_ids: Collection[str]) -> dict[str, tuple[str, datetime | None]]:
    """Intent -> who let a rule pass for it, and when."""
    query = select(waivers.c.used_by, holds.c.answered_by, holds.c.answered_at).join(
        holds, holds.c.id == waivers.c.hold_id
    )
    return {
        row.used_by: (row.answered_by, row.answered_at)
        for ids in chunks(process_ids)
        for row in conn.execute(query.where(waivers.c.process_id.in_(ids), waivers.c.used_by != ""))
    }


def held_returns(conn: Connection, stores: Collection[str], since: datetime | None = None) -> list[HeldReturn]:
    """The holds that were opened or answered at `since` or later, and all that are open; without `since` all."""
    query = (
        select(holds, records.c.order_name)
        .join(records, records.c.process_id == holds.c.process_id)
        .where(holds.c.store.in_(sorted(stores)))
        .order_by(holds.c.seq)
    )
    if since is not None:
        query = query.where(or_(holds.c.since >= since, holds.c.answered_at >= since, holds.c.state == "open"))
    return [
        HeldReturn(
            id=row.id,
            process_id=row.process_id,
            order=row.order_name,
            store=row.store,
            kind=row.kind,
            rule=row.rule,
            why=row.why,
            amount=row.amount,
            currency=row.currency,
            since=row.since,
            state=row.state,
            answer=row.answer,
            answered_by=row.answered_by,
            answered_at=row.answered_at,
        )
        for row in conn.execute(query)
    ]
