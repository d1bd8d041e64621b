"""Facts are gathered from the tables, the shop and REVER's search, over HTTP; and rules of shops are judged by them."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rever_api.models import ReturnProcess, Shopper
from rever_api.sandbox.shop_orders import order_of
from rever_api.shop import ShopClient
from tasks import gather_facts as gathering
from tasks.desk import open_desk
from tasks.fetch_returns import PendingReturn
from tasks.gather_facts import gather_facts, in_force
from tasks.ledger import Actor
from tasks.policy.clocks import store_zone
from tasks.policy.record import Record
from tasks.policy.return_facts import Money, ReturnFacts, Unknown, facts_of
from tasks.policy.side_facts import enriched
from tasks.policy.verdict import judge
from tasks.reporting.report import Mode, ReturnsReport
from tasks.settings import load_settings
from tests.tasks.policy.rule_texts import in_short, rules_of
from tests.world import Start, World

Desk = Callable[..., World]


@pytest.fixture
def desk(start_world: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk with these rules and tables (name -> text) before one shop with returns of these scenarios."""

    def start(rules: str, *scenarios: str, shop: bool = False, returns: int = 34, **tables: str) -> World:
        named = ", ".join(f"{name}: {name}.csv" for name in tables)
        lists = "\n".join(f"  {line}" for line in rules.strip().splitlines())
        (tmp_path / "policy.yaml").write_text(f"default:\n  facts: {{{named}}}\n{lists}\n")
        for name, text in tables.items():
            (tmp_path / f"{name}.csv").write_text(text)
        world = start_world({"REVER_POLICY": str(tmp_path / "policy.yaml")}, shops=("acme",), returns=returns)
        if shop:
            monkeypatch.setenv("REVER_SHOP_URL", world.sandbox.base_url)
            monkeypatch.setenv("REVER_SHOP_KEY", world.sandbox.shop_key)
        world.keep_only(scenarios)
        return world

    return start


def returns_of(world: World) -> list[ReturnProcess]:
    return [stored.process for stored in world.sandbox.sandbox.processes.values()]


def change(world: World, process: ReturnProcess, **values: Any) -> None:
    with world.sandbox.sandbox.locked():
        stored = world.sandbox.sandbox.processes[process.rever_process_id]
        stored.process = stored.process.model_copy(update=values)


def gathered(
    world: World, *, twice: bool = False
) -> tuple[dict[str, ReturnFacts], dict[str, dict[str, str]], ReturnsReport]:
    """The facts of all returns and what the rules say of them, by id; and the run's report."""
    report = ReturnsReport("facts", mode=Mode.PLAN)

    async def work() -> tuple[dict[str, ReturnFacts], dict[str, dict[str, str]]]:
        facts, said = {}, {}
        async with open_desk(load_settings(), report, Actor("facts"), world.clock, begins=True) as desk:
            read = [await desk.client.get_return_process(it.rever_process_id) for it in returns_of(world)]
            batch = [PendingReturn(it.ecommerce_id, it) for it in read]
            for _ in range(2 if twice else 1):
                await gather_facts(desk, batch)
            for pending in batch:
                rules, process = await desk.rules(pending.store), pending.process
                bare = facts_of(process, Record(pending.process_id, pending.store), rules, desk.clock(), rules.zone)
                facts[pending.process_id] = enriched(bare, rules.side)
                said[pending.process_id] = in_short(judge(rules.merchant_rules, facts[pending.process_id]))
        return facts, said

    return *asyncio.run(work()), report


def calls(world: World, operation: str) -> int:
    return sum(entry.operation == operation for entry in world.sandbox.journal.entries)


def table(head: str, rows: Iterable[str]) -> str:
    return "\n".join([head, *rows]) + "\n"


def skus(process: ReturnProcess) -> list[str]:
    return [line.product.sku for line in process.return_line_items if line.product]


def test_r1_final_sale_by_the_table_of_products(desk: Desk) -> None:
    rule = "rules: [{name: final sale, when: {product_tags: {has: Final Sale}}, then: {decline: {why: final sale}}}]"
    world = desk(rule, "two_methods", products="sku,product_tags\nx,-\n")
    (process,) = returns_of(world)
    first, second = process.return_line_items
    change(world, process, return_line_items=(first, second.model_copy(update={"product": None})))
    Path("products.csv").write_text(f"sku,product_tags\n{skus(process)[0]},Final Sale|new\n")
    _, said, _ = gathered(world)
    assert said[process.rever_process_id] == {
        f"{first.id} acceptance": "decline by final sale",
        f"{second.id} acceptance": "open",
    }


def test_r13_the_day_of_the_order_by_the_shop_in_the_store_s_zone(desk: Desk) -> None:
    rules = """
rules:
- name: holidays
  when: {ordered_on: {from: 2025-12-01, until: 2025-12-31}}
  then: {accept: {why: bought for the holidays}}
- name: window
  when: {days_from_order: {over: 30}}
  then: {decline: {why: later than 30 days}}
"""
    world = desk(rules, "approved_one", shop=True, returns=34 * 3)
    first, second, third = returns_of(world)
    # In Madrid it is the 1st of December already, and still the 31st.
    for process, at in ((first, "2025-11-30T23:30:00+00:00"), (second, "2025-12-31T22:59:59+00:00")):
        world.sandbox.shop_answers[process.order_id] = order_of(process) | {"purchased_at": at}
    world.sandbox.shop_answers[third.order_id] = order_of(third) | {"purchased_at": "2025-12-31T23:00:00+00:00"}
    _, said, _ = gathered(world)
    found = [next(iter(said[it.rever_process_id].values())) for it in (first, second, third)]
    assert found == ["accept by holidays", "accept by holidays", "decline by window"]


def test_r16_a_vip_by_the_table_of_orders(desk: Desk) -> None:
    rule = "rules: [{name: VIP, when: {customer_tags: {has: VIP}}, then: {pay: {at: first_scan}}}]"
    world = desk(rule, "collected", returns=34 * 3, orders="order_name,customer_tags\nx,-\n")
    vip, other, absent = returns_of(world)
    rows = [f"{vip.order_name.lstrip('#').lower()},VIP|gold", f"{other.order_name},-", "#ZZ,VIP"]
    Path("orders.csv").write_text(table("order_name,customer_tags", rows))
    _, said, _ = gathered(world)
    line = {it.rever_process_id: it.return_line_items[0].id for it in (vip, other, absent)}
    assert said == {
        vip.rever_process_id: {f"{line[vip.rever_process_id]} pay": "pay by VIP"},
        other.rever_process_id: {},
        absent.rever_process_id: {f"{line[absent.rever_process_id]} pay": "open"},
    }


@pytest.mark.parametrize(("days", "late"), [(14, False), (15, True)])
def test_r20_electronics_by_both_tables(desk: Desk, days: int, late: bool) -> None:
    rule = (
        "rules: [{name: electronics, when: {product_type: {is: electronics}, days_from_delivery: {over: 14}}, "
        "then: {decline: {why: later than 14 days}}}]"
    )
    world = desk(rule, "two_methods", products="sku\nx\n", orders="order_id\nx\n")
    (process,) = returns_of(world)
    first, second = process.return_line_items
    other = second.model_copy(update={"product": second.product and second.product.model_copy(update={"sku": "SHOE"})})
    change(world, process, return_line_items=(first, other))
    assert process.started_at is not None
    zone = store_zone(world.sandbox.sandbox.shops[process.ecommerce_id].settings.timezone)
    arrived = zone.day(process.started_at) - timedelta(days=days)
    Path("products.csv").write_text(f"sku,product_type\n{skus(process)[0]},electronics\nSHOE,shoe\n")
    Path("orders.csv").write_text(f"order_id,delivered_on\n{process.order_id},{arrived}\n")
    facts, said, _ = gathered(world)
    started = facts[process.rever_process_id].started_on
    assert not isinstance(started, Unknown)
    assert started is not None
    in_time = (started - arrived).days <= 14
    assert in_time is not late
    assert said[process.rever_process_id] == ({f"{first.id} acceptance": "decline by electronics"} if late else {})


MANY = (
    "rules: [{name: many, when: {earlier_returns: {at_least: 3, within_days: 90}}, "
    "then: {approve: {who: service, why: the fourth return in 90 days}}}]"
)


@pytest.mark.parametrize(("cancelled", "asked"), [(0, True), (1, False)])
def test_r22_the_fourth_return_by_rever_s_search(desk: Desk, cancelled: int, asked: bool) -> None:
    world = desk(MANY, "approved_one", returns=34 * 4)
    processes = returns_of(world)
    for number, process in enumerate(processes):
        change(world, process, shopper=Shopper(email="ann@example.com"))
        if number < cancelled:
            change(world, process, rever_process_status="CANCELED")
    facts, said, _ = gathered(world)
    last = processes[-1].rever_process_id
    assert any("approve by many" in it for it in said[last].values()) is asked
    assert isinstance(facts[last].earlier, tuple)
    # One walk for the one mailbox: a page that is the whole list.
    assert calls(world, "searchReturnProcesses") == 1


def test_r24_a_risk_that_the_table_has_not_does_not_match(desk: Desk) -> None:
    rule = (
        "rules: [{name: risk, when: {fraud_risk: {is: high}}, if_unknown: does_not_match, "
        "then: {approve: {who: fraud, why: look at it}}}]"
    )
    world = desk(rule, "approved_one", returns=34 * 3, orders="order_id\nx\n")
    high, low, absent = returns_of(world)
    Path("orders.csv").write_text(f"order_id,fraud_risk\n{high.order_id},high\n{low.order_id},low\n")
    facts, said, _ = gathered(world)
    assert [bool(said[it.rever_process_id]) for it in (high, low, absent)] == [True, False, False]
    assert isinstance(facts[absent.rever_process_id].fraud_risk, Unknown)


def test_r29_the_whole_order_by_the_shop_s_items(desk: Desk) -> None:
    rule = (
        "rules: [{name: all came back, when: {whole_order: {is: true}, all_approved: {is: true}}, "
        "then: {refund_shipping: {share: whole}}}]"
    )
    world = desk(rule, "approved_one", "missing", shop=True, returns=34 * 6)
    facts, said, _ = gathered(world)
    for process in returns_of(world):
        order = order_of(process)
        whole = len(order["line_items"]) == len(process.return_line_items)
        fine = all(review.status == "APPROVED" for review in process.reviews or ())
        found = facts[process.rever_process_id]
        assert (found.whole_order, found.shipping) == (whole, Money(Decimal("5.99"), "EUR"))
        assert ("return shipping" in said[process.rever_process_id]) is (whole and fine)
    assert {found.whole_order for found in facts.values()} == {True, False}


def test_the_shop_is_asked_once_for_an_order_and_only_where_a_rule_needs_it(desk: Desk) -> None:
    rule = "rules: [{name: vip, when: {order_tags: {has: vip}}, then: {no_fee: {}}}]"
    world = desk(rule, "approved_one", shop=True, returns=34 * 3)
    asked: list[str] = []
    take = ShopClient.get_order

    async def counted(client: Any, order_id: str) -> Any:
        asked.append(order_id)
        return await take(client, order_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ShopClient, "get_order", counted)
        facts, _, _ = gathered(world, twice=True)
        assert sorted(asked) == sorted(it.order_id for it in returns_of(world))
        assert all(isinstance(it.order_tags, frozenset) for it in facts.values())
        assert all(isinstance(it.gateway, Unknown) for it in facts.values()), "nobody asks for it"
        asked.clear()
        Path("policy.yaml").write_text(
            "default:\n  rules: [{name: ES, when: {country: {is: ES}}, then: {no_fee: {}}},\n"
            "    {name: over, when: {order_tags: {has: a}}, then: {no_fee: {}}, applies_to: all, until: 2020-01-01}]\n"
        )
        gathered(world)
        assert asked == []


@pytest.mark.parametrize(
    ("days", "asked"),
    [
        ("", True),
        ("applies_to: all, from: 2026-03-02", False),
        ("applies_to: all, from: 2026-03-01", True),
        ("applies_to: all, until: 2026-02-28", False),
        ("applies_to: all, until: 2026-03-01", True),
        # It is about the returns that began by then, whenever they are decided.
        ("applies_to: new, until: 2026-02-28", True),
        ("applies_to: new, from: 2026-03-02", False),
    ],
)
def test_a_rule_that_can_be_about_no_return_now_asks_for_nothing(days: str, asked: bool) -> None:
    rules = rules_of(f"rules: [{{name: a, then: {{no_fee: {{}}}}{', ' + days if days else ''}}}]")
    assert bool(in_force(rules, date(2026, 3, 1))) is asked


def test_the_gateway_is_that_of_the_payments(desk: Desk) -> None:
    rule = "rules: [{name: by hand, when: {gateway: {is: manual}}, then: {approve: {who: finance, why: by hand}}}]"
    facts, _, _ = gathered(desk(rule, "approved_one", shop=True))
    assert {it.gateway for it in facts.values()} <= {"stripe", "paypal", "redsys"}


@pytest.mark.parametrize(
    ("answer", "why", "noted"),
    [
        (404, "the shop has no such order", False),
        (503, "the shop answered 503", True),
        (401, "the shop refuses the key (401)", True),
        ({"order_id": "another"}, "the shop's answer cannot be read", True),
    ],
)
def test_a_shop_that_does_not_tell_leaves_it_unknown_and_ends_no_run(
    desk: Desk, answer: Any, why: str, noted: bool
) -> None:
    rule = "rules: [{name: vip, when: {order_tags: {has: vip}}, then: {no_fee: {}}}]"
    world = desk(rule, "approved_one", shop=True)
    (process,) = returns_of(world)
    world.sandbox.shop_answers[process.order_id] = answer
    facts, said, report = gathered(world)
    words = f"the order's tags (the table of orders or the shop's order): {why}"
    assert facts[process.rever_process_id].order_tags == Unknown(words)
    assert list(said[process.rever_process_id].values()) == ["open"]
    assert [why in note for note in report.notes] == ([True] if noted else [])


def test_a_shop_that_is_down_is_left_alone_after_some_failures(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = "rules: [{name: vip, when: {order_tags: {has: vip}}, then: {no_fee: {}}}]"
    world = desk(rule, "approved_one", "declined", "missing", shop=True, returns=34 * 8)
    monkeypatch.setattr(gathering, "_AT_ONCE", 1)
    for process in returns_of(world):
        world.sandbox.shop_answers[process.order_id] = 500
    facts, _, report = gathered(world)
    reasons = [str(it.order_tags).count("5 times in a row") for it in facts.values()]
    assert (len(reasons), sum(reasons)) == (24, 19)
    assert len(report.notes) == 1


def test_the_table_and_the_shop_that_differ_are_both_named(desk: Desk) -> None:
    rule = "rules: [{name: vip, when: {order_tags: {has: vip}}, then: {no_fee: {}}}]"
    world = desk(rule, "approved_one", shop=True, orders="order_id\nx\n")
    (process,) = returns_of(world)
    Path("orders.csv").write_text(f"order_id,order_tags\n{process.order_id},vip\n")
    world.sandbox.shop_answers[process.order_id] = order_of(process) | {"tags": ["b2b"]}
    facts, _, _ = gathered(world)
    words = "the order's tags (the table of orders or the shop's order): orders.csv, row 2 says vip, the shop says b2b"
    assert facts[process.rever_process_id].order_tags == Unknown(words)


def test_a_search_that_may_have_left_any_out_leaves_the_earlier_returns_unknown(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = desk(MANY, "approved_one", returns=34 * 4)
    processes = returns_of(world)
    for process in processes:
        change(world, process, shopper=Shopper(email="ann@example.com"))
    monkeypatch.setattr(gathering, "MOST_FOUND", 4)
    facts, said, _ = gathered(world)
    cut = "the shopper's earlier returns: the search was cut short after 4 returns of a store"
    assert {it.earlier for it in facts.values()} == {Unknown(cut)}
    assert all(list(it.values()) == ["open"] for it in said.values())
    monkeypatch.setattr(gathering, "MOST_FOUND", 200)
    change(world, processes[0], shopper=None)
    facts, _, _ = gathered(world)
    assert isinstance(facts[processes[1].rever_process_id].earlier, tuple), "the search shows none without an e-mail"
    assert isinstance(facts[processes[0].rever_process_id].earlier, Unknown)


def test_a_search_that_does_not_go_by_e_mail_is_seen_by_its_not_finding_the_return(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = desk(MANY, "approved_one")
    monkeypatch.setattr("rever_api.sandbox.operations._has_text", lambda text: lambda process: False)
    facts, _, _ = gathered(world)
    (found,) = facts.values()
    assert found.earlier == Unknown(
        "the shopper's earlier returns: REVER's search does not find this one by its e-mail"
    )


def test_no_e_mail_gets_into_the_report_or_a_repr(desk: Desk) -> None:
    world = desk(MANY, "approved_one", shop=True)
    facts, _, report = gathered(world)
    assert "@" not in repr(list(facts.values())) + str(report.as_json())
