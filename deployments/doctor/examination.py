"""One examination: what earlier checks found and later ones build on, and how a check is made so that none raises."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from deployments.console.errors import explained
from deployments.doctor.line import Line, State
from rever_api import Endpoints, ReverError
from rever_api.other_clock import Sample
from tasks.desk import utc_now
from tasks.settings import Settings

T = TypeVar("T")


class NotChecked(Exception):  # noqa: N818 - it is no error of the check
    """A check that cannot be made; the text says because of what."""


class NotUsed(Exception):  # noqa: N818
    """There is nothing to check: it belongs to a part that is not set up, which has a line of its own."""


@dataclass
class Examination:
    """What is known so far. A check that needs what is not there raises `NotChecked`.

    `receiver_url`: where the webhooks' receiver is; "" for the address that it takes by default.
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
    """Make one check. Whatever goes wrong in it is a line of its own; nothing is raised but a person's Ctrl-C."""
    name = named.name
    try:
        async with asyncio.timeout(named.seconds):
            found = await named.check(examination)
    except NotUsed:
        return []
    except NotChecked as why:
        return [Line(name, State.NOT_CHECKED, str(why))]
    except TimeoutError:
        return [Line(name, State.BROKEN, f"gave no answer within {named.seconds:g} s", "see whether it is overloaded")]
    except Exception as error:  # noqa: BLE001 - each check stands by itself
        return [Line(name, State.BROKEN, explained(error)[1], "")]
    return found if isinstance(found, list) else [found]


async def in_thread(work: Callable[[], T]) -> T:
    """Run blocking work on a thread that a time-out leaves behind: the program's end does not wait for it."""
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
