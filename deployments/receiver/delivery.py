"""One delivery: its raw bytes, within limits; the little of its JSON that is needed; and the kind of its event.

REVER names the kind nowhere in the body: the URL may, otherwise it follows from the return's state.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from rever_api.messages import read_json
from rever_api.models import ProcessStatus

EXAMPLE = "example_"
"""How the id of an invented return begins (`webhook send`). REVER's begin with `retp_`."""

MOST_BYTES = 256 * 1024
"""The largest body that is accepted. REVER's are a few KiB."""

READ_ON = 8 * MOST_BYTES
"""How much of a body that is too large is read and dropped: a sender that is still sending would see no response."""

BODY_S = 10.0
"""Seconds a body may take to come in."""

# No character with a meaning in a path: the request to REVER would go to another route.
_ID = re.compile(r"(?!\.+\Z)[A-Za-z0-9_.:~=+@-]{1,200}")
_STATUS = re.compile(r"[!-~]{0,64}")
_SAME = {"CANCELLED": "CANCELED"}


class Rejected(Exception):  # noqa: N818 - a response, not a fault
    """A delivery that is not accepted: the response's status, the outcome for the metrics, and a sentence."""

    def __init__(self, status: int, outcome: str, why: str) -> None:
        super().__init__(why)
        self.status, self.outcome, self.why = status, outcome, why


@dataclass(frozen=True, slots=True)
class Content:
    """What is needed of a body: the return, its status, and that of its last parcel."""

    process_id: str
    status: str
    shipping: str


def check_type(content_type: str) -> None:
    """Raise `Rejected` (415) unless the content is JSON."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise Rejected(415, "wrong_type", "the content type must be application/json")


async def read_body(chunks: AsyncIterator[bytes], *, most: int = MOST_BYTES, within: float = BODY_S) -> bytes:
    """The raw body. Raises `Rejected`: 413 for one that is too large, 408 for one that is too slow."""
    parts, size = [], 0
    try:
        async with asyncio.timeout(within):
            async for chunk in chunks:
                size += len(chunk)
                if size > READ_ON:
                    break
                if size <= most:
                    parts.append(chunk)
    except TimeoutError:
        raise Rejected(408, "too_slow", f"the body did not come in within {within:g} s") from None
    if size > most:
        raise Rejected(413, "too_large", f"the body is larger than {most // 1024} KiB")
    return b"".join(parts)


def read_content(body: bytes) -> Content:
    """The content of a verified body, read as tolerantly as REVER's responses: one bad field spoils only itself.

    Raises `Rejected` (422), with a sentence that says what is missing.
    """
    try:
        content = read_json(body)
    except ValueError:
        raise Rejected(422, "unreadable", "the body is not readable JSON") from None
    if not isinstance(content, dict):
        raise Rejected(422, "unreadable", "the body is not a JSON object")
    process_id = content.get("rever_process_id")
    if isinstance(process_id, int) and not isinstance(process_id, bool):
        process_id = str(process_id)
    if not isinstance(process_id, str) or not _ID.fullmatch(process_id):
        raise Rejected(422, "unreadable", "the body has no rever_process_id that is an id")
    status = _word(content.get("rever_process_status"))
    return Content(process_id, _SAME.get(status, status), _shipping(content))


def _shipping(content: Mapping[str, object]) -> str:
    parcels = content.get("logistics")
    last = parcels[-1] if isinstance(parcels, list) and parcels else None
    return _word(last.get("status")) if isinstance(last, dict) else ""


def _word(value: object) -> str:
    return value if isinstance(value, str) and _STATUS.fullmatch(value) else ""


class Kind(StrEnum):
    """The kinds of event. Each has a run look at the return; the kind itself decides nothing."""

    CREATED = "created"
    SHIPPED = "shipped"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


_NAMES = {
    Kind.CREATED: ("created", "creation", "onreturnprocesscreation"),
    Kind.SHIPPED: ("shipped", "shipping", "onreturnprocessshipping"),
    Kind.COMPLETED: ("completed", "completion", "onreturnprocesscompletion"),
    Kind.CANCELLED: ("cancelled", "canceled", "cancellation", "onreturnprocesscancellation"),
}
_BY_NAME = {name: kind for kind, names in _NAMES.items() for name in names}
_BY_STATUS = {ProcessStatus.COMPLETED: Kind.COMPLETED, ProcessStatus.CANCELED: Kind.CANCELLED}


def kind_of(event: str, status: str, shipping: str, known_shipping: str | None) -> Kind:
    """The kind by the URL's last part (`event`, may be empty), else by the state that the body tells.

    `known_shipping` is the shipping status of the last event; None if there was none about this return.
    """
    if event:
        return _BY_NAME.get(event.lower().replace("-", "").replace("_", ""), Kind.UNKNOWN)
    if status in _BY_STATUS:
        return _BY_STATUS[ProcessStatus(status)]
    if known_shipping is None:
        return Kind.CREATED
    return Kind.SHIPPED if shipping and shipping != known_shipping else Kind.UNKNOWN
