"""What comes back can be mended and sent again: the same cells, the same shape, and nothing that is calculated."""

import stat
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.files.inspections import read_inspections, read_warehouse_file
from tasks.files.mapped_rows import Header, find_header
from tasks.files.mapping import InspectionMapping
from tasks.files.open_table import open_table
from tasks.files.refused_file import refused_path, write_refused
from tasks.files.table import Form, InputFileError, Table
from tasks.files.verdicts import FileVerdict, RowVerdict, Verdict, judge
from tests.tasks.files.files import cells, ods, ods_row, text, xlsx
from tests.tasks.files.returns import MAPPING, NOW, line, process

IT = process("r1", [line("a", quantity=2), line("b")])
ROWS = [
    ["Returns of 2 March"],
    ["order", "sku", "quantity", "outcome", "unit", "note"],
    ["R1", "A", "1", "GOOD", "", "=1+1"],
    ["0042", "A", "1", "GOOD", "", "=HYPERLINK(1)"],
    ["R1", "A", "-1", "GOOD", "", "two\nlines; \"quotes\", 'one'"],
    ["R1", "B", "1", "GOOD", "", ""],
    ["R1", "B", "1", "bad", "", ""],
]


def found(path: Path, mapping: InspectionMapping = MAPPING) -> tuple[Table, FileVerdict, Path]:
    """The verdicts of a file, and where its refused rows are."""
    table = open_table(path, mapping.reading)
    header = find_header(table.rows(), mapping.columns.named(), str(path))
    verdicts = judge(read_inspections(table.rows(), header, mapping), [IT], NOW)
    out = refused_path(path, table.form)
    write_refused(out, table, header, verdicts.returned())
    return table, verdicts, out


def files(folder: Path) -> dict[str, Path]:
    quoted = [[cell.replace('"', '""') for cell in row] for row in ROWS]
    content = "\n".join(";".join(f'"{cell}"' for cell in row) for row in quoted)
    return {
        "csv": text(folder / "in.csv", content, "cp1252"),
        "xlsx": xlsx(folder / "in.xlsx", [row for row in ROWS if row != ROWS[2]]),
        "ods": ods(folder / "in.ods", "".join(ods_row(*row) for row in ROWS if not any("<" in it for it in row))),
    }


@pytest.mark.parametrize("form", ["csv", "xlsx", "ods"])
def test_the_rows_that_come_back_have_the_same_shape_and_a_reason(tmp_path: Path, form: str) -> None:
    path = files(tmp_path)[form]
    _, verdicts, out = found(path)
    assert verdicts.counts[Verdict.REFUSED] == 2
    assert verdicts.counts[Verdict.CONTRADICTS] == 2
    assert out.name == f"in.refused.{'csv' if form == 'csv' else 'xlsx'}"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    again = cells(out)
    assert again[0] == [*ROWS[1], "why"]
    back = {row.number: row for row in verdicts.rows if row.comes_back}
    assert [row[:6] for row in again[1:]] == [list(row.cells[:6]) for row in back.values()]
    assert again[1][-1] == "no return has the order 0042"
    assert again[3][-1].startswith("contradicts: line b has 1 unit, REVER shows 0 of them inspected, and row ")
    if form == "csv":
        assert (open_table(out).separator, open_table(out).encoding) == (";", "utf-8-sig")
        assert "'=HYPERLINK(1)" in out.read_text(encoding="utf-8-sig")


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_mended_file_is_taken_and_its_reasons_are_new(tmp_path: Path, form: str) -> None:
    out = found(files(tmp_path)[form])[2]
    rows = cells(out)
    rows[1][0] = "R1"
    mended = tmp_path / f"mended.{form}"
    if form == "csv":
        text(mended, "\n".join(";".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row) for row in rows))
    else:
        xlsx(mended, [["'" + cell if cell.startswith("=") else cell for cell in row] for row in rows])
    _, verdicts, second = found(mended)
    assert [row.verdict for row in verdicts.rows][:2] == [Verdict.REVIEW, Verdict.REFUSED]
    assert cells(second)[0] == [*ROWS[1], "why"]
    assert cells(second)[1][-1] == "its quantity is -1"


def test_no_file_is_written_over_and_none_without_rows(tmp_path: Path) -> None:
    path = files(tmp_path)["csv"]
    assert found(path)[2].name == "in.refused.csv"
    table, verdicts, out = found(path)
    assert out.name == "in.refused-2.csv"
    header = find_header(table.rows(), MAPPING.columns.named(), str(path))
    with pytest.raises(InputFileError, match="is there already"):
        write_refused(out, table, header, verdicts.returned())
    with pytest.raises(InputFileError, match="cannot be written"):
        write_refused(tmp_path / "none" / "out.csv", table, header, verdicts.returned())
    assert write_refused(tmp_path / "out.csv", table, header, []) == 0
    assert not (tmp_path / "out.csv").exists()


def test_a_workbook_of_refused_rows_has_text_alone(tmp_path: Path) -> None:
    out = found(files(tmp_path)["ods"])[2]
    sheet = openpyxl.load_workbook(out).active
    assert sheet is not None
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "inlineStr", "n"}
    assert sheet["A2"].value == "0042"
    assert refused_path(tmp_path / "x", Form.TEXT).name == "x.refused.csv"


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_row_that_is_wider_than_the_header_comes_back_whole_and_is_refused_again(tmp_path: Path, form: str) -> None:
    wide = ["R1", "A", "1", "GOOD", "", "note", "000", "", ""]  # a quantity of 1,000 would be one without the rest
    rows = [ROWS[1], wide]
    path = tmp_path / f"wide.{form}"
    text(path, "\n".join(map(",".join, rows))) if form == "csv" else xlsx(path, rows)
    for _ in range(3):
        _, verdicts, path = found(path)
        assert [row.verdict for row in verdicts.rows] == [Verdict.REFUSED]
        why = "it has more cells than the header, "
        (row,) = cells(path)[1:]
        assert (row[:6], row[6].startswith(why), row[7]) == (wide[:6], True, "000")


@pytest.mark.parametrize("dies", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_half_a_file_of_rows_is_never_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies: BaseException
) -> None:
    path = files(tmp_path)["csv"]
    table = open_table(path)
    there = set(tmp_path.iterdir())

    def full(handle: int) -> None:
        raise dies

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises((InputFileError, KeyboardInterrupt)):
        write_refused(tmp_path / "out.csv", table, Header(1, tuple(ROWS[1]), {}), [(ROWS[3], "no")])
    assert set(tmp_path.iterdir()) == there


def test_what_a_killed_run_handed_back_stays_and_other_rows_get_a_file_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("columns: {order: order, sku: sku, outcome: outcome}\nwords: {GOOD: APPROVED}\n")
    read = read_warehouse_file(files(tmp_path)["csv"], tmp_path / "m.yaml")
    first = read.hand_back_into(tmp_path, [(ROWS[3], "no")], "d" * 64)
    first.write_text("being mended")
    assert read.hand_back_into(tmp_path, [(ROWS[3], "no, in other words")], "d" * 64) == first
    assert first.read_text() == "being mended"
    other = read.hand_back_into(tmp_path, [(ROWS[3], "no"), (ROWS[4], "no")], "d" * 64)
    assert [row[0] for row in cells(other)[1:]] == ["0042", "R1"]


CELL = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=6)
SIGNS = st.sampled_from(["=1", "'=1", "''@x", "-1", "-x", "'", "\ta", "007", "1234567890123456789", "a\nb", '"', "'a'"])


@given(st.lists(st.lists(CELL | SIGNS, min_size=1, max_size=3), min_size=1, max_size=4))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_every_cell_comes_back_as_it_was(tmp_path: Path, form: str, rows: list[list[str]]) -> None:
    written = [["unknown", "A", "1", "GOOD", "", "|".join(row)] for row in rows]
    source = xlsx(tmp_path / "source.xlsx", [["order", "sku", "quantity", "outcome", "unit", "note"]])
    table = open_table(source)
    header = find_header(table.rows(), MAPPING.columns.named(), "source")
    verdicts = FileVerdict(
        tuple(RowVerdict(number, tuple(row), Verdict.REFUSED, "no") for number, row in enumerate(written, 2))
    )
    out = tmp_path / f"out.{form}"
    out.unlink(missing_ok=True)
    write_refused(out, table, header, verdicts.returned())
    assert [row[:6] for row in cells(out)[1:]] == written


def test_a_spreadsheet_program_changes_nothing_in_what_comes_back(tmp_path: Path) -> None:
    kept = ["007", "00340434", "1234567890123456789", "2026-03-02", "02/03/2026 14:05"]
    kept += ["1E5", "12e3", "1.10", "3-4", "DEC10", "1-Mar", "-007"]
    path = text(tmp_path / "day.csv", f"Order,{','.join('abcdefghijk')},why\n{','.join(kept)},\n")
    table = open_table(path)
    header = Header(1, next(table.rows()).cells, {})
    assert write_refused(tmp_path / "back.csv", table, header, [(kept, "no such return")]) == 1
    written = (tmp_path / "back.csv").read_text("utf-8-sig").splitlines()[1]
    assert written == ",".join(f'"=""{cell}"""' for cell in kept) + ",no such return"
    assert cells(tmp_path / "back.csv")[1] == [*kept, "no such return"]
    assert write_refused(tmp_path / "back.xlsx", table, header, [([*kept[:4], "long " * 40, *[""] * 7], "no")]) == 1
    sheet = openpyxl.load_workbook(tmp_path / "back.xlsx").active
    assert sheet is not None
    assert [cell.value for cell in sheet[2]][:4] == kept[:4]
    assert {cell.alignment.wrap_text for cell in sheet[2]} == {True}
    assert (sheet.row_dimensions[1].height, sheet.row_dimensions[2].height) == (15, 7 * 15)
    assert sheet.page_setup.orientation == "landscape"
