"""Counting requests: tokens for how fast, places for how many at once. Thread-safe; neither sleeps."""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock


class Tokens:
    """One request every `1 / rate` seconds, evenly and without bursts; `rate` None means no limit but a pause.

    Thread-safe. It never sleeps: it says how long its caller has to.
    """

    def __init__(self, rate: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._clock = clock
        self._lock = Lock()
        self._next = self._resume = clock()

    def reserve(self, calls: int) -> float:
        """Take `calls` tokens and say in how many seconds they may be used, all at once."""
        with self._lock:
            now = self._clock()
            start = max(now, self._next, self._resume)
            self._next = start + calls * self._interval
            return start - now

    def paused(self) -> bool:
        """Whether REVER asked everybody to wait."""
        return self._clock() < self._resume

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
