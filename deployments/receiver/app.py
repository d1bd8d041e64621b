"""The receiver's HTTP side: verify, store, respond; and the process that serves it until a signal.

What a response says depends on the delivery and the inbox alone.
"""

import asyncio
import logging
import re
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from pydantic import SecretStr
from starlette.requests import ClientDisconnect

from deployments.host_check import HostCheck
from deployments.receiver.connections import MOST, AnyPrefix, GuardedConnection, OneLength
from deployments.receiver.delivery import Rejected, check_type, read_body, read_content
from deployments.receiver.dispatcher import Dispatcher
from deployments.receiver.inbox import Delivery, Inbox, Stored, beat, store
from deployments.receiver.lookups import LedgerLook, ReverLook
from deployments.receiver.metrics import Metrics
from deployments.receiver.offers import waiting_returns
from deployments.receiver.prefect_runs import Announcer, PrefectRuns
from rever_api.webhooks import SIGNATURE_HEADER, verify
from tasks.database import DatabaseError
from tasks.desk import utc_now
from tasks.settings import Settings, SettingsError, load_settings

HOST, PORT = "127.0.0.1", 8766
_GRACE_S = 5

STORE_S = 10.0
"""Seconds the inbox may take; after that REVER is asked to send the event again."""

PATH = "/webhooks/rever"

MOST_HOSTS = 10
"""How many unknown hosts the log names."""

REMEMBERED = timedelta(minutes=5)
"""How long health reports an event that could not be stored, unless one was stored since."""

_NAME = re.compile(r"[a-z0-9_.:\[\]-]{1,253}")

logger = logging.getLogger(__name__)


class Storing:
    """Whether events could be stored lately. The log says once when they cannot, and once when they can again."""

    def __init__(self) -> None:
        self._why, self._at = "", datetime.min.replace(tzinfo=UTC)

    def failed(self, why: str, at: datetime) -> None:
        """An event could not be stored."""
        if not self._why:
            logger.error("events cannot be stored, and REVER is asked to send them again: %s", why)
        self._why, self._at = why, at

    def went_well(self) -> None:
        """An event was stored."""
        if self._why:
            logger.warning("events are stored again")
        self._why = ""

    def trouble(self, now: datetime) -> str:
        """Why the last event could not be stored; "" if it was stored, or long ago."""
        return self._why if now - self._at < REMEMBERED else ""


@dataclass(frozen=True, slots=True)
class Receiver:
    """What the endpoints work with.

    `reachable` returns whether Prefect responds within so many seconds; `hosts` are the names under which the receiver
    is known, and `refused` the others that were tried.
    """

    inbox: Inbox
    secrets: tuple[SecretStr, ...]
    dispatcher: Dispatcher
    announcer: Announcer
    metrics: Metrics
    clock: Callable[[], datetime]
    reachable: Callable[[float], Awaitable[bool]]
    hosts: tuple[str, ...] = ()
    storing: Storing = field(default_factory=Storing)
    refused: set[str] = field(default_factory=set)


def create_app(receiver: Receiver) -> FastAPI:
    """The application. The dispatcher and the announcer run while it runs."""

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(loop.run()) for loop in (receiver.dispatcher, receiver.announcer)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task

    # No redirects: senders of webhooks do not follow them, and behind a proxy they would lead elsewhere.
    app = FastAPI(lifespan=running, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)

    async def webhook(request: Request, event: str = "") -> Response:
        return await _respond(receiver, request, event)

    async def health() -> Response:
        return await _health(receiver)

    async def metrics() -> Response:
        try:
            waiting = await receiver.inbox.aread(waiting_returns)
        except DatabaseError as error:
            return Response(str(error), 503, media_type="text/plain")
        text = receiver.metrics.text(waiting, receiver.clock())
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    app.add_api_route(PATH, webhook, methods=["POST"], response_model=None)
    app.add_api_route(f"{PATH}/{{event}}", webhook, methods=["POST"], response_model=None)
    app.add_api_route("/health", health, methods=["GET"], response_model=None)
    app.add_api_route("/metrics", metrics, methods=["GET"], response_model=None)
    app.add_middleware(AnyPrefix, path=PATH)
    app.add_middleware(OneLength)
    app.add_middleware(HostCheck, names=receiver.hosts, refused=partial(_strange, receiver))
    return app


def _strange(receiver: Receiver, host: str) -> None:
    """Count and log a request that was refused for its host: if it was REVER's, a person must change a setting."""
    receiver.metrics.received("wrong_host", 0.0)
    if host not in receiver.refused and len(receiver.refused) < MOST_HOSTS:
        receiver.refused.add(host)
        name = host if _NAME.fullmatch(host) else "(not a host name)"
        logger.warning(
            "a request for the host %s was refused: name the hosts that webhooks are sent to in REVER_WEBHOOK_HOSTS",
            name,
        )


async def _respond(receiver: Receiver, request: Request, event: str) -> Response:
    began = time.perf_counter()
    try:
        stored = await _take_in(receiver, request, event)
    except Rejected as refused:
        outcome, response = refused.outcome, _refusal(refused)
    else:
        outcome = "stored" if stored.new else "repeat"
        response = JSONResponse({"outcome": outcome}, 202 if stored.new else 200)
    receiver.metrics.received(outcome, time.perf_counter() - began)
    return response


async def _take_in(receiver: Receiver, request: Request, event: str) -> Stored:
    check_type(request.headers.get("content-type", ""))
    try:
        body = await read_body(request.stream())
    except ClientDisconnect:
        raise Rejected(400, "gone", "the sender went away") from None
    signature = request.headers.get(SIGNATURE_HEADER, "")
    if not verify(body, signature, receiver.secrets):
        raise Rejected(401, "bad_signature", f"{SIGNATURE_HEADER} is {'not valid' if signature else 'missing'}")
    delivery = Delivery(body, read_content(body), event, receiver.clock())
    try:
        async with asyncio.timeout(STORE_S):
            stored = await receiver.inbox.awrite(store, delivery)
    except (DatabaseError, TimeoutError) as error:
        receiver.storing.failed(_why(error), receiver.clock())
        raise Rejected(503, "not_stored", "the event could not be stored; send it again") from None
    receiver.storing.went_well()
    if stored.new:
        receiver.dispatcher.wake()
        receiver.announcer.came_in(stored.kind, delivery.content.process_id, delivery.at)
    return stored


def _refusal(refused: Rejected) -> JSONResponse:
    headers = {"Retry-After": "10"} if refused.status == 503 else {}
    if refused.status in {408, 413}:
        headers["Connection"] = "close"  # what is left of the body must not be taken for the next request
    return JSONResponse({"error": refused.why}, refused.status, headers)


async def _health(receiver: Receiver) -> Response:
    """Whether events can be stored and are dispatched. Whether Prefect is reachable does not change the status."""
    why = receiver.inbox.full() or receiver.storing.trouble(receiver.clock())
    if not why:
        try:
            async with asyncio.timeout(STORE_S):
                await receiver.inbox.awrite(beat, now=receiver.clock())
        except (DatabaseError, TimeoutError) as error:
            why = _why(error)
    alive = receiver.dispatcher.alive()
    seen = {
        "inbox": f"not writable: {why}" if why else "writable",
        "dispatcher": "alive" if alive else "stuck",
        "prefect": "reachable" if await receiver.reachable(1.0) else "not reachable: events wait in the inbox",
    }
    if receiver.refused:
        seen["hosts"] = f"{len(receiver.refused)} not in REVER_WEBHOOK_HOSTS were refused: see the log"
    return JSONResponse(seen, 200 if alive and not why else 503)


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, DatabaseError) else f"the inbox took longer than {STORE_S:g} s"


class _Server(uvicorn.Server):
    """uvicorn without its handling of signals, which would end the process by the signal."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def serve_receiver(port: int = PORT) -> None:
    """Accept webhooks until a signal. Raises `SettingsError`, `DatabaseError` or OSError if it cannot start."""
    settings = load_settings()
    _check(settings)
    with (
        closing(Inbox.open(settings.inbox_url.get_secret_value())) as inbox,
        closing(LedgerLook(settings)) as ledger,
        socket.create_server((HOST, port), backlog=MOST) as listening,
    ):
        # asyncio sets it only for sockets that name their protocol; without it a response waits 40 ms for the sender.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        print(_greeting(listening.getsockname()[1]), flush=True)
        # The dispatcher repeats what Prefect does not take, and does other work meanwhile.
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
            asyncio.run(_serve(settings, inbox, ledger, listening))


async def _serve(settings: Settings, inbox: Inbox, ledger: LedgerLook, listening: socket.socket) -> None:
    # A client each: what one waits for must not hold up the others.
    metrics, announcer, health = Metrics(), Announcer(PrefectRuns()), PrefectRuns()
    rever = ReverLook(settings)
    dispatcher = Dispatcher(
        inbox, PrefectRuns(), ledger.runs_began, metrics, announcer, utc_now, standings=rever.standings
    )
    secrets, hosts = settings.webhook_secrets, settings.webhook_hosts
    receiver = Receiver(inbox, secrets, dispatcher, announcer, metrics, utc_now, health.reachable, hosts)
    config = uvicorn.Config(
        create_app(receiver),
        access_log=False,
        log_config=None,
        ws="none",
        http=GuardedConnection,
        limit_concurrency=MOST,
        proxy_headers=False,  # nothing here depends on them
        timeout_graceful_shutdown=_GRACE_S,
        server_header=False,
    )
    server = _Server(config)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, setattr, server, "should_exit", True)
    await server.serve(sockets=[listening])
    await health.close()
    await rever.close()


def _check(settings: Settings) -> None:
    problems = []
    if not settings.webhook_secrets:
        problems.append(
            "REVER_WEBHOOK_SECRETS is not set: nothing that comes in could be verified. It is the secret your REVER"
            " account manager gave you with the webhook."
        )
    if not PREFECT_API_URL.value():
        problems.append(
            "PREFECT_API_URL is not set: set it to the API of the Prefect server that executes the runs,"
            " http://127.0.0.1:4200/api for one of your own."
        )
    if problems:
        raise SettingsError(problems)


def _greeting(port: int) -> str:
    return "\n".join(
        (
            f"REVER's webhooks are accepted at http://{HOST}:{port}{PATH}, and {PATH}/EVENT",
            f"  health   http://{HOST}:{port}/health",
            f"  metrics  http://{HOST}:{port}/metrics",
            "Ctrl-C ends it.",
        )
    )
