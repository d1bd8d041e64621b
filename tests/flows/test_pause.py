"""The pause after five unknown outcomes in a row: an outage costs a handful of holds, not thousands."""

from datetime import UTC, datetime, timedelta

import pytest

from deployments.cli.ledger import holds_text, resume, why_lines
from rever_api.sandbox.faults import Fault, FaultPlan
from tests.flows.conftest import Bench, Start

OUTAGE = FaultPlan(rate=1.0, weights={Fault.ERROR_500_BEFORE: 1}, effects_only=True)
"""Every effect fails so that nobody knows whether it was done; none is done."""

BEGIN = datetime(2026, 11, 23, 12, tzinfo=UTC)


def refunds_sent(bench: Bench) -> int:
    return sum(entry.operation == "issueRefund" for entry in bench.sandbox.journal.entries)


def run_at(bench: Bench, minutes: float) -> int:
    """Run at this time; answers how many refunds it sent."""
    before = refunds_sent(bench)
    bench.clock = lambda: BEGIN + timedelta(minutes=minutes)
    bench.act()
    return refunds_sent(bench) - before


def test_an_outage_costs_a_handful_then_one_trial_after_each_longer_pause(start_bench: Start) -> None:
    bench = start_bench(faults=OUTAGE, returns=68, shops=("acme",), settings={"REVER_MAX_IN_FLIGHT": "2"})
    in_the_air = 2
    first = run_at(bench, 0)
    assert 5 <= first <= 5 + in_the_air
    assert run_at(bench, 0.9) == 0
    pauses_after_failed_trials = [1.1, 3.2, 7.3, 15.4, 31.5, 61.6, 91.7]
    for minutes in pauses_after_failed_trials:
        assert run_at(bench, minutes - 0.2) == 0, minutes
        assert run_at(bench, minutes) == 1, minutes
    assert len([hold for hold in bench.holds() if hold.rule == "unknown_outcome"]) <= first + 7
    bench.sandbox.stop_faults()
    assert run_at(bench, 121.8) >= 1
    assert run_at(bench, 122) + refunds_sent(bench) > 20
    assert bench.sandbox.audit().violations == ()
    bench.run("reconcile", mode="act")
    assert bench.sandbox.audit().forgotten(bench.explained()) == ()


def test_a_store_in_an_outage_does_not_pause_another(start_bench: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = start_bench(returns=60, settings={"REVER_STORES": "acme"}, faults=OUTAGE)
    bench.act()
    paused = refunds_sent(bench)
    bench.sandbox.stop_faults()
    monkeypatch.setenv("REVER_STORES", "acme,nordic")
    report = bench.act()
    assert set(report.paid) == {"SEK"}
    assert paused <= 5 + 8


def test_a_pause_is_told_by_the_report_why_and_holds_with_its_end_and_the_command(
    start_bench: Start,
) -> None:
    bench = start_bench(faults=OUTAGE, returns=60, shops=("acme",), settings={"REVER_MAX_IN_FLIGHT": "2"})
    before = datetime.now(UTC)
    report = bench.act()
    command = "`rever-returns resume acme --by NAME`"
    [note] = [note for note in report.notes if "paused" in note]
    assert note.startswith("store acme is paused, since the outcome of 5 effects in a row was unknown")
    assert command in note
    assert before < report.paused["acme"] <= datetime.now(UTC) + timedelta(minutes=1)
    assert f"acme is paused until {report.paused['acme']:%H:%M}Z" in report.sentence()
    assert report.as_json()["paused"] == {"acme": report.paused["acme"].isoformat(timespec="seconds")}
    some = next(hold.process_id for hold in bench.holds()) if bench.holds() else next(iter(report.rows))
    assert command in "\n".join(why_lines(some))
    assert command in holds_text(as_json=False).split("\n")[0]
    bench.let_pass(90)
    assert "one effect is sent as a trial" in next(note for note in bench.run("process-pending-returns").notes)
    resume("acme", by="olga", why="REVER is back")
    assert bench.run("process-pending-returns").paused == {}
    assert "paused" not in "\n".join([*why_lines(some), holds_text(as_json=False)])
