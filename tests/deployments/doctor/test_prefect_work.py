"""The set-up of Prefect's server, its workers and late runs: judged by themselves, and on a real server."""

from datetime import UTC, datetime, timedelta

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.states import Late, Scheduled
from pydantic import SecretStr

from deployments.bootstrap import bootstrap
from deployments.doctor import prefect
from deployments.doctor.examination import Examination, Line, Named, State, looked
from deployments.doctor.prefect import pool_line, set_up_line
from deployments.doctor.settings import settings as settings_check
from tasks.credentials import ReverCredentials
from tasks.steps import global_limits
from tests.deployments.bootstrap.conftest import clear, cleared_after, client, fresh  # noqa: F401 - fixtures
from tests.deployments.doctor.conftest import prefect_at

CHECKS = (
    Named(prefect.API, prefect.api, 60),
    Named("set-up", prefect.set_up, 60),
    Named("global limits", prefect.limits, 60),
    Named("credentials", prefect.blocks, 60),
    Named("work pools", prefect.pools, 60),
    Named("late runs", prefect.late, 60),
)


async def lines() -> dict[str, Line]:
    examination = Examination()
    return {line.name: line for named in CHECKS for line in await looked(named, examination)}


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
    found = await lines()
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
    found = await lines()
    assert found["Prefect set-up"].state is found["global limits"].state is State.OK
    assert found["work pool rever"].found == "1 worker alive"
    assert found["work pool rever-fast-lane"].state is State.BROKEN
    assert found["late runs"].found == f"1, the oldest due since {due:%Y-%m-%d %H:%MZ}"

    await fresh.delete_global_concurrency_limit_by_name("rever-issue-refunds")
    await fresh.update_deployment(
        deployment.id, DeploymentUpdate(parameters={"parameters": {"credentials": "acme-key"}})
    )
    await fresh.delete_automation((await fresh.read_automations())[0].id)
    found = await lines()
    assert "automation" in found["Prefect set-up"].found
    assert "rever-issue-refunds (missing); runs of deployments begin nothing" in found["global limits"].found
    assert "there is no credentials block 'acme-key'" in found["credentials acme-key"].found


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


@pytest.mark.parametrize(("url", "words"), [(None, "PREFECT_API_URL is not set"), ("http://127.0.0.1:9/api", "answer")])
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
        ({}, {}, True, State.OK, "all 5 there"),
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
