"""The endpoints under /_sandbox/: books, audit, faults, state, journal, acts and time. Loopback only, no key."""

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rever_api.sandbox.actions import act
from rever_api.sandbox.auditor import audit
from rever_api.sandbox.faults.plan import Faults, parse_faults
from rever_api.sandbox.journal import Journal
from rever_api.sandbox.labels import is_signed
from rever_api.sandbox.operations.call import wire
from rever_api.sandbox.refusal import NOT_FOUND, Refusal, invalid, unreadable
from rever_api.sandbox.state import Sandbox

_MEDIA = {"pdf": "application/pdf", "png": "image/png", "jpg": "image/jpeg"}
Endpoint = Callable[[Request], Awaitable[Response]]


def control_routes(sandbox: Sandbox, faults: Faults, journal: Journal) -> list[Route]:
    """Return the control endpoints and the label files' one."""
    reads: dict[str, Callable[[str], Any]] = {
        "books": lambda _: sandbox.books.as_json(),
        "audit": lambda explained: audit(sandbox).as_json(explained.split(",")),
        "faults": lambda _: faults_json(faults),
        "state": lambda _: state_json(sandbox),
        "journal": lambda _: journal.as_json(),
    }
    writes: dict[str, Callable[[dict[str, Any]], Any]] = {
        "faults": lambda body: _set_faults(sandbox, faults, body),
        "act": lambda body: act(sandbox, str(body.pop("action", "")), str(body.pop("process_id", "")), **body),
        "advance": lambda body: sandbox.clock.advance(_seconds(body)),
    }
    routes = [Route(f"/_sandbox/{name}", _answering(sandbox, read), methods=["GET"]) for name, read in reads.items()]
    routes += [Route(f"/_sandbox/{name}", _doing(sandbox, do), methods=["POST"]) for name, do in writes.items()]
    return [*routes, Route("/_sandbox/labels/{order_id}.{extension}", _label(sandbox), methods=["GET"])]


def _is_local(request: Request) -> bool:
    return request.client is not None and ip_address(request.client.host).is_loopback


def _answering(sandbox: Sandbox, read: Callable[[str], Any]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        if not _is_local(request):
            return _not_found()
        with sandbox.locked():
            return JSONResponse(read(request.query_params.get("explained", "")))

    return endpoint


def _doing(sandbox: Sandbox, do: Callable[[dict[str, Any]], Any]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        if not _is_local(request):
            return _not_found()
        try:
            body = await request.json()
            if not isinstance(body, dict):
                raise invalid("the body must be a JSON object")
            with sandbox.locked():
                return JSONResponse(do(body) or {"done": True})
        except Refusal as refusal:
            return JSONResponse(refusal.body, refusal.status)
        except ValidationError as problem:
            return JSONResponse(unreadable(problem).body, 400)
        except (ValueError, TypeError, ArithmeticError) as problem:
            return JSONResponse(invalid(str(problem)).body, 400)

    return endpoint


def _set_faults(sandbox: Sandbox, faults: Faults, body: dict[str, Any]) -> dict[str, Any]:
    """Take `{"faults": TEXT, "seed": N}`, or `{"stop": true}`, which also has all pending effects carried out."""
    if body.get("stop"):
        faults.stop()
        sandbox.finish_pending()
    else:
        faults.set(parse_faults(str(body.get("faults", "none")), int(body.get("seed", sandbox.seed))))
    return faults_json(faults)


def faults_json(faults: Faults) -> dict[str, Any]:
    """Return the plan in force and what it has done so far."""
    plan = faults.plan
    named = [{"operation": f.operation, "nth": f.nth, "fault": f.fault, "process_id": f.process_id} for f in plan.named]
    return {"rate": plan.rate, "seed": plan.seed, "named": named, "injected": dict(sorted(faults.injected.items()))}


def state_json(sandbox: Sandbox) -> dict[str, Any]:
    """Return every process with the scenario it was seeded from, the stores, and the time."""
    processes = [{"scenario": s.scenario, "process": wire(s.process)} for s in sandbox.processes.values()]
    return {
        "now": sandbox.clock().isoformat(),
        "group": sandbox.group,
        "stores": list(sandbox.shops),
        "processes": processes,
    }


def _seconds(body: dict[str, Any]) -> float:
    seconds = body.get("seconds")
    if not isinstance(seconds, int | float):
        raise invalid("seconds: a number")
    return float(seconds)


def _label(sandbox: Sandbox) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        order_id, query = request.path_params["order_id"], request.query_params
        signed = is_signed(
            order_id, query.get("expires", ""), query.get("signature", ""), sandbox.clock(), sandbox.seed
        )
        file = sandbox.label_files.get(order_id)
        if not signed or file is None:
            return _not_found()
        return Response(file[0], media_type=_MEDIA[file[1]])

    return endpoint


def _not_found() -> Response:
    return JSONResponse({"code": NOT_FOUND, "message": "Not Found", "details": []}, 404)
