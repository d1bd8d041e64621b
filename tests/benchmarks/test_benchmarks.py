"""The bench itself: peers that do the job, an audit that finds what is wrong, ratios and shares that add up."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rever_api.sandbox import RunningSandbox
from rever_api.sandbox.state import Actor, Effect
from tests.benchmarks import backtest, inspections, whole_life
from tests.benchmarks.figures import AtLimit, Row, Team, ratios
from tests.benchmarks.peers import plain
from tests.benchmarks.peers.plain_rules import Thresholds, rules_of
from tests.benchmarks.peers.work import Target, due
from tests.benchmarks.profiled import Function, Profiler, layer_of, shares
from tests.benchmarks.served import SCENARIOS, SHOP
from tests.benchmarks.text import event_lines, team_lines, throughput_lines
from tests.books import Books
from tests.judge import judge_once_each

Start = Callable[..., RunningSandbox]


@pytest.mark.parametrize("client", [plain.stock, plain.over_ours], ids=["stock", "ours"])
def test_the_plain_script_refunds_each_return_once(start_sandbox: Start, client: Callable[[Target], Any]) -> None:
    sandbox = start_sandbox(returns=12, shops=(SHOP,), scenarios=SCENARIOS)
    target = Target(sandbox.base_url, sandbox.api_key, SHOP)
    assert Books.served_at(sandbox.base_url).due == Books.of(sandbox).due != ()
    assert asyncio.run(plain.run(target, client)) == 12
    books, served = Books.of(sandbox), Books.served_at(sandbox.base_url)
    assert judge_once_each(books, 12).words == []
    assert judge_once_each(served, 12).words == []
    assert [effect.as_json() for effect in served.effects] == [effect.as_json() for effect in books.effects]
    assert (served.violations, served.due) == (books.violations, books.due)


def test_nothing_is_due_for_what_has_been_refunded_or_not_inspected(start_sandbox: Start) -> None:
    scenarios = ("foreign_exact", "in_warehouse", "completed")
    sandbox = start_sandbox(returns=3, shops=(SHOP,), scenarios=scenarios)
    target = Target(sandbox.base_url, sandbox.api_key, SHOP)
    assert asyncio.run(plain.run(target, plain.stock)) == 0
    assert sandbox.books.counts() == {}


def test_a_return_without_a_positive_amount_is_not_paid() -> None:
    line = {"id": "l", "total_price": "0.00", "quantity": 1, "compensation_method": "GIFT_CARD", "currency": "EUR"}
    process = {
        "rever_process_status": "RUNNING",
        "compensation": {"refunds": []},
        "return_line_items": [line],
        "reviews": [{"line_item_id": "l", "status": "APPROVED"}],
    }
    assert due(process) is None
    line["total_price"] = "10.00"
    assert due(process) == {
        "type": "GIFT_CARD",
        "amount": "10.00",
        "currency": "EUR",
        "items": [{"line_item_id": "l", "quantity": 1}],
    }


def effect(process_id: str, operation: str) -> Effect:
    return Effect(1, datetime(2026, 3, 2, tzinfo=UTC), process_id, SHOP, operation, Actor.API, "RUNNING")


@pytest.mark.parametrize("ids", [["a", "a"], ["a"], ["a", "b", "b"], ["a", "b", "c"]])
def test_the_audit_finds_what_was_done_twice_or_not(ids: list[str]) -> None:
    assert not judge_once_each(Books([effect(name, "issueRefund") for name in ids], ()), 2).clean


def test_the_audit_finds_an_effect_that_is_no_refund() -> None:
    effects = [effect("a", name) for name in ("issueRefund", "issueExchange")]
    assert not judge_once_each(Books(effects, ()), 1).clean
    assert judge_once_each(Books(effects[:1], ()), 1).clean


def test_ratios_are_those_within_a_round() -> None:
    assert ratios([100, 300, 50], {"plain": [200, 400, 50]}) == {"plain": 0.75}


def test_the_table_names_who_is_absent() -> None:
    row = Row("plain", "plain script", 10, (100.0, 300.0, 200.0), 0.5, 90.0, {})
    lines = list(throughput_lines([row], {"dbos": "dbos is not installed"}))
    assert "| 200.0 " in lines[2]
    assert lines[-1] == "dbos: not measured, dbos is not installed"


def test_the_table_of_workers_says_what_more_of_them_bring() -> None:
    lines = list(team_lines([Team(1, 600, 10.0, 6.0), Team(2, 600, 6.0, 7.2)]))
    assert [cell.strip() for cell in lines[-1].split("|")[1:-1]] == ["2", "600", "6.0", "100.0", "1.67", "12.0"]


def test_the_table_of_events_tells_median_and_worst() -> None:
    lines = list(event_lines({"from post to refund, s": [0.5, 0.9, 0.7]}))
    assert [cell.strip() for cell in lines[-1].split("|")[1:-1]] == ["from post to refund, s", "3", "0.700", "0.900"]


def test_the_ideal_counts_a_read_and_a_refund_each_the_search_and_the_settings() -> None:
    limit = AtLimit(rate=20, returns=150, seconds=20, refused=0, requests=303)
    assert limit.ideal == pytest.approx(303 / 20)
    assert limit.share == pytest.approx(303 / 400)


def test_time_without_a_layer_goes_to_who_called() -> None:
    ledger: Function = ("x/tasks/ledger/commit.py", 1, "_run")
    policy: Function = ("x/tasks/policy/decide.py", 1, "decide")
    dumps: Function = ("json/encoder.py", 1, "encode")
    built_in: Function = ("~", 0, "<built-in>")
    table = {
        ledger: (1, 1, 2.0, 6.0, {}),
        policy: (1, 1, 1.0, 2.0, {}),
        dumps: (2, 2, 3.0, 4.0, {ledger: (1, 1, 2.0, 3.0), policy: (1, 1, 1.0, 1.0)}),
        built_in: (2, 2, 2.0, 2.0, {dumps: (2, 2, 2.0, 2.0)}),
    }
    told = shares(table)
    assert told["ledger"] == pytest.approx((2 + 3 * 0.75 + 2 * 0.75) / 8)
    assert told["policy"] == pytest.approx((1 + 3 * 0.25 + 2 * 0.25) / 8)
    assert sum(told.values()) == pytest.approx(1)


def test_a_circle_of_callers_ends() -> None:
    a: Function = ("json/a.py", 1, "a")
    b: Function = ("json/b.py", 1, "b")
    table = {a: (1, 1, 1.0, 2.0, {b: (1, 1, 1.0, 1.0)}), b: (1, 1, 1.0, 2.0, {a: (1, 1, 1.0, 1.0)})}
    assert shares(table)["rest"] == pytest.approx(1)


def test_the_profiler_sees_other_threads_and_leaves_none_behind() -> None:
    import threading

    before = threading.Thread.run
    profiler = Profiler()
    with profiler.running():
        thread = threading.Thread(target=_only_in_a_thread)
        thread.start()
        thread.join()
    assert threading.Thread.run is before
    assert any(name == "_only_in_a_thread" for _, _, name in profiler.stats())


def _only_in_a_thread() -> None:
    sum(range(1000))


@pytest.mark.parametrize(
    ("file", "layer"),
    [
        ("/x/tasks/policy/decide.py", "policy"),
        ("/x/tasks/ledger/commit.py", "ledger"),
        ("/x/tasks/effects.py", "desk"),
        ("/v/site-packages/httpcore/_async/http11.py", "HTTP"),
        ("/v/site-packages/prefect/flow_engine.py", "Prefect"),
        ("/python3.11/json/encoder.py", ""),
        ("~", ""),
    ],
)
def test_each_file_has_its_layer(file: str, layer: str) -> None:
    assert layer_of(file) == layer


@pytest.mark.slow
def test_a_day_of_5000_rows_becomes_refunds_and_the_same_file_again_changes_nothing() -> None:
    day = inspections.Day(**inspections.in_child("day"))
    assert day.first.startswith("5000 rows read = 5,000 reviewed + 0 already done + 0 refused")
    assert day.reviews == day.returns > 0
    assert day.refunds > 0
    assert (day.again, day.again_changed) == ("no new file", False)


def test_a_backtest_is_the_same_in_several_processes_and_its_peer_asks_the_same_rules() -> None:
    told = backtest.measured(60)
    assert (told.returns, told.processes >= 2, told.one_cpu_s > 0) == (60, True, True)
    assert len(rules_of(Thresholds())) == len(backtest.policies().current.merchant_rules) == 25
    assert list(backtest.lines_of(told))[2].startswith("| one process")


def test_a_return_s_whole_life_takes_no_more_calls_than_it_must_but_for_a_few_searches(tmp_path: Path) -> None:
    returns = 5
    stages = whole_life.play(returns, tmp_path)
    over = {
        (stage.name, operation): stage.calls[operation] - stage.least[operation]
        for stage in stages
        for operation in stage.calls | stage.least
        if stage.calls[operation] != stage.least[operation]
    }
    assert {operation for _, operation in over} == {"searchReturnProcesses"}, "each read and each effect once"
    assert all(0 < more <= 3 for more in over.values()), over
    assert sum(stage.calls["issueRefund"] for stage in stages) == returns
    told = list(whole_life.lines_of(stages, returns))
    assert told[-1].startswith("| whole life | per return")
