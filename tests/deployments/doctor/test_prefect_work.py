"""The set-up of Prefect's server, its workers and late runs: judged by themselves, and on a real server."""

from datetime import UTC, datetime, timedelta

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.states import Late, Scheduled
from pydantic import SecretStr

from deployments.bootstrap import bootstrap
from deployments.doctor import prefect_api, prefect_work
from deployments.doctor.examination import Examination, Named, looked
from deployments.doctor.line import Line, State
from deployments.doctor.prefect_work import judged_pool, judged_set_up
from tests.deployments.bootstrap.conftest import clear, cleared_after, client, fresh  # noqa: F401 - fixtures

CHECKS = (
    Named(prefect_api.NAME, prefect_api.api, 60),
    Named("set-up", prefect_work.set_up, 60),
    Named("work pools", prefect_work.pools, 60),
    Named("late runs", prefect_work.late, 60),
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
    line = judged_set_up(to_make, to_change, 9, deployed=deployed)
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
    line = judged_pool(pool, alive, paused=paused, deployed=deployed)
    assert line.state is state
    assert line.to_do.startswith(to_do)


@pytest.mark.prefect
async def test_a_real_server_before_and_after_bootstrap(fresh: PrefectClient) -> None:  # noqa: F811
    found = await lines()
    assert found["Prefect API"].state is State.OK
    assert {found[name].state for name in ("Prefect set-up", "work pool rever", "work pool rever-fast-lane")} == {
        State.NOT_USED
    }
    assert await fresh.read_work_pools() == [], "nothing was made by looking"

    await bootstrap(fresh, notices_url=SecretStr(""))
    await fresh.send_worker_heartbeat("rever", "a worker", 30)
    deployment = await fresh.read_deployment_by_name("reconcile/reconcile")
    due = datetime.now(UTC) - timedelta(hours=1)
    run = await fresh.create_flow_run_from_deployment(deployment.id, state=Scheduled(scheduled_time=due))
    await fresh.set_flow_run_state(run.id, Late(scheduled_time=due), force=True)
    found = await lines()
    assert found["Prefect set-up"].state is State.OK
    assert found["work pool rever"].found == "1 worker alive"
    assert found["work pool rever-fast-lane"].state is State.BROKEN
    assert found["late runs"].found == f"1, the oldest due since {due:%Y-%m-%d %H:%MZ}"

    await fresh.delete_automation((await fresh.read_automations())[0].id)
    assert "missing: automation" in (await lines())["Prefect set-up"].found
