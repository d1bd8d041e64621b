"""When a read is tried again, and how long it waits before that.

Only reads: an effect's next attempt is for the one who records what was sent. A read is tried again when it was not
sent, was refused for now, or brought no usable answer. It waits for what `Retry-After` asks, up to a cap; without it
(or with 0) exponentially longer, with jitter. Attempts and total time are bounded.
"""

import math
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypedDict

from tenacity import RetryCallState, retry_if_exception_type, stop_after_attempt
from tenacity.retry import retry_base
from tenacity.stop import stop_base

from rever_api.config import ClientConfig
from rever_api.errors import NotSent, OutcomeUnknown, RefusedForNow, ReverError, Unreadable

_FIRST_WAIT = 0.25
_LONGEST_WAIT = 8.0


class Strategy(TypedDict):
    """The arguments of tenacity's `Retrying` and `AsyncRetrying`."""

    retry: retry_base
    stop: stop_base
    wait: Callable[[RetryCallState], float]
    reraise: bool


def strategy(config: ClientConfig, monotonic: Callable[[], float]) -> Strategy:
    """Say how one read is tried again; its total time counts from now."""
    return {
        "retry": retry_if_exception_type((NotSent, RefusedForNow, OutcomeUnknown)) & _ReadableSoon(),
        "stop": stop_after_attempt(config.read_attempts) | _OutOfPatience(config.read_patience, monotonic, monotonic()),
        "wait": _Wait(config.retry_after_cap),
        "reraise": True,
    }


class _ReadableSoon(retry_base):
    """Not a return that cannot be read twice in a row: a third look would find the same."""

    def __call__(self, retry_state: RetryCallState) -> bool:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        return not isinstance(error, Unreadable) or retry_state.attempt_number == 1


@dataclass(frozen=True)
class _Wait:
    """What REVER asked for, up to a cap; else 0.25, 0.5, 1 ... 8 seconds, each up to a half longer."""

    cap: float

    def __call__(self, state: RetryCallState) -> float:
        error: Any = state.outcome.exception() if state.outcome else None
        if isinstance(error, ReverError) and error.retry_after:
            return min(error.retry_after, self.cap)
        wait = min(_FIRST_WAIT * 2.0 ** (state.attempt_number - 1), _LONGEST_WAIT)
        return wait * random.uniform(1.0, 1.5)  # noqa: S311 - jitter, not a secret


@dataclass(frozen=True)
class _OutOfPatience(stop_base):
    """Whether the next wait would end after the total time."""

    seconds: float
    monotonic: Callable[[], float]
    since: float

    def __call__(self, retry_state: RetryCallState) -> bool:
        return self.monotonic() - self.since + retry_state.upcoming_sleep > self.seconds


_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{0,9})?")
_ABSURD = 24 * 3600.0


def seconds_to_wait(header: str | None, now: datetime) -> float | None:
    """The seconds that the header asks for, from `now` on, a fraction rounded up (Shopify sends such).

    None where it is missing, unreadable, negative, a date in the past or beyond a day: such a value says nothing about
    a rate limit.
    """
    text = (header or "").strip()
    if _SECONDS.fullmatch(text):
        seconds = float(math.ceil(float(text)))
    else:
        try:
            when = parsedate_to_datetime(text)
            when = when.replace(tzinfo=UTC) if when.tzinfo is None else when
            seconds = (when - now).total_seconds()
        except (ValueError, OverflowError):
            return None
    return seconds if 0 <= seconds <= _ABSURD else None
