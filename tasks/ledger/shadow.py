"""What a candidate policy decides otherwise than the live one, return by return: kept for people, read by no run.

A return has one row for each candidate that ever differed about it, under the candidate's digest. It says what both
said when they last differed, since when they did without a break, and from when on they said the same again.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType, SimpleNamespace
from typing import Any

from sqlalchemy import Connection, case, literal_column, select, update

from tasks.database.engines import chunks, upsert
from tasks.database.lists import among
from tasks.ledger.archives import archived_rows
from tasks.ledger.schema import shadow
from tasks.policy.backtest.differences import Change, Purse
from tasks.policy.decision import DecisionName
from tasks.policy.shadow import Differs, Said

_KEPT = "held"
_LABEL = "label"
"""Names beside those of the methods under which the amounts of a decision keep what is no amount by a method."""


@dataclass(frozen=True, slots=True)
class ShadowRow:
    """A return about which a candidate decides otherwise, or did. `until` is None while it does.

    `looked_at` is when the two were last seen to differ, or to say the same again.
    """

    differs: Differs
    since: datetime
    until: datetime | None
    looked_at: datetime


def open_differences(conn: Connection, candidate: str, process_ids: Collection[str]) -> set[str]:
    """Those of these returns about which the candidate was last seen to differ."""
    query = select(shadow.c.process_id).where(
        among(shadow.c.process_id, "ids"),
        shadow.c.candidate == candidate,
        shadow.c.until.is_(None),
    )
    return {row.process_id for ids in chunks(process_ids) for row in conn.execute(query, {"ids": ids})}


def note_shadow(
    conn: Connection, candidate: str, differing: Iterable[Differs], alike: Collection[str], *, now: datetime
) -> None:
    """Write down what the candidate says otherwise, and of the returns in `alike` that it does so no longer."""
    ended = update(shadow).where(
        among(shadow.c.process_id, "ids"),
        shadow.c.candidate == candidate,
        shadow.c.until.is_(None),
    )
    for ids in chunks(alike):
        conn.execute(ended.values(until=now, looked_at=now), {"ids": ids})
    rows = [_written(candidate, differs, now) for differs in sorted(differing, key=lambda it: it.process_id)]
    if rows:
        new: dict[str, Any] = {name: literal_column(f"excluded.{name}") for name in rows[0]}
        new["since"] = case((shadow.c.until.is_(None), shadow.c.since), else_=new["since"])
        conn.execute(upsert(conn, shadow, ["process_id", "candidate"], new), rows)


def shadow_rows(conn: Connection, candidate: str, stores: Collection[str] | None = None) -> list[ShadowRow]:
    """All that is known of this candidate: what differs now, then what did, each in the order in which it began.

    Of a return that differs again after it was archived, what it says now.
    """
    query = select(shadow).where(shadow.c.candidate == candidate)
    if stores is not None:
        query = query.where(shadow.c.store.in_(sorted(stores)))
    archived = [_read(SimpleNamespace(**row)) for row in archived_rows(conn, shadow) if row["candidate"] == candidate]
    of_stores = [row for row in archived if stores is None or row.differs.store in stores]
    found = {row.differs.process_id: row for row in (*of_stores, *map(_read, conn.execute(query)))}
    return sorted(found.values(), key=lambda row: (row.until is not None, row.since, row.differs.process_id))


def _written(candidate: str, differs: Differs, now: datetime) -> dict[str, Any]:
    live, other = differs.live, differs.candidate
    return {
        "process_id": differs.process_id,
        "candidate": candidate,
        "store": differs.store,
        "order_name": differs.order,
        "live_decision": live.decision.value,
        "live_rule": live.rule,
        "live_why": live.why,
        "live_amounts": _amounts(live),
        "candidate_decision": other.decision.value,
        "candidate_rule": other.rule,
        "candidate_why": other.why,
        "candidate_amounts": _amounts(other),
        "changes": {
            purse.name: {kind.value: format(amount, "f") for kind, amount in changes.items()}
            for purse, changes in differs.changes.items()
        },
        "since": now,
        "until": None,
        "looked_at": now,
    }


def _amounts(said: Said) -> dict[str, Any]:
    """The amounts by method with their currency, and what a hold keeps back or which label is made."""
    told: dict[str, Any] = {"amounts": {method: format(amount, "f") for method, amount in said.amounts.items()}}
    if said.currency:
        told["currency"] = said.currency
    if said.held is not None:
        told[_KEPT] = format(said.held, "f")
    if said.label:
        told[_LABEL] = said.label
    return told


def _read(row: Any) -> ShadowRow:
    live = _said(row.live_decision, row.live_rule, row.live_why, row.live_amounts)
    other = _said(row.candidate_decision, row.candidate_rule, row.candidate_why, row.candidate_amounts)
    changes = {Purse.named(name): _changes(told) for name, told in row.changes.items()}
    differs = Differs(row.process_id, row.store, row.order_name, live, other, MappingProxyType(changes))
    return ShadowRow(differs, row.since, row.until, row.looked_at)


def _said(decision: str, rule: str, why: str, told: Mapping[str, Any]) -> Said:
    amounts = {method: Decimal(amount) for method, amount in told["amounts"].items()}
    held = Decimal(told[_KEPT]) if _KEPT in told else None
    currency, label = told.get("currency", ""), told.get(_LABEL, "")
    return Said(DecisionName(decision), rule, why, MappingProxyType(amounts), held, currency, label)


def _changes(told: Mapping[str, str]) -> Mapping[Change, Decimal]:
    return MappingProxyType({Change(kind): Decimal(amount) for kind, amount in told.items()})
