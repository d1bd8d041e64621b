"""A check stands by itself: it never raises, never takes long, and says what kept it from looking."""

import asyncio
import threading
import time

from deployments.doctor.command import examine
from deployments.doctor.examination import Examination, Line, Named, NotChecked, State, in_thread, ok, sound


async def well(_: Examination) -> Line:
    return ok("well", "it is")


async def prevented(_: Examination) -> Line:
    raise NotChecked("the one before is broken")


async def faulty(_: Examination) -> Line:
    raise KeyError("an address of a shopper")


async def slow(_: Examination) -> Line:
    await asyncio.sleep(60)
    return ok("slow", "it came")


async def blocked(_: Examination) -> Line:
    await in_thread(lambda: time.sleep(60))
    return ok("blocked", "it came")


def test_each_check_gets_its_line_whatever_happens_in_it() -> None:
    checks = [
        Named("faulty", faulty), Named("slow", slow, 0.05), Named("blocked", blocked, 0.05),
        Named("prevented", prevented), Named("well", well),
    ]  # fmt: skip
    started = time.monotonic()
    lines = examine(checks)
    assert time.monotonic() - started < 5
    left = [thread for thread in threading.enumerate() if thread.name == "doctor"]
    assert len(left) == 1
    assert left[0].daemon, "the program's end does not wait for it"
    assert [(line.name, line.state) for line in lines] == [
        ("faulty", State.BROKEN),
        ("slow", State.BROKEN),
        ("blocked", State.BROKEN),
        ("prevented", State.NOT_CHECKED),
        ("well", State.OK),
    ]
    assert "KeyError at test_examination.py" in lines[0].found
    assert "shopper" not in lines[0].found
    assert lines[3].found == "the one before is broken"
    assert not sound(lines)


async def test_work_on_a_thread_answers_and_raises() -> None:
    assert await in_thread(lambda: 3) == 3
    try:
        await in_thread(lambda: 1 // 0)
    except ZeroDivisionError:
        return
    raise AssertionError("the error was lost")
