"""The pause of a store: five unknown outcomes in a row, one minute, doubling to thirty, then one trial."""

import shlex
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, bindparam, or_, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from tasks.ledger.prepared import Prepared
from tasks.ledger.schema import pauses
from tasks.ledger.trail import append, audit_row
from tasks.ledger.types import Actor
from tasks.policy.clocks import ahead, come

IN_A_ROW = 5
FIRST_MINUTES = 1
MOST_MINUTES = 30
LONGEST = timedelta(minutes=MOST_MINUTES)

_PAUSE = select(pauses).where(pauses.c.store == bindparam("s")).with_for_update()
_SET = (
    update(pauses)
    .where(pauses.c.store == bindparam("s"))
    .values(
        unknown_in_a_row=bindparam("many"),
        paused_until=bindparam("until"),
        pause_minutes=bindparam("minutes"),
        trial_intent=bindparam("trial"),
    )
)
_RESET = Prepared(
    update(pauses)
    .where(pauses.c.store == bindparam("s"), or_(pauses.c.unknown_in_a_row > 0, pauses.c.paused_until.is_not(None)))
    .values(unknown_in_a_row=0, paused_until=None, pause_minutes=0, trial_intent="")
)
_END_TRIAL = update(pauses).where(pauses.c.trial_intent.in_(bindparam("ids", expanding=True))).values(trial_intent="")


@dataclass(frozen=True, slots=True)
class Pause:
    """A store to which nothing is sent `until` then, and then one effect as a trial. `over`: that time is past."""

    store: str
    since: datetime
    until: datetime
    over: bool = False

    @property
    def words(self) -> str:
        """The pause in a sentence, with the command that ends it."""
        end = f"`rever-returns resume {shlex.quote(self.store)} --by NAME` ends the pause"
        why = f"store {self.store} is paused, since the outcome of {IN_A_ROW} effects in a row was unknown"
        if self.over:
            return f"{why}: one effect is sent as a trial, and no other before its outcome is known; {end}"
        until = f"{self.until.astimezone(UTC):%Y-%m-%d %H:%MZ}"
        return f"{why}: nothing is sent there until {until}, then one as a trial; {end}"


def pauses_of(conn: Connection, stores: Collection[str] | None, now: datetime) -> list[Pause]:
    """The pauses of these stores (None: of all), by name."""
    query = select(pauses).where(pauses.c.paused_until.is_not(None)).order_by(pauses.c.store)
    if stores is not None:
        query = query.where(pauses.c.store.in_(sorted(stores)))
    return [
        Pause(
            row.store,
            since=row.paused_until - timedelta(minutes=row.pause_minutes),
            until=row.paused_until,
            over=come(row.paused_until, now, LONGEST),
        )
        for row in conn.execute(query)
    ]


def paused(conn: Connection) -> dict[str, datetime]:
    """The stores that are paused, or wait for the outcome of one trial: store -> until when at least."""
    query = select(pauses.c.store, pauses.c.paused_until).where(pauses.c.paused_until.is_not(None))
    return {row.store: row.paused_until for row in conn.execute(query.order_by(pauses.c.store))}


def lift_pause(conn: Connection, store: str, *, why: str, now: datetime, actor: Actor) -> datetime | None:
    """End the pause of a store by hand; answers until when it was, None where the store was not paused.

    Nothing is in a row any more: five further unknown outcomes pause it again.
    """
    until = paused(conn).get(store)
    if until is not None:
        answered(conn, store)
        said = {"store": store, "paused_until": until.isoformat(timespec="seconds"), "why": why}
        append(conn, [audit_row(actor, now, "resumed", "", evidence=said)])
    return until


def answered(conn: Connection, store: str) -> None:
    """The store answered: nothing is in a row any more, and a pause is over."""
    _RESET.all(conn, {"s": store})


def end_trial(conn: Connection, intent_ids: list[str]) -> None:
    """These effects tell nothing about the store any more; where one was the trial, the next effect is."""
    conn.execute(_END_TRIAL, {"ids": intent_ids})


def not_answered(conn: Connection, store: str, intent_id: str, now: datetime) -> None:
    """An outcome is unknown. Those in the air when a pause began do not lengthen it; a failed trial doubles it."""
    build = pg_insert(pauses) if conn.dialect.name == "postgresql" else sqlite_insert(pauses)
    conn.execute(build.values(store=store).on_conflict_do_nothing())
    row = conn.execute(_PAUSE, {"s": store}).one()
    many, until, minutes, trial = row.unknown_in_a_row + 1, row.paused_until, row.pause_minutes, row.trial_intent
    if trial == intent_id:
        minutes, trial = min(2 * minutes, MOST_MINUTES), ""
        until = now + timedelta(minutes=minutes)
    elif many >= IN_A_ROW and (until is None or ahead(until, now, LONGEST)):
        minutes = FIRST_MINUTES
        until = now + timedelta(minutes=minutes)
    conn.execute(_SET, {"s": store, "many": many, "until": until, "minutes": minutes, "trial": trial})
