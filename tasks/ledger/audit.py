"""The audit: one append-only row per step, and the chain of each return's rows.

Each row carries a hash over itself and the hash before it. A row that is changed, put in or taken out behind the
triggers' back breaks its return's chain; one that is missing at the end shows in `chains`, which counts each return's
rows and keeps its last hash. The hash is no secret: who can write the file can also forge a whole chain, so an export
of `chains` kept elsewhere is what reveals such a forgery.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from tasks.database.engines import chunks, upsert
from tasks.database.lists import among
from tasks.ledger.schema import audit, chains
from tasks.ledger.types import Actor

_TEXT = json.JSONEncoder(default=str).encode
_SORTED = json.JSONEncoder(default=str, sort_keys=True).encode
_NAMES = ("process_id", "actor", "event", "rule", "currency", "intent_id", "hold_id", "flow_run_id")

_HEADS = (
    select(chains.c.process_id, chains.c.steps, chains.c.head)
    .where(among(chains.c.process_id, "ids"))
    .order_by(chains.c.process_id)
    .with_for_update()
)
_MOVE = (
    update(chains).where(chains.c.process_id == bindparam("p")).values(steps=bindparam("many"), head=bindparam("last"))
)


@dataclass(slots=True)
class Head:
    """Where a return's chain ends: how many rows it has, and the hash of the last one, empty before the first."""

    steps: int = 0
    hash: str = ""

    def link(self, row: Mapping[str, Any]) -> str:
        """Append a row of the audit; answers its hash."""
        self.steps += 1
        self.hash = link(self.hash, row)
        return self.hash


def link(before: str, row: Mapping[str, Any]) -> str:
    """The hash of a row that follows the one with the hash `before`: SHA-256, in hex.

    What stands in ledgers rests on this: it never changes.
    """
    at: datetime = row["at"]
    told = [
        before,
        at.astimezone(UTC).isoformat(),
        None if row["amount"] is None else format(row["amount"], "f"),
        # As it will be read again: keys are text then, whatever they were.
        json.loads(_TEXT(row["evidence"])),
        *(row[name] for name in _NAMES),
    ]
    return hashlib.sha256(_SORTED(told).encode()).hexdigest()


def lock_heads(conn: Connection, process_ids: Collection[str]) -> dict[str, Head]:
    """The chains' ends of these returns, locked until the commit, in order of id."""
    heads: dict[str, Head] = {}
    for ids in chunks(process_ids):
        heads |= {row.process_id: Head(row.steps, row.head) for row in conn.execute(_HEADS, {"ids": ids})}
    missing = sorted(set(process_ids) - set(heads))
    if not missing:
        return heads
    # On PostgreSQL another worker may have made one meanwhile: then it is waited for, and has a past.
    query = upsert(conn, chains, ["process_id"], {"steps": chains.c.steps}).returning(chains)
    asked = [{"process_id": each, "steps": 0, "head": ""} for each in missing]
    return heads | {row.process_id: Head(row.steps, row.head) for row in conn.execute(query, asked)}


def chained(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """These rows with their hashes, and the chains' ends moved to the last of them."""
    heads = lock_heads(conn, {row["process_id"] for row in rows})
    linked = [{**row, "hash": heads[row["process_id"]].link(row)} for row in rows]
    conn.execute(_MOVE, [{"p": each, "many": head.steps, "last": head.hash} for each, head in heads.items()])
    return linked


# The audit: one append-only row per step. Nothing in this package changes or removes one, and triggers refuse it.


_INSERT = insert(audit).inline()


def audit_row(
    actor: Actor,
    at: datetime,
    event: str,
    process_id: str,
    *,
    rule: str = "",
    evidence: Mapping[str, Any] | None = None,
    amount: Decimal | None = None,
    currency: str = "",
    intent_id: str = "",
    hold_id: str = "",
) -> dict[str, Any]:
    """One step: who or what, when, by which rule, on what evidence, about how much. No personal data."""
    return {
        "process_id": process_id,
        "at": at,
        "actor": actor.name,
        "event": event,
        "rule": rule,
        "evidence": dict(evidence or {}),
        "amount": amount,
        "currency": currency,
        "intent_id": intent_id,
        "hold_id": hold_id,
        "flow_run_id": actor.flow_run_id,
    }


def append(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append rows to their returns' chains, in the transaction of what they tell about."""
    if rows:
        conn.execute(_INSERT, chained(conn, rows))
