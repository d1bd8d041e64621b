"""What stops effects: of all stores the stop switch and a second desk; of one store its pause and a restore.

A pause comes after five unknown outcomes in a row: one minute, doubling to thirty, then one trial.
"""

import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, func, or_, select, update

from tasks.database.engines import upsert
from tasks.database.lists import among
from tasks.ledger.after_restore import mark_restored, up_to_date
from tasks.ledger.audit import append, audit_row
from tasks.ledger.schema import audit, intents, ledger, pauses
from tasks.ledger.types import Actor, LedgerError, Sending, SendVerdict, Switch
from tasks.policy.clocks import ahead, clock_time, come
from tasks.policy.kinds import REFUND
from tasks.policy.record import IntentState

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
_RESET = (
    update(pauses)
    .where(pauses.c.store == bindparam("s"), or_(pauses.c.unknown_in_a_row > 0, pauses.c.paused_until.is_not(None)))
    .values(unknown_in_a_row=0, paused_until=None, pause_minutes=0, trial_intent="")
)
_END_TRIAL = update(pauses).where(among(pauses.c.trial_intent, "ids")).values(trial_intent="")


@dataclass(frozen=True, slots=True)
class Pause:
    """A store to which nothing is sent `until` then, and then one effect as a trial. `over`: that time is past."""

    store: str
    since: datetime
    until: datetime
    over: bool = False

    def words(self, zone: tzinfo = UTC) -> str:
        """The pause in a sentence, with the command that ends it; its time is that of the store's zone."""
        end = f"`rever-returns resume {shlex.quote(self.store)} --by NAME` ends the pause"
        why = f"store {self.store} is paused, since the outcome of {IN_A_ROW} effects in a row was unknown"
        if self.over:
            return f"{why}: one effect is sent as a trial, and no other before its outcome is known; {end}"
        until = clock_time(self.until, zone)
        return f"{why}: nothing is sent there until {until}, then one as a trial; {end}"

    def sentence(self, zone: tzinfo = UTC) -> str:
        """The same, as a sentence that stands alone."""
        words = self.words(zone)
        return words[0].upper() + words[1:]


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
        answered(conn, {store})
        said = {"store": store, "paused_until": until.isoformat(timespec="seconds"), "why": why}
        append(conn, [audit_row(actor, now, "resumed", "", evidence=said)])
    return until


def answered(conn: Connection, stores: Collection[str]) -> None:
    """These stores answered: nothing is in a row any more, and a pause is over."""
    if stores:
        conn.execute(_RESET, [{"s": store} for store in sorted(stores)])


def end_trial(conn: Connection, intent_ids: list[str]) -> None:
    """These effects tell nothing about the store any more; where one was the trial, the next effect is."""
    conn.execute(_END_TRIAL, {"ids": intent_ids})


def not_answered(conn: Connection, store: str, intent_id: str, now: datetime) -> None:
    """An outcome is unknown. Those in the air when a pause began do not lengthen it; a failed trial doubles it."""
    conn.execute(upsert(conn, pauses, ["store"]), {"store": store})
    row = conn.execute(_PAUSE, {"s": store}).one()
    many, until, minutes, trial = row.unknown_in_a_row + 1, row.paused_until, row.pause_minutes, row.trial_intent
    if trial == intent_id:
        minutes, trial = min(2 * minutes, MOST_MINUTES), ""
        until = now + timedelta(minutes=minutes)
    elif many >= IN_A_ROW and (until is None or ahead(until, now, LONGEST)):
        minutes = FIRST_MINUTES
        until = now + timedelta(minutes=minutes)
    conn.execute(_SET, {"s": store, "many": many, "until": until, "minutes": minutes, "trial": trial})


# What may stop all effects, or those of one store.
#
# The stop switch, a restore from a backup that reconcile has not caught up with, and the pause after unknown outcomes
# in a row.


_OF_THE_LEDGER = ("stopped", "stopped_by", "restored_at", "restored_from", "shopper_key", "stopped_why")
_OF_A_PAUSE = ("store", "unknown_in_a_row", "paused_until", "trial_intent")
_GATE = (
    select(*(ledger.c[name] for name in _OF_THE_LEDGER), *(pauses.c[name] for name in _OF_A_PAUSE))
    .outerjoin_from(ledger, pauses, among(pauses.c.store, "stores"))
    .with_for_update(read=True, of=ledger)
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

STOP_RULES = {sending: f"store_{sending}" for sending in (Sending.STOPPED, Sending.PAUSED)}
"""By which rule a return waits whose effect is due, and kept back by what stops its store."""


@dataclass(frozen=True, slots=True)
class Gate:
    """How switch and pauses stand, read in the transaction that acts on it. On PostgreSQL a switch waits for it."""

    ledger: Row[Any]
    pauses: Mapping[str, Row[Any]]
    caught_up: Collection[str] = ()

    @classmethod
    def read(cls, conn: Connection, stores: Collection[str]) -> "Gate":
        """Read them for these stores, and lock the switch against being thrown meanwhile."""
        rows = conn.execute(_GATE, {"stores": sorted(set(stores))}).all()
        switch, found = rows[0], {row.store: row for row in rows if row.store is not None}
        return cls(switch, found, up_to_date(conn, switch.restored_at) if switch.restored_at else ())

    @classmethod
    def look(cls, conn: Connection, stores: Collection[str]) -> "Gate":
        """As `read`, without a lock; a ledger that is not there yet stops nothing."""
        switch: Any = conn.execute(select(ledger)).first() or SimpleNamespace(
            stopped=False, restored_at=None, shopper_key=b"plan"
        )
        found = {row.store: row for row in conn.execute(select(pauses).where(pauses.c.store.in_(sorted(stores))))}
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
            return SendVerdict(
                Sending.PAUSED, f"one effect is tried first, to see whether REVER replies again: {many}", now + TRIAL
            )
        return GO

    def _behind(self, store: str) -> str:
        at = clock_time(self.ledger.restored_at, seconds=True)
        of = clock_time(self.ledger.restored_from, seconds=True)
        return (
            f"the ledger was restored at {at} and knows nothing of what was done after {of}; nothing is sent to {store}"
            " until reconcile has gone over it: rever-returns run reconcile mode=act"
        )

    def takes_trial(self, conn: Connection, store: str, intent_id: str, now: datetime) -> bool:
        """Whether this effect may go: true where there is no pause, or where it becomes the one trial after it."""
        pause = self.pauses.get(store)
        if pause is None or pause.paused_until is None:
            return True
        if not come(pause.paused_until, now, LONGEST):
            return False
        return conn.execute(_TRY, {"s": store, "seen": pause.paused_until, "trial": intent_id}).first() is not None


def kept_back(conn: Connection, store: str, now: datetime) -> str:
    """Why nothing is sent at this store now; empty where effects go."""
    verdict = Gate.look(conn, {store}).verdict(store, now)
    return "" if verdict.sending is Sending.SENT else verdict.why


# The stop switch: one row, read in every step to `sent`.


def stop_switch(conn: Connection, *, on: bool, by: str, why: str, now: datetime) -> Switch:
    """Stop all effects (`on=True`), or let them go again. Once it is committed nothing more becomes `sent`.

    Raises `LedgerError` for a start after a restore that no store has caught up with: a start that waits in the dark
    for something else would let effects go when nobody expects it.
    """
    if not on:
        _check_caught_up(conn)
    values = {"stopped": on, "stopped_since": now, "stopped_by": by, "stopped_why": why}
    conn.execute(update(ledger).values(values))
    append(conn, [audit_row(Actor(by), now, "stopped" if on else "started", "", evidence={"why": why})])
    return switch(conn)


def switch(conn: Connection) -> Switch:
    """How the switch stands, and since when, by whom and why."""
    row = conn.execute(select(ledger)).first()
    if row is None:
        return Switch(stopped=False)
    return Switch(row.stopped, row.stopped_since, row.stopped_by, row.stopped_why)


def _check_caught_up(conn: Connection) -> None:
    at = conn.execute(select(ledger.c.restored_at)).scalar()
    if at is not None and not up_to_date(conn, at):
        raise LedgerError(
            "nothing was changed: effects stay stopped. The ledger was restored or made at"
            f" {clock_time(at, seconds=True)}, and no store has caught up yet with what was done before: first"
            " rever-returns run reconcile mode=act, begun REVER_SETTLE_AFTER after that moment or later, then look at"
            " what it holds, then start"
        )


# Another desk on the same account: refunds just like ours appear at REVER, made a moment ago, that no step here made.
#
# Two ledgers for one account (a mistyped URL, a copy of the folder, an old machine that was started again) both pay.
# What one desk can see of it: a return's refund equals to the cent what it was about to pay, or has paid, was made
# within the hour, and no attempt of its own can have made it. One may be a person's; several are not. Then this
# ledger stops and counts as restored: the other one knows what this one does not.


SEVERAL = 3
"""Returns paid elsewhere, just as they would be here, after which all effects stop."""

WITHIN = timedelta(hours=1)
"""The time in which they count."""

EVENT = "paid_elsewhere"

_LAST_STEPS = 50_000
"""Of the audit, which has no index on its times: as many steps as are looked through."""


def note_paid_elsewhere(conn: Connection, paid: Mapping[str, datetime], *, now: datetime, actor: Actor) -> None:
    """Write down that these returns were paid by others just as they would be here, process id -> when they were.

    Where they are several, stop. What was paid before this ledger was made, or last started, is the account's past.

    A return for which an attempt of this desk came to nothing, as far as is known, does not count: it may have acted. A
    person's `start` begins the count anew. A ledger that is stopped already is left as it is.
    """
    here = conn.execute(select(ledger.c.created_at, ledger.c.stopped, ledger.c.stopped_since)).one()
    told = (at for at in (here.created_at, here.stopped_since) if at is not None and not ahead(at, now))
    begun = max(told, default=now - WITHIN)  # a clock ahead has dated the ledger's making
    strange = {each for each, at in paid.items() if at > begun} - _may_be_ours(conn, paid.keys())
    append(conn, [audit_row(actor, now, EVENT, process_id) for process_id in sorted(strange)])
    if here.stopped or not strange:
        return
    many = paid_elsewhere(conn, max(now - WITHIN, begun))
    if many >= SEVERAL:
        why = (
            f"{many} returns were refunded at REVER within the hour just as this desk would, and not by it: another"
            " desk with another ledger seems to pay this account. End it, or point this one to its ledger"
        )
        mark_restored(conn, why=why, now=now, actor=Actor("the ledger itself"))


def _may_be_ours(conn: Connection, process_ids: Collection[str]) -> set[str]:
    """The returns for which more attempts were sent than refunds are done."""
    done = case(((intents.c.state == IntentState.DONE) & (intents.c.attempt > 0), 1), else_=0)
    sums = (
        select(intents.c.process_id)
        .where(intents.c.process_id.in_(process_ids), intents.c.kind == REFUND.name)
        .group_by(intents.c.process_id)
        .having(func.sum(intents.c.attempt) > func.sum(done))
    )
    return {row.process_id for row in conn.execute(sums)}


def paid_elsewhere(conn: Connection, since: datetime) -> int:
    """How many returns were seen paid by others just as they would be here, after this time."""
    last = select(func.max(audit.c.id)).scalar_subquery()
    seen = select(func.count(audit.c.process_id.distinct())).where(
        audit.c.id > last - _LAST_STEPS, audit.c.event == EVENT, audit.c.at > since
    )
    return int(conn.execute(seen).scalar_one())
