"""What may stop all effects, or those of one store.

The stop switch, a restore from a backup that reconcile has not caught up with, and the pause after unknown outcomes in
a row.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from tasks.ledger.pausing import LONGEST
from tasks.ledger.prepared import Prepared
from tasks.ledger.restored import up_to_date
from tasks.ledger.schema import ledger, pauses
from tasks.ledger.types import Sending, SendVerdict
from tasks.policy.clocks import come

_GATE = Prepared(
    select(ledger, pauses)
    .outerjoin_from(ledger, pauses, pauses.c.store.in_(bindparam("stores", expanding=True)))
    .with_for_update(read=True, of=ledger),
    several="stores",
)
_TRY = (
    update(pauses)
    .where(pauses.c.store == bindparam("s"), pauses.c.trial_intent == "", pauses.c.paused_until == bindparam("seen"))
    .values(trial_intent=bindparam("trial"))
    .returning(pauses.c.store)
)

TRIAL = timedelta(minutes=1)
"""For how long others are told to wait while one effect tries whether a store answers again."""

GO = SendVerdict(Sending.SENT)


@dataclass(frozen=True, slots=True)
class Gate:
    """How switch and pauses stand, read in the transaction that acts on it. On PostgreSQL a switch waits for it."""

    ledger: Row[Any]
    pauses: Mapping[str, Row[Any]]
    caught_up: Collection[str] = ()

    @classmethod
    def read(cls, conn: Connection, stores: Collection[str]) -> "Gate":
        """Read them for these stores, and lock the switch against being thrown meanwhile."""
        rows = _GATE.all(conn, {"stores": sorted(set(stores))})
        switch, found = rows[0], {row.store: row for row in rows if row.store is not None}
        return cls(switch, found, up_to_date(conn, switch.restored_at) if switch.restored_at else ())

    def verdict(self, store: str, now: datetime) -> SendVerdict:
        """Whether an effect at this store may be sent; SENT says yes, for a trial too."""
        if self.ledger.restored_at and store not in self.caught_up:
            return SendVerdict(Sending.STOPPED, self._behind(store))
        if self.ledger.stopped:
            return SendVerdict(
                Sending.STOPPED, f"all effects are stopped by {self.ledger.stopped_by}: {self.ledger.stopped_why}"
            )
        pause = self.pauses.get(store)
        if pause is None or pause.paused_until is None:
            return GO
        many = f"{pause.unknown_in_a_row} effects in a row had an unknown outcome"
        if not come(pause.paused_until, now, LONGEST):
            return SendVerdict(Sending.PAUSED, f"the store is paused: {many}", pause.paused_until)
        if pause.trial_intent:
            return SendVerdict(Sending.PAUSED, f"one effect tries whether the store answers again: {many}", now + TRIAL)
        return GO

    def _behind(self, store: str) -> str:
        return (
            f"the ledger was restored at {self.ledger.restored_at:%F %H:%M:%S} UTC and knows nothing of what was done"
            f" after {self.ledger.restored_from:%F %H:%M:%S} UTC; nothing is sent to {store} until reconcile has gone"
            " over it: rever-returns run reconcile mode=act"
        )

    def takes_trial(self, conn: Connection, store: str, intent_id: str, now: datetime) -> bool:
        """Whether this effect may go: true where there is no pause, or where it becomes the one trial after it."""
        pause = self.pauses.get(store)
        if pause is None or pause.paused_until is None:
            return True
        if not come(pause.paused_until, now, LONGEST):
            return False
        return conn.execute(_TRY, {"s": store, "seen": pause.paused_until, "trial": intent_id}).first() is not None
