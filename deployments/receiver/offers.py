"""Offers: runs that were, or will be, asked of Prefect for returns with waiting events. At most one per return.

Each step is one transaction that takes only what is still free, and an offer's key is made of its events, so that two
dispatchers on one inbox, or one that was killed half-way, ask for the same run twice at most, which is one run.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Table,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from deployments.receiver.inbox import ACTED_ON, GIVEN_UP, WAITING, events, offers, returns
from tasks.database.engines import chunks
from tasks.lookup import as_id
from tasks.policy.clocks import DIFFER

ONE, MANY = "process-return/process-return", "process-pending-returns/process-told-returns"
"""The deployments whose runs are offered, both in the fast lane. The scheduled one would cancel a second run."""

FEW = 5
"""Returns that get a run each."""

MOST = 100
"""Returns in one run: what the flows take in one batch."""

BREATH_S = 2.0
"""After `FEW` runs within this time, further returns wait for its end and share a run."""


@dataclass(frozen=True, slots=True)
class Fold:
    """The returns of one run of a deployment."""

    deployment: str
    process_ids: tuple[str, ...]


def fold(process_ids: Sequence[str], *, few: int = FEW, most: int = MOST) -> list[Fold]:
    """The runs to offer for these returns, in their order: one each for a few, one for many in a storm. Pure."""
    if len(process_ids) <= few:
        return [Fold(ONE, (process_id,)) for process_id in process_ids]
    starts = range(0, len(process_ids), most)
    return [Fold(MANY, tuple(process_ids[start : start + most])) for start in starts]


def parameters_of(deployment: str, process_ids: Sequence[str]) -> dict[str, object]:
    """The parameters of the run: the flow's form, filled."""
    ids = [as_id(process_id) for process_id in process_ids]
    about: dict[str, object] = {"process_id": ids[0]} if deployment == ONE else {"process_ids": ids}
    return {"parameters": {"mode": "act", **about}}


@dataclass(slots=True)
class Pace:
    """Tells a storm from a few events. Times are in seconds of a monotonic clock."""

    few: int = FEW
    breath: float = BREATH_S
    _offered: deque[float] = field(default_factory=deque)

    def wait(self, now: float) -> float:
        """How long to wait before the next offer."""
        while self._offered and self._offered[0] <= now - self.breath:
            self._offered.popleft()
        return 0.0 if len(self._offered) < self.few else self._offered[0] + self.breath - now

    def note(self, now: float, runs: int) -> None:
        """So many runs were offered."""
        self._offered.extend([now] * runs)


_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_IS_WAITING = events.c.state == WAITING
_OF_RETURN = exists().where(events.c.process_id == returns.c.process_id, _IS_WAITING)


WHY_NO_RUN = "a run that began after it came in had looked at the return already: none was made for it"
WHY_GIVEN_UP = "no run looked at the return, in all the time that runs were offered"


@dataclass(frozen=True, slots=True)
class WaitingReturn:
    """A return with events that no run has acted on yet: when the first and the last came in, and its offer's key.

    `attempt` counts its offers that came to nothing, `doubts` how often REVER did not show it as one of ours; at
    `ask_at` REVER is asked again.
    """

    process_id: str
    first: datetime
    last: datetime
    events: int
    offer: str
    attempt: int = 0
    doubts: int = 0
    ask_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """A run for these returns. `attempt` counts the offers before it that came to nothing; `run_id` is Prefect's."""

    key: str
    deployment: str
    process_ids: tuple[str, ...]
    attempt: int
    made_at: datetime
    run_id: str = ""
    sent_at: datetime | None = None
    look_at: datetime | None = None


def waiting_returns(conn: Connection) -> list[WaitingReturn]:
    """All returns with waiting events, the one that waits longest first."""
    first = func.min(events.c.stored_at, type_=events.c.stored_at.type).label("first")
    last = func.max(events.c.stored_at, type_=events.c.stored_at.type).label("last")
    of_return = (returns.c.offer, returns.c.attempt, returns.c.doubts, returns.c.ask_at)
    found = (
        select(events.c.process_id, first, last, func.count().label("many"), *of_return)
        .join(returns, returns.c.process_id == events.c.process_id)
        .where(_IS_WAITING)
        .group_by(events.c.process_id, *of_return)
        .order_by(first, events.c.process_id)
    )
    return [
        WaitingReturn(row.process_id, row.first, row.last, row.many, row.offer, row.attempt, row.doubts, row.ask_at)
        for row in conn.execute(found)
    ]


_TIMES = ((events, "stored_at"), (offers, "sent_at"), (returns, "offered_since"), (returns, "offered_last"))
_NEXT = ((offers, "look_at"), (returns, "ask_at"))
"""When something was done, and when something will be done next."""


def times_ahead(conn: Connection, *, now: datetime, longest: timedelta) -> bool:
    """Whether the inbox holds a time that only a wrong clock can have written; `longest` is the longest wait."""
    return any(
        conn.execute(select(literal(1)).where(table.c[name] > latest).limit(1)).first()
        for table, name, latest in _latest(now, longest)
    )


def put_right(conn: Connection, *, now: datetime, longest: timedelta) -> None:
    """Set each time that a clock ahead of ours has written to now, so that what waits for it is due.

    Otherwise an event would wait for a run that begins after a time in the future, its body would be kept until then,
    and a run would never be checked.
    """
    for table, name, latest in _latest(now, longest):
        conn.execute(update(table).where(table.c[name] > latest).values({name: now}))


def _latest(now: datetime, longest: timedelta) -> list[tuple[Table, str, datetime]]:
    done = [(table, name, now + DIFFER) for table, name in _TIMES]
    return done + [(table, name, now + longest + DIFFER) for table, name in _NEXT]


def open_offers(conn: Connection) -> list[Offer]:
    """All offers, oldest first."""
    return [_offer(row) for row in conn.execute(select(offers).order_by(offers.c.made_at, offers.c.key))]


def prepare(conn: Connection, folds: Sequence[Fold], *, now: datetime) -> list[Offer]:
    """Store the offers to be made. A return that has one is left out."""
    return [offer for fold in folds if (offer := _prepare(conn, fold, now))]


def _prepare(conn: Connection, fold: Fold, now: datetime) -> Offer | None:
    free = (
        select(returns.c.process_id, returns.c.attempt)
        .where(returns.c.process_id.in_(fold.process_ids), returns.c.offer == "", _OF_RETURN)
        .order_by(returns.c.process_id)
        .with_for_update()
    )
    attempts = {row.process_id: row.attempt for row in conn.execute(free)}
    if not attempts:
        return None
    hashes = select(events.c.process_id, events.c.hash).where(events.c.process_id.in_(attempts), _IS_WAITING)
    marks = sorted(f"{row.hash}:{attempts[row.process_id]}" for row in conn.execute(hashes))
    key = f"webhook-{sha256(' '.join(marks).encode()).hexdigest()}"
    ids = tuple(sorted(attempts))
    conn.execute(update(returns).where(returns.c.process_id.in_(ids)).values(offer=key))
    offer = Offer(key, fold.deployment, ids, max(attempts.values()), now)
    conn.execute(
        insert(offers).values(
            key=key, deployment=offer.deployment, process_ids=list(ids), attempt=offer.attempt, made_at=now
        )
    )
    return offer


def mark_offered(conn: Connection, key: str, run_id: str, *, now: datetime, look_at: datetime) -> None:
    """Store that Prefect has the run, which is to be checked at `look_at`."""
    conn.execute(update(offers).where(offers.c.key == key).values(run_id=run_id, sent_at=now, look_at=look_at))
    made = select(offers.c.made_at).where(offers.c.key == key).scalar_subquery()
    since = func.coalesce(returns.c.offered_since, literal(now, returns.c.offered_since.type))
    conn.execute(update(returns).where(returns.c.offer == key).values(offered_since=since, offered_last=made))


def look_later(conn: Connection, keys: Collection[str], *, look_at: datetime) -> None:
    """Do not check these runs before `look_at`."""
    conn.execute(update(offers).where(offers.c.key.in_(keys)).values(look_at=look_at))


def take_back(conn: Connection, keys: Collection[str]) -> None:
    """End these offers, which came to nothing: their returns may be offered again, with another key."""
    freed = update(returns).where(returns.c.offer.in_(keys))
    conn.execute(freed.values(offer="", attempt=returns.c.attempt + 1))
    _drop_empty(conn)


@dataclass(frozen=True, slots=True)
class Seen:
    """How many events were closed, as their returns were looked at, and which offered runs nobody needs any more."""

    events: int
    unneeded: frozenset[str]


def close_seen(conn: Connection, began: Mapping[str, datetime], *, now: datetime) -> Seen:
    """Close the events that came in before the run that looked at their return began.

    An offer ends once a run that began after it was made has looked, or no event of the return waits. Events that came
    in after the beginning of that run wait on, and may be offered.
    """
    by_time: dict[datetime, list[str]] = defaultdict(list)
    for process_id, at in began.items():
        by_time[at].append(process_id)
    closed = sum(_close_seen(conn, ids, at, now) for at, ids in by_time.items())
    return Seen(closed, frozenset(_free(conn, began)))


def _close_seen(conn: Connection, ids: Sequence[str], began: datetime, now: datetime) -> int:
    never = select(returns.c.process_id).where(
        returns.c.process_id.in_(_IDS), returns.c.offer == "", returns.c.attempt == 0
    )
    offered_none = {row.process_id for piece in chunks(ids) for row in conn.execute(never, {"ids": piece})}
    others = [each for each in ids if each not in offered_none]
    spared = _close(conn, sorted(offered_none), ACTED_ON, began, now, WHY_NO_RUN)
    return spared + _close(conn, others, ACTED_ON, began, now)


def give_up(conn: Connection, *, offered_before: datetime, now: datetime) -> dict[str, int]:
    """Give up the events of returns that were offered before then and not looked at; process id -> how many.

    What came in after the last offer was made goes on.
    """
    late = select(returns.c.process_id, returns.c.offered_last).where(returns.c.offered_since <= offered_before)
    given: dict[str, int] = {}
    for row in conn.execute(late).all():
        given[row.process_id] = _close(conn, [row.process_id], GIVEN_UP, row.offered_last, now, WHY_GIVEN_UP)
        conn.execute(update(returns).where(returns.c.process_id == row.process_id).values(**_FRESH))
    _drop_empty(conn)
    return given


def doubt(conn: Connection, process_id: str, *, doubts: int, ask_at: datetime | None) -> None:
    """Note how often REVER did not show this return as one of ours, and when it is asked again."""
    conn.execute(update(returns).where(returns.c.process_id == process_id).values(doubts=doubts, ask_at=ask_at))


def close_for(conn: Connection, process_id: str, *, state: str, why: str, until: datetime, now: datetime) -> int:
    """Close the events of a return that came in until then, because of what REVER says of it, and return how many."""
    closed = _close(conn, [process_id], state, until, now, why)
    free_return(conn, process_id)
    return closed


def free_return(conn: Connection, process_id: str) -> None:
    """Nothing of this return is under way any more."""
    conn.execute(update(returns).where(returns.c.process_id == process_id).values(**_FRESH))
    _drop_empty(conn)


_FRESH: dict[str, Any] = {"offer": "", "attempt": 0, "offered_since": None, "offered_last": None}


def _close(
    conn: Connection, ids: Sequence[str], state: str, until: datetime, now: datetime, why: str | None = None
) -> int:
    closing = (
        update(events)
        .where(events.c.process_id.in_(_IDS), _IS_WAITING, events.c.stored_at <= until)
        .values(state=state, closed_at=now, closed_why=why)
    )
    return sum(conn.execute(closing, {"ids": piece}).rowcount for piece in chunks(ids))


def _free(conn: Connection, began: Mapping[str, datetime]) -> list[str]:
    outstanding = (
        select(returns.c.process_id, offers.c.made_at, _OF_RETURN.label("waits"))
        .outerjoin(offers, offers.c.key == returns.c.offer)
        .where(returns.c.process_id.in_(_IDS))
    )
    rows = [row for ids in chunks(began) for row in conn.execute(outstanding, {"ids": ids})]
    free = [
        row.process_id for row in rows if not row.waits or row.made_at is None or began[row.process_id] >= row.made_at
    ]
    for ids in chunks(free):
        conn.execute(update(returns).where(returns.c.process_id.in_(_IDS)).values(**_FRESH), {"ids": ids})
    return _drop_empty(conn)


def _drop_empty(conn: Connection) -> list[str]:
    """End the offers without a return; the ids of their runs."""
    empty = delete(offers).where(~exists().where(returns.c.offer == offers.c.key)).returning(offers.c.run_id)
    return [row.run_id for row in conn.execute(empty).all() if row.run_id]


def _offer(row: Any) -> Offer:
    return Offer(
        row.key, row.deployment, tuple(row.process_ids), row.attempt, row.made_at, row.run_id, row.sent_at, row.look_at
    )
