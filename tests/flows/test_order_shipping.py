"""Whole runs whose rules refund the order's shipping: to the cent, once an order, and seen in both books."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from rever_api.models import ReturnProcess
from rever_api.sandbox.faults import Fault
from tasks.ledger import Answer, AnswerError, check, history
from tests.flows.test_answered_no import act, hour_later
from tests.flows.test_own_rules import refunds, totals
from tests.world import Start, World, told

WHOLE = "{name: shipping, then: {refund_shipping: {share: whole}}}"
PART = "{name: shipping, then: {refund_shipping: {share: proportion}}}"
COST = Decimal("4.90")


def start(start_world: Start, folder: Path, rule: str, *scenarios: str, goods: str = "", cost: str = "4.90") -> World:
    """Returns of these scenarios, two and two of one order, whose shipping cost so much."""
    world = start_world({"REVER_POLICY": str(folder / "policy.yaml")}, shops=("acme",), returns=34 * 2)
    world.keep_only(scenarios)
    (folder / "policy.yaml").write_text(f"default:\n  facts: {{orders: orders.csv}}\n  rules: [{rule}]\n")
    sandbox, rows = world.sandbox.sandbox, ["order_id,shipping,goods_value,currency"]
    with sandbox.locked():
        stored = list(sandbox.processes.values())
        for number in range(0, len(stored), 2):
            first = stored[number].process
            for each in stored[number : number + 2]:
                sandbox.change(each, order_id=first.order_id, order_name=first.order_name)
            rows.append(f"{first.order_id},{cost},{goods},{first.return_line_items[0].currency}")
        orders = {it.process.order_id for it in stored}
    if cost:
        sandbox.options = replace(sandbox.options, shipping=dict.fromkeys(orders, Decimal(cost)))
    (folder / "orders.csv").write_text("\n".join(rows))
    return world


def agrees(world: World) -> bool:
    """No promise is broken, nothing is held, and the ledger finds nothing wrong with itself."""
    findings = [str(it) for it in world.read(check, now=world.now()).findings]
    assert (findings, [str(it) for it in world.sandbox.audit().violations], world.holds()) == ([], [], [])
    return True


def both(world: World) -> list[ReturnProcess]:
    return [it.process for it in world.sandbox.sandbox.processes.values()]


def test_of_two_returns_of_an_order_one_has_the_shipping(start_world: Start, tmp_path: Path) -> None:
    world = start(start_world, tmp_path, WHOLE, "approved_one")
    assert len({it.order_id for it in both(world)}) == 1
    goods = sum(totals(world).values())
    report = world.act()
    assert report.decisions.get("hold", 0) == 0
    for _ in range(2):
        world.act()
    assert sum(refunds(world).values()) == goods + COST
    assert agrees(world)
    stories = [told(known) for it in both(world) if (known := world.read(history, it.rever_process_id))]
    assert sum("of its order's shipping" in story for story in stories) == 1


@pytest.mark.parametrize(
    "fault", [Fault.SET_UP_AFTER, Fault.TOO_MANY_AFTER, Fault.CONFLICT_409_AFTER, Fault.UNAUTHORIZED_401]
)
def test_where_a_proxy_said_no_the_shipping_stays_with_that_return(
    start_world: Start, tmp_path: Path, fault: Fault
) -> None:
    """REVER may have refunded it all the same; the order's other return is paid without."""
    world = start(start_world, tmp_path, WHOLE, "approved_one")
    world.sandbox.set_faults(f"issueRefund:1:{fault}")
    for _ in range(3):
        act(world)
    hour_later(world)
    for _ in range(2):
        act(world)
    assert sum(refunds(world).values()) == sum(totals(world).values()) + COST
    assert world.sandbox.audit().violations == ()
    assert world.read(check, now=world.now()).findings == ()
    assert {hold.rule for hold in world.holds()} == (
        {"refused_by_rever"} if fault is Fault.CONFLICT_409_AFTER else set()
    )


def test_a_plan_of_one_return_is_what_is_done(start_world: Start, tmp_path: Path) -> None:
    world = start(start_world, tmp_path, WHOLE, "two_methods")
    first = both(world)[0].rever_process_id
    plan = world.run("process-return", mode="plan", process_id=first)
    done = world.run("process-return", mode="act", process_id=first)
    assert plan.would_pay == done.paid == world.paid()
    assert world.paid()["EUR"] == sum((it.total_price or 0) for it in both(world)[0].return_line_items) + COST
    assert agrees(world)


def test_in_proportion_the_parts_of_two_returns_are_the_whole(start_world: Start, tmp_path: Path) -> None:
    world = start(start_world, tmp_path, PART, "approved_thirds", goods="20.00", cost="4.99")
    for _ in range(3):
        world.act()
    ours = [effect.amount for effect in world.sandbox.books if not effect.foreign]
    assert ours == [Decimal("12.50"), Decimal("12.49")]
    assert agrees(world)


def test_an_amount_that_no_table_tells_holds_and_nothing_is_paid(start_world: Start, tmp_path: Path) -> None:
    world = start(start_world, tmp_path, WHOLE, "approved_one", cost="")
    world.act()
    assert world.paid() == {}
    assert {hold.rule for hold in world.holds()} == {"needs_facts"}
    needs = "the order's shipping costs (the table of orders or the shop's order), for rule 'shipping'"
    assert needs in world.holds()[0].why


def test_the_shop_s_own_order_tells_it(start_world: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = start(start_world, tmp_path, WHOLE, "approved_one", cost="")
    (tmp_path / "policy.yaml").write_text(f"default:\n  rules: [{WHOLE}]\n")
    monkeypatch.setenv("REVER_SHOP_URL", world.sandbox.base_url)
    monkeypatch.setenv("REVER_SHOP_KEY", world.sandbox.shop_key)
    sandbox, told = world.sandbox.sandbox, Decimal("5.99")
    sandbox.options = replace(sandbox.options, shipping={it.order_id: told for it in both(world)})
    for _ in range(3):
        world.act()
    assert sum(refunds(world).values()) == sum(totals(world).values()) + told
    assert agrees(world)


def test_shipping_that_is_due_when_the_goods_are_paid_is_a_person_s(start_world: Start, tmp_path: Path) -> None:
    world = start(start_world, tmp_path, WHOLE, "partially_reviewed")
    world.sandbox.sandbox.options = replace(world.sandbox.sandbox.options, completion_delay=9e9)
    world.act()
    paid = world.paid()
    with world.sandbox.sandbox.locked():
        left = [it.rever_process_id for it in both(world)]
    for process_id in left:
        world.sandbox.act("review", process_id, status="DECLINED")
    for _ in range(2):
        world.act()
    assert world.paid() == paid
    held = world.holds()
    assert {hold.rule for hold in held} == {"shipping_left"}
    assert held[0].answers.keys() == {Answer.TAKE_AS_IT_IS, Answer.DONE_BY_HAND, Answer.DROP}
    for answer, hold in zip(("done_by_hand", "take_as_it_is"), held, strict=True):
        said = {"by": "olga", "reason": "done", "reference": "bank 7", "on": f"{world.now():%F}"}
        said = said if answer == "done_by_hand" else {"by": "olga", "reason": "done"}
        world.run("answer-hold", mode="act", hold_id=hold.hold_id, version=str(hold.version), answer=answer, **said)
    for _ in range(2):
        world.act()
    assert (world.holds(), world.paid()) == ([], paid)
    assert [str(it) for it in world.read(check, now=world.now()).findings] == []


def left_with_both(start_world: Start, folder: Path) -> World:
    """Two returns of one order, whose goods are paid and of which each asks a person about the order's shipping."""
    world = start(start_world, folder, WHOLE, "partially_reviewed")
    world.sandbox.sandbox.options = replace(world.sandbox.sandbox.options, completion_delay=9e9)
    world.act()
    with world.sandbox.sandbox.locked():
        left = [it.rever_process_id for it in both(world)]
    for process_id in left:
        world.sandbox.act("review", process_id, status="DECLINED")
    for _ in range(2):
        world.act()
    assert [hold.rule for hold in world.holds()] == ["shipping_left"] * 2
    return world


def test_of_two_holds_of_an_order_s_shipping_only_one_is_paid_by_hand(start_world: Start, tmp_path: Path) -> None:
    world = left_with_both(start_world, tmp_path)
    one, other = world.holds()
    said = {"by": "olga", "reason": "done", "reference": "bank 7", "on": f"{world.now():%F}", "answer": "done_by_hand"}
    world.run("answer-hold", mode="act", hold_id=one.hold_id, version=str(one.version), **said)
    with pytest.raises(AnswerError, match=r"4\.90 EUR of the order's shipping.*0\.00 EUR of it is left"):
        world.run("answer-hold", mode="act", hold_id=other.hold_id, version=str(other.version), **said)
    assert world.read(check, now=world.now()).findings == ()
    assert [hold.hold_id for hold in world.holds()] == [other.hold_id]
    world.act()
    assert world.holds() == [], "nothing is left of the shipping, so nobody is asked any more"
    assert agrees(world)


@pytest.mark.parametrize(
    ("rule", "scenario", "goods", "cost"),
    [(WHOLE, "approved_one", "", "4.90"), (PART, "approved_thirds", "20.00", "4.99")],
)
def test_a_plan_over_two_returns_of_an_order_counts_its_shipping_once(
    start_world: Start, tmp_path: Path, rule: str, scenario: str, goods: str, cost: str
) -> None:
    world = start(start_world, tmp_path, rule, scenario, goods=goods, cost=cost)
    due = sum(totals(world).values()) + Decimal(cost)
    plan = world.run("process-pending-returns", mode="plan")
    assert plan.would_pay == {"EUR": due}
    assert sum(row.amount or 0 for row in plan.rows.values()) == due
    for _ in range(3):
        world.act()
    assert world.paid() == plan.would_pay
