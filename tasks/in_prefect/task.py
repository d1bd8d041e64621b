"""The Prefect task around each step, made from the one table in `tasks.steps`.

The work reaches a task through a context variable and not as a parameter: a task's parameters are walked through,
and may be shown, by Prefect, and the work holds the API client and the shoppers' returns.

The text of an unforeseen error stays out of Prefect too: it may quote a shopper's address, and Prefect keeps it in the
task's state and in the run's log.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun

from tasks.failures import presentable
from tasks.in_prefect.global_limits import slots_of
from tasks.steps import STEPS, Step

T = TypeVar("T")

_work: ContextVar[Callable[[], Awaitable[Any]]] = ContextVar("work")


async def _run(label: str) -> Any:  # noqa: ARG001 - it is the task run's name
    try:
        return await _work.get()()
    except Exception as error:
        shown = presentable(error)
        if shown is error:
            raise
        raise shown from None


async def _timed_out(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Retry only what nobody else does: a time-out of the task. The client has already retried the rest."""
    try:
        await state.aresult()
    except TimeoutError:
        return True
    except Exception:  # noqa: BLE001 - whatever else it was is not this place's cause
        return False
    return False


def _around(step: Step) -> Task[..., Any]:
    return task(
        name=step.name,
        task_run_name=f"{step.name} {{label}}",
        retries=0 if step.effect else step.retries,
        retry_delay_seconds=step.retry_delay_s,
        retry_condition_fn=_timed_out,
        timeout_seconds=step.timeout_s,
        cache_policy=NO_CACHE,
        persist_result=False,
    )(_run)


TASKS = {name: _around(step) for name, step in STEPS.items()}
"""Step name -> Prefect task."""


async def as_task(name: str, work: Callable[[], Awaitable[T]], label: str = "", size: int | None = None) -> T:  # noqa: ARG001
    """Run one step as its Prefect task (a `tasks.steps.Stage`), bounded in this process only."""
    token = _work.set(work)
    try:
        return cast("T", await TASKS[name](label))
    finally:
        _work.reset(token)


@dataclass(frozen=True, slots=True)
class WithinLimits:
    """A `Stage` of a deployment's run: each step as its task, holding slots of its global limit.

    `limits` are the server's, as `standing_limits` found them when the run began. The wait for slots is no part of the
    task, so that the task's time-out is for its work alone.
    """

    limits: Mapping[str, int]

    async def __call__(
        self, name: str, work: Callable[[], Awaitable[T]], label: str = "", size: int | None = None
    ) -> T:
        """Take slots, run the step as its task, give them back."""
        async with slots_of(STEPS[name], self.limits, size):
            return await as_task(name, work, label)
