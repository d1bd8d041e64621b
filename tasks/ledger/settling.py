"""Settle what is open: by the clock, by evidence, or by asking a person."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from tasks.ledger.types import Actor, Expired, OpenIntent, Recorded


def open_intents(
    conn: Connection, *, stores: Collection[str] | None = None, process_ids: Collection[str] | None = None
) -> list[OpenIntent]:
    """All intents whose outcome is to come, of these stores and returns (None: of all), oldest first."""
    raise NotImplementedError


def expire(conn: Connection, *, now: datetime, actor: Actor, stores: Collection[str] | None = None) -> Expired:
    """`sent` past its deadline becomes `unknown`, whoever owns it; `intended` past its lease is withdrawn, its token void."""
    raise NotImplementedError


def settle_done(
    conn: Connection, intent_id: str, *, evidence: Mapping[str, Any], now: datetime, actor: Actor
) -> Recorded:
    """Seen at REVER: `unknown` or `sent` becomes `done` by evidence, and its hold closes."""
    raise NotImplementedError


def settle_hold(
    conn: Connection, intent_id: str, *, why: str, evidence: Mapping[str, Any], now: datetime, actor: Actor
) -> str:
    """Ask a person about an unknown outcome; it stays unknown. Answers the hold's id, empty where nothing is unknown."""
    raise NotImplementedError


def touch(conn: Connection, intent_id: str, look_at: datetime) -> None:
    """When an open intent is looked at next."""
    raise NotImplementedError
