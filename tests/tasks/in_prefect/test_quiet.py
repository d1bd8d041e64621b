"""What counts as quiet: no run for two intervals, a schedule, queue or pool that is paused, no worker."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from tasks.in_prefect.quiet import Planned, Pool, Quiet, Where, went_quiet

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
TEN, LONG_AGO = timedelta(minutes=10), NOON - timedelta(days=30)
PENDING = Planned("process-pending-returns", UUID(int=1), on=True, every=TEN, since=LONG_AGO, began=NOON - TEN)
PAUSED = replace(PENDING, on=False, every=None, since=None, began=None)
ACME, NORDIC = frozenset({"acme"}), frozenset({"nordic"})
POOL = Pool("rever", paused=False, workers=1)


def words(*planned: Planned, pools: tuple[Pool, ...] = ()) -> list[str]:
    return [each.words for each in went_quiet(planned, pools, NOON)]


@pytest.mark.parametrize(
    ("minutes", "quiet"), [(0, False), (10, False), (20, False), (20.1, True), (24 * 60, True), (-2, False)]
)
def test_a_schedule_is_quiet_after_two_of_its_intervals(minutes: float, quiet: bool) -> None:
    """A beginning a little in the future is another clock's."""
    assert bool(words(replace(PENDING, began=NOON - timedelta(minutes=minutes)))) is quiet


def test_it_says_which_for_how_long_and_how_often_it_should_run() -> None:
    (said,) = went_quiet([replace(PENDING, began=NOON - timedelta(hours=3))], [], NOON)
    assert said.words == "no run of process-pending-returns has begun for 3 h, and one should begin every 10 min"
    assert said.where is Where.SCHEDULE
    assert "rever-returns doctor" in said.to_do


def test_one_that_was_just_put_on_has_its_time_and_one_that_never_ran_is_quiet() -> None:
    assert words(replace(PENDING, began=LONG_AGO, since=NOON - TEN)) == []
    (said,) = words(replace(PENDING, began=None))
    assert said.startswith("no run of process-pending-returns has begun since it was set up")
    assert words(replace(PENDING, every=None, began=None)) == [], "a schedule by a calendar has no interval"


@pytest.mark.parametrize(
    ("paused", "others", "quiet"),
    [
        (frozenset(), [], True),
        (ACME, [], True),
        (ACME, [NORDIC], True),
        (ACME, [ACME], False),
        (ACME, [frozenset()], False),
        (ACME | NORDIC, [ACME], True),
        (ACME | NORDIC, [ACME, NORDIC], False),
        (frozenset(), [ACME], False),
    ],
)
def test_a_paused_schedule_is_told_unless_another_goes_over_its_stores(
    paused: frozenset[str], others: list[frozenset[str]], quiet: bool
) -> None:
    """With one deployment for each store, the one for all is paused on purpose."""
    found = words(replace(PAUSED, stores=paused), *(replace(PENDING, name="other", stores=each) for each in others))
    assert found == (["the schedule of process-pending-returns is paused"] if quiet else [])


def test_a_schedule_of_another_flow_takes_no_ones_place() -> None:
    assert words(PAUSED, replace(PENDING, flow=UUID(int=2))) == ["the schedule of process-pending-returns is paused"]


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        (POOL, []),
        (replace(POOL, workers=0), ["no worker takes runs from the work pool rever"]),
        (replace(POOL, paused=True, workers=0), ["the work pool rever is paused"]),
        (replace(POOL, paused_queues=("people",)), ["the work queue people of rever is paused"]),
    ],
)
def test_a_pool_from_which_nobody_takes_is_told(pool: Pool, said: list[str]) -> None:
    assert words(pools=(pool,)) == said


def test_each_says_what_to_do_and_which_stores_it_concerns() -> None:
    (paused,) = went_quiet([replace(PAUSED, stores=ACME)], [], NOON)
    assert (paused.concerns("acme"), paused.concerns("nordic")) == (True, False)
    (queue,) = went_quiet([], [replace(POOL, paused_queues=("people",))], NOON)
    assert queue.to_do == "prefect work-queue resume people --pool rever"
    assert Quiet(Where.POOL, "", "").concerns("acme")
