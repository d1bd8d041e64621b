"""Returns as rows: how far they have come, when the goods came, what REVER shows of our refunds, and no shopper."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from rever_api.models import ReturnProcess
from tasks.policy.record import Intent, IntentKind, IntentState, LineUnits, ParcelChange, Record
from tasks.reporting.return_rows import (
    LineRow,
    ParcelRow,
    RefundRow,
    ReturnRow,
    ReviewRow,
    Seen,
    Stage,
    columns_of,
    return_parts,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def process(**more: Any) -> ReturnProcess:
    fields = {
        "rever_process_id": "retp_1",
        "rever_process_status": "RUNNING",
        "order_name": "#1001",
        "started_at": NOON,
        "shopper": {"email": "ana@example.com", "first_name": "Ana", "last_name": "Ruiz"},
        "pickup_address": {"country_code": "ES", "first_name": "Ana"},
        "return_line_items": [
            {
                "id": "l1",
                "quantity": 2,
                "total_price": "20.01",
                "currency": "EUR",
                "return_reason": "TOO_BIG",
                "product": {"sku": "SHIRT-M", "name": "Shirt for Ana", "variant_name": "M"},
                "compensation_method": "GIFT_CARD",
            }
        ],
        **more,
    }
    return ReturnProcess.model_validate(fields)


def parcel(status: str) -> dict[str, str]:
    return {"tracking_number": "T1", "status": status, "carrier": "ups"}


def review(status: str) -> dict[str, str]:
    return {"line_item_id": "l1", "status": status, "review_date": NOON.isoformat()}


@pytest.mark.parametrize(
    ("more", "stage"),
    [
        ({}, Stage.NO_LABEL),
        ({"logistics": [parcel("CANCELED")]}, Stage.NO_LABEL),
        ({"logistics": [parcel("CREATED")]}, Stage.LABEL),
        ({"logistics": [parcel("COLLECTED")]}, Stage.ON_THE_WAY),
        ({"return_status": "COLLECTED"}, Stage.ON_THE_WAY),
        ({"logistics": [parcel("IN_WAREHOUSE")]}, Stage.ARRIVED),
        ({"logistics": [parcel("COLLECTED")], "return_status": "REVIEW_REQUIRED"}, Stage.ARRIVED),
        ({"reviews": [review("APPROVED")]}, Stage.PART_INSPECTED),
        ({"reviews": [review("APPROVED"), review("MISSING")]}, Stage.INSPECTED),
        ({"rever_process_status": "COMPLETED"}, Stage.ENDED),
    ],
)
def test_how_far_a_return_has_come(more: dict[str, Any], stage: Stage) -> None:
    row = return_parts(process(**more), "acme", Record("retp_1")).row
    assert (row.stage, row.waits) == (stage, stage is not Stage.ENDED)


@pytest.mark.parametrize(
    ("status", "stage"),
    [("CREATED", Stage.LABEL), ("COLLECTED", Stage.ON_THE_WAY), ("IN_WAREHOUSE", Stage.ARRIVED)],
)
def test_what_was_seen_of_a_parcel_counts_where_a_read_does_not_tell_of_it(status: str, stage: Stage) -> None:
    seen = Record("retp_1", parcels=(change(1, "", status, NOON),))
    row = return_parts(process(), "acme", seen).row
    assert (row.stage, row.moved) == (stage, status != "CREATED")
    assert return_parts(process(logistics=[]), "acme", seen).row.stage is Stage.NO_LABEL


def test_the_rows_of_a_return_and_no_shopper_in_them() -> None:
    parts = return_parts(process(reviews=[review("APPROVED")]), "acme", Record("retp_1"))
    assert (parts.row.country, parts.row.units, parts.row.value) == ("ES", 2, Decimal("20.01"))
    [line], [seen] = parts.lines, parts.reviews
    assert (line.sku, line.product) == ("SHIRT-M", "(not shown: it may name the shopper)")
    assert (seen.value, seen.reviewed_at) == (Decimal("10.01"), NOON)
    assert "Ana" not in str(parts)
    assert "ana@" not in str(parts)
    named = return_parts(process(), "acme", Record("retp_1"), personal=True).row
    assert (named.name, named.email) == ("Ana Ruiz", "ana@example.com")
    assert "ana@" not in repr(named)


def test_the_value_is_that_of_all_lines_also_where_two_have_one_id() -> None:
    line = process().model_dump(mode="json")["return_line_items"][0]
    parts = return_parts(process(return_line_items=[line, line]), "acme", Record("retp_1"))
    assert (parts.row.units, parts.row.value) == (4, Decimal("40.02"))


def change(n: int, before: str, status: str, at: datetime, told_at: datetime | None = None) -> ParcelChange:
    return ParcelChange(1, n, before, status, at, told_at)


def test_the_arrival_is_known_where_the_parcel_was_seen_before_it() -> None:
    made, moved = change(1, "", "CREATED", NOON), change(2, "CREATED", "COLLECTED", NOON + HOUR)
    came = change(3, "COLLECTED", "IN_WAREHOUSE", NOON + 2 * HOUR)
    row = return_parts(process(), "acme", Record("retp_1", parcels=(made, moved, came))).row
    assert (row.moved_at, row.arrived_at) == (NOON + HOUR, NOON + 2 * HOUR)


def test_goods_that_were_there_at_the_first_look_came_nobody_knows_when() -> None:
    there = change(1, "", "IN_WAREHOUSE", NOON)
    row = return_parts(process(), "acme", Record("retp_1", parcels=(there,))).row
    assert (row.moved_at, row.arrived_at) == (None, None)
    said = replace(there, told_at=NOON - HOUR)
    assert return_parts(process(), "acme", Record("retp_1", parcels=(said,))).row.arrived_at == NOON - HOUR


def refund(name: str, amount: str, state: IntentState = IntentState.DONE) -> Intent:
    items = (LineUnits("l1", (1,)),)
    return Intent(name, IntentKind.REFUND, state, items, "GIFT_CARD", "EUR", Decimal(amount), Decimal(amount))


def shown(*refunds: tuple[str, str | None, datetime | None]) -> dict[str, Any]:
    made = [
        {"type": "GIFT_CARD", "amount": amount, "currency": "EUR", "missing_amount": missing, "refunded_at": at}
        for amount, missing, at in refunds
    ]
    return {"compensation": {"refunds": made}}


@pytest.mark.parametrize(
    ("refunds", "seen"),
    [
        ([], Seen("i1", Decimal(0), Decimal(0), None)),
        ([("10.00", "0", NOON)], Seen("i1", Decimal("10.00"), Decimal("10.00"), NOON)),
        ([("10.00", "10.00", None)], Seen("i1", Decimal("10.00"), Decimal(0), None)),
        ([("10.00", "4.00", None)], Seen("i1", Decimal("10.00"), Decimal("6.00"), None)),
        # Which of two alike refunds is ours nobody can say, so neither gives its time.
        ([("10.00", "0", NOON), ("10.00", "0", NOON + HOUR)], Seen("i1", Decimal("10.00"), Decimal("10.00"), None)),
    ],
)
def test_what_rever_shows_of_our_refund(refunds: list[Any], seen: Seen) -> None:
    parts = return_parts(process(**shown(*refunds)), "acme", Record("retp_1", intents=(refund("i1", "10.00"),)))
    assert parts.seen == (seen,)
    assert [row.amount for row in parts.refunds] == [Decimal("10.00")] * len(refunds)


def test_what_a_person_did_is_not_looked_for_at_rever() -> None:
    record = Record("retp_1", intents=(refund("i1", "10.00", IntentState.DONE_BY_HAND),))
    assert return_parts(process(), "acme", record).seen == ()


@pytest.mark.parametrize("row", [ReturnRow, LineRow, ReviewRow, ParcelRow, RefundRow])
def test_every_field_of_a_row_says_what_it_is(row: type) -> None:
    told = columns_of(row)
    assert list(told) == [each.name for each in fields(row)]
    assert all(each.about for each in told.values())
    personal = {ReturnRow: {"name", "email"}, ParcelRow: {"tracking"}}
    assert {name for name, each in told.items() if each.personal} == personal.get(row, set())
