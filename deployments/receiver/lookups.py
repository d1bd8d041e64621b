"""What the ledger and REVER know about returns with waiting events. Both are only read, and may be missing or away."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from datetime import datetime
from enum import StrEnum
from typing import Any

import httpx
from sqlalchemy import Connection

from tasks.desk import client_config, utc_now
from tasks.ledger import Ledger, LedgerError, runs_began, server_clock
from tasks.policy.clocks import skew
from tasks.settings import Settings

PATIENCE_S = 5.0
"""Seconds for all requests of one look. What has no response by then is not known."""

_APART = (
    "the clocks of this machine and of the ledger's database are more than 4 minutes apart, so events are not closed "
    "and runs are offered for all of them: put both in step (NTP)"
)

logger = logging.getLogger(__name__)


class LedgerLook:
    """The desk's ledger. If it cannot be read, or by another clock, no return counts as looked at; the log says so."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ledger: Ledger | None = None
        self._said = ""

    async def runs_began(self, process_ids: Collection[str]) -> dict[str, datetime]:
        """Process id -> the beginning of the run that last took the return as far as possible, by our clock.

        Rather too early, by the time that the look takes, than too late: what came in after it is looked at again.
        """
        asked_at = utc_now()
        try:
            if self._ledger is None:
                self._ledger = await asyncio.to_thread(self._open)
            began, theirs = await self._ledger.aread(_began, process_ids, asked_at)
        except LedgerError as error:
            self._say(f"the ledger cannot be read, so events are not closed: {error}")
            return {}
        by = skew(here=theirs or asked_at, there=asked_at)
        self._say(_APART if by is None else "")
        return {} if by is None else {each: at + by for each, at in began.items()}

    def close(self) -> None:
        """Close it."""
        if self._ledger is not None:
            self._ledger.close()

    def _open(self) -> Ledger:
        url = self._settings.ledger_url.get_secret_value()
        # If REVER is this machine, the first run makes the ledger; elsewhere a missing one is an error.
        existing = not self._settings.loopback
        return Ledger.open(url, account=self._settings.account, clock=utc_now, read_only=True, existing=existing)

    def _say(self, words: str) -> None:
        if words and words != self._said:
            logger.warning("%s", words)
        self._said = words


def _began(
    conn: Connection, process_ids: Collection[str], now: datetime
) -> tuple[dict[str, datetime], datetime | None]:
    return runs_began(conn, process_ids, now=now), server_clock(conn)


class Standing(StrEnum):
    """Whether a run of ours could do something about a return."""

    OURS = "ours"
    UNKNOWN = "unknown"
    ELSEWHERE = "elsewhere"
    UNREADABLE = "unreadable"


Standings = Callable[[Collection[str]], Awaitable[dict[str, Standing]]]
"""Process id -> its standing; returns that could not be read are left out."""


async def nobody_asked(process_ids: Collection[str]) -> dict[str, Standing]:  # noqa: ARG001 - nothing is known of any
    """The `Standings` of a desk that does not ask REVER."""
    return {}


class ReverLook:
    """Reads returns at REVER by the settings in force, with one client that is made when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._client: Any = None
        self._said = ""

    async def standings(self, process_ids: Collection[str]) -> dict[str, Standing]:
        """The standing of these returns. Never raises: what could not be read is left out, and the log says so once."""
        found: dict[str, Standing] = {}
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._connect()
                failed = await asyncio.gather(*(self._look(process_id, found) for process_id in process_ids))
        except Exception as error:  # noqa: BLE001 - runs are offered all the same, and say what is wrong
            failed = [type(error).__name__]
        self._say(next(filter(None, failed), ""))
        return found

    async def close(self) -> None:
        """Close the connection."""
        self._client = None
        await self._stack.aclose()

    async def _look(self, process_id: str, found: dict[str, Standing]) -> str:
        """Read one return; returns the class of the error if its standing is not known."""
        from rever_api.errors import NotFound, OutcomeUnknown, ReverError

        try:
            process = await self._client.get_return_process(process_id)
        except NotFound:
            found[process_id] = Standing.UNKNOWN
        except ReverError as error:
            if not isinstance(error, OutcomeUnknown) or error.status != httpx.codes.OK:
                return type(error).__name__
            found[process_id] = Standing.UNREADABLE  # REVER responded, and the response cannot be read
        else:
            # The stores of a group are known to runs alone.
            strange = self._settings.stores and process.ecommerce_id not in {"", *self._settings.stores}
            found[process_id] = Standing.ELSEWHERE if strange else Standing.OURS
        return ""

    async def _connect(self) -> None:
        if self._client is None:
            from rever_api import AsyncReverClient

            client = AsyncReverClient(client_config(self._settings))
            self._client = await self._stack.enter_async_context(client)

    def _say(self, words: str) -> None:
        if words and not self._said:  # what is wrong may change from try to try while it lasts
            logger.warning("REVER cannot be asked about returns without a run (%s): runs are offered for them", words)
        self._said = words
