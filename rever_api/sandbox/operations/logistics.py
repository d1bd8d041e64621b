"""Labels: having REVER make a logistic order, and registering one that was made by hand."""

import base64
import binascii
from typing import Any

from pydantic import ValidationError

from rever_api.models import LogisticOrder, LogisticOrderRequest, ReturnProcess
from rever_api.sandbox.operations.call import Call, wire
from rever_api.sandbox.parcels import new_order, register
from rever_api.sandbox.refusal import UNIMPLEMENTED, Refusal, invalid, unreadable
from rever_api.sandbox.shops import OPS
from rever_api.sandbox.state import Sandbox


def create_order_v2(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Make a label with a provider and carrier. Each call makes another one."""
    stored, wanted = sandbox.find(call.process_id), call.read(LogisticOrderRequest)
    if wanted.process_id != call.process_id:
        raise invalid("process_id: not the one of the path")
    if wanted.provider == OPS:
        raise Refusal(501, UNIMPLEMENTED, "provider OPS is handled by hand; nothing was generated")
    method = str(wanted.return_method or stored.process.return_method)
    country = wanted.customer_address.country_code if wanted.customer_address else ""
    _check_combination(sandbox, stored.process, wanted, method, country)
    order = new_order(sandbox, stored.process, wanted.provider, wanted.carrier, method)
    return {"order": wire(register(sandbox, stored, order, call.operation))}


def _check_combination(
    sandbox: Sandbox, process: ReturnProcess, wanted: LogisticOrderRequest, method: str, country: str
) -> None:
    country = country or (process.pickup_address.country_code if process.pickup_address else "")
    for carrier in sandbox.shop(process.ecommerce_id).settings.carriers:
        if (carrier.provider, carrier.carrier) != (wanted.provider, wanted.carrier):
            continue
        if country in carrier.countries and method in carrier.return_methods:
            return
    raise invalid("the combination of provider, carrier, return method and country is not supported")


def create_reverse_delivery(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Register a label that was made by hand; its file, where there is one, is base64."""
    stored = sandbox.find(call.process_id)
    try:
        given = LogisticOrder.model_validate(call.part("order"))
    except ValidationError as error:
        raise unreadable(error) from None
    if given.process_id not in {"", call.process_id}:
        raise invalid("order.process_id: not the one of the path")
    made = new_order(sandbox, stored.process, given.provider, given.carrier, str(given.return_method))
    order = made.model_copy(update=given.model_dump(exclude_defaults=True, include={"tracking_id", "tracking_url"}))
    order = order.model_copy(update={"from_": given.from_ or made.from_, "to": given.to or made.to})
    return {"order": wire(register(sandbox, stored, order, call.operation, _file(call.body)))}


def _file(body: dict[str, Any]) -> tuple[bytes, str] | None:
    if not body.get("label"):
        return None
    extension = body.get("label_extension")
    if extension not in {"pdf", "png", "jpg"}:
        raise invalid("label_extension: pdf, png or jpg")
    try:
        return base64.b64decode(body["label"], validate=True), str(extension)
    except (binascii.Error, TypeError, ValueError):
        raise invalid("label: not base64") from None
