"""One table of how each kind of task is run: retries, delay, time-out, how many at a time.

Attempts never multiply, so one place owns each cause: the client retries reads (HTTP causes), the ledger owns the
attempts of effects. A Prefect retry is left for what neither sees, and only where the task just reads.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Step:
    """How one kind of task runs. `at_once` bounds the returns worked on at a time; `effect` forbids any retry."""

    name: str
    retries: int
    retry_delay_s: float
    timeout_s: float
    at_once: int
    effect: bool = False


STEPS = {
    step.name: step
    for step in (
        Step("settle-outcomes", retries=0, retry_delay_s=0, timeout_s=1800, at_once=8, effect=True),
        Step("fetch-pending-returns", retries=1, retry_delay_s=2, timeout_s=600, at_once=1),
        Step("check-inspections", retries=1, retry_delay_s=2, timeout_s=600, at_once=8),
        Step("decide-returns", retries=0, retry_delay_s=0, timeout_s=300, at_once=1, effect=True),
        Step("issue-refunds", retries=0, retry_delay_s=0, timeout_s=3600, at_once=8, effect=True),
        Step("issue-exchanges", retries=0, retry_delay_s=0, timeout_s=3600, at_once=8, effect=True),
        Step("generate-labels", retries=0, retry_delay_s=0, timeout_s=3600, at_once=8, effect=True),
        Step("compare-with-rever", retries=0, retry_delay_s=0, timeout_s=3600, at_once=8, effect=True),
        Step("answer-hold", retries=0, retry_delay_s=0, timeout_s=300, at_once=1, effect=True),
    )
}


class Stage(Protocol):
    """How a flow runs one of its steps: as it is, or as a Prefect task around it."""

    async def __call__(self, name: str, work: Callable[[], Awaitable[T]], label: str = "") -> T:
        """Run `work` as the step `name` of the table; `label` ends the task run's name."""
        ...


async def plainly(name: str, work: Callable[[], Awaitable[T]], label: str = "") -> T:  # noqa: ARG001 - a Stage's shape
    """Run a step without Prefect, within the table's time-out."""
    async with asyncio.timeout(STEPS[name].timeout_s):
        return await work()


async def each(name: str, items: Iterable[T], work: Callable[[T], Awaitable[R]]) -> Sequence[R]:
    """Work on items, at most the table's `at_once` at a time; answers in the order of completion.

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

    workers = [asyncio.ensure_future(worker()) for _ in range(STEPS[name].at_once)]
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
