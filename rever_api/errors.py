"""What can go wrong with a call to REVER. Each class is one way to react, for reads and effects alike.

    NotSent         the request never left: the same call may be made again
    RefusedForNow   429, nothing was done: again after `retry_after`
    Refused         REVER said no: the same call will be refused again
      NotFound      ... because the process (not the route) does not exist
    WrongSetup      no call will work until a person mends a setting
      Unauthorized  ... the API key (401, 403)
      WrongRoute    ... the base URL or the endpoint table (404 or 405 of the route, 3xx)
    OutcomeUnknown  it may have been done: an effect is never sent again by itself, a read may be
      Unreadable    ... a return was answered in which a field that money hangs on cannot be read

A cancelled effect raises `asyncio.CancelledError` as such, and is of unknown outcome from the moment the call began.
The text of an error is a sentence for a person. It holds no API key, no body and no word of REVER's: these may quote a
shopper's name and address in any wording, so that no mask finds them all. What REVER said is told by its class
(`reason`) and code; its words, trimmed and masked, are in `message` alone, for who keeps them where they can be erased.
"""

from typing import Any

from rever_api.models.pages import UnreadableProcess
from rever_api.reasons import Reason

_NOTHING = UnreadableProcess(process_id="", why="")


class ReverError(Exception):
    """A call that brought no answer to work with. Raised only as one of the classes below; survives pickling.

    Attributes:
        operation: operationId of the contract, "" where no operation was begun.
        status: HTTP status, None without an answer.
        code: gRPC status code of the gateway's error body, None where there was none.
        message: REVER's own words, trimmed and masked, "" where there were none fit to show. They may name a shopper.
        reason: the class of what REVER said; `Reason.OTHER` where it fits none, or without an answer.
        retry_after: seconds that REVER asked to wait, None where it did not say or said nonsense.
    """

    def __init__(
        self,
        sentence: str,
        *,
        operation: str = "",
        status: int | None = None,
        code: int | None = None,
        message: str = "",
        retry_after: float | None = None,
        reason: Reason = Reason.OTHER,
    ) -> None:
        super().__init__(sentence)
        self.operation = operation
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.reason = reason


class NotSent(ReverError):  # noqa: N818 - the name says what happened
    """The request never left this machine: DNS, refused, connect or pool timeout, TLS handshake, a bad URL."""


class RefusedForNow(ReverError):  # noqa: N818
    """429: too fast, nothing was done (REVER's reference). `retry_after` is uncapped, in seconds."""


class Refused(ReverError):  # noqa: N818
    """REVER said no and did nothing: a 4xx but 401, 403, 405, 408, 425, 429 and 499, or 501 (a person must do it)."""


class NotFound(Refused):
    """404 of the resource: REVER knows the route and answers that there is no such process, store or label."""


class WrongSetup(ReverError):  # noqa: N818
    """A setting is wrong: nothing was done and no call will work until a person has mended it."""


class Unauthorized(WrongSetup):
    """401 or 403: the API key is missing, wrong, or not allowed to do this."""


class WrongRoute(WrongSetup):
    """404 or 405 of the route, or any redirect: the base URL or an entry of the endpoint table is wrong."""


class OutcomeUnknown(ReverError):  # noqa: N818
    """REVER may have acted: 408, 425, 499, a 5xx but 501, a broken or late answer, a 2xx that does not say so."""


class Unreadable(OutcomeUnknown):
    """A 2xx that is about the right return, in which a field that money hangs on cannot be read.

    To read it again brings the same. `process` says which fields, and what was found.
    """

    def __init__(self, sentence: str, *, process: UnreadableProcess = _NOTHING, **details: Any) -> None:
        super().__init__(sentence, **details)
        self.process = process
