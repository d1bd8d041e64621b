"""A mapping says what a file's columns and words mean; what is wrong with it is said with line, field and right."""

from pathlib import Path

import pytest

from tasks.files.mapping import InspectionMapping, MappingError, Outcome, load_mapping

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
        load_mapping(path, InspectionMapping)
    return tuple(problem.removeprefix(str(path)) for problem in refused.value.problems)


def test_a_mapping_is_read(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(RIGHT)
    found = load_mapping(tmp_path / "m.yaml", InspectionMapping)
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
    assert load_mapping(tmp_path / "m.yaml", InspectionMapping).received_is == Outcome(status="APPROVED")


def test_the_mapping_of_the_page_is_one(tmp_path: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "inspections.md"
    example = page.read_text("utf-8").split("```yaml\n")[1].split("```")[0]
    (tmp_path / "m.yaml").write_text(example)
    assert set(load_mapping(tmp_path / "m.yaml", InspectionMapping).words) == {"good", "damaged", "lost", "received"}


@pytest.mark.parametrize(
    "below", ["", "\n", "  # guessed: APPROVED\n", "\n  # one\n\n# two\nzone: UTC\n", "zone: UTC\n"]
)
def test_words_that_are_all_comments_still_are_none_and_one_that_is_decided_counts(tmp_path: Path, below: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(f"columns: {{rma: R, sku: S, outcome: O}}\nwords:  # decide\n{below}")
    assert load_mapping(path, InspectionMapping).words == {}
    path.write_text(
        f"columns: {{rma: R, sku: S, outcome: O}}\nwords:  # decide\n  # b: APPROVED\n  a: MISSING\n{below}"
    )
    assert set(load_mapping(path, InspectionMapping).words) == {"a"}
