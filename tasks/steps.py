"""One table of how each kind of step is run, and `@step`, which runs a coroutine by it.

A step is called by its name, as any coroutine is. Inside a run of Prefect the call is a task; elsewhere it is the
coroutine itself within the table's time-out. Either way a step that is called by another step is a part of that one.

Attempts never multiply, so one place owns each cause: the client retries reads (HTTP causes), the ledger owns the
attempts of effects. A Prefect retry is left for what neither sees, and only where the step just reads.

How many at a time is said twice: for each call of a step, which takes no more items at once, at no cost; and over all
calls in all processes, where a global limit of Prefect's server holds it at the cost of a call (`docs/limits.md`).
"""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import WRAPPER_ASSIGNMENTS, update_wrapper, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import httpx
from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun

from rever_api.config import EndpointsError
from rever_api.errors import ReverError, WrongSetup
from tasks.desk import DeskError
from tasks.in_prefect.global_limits import slots_of
from tasks.ledger import AnswerError, LedgerError
from tasks.policy.policy_file import PolicyFileError
from tasks.reporting.report import Failure
from tasks.settings import SettingsError

# A fault on one return must not stop the others: what stops a run, and what is only that return's failure.

FATAL = (WrongSetup, LedgerError, DeskError)
"""Errors that every further return would meet too: the run stops and says so."""

SAID = (ReverError, LedgerError, AnswerError, DeskError, SettingsError, PolicyFileError, EndpointsError, TimeoutError)
"""Errors whose text is a sentence of ours for people, without a shopper in it."""

log = logging.getLogger(__name__)


class OwnFaultError(Exception):
    """An error nobody foresaw, as it may be shown: its kind and place, and not its text."""


def presentable(error: Exception) -> Exception:
    """The error itself where its text is a sentence of ours, else an `OwnFaultError` that stands for it."""
    if isinstance(error, httpx.HTTPError):  # the calls to REVER raise errors of their own
        kind = type(error).__name__
        return DeskError(
            f"Prefect's server did not answer ({kind}); what was done is in the ledger, the next run goes on"
        )
    return error if isinstance(error, (*SAID, OwnFaultError)) else OwnFaultError(_kind_and_place(error))


def failure(process_id: str, error: Exception) -> Failure:
    """What stopped the work on a return: what REVER did, in its sentence, or else a fault of this software."""
    return Failure(process_id, str(error)) if isinstance(error, ReverError) else own_fault(process_id, error)


def own_fault(process_id: str, error: Exception) -> Failure:
    """The failure of a return that met a fault of this software."""
    why = _kind_and_place(error)
    log.error("%s: %s", process_id, why)
    return Failure(process_id, why, ours=True)


def _kind_and_place(error: Exception) -> str:
    """Kind and place only: an exception's text may quote a shopper's address."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
    return f"a fault of this software: {type(error).__name__} at {place}"


P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Step:
    """How one kind of step runs.

    `at_once` bounds the returns of a batch that are worked on at a time, `across` the batches at a time in all
    processes, those of a run's stores each by itself (0: as many as there are). `effect` forbids any retry.
    """

    name: str
    retries: int
    retry_delay_s: float
    timeout_s: float
    at_once: int
    effect: bool = False
    across: int = 0

    @property
    def limit(self) -> str:
        """The name of its global limit at Prefect's server."""
        return f"rever-{self.name}"

    @property
    def slots(self) -> int:
        """The slots of its global limit: one for each return that may be worked on at a time in all processes."""
        return self.across * self.at_once

    def takes(self, arguments: Sequence[object], limits: Mapping[str, int]) -> int:
        """The slots that a call takes: one for each return it is about, as far as that is known, and at least one."""
        sizes = (len(each) for each in arguments if isinstance(each, list | tuple))
        return max(1, min(next(sizes, self.at_once), self.at_once, limits.get(self.limit, 0)))


STEPS = {
    step.name: step
    for step in (
        Step("settle-outcomes", retries=0, retry_delay_s=0, timeout_s=1800, at_once=8, effect=True),
        Step("find-returns", retries=1, retry_delay_s=2, timeout_s=600, at_once=1),
        Step("explain-returns", retries=1, retry_delay_s=2, timeout_s=600, at_once=1),
        Step("read-past-returns", retries=1, retry_delay_s=2, timeout_s=3600, at_once=1),
        Step("replay-returns", retries=0, retry_delay_s=0, timeout_s=600, at_once=1),
        Step("fetch-pending-returns", retries=1, retry_delay_s=2, timeout_s=600, at_once=1),
        Step("check-inspections", retries=1, retry_delay_s=2, timeout_s=600, at_once=8),
        Step("decide-returns", retries=0, retry_delay_s=0, timeout_s=900, at_once=1, effect=True),
        Step("issue-refunds", retries=0, retry_delay_s=0, timeout_s=3600, at_once=8, effect=True, across=4),
        Step("issue-exchanges", retries=0, retry_delay_s=0, timeout_s=3600, at_once=8, effect=True, across=4),
        Step("cancel-returns", retries=0, retry_delay_s=0, timeout_s=3600, at_once=8, effect=True, across=2),
        Step("generate-labels", retries=0, retry_delay_s=0, timeout_s=3600, at_once=8, effect=True, across=2),
        Step("register-labels", retries=0, retry_delay_s=0, timeout_s=300, at_once=1, effect=True, across=2),
        Step("fetch-label-files", retries=0, retry_delay_s=0, timeout_s=900, at_once=4),
        Step("add-reviews", retries=0, retry_delay_s=0, timeout_s=3600, at_once=8, effect=True, across=2),
        Step("create-returns", retries=0, retry_delay_s=0, timeout_s=3600, at_once=8, effect=True, across=2),
        Step("archive-ledger", retries=0, retry_delay_s=0, timeout_s=3600, at_once=1),
        Step("track-parcels", retries=0, retry_delay_s=0, timeout_s=3600, at_once=8),
        Step("compare-with-rever", retries=0, retry_delay_s=0, timeout_s=3600, at_once=8, effect=True, across=2),
        Step("answer-hold", retries=0, retry_delay_s=0, timeout_s=300, at_once=1, effect=True, across=4),
    )
}


def global_limits() -> dict[str, int]:
    """The global limits that runs of deployments need at Prefect's server: name -> slots."""
    return {step.limit: step.slots for step in STEPS.values() if step.across}


def limits_note(limits: Mapping[str, int]) -> str:
    """What a report says of what bounded its run: the global limits that held, by name with their slots, or none."""
    here = "the table of steps, in this process"
    if not limits:
        return f"{here} only; Prefect's global limits apply to runs of deployments"
    told = ", ".join(f"{name} {slots}" for name, slots in sorted(limits.items()))
    return f"{here}; over all processes {told}"


_limits: ContextVar[Mapping[str, int] | None] = ContextVar("limits", default=None)
"""The slots of the global limits in a run of Prefect; None: there is no such run."""

_label: ContextVar[str] = ContextVar("label", default="")
_inside: ContextVar[bool] = ContextVar("inside", default=False)
_arguments: ContextVar[tuple[tuple[Any, ...], dict[str, Any]]] = ContextVar("arguments")


@contextmanager
def as_tasks(limits: Mapping[str, int]) -> Iterator[None]:
    """Run the steps that are called in this block as Prefect tasks. It stands inside a run of a flow.

    `limits` are the slots of the global limits, as `standing_limits` found them; empty where the run has none.
    """
    token = _limits.set(limits)
    try:
        yield
    finally:
        _limits.reset(token)


@contextmanager
def about(label: str) -> Iterator[None]:
    """Say what the steps that are called in this block are about: it ends the names of their task runs."""
    token = _label.set(label)
    try:
        yield
    finally:
        _label.reset(token)


def step(name: str) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Callable[P, Coroutine[Any, Any, R]]]:
    """Run a coroutine function as this step of the table. Raises `LookupError` where the table has no such step.

    In a run of a deployment a step with a global limit holds slots of it: one for each return of the list or tuple
    among its arguments, at most as many as are worked on at once. The wait for them is no part of the task, so that
    its time-out is for its work alone.
    """
    if name not in STEPS:
        msg = f"{name!r} is not in the table of steps; it has {', '.join(STEPS)}"
        raise LookupError(msg)

    def decorate(function: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        as_task = _task(STEPS[name], function)

        @wraps(function)
        async def run(*args: P.args, **kwargs: P.kwargs) -> R:
            if _inside.get():
                return await function(*args, **kwargs)
            how, limits, inside = STEPS[name], _limits.get(), _inside.set(True)
            try:
                if limits is None:
                    async with asyncio.timeout(how.timeout_s):
                        return await function(*args, **kwargs)
                arguments = _arguments.set((args, kwargs))
                try:
                    if not (limits and how.across):
                        return await as_task(_label.get())
                    async with slots_of(how.limit, how.takes(args, limits), how.timeout_s):
                        return await as_task(_label.get())
                finally:
                    _arguments.reset(arguments)
            finally:
                _inside.reset(inside)

        return run

    return decorate


def _task(how: Step, function: Callable[..., Coroutine[Any, Any, R]]) -> Task[[str], Coroutine[Any, Any, R]]:
    """The Prefect task of a step. Its one parameter is the label that ends its run's name.

    The arguments reach it through a context variable: Prefect walks through the parameters of a task, and may show
    them, and here they hold the API client and the shoppers' returns. The text of an unforeseen error stays out of
    Prefect too, which would keep it in the task's state and in the run's log: it may quote a shopper's address.
    """

    async def run(label: str) -> R:  # noqa: ARG001 - it is the task run's name
        args, kwargs = _arguments.get()
        try:
            return await function(*args, **kwargs)
        except Exception as error:
            shown = presentable(error)
            if shown is error:
                raise
            raise shown from None

    update_wrapper(run, function, assigned=set(WRAPPER_ASSIGNMENTS) - {"__annotations__"}, updated=())
    del run.__wrapped__  # type: ignore[attr-defined]  # Prefect would take the function's parameters for the task's
    return task(
        name=how.name,
        task_run_name=f"{how.name} {{label}}",
        retries=0 if how.effect else how.retries,
        retry_delay_seconds=how.retry_delay_s,
        retry_condition_fn=_timed_out,
        timeout_seconds=how.timeout_s,
        cache_policy=NO_CACHE,
        persist_result=False,
    )(run)


async def _timed_out(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Retry only what nobody else does: a time-out of the task. The client has already retried the rest."""
    try:
        await state.aresult()
    except TimeoutError:
        return True
    except Exception:  # noqa: BLE001 - whatever else it was is not this place's cause
        return False
    return False


async def each(name: str, items: Iterable[T], work: Callable[[T], Awaitable[R]]) -> Sequence[R]:
    """Work on items, at most the table's `at_once` at a time; answers in the order of completion. Ends as `some`."""
    return await some(STEPS[name].at_once, items, work)


async def some(at_once: int, items: Iterable[T], work: Callable[[T], Awaitable[R]]) -> Sequence[R]:
    """Work on items, so many at a time; answers in the order of completion.

    An error stops the taking of further items; what is under way is brought to its end first, so that no effect is
    cut off between sending and recording, and then the first error is raised.
    """
    waiting = iter(items)
    results: list[R] = []
    errors: list[Exception] = []

    async def worker() -> None:
        for item in waiting:
            try:
                results.append(await work(item))
            except Exception as error:  # noqa: BLE001 - kept and raised once the others have ended
                errors.append(error)
            if errors:
                return

    workers = [asyncio.ensure_future(worker()) for _ in range(at_once)]
    try:
        await asyncio.gather(*workers)
    except BaseException:
        # SIGTERM is raised in whichever worker runs just then: the others must note what they sent before the run ends.
        for each_worker in workers:
            each_worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        raise
    if errors:
        raise errors[0]
    return results
