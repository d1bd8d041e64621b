"""What the lane does about a server that is away: it says so once, tries again less and less often, and goes on."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
from prefect.exceptions import ObjectNotFound

from deployments.lane import POOL
from tasks.desk import DeskError

LONGEST_PAUSE_S, PATIENCE_S = 5.0, 10.0

_REFUSED = {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}


class Server:
    """Prefect's server as the lane sees it. `pause_s` is how long to wait before it is asked again."""

    def __init__(self, address: str, every_s: float) -> None:
        self._address, self._every_s = address, every_s
        self.pause_s = every_s

    @property
    def away(self) -> bool:
        """Whether it did not answer when it was asked last."""
        return self.pause_s > self._every_s

    async def asked(self, question: Callable[[], Awaitable[object]]) -> bool:
        """Ask it; answers whether it answered. Raises `DeskError` where asking again would not help."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await question()
        except ObjectNotFound:
            raise DeskError(f"Prefect has no work pool {POOL!r}: `rever-returns bootstrap` makes it") from None
        except httpx.HTTPStatusError as answer:
            if answer.response.status_code in _REFUSED:
                raise DeskError(
                    f"Prefect's server at {self._address} refuses us: set PREFECT_API_AUTH_STRING to user:password"
                ) from None
            self._unanswered(f"answers {answer.response.status_code}")
        except (httpx.TransportError, TimeoutError) as failed:
            self._unanswered(f"does not answer ({type(failed).__name__})")
        else:
            if self.away:
                log.warning("Prefect's server answers again")
            self.pause_s = self._every_s
        return not self.away

    def _unanswered(self, how: str) -> None:
        if not self.away:
            log.warning("Prefect's server at %s %s: asked again every %g s", self._address, how, LONGEST_PAUSE_S)
        self.pause_s = min(2 * self.pause_s, LONGEST_PAUSE_S)
