"""What the operations do: search, reviews, payments without dedupe, labels, new returns."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from rever_api.models import ReturnProcess
from rever_api.sandbox import RunningSandbox, running_sandbox
from rever_api.sandbox.state import Options
from tests.rever_api.sandbox import desk
from tests.rever_api.sandbox.conftest import client_of


def read(running: RunningSandbox, http: httpx.Client, scenario: str, store: str = "") -> dict[str, Any]:
    body: dict[str, Any] = http.get(f"/v1/processes/{running.process_ids(scenario, store)[0]}").json()
    return body


def path(process: dict[str, Any], tail: str) -> str:
    return f"/v1/processes/{process['rever_process_id']}/{tail}"


def search(http: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    answer = http.get("/v1/processes", params={"limit": 100} | query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["processes"]
    return found


def test_a_search_filters(running: RunningSandbox, http: httpx.Client) -> None:
    assert {p["ecommerce_id"] for p in search(http, ecommerce_id="nordic")} == {"nordic"}
    assert {p["rever_process_status"] for p in search(http, status="ON_HOLD,FAILED")} == {"ON_HOLD", "FAILED"}
    assert {p["return_status"] for p in search(http, return_status="COLLECTED")} == {"COLLECTED"}
    assert {p["return_method"] for p in search(http, return_method="IN_STORE")} == {"IN_STORE"}
    assert search(http, ecommerce_group="other") == []
    assert len(search(http, ecommerce_group=running.group)) == 68
    one = search(http)[7]
    for name, field in (("process_id", "rever_process_id"), ("order_id", "order_id")):
        assert search(http, **{name: one[field]}) == [one]
    assert search(http, customer_printed_order_id=one["order_name"]) == [one]
    assert one in search(http, freetext=one["shopper"]["email"].upper())
    assert search(http, ecommerce_id="nobody") == []


def test_a_search_by_what_was_refunded_and_by_time(running: RunningSandbox, http: httpx.Client) -> None:
    paid = {running.sandbox.find(p["rever_process_id"]).scenario for p in search(http, fully_refunded="true")}
    assert paid == {"completed", "foreign_exact"}
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    assert search(http, updated_since=soon) == []
    running.advance(5)
    running.act("hold", running.process_ids("approved_one")[0])
    assert [p["rever_process_id"] for p in search(http, updated_since=soon)] == [running.process_ids("approved_one")[0]]


def test_pages_are_newest_first_and_complete(http: httpx.Client) -> None:
    pages = [search(http, limit=10, offset=offset) for offset in range(0, 70, 10)]
    times = [process["started_at"] for page in pages for process in page]
    assert len(times) == 68
    assert times == sorted(times, reverse=True)
    assert [p["updated_at"] for p in search(http, sortby="updated_at", order="asc")] == sorted(times_of(http))


def times_of(http: httpx.Client) -> list[str]:
    return [process["updated_at"] for process in search(http)]


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "offset=-1", "freetext=ab", "updated_since=then", "sortby=x"])
def test_a_search_that_makes_no_sense_is_refused(http: httpx.Client, query: str) -> None:
    assert http.get(f"/v1/processes?{query}").status_code == 400


def test_two_identical_refunds_are_two_refunds(running: RunningSandbox, http: httpx.Client) -> None:
    process = read(running, http, "approved_thirds")
    for _ in range(2):
        assert http.post(path(process, "refunds"), json=desk.refunds(process)[0]).status_code == 200
    after = ReturnProcess.model_validate(read(running, http, "approved_thirds"))
    assert after.compensation is not None
    assert [refund.amount for refund in after.compensation.refunds or ()] == [Decimal(10), Decimal(10)]
    assert list(running.books.paid().values()) == [Decimal("20.00")]


def test_the_last_outcome_completes_the_return(running: RunningSandbox, http: httpx.Client) -> None:
    process = read(running, http, "two_methods")
    for body, status in zip(desk.refunds(process), ("RUNNING", "COMPLETED"), strict=True):
        http.post(path(process, "refunds"), json=body)
        assert read(running, http, "two_methods")["rever_process_status"] == status


def test_a_return_completes_later_where_that_is_asked() -> None:
    with running_sandbox(options=Options(completion_delay=60)) as running, client_of(running) as http:
        process = read(running, http, "approved_one")
        http.post(path(process, "refunds"), json=desk.refunds(process)[0])
        assert read(running, http, "approved_one")["rever_process_status"] == "RUNNING"
        running.advance(61)
        assert read(running, http, "approved_one")["rever_process_status"] == "COMPLETED"


def test_amounts_and_statuses_are_checked_where_that_is_asked() -> None:
    strict = Options(checks_amounts=True, checks_status=True)
    with running_sandbox(options=strict) as running, client_of(running) as http:
        process = read(running, http, "approved_thirds")
        over = desk.refunds(process)[0] | {"amount": "10.01"}
        assert http.post(path(process, "refunds"), json=over).status_code == 422
        held = read(running, http, "on_hold")
        assert http.post(path(held, "refunds"), json=desk.refunds(held)[0]).status_code == 409
        assert len(running.books.of(process["rever_process_id"])) == 0


@pytest.mark.parametrize(
    "wrong",
    [{"amount": "0"}, {"amount": "-1"}, {"amount": "1.001"}, {"currency": "EURO"}, {"items": []}, {"type": "EXCHANGE"}],
)
def test_a_refund_that_makes_no_sense_is_refused(
    running: RunningSandbox, http: httpx.Client, wrong: dict[str, Any]
) -> None:
    process = read(running, http, "approved_thirds")
    answer = http.post(path(process, "refunds"), json=desk.refunds(process)[0] | wrong)
    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    assert running.books.paid() == {}


def test_a_variant_out_of_stock_is_a_409_with_code_9_and_nothing_is_ordered(
    running: RunningSandbox, http: httpx.Client
) -> None:
    process = read(running, http, "exchange_out_of_stock")
    answer = http.post(path(process, "exchanges"), json={"items": desk.exchange(process)})
    assert (answer.status_code, answer.json()["code"]) == (409, 9)
    assert read(running, http, "exchange_out_of_stock") == process


def test_a_unit_is_reviewed_once(running: RunningSandbox, http: httpx.Client) -> None:
    process = read(running, http, "partially_reviewed")
    line = process["return_line_items"][0]["id"]
    one = {"reviews": [{"line_item_id": line, "status": "DECLINED", "reject_reason": "worn"}]}
    assert http.post(path(process, "reviews"), json=one).status_code == 200
    again = http.post(path(process, "reviews"), json=one)
    assert (again.status_code, again.json()["code"]) == (409, 6)
    assert len(read(running, http, "partially_reviewed")["reviews"]) == 3


def test_a_decline_needs_its_reason_and_all_reviews_go_or_none(running: RunningSandbox, http: httpx.Client) -> None:
    process = read(running, http, "in_warehouse")
    lines = [line["id"] for line in process["return_line_items"]]
    reviews = [{"line_item_id": lines[0], "status": "APPROVED"}, {"line_item_id": lines[1], "status": "DECLINED"}]
    assert http.post(path(process, "reviews"), json={"reviews": reviews}).status_code == 400
    assert read(running, http, "in_warehouse")["reviews"] == []


def test_ops_makes_nothing_and_an_unknown_combination_is_refused(running: RunningSandbox, http: httpx.Client) -> None:
    process = read(running, http, "carrier_ops", "acme")
    body = {"process_id": process["rever_process_id"], "provider": "OPS", "carrier": "CTT"}
    answer = http.put(path(process, "logistics/"), json=body)
    assert (answer.status_code, answer.json()["code"]) == (501, 12)
    answer = http.put(path(process, "logistics/"), json=body | {"provider": "SENDCLOUD", "carrier": "DHL"})
    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    assert read(running, http, "carrier_ops", "acme")["logistics"] == []


def test_each_order_makes_another_label(running: RunningSandbox, http: httpx.Client) -> None:
    process = read(running, http, "label_needed_pickup")
    for number in (1, 2):
        desk.label(http, process)
        assert len(read(running, http, "label_needed_pickup")["logistics"]) == number


def test_a_label_is_a_pdf_fetched_without_a_key_for_a_while(running: RunningSandbox, http: httpx.Client) -> None:
    url = http.get(path(read(running, http, "label_ready"), "label")).json()["url"]
    answer = httpx.get(url)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-1.4")
    start = int(answer.content.rsplit(b"startxref\n", 1)[1].split()[0])
    assert answer.content[start:].startswith(b"xref")
    assert httpx.get(url[:-1] + ("0" if url[-1] != "0" else "1")).status_code == 403
    running.advance(901)
    assert httpx.get(url).status_code == 403


@pytest.mark.parametrize("scenario", ["label_needed_pickup", "label_pending", "label_canceled"])
def test_there_is_no_label_before_there_is_one(running: RunningSandbox, http: httpx.Client, scenario: str) -> None:
    assert http.get(path(read(running, http, scenario), "label")).status_code == 404


def test_a_cancelled_return_cannot_be_cancelled_again(running: RunningSandbox, http: httpx.Client) -> None:
    process = read(running, http, "label_ready")
    assert http.post(path(process, "cancel"), json={"reason": "asked"}).status_code == 200
    assert http.post(path(process, "cancel")).status_code == 409
    assert read(running, http, "label_ready")["logistics"][0]["status"] == "CANCELED"


def test_the_same_order_twice_is_two_returns(http: httpx.Client) -> None:
    items = [{"sku": "NORDIC-002-L", "quantity": 1}]
    body = {"ecommerce_id": "nordic", "order_name": "#77", "email": "b@example.com", "items": items}
    ids = {http.post("/v1/returns", json=body).json()["rever_process_id"] for _ in range(2)}
    assert len(ids) == 2
    assert {p["rever_process_id"] for p in search(http, customer_printed_order_id="#77")} == ids


@pytest.mark.parametrize("path", ["/v1/processes", "/v1/returns"])
@pytest.mark.parametrize("name", ["order_name", "order_number"])
def test_a_return_is_created_at_both_paths_and_by_both_names_of_its_order(
    http: httpx.Client, path: str, name: str
) -> None:
    sku = http.get("/v1/processes").json()["processes"][0]["return_line_items"][0]["product"]["sku"]
    shop = http.get("/v1/processes").json()["processes"][0]["ecommerce_id"]
    body = {"ecommerce_id": shop, name: "#77", "email": "a@example.com", "items": [{"sku": sku, "quantity": 1}]}
    made = http.post(path, json=body)
    assert (made.status_code, made.json()["order_name"]) == (200, "#77")
    assert http.get(f"/v1/processes/{made.json()['rever_process_id']}").status_code == 200
