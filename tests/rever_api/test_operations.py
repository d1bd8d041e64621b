"""Each operation: what goes over the wire, and that an effect is done only when its answer says what was sent."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from rever_api import Endpoints, NotSent, operations
from rever_api.errors import NotFound, OutcomeUnknown
from rever_api.messages import Answer
from rever_api.models import LogisticOrder, ProcessStatus, ReturnInput, ReturnProcess, SearchQuery, UnreadableProcess
from tests.rever_api.fake_time import START
from tests.rever_api.samples import (
    BY_HAND,
    EFFECTS,
    EXCHANGE,
    PICKUP,
    PROCESS_ID,
    READS,
    REFUND,
    REFUNDED,
    RETURN,
    REVIEW,
    REVIEWED,
    page,
    process,
)

ROUTES = operations.Routes("https://api.byrever.com", Endpoints.load())


CALLS: dict[str, operations.Call[Any]] = {
    call.request.operation: call
    for call in (
        operations.search_return_processes(ROUTES, SearchQuery()),
        *(getattr(operations, method)(ROUTES, *arguments) for method, arguments, _ in (*READS, *EFFECTS)),
    )
}


def test_what_is_an_effect_is_what_the_contract_does_not_get() -> None:
    """An effect that were taken for a read would be sent again."""
    contract = Endpoints.load().by_operation
    assert {name: call.request.effect for name, call in CALLS.items()} == {
        name: endpoint.method != "GET" for name, endpoint in contract.items()
    }
    assert not operations.fetch_label("https://files.example/label.pdf").request.effect


def test_a_refund() -> None:
    request = operations.issue_refund(ROUTES, PROCESS_ID, REFUND).request
    assert (request.method, request.url) == ("POST", f"https://api.byrever.com/v1/processes/{PROCESS_ID}/refunds")
    assert request.json == {
        "type": "GIFT_CARD",
        "amount": "24.00",
        "currency": "EUR",
        "items": [{"line_item_id": "retl_1", "quantity": 1}],
    }
    assert request.effect


@pytest.mark.parametrize(("amount", "sent"), [("1E+3", "1000"), ("0.10", "0.10"), ("1234567.5", "1234567.5")])
def test_an_amount_is_a_plain_decimal_string(amount: str, sent: str) -> None:
    request = operations.issue_refund(ROUTES, "p", REFUND.model_copy(update={"amount": Decimal(amount)})).request
    assert request.json is not None
    assert request.json["amount"] == sent


def test_only_the_filters_given_are_sent() -> None:
    query = SearchQuery(
        ecommerce_id="acme",
        status=(ProcessStatus.RUNNING, "ON_HOLD"),
        fully_refunded=False,
        updated_since=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    )
    assert dict(operations.search_return_processes(ROUTES, query).request.params) == {
        "ecommerce_id": "acme",
        "status": "RUNNING,ON_HOLD",
        "fully_refunded": "false",
        "updated_since": "2026-01-02T03:04:00+00:00",
        "limit": "50",
        "offset": "0",
    }


def test_the_bodies_of_the_other_effects() -> None:
    made = operations.create_reverse_delivery(ROUTES, PROCESS_ID, BY_HAND, b"%PDF", "pdf").request
    assert made.json == {
        "order": {"process_id": PROCESS_ID, "carrier": "DHL", "tracking_id": "T1"},
        "label": "JVBERg==",
        "label_extension": "pdf",
    }
    assert made.url.endswith("/logistics/")
    ordered = operations.create_order_v2(ROUTES, PICKUP).request
    assert (ordered.method, ordered.json) == (
        "PUT",
        {"process_id": PROCESS_ID, "provider": "CARRIER", "carrier": "DHL"},
    )
    review = operations.add_review(ROUTES, "p", [REVIEW]).request.json
    assert review == {"process_id": "p", "reviews": [{"line_item_id": "retl_1", "status": "APPROVED"}]}
    exchange = operations.issue_exchange(ROUTES, "p", [EXCHANGE]).request.json
    assert exchange == {"items": [{"line_item_id": "retl_1", "variant_id": "v2", "quantity": 1}]}
    new = {
        "ecommerce_id": "acme",
        "order_name": "#1001",
        "email": "ada@example.org",
        "items": [{"sku": "S", "quantity": 1}],
    }
    assert operations.create_return(ROUTES, RETURN).request.json == new
    assert operations.import_returns(ROUTES, [RETURN, RETURN]).request.json == {"returns": [new, new]}
    assert operations.cancel_return_process(ROUTES, "p", "").request.json == {}


@pytest.mark.parametrize("process_id", ["a/b", "a?b=c", "a#b", "a b", "ä", "a%2Fb", "{process_id}", "a..b"])
def test_an_id_is_one_segment_of_the_path(process_id: str) -> None:
    url = httpx.URL(operations.issue_refund(ROUTES, process_id, REFUND).request.url)
    assert url.raw_path.count(b"/") == 4
    assert url.query == b""
    assert (
        httpx.URL(operations.get_return_process(ROUTES, process_id).request.url).path == f"/v1/processes/{process_id}"
    )


@pytest.mark.parametrize("process_id", ["", ".", "..", "a\r\nb"])
def test_an_id_that_is_no_segment_is_not_sent(process_id: str) -> None:
    with pytest.raises(NotSent):
        operations.issue_refund(ROUTES, process_id, REFUND)


def test_a_request_shows_no_personal_data() -> None:
    assert "ada" not in repr(operations.create_return(ROUTES, RETURN).request)
    assert "ada" not in repr(operations.search_return_processes(ROUTES, SearchQuery(freetext="ada")).request)


def answer(body: Any) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer("someOperation", 200, {}, raw, START)


def test_a_refund_as_sent_is_done() -> None:
    assert operations.issue_refund(ROUTES, PROCESS_ID, REFUND).read(answer(REFUNDED)).amount == Decimal("24.00")
    assert (
        operations.issue_refund(ROUTES, PROCESS_ID, REFUND)
        .read(answer(b'{"type":"GIFT_CARD","currency":"EUR","amount":24.0}'))
        .refunded_at
        is None
    )


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({**REFUNDED, "amount": "24.01"}, "its amount differ"),
        ({**REFUNDED, "currency": "SEK"}, "its currency differ"),
        ({**REFUNDED, "type": "BANK_TRANSFER"}, "its type differ"),
        ({**REFUNDED, "type": None}, "its type differ"),
        ({**REFUNDED, "amount": None}, "amount: missing"),
        ({**REFUNDED, "amount": "many"}, "amount: an amount such as 24.00 expected, found a text of 4 characters"),
        ({}, "holds no Refund"),
        ([], "holds no Refund"),
        (None, "holds no Refund"),
    ],
)
def test_a_refund_that_does_not_say_so_is_unknown(body: Any, why: str) -> None:
    with pytest.raises(OutcomeUnknown, match=why) as raised:
        operations.issue_refund(ROUTES, PROCESS_ID, REFUND).read(answer(body))
    assert "24.01" not in str(raised.value)
    assert "many" not in str(raised.value)


def test_money_is_read_without_binary_floating_point() -> None:
    read = operations.issue_refund(ROUTES, PROCESS_ID, REFUND).read(
        answer(b'{"type":"GIFT_CARD","currency":"EUR","amount":24.00,"missing_amount":0.1}')
    )
    assert read.missing_amount == Decimal("0.1")


@pytest.mark.parametrize(
    "body",
    [
        {"order_name": ""},
        {"ordered_items": [{"variant_id": "v2"}]},
        {"order_id": "o", "ordered_items": [{"variant_id": "v3"}]},
    ],
)
def test_an_exchange_without_an_order_or_with_other_goods_is_unknown(body: Any) -> None:
    with pytest.raises(OutcomeUnknown):
        operations.issue_exchange(ROUTES, PROCESS_ID, [EXCHANGE]).read(answer(body))


def test_a_review_must_show() -> None:
    assert operations.add_review(ROUTES, PROCESS_ID, [REVIEW]).read(answer(REVIEWED)).reviews
    with pytest.raises(OutcomeUnknown, match="reviews"):
        operations.add_review(ROUTES, PROCESS_ID, [REVIEW, REVIEW]).read(answer(REVIEWED))
    with pytest.raises(OutcomeUnknown, match="reviews"):
        operations.add_review(ROUTES, PROCESS_ID, [REVIEW]).read(answer(process()))


def test_another_process_than_asked_is_unreadable() -> None:
    other = process("retp_other", rever_process_status="CANCELED")
    for call in (
        operations.get_return_process(ROUTES, PROCESS_ID),
        operations.cancel_return_process(ROUTES, PROCESS_ID, ""),
    ):
        with pytest.raises(OutcomeUnknown, match="another process"):
            call.read(answer(other))
    with pytest.raises(OutcomeUnknown, match="not cancelled"):
        operations.cancel_return_process(ROUTES, PROCESS_ID, "").read(answer(process()))
    with pytest.raises(OutcomeUnknown, match="another process"):
        operations.get_shipping_status(ROUTES, PROCESS_ID).read(answer({"status": "CREATED", "process_id": "x"}))
    with pytest.raises(OutcomeUnknown, match="another process"):
        operations.create_order_v2(ROUTES, PICKUP).read(answer({"order": {"id": "1", "process_id": "x"}}))


def test_a_process_may_come_from_the_search() -> None:
    assert (
        operations.get_return_process(ROUTES, PROCESS_ID).read(answer(page("other", PROCESS_ID))).rever_process_id
        == PROCESS_ID
    )
    with pytest.raises(NotFound):
        operations.get_return_process(ROUTES, PROCESS_ID).read(answer(page("other")))


@pytest.mark.parametrize("body", [{}, {"order": None}, {"order": {}}, {"order": {"process_id": PROCESS_ID}}, []])
def test_a_logistic_order_must_name_itself(body: Any) -> None:
    with pytest.raises(OutcomeUnknown):
        operations.create_order_v2(ROUTES, PICKUP).read(answer(body))


@pytest.mark.parametrize("envelope", ["processes", "return_processes", "results", None])
def test_the_list_may_stand_under_several_names(envelope: str | None) -> None:
    entries = [process("a"), "nonsense", {"rever_process_id": "b", "return_line_items": [{"id": "x"}]}]
    found = operations.search_return_processes(ROUTES, SearchQuery()).read(
        answer({envelope: entries, "total": 7} if envelope else entries)
    )
    assert isinstance(found.processes[0], ReturnProcess)
    assert [entry.process_id for entry in found.processes[1:] if isinstance(entry, UnreadableProcess)] == ["", "b"]
    assert isinstance(found.processes[2], UnreadableProcess)
    assert "return_line_items.0.quantity: missing" in found.processes[2].why
    assert found.rowcount == (7 if envelope else None)


@pytest.mark.parametrize("body", [{"rowcount": 0}, {"processes": None}, {"processes": [], "rowcount": "0"}])
def test_an_empty_page_may_leave_its_list_out(body: Any) -> None:
    assert operations.search_return_processes(ROUTES, SearchQuery()).read(answer(body)).processes == ()


@pytest.mark.parametrize("body", [{}, {"rowcount": 3}, {"processes": "none"}, "text", 7, None])
def test_a_page_without_a_list_is_unreadable(body: Any) -> None:
    with pytest.raises(OutcomeUnknown):
        operations.search_return_processes(ROUTES, SearchQuery()).read(answer(body))


def test_why_an_entry_is_unreadable_holds_no_value() -> None:
    entry = process("a", return_costs="ada@example.org", reviews=[{"line_item_id": ["ada@example.org"]}])
    (found,) = operations.search_return_processes(ROUTES, SearchQuery()).read(answer([entry])).processes
    assert isinstance(found, UnreadableProcess)
    assert found.why == (
        "return_costs: an amount such as 24.00 expected, found a text of 15 characters; "
        "reviews.0.line_item_id: an id of at most 200 printable characters expected, found a list of 1; "
        "reviews.0.status: missing"
    )


@pytest.mark.parametrize(
    "results",
    [[], [{"process_id": "a"}, {"process_id": "b"}], [{}], ["x"], [{"process_id": "a", "error": {"message": "no"}}]],
)
def test_an_import_must_tell_the_fate_of_each(results: list[Any]) -> None:
    with pytest.raises(OutcomeUnknown):
        operations.import_returns(ROUTES, [RETURN] * 1).read(answer({"results": results}))


def test_an_import_tells_why_one_was_refused() -> None:
    body = {"results": [{"process_id": None, "error": {"code": 3, "message": "no such order"}}, {"process_id": "a"}]}
    refused, accepted = operations.import_returns(ROUTES, [RETURN] * 2).read(answer(body))
    assert (refused.process_id, refused.error, accepted.process_id) == ("", "no such order", "a")


def test_a_new_process_of_another_store_is_unknown() -> None:
    with pytest.raises(OutcomeUnknown):
        operations.create_return(ROUTES, RETURN).read(answer(process(ecommerce_id="other")))


@pytest.mark.parametrize("body", [{}, {"url": ""}, {"url": 1}, []])
def test_a_label_needs_a_url(body: Any) -> None:
    with pytest.raises(OutcomeUnknown):
        operations.get_presigned_label_url(ROUTES, PROCESS_ID).read(answer(body))


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://files.example/x", "ftp://127.0.0.1/x", "data:,x", "x"])
def test_a_label_is_fetched_over_https_alone(url: str) -> None:
    assert operations.get_presigned_label_url(ROUTES, PROCESS_ID).read(answer({"url": url})) == url
    with pytest.raises(NotSent):
        operations.fetch_label(url)


def test_unknown_fields_of_what_was_read_are_not_sent_back() -> None:
    told = {"carrier": "DHL", "new": 1, "from": {"city": "Oslo", "floor": "3"}, "to": {"floor": "4"}}
    order = LogisticOrder.model_validate(told)
    body = operations.create_reverse_delivery(ROUTES, PROCESS_ID, order, b"", "").request.json
    assert body == {"order": {"carrier": "DHL", "process_id": PROCESS_ID, "from": {"city": "Oslo"}, "to": {}}}
    goods = {"sku": "S", "quantity": 1, "exchange_for": {"variant_id": "v", "shelf": 9}}
    new = ReturnInput.model_validate(
        {"ecommerce_id": "a", "order_name": "#1", "email": "a@example.org", "items": [goods]}
    )
    sent = operations.create_return(ROUTES, new).request.json
    assert sent is not None
    assert sent["items"] == [{"sku": "S", "quantity": 1, "exchange_for": {"variant_id": "v"}}]
