"""What can go wrong with a call to REVER. Each class is one way to react, for reads and effects alike.

    NotSent         the request never left: the same call may be made again
      ClientClosed  ... because the client, or the http client that was handed in, is closed: with a new client
    RefusedForNow   429, REVER did nothing: again after `retry_after`, once REVER was looked at
    Refused         REVER said no: the same call will be refused again
      NotFound      ... because the process (not the route) does not exist
    WrongSetup      no call will work until a person mends a setting
      Unauthorized  ... the API key (401, 403), or a proxy's credentials (407)
      WrongRoute    ... the base URL or the endpoint table (404 or 405 of the route; 3xx to a read)
    OutcomeUnknown  it may have been done: an effect is not sent again, a read may be
      Unreadable    ... a return came back in which a field that money hangs on cannot be read

A proxy can say 401, 403, 404, 405, 407 or 429 itself after REVER has acted: it sent the request twice, or guards the
way back. So read the process before such an effect is sent again (docs/ledger.md).

A cancelled effect raises `asyncio.CancelledError` as such, and is of unknown outcome from the moment the call began.
The text of an error is a sentence for a person. It holds no API key, no body and no word of REVER's: these may quote a
shopper's name and address in any wording, so that no mask finds them all. What REVER said is given by its class
(`reason`) and code; its words, trimmed and masked, are in `message` alone, for who keeps them where they can be erased.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from rever_api.models.process import UnreadableProcess


class Reason(StrEnum):
    """Why REVER said no, as a class instead of its words, which may quote a shopper's name and address.

    What fits none of the classes is `OTHER`, and never a guess: a class only says more, it never makes a refusal out of
    an unknown outcome. Values are kept in ledgers: they are added to, never changed.
    """

    COMBINATION = "combination_not_supported"
    PICKUP = "pickup_slot_refused"
    ADDRESS = "address_refused"
    OUT_OF_STOCK = "out_of_stock"
    AMOUNT = "amount_refused"
    ALREADY_REFUNDED = "already_refunded"
    ALREADY_REVIEWED = "already_reviewed"
    ALREADY_DONE = "already_done"
    PAYMENT = "payment_refused"
    REJECT_REASON = "reject_reason_missing"
    NOT_RUNNING = "return_not_running"
    BY_HAND = "done_by_hand_only"
    NOT_FOUND = "not_found"
    NO_ACCESS = "no_access"
    TOO_MANY = "too_many_requests"
    FAULT = "fault_at_rever"
    OTHER = "other"

    @property
    def words(self) -> str:
        """The class as a part of a sentence, empty where nothing is known."""
        return _WORDS[self]


_WORDS: Mapping[Reason, str] = {
    Reason.COMBINATION: "provider, carrier and return method are not supported together",
    Reason.PICKUP: "the pickup's day or hours are refused",
    Reason.ADDRESS: "an address is refused",
    Reason.OUT_OF_STOCK: "a variant is out of stock",
    Reason.AMOUNT: "the amount is refused",
    Reason.ALREADY_REFUNDED: "it is refunded already",
    Reason.ALREADY_REVIEWED: "it is reviewed already",
    Reason.ALREADY_DONE: "it is there or done already",
    Reason.PAYMENT: "the payment is refused",
    Reason.REJECT_REASON: "a reject reason is missing",
    Reason.NOT_RUNNING: "the return is not in a state that allows it",
    Reason.BY_HAND: "a person has to do it",
    Reason.NOT_FOUND: "it is not known there",
    Reason.NO_ACCESS: "the key is not known or may not do this",
    Reason.TOO_MANY: "too many requests",
    Reason.FAULT: "a fault at REVER",
    Reason.OTHER: "",
}

_NOTHING = UnreadableProcess(process_id="", why="")
_RESOURCE_EXHAUSTED = 8


class ReverError(Exception):
    """A call that brought no answer to work with. Raised only as one of the classes below; survives pickling.

    Attributes:
        operation: operationId of the contract, "" where no operation was begun.
        status: HTTP status, None without an answer.
        code: gRPC status code of the gateway's error body, None where there was none.
        message: REVER's own words, trimmed and masked, "" where there were none fit to show. They may name a shopper.
        request_id: REVER's id of the request, by the header that names one, "" where none does. For REVER's support.
        body: what an answer outside 2xx held, its JSON or the beginning of its text, without the key, e-mails, personal
            fields and what was sent of a shopper; long texts and lists are cut. Like `message` it may still name a
            shopper, and it is left out of a pickle. None without an answer, and for a 2xx: that may be a whole return.
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
        request_id: str = "",
        body: Any = None,
    ) -> None:
        super().__init__(sentence)
        self.operation = operation
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.reason = reason
        self.request_id = request_id
        self.body = body

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.args, {**vars(self), "body": None}


class NotSent(ReverError):  # noqa: N818 - the name says what happened
    """The request never left this machine: DNS, refused, connect or pool timeout, TLS handshake, a bad URL."""


class ClientClosed(NotSent):
    """The client was closed before the call, or the http client that it was handed: make a new one."""


class RefusedForNow(ReverError):  # noqa: N818
    """429: too fast, REVER did nothing (its reference). `retry_after` is uncapped, in seconds.

    `by_rever` says whether the answer is in REVER's own words; any other may be a proxy's.
    """

    @property
    def by_rever(self) -> bool:
        """Whether the error's body is that of REVER's gateway, with the gRPC code of a used-up quota."""
        return self.code == _RESOURCE_EXHAUSTED


class Refused(ReverError):  # noqa: N818
    """REVER said no and did nothing: a 4xx but 401, 403, 405, 408, 425, 429 and 499, or 501 (a person must do it)."""


class NotFound(Refused):
    """404 of the resource: REVER knows the route and answers that there is no such process, store or label."""


class WrongSetup(ReverError):  # noqa: N818
    """A setting is wrong, and no call will work until a person has mended it. REVER itself did nothing."""


class Unauthorized(WrongSetup):
    """401 or 403: the API key is missing, wrong, or not allowed to do this. 407: a proxy wants credentials."""


class WrongRoute(WrongSetup):
    """404 or 405 of the route, or a redirect of a read: the base URL or an entry of the endpoint table is wrong."""


class OutcomeUnknown(ReverError):  # noqa: N818
    """REVER may have acted: 408, 425, 499, a 3xx to an effect, a 5xx but 501, a broken or late answer, and a
    2xx that does not say what was done.
    """


class EmptyAnswer(OutcomeUnknown):
    """A 2xx to an effect whose body is empty: nothing, null, "" or {}. A read shows whether a review was recorded."""


class Unreadable(OutcomeUnknown):
    """A 2xx that is about the right return, in which a field that money hangs on cannot be read.

    To read it again brings the same. `process` says which fields, and what was found.
    """

    def __init__(self, sentence: str, *, process: UnreadableProcess = _NOTHING, **details: Any) -> None:
        super().__init__(sentence, **details)
        self.process = process
