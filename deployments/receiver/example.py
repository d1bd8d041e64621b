"""An example of a webhook, as the local REVER would send it: to see that a receiver takes it."""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex

import httpx
from pydantic import SecretStr

from deployments.console.errors import UsageError
from deployments.receiver.delivery import EXAMPLE, Kind
from rever_api.models import LogisticsEntry, ProcessStatus, ShippingStatus
from rever_api.sandbox.seed import seed
from rever_api.sandbox.shops import catalogue
from rever_api.sandbox.state import Sandbox
from rever_api.sandbox.webhooks import payload
from rever_api.webhooks import SIGNATURE_HEADER, sign
from tasks.settings import read_variable

VARIABLE = "REVER_WEBHOOK_SECRETS"

TIMEOUT_S = 15.0

INVENTED = "it is stored; it is about an invented return, and is closed once REVER says so: rever-returns inbox"

_STATUS = {Kind.COMPLETED: ProcessStatus.COMPLETED, Kind.CANCELLED: ProcessStatus.CANCELED}
_MEANING = {
    200: "it was stored before, nothing changes",
    202: "it is stored, and a run is offered",
    401: "the signature is not valid: the receiver has another secret",
    404: "there is no receiver at this address",
    503: "the receiver cannot store it now",
}


@dataclass(frozen=True, slots=True)
class SendResult:
    """The receiver's response, and what it means."""

    status: int
    meaning: str


def send_example(event: str, process_id: str, url: str, secret_from: str) -> tuple[str, bool]:
    """Send an example; return the text to print, and whether it was accepted. Raises `UsageError`."""
    if event not in set(Kind):
        raise UsageError(f"--event is one of {', '.join(Kind)}, not {event!r}")
    secret = signing_secret(secret_from)
    if secret is None:
        raise UsageError(f"there is no secret in {secret_from}: set it, or name another variable with --secret-from")
    result = send(url.replace("{event}", event), example_body(Kind(event), process_id), secret)
    taken = result.status in {200, 202}
    meaning = INVENTED if taken and not process_id else result.meaning
    return f"{result.status}: {meaning}", taken


def example_body(kind: Kind, process_id: str) -> bytes:
    """A raw body about an invented shopper's return, begun at this moment: no two of them are the same event.

    Without an id it is about an invented return too, by an id that REVER never gives.
    """
    sandbox = Sandbox(catalogue(("acme",), 2.0, {}), 7)
    seed(sandbox, 1)
    process = next(iter(sandbox.processes.values())).process
    shipping = ShippingStatus.COLLECTED if kind is Kind.SHIPPED else ShippingStatus.CREATED
    changed = process.model_copy(
        update={
            "rever_process_id": process_id or f"{EXAMPLE}{token_hex(13)}",
            "rever_process_status": _STATUS.get(kind, ProcessStatus.RUNNING),
            "logistics": (LogisticsEntry(status=shipping),),
            "started_at": datetime.now(UTC),
        }
    )
    return payload(changed)


def send(url: str, body: bytes, secret: SecretStr) -> SendResult:
    """Sign and send. Raises OSError where nobody listens."""
    headers = {"content-type": "application/json", SIGNATURE_HEADER: sign(body, secret)}
    try:
        response = httpx.post(url, content=body, headers=headers, timeout=TIMEOUT_S, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise OSError(
            0, f"no one accepted it ({type(error).__name__}); is `rever-returns receiver` running?", url
        ) from None
    return SendResult(response.status_code, _MEANING.get(response.status_code, "it was not taken"))


def signing_secret(variable: str = VARIABLE) -> SecretStr | None:
    """The (first) secret in this variable, of the environment or below it of `.env`; `-` reads it from stdin."""
    text = sys.stdin.readline() if variable == "-" else read_variable(variable)
    first = text.partition(",")[0].strip()
    return SecretStr(first) if first else None
