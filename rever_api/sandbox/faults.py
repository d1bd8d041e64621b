"""Every way in which a call can break, and which call breaks: by rate and seed, or by name.

The choice is a hash of seed, operation, subject (process, store or group) and how-many-th such call it is: never the
global order of calls, so that threads change nothing.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from threading import Event, RLock

from rever_api.sandbox.operations import OPERATIONS, Operation

_MIXED_RATE = 0.25


class Fault(StrEnum):
    """A way to break. The names say whether the sandbox acts; `before` and `after` are before and after acting.

    A real refusal of connections is no fault of a call: see `RunningSandbox.outage`.
    """

    CONNECTION_DROPPED = "connection_dropped"  # reset before the body is read; nothing is done
    NO_ANSWER_BEFORE_ACTING = "no_answer_before_acting"  # read, then closed without a response; nothing is done
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
    CUT_JSON = "cut_json"  # the response is complete as HTTP, its JSON is not
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
    READ_DIFFERS = "read_differs"  # a read by id shows other terms than the search; in no mix
    FORBIDDEN_403 = "forbidden_403"  # the key may not act for this store; nothing is done; in no mix
    EMPTY_ANSWER = "empty_answer"  # carried out, then a 2xx with an empty body, null, "" or {}; in no mix
    HANG_AFTER_ACTING = "hang_after_acting"  # the response is held back; only by name, never in a mix


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
        Fault.FORBIDDEN_403,
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


@dataclass(frozen=True, slots=True)
class NamedFault:
    """A fault at the `nth` call (from 1) of an operation: of all its calls, or of those about one process."""

    operation: str
    nth: int
    fault: Fault
    process_id: str = ""


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """A mix at a rate (0 to 1), and faults by name, which come first. Times are in seconds.

    `retry_after` is what a 429 asks for, `later` when `acts_later` acts, `slow` how long a slow body takes, `silent`
    how long a connection stays open before it is closed without a response, `hang` how long a response is held back.
    """

    rate: float = 0.0
    seed: int = 0
    weights: Mapping[Fault, int] = field(default_factory=lambda: dict(WEIGHTS))
    effects_only: bool = False
    named: tuple[NamedFault, ...] = ()
    retry_after: int = 1
    later: float = 1.0
    slow: float = 0.3
    silent: float = 0.1
    hang: float = 30.0

    def pick(self, operation: Operation, subject: str, nth: int, nth_of_all: int) -> Fault | None:
        """Return the fault of the `nth` call of the operation about the subject, if it has one."""
        for named in self.named:
            place = nth if named.process_id else nth_of_all
            if (named.operation, named.nth) == (operation.id, place) and named.process_id in {"", subject}:
                return named.fault
        if self.effects_only and not operation.effect:
            return None
        whether, which = _draw(self.seed, operation.id, subject, nth)
        if whether >= self.rate * 2**64:
            return None
        fitting = [fault for fault, weight in self.weights.items() if fits(fault, operation) for _ in range(weight)]
        return fitting[which % len(fitting)] if fitting else None


def _draw(*about: object) -> tuple[int, int]:
    """Return two numbers of 64 bits, the same for the same arguments."""
    digest = hashlib.sha256("/".join(map(str, about)).encode()).digest()
    return int.from_bytes(digest[:8]), int.from_bytes(digest[8:16])


def parse_faults(text: str, seed: int = 0) -> FaultPlan:
    """Read `none`, `mixed`, `mixed:RATE`, `ambiguous-PERCENT` and `OPERATION:NTH:FAULT`, comma-separated.

    ValueError says what is wrong and what there is.
    """
    plan = FaultPlan(seed=seed)
    for word in filter(None, (part.strip() for part in text.split(","))):
        name, *rest = word.split(":")
        if name == "mixed" and len(rest) <= 1:
            plan = replace(plan, rate=_share(rest[0], word) if rest else _MIXED_RATE)
        elif name.startswith("ambiguous-") and not rest:
            rate = _share(name.removeprefix("ambiguous-"), word, 100)
            plan = replace(plan, rate=rate, effects_only=True, weights=dict.fromkeys(AMBIGUOUS, 1))
        elif len(rest) == 2:
            plan = replace(plan, named=(*plan.named, _named(name, *rest)))
        elif word != "none":
            raise ValueError(f"faults: {word!r} is none of none, mixed, mixed:0.4, ambiguous-1, OPERATION:NTH:FAULT")
    return plan


def _share(text: str, word: str, whole: float = 1) -> float:
    try:
        share = float(text) / whole
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"faults: {word!r} has no rate between 0 and {whole:g}")
    return share


def _named(operation: str, nth: str, fault: str) -> NamedFault:
    operations = [known.id for known in OPERATIONS]
    if operation not in operations:
        raise ValueError(f"faults: there is no operation {operation!r}; there are {', '.join(operations)}")
    if fault not in set(Fault):
        raise ValueError(f"faults: there is no fault {fault!r}; there are {', '.join(Fault)}")
    if not nth.isdecimal() or int(nth) < 1:
        raise ValueError(f"faults: {nth!r} is not the number of a call, counted from 1")
    return NamedFault(operation, int(nth), Fault(fault))


class Faults:
    """The plan in force, and the counts of calls it goes by. Safe to change while the server runs."""

    def __init__(self, plan: FaultPlan | None = None) -> None:
        self._lock = RLock()
        self.released = Event()
        self.set(plan or FaultPlan())

    def set(self, plan: FaultPlan) -> None:
        """Take another plan, and count calls from the beginning."""
        with self._lock:
            self.plan = plan
            self._of_all: Counter[str] = Counter()
            self._of_subject: Counter[tuple[str, str]] = Counter()
            self.injected: Counter[str] = Counter()
            self.released.clear()

    def stop(self) -> None:
        """End all faults, and let go of the responses that are held back."""
        with self._lock:
            injected = self.injected
            self.set(replace(self.plan, rate=0.0, named=()))
            self.injected = injected
            self.released.set()

    def choose(self, operation: Operation, subject: str) -> tuple[Fault | None, int]:
        """Count this call; return the fault it has, if any, and a number by which the fault may choose further."""
        with self._lock:
            self._of_all[operation.id] += 1
            self._of_subject[operation.id, subject] += 1
            nth = self._of_subject[operation.id, subject]
            fault = self.plan.pick(operation, subject, nth, self._of_all[operation.id])
            if fault is not None:
                self.injected[fault.value] += 1
            return fault, _draw(self.plan.seed, operation.id, subject, nth, "how")[0]
