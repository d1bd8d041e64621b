"""Two desks with two ledgers on one account: what one can see of the other stops it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from flows import process_pending_returns as flow
from flows.run import timed
from tasks.desk import utc_now
from tasks.ledger import Ledger, restored, switch
from tasks.settings import load_settings
from tests.world import Start, World


def other_ledger(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on this desk works with another ledger."""
    world.ledger_url = world.ledger_url.replace("ledger.sqlite", "other.sqlite")
    monkeypatch.setenv("REVER_LEDGER_URL", world.ledger_url)


def stopped(world: World) -> str:
    return world.read(switch).why


def test_a_second_ledger_stops_when_it_sees_that_several_were_paid(
    start_world: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = start_world()
    first = world.ledger_url
    other_ledger(world, monkeypatch)
    world.run("reconcile", mode="act")
    assert stopped(world) == "", "what others paid before is the account's past"
    monkeypatch.setenv("REVER_LEDGER_URL", first)
    world.act(max_returns="30")
    monkeypatch.setenv("REVER_LEDGER_URL", world.ledger_url)
    world.run("reconcile", mode="act")
    assert "another desk with another ledger seems to pay" in stopped(world)
    before = len(world.sandbox.books.effects)
    report = world.act()
    assert len(world.sandbox.books.effects) == before
    assert any("all effects are stopped" in note for note in report.notes)
    assert world.read(restored, world.sandbox.stores) is not None
    assert world.sandbox.audit().violations == ()


def test_a_few_that_a_person_paid_stop_nothing(world: World) -> None:
    for process_id in world.sandbox.process_ids("approved_one")[:2]:
        world.sandbox.act("pay", process_id)
    assert world.act().paid
    assert stopped(world) == ""


def test_what_was_paid_long_ago_by_others_stops_nothing(world: World) -> None:
    for process_id in [*world.sandbox.process_ids("approved_one"), *world.sandbox.process_ids("approved_thirds")]:
        world.sandbox.act("pay", process_id)
    world.let_pass(2 * 3600)
    assert world.act().paid
    assert stopped(world) == ""


def test_where_rever_pays_its_refunds_stop_nothing(start_world: Start) -> None:
    world = start_world({"REVER_REFUNDS_BY": "rever"})
    for process_id in [*world.sandbox.process_ids("approved_one"), *world.sandbox.process_ids("approved_thirds")]:
        world.sandbox.act("pay", process_id)
    world.act()
    assert stopped(world) == ""


def test_two_desks_at_once_stop_each_other_soon(start_world: Start) -> None:
    """They take the same returns in the same order, so each sees at its last look that the other was faster."""
    world = start_world(returns=200)
    urls = [world.ledger_url.replace("ledger", name) for name in ("one", "two")]

    def work(url: str) -> None:
        settings = load_settings(overrides={"ledger_url": url})
        parameters = flow.Parameters.model_validate({"mode": "act"})
        asyncio.run(timed(flow.NAME, flow.work, parameters, settings=settings))

    with ThreadPoolExecutor(2) as both:
        list(both.map(work, urls))
    account, whys = world.account, []
    for url in urls:
        with closing(Ledger.open(url, account=account, clock=utc_now, read_only=True)) as ledger:
            whys.append(ledger.read(switch).why)
    assert any("another desk with another ledger" in why for why in whys)
