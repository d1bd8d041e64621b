"""A worker's life in a thread of its own: it can be killed, stopped and woken late, or cancelled, at any named point.

Killed means: nothing after the point is written or sent. Stopped means that its event loop stands still, as after
SIGSTOP. Waits go by `SPEED` times as fast as on the wall, so that a retry costs milliseconds.
"""

import asyncio
import selectors
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import StrEnum
from queue import SimpleQueue
from typing import Any

from tasks.crash_points import CrashPoint, arm

SPEED = 40
"""Seconds of a worker's waits in one second of real time."""

PATIENCE = 60.0
"""Real seconds in which a worker must end or stop."""


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
    *("decide", "mark_sent", "record_done", "record_unknown", "record_refused", "put_back", "withdraw", "expire"),
    *("settle_done", "settle_hold", "answer_hold", "release"),
)
"""The operations of the ledger before and after which a worker can die."""

POINTS = (*(str(point) for point in CrashPoint), *(f"{when} {op}" for op in WRITES for when in ("before", "after")))
"""All points by their names."""


class Killed(KeyboardInterrupt):
    """Ends a worker at once: asyncio lets this kind through its loop without telling any other task."""


class _Hurried(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout / SPEED if timeout and timeout > 0 else timeout)


class _Loop(asyncio.SelectorEventLoop):
    """An event loop whose time runs `SPEED` times as fast, and jumps by what was slept through."""

    def __init__(self) -> None:
        self.slept = 0.0
        super().__init__(_Hurried())

    def time(self) -> float:
        """The time by which all waits and time-outs of this worker go."""
        return time.monotonic() * SPEED + self.slept


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

    def start(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Run until the end, or until it stops."""
        threading.Thread(target=self._live, args=(work,), name=self.name, daemon=True).start()
        self._wait()

    def wake(self, slept: float) -> None:
        """Let it go on after it slept through so many seconds."""
        assert self._loop is not None
        self._loop.slept += slept
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
