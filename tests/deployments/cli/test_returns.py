"""`returns guess`, `check` and `import`: from a shop's file to returns at REVER, as a person types it."""

import csv
import json
import stat
from pathlib import Path

import pytest

from rever_api.sandbox import RunningSandbox
from tests.deployments.cli.conftest import Call
from tests.hurry import hurry

MAPPING = """\
columns: {order: Order, email: E-mail, sku: SKU, quantity: Units, reason: Reason}
reasons: {Too small: WRONG_SIZE_TOO_SMALL, Faulty: DEFECTIVE}
one_return_per: order
"""
FILE = """\
Order;E-mail;SKU;Units;Reason
#N1;ada@example.com;ACME-001-M;1;Too small
#N1;ada@example.com;ACME-002-S;1;faulty
#N2;bruno@example.com;ACME-001-M;1;No idea
"""


@pytest.fixture
def rever(rever: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> RunningSandbox:
    """A sandbox with two shops, and this desk in front of one of them."""
    hurry(monkeypatch.setattr)
    monkeypatch.setenv("REVER_STORES", "acme")
    return rever


def asked(rever: RunningSandbox) -> int:
    return sum(effect.operation == "createReturn" and not effect.foreign for effect in rever.books)


def test_a_file_is_checked_imported_and_checked_again(call: Call, rever: RunningSandbox, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(FILE)
    (tmp_path / "m.yaml").write_text(MAPPING)
    ended = call("returns", "check", "r.csv", "--mapping", "m.yaml")
    assert ended.code == 0, ended.err
    assert "3 rows read = 2 to create + 0 already there + 1 refused + 0 held: 1 return" in ended.out
    assert "the word 'No idea' of 'Reason' is not in the mapping (`reasons`)" in ended.out
    assert "example.com" not in ended.out
    assert "Nothing was sent to REVER." in ended.out
    back = tmp_path / "r.refused.csv"
    assert stat.S_IMODE(back.stat().st_mode) == 0o600
    with back.open(encoding="utf-8-sig", newline="") as file:
        assert [row[0] for row in csv.reader(file, delimiter=";")] == ["Order", "#N2"]
    words = ("returns", "import", "r.csv", "--mapping", "m.yaml", "--no-prefect")
    plan = call(*words)
    assert (plan.code, "import-returns (plan)" in plan.out, "= 2 to create" in plan.out) == (0, True, True), plan.err
    assert asked(rever) == 0
    done = call(*words, "--act", "--refused", "back.xlsx")
    assert (done.code, "= 2 created + 0 already there + 1 refused" in done.out) == (0, True), done.err
    assert (tmp_path / "back.xlsx").exists()
    assert "= 0 created + 2 already there + 1 refused" in call(*words, "--act").out
    again = json.loads(call("returns", "check", "r.csv", "--mapping", "m.yaml", "--json", "--all").out)
    assert again["counts"] == {"create": 0, "already there": 2, "refused": 1, "held": 0}
    assert asked(rever) == 1


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        (MAPPING.replace("Order,", "Bestellung,"), "Missing: 'Bestellung'"),
        (MAPPING + "store: elsewhere\n", "this desk has no store 'elsewhere'; its stores are acme"),
        (MAPPING.replace("reason:", "raeson:"), "m.yaml, line 1: columns.raeson is no field (did you mean reason?)"),
        (MAPPING.replace("one_return_per: order\n", ""), "a column `key`, or `one_return_per`"),
        (MAPPING.replace("DEFECTIVE", "kaputt"), "reasons.Faulty is"),
    ],
)
def test_a_mapping_that_does_not_fit_is_wrong_usage(
    call: Call, rever: RunningSandbox, tmp_path: Path, mapping: str, said: str
) -> None:
    (tmp_path / "r.csv").write_text(FILE)
    (tmp_path / "m.yaml").write_text(mapping)
    ended = call("returns", "check", "r.csv", "--mapping", "m.yaml")
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert list(tmp_path.glob("*.refused*")) == []


def test_of_several_stores_the_mapping_names_one(
    call: Call, rever: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVER_STORES", "acme,nordic")
    (tmp_path / "r.csv").write_text(FILE)
    (tmp_path / "m.yaml").write_text(MAPPING)
    ended = call("returns", "check", "r.csv", "--mapping", "m.yaml")
    assert (ended.code, "name the store whose orders the file is of" in ended.err) == (2, True)
    (tmp_path / "m.yaml").write_text(MAPPING + "store: acme\n")
    assert call("returns", "check", "r.csv", "--mapping", "m.yaml").code == 0


def test_a_rever_that_does_not_answer_is_a_sentence(call: Call, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(FILE)
    (tmp_path / "m.yaml").write_text(MAPPING)
    ended = call("returns", "check", "r.csv", "--mapping", "m.yaml")
    assert ended.code == 1
    assert "Traceback" not in ended.err


def test_a_guess_needs_no_rever_and_writes_over_nothing(call: Call, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(FILE)
    ended = call("returns", "guess", "r.csv")
    assert ended.code == 0, ended.err
    assert "which reason of REVER's the word 'No idea' is" in ended.out
    assert '  email: "E-mail"' in ended.out
    assert '  "Too small": WRONG_SIZE_TOO_SMALL' in ended.out
    assert "ada@example.com" not in ended.out
    assert "m.yaml: the mapping" in call("returns", "guess", "r.csv", "--mapping", "m.yaml").out
    again = call("returns", "guess", "r.csv", "--mapping", "m.yaml")
    assert (again.code, "m.yaml is there already" in again.err) == (2, True)
