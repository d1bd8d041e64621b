"""What REVER has accepted and not paid yet, from end to end: counted apart, waited for, held, and never sent again."""

import csv
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deployments.cli.ledger import history_lines
from rever_api.models import ProcessStatus
from rever_api.sandbox.state import Options
from tasks.ledger import Answer, HoldRow, RecordRow, history
from tests.flows.conftest import Bench, Start

DAY = 86_400.0
LATE = Options(pays_out_after=None)


@pytest.fixture
def bench(start_bench: Start) -> Bench:
    """A desk in front of a REVER that accepts refunds and pays none until it is told to; one return of one line."""
    return start_bench(options=LATE, returns=1, shops=("acme",), scenarios=("approved_one",))


def only(bench: Bench) -> str:
    (process_id,) = bench.sandbox.process_ids()
    return process_id


def record(bench: Bench) -> RecordRow:
    known = bench.read(history, only(bench))
    assert known is not None
    return known.record


def why(bench: Bench) -> str:
    known = bench.read(history, only(bench))
    assert known is not None
    return "\n".join(history_lines(known))


def act(bench: Bench, action: str, **parameters: str) -> None:
    """Somebody does something at REVER, and it is no news any more."""
    bench.sandbox.act(action, only(bench), **parameters)
    bench.let_pass(120)


def reconcile(bench: Bench, **values: str) -> list[str]:
    return bench.run("reconcile", mode="act", **values).notes


def sent(bench: Bench) -> int:
    return sum(effect.by == "api" and effect.operation == "issueRefund" for effect in bench.sandbox.books.effects)


def answer(bench: Bench, hold: HoldRow, said: str, **more: str) -> None:
    about = {"hold_id": hold.hold_id, "version": str(hold.version), "answer": said, "by": "olga", "reason": "seen"}
    bench.run("answer-hold", mode="act", **about, **more)


def amount(bench: Bench) -> Decimal:
    return bench.paid()["EUR"]


def test_what_is_accepted_and_not_paid_is_on_its_way_and_not_paid(bench: Bench) -> None:
    report = bench.act()
    due = amount(bench)
    assert (report.paid, report.on_its_way) == ({"EUR": Decimal(0)}, {"EUR": due})
    assert report.as_json()["on_its_way"] == {"EUR": str(due)}
    assert any(line.strip() == f"on its way: {due} EUR" for line in report.lines())
    assert f"{due} EUR on its way" in report.sentence()
    assert report.rows[only(bench)].outcome.endswith(f"done ({due} EUR on its way)")
    notes = reconcile(bench)
    assert any(f"of REVER's 0.00 paid, {due} on its way" in note for note in notes)
    row = record(bench)
    assert (row.decision, row.rule, row.final) == ("wait", "on_its_way", False)
    assert row.next_look_at is not None
    assert f"paid 0.00 EUR, {due} EUR on its way" in why(bench)
    assert bench.holds() == []


def test_it_ends_once_it_is_paid_in_full_and_not_before(bench: Bench) -> None:
    bench.act()
    reconcile(bench)
    act(bench, "pay_out", amount="1.00")
    reconcile(bench)
    assert (record(bench).rule, record(bench).final) == ("on_its_way", False)
    assert "paid 1.00 EUR" in why(bench)
    act(bench, "pay_out")
    reconcile(bench)
    assert (record(bench).rule, record(bench).final) == ("completed", True)
    assert "on its way at REVER" not in why(bench)
    assert (bench.holds(), sent(bench)) == ([], 1)


def test_after_the_patience_a_person_is_asked_and_nothing_is_sent(bench: Bench) -> None:
    bench.act()
    reconcile(bench)
    bench.let_pass(6.9 * DAY)
    reconcile(bench)
    assert bench.holds() == []
    bench.let_pass(0.2 * DAY)
    reconcile(bench)
    (hold,) = bench.holds()
    assert (hold.rule, hold.kind, hold.amount) == ("still_on_its_way", "on_its_way", str(amount(bench)))
    assert "waits for REVER as long again" in hold.answers[Answer.LOOK_AGAIN]
    answer(bench, hold, "retry")
    assert (bench.holds(), record(bench).rule, sent(bench)) == ([], "on_its_way", 1)
    bench.let_pass(6.9 * DAY)
    reconcile(bench)
    assert bench.holds() == []
    bench.let_pass(0.2 * DAY)
    reconcile(bench)
    (again,) = bench.holds()
    assert again.hold_id != hold.hold_id
    answer(bench, again, "drop")
    reconcile(bench)
    assert (bench.holds(), record(bench).final, sent(bench)) == ([], True, 1)
    assert bench.sandbox.audit().violations == ()


def test_the_patience_is_a_setting(start_bench: Start) -> None:
    bench = start_bench(
        {"REVER_ON_ITS_WAY_AFTER": "1"}, options=LATE, returns=1, shops=("acme",), scenarios=("approved_one",)
    )
    bench.act()
    bench.let_pass(1.1 * DAY)
    reconcile(bench)
    (hold,) = bench.holds()
    assert "longer than the 1 days" in hold.why


@pytest.mark.parametrize("again", ["come_back", "vanishes", "loses its date", "shrinks", "disappears"])
def test_what_comes_back_after_the_end_is_held_and_not_sent_again(bench: Bench, again: str) -> None:
    bench.act()
    act(bench, "pay_out")
    reconcile(bench)
    assert record(bench).final
    bench.let_pass(3 * DAY)
    with bench.sandbox.sandbox.locked():
        stored = bench.sandbox.sandbox.processes[only(bench)]
        shown = stored.process.compensation
        assert shown is not None
        assert shown.refunds is not None
        (refund,) = shown.refunds
        now: Any = {
            "come_back": {"missing_amount": refund.amount, "refunded_at": None},
            "vanishes": {"missing_amount": None, "refunded_at": None},
            "loses its date": {"refunded_at": None},
            "shrinks": {"amount": refund.amount - 1},
            "disappears": None,
        }[again]
        left = () if now is None else (refund.model_copy(update=now),)
        bench.sandbox.sandbox.change(stored, compensation=shown.model_copy(update={"refunds": left}))
    reconcile(bench)
    (hold,) = bench.holds()
    gone = again in {"shrinks", "disappears"}
    assert (hold.rule, hold.kind) == (("rever_shows_less", "contradiction") if gone else ("came_back", "came_back"))
    assert not record(bench).final
    bench.act()
    bench.run("process-return", mode="act", process_id=only(bench))
    assert sent(bench) == 1
    answer(bench, hold, "drop")
    reconcile(bench)
    assert (bench.holds(), sent(bench)) == ([], 1)


def test_one_refund_that_is_paid_in_legs_is_no_difference(bench: Bench) -> None:
    bench.act()
    act(bench, "legs", first="5.00")
    reconcile(bench)
    assert (bench.holds(), record(bench).rule) == ([], "on_its_way")
    act(bench, "pay_out", amount="5.00")
    reconcile(bench)
    assert "paid 5.00 EUR" in why(bench)
    act(bench, "pay_out")
    reconcile(bench)
    assert (bench.holds(), record(bench).final, sent(bench)) == ([], True, 1)


def test_legs_of_a_refund_whose_answer_was_lost_settle_it(bench: Bench) -> None:
    bench.sandbox.set_faults("issueRefund:1:acts_answer_lost")
    bench.act()
    assert sent(bench) == 1
    act(bench, "legs", first="5.00")
    reconcile(bench)
    assert (bench.holds(), record(bench).rule, sent(bench)) == ([], "on_its_way", 1)


def test_the_file_for_finance_has_what_is_on_its_way(bench: Bench, tmp_path: Path) -> None:
    bench.act()
    reconcile(bench, csv=str(tmp_path / "comparison.csv"))
    with (tmp_path / "comparison.csv").open(encoding="utf-8", newline="") as text:
        (row,) = csv.DictReader(text)
    assert (row["rever"], row["on_its_way"]) == (str(amount(bench)), str(amount(bench)))


@pytest.mark.parametrize("missing", ["-1.00", "1000.00", "0.001"])
def test_an_impossible_missing_amount_is_held_and_not_believed(bench: Bench, missing: str) -> None:
    bench.act()
    with bench.sandbox.sandbox.locked():
        stored = bench.sandbox.sandbox.processes[only(bench)]
        shown = stored.process.compensation
        assert shown is not None
        assert shown.refunds is not None
        odd = shown.refunds[0].model_copy(update={"missing_amount": Decimal(missing)})
        bench.sandbox.sandbox.change(stored, compensation=shown.model_copy(update={"refunds": (odd,)}))
    bench.clock = lambda before=bench.clock: before() + timedelta(seconds=120)  # type: ignore[misc]
    reconcile(bench)
    (hold,) = bench.holds()
    assert hold.rule == "contradictory"
    assert not record(bench).final


def test_rever_that_pays_itself_is_adopted_while_its_money_is_on_its_way(start_bench: Start) -> None:
    bench = start_bench(
        {"REVER_REFUNDS_BY": "rever"}, options=LATE, returns=1, shops=("acme",), scenarios=("approved_one",)
    )
    bench.sandbox.act("pay", only(bench))
    bench.let_pass(120)
    reconcile(bench)
    assert bench.holds() == []
    reconcile(bench)
    assert (record(bench).rule, record(bench).final) == ("on_its_way", False)
    act(bench, "pay_out")
    reconcile(bench)
    assert (record(bench).final, sent(bench)) == (True, 0)


@pytest.mark.parametrize("came", [False, True])
def test_the_hold_closes_itself_once_rever_has_paid(bench: Bench, came: bool) -> None:
    bench.act()
    if came:
        act(bench, "pay_out")
        reconcile(bench)
        act(bench, "come_back")
    bench.let_pass(8 * DAY)
    reconcile(bench)
    (hold,) = bench.holds()
    assert hold.rule == ("came_back" if came else "still_on_its_way")
    act(bench, "pay_out")
    reconcile(bench)
    assert (bench.holds(), record(bench).final, sent(bench)) == ([], True, 1)


def test_a_return_that_ended_long_ago_is_looked_at_again_though_rever_shows_no_change(bench: Bench) -> None:
    """A payment failed without a change of `updated_at`: no list shows it, and no run has acted on it lately."""
    bench.act()
    act(bench, "pay_out")
    reconcile(bench)
    assert record(bench).final
    before = record(bench).looked_at
    act(bench, "come_back")
    with bench.sandbox.sandbox.locked():
        stored = bench.sandbox.sandbox.processes[only(bench)]
        stored.process = stored.process.model_copy(update={"updated_at": before})
    bench.let_pass(60 * DAY)
    reconcile(bench, hours="1")
    (hold,) = bench.holds()
    assert hold.rule == "came_back"
    assert sent(bench) == 1


def test_a_return_that_ended_is_left_alone_between_two_looks(bench: Bench) -> None:
    bench.act()
    act(bench, "pay_out")
    reconcile(bench)
    bench.let_pass(60 * DAY)
    reconcile(bench, hours="1")
    looked = record(bench).looked_at
    assert record(bench).final
    bench.let_pass(6 * DAY)
    reconcile(bench, hours="1")
    assert record(bench).looked_at == looked


@pytest.mark.parametrize("status", [ProcessStatus.CANCELED, ProcessStatus.FAILED])
def test_a_paid_return_that_rever_calls_off_after_its_end_is_asked_about_once(bench: Bench, status: str) -> None:
    bench.act()
    act(bench, "pay_out")
    reconcile(bench)
    assert record(bench).final
    with bench.sandbox.sandbox.locked():
        stored = bench.sandbox.sandbox.processes[only(bench)]
        bench.sandbox.sandbox.change(stored, rever_process_status=status)
    reconcile(bench)
    (hold,) = bench.holds()
    assert (hold.rule, hold.amount) == ("reversed", str(amount(bench)))
    answer(bench, hold, "drop")
    reconcile(bench)
    assert (bench.holds(), record(bench).final, sent(bench)) == ([], True, 1)


def test_each_change_of_what_is_paid_is_in_the_audit(bench: Bench) -> None:
    bench.act()
    due = amount(bench)
    reconcile(bench)
    act(bench, "pay_out", amount="1.00")
    reconcile(bench)
    act(bench, "pay_out")
    reconcile(bench)
    reconcile(bench)
    known = bench.read(history, only(bench))
    assert known is not None
    steps = [step for step in known.audit if step.event == "paid"]
    assert [(step.amount, step.evidence["before"]) for step in steps] == [("1.00", "0.00"), (str(due), "1.00")]
