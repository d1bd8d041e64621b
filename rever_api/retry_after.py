"""The `Retry-After` header: seconds, or an HTTP date (RFC 9110, 10.2.3)."""

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

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
