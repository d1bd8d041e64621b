"""A past return, and how it looked at each moment of its life, as far as anybody has told the times.

REVER shows a return as it is today. It dates the start, the inspection of each unit and each refund; it does not date
the carrier's scans, the arrival or a cancellation. What has no date is shown from the latest time at which it must have
happened, and the view says so (`exact` is false): a payment made then was due at some time before.

Lines, values, costs and the outcome of each review are as REVER shows them today, at every moment.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rever_api.models import (
    Compensation,
    LogisticsEntry,
    ProcessStatus,
    Refund,
    ReturnProcess,
    ReturnStatus,
    Review,
    ShippingStatus,
)
from tasks.policy.facts import GOODS_HERE, PARCEL_MOVED, goods_here, goods_sent, one_mailbox
from tasks.policy.record import ParcelChange, Record
from tasks.policy.tracking import OF_RETURN

_GOES_ON = frozenset({ProcessStatus.RUNNING, ProcessStatus.COMPLETED})
_NOT_PAID = Compensation(refunds=())


@dataclass(frozen=True, slots=True)
class PastReturn:
    """A return of a store as REVER shows it today, and what the ledger knows of it.

    `scanned_at` and `arrived_at` are when a run of this desk first saw that the goods had come so far; None where none
    has. REVER does not date either.
    """

    store: str
    process: ReturnProcess = field(repr=False)
    record: Record
    scanned_at: datetime | None = None
    arrived_at: datetime | None = None

    def parcels(self, at: datetime) -> tuple[ParcelChange, ...] | None:
        """What the ledger had seen of the goods by a time; None where it never saw them move."""
        if self.scanned_at is None and self.arrived_at is None:
            return None
        ways = ((self.scanned_at, ReturnStatus.COLLECTED), (self.arrived_at, ReturnStatus.REVIEW_REQUIRED))
        seen = [(when, status) for when, status in ways if when is not None and when <= at]
        return tuple(ParcelChange(OF_RETURN, n, "", status, when) for n, (when, status) in enumerate(seen, start=1))

    @property
    def process_id(self) -> str:
        """REVER's id of the return."""
        return self.process.rever_process_id


@dataclass(frozen=True, slots=True)
class View:
    """The return as a run at this time would have read it, without any refund. `exact` is whether the time is known
    at which it came to look so.
    """

    at: datetime
    process: ReturnProcess = field(repr=False)
    exact: bool = True


def views(
    past: PastReturn, until: datetime, gap: timedelta, *, scan: bool = False, arrival: bool = False
) -> tuple[View, ...]:
    """How the return looked, a view for each change, in the order of their times; none where it has no start.

    Reviews within `gap`, the time between two looks of the desk, are one change. The first `scan`
    and the `arrival` are shown by themselves only where something asks about them.
    """
    began = past.process.started_at
    if began is None or began > until:
        return ()
    return tuple(_Views(past, began, until, gap).all(scan=scan, arrival=arrival))


def undated_reviews(process: ReturnProcess) -> int:
    """How many reviews have no date."""
    return sum(review.review_date is None for review in process.reviews or ())


def was_scanned(process: ReturnProcess) -> bool:
    """Whether the carrier has, or had, the goods."""
    return goods_sent(process) or bool(process.reviews)


def has_arrived(process: ReturnProcess) -> bool:
    """Whether the goods are, or were, where they are inspected."""
    return goods_here(process) or bool(process.reviews)


def mailbox_of(process: ReturnProcess) -> str:
    """The shopper's mailbox; empty where REVER names none. Only for comparing: it is shown nowhere."""
    return one_mailbox(process.shopper.email) if process.shopper else ""


def known_at(process: ReturnProcess, at: datetime) -> ReturnProcess:
    """A return as it was known at a time, with what was really reviewed and refunded by then.

    Where a review or a refund has no date, nobody can say what was known: its list counts as not told.
    """
    reviews, told = process.reviews, process.compensation
    refunds = told.refunds if told is not None else None
    cancelled = process.rever_process_status not in _GOES_ON and (process.updated_at or at) <= at
    known: tuple[Review, ...] | None = tuple(it for it in reviews or () if it.review_date and it.review_date <= at)
    paid: tuple[Refund, ...] | None = tuple(it for it in refunds or () if it.refunded_at and it.refunded_at <= at)
    if reviews is None or any(it.review_date is None for it in reviews):
        known = None
    if refunds is None or any(it.refunded_at is None for it in refunds):
        paid = None
    return process.model_copy(
        update={
            "rever_process_status": process.rever_process_status if cancelled else ProcessStatus.RUNNING,
            "reviews": known,
            "compensation": told and told.model_copy(update={"refunds": paid}),
        }
    )


def happenings(process: ReturnProcess, *, outcomes: bool = True) -> Iterator[datetime]:
    """The times at which `known_at` turns; without `outcomes` not those of its reviews and refunds."""
    ended = process.updated_at if process.rever_process_status not in _GOES_ON else None
    refunds = process.compensation.refunds if process.compensation and outcomes else ()
    reviewed = [it.review_date for it in (process.reviews or () if outcomes else ())]
    paid = [it.refunded_at for it in refunds or ()]
    yield from (at for at in (process.started_at, ended, *reviewed, *paid) if at is not None)


class _Views:
    def __init__(self, past: PastReturn, began: datetime, until: datetime, gap: timedelta) -> None:
        self.past, self.began, self.until, self.gap = past, began, until, gap
        self.process = past.process
        self.told = self.process.reviews is not None
        last = self.process.updated_at
        self.latest = last if last is not None and began <= last <= until else until

    def all(self, *, scan: bool, arrival: bool) -> Iterator[View]:
        """All views. A time that lies before the one of the view before it cannot be right, and is not exact."""
        at = self.began
        changes: list[tuple[datetime, dict[str, object], bool]] = [(self.began, self._shown(()), True)]
        reviews = self._reviews()
        if scan or arrival:
            changes += self._parcels(scan, arrival, min((day for day, _, _ in reviews), default=self.latest))
        changes += [(day, self._shown(seen, *self._there()), exact) for day, seen, exact in reviews]
        if self.process.rever_process_status not in _GOES_ON:
            seen = reviews[-1][1] if reviews else ()
            status = {"rever_process_status": self.process.rever_process_status}
            way = self._there() if reviews or scan or arrival else (ReturnStatus.STARTED, ShippingStatus.CREATED)
            changes.append((self.latest, {**self._shown(seen, *way), **status}, True))
        for when, fields, exact in changes:
            known, at = exact and when >= at, max(at, when)
            if at <= self.until:
                yield View(at, self.process.model_copy(update={**fields, "updated_at": at}), known)

    def _there(self) -> tuple[str, None]:
        status = self.process.return_status
        return status if status in GOODS_HERE else ReturnStatus.REVIEW_REQUIRED, None

    def _parcels(
        self, scan: bool, arrival: bool, latest: datetime
    ) -> Iterator[tuple[datetime, dict[str, object], bool]]:
        scanned, arrived = self.past.scanned_at, self.past.arrived_at
        if scan and was_scanned(self.process):
            way = self._shown((), ReturnStatus.COLLECTED, ShippingStatus.COLLECTED)
            yield scanned or arrived or latest, way, scanned is not None
        if arrival and has_arrived(self.process):
            yield arrived or latest, self._shown((), *self._there()), arrived is not None

    def _reviews(self) -> list[tuple[datetime, tuple[Review, ...], bool]]:
        """The reviews seen at each time. Those without a date come last, at the latest time that can be."""
        reviews = self.process.reviews or ()
        dated = sorted((it.review_date, n, it) for n, it in enumerate(reviews) if it.review_date is not None)
        found: list[tuple[datetime, tuple[Review, ...], bool]] = []
        seen: tuple[Review, ...] = ()
        first = self.began
        for day, _, review in dated:
            seen = (*seen, review)
            if found and day - first <= self.gap:
                found[-1] = (day, seen, True)
            else:
                first = day
                found.append((day, seen, True))
        undated = tuple(it for it in reviews if it.review_date is None)
        if undated:
            found.append((max([self.latest, *(day for day, _, _ in found)]), (*seen, *undated), False))
        return found

    def _shown(
        self,
        reviews: Sequence[Review],
        status: str = ReturnStatus.STARTED,
        parcel: ShippingStatus | None = ShippingStatus.CREATED,
    ) -> dict[str, object]:
        """What differs in the return with these reviews and this status, each parcel no further than this (None: as it
        is today).
        """
        told = self.process.compensation
        fields: dict[str, object] = {
            "rever_process_status": ProcessStatus.RUNNING,
            "return_status": status if self.process.return_status else "",
            "reviews": tuple(reviews) if self.told else None,
            "compensation": _NOT_PAID if told is not None and told.refunds is not None else None,
        }
        if parcel is not None and self.process.logistics:
            fields["logistics"] = tuple(_no_further(entry, parcel) for entry in self.process.logistics)
        return fields


def _no_further(entry: LogisticsEntry, parcel: ShippingStatus) -> LogisticsEntry:
    further = entry.status in PARCEL_MOVED and entry.status != parcel
    return entry.model_copy(update={"status": parcel}) if further else entry
