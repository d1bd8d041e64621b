"""The sandbox as an ASGI application: the contract's operations behind the key, and the control endpoints."""

import json
import secrets
from dataclasses import replace
from decimal import Decimal
from math import ceil
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rever_api.sandbox.answering import Asked, error
from rever_api.sandbox.control import control_routes
from rever_api.sandbox.faults.kinds import Fault
from rever_api.sandbox.faults.plan import Faults
from rever_api.sandbox.faults.wire import NoAnswer
from rever_api.sandbox.journal import Journal
from rever_api.sandbox.operations.call import Call
from rever_api.sandbox.operations.table import OPERATIONS, Operation
from rever_api.sandbox.quota import Quota
from rever_api.sandbox.refusal import (
    INVALID_ARGUMENT,
    NOT_FOUND,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    UNIMPLEMENTED,
)
from rever_api.sandbox.state import Sandbox

KEY_HEADER = "x-rever-api-key"
_UNREADABLE = object()


def create_app(sandbox: Sandbox, faults: Faults, journal: Journal, api_key: str) -> Starlette:
    """Return the application. It must be served with `SandboxProtocol`, or faults that drop connections fail."""
    quota = Quota(sandbox.options.rate)
    routes = [_route(operation, sandbox, faults, journal, api_key, quota) for operation in OPERATIONS]
    others = [replace(operation, path=operation.also) for operation in OPERATIONS if operation.also]
    routes += [_route(operation, sandbox, faults, journal, api_key, quota) for operation in others]
    app = Starlette(
        routes=[*routes, *control_routes(sandbox, faults, journal)],
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
        call = Call(
            operation.id,
            process_id,
            dict(request.query_params),
            await _body(request),
            str(request.base_url).rstrip("/"),
        )
        fault, draw = faults.choose(operation, call.subject)
        entry.fault = fault or ""
        if fault is Fault.CONNECTION_DROPPED:
            return NoAnswer(reset=True)
        if call.body is _UNREADABLE and fault is None:
            answer = error(400, INVALID_ARGUMENT, "the body is not JSON")
        else:
            answer = await Asked(sandbox, faults, operation, call, entry, request.is_disconnected, draw).answer(fault)
        entry.status = None if isinstance(answer, NoAnswer) else answer.status_code
        return answer

    return Route(operation.path, endpoint, methods=[operation.method], name=operation.id)


async def _body(request: Request) -> Any:
    """Return the request's JSON with numbers exact, None for no body, a mark for one that is not JSON."""
    raw = await request.body()
    try:
        return json.loads(raw, parse_float=Decimal) if raw else None
    except ValueError:
        return _UNREADABLE


async def _gone(_: Request, __: Exception) -> Response:
    """Answer a caller that died while it was still sending; nothing was done, and nobody reads this."""
    return NoAnswer()


async def _no_such_route(_: Request, problem: Exception) -> Response:
    status = problem.status_code if isinstance(problem, HTTPException) else 500
    if status == 405:
        return error(405, UNIMPLEMENTED, "Method Not Allowed")
    return JSONResponse({"code": NOT_FOUND, "message": "Not Found", "details": []}, status)
