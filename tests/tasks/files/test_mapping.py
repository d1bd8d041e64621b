"""A mapping says what a file's columns and words mean; what is wrong with it is said with line, field and right."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.files.dates import DateFormat, format_of, read_time
from tasks.files.mapping import MappingError, Outcome, load_mapping

RIGHT = """\
columns:
  rma: Return RMA Number
  sku: SKU
  quantity: Item Quantity
  outcome: Condition
words:
  "Very  good": APPROVED
  DAMAGED: {status: DECLINED, reason: It came back damaged}
  "": NOT_YET
date_format: DD/MM/YYYY
zone: America/Chicago
"""


def problems(path: Path, text: str) -> tuple[str, ...]:
    path.write_text(text)
    with pytest.raises(MappingError) as refused:
        load_mapping(path)
    return tuple(problem.removeprefix(str(path)) for problem in refused.value.problems)


def test_a_mapping_is_read(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(RIGHT)
    found = load_mapping(tmp_path / "m.yaml")
    assert found.columns.named() == {
        "rma": "Return RMA Number",
        "sku": "SKU",
        "quantity": "Item Quantity",
        "outcome": "Condition",
    }
    assert found.words == {
        "very good": Outcome(status="APPROVED"),
        "damaged": Outcome(status="DECLINED", reason="It came back damaged"),
        "": Outcome(status="NOT_YET"),
    }


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  rma:", "  ram:", ", line 2: columns.ram is no field (did you mean rma?); there are process_id, rma,"),
        ("quantity: Item Quantity", "quantity: 3", ", line 4: columns.quantity is 3; right would be a valid string."),
        ("APPROVED", "ACCEPTED", ', line 7: words."Very  good".status is "ACCEPTED"; right would be one of APPROVED,'),
        ("{status: DECLINED, reason: It came back damaged}", "DECLINED", "right would be a reason for each DECLINED"),
        ('"": NOT_YET', "damaged: MISSING", ", line 6: words is "),
        ("  outcome: Condition\n", "", "right would be one way to tell what was found: the column `outcome`"),
        ("  sku: SKU\n", "", "right would be a column that names the product: one of line, sku, ean."),
        ("  rma: Return RMA Number\n", "", "right would be a column that names the return: one of process_id, rma,"),
        ("DD/MM/YYYY", "dd/mm", ", line 10: date_format is \"dd/mm\"; right would be 'YYYY-MM-DD',"),
        (
            "America/Chicago",
            "Chicago",
            ', line 11: zone is "Chicago"; right would be a time zone such as Europe/Madrid',
        ),
        ("zone: America/Chicago", "encoding: base64", ', line 11: encoding is "base64"; right would be the name of an'),
        ("zone: America/Chicago", "received_is: APPROVED", "and not outcome and received_is at once"),
        ("words:", "words: yes\nmore:", ", line 6: words is yes without quotes"),
        (RIGHT, "- a\n- b\n", ", line 1: this is no mapping; right would be `columns:`"),
        (RIGHT, "words: {}\n", ": columns is missing; right would be `columns:` with fields of its own."),
    ],
)
def test_what_is_wrong_is_said_with_line_field_found_and_right(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in RIGHT
    found = problems(tmp_path / "m.yaml", RIGHT.replace(old, new))
    assert any(said in problem for problem in found), found


def test_received_is_not_approved_unless_it_is_said(tmp_path: Path) -> None:
    bare = "columns: {rma: return_id, line: order_item_id, quantity: quantity_received}\n"
    assert "`received_is` for a file that says only what came" in problems(tmp_path / "m.yaml", bare)[0]
    (tmp_path / "m.yaml").write_text(f"{bare}received_is: APPROVED\n")
    assert load_mapping(tmp_path / "m.yaml").received_is == Outcome(status="APPROVED")


MADRID = ZoneInfo("Europe/Madrid")


@pytest.mark.parametrize(
    ("text", "written", "means"),
    [
        ("2026-03-02 14:05:00", DateFormat.ISO, "2026-03-02T13:05:00+00:00"),
        ("2026-06-05T15:31:40+00:00", DateFormat.DAY_FIRST, "2026-06-05T15:31:40+00:00"),
        ("2026-10-02 17:09:34 -0300", DateFormat.ISO, "2026-10-02T20:09:34+00:00"),
        ("'14/06/2026 16:55:07'", DateFormat.DAY_FIRST, "2026-06-14T14:55:07+00:00"),
        ("14-06-26", DateFormat.DAY_FIRST, "2026-06-14T21:59:59+00:00"),
        ("3/2/2026 2:05 PM", DateFormat.MONTH_FIRST, "2026-03-02T13:05:00+00:00"),
        ("1772460300", DateFormat.UNIX, "2026-03-02T14:05:00+00:00"),
        ("1772460300000", DateFormat.UNIX, "2026-03-02T14:05:00+00:00"),
    ],
)
def test_times_are_read_as_the_mapping_says(text: str, written: DateFormat, means: str) -> None:
    assert read_time(text, written, MADRID).astimezone(UTC).isoformat() == means


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("14/06/2026", DateFormat.ISO),
        ("14/06/2026", DateFormat.MONTH_FIRST),
        ("45384.34", DateFormat.DAY_FIRST),
        ("soon", DateFormat.ISO),
    ],
)
def test_a_time_that_is_written_otherwise_is_refused(text: str, written: DateFormat) -> None:
    with pytest.raises(ValueError, match=r"write it as|no such day"):
        read_time(text, written, MADRID)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)).map(lambda at: at.replace(microsecond=0)))  # noqa: DTZ001
def test_a_date_is_read_as_it_was_written(at: datetime) -> None:
    at = at.replace(tzinfo=timezone(timedelta(hours=2)))
    for written, form in (
        (DateFormat.DAY_FIRST, "%d/%m/%Y %H:%M:%S"),
        (DateFormat.MONTH_FIRST, "%m-%d-%Y %I:%M:%S %p"),
    ):
        assert read_time(at.strftime(form), written, at.tzinfo or UTC) == at


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["02/03/2026", "14/03/2026"], DateFormat.DAY_FIRST),
        (["02/03/2026", "03/14/2026"], DateFormat.MONTH_FIRST),
        (["02/03/2026", "", "03/04/2026"], None),
        (["14/03/2026", "03/14/2026"], None),
        (["2026-03-02", "2026-03-14 10:00"], DateFormat.ISO),
        (["1772460300"], DateFormat.UNIX),
        (["soon"], None),
        ([], None),
    ],
)
def test_the_file_decides_between_day_and_month_or_nobody_does(texts: list[str], found: DateFormat | None) -> None:
    assert format_of(texts) is found


def test_the_mapping_of_the_page_is_one(tmp_path: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "inspections.md"
    example = page.read_text("utf-8").split("```yaml\n")[1].split("```")[0]
    (tmp_path / "m.yaml").write_text(example)
    assert set(load_mapping(tmp_path / "m.yaml").words) == {"good", "damaged", "lost", "received"}
