"""Results as tables of pandas: columns by the models, amounts exact, the shopper's data only where asked for."""

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from rever_api import AsyncReverClient, Ecommerce, Results, ReturnProcess, to_frame
from rever_api.sandbox import running_sandbox
from tests.rever_api.conftest import Caller
from tests.rever_api.samples import page, process
from tests.rever_api.told_server import ToldServer, answers

LINES = [
    {"id": "l1", "quantity": 2, "total_price": "0.10", "currency": "EUR", "product": {"sku": "A", "price_list": "x"}},
    {"id": "l2", "quantity": 1, "total_price": "0.20", "currency": "EUR"},
]
REFUNDS = [{"amount": "0.30", "currency": "EUR", "refunded_at": "2026-11-23T12:00:00Z"}]
SHOPPER = {"email": "ada@example.org", "first_name": "Ada"}


def read(process_id: str = "a", **fields: Any) -> ReturnProcess:
    return ReturnProcess.model_validate(process(process_id, **fields))


FULL = read(
    return_line_items=LINES,
    shopper=SHOPPER,
    compensation={"refunds": REFUNDS},
    started_at="2026-11-01T00:00:00Z",
    new=7,
)


def test_one_row_for_each_and_objects_in_columns_of_their_own() -> None:
    frame = to_frame([FULL, read("b")])
    assert list(frame["rever_process_id"]) == ["a", "b"]
    assert frame["started_at"][0] == datetime(2026, 11, 1, tzinfo=UTC)
    assert frame["return_line_items"][0] is FULL.return_line_items
    assert next(name for name in frame.columns if name.startswith("compensation")) == "compensation.refunds"


def test_amounts_stay_decimals_and_numbers_whole() -> None:
    frame = to_frame([FULL, read("b", return_line_items=[])], per="return_line_items")
    amounts = frame["return_line_items.total_price"]
    assert [type(amount) for amount in amounts] == [Decimal, Decimal]
    assert amounts.sum() == Decimal("0.30")
    assert list(frame["return_line_items.quantity"]) == [2, 1]
    assert list(frame["rever_process_id"]) == ["a", "a"]
    assert frame["return_line_items.product.sku"][0] == "A"
    assert "return_line_items" not in frame.columns


def test_a_list_in_an_object_gives_rows_too() -> None:
    frame = to_frame([FULL, read("b")], per="compensation.refunds")
    assert list(frame["compensation.refunds.amount"]) == [Decimal("0.30")]


def test_the_shopper_and_unknown_fields_are_left_out_unless_asked_for() -> None:
    bare = to_frame([FULL], per="return_line_items")
    assert "ada" not in bare.to_csv().lower()
    assert {"new", "return_line_items.product.price_list"}.isdisjoint(bare.columns)
    full = to_frame([FULL], per="return_line_items", personal=True)
    assert list(full["shopper.email"]) == ["ada@example.org"] * 2
    assert (full["new"][0], full["return_line_items.product.price_list"][0]) == (7, "x")


def test_an_empty_result_has_the_columns_of_a_full_one() -> None:
    for per in ("", "return_line_items"):
        full, empty = to_frame([FULL], per=per), to_frame([], ReturnProcess, per=per)
        assert (list(empty.columns), len(empty)) == (list(full.columns), 0)
    assert list(Results.of(Ecommerce, ()).to_frame().columns) == ["ecommerce_id", "name"]


def test_what_is_no_list_of_objects_makes_no_rows() -> None:
    with pytest.raises(ValueError, match=r"per='lines' names no list of objects; it may be return_line_items, "):
        to_frame([FULL], per="lines")


def test_a_search_becomes_a_table(call: Caller, told: ToldServer) -> None:
    told.tell(answers(200, page("a", "b", rowcount=2)))
    frame = call.session(lambda client: client.processes.search().to_frame())
    assert list(frame["rever_process_id"]) == ["a", "b"]


async def test_a_table_of_all_returns_of_the_sandbox() -> None:
    with running_sandbox(returns=30) as rever:
        async with AsyncReverClient(api_key=rever.api_key, base_url=rever.base_url, group=rever.group) as client:
            frame = await client.processes.search(page_size=7).to_frame(per="return_line_items", personal=True)
            stores = (await client.ecommerces.list()).to_frame()
    assert frame["rever_process_id"].nunique() == 30
    assert {type(amount) for amount in frame["return_line_items.total_price"]} == {Decimal}
    assert list(stores["ecommerce_id"]) == list(rever.stores)


def test_pandas_is_imported_where_a_table_is_made_alone() -> None:
    program = "import sys, rever_api; print({'pandas', 'prefect', 'sqlalchemy'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
