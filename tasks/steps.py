"""One table of how each kind of task is run: retries, delay, time-out, how many at a time.

Attempts never multiply, so one place owns each cause: the client retries reads (HTTP causes), the ledger owns the
attempts of effects. A Prefect retry is left for what neither sees, and only where the task just reads.

How many at a time is said twice: in one process, where a semaphore holds it at no cost, and over all processes, where
a global limit of Prefect's server holds it at the cost of a call per stage (`docs/limits.md`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Step:
    """How one kind of task runs.

    `at_once` bounds the returns worked on at a time in a process, `across` the batches at a time in all processes
    (0: as many as there are runs). `effect` forbids any retry.
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


STEPS = {
    step.name: step
    for step in (
        Step("settle-outcomes", retries=0, retry_delay_s=0, timeout_s=1800, at_once=8, effect=True),
        Step("fetch-pending-returns", retries=1, retry_delay_s=2, timeout_s=600, at_once=1),
        Step("check-inspections", retries=1, retry_delay_s=2, timeout_s=600, at_once=8),
        Step("decide-returns", retries=0, retry_delay_s=0, timeout_s=300, at_once=1, effect=True),
        Step("issue-refunds", retries=0, retry_delay_s=0, timeout_s=3600, at_once=8, effect=True, across=4),
        Step("issue-exchanges", retries=0, retry_delay_s=0, timeout_s=3600, at_once=8, effect=True, across=4),
        Step("generate-labels", retries=0, retry_delay_s=0, timeout_s=3600, at_once=8, effect=True, across=2),
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
        return f"{here} only; global ones hold in runs of deployments"
    told = ", ".join(f"{name} {slots}" for name, slots in sorted(limits.items()))
    return f"{here}; over all processes {told}"


class Stage(Protocol):
    """How a flow runs one of its steps: as it is, or as a Prefect task around it."""

    async def __call__(
        self, name: str, work: Callable[[], Awaitable[T]], label: str = "", size: int | None = None
    ) -> T:
        """Run `work` as the step `name` of the table; `label` ends the task run's name.

        `size` is the number of returns it is about, where that is known: it takes no more slots than that.
        """
        ...


async def plainly(
    name: str,
    work: Callable[[], Awaitable[T]],
    label: str = "",  # noqa: ARG001 - a Stage's shape
    size: int | None = None,  # noqa: ARG001
) -> T:
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
