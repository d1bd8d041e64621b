"""Fair turns: what each of many stores gets of a key's rate while others have more to do than the rate allows."""

import asyncio
from collections import Counter
from functools import partial
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rever_api import share_of
from rever_api.fair_queue import FairQueue, Share, current_share
from rever_api.limits import Limits
from tests.rever_api.fake_time import FakeTime

RATE, PLACES = 10.0, 8


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
    limits = Limits(RATE, PLACES, clock.monotonic)
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
    assert sum(given.values()) >= 0.97 * RATE * 300
    assert min(given.values()) >= 300 * RATE / 50 - 2
    # What was given out before anybody waited is not made up for.
    assert max(given.values()) - min(given.values()) <= PLACES


async def test_a_store_with_three_calls_is_not_held_up_by_one_with_thousands_and_leaves_its_share_to_the_others() -> (
    None
):
    times = await served(Clockwork(), {"large": 64, "small": 1}, 60, at_most={"small": 3})
    assert len(times["small"]) == 3
    # Behind what already has a place, and then turn by turn.
    assert times["small"][-1] <= (PLACES + 3 * (PLACES + 1)) / RATE
    assert len(times["large"]) + 3 >= 0.97 * RATE * 60


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
