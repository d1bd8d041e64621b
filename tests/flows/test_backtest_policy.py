"""backtest-policy over the sandbox: what it says is true, and neither REVER nor the ledger is changed by it."""

import asyncio
import csv
import hashlib
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from prefect import State, get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

from flows.backtest_policy import Parameters, backtest_policy
from flows.run import run_flow
from rever_api.models import ReturnProcess
from rever_api.sandbox.shop_orders import order_of
from tasks.desk import DeskError, WrongNameError
from tasks.ledger import Ledger, done_between
from tasks.policy.backtest.backtest import Backtest
from tasks.policy.backtest.differences import Change
from tasks.policy.policy_file import PolicyFileError
from tasks.policy.record import IntentKind, IntentState
from tasks.reporting.backtest_report import COLUMNS, BacktestReport
from tests.world import Start, World

EARLY = """\
default:
  rules:
  - name: trusted
    when: {lines: {at_least: 1}}
    then: {pay: {at: first_scan}}
"""
BUFFER = "default:\n  rules:\n  - name: buffer\n    then: {pay: {at: inspection, plus_days: 1}}\n"
SAME = "default:\n  not_received: approved\n"
CAPPED = 'default:\n  guards: {max_refund: {EUR: "20.00", SEK: "200.00"}}\n'


def tried(world: World, text: str, **values: str) -> BacktestReport:
    Path("candidate.yaml").write_text(text)
    report = run_flow("backtest-policy", {"candidate": "candidate.yaml", **values}, prefect=False, clock=world.clock)
    assert isinstance(report, BacktestReport)
    return report


def found(report: BacktestReport) -> Backtest:
    assert report.found is not None
    return report.found


def asked(world: World) -> list[str]:
    """The operations that REVER was asked for, in order."""
    return [entry.operation for entry in world.sandbox.journal.entries]


def shown(world: World) -> tuple[Any, ...]:
    """All that REVER has, and the ledger's file."""
    sandbox, ledger = world.sandbox.sandbox, world.ledger_file
    states = [stored.process for stored in sandbox.processes.values()]
    digest = hashlib.sha256(ledger.read_bytes()).hexdigest() if ledger.exists() else ""
    return states, sandbox.books.effects, dict(sandbox.stock), digest


def refunded(world: World) -> dict[str, Decimal]:
    """Currency -> what the ledger has as refunded."""
    sums: dict[str, Decimal] = {}
    for row in world.read(done_between, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        if row.intent.kind is IntentKind.REFUND and row.intent.state is IntentState.DONE:
            sums[row.intent.currency] = sums.get(row.intent.currency, Decimal(0)) + row.intent.amount
    return sums


def test_really_done_is_the_ledgers_to_the_cent(world: World) -> None:
    world.act()
    result = found(tried(world, SAME))
    books = {purse.currency: totals.ledger for purse, totals in result.money.items() if totals.ledger}
    assert books == refunded(world) != {}
    assert result.differences == ()
    assert result.returns == 60


def test_nothing_changes_at_rever_or_in_the_ledger(world: World) -> None:
    world.act()
    before, calls = shown(world), len(asked(world))
    assert found(tried(world, EARLY)).differences
    assert shown(world) == before
    assert set(asked(world)[calls:]) == {"searchReturnProcesses", "getEcommerceSettings"}


def test_where_there_is_no_ledger_none_is_made(world: World) -> None:
    tried(world, EARLY)
    assert not Ledger.exists(world.ledger_url)


def test_the_current_policy_replayed_pays_what_a_run_pays(start_world: Start) -> None:
    """The replay decides as the desk does: on approved returns of which nothing is strange, cent by cent."""
    world = start_world(scenarios=("approved_one", "approved_thirds", "two_methods", "costs_smaller", "mixed_review"))
    world.act()
    result = found(tried(world, SAME))
    assert {purse.currency: totals.current for purse, totals in result.money.items()} == refunded(world)


def test_the_return_that_a_candidate_would_have_paid_wrongly_is_found(start_world: Start) -> None:
    world = start_world(scenarios=("approved_one", "declined"), returns=8)
    world.act()
    result = found(tried(world, EARLY))
    wrong = [it for it in result.differences if Change.MORE in it.changes]
    assert {it.process_id for it in wrong} == set(world.sandbox.process_ids("declined"))
    assert {(it.rules, it.current, it.really) for it in wrong} == {(("trusted",), Decimal(0), Decimal(0))}
    assert {str(kind) for it in result.differences for kind in it.changes} == {"more", "earlier"}


def test_a_cap_of_the_candidate_holds_what_is_above_it(world: World) -> None:
    result = found(tried(world, CAPPED))
    held = [it for it in result.differences if Change.HELD in it.changes]
    assert held
    assert all(it.changes[Change.HELD] > {"EUR": 20, "SEK": 200}[it.purse.currency] for it in held)


def test_the_window_is_by_the_start_of_each_return(world: World) -> None:
    began = sorted(it.started_at for it in processes(world) if it.started_at)
    middle = began[len(began) // 2]
    report = tried(world, SAME, started_since=middle.isoformat())
    assert report.seen == sum(at >= middle for at in began)
    assert report.span == f"returns that began from {middle.isoformat(timespec='minutes')}"
    assert tried(world, SAME, started_before=middle.isoformat()).seen == len(began) - report.seen


def processes(world: World) -> list[ReturnProcess]:
    with world.sandbox.sandbox.locked():
        return [stored.process for stored in world.sandbox.sandbox.processes.values()]


def test_one_store_alone(world: World) -> None:
    report = tried(world, SAME, stores="nordic")
    assert report.stores == ("nordic",)
    assert {purse.currency for purse in found(report).money} == {"SEK"}


@pytest.mark.parametrize("form", ["lines", "list"])
def test_an_export_gives_the_same_as_the_search(world: World, form: str) -> None:
    world.act()
    told = [it.model_dump_json(exclude_none=True) for it in processes(world)]
    Path("returns.jsonl").write_text("\n".join(told) if form == "lines" else f"[{','.join(told)}]")
    calls = len(asked(world))
    by_file = tried(world, EARLY, export="returns.jsonl")
    assert set(asked(world)[calls:]) == {"getEcommerceSettings"}
    by_search = tried(world, EARLY)
    assert found(by_file).money == found(by_search).money
    assert [(it.process_id, it.changes) for it in found(by_file).differences] == [
        (it.process_id, it.changes) for it in found(by_search).differences
    ]


def test_what_an_export_has_that_cannot_be_read_is_left_out_and_said(world: World) -> None:
    good = processes(world)[0].model_dump_json(exclude_none=True)
    Path("returns.jsonl").write_text(f'{good}\n{{"rever_process_id": "retp_x", "quantity": 1}}\n\n17\n')
    report = tried(world, SAME, export="returns.jsonl")
    assert report.seen == 1
    assert set(found(report).left_out) == {"retp_x", "returns.jsonl, line 4"}
    Path("returns.jsonl").write_text(f"{good}\nnot JSON\n")
    with pytest.raises(WrongNameError, match=r"returns\.jsonl, line 2: is not JSON; right would be"):
        tried(world, SAME, export="returns.jsonl")
    with pytest.raises(WrongNameError, match="the export cannot be read"):
        tried(world, SAME, export="gone.jsonl")


def test_a_return_of_an_export_that_names_no_store_is_left_out_unless_there_is_one_store_alone(world: World) -> None:
    one, other = (
        it.model_copy(update={"ecommerce_id": ""}) if number else it for number, it in enumerate(processes(world)[:2])
    )
    text = "\n".join(it.model_dump_json(exclude_none=True) for it in (one, other))
    Path("returns.jsonl").write_text(text)
    report = tried(world, SAME, export="returns.jsonl")
    assert report.seen == 1
    assert found(report).left_out == {other.rever_process_id: "it does not say of which store it is"}
    alone = tried(world, SAME, export="returns.jsonl", stores=one.ecommerce_id)
    assert (alone.seen, found(alone).left_out) == (2, {})


def test_a_candidate_that_could_not_be_in_force_is_refused(world: World) -> None:
    with pytest.raises(PolicyFileError, match=r"candidate\.yaml, line 2: stores\.acne is no store of this desk"):
        tried(world, "stores:\n  acne: {not_received: hold}\n")
    assert asked(world) == []


def test_the_files_hold_all_and_no_shopper(world: World) -> None:
    world.act()
    report = tried(world, EARLY, csv="out.csv", html="out.html")
    rows = list(csv.DictReader(Path("out.csv").read_text().splitlines()))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == len(found(report).differences)
    assert {Decimal(row["current"]) for row in rows} == {it.current for it in found(report).differences}
    page = Path("out.html").read_text()
    assert "<script" not in page
    assert "http://" not in page
    assert "What cannot be known" in page
    assert oct(Path("out.html").stat().st_mode)[-3:] == oct(Path("out.csv").stat().st_mode)[-3:] == "600"
    everything = "\n".join(
        [page, Path("out.csv").read_text(), json.dumps(report.as_json()), *report.lines(), report.page]
    )
    for it in processes(world):
        assert it.order_name
        assert it.shopper
        assert it.shopper.email not in everything
        assert f"{it.shopper.first_name} {it.shopper.last_name}" not in everything


def test_html_in_a_name_is_text(world: World) -> None:
    text = EARLY.replace("name: trusted", 'name: "<b>x</b>"')
    tried(world, text, html="out.html")
    page = Path("out.html").read_text()
    assert "<b>x" not in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page


def test_tables_are_those_of_each_policy(start_world: Start) -> None:
    world = start_world(scenarios=("approved_one",), returns=2, shops=("acme",))
    on_sale, other = processes(world)
    rule = "rules: [{name: sale, when: {order_tags: {has: sale}}, then: {decline: {why: sale}}}]"
    Path("orders.csv").write_text(f"order_id,order_tags\n{on_sale.order_id},sale\n{other.order_id},-\n")
    result = found(tried(world, f"default:\n  facts: {{orders: orders.csv}}\n  {rule}\n"))
    assert {it.process_id: {str(kind) for kind in it.changes} for it in result.differences} == {
        on_sale.rever_process_id: {"less"}
    }


def test_the_shop_is_asked_for_what_the_candidate_needs(start_world: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    world = start_world(scenarios=("approved_one",), returns=2, shops=("acme",))
    on_sale, other = processes(world)
    rule = "rules: [{name: sale, when: {order_tags: {has: sale}}, then: {decline: {why: sale}}}]"
    unknown = found(tried(world, f"default:\n  {rule}\n"))
    assert {str(kind) for it in unknown.differences for kind in it.changes} == {"held"}
    monkeypatch.setenv("REVER_SHOP_URL", world.sandbox.base_url)
    monkeypatch.setenv("REVER_SHOP_KEY", world.sandbox.shop_key)
    world.sandbox.shop_answers[on_sale.order_id] = order_of(on_sale) | {"tags": ["sale"]}
    world.sandbox.shop_answers[other.order_id] = order_of(other) | {"tags": []}
    asked_for = found(tried(world, f"default:\n  {rule}\n"))
    assert {it.process_id: {str(kind) for kind in it.changes} for it in asked_for.differences} == {
        on_sale.rever_process_id: {"less"}
    }


def test_earlier_returns_are_counted_as_they_were_and_no_shopper_is_searched_for(start_world: Start) -> None:
    """Of two returns of a shopper the first was inspected before the second began."""
    world = start_world(scenarios=("approved_one",), returns=2, shops=("acme",))
    first, second = processes(world)
    past = timedelta(days=20)
    with world.sandbox.sandbox.locked():
        assert first.started_at
        reviews = tuple(it.model_copy(update={"review_date": first.started_at - past}) for it in first.reviews or ())
        for it, changed in (
            (first, {"started_at": first.started_at - past - timedelta(days=3), "reviews": reviews}),
            (second, {"shopper": first.shopper}),
        ):
            world.sandbox.sandbox.processes[it.rever_process_id].process = it.model_copy(update=changed)
    rule = "{name: again, when: {earlier_returns: {at_least: 1, within_days: 60}}, then: {approve: {who: o, why: w}}}"
    text = f"default:\n  rules: [{rule}]\n"
    whole = found(tried(world, text))
    assert {it.process_id for it in whole.differences} == {second.rever_process_id}
    assert any(words.startswith("Shoppers' earlier returns are counted among 2 returns") for words in whole.unknown)
    since = (first.started_at - timedelta(days=1)).isoformat()
    window = tried(world, text, started_since=since)
    assert (window.seen, {it.process_id for it in found(window).differences}) == (1, {second.rever_process_id})
    assert asked(world).count("searchReturnProcesses") <= 4


@pytest.mark.parametrize("export", [False, True])
def test_earlier_returns_are_those_of_all_stores_though_one_is_asked_for(start_world: Start, export: bool) -> None:
    """As in a run, which searches all of this desk's stores for a shopper."""
    world = start_world(scenarios=("approved_one",), returns=2)
    first, second = sorted(processes(world), key=lambda it: it.ecommerce_id, reverse=True)
    assert (first.ecommerce_id, second.ecommerce_id) == ("nordic", "acme")
    assert first.started_at
    changed = {"started_at": first.started_at - timedelta(days=20), "shopper": second.shopper}
    with world.sandbox.sandbox.locked():
        world.sandbox.sandbox.processes[first.rever_process_id].process = first.model_copy(update=changed)
    rule = "{name: again, when: {earlier_returns: {at_least: 1, within_days: 60}}, then: {approve: {who: o, why: w}}}"
    text = f"default:\n  rules: [{rule}]\n"
    more = {"started_since": (first.started_at - timedelta(days=1)).isoformat(), "stores": "acme"}
    if export:
        told = [it.model_dump_json(exclude_none=True) for it in processes(world)]
        Path("returns.jsonl").write_text("\n".join(told))
        more["export"] = "returns.jsonl"
    report = tried(world, text, **more)
    assert (report.seen, {it.process_id for it in found(report).differences}) == (1, {second.rever_process_id})


def test_what_was_asked_for_and_cannot_be_known_is_said(world: World) -> None:
    words = found(tried(world, EARLY)).unknown
    assert any(each.startswith("The first scan of ") for each in words)
    assert any(each.startswith("Lines, values, costs, tags and the outcome of each review") for each in words)


@pytest.mark.prefect
async def test_in_prefect_the_result_is_an_artifact(world: World, prefect_server: None) -> None:
    await asyncio.to_thread(world.act)
    before = shown(world)
    await asyncio.to_thread(Path("candidate.yaml").write_text, BUFFER)
    state: State[Any] = await backtest_policy(Parameters(candidate="candidate.yaml"), return_state=True)
    assert state.is_completed(), state.message
    assert shown(world) == before
    async with get_client() as client:
        run = await client.read_flow_run(state.state_details.flow_run_id)  # type: ignore[arg-type]
        mine = ArtifactFilterFlowRunId(any_=[run.id])
        artifacts = await client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=mine))
    assert run.name == "backtest-policy acme+nordic 60 returns"
    pages = {artifact.key: str(artifact.data) for artifact in artifacts}
    assert set(pages) == {"backtest-policy-report", "backtest-policy-result"}
    assert "#### What cannot be known" in pages["backtest-policy-result"]
    assert "`buffer`" in pages["backtest-policy-result"]
    assert (state.message or "").startswith("60 returns replayed, ")


def test_in_two_processes_it_is_the_same_as_in_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.act()
    alone = found(tried(world, EARLY))
    split(monkeypatch)
    parted = found(tried(world, EARLY))
    assert replace(parted, until=alone.until) == alone


def split(monkeypatch: pytest.MonkeyPatch, program: str = sys.executable) -> None:
    """Replay few returns in two processes too, the second by this program."""
    monkeypatch.setattr("tasks.backtest_policy.WORTH_A_PROCESS", 20)
    monkeypatch.setattr("tasks.backtest_policy.usable_cores", lambda: 2)
    monkeypatch.setattr("tasks.backtest_policy.sys.executable", program)


@pytest.mark.parametrize(
    ("script", "words"),
    [("kill -9 $$", "ended by signal 9"), ("echo 'KeyError: secret' >&2; exit 1", "failed (KeyError)")],
)
def test_a_process_that_dies_is_an_error_that_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, words: str
) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    split(monkeypatch, str(program))
    with pytest.raises(DeskError, match=r"a process that replayed 30 returns") as raised:
        tried(world, EARLY)
    assert words in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_scan_has_the_date_on_which_a_run_saw_it(start_world: Start) -> None:
    world = start_world(shops=("acme",), returns=34)
    world.keep_only(["label_ready"])
    (process_id,) = world.sandbox.process_ids()
    world.act()
    world.sandbox.act("collect", process_id)
    unseen = found(tried(world, EARLY))
    assert any(words.startswith("The first scan of 1 return has no date") for words in unseen.unknown)
    seen_at = world.now()
    world.act()
    for act in ("arrive", "review"):
        world.pass_time(86_400)
        world.sandbox.act(act, process_id)
    (one,) = found(tried(world, EARLY)).differences
    assert (one.days, one.candidate_at is not None and one.candidate_at - seen_at < timedelta(minutes=1)) == (-2, True)
