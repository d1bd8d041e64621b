"""reconcile-payouts over the sandbox: refunds that were paid, a payout file of them with faults, and what is told."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from flows.run import run_flow
from rever_api.sandbox import running_sandbox
from rever_api.sandbox.faults import Fault, FaultPlan, NamedFault
from rever_api.sandbox.state import Actor
from tasks.desk import WrongNameError
from tasks.ledger import Effect, effects
from tasks.policy.payouts import MatchKey, Outcome
from tasks.policy.record import IntentKind, IntentState
from tasks.reporting.daily_report import DailyRun
from tasks.reporting.payouts_report import PayoutsReport
from tests.tasks.files.payouts import (
    ADYEN_HEADER,
    REDSYS_HEADER,
    SHOPPERS,
    STRIPE_HEADER,
    adyen_row,
    adyen_row_of,
    adyen_time,
    by_card,
    file_of,
    redsys_row,
    stripe_row,
)
from tests.world import PATIENT, Start, World


@dataclass(frozen=True)
class Paid:
    """A desk that has paid once, and its refunds by card, the oldest first."""

    world: World
    cards: list[Effect]


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paid]:
    """Paid once for all tests, which only read; this process is in its folder."""
    folder = tmp_path_factory.mktemp("payouts")
    with pytest.MonkeyPatch.context() as patch, running_sandbox(returns=60) as sandbox:
        patch.chdir(folder)
        world = World(sandbox, f"sqlite:///{folder / 'ledger.sqlite'}", dict(PATIENT))
        for name, value in world.environment.items():
            patch.setenv(name, value)
        world.act()
        made = world.read(effects, sandbox.stores)
        world.let_pass(3600)
        yield Paid(world, [it for it in made if by_card(it)])


def told(world: World, **values: str) -> PayoutsReport:
    report = run_flow("reconcile-payouts", values, prefect=False, clock=world.clock)
    assert isinstance(report, PayoutsReport)
    return report


def yesterday(world: World) -> str:
    return f"{world.now() - timedelta(days=1):%F}"


def test_what_is_missing_of_another_amount_or_reversed_is_told(paid: Paid) -> None:
    missing, other, back, *right = paid.cards
    rows = [adyen_row_of(it, n) for n, it in enumerate(right, 10)]
    rows += [
        adyen_row_of(other, 2, other.amount - 1),
        adyen_row_of(back, 3),
        adyen_row_of(back, 3, word="RefundedReversed", side="credit"),
    ]
    rows += [adyen_row_of(missing, 5, Decimal("3.33")).replace(missing.order.lstrip("#"), "99999")]
    rows.append(rows[-1].replace("99999", "99998").replace(",3.33,", ",Ana Ruiz,"))
    rows.append(adyen_row("", "500.00", n=99, word="MerchantPayout", at="2099-01-01 00:00:00"))
    Path("adyen.csv").write_text(file_of(ADYEN_HEADER, rows))
    report = told(paid.world, files="adyen.csv", csv="found.csv", since=yesterday(paid.world))
    assert not report.failed
    ends = {it.refund.id: it for it in report.judged()}
    assert ends[missing.id].outcome is Outcome.MISSING
    assert ends[missing.id].missing_at == ("payout file",)
    assert (ends[other.id].outcome, ends[back.id].outcome) == (Outcome.OTHER_AMOUNT, Outcome.REVERSED)
    assert {ends[it.id].outcome for it in right} == {Outcome.SEEN}
    assert [it.row.order for it in report.unexplained()] == ["99999"]
    with Path("found.csv").open(newline="") as file:
        written = list(csv.DictReader(file))
    assert Counter(it["record"] for it in written)["refused"] == 1
    currency = other.currency
    ledger = sum(
        (
            Decimal(it["ledger"])
            for it in written
            if it["record"] == "refund" and it["ledger"] and it["currency"] == currency
        ),
        Decimal(0),
    )
    assert ledger == report.sums[currency].ledger
    printed = "\n".join([*report.lines(), json.dumps(report.as_json()), Path("found.csv").read_text()])
    assert not [each for each in SHOPPERS if each in printed]
    assert f"missing at payout file: order {missing.order}" in printed


def test_the_ledgers_and_revers_sums_are_the_sandboxs_own(paid: Paid) -> None:
    Path("all.csv").write_text(file_of(ADYEN_HEADER, [adyen_row_of(it, n) for n, it in enumerate(paid.cards)]))
    report = told(paid.world, files="all.csv", since=yesterday(paid.world))
    adopted = {it.id for it in paid.world.read(effects, paid.world.sandbox.stores) if it.adopted}
    sent = [it.refund for it in report.judged() if it.refund.ledger and it.refund.id not in adopted]
    books = paid.world.paid()
    assert {it.currency for it in sent} == set(books)
    for currency, amount in books.items():
        assert sum((it.amount for it in sent if it.currency == currency), Decimal(0)) == amount
        only_rever = [
            it.refund for it in report.judged() if it.refund.ledger is None and it.refund.currency == currency
        ]
        theirs = sum((it.amount for it in only_rever), Decimal(0))
        assert report.sums[currency].rever == report.sums[currency].ledger + theirs
    for currency, sums in report.sums.items():
        cards = sum((it.amount for it in paid.cards if it.currency == currency), Decimal(0))
        assert sums.matched == sums.ledger_matched == sums.file == cards


def test_of_two_providers_the_file_that_ends_first_says_what_may_still_come(paid: Paid) -> None:
    """Nobody knows by which provider a refund was paid, so its usual days must be over in the files of both."""
    Path("adyen.csv").write_text(file_of(ADYEN_HEADER, [adyen_row_of(it, n) for n, it in enumerate(paid.cards[1:])]))
    Path("redsys.csv").write_text(file_of(REDSYS_HEADER, [redsys_row("X1", "60,00", at="05/01/2026;13:00:00")]))
    Path("later.csv").write_text(file_of(ADYEN_HEADER, [adyen_row("X1", "1.00", at="2099-01-05 13:00:00")]))
    first = paid.cards[0].id
    for files, outcome in (("adyen.csv,redsys.csv", Outcome.LATE), ("adyen.csv,later.csv", Outcome.MISSING)):
        report = told(paid.world, files=files, since=yesterday(paid.world))
        assert {it.refund.id: it.outcome for it in report.judged()}[first] is outcome


def test_a_refund_that_files_are_too_short_for_is_late(paid: Paid) -> None:
    Path("short.csv").write_text(file_of(ADYEN_HEADER, [adyen_row_of(it, n) for n, it in enumerate(paid.cards[1:])]))
    first = paid.cards[0]
    report = told(paid.world, files="short.csv", since=yesterday(paid.world))
    assert {it.refund.id: it.outcome for it in report.judged()}[first.id] is Outcome.LATE


def test_a_file_may_have_rows_of_the_first_moment_of_a_day_alone(paid: Paid) -> None:
    Path("midnight.csv").write_text(file_of(ADYEN_HEADER, [adyen_row("1", "24.00", at="2026-11-05 00:00:00")]))
    assert [it.row.number for it in told(paid.world, files="midnight.csv", stores="acme").unexplained()] == [2]


def test_nothing_is_held_corrected_or_written_at_rever(paid: Paid) -> None:
    before = len(paid.world.holds()), len(paid.world.sandbox.books.effects)
    Path("one.csv").write_text(file_of(ADYEN_HEADER, [adyen_row_of(paid.cards[0], 1, Decimal("1.00"))]))
    told(paid.world, files="one.csv")
    assert (len(paid.world.holds()), len(paid.world.sandbox.books.effects)) == before


def test_a_month_of_revers_statement_stands_beside_the_ledgers(paid: Paid) -> None:
    banked = [it for it in paid.world.read(effects, paid.world.sandbox.stores) if it.method == "BANK_TRANSFER"]
    banked = [
        it for it in banked if it.state is IntentState.DONE and it.kind is IntentKind.REFUND and it.currency == "EUR"
    ]
    amount = sum((it.amount for it in banked), Decimal(0))
    Path("mapping.yaml").write_text("columns: {period: Month, count: Refunds, amount: Gross}\ncurrency: EUR\n")
    Path("suplidos.csv").write_text(f"Month,Refunds,Gross\n{paid.world.now():%Y-%m},{len(banked)},{amount + 5}\n")
    report = told(paid.world, statement="suplidos.csv", mapping="mapping.yaml")
    assert report.found is not None
    (month,) = report.found.months
    assert (month.count, month.amount, month.month.amount) == (len(banked), amount, amount + 5)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "name a payout file, or REVER's statement with its mapping"),
        ({"files": "right.csv,right.csv"}, "right.csv is named twice; name each file once"),
        ({"files": "none.csv"}, "none.csv: is not there."),
        ({"files": "empty.csv"}, "nothing can be compared. Below their headers is none."),
        (
            {"files": "saved.csv"},
            "nothing can be compared. 1 row could not be read, saved.csv row 2: 'Creation Date' is '30/11/2026",
        ),
        ({"files": "wrong.csv"}, "no header of a known payout file"),
        ({"files": "right.csv,again.csv"}, "again.csv has the same content as right.csv; name each file once"),
        ({"files": "right.csv", "zone": "Madrid"}, "'Madrid' is no zone; write one such as Europe/Madrid"),
        ({"statement": "right.csv"}, "REVER's statement needs its mapping"),
        ({"files": "right.csv", "since": "2026-02-02", "until": "2026-02-01"}, "the window ends before it begins"),
        (
            {"files": "right.csv", "since": "2026-12-01"},
            "the window ends before it begins: from 2026-12-01 to the end of the files",
        ),
    ],
)
def test_what_cannot_be_used_is_said(paid: Paid, values: dict[str, str], said: str) -> None:
    Path("wrong.csv").write_text("Date,Name\n2026-11-05,Ana Ruiz\n")
    for name in ("right.csv", "again.csv"):
        Path(name).write_text(file_of(ADYEN_HEADER, [adyen_row("1", "24.00")]))
    Path("empty.csv").write_text(file_of(ADYEN_HEADER, []))
    Path("saved.csv").write_text(file_of(ADYEN_HEADER, [adyen_row("1", "24.00", at="30/11/2026 11:26")]))
    with pytest.raises(WrongNameError) as refused:
        told(paid.world, **values)
    assert said in str(refused.value)
    assert "Ana" not in str(refused.value)


def test_a_providers_own_reference_leads_to_the_order_that_a_table_says(paid: Paid) -> None:
    one = paid.cards[0]
    rows = [adyen_row_of(one, 1).replace(f",{one.order.lstrip('#')},", ",2604ABCDEFGH,")]
    Path("own.csv").write_text(file_of(ADYEN_HEADER, rows))
    assert told(paid.world, files="own.csv").unexplained()
    for reference in ("2604ABCDEFGH", "1800000000000001"):
        Path("orders.csv").write_text(f"reference,order\n{reference},{one.order}\n")
        report = told(paid.world, files="own.csv", orders="orders.csv")
        assert {it.refund.id: it.outcome for it in report.judged()}[one.id] is Outcome.SEEN
        assert not report.unexplained()


def test_the_reference_that_a_person_typed_for_a_payment_by_hand_is_a_sure_match(
    start_world: Start, tmp_path: Path
) -> None:
    world = start_world(faults="issueRefund:1:conflict_409")
    process_id = world.sandbox.process_ids("approved_one")[0]
    world.act(process_ids=process_id)
    (hold,) = [it for it in world.holds() if it.process_id == process_id]
    said = {"answer": "done_by_hand", "reference": "re_77", "on": "2026-11-20", "by": "olga", "reason": "by bank"}
    world.run("answer-hold", mode="act", hold_id=hold.hold_id, version=str(hold.version), **said)
    at = world.now().astimezone(ZoneInfo("UTC"))
    rows = [stripe_row("", f"-{hold.amount}", n=n, currency=hold.currency.lower(), at=f"{at:%F %T}") for n in (77, 78)]
    Path(tmp_path / "stripe.csv").write_text(file_of(STRIPE_HEADER, rows))
    report = told(world, files=str(tmp_path / "stripe.csv"))
    (found,) = [it for it in report.judged() if it.refund.process_id == process_id]
    assert (found.outcome, found.payout.key, found.refund.by_hand) == (Outcome.SEEN, MatchKey.REFERENCE, True)
    assert [it.row.reference for it in report.unexplained()] == ["re_78"]


def test_a_refund_that_only_rever_knows_is_missing_at_the_ledger(paid: Paid) -> None:
    Path("all.csv").write_text(file_of(ADYEN_HEADER, [adyen_row_of(it, n) for n, it in enumerate(paid.cards)]))
    report = told(paid.world, files="all.csv", since=yesterday(paid.world))
    theirs = [it for it in report.judged() if it.refund.ledger is None]
    assert theirs
    books = paid.world.sandbox.books.effects
    others = {(it.process_id, it.amount, it.currency) for it in books if it.by is not Actor.API and it.amount}
    assert {(it.refund.process_id, it.refund.amount, it.refund.currency) for it in theirs} <= others
    assert {(it.outcome, it.missing_at[0]) for it in theirs} == {(Outcome.MISSING, "ledger")}


def test_a_form_reads_nothing_but_what_is_there_to_be_read(
    paid: Paid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.reconcile_payouts.deployment", type("Deployment", (), {"id": "d"}))
    outside, inside = tmp_path / "outside.csv", tmp_path / "inside"
    inside.mkdir()
    for folder in (tmp_path, inside):
        (folder / "outside.csv").write_text(file_of(ADYEN_HEADER, [adyen_row_of(paid.cards[0], 1)]))
    with pytest.raises(WrongNameError, match="set REVER_PAYOUT_FILES"):
        told(paid.world, files="outside.csv")
    monkeypatch.setenv("REVER_PAYOUT_FILES", str(inside))
    for file in (str(outside), "../outside.csv"):
        with pytest.raises(WrongNameError, match="lies outside"):
            told(paid.world, files=file)
    assert not told(paid.world, files="outside.csv").failed
    assert not told(paid.world, files="out*.csv").failed


def test_a_refund_of_which_the_answer_was_lost_is_in_the_books_once(world: World) -> None:
    """REVER shows it, the ledger has not settled it yet: it is missing at the ledger, and nobody else's."""
    named = NamedFault("issueRefund", 1, Fault.ACTS_LATER)
    world.sandbox.set_faults(FaultPlan(named=(named,), later=3600))
    world.act()
    world.sandbox.stop_faults()
    lost = [it for it in world.read(effects, world.sandbox.stores) if it.state is IntentState.UNKNOWN]
    assert len(lost) == 1
    tomorrow = world.now() + timedelta(days=1)
    Path("other.csv").write_text(file_of(ADYEN_HEADER, [adyen_row("99999", "1.00", at=f"{tomorrow:%F %T}")]))
    report = told(world, files="other.csv", since=yesterday(world))
    (judged,) = [it for it in report.judged() if it.refund.process_id == lost[0].process_id]
    assert (judged.refund.id, judged.outcome, judged.refund.rever) == (lost[0].id, Outcome.MISSING, lost[0].amount)
    assert "ledger" in judged.missing_at
    books = {
        c: sum((it.amount or 0 for it in world.sandbox.books if it.currency == c), Decimal(0)) for c in report.sums
    }
    assert {currency: sums.rever for currency, sums in report.sums.items() if currency in books} == books


def test_the_daily_report_says_what_the_comparison_of_its_window_says(paid: Paid) -> None:
    """In each of its forms, to the cent; what is only probable stands apart."""
    missing, other, back, first, *right = paid.cards
    rows = [adyen_row_of(it, n) for n, it in enumerate(right, 10)]
    rows += [
        adyen_row_of(other, 2, other.amount - 1),
        adyen_row_of(back, 3),
        adyen_row("99999", "3.33", n=6, at=adyen_time(back)),
    ]
    rows += [adyen_row_of(back, 4, word="RefundedReversed", side="credit")]
    rows.append(adyen_row_of(first, 5).replace(f"17{5:014}", first.id))
    rows.append(adyen_row("", "500.00", n=99, word="MerchantPayout", at="2099-01-01 00:00:00"))
    Path("day.csv").write_text(file_of(ADYEN_HEADER, rows))
    window = {"since": yesterday(paid.world), "until": f"{paid.world.now():%F}"}
    compared = told(paid.world, files="day.csv", **window)
    run = run_flow("daily-report", {"payouts": "day.csv", **window}, prefect=False, clock=paid.world.clock)
    assert isinstance(run, DailyRun)
    report = run.found
    assert report is not None
    assert not run.failed
    found = Counter[str]()
    for row in report.table("payouts").records():
        assert isinstance(row["refunds"], int)
        found[str(row["outcome"])] += row["refunds"]
    assert found == Counter(str(it.outcome) for it in compared.judged())
    assert {"missing", "another amount", "reversed", "seen by all"} <= found.keys()
    for row in report.table("payout_sums").records():
        sums = compared.sums[str(row["currency"])]
        assert (row["ledger"], row["file"], row["unexplained"]) == (sums.ledger, sums.file, sums.unexplained)
    probable = sum(bool(it.rows) and it.key is not MatchKey.REFERENCE for it in compared.judged())
    assert sum(int(str(row["probable"])) for row in report.table("payouts").records()) == probable > 0
    assert sum(int(str(row["sure"])) for row in report.table("payouts").records()) == 1
    listed = {str(row["refund"]): row["outcome"] for row in report.table("payout_refunds").records()}
    assert listed == {it.refund.id: str(it.outcome) for it in compared.judged()}
    assert [row["order"] for row in report.table("payout_rows").records()] == ["99999"]
    assert f"{found['missing']} missing" in "\n".join(report.totals())
    printed = "\n".join([*run.lines(), run.page, json.dumps(run.as_json())])
    assert missing.process_id in run.page
    assert not [each for each in SHOPPERS if each in printed]
    without = run_flow("daily-report", window, prefect=False, clock=paid.world.clock)
    assert isinstance(without, DailyRun)
    assert "no payout file was read for this window" in "\n".join(without.lines())
    with pytest.raises(WrongNameError, match=r"none\.csv: is not there"):
        run_flow("daily-report", {"payouts": "none.csv"}, prefect=False, clock=paid.world.clock)


def test_the_daily_report_with_payouts_asks_rever_for_nothing_twice(paid: Paid) -> None:
    """What changed in the window is read once, for both; the other tables say the same as without payouts."""
    Path("cards.csv").write_text(file_of(ADYEN_HEADER, [adyen_row_of(it, n) for n, it in enumerate(paid.cards)]))
    window = {"since": yesterday(paid.world), "until": f"{paid.world.now():%F}"}
    asked, said = list[Counter[str]](), list[dict[str, list[object]]]()
    for more in ({}, {"payouts": "cards.csv"}):
        before = calls(paid.world)
        run = run_flow("daily-report", {**window, **more}, prefect=False, clock=paid.world.clock)
        assert isinstance(run, DailyRun)
        assert run.found is not None
        asked.append(calls(paid.world) - before)
        said.append({it.name: list(it.rows) for it in run.found.tables if not it.name.startswith("payout")})
    assert asked[0] == asked[1]
    assert asked[0]["searchReturnProcesses"] > 0
    assert said[0] == said[1]


def calls(world: World) -> Counter[str]:
    return Counter(entry.operation for entry in world.sandbox.journal.entries)
