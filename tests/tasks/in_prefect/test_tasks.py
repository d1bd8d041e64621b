"""A step inside a run of Prefect: a task of its own, which shows nothing of what it works with."""

from typing import Any

import pytest
from prefect import flow
from prefect.context import TaskRunContext

from tasks.steps import STEPS, about, as_tasks, step

pytestmark = pytest.mark.prefect

SECRETS = {"key": "sk_live", "shopper": "Olga Puig"}


def running() -> tuple[str, str, dict[str, Any]] | None:
    """The task that runs here: its name, the name of its run, its parameters."""
    context = TaskRunContext.get()
    return (context.task.name, context.task_run.name, context.parameters) if context else None


@step("check-inspections")
async def a_part(secrets: dict[str, str]) -> Any:
    return running(), secrets


@step("decide-returns")
async def whole(secrets: dict[str, str], *, twice: bool = False) -> Any:
    return running(), secrets, twice, await a_part(secrets)


async def test_a_step_is_a_task_in_a_run_and_a_plain_coroutine_outside(prefect_server: None) -> None:
    @flow
    async def run() -> list[Any]:
        found = [await whole(SECRETS)]
        with as_tasks({}), about("acme 1"):
            found += [await whole(SECRETS, twice=True), await a_part(SECRETS)]
        return [*found, await a_part(SECRETS)]

    task = ("decide-returns", "decide-returns acme 1", {"label": "acme 1"})
    before, inside, alone, after = await run()
    assert before == (None, SECRETS, False, (None, SECRETS))
    assert inside == (task, SECRETS, True, (task, SECRETS)), "what a step calls is a part of it"
    assert alone[0][:2] == ("check-inspections", "check-inspections acme 1")
    assert after == (None, SECRETS)


async def test_a_time_out_is_tried_again_only_where_a_step_just_reads(
    prefect_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = {"check-inspections": 0, "decide-returns": 0}

    @step("check-inspections")
    async def reads() -> None:
        begun["check-inspections"] += 1
        raise TimeoutError

    @step("decide-returns")
    async def writes() -> None:
        begun["decide-returns"] += 1
        raise TimeoutError

    @flow
    async def run() -> None:
        with as_tasks({}):
            for each in (reads, writes):
                with pytest.raises(TimeoutError):
                    await each()

    await run()
    assert begun == {name: STEPS[name].retries + 1 for name in begun} == {"check-inspections": 2, "decide-returns": 1}
