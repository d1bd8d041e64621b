"""`python -m tasks.in_prefect.limits_page`: the page `docs/limits.md`, on stdout. The figures in it were measured on two cores."""

import sys

from tasks.in_prefect.global_limits import LEASE_S
from tasks.steps import STEPS, Step

HEAD = """# Limits: how much at a time, how often, how long

One table in `tasks/steps.py` says how each kind of task runs; it is applied from there, and this page is generated from
it: `make docs`.

| step | retries by Prefect | delay | time-out | returns of a batch at once | over all processes | global limit, slots |
| --- | --- | --- | --- | --- | --- | --- |
"""

TAIL = f"""
Attempts never multiply, because one place owns each cause. REVER's 429, 5xx and time-outs of a read are tried again by
the client (`REVER_TIMEOUT`, `REVER_RATE`); an effect (a refund, an exchange, a label) is tried again by the ledger
alone, and never when its outcome is unknown; Prefect tries again only a task that just reads, and only after its own
time-out.

## What holds where, and what it costs

| limit | bounds | holds in | costs |
| --- | --- | --- | --- |
| `REVER_MAX_IN_FLIGHT`, `REVER_RATE` | calls to REVER of one process and key | every run | nothing to measure |
| returns at once | the returns of a batch that a step works on at a time; each store that a run works on (`REVER_STORES_AT_ONCE`) has a batch of its own | every run | nothing to measure |
| global limit | the same over all batches in all processes, one slot for each return that is worked on | runs of deployments | one call to Prefect's server to take and one to give back, for a step and not for a call: 15 to 50 ms each |
| one look at the limits | nothing; a missing limit stops the run | runs of deployments | one call when the run begins, 15 ms |
| a deployment's `concurrency_limit` | runs of one deployment; what goes beyond waits, or is cancelled, as its collision strategy says | runs of deployments | nothing in the run; the run waits before it starts |
| a worker's `--limit` | runs that this worker executes at a time, each a process of its own; what goes beyond is left to other workers. `up` gives its workers 5 | one worker | the same |
| a work pool's or queue's limit | runs that a pool's workers, or one queue, execute at a time: what the machines can carry | runs of deployments | the same |

Prefect's server hands out about twenty slots a second (52 ms each with sixty tasks in a row, the same for limits by
tag; 119 ms for `rate_limit`). That is why slots are taken in bulk: a step over 100 refunds takes 8 slots once, for the
8 returns it works on at a time; one over a single return takes one.

What runs without a deployment (`rever-returns run`, with or without `--no-prefect`) is bounded in its own process only.
Every report says which of the two it was.

## When a limit is missing, full, or held by the dead

* **Missing, or switched off in the UI:** a run of a deployment begins nothing and says which; `rever-returns bootstrap`
  makes them. Where a limit is missing, Prefect alone would let every run pass.
* **Full:** the step waits, and says so in the run's log after 3 s. The wait is no part of the task, so its time-out is
  for its work. After as long as one step may take, the run gives up with a sentence that names the limit. A run over
  many stores can hold all slots by itself: more slots let more of its stores refund at a time, and other runs beside it.
* **Held by a worker that was killed:** the slots are leased for {LEASE_S:.0f} s, the shortest that Prefect's server grants, and
  renewed while the step lasts, however long that is. The server looks for leases that are over every 15 s, so slots
  are back after {LEASE_S:.0f} to {LEASE_S + 15:.0f} s (65 s when it was measured;
  all were back when the run of a killed worker was marked Crashed, after 85 s).
* **Still not back:** `prefect gcl inspect rever-issue-refunds` says what is held, `prefect gcl update
  rever-issue-refunds --active-slots 0` lets all go.
* **Prefect's server away in the middle of a step:** what is under way goes on. The limits spare REVER; that nothing is
  paid twice is the ledger's business, with any number of workers at once and no limit at all.

The slots of a limit can be changed in the UI (Concurrency): a run takes what it finds when it begins.
"""


def limits_page() -> str:
    """The whole of `docs/limits.md`."""
    return HEAD + "".join(_row(step) for step in STEPS.values()) + TAIL


def _row(step: Step) -> str:
    retries = str(step.retries) if step.retries else "none" + (": an effect" if step.effect else "")
    delay = f"{step.retry_delay_s:g} s" if step.retries else ""
    across = f"{step.across} batches" if step.across else "as many as there are runs"
    limit = f"`{step.limit}`, {step.slots}" if step.across else ""
    return f"| `{step.name}` | {retries} | {delay} | {step.timeout_s:g} s | {step.at_once} | {across} | {limit} |\n"


if __name__ == "__main__":
    sys.stdout.write(limits_page())
