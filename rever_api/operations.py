"""Each operation of REVER's API once: its request, how its answer is read, and whether it is an effect.

Only what a caller gave is sent: `null`, "" and absent mean the same at REVER. Amounts go as decimal strings. No
idempotency header is sent, since none is known.

A 2xx counts as done only when its body says what was done: an effect's answer is compared with what was sent, and any
other 2xx is `OutcomeUnknown`. Errors name fields and kinds of error, never values.
"""

import base64
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, TypeAdapter, ValidationError

from rever_api.config import Endpoints, is_loopback
from rever_api.errors import EmptyAnswer, NotFound, NotSent, Refused, Unreadable, WrongSetup
from rever_api.messages import Answer, Request
from rever_api.models import (
    Ecommerce,
    EcommerceSettings,
    ExchangeItem,
    ExchangeOrder,
    ImportResult,
    LogisticOrder,
    LogisticOrderRequest,
    ProcessStatus,
    Refund,
    RefundInput,
    ReturnInput,
    ReturnProcess,
    ReviewInput,
    SearchPage,
    SearchQuery,
    Shipping,
    UnreadableProcess,
    Warehouse,
)
from rever_api.models.base import UNREADABLE, ApiModel, LooseId, Text

Result = TypeVar("Result")
_Model = TypeVar("_Model", bound=ApiModel)

LISTS = ("processes", "return_processes", "results")
"""The names under which the list of a page may stand (REVER's is not confirmed)."""

TOTALS = ("rowcount", "total")
"""The names under which the count over all pages may stand (REVER's is not confirmed)."""

_EMPTY = frozenset({b"", b"null", b'""', b"{}"})
_TOTAL = re.compile("[0-9]{1,9}")
_MOST_NAMED = 3


@dataclass(frozen=True)
class Call(Generic[Result]):
    """One call of one operation, not sent yet: its request, and what reads its answer."""

    request: Request
    read: Callable[[Answer], Result]


@dataclass(frozen=True)
class Routes:
    """Where the operations are: a base URL, which may have a path of its own, and the endpoint table."""

    base_url: str
    endpoints: Endpoints

    def read(self, operation: str, parameters: Mapping[str, str]) -> Request:
        """Build the request of a read. An empty parameter is left out of the query; in a path it raises `NotSent`."""
        return self._request(operation, parameters, None, effect=False)

    def effect(self, operation: str, parameters: Mapping[str, str], json: dict[str, Any]) -> Request:
        """Build the request of an effect: it moves money, goods or an inspection, and is never sent twice."""
        return self._request(operation, parameters, json, effect=True)

    def _request(
        self, operation: str, parameters: Mapping[str, str], json: dict[str, Any] | None, *, effect: bool
    ) -> Request:
        endpoint = self.endpoints[operation]
        path = endpoint.path
        for name in endpoint.in_path:
            path = path.replace(f"{{{name}}}", _segment(operation, name, parameters.get(name, "")))
        query = tuple(
            (endpoint.parameters[name], value)
            for name, value in parameters.items()
            if name not in endpoint.in_path and value != ""
        )
        url = self.base_url.rstrip("/") + path
        return Request(operation, endpoint.method, url, query, json, effect=effect)


# Reads


def search_return_processes(routes: Routes, query: SearchQuery) -> Call[SearchPage]:
    """One page, read entry by entry. Lists in the query are comma-separated (observed)."""
    filters = {name: _filter(getattr(query, name)) for name in SearchQuery.model_fields}
    return Call(routes.read("searchReturnProcesses", filters), _page)


def get_return_process(routes: Routes, process_id: str) -> Call[ReturnProcess]:
    """One process. Where the endpoint table sends the read to the search, it is picked from the list by its id."""

    def read(answer: Answer) -> ReturnProcess:
        document = answer.document()
        entries = _listed(document)
        if entries is not None:
            ours = (
                each for each in entries if isinstance(each, dict) and str(each.get("rever_process_id")) == process_id
            )
            document = next(ours, None)
            if document is None:
                raise NotFound(f"REVER's list holds no process {process_id}.", operation=answer.operation, status=404)
        return _process(answer, document, process_id)

    return Call(routes.read("getReturnProcess", {"process_id": process_id}), read)


def get_shipping_status(routes: Routes, process_id: str) -> Call[Shipping]:
    """Where the parcel is: of this process, where the answer says of which."""

    def read(answer: Answer) -> Shipping:
        found = _one(answer, answer.document(), Shipping)
        if found.process_id not in {"", process_id}:
            raise answer.unreadable("it is about another process")
        return found

    return Call(routes.read("getShippingStatus", {"process_id": process_id}), read)


def get_presigned_label_url(routes: Routes, process_id: str) -> Call[str]:
    """The short-lived URL of a label's file, as REVER gives it: who fetches it judges it."""

    def read(answer: Answer) -> str:
        document = answer.document()
        url = document.get("url") if isinstance(document, dict) else None
        if not isinstance(url, str) or not url.strip():
            raise answer.unreadable("it holds no URL")
        return url

    return Call(routes.read("getPresignedLabelUrl", {"process_id": process_id}), read)


def fetch_label(url: str) -> Call[bytes]:
    """The label's file, from its short-lived URL, which is sent as it stands and without the API key.

    It is not REVER's API: no answer of its host means a wrong set-up.
    """
    scheme = urlsplit(url).scheme
    if scheme != "https" and not (scheme == "http" and is_loopback(url)):
        raise NotSent("fetchLabel was not sent: the label's address is not https.", operation="fetchLabel")

    def read(answer: Answer) -> bytes:
        if 200 <= answer.status < 300:
            if not answer.body:
                raise answer.unreadable("the file is empty")
            return answer.body
        found: dict[str, Any] = {"operation": answer.operation, "status": answer.status}
        if answer.status in {404, 410}:
            raise NotFound(f"There is no label at its address ({answer.status}).", **found)
        error = answer.error()
        if isinstance(error, WrongSetup):
            sentence = f"The label's address answered {answer.status}: it may have run out, ask REVER for a new one."
            raise Refused(sentence, **found)
        raise error

    return Call(Request("fetchLabel", "GET", url, with_key=False), read)


def list_logistic_orders(routes: Routes, process_id: str) -> Call[tuple[LogisticOrder, ...]]:
    """The logistic orders of a return."""
    request = routes.read("listLogisticOrders", {"process_id": process_id})
    return Call(request, lambda answer: _several(answer, "orders", LogisticOrder))


def get_ecommerce_settings(routes: Routes, ecommerce_id: str) -> Call[EcommerceSettings]:
    """A store's return rules."""

    def read(answer: Answer) -> EcommerceSettings:
        found = _one(answer, answer.document(), EcommerceSettings)
        if found.ecommerce_id not in {"", ecommerce_id}:
            raise answer.unreadable("it is about another store")
        return found

    return Call(routes.read("getEcommerceSettings", {"ecommerce_id": ecommerce_id}), read)


def list_ecommerces(routes: Routes, ecommerce_group: str) -> Call[tuple[Ecommerce, ...]]:
    """The stores of a group."""
    request = routes.read("listEcommerces", {"ecommerce_group": ecommerce_group})
    return Call(request, lambda answer: _several(answer, "ecommerces", Ecommerce))


def list_warehouses(routes: Routes, ecommerce_id: str) -> Call[tuple[Warehouse, ...]]:
    """A store's warehouses."""
    request = routes.read("listWarehouses", {"ecommerce_id": ecommerce_id})
    return Call(request, lambda answer: _several(answer, "warehouses", Warehouse))


# Effects


def add_review(routes: Routes, process_id: str, reviews: Sequence[ReviewInput]) -> Call[ReturnProcess]:
    """The inspection of units, one entry each (observed). The process that comes back must show it.

    Reading raises `EmptyAnswer` for no body: an older client of REVER's ignored the body, null or empty (observed).
    """

    def read(answer: Answer) -> ReturnProcess:
        if 200 <= answer.status < 300 and answer.body.strip() in _EMPTY:
            sentence = (
                f"REVER answered {answer.status} to {answer.operation} without a body: what was done is not known."
            )
            raise EmptyAnswer(sentence, operation=answer.operation, status=answer.status, request_id=answer.request_id)
        found = _process(answer, answer.document(), process_id)
        if _kinds(reviews) - _kinds(found.reviews or ()):
            raise answer.unreadable("the process does not show the reviews that were sent")
        return found

    body = {"process_id": process_id, "reviews": [_body(review) for review in reviews]}
    return Call(routes.effect("addReview", {"process_id": process_id}, body), read)


def seen_reviews(read: ReturnProcess, sent: Sequence[ReviewInput], before: ReturnProcess | None) -> bool:
    """Whether a process shows reviews that were sent and answered with nothing, as evidence that they were recorded.

    With the process as it was `before`, so many more of each kind must be there. Without it a review
    of ours looks like an equal one that was there already, unless every unit of the line is reviewed now.
    """
    wanted, shown = _kinds(sent), _kinds(read.reviews or ())
    if before is not None:
        shown.subtract(_kinds(before.reviews or ()))
        return all(shown[kind] >= many for kind, many in wanted.items())
    quantities = {line.id: line.quantity for line in read.return_line_items}
    reviewed = Counter(review.line_item_id for review in read.reviews or ())
    whole = all(reviewed[line_id] == quantities.get(line_id) for line_id, _ in wanted)
    return whole and not wanted - shown


def issue_refund(routes: Routes, process_id: str, refund: RefundInput) -> Call[Refund]:
    """Money. Type, amount and currency that come back must be those sent."""

    def read(answer: Answer) -> Refund:
        found = _one(answer, answer.document(), Refund)
        differ = [name for name in ("type", "amount", "currency") if getattr(found, name) != getattr(refund, name)]
        if differ:
            raise answer.unreadable(f"its {', '.join(differ)} differ from what was sent")
        return found

    body = {**_body(refund), "amount": format(refund.amount, "f")}
    return Call(routes.effect("issueRefund", {"process_id": process_id}, body), read)


def issue_exchange(routes: Routes, process_id: str, items: Sequence[ExchangeItem]) -> Call[ExchangeOrder]:
    """Goods. The order that comes back must have an id or a name, and no goods that were not asked for."""

    def read(answer: Answer) -> ExchangeOrder:
        found = _one(answer, answer.document(), ExchangeOrder)
        if not found.order_id and not found.order_name:
            raise answer.unreadable("it names no order")
        if {item.variant_id for item in found.ordered_items} - {item.variant_id for item in items} - {""}:
            raise answer.unreadable("its goods differ from what was sent")
        return found

    body = {"items": [_body(item) for item in items]}
    return Call(routes.effect("issueExchange", {"process_id": process_id}, body), read)


def cancel_return_process(routes: Routes, process_id: str, reason: str) -> Call[ReturnProcess]:
    """The end of a return. The process that comes back must be cancelled."""

    def read(answer: Answer) -> ReturnProcess:
        found = _process(answer, answer.document(), process_id)
        if found.rever_process_status != ProcessStatus.CANCELED:
            raise answer.unreadable("the process is not cancelled")
        return found

    body = {"reason": reason} if reason else {}
    return Call(routes.effect("cancelReturnProcess", {"process_id": process_id}, body), read)


def create_reverse_delivery(
    routes: Routes, process_id: str, order: LogisticOrder, label: bytes, label_extension: str
) -> Call[LogisticOrder]:
    """A logistic order that was made by hand; its label goes as base64 (REVER's reference)."""
    body: dict[str, Any] = {"order": {**_body(order), "process_id": process_id}}
    if label:
        body |= {"label": base64.b64encode(label).decode("ascii"), "label_extension": label_extension}
    request = routes.effect("createReverseDelivery", {"process_id": process_id}, body)
    return Call(request, lambda answer: _logistic_order(answer, process_id))


def create_order_v2(routes: Routes, order: LogisticOrderRequest) -> Call[LogisticOrder]:
    """A pickup or drop-off that REVER orders."""
    request = routes.effect("createOrderV2", {"process_id": order.process_id}, _body(order))
    return Call(request, lambda answer: _logistic_order(answer, order.process_id))


def create_return(routes: Routes, new: ReturnInput) -> Call[ReturnProcess]:
    """A new return. The process that comes back must be of the store it was sent for."""

    def read(answer: Answer) -> ReturnProcess:
        found = _one(answer, answer.document(), ReturnProcess)
        if found.ecommerce_id not in {"", new.ecommerce_id}:
            raise answer.unreadable("it is about another store")
        return found

    return Call(routes.effect("createReturn", {}, _body(new)), read)


def import_returns(routes: Routes, returns: Sequence[ReturnInput]) -> Call[tuple[ImportResult, ...]]:
    """Many new returns in one call, at most 100 (assumed), each accepted or refused on its own."""

    def read(answer: Answer) -> tuple[ImportResult, ...]:
        document = answer.document()
        results = document.get("results") if isinstance(document, dict) else None
        if not isinstance(results, list) or len(results) != len(returns):
            raise answer.unreadable(f"it does not hold {len(returns)} results")
        return tuple(_import_result(answer, result) for result in results)

    return Call(routes.effect("importReturns", {}, {"returns": [_body(new) for new in returns]}), read)


# Building a request


def _segment(operation: str, name: str, value: str) -> str:
    """Percent-encode one segment of a path (RFC 3986); dots alone would climb out of it."""
    if not isinstance(value, str) or value.strip() in {"", ".", ".."} or re.search(r"[\x00-\x1f\x7f]", value):
        raise NotSent(f"{operation} was not sent: {value!r} cannot be the {name} in an address.", operation=operation)
    return quote(value, safe="")


def _filter(value: Any) -> str:
    """Turn a filter into its text in a query; "" is left out."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _body(model: BaseModel) -> dict[str, Any]:
    """Turn a model into JSON, without what was left at its default, and without fields that are unknown here."""
    body = model.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    _drop_unknown(body, model)
    return body


def _drop_unknown(body: Any, value: Any) -> None:
    """Take the fields that are unknown here out of a body, in place: what came with an object is not sent back."""
    if isinstance(value, BaseModel):
        for name in value.model_extra or ():
            body.pop(name, None)
        for name, info in type(value).model_fields.items():
            _drop_unknown(body.get(info.alias or name), getattr(value, name))
    elif isinstance(value, tuple) and body:
        for part, each in zip(body, value, strict=True):
            _drop_unknown(part, each)


# Reading an answer


def _page(answer: Answer) -> SearchPage:
    """Read one page; the list may be bare or under one of several names."""
    document = answer.document()
    entries = _listed(document)
    totals = [document.get(name) for name in TOTALS] if isinstance(document, dict) else []
    rowcount = next((int(str(total)) for total in totals if _TOTAL.fullmatch(str(total))), None)
    if entries is None and isinstance(document, dict):
        # proto3 JSON leaves an empty list out, or says null
        empty = [document[name] for name in LISTS if name in document]
        if not any(empty) and (rowcount == 0 or empty):
            entries = []
    if entries is None:
        raise answer.unreadable(f"there is no list under {', '.join(LISTS)}")
    return SearchPage(processes=tuple(entry(each) for each in entries), rowcount=rowcount)


def _listed(document: Any) -> list[Any] | None:
    """Find the list of an envelope, or None where there is none."""
    if isinstance(document, dict):
        return next((document[name] for name in LISTS if isinstance(document.get(name), list)), None)
    return document if isinstance(document, list) else None


def entry(document: Any) -> ReturnProcess | UnreadableProcess:
    """Read one entry of a page, or say why it cannot be read."""
    try:
        return ReturnProcess.model_validate(document)
    except ValidationError as error:
        return _unreadable(document, error)


def _process(answer: Answer, document: Any, process_id: str) -> ReturnProcess:
    """Read a process and insist on its id. Raises `Unreadable` where it is the one, and cannot be read."""
    if not isinstance(document, dict) or not document:
        raise answer.unreadable("it holds no ReturnProcess")
    try:
        read = ReturnProcess.model_validate(document)
    except ValidationError as error:
        found = _unreadable(document, error)
        if found.process_id != process_id:
            raise answer.unreadable(f"it is no ReturnProcess ({found.why})") from None
        sentence = f"REVER answered {answer.status} to {answer.operation}, but the return cannot be read: {found.why}."
        raise Unreadable(
            sentence,
            process=found,
            operation=answer.operation,
            status=answer.status,
            request_id=answer.request_id,
        ) from None
    if read.rever_process_id != process_id:
        raise answer.unreadable("it is about another process")
    return read


def _one(answer: Answer, document: Any, model: type[_Model]) -> _Model:
    """Read one object of the contract."""
    if not isinstance(document, dict) or not document:
        raise answer.unreadable(f"it holds no {model.__name__}")
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise answer.unreadable(f"it is no {model.__name__} ({_why(error)})") from None


def _several(answer: Answer, name: str, model: type[_Model]) -> tuple[_Model, ...]:
    """Read a list of objects, under its name or bare; an absent list is an empty one, as `null` is."""
    document = answer.document()
    listed = document.get(name) or [] if isinstance(document, dict) else document
    if not isinstance(listed, list):
        raise answer.unreadable(f"there is no list under {name}")
    return tuple(_one(answer, each, model) for each in listed)


def _logistic_order(answer: Answer, process_id: str) -> LogisticOrder:
    """Read the logistic order that was made: of this process, with an id, a tracking id or a carrier."""
    document = answer.document()
    found = _one(answer, document.get("order") if isinstance(document, dict) else None, LogisticOrder)
    if found.process_id not in {"", process_id}:
        raise answer.unreadable("it is about another process")
    if not (found.id or found.tracking_id or found.carrier):
        raise answer.unreadable("it names no logistic order")
    return found


def _import_result(answer: Answer, result: Any) -> ImportResult:
    """Read what became of one return: a process id, or an error, which is an object of the contract or text."""
    if not isinstance(result, dict):
        raise answer.unreadable("a result is no object")
    process_id, error = result.get("process_id") or "", result.get("error") or ""
    words = error.get("message") or f"code {error.get('code')}" if isinstance(error, dict) else error
    if not isinstance(process_id, str) or not isinstance(words, str) or bool(process_id) == bool(words):
        raise answer.unreadable("a result holds neither a process id nor an error, or both")
    return ImportResult(process_id=process_id, error=answer.mask(words))


def _kinds(reviews: Sequence[Any]) -> Counter[tuple[str, str]]:
    """How many reviews there are of each line and status."""
    return Counter((review.line_item_id, str(review.status)) for review in reviews)


# Saying what cannot be read

_loose_id = TypeAdapter(LooseId).validate_python
_text = TypeAdapter(Text).validate_python


def _unreadable(document: Any, error: ValidationError) -> UnreadableProcess:
    """What is known of a return that cannot be read: the ids in it that can."""
    fields = document if isinstance(document, dict) else {}
    return UnreadableProcess(
        process_id=_loose_id(fields.get("rever_process_id")),
        ecommerce_id=_loose_id(fields.get("ecommerce_id")),
        order_name=_text(fields.get("order_name")),
        why=_why(error),
    )


def _why(error: ValidationError) -> str:
    """Say which fields are wrong, what was found in them and what would be right; never a word that was found.

    The models' own words hold no text that was found; of pydantic's only the kind of error is known not to.
    """
    wrong = error.errors(include_url=False)
    named = [
        f"{_field(each['loc'])}: {each['msg'] if each['type'] == UNREADABLE else each['type']}"
        for each in wrong[:_MOST_NAMED]
    ]
    return "; ".join(named) + (f"; and {len(wrong) - _MOST_NAMED} more" if len(wrong) > _MOST_NAMED else "")


def _field(path: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in path if isinstance(part, int) or part.isidentifier()) or "entry"
