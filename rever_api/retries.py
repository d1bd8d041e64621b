"""When a read is tried again, and how long it waits before that.

Only reads: an effect's next attempt is for the one who records what was sent. A read is tried again when it was not
sent (but not over a client that is closed), was refused for now, or brought no usable answer. It waits for what
`Retry-After` asks, up to a cap; without it (or with 0) exponentially longer, with jitter. Attempts and total time are
bounded.
"""

import math
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypedDict

from tenacity import RetryCallState

from rever_api.config import ClientConfig
from rever_api.errors import ClientClosed, NotSent, OutcomeUnknown, RefusedForNow, ReverError, Unreadable

_FIRST_WAIT = 0.25
_LONGEST_WAIT = 8.0


class Strategy(TypedDict):
    """The arguments of tenacity's `Retrying` and `AsyncRetrying`."""

    retry: Callable[[RetryCallState], bool]
    stop: Callable[[RetryCallState], bool]
    wait: Callable[[RetryCallState], float]
    reraise: bool


def strategy(config: ClientConfig, monotonic: Callable[[], float]) -> Strategy:
    """Say how one read is tried again; its total time counts from now."""
    since = monotonic()

    def retry(state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, Unreadable):  # a third look would find the same
            return state.attempt_number == 1
        return isinstance(error, NotSent | RefusedForNow | OutcomeUnknown) and not isinstance(error, ClientClosed)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, ReverError) and error.retry_after:
            return min(error.retry_after, config.retry_after_cap)
        seconds: float = min(_FIRST_WAIT * 2.0 ** (state.attempt_number - 1), _LONGEST_WAIT)
        return seconds * random.uniform(1.0, 1.5)  # noqa: S311 - jitter, not a secret

    def stop(state: RetryCallState) -> bool:
        late = monotonic() - since + state.upcoming_sleep > config.read_patience
        return late or state.attempt_number >= config.read_attempts

    return {"retry": retry, "stop": stop, "wait": wait, "reraise": True}


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
