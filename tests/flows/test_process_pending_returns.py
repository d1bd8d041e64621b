"""process-pending-returns from end to end, against the sandbox's own books."""

from decimal import Decimal
from pathlib import Path

import pytest

from flows.run import RunFailedError, UsageError
from tasks.desk import DeskError
from tasks.reporting.report import ReturnsReport
from tests.world import Start, World


def test_act_pays_every_cent_that_is_due_and_nothing_else(world: World) -> None:
    report = world.act()
    audit = world.sandbox.audit()
    assert audit.violations == ()
    assert report.paid == world.paid()
    assert report.seen > 30
    assert not report.failures


def test_no_return_is_forgotten_once_reconcile_has_run(world: World) -> None:
    """A status that nobody knows is in no search for running returns: reconcile finds those."""
    world.act()
    world.run("reconcile", mode="act")
    assert world.sandbox.audit().forgotten(world.explained()) == ()


def test_a_second_run_pays_nothing(world: World) -> None:
    world.act()
    before = world.paid()
    again = world.act()
    assert again.paid == {}
    assert world.paid() == before


def test_plan_says_the_same_and_writes_nothing(world: World) -> None:
    plan = world.run("process-pending-returns", mode="plan")
    assert world.paid() == {}
    assert not world.ledger_file.exists()
    assert list(world.ledger_file.parent.iterdir()) == []
    act = world.act()
    assert plan.decisions == act.decisions
    assert plan.due == act.due


def test_a_form_that_says_nothing_plans(world: World) -> None:
    assert world.run("process-pending-returns").mode == "plan"


def test_max_returns_bounds_what_is_looked_at(world: World) -> None:
    assert world.act(max_returns="7").seen == 7


def test_max_amount_bounds_the_money_and_the_rest_waits(world: World) -> None:
    report = world.act(max_amount="100")
    assert report.paid
    assert all(amount <= Decimal(100) for amount in report.paid.values())
    assert world.paid() == report.paid
    world.act()
    assert world.sandbox.audit().violations == ()


def test_returns_that_end_as_they_are_paid_make_the_search_no_longer(
    start_world: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is paid leaves the list that is being walked: the walk goes on beside what is left, at the first try."""
    monkeypatch.setattr("tasks.fetch_returns.BATCH", 10)
    world = start_world(returns=60, shops=("acme",), scenarios=("approved_one",))
    report = world.act()
    assert report.seen == 60
    assert world.sandbox.audit().violations == ()
    searches = sum(entry.operation == "searchReturnProcesses" for entry in world.sandbox.journal.entries)
    assert searches <= 15


def test_named_returns_only(world: World) -> None:
    chosen = world.sandbox.process_ids(store="acme")[:3]
    report = world.act(process_ids=",".join((*chosen, chosen[0], "retp_nobody")))
    assert set(report.rows) <= set(chosen)
    assert report.seen == 3
    assert [failure.process_id for failure in report.failures] == ["retp_nobody"]


def test_one_store_only(world: World) -> None:
    report = world.act(stores="nordic")
    assert {row.store for row in report.rows.values()} == {"nordic"}
    assert set(report.paid) == {"SEK"}


def test_a_store_that_is_not_ours_is_refused(world: World) -> None:
    with pytest.raises(DeskError, match="'elsewhere'"):
        world.act(stores="elsewhere")


def test_a_store_rever_does_not_know_is_said_and_stops_no_other(start_world: Start) -> None:
    world = start_world(settings={"REVER_STORES": "nowhere,acme"})
    with pytest.raises(RunFailedError, match="store 'nowhere': REVER knows no store") as failed:
        world.act()
    report = failed.value.report
    assert isinstance(report, ReturnsReport)
    assert report.paid == world.paid() != {}


def test_an_unknown_parameter_is_refused_with_where_the_right_ones_are(world: World) -> None:
    with pytest.raises(UsageError, match=r"'limit' is no parameter of process-pending-returns: .*--help"):
        world.run("process-pending-returns", limit="3")


def test_the_stores_of_a_group_are_asked_from_rever(start_world: Start) -> None:
    world = start_world()
    grouped = start_world(settings={"REVER_GROUP": world.sandbox.group, "REVER_STORES": ""})
    assert grouped.run("process-pending-returns").stores == grouped.sandbox.stores


def test_a_shop_whose_rever_pays_by_itself_is_never_paid_by_us(start_world: Start) -> None:
    world = start_world(
        settings={"REVER_REFUNDS_BY": "acme=us,autopay=rever"}, shops=("acme", "autopay"), pays_itself_after=0.2
    )
    world.act()
    ours = [effect for effect in world.sandbox.books.effects if effect.store == "autopay" and effect.by == "api"]
    assert [effect for effect in ours if effect.operation == "issueRefund"] == []
    assert world.sandbox.audit().violations == ()


def test_a_policy_for_a_store_that_is_not_ours_stops_the_start(start_world: Start, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[stores."acne".guards]\nmax_refund = { EUR = 1 }\n', encoding="utf-8")
    world = start_world(settings={"REVER_POLICY": str(policy)})
    with pytest.raises(DeskError, match="'acne'"):
        world.act()
    assert world.paid() == {}
