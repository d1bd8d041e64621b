"""Which run stands for an event about a return: one that left nothing to another run, and no other."""

from collections.abc import Collection
from datetime import datetime

import pytest

from flows.run import RunFailedError
from rever_api.sandbox.faults import Fault, FaultPlan
from tasks.crash_points import CrashPoint
from tasks.effects import carry_out
from tasks.ledger import open_intents, runs_began, stop_switch
from tests.world import Start, World


def looked(world: World, process_ids: Collection[str]) -> dict[str, datetime]:
    return world.read(runs_began, process_ids)


@pytest.fixture
def paying(start_world: Start) -> World:
    """A shop with refunds, exchanges and labels that are due."""
    return start_world(returns=30, shops=("acme",))


def due(world: World) -> set[str]:
    return {item.process_id for item in world.sandbox.audit().due if item.amount and not item.blocked}


def test_a_run_that_may_pay_no_more_has_not_looked(paying: World) -> None:
    report = paying.act(max_amount="0")
    kept = [process_id for process_id, row in report.rows.items() if "max_amount" in row.why]
    assert kept
    assert not looked(paying, kept)
    assert looked(paying, report.rows), "the others were looked at"
    paying.act()
    assert set(kept) <= set(looked(paying, kept))


def test_a_run_while_effects_are_stopped_has_not_looked(paying: World) -> None:
    paying.write(stop_switch, on=True, by="olga", why="prices", now=paying.now())
    wanted = due(paying)
    paying.act()
    assert wanted
    assert not looked(paying, wanted)


@pytest.mark.parametrize("fault", [Fault.TOO_MANY_ABSURD, Fault.TOO_MANY_SILENT])
def test_a_run_whose_effects_were_not_sent_has_not_looked(paying: World, fault: Fault) -> None:
    waiting = due(paying)
    paying.sandbox.set_faults(FaultPlan(1.0, weights={fault: 1}, effects_only=True))
    for _ in range(2):
        paying.act()
        assert due(paying) == waiting
        assert not looked(paying, waiting)
    paying.sandbox.stop_faults()
    paying.pass_time(3600)
    paying.act()
    assert not due(paying)
    assert set(looked(paying, waiting)) == waiting


def test_a_run_that_breaks_off_after_its_claim_has_not_looked_nor_the_next_while_the_claim_stands(
    paying: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(point: CrashPoint, _: str = "") -> None:
        if point is CrashPoint.AFTER_CLAIM:
            raise RuntimeError("the worker is gone")

    with monkeypatch.context() as broken:
        broken.setattr(carry_out, "reached", break_off)
        with pytest.raises(RunFailedError):
            paying.act()
    claimed = {item.process_id for item in paying.read(open_intents)}
    assert claimed
    assert not looked(paying, claimed)
    paying.act()
    assert not looked(paying, claimed)
    paying.pass_time(3600)
    paying.act()
    assert set(looked(paying, claimed)) == claimed
    assert paying.sandbox.audit().violations == ()


def test_a_run_whose_outcome_is_unknown_has_looked(paying: World) -> None:
    paying.sandbox.set_faults("issueRefund:1:error_500_before")
    paying.act()
    unknown = {item.process_id for item in paying.read(open_intents)}
    assert unknown
    assert set(looked(paying, unknown)) == unknown
