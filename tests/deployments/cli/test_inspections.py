"""`inspections guess` and `check`: from a warehouse's file to the verdict of each row, and nothing is sent."""

import csv
import json
import stat
from pathlib import Path

import pytest

from rever_api import ReverClient
from rever_api.models import ReturnProcess, ReviewInput
from rever_api.sandbox import RunningSandbox
from tasks.desk import client_config
from tasks.settings import load_settings
from tests.deployments.cli.conftest import Call
from tests.hurry import hurry

MAPPING = """\
columns: {order: Order, tracking: Tracking, sku: SKU, quantity: Qty, outcome: Result}
words: {Passed: APPROVED, Rejected: {status: DECLINED, reason: It was worn}}
"""


@pytest.fixture
def rever(rever: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> RunningSandbox:
    """A sandbox with two shops, and this desk in front of it."""
    hurry(monkeypatch.setattr)
    return rever


def process(rever: RunningSandbox, scenario: str) -> ReturnProcess:
    return rever.sandbox.processes[rever.process_ids(scenario)[0]].process


def day_file(rever: RunningSandbox, path: Path) -> list[list[str]]:
    """A day's file: a return to be reviewed by its order, one that is done, a word that is unknown, a lost order."""
    waiting, done = process(rever, "in_warehouse"), process(rever, "approved_one")
    assert waiting.return_line_items[0].product
    assert done.return_line_items[0].product
    rows = [
        ["Order", "Tracking", "SKU", "Qty", "Result"],
        [waiting.order_name.lstrip("#").lower(), "", waiting.return_line_items[0].product.sku.lower(), "1", "PASSED"],
        [done.order_name, "", done.return_line_items[0].product.sku, "1", "Passed"],
        [waiting.order_name, "", waiting.return_line_items[0].product.sku, "1", "Like new"],
        ["#no-such-1", "", "SKU-1", "1", "Rejected"],
    ]
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=";").writerows(rows)
    return rows


def test_a_day_file_is_checked_and_what_is_wrong_comes_back(call: Call, rever: RunningSandbox, tmp_path: Path) -> None:
    day_file(rever, tmp_path / "day.csv")
    (tmp_path / "m.yaml").write_text(MAPPING)
    ended = call("inspections", "check", "day.csv", "--mapping", "m.yaml")
    assert ended.code == 0, ended.err
    assert "text in UTF-8, cells parted by semicolons" in ended.out
    assert "4 rows read = 1 to review + 1 already done + 2 refused + 0 that contradict: 1 unit of 1 return" in ended.out
    assert "the word 'Like new' of 'Result' is not in the mapping" in ended.out
    assert "no return has the order #no-such-1" in ended.out
    assert "Nothing was sent to REVER." in ended.out
    back = tmp_path / "day.refused.csv"
    assert stat.S_IMODE(back.stat().st_mode) == 0o600
    with back.open(encoding="utf-8-sig", newline="") as file:
        refused = list(csv.reader(file, delimiter=";"))
    assert [row[0] for row in refused] == ["Order", process(rever, "in_warehouse").order_name, "#no-such-1"]
    # Mended, it is taken, and the file itself once more is as before: nothing was done.
    back.write_text(back.read_text(encoding="utf-8-sig").replace("Like new", "Passed"))
    again = json.loads(call("inspections", "check", str(back), "--mapping", "m.yaml", "--json").out)
    assert again["counts"] == {"review": 1, "already done": 0, "refused": 1, "contradicts": 0, "held": 0}
    assert again["refused_file"].endswith("day.refused.refused.csv")
    named = call("inspections", "check", "day.csv", "--mapping", "m.yaml", "--refused", "day.refused.csv")
    assert (named.code, "is there already" in named.err) == (2, True)


def test_what_rever_has_taken_is_done_already(call: Call, rever: RunningSandbox, tmp_path: Path) -> None:
    day_file(rever, tmp_path / "day.csv")
    (tmp_path / "m.yaml").write_text(f"{MAPPING}cumulative: true\n")
    first = json.loads(call("inspections", "check", "day.csv", "--mapping", "m.yaml", "--json").out)
    row = first["rows"][0]
    with ReverClient(client_config(load_settings())) as client:
        reviews = [ReviewInput(line_item_id=it["line_id"], status=it["status"]) for it in row["reviews"]]
        client.add_review(row["process_id"], reviews)
    second = json.loads(call("inspections", "check", "day.csv", "--mapping", "m.yaml", "--json").out)
    assert [it["verdict"] for it in second["rows"]] == ["already done", "already done", "refused", "refused"]


def test_a_parcel_is_found_by_walking_the_returns(call: Call, rever: RunningSandbox, tmp_path: Path) -> None:
    it = process(rever, "in_warehouse")
    assert it.logistics
    assert it.return_line_items[0].product
    (tmp_path / "m.yaml").write_text(MAPPING)
    number = it.logistics[0].tracking_number.lower()
    sku = it.return_line_items[0].product.sku
    (tmp_path / "day.csv").write_text(f"Order,Tracking,SKU,Qty,Result\n,{number},{sku},1,Passed\n")
    found = json.loads(call("inspections", "check", "day.csv", "--mapping", "m.yaml", "--json").out)
    assert [(row["verdict"], row["process_id"]) for row in found["rows"]] == [("review", it.rever_process_id)]
    assert found["refused_file"] is None


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        (MAPPING.replace("Order,", "Bestellung,"), "Missing: 'Bestellung'"),
        (MAPPING + "store: elsewhere\n", "the mapping is of the store elsewhere; this desk's are"),
        (MAPPING.replace("outcome", "outcum"), "m.yaml, line 1: columns.outcum is no field (did you mean outcome?)"),
    ],
)
def test_a_mapping_that_does_not_fit_is_wrong_usage(
    call: Call, rever: RunningSandbox, tmp_path: Path, mapping: str, said: str
) -> None:
    day_file(rever, tmp_path / "day.csv")
    (tmp_path / "m.yaml").write_text(mapping)
    ended = call("inspections", "check", "day.csv", "--mapping", "m.yaml")
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert list(tmp_path.glob("*.refused*")) == []


def test_without_a_store_no_row_is_called_wrong(
    call: Call, rever: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day_file(rever, tmp_path / "day.csv")
    (tmp_path / "m.yaml").write_text(MAPPING)
    monkeypatch.delenv("REVER_STORES")
    monkeypatch.setenv("REVER_GROUP", "brandz")
    ended = call("inspections", "check", "day.csv", "--mapping", "m.yaml")
    assert (ended.code, ended.out) == (1, "")
    assert "REVER shows no store in group 'brandz' for this key; correct REVER_GROUP" in ended.err
    assert list(tmp_path.glob("*.refused*")) == []


def test_a_guess_needs_no_rever_and_writes_over_nothing(call: Call, tmp_path: Path) -> None:
    (tmp_path / "day.csv").write_text("RMA,SKU,QC result\nR1,A,Passed\nR2,B,Hm\n")
    ended = call("inspections", "guess", "day.csv")
    assert ended.code == 0, ended.err
    assert "what the word 'Hm' means" in ended.out
    assert '  rma: "RMA"' in ended.out
    written = call("inspections", "guess", "day.csv", "--mapping", "m.yaml")
    assert "m.yaml: the mapping, to be gone over before it is used." in written.out
    assert '"Passed": APPROVED' in (tmp_path / "m.yaml").read_text()
    again = call("inspections", "guess", "day.csv", "--mapping", "m.yaml")
    assert (again.code, "m.yaml is there already" in again.err) == (2, True)
    missing = call("inspections", "guess", "none.csv")
    assert (missing.code, "none.csv: is not there." in missing.err) == (2, True)


def test_a_file_is_imported_once(call: Call, rever: RunningSandbox, tmp_path: Path) -> None:
    day_file(rever, tmp_path / "day.csv")
    (tmp_path / "m.yaml").write_text(MAPPING)
    words = ("inspections", "import", "day.csv", "--mapping", "m.yaml", "--no-prefect")
    plan = call(*words)
    assert (plan.code, "import-inspections (plan)" in plan.out, "= 1 to review" in plan.out) == (0, True, True), (
        plan.err
    )
    done = call(*words, "--act", "--refused", "back.xlsx")
    assert (done.code, "= 1 reviewed + 1 already done + 2 refused" in done.out) == (0, True), done.err
    assert (tmp_path / "back.xlsx").exists()
    again = call(*words, "--act")
    assert "= 0 reviewed + 2 already done + 2 refused" in again.out
    wrong = call(*words, "--act", "--refused", "back.xlsx")
    assert (wrong.code, "back.xlsx: name a new file" in wrong.err) == (2, True)
