"""Tables of products and orders: what they tell, and the traps of files that other programs have written."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest

from tasks.files.fact_rows import FactTableError
from tasks.files.fact_tables import Tables, read_orders, read_products, read_tables, store_facts
from tasks.policy.policy_file import PolicyFile, read_policy
from tasks.policy.return_facts import Money
from tasks.policy.side_facts import NOT_TOLD, OrderItem


def write(folder: Path, text: str | bytes, name: str = "orders.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def problems(path: Path) -> tuple[str, ...]:
    with pytest.raises(FactTableError) as refused:
        (read_products if path.name == "products.csv" else read_orders)(path)
    return tuple(words.replace(f"{path.parent}/", "") for words in refused.value.problems)


def test_a_table_of_products(tmp_path: Path) -> None:
    text = (
        "sku,product_type,vendor,product_tags,variants,product_cost,currency\n"
        "007,shoe,Acme,Final Sale| summer ,3,12.50,EUR\n"
        "S-2,,-,-,,,\n"
    )
    table = read_products(write(tmp_path, text, "products.csv"))
    first, second = table.products["007"], table.products["S-2"]
    assert (first.product_type, first.vendor, first.variants) == ("shoe", "Acme", 3)
    assert (first.product_tags, first.cost) == (frozenset({"Final Sale", "summer"}), Money(Decimal("12.50"), "EUR"))
    assert (second.product_type, second.vendor, second.product_tags) == (NOT_TOLD, None, frozenset())
    assert (second.variants, second.cost, second.source) == (NOT_TOLD, NOT_TOLD, "products.csv, row 3")
    assert table.told == {"product_type", "vendor", "product_tags", "variants", "cost"}


def test_a_table_of_orders(tmp_path: Path) -> None:
    text = (
        "order_id,order_name,ordered_on,delivered_on,order_value,shipping,currency,order_tags,items\n"
        "0042,#1001,2026-03-01,-,1000.00,4.90,EUR,vip|b2b,S-1:2|A:B:1\n"
        ",1002,2026-03-02,2026-03-05,,,,-,\n"
    )
    table = read_orders(write(tmp_path, text))
    one, two = table.by_id[""]["0042"], table.by_name[""]["1002"]
    assert (one.ordered_on, one.delivered_on, one.fulfilled_on) == (date(2026, 3, 1), None, NOT_TOLD)
    assert (one.order_value, one.shipping) == (Money(Decimal("1000.00"), "EUR"), Money(Decimal("4.90"), "EUR"))
    assert (one.order_tags, one.items) == (frozenset({"vip", "b2b"}), (OrderItem(2, "S-1"), OrderItem(1, "A:B")))
    assert (two.delivered_on, two.order_tags, two.order_value) == (date(2026, 3, 5), frozenset(), NOT_TOLD)
    assert (table.by_name[""]["1001"], table.rows) == (one, 2)


@pytest.mark.parametrize(
    "text",
    [
        "order_id,gateway\n0042,paypal\n",
        "\ufefforder_id,gateway\r\n0042,paypal\r\n",
        "order_id;gateway;\n0042;paypal;\n\n;;\n",
        "Order ID\tGateway\n 0042 \t\xa0paypal\n",
        'order_id,gateway\n="0042",paypal\n',
        "order_id,gateway\n'0042,paypal\n",
        'order_id,gateway\n"0042","paypal"\n0042,\n0042,paypal\n',
    ],
)
def test_one_table_in_many_forms(tmp_path: Path, text: str) -> None:
    assert read_orders(write(tmp_path, text)).by_id[""]["0042"].gateway == "paypal"


def test_a_workbook_is_a_table_too(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (("order_id", "ordered_on", "gateway"), ("0042", date(2026, 3, 1), "paypal")):
        book.worksheets[0].append(row)
    book.save(tmp_path / "orders.xlsx")
    order = read_orders(tmp_path / "orders.xlsx").by_id[""]["0042"]
    assert (order.ordered_on, order.gateway) == (date(2026, 3, 1), "paypal")


def test_a_workbook_of_several_sheets_is_refused_and_an_empty_one_does_not_count(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.worksheets[0].append(("order_id",))
    book.create_sheet("empty")
    book.save(tmp_path / "orders.xlsx")
    assert read_orders(tmp_path / "orders.xlsx").rows == 0
    book.create_sheet("older").append(("order_id",))
    book.save(tmp_path / "orders.xlsx")
    assert problems(tmp_path / "orders.xlsx") == ("orders.xlsx: has several sheets, Sheet, older; keep one of them.",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "order_id,ordered_on\n42,01/03/2026\n",
            "orders.csv, row 2, ordered_on is '01/03/2026'; right would be a date of the store's zone, such as"
            " 2026-12-01.",
        ),
        ("order_id,ordered_on\n42,2026-02-30\n", "row 2, ordered_on is '2026-02-30'; right would be a date"),
        ("order_id,ordered_on\n42,2026-03-01T10:00:00Z\n", "right would be a date of the store's zone"),
        ("order_id,ordered_on\n42,46112\n", "right would be a date of the store's zone"),
        ('order_id,order_value,currency\n42,"1.234,50",EUR\n', "an amount in plain digits with a point, such as 24.00"),
        ("order_id,order_value,currency\n42,-5.00,EUR\n", "an amount in plain digits"),
        ("order_id,order_value,currency\n42,5.00,\n", "row 2, currency is empty; right would be the currency"),
        ("order_id,order_value\n42,5.00\n", "row 2, currency is empty"),
        ("order_id,order_value,currency\n42,5.00,eur\n", "row 2, currency is 'eur'"),
        ("order_id,order_value,currency\n42,5.001,EUR\n", "an amount with no more decimals than EUR has"),
        ("order_id,order_value,currency\n42,5.50,JPY\n", "an amount with no more decimals than JPY has"),
        ('order_id,order_tags\n42,"vip, b2b"\n', "tags parted by |, as vip|wholesale"),
        ("order_id,items\n42,S-1\n", "SKU and units of each line of the order, as SKU-1:2|SKU-2:1"),
        ("order_id,items\n42,S-1:0\n", "SKU and units"),
        ("order_id,gateway\n1.23457E+11,paypal\n", "is 1.23457E+11, which a program has made of digits"),
        ("order_id,gateway\n6754.0,paypal\n", "is 6754.0, which a program has made of digits"),
        ("order_id,gateway\n,paypal\n", "order_id is empty, and so is order_name"),
        ("order_id,order_name,gateway\n,#,paypal\n", "order_id is empty, and so is order_name"),
        ("order_id,gateway\n42,NaN\n", "row 2, gateway is 'NaN', a program's word for no value"),
        ("order_id,gateway\n42,#REF!\n", "a spreadsheet's error"),
        ("order_id,gateway\n42,ann@example.com\n", "row 2, gateway holds an e-mail address; right would be nothing"),
        ("order_id,gateway\n42\n", "row 2 has 1 cells, and the header has 2"),
        ("order_id,gateway\n42,pay,pal\n", "row 2 has 3 cells, and the header has 2"),
        ("order_id,gatway\n42,paypal\n", "'gatway' is no column of this table (did you mean gateway?)"),
        ("order_id,gateway,gateway\n42,a,b\n", "the column gateway is there twice"),
        ("gateway\npaypal\n", "there is no column order_id or order_name, by which a row is found"),
        ("", "is empty"),
        ("\n\nreport,of,orders\norder_id,gateway\n", "row 3: 'report' is no column of this table"),
        (
            "order_id,gateway\n42,paypal\n42,stripe\n",
            "row 3, gateway is another than that of order 42 in orders.csv, row 2",
        ),
        (
            "order_name,gateway\n#1,paypal\n1,stripe\n",
            "row 3, gateway is another than that of order 1 in orders.csv, row 2",
        ),
        ("order_id,order_name\n1,#A\n1,#B\n", "row 3, order_name is another than that of order 1 in orders.csv, row 2"),
        ("order_id,order_name\n1,#A\n2,#A\n", "row 3, order_id is another than that of order a in orders.csv, row 2"),
        ("order_id,store,gateway\n42,,paypal\n", "row 2, store is empty; right would be the store's id at REVER"),
        ('order_id,gateway\n42,"paypal\n', "row 2 cannot be read"),
        (b"order_id,gateway\n42,caf\xe9\n", "is not text in UTF-8"),
        ("order_id,gateway\n42,a\u200bb\n", "row 2, gateway holds a line break, or an invisible character"),
        ('order_id,gateway\n42,"a\nb"\n', "holds a line break"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(tmp_path: Path, text: str | bytes, said: str) -> None:
    found = problems(write(tmp_path, text))
    assert any(said in words for words in found), found
    assert not any("ann@" in words for words in found)


def test_all_problems_are_said_at_once_and_not_without_end(tmp_path: Path) -> None:
    rows = "".join(f"{number},yesterday\n" for number in range(100))
    found = problems(write(tmp_path, f"order_id,ordered_on\n{rows}"))
    assert (len(found), found[0][:20]) == (21, "orders.csv, row 2, o")
    assert found[-1] == "orders.csv: and 80 more problems like these."


def test_rows_of_one_order_add_up(tmp_path: Path) -> None:
    # As shops export them: the order's own fields on its first row alone.
    text = "order_name,ordered_on,gateway\n#1001,2026-03-01,\n#1001,,paypal\n#1001,,\n"
    order = read_orders(write(tmp_path, text)).by_name[""]["1001"]
    assert (order.ordered_on, order.gateway) == (date(2026, 3, 1), "paypal")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert problems(tmp_path / "orders.csv") == ("orders.csv: cannot be read (No such file or directory).",)
    with pytest.raises(FactTableError, match="is no file"):
        read_products(tmp_path)


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    path = write(tmp_path, "order_id,gateway\n42,paypal\n")
    first = read_orders(path)
    assert read_orders(path) is first
    write(tmp_path, "order_id,gateway\n42,stripe!\n")
    assert read_orders(path).by_id[""]["42"].gateway == "stripe!"


def policies(folder: Path, text: str) -> tuple[PolicyFile, Path]:
    path = write(folder, text, "policy.yaml")
    return read_policy(path), path


def test_a_store_s_table_stands_in_the_place_of_the_default_s(tmp_path: Path) -> None:
    (tmp_path / "nordic").mkdir()
    write(tmp_path, "sku,vendor\nS,Acme\n", "products.csv")
    write(tmp_path / "nordic", "sku,vendor\nS,Nord\n", "products.csv")
    write(tmp_path, "order_id,gateway\n42,paypal\n")
    found, path = policies(
        tmp_path,
        "default:\n  facts: {products: products.csv}\nstores:\n  acme:\n    facts: {orders: orders.csv}\n"
        "  nordic:\n    facts: {products: nordic/products.csv}\n",
    )
    sides = store_facts(found, read_tables(found, path), ("acme", "nordic", "third"))
    assert [sides[store].products["S"].vendor for store in ("acme", "nordic", "third")] == ["Acme", "Nord", "Acme"]
    assert (set(sides["acme"].orders), set(sides["nordic"].orders)) == ({"42"}, set())


def test_stores_that_share_a_table_of_orders_are_told_apart(tmp_path: Path) -> None:
    found, path = policies(tmp_path, "default:\n  facts: {orders: orders.csv}\n")
    write(tmp_path, "order_name,gateway\n#1,paypal\n")
    tables = read_tables(found, path)
    assert store_facts(found, tables, ["acme"])["acme"].orders_by_name["1"].gateway == "paypal"
    with pytest.raises(FactTableError, match=r"is the table of orders of acme, nordic, and two shops may have the"):
        store_facts(found, tables, ["acme", "nordic"])
    write(tmp_path, "store,order_name,gateway\nacme,#1,paypal\nnordic,#1,klarna\n")
    sides = store_facts(found, read_tables(found, path), ["acme", "nordic", "third"])
    gateways = [getattr(sides[store].orders_by_name.get("1"), "gateway", None) for store in ("acme", "nordic", "third")]
    assert gateways == ["paypal", "klarna", None]


def test_every_problem_of_every_table_is_said(tmp_path: Path) -> None:
    found, path = policies(tmp_path, "default:\n  facts: {products: p.csv, orders: orders.csv}\n")
    write(tmp_path, "order_id,variants\n42,1\n")
    with pytest.raises(FactTableError) as refused:
        read_tables(found, path)
    assert [("p.csv" in words, "orders.csv" in words) for words in refused.value.problems] == [
        (True, False),
        (False, True),
    ]
    assert read_tables(PolicyFile(), None) == Tables()
