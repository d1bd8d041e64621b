"""Where the parcels of a return are, and since when: what a read shows, what has changed, when the goods moved. Pure.

REVER's list tells where a parcel is, not since when. So a change is dated by when this desk saw it: it was so then at
the latest. Days that are counted from such a time end later than by the true one, never sooner.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import groupby

from rever_api.models import ProcessStatus, ReturnProcess, ReturnStatus, Shipping, ShippingStatus
from tasks.policy.clocks import clock_time
from tasks.policy.facts import GOODS_HERE, GOODS_SENT, PARCEL_MOVED
from tasks.policy.record import ParcelChange, Record
from tasks.policy.replaced import replaced_as_seen, superseded

OF_RETURN = 0
"""The number that stands for the return itself among its parcels."""

AT_ITS_END = frozenset({ShippingStatus.IN_WAREHOUSE, ShippingStatus.CANCELED, ""})
"""Where a parcel goes no further, as far as is known; it is not asked about any more."""

_CALLED_OFF = frozenset({ProcessStatus.CANCELED, ProcessStatus.FAILED})
_NOTHING_YET = frozenset({"", ShippingStatus.NO_SHIPPING_STATUS})
_BEGUN = frozenset({"", ReturnStatus.STARTED})
_NOT_SENT = frozenset(map(str, ShippingStatus)) - PARCEL_MOVED | _BEGUN


@dataclass(frozen=True, slots=True)
class ShownParcel:
    """A parcel as one read shows it. A `tracking` number is empty as long as there is none."""

    status: str
    tracking: str = field(default="", repr=False)
    carrier: str = ""


@dataclass(frozen=True, slots=True)
class ParcelView:
    """What one read shows of a return's parcels. `whole`: these are all there are. `of_return` is the return's own
    status, None where there is none; `over`: it is called off, and nothing of it moves any more. `as_of` is its last
    change at REVER, `told_at` since when REVER says that the parcel is there.
    """

    parcels: tuple[ShownParcel, ...] = ()
    whole: bool = False
    of_return: str | None = None
    over: bool = False
    as_of: datetime | None = None
    told_at: datetime | None = None

    @property
    def tells(self) -> bool:
        """Whether it says of any parcel where it is, or that there is none."""
        return self.whole or bool(self.parcels)


def view_of(process: ReturnProcess) -> ParcelView:
    """What a return as REVER shows it tells of its parcels."""
    return ParcelView(
        tuple(ShownParcel(str(it.status), it.tracking_number, it.carrier) for it in process.logistics or ()),
        whole=process.logistics is not None,
        of_return=str(process.return_status) or None,
        over=process.rever_process_status in _CALLED_OFF,
        as_of=process.updated_at,
    )


def parcel_statuses(process: ReturnProcess, record: Record) -> list[str]:
    """Where each parcel is that counts: not one whose label was replaced, unless the shopper has used it.

    Where the read does not tell of parcels, as they were seen last.
    """
    if process.logistics is not None:
        gone = superseded(process, record)
        shown = {number: str(entry.status) for number, entry in enumerate(process.logistics, start=1)}
    else:
        gone = replaced_as_seen(record).numbers
        shown = {it.parcel: it.status for it in sorted(record.parcels or (), key=lambda it: it.n)}
    return [
        status
        for number, status in shown.items()
        if number != OF_RETURN and (number not in gone or status in PARCEL_MOVED)
    ]


def view_of_shipping(shipping: Shipping) -> ParcelView:
    """What REVER's answer about the shipping of a return tells: where its youngest parcel is, and since when."""
    shown = ShownParcel(str(shipping.status), shipping.tracking_id)
    return ParcelView((shown,), told_at=shipping.updated_at)


def changes(known: Sequence[ParcelChange], view: ParcelView, now: datetime) -> tuple[ParcelChange, ...]:
    """What a read shows otherwise than it is known.

    A parcel is known by its tracking number, and by its place where one of the two has none. A read that is older than
    the one that showed the last change says nothing.
    """
    newest = max((change.as_of for change in known if change.as_of), default=None)
    if view.as_of is not None and newest is not None and view.as_of < newest:
        return ()
    last = {change.parcel: change for change in sorted(known, key=lambda it: it.n)}
    found = []
    for number, shown in _shown(last, view):
        before = last.get(number)
        status = before.status if before else ""
        if shown.status == status or (before is None and shown.status in (_NOTHING_YET if number else _BEGUN)):
            continue
        told = view.told_at
        if told is not None and (told > now or (before is not None and told < before.at)):
            told = None
        tracking, carrier = (before.tracking, before.carrier) if before else (shown.tracking, shown.carrier)
        as_of = None if view.as_of is None else min(view.as_of, now)
        n = before.n + 1 if before else 1
        found.append(ParcelChange(number, n, status, shown.status, now, told, as_of, tracking, carrier))
    return tuple(found)


def standing(known: Sequence[ParcelChange], view: ParcelView, now: datetime) -> tuple[ParcelChange, ...]:
    """The last change of each parcel by its number, those among them that this read shows first.

    A parcel that nobody has seen yet begins now.
    """
    in_order = sorted((*known, *changes(known, view, now)), key=lambda it: it.n)
    last = {change.parcel: change for change in in_order if change.parcel != OF_RETURN}
    return tuple(last[number] for number in sorted(last))


def parcel_numbers(known: Sequence[ParcelChange], view: ParcelView) -> tuple[int, ...]:
    """The numbers of the parcels of a read, in the order in which it shows them."""
    last = {change.parcel: change for change in sorted(known, key=lambda it: it.n)}
    numbers = [number for number, _ in _shown(last, view) if number != OF_RETURN]
    return tuple(numbers[: len(view.parcels)])


def _shown(last: dict[int, ParcelChange], view: ParcelView) -> Iterator[tuple[int, ShownParcel]]:
    """Each parcel of a read by its number, and those that a whole read no longer shows."""
    if view.of_return is not None:
        yield OF_RETURN, ShownParcel(view.of_return)
    left = {number: change for number, change in last.items() if number != OF_RETURN}
    numbers: dict[int, int] = {}
    for place, shown in enumerate(view.parcels):
        same = [number for number, it in left.items() if shown.tracking and it.tracking == shown.tracking]
        if same:
            numbers[place] = same[0]
            del left[same[0]]
    for place, shown in enumerate(view.parcels):
        if place in numbers:
            continue
        there = place + 1 if view.whole else max(left, default=0)
        if there in left and not (shown.tracking and left[there].tracking):
            numbers[place] = there
            del left[there]
        else:
            numbers[place] = max([0, *last, *numbers.values()]) + 1
    yield from ((numbers[place], shown) for place, shown in enumerate(view.parcels))
    if view.whole:
        yield from ((number, ShownParcel("")) for number in left)


def _stage(status: str) -> int:
    """How far it has come: 0 not sent, 1 on its way, 2 where it is inspected. A word that is not known is no way."""
    if status in GOODS_HERE or status == ShippingStatus.IN_WAREHOUSE:
        return 2
    return int(status in GOODS_SENT or status in PARCEL_MOVED)


def went_back(change: ParcelChange) -> bool:
    """Whether it is less far than it was: a parcel that was scanned and now was not, or arrived and is on its way."""
    known = change.status in _NOT_SENT or _stage(change.status) > 0
    return known and _stage(change.status) < _stage(change.before)


@dataclass(frozen=True, slots=True)
class GoodsMoved:
    """When the goods of a return were handed over, and when they arrived, at the latest; None: they are not, or nobody
    saw it.
    """

    scanned_at: datetime | None = None
    arrived_at: datetime | None = None


def goods_moved(known: Iterable[ParcelChange]) -> GoodsMoved:
    """When the goods came as far as they are. What went back before its scan, or its arrival, counts from the next."""
    numbers: dict[int, ParcelChange] = {}
    scanned: datetime | None = None
    arrived: datetime | None = None
    in_order = sorted(known, key=lambda it: (it.seen_at, it.parcel, it.n))
    for _, together in groupby(in_order, key=lambda it: it.seen_at):
        seen = tuple(together)
        for change in seen:
            if change.parcel not in numbers or numbers[change.parcel].n < change.n:
                numbers[change.parcel] = change
        at, stage = max(change.at for change in seen), max(_stage(it.status) for it in numbers.values())
        scanned = (scanned or at) if stage >= 1 else None
        arrived = (arrived or at) if stage >= 2 else None
    return GoodsMoved(scanned, arrived)


def change_in_words(change: ParcelChange, zone: tzinfo = UTC) -> str:
    """A change as a person in the store's zone reads it, without the parcel's tracking number."""
    what = "the return" if change.parcel == OF_RETURN else f"parcel {change.parcel}"
    what += f" ({change.carrier})" if change.carrier else ""
    before = f", was {in_words(change.before)}" if change.before else ""
    told = f"; REVER says since {clock_time(change.told_at, zone)}" if change.told_at else ""
    back = "; it went back" if went_back(change) else ""
    return f"{what} is {in_words(change.status)}{before}{told}{back}"


def in_words(status: str) -> str:
    """A status as a person reads it."""
    return status.lower().replace("_", " ") or "no longer shown"


# When a parcel is asked about again.


SOONEST, LATEST = timedelta(hours=12), timedelta(days=7)
"""Between two looks at a parcel that nothing has shown meanwhile: a quarter of the time since it moved, at least and
at most this.
"""

GIVEN_UP = timedelta(days=120)
"""A parcel that has not moved for so long is not asked about any more."""


def due_for_a_look(since: datetime, looked_at: datetime, now: datetime) -> bool:
    """Whether a parcel that moved at `since` and was looked at then is to be asked about: the longer it stands, the
    less often.
    """
    still = now - since
    return still < GIVEN_UP and now - looked_at >= min(max(still / 4, SOONEST), LATEST)
