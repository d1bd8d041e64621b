"""What a read shows of parcels, what has changed since the one before, and since when the goods are where they are."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rever_api.models import LogisticsEntry, Shipping, ShippingStatus
from tasks.policy.clocks import clock_time
from tasks.policy.record import ParcelChange, Record
from tasks.policy.return_facts import Unknown, facts_of
from tasks.policy.tracking import (
    LATEST,
    SOONEST,
    ParcelView,
    ShownParcel,
    change_in_words,
    changes,
    due_for_a_look,
    goods_moved,
    standing,
    view_of,
    view_of_shipping,
    went_back,
)
from tests.tasks.policy.factories import NOW, approved, line, process, reviews, rules

DAY = timedelta(days=1)


def seen(*views: ParcelView, step: timedelta = DAY) -> tuple[ParcelChange, ...]:
    """All changes of these reads, one a `step`; the last is of NOW."""
    known: tuple[ParcelChange, ...] = ()
    for number, view in enumerate(views):
        known += changes(known, view, NOW - step * (len(views) - 1 - number))
    return known


def parcel(*statuses: str, of_return: str = "", as_of: datetime | None = None, tracked: bool = True) -> ParcelView:
    shown = tuple(ShownParcel(status, f"T{n}" if tracked else "", "DHL") for n, status in enumerate(statuses))
    return ParcelView(shown, whole=True, of_return=of_return or None, as_of=as_of)


def steps(known: tuple[ParcelChange, ...]) -> list[tuple[int, int, str, str]]:
    return [(it.parcel, it.n, it.before, it.status) for it in known]


def test_only_what_changed_is_written_each_change_with_what_was_before() -> None:
    known = seen(parcel("CREATED"), parcel("CREATED"), parcel("COLLECTED"), parcel("IN_WAREHOUSE"))
    assert steps(known) == [
        (1, 1, "", "CREATED"),
        (1, 2, "CREATED", "COLLECTED"),
        (1, 3, "COLLECTED", "IN_WAREHOUSE"),
    ]
    assert [it.seen_at for it in known] == [NOW - 3 * DAY, NOW - DAY, NOW]
    assert {it.carrier for it in known} == {"DHL"}


def test_a_return_that_has_only_begun_and_a_label_that_is_pending_are_no_news() -> None:
    assert seen(parcel("", of_return="STARTED"), parcel("NO_SHIPPING_STATUS", of_return="STARTED")) == ()
    assert steps(seen(ParcelView(whole=True, of_return="COLLECTED"))) == [(0, 1, "", "COLLECTED")]


def test_a_new_label_is_another_parcel_and_one_that_is_gone_is_told() -> None:
    new = ParcelView((ShownParcel("CREATED", "NEW"),), whole=True)
    known = seen(parcel("COLLECTED"), new)
    assert steps(known) == [(1, 1, "", "COLLECTED"), (2, 1, "", "CREATED"), (1, 2, "COLLECTED", "")]
    assert went_back(known[-1])
    assert "no longer shown" in change_in_words(known[-1])
    part = ParcelView((ShownParcel("CREATED", "NEW"),))
    assert steps(seen(parcel("COLLECTED"), part))[1:] == [(2, 1, "", "CREATED")], "a part says nothing of others"


@pytest.mark.parametrize(("first", "then"), [("", "T0"), ("T0", ""), ("", "")])
def test_where_one_of_two_reads_has_no_tracking_number_the_place_counts(first: str, then: str) -> None:
    views = [ParcelView((ShownParcel(s, t),), whole=True) for s, t in (("CREATED", first), ("COLLECTED", then))]
    assert steps(seen(*views)) == [(1, 1, "", "CREATED"), (1, 2, "CREATED", "COLLECTED")]


def test_an_older_read_says_nothing() -> None:
    known = seen(parcel("CREATED", as_of=NOW - 9 * DAY), parcel("COLLECTED", as_of=NOW - DAY))
    assert changes(known, parcel("CREATED", as_of=NOW - 2 * DAY), NOW) == ()
    assert steps(changes(known, parcel("CREATED", as_of=NOW), NOW)) == [(1, 3, "COLLECTED", "CREATED")]
    ahead = seen(parcel("CREATED", as_of=NOW + DAY), step=timedelta(0))
    assert changes(ahead, parcel("COLLECTED", as_of=NOW + timedelta(minutes=1)), NOW + timedelta(minutes=1))


def test_what_rever_says_of_the_time_counts_where_it_can_be() -> None:
    asked = view_of_shipping(Shipping(status="COLLECTED", tracking_id="T0", updated_at=NOW - timedelta(hours=5)))
    known = seen(parcel("CREATED"), asked)
    assert (known[-1].at, known[-1].seen_at) == (NOW - timedelta(hours=5), NOW)
    said = clock_time(NOW - timedelta(hours=5), ZoneInfo("Europe/Madrid"))
    assert f"; REVER says since {said}" in change_in_words(known[-1], ZoneInfo("Europe/Madrid"))
    for strange in (NOW + timedelta(hours=1), NOW - 2 * DAY):
        told = ParcelView(asked.parcels, told_at=strange)
        assert seen(parcel("CREATED"), told)[-1].at == NOW, "to come, or before it was seen elsewhere"


def test_the_first_scan_is_the_first_and_the_arrival_the_last() -> None:
    there = seen(parcel("CREATED"), parcel("COLLECTED"), parcel("IN_WAREHOUSE"), parcel("COLLECTED"))
    assert goods_moved(there).scanned_at == NOW - 2 * DAY
    assert goods_moved(there).arrived_at is None
    again = seen(parcel("COLLECTED"), parcel("IN_WAREHOUSE"), parcel("COLLECTED"), parcel("IN_WAREHOUSE"))
    assert (goods_moved(again).scanned_at, goods_moved(again).arrived_at) == (NOW - 3 * DAY, NOW)


def test_a_scan_that_was_taken_back_counts_from_the_next() -> None:
    back = seen(parcel("COLLECTED"), parcel("CREATED"))
    assert [went_back(it) for it in back] == [False, True]
    assert goods_moved(back).scanned_at is None
    assert goods_moved(seen(parcel("COLLECTED"), parcel("CREATED"), parcel("COLLECTED"))).scanned_at == NOW
    other = seen(parcel("COLLECTED", "CREATED"), parcel("COLLECTED", "COLLECTED"), parcel("CREATED", "COLLECTED"))
    assert goods_moved(other).scanned_at == NOW - 2 * DAY, "the goods are on their way in another parcel"


def entries(*statuses: str) -> tuple[LogisticsEntry, ...]:
    return tuple(LogisticsEntry(status=status, tracking_number=f"T{n}") for n, status in enumerate(statuses))


def dated(known: tuple[ParcelChange, ...] | None, now: datetime = NOW, **fields: Any) -> tuple[object, object]:
    given: dict[str, Any] = {"return_status": "STARTED", **fields}
    shown = process(line(), **given)
    facts = facts_of(shown, Record("p", parcels=known), rules(), now, UTC)
    return facts.first_scanned_on, facts.arrived_on


def test_the_facts_count_from_when_it_was_seen_and_now_where_it_is_news() -> None:
    known = seen(parcel("CREATED"), parcel("COLLECTED"), parcel("COLLECTED"))
    moved = process(logistics=("COLLECTED",)).model_copy(update={"logistics": entries("COLLECTED")})
    facts = facts_of(moved, Record("p", parcels=known), rules(), NOW, UTC)
    assert facts.first_scanned_on == (NOW - DAY).date()
    assert dated((), logistics=("COLLECTED",)) == (NOW.date(), None)
    assert dated((), logistics=("CREATED",)) == (None, None)
    assert all(isinstance(it, Unknown) for it in dated(None, return_status="REVIEW_REQUIRED"))


def test_a_review_shows_that_the_goods_had_arrived_by_then() -> None:
    two_days_ago = reviews("retl_1", "APPROVED", at=NOW - 2 * DAY)
    assert dated((), reviews=two_days_ago, logistics=()) == ((NOW - 2 * DAY).date(),) * 2
    assert dated((), reviews=approved("retl_1"), logistics=())[1] == NOW.date()


def test_the_days_are_the_stores() -> None:
    late = datetime(2026, 3, 20, 23, 30, tzinfo=UTC)
    known = changes((), parcel("COLLECTED"), late)
    moved = process().model_copy(update={"logistics": entries("COLLECTED"), "return_status": "STARTED"})
    facts = facts_of(moved, Record("p", parcels=known), rules(), late, ZoneInfo("Europe/Madrid"))
    assert facts.first_scanned_on == date(2026, 3, 21)


STATUSES = st.lists(st.sampled_from(["", *ShippingStatus, "TELEPORTED"]), min_size=0, max_size=3)


@given(st.lists(STATUSES, min_size=1, max_size=8))
def test_whatever_is_shown_each_change_follows_and_no_time_is_before_its_sight(shown: list[list[str]]) -> None:
    views = [parcel(*statuses) for statuses in shown]
    known = seen(*views)
    stands: dict[int, tuple[int, str]] = {}
    for it in known:
        assert (it.n - 1, it.before) == stands.get(it.parcel, (0, ""))
        assert it.status != it.before
        stands[it.parcel] = (it.n, it.status)
    assert changes(known, views[-1], NOW) == (), "the same read again is no news"
    moved = goods_moved(known)
    first = next(_first_sight(views, {"COLLECTED", "IN_WAREHOUSE"}), None)
    assert moved.scanned_at is None or (first is not None and moved.scanned_at >= first)
    sent = {"COLLECTED", "IN_WAREHOUSE"} & set(shown[-1])
    assert (moved.scanned_at is not None) == bool(sent)


def _first_sight(views: list[ParcelView], wanted: set[str]) -> Iterator[datetime]:
    for number, view in enumerate(views):
        if any(it.status in wanted for it in view.parcels):
            yield NOW - DAY * (len(views) - 1 - number)


def test_each_parcel_stands_by_its_last_change_and_by_what_is_shown_now() -> None:
    known = seen(parcel("CREATED"), parcel("COLLECTED", of_return="COLLECTED"))
    stands = standing(known, parcel("COLLECTED", "CREATED", of_return="COLLECTED"), NOW)
    assert [(it.parcel, it.status, it in known) for it in stands] == [(1, "COLLECTED", True), (2, "CREATED", False)]
    assert standing(known, ParcelView(), NOW) == known[-1:], "a read that says nothing changes nothing"


def test_a_parcel_is_asked_about_less_and_less_often() -> None:
    waits = []
    for days in (0.1, 1, 4, 20, 60, 119):
        since = NOW - timedelta(days=days)
        hours = next(h for h in range(1000) if due_for_a_look(since, NOW - timedelta(hours=h), NOW))
        waits.append(hours)
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (SOONEST / timedelta(hours=1), LATEST / timedelta(hours=1))
    assert not due_for_a_look(NOW - timedelta(days=121), NOW - timedelta(days=100), NOW), "it is given up"


def test_the_view_of_a_return() -> None:
    it = process(status="CANCELED").model_copy(update={"logistics": entries("CREATED")})
    view = view_of(it)
    assert (view.whole, view.over, view.parcels[0].tracking) == (True, True, "T0")
    assert not view_of(it.model_copy(update={"logistics": None})).tells
    assert "T0" not in repr(view)
