"""Every way in which a call can break, and to which calls it can happen."""

from enum import StrEnum

from rever_api.sandbox.operations.table import Operation


class Fault(StrEnum):
    """A way to break. The names say whether the sandbox acts; `before` and `after` are before and after acting.

    A real refusal of connections is no fault of a call: see `RunningSandbox.outage`.
    """

    CONNECTION_DROPPED = "connection_dropped"  # reset before the body is read; nothing is done
    NO_ANSWER_BEFORE_ACTING = "no_answer_before_acting"  # read, then closed without an answer; nothing is done
    ACTS_ANSWER_LOST = "acts_answer_lost"
    ACTS_LATER = "acts_later"  # 504 now, the effect some seconds later
    TOO_MANY_SECONDS = "too_many_seconds"  # 429, Retry-After in seconds
    TOO_MANY_DATE = "too_many_date"  # 429, Retry-After as an HTTP date
    TOO_MANY_ABSURD = "too_many_absurd"  # 429, Retry-After of eleven days
    TOO_MANY_SILENT = "too_many_silent"  # 429, no Retry-After
    ERROR_500_BEFORE = "error_500_before"
    ERROR_500_AFTER = "error_500_after"
    ERROR_502_BEFORE = "error_502_before"
    ERROR_502_AFTER = "error_502_after"
    UNAVAILABLE_503 = "unavailable_503"  # nothing is done
    MISSING_FIELD = "missing_field"
    EXTRA_FIELD = "extra_field"
    UNKNOWN_ENUM = "unknown_enum"
    CUT_BODY = "cut_body"  # the connection ends in the middle of the body
    CUT_JSON = "cut_json"  # the answer is complete as HTTP, its JSON is not
    SLOW_BODY = "slow_body"
    PAGE_REPEATS = "page_repeats"
    PAGE_SKIPS = "page_skips"
    STALE_READ = "stale_read"
    UNAUTHORIZED_401 = "unauthorized_401"
    CONFLICT_409 = "conflict_409"  # nothing is done
    REDIRECT_AFTER = "redirect_after"  # 301, 302, 303, 307 or 308 to what was carried out; in no mix
    SET_UP_AFTER = "set_up_after"  # carried out, then a proxy's 401, 403, 404, 405 or 407; in no mix
    TOO_MANY_AFTER = "too_many_after"  # carried out, then a 429, a proxy's or in REVER's words; in no mix
    CONFLICT_409_AFTER = "conflict_409_after"  # carried out, then 409: a proxy sent it twice; in no mix
    READ_DIFFERS = "read_differs"  # a read by id tells other terms than the search; in no mix
    EMPTY_ANSWER = "empty_answer"  # carried out, then a 2xx with an empty body, null, "" or {}; in no mix
    HANG_AFTER_ACTING = "hang_after_acting"  # the answer is held back; only by name, never in a mix


_EFFECTS_ONLY = {
    Fault.ACTS_ANSWER_LOST,
    Fault.ACTS_LATER,
    Fault.ERROR_500_AFTER,
    Fault.ERROR_502_AFTER,
    Fault.CONFLICT_409,
    Fault.REDIRECT_AFTER,
    Fault.SET_UP_AFTER,
    Fault.TOO_MANY_AFTER,
    Fault.CONFLICT_409_AFTER,
    Fault.EMPTY_ANSWER,
}
_PAGES_ONLY = {Fault.PAGE_REPEATS, Fault.PAGE_SKIPS}

AMBIGUOUS = (
    Fault.NO_ANSWER_BEFORE_ACTING,
    Fault.ACTS_ANSWER_LOST,
    Fault.ACTS_LATER,
    Fault.ERROR_500_BEFORE,
    Fault.ERROR_500_AFTER,
)
"""After these a caller cannot know whether the effect was carried out."""

BY_NAME = frozenset(
    {
        Fault.REDIRECT_AFTER,
        Fault.SET_UP_AFTER,
        Fault.TOO_MANY_AFTER,
        Fault.CONFLICT_409_AFTER,
        Fault.READ_DIFFERS,
        Fault.EMPTY_ANSWER,
        Fault.HANG_AFTER_ACTING,
    }
)
"""In no mix: a shop and a seed break the same calls as ever."""

# A 401 stops a careful caller's whole run, so that in a mix it is ten times rarer than any other fault.
WEIGHTS: dict[Fault, int] = {
    fault: 1 if fault is Fault.UNAUTHORIZED_401 else 10 for fault in Fault if fault not in BY_NAME
}


def fits(fault: Fault, operation: Operation) -> bool:
    """Whether this fault can happen to this operation."""
    if fault in _EFFECTS_ONLY:
        return operation.effect
    if fault in _PAGES_ONLY:
        return operation.lists
    if fault is Fault.READ_DIFFERS:
        return operation.id == "getReturnProcess"
    if fault is Fault.STALE_READ:
        return operation.shows_process
    return True
