"""Counting requests: tokens for how fast, places for how many at once. Thread-safe; neither sleeps."""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import NamedTuple

LATE_S = 0.5
"""How far behind the even pace calls may be and still catch up. Half of what a limiter that counts by the second, as
the sandbox's does, has in hand for us after we stood still that long; the other half is for calls delayed on their way.
"""


class Turn(NamedTuple):
    """When so many calls may start: `at` on the clock, which is `wait` seconds from when it was asked for."""

    at: float
    wait: float


NOW = Turn(0.0, 0.0)
"""Nothing to wait for."""


class Tokens:
    """One request every `1 / rate` seconds; `rate` None means no limit but a pause. Thread-safe; it never sleeps.

    Every call has its turn in an even schedule. A schedule that nobody kept, because this process had no processor or
    was busy with its ledger, may be up to `LATE_S` old: those turns are taken at once. So in any `t` seconds turns for
    no more than `rate * (t + LATE_S)` calls are taken, and those of one reservation besides.
    """

    def __init__(self, rate: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._clock = clock
        self._lock = Lock()
        self._next = self._resume = clock()

    def reserve(self, calls: int) -> Turn:
        """Take the next `calls` tokens: when they may be used, all at once."""
        with self._lock:
            now = self._clock()
            at = max(now - LATE_S, self._next, self._resume)
            self._next = at + calls * self._interval
            return Turn(at, max(0.0, at - now))

    def missed(self, turn: Turn) -> bool:
        """Whether a turn that was waited for is void: too long ago, or REVER has asked everybody to wait."""
        now = self._clock()
        return now < self._resume or now > turn.at + LATE_S

    def pause(self, seconds: float) -> None:
        """Let nobody start for so long: REVER asked one of us to wait, and it is one limit for all."""
        with self._lock:
            self._resume = max(self._resume, self._clock() + seconds)


class Places:
    """So many requests in flight, first come first served. Thread-safe."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._lock = Lock()
        self._waiting: deque[Future[None]] = deque()

    def take(self) -> "Future[None]":
        """Ask for a place; the future is done when it is there."""
        place: Future[None] = Future()
        with self._lock:
            if self._free:
                self._free -= 1
                place.set_result(None)
            else:
                self._waiting.append(place)
        return place

    def give_up(self, place: "Future[None]") -> None:
        """Stop waiting for a place, or give it back when it came meanwhile."""
        if not place.cancel():
            self.give_back()

    def give_back(self) -> None:
        """Free a place for whoever has waited longest."""
        with self._lock:
            while self._waiting:
                place = self._waiting.popleft()
                if place.set_running_or_notify_cancel():
                    place.set_result(None)
                    return
            self._free += 1
