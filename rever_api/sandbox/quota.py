"""How many requests per second the sandbox takes of a key: a bucket that holds a second's worth."""

import time
from collections.abc import Callable


class Quota:
    """Counts requests. `rate` is per second, None for no limit; `clock` a monotonic one, in seconds."""

    def __init__(self, rate: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._left = rate or 0.0
        self._at = clock()

    def take(self) -> float:
        """Take one request in: 0 where it may be answered, else the seconds after which the next one may."""
        if self._rate is None:
            return 0.0
        now = self._clock()
        self._left = min(self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return (1 - self._left) / self._rate
        self._left -= 1
        return 0.0
