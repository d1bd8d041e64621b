"""The receiver's HTTP side: verify, store, answer. What an answer says depends on the delivery and the inbox alone."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import SecretStr
from starlette.requests import ClientDisconnect

from deployments.receiver.announcing import Announcer
from deployments.receiver.dispatcher import Dispatcher
from deployments.receiver.inbox import Inbox, beat
from deployments.receiver.metrics import Metrics
from deployments.receiver.offers import waiting_returns
from deployments.receiver.reading import NotTaken, check_type, read_body, told
from deployments.receiver.storing import Delivery, Stored, store
from rever_api.webhooks import SIGNATURE_HEADER, verify
from tasks.ledger import LedgerError

STORE_S = 10.0
"""Seconds the inbox may take; after that REVER is asked to send the event again."""

PATH = "/webhooks/rever"


@dataclass(frozen=True, slots=True)
class Receiver:
    """What the endpoints work with. `reachable` tells whether Prefect answers."""

    inbox: Inbox
    secrets: tuple[SecretStr, ...]
    dispatcher: Dispatcher
    announcer: Announcer
    metrics: Metrics
    clock: Callable[[], datetime]
    reachable: Callable[[float], Awaitable[bool]]


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

    app = FastAPI(lifespan=running, docs_url=None, redoc_url=None, openapi_url=None)

    async def webhook(request: Request, event: str = "") -> Response:
        return await _answer(receiver, request, event)

    async def health() -> Response:
        return await _health(receiver)

    async def metrics() -> Response:
        waiting = await receiver.inbox.aread(waiting_returns)
        text = receiver.metrics.text(waiting, receiver.clock())
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    app.add_api_route(PATH, webhook, methods=["POST"], response_model=None)
    app.add_api_route(f"{PATH}/{{event}}", webhook, methods=["POST"], response_model=None)
    app.add_api_route("/health", health, methods=["GET"], response_model=None)
    app.add_api_route("/metrics", metrics, methods=["GET"], response_model=None)
    return app


async def _answer(receiver: Receiver, request: Request, event: str) -> Response:
    began = time.perf_counter()
    try:
        stored = await _take_in(receiver, request, event)
    except NotTaken as refused:
        outcome, answer = refused.outcome, _refusal(refused)
    else:
        outcome = "stored" if stored.new else "repeat"
        answer = JSONResponse({"outcome": outcome}, 202 if stored.new else 200)
    receiver.metrics.received(outcome, time.perf_counter() - began)
    return answer


async def _take_in(receiver: Receiver, request: Request, event: str) -> Stored:
    check_type(request.headers.get("content-type", ""))
    try:
        body = await read_body(request.stream())
    except ClientDisconnect:
        raise NotTaken(400, "gone", "the sender went away") from None
    signature = request.headers.get(SIGNATURE_HEADER, "")
    if not verify(body, signature, receiver.secrets):
        raise NotTaken(401, "bad_signature", f"{SIGNATURE_HEADER} is {'not valid' if signature else 'missing'}")
    delivery = Delivery(body, told(body), event, receiver.clock())
    try:
        async with asyncio.timeout(STORE_S):
            stored = await receiver.inbox.awrite(store, delivery)
    except (LedgerError, TimeoutError):
        raise NotTaken(503, "not_stored", "the event could not be stored; send it again") from None
    if stored.new:
        receiver.dispatcher.wake()
        receiver.announcer.told(stored.kind, delivery.told.process_id, delivery.at)
    return stored


def _refusal(refused: NotTaken) -> JSONResponse:
    headers = {"Retry-After": "10"} if refused.status == 503 else {}
    if refused.status in {408, 413}:
        headers["Connection"] = "close"  # what is left of the body must not be taken for the next request
    return JSONResponse({"error": refused.why}, refused.status, headers)


async def _health(receiver: Receiver) -> Response:
    """Whether events can be taken in and are dispatched. Prefect is told of, and changes nothing."""
    try:
        async with asyncio.timeout(STORE_S):
            await receiver.inbox.awrite(beat, now=receiver.clock())
        writable = True
    except (LedgerError, TimeoutError):
        writable = False
    alive = receiver.dispatcher.alive()
    seen = {
        "inbox": "writable" if writable else "not writable",
        "dispatcher": "alive" if alive else "stuck",
        "prefect": "reachable" if await receiver.reachable(1.0) else "not reachable: events wait in the inbox",
    }
    return JSONResponse(seen, 200 if writable and alive else 503)
