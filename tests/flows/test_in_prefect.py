"""The flows as Prefect runs them: what a person sees in its UI, what bounds them, what must never be seen there."""

import asyncio
import json
import logging
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import Flow, get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterKey,
    FlowRunFilter,
    FlowRunFilterId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun, Log, State, TaskRun
from prefect.client.schemas.sorting import LogSort
from prefect.flow_engine import run_flow_async
from pydantic import SecretStr

from deployments.bootstrap import bootstrap
from flows import answer_hold, process_return
from flows.in_prefect import LAST_WORDS_S
from flows.process_pending_returns import Parameters, process_pending_returns
from flows.run import BEGUN, CUT_OFF, timed
from tasks.desk import Desk, DeskError
from tasks.in_prefect.credentials import ReverCredentials
from tasks.in_prefect.events import ALONE, FEW, GUARD_TRIPPED, HOLD_OPENED, HOLDS_OPENED, NOTICE, TOGETHER
from tasks.reporting.printable import markdown
from tasks.reporting.report import Mode, ReturnsReport, RunReport
from tasks.settings import SettingsError
from tasks.steps import STEPS, OwnFaultError, global_limits, step
from tests.books import LedgerState
from tests.deployments.bootstrap.conftest import clear
from tests.events import events
from tests.world import Start, World

pytestmark = pytest.mark.prefect

BACK_OFFICE = "https://rever.example/returns/{process_id}"


PROGRESS = "process-pending-returns-progress"
"""A run has it that takes longer than a few seconds."""


def link(process_id: str) -> str:
    """Where the return is shown at REVER."""
    return f"https://rever.example/returns/{process_id}"


async def seen(run_id: UUID) -> tuple[FlowRun, list[TaskRun], list[dict[str, Any]], list[str]]:
    """All that Prefect keeps of a run, once it has written all of it: itself, task runs, artifacts, log lines."""
    async with get_client() as client:
        run = await client.read_flow_run(run_id)
        logs, tasks = await _written(client, run_id)
        artifacts = await client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
        )
    return run, tasks, [artifact.model_dump(mode="json") for artifact in artifacts], [line.message for line in logs]


async def _written(client: PrefectClient, run_id: UUID, within_s: float = 60) -> tuple[list[Log], list[TaskRun]]:
    """The run's log up to its last line, and the task runs that it speaks of, each at its end."""
    mine, one = (
        LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run_id])),
        FlowRunFilter(id=FlowRunFilterId(any_=[run_id])),
    )
    until = time.monotonic() + within_s
    while True:
        logs = await client.read_logs(mine, sort=LogSort.TIMESTAMP_ASC)
        tasks = await client.read_task_runs(flow_run_filter=one)
        over = any(log.task_run_id is None and log.message.startswith("Finished in state") for log in logs)
        ended = {task.id for task in tasks if task.state and task.state.is_final()}
        if over and {log.task_run_id for log in logs if log.task_run_id} <= ended:
            return logs, tasks
        assert time.monotonic() < until, f"the server has not written the run down in {within_s} s"
        await asyncio.sleep(0.2)


def cells(artifacts: list[dict[str, Any]], key: str) -> list[dict[str, str]]:
    """The rows of the table artifact of this key."""
    rows: list[dict[str, str]] = json.loads(next(found["data"] for found in artifacts if found["key"] == key))
    return rows


async def test_a_run_is_named_told_in_artifacts_and_shows_no_shopper_and_no_key(
    start_world: Start, prefect_server: None, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[default.guards]\nmax_refund = { EUR = "60" }\n')
    world = start_world(returns=40, settings={"REVER_BACK_OFFICE": BACK_OFFICE, "REVER_POLICY": str(policy)})
    with caplog.at_level(logging.INFO):
        state: State[Any] = await process_pending_returns(Parameters(mode=Mode.ACT), return_state=True)
    assert state.state_details.flow_run_id
    run, tasks, artifacts, lines = await seen(state.state_details.flow_run_id)
    assert state.is_completed()
    report: Any = await state.aresult()
    assert run.name == f"process-pending-returns acme+nordic act {report.seen} returns"
    assert {"mode:act", "store:acme", "store:nordic", "held"} <= set(run.tags)
    assert "in this process only" in report.limits
    parts = ("report", "stores", "returns")
    assert {artifact["key"] for artifact in artifacts} - {PROGRESS} == {f"process-pending-returns-{it}" for it in parts}
    stores = cells(artifacts, "process-pending-returns-stores")
    assert {re.sub(r"^\[(.*?)\].*", r"\1", row["store"]): row["returns"] for row in stores} == {
        store: str(tally.seen) for store, tally in report.by_store.items()
    }
    table = cells(artifacts, "process-pending-returns-returns")
    assert {row["return"] for row in table} == {
        f"[{each}](https://rever.example/returns/{each})" for each in report.rows
    }
    pages = "\n".join([await page_of("acme"), await page_of("nordic")])
    await _assert_the_holds_can_be_answered(world, pages)
    await _assert_each_hold_is_an_event(world, run)
    assert {task.name.split()[0] for task in tasks} <= set(STEPS)
    assert any(task.name.startswith("issue-refunds acme 1 (") for task in tasks)
    everything = [run.model_dump_json(), pages, *(task.model_dump_json() for task in tasks), json.dumps(artifacts)]
    everything.append(json.dumps(await events(HOLD_OPENED, lambda event: _of(event, run), at_least=1)))
    kept = " ".join((*everything, *lines, caplog.text, _ledger_files(world)))
    assert [row.order for row in report.rows.values() if row.order not in kept] == []
    assert [word for word in _secrets(world) if re.search(rf"\b{re.escape(word)}\b", kept)] == []
    assert len(lines) > len(STEPS) / 2
    assert report.paid == world.paid() == world.read(LedgerState.read).paid != {}


async def _assert_the_holds_can_be_answered(world: World, pages: str) -> None:
    holds = {hold.hold_id: hold for hold in world.holds()}
    assert set(on_page(pages)) == set(holds) != set()
    hold = next(iter(holds.values()))
    assert all(f"`{answer}`: {markdown(does)}. `" in pages for answer, does in hold.answers.items())
    assert any(f"(SKU {markdown(line.sku)})" in pages for line in hold.parcel)
    (typed,) = re.findall(rf"hold_id={re.escape(hold.hold_id)} version=(\d+) answer=drop", pages)
    form = answer_hold.Parameters.model_validate({"hold_id": hold.hold_id, "version": typed})
    plan = await timed("answer-hold", answer_hold.work, form)
    assert any(hold.why in note for note in plan.notes)


def on_page(page: str) -> list[str]:
    """The holds on a page of open holds."""
    return re.findall(r"hold `([^`]+)`, version", page)


async def _assert_each_hold_is_an_event(world: World, run: FlowRun) -> None:
    holds = {hold.hold_id: hold for hold in world.holds()}
    mine = await events(HOLD_OPENED, lambda event: _of(event, run), at_least=len(holds))
    assert {event["payload"]["hold_id"] for event in mine} == set(holds)
    capped = {hold.hold_id for hold in holds.values() if hold.rule == "guard:max_refund"}
    by_store = Counter(hold.store for hold in holds.values())
    many = {store: count for store, count in by_store.items() if count > FEW}
    together = await events(HOLDS_OPENED, lambda event: _of(event, run), at_least=len(many))
    assert {event["payload"]["store"]: event["payload"]["holds"] for event in together} == many != {}
    assert all(
        event["resource"][NOTICE] == (TOGETHER if event["payload"]["store"] in many else ALONE) for event in mine
    )
    tripped = await events(GUARD_TRIPPED, lambda event: _of(event, run), at_least=1)
    assert {event["payload"]["hold_id"] for event in tripped} == capped
    for event in mine:
        hold = holds[event["payload"]["hold_id"]]
        assert event["resource"]["prefect.resource.id"] == f"rever.return.{hold.process_id}"
        assert hold.why in event["payload"]["sentence"]
        assert event["payload"]["link"] == link(hold.process_id)


def _of(event: dict[str, Any], run: FlowRun) -> bool:
    return str(run.id) in json.dumps(event["related"])


def _ledger_files(world: World) -> str:
    return " ".join(
        file.read_bytes().decode("utf-8", "replace") for file in world.ledger_file.parent.glob("ledger.sqlite*")
    )


def _secrets(world: World) -> set[str]:
    """The key, and what the shop knows of its shoppers: whole names, e-mails, phone numbers, where they live."""
    found = {world.sandbox.api_key, "example.com"}
    for stored in world.sandbox.sandbox.processes.values():
        shopper, address = stored.process.shopper, stored.process.pickup_address
        if shopper:
            found |= {shopper.email, f"{shopper.first_name} {shopper.last_name}", shopper.last_name}
            found |= {shopper.phone_number.removeprefix("+")}
        if address:
            found.add(address.address_line_1)
    return {word for word in found if len(word) > 3}


async def deployed(flow: Flow[Any, Any], parameters: dict[str, Any]) -> State[Any]:
    """Run a flow as a worker does: a run of a deployment, with the parameters its form holds."""
    async with get_client() as client:
        flow_id = await client.create_flow(flow)
        deployment_id = await client.create_deployment(
            flow_id=flow_id, name=flow.name, parameter_openapi_schema=flow.parameters.model_dump()
        )
        run = await client.create_flow_run_from_deployment(deployment_id, parameters={"parameters": parameters})
    state = await run_flow_async(flow, flow_run=run, parameters=run.parameters, return_type="state")
    assert isinstance(state, State)
    return state


async def make_limits(*, but: str = "", slots: int | None = None) -> None:
    """Make the global limits that the flows need, but for one."""
    async with get_client() as client:
        for name, count in global_limits().items():
            if name != but:
                await client.upsert_global_concurrency_limit_by_name(name, slots or count)


async def forget_limits() -> None:
    """Leave the session's server without limits."""
    async with get_client() as client:
        for limit in await client.read_global_concurrency_limits(limit=200):
            await client.delete_global_concurrency_limit_by_name(limit.name)


async def test_a_deployments_run_without_its_limits_begins_nothing(start_world: Start, prefect_server: None) -> None:
    world = start_world(returns=10)
    await make_limits(but="rever-issue-refunds")
    async with get_client() as client:
        off = GlobalConcurrencyLimitCreate(name="rever-issue-refunds", limit=1, active=False, slot_decay_per_second=0)
        await client.create_global_concurrency_limit(off)
        await client.delete_global_concurrency_limit_by_name("rever-generate-labels")
    try:
        state = await deployed(process_pending_returns, {"mode": "act"})
    finally:
        await forget_limits()
    assert state.is_failed()
    assert state.message
    assert "rever-issue-refunds (not active), rever-generate-labels (missing)" in state.message
    assert "rever-returns bootstrap" in state.message
    with pytest.raises(DeskError):
        await state.aresult()
    assert world.paid() == {}


async def test_a_deployments_run_takes_its_account_from_a_block_and_shows_nothing_of_it(
    start_world: Start, prefect_server: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = start_world(returns=10)
    for name in ("REVER_API_KEY", "REVER_BASE_URL", "REVER_STORES", "REVER_LEDGER_URL"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("REVER_GROUP", "another")
    block = ReverCredentials(
        base_url=world.sandbox.base_url,
        api_key=SecretStr(world.sandbox.api_key),
        stores="acme",
        refunds_by="us",
        ledger_url=SecretStr(world.ledger_url),
    )
    await block.asave("one-shop", overwrite=True)
    await make_limits(slots=3)
    try:
        with caplog.at_level(logging.DEBUG, logger="tasks"):
            state = await deployed(process_pending_returns, {"mode": "act", "credentials": "one-shop"})
    finally:
        await forget_limits()
    assert state.is_completed(), state.message
    report = await state.aresult()
    assert report.stores == ("acme",)
    assert report.paid == world.paid() != {}
    assert re.search("over all processes .*rever-answer-hold 3", report.limits)
    assert state.state_details.flow_run_id
    run, tasks, artifacts, lines = await seen(state.state_details.flow_run_id)
    assert run.parameters == {"parameters": {"mode": "act", "credentials": "one-shop"}}
    kept = " ".join([run.model_dump_json(), *(task.model_dump_json() for task in tasks), json.dumps(artifacts), *lines])
    kept += f"{caplog.text} {block!r} {block} {report!r} {state!r}"
    assert world.sandbox.api_key not in kept
    assert world.ledger_url not in kept


async def test_a_block_that_is_not_there_or_is_wrong_is_a_sentence_without_its_secrets(
    world: World, prefect_server: None
) -> None:
    missing = await process_pending_returns(Parameters(credentials="nobodys"), return_state=True)
    assert missing.is_failed()
    assert "there is no credentials block 'nobodys'" in str(missing.message)
    await ReverCredentials(api_key=SecretStr("another-key"), refunds_by="them").asave("wrong", overwrite=True)
    mixed = await process_pending_returns(Parameters(credentials="wrong"), return_state=True)
    assert "no ledger is stated beside" in str(mixed.message)
    block = ReverCredentials(
        api_key=SecretStr("a broken key"), ledger_url=SecretStr("sqlite:///x.sqlite"), refunds_by="them"
    )
    await block.asave("wrong", overwrite=True)
    with pytest.raises(SettingsError, match=r"credentials block 'wrong'") as caught:
        await process_pending_returns(Parameters(credentials="wrong"))
    assert "wrong at 'them'" in str(caught.value)
    assert "a broken key" not in repr(caught.value)


async def page_of(store: str) -> str:
    """The page of a store's open holds. There is one: each run writes over it."""
    async with get_client() as client:
        found = ArtifactFilter(key=ArtifactFilterKey(any_=[f"open-holds-{store}"]))
        (page,) = await client.read_artifacts(artifact_filter=found)
    assert page.flow_run_id is None
    return str(page.data)


async def shown_as_open(store: str) -> set[str]:
    """The holds on the page of a store's open holds."""
    return set(on_page(await page_of(store)))


async def test_one_page_a_store_shows_what_is_open_whichever_run_changed_it_and_however_that_ended(
    start_world: Start, prefect_server: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[default.guards]\nmax_refund = { EUR = "1" }\n')
    world = start_world(returns=40, settings={"REVER_POLICY": str(policy)})

    async def agree() -> set[str]:
        now = world.holds()
        for store in ("acme", "nordic"):
            assert await shown_as_open(store) == {hold.hold_id for hold in now if hold.store == store}
        return {hold.hold_id for hold in now if hold.store == "acme"}

    await process_pending_returns(Parameters(mode=Mode.ACT), return_state=True)
    before = await agree()
    first, second, *_ = [hold for hold in world.holds() if hold.store == "acme" and hold.kind == "guard"]
    form = answer_hold.Parameters.model_validate(
        {
            "hold_id": first.hold_id,
            "version": first.version,
            "answer": "drop",
            "by": "olga",
            "reason": "x",
            "mode": "act",
        }
    )
    await answer_hold.answer_hold(form, return_state=True)
    assert await agree() == before - {first.hold_id}

    async def broken(*_: object) -> None:
        raise ValueError("nobody foresaw this")

    monkeypatch.setattr("flows.answering._go_on", broken)
    form = form.model_copy(update={"hold_id": second.hold_id, "version": second.version})
    state: State[Any] = await answer_hold.answer_hold(form, return_state=True)
    assert state.is_failed()
    assert await agree() == before - {first.hold_id, second.hold_id}
    third = next(hold for hold in world.holds() if hold.store == "acme" and hold.kind == "guard")
    policy.write_text("# no caps\n")
    retried = {"hold_id": third.hold_id, "version": third.version, "answer": "retry", "by": "olga", "mode": "act"}
    monkeypatch.undo()
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    await answer_hold.answer_hold(answer_hold.Parameters.model_validate(retried), return_state=True)
    await process_return.process_return(
        process_return.Parameters(process_id=third.process_id, mode=Mode.ACT), return_state=True
    )
    assert third.hold_id not in await agree()


async def test_the_page_says_what_went_quiet_on_the_server(world: World, prefect_server: None) -> None:
    async with get_client() as server:
        try:
            await bootstrap(server, notices_url=SecretStr(""))
            await server.send_worker_heartbeat("rever", "a worker", 30)
            reconcile = await server.read_deployment_by_name("reconcile/reconcile")
            await server.update_deployment_schedule(reconcile.id, reconcile.schedules[0].id, active=False)
            await process_pending_returns(Parameters(mode=Mode.ACT), return_state=True)
        finally:
            await clear(server)
    top, _, _ = (await page_of("acme")).partition("Newest day first")
    assert "**The schedule of reconcile is paused.**" in top
    assert "**No worker takes runs from the work pool rever-fast-lane.**" in top
    assert "work pool rever." not in top


async def test_an_error_that_nobody_foresaw_keeps_its_text_to_itself(
    world: World, prefect_server: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    @step("decide-returns")
    async def broken() -> None:
        raise ValueError("Olga Puig, Carrer Major 1")

    async def work(desk: Desk, parameters: Parameters, report: ReturnsReport) -> None:
        await broken()

    monkeypatch.setattr("flows.process_pending_returns.work", work)
    state: State[Any] = await process_pending_returns(return_state=True)
    assert state.is_failed()
    assert re.search(r"a fault of this software: ValueError at test_in_prefect.py:\d+", state.message or "")
    with pytest.raises(OwnFaultError):
        await state.aresult()
    assert state.state_details.flow_run_id
    run, tasks, _, lines = await seen(state.state_details.flow_run_id)
    kept = " ".join([run.model_dump_json(), *(task.model_dump_json() for task in tasks), *lines, caplog.text])
    assert "Olga" not in kept


async def test_a_long_run_shows_how_far_it_is(
    start_world: Start, prefect_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_world(returns=40)
    monkeypatch.setattr("flows.in_prefect.PROGRESS_EVERY_S", 0.05)
    state: State[Any] = await process_pending_returns(Parameters(mode=Mode.ACT), return_state=True)
    assert state.state_details.flow_run_id
    _, _, artifacts, _ = await seen(state.state_details.flow_run_id)
    [progress] = [found for found in artifacts if found["key"] == PROGRESS]
    assert progress["type"] == "progress"
    assert float(progress["data"]) == 100.0
    assert re.match(r"process-pending-returns: (\d+) of \1 returns, paid ", progress["description"])


async def test_a_run_that_is_told_to_end_leaves_its_report_in_time_though_the_page_of_holds_hangs(
    start_world: Start, prefect_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = start_world(returns=40)

    async def hang(*_: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr("flows.in_prefect.ui_links", hang)
    monkeypatch.setattr("flows.in_prefect.LAST_PAGES_S", 0.5)
    begun: list[RunReport] = []
    token = BEGUN.set(begun)
    run: asyncio.Future[Any] = asyncio.ensure_future(
        process_pending_returns(Parameters(mode=Mode.ACT), return_state=True)
    )
    BEGUN.reset(token)
    await asyncio.to_thread(_wait_for_a_payment, world)
    run.cancel()
    told = time.monotonic()
    await asyncio.wait({run})
    assert time.monotonic() - told < LAST_WORDS_S
    assert begun[0].cut_off
    async with get_client() as client:
        found = await client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["process-pending-returns-report"]))
        )
    assert any(CUT_OFF in str(artifact.data) for artifact in found)


def _wait_for_a_payment(world: World, within_s: float = 60) -> None:
    until = time.monotonic() + within_s
    while not world.paid():
        assert time.monotonic() < until
        time.sleep(0.02)
