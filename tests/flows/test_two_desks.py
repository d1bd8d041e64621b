"""Two desks with two ledgers on one account: what one can see of the other stops it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from flows import process_pending_returns as flow
from flows.timed import timed
from tasks.desk import utc_now
from tasks.ledger import Ledger, restored, switch
from tasks.settings import load_settings
from tasks.steps import plainly
from tests.flows.conftest import Bench, Start


def other_ledger(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on this desk works with another ledger."""
    bench.ledger_url = bench.ledger_url.replace("ledger.sqlite", "other.sqlite")
    monkeypatch.setenv("REVER_LEDGER_URL", bench.ledger_url)


def stopped(bench: Bench) -> str:
    return bench.read(switch).why


def test_a_second_ledger_stops_when_it_sees_that_several_were_paid(
    start_bench: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = start_bench()
    first = bench.ledger_url
    other_ledger(bench, monkeypatch)
    bench.run("reconcile", mode="act")
    assert stopped(bench) == "", "what others paid before is the account's past"
    monkeypatch.setenv("REVER_LEDGER_URL", first)
    bench.act(max_returns="30")
    monkeypatch.setenv("REVER_LEDGER_URL", bench.ledger_url)
    bench.run("reconcile", mode="act")
    assert "another desk with another ledger seems to pay" in stopped(bench)
    before = len(bench.sandbox.books.effects)
    report = bench.act()
    assert len(bench.sandbox.books.effects) == before
    assert any("all effects are stopped" in note for note in report.notes)
    assert bench.read(restored, bench.sandbox.stores) is not None
    assert bench.sandbox.audit().violations == ()


def test_a_few_that_a_person_paid_stop_nothing(bench: Bench) -> None:
    for process_id in bench.sandbox.process_ids("approved_one")[:2]:
        bench.sandbox.act("pay", process_id)
    assert bench.act().paid
    assert stopped(bench) == ""


def test_what_was_paid_long_ago_by_others_stops_nothing(bench: Bench) -> None:
    for process_id in [*bench.sandbox.process_ids("approved_one"), *bench.sandbox.process_ids("approved_thirds")]:
        bench.sandbox.act("pay", process_id)
    bench.let_pass(2 * 3600)
    assert bench.act().paid
    assert stopped(bench) == ""


def test_where_rever_pays_its_refunds_stop_nothing(start_bench: Start) -> None:
    bench = start_bench({"REVER_REFUNDS_BY": "rever"})
    for process_id in [*bench.sandbox.process_ids("approved_one"), *bench.sandbox.process_ids("approved_thirds")]:
        bench.sandbox.act("pay", process_id)
    bench.act()
    assert stopped(bench) == ""


def test_two_desks_at_once_stop_each_other_soon(start_bench: Start) -> None:
    """They take the same returns in the same order, so each sees at its last look that the other was faster."""
    bench = start_bench(returns=200)
    urls = [bench.ledger_url.replace("ledger", name) for name in ("one", "two")]

    def work(url: str) -> None:
        settings = load_settings(overrides={"ledger_url": url})
        parameters = flow.Parameters.model_validate({"mode": "act"})
        asyncio.run(timed(flow.NAME, flow.work, parameters, plainly, settings=settings))

    with ThreadPoolExecutor(2) as both:
        list(both.map(work, urls))
    account, whys = bench.account, []
    for url in urls:
        with closing(Ledger.open(url, account=account, clock=utc_now, read_only=True)) as ledger:
            whys.append(ledger.read(switch).why)
    assert any("another desk with another ledger" in why for why in whys)
