"""`rever-returns payouts check`: options, output, exit codes."""

import csv
import json
from pathlib import Path

from rever_api.sandbox import RunningSandbox
from tests.deployments.cli.conftest import Call
from tests.tasks.files.payouts import REDSYS_HEADER, SHOPPERS, file_of, redsys_row


def make_ledger(call: Call) -> None:
    assert call("run", "process-pending-returns", "mode=act", "max_returns=1", "--no-prefect").code == 0


def test_it_prints_sums_and_what_no_refund_explains(call: Call, rever: RunningSandbox) -> None:
    make_ledger(call)
    Path("redsys.csv").write_text(file_of(REDSYS_HEADER, [redsys_row("2604ABCD0001", "60,00")]), "cp1252")
    ended = call("payouts", "check", "redsys.csv", "--store", "acme", "--csv", "found.csv", "--days", "3")
    assert ended.code == 0
    assert "Redsys, operations (sure: 7 of the 7 columns that it has); text in Windows-1252" in ended.out
    assert "times by Europe/Madrid" in ended.out
    assert "EUR files:  60.00 = 60.00 unexplained" in ended.out
    assert "redsys.csv row 2: Devolución (autorizada), order 2604ABCD0001, 60.00 EUR" in ended.out
    with Path("found.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["record"], row["row"], row["amount"], row["order"]) == ("row", "2", "60.00", "2604ABCD0001")
    assert not [each for each in SHOPPERS if each in ended.out + Path("found.csv").read_text()]
    told = json.loads(call("payouts", "check", "redsys.csv", "--json").out)
    assert told["sums"]["EUR"]["file"] == told["sums"]["EUR"]["unexplained"] == "60.00"


def test_what_cannot_be_used_is_wrong_usage(call: Call, rever: RunningSandbox) -> None:
    assert "there is no ledger" in call("payouts", "check", "none.csv").err
    make_ledger(call)
    assert "name a payout file" in call("payouts", "check").err
    ended = call("payouts", "check", "a,b.csv")
    assert (ended.code, "may have no comma" in ended.err) == (2, True)
    Path("odd.csv").write_text("Date,Name\n2026-11-05,Ana Ruiz\n")
    ended = call("payouts", "check", "odd.csv")
    assert ended.code == 2
    assert "no header of a known payout file is among its first 50 rows (the first has 2 cells)" in ended.err
    assert "Ana" not in ended.err
