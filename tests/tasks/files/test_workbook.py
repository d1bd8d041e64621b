"""Workbooks: cells as exact text, the sheet that is meant, and what is broken, huge or hidden."""

import zipfile
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from tasks.files.open_table import open_table
from tasks.files.table import NO_VALUE, InputFileError, Reading, Row
from tests.tasks.files.files import cells, ods, ods_cell, ods_row, read, rows_or_words, xlsx

REPEATED = 'table:number-columns-repeated="400" office:value-type="string"'
XLS = Path(__file__).parent / "data" / "receipt.xls"


def test_the_cells_of_an_xlsx_are_exact_text(tmp_path: Path) -> None:
    path = xlsx(
        tmp_path / "in.xlsx",
        [
            ["id", "code", "when", "day", "n", "ok", "sum", "error"],
            ["007", 42, datetime.fromisoformat("2026-03-02T14:05"), date(2026, 3, 2), 5.0, True, "=1+1", "#N/A"],
            ["1234567890123456789", 0.1 + 0.2, None, None, 1.2345e17, False, None, "#DIV/0!"],
        ],
    )
    book = openpyxl.load_workbook(path)
    assert book.active is not None
    book.active["B2"].number_format = "00000"
    book.save(path)
    assert cells(path)[1:] == [
        ["007", "00042", "2026-03-02T14:05:00", "2026-03-02", "5", "TRUE", NO_VALUE, "#N/A"],
        ["1234567890123456789", "0.3", "", "", "1.2345e+17", "FALSE", "", "#DIV/0!"],
    ]


def test_a_formula_is_its_value(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "in.xlsx", [["a", "b"], ["=1+1", "x"]])
    changed = tmp_path / "calculated.xlsx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"<v></v>", b"<v>2</v>").replace(b"<v />", b"<v>2</v>"))
    assert cells(changed)[1] == ["2", "x"]


def test_the_cells_of_an_xls_are_exact_text() -> None:
    assert read(XLS) == [
        Row(1, ("Returns of 2 March", "", "", "", "", "", "")),
        Row(3, ("return_id", "received_at", "order_item_id", "quantity_received", "big", "ok", "note")),
        Row(4, ("0020017", "2026-03-02", "00880011", "1", "1.2345678901234568e+17", "TRUE", "")),
        Row(5, ("20018", "2026-03-02T14:05:00", "", "0.5", "", "", "#N/A")),
    ]


def test_the_cells_of_an_ods_are_exact_text(tmp_path: Path) -> None:
    number = ods_cell("5", 'office:value-type="float" office:value="5"')
    day = ods_cell("2/3", 'office:value-type="date" office:date-value="2026-03-02"')
    empty = '<table:table-cell table:number-columns-repeated="16384"/>'
    end = f'<table:table-row table:number-rows-repeated="1048000">{empty}</table:table-row>'
    row = f"<table:table-row>{ods_cell('007')}{number}{day}</table:table-row>"
    path = ods(tmp_path / "in.ods", ods_row("id", "n", "day") + row + end)
    assert cells(path) == [["id", "n", "day"], ["007", "5", "2026-03-02"]]
    assert open_table(path).how == "ODS, sheet 'Returns'"


def test_a_hidden_sheet_is_not_read_and_one_of_several_can_be_named(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for name in ("Notes", "Returns", "Secret"):
        book.create_sheet(name).append([name, "x"])
    book["Secret"].sheet_state = "hidden"
    book.save(tmp_path / "in.xlsx")
    table = open_table(tmp_path / "in.xlsx")
    assert (table.sheet, table.sheets) == ("Notes", ("Notes", "Returns"))
    assert cells(tmp_path / "in.xlsx", Reading(sheet="Returns")) == [["Returns", "x"]]
    with pytest.raises(InputFileError, match="no sheet 'Secret' that is shown; there are 'Sheet', 'Notes', 'Returns'"):
        open_table(tmp_path / "in.xlsx", Reading(sheet="Secret"))


def test_a_workbook_of_years_from_1904_has_its_own_dates(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    assert book.active is not None
    book.active.append([date(2026, 3, 2)])
    book.save(tmp_path / "in.xlsx")
    assert cells(tmp_path / "in.xlsx") == [["2026-03-02"]]


def test_a_workbook_that_is_wrong_of_its_size_is_read_whole(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "in.xlsx", [["a", "b"], ["1", "2"]])
    changed = tmp_path / "wrong.xlsx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b'ref="A1:B2"', b'ref="A1"'))
    assert cells(changed) == [["a", "b"], ["1", "2"]]


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.files.open_table.LARGEST_UNPACKED", 10 * 1024**2)
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active["A1"], book.active["XFD1048576"] = "a", "b"
    book.save(tmp_path / "sparse.xlsx")
    repeated = 'table:number-columns-repeated="16384" office:value-type="string"'
    wide = f"<table:table-row>{ods_cell('x', repeated)}</table:table-row>"
    tall = f'<table:table-row table:number-rows-repeated="1048576">{ods_cell("x")}</table:table-row>'
    with (
        zipfile.ZipFile(tmp_path / "zeros.xlsx", "w", zipfile.ZIP_DEFLATED) as packed,
        packed.open("xl/workbook.xml", "w") as file,
    ):
        for _ in range(11):
            file.write(bytes(1024**2))
    for path, said in (
        (tmp_path / "sparse.xlsx", "row 1048576 has 16,384 cells"),
        (ods(tmp_path / "wide.ods", wide), "a cell is there 16,384 times"),
        (ods(tmp_path / "tall.ods", tall), "a row is there 1,048,576 times"),
        (tmp_path / "zeros.xlsx", "unpacks to 11,534,336 bytes; a workbook may have 10,485,760"),
    ):
        with pytest.raises(InputFileError, match=said):
            read(path)


def test_a_workbook_with_a_password_says_so(tmp_path: Path) -> None:
    path = tmp_path / "in.xlsx"
    path.write_bytes(XLS.read_bytes()[:512] + bytes(512) + "EncryptedPackage".encode("utf-16-le") + bytes(512))
    with pytest.raises(InputFileError, match="is protected by a password; save it without one"):
        read(path)


def test_a_row_far_past_the_end_of_any_sheet_is_refused(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "in.xlsx", [["a", "b"], ["1", "2"]])
    changed = tmp_path / "far.xlsx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            content = old.read(name).replace(b'<row r="2"', b'<row r="2000000000"')
            new.writestr(name, content.replace(b'r="A2"', b'r="A2000000000"').replace(b'r="B2"', b'r="B2000000000"'))
    with pytest.raises(InputFileError):
        read(changed)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A workbook of each form, made once: its bytes hold the time."""
    folder = tmp_path_factory.mktemp("whole")
    return {
        "xlsx": xlsx(folder / "in.xlsx", [["a", "b"], ["007", 1.5]]).read_bytes(),
        "xls": XLS.read_bytes(),
        "ods": ods(folder / "in.ods", ods_row("a", "b")).read_bytes(),
    }


@given(st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@pytest.mark.parametrize("form", ["xlsx", "xls", "ods"])
def test_a_damaged_workbook_ends_in_rows_or_a_sentence(
    tmp_path: Path, whole: dict[str, bytes], form: str, data: st.DataObject
) -> None:
    content = bytearray(whole[form])
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=20)):
        content[place] = data.draw(st.integers(0, 255))
    damaged = tmp_path / "damaged"
    damaged.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    assert rows_or_words(damaged) != "no sentence"


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_whose_packed_bytes_are_damaged_is_a_broken_one(tmp_path: Path, method: int) -> None:
    path, kind = tmp_path / "damaged.ods", b"application/vnd.oasis.opendocument.spreadsheet"
    with zipfile.ZipFile(path, "w", method) as packed:
        packed.writestr("mimetype", kind)
    content = bytearray(path.read_bytes())
    begins = content.index(b"mimetype") + len(b"mimetype")
    content[begins : begins + 20] = b"\xff" * 20
    path.write_bytes(content)
    with pytest.raises(InputFileError, match="is a broken workbook or archive"):
        read(path)


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/styles.xml"])
def test_elements_without_number_are_refused_before_they_fill_the_memory(
    tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.files.workbook._MOST_ELEMENTS", 10_000)
    monkeypatch.setattr("tasks.files.workbook._MOST_IN_A_ROW", 10_000)
    many = xlsx(tmp_path / "many.xlsx", [["order"], *([["R1", "A", "B"]] * 2_000)])
    assert len(read(many)) == 2_001, "many rows are no fault"
    bomb = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(xlsx(tmp_path / "in.xlsx", [["order"]])) as source, zipfile.ZipFile(bomb, "w") as packed:
        for name in source.namelist():
            content = source.read(name)
            end = content.rindex(b"</row>" if b"</row>" in content else b"</")
            more = b"<c/>" * 20_000 if name == part else b""
            packed.writestr(name, content[:end] + more + content[end:])
    assert f"{part} has more than 10,000 elements" in rows_or_words(bomb)


def test_rows_and_cells_that_are_repeated_are_counted_together(tmp_path: Path) -> None:
    row = f'<table:table-row table:number-rows-repeated="999">{ods_cell("x", REPEATED)}</table:table-row>'
    path = ods(tmp_path / "in.ods", ods_row("order") + row * 100)
    assert "repeats its cells to more than 20,000,000" in rows_or_words(path)
