"""Rows become inspections, or are refused with what is wrong about them."""

from pathlib import Path
from typing import Any

import pytest

from tasks.files.inspections import Inspection, read_inspections, read_warehouse_file
from tasks.files.mapped_rows import Footer, Header, WrongRow, find_header
from tasks.files.mapping import InspectionMapping
from tasks.files.table import InputFileError, Row
from tests.tasks.files.returns import DECLINED, HEADER, MAPPING, SEVERAL, rows_of


def mapping(columns: dict[str, str], **other: object) -> InspectionMapping:
    return InspectionMapping.model_validate({"columns": columns, **other})


def one(cells: list[str], found: InspectionMapping = MAPPING) -> Inspection | WrongRow | Footer:
    header = HEADER if found.columns == MAPPING.columns else tuple(found.columns.named().values())
    return rows_of([cells], header, found)[0]


def refused(cells: list[str], found: InspectionMapping = MAPPING) -> str:
    row = one(cells, found)
    assert isinstance(row, WrongRow)
    return row.why


def test_the_header_is_found_below_titles_and_its_lack_is_said() -> None:
    rows = [Row(1, ("Returns of", "today")), Row(3, ("", *("Order", " SKU ", "quantity", "OUTCOME", "unit")))]
    header = find_header(rows, MAPPING.columns.named(), "in.csv")
    assert (header.row, header.places) == (3, {"order": 1, "sku": 2, "quantity": 3, "outcome": 4, "unit": 5})
    with pytest.raises(InputFileError) as missing:
        find_header([Row(1, ("order", "skus", "quantity", "unit"))], MAPPING.columns.named(), "in.csv")
    assert str(missing.value) == (
        "in.csv: no header with the mapping's columns; row 1 comes nearest. "
        "Missing: 'sku' (did you mean skus?); 'outcome'."
    )
    with pytest.raises(InputFileError, match="the column 'sku' is there twice in row 1"):
        find_header([Row(1, ("order", "sku", "SKU", "quantity", "outcome", "unit"))], MAPPING.columns.named(), "in.csv")


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["", "A", "1", "GOOD", ""], "it names no return: 'order' is empty"),
        (["R1", "", "1", "GOOD", ""], "it names no product: 'sku' is empty"),
        (["R1", "A", "1,5", "GOOD", ""], "'quantity' is '1,5'; write a whole number of units"),
        (["R1", "A", "-1", "GOOD", ""], "its quantity is -1"),
        (["R1", "A", "2000", "GOOD", ""], "its quantity is 2000"),
        (["R1", "A", "1", "LIKE NEW", ""], "the word 'LIKE NEW' of 'outcome' is not in the mapping (`words`)"),
        (["R1", "A", "1", "", ""], "an empty 'outcome' is not in the mapping (`words`)"),
        (["R1", "A", "1", "IN", ""], "'IN' says that it is not inspected yet"),
        (["1.23457E+11", "A", "1", "GOOD", ""], "'order' is 1.23457E+11, which a spreadsheet program has rounded"),
        (["R1", "A", "1", "GOOD", "", "x"], "it has more cells than the header, 5"),
    ],
)
def test_what_a_row_lacks_is_said_and_nothing_is_guessed(cells: list[str], said: str) -> None:
    assert said in refused(cells)


def test_quantities_are_read_by_the_decimal_sign_of_the_mapping() -> None:
    comma = MAPPING.model_copy(update={"decimal": ","})
    for found, text, many in (
        (MAPPING, "2.00", 2),
        (comma, "2,00", 2),
        (MAPPING, "1,000", 1000),
        (comma, "1.000", 1000),
    ):
        row = one(["R1", "A", text, "GOOD", ""], found)
        assert isinstance(row, Inspection)
        assert len(row.units) == many
    assert "whole number" in refused(["R1", "A", "2.50", "GOOD", ""], MAPPING)
    for slip in ("1_0", "1e2", "NaN", "2,", "0x2"):
        assert "whole number" in refused(["R1", "A", slip, "GOOD", ""], MAPPING)
    assert "whole number" in refused(["R1", "A", "2.0", "GOOD", ""], comma)


def test_columns_that_count_make_a_row_several_units() -> None:
    columns = {"rma": "RMA", "sku": "SKU", "approved": "OK", "declined": "NOK", "missing": "GONE", "reason": "Why"}
    counts = mapping(columns, reasons={"Worn": "It was worn"})
    row = one(["R1", "A", "2", "1", "", "worn"], counts)
    assert isinstance(row, Inspection)
    assert [(it.status, it.reason) for it in row.units] == [
        ("APPROVED", ""),
        ("APPROVED", ""),
        ("DECLINED", "It was worn"),
    ]
    assert (
        refused(["R1", "A", "2", "1", "", "?"], counts)
        == "it is declined, and the reason '?' is not in the mapping (`reasons`)"
    )
    assert refused(["R1", "A", "0", "", "", ""], counts) == "it counts 0 units"


def test_a_count_below_nothing_does_not_make_the_others_less() -> None:
    counts = mapping({"rma": "RMA", "sku": "SKU", "approved": "OK", "missing": "GONE"})
    assert "'GONE' is '-1': units are counted" in refused(["R1", "A", "2", "-1"], counts)


def test_the_reason_of_a_decline_is_the_mappings_and_never_the_cells_own_text() -> None:
    columns = {"rma": "RMA", "sku": "SKU", "outcome": "State", "reason": "Note"}
    found = mapping(columns, words={"bad": DECLINED}, reasons={"Stain": "It has a stain"})
    for note, reason in (("stain", "It has a stain"), ("Ana Ruiz was rude", "worn")):
        row = one(["R1", "A", "bad", note], found)
        assert isinstance(row, Inspection)
        assert row.units[0].reason == reason


def test_several_products_in_a_cell() -> None:
    row = one(["R1", "x2 A\nB\n3 x C", "1", "GOOD", ""], SEVERAL)
    assert isinstance(row, Inspection)
    assert [it.product.sku for it in row.units] == ["A", "A", "B", "C", "C", "C"]
    assert "how many of each is not said" in refused(["R1", "A\nB", "3", "GOOD", ""], SEVERAL)


def test_cells_of_the_order_are_filled_from_above_and_footers_are_no_rows() -> None:
    found = MAPPING.model_copy(update={"fill_down": True, "footers": ("Total",)})
    rows = rows_of(
        [["#1", "A", "1", "GOOD", ""], ["", "B", "1", "GOOD", ""], ["total", "", "2", "", ""]], mapping=found
    )
    assert [row.keys["order"] if isinstance(row, Inspection) else row for row in rows] == ["#1", "#1", Footer(4)]
    assert isinstance(rows[1], Inspection)
    assert rows[1].cells[0] == "#1"  # also where it comes back by itself


def test_a_date_in_two_columns_is_one_time() -> None:
    columns = {"rma": "RMA", "sku": "SKU", "inspected_at": "day", "inspected_time": "time"}
    found = mapping(columns, received_is="APPROVED", zone="+01:00")
    row = one(["R1", "A", "2026-03-02", "14:05"], found)
    assert isinstance(row, Inspection)
    assert str(row.inspected_at) == "2026-03-02 14:05:00+01:00"
    assert refused(["R1", "A", "02/03/2026", ""], found) == (
        "'day' is '02/03/2026'; write it as YYYY-MM-DD, or state `date_format`"
    )


def test_rows_before_the_header_are_no_rows() -> None:
    rows = [
        Row(2, ("order", "sku", "quantity", "outcome", "unit")),
        Row(1, ("a", "b")),
        Row(3, ("R1", "A", "1", "GOOD")),
    ]
    found = list(read_inspections(rows, find_header(rows, MAPPING.columns.named(), "in.csv"), MAPPING))
    assert [row.number for row in found] == [3]


def test_a_file_that_is_swapped_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its columns would be those of the one, and its rows those of the other: what was missing would be approved."""
    (tmp_path / "m.yaml").write_text("columns: {order: order, sku: sku, approved: ok, missing: gone}\n")
    (tmp_path / "day.csv").write_text("order,sku,ok,gone\nR1,A,1,0\n")
    (tmp_path / "new.csv").write_text("order,sku,gone,ok\nR1,A,1,0\n")

    def swapped(*arguments: Any) -> Header:
        header = find_header(*arguments)
        (tmp_path / "new.csv").replace(tmp_path / "day.csv")
        return header

    monkeypatch.setattr("tasks.files.mapped_file.find_header", swapped)
    with pytest.raises(InputFileError, match=r"day\.csv: changed while it was read"):
        read_warehouse_file(tmp_path / "day.csv", tmp_path / "m.yaml")
