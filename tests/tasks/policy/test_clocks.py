"""A time by one machine's clock, told by another's, and what that means for an event and the run that looked at it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.policy.clocks import DIFFER, translated

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
SKEWS = st.timedeltas(-DIFFER, DIFFER)
TOOK = st.timedeltas(timedelta(0), timedelta(seconds=5))
SHARES = st.floats(0, 1)


def test_a_clock_that_is_ahead_and_one_that_is_behind_are_brought_together() -> None:
    minute = timedelta(minutes=1)
    assert translated(NOON, here=NOON, there=NOON + minute) == NOON + minute
    assert translated(NOON, here=NOON + minute, there=NOON) == NOON - minute


@pytest.mark.parametrize("off", [timedelta(minutes=5), timedelta(days=-400)])
def test_a_time_is_not_known_where_a_clock_is_wrong(off: timedelta) -> None:
    assert translated(NOON, here=NOON, there=NOON + off) is None
    assert translated(NOON, here=NOON + off, there=NOON) is None


def as_the_receiver_sees_it(
    began: datetime, worker: timedelta, receiver: timedelta, took: tuple[timedelta, timedelta], share: float
) -> datetime:
    """The beginning of a run by the receiver's clock, of which the ledger's is right and the others are off.

    As a run writes it (its clock is read after the ledger's) and as the receiver reads it (its clock is read before).
    """
    to_write, to_read = took
    stored = translated(began + worker, here=began + to_write + worker, there=began + to_write * share)
    assert stored is not None
    read = began + timedelta(seconds=30)
    seen = translated(stored, here=read + to_read * share, there=read + receiver)
    assert seen is not None
    return seen


@given(
    worker=SKEWS,
    receiver=SKEWS,
    to_write=TOOK,
    to_read=TOOK,
    share=SHARES,
    after=st.timedeltas(timedelta(minutes=-10), timedelta(minutes=10)),
)
def test_a_run_that_began_before_an_event_never_counts_and_one_that_began_after_it_does(
    worker: timedelta, receiver: timedelta, to_write: timedelta, to_read: timedelta, share: float, after: timedelta
) -> None:
    """However far apart worker, ledger and receiver are, up to two minutes each, and however long a question takes."""
    began = NOON
    came_in = began - after
    counts = as_the_receiver_sees_it(began, worker, receiver, (to_write, to_read), share) >= came_in + receiver
    if after < timedelta(0):
        assert not counts, "the event came in after the run had begun: it may have read the return before"
    if after >= to_write + to_read:
        assert counts, "a second run would be made for nothing"
