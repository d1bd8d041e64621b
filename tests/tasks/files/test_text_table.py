"""Text tables: every encoding and separator is found, cells stay exact, and what is broken is a sentence."""

import csv
import io
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.files.open_table import open_table
from tasks.files.table import InputFileError, Reading, Row
from tests.tasks.files.files import cells, read, rows_or_words, text

HERE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8 with a byte order mark"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16 without a byte order mark"),
        ("utf-16-be", "UTF-16 without a byte order mark"),
        ("cp1252", "Windows-1252"),
    ],
)
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_encoding_and_separator_are_found_and_said(tmp_path: Path, encoding: str, said: str, separator: str) -> None:
    rows = [["Tipo operación", "Nº", "Importe"], ["Devolución", "007", "1,5" if separator != "," else "1.5"]]
    path = text(tmp_path / "in.dat", "\r\n".join(separator.join(row) for row in rows), encoding)
    table = open_table(path)
    assert [list(row.cells) for row in table.rows()] == rows
    assert table.separator == separator
    assert f"text in {said}, cells parted by" in table.how


def test_the_encoding_of_the_mapping_is_taken_where_the_file_is_no_utf_8(tmp_path: Path) -> None:
    path = text(tmp_path / "in.csv", "sku,zustand\nA,größe\n", "cp850")
    assert cells(path, Reading(encoding="cp850"))[1] == ["A", "größe"]
    assert cells(text(path, "sku,zustand\nA,größe\n"), Reading(encoding="cp850"))[1] == ["A", "größe"]


def test_cells_stay_as_they_are_and_rows_have_the_numbers_of_a_spreadsheet(tmp_path: Path) -> None:
    content = 'id,note\n\n007,"two\nlines, and ""quotes"""\n ,\n1234567890123456789,=1+1\n"=""0042""",\'=1+1\n'
    assert read(text(tmp_path / "in.csv", content)) == [
        Row(1, ("id", "note")),
        Row(3, ("007", 'two\nlines, and "quotes"')),
        Row(5, ("1234567890123456789", "=1+1")),
        Row(6, ("0042", "=1+1")),
    ]


def test_a_line_for_excel_that_names_the_separator_is_obeyed(tmp_path: Path) -> None:
    rows = read(text(tmp_path / "in.csv", "sep=;\na,b;c\n1,5;2\n"))
    assert rows == [Row(2, ("a,b", "c")), Row(3, ("1,5", "2"))]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b'a,b\n1,"open\n2,x\n', "row 2 cannot be read (unexpected end of data)"),
        (b'a,b\n1,"x" y\n', "row 2 cannot be read"),
        (b"a,b\n1,\x81\n", "neither UTF-8 nor Windows-1252"),
        (b"a,b\n\0\0\0\x01,2\n", "is not text in UTF-8: it has a zero character around byte 4"),
        (b"\xff\xfea\x00,\x00b", "is not text in UTF-16"),
        (b"%PDF-1.7", "a PDF"),
        (b"  <html><table>", "is a web page or XML"),
        (b"PK\x03\x04 and nothing more", "broken workbook or archive"),
        (b"a,b\n" + b"," * 600 + b"x\n", "row 2 has 601 cells"),
        (b'a,b\n"' + b"y" * 40_000 + b'",1\n', "more than 32,767 characters"),
    ],
)
def test_what_is_broken_is_refused_with_a_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(content)
    with pytest.raises(InputFileError) as refused:
        read(path)
    assert said in str(refused.value)
    assert str(refused.value).startswith(f"{path}: ")


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    for path, said in ((tmp_path, "is no file"), (tmp_path / "none.csv", "is not there")):
        with pytest.raises(InputFileError, match=said):
            open_table(path)


@given(st.one_of(st.binary(max_size=300), st.text(max_size=200).map(lambda it: it.encode("utf-8", "replace"))))
@HERE
def test_any_bytes_end_in_rows_or_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(content)
    found = rows_or_words(path)
    assert found != "no sentence"
    assert isinstance(found, str) or all(any(row.cells) for row in found)


CELL = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="'="), min_size=1, max_size=8)


@given(
    st.lists(st.tuples(CELL, CELL, CELL), min_size=3, max_size=8),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
@HERE
def test_what_was_written_is_read(
    tmp_path: Path, rows: list[tuple[str, str, str]], separator: str, encoding: str
) -> None:
    content = io.StringIO(newline="")
    csv.writer(content, delimiter=separator, quoting=csv.QUOTE_ALL).writerows(rows)
    path = text(tmp_path / "in.csv", content.getvalue(), encoding)
    kept = [row for row in rows if any(cell and not cell.isspace() for cell in row)]
    if kept:
        assert cells(path, Reading(separator=separator)) == [list(row) for row in kept]


def test_a_large_file_is_streamed(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    line = "R-100,Madrid,28001,ES,2026-03-02 14:05:00,RET,General Return,RMA77,SKU-1,2,Shirt,GOOD\n"
    path.write_text(line.replace("R-100", "Shipment Reference") + line * 50_000)
    begun = time.process_time()
    assert sum(1 for _ in open_table(path).rows()) == 50_001
    assert time.process_time() - begun < 2
    rows = open_table(path).rows()
    tracemalloc.start()
    for row in rows:
        if row.number == 20_000:
            break
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000
