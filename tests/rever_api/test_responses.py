"""An effect counts as done only when its answer says what was sent; a page hides nothing that can be read."""

import json
from decimal import Decimal
from typing import Any

import pytest

from rever_api import responses
from rever_api.answers import Answer
from rever_api.errors import NotFound, OutcomeUnknown
from rever_api.models import ReturnProcess, UnreadableProcess
from tests.rever_api.fake_time import START
from tests.rever_api.samples import EXCHANGE, PROCESS_ID, REFUND, REFUNDED, RETURN, REVIEW, REVIEWED, page, process


def answer(body: Any) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer("someOperation", 200, {}, raw, START)


def test_a_refund_as_sent_is_done() -> None:
    assert responses.refund(answer(REFUNDED), REFUND).amount == Decimal("24.00")
    assert responses.refund(answer(b'{"type":"GIFT_CARD","currency":"EUR","amount":24.0}'), REFUND).refunded_at is None


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
        responses.refund(answer(body), REFUND)
    assert "24.01" not in str(raised.value)
    assert "many" not in str(raised.value)


def test_money_is_read_without_binary_floating_point() -> None:
    read = responses.refund(
        answer(b'{"type":"GIFT_CARD","currency":"EUR","amount":24.00,"missing_amount":0.1}'), REFUND
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
        responses.exchange(answer(body), [EXCHANGE])


def test_a_review_must_show() -> None:
    assert responses.reviewed_process(answer(REVIEWED), PROCESS_ID, [REVIEW]).reviews
    with pytest.raises(OutcomeUnknown, match="reviews"):
        responses.reviewed_process(answer(REVIEWED), PROCESS_ID, [REVIEW, REVIEW])
    with pytest.raises(OutcomeUnknown, match="reviews"):
        responses.reviewed_process(answer(process()), PROCESS_ID, [REVIEW])


def test_another_process_than_asked_is_unreadable() -> None:
    other = process("retp_other", rever_process_status="CANCELED")
    for parse in (responses.process, responses.cancelled_process):
        with pytest.raises(OutcomeUnknown, match="another process"):
            parse(answer(other), PROCESS_ID)
    with pytest.raises(OutcomeUnknown, match="not cancelled"):
        responses.cancelled_process(answer(process()), PROCESS_ID)
    with pytest.raises(OutcomeUnknown, match="another process"):
        responses.shipping(answer({"status": "CREATED", "process_id": "x"}), PROCESS_ID)
    with pytest.raises(OutcomeUnknown, match="another process"):
        responses.logistic_order(answer({"order": {"id": "1", "process_id": "x"}}), PROCESS_ID)


def test_a_process_may_come_from_the_search() -> None:
    assert responses.process(answer(page("other", PROCESS_ID)), PROCESS_ID).rever_process_id == PROCESS_ID
    with pytest.raises(NotFound):
        responses.process(answer(page("other")), PROCESS_ID)


@pytest.mark.parametrize("body", [{}, {"order": None}, {"order": {}}, {"order": {"process_id": PROCESS_ID}}, []])
def test_a_logistic_order_must_name_itself(body: Any) -> None:
    with pytest.raises(OutcomeUnknown):
        responses.logistic_order(answer(body), PROCESS_ID)


@pytest.mark.parametrize("envelope", ["processes", "return_processes", "results", None])
def test_the_list_may_stand_under_several_names(envelope: str | None) -> None:
    entries = [process("a"), "nonsense", {"rever_process_id": "b", "return_line_items": [{"id": "x"}]}]
    found = responses.search_page(answer({envelope: entries, "total": 7} if envelope else entries))
    assert isinstance(found.processes[0], ReturnProcess)
    assert [entry.process_id for entry in found.processes[1:] if isinstance(entry, UnreadableProcess)] == ["", "b"]
    assert isinstance(found.processes[2], UnreadableProcess)
    assert "return_line_items.0.quantity: missing" in found.processes[2].why
    assert found.rowcount == (7 if envelope else None)


@pytest.mark.parametrize("body", [{"rowcount": 0}, {"processes": None}, {"processes": [], "rowcount": "0"}])
def test_an_empty_page_may_leave_its_list_out(body: Any) -> None:
    assert responses.search_page(answer(body)).processes == ()


@pytest.mark.parametrize("body", [{}, {"rowcount": 3}, {"processes": "none"}, "text", 7, None])
def test_a_page_without_a_list_is_unreadable(body: Any) -> None:
    with pytest.raises(OutcomeUnknown):
        responses.search_page(answer(body))


def test_why_an_entry_is_unreadable_holds_no_value() -> None:
    entry = process("a", return_costs="ada@example.org", reviews=[{"line_item_id": ["ada@example.org"]}])
    (found,) = responses.search_page(answer([entry])).processes
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
        responses.import_results(answer({"results": results}), 1)


def test_an_import_tells_why_one_was_refused() -> None:
    body = {"results": [{"process_id": None, "error": {"code": 3, "message": "no such order"}}, {"process_id": "a"}]}
    refused, accepted = responses.import_results(answer(body), 2)
    assert (refused.process_id, refused.error, accepted.process_id) == ("", "no such order", "a")


def test_a_new_process_of_another_store_is_unknown() -> None:
    with pytest.raises(OutcomeUnknown):
        responses.new_process(answer(process(ecommerce_id="other")), RETURN)


@pytest.mark.parametrize("body", [{}, {"url": ""}, {"url": "file:///etc/passwd"}, {"url": 1}, []])
def test_a_label_needs_a_url(body: Any) -> None:
    with pytest.raises(OutcomeUnknown):
        responses.label_url(answer(body))
