"""The rate is never passed, places are never lost or doubled, and a pause holds for everybody."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import SecretStr

from rever_api import ClientConfig, Limits
from rever_api.limits import shared_limits
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
