"""Prefect's server: not set up, down, closed to us, something else, or well; its set-up, its workers, late runs."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.states import Late, Running, Scheduled
from pydantic import SecretStr

from deployments.bootstrap import bootstrap
from deployments.doctor import prefect
from deployments.doctor.command import CHECKS, examine
from deployments.doctor.examination import Examination, Line, Named, NotChecked, State, looked
from deployments.doctor.prefect import API, PASSWORD, password_line, pool_line, set_up_line, version_line
from deployments.doctor.settings import settings as settings_check
from tasks.desk import utc_now
from tasks.in_prefect.credentials import ReverCredentials
from tasks.steps import global_limits
from tests.deployments.bootstrap.conftest import clear, cleared_after, client, fresh  # noqa: F401 - fixtures
from tests.deployments.doctor.conftest import prefect_at
from tests.rever_api.told_server import ToldServer, answers, told_server

ON_A_SERVER = (
    Named(prefect.API, prefect.api, 60),
    Named("set-up", prefect.set_up, 60),
    Named("global limits", prefect.limits, 60),
    Named("credentials", prefect.blocks, 60),
    Named("work pools", prefect.pools, 60),
    Named(prefect.SCHEDULES, prefect.schedules, 60),
    Named("late runs", prefect.late, 60),
)

OURS = [each for each in CHECKS if each.name in {API, "clock of Prefect"}]


def lines(examination: Examination | None = None) -> dict[str, Line]:
    return {line.name: line for line in examine(OURS, examination)}


@pytest.fixture(scope="module")
def told() -> Iterator[ToldServer]:
    with told_server() as server:
        yield server


def test_without_a_server_it_is_not_used_and_none_is_started(without_prefect: None) -> None:
    found = lines()
    assert {name: line.state for name, line in found.items()} == {API: State.NOT_USED}


def test_a_server_that_is_down_is_broken_and_its_password_is_not_shown() -> None:
    with prefect_at("http://ann:s3cret@127.0.0.1:9/api"):
        found = lines()
    assert found[API].state is State.BROKEN
    assert "http://***@127.0.0.1:9/api does not respond" in found[API].found
    assert found["clock of Prefect"].state is State.NOT_CHECKED
    assert "s3cret" not in str(found)


@pytest.mark.parametrize(
    ("status", "words", "to_do"),
    [
        (401, "does not let us in (HTTP 401)", "PREFECT_API_AUTH_STRING"),
        (404, "this is no Prefect API", "PREFECT_API_URL"),
    ],
)
def test_a_server_that_answers_no_says_what_to_set(told: ToldServer, status: int, words: str, to_do: str) -> None:
    told.tell(answers(status, {"exception_message": "Unauthorized"}))
    with prefect_at(f"{told.url}/api"):
        line = lines()[API]
    assert line.state is State.BROKEN
    assert words in line.found
    assert to_do in line.to_do


@pytest.mark.parametrize(
    ("theirs", "state", "words"),
    [
        ("3.9.1", State.OK, "responds, Prefect 3.9.1"),
        ("3.9.2", State.OK, "responds, Prefect 3.9.2"),
        ("3.9.0", State.ATTENTION, "Prefect 3.9.0; here it is 3.9.1"),
        ("3.8.8", State.BROKEN, "Prefect 3.8.8; here it is 3.9.1"),
        ("3.10.0", State.BROKEN, "Prefect 3.10.0; here it is 3.9.1"),
        ("2.20.4", State.BROKEN, "Prefect 2.20.4; here it is 3.9.1"),
        ("3.9.1+12.gabc", State.OK, "responds"),
    ],
)
def test_a_version_goes_with_ours_or_is_named(theirs: str, state: State, words: str) -> None:
    line = version_line(theirs, "3.9.1", "http://server/api")
    assert line.state is state
    assert words in line.found


@pytest.mark.parametrize(
    ("status", "how", "state", "words"),
    [
        (200, {"local": False}, State.BROKEN, "run code on the workers"),
        (200, {"local": False, "encrypted": True}, State.BROKEN, "not asked for"),
        (200, {"local": True, "outside": "http://10.0.0.7:4200/api"}, State.BROKEN, "responds at http://10.0.0.7"),
        (200, {"local": True, "pages": True}, State.ATTENTION, "so may any web page"),
        (200, {"local": True}, State.ATTENTION, "not asked for"),
        (401, {"local": True, "pages": True}, State.OK, "asked for"),
        (401, {"local": False, "encrypted": True}, State.OK, "asked for"),
        (403, {"local": False}, State.ATTENTION, "in clear"),
    ],
)
def test_a_server_without_a_password_is_named(status: int, how: dict[str, Any], state: State, words: str) -> None:
    line = password_line(status, **{"outside": "", "pages": False, "encrypted": False, **how})
    assert line.state is state
    assert words in line.found


def test_what_is_neither_open_nor_closed_is_not_judged() -> None:
    with pytest.raises(NotChecked, match="HTTP 502"):
        password_line(502, local=True, outside="", pages=False, encrypted=False)


@pytest.mark.prefect
def test_the_sessions_open_server_on_loopback_is_worth_a_word(prefect_server: None) -> None:
    (line,) = examine([each for each in CHECKS if each.name in {API, PASSWORD}])[1:]
    assert line.state is State.ATTENTION
    assert "any web page" in line.found
    assert "PREFECT_SERVER_API_AUTH_STRING" in line.to_do


@pytest.mark.prefect
def test_a_real_server_is_well_and_tells_the_time(prefect_server: None) -> None:
    found = lines()
    assert {line.state for line in found.values()} == {State.OK}
    early = lines(Examination(clock=lambda: utc_now() - timedelta(minutes=3)))
    assert "the Prefect server's clock is 3 min ahead of ours" in early["clock of Prefect"].found


async def prefect_lines() -> dict[str, Line]:
    examination = Examination()
    return {line.name: line for named in ON_A_SERVER for line in await looked(named, examination)}


@pytest.mark.parametrize(
    ("to_make", "to_change", "deployed", "state", "words"),
    [
        ([], [], True, State.OK, "all 9 things"),
        (["work pool rever"], [], False, State.NOT_USED, "no flow of ours is deployed"),
        (["work pool rever"], [], True, State.ATTENTION, "missing: work pool rever"),
        ([], ["deployment reconcile (tags)"], True, State.ATTENTION, "differs: deployment reconcile (tags)"),
        (list("abcdefg"), ["h"], True, State.ATTENTION, "missing: a, b, c, d, e and 2 more; differs: h"),
    ],
)
def test_the_set_up_is_judged(
    to_make: list[str], to_change: list[str], deployed: bool, state: State, words: str
) -> None:
    line = set_up_line(to_make, to_change, 9, deployed=deployed)
    assert (line.state, bool(line.to_do)) == (state, state is State.ATTENTION)
    assert words in line.found


@pytest.mark.parametrize(
    ("pool", "alive", "paused", "deployed", "state", "to_do"),
    [
        ("rever", 2, False, True, State.OK, ""),
        ("rever", 0, False, True, State.BROKEN, "prefect worker start --pool rever"),
        ("rever-fast-lane", 0, False, True, State.BROKEN, "rever-returns lane"),
        ("rever", 1, True, True, State.ATTENTION, "prefect work-pool resume rever"),
        ("rever", None, False, True, State.BROKEN, "rever-returns bootstrap"),
        ("rever", None, False, False, State.NOT_USED, ""),
    ],
)
def test_a_work_pool_is_judged(
    pool: str, alive: int | None, paused: bool, deployed: bool, state: State, to_do: str
) -> None:
    line = pool_line(pool, alive, paused=paused, deployed=deployed)
    assert line.state is state
    assert line.to_do.startswith(to_do)


@pytest.mark.prefect
async def test_a_real_server_before_and_after_bootstrap(fresh: PrefectClient) -> None:  # noqa: F811
    found = await prefect_lines()
    assert found["Prefect API"].state is State.OK
    assert {
        found[name].state
        for name in ("Prefect set-up", "global limits", "work pool rever", "work pool rever-fast-lane")
    } == {State.NOT_USED}
    assert await fresh.read_work_pools() == [], "nothing was made by looking"

    await bootstrap(fresh, notices_url=SecretStr(""))
    await fresh.send_worker_heartbeat("rever", "a worker", 30)
    deployment = await fresh.read_deployment_by_name("reconcile/reconcile")
    due = datetime.now(UTC) - timedelta(hours=1)
    run = await fresh.create_flow_run_from_deployment(deployment.id, state=Scheduled(scheduled_time=due))
    await fresh.set_flow_run_state(run.id, Late(scheduled_time=due), force=True)
    found = await prefect_lines()
    assert found["Prefect set-up"].state is found["global limits"].state is State.OK
    assert found["work pool rever"].found == "1 worker alive"
    assert found["work pool rever-fast-lane"].state is State.BROKEN
    assert found["late runs"].found == f"1, the oldest due since {due:%Y-%m-%d %H:%M} UTC"

    await fresh.delete_global_concurrency_limit_by_name("rever-issue-refunds")
    await fresh.update_deployment(
        deployment.id, DeploymentUpdate(parameters={"parameters": {"credentials": "acme-key"}})
    )
    await fresh.delete_automation((await fresh.read_automations())[0].id)
    found = await prefect_lines()
    assert "automation" in found["Prefect set-up"].found
    assert "rever-issue-refunds (missing); runs of deployments begin nothing" in found["global limits"].found
    assert "there is no credentials block 'acme-key'" in found["credentials acme-key"].found


@pytest.mark.prefect
@pytest.mark.slow
async def test_what_went_quiet_on_a_real_server_is_told(fresh: PrefectClient) -> None:  # noqa: F811
    check = Named(prefect.SCHEDULES, prefect.schedules, 60)

    async def found(hours: float = 0) -> list[Line]:
        examination = Examination(clock=lambda: utc_now() + timedelta(hours=hours))
        examination.prefect_url, examination.prefect_answers, examination.deployed = "set", True, True
        return await looked(check, examination)

    await bootstrap(fresh, notices_url=SecretStr(""))
    (well,) = await found()
    assert (well.name, well.state) == ("schedules", State.OK)
    reconcile = await fresh.read_deployment_by_name("reconcile/reconcile")
    run = await fresh.create_flow_run_from_deployment(reconcile.id)
    await fresh.set_flow_run_state(run.id, Running(), force=True)
    hour_later = {line.found.split(" has ")[0]: line.found for line in await found(1)}
    often = ("process-pending-returns", "generate-labels", "import-inspections")
    assert set(hour_later) == {f"no run of {name}" for name in often}
    assert any(
        "no run of reconcile has begun for 3 h, and one should begin every 1 h" in it.found for it in await found(3)
    )

    await fresh.update_deployment_schedule(reconcile.id, reconcile.schedules[0].id, active=False)
    queue = await fresh.read_work_queue_by_name("people", "rever")
    await fresh.update_work_queue(queue.id, is_paused=True)
    told = {(line.name, line.state, line.found) for line in await found()}
    assert told == {
        ("schedules", State.ATTENTION, "the schedule of reconcile is paused"),
        ("work queues", State.ATTENTION, "the work queue people of rever is paused"),
    }


@pytest.mark.prefect
async def test_a_credentials_block_is_held_against_the_settings(
    prefect_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVER_BASE_URL", "http://127.0.0.1:9")
    await ReverCredentials(api_key=SecretStr("k3y-of-acme"), stores="acme").save("acme-key", overwrite=True)
    line = await prefect.block_line("acme-key")
    assert line.state is State.OK
    assert line.found.startswith("http://127.0.0.1:9, acme")
    (whole,) = await looked(Named("settings", settings_check), Examination(credentials="acme-key"))
    assert whole.found == "REVER at http://127.0.0.1:9, stores acme"
    await ReverCredentials(api_key=SecretStr("k3y-of-acme")).save("acme-key", overwrite=True)
    line = await prefect.block_line("acme-key")
    await ReverCredentials.adelete("acme-key")
    assert line.state is State.BROKEN
    assert "neither is set" in line.found
    assert "k3y-of-acme" not in str(line)


@pytest.mark.parametrize(
    ("url", "words"), [(None, "PREFECT_API_URL is not set"), ("http://127.0.0.1:9/api", "not respond")]
)
async def test_a_block_that_cannot_be_read_starts_no_server(url: str | None, words: str) -> None:
    with prefect_at(url):
        (line,) = await looked(Named("settings", settings_check), Examination(credentials="acme-key"))
    assert line.state is State.BROKEN
    assert "the credentials block 'acme-key'" in line.found
    assert words in line.found


def test_blocks_are_named_once_whatever_the_parameters_are() -> None:
    forms: list[dict[str, object]] = [
        {},
        {"parameters": {"credentials": "b"}},
        {"parameters": {"credentials": ""}},
        {"parameters": None},
    ]
    assert prefect.named_blocks([*forms, {"parameters": {"credentials": "a"}}, *forms]) == ["a", "b"]


@pytest.mark.parametrize(
    ("problems", "slots", "deployed", "state", "words"),
    [
        ({}, {}, True, State.OK, f"all {len(global_limits())} there"),
        ({}, {"rever-issue-refunds": 3}, True, State.OK, "set by a person: rever-issue-refunds 3 instead of"),
        ({"rever-issue-refunds": "missing"}, {}, True, State.BROKEN, "rever-issue-refunds (missing)"),
        ({"rever-issue-refunds": "no slot"}, {}, False, State.BROKEN, "rever-issue-refunds (no slot)"),
    ],
)
def test_limits_are_judged(
    problems: dict[str, str], slots: dict[str, int], deployed: bool, state: State, words: str
) -> None:
    line = prefect.limits_line(problems, global_limits() | slots, deployed=deployed)
    assert line.state is state
    assert words in line.found
    assert prefect.limits_line(dict.fromkeys(global_limits(), "missing"), {}, deployed=False).state is State.NOT_USED
