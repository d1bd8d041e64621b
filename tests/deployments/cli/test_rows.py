"""`run` says which: a row for each return that moved, is held or could not be worked on; the rest is counted."""

import csv
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from deployments.cli.run import returns_lines
from rever_api.sandbox import RunningSandbox
from tasks.ledger import Moved, StandingParcel
from tasks.policy.record import ParcelChange
from tasks.reporting.parcels_report import ParcelsReport
from tasks.reporting.report import Failure, Mode, ReturnsReport, Row
from tests.deployments.cli.conftest import Call

PLAN = ("run", "process-pending-returns", "--no-prefect")
CAPS = '[default.guards]\nmax_refund = { EUR = "60", SEK = "600" }\nmax_per_day = { EUR = "200", SEK = "3000" }\n'


def row(number: int, decision: str, amount: str | None = None, outcome: str = "", *, hold_open: bool = False) -> Row:
    money = None if amount is None else Decimal(amount)
    return Row(f"retp_{number}", f"#A{number}", "acme", decision, "because", money, "EUR", outcome, hold_open)


def test_what_waits_is_counted_and_all_lists_it() -> None:
    rows = [row(1, "refund", "1234.50"), row(2, "wait"), row(3, "wait"), row(4, "no action"), row(5, "hold", "9.00")]
    lines = returns_lines(rows, every_row=False, width=None)
    assert [line.split()[0] for line in lines] == ["ORDER", "#A1", "#A5", "and"]
    assert "1,234.50 EUR" in lines[1]
    assert lines[-1] == "  and 1 no action, 2 wait (--all lists them)"
    assert len(returns_lines(rows, every_row=True, width=None)) == 1 + len(rows)


def test_what_is_due_and_was_left_to_another_run_is_counted_apart_from_what_waits() -> None:
    rows = [replace(row(1, "wait"), left=True), row(2, "wait"), row(3, "no action")]
    lines = returns_lines(rows, every_row=False, width=None)
    assert lines == ["  and 1 no action, 1 wait, 1 wait for another run (--all lists them)"]


def test_a_refund_after_which_a_hold_was_opened_is_listed_once() -> None:
    lines = returns_lines([row(1, "refund", "5", "refund: done; held", hold_open=True)], every_row=False, width=None)
    assert len(lines) == 2


def test_a_return_that_could_not_be_worked_on_has_a_row() -> None:
    report = ReturnsReport("x", mode=Mode.ACT, rows={"retp_1": row(1, "refund", "5")})
    report.failures += [Failure("retp_1", "a fault"), Failure("retp_2", "REVER knows no return of this id")]
    first, second = report.all_rows()
    assert (first.decision, first.outcome) == ("refund", "a fault")
    assert (second.process_id, second.decision) == ("retp_2", "not worked on")
    lines = returns_lines(report.all_rows(), every_row=False, width=None)
    assert "retp_2" in lines[2]
    assert "REVER knows no return of this id" in lines[2]


def test_a_parcel_is_listed_once_those_that_stopped_first_and_of_all_stores_the_oldest() -> None:
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    report = ParcelsReport("track-parcels", mode=Mode.PLAN)
    for number, (store, days) in enumerate((("acme", 11), ("nordic", 14)), 1):
        since = now - timedelta(days=days)
        stopped = StandingParcel(f"retp_{number}", 1, store, f"#A{number}", "DHL", "COLLECTED", since, 1)
        moved = Moved(f"retp_{number}0", store, f"#A{number}0", ParcelChange(1, 2, "CREATED", "COLLECTED", now))
        report.take([moved], [stopped], now, {})
    printed = [*report.lines(), *returns_lines(report.all_rows(), every_row=False, width=None)]
    listed = [line.split()[0] for line in printed if "has been collected since" in line or ", was created" in line]
    assert listed == ["#A2", "#A1", "#A10", "#A20"]
    assert "  stopped:   2" in printed


def test_a_long_reason_is_wrapped_in_a_terminal_and_nothing_is_cut() -> None:
    long = Row("retp_1", "#A1", "acme", "wait", "a reason " * 40)
    lines = returns_lines([long], every_row=True, width=80)
    assert max(map(len, lines)) <= 82
    assert " ".join(lines).count("reason") == 40


@pytest.mark.parametrize("capped", [False, True])
def test_the_rows_of_a_plan_are_what_act_would_pay_and_their_sum_its_total(
    call: Call, rever: RunningSandbox, monkeypatch: pytest.MonkeyPatch, capped: bool
) -> None:
    if capped:
        Path("policy.toml").write_text(CAPS)
        monkeypatch.setenv("REVER_POLICY", "policy.toml")
    found = json.loads(call(*PLAN, "--json").out)
    assert len(found["rows"]) == found["seen"]
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for each in found["rows"]:
        if each["decision"] == "refund":
            sums[each["currency"]] += Decimal(each["amount"])
    assert {currency: str(amount) for currency, amount in sums.items()} == found["would_pay"]
    paid = {each["process_id"] for each in found["rows"] if each["decision"] == "refund"}
    assert (found["due"] != found["would_pay"]) == capped
    call(*PLAN, "mode=act")
    effects = [effect for effect in rever.books.effects if effect.operation == "issueRefund" and effect.by == "api"]
    assert {effect.process_id for effect in effects} == paid


def test_the_file_has_a_row_for_each_return_and_only_its_owner_reads_it(call: Call, rever: RunningSandbox) -> None:
    found = json.loads(call(*PLAN, "--json", "--csv", "returns.csv").out)
    file = Path("returns.csv")
    with file.open(newline="", encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    assert [{name: value or None for name, value in each.items()} for each in rows] == [
        {name: value or None for name, value in each.items()} for each in found["rows"]
    ]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_written_is_said_before_anything_is_paid(call: Call, rever: RunningSandbox) -> None:
    before = rever.books.effects
    ended = call(*PLAN, "mode=act", "--csv", "nowhere/returns.csv")
    assert ended.code == 2
    assert "nowhere/returns.csv" in ended.err
    assert rever.books.effects == before


def test_a_run_that_never_began_leaves_the_last_file_alone(call: Call, rever: RunningSandbox) -> None:
    call(*PLAN, "--csv", "returns.csv")
    before = Path("returns.csv").read_text()
    assert before.count("\n") > 10
    ended = call(*PLAN, "mode=actt", "--json", "--csv", "returns.csv")
    assert ended.code == 2
    assert "actt" in ended.err
    assert Path("returns.csv").read_text() == before


def test_a_run_about_one_return_shows_its_row_whatever_it_waits_for(call: Call, rever: RunningSandbox) -> None:
    waiting = next(row for row in json.loads(call(*PLAN, "--json").out)["rows"] if row["decision"] == "wait")
    said = call("run", "process-return", f"process_id={waiting['process_id']}", "--no-prefect").out
    assert waiting["why"] in said
    assert "--all" not in said


def test_csv_as_a_parameter_is_led_to_the_option(call: Call) -> None:
    ended = call(*PLAN, "csv=returns.csv")
    assert ended.code == 2
    assert "--csv FILE" in ended.err


def test_a_refund_that_is_found_done_in_the_same_run_is_not_left_as_unknown(
    call: Call, start_sandbox: Callable[..., RunningSandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    rever = start_sandbox(returns=40, faults="issueRefund:1:acts_answer_lost")
    for name, value in (("BASE_URL", rever.base_url), ("API_KEY", rever.api_key), ("STORES", ",".join(rever.stores))):
        monkeypatch.setenv(f"REVER_{name}", value)
    found = json.loads(call(*PLAN, "mode=act", "--json").out)
    assert found["outcomes"]["unknown"] == 0
    [row] = [each for each in found["rows"] if ": unknown" in each["outcome"]]
    assert row["outcome"].endswith("found done at REVER")
