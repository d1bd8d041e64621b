"""How fast and how many at once: tokens, places, slots, fair turns, one set of limits per key; and retries of reads."""

import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from rever_api import ClientConfig, share_of
from rever_api.limits import (
    LATE_S,
    FairQueue,
    Limits,
    Share,
    Tokens,
    Turn,
    current_share,
    seconds_to_wait,
    shared_limits,
)
from rever_api.sandbox.server import Quota
from tests.rever_api.fake_time import START, FakeTime


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


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Mon, 23 Nov 2026 12:01:30 GMT", 90.0),
        ("Monday, 23-Nov-26 12:01:30 GMT", 90.0),
        ("Mon Nov 23 12:01:30 2026", 90.0),
        ("Mon, 23 Nov 2026 13:01:30 +0100", 90.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", None),
        ("Mon, 23 Nov 2026 12:00:00 GMT", 0.0),
        ("86400", 86400.0),
        ("86401", None),
        ("Wed, 25 Nov 2026 12:00:00 GMT", None),
        ("9" * 400, None),
        ("-1", None),
        ("9.0", 9.0),
        ("1.5", 2.0),
        ("1.", 1.0),
        (".5", None),
        ("-0.0", None),
        ("+9", None),
        ("nan", None),
        ("\N{FULLWIDTH DIGIT NINE}.0", None),
        ("1e3", None),
        ("inf", None),
        ("²", None),
        ("soon", None),
        ("Mon, 99 Nov 2026 12:00:00 GMT", None),
        ("", None),
        (None, None),
    ],
)
def test_each_form(header: str | None, seconds: float | None) -> None:
    assert seconds_to_wait(header, START) == seconds


@given(st.text(max_size=40) | st.integers().map(str))
@settings(max_examples=200, deadline=None)
def test_nothing_breaks_it(header: str) -> None:
    seconds = seconds_to_wait(header, START)
    assert seconds is None or 0 <= seconds <= 86400


FAIR_RATE, PLACES = 10.0, 8


class Clockwork(FakeTime):
    """Time for many tasks at once: each sleeps until its own moment, and the earliest moves the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.sleepers: list[tuple[float, int, asyncio.Event]] = []
        self.asked = 0

    async def asleep(self, seconds: float) -> None:
        self.asked += 1
        woken = asyncio.Event()
        self.sleepers.append((self.passed + seconds, self.asked, woken))
        await woken.wait()

    async def run(self, until: float) -> None:
        """Let time pass up to then."""
        while True:
            for _ in range(20):  # whoever can go on does
                await asyncio.sleep(0)
            if not self.sleepers:
                return
            at, number, woken = min(self.sleepers, key=lambda it: it[:2])
            if at > until:
                return
            self.sleepers.remove((at, number, woken))
            self.passed = max(self.passed, at)
            woken.set()


async def served(
    clock: Clockwork, workers: dict[str, int], seconds: float, *, at_most: dict[str, int] | None = None
) -> dict[str, list[float]]:
    """When each store's calls went out, each store having so many workers with ever more to do, or `at_most` calls."""
    limits = Limits(FAIR_RATE, PLACES, clock.monotonic)
    left = dict(at_most or {})
    times: dict[str, list[float]] = {store: [] for store in workers}

    async def work(store: str) -> None:
        with share_of(store):
            while left.get(store, 1) > 0:
                left[store] = left.get(store, 10**9) - 1
                async with limits.aslot(1, clock.asleep) as slot:
                    await slot.pay(first=True)
                    times[store].append(clock.passed)
                    await clock.asleep(0.05)  # the call

    tasks = [asyncio.create_task(work(store)) for store, many in workers.items() for _ in range(many)]
    await clock.run(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return times


async def test_each_of_fifty_stores_has_its_share_of_the_rate_whatever_it_has_to_do() -> None:
    workers = {f"s{number}": 1 + 7 * (number % 2) for number in range(50)}
    times = await served(Clockwork(), workers, 300)
    given = {store: len(calls) for store, calls in times.items()}
    assert sum(given.values()) >= 0.97 * FAIR_RATE * 300
    assert min(given.values()) >= 300 * FAIR_RATE / 50 - 2
    # What was given out before anybody waited is not made up for.
    assert max(given.values()) - min(given.values()) <= PLACES


async def test_a_store_with_three_calls_is_not_held_up_by_one_with_thousands_and_leaves_its_share_to_the_others() -> (
    None
):
    times = await served(Clockwork(), {"large": 64, "small": 1}, 60, at_most={"small": 3})
    assert len(times["small"]) == 3
    # Behind what already has a place, and then turn by turn.
    assert times["small"][-1] <= (PLACES + 3 * (PLACES + 1)) / FAIR_RATE
    assert len(times["large"]) + 3 >= 0.97 * FAIR_RATE * 60


async def test_an_urgent_call_goes_before_the_other_calls_of_its_store_and_before_no_other_stores_turn() -> None:
    limits, order = Limits(max_in_flight=1), list[str]()

    async def call(store: str, name: str, *, urgent: bool = False) -> None:
        with share_of(store):
            async with limits.aslot(1, urgent=urgent):
                order.append(name)

    async with limits.aslot(1):
        calls = [call("a", f"a{number}") for number in range(3)] + [call("b", "b0"), call("b", "b1")]
        tasks = [asyncio.ensure_future(it) for it in (*calls, call("a", "a!", urgent=True))]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert order == ["a!", "b0", "a0", "b1", "a1", "a2"]


async def test_an_urgent_block_makes_all_in_it_urgent_and_a_task_keeps_the_share_it_was_begun_in() -> None:
    with share_of("", urgent=True), share_of("acme"):
        task = asyncio.ensure_future(asyncio.sleep(0, None))
        seen = current_share()
        of_task = asyncio.create_task(_seen())
    await task
    assert seen == await of_task == Share("acme", urgent=True)
    assert current_share() == Share()


async def _seen() -> Share:
    return current_share()


def test_a_call_that_gave_up_costs_its_store_nothing() -> None:
    queue = FairQueue[str]()
    for name in ("a1", "a2", "b1", "a3"):
        queue.add(name, Share(name[0]))
    gone = {"a1", "a2"}
    assert [queue.next(lambda it: it not in gone) for _ in range(3)] == ["a3", "b1", None]
    assert not queue


def test_a_queue_that_is_empty_remembers_no_store() -> None:
    queue = FairQueue[int]()
    for number in range(200):
        queue.add(number, Share(f"s{number}"))
    assert sorted(filter(None, (queue.next() for _ in range(201)))) == list(range(1, 200))
    assert (queue._given, queue._waiting, queue._turns, queue._now) == ({}, {}, [], 0)


MOST = 3
Adds = st.tuples(st.sampled_from("abcd"), st.integers(1, MOST), st.booleans(), st.integers(1, 30))
Moves = st.lists(Adds | st.integers(1, 20), min_size=3, max_size=30)
"""So many calls of a store come, or so many are served."""


@given(Moves, st.data())
def test_no_waiting_store_gets_less_than_its_share_over_any_window(
    moves: list[tuple[str, int, bool, int] | int], data: st.DataObject
) -> None:
    queue, waiting = FairQueue[tuple[str, int]](), Counter[str]()
    log: list[tuple[str, int, frozenset[str]]] = []  # who was served, at what cost, and who waited then

    def serve() -> None:
        waited = frozenset(+waiting)
        if (found := queue.next()) is None:
            assert not waited  # work is never kept back
            return
        waiting[found[0]] -= 1
        log.append((*found, waited))

    for move in moves:
        if isinstance(move, int):
            for _ in range(move):
                serve()
        else:
            store, cost, urgent, many = move
            for _ in range(many):
                queue.add((store, cost), Share(store, urgent=urgent), cost)
            waiting[store] += many
    for _ in range(sum(waiting.values())):
        serve()
    assert not queue
    if not log:
        return
    begin = data.draw(st.integers(0, len(log) - 1))
    end = data.draw(st.integers(begin + 1, len(log)))
    window = log[begin:end]
    all_the_time = frozenset.intersection(*(waited for _, _, waited in window))
    given_to = Counter[str]()
    for store, cost, _ in window:
        given_to[store] += cost
    for one, other in combinations(sorted(all_the_time), 2):
        assert abs(given_to[one] - given_to[other]) <= 2 * MOST
    stores = {store for _, _, waited in window for store in waited}
    for store in all_the_time:
        assert given_to[store] >= sum(given_to.values()) / len(stores) - 2 * MOST


def _note(order: list[str], name: str, _: object) -> None:
    order.append(name)


def test_threads_have_shares_too() -> None:
    limits, order = Limits(max_in_flight=1), list[str]()
    with limits.slot(1):
        waiting = [limits.places.take(Share(store)) for store in ("a", "a", "b")]
        for name, place in zip(("a1", "a2", "b1"), waiting, strict=True):
            place.add_done_callback(partial(_note, order, name))
    for _ in range(2):
        limits.places.give_back()
    assert order == ["a1", "b1", "a2"]
    with pytest.raises(RuntimeError), share_of("a"):
        raise RuntimeError
    assert current_share() == Share()
