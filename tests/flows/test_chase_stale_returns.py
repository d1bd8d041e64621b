"""chase-stale-returns over the sandbox: what stands still at each stage, told of once, by a plan not at all."""

import json
from pathlib import Path
from typing import Any

import pytest
from prefect import State
from prefect.artifacts import TableArtifact
from sqlalchemy import func, select

from flows.chase_stale_returns import Parameters, chase_stale_returns
from flows.in_prefect import artifacts_of
from rever_api.sandbox.state import Options
from tasks.in_prefect.events import RETURN_STALE, RETURNS_STALE, stale_events
from tasks.ledger import check, stop_switch
from tasks.ledger.schema import reminders
from tasks.policy.stale import KnownBy, StaleStage, WaitsFor
from tasks.reporting.report import Mode
from tasks.reporting.stale_report import StaleReport
from tests.events import Event, events
from tests.world import Start, World

DAY = 86_400.0
BACK_OFFICE = "https://office.example/returns/{process_id}"
NO_LABEL = "label_needed_drop_off"
SCENARIOS = ("label_ready", "in_store", "collected", "in_warehouse", "approved_one", "foreign_different", NO_LABEL)
RULES = """\
default:
  rules:
  - name: not sent
    when: {scanned: {is: false}, shipping_status: {has: CREATED}, days_since_start: {over: 60}}
    then: {cancel: {why: not sent within 60 days}}
"""


def chase(world: World, mode: str = "act", **values: str) -> StaleReport:
    report = world.run("chase-stale-returns", mode=mode, **values)
    assert isinstance(report, StaleReport)
    assert (report.failed_why, report.failures) == ("", [])
    return report


def stages(report: StaleReport) -> dict[StaleStage, str]:
    assert len({it.stage for it in report.stale}) == len(report.stale)
    return {it.stage: it.process_id for it in report.stale}


@pytest.fixture
def world(start_world: Start, tmp_path: Path) -> World:
    """A store at which a return of each kind was seen by runs, and then by nobody for three weeks and a day."""
    (tmp_path / "policy.yaml").write_text(RULES)
    settings = {"REVER_POLICY": str(tmp_path / "policy.yaml"), "REVER_BACK_OFFICE": BACK_OFFICE}
    unpaid = Options(pays_out_after=None)
    world = start_world(settings, shops=("acme",), returns=8, scenarios=(*SCENARIOS, "in_warehouse"), options=unpaid)
    (new,) = world.sandbox.process_ids(NO_LABEL)
    with world.sandbox.sandbox.locked():
        started_last = world.sandbox.sandbox.processes.pop(new)
    world.run("track-parcels", mode="act")
    world.act()
    with world.sandbox.sandbox.locked():
        world.sandbox.sandbox.add(started_last)
    world.sandbox.act("review", world.sandbox.process_ids("in_warehouse")[0])
    return world


def test_nothing_is_stale_that_a_run_has_just_seen(world: World) -> None:
    assert [it for it in chase(world).stale if it.known_by is not KnownBy.START] == []


def test_each_stage_is_listed_the_oldest_first_with_who_has_to_act(world: World) -> None:
    world.pass_time(22 * DAY)
    report = chase(world)
    of = {name: world.sandbox.process_ids(name) for name in SCENARIOS}
    assert stages(report) == {
        StaleStage.NO_LABEL: of[NO_LABEL][0],
        StaleStage.NOT_SENT: of["in_store"][0],
        StaleStage.LABEL_UNUSED: of["label_ready"][0],
        StaleStage.PARCEL_STOPPED: of["collected"][0],
        StaleStage.NOT_INSPECTED: of["in_warehouse"][1],
        StaleStage.NOT_PAID: of["in_warehouse"][0],
        StaleStage.ON_ITS_WAY: of["approved_one"][0],
        StaleStage.HOLD_OPEN: of["foreign_different"][0],
    }
    assert [it.since for it in report.stale] == sorted(it.since for it in report.stale)
    who = {it.stage: it.waits_for for it in report.stale}
    assert set(who.values()) == set(WaitsFor)
    by = {it.stage: it for it in report.stale}
    assert (by[StaleStage.PARCEL_STOPPED].known_by, by[StaleStage.PARCEL_STOPPED].over) == (KnownBy.SEEN, 12)
    assert (by[StaleStage.ON_ITS_WAY].known_by, by[StaleStage.ON_ITS_WAY].over) == (KnownBy.LEDGER, 17)
    assert all(it.comes_next for it in report.stale)
    assert by[StaleStage.LABEL_UNUSED].called_off_by == "not sent"
    assert {it.stage for it in report.stale if it.called_off_by} == {StaleStage.LABEL_UNUSED}


def test_the_day_on_which_a_rule_calls_it_off_is_the_day_on_which_it_does(world: World) -> None:
    world.pass_time(22 * DAY)
    report = chase(world, mode="plan")
    (it,) = (it for it in report.stale if it.called_off_by)
    assert it.called_off_on is not None
    days = (it.called_off_on - world.now().astimezone(report.zones["acme"]).date()).days
    assert days > 1
    for later, cancelled in ((days - 1, 0), (1, 1)):
        world.pass_time(later * DAY)
        plan = world.run("process-pending-returns", mode="plan", process_ids=it.process_id)
        assert plan.decisions["cancel"] == cancelled


def test_of_each_people_are_told_once_at_a_stage_and_a_plan_tells_nobody(world: World) -> None:
    world.pass_time(22 * DAY)
    before = world.ledger_file.read_bytes()
    plan = chase(world, mode="plan")
    assert (len(plan.stale), plan.told) == (8, [])
    assert world.ledger_file.read_bytes() == before
    assert world.read(lambda conn: conn.execute(select(func.count()).select_from(reminders)).scalar()) == 0
    first = chase(world)
    assert first.told == first.stale == plan.stale
    again = chase(world)
    assert (len(again.stale), again.told) == (8, [])
    world.sandbox.act("collect", stages(again)[StaleStage.LABEL_UNUSED])
    world.run("track-parcels", mode="act")
    world.pass_time(11 * DAY)
    later = chase(world)
    assert [(it.process_id, it.stage) for it in later.told] == [
        (stages(again)[StaleStage.LABEL_UNUSED], StaleStage.PARCEL_STOPPED)
    ]
    assert not world.read(check, now=world.now()).findings


def test_what_the_stop_switch_keeps_back_is_said(world: World) -> None:
    world.pass_time(22 * DAY)
    world.write(stop_switch, on=True, by="olga", why="wrong price", now=world.now())
    said = {it.stage: it.comes_next for it in chase(world, mode="plan").stale}
    stopped = {stage for stage, words in said.items() if "nothing is sent now" in words}
    assert stopped == {StaleStage.NOT_PAID, StaleStage.NO_LABEL}
    assert "stop" in said[StaleStage.NOT_PAID]


def test_nothing_is_sent_to_rever(world: World) -> None:
    world.pass_time(22 * DAY)
    before = len(world.sandbox.journal.entries)
    chase(world)
    asked = {entry.operation for entry in world.sandbox.journal.entries[before:]}
    assert asked <= {"getEcommerceSettings", "searchReturnProcesses", "getReturnProcess"}


def test_the_events_are_one_for_each_and_one_of_the_store(world: World) -> None:
    world.pass_time(22 * DAY)
    report = chase(world)
    events = stale_events(report.told, world.now(), zones=report.zones, flow_run_id="f1", back_office=BACK_OFFICE)
    assert [it.event for it in events] == [RETURN_STALE] * 8 + [RETURNS_STALE]
    assert len({it.id for it in events}) == 9
    one, together = events[0], events[-1]
    assert one.payload["link"] == BACK_OFFICE.replace("{process_id}", report.told[0].process_id)
    assert "8 returns newly stood still for too long" in str(together.payload["sentence"])
    assert [it.id for it in events] == [it.id for it in stale_events(report.told, world.now())]


def test_what_is_shown_and_kept_names_no_shopper_and_links_each_return(world: World) -> None:
    world.pass_time(22 * DAY)
    report = chase(world)
    made = {it.key: it for it in artifacts_of(report)}
    assert set(made) == {"chase-stale-returns-report", "chase-stale-returns-list"}
    listed = made["chase-stale-returns-list"]
    assert isinstance(listed, TableArtifact)
    rows = [row for row in listed.table if isinstance(row, dict)]
    links = [BACK_OFFICE.replace("{process_id}", it.process_id) for it in report.stale]
    assert [row["return"].partition("](")[2] for row in rows] == [f"{link})" for link in links]
    assert all(row["waits for"] and row["since"].endswith(("CET", "CEST")) for row in rows)
    pages = [str(it.model_dump()) for it in made.values()]
    shown = "".join([*pages, json.dumps(report.as_json()), *report.lines(), report.sentence()])
    with world.sandbox.sandbox.locked():
        shoppers = [it.process.shopper for it in world.sandbox.sandbox.processes.values() if it.process.shopper]
    assert shoppers
    assert not [it for it in shoppers if it.email in shown or f"{it.first_name} {it.last_name}" in shown]
    assert [it["link"] for it in report.as_json()["stale"]] == links
    assert "rule 'not sent' calls it off on" in shown


@pytest.mark.prefect
async def test_in_prefect_the_first_run_emits_the_events_and_the_next_none(
    start_world: Start, prefect_server: None
) -> None:
    start_world(shops=("acme",), returns=4, scenarios=(NO_LABEL,))
    runs = []
    for _ in range(2):
        state: State[Any] = await chase_stale_returns(Parameters(mode=Mode.ACT), return_state=True)
        assert state.is_completed(), state.message
        runs.append(f"prefect.flow-run.{state.state_details.flow_run_id}")

    def of_either(event: Event) -> bool:
        return any(each["prefect.resource.id"] in runs for each in event["related"])

    (together,) = await events(RETURNS_STALE, of_either, at_least=1)
    alone = await events(RETURN_STALE, of_either, at_least=4)
    assert {each["prefect.resource.id"] for event in [together, *alone] for each in event["related"]} == {runs[0]}
    assert {event["payload"]["stage"] for event in alone} == {"no_label"}
    assert "4 returns newly stood still for too long (4 no label yet)" in together["payload"]["sentence"]
