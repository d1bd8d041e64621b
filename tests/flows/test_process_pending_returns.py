"""process-pending-returns from end to end, against the sandbox's own books."""

from decimal import Decimal
from pathlib import Path

import pytest

from flows.run import UsageError
from flows.timed import RunFailedError
from tasks.desk import DeskError
from tests.flows.conftest import Bench, Start


def test_act_pays_every_cent_that_is_due_and_nothing_else(bench: Bench) -> None:
    report = bench.act()
    audit = bench.sandbox.audit()
    assert audit.violations == ()
    assert report.paid == bench.paid()
    assert report.seen > 30
    assert not report.failures


def test_no_return_is_forgotten_once_reconcile_has_run(bench: Bench) -> None:
    """A status that nobody knows is in no search for running returns: reconcile finds those."""
    bench.act()
    bench.run("reconcile", mode="act")
    assert bench.sandbox.audit().forgotten(bench.explained()) == ()


def test_a_second_run_pays_nothing(bench: Bench) -> None:
    bench.act()
    before = bench.paid()
    again = bench.act()
    assert again.paid == {}
    assert bench.paid() == before


def test_plan_says_the_same_and_writes_nothing(bench: Bench) -> None:
    plan = bench.run("process-pending-returns", mode="plan")
    assert bench.paid() == {}
    assert not bench.ledger_file.exists()
    assert list(bench.ledger_file.parent.iterdir()) == []
    act = bench.act()
    assert plan.decisions == act.decisions
    assert plan.due == act.due


def test_a_form_that_says_nothing_plans(bench: Bench) -> None:
    assert bench.run("process-pending-returns").mode == "plan"


def test_max_returns_bounds_what_is_looked_at(bench: Bench) -> None:
    assert bench.act(max_returns="7").seen == 7


def test_max_amount_bounds_the_money_and_the_rest_waits(bench: Bench) -> None:
    report = bench.act(max_amount="100")
    assert report.paid
    assert all(amount <= Decimal(100) for amount in report.paid.values())
    assert bench.paid() == report.paid
    bench.act()
    assert bench.sandbox.audit().violations == ()


def test_returns_that_end_as_they_are_paid_make_the_search_no_longer(
    start_bench: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is paid leaves the list that is being walked: the walk goes on beside what is left, at the first try."""
    monkeypatch.setattr("tasks.fetch_returns.BATCH", 10)
    bench = start_bench(returns=60, shops=("acme",), scenarios=("approved_one",))
    report = bench.act()
    assert report.seen == 60
    assert bench.sandbox.audit().violations == ()
    searches = sum(entry.operation == "searchReturnProcesses" for entry in bench.sandbox.journal.entries)
    assert searches <= 15


def test_named_returns_only(bench: Bench) -> None:
    chosen = bench.sandbox.process_ids(store="acme")[:3]
    report = bench.act(process_ids=",".join((*chosen, chosen[0], "retp_nobody")))
    assert set(report.rows) <= set(chosen)
    assert report.seen == 3
    assert [failure.process_id for failure in report.failures] == ["retp_nobody"]


def test_one_store_only(bench: Bench) -> None:
    report = bench.act(stores="nordic")
    assert {row.store for row in report.rows.values()} == {"nordic"}
    assert set(report.paid) == {"SEK"}


def test_a_store_that_is_not_ours_is_refused(bench: Bench) -> None:
    with pytest.raises(DeskError, match="'elsewhere'"):
        bench.act(stores="elsewhere")


def test_a_store_rever_does_not_know_is_said_and_stops_no_other(start_bench: Start) -> None:
    bench = start_bench(settings={"REVER_STORES": "nowhere,acme"})
    with pytest.raises(RunFailedError, match="store 'nowhere': REVER knows no store") as failed:
        bench.act()
    assert failed.value.report.paid == bench.paid() != {}


def test_an_unknown_parameter_is_refused_with_the_right_ones(bench: Bench) -> None:
    with pytest.raises(UsageError, match="max_returns"):
        bench.run("process-pending-returns", limit="3")


def test_the_stores_of_a_group_are_asked_from_rever(start_bench: Start) -> None:
    bench = start_bench()
    grouped = start_bench(settings={"REVER_GROUP": bench.sandbox.group, "REVER_STORES": ""})
    assert grouped.run("process-pending-returns").stores == grouped.sandbox.stores


def test_a_shop_whose_rever_pays_by_itself_is_never_paid_by_us(start_bench: Start) -> None:
    bench = start_bench(
        settings={"REVER_REFUNDS_BY": "acme=us,autopay=rever"}, shops=("acme", "autopay"), pays_itself_after=0.2
    )
    bench.act()
    ours = [effect for effect in bench.sandbox.books.effects if effect.store == "autopay" and effect.by == "api"]
    assert [effect for effect in ours if effect.operation == "issueRefund"] == []
    assert bench.sandbox.audit().violations == ()


def test_a_policy_for_a_store_that_is_not_ours_stops_the_start(start_bench: Start, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[stores."acne".guards]\nmax_refund = { EUR = 1 }\n', encoding="utf-8")
    bench = start_bench(settings={"REVER_POLICY": str(policy)})
    with pytest.raises(DeskError, match="'acne'"):
        bench.act()
    assert bench.paid() == {}
