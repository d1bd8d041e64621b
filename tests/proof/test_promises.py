"""The promises that the planted bugs break, each by itself: one run after another in one process, without chance."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from rever_api import limits
from rever_api.errors import WrongSetup
from rever_api.sandbox import RunningSandbox
from rever_api.sandbox.faults import Fault, FaultPlan, NamedFault
from tasks import crash_points
from tasks.crash_points import CrashPoint
from tasks.desk import utc_now
from tasks.ledger import Actor, back_up, restore
from tests.world import Start, World

Fire = Callable[[CrashPoint, str], None]


@pytest.fixture
def at_points() -> Iterator[list[Fire]]:
    """Called at every crash point of this process; off again after the test."""
    armed: list[Fire] = []

    def fire_all(point: CrashPoint, process_id: str) -> None:
        for fire in tuple(armed):
            fire(point, process_id)

    crash_points.arm(fire_all)
    yield armed
    crash_points._armed.remove(fire_all)


def shop(start_world: Start, *scenarios: str, settings: dict[str, str] | None = None) -> World:
    """A desk before a shop with a return of each of these scenarios."""
    world = start_world(settings=settings, shops=("acme",), returns=34)
    world.keep_only(scenarios)
    return world


def refunds(sandbox: RunningSandbox) -> list[Decimal | None]:
    return [effect.amount for effect in sandbox.books if effect.operation == "issueRefund" and not effect.foreign]


def test_a_second_run_while_the_first_is_sending_pays_nothing_twice(start_world: Start, at_points: list[Fire]) -> None:
    world = shop(start_world, "approved_one", "two_methods", "exchange_reviewed")

    def run_another(point: CrashPoint, _: str) -> None:
        if point is CrashPoint.AFTER_SENT and at_points:
            at_points.clear()
            other = threading.Thread(target=world.act)
            other.start()
            other.join()

    at_points.append(run_another)
    world.act()
    world.act()
    assert world.sandbox.audit().violations == ()
    assert world.sandbox.audit().due == ()


def test_what_the_back_office_pays_after_the_search_is_not_paid_again(
    start_world: Start, at_points: list[Fire]
) -> None:
    world = shop(start_world, "approved_one")

    def pay_first(point: CrashPoint, process_id: str) -> None:
        if point is CrashPoint.AFTER_CLAIM:
            world.sandbox.act("pay", process_id)

    at_points.append(pay_first)
    world.act()
    assert refunds(world.sandbox) == []
    assert world.sandbox.audit().violations == ()


def test_a_refund_whose_answer_is_lost_is_not_sent_again(start_world: Start) -> None:
    world = shop(start_world, "approved_one")
    world.sandbox.set_faults(FaultPlan(named=(NamedFault("issueRefund", 1, Fault.ACTS_LATER),), later=600))
    world.act()
    world.sandbox.stop_faults()  # now REVER carries out what it had answered 504 to
    world.act()
    assert len(refunds(world.sandbox)) == 1
    assert world.sandbox.audit().violations == ()


def test_an_earlier_refund_of_the_same_amount_is_not_taken_for_the_lost_one(start_world: Start) -> None:
    world = shop(start_world, "in_warehouse")
    (process_id,) = world.sandbox.process_ids()
    line = _even_line(world.sandbox, process_id)
    world.sandbox.act("review_one", process_id, line_item_id=line)
    world.act()
    (first,) = refunds(world.sandbox)
    world.sandbox.act("review_one", process_id, line_item_id=line)
    world.sandbox.set_faults("issueRefund:1:no_answer_before_acting")
    report = world.act()
    assert report.outcomes["unknown"] == 1
    assert report.paid == {}
    assert refunds(world.sandbox) == [first]


def _even_line(sandbox: RunningSandbox, process_id: str) -> str:
    """A line of two units, made to cost an even number of cents, so that both units are worth the same."""
    with sandbox.sandbox.locked():
        stored = sandbox.sandbox.find(process_id)
        line = next(line for line in stored.process.return_line_items if line.quantity == 2)
        even = line.model_copy(update={"total_price": Decimal("40.00")})
        lines = tuple(even if each.id == line.id else each for each in stored.process.return_line_items)
        sandbox.sandbox.change(stored, return_line_items=lines, return_costs=Decimal(0))
    return line.id


def test_costs_come_off_a_return_once_however_many_methods_it_has(start_world: Start) -> None:
    world = shop(start_world, "costs_smaller")
    with world.sandbox.sandbox.locked():
        (stored,) = world.sandbox.sandbox.processes.values()
    lines, costs = stored.process.return_line_items, stored.process.return_costs
    assert costs
    assert len({line.compensation_method for line in lines}) == 2
    world.act()
    world.act()
    worth = sum((line.total_price or Decimal(0) for line in lines), Decimal(0))
    assert sum(amount for amount in refunds(world.sandbox) if amount) == worth - costs


def test_nothing_is_waited_for_between_sent_and_the_call(
    start_world: Start,
    at_points: list[Fire],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = shop(start_world, "approved_one", "approved_thirds", "exchange_reviewed", settings={"REVER_RATE": "200"})
    marked: set[object] = set()
    waited: list[str] = []
    prepay = limits.AsyncSlot.prepay

    async def watched(slot: limits.AsyncSlot, calls: int) -> None:
        if asyncio.current_task() in marked:
            waited.append("a token was taken after `sent`")
        await prepay(slot, calls)

    def mark(point: CrashPoint, _: str) -> None:
        if point is CrashPoint.AFTER_SENT:
            marked.add(asyncio.current_task())
        elif point is CrashPoint.AFTER_ANSWER:
            marked.discard(asyncio.current_task())

    monkeypatch.setattr(limits.AsyncSlot, "prepay", watched)
    at_points.append(mark)
    report = world.act()
    assert report.outcomes["done"] >= 3
    assert waited == []


def test_a_cap_per_day_counts_what_was_claimed_a_moment_ago(start_world: Start, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    world = shop(start_world, "two_methods", settings={"REVER_POLICY": str(policy)})
    with world.sandbox.sandbox.locked():
        (stored,) = world.sandbox.sandbox.processes.values()
    totals = [line.total_price or Decimal(0) for line in stored.process.return_line_items]
    policy.write_text(f'[default.guards]\nmax_per_day = {{ EUR = "{sum(totals) - Decimal("0.01")}" }}\n')
    world.act()
    world.act()
    assert refunds(world.sandbox) == totals[:1]
    assert [hold.rule for hold in world.holds()] == ["guard:max_per_day"]


def test_what_a_person_dropped_after_the_backup_is_not_paid_after_the_restore(
    start_world: Start, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[default.guards]\nmax_refund = { EUR = "0" }\n')
    world = shop(start_world, "approved_one", settings={"REVER_POLICY": str(policy)})
    with world.ledger():
        back_up(world.ledger_url, tmp_path / "backup.sqlite")
    world.act()
    (hold,) = world.holds()
    about = {"hold_id": hold.hold_id, "version": str(hold.version), "by": "ada", "reason": "agreed"}
    world.run("answer-hold", mode="act", answer="drop", **about)
    restore(world.ledger_url, tmp_path / "backup.sqlite", account=world.account, clock=utc_now, actor=Actor("olga"))
    policy.write_text("[default]\n")
    world.let_pass(120)
    world.run("reconcile", mode="act")
    world.let_effects_go()
    world.act()
    assert refunds(world.sandbox) == []
    assert [hold.rule for hold in world.holds()] == ["after_restore"]


def test_what_a_worker_400_days_ahead_left_behind_is_not_forgotten(
    start_world: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = shop(start_world, "approved_one")
    monkeypatch.setattr(world.sandbox.sandbox, "tells", lambda: None, raising=False)  # no Date header warns it
    right = world.clock
    world.let_pass(400 * 86_400)
    world.sandbox.set_faults("issueRefund:1:error_500_before")
    assert world.act().outcomes["unknown"] == 1
    world.clock = right
    world.let_pass(120)
    world.run("reconcile", mode="act")
    assert [hold.rule for hold in world.holds()] == ["unknown_outcome"]
    assert refunds(world.sandbox) == []


def test_of_two_reads_that_differ_neither_is_paid(start_world: Start) -> None:
    world = shop(start_world, "approved_one")
    plan = FaultPlan(1.0, weights={Fault.READ_DIFFERS: 1})
    world.sandbox.set_faults(plan)
    world.act()
    world.act()
    assert refunds(world.sandbox) == []
    assert [hold.rule for hold in world.holds()] == ["reads_differ"]
    world.sandbox.stop_faults()
    world.act()
    assert world.holds() == []
    assert len(refunds(world.sandbox)) == 1
    assert world.sandbox.audit().violations == ()


def test_a_redirect_after_acting_is_no_no(start_world: Start) -> None:
    world = shop(start_world, "approved_one")
    world.sandbox.set_faults("issueRefund:1:redirect_after")
    report = world.act()  # a wrong set-up would end the run here
    assert len(refunds(world.sandbox)) == 1
    assert report.paid
    assert world.sandbox.audit().violations == ()


def test_what_a_proxy_denied_is_not_sent_again_before_rever_would_show_it(start_world: Start) -> None:
    world = shop(start_world, "approved_one")
    named = (NamedFault("issueRefund", 1, Fault.SET_UP_AFTER),)
    world.sandbox.set_faults(FaultPlan(1.0, weights={Fault.STALE_READ: 1}, named=named))
    with pytest.raises(WrongSetup):
        world.act()
    world.act()
    assert len(refunds(world.sandbox)) == 1
