"""What goes over the wire: only what was given, amounts as decimal strings, ids encoded."""

from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest

from rever_api import Endpoints, NotSent, requests
from rever_api.models import ProcessStatus, SearchQuery
from tests.rever_api.samples import BY_HAND, EXCHANGE, PICKUP, PROCESS_ID, REFUND, RETURN, REVIEW

ROUTES = requests.Routes("https://api.byrever.com", Endpoints.load())


def test_a_refund() -> None:
    request = requests.issue_refund(ROUTES, PROCESS_ID, REFUND)
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
    request = requests.issue_refund(ROUTES, "p", REFUND.model_copy(update={"amount": Decimal(amount)}))
    assert request.json is not None
    assert request.json["amount"] == sent


def test_only_the_filters_given_are_sent() -> None:
    query = SearchQuery(
        ecommerce_id="acme",
        status=(ProcessStatus.RUNNING, "ON_HOLD"),
        fully_refunded=False,
        updated_since=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    )
    assert dict(requests.search_return_processes(ROUTES, query).params) == {
        "ecommerce_id": "acme",
        "status": "RUNNING,ON_HOLD",
        "fully_refunded": "false",
        "updated_since": "2026-01-02T03:04:00+00:00",
        "limit": "50",
        "offset": "0",
    }


def test_the_bodies_of_the_other_effects() -> None:
    made = requests.create_reverse_delivery(ROUTES, PROCESS_ID, BY_HAND, b"%PDF", "pdf")
    assert made.json == {
        "order": {"process_id": PROCESS_ID, "carrier": "DHL", "tracking_id": "T1"},
        "label": "JVBERg==",
        "label_extension": "pdf",
    }
    assert made.url.endswith("/logistics/")
    ordered = requests.create_order_v2(ROUTES, PICKUP)
    assert (ordered.method, ordered.json) == (
        "PUT",
        {"process_id": PROCESS_ID, "provider": "CARRIER", "carrier": "DHL"},
    )
    review = requests.add_review(ROUTES, "p", [REVIEW]).json
    assert review == {"process_id": "p", "reviews": [{"line_item_id": "retl_1", "status": "APPROVED"}]}
    exchange = requests.issue_exchange(ROUTES, "p", [EXCHANGE]).json
    assert exchange == {"items": [{"line_item_id": "retl_1", "variant_id": "v2", "quantity": 1}]}
    new = {
        "ecommerce_id": "acme",
        "order_name": "#1001",
        "email": "ada@example.org",
        "items": [{"sku": "S", "quantity": 1}],
    }
    assert requests.create_return(ROUTES, RETURN).json == new
    assert requests.import_returns(ROUTES, [RETURN, RETURN]).json == {"returns": [new, new]}
    assert requests.cancel_return_process(ROUTES, "p", "").json == {}


@pytest.mark.parametrize("process_id", ["a/b", "a?b=c", "a#b", "a b", "ä", "a%2Fb", "{process_id}", "a..b"])
def test_an_id_is_one_segment_of_the_path(process_id: str) -> None:
    url = httpx.URL(requests.issue_refund(ROUTES, process_id, REFUND).url)
    assert url.raw_path.count(b"/") == 4
    assert url.query == b""
    assert httpx.URL(requests.get_return_process(ROUTES, process_id).url).path == f"/v1/processes/{process_id}"


@pytest.mark.parametrize("process_id", ["", ".", "..", "a\r\nb"])
def test_an_id_that_is_no_segment_is_not_sent(process_id: str) -> None:
    with pytest.raises(NotSent):
        requests.issue_refund(ROUTES, process_id, REFUND)


def test_a_request_shows_no_personal_data() -> None:
    assert "ada" not in repr(requests.create_return(ROUTES, RETURN))
    assert "ada" not in repr(requests.search_return_processes(ROUTES, SearchQuery(freetext="ada")))
