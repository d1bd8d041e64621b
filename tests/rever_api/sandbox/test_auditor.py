"""The auditor sees every broken promise, and none where the rules were kept."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest

from rever_api.sandbox import RunningSandbox, running_sandbox
from rever_api.sandbox.seed import SCENARIOS
from tests.rever_api.sandbox import desk
from tests.rever_api.sandbox.conftest import client_of


def read(running: RunningSandbox, http: httpx.Client, scenario: str) -> dict[str, Any]:
    body: dict[str, Any] = http.get(f"/v1/processes/{running.process_ids(scenario)[0]}").json()
    return body


def pay(http: httpx.Client, process: dict[str, Any], **changed: Any) -> None:
    body = (desk.refunds(process) or [{}])[0] | changed
    assert http.post(f"/v1/processes/{process['rever_process_id']}/refunds", json=body).status_code == 200


def kinds(running: RunningSandbox) -> set[tuple[int, str]]:
    return {(violation.invariant, violation.kind) for violation in running.audit().violations}


def items(process: dict[str, Any], quantity: int = 1, line: int = 0) -> list[dict[str, Any]]:
    return [{"line_item_id": process["return_line_items"][line]["id"], "quantity": quantity}]


def currency(process: dict[str, Any]) -> str:
    return str(process["return_line_items"][0]["currency"])


@pytest.mark.parametrize("seed", [1, 7, 42])
def test_correct_play_pays_all_that_is_due_and_breaks_no_promise(seed: int) -> None:
    with running_sandbox(returns=3 * len(SCENARIOS), seed=seed) as running, client_of(running) as http:
        due = running.audit().due_total
        held = desk.play(http)
        verdict = running.audit()
        assert verdict.violations == ()
        assert verdict.paid == due
        assert set(due) == {"EUR", "SEK"}
        assert verdict.forgotten(held) == ()
        assert verdict.due_total == {}


def test_a_second_run_of_the_same_desk_has_nothing_left_to_pay(running: RunningSandbox, http: httpx.Client) -> None:
    desk.play(http)
    paid = running.books.paid()
    desk.play(http)
    assert running.books.paid() == paid


def test_what_is_held_and_only_that_is_blocked(running: RunningSandbox, http: httpx.Client) -> None:
    desk.play(http)
    blocked = {running.sandbox.find(due.process_id).scenario for due in running.audit().due if due.anything}
    assert blocked == {
        "carrier_ops",
        "country_unserved",
        "exchange_out_of_stock",
        "foreign_different",
        "unknown_method",
        "unknown_status",
    }


def test_a_double_refund(running: RunningSandbox, http: httpx.Client) -> None:
    process = read(running, http, "two_methods")
    pay(http, process)
    assert kinds(running) == set()
    pay(http, process)
    assert (2, "double_refund") in kinds(running)
    assert (1, "over_paid") in kinds(running)


def test_a_refund_after_the_back_office_has_paid(running: RunningSandbox, http: httpx.Client) -> None:
    process = read(running, http, "approved_one")
    running.act("pay", process["rever_process_id"])
    pay(http, process)
    assert (2, "double_refund") in kinds(running)


def test_the_back_office_paying_after_us_is_not_our_violation(running: RunningSandbox, http: httpx.Client) -> None:
    process = read(running, http, "approved_one")
    pay(http, process)
    running.act("pay", process["rever_process_id"])
    assert kinds(running) == set()


def test_one_cent_too_much(running: RunningSandbox, http: httpx.Client) -> None:
    pay(http, read(running, http, "approved_thirds"), amount="10.01")
    assert kinds(running) == {(1, "over_paid")}


@pytest.mark.parametrize(
    ("of_its_method", "amount", "found"),
    [(True, "11.00", set()), (True, "11.02", {(1, "over_paid")}), (False, "10.02", {(1, "over_paid")})],
)
def test_a_bonus_that_the_desk_may_pay_is_no_more_than_that_and_of_its_method_alone(
    running: RunningSandbox, http: httpx.Client, of_its_method: bool, amount: str, found: set[tuple[int, str]]
) -> None:
    process = read(running, http, "approved_thirds")
    (method,) = {line["compensation_method"] for line in process["return_line_items"]}
    bonus = {method if of_its_method else "PROMO_CODE": Decimal(10)}
    running.sandbox.options = replace(running.sandbox.options, bonus=bonus)
    pay(http, process, amount=amount)
    assert kinds(running) == found


def test_costs_that_were_not_taken_off(running: RunningSandbox, http: httpx.Client) -> None:
    process = read(running, http, "costs_larger")
    pay(http, process, type="ORIGINAL_PAYMENT_METHOD", amount="0.01", items=items(process), currency=currency(process))
    assert kinds(running) == {(1, "over_paid")}


def test_thirds_of_ten_add_up_and_no_cent_more(running: RunningSandbox, http: httpx.Client) -> None:
    process = read(running, http, "approved_thirds")
    for amount in ("3.33", "3.34", "3.33"):
        pay(http, process, amount=amount, items=items(process))
    assert running.audit().clean
    assert running.books.paid() == {currency(process): Decimal("10.00")}


def test_units_that_nobody_approved(running: RunningSandbox, http: httpx.Client) -> None:
    for scenario in ("declined", "missing", "in_warehouse"):
        process = read(running, http, scenario)
        pay(
            http,
            process,
            type="ORIGINAL_PAYMENT_METHOD",
            amount="0.01",
            items=items(process),
            currency=currency(process),
        )
    found = [violation.kind for violation in running.audit().violations]
    assert found.count("not_approved") == 3


@pytest.mark.parametrize("scenario", ["on_hold", "canceled", "failed", "completed", "unknown_status"])
def test_paid_where_nothing_may_be_paid(running: RunningSandbox, http: httpx.Client, scenario: str) -> None:
    process = read(running, http, scenario)
    pay(http, process)
    assert (3, f"paid_while_{process['rever_process_status'].lower()}") in kinds(running)


def test_a_unit_refunded_and_exchanged(running: RunningSandbox, http: httpx.Client) -> None:
    process = read(running, http, "refund_and_exchange")
    path = f"/v1/processes/{process['rever_process_id']}/exchanges"
    assert http.post(path, json={"items": desk.exchange(process)}).status_code == 200
    assert kinds(running) == set()
    pay(http, process, type="GIFT_CARD", amount="0.01", items=items(process, line=1), currency=currency(process))
    assert kinds(running) == {(4, "refunded_and_exchanged")}


@pytest.mark.parametrize("scenario", ["collected", "label_ready"])
def test_a_desk_that_pays_at_the_scan_is_judged_by_the_scan(
    running: RunningSandbox, http: httpx.Client, scenario: str
) -> None:
    running.sandbox.options = replace(running.sandbox.options, judged_by="ON_ITEM_SENT")
    process = read(running, http, scenario)
    line = process["return_line_items"][0]
    owed = {due.process_id for due in running.audit().due if due.amount}
    assert (process["rever_process_id"] in owed) is (scenario == "collected")
    pay(
        http, process, type=line["compensation_method"], amount=line["total_price"],
        items=items(process, line["quantity"]), currency=currency(process),
    )  # fmt: skip
    assert bool(kinds(running)) is (scenario == "label_ready")


def test_a_second_exchange(running: RunningSandbox, http: httpx.Client) -> None:
    process = read(running, http, "exchange_reviewed")
    for _ in range(2):
        http.post(f"/v1/processes/{process['rever_process_id']}/exchanges", json={"items": desk.exchange(process)})
    assert (2, "double_exchange") in kinds(running)


def test_a_second_exchange_order_for_other_units(running: RunningSandbox, http: httpx.Client) -> None:
    process = read(running, http, "exchange_reviewed")
    wanted = [desk.exchange(process)[0] | {"quantity": 1}]
    for _ in range(2):
        http.post(f"/v1/processes/{process['rever_process_id']}/exchanges", json={"items": wanted})
    assert kinds(running) == {(2, "double_exchange")}


def test_a_second_live_label_but_not_one_after_a_cancelled_one(running: RunningSandbox, http: httpx.Client) -> None:
    for scenario in ("label_canceled", "label_needed_pickup"):
        desk.label(http, read(running, http, scenario))
    assert kinds(running) == set()
    process = read(running, http, "label_needed_pickup")
    desk.label(http, process | {"logistics": []})
    assert kinds(running) == {(2, "second_label")}


def test_the_wrong_method_and_the_wrong_currency(running: RunningSandbox, http: httpx.Client) -> None:
    pay(http, read(running, http, "approved_one"), type="GIFT_CARD")
    pay(http, read(running, http, "approved_thirds"), currency="USD")
    assert {"wrong_method", "wrong_currency"} <= {kind for _, kind in kinds(running)}


def test_what_is_forgotten_is_due_and_not_explained(running: RunningSandbox, http: httpx.Client) -> None:
    process = read(running, http, "approved_one")
    (due,) = (d for d in running.audit().due if d.process_id == process["rever_process_id"])
    assert due.amount == desk.worth(process["return_line_items"][0], 1)
    assert due.process_id in running.audit().forgotten()
    assert due.process_id not in running.audit().forgotten({due.process_id})
    found = http.get("/_sandbox/audit", params={"explained": due.process_id}).json()
    assert due.process_id not in found["forgotten"]
    pay(http, process)
    assert due.process_id not in running.audit().forgotten()


def test_what_was_refunded_in_place_of_goods_is_owed_once_they_are_approved(
    running: RunningSandbox, http: httpx.Client
) -> None:
    """A part was paid for units that were to be exchanged, of which one is not inspected yet."""
    process = read(running, http, "exchange_partially_reviewed")
    process_id, line = process["rever_process_id"], process["return_line_items"][1]
    pay(http, process, type="GIFT_CARD", amount="0.50", items=items(process, 2, line=1), currency=currency(process))

    def owed() -> Decimal:
        return sum((due.amount for due in running.audit().due if due.process_id == process_id), Decimal(0))

    assert owed() == desk.worth(line, 1) - Decimal("0.50")
    running.act("review", process_id)
    assert owed() == desk.worth(line, 2) - Decimal("0.50")


def test_goods_that_are_inspected_are_owed_no_label(running: RunningSandbox, http: httpx.Client) -> None:
    """Even where REVER held the return when it was paid, so that it did not complete and never knew a parcel."""
    process_id = running.process_ids("label_needed_pickup")[0]
    assert any(due.label for due in running.audit().due if due.process_id == process_id)
    running.act("review", process_id)
    process = read(running, http, "label_needed_pickup")
    running.act("hold", process_id)
    pay(http, process)
    running.act("release", process_id)
    assert [due for due in running.audit().due if due.process_id == process_id and due.label] == []


def test_a_desk_that_pays_where_rever_pays_by_itself_is_caught() -> None:
    with running_sandbox(returns=4, shops=("autopay",), pays_itself_after=60) as running, client_of(running) as http:
        process = read(running, http, "approved_one")
        pay(http, process)
        running.act("release", process["rever_process_id"])
        running.advance(61)
        assert (2, "double_refund") in kinds(running)


@pytest.mark.parametrize(("name", "found"), [("#Ab7", True), ("ab7", True), ("#AB8", False)])
def test_a_return_of_the_same_items_of_an_order_is_a_second_one_however_it_is_spelled(
    running: RunningSandbox, http: httpx.Client, name: str, found: bool
) -> None:
    body = {"ecommerce_id": "nordic", "email": "b@example.com", "items": [{"sku": "NORDIC-002-L", "quantity": 1}]}
    for each in ("#Ab7", name):
        assert http.post("/v1/returns", json=body | {"order_name": each}).status_code == 200
    assert ((2, "double_return") in kinds(running)) is found


def test_as_many_live_labels_as_parcels_and_one_more_is_one_too_many(
    running: RunningSandbox, http: httpx.Client
) -> None:
    process = read(running, http, "label_needed_pickup")
    running.sandbox.options = replace(running.sandbox.options, parcels={process["rever_process_id"]: 2})

    def wanted() -> bool:
        return any(due.label for due in running.audit().due if due.process_id == process["rever_process_id"])

    desk.label(http, process)
    assert wanted(), "one parcel has none"
    desk.label(http, process)
    assert not wanted()
    assert kinds(running) == set()
    desk.label(http, process)
    assert kinds(running) == {(2, "second_label")}
