"""How fast and how many at once: tokens, places, slots, and one set of limits per key."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from rever_api import ClientConfig, Limits
from rever_api.limits import LATE_S, Tokens, Turn, shared_limits
from rever_api.sandbox.server import Quota
from tests.rever_api.fake_time import FakeTime


async def test_requests_are_spread_evenly() -> None:
    time = FakeTime()
    limits = Limits(rate=4.0, clock=time.monotonic)
    for _ in range(5):
        async with limits.aslot(1, time.asleep) as slot:
            await slot.pay(first=True)
    assert time.slept == pytest.approx([0.25] * 4)


async def test_a_slot_pays_for_its_calls_before_it_opens() -> None:
    time = FakeTime()
    limits = Limits(rate=1.0, clock=time.monotonic)
    async with limits.aslot(2, time.asleep):
        pass
    async with limits.aslot(2, time.asleep) as slot:
        assert time.slept == [2.0]
        await slot.pay(first=True)
        await slot.pay(first=True)
        assert time.slept == [2.0]
        await slot.pay(first=True)
        assert time.slept == [2.0, 2.0]


async def test_a_further_attempt_leaves_the_prepaid_tokens_alone() -> None:
    time = FakeTime()
    limits = Limits(rate=1.0, clock=time.monotonic)
    async with limits.aslot(2, time.asleep) as slot:
        await slot.pay(first=True)
        await slot.pay(first=False)
        assert time.slept == [2.0]
        await slot.pay(first=True)
        assert time.slept == [2.0]


async def test_without_a_rate_only_a_pause_waits() -> None:
    time = FakeTime()
    limits = Limits(clock=time.monotonic)
    async with limits.aslot(100, time.asleep):
        limits.pause(7.0)
    limits.pause(3.0)
    async with limits.aslot(1, time.asleep):
        pass
    assert time.slept == [7.0]


async def test_a_pause_catches_those_who_wait_for_a_token() -> None:
    time = FakeTime()
    limits = Limits(rate=1.0, clock=time.monotonic)

    async def pause_first(seconds: float) -> None:
        if not time.slept:
            limits.pause(30.0)
        await time.asleep(seconds)

    async with limits.aslot(1, time.asleep):
        pass
    async with limits.aslot(1, pause_first):
        assert time.passed >= 30.0


async def test_calls_that_wait_for_a_token_are_counted_while_they_do() -> None:
    time, seen = FakeTime(), list[int]()
    limits = Limits(rate=1.0, clock=time.monotonic)

    async def look(seconds: float) -> None:
        seen.append(limits.tokens.waiting)
        await time.asleep(seconds)

    async def give_up(_: float) -> None:
        raise asyncio.CancelledError

    async with limits.aslot(1, look), limits.aslot(1, look):
        assert (seen, limits.tokens.waiting) == ([1], 0)
        with pytest.raises(asyncio.CancelledError):
            await limits.aslot(1, give_up).__aenter__()
        assert limits.tokens.waiting == 0


async def test_no_more_in_flight_than_there_are_places_and_first_come_first_served() -> None:
    limits = Limits(max_in_flight=3)
    inside = most = 0
    order = []

    async def work(number: int) -> None:
        nonlocal inside, most
        async with limits.aslot(1):
            order.append(number)
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.001)
            inside -= 1

    await asyncio.gather(*(work(number) for number in range(20)))
    assert (most, order) == (3, list(range(20)))


async def test_a_cancelled_wait_loses_no_place() -> None:
    limits = Limits(max_in_flight=1)

    async def wait() -> None:
        async with limits.aslot(1):
            pass

    for rounds in range(4):
        async with limits.aslot(1):
            waiting = [asyncio.create_task(wait()) for _ in range(3)]
            for _ in range(rounds):
                await asyncio.sleep(0)
            waiting[0].cancel()
            waiting[1].cancel()
        waiting[2].cancel()  # may have been given its place just now
        await asyncio.wait(waiting, timeout=1)
    async with asyncio.timeout(1):
        await wait()


async def test_a_wait_cancelled_at_its_tokens_gives_its_place_back() -> None:
    limits = Limits(rate=0.001, max_in_flight=1)
    async with limits.aslot(1):
        pass
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), limits.aslot(1):
            pass
    assert limits.places.take().done()


def test_threads_and_event_loops_share_the_places() -> None:
    limits = Limits(max_in_flight=2)
    lock = threading.Lock()
    inside = most = 0

    def enter(step: int) -> None:
        nonlocal inside, most
        with lock:
            inside += step
            most = max(most, inside)

    def in_thread() -> None:
        with limits.slot(1):
            enter(1)
            threading.Event().wait(0.002)
            enter(-1)

    async def in_loop() -> None:
        async def one() -> None:
            async with limits.aslot(1):
                enter(1)
                await asyncio.sleep(0.002)
                enter(-1)

        await asyncio.gather(*(one() for _ in range(5)))

    with ThreadPoolExecutor(6) as pool:
        done = [pool.submit(in_thread) for _ in range(15)] + [
            pool.submit(lambda: asyncio.run(in_loop())) for _ in range(3)
        ]
    assert [future.result() for future in done] == [None] * 18
    assert most == 2


def test_the_sync_slot_keeps_the_rate_too() -> None:
    time = FakeTime()
    limits = Limits(rate=2.0, clock=time.monotonic)
    with limits.slot(2, time.sleep):
        pass
    with limits.slot(1, time.sleep) as slot:
        slot.pay(first=True)
        slot.pay(first=False)
    assert time.slept == pytest.approx([1.0, 0.5])


def test_clients_of_one_key_share_their_limits() -> None:
    def config(key: str, **numbers: float) -> ClientConfig:
        return ClientConfig("https://x.example", SecretStr(key), **numbers)  # type: ignore[arg-type]

    first = shared_limits(config("k1"))
    assert shared_limits(config("k1")) is first
    assert shared_limits(config("k2")) is not first
    assert shared_limits(config("k1", rate=5.0)) is not first


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
