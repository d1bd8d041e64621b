"""The `Retry-After` header: seconds, or an HTTP date (RFC 9110, 10.2.3)."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_ABSURD = 24 * 3600.0


def seconds_to_wait(header: str | None, now: datetime) -> float | None:
    """The seconds that the header asks for, from `now` on; a date in the past asks for none.

    None where it is missing, unreadable, negative or beyond a day: such a value says nothing about a rate limit.
    """
    text = (header or "").strip()
    if not text:
        return None
    if text.isascii() and text.isdecimal():
        seconds = float(text)
    else:
        try:
            when = parsedate_to_datetime(text)
            when = when.replace(tzinfo=UTC) if when.tzinfo is None else when
            seconds = max(0.0, (when - now).total_seconds())
        except (ValueError, OverflowError):
            return None
    return seconds if seconds <= _ABSURD else None
