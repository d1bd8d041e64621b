"""What came of a call: done, refused or unknown."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from tasks.ledger.types import Actor, Claim, Recorded


def record_done(
    conn: Connection, claim: Claim, *, evidence: Mapping[str, Any], now: datetime, actor: Actor
) -> Recorded:
    """REVER confirmed the effect. A late confirmation is never lost, and never overwrites what a person closed."""
    raise NotImplementedError


def record_refused(conn: Connection, claim: Claim, *, code: str, why: str, now: datetime, actor: Actor) -> Recorded:
    """REVER refused it (`code` is its gRPC number as text): units and counters are given back."""
    raise NotImplementedError


def record_unknown(
    conn: Connection, claim: Claim, *, why: str, now: datetime, actor: Actor, at_rever: bool = True
) -> Recorded:
    """Nobody knows what came of it; never sent again by itself. `at_rever=False`: the cause is ours, no step to a pause."""
    raise NotImplementedError
