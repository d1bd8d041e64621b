"""The rows of a list as returns to be made: what a cell says, which rows are one return, and the key that it has."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.files.mapped_rows import Footer, WrongRow, find_header
from tasks.files.new_returns import (
    AnyReturnRow,
    ReturnRow,
    WantedItem,
    WantedReturn,
    read_return_rows,
    wanted_returns,
)
from tasks.files.return_mapping import ReturnMapping
from tasks.files.table import Row

HEADER = ("key", "order", "email", "sku", "quantity", "reason")
COLUMNS = {name: name for name in HEADER}
REASONS = {"small": "WRONG_SIZE_TOO_SMALL", "Faulty": "DEFECTIVE"}
PER_KEY = ReturnMapping.model_validate({"columns": COLUMNS, "reasons": REASONS, "method": "GIFT_CARD"})
UNKEYED = {name: name for name in HEADER if name != "key"}
PER_ORDER = ReturnMapping.model_validate({"columns": UNKEYED, "reasons": REASONS, "one_return_per": "order"})
PER_ROW = PER_ORDER.model_copy(update={"one_return_per": "row"})
ADA = "Ada@example.com"


def rows_of(rows: Sequence[Sequence[str]], mapping: ReturnMapping = PER_KEY) -> list[AnyReturnRow]:
    """The rows of a list with this header, the first of them row 2."""
    table = [Row(1, HEADER), *(Row(number, tuple(cells)) for number, cells in enumerate(rows, 2))]
    return list(read_return_rows(table, find_header(table, mapping.columns.named(), "in.csv"), mapping))


def wanted(rows: Sequence[Sequence[str]], mapping: ReturnMapping = PER_KEY) -> list[WantedReturn]:
    found, refused = wanted_returns(rows_of(rows, mapping), mapping, "acme")
    assert refused == []
    return found


def row(
    key: str = "k1", order: str = "#1", email: str = ADA, sku: str = "A", many: str = "1", why: str = "small"
) -> list[str]:
    return [key, order, email, sku, many, why]


def test_a_row_says_order_shopper_goods_and_why() -> None:
    (found,) = rows_of([row(many="2", why="faulty")])
    assert isinstance(found, ReturnRow)
    assert (found.order_name, found.email, found.key) == ("#1", ADA, "k1")
    assert found.items == (WantedItem("A", 2, "DEFECTIVE", "GIFT_CARD"),)


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (row(order=""), "'order' is empty"),
        (row(order="#"), "'order' names no order"),
        (row(order="1.23457E+11"), "which a spreadsheet program has rounded"),
        (row(email=""), "'email' is empty"),
        (row(email="Ana Ruiz"), "'email' is no e-mail address"),
        (row(email="a@b"), "'email' is no e-mail address"),
        (row(email="a b@example.com"), "'email' is no e-mail address"),
        (row(sku=""), "'sku' is empty"),
        (row(key=""), "'key' is empty"),
        (row(key="ada@example.com"), "a key names a return, and no shopper"),
        (row(many="0"), "its quantity is 0"),
        (row(many="1.5"), "write a whole number of units"),
        (row(many="-1"), "its quantity is -1"),
        (row(why="other"), "the word 'other' of 'reason' is not in the mapping (`reasons`)"),
        (row(why=""), "an empty cell of 'reason' is not in the mapping"),
        (row(why="ana@example.com"), "an e-mail address of 'reason' is not in the mapping"),
        ([*row(), "more"], "it has more cells than the header"),
    ],
)
def test_a_row_that_says_it_not_or_in_two_ways_is_refused(cells: list[str], why: str) -> None:
    (found,) = rows_of([cells])
    assert isinstance(found, WrongRow)
    assert why in found.why
    assert "ana" not in found.why.casefold()


def test_the_shopper_is_in_no_repr() -> None:
    rows = rows_of([row(), row(email="Ada", order="#2"), row(key="ada lovelace")])
    found = wanted_returns(rows, PER_KEY, "acme")
    assert "ada" not in (repr(rows) + repr(found)).casefold()


def test_several_products_of_a_cell_are_several_items() -> None:
    mapping = PER_KEY.model_copy(update={"several_parted_by": "\n"})
    (found,) = wanted([row(sku="x2 A\nB", many="1")], mapping)
    assert [(it.sku, it.quantity) for it in found.items] == [("A", 2), ("B", 1)]


def test_order_and_shopper_may_stand_on_the_first_row_alone() -> None:
    mapping = PER_KEY.model_copy(update={"fill_down": True, "footers": ("Total",)})
    rows = rows_of([row(), ["", "", "", "B", "1", "small"], ["Total", "2", "", "", "", ""]], mapping)
    assert isinstance(rows[-1], Footer)
    (found,) = wanted_returns(rows, mapping, "acme")[0]
    assert [it.sku for it in found.items] == ["A", "B"]


def test_the_rows_of_a_key_are_one_return_and_add_up() -> None:
    one, two = wanted([row(), row("k2"), row(" K1 "), row(sku="B")])
    assert [it.number for it in one.rows] == [2, 4, 5]
    assert (one.units, two.units) == ({"a": 2, "b": 1}, {"a": 1})
    assert len({one.source, two.source}) == 2
    assert one.own
    assert two.own


def test_the_rows_of_an_order_are_one_return_or_each_is() -> None:
    rows = [row(), row(order="1", sku="B"), row(order="#2")]
    assert [len(it.rows) for it in wanted(rows, PER_ORDER)] == [2, 1]
    assert [len(it.rows) for it in wanted(rows, PER_ROW)] == [1, 1, 1]
    assert not any(it.own for it in wanted(rows, PER_ORDER))


@pytest.mark.parametrize(
    ("rows", "mapping", "why"),
    [
        ([row(), row(order="#2")], PER_KEY, "the rows 2, 3 have one key, and name more than one order"),
        ([row(), row(email="eve@example.com")], PER_KEY, "are one return, and name more than one e-mail address"),
        ([row(), row(why="hm")], PER_KEY, "row 3 is of the same return, and it is refused"),
        ([row(), row(order="1", why="hm")], PER_ORDER, "row 3 is of the same return, and it is refused"),
    ],
)
def test_a_return_is_made_whole_or_not_at_all(rows: list[list[str]], mapping: ReturnMapping, why: str) -> None:
    found, refused = wanted_returns(rows_of(rows, mapping), mapping, "acme")
    assert found == []
    assert [it.number for it in refused] == [2, 3]
    assert why in refused[0].why
    if mapping is PER_ORDER:
        assert len(wanted_returns(rows_of(rows, PER_ROW), PER_ROW, "acme")[0]) == 1


CELLS = st.tuples(
    st.sampled_from(["k1", "K1 ", "k2", ""]),
    st.sampled_from(["#1", "1", "#2", ""]),
    st.sampled_from([ADA, ADA.lower(), "eve@example.com", "nobody"]),
    st.sampled_from(["A", "a", "B", ""]),
    st.sampled_from(["1", "2", "x"]),
    st.sampled_from(["small", "faulty", "?"]),
)


@settings(max_examples=60)
@given(st.lists(CELLS, max_size=8), st.sampled_from([PER_KEY, PER_ORDER, PER_ROW]))
def test_no_row_is_lost(rows: list[tuple[str, ...]], mapping: ReturnMapping) -> None:
    found, refused = wanted_returns(rows_of(rows, mapping), mapping, "acme")
    numbers = [it.number for each in found for it in each.rows] + [it.number for it in refused]
    assert sorted(numbers) == list(range(2, len(rows) + 2))


GOOD = st.tuples(
    st.sampled_from(["k1", "k2", "k3"]), st.sampled_from(["#1", "#2"]), st.just(ADA), st.sampled_from(["A", "B"]),
    st.sampled_from(["1", "2"]), st.sampled_from(["small", "faulty"]),
)  # fmt: skip


@settings(max_examples=60)
@given(st.lists(GOOD, min_size=1, max_size=8), st.sampled_from([PER_ORDER, PER_ROW]), st.randoms())
def test_a_key_is_the_same_in_whatever_order_and_spelling_the_rows_come(
    rows: list[tuple[str, ...]], mapping: ReturnMapping, random: object
) -> None:
    mixed = [
        (key, order.lstrip("#"), email.upper(), f" {sku.lower()}", many, why.upper())
        for key, order, email, sku, many, why in rows
    ]
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert {it.source for it in wanted(rows, mapping)} == {it.source for it in wanted(mixed, mapping)}


@settings(max_examples=60)
@given(st.lists(GOOD, min_size=2, max_size=2))
def test_two_rows_have_one_key_just_where_they_say_the_same(rows: list[tuple[str, ...]]) -> None:
    one, two = wanted(rows, PER_ROW)
    assert (one.source == two.source) == (rows[0][1:] == rows[1][1:])
    with_keys = wanted_returns(rows_of(rows), PER_KEY, "acme")[0]
    assert len({it.source for it in with_keys}) == len(with_keys)


def test_a_key_is_that_of_its_store_and_order() -> None:
    rows = rows_of([row()])
    (one,) = wanted_returns(rows, PER_KEY, "acme")[0]
    (other,) = wanted_returns(rows, PER_KEY, "nordic")[0]
    (third,) = wanted([row(order="#2")])
    assert len({one.source, other.source, third.source}) == 3
    assert one.source.startswith("file ")
    assert "k1" not in one.source


def test_a_column_whose_words_are_all_undecided_is_refused_with_what_to_do() -> None:
    columns = {"key": "RMA", "order": "Order", "email": "Mail", "sku": "SKU", "method": "Refund as"}
    with pytest.raises(ValueError, match="`methods` with what each word of the column means; a line behind a # is not"):
        ReturnMapping.model_validate({"columns": columns})
