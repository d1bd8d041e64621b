"""What the ledger says about returns with waiting events. It is only read, and may not be there yet."""

import asyncio
from collections.abc import Collection
from datetime import datetime

from tasks.desk import utc_now
from tasks.ledger import Ledger, LedgerError, runs_began
from tasks.settings import Settings


class LedgerLook:
    """Looks into the desk's ledger; where it cannot be read nothing counts as looked at, and that is said once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ledger: Ledger | None = None
        self._said = ""

    async def runs_began(self, process_ids: Collection[str]) -> dict[str, datetime]:
        """Process id -> when the run began that last took the return as far as it could go."""
        try:
            if self._ledger is None:
                self._ledger = await asyncio.to_thread(self._open)
            found = await self._ledger.aread(runs_began, process_ids, now=utc_now())
        except LedgerError as error:
            self._say(str(error))
            return {}
        self._say("")
        return found

    def close(self) -> None:
        """Let go of it."""
        if self._ledger is not None:
            self._ledger.close()

    def _open(self) -> Ledger:
        url = self._settings.ledger_url.get_secret_value()
        # Where REVER is this machine the first run makes it; elsewhere a ledger that is missing is a wrong set-up.
        existing = not self._settings.loopback
        return Ledger.open(url, account=self._settings.account, clock=utc_now, read_only=True, existing=existing)

    def _say(self, words: str) -> None:
        if words and words != self._said:
            logger.warning("it cannot be seen which events are acted on: %s", words)
        self._said = words
