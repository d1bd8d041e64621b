"""From an HTTP answer to what the operation promises, or to the error that it means. One parser per operation.

A 2xx counts as done only when its body says what was done: an effect's answer is compared with what was sent, and any
other 2xx is `OutcomeUnknown`. Errors name fields and kinds of error, never values.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from rever_api.answers import Answer
from rever_api.errors import NotFound, Refused, WrongSetup
from rever_api.models import (
    Ecommerce,
    EcommerceSettings,
    ExchangeItem,
    ExchangeOrder,
    ImportResult,
    LogisticOrder,
    ProcessStatus,
    Refund,
    RefundInput,
    ReturnInput,
    ReturnProcess,
    ReviewInput,
    SearchPage,
    Shipping,
    UnreadableProcess,
    Warehouse,
)
from rever_api.models.base import ApiModel

_LISTS = ("processes", "return_processes", "results")
_TOTALS = ("rowcount", "total")
_Model = TypeVar("_Model", bound=ApiModel)


def search_page(answer: Answer) -> SearchPage:
    """Read one page, entry by entry; the list may be bare or under one of several names (REVER's is not confirmed)."""
    document = answer.document()
    entries = _listed(document)
    totals = [document.get(name) for name in _TOTALS] if isinstance(document, dict) else []
    rowcount = next((int(total) for total in totals if isinstance(total, int | str) and str(total).isdecimal()), None)
    if entries is None and isinstance(document, dict) and _says_empty(document, rowcount):
        entries = []
    if entries is None:
        raise answer.unreadable(f"there is no list under {', '.join(_LISTS)}")
    return SearchPage(processes=tuple(_entry(entry) for entry in entries), rowcount=rowcount)


def process(answer: Answer, process_id: str) -> ReturnProcess:
    """Read one process. Where the endpoint table sends the read to the search, it is picked from the list by its id."""
    document = answer.document()
    entries = _listed(document)
    if entries is not None:
        found = [entry for entry in entries if isinstance(entry, dict) and entry.get("rever_process_id") == process_id]
        if not found:
            raise NotFound(f"REVER's list holds no process {process_id}.", operation=answer.operation, status=404)
        document = found[0]
    return _same_process(answer, document, process_id)


def reviewed_process(answer: Answer, process_id: str, sent: Sequence[ReviewInput]) -> ReturnProcess:
    """Read the process after a review: it must show the reviews that were sent."""
    read = _same_process(answer, answer.document(), process_id)
    wanted = Counter((review.line_item_id, str(review.status)) for review in sent)
    shown = Counter((review.line_item_id, str(review.status)) for review in read.reviews or ())
    if wanted - shown:
        raise answer.unreadable("the process does not show the reviews that were sent")
    return read


def refund(answer: Answer, sent: RefundInput) -> Refund:
    """Read a refund: its type, amount and currency must be those sent."""
    read = _model(answer, answer.document(), Refund)
    differ = [name for name in ("type", "amount", "currency") if getattr(read, name) != getattr(sent, name)]
    if differ:
        raise answer.unreadable(f"its {', '.join(differ)} differ from what was sent")
    return read


def exchange(answer: Answer, sent: Sequence[ExchangeItem]) -> ExchangeOrder:
    """Read an exchange order: it must have an id or a name, and no goods that were not asked for."""
    read = _model(answer, answer.document(), ExchangeOrder)
    if not read.order_id and not read.order_name:
        raise answer.unreadable("it names no order")
    if {item.variant_id for item in read.ordered_items} - {item.variant_id for item in sent} - {""}:
        raise answer.unreadable("its goods differ from what was sent")
    return read


def cancelled_process(answer: Answer, process_id: str) -> ReturnProcess:
    """Read the process after a cancellation: it must be cancelled."""
    read = _same_process(answer, answer.document(), process_id)
    if read.rever_process_status != ProcessStatus.CANCELED:
        raise answer.unreadable("the process is not cancelled")
    return read


def shipping(answer: Answer, process_id: str) -> Shipping:
    """Read a parcel's status, of this process where the answer says of which."""
    read = _model(answer, answer.document(), Shipping)
    if read.process_id not in {"", process_id}:
        raise answer.unreadable("it is about another process")
    return read


def label_url(answer: Answer) -> str:
    """Read the short-lived URL of a label."""
    document = answer.document()
    url = document.get("url") if isinstance(document, dict) else None
    if not isinstance(url, str) or not url.startswith(("https://", "http://")):
        raise answer.unreadable("it holds no URL")
    return url


def label(answer: Answer) -> bytes:
    """Read a label file. The link is short-lived and not REVER's API: no answer of its host means a wrong set-up."""
    if 200 <= answer.status < 300:
        if not answer.body:
            raise answer.unreadable("the file is empty")
        return answer.body
    if answer.status in {404, 410}:
        raise NotFound(
            f"There is no label at its address ({answer.status}).", operation=answer.operation, status=answer.status
        )
    error = answer.error()
    if isinstance(error, WrongSetup):
        sentence = f"The label's address answered {answer.status}: it may have run out, ask REVER for a new one."
        raise Refused(sentence, operation=answer.operation, status=answer.status)
    raise error


def logistic_orders(answer: Answer) -> tuple[LogisticOrder, ...]:
    """Read the logistic orders of a process."""
    return _models(answer, "orders", LogisticOrder)


def logistic_order(answer: Answer, process_id: str) -> LogisticOrder:
    """Read the logistic order that was made: of this process, with an id, a tracking id or a carrier."""
    document = answer.document()
    read = _model(answer, document.get("order") if isinstance(document, dict) else None, LogisticOrder)
    if read.process_id not in {"", process_id}:
        raise answer.unreadable("it is about another process")
    if not (read.id or read.tracking_id or read.carrier):
        raise answer.unreadable("it names no logistic order")
    return read


def new_process(answer: Answer, sent: ReturnInput) -> ReturnProcess:
    """Read the process that was created, of the store it was sent for."""
    read = _model(answer, answer.document(), ReturnProcess)
    if read.ecommerce_id not in {"", sent.ecommerce_id}:
        raise answer.unreadable("it is about another store")
    return read


def import_results(answer: Answer, count: int) -> tuple[ImportResult, ...]:
    """Read the fate of each of `count` returns: a process id, or why it was refused."""
    document = answer.document()
    results = document.get("results") if isinstance(document, dict) else None
    if not isinstance(results, list) or len(results) != count:
        raise answer.unreadable(f"it does not hold {count} results")
    return tuple(_import_result(answer, result) for result in results)


def settings(answer: Answer, ecommerce_id: str) -> EcommerceSettings:
    """Read a store's return rules."""
    read = _model(answer, answer.document(), EcommerceSettings)
    if read.ecommerce_id not in {"", ecommerce_id}:
        raise answer.unreadable("it is about another store")
    return read


def ecommerces(answer: Answer) -> tuple[Ecommerce, ...]:
    """Read the stores of a group."""
    return _models(answer, "ecommerces", Ecommerce)


def warehouses(answer: Answer) -> tuple[Warehouse, ...]:
    """Read a store's warehouses."""
    return _models(answer, "warehouses", Warehouse)


def _listed(document: Any) -> list[Any] | None:
    """Find the list of an envelope, or None where there is none."""
    if isinstance(document, dict):
        return next((document[name] for name in _LISTS if isinstance(document.get(name), list)), None)
    return document if isinstance(document, list) else None


def _says_empty(document: dict[str, Any], rowcount: int | None) -> bool:
    """Whether a page without a list says that it is empty: proto3 JSON leaves an empty list out, or says null."""
    found = [document[name] for name in _LISTS if name in document]
    return not any(found) and (rowcount == 0 or bool(found))


def _entry(entry: Any) -> ReturnProcess | UnreadableProcess:
    """Read one entry of a page, or say why it cannot be read."""
    try:
        return ReturnProcess.model_validate(entry)
    except ValidationError as error:
        process_id = entry.get("rever_process_id") if isinstance(entry, dict) else None
        return UnreadableProcess(process_id=process_id if isinstance(process_id, str) else "", why=_why(error))


def _same_process(answer: Answer, document: Any, process_id: str) -> ReturnProcess:
    """Read a process and insist on its id."""
    read = _model(answer, document, ReturnProcess)
    if read.rever_process_id != process_id:
        raise answer.unreadable("it is about another process")
    return read


def _model(answer: Answer, document: Any, model: type[_Model]) -> _Model:
    """Read one object of the contract."""
    if not isinstance(document, dict) or not document:
        raise answer.unreadable(f"it holds no {model.__name__}")
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise answer.unreadable(f"it is no {model.__name__} ({_why(error)})") from None


def _models(answer: Answer, name: str, model: type[_Model]) -> tuple[_Model, ...]:
    """Read a list of objects, under its name or bare; an absent list is an empty one, as `null` is."""
    document = answer.document()
    listed = document.get(name) or [] if isinstance(document, dict) else document
    if not isinstance(listed, list):
        raise answer.unreadable(f"there is no list under {name}")
    return tuple(_model(answer, item, model) for item in listed)


def _import_result(answer: Answer, result: Any) -> ImportResult:
    """Read the fate of one return; the error is an object of the contract, or text."""
    if not isinstance(result, dict):
        raise answer.unreadable("a result is no object")
    process_id, error = result.get("process_id") or "", result.get("error") or ""
    words = error.get("message") or f"code {error.get('code')}" if isinstance(error, dict) else error
    if not isinstance(process_id, str) or not isinstance(words, str) or bool(process_id) == bool(words):
        raise answer.unreadable("a result holds neither a process id nor an error, or both")
    return ImportResult(process_id=process_id, error=answer.mask(words))


def _why(error: ValidationError) -> str:
    """Say which fields are wrong and how, without their values."""
    wrong = [f"{'.'.join(str(part) for part in item['loc']) or 'entry'}: {item['type']}" for item in error.errors()]
    return "; ".join(wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else "")
