"""From an HTTP answer to what the operation promises, or to the error that it means. One parser per operation.

A 2xx counts as done only when its body says what was done: an effect's answer is compared with what was sent, and any
other 2xx is `OutcomeUnknown`. Errors name fields and kinds of error, never values.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rever_api.answers import Answer
from rever_api.errors import EmptyAnswer, NotFound, Refused, WrongSetup
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
    Warehouse,
)
from rever_api.parsing import LISTS, entry, listed, one, same_process, says_empty, several

TOTALS = ("rowcount", "total")
"""The names under which the count over all pages may stand (REVER's is not confirmed)."""

_EMPTY = frozenset({b"", b"null", b'""', b"{}"})
_TOTAL = re.compile("[0-9]{1,9}")


def search_page(answer: Answer) -> SearchPage:
    """Read one page, entry by entry; the list may be bare or under one of several names (REVER's is not confirmed)."""
    document = answer.document()
    entries = listed(document)
    totals = [document.get(name) for name in TOTALS] if isinstance(document, dict) else []
    rowcount = next((int(str(total)) for total in totals if _TOTAL.fullmatch(str(total))), None)
    if entries is None and isinstance(document, dict) and says_empty(document, rowcount):
        entries = []
    if entries is None:
        raise answer.unreadable(f"there is no list under {', '.join(LISTS)}")
    return SearchPage(processes=tuple(entry(item) for item in entries), rowcount=rowcount)


def process(answer: Answer, process_id: str) -> ReturnProcess:
    """Read one process. Where the endpoint table sends the read to the search, it is picked from the list by its id."""
    document = answer.document()
    entries = listed(document)
    if entries is not None:
        found = [item for item in entries if isinstance(item, dict) and str(item.get("rever_process_id")) == process_id]
        if not found:
            raise NotFound(f"REVER's list holds no process {process_id}.", operation=answer.operation, status=404)
        document = found[0]
    return same_process(answer, document, process_id)


def reviewed_process(answer: Answer, process_id: str, sent: Sequence[ReviewInput]) -> ReturnProcess:
    """Read the process after a review: it must show the reviews that were sent. Raises `EmptyAnswer` for no body.

    The older client of REVER's ignored the body, which was null or empty (observed).
    """
    if 200 <= answer.status < 300 and answer.body.strip() in _EMPTY:
        sentence = f"REVER answered {answer.status} to {answer.operation} without a body: what was done is not known."
        raise EmptyAnswer(sentence, operation=answer.operation, status=answer.status)
    read = same_process(answer, answer.document(), process_id)
    wanted = Counter((review.line_item_id, str(review.status)) for review in sent)
    shown = Counter((review.line_item_id, str(review.status)) for review in read.reviews or ())
    if wanted - shown:
        raise answer.unreadable("the process does not show the reviews that were sent")
    return read


def seen_reviews(read: ReturnProcess, sent: Sequence[ReviewInput], before: ReturnProcess | None) -> bool:
    """Whether a process shows reviews that were sent and answered with nothing, as evidence that they were recorded.

    With the process as it was `before`, so many more of each kind must be there. Without it one cannot tell a review
    of ours from an equal one that was there already, unless every unit of the line is reviewed now.
    """
    wanted = Counter((review.line_item_id, str(review.status)) for review in sent)
    shown = Counter((review.line_item_id, str(review.status)) for review in read.reviews or ())
    if before is not None:
        shown.subtract(Counter((review.line_item_id, str(review.status)) for review in before.reviews or ()))
        return all(shown[kind] >= many for kind, many in wanted.items())
    quantities = {line.id: line.quantity for line in read.return_line_items}
    reviewed = Counter(review.line_item_id for review in read.reviews or ())
    whole = all(reviewed[line_id] == quantities.get(line_id) for line_id, _ in wanted)
    return whole and not wanted - shown


def refund(answer: Answer, sent: RefundInput) -> Refund:
    """Read a refund: its type, amount and currency must be those sent."""
    read = one(answer, answer.document(), Refund)
    differ = [name for name in ("type", "amount", "currency") if getattr(read, name) != getattr(sent, name)]
    if differ:
        raise answer.unreadable(f"its {', '.join(differ)} differ from what was sent")
    return read


def exchange(answer: Answer, sent: Sequence[ExchangeItem]) -> ExchangeOrder:
    """Read an exchange order: it must have an id or a name, and no goods that were not asked for."""
    read = one(answer, answer.document(), ExchangeOrder)
    if not read.order_id and not read.order_name:
        raise answer.unreadable("it names no order")
    if {item.variant_id for item in read.ordered_items} - {item.variant_id for item in sent} - {""}:
        raise answer.unreadable("its goods differ from what was sent")
    return read


def cancelled_process(answer: Answer, process_id: str) -> ReturnProcess:
    """Read the process after a cancellation: it must be cancelled."""
    read = same_process(answer, answer.document(), process_id)
    if read.rever_process_status != ProcessStatus.CANCELED:
        raise answer.unreadable("the process is not cancelled")
    return read


def shipping(answer: Answer, process_id: str) -> Shipping:
    """Read a parcel's status, of this process where the answer says of which."""
    read = one(answer, answer.document(), Shipping)
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
    return several(answer, "orders", LogisticOrder)


def logistic_order(answer: Answer, process_id: str) -> LogisticOrder:
    """Read the logistic order that was made: of this process, with an id, a tracking id or a carrier."""
    document = answer.document()
    read = one(answer, document.get("order") if isinstance(document, dict) else None, LogisticOrder)
    if read.process_id not in {"", process_id}:
        raise answer.unreadable("it is about another process")
    if not (read.id or read.tracking_id or read.carrier):
        raise answer.unreadable("it names no logistic order")
    return read


def new_process(answer: Answer, sent: ReturnInput) -> ReturnProcess:
    """Read the process that was created, of the store it was sent for."""
    read = one(answer, answer.document(), ReturnProcess)
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
    read = one(answer, answer.document(), EcommerceSettings)
    if read.ecommerce_id not in {"", ecommerce_id}:
        raise answer.unreadable("it is about another store")
    return read


def ecommerces(answer: Answer) -> tuple[Ecommerce, ...]:
    """Read the stores of a group."""
    return several(answer, "ecommerces", Ecommerce)


def warehouses(answer: Answer) -> tuple[Warehouse, ...]:
    """Read a store's warehouses."""
    return several(answer, "warehouses", Warehouse)


def _import_result(answer: Answer, result: Any) -> ImportResult:
    """Read the fate of one return; the error is an object of the contract, or text."""
    if not isinstance(result, dict):
        raise answer.unreadable("a result is no object")
    process_id, error = result.get("process_id") or "", result.get("error") or ""
    words = error.get("message") or f"code {error.get('code')}" if isinstance(error, dict) else error
    if not isinstance(process_id, str) or not isinstance(words, str) or bool(process_id) == bool(words):
        raise answer.unreadable("a result holds neither a process id nor an error, or both")
    return ImportResult(process_id=process_id, error=answer.mask(words))
