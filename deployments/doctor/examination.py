"""The doctor's lines, what its checks know of each other, and how a check is made so that none raises."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from deployments.console.errors import explained
from rever_api import Endpoints, ReverError
from rever_api.messages import Sample, ahead, in_words
from tasks.desk import utc_now
from tasks.settings import Settings

T = TypeVar("T")

WORTH_SAYING = timedelta(seconds=5)
TOO_MUCH = timedelta(seconds=60)
"""How long a claimed effect is left to its worker by default (`REVER_LEASE`)."""


class State(StrEnum):
    """The state of a line. Only `broken` is a failure."""

    OK = "ok"
    ATTENTION = "attention"
    BROKEN = "broken"
    NOT_USED = "not used"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its name, its state, what was found, and what to do ("" if nothing)."""

    name: str
    state: State
    found: str
    to_do: str = ""


def ok(name: str, found: str) -> Line:
    """All is well."""
    return Line(name, State.OK, found)


def attention(name: str, found: str, to_do: str) -> Line:
    """It works, and a person should know."""
    return Line(name, State.ATTENTION, found, to_do)


def broken(name: str, found: str, to_do: str) -> Line:
    """It does not work until a person has done something."""
    return Line(name, State.BROKEN, found, to_do)


def not_used(name: str, found: str) -> Line:
    """It is not set up, and need not be."""
    return Line(name, State.NOT_USED, found)


def sound(lines: Iterable[Line]) -> bool:
    """Whether nothing is broken."""
    return all(line.state is not State.BROKEN for line in lines)


def clock_line(name: str, whose: str, samples: Sequence[Sample]) -> Line:
    """One line about another clock; there is at least one sample."""
    skew = ahead(samples)
    if abs(skew) <= WORTH_SAYING:
        return ok(name, f"{whose} clock and ours agree to within {WORTH_SAYING.total_seconds():.0f} s")
    way = "ahead of" if skew > timedelta(0) else "behind"
    found = f"{whose} clock is {in_words(abs(skew))} {way} ours"
    mend = "synchronise this machine's clock (NTP: `timedatectl`), or theirs"
    return (broken if abs(skew) > TOO_MUCH else attention)(name, found, mend)


class NotChecked(Exception):  # noqa: N818 - not an error
    """A check cannot be made; the text says why."""


class NotUsed(Exception):  # noqa: N818
    """There is nothing to check: the part is not set up, and another line says so."""


@dataclass
class Examination:
    """What the checks have found so far. A check that needs what was not found raises `NotChecked`.

    `receiver_url`: where the webhooks' receiver is; "" for its default address.
    `credentials`: the Prefect block whose account is looked at; "" for the environment's.
    """

    clock: Callable[[], datetime] = utc_now
    receiver_url: str = ""
    credentials: str = ""
    found_settings: Settings | None = None
    found_endpoints: Endpoints | None = None
    answered: bool = False
    refusal: ReverError | None = None
    stores: tuple[str, ...] = ()
    samples: list[Sample] = field(default_factory=list)
    ledger_readable: bool = False
    ledger_made: bool = False
    prefect_url: str | None = None
    prefect_answers: bool = False
    prefect_samples: list[Sample] = field(default_factory=list)
    deployed: bool = False

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        if self.found_settings is None:
            raise NotChecked("the settings are wrong")
        return self.found_settings

    @property
    def endpoints(self) -> Endpoints:
        """The endpoint table in force."""
        if self.found_endpoints is None:
            raise NotChecked("the endpoint table is wrong")
        return self.found_endpoints


Check = Callable[[Examination], Awaitable[Line | list[Line]]]


@dataclass(frozen=True)
class Named:
    """A check with the name of its line and the seconds it may take."""

    name: str
    check: Check
    seconds: float = 10.0


async def looked(named: Named, examination: Examination) -> list[Line]:
    """The lines of one check. Whatever goes wrong in it becomes a line; only Ctrl-C is raised."""
    name = named.name
    try:
        async with asyncio.timeout(named.seconds):
            found = await named.check(examination)
    except NotUsed:
        return []
    except NotChecked as why:
        return [Line(name, State.NOT_CHECKED, str(why))]
    except TimeoutError:
        return [Line(name, State.BROKEN, f"no response within {named.seconds:g} s", "see whether it is overloaded")]
    except Exception as error:  # noqa: BLE001 - one check must not end the others
        return [Line(name, State.BROKEN, explained(error)[1], "")]
    return found if isinstance(found, list) else [found]


async def in_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a thread that the end of the program does not wait for, unlike `asyncio.to_thread`'s."""
    loop, answer = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()

    def settle(result: T | None, error: Exception | None) -> None:
        if not answer.done():
            answer.set_exception(error) if error else answer.set_result(result)

    def run() -> None:
        result, failed = None, None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - raised where it is awaited
            failed = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, failed)

    threading.Thread(target=run, name="doctor", daemon=True).start()
    found: T = await answer
    return found
