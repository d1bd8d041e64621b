"""A worker's life in a thread of its own: it can be killed, stopped and woken late, or cancelled, at any named point.

Killed means: nothing after the point is written or sent. Stopped means that its event loop stands still, as after
SIGSTOP. Time is the worker's own and goes by no clock on the wall: it stands while an answer of REVER or of the ledger
is awaited, `ANSWER_S` pass with each answer, and where there is nothing else to do a wait is over at once. So a
retry costs nothing, no time-out ends by itself on a slow machine, and a stop is the one way to be late.
"""

import asyncio
import selectors
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from queue import SimpleQueue
from typing import Any

from tasks.crash_points import CrashPoint, arm

ANSWER_S = 0.05
"""Seconds of a worker's time in which an answer comes."""

PATIENCE = 600.0
"""Real seconds in which a worker must end or stop: only one that waits for itself needs them."""


class Blow(StrEnum):
    """What can befall a worker."""

    KILL = "kill"
    SLEEP = "sleep"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Fate:
    """What befalls a worker the `nth` time (from 1) it comes by `point`; by any point where that is empty."""

    blow: Blow
    point: str = ""
    nth: int = 1


WRITES = (
    *("decide", "mark_if_due", "record_done", "record_unknown", "record_refused", "put_back", "withdraw", "expire"),
    *("settle_done", "settle_hold", "answer_hold", "release", "note_parcels", "tell_once", "note_tracked"),
)
"""The operations of the ledger before and after which a worker can die."""

POINTS = (*(str(point) for point in CrashPoint), *(f"{when} {op}" for op in WRITES for when in ("before", "after")))
"""All points by their names."""


class Killed(KeyboardInterrupt):
    """Ends a worker at once: asyncio lets this kind through its loop without telling any other task."""


class _Loop(asyncio.SelectorEventLoop):
    """An event loop with a time of its own, which passes only where nothing but time is waited for."""

    def __init__(self) -> None:
        self._time = 0.0
        self._awaited = 0
        super().__init__(_Selector(self))

    def time(self) -> float:
        """The time by which all waits and time-outs of this worker go."""
        return self._time

    def pass_time(self, seconds: float) -> None:
        """Let it become later."""
        self._time += seconds

    @property
    def idle(self) -> bool:
        """Whether nobody is to answer."""
        return not self._awaited

    @contextmanager
    def awaiting(self) -> Iterator[None]:
        """Within this block somebody in another thread is to answer."""
        self._awaited += 1
        try:
            yield
            self.pass_time(ANSWER_S)
        finally:
            self._awaited -= 1


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: _Loop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        if not self._loop.idle:
            return super().select()
        ready = super().select(0)
        if not ready:
            self._loop.pass_time(timeout)
        return ready


class Worker:
    """One run of a flow in its own thread. It goes on only while `start` or `wake` waits for it, so no two race."""

    def __init__(self, name: str, fate: Fate | None) -> None:
        self.name = name
        self.fate = fate
        self.dead = self.struck = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.ended = False
        self._passed: Counter[str] = Counter()
        self._news: SimpleQueue[bool] = SimpleQueue()
        self._resume = threading.Event()
        self._loop: _Loop | None = None
        self._main: asyncio.Task[Any] | None = None

    def now(self) -> float:
        """The time of its event loop, for whatever else waits in it."""
        assert self._loop is not None
        return self._loop.time()

    def awaiting(self) -> AbstractContextManager[None]:
        """Within this block it waits for an answer, and its time stands."""
        assert self._loop is not None
        return self._loop.awaiting()

    def start(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Run until the end, or until it stops."""
        threading.Thread(target=self._live, args=(work,), name=self.name, daemon=True).start()
        self._wait()

    def wake(self, slept: float) -> None:
        """Let it go on after it slept through so many seconds."""
        assert self._loop is not None
        self._loop.pass_time(slept)
        self._resume.set()
        self._wait()

    def alive(self) -> None:
        """Raise `Killed` where it is dead: called before anything it could still do."""
        if self.dead:
            raise Killed

    def passes(self, point: str) -> None:
        """It has come to this point."""
        self.alive()
        self._passed.update((point, ""))
        fate = self.fate
        if fate is None or self.struck or self._passed[fate.point] < fate.nth or fate.point not in {"", point}:
            return
        self.struck = True
        match fate.blow:
            case Blow.KILL:
                self.dead = True
                raise Killed
            case Blow.CANCEL:
                assert self._main is not None
                self._main.cancel()
            case Blow.SLEEP:
                self._news.put(False)
                self._resume.wait()

    def _wait(self) -> None:
        self.ended = self._news.get(timeout=PATIENCE)

    def _live(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        _here.worker = self
        self._loop = loop = _Loop()
        self._main = loop.create_task(work())
        try:
            self.result = loop.run_until_complete(self._main)
        except BaseException as error:  # noqa: BLE001 - every end of a run is looked at by the model
            self.error = error
        finally:
            self._bury(loop)
            self._news.put(True)

    def _bury(self, loop: _Loop) -> None:
        """End what a killed worker left behind; its ledger and client let nothing through any more."""
        while tasks := asyncio.all_tasks(loop):
            for task in tasks:
                task.cancel()
            try:
                loop.run_until_complete(asyncio.wait(tasks))
            except Killed:
                continue
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


_here = threading.local()


def _fire(point: CrashPoint, process_id: str) -> None:
    worker: Worker | None = getattr(_here, "worker", None)
    if worker is not None:
        worker.passes(point)


arm(_fire)
