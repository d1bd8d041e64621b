"""The endpoints under /_sandbox/: books, audit, faults, state, journal, acts and time. Loopback only, no key.

An act is what others do to a return: the shopper, the carrier, the warehouse, the back office.
"""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from ipaddress import ip_address
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rever_api.models import (
    LineQuantity,
    ProcessStatus,
    RefundInput,
    ReturnInput,
    ReturnStatus,
    ReviewInput,
    ShippingStatus,
)
from rever_api.sandbox.auditor import LOST_LABEL, audit
from rever_api.sandbox.effects import cancel, come_back, open_return, part_in_legs, pay, pay_out, refunds_due, review
from rever_api.sandbox.faults import Faults, parse_faults
from rever_api.sandbox.labels import LabelFault, faulty, is_signed
from rever_api.sandbox.operations import wire
from rever_api.sandbox.responses import CutResponse, DripResponse, SlowResponse, error
from rever_api.sandbox.state import NOT_FOUND, Actor, Journal, Refusal, Sandbox, StoredProcess, invalid, unreadable

_MEDIA = {"pdf": "application/pdf", "png": "image/png", "jpg": "image/jpeg"}
_Endpoint = Callable[[Request], Awaitable[Response]]


def control_routes(sandbox: Sandbox, faults: Faults, journal: Journal) -> list[Route]:
    """Return the control endpoints, and the one for label files."""
    reads: dict[str, Callable[[str], Any]] = {
        "books": lambda _: sandbox.books.as_json(),
        "audit": lambda explained: audit(sandbox).as_json(explained.split(",")),
        "faults": lambda _: _faults_json(faults),
        "state": lambda _: _state_json(sandbox),
        "journal": lambda _: journal.as_json(),
    }
    writes: dict[str, Callable[[dict[str, Any]], Any]] = {
        "faults": lambda body: _set_faults(sandbox, faults, body),
        "act": lambda body: act(sandbox, str(body.pop("action", "")), str(body.pop("process_id", "")), **body),
        "advance": lambda body: _advance(sandbox, body),
    }
    routes = [
        Route(f"/_sandbox/{name}", _read_endpoint(sandbox, read), methods=["GET"]) for name, read in reads.items()
    ]
    routes += [
        Route(f"/_sandbox/{name}", _write_endpoint(sandbox, do), methods=["POST"]) for name, do in writes.items()
    ]
    return [*routes, Route("/_sandbox/labels/{order_id}.{extension}", _label(sandbox), methods=["GET"])]


def _is_local(request: Request) -> bool:
    return request.client is not None and ip_address(request.client.host).is_loopback


def _read_endpoint(sandbox: Sandbox, read: Callable[[str], Any]) -> _Endpoint:
    async def endpoint(request: Request) -> Response:
        if not _is_local(request):
            return _not_found()
        with sandbox.locked():
            return JSONResponse(read(request.query_params.get("explained", "")))

    return endpoint


def _write_endpoint(sandbox: Sandbox, do: Callable[[dict[str, Any]], Any]) -> _Endpoint:
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
    return _faults_json(faults)


def _faults_json(faults: Faults) -> dict[str, Any]:
    """Return the plan in force and what it has done so far."""
    plan = faults.plan
    named = [{"operation": f.operation, "nth": f.nth, "fault": f.fault, "process_id": f.process_id} for f in plan.named]
    return {"rate": plan.rate, "seed": plan.seed, "named": named, "injected": dict(sorted(faults.injected.items()))}


def _state_json(sandbox: Sandbox) -> dict[str, Any]:
    """Return every process with the scenario it was seeded from, the stores, and the time."""
    processes = [{"scenario": s.scenario, "process": wire(s.process)} for s in sandbox.processes.values()]
    return {
        "now": sandbox.clock().isoformat(),
        "group": sandbox.group,
        "stores": list(sandbox.shops),
        "processes": processes,
    }


def _advance(sandbox: Sandbox, body: dict[str, Any]) -> None:
    seconds = body.get("seconds")
    if not isinstance(seconds, int | float):
        raise invalid("seconds: a number")
    sandbox.clock.advance(float(seconds))


def _label(sandbox: Sandbox) -> _Endpoint:
    async def endpoint(request: Request) -> Response:
        order_id, query = request.path_params["order_id"], request.query_params
        sandbox.label_requests.append(dict(request.headers))
        signed = is_signed(
            order_id, query.get("expires", ""), query.get("signature", ""), sandbox.clock(), sandbox.seed
        )
        if not signed:
            with sandbox.locked():
                stored = sandbox.stored_of(order_id)
                if stored and sandbox.label_faults.get(stored.process.rever_process_id) == LabelFault.EXPIRED_ONCE:
                    del sandbox.label_faults[stored.process.rever_process_id]
            return Response(_RUN_OUT, 403, media_type="application/xml")
        with sandbox.locked():
            file, stored = sandbox.label_files.get(order_id), sandbox.stored_of(order_id)
            fault = sandbox.label_faults.get(stored.process.rever_process_id, "") if stored else ""
        return _not_found() if file is None else _label_response(fault, *file)

    return endpoint


_RUN_OUT = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"


def _label_response(fault: str, content: bytes, extension: str) -> Response:
    """Return a label's file, broken in the way of the fault where there is one."""
    media_type = _MEDIA[extension]
    if not fault:
        return Response(content, media_type=media_type)
    wrong = faulty(LabelFault(fault), content)
    if fault == LabelFault.REDIRECT:
        return Response(b"", 302, {"Location": "/_sandbox/state?signature=s1gned"})
    if fault == LabelFault.CUT:
        return CutResponse(wrong, media_type=media_type)
    response: Response = Response(wrong, media_type=media_type)
    if fault == LabelFault.DRIP:
        response = DripResponse(wrong, media_type=media_type)
    if fault == LabelFault.TOO_LARGE_UNSAID:
        response = SlowResponse(wrong, media_type=media_type)
        del response.headers["content-length"]
    if fault == LabelFault.PACKED:
        response.headers["content-encoding"] = "deflate"
    return response


def _not_found() -> Response:
    return error(404, NOT_FOUND, "Not Found")


def act(sandbox: Sandbox, action: str, process_id: str = "", **parameters: Any) -> dict[str, Any]:
    """Do an act to a process, and return its id and status afterwards. 400 for an act that does not exist."""
    with sandbox.locked():
        if action == "open":
            process = open_return(sandbox, ReturnInput.model_validate(parameters), Actor.SHOPPER)
            return {"process_id": process.rever_process_id, "status": str(process.rever_process_status)}
        if action not in _ACTS:
            raise invalid(f"action: one of open, {', '.join(_ACTS)}")
        stored = sandbox.find(process_id)
        _ACTS[action](sandbox, stored, **parameters)
        return {"process_id": process_id, "status": str(stored.process.rever_process_status)}


def _review(sandbox: Sandbox, stored: StoredProcess, status: str = "APPROVED", line_item_id: str = "") -> None:
    """The warehouse inspects each unit that has no review yet: of one line where it is named."""
    process = stored.process
    done = [r.line_item_id for r in process.reviews or ()]
    entries = tuple(
        ReviewInput(line_item_id=line.id, status=status, reject_reason="worn" if status == "DECLINED" else "")
        for line in process.return_line_items
        if line_item_id in {"", line.id}
        for _ in range(line.quantity - done.count(line.id))
    )
    review(sandbox, stored, entries, Actor.WAREHOUSE)


def _review_one(sandbox: Sandbox, stored: StoredProcess, line_item_id: str, status: str = "APPROVED") -> None:
    """The warehouse inspects one unit of a line."""
    entry = ReviewInput(line_item_id=line_item_id, status=status, reject_reason="worn" if status == "DECLINED" else "")
    review(sandbox, stored, (entry,), Actor.WAREHOUSE)


def _move_parcel(shipping: ShippingStatus, status: ReturnStatus) -> Callable[..., None]:
    def move(sandbox: Sandbox, stored: StoredProcess, parcel: int = 0) -> None:
        """The youngest parcel gets this status, or the one of this number, from 1."""
        parcels = stored.process.logistics or ()
        if not parcels or not 0 <= parcel <= len(parcels):
            raise invalid("the process has no such parcel")
        place = (parcel or len(parcels)) - 1
        moved = parcels[place].model_copy(update={"status": shipping})
        shown = (*parcels[:place], moved, *parcels[place + 1 :])
        sandbox.change(stored, logistics=shown, return_status=status)

    return move


def _set_status(status: ProcessStatus) -> Callable[[Sandbox, StoredProcess], None]:
    def become(sandbox: Sandbox, stored: StoredProcess) -> None:
        """REVER's own people or workflow set the process's status."""
        sandbox.change(stored, rever_process_status=status)

    return become


def _cancel(sandbox: Sandbox, stored: StoredProcess) -> None:
    """The back office cancels."""
    cancel(sandbox, stored, Actor.BACK_OFFICE)


def _pay(sandbox: Sandbox, stored: StoredProcess, amount: str = "", type: str = "") -> None:  # noqa: A002 - REVER's name
    """The back office pays all that is due, or an amount of its own for no line in particular."""
    process = stored.process
    if not amount:
        for refund in refunds_due(process, sandbox.shops[process.ecommerce_id].timing):
            pay(sandbox, stored, refund, Actor.BACK_OFFICE)
        return
    line = process.return_line_items[0]
    refund = RefundInput(
        type=type or str(line.compensation_method), amount=Decimal(amount), currency=line.currency,
        items=(LineQuantity(line_item_id=line.id, quantity=line.quantity),),
    )  # fmt: skip
    pay(sandbox, stored, refund, Actor.BACK_OFFICE)


def _lose_label(sandbox: Sandbox, stored: StoredProcess) -> None:
    """The shopper loses the youngest label. REVER does not know; the books do."""
    parcels = stored.process.logistics or ()
    if not parcels:
        raise invalid("the process has no parcel")
    sandbox.write_effect(stored.process, LOST_LABEL, Actor.SHOPPER, reference=parcels[-1].tracking_number)


def _pay_out(sandbox: Sandbox, stored: StoredProcess, amount: str = "") -> None:
    """What is on its way is paid, all of it or so much."""
    pay_out(sandbox, stored, Decimal(amount) if amount else None)


def _legs(sandbox: Sandbox, stored: StoredProcess, first: str) -> None:
    """The last refund shows as two legs, the first of this amount."""
    part_in_legs(sandbox, stored, Decimal(first))


def _label_fault(sandbox: Sandbox, stored: StoredProcess, fault: str = "") -> None:
    """The file of the return's label, or the address that REVER gives for it, is wrong from now on; "" mends it."""
    if fault not in {"", *LabelFault}:
        raise invalid(f"fault: one of {', '.join(LabelFault)}, or none")
    sandbox.label_faults[stored.process.rever_process_id] = fault


_ACTS: dict[str, Callable[..., None]] = {
    "review": _review,
    "review_one": _review_one,
    "label_ready": _move_parcel(ShippingStatus.CREATED, ReturnStatus.STARTED),
    "collect": _move_parcel(ShippingStatus.COLLECTED, ReturnStatus.COLLECTED),
    "arrive": _move_parcel(ShippingStatus.IN_WAREHOUSE, ReturnStatus.REVIEW_REQUIRED),
    "cancel": _cancel,
    "lose_label": _lose_label,
    "cancel_label": _move_parcel(ShippingStatus.CANCELED, ReturnStatus.STARTED),
    "hold": _set_status(ProcessStatus.ON_HOLD),
    "release": _set_status(ProcessStatus.RUNNING),
    "fail": _set_status(ProcessStatus.FAILED),
    "pay": _pay,
    "pay_out": _pay_out,
    "come_back": come_back,
    "legs": _legs,
    "label_fault": _label_fault,
}
