"""The sandbox's webhooks: signed, over real HTTP, at least once and in no promised order, as REVER's must be expected.

The body is the return's state, without a word of what happened, as in REVER's reference. A webhook is sent for the
events creation, shipping, review, completion and cancellation; `{event}` in the URL gives each a URL of its own.
"""

import heapq
import json
import threading
import time
from dataclasses import dataclass, field
from itertools import count
from random import Random

import httpx
from pydantic import SecretStr

from rever_api.models import ProcessStatus, ReturnProcess
from rever_api.sandbox.operations import wire
from rever_api.webhooks import SIGNATURE_HEADER, sign

_FIELDS = (
    "rever_process_id", "rever_process_status", "portal_name", "platform_process_id", "started_at", "order_id",
    "order_name", "shopper", "return_line_items", "reviews", "compensation", "logistics",
)  # fmt: skip
_TRIES, _FIRST_WAIT_S, _MOST_WAIT_S, _TIMEOUT_S = 12, 0.2, 10.0, 5.0


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where webhooks go, and the secret they are signed with. `repeats` is the share that is sent a second time."""

    url: str
    secret: SecretStr
    repeats: float = 0.0


@dataclass(order=True, slots=True)
class _Delivery:
    due: float
    number: int
    event: str = field(compare=False)
    body: bytes = field(compare=False, repr=False)
    tries: int = field(compare=False, default=0)


def payload(process: ReturnProcess) -> bytes:
    """Return the raw body of a webhook about a return."""
    body = wire(process)
    return json.dumps({name: body.get(name, "") for name in _FIELDS}, ensure_ascii=False).encode()


class Webhooks:
    """Sends a webhook for each event, again and again until it is taken, on a thread of its own."""

    def __init__(self, webhook: Webhook, seed: int, known: dict[str, ReturnProcess]) -> None:
        self._webhook = webhook
        self._known = dict(known)
        self._random = Random(seed)  # noqa: S311 - replayable
        self._due: list[_Delivery] = []
        self._number = count()
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="rever-sandbox-webhooks", daemon=True)
        self.taken: list[tuple[str, int]] = []
        """The event and status of every response that took one."""

    def note(self, process: ReturnProcess) -> None:
        """A process was created or has changed (a subscriber of the sandbox's)."""
        event = _event(self._known.get(process.rever_process_id), process)
        self._known[process.rever_process_id] = process
        if not event:
            return
        body, now = payload(process), time.monotonic()
        with self._changed:
            heapq.heappush(self._due, _Delivery(now, next(self._number), event, body))
            if self._random.random() < self._webhook.repeats:
                heapq.heappush(self._due, _Delivery(now + _FIRST_WAIT_S, next(self._number), event, body))
            self._changed.notify()

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send no more; what was not taken yet is forgotten."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join(_TIMEOUT_S + 1)

    def _run(self) -> None:
        # Plain http to a receiver of one's own needs no certificates, and reading them is what takes long.
        verify = self._webhook.url.startswith("https:")
        with httpx.Client(timeout=_TIMEOUT_S, trust_env=False, verify=verify) as http:
            while (delivery := self._next()) is not None:
                self._send(http, delivery)

    def _next(self) -> _Delivery | None:
        with self._changed:
            while not self._ended:
                wait = self._due[0].due - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)
                self._changed.wait(wait)
        return None

    def _send(self, http: httpx.Client, delivery: _Delivery) -> None:
        headers = {"content-type": "application/json", SIGNATURE_HEADER: sign(delivery.body, self._webhook.secret)}
        url = self._webhook.url.replace("{event}", delivery.event)
        try:
            response = http.post(url, content=delivery.body, headers=headers)
        except httpx.TransportError:
            response = None
        if response is not None and response.is_success:
            self.taken.append((delivery.event, response.status_code))
            return
        delivery.tries += 1
        if delivery.tries < _TRIES:
            delivery.due = time.monotonic() + min(_FIRST_WAIT_S * 2**delivery.tries, _MOST_WAIT_S)
            with self._changed:
                heapq.heappush(self._due, delivery)


def _event(before: ReturnProcess | None, now: ReturnProcess) -> str:
    """Return what happened, "" where no webhook is sent for it."""
    if before is None:
        return "creation"
    if now.rever_process_status != before.rever_process_status:
        ends: dict[str, str] = {ProcessStatus.COMPLETED: "completion", ProcessStatus.CANCELED: "cancellation"}
        return ends.get(now.rever_process_status, "")
    if [parcel.status for parcel in now.logistics or ()] != [parcel.status for parcel in before.logistics or ()]:
        return "shipping"
    return "review" if len(now.reviews or ()) > len(before.reviews or ()) else ""
