"""Whatever is in a table's file, it is read exactly or refused in words; and an empty cell never becomes a fact."""

import csv
import io
import tempfile
from collections.abc import Callable
from dataclasses import fields
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tasks.files.fact_rows import FactTableError
from tasks.files.fact_tables import ORDER_COLUMNS, read_orders, read_products
from tasks.policy.return_facts import Money, Unknown
from tasks.policy.side_facts import OrderFacts, OrderItem

TEXTS = st.sampled_from(["paypal", "Zürich", "a b", "O'Neill", '"quoted"', "1e5", "007", "x;y", "x,y"])
TAGS = st.frozensets(st.sampled_from(["VIP", "Final Sale", "été", "a-b", "+1"]), max_size=3)
DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))
MONEY = st.decimals(0, 10**6, places=2).map(lambda amount: Money(amount, "EUR"))
ITEMS = st.lists(
    st.builds(OrderItem, st.integers(1, 99), st.sampled_from(["S-1", "007", "a:b"])), min_size=1, max_size=3
)
KINDS: dict[str, Any] = {
    **dict.fromkeys(("ordered_on", "fulfilled_on", "delivered_on"), st.none() | DAYS),
    **dict.fromkeys(("order_value", "shipping", "label_cost"), MONEY),
    **dict.fromkeys(("order_tags", "customer_tags"), TAGS),
    **dict.fromkeys(("gateway", "fraud_risk"), st.none() | TEXTS),
    "items": ITEMS.map(tuple),
}
ROWS = st.dictionaries(
    st.from_regex(r"[0-9]{1,4}|[A-Z]{2}-[0-9]{1,3}", fullmatch=True),
    st.fixed_dictionaries({}, optional=KINDS),
    max_size=5,
)


def cell(value: Any) -> str:
    """A fact as a table has it."""
    match value:
        case None:
            return "-"
        case Money():
            return str(value.amount)
        case frozenset():
            return "|".join(sorted(value)) or "-"
        case tuple():
            return "|".join(f"{item.sku}:{item.quantity}" for item in value)
        case _:
            return str(value)


def written(folder: str, rows: dict[str, dict[str, Any]], dialect: dict[str, Any]) -> Path:
    text = io.StringIO(newline="")
    writer = csv.writer(text, **dialect)
    writer.writerow(["order_id", "currency", *ORDER_COLUMNS])
    for order_id, told in rows.items():
        writer.writerow([order_id, "EUR", *(cell(told[name]) if name in told else "" for name in ORDER_COLUMNS)])
    path = Path(folder) / "orders.csv"
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    return path


@given(ROWS, st.sampled_from([{}, {"delimiter": ";"}, {"delimiter": "\t"}, {"quoting": csv.QUOTE_ALL}]))
def test_what_was_written_is_read_and_what_was_left_empty_is_not_told(
    rows: dict[str, dict[str, Any]], dialect: dict[str, Any]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        table = read_orders(written(folder, rows, dialect))
    found = table.by_id.get("", {})
    assert set(found) == set(rows)
    for order_id, told in rows.items():
        for each in fields(OrderFacts):
            value = getattr(found[order_id], each.name)
            if each.name in told:
                assert value == told[each.name]
            elif each.name != "source":
                assert isinstance(value, Unknown)


HEADS = st.sampled_from([b"", b"order_id,gateway\n", b"sku;product_tags\n", b"\xef\xbb\xbforder_id\n", b"PK\x03\x04"])


@given(HEADS, st.binary(max_size=200))
def test_any_bytes_are_rows_or_sentences(head: bytes, body: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.csv"
        path.write_bytes(head + body)
        refused = [_problems(read, path) for read in (read_orders, read_products)]
    assert all(str(path) in words for problems in refused for words in problems)
    assert any(refused), "one of the two has another table's columns"


def _problems(read: Callable[[Path], object], path: Path) -> tuple[str, ...]:
    try:
        read(path)
    except FactTableError as error:
        return error.problems
    return ()


@given(st.decimals(allow_nan=False, allow_infinity=False), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_an_amount_is_exact_or_refused(amount: Decimal, currency: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "orders.csv"
        path.write_text(f"order_id,order_value,currency\n1,{amount},{currency}\n")
        try:
            found = read_orders(path).by_id[""]["1"].order_value
        except FactTableError:
            return
    assert found == Money(amount, currency)
