"""The demo's second part: a worker dies after REVER has paid and before it has read the answer."""

import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deployments.demo.account import Account, read_history
from deployments.demo.process import DemoError, Worker, environment, started_worker
from deployments.demo.promises import Promise, same_effects, sums_agree
from deployments.demo.scene import FLOWS, RETURNS, SEED, SHOPS, account_in, currencies, paid, refunds, verdict
from deployments.demo.text import Page
from deployments.demo.trail import settled_by_evidence, step_words, trail_of
from rever_api.sandbox import RunningSandbox, running_sandbox
from rever_api.sandbox.state import Effect
from tasks.policy.reading import counted
from tasks.policy.record import IntentState

FAULT = "hang_after_acting"
MOST_RUNS = 3
"""Runs after the kill in which everything must come to its end or be held."""

LOOK_EVERY_S = 0.01


@dataclass(frozen=True, slots=True)
class Killed:
    """The effect whose answer was never read, and the worker that died waiting for it."""

    effect: Effect
    pid: int


def with_a_kill(page: Page, folder: Path, prefect: Mapping[str, str], unkilled: Sequence[Effect]) -> list[Promise]:
    """Play it; answers the promises with what was found. `unkilled` are the books of the first part."""
    nth = (len(refunds(unkilled)) + 1) // 2
    page.title(f"2. The same {RETURNS} returns again, with a worker killed at refund {nth} of {len(refunds(unkilled))}")
    with running_sandbox(seed=SEED, returns=RETURNS, shops=SHOPS, faults=f"issueRefund:{nth}:{FAULT}") as sandbox:
        page.say(
            f"A fresh REVER with the same seed, an empty ledger, the same flows in Prefect. REVER pays refund {nth} "
            "and keeps its answer back; there the worker is killed ..."
        )
        killed = _kill_a_worker(sandbox, folder, prefect)
        env = environment(sandbox, folder, prefect)
        before = account_in(env)
        _show_the_kill(page, sandbox, killed, before)
        account = _run_until_settled(page, env, before, folder)
        settled = _show_the_evidence(page, env, killed)
        sums = {"unkilled run": paid(unkilled), "ledger": account.paid, "REVER's books": sandbox.books.paid()}
        promises = verdict(sandbox, account) + sums_agree(sums, currencies(sandbox).values())
        promises += [same_effects(unkilled, sandbox.books.effects), settled]
        page.promises("The auditor's verdict after the kill, from REVER's own books", promises)
        return promises


def _kill_a_worker(sandbox: RunningSandbox, folder: Path, prefect: Mapping[str, str]) -> Killed:
    """Start a worker, wait until REVER has acted and keeps its answer back, and kill it there.

    It makes one call at a time, so that it is exactly one whose answer is missing.
    """
    env = environment(sandbox, folder, prefect, MAX_IN_FLIGHT=1)
    with started_worker(FLOWS, env, folder, "killed") as worker:
        effect = _held_back(sandbox, worker)
        worker.kill()
    if worker.process.returncode != -signal.SIGKILL or _answered(sandbox):
        raise DemoError("the worker could not be killed before REVER's answer was read")
    sandbox.stop_faults()
    return Killed(effect, worker.process.pid)


def _answered(sandbox: RunningSandbox) -> bool:
    return any(entry.status is not None for entry in sandbox.journal.entries if entry.fault == FAULT)


def _held_back(sandbox: RunningSandbox, worker: Worker) -> Effect:
    while worker.running():
        for entry in tuple(sandbox.journal.entries):
            if entry.fault == FAULT and entry.acted:
                return refunds(sandbox.books.of(entry.process_id))[-1]
        time.sleep(LOOK_EVERY_S)
    worker.reports()
    raise DemoError("the worker ended before the refund at which it was to be killed")


def _show_the_kill(page: Page, sandbox: RunningSandbox, killed: Killed, account: Account) -> None:
    effect = killed.effect
    known = [item.intent.state for item in account.open if item.process_id == effect.process_id]
    sent = sum(item.intent.state is not IntentState.INTENDED for item in account.open)
    page.say(f"Worker {killed.pid} was killed with SIGKILL. At that moment:", "bold")
    page.say(
        f"REVER's books: {len(refunds(sandbox.books))} refunds; the last one, {effect.amount:,} {effect.currency} "
        f"for {effect.process_id}, is paid.",
        indent=4,
    )
    page.say(
        f"Our ledger: that one is {' and '.join(known) or 'unknown to it'}, without an answer. "
        f"{len(account.open) - sent} more effects were claimed and not sent.",
        indent=4,
    )


def _run_until_settled(page: Page, env: dict[str, str], account: Account, folder: Path) -> Account:
    """Wait until nobody can be at work on the open effects any more, run, and again while one is still open."""
    for number in range(1, MOST_RUNS + 1):
        wait = _seconds_left(account)
        page.say(
            f"Waiting {wait:.0f} s, until the dead worker's deadline and leases are over; then the flows again ..."
        )
        time.sleep(wait)
        with started_worker(FLOWS, env, folder, f"run-{number}") as worker:
            for report in worker.reports():
                done = report["effects"]["done"]
                page.say(
                    f"{report['flow']}: {counted(report['seen'], 'return')} looked at, {counted(done, 'effect')} done",
                    indent=4,
                )
        account = account_in(env)
        if not account.open:
            return account
    raise DemoError(f"{len(account.open)} effects are still open after {MOST_RUNS} runs")


def _seconds_left(account: Account) -> float:
    """Seconds until the last deadline of what was sent, and the last lease of what was not."""
    ends = [item.deadline or item.lease_until for item in account.open]
    left = (max(ends, default=datetime.now(UTC)) - datetime.now(UTC)).total_seconds()
    return max(0.0, left) + 0.1


def _show_the_evidence(page: Page, env: Mapping[str, str], killed: Killed) -> Promise:
    """Print the ledger's own trail of the refund whose answer was never read; answers whether it is settled by it."""
    known = read_history(env["REVER_LEDGER_URL"], env["REVER_ACCOUNT"], killed.effect.process_id)
    trail = trail_of(known, killed.effect) if known else []
    if not trail:
        raise DemoError(f"the ledger does not know the refund of {killed.effect.process_id}")
    page.say(f"What the ledger wrote about the refund of {killed.effect.process_id}:", "bold")
    for row in trail:
        page.say(step_words(row), indent=4)
    return settled_by_evidence(trail)
