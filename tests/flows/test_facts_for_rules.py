"""Whole runs whose rules need what REVER does not tell: it is gathered, and what is due is paid once by it."""

import json
import logging
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from rever_api.models import Compensation, ReturnProcess, Shopper
from rever_api.sandbox.shop_orders import order_of
from rever_api.sandbox.state import Sandbox, StoredProcess
from tasks.fetch_returns import Entry
from tasks.ledger import Actor, forget_email
from tests.world import Start, World

VIP = "{name: VIP, when: {customer_tags: {has: VIP}}, then: {pay: {at: first_scan}}}"
TAGGED = "{name: sale, when: {order_tags: {has: sale}}, then: {decline: {why: on sale}}}"
MANY = (
    "{name: many, when: {earlier_returns: {at_least: 3, within_days: 90}}, "
    "then: {approve: {who: service, why: the fourth return}}}"
)


def start(start_world: Start, rule: str, *scenarios: str, returns: int = 34, facts: str = "") -> World:
    """A desk with this rule before one shop with returns of these scenarios."""
    Path("policy.yaml").write_text(f"default:\n  facts: {{{facts}}}\n  rules: [{rule}]\n")
    world = start_world({"REVER_POLICY": str(Path("policy.yaml").absolute())}, shops=("acme",), returns=returns)
    world.keep_only(scenarios)
    return world


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_vip_is_paid_at_the_first_scan_and_others_wait(start_world: Start) -> None:
    world = start(start_world, VIP, "collected", returns=34 * 2, facts="orders: orders.csv")
    vip, other = [it.process for it in world.sandbox.sandbox.processes.values()]
    Path("orders.csv").write_text(f"order_id,customer_tags\n{vip.order_id},VIP\n{other.order_id},-\n")
    plan = world.run("process-pending-returns", mode="plan")
    for _ in range(2):
        world.act()
    due = sum((line.total_price or Decimal(0) for line in vip.return_line_items), Decimal(0))
    assert (plan.would_pay, world.paid()) == ({"EUR": due}, {"EUR": due})
    ours = {effect.process_id for effect in world.sandbox.books if effect.amount and not effect.foreign}
    assert ours == {vip.rever_process_id}
    assert world.holds() == []


def shop_that_fails(start_world: Start, monkeypatch: pytest.MonkeyPatch, answer: int) -> tuple[World, ReturnProcess]:
    """A return that is due by what its shop would say, on which REVER had the last word just now."""
    world = start(start_world, TAGGED, "approved_one")
    monkeypatch.setenv("REVER_SHOP_URL", world.sandbox.base_url)
    monkeypatch.setenv("REVER_SHOP_KEY", world.sandbox.shop_key)
    with world.sandbox.sandbox.locked():
        (stored,) = world.sandbox.sandbox.processes.values()
        world.sandbox.sandbox.change(stored)
    world.sandbox.shop_answers[stored.process.order_id] = answer
    return world, stored.process


@pytest.mark.parametrize("answer", [503, 401])
def test_a_return_waits_a_day_for_a_shop_that_fails_and_is_paid_without_anybody_once_it_answers(
    start_world: Start, monkeypatch: pytest.MonkeyPatch, answer: int
) -> None:
    world, process = shop_that_fails(start_world, monkeypatch, answer)
    for mode in ("plan", "act"):
        report = world.run("process-pending-returns", mode=mode)
        assert (report.decisions["wait"], world.holds() if mode == "act" else [], world.paid()) == (1, [], {})
    world.sandbox.shop_answers[process.order_id] = order_of(process) | {"tags": []}
    world.pass_time(3600)
    world.act()
    assert (world.holds(), world.paid()) == ([], {"EUR": process.return_line_items[0].total_price})


def test_after_a_day_it_is_held(start_world: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    world, _ = shop_that_fails(start_world, monkeypatch, 503)
    world.act()
    assert world.holds() == []
    world.pass_time(25 * 3600)
    world.act()
    assert [hold.rule for hold in world.holds()] == ["needs_facts"]


def test_an_order_that_the_shop_does_not_have_is_held_at_once(
    start_world: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, _ = shop_that_fails(start_world, monkeypatch, 404)
    world.act()
    assert [hold.rule for hold in world.holds()] == ["needs_facts"]


def test_what_needs_the_shop_s_word_is_held_and_paid_once_it_is_there_and_a_person_has_said_so(
    start_world: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = start(start_world, TAGGED, "approved_one")
    monkeypatch.setenv("REVER_SHOP_URL", world.sandbox.base_url)
    monkeypatch.setenv("REVER_SHOP_KEY", world.sandbox.shop_key)
    (process,) = [it.process for it in world.sandbox.sandbox.processes.values()]
    world.sandbox.shop_answers[process.order_id] = 503
    report = world.act()
    (hold,) = world.holds()
    assert (hold.rule, world.paid()) == ("needs_facts", {})
    assert "the order's tags (the table of orders or the shop's order): the shop answered 503" in hold.why
    assert any("the shop answered 503 (REVER_SHOP_URL)" in note for note in report.notes)
    world.sandbox.shop_answers[process.order_id] = order_of(process) | {"tags": []}
    world.run(
        "answer-holds", mode="act", holds=f"{hold.hold_id}:{hold.version}", answer="look_again", by="o", reason="up"
    )
    for _ in range(2):
        world.act()
    assert (world.holds(), world.paid()) == ([], {"EUR": process.return_line_items[0].total_price})


def test_the_fourth_return_of_a_shopper_is_asked_about_and_the_first_three_are_paid(start_world: Start) -> None:
    world = start(start_world, MANY, "approved_one", returns=34 * 4)
    processes = [it.process for it in world.sandbox.sandbox.processes.values()]
    for process in processes[:3]:
        world.sandbox.act("cancel", process.rever_process_id)
    with world.sandbox.sandbox.locked():
        for stored in world.sandbox.sandbox.processes.values():
            stored.process = stored.process.model_copy(update={"shopper": Shopper(email="ann@example.com")})
    world.act()
    assert (world.holds(), len(world.paid())) == ([], 1), "cancelled ones do not count"
    with world.sandbox.sandbox.locked():
        for stored in world.sandbox.sandbox.processes.values():
            stored.process = stored.process.model_copy(update={"rever_process_status": "RUNNING"})
    before = world.paid()
    world.act()
    assert {hold.rule for hold in world.holds()} == {"approval"}
    assert world.paid() == before


def test_nobody_s_address_is_in_a_log_a_report_or_the_ledger(
    start_world: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    rule = "{name: both, when: {any: [{earlier_returns: {over: 9}}, {gateway: {is: x}}]}, then: {no_fee: {}}}"
    world = start(start_world, rule, "approved_one", "two_methods", returns=34 * 2)
    monkeypatch.setenv("REVER_SHOP_URL", world.sandbox.base_url)
    monkeypatch.setenv("REVER_SHOP_KEY", world.sandbox.shop_key)
    broken = next(iter(world.sandbox.sandbox.processes.values())).process.order_id
    world.sandbox.shop_answers[broken] = {"order_id": "another", "customer_info": {"email": "eve@example.com"}}
    report = world.act()
    assert world.paid()
    assert [hold.rule for hold in world.holds()] == ["needs_facts"]
    shown = [caplog.text, json.dumps(report.as_json()), *report.lines(), str(world.holds())]
    shown += [path.read_bytes().decode(errors="replace") for path in tmp_path.glob("ledger*") if path.is_file()]
    assert not [text for text in shown if "@example.com" in text or world.sandbox.shop_key in text]


HAD = "{name: had, when: {earlier_refunds: {at_least: 1%s}}, then: {approve: {who: service, why: refunded before}}}"
WINDOW = ", within_days: 90"
ANN = "ann@example.com"


def paid_before(start_world: Start, rule: str) -> tuple[World, str]:
    """Two approved returns of one shopper: the ledger has paid the first, whose id comes with it; the second is due."""
    world = start(start_world, rule, "approved_one", returns=34 * 2)
    first, second = world.sandbox.sandbox.processes
    change(world, first, shopper=Shopper(email=ANN))
    change(world, second, shopper=Shopper(email=ANN), rever_process_status="ON_HOLD")
    world.act()
    assert (world.holds(), len(world.paid())) == ([], 1)
    change(world, second, rever_process_status="RUNNING")
    return world, first


def change(world: World, process_id: str, **values: object) -> None:
    with world.sandbox.sandbox.locked():
        stored = world.sandbox.sandbox.processes[process_id]
        stored.process = stored.process.model_copy(update=values)


def unshown(world: World, process_id: str) -> None:
    """REVER's list shows the return without the refund: an older view."""
    change(world, process_id, compensation=Compensation(refunds=()))


def unlisted(world: World, process_id: str) -> None:
    """REVER's search does not find the return by the e-mail; a read by id shows it."""
    change(world, process_id, shopper=None)


def gone(world: World, process_id: str) -> None:
    """REVER does not show the return at all."""
    with world.sandbox.sandbox.locked():
        del world.sandbox.sandbox.processes[process_id]


@pytest.mark.parametrize(
    ("hide", "rule", "held"),
    [
        (unshown, HAD % WINDOW, "approval"),
        (unlisted, HAD % WINDOW, "approval"),
        (gone, HAD % "", "approval"),
        # When it began nobody tells, so whether it is in the window is not known.
        (gone, HAD % WINDOW, "needs_facts"),
    ],
)
def test_what_the_ledger_has_refunded_counts_though_rever_does_not_show_it(
    start_world: Start, hide: Callable[[World, str], None], rule: str, held: str
) -> None:
    world, first = paid_before(start_world, rule)
    hide(world, first)
    before = world.paid()
    plan = world.run("process-pending-returns", mode="plan")
    assert plan.decisions["hold"] == 1
    world.act()
    assert ([hold.rule for hold in world.holds()], world.paid()) == ([held], before)


@pytest.mark.parametrize("hide", [unlisted, gone])
def test_once_a_shopper_is_forgotten_the_ledger_tells_nothing_of_their_returns(
    start_world: Start, hide: Callable[[World, str], None]
) -> None:
    world, first = paid_before(start_world, HAD % WINDOW)
    hide(world, first)
    world.write(forget_email, ANN, now=world.now(), actor=Actor("test"))
    before = world.paid()["EUR"]
    world.act()
    assert (world.holds(), world.paid()["EUR"] > before) == ([], True)


SPAIN = "{name: home, when: {country: {is_one_of: [ES, FR, SE, PT, DE, IT]}}, then: {no_fee: {}}}"


def leave_out(monkeypatch: pytest.MonkeyPatch, **values: object) -> None:
    """REVER's list shows each return with these values in the place of its own."""
    whole = Sandbox.listed

    def listed(sandbox: Sandbox, stored: StoredProcess, *, stale: bool) -> ReturnProcess | None:
        found = whole(sandbox, stored, stale=stale)
        return found and found.model_copy(update=values)

    monkeypatch.setattr(Sandbox, "listed", listed)


def reads(world: World) -> int:
    return sum(entry.operation == "getReturnProcess" for entry in world.sandbox.journal.entries)


def test_a_fact_that_the_list_leaves_out_is_read_by_id_before_a_return_is_held_for_it(
    start_world: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = start(start_world, SPAIN, "approved_one", returns=34 * 2)
    leave_out(monkeypatch, pickup_address=None)
    plan = world.run("process-pending-returns", mode="plan")
    assert (len(plan.would_pay), plan.decisions["hold"], reads(world)) == (1, 0, 2)
    world.act()
    assert (world.holds(), world.paid()) == ([], plan.would_pay)


def test_a_fact_that_makes_no_difference_or_that_no_read_tells_costs_no_read(
    start_world: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    credit = "{name: thanks, when: {country: {is: ES}}, then: {bonus: {percent: 10 %, methods: [GIFT_CARD]}}}"
    world = start(start_world, credit, "approved_one")
    leave_out(monkeypatch, pickup_address=None)
    assert (len(world.run("process-pending-returns", mode="plan").would_pay), reads(world)) == (1, 0)
    Path("policy.yaml").write_text(f"default:\n  rules: [{TAGGED}]\n")
    assert world.run("process-pending-returns", mode="plan").decisions["hold"] == 1
    assert reads(world) == 0


def test_what_a_read_by_id_leaves_out_too_is_held_and_not_read_again(
    start_world: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = start(start_world, SPAIN, "approved_one")
    (process_id,) = world.sandbox.sandbox.processes
    change(world, process_id, pickup_address=None)
    world.act()
    assert ([hold.rule for hold in world.holds()], reads(world), world.paid()) == (["needs_facts"], 1, {})
    world.act()
    assert (len(world.holds()), reads(world)) == (1, 1)


def test_a_shopper_whom_the_list_does_not_name_is_read_by_id_and_searched_for(
    start_world: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, _ = paid_before(start_world, HAD % WINDOW)
    before = world.paid()
    monkeypatch.setattr("tasks.fetch_returns.taken_in", nameless)
    world.act()
    assert ([hold.rule for hold in world.holds()], world.paid()) == (["approval"], before)


def nameless(entry: Entry, now: datetime) -> Entry:
    """An entry of the list of running returns, without its shopper."""
    return entry.model_copy(update={"shopper": None}) if isinstance(entry, ReturnProcess) else entry
