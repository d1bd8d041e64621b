"""However calls come and whenever this process gets no processor: the rate holds, and a stall is made up for."""

from dataclasses import dataclass, field

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rever_api.limits import LATE_S, Tokens, Turn
from rever_api.sandbox.server import Quota
from tests.rever_api.fake_time import FakeTime

RATE = 20.0
ASKS = st.tuples(st.just("ask"), st.integers(1, 3))
PASSES = st.tuples(st.just("pass"), st.floats(0.0, 3.0))
PAUSES = st.tuples(st.just("pause"), st.floats(0.1, 3.0))


@dataclass
class Crowd:
    """Callers that wait for their turns, as slots do; they wake only when the process gets to run, maybe late."""

    time: FakeTime = field(default_factory=FakeTime)
    waiting: list[tuple[Turn, int]] = field(default_factory=list)
    starts: list[tuple[float, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tokens = Tokens(RATE, self.time.monotonic)

    def ask(self, calls: int) -> None:
        turn = self.tokens.reserve(calls)
        if turn.wait > 0:
            self.waiting.append((turn, calls))
        else:
            self.starts.append((self.time.passed, calls))

    def run_for(self, seconds: float) -> None:
        self.time.sleep(seconds)
        awake = [each for each in self.waiting if each[0].at <= self.time.passed]
        self.waiting = [each for each in self.waiting if each not in awake]
        for turn, calls in awake:
            if self.tokens.missed(turn):
                self.ask(calls)
            else:
                self.starts.append((self.time.passed, calls))

    def do(self, step: tuple[str, float]) -> None:
        kind, value = step
        if kind == "ask":
            self.ask(int(value))
        elif kind == "pause":
            self.tokens.pause(value)
        else:
            self.run_for(value)


QUEUE = [("ask", 2.0)] * 20
"""So many at once that the last of them waits for two seconds."""


@given(st.lists(ASKS | PASSES | PAUSES, max_size=120))
@example([*QUEUE, ("pass", 3.0)])
def test_in_any_window_no_more_calls_than_the_rate_and_what_may_be_late(steps: list[tuple[str, float]]) -> None:
    crowd = Crowd()
    for step in steps:
        crowd.do(step)
    for place, (since, _) in enumerate(crowd.starts):
        within = 0
        for until, calls in crowd.starts[place:]:
            within += calls
            last = max(calls for _, calls in crowd.starts)
            assert within <= RATE * (until - since + LATE_S) + last + 1e-6


@given(st.lists(ASKS | PASSES, max_size=120))
@example([("pass", 3.0), *QUEUE, ("pass", 3.0), *QUEUE])
def test_a_limiter_that_counts_by_the_second_refuses_nothing(steps: list[tuple[str, float]]) -> None:
    crowd = Crowd()
    quota = Quota(RATE, crowd.time.monotonic)
    for step in steps:
        crowd.do(step)
        for _ in range(sum(calls for _, calls in crowd.starts)):
            assert quota.take() == 0.0
        crowd.starts.clear()


@given(st.floats(0.0, LATE_S), st.integers(0, 40))
@example(LATE_S, 20)
def test_a_stall_is_made_up_for(stall: float, before: int) -> None:
    crowd = Crowd()
    for number in range(before + 30):
        if number == before:
            crowd.run_for(stall)
        crowd.time.sleep(crowd.tokens.reserve(1).wait)
    assert crowd.time.passed == pytest.approx((before + 29) / RATE)


@given(st.floats(LATE_S, 1000.0))
def test_a_longer_stall_is_made_up_for_in_part(stall: float) -> None:
    tokens = (crowd := Crowd()).tokens
    crowd.run_for(stall)
    at_once = 0
    while tokens.reserve(1).wait == 0:
        at_once += 1
    assert at_once == pytest.approx(RATE * LATE_S + 1, abs=1)


@given(st.lists(ASKS | PASSES, max_size=30), st.floats(0.1, 5.0), st.lists(ASKS | PASSES, max_size=60))
def test_a_pause_holds_everybody(before: list[tuple[str, float]], pause: float, after: list[tuple[str, float]]) -> None:
    crowd = Crowd()
    for step in before:
        crowd.do(step)
    crowd.starts.clear()
    crowd.tokens.pause(pause)
    until = crowd.time.passed + pause
    for step in after:
        crowd.do(step)
    assert all(at >= until for at, _ in crowd.starts)


def test_nothing_is_made_up_for_after_a_pause() -> None:
    time = FakeTime()
    tokens = Tokens(RATE, time.monotonic)
    tokens.pause(10.0)
    time.sleep(10.0)
    assert [tokens.reserve(1).wait for _ in range(3)] == pytest.approx([0.0, 0.05, 0.1])
