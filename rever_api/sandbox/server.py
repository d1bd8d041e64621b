"""The sandbox served over HTTP, in this process: `running_sandbox` for tests, `serve` for a command line.

The application is the contract's operations behind the key, and the control endpoints.
"""

import asyncio
import json
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC
from decimal import Decimal
from email.utils import format_datetime
from math import ceil
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rever_api.sandbox.auditor import Audit, audit
from rever_api.sandbox.control import act, control_routes
from rever_api.sandbox.faults import Fault, FaultPlan, Faults, parse_faults
from rever_api.sandbox.operations import OPERATIONS, Call, Operation
from rever_api.sandbox.responses import Incoming, NoResponse, SandboxProtocol, error, lean_protocol
from rever_api.sandbox.seed import seed as add_returns
from rever_api.sandbox.shop_orders import SHOP_KEY, shop_routes
from rever_api.sandbox.shops import catalogue
from rever_api.sandbox.state import (
    INVALID_ARGUMENT,
    NOT_FOUND,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    UNIMPLEMENTED,
    Books,
    Journal,
    Options,
    Sandbox,
)
from rever_api.sandbox.webhooks import Webhook, Webhooks

DEFAULT_PORT, DEFAULT_RETURNS, DEFAULT_SEED, API_KEY = 8765, 60, 7, "sandbox-key"
DEFAULT_SHOPS = ("acme", "nordic")  # and "autopay", whose REVER pays by itself, where asked for
_HOST, _PATIENCE, _GRACE = "127.0.0.1", 10.0, 2.0
KEY_HEADER = "x-rever-api-key"
_UNREADABLE = object()


class Quota:
    """How many requests per second the sandbox takes of a key: a bucket that holds a second's worth.

    `rate` is per second, None for no limit; `clock` a monotonic one, in seconds.
    """

    def __init__(self, rate: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._left = rate or 0.0
        self._at = clock()

    def take(self) -> float:
        """Count a request. Return 0 where it may be carried out, else the seconds after which the next one may."""
        if self._rate is None:
            return 0.0
        now = self._clock()
        self._left = min(self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return (1 - self._left) / self._rate
        self._left -= 1
        return 0.0


def create_app(
    sandbox: Sandbox, faults: Faults, journal: Journal, api_key: str, shop_answers: Mapping[str, Any]
) -> Starlette:
    """Return the application. It must be served with `SandboxProtocol`, or faults that drop connections fail.

    `shop_answers` are what the shops answer for single orders in place of these (`shop_orders`).
    """
    quota = Quota(sandbox.options.rate)
    also = [replace(operation, path=operation.also) for operation in OPERATIONS if operation.also]
    routes = [_route(operation, sandbox, faults, journal, api_key, quota) for operation in (*OPERATIONS, *also)]
    app = Starlette(
        routes=[*routes, *shop_routes(sandbox, shop_answers), *control_routes(sandbox, faults, journal)],
        exception_handlers={HTTPException: _no_such_route, ClientDisconnect: _gone},
    )
    app.router.redirect_slashes = False
    return app


def _route(
    operation: Operation, sandbox: Sandbox, faults: Faults, journal: Journal, api_key: str, quota: Quota
) -> Route:
    async def endpoint(request: Request) -> Response:
        process_id = str(request.path_params.get("process_id", ""))
        entry = journal.open(sandbox.clock(), operation.id, process_id)
        if not secrets.compare_digest(request.headers.get(KEY_HEADER, "").encode(), api_key.encode()):
            entry.status = 401
            return error(401, UNAUTHENTICATED, "the key is missing or not valid")
        if wait := quota.take():
            entry.status = 429
            return error(429, RESOURCE_EXHAUSTED, "too many requests", {"Retry-After": str(ceil(wait))})
        query, base_url = dict(request.query_params), str(request.base_url).rstrip("/")
        call = Call(operation.id, process_id, query, await _body(request), base_url)
        fault, draw = faults.choose(operation, call.subject)
        entry.fault = fault or ""
        if fault is Fault.CONNECTION_DROPPED:
            return NoResponse(reset=True)
        if call.body is _UNREADABLE and fault is None:
            response = error(400, INVALID_ARGUMENT, "the body is not JSON")
        else:
            incoming = Incoming(sandbox, faults, operation, call, entry, request.is_disconnected, draw)
            response = await incoming.respond(fault)
        entry.status = None if isinstance(response, NoResponse) else response.status_code
        return response

    return Route(operation.path, endpoint, methods=[operation.method], name=operation.id)


async def _body(request: Request) -> Any:
    """Return the request's JSON with numbers exact, None for no body, a mark for one that is not JSON."""
    raw = await request.body()
    try:
        return json.loads(raw, parse_float=Decimal) if raw else None
    except ValueError:
        return _UNREADABLE


async def _gone(_: Request, __: Exception) -> Response:
    """Respond to a caller that died while it was still sending: nothing was done, and nothing is sent."""
    return NoResponse()


async def _no_such_route(_: Request, problem: Exception) -> Response:
    status = problem.status_code if isinstance(problem, HTTPException) else 500
    if status == 405:
        return error(405, UNIMPLEMENTED, "Method Not Allowed")
    return error(status, NOT_FOUND, "Not Found")


class _Uvicorn(uvicorn.Server):
    """uvicorn that ends at once: its own loop and shutdown look ten times a second, and wait a tenth in any case."""

    async def main_loop(self) -> None:
        """Tick ten times a second, as uvicorn does, until `end` is called."""
        self._loop, self._ended, ticks = asyncio.get_running_loop(), asyncio.Event(), 0
        while not await self.on_tick(ticks):
            ticks += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), 0.1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, let responses under way come to their end, then drop the connections that are left."""
        for listening in (*self.servers, *(sockets or ())):
            listening.close()
        connections, until = self.server_state.connections, time.monotonic() + _GRACE
        for connection in list(connections):
            connection.shutdown()
        while (connections or self.server_state.tasks) and time.monotonic() < until:  # noqa: ASYNC110 - uvicorn's sets
            await asyncio.sleep(0.002)
        for connection in list(connections):
            cast("SandboxProtocol", connection).transport.abort()

    def end(self) -> None:
        """End; called from another thread. The loop is asked to, for it could end by a tick before it was told."""
        self._loop.call_soon_threadsafe(self._end_now)

    def _end_now(self) -> None:
        self.should_exit = True
        self._ended.set()


class _Server:
    """uvicorn on a thread. `port` 0 takes a free one; requests are served once `start` has returned."""

    def __init__(self, app: ASGIApp, port: int, *, lean: bool = False) -> None:
        self._app = app
        self._protocol = lean_protocol() if lean else SandboxProtocol
        self.port = port

    def start(self) -> None:
        """Listen, and return once requests are served. OSError when the port is taken."""
        listening = socket.create_server((_HOST, self.port), backlog=512)
        self.port = listening.getsockname()[1]
        config = uvicorn.Config(
            self._app, http=self._protocol, ws="none", lifespan="off", log_config=None, access_log=False,
            timeout_keep_alive=60, date_header=False,
        )  # fmt: skip
        self._server = _Uvicorn(config)
        run = {"sockets": [listening]}
        self._thread = threading.Thread(target=self._server.run, kwargs=run, name="rever-sandbox", daemon=True)
        self._thread.start()
        until = time.monotonic() + _PATIENCE
        while not self._server.started:
            if time.monotonic() > until or not self._thread.is_alive():
                raise RuntimeError("the sandbox did not start")
            time.sleep(0.002)

    def stop(self) -> None:
        """Finish the responses under way, close everything, and return when it is done."""
        self._server.end()
        self._thread.join(_PATIENCE)


def _dated(app: ASGIApp, sandbox: Sandbox) -> ASGIApp:
    """Return the application, with the sandbox's time in the `Date` header of each response."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_dated(message: Message) -> None:
            if message["type"] == "http.response.start" and (now := sandbox.tells()) is not None:
                date = format_datetime(now.astimezone(UTC), usegmt=True).encode()
                message["headers"] = [*message["headers"], (b"date", date)]
            await send(message)

        await app(scope, receive, send_dated)

    return call


class RunningSandbox:
    """A running sandbox: where it listens, and all one may do to it from the same process.

    `books`, `faults` and `sandbox` are the live objects; read the state itself inside `sandbox.locked()`. The shops
    answer for their orders at the same address, by `shop_key`; `shop_answers` has a status, or any JSON, for an order
    that is to be answered otherwise.
    """

    def __init__(self, sandbox: Sandbox, faults: Faults, port: int, api_key: str, *, lean: bool = False) -> None:
        self.sandbox = sandbox
        self.faults = faults
        self.journal = Journal()
        self.api_key = api_key
        self.shop_key = SHOP_KEY
        self.shop_answers: dict[str, Any] = {}
        app = _dated(create_app(sandbox, faults, self.journal, api_key, self.shop_answers), sandbox)
        self._server = _Server(app, port, lean=lean)

    @property
    def base_url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://{_HOST}:{self._server.port}"

    @property
    def group(self) -> str:
        """The e-commerce group that all its stores belong to."""
        return self.sandbox.group

    @property
    def stores(self) -> tuple[str, ...]:
        """The e-commerce ids."""
        return tuple(self.sandbox.shops)

    @property
    def books(self) -> Books:
        """Every effect so far, with what was due by now carried out."""
        with self.sandbox.locked():
            return self.sandbox.books

    def audit(self) -> Audit:
        """Judge the books: `.violations`, `.counts()`, `.due`, `.paid`, `.due_total`, `.forgotten(explained)`."""
        return audit(self.sandbox)

    def set_faults(self, faults: str | FaultPlan) -> None:
        """Take another plan: `mixed`, `mixed:0.4`, `ambiguous-1`, `none`, `OPERATION:NTH:FAULT`, or a FaultPlan."""
        self.faults.set(_plan(faults, self.sandbox.seed))

    def stop_faults(self) -> None:
        """End all faults, let go of responses held back, and carry out what was to be acted on later."""
        self.faults.stop()
        self.sandbox.finish_pending()

    def process_ids(self, scenario: str = "", store: str = "") -> tuple[str, ...]:
        """Return the ids of the returns of a scenario (`rever_api.sandbox.seed.SCENARIOS`) and store."""
        return self.sandbox.process_ids(scenario, store)

    def act(self, action: str, process_id: str = "", **parameters: Any) -> dict[str, Any]:
        """Do what others do to a return: `review`, `review_one`, `label_ready`, `collect`, `arrive`, `cancel`,
        `cancel_label`, `lose_label`, `label_fault`, `hold`, `release`, `fail`, `pay`, `pay_out`, `come_back`, `legs`,
        `open`
        (`rever_api.sandbox.control`).
        """
        return act(self.sandbox, action, process_id, **parameters)

    def poison(self, process_id: str, path: tuple[str | int, ...], value: bytes) -> None:
        """Have every read show these bytes in this field of a return, whether they are JSON or not."""
        with self.sandbox.locked():
            self.sandbox.poisons[process_id] = (path, value)

    def cure(self) -> None:
        """Show all returns as they are again, and deny none."""
        with self.sandbox.locked():
            self.sandbox.poisons.clear()
            self.sandbox.denied.clear()

    def deny(self, process_id: str) -> None:
        """Have the read by id deny a return (404) that the search goes on showing."""
        with self.sandbox.locked():
            self.sandbox.denied.add(process_id)

    def advance(self, seconds: float) -> None:
        """Let time pass in the sandbox without waiting for it."""
        self.sandbox.clock.advance(seconds)

    def start(self) -> None:
        """Listen, and return once requests are served."""
        self._server.start()

    def stop(self) -> None:
        """Stop listening. The state, the books and the port stay, so that it can be started again."""
        self.faults.released.set()
        self._server.stop()

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Refuse connections, for real, while the block runs."""
        self.stop()
        try:
            yield
        finally:
            self.start()


def _plan(faults: str | FaultPlan, seed: int) -> FaultPlan:
    return faults if isinstance(faults, FaultPlan) else parse_faults(faults, seed)


@contextmanager
def running_sandbox(
    *,
    seed: int = DEFAULT_SEED,
    returns: int = DEFAULT_RETURNS,
    port: int = 0,
    shops: Collection[str] = DEFAULT_SHOPS,
    faults: str | FaultPlan = "none",
    api_key: str = API_KEY,
    pays_itself_after: float = 2.0,
    timings: Mapping[str, str] | None = None,
    options: Options | None = None,
    scenarios: Collection[str] = (),
    lean: bool = False,
    webhook: Webhook | None = None,
) -> Iterator[RunningSandbox]:
    """Yield a sandbox that serves on 127.0.0.1, and stop it cleanly at the end of the block.

    `timings` gives shops another refund timing, `options` says how this REVER behaves; `pays_itself_after` (seconds)
    is for the shop whose REVER pays by itself. `scenarios` are the states the returns are in, all there are when it is
    empty. `lean` serves with half the work per request (it needs httptools), for whoever measures a client. `webhook`
    says where events of what happens from now on are sent to.
    """
    sandbox = Sandbox(catalogue(tuple(shops), pays_itself_after, dict(timings or {})), seed, options)
    add_returns(sandbox, returns, scenarios)
    running = RunningSandbox(sandbox, Faults(_plan(faults, seed)), port, api_key, lean=lean)
    running.start()
    try:
        with _webhooks(sandbox, webhook):
            yield running
    finally:
        running.stop()


@contextmanager
def _webhooks(sandbox: Sandbox, webhook: Webhook | None) -> Iterator[None]:
    if webhook is None:
        yield
        return
    with sandbox.locked():
        webhooks = Webhooks(webhook, sandbox.seed, {key: stored.process for key, stored in sandbox.processes.items()})
        sandbox.subscribers.append(webhooks.note)
    webhooks.start()
    try:
        yield
    finally:
        webhooks.stop()


def serve(
    port: int = DEFAULT_PORT,
    seed: int = DEFAULT_SEED,
    returns: int = DEFAULT_RETURNS,
    faults: str = "none",
    shops: Collection[str] = DEFAULT_SHOPS,
    webhook: Webhook | None = None,
) -> None:
    """Run until SIGINT or SIGTERM; print the address, the key, the stores and two commands to try.

    ValueError for unknown shops or faults, OSError when the port is taken.
    """
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with running_sandbox(port=port, seed=seed, returns=returns, faults=faults, shops=shops, webhook=webhook) as running:
        url, key, sandbox = running.base_url, running.api_key, running.sandbox
        lines = (
            f"A sandbox of REVER listens on {url}",
            f"  key     {key}",
            f"  stores  {', '.join(running.stores)}  (group {running.group})",
            f"  returns {len(sandbox.processes)}, seed {sandbox.seed}",
            f"  orders  of the shops themselves (REVER_SHOP_URL), key {running.shop_key}",
            "Try:",
            f"  curl -H 'x-rever-api-key: {key}' '{url}/v1/processes?ecommerce_id={running.stores[0]}&limit=2'",
            f"  curl {url}/_sandbox/audit",
            "Ctrl-C ends it.",
        )
        print("\n".join(lines), flush=True)  # noqa: T201 - what its caller, a command line, is for
        with suppress(KeyboardInterrupt):
            ended.wait()
