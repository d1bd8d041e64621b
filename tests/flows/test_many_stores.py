"""Many stores in one run: side by side, with equal shares, as few calls as can be, and each with its own failure."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from flows.run import RunFailedError
from flows.sub_flows import Step, equal_parts, side_by_side
from rever_api.sandbox import further
from rever_api.sandbox.faults import Fault, FaultPlan, NamedFault
from tasks.decide_returns import DecidedReturn, decide_returns
from tasks.desk import Desk
from tasks.fetch_returns import PendingReturn
from tasks.reporting.report import Failure, ReturnsReport
from tasks.reporting.report_page import stores_table
from tests.flows.test_one_stores_fault import break_at, reported
from tests.world import Start, World

FIFTY = ("acme", "nordic", *further(48))


def move_to(world: World, store: str, but: Iterable[str] = ()) -> None:
    """Make all returns those of one store, but for the first of each of these."""
    kept = {world.sandbox.process_ids(store=other)[0] for other in but}
    sandbox = world.sandbox.sandbox
    with sandbox.locked():
        for process_id, stored in sandbox.processes.items():
            if process_id not in kept:
                sandbox.change(stored, ecommerce_id=store)


def calls(world: World) -> Counter[str]:
    return Counter(entry.operation for entry in world.sandbox.journal.entries)


def test_fifty_stores_take_one_search_a_store_and_page_and_one_question_about_settings_each(start_world: Start) -> None:
    world = start_world({"REVER_STORES": "", "REVER_GROUP": "sandbox-group"}, shops=FIFTY, returns=150)
    report = world.act()
    assert report.stores == FIFTY
    assert set(report.by_store) == set(FIFTY)
    made = calls(world)
    assert (made["listEcommerces"], made["getEcommerceSettings"], made["searchReturnProcesses"]) == (1, 50, 50)
    assert report.paid == world.paid() != {}
    assert sum(tally.seen for tally in report.by_store.values()) == report.seen
    added: dict[str, Decimal] = {}
    for tally in report.by_store.values():
        for currency, amount in tally.paid.items():
            added[currency] = added.get(currency, Decimal(0)) + amount
    assert added == report.paid
    for name, many in report.outcomes.items():
        assert sum(tally.outcomes[name] for tally in report.by_store.values()) == many
    by_books = {effect.store for effect in world.sandbox.books.effects if effect.by == "api"}
    assert {store for store, tally in report.by_store.items() if tally.outcomes["done"]} == by_books
    assert world.sandbox.audit().violations == ()
    again = world.act()
    assert calls(world)["searchReturnProcesses"] == 100
    assert not again.paid


def test_a_plan_over_many_stores_says_what_act_then_does(start_world: Start, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "default: {guards: {max_per_day: {EUR: '120'}}}\nstores: {acme: {guards: {max_refund: {EUR: '60'}}}}"
    )
    world = start_world({"REVER_POLICY": str(policy)}, shops=FIFTY[:6], returns=120)
    plan, report = world.run("process-pending-returns", mode="plan"), world.act()
    assert plan.would_pay == report.paid == world.paid()
    assert plan.would_hold["guard:max_per_day"] > 0
    assert {store: tally.seen for store, tally in plan.by_store.items()} == {
        store: tally.seen for store, tally in report.by_store.items()
    }


def test_a_store_with_many_returns_does_not_keep_the_others_waiting(
    start_world: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.fetch_returns.BATCH", 10)
    world = start_world(
        {"REVER_STORES_AT_ONCE": "2", "REVER_MAX_IN_FLIGHT": "1"},
        shops=("acme", *further(5)), returns=120, scenarios=("approved_one",),
    )  # fmt: skip
    move_to(world, "acme", further(5))
    report = world.act()
    paid = [effect.store for effect in world.sandbox.books.effects if effect.by == "api"]
    assert Counter(paid) == {"acme": 115, **dict.fromkeys(further(5), 1)}
    assert max(paid.index(store) for store in further(5)) < 60
    assert report.state_of("acme") == ""


@pytest.mark.parametrize("at_once", ["1", "8"])
def test_a_key_that_may_not_act_for_one_store_fails_that_store_alone(start_world: Start, at_once: str) -> None:
    world = start_world({"REVER_STORES_AT_ONCE": at_once}, shops=FIFTY[:4], returns=80, scenarios=("approved_one",))
    ids = world.sandbox.process_ids(store="acme")
    named = tuple(NamedFault("issueRefund", nth, Fault.FORBIDDEN_403, each) for each in ids for nth in (1, 2))
    world.sandbox.faults.set(replace(world.sandbox.faults.plan, named=named))
    report, ended = reported(world)
    assert isinstance(ended, RunFailedError)
    assert list(report.stores_failed) == ["acme"]
    assert report.ordered_stores()[0] == "acme"
    assert report.as_json()["failed"].startswith("store 'acme': ")
    assert report.outcomes["done"] == 60
    assert calls(world)["issueRefund"] <= 60 + 8, "effects of the store went on after the key was refused"
    assert world.sandbox.audit().violations == ()
    world.sandbox.stop_faults()
    world.pass_time(1000)
    assert world.act().outcomes["done"] == 20


def test_a_wrong_part_of_the_policy_fails_its_store_alone_and_is_named(start_world: Start, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("default: {not_received: hold}\nstores:\n  nordic:\n    not_recieved: approved\n")
    world = start_world({"REVER_POLICY": str(policy)}, shops=FIFTY[:3], returns=30, scenarios=("approved_one",))
    report, ended = reported(world)
    assert isinstance(ended, RunFailedError)
    assert list(report.stores_failed) == ["nordic"]
    assert "not_recieved" in report.stores_failed["nordic"]
    assert "policy.yaml" in report.stores_failed["nordic"]
    assert {effect.store for effect in world.sandbox.books.effects if effect.by == "api"} == {"acme", "shop-01"}
    (one,) = world.sandbox.process_ids("approved_one", store="nordic")[:1]
    report, ended = reported(world, "process-return", process_id=one)
    assert list(report.stores_failed) == ["nordic"]


def test_returns_that_may_be_looked_at_are_shared_and_what_one_store_does_not_need_goes_to_the_others(
    start_world: Start,
) -> None:
    world = start_world(shops=("acme", "nordic", *further(3)), returns=60, scenarios=("approved_one",))
    move_to(world, "acme", ("nordic", *further(3)))
    report = world.act(max_returns="20")
    seen = {store: tally.seen for store, tally in report.by_store.items()}
    assert seen == {"acme": 16, "nordic": 1, **dict.fromkeys(further(3), 1)}
    assert calls(world)["searchReturnProcesses"] == 5
    assert report.progress.words.startswith("20 of 20 returns")


def test_fewer_returns_than_stores_are_not_always_the_first_ones() -> None:
    stores = [f"s{number}" for number in range(50)]
    assert equal_parts(None, stores) == dict.fromkeys(stores)
    for first in (0, 7, 49, 1234567):
        parts = equal_parts(120, stores, first)
        assert sum(filter(None, parts.values())) == 120
        assert sorted(map(int, filter(None, parts.values()))) == [2] * 30 + [3] * 20
    served = Counter(store for first in range(50) for store, part in equal_parts(3, stores, first).items() if part)
    assert served == dict.fromkeys(stores, 3)


def test_returns_beside_a_store_that_fails_are_shared_by_the_others(start_world: Start) -> None:
    world = start_world(shops=("acme", "nordic", *further(2)), returns=40, scenarios=("approved_one",))
    break_at(world, "acme", "getEcommerceSettings", Fault.ERROR_500_BEFORE)
    report, _ = reported(world, max_returns="12")
    assert list(report.stores_failed) == ["acme"]
    assert {store: tally.seen for store, tally in report.by_store.items()} == {
        "acme": 0, "nordic": 4, "shop-01": 4, "shop-02": 4,
    }  # fmt: skip


def test_the_report_of_fifty_stores_can_be_read(start_world: Start) -> None:
    world = start_world(shops=FIFTY, returns=50, scenarios=("approved_one", "collected"))
    for store in ("shop-07", "shop-31"):
        break_at_too(world, store)
    report, _ = reported(world)
    lines = report.lines()
    assert "over 50 stores: " in lines[0]
    told = [line for line in lines if line.startswith("  at ")]
    assert len(told) <= 23
    assert told[0].startswith("  at shop-07: failed, ")
    assert told[1].startswith("  at shop-31: failed, ")
    (failed,) = [line for line in lines if line.startswith("  FAILED: ")]
    assert "'shop-07', 'shop-31'" in failed
    assert len(report.sentence()) < 300
    assert json.loads(json.dumps(report.as_json()))["by_store"]["shop-01"]["seen"] > 0


def break_at_too(world: World, store: str) -> None:
    """As `break_at`, beside what is broken already."""
    plan = world.sandbox.faults.plan
    more = tuple(NamedFault("getEcommerceSettings", nth, Fault.ERROR_500_BEFORE, store) for nth in range(1, 20))
    world.sandbox.faults.set(replace(plan, named=(*plan.named, *more)))


def test_stores_that_a_run_did_not_come_to_are_told_as_such(start_world: Start) -> None:
    world = start_world({"REVER_STORES_AT_ONCE": "1"}, shops=FIFTY[:3], returns=30, scenarios=("approved_one",))
    named = tuple(NamedFault("issueRefund", nth, Fault.UNAUTHORIZED_401) for nth in range(1, 99))
    world.sandbox.faults.set(FaultPlan(named=named))
    report, _ = reported(world)
    assert {store: report.state_of(store) for store in report.stores} == {
        "acme": "cut off", "nordic": "not begun", "shop-01": "not begun",
    }  # fmt: skip
    told = [line for line in report.lines() if line.startswith("  at ")]
    assert told[0].startswith("  at acme: cut off, ")
    assert told[1:] == ["  at nordic: not begun, 0 returns", "  at shop-01: not begun, 0 returns"]
    assert [row["state"] for row in stores_table(report)] == ["cut off", "not begun", "not begun"]
    assert isinstance(report, ReturnsReport)
    assert not world.paid()


def test_named_returns_take_no_step_at_stores_that_they_are_not_of(start_world: Start) -> None:
    world = start_world(shops=FIFTY, returns=100, scenarios=("approved_one",))
    (one, *_) = world.sandbox.process_ids(store="shop-40")
    report = world.run("process-return", mode="act", process_id=one)
    assert report.outcomes["done"] == 1
    made = calls(world)
    assert (made["getEcommerceSettings"], made["searchReturnProcesses"]) == (1, 0)


def test_a_store_that_the_key_is_refused_at_is_given_nothing_of_what_others_do_not_need(
    start_world: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[Sequence[str]] = []

    async def counted(desk: Desk, stores: Sequence[str], *steps: Step) -> None:
        rounds.append(stores)
        assert len(rounds) < 9, "the stores are asked without an end"
        await side_by_side(desk, stores, *steps)

    monkeypatch.setattr("flows.sub_flows.side_by_side", counted)
    world = start_world(shops=("acme", "nordic"), returns=20, scenarios=("approved_one",))
    move_to(world, "acme", ("nordic",))
    ids = world.sandbox.process_ids(store="acme")
    named = tuple(NamedFault("issueRefund", nth, Fault.FORBIDDEN_403, each) for each in ids for nth in (1, 2))
    world.sandbox.faults.set(replace(world.sandbox.faults.plan, named=named))
    report, _ = reported(world, max_returns="10")
    assert list(report.stores_failed) == ["acme"]
    assert {store: tally.seen for store, tally in report.by_store.items()} == {"acme": 5, "nordic": 1}
    assert len(rounds) == 1


def test_a_store_that_was_given_up_is_given_nothing_of_what_others_do_not_need(
    start_world: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = start_world(shops=("acme", "nordic"), returns=20, scenarios=("approved_one",))
    move_to(world, "acme", ("nordic",))

    async def decide(desk: Desk, batch: Sequence[PendingReturn]) -> tuple[list[DecidedReturn], list[Failure]]:
        if batch[0].store == "acme":
            raise TimeoutError
        return await decide_returns(desk, batch)

    monkeypatch.setattr("flows.sub_flows.decide_returns", decide)
    report, _ = reported(world, max_returns="10")
    assert list(report.stores_failed) == ["acme"]
    assert report.progress.words.startswith("1 of 6 returns")
    assert calls(world)["searchReturnProcesses"] == 2
