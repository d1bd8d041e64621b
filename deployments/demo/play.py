"""`make demo`: the main job end to end against a local REVER; a policy tried on it, a killed worker, one parcel.

Needs no key, no server and no settings, and touches nothing but the folder `.demo` below the working folder, which
it makes anew. Exit code 0 only if every promise was kept; 1 where one was broken, or the demo could not be played.
"""

import os
import shutil
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import FrameType

from deployments.demo.candidate import (
    nothing_by_the_shadow,
    policy_with_shadow,
    show_the_shadow,
    try_a_candidate,
)
from deployments.demo.one_parcel import one_parcel
from deployments.demo.process import DemoError, Worker, environment, started_worker
from deployments.demo.promises import (
    Account,
    Promise,
    added,
    audited,
    read_account,
    read_history,
    same_effects,
    settled_by_evidence,
    step_words,
    sums_agree,
    totals,
    trail_of,
)
from deployments.demo.text import Page, examples, rest
from deployments.prefect_server import PrefectServer, PrefectServerError, prefect_server
from rever_api.sandbox import RunningSandbox, running_sandbox
from rever_api.sandbox.state import Actor, Effect
from tasks.ledger import LedgerError
from tasks.policy.facts import counted
from tasks.policy.record import IntentState

SEED, RETURNS = 7, 60
SHOPS = ("acme", "nordic")
FLOWS = ("generate-labels", "process-pending-returns", "reconcile")

FAULT = "hang_after_acting"
MOST_RUNS = 3
"""Runs after the kill in which everything must come to its end or be held."""

LOOK_EVERY_S = 0.01

FAILED, STOPPED = 1, 130


def main() -> int:
    """Play the demo, and return the exit code."""
    began = time.monotonic()
    signal.signal(signal.SIGTERM, _stop)
    page = Page()
    try:
        promises = play(page, fresh_folder(Path.cwd() / ".demo"))
    except (DemoError, PrefectServerError, LedgerError) as failed:
        page.title("The demo could not be played to its end")
        page.say(str(failed), "red")
        return FAILED
    except KeyboardInterrupt:
        page.title("Stopped.")
        return STOPPED
    return conclusion(page, promises, time.monotonic() - began)


def play(page: Page, folder: Path) -> list[Promise]:
    """Play all parts, and return every promise with what was found."""
    with prefect_server(folder / "prefect") as prefect:
        promises, effects = in_peace(page, _made(folder / "in-peace"), prefect)
        promises += with_a_kill(page, _made(folder / "with-a-kill"), prefect.variables, effects)
    return promises + one_parcel(page, _made(folder / "one-parcel"))


def in_peace(page: Page, folder: Path, prefect: PrefectServer) -> tuple[list[Promise], tuple[Effect, ...]]:
    """The parts in which nothing breaks: the promises with what was found, and the effects in REVER's books."""
    page.title("1. Two shops, and returns in every state a return can be in")
    with running_sandbox(seed=SEED, returns=RETURNS, shops=SHOPS) as sandbox:
        page.say(f"A local REVER listens on {sandbox.base_url}: {RETURNS} returns at {' and '.join(sandbox.stores)}.")
        page.say("Prefect is starting, with a database of its own ...")
        prefect.wait()
        page.say(f"Running {', '.join(FLOWS)} in it, for real (mode=act) ...")
        env = environment(sandbox, folder, prefect.variables)
        with started_worker(FLOWS, env, folder, "worker") as worker:
            reports = worker.reports()
        for report in reports:
            page.say(f"{report['flow']}: {report['seen']} returns looked at in {report['duration_s']:.1f} s")
        account = account_in(env)
        page.stores(totals(account, currencies(sandbox)))
        page.say(rest(account, RETURNS))
        for head, found in examples(account):
            page.examples(head, found)
        sums = {"report": added(reports), "ledger": account.paid, "REVER's books": sandbox.books.paid()}
        promises = verdict(sandbox, account) + sums_agree(sums, currencies(sandbox).values())
        page.promises("The auditor's verdict, from REVER's own books", promises)
        promises += try_a_candidate(page, sandbox, env, folder, account)
        return promises, sandbox.books.effects


@dataclass(frozen=True, slots=True)
class Killed:
    """The effect whose response was never read, and the worker that died waiting for it."""

    effect: Effect
    pid: int


def with_a_kill(page: Page, folder: Path, prefect: Mapping[str, str], unkilled: Sequence[Effect]) -> list[Promise]:
    """The third part: a worker dies after REVER has paid and before it has read the response.

    The candidate of the second part stands in shadow meanwhile. Returns the promises with what was found. `unkilled`
    are the effects of the first part, in which no candidate was asked.
    """
    nth = (len(refunds(unkilled)) + 1) // 2
    page.title(f"3. The same {RETURNS} returns again, with a worker killed at refund {nth} of {len(refunds(unkilled))}")
    with running_sandbox(seed=SEED, returns=RETURNS, shops=SHOPS, faults=f"issueRefund:{nth}:{FAULT}") as sandbox:
        page.say(
            f"A fresh REVER with the same seed, an empty ledger, the same flows in Prefect. REVER pays refund {nth} "
            "and keeps its answer back; there the worker is killed ..."
        )
        page.say(
            "The candidate of part 2 now stands in shadow: it is asked about each return beside the rules in force, "
            "and nothing that it says is done."
        )
        policy = policy_with_shadow(folder)
        killed = _kill_a_worker(sandbox, folder, prefect, policy)
        env = environment(sandbox, folder, prefect, POLICY=policy)
        before = account_in(env)
        _show_the_kill(page, sandbox, killed, before)
        account = _run_until_settled(page, env, before, folder)
        settled = _show_the_evidence(page, env, killed)
        shadow = nothing_by_the_shadow(show_the_shadow(page, env, folder), unkilled, sandbox.books.effects)
        sums = {"unkilled run": paid(unkilled), "ledger": account.paid, "REVER's books": sandbox.books.paid()}
        promises = verdict(sandbox, account) + sums_agree(sums, currencies(sandbox).values())
        promises += [same_effects(unkilled, sandbox.books.effects), settled, shadow]
        page.promises("The auditor's verdict after the kill, from REVER's own books", promises)
        return promises


def _kill_a_worker(sandbox: RunningSandbox, folder: Path, prefect: Mapping[str, str], policy: Path) -> Killed:
    """Start a worker, wait until REVER has acted and holds its response back, and kill it there.

    It makes one call at a time, so that exactly one response is missing.
    """
    env = environment(sandbox, folder, prefect, MAX_IN_FLIGHT=1, POLICY=policy)
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
                done = report["outcomes"]["done"]
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
    """Print the ledger's audit of the refund whose response was never read; the promise that evidence settled it."""
    known = read_history(env["REVER_LEDGER_URL"], env["REVER_ACCOUNT"], killed.effect.process_id)
    trail = trail_of(known, killed.effect) if known else []
    if not trail:
        raise DemoError(f"the ledger does not know the refund of {killed.effect.process_id}")
    page.say(f"What the ledger wrote about the refund of {killed.effect.process_id} (times in UTC):", "bold")
    for row in trail:
        page.say(step_words(row), indent=4)
    return settled_by_evidence(trail)


def account_in(env: Mapping[str, str]) -> Account:
    """The account in the ledger of a worker's environment. Raises `LedgerError`."""
    return read_account(env["REVER_LEDGER_URL"], env["REVER_ACCOUNT"])


def currencies(sandbox: RunningSandbox) -> dict[str, str]:
    """Store -> its own currency."""
    return {name: shop.settings.currency for name, shop in sandbox.sandbox.shops.items()}


def refunds(effects: Iterable[Effect]) -> list[Effect]:
    """The refunds made through the API, in the order of the books."""
    return [effect for effect in effects if effect.operation == "issueRefund" and effect.by is Actor.API]


def paid(effects: Iterable[Effect]) -> dict[str, Decimal]:
    """Currency -> what these effects paid through the API."""
    totals: dict[str, Decimal] = {}
    for effect in refunds(effects):
        totals[effect.currency] = totals.get(effect.currency, Decimal(0)) + (effect.amount or Decimal(0))
    return totals


def verdict(sandbox: RunningSandbox, account: Account) -> list[Promise]:
    """The auditor's verdict on REVER's books, given what the ledger explains."""
    return audited(sandbox.audit(), account.explained)


def conclusion(page: Page, promises: Sequence[Promise], seconds: float) -> int:
    """Print whether every promise was kept, and what to do next; return the exit code."""
    broken = [promise for promise in promises if not promise.kept]
    if broken or not promises:
        page.title(f"{len(broken)} of {len(promises)} promises were broken:")
        for promise in broken:
            page.say(f"{promise.name}: {promise.found}", "red")
        return FAILED
    page.title(f"Every promise was kept. {seconds:.0f} s.")
    page.say("Next: `.venv/bin/rever-returns sandbox` is the same local REVER, to point anything at;")
    page.say('README.md, "Try it by hand", and docs/live.md, on a real REVER account, go on from there.')
    return 0


def fresh_folder(folder: Path) -> Path:
    """An empty folder where the last demo's was. It is removed only if a demo made it. Raises `DemoError`."""
    mark = folder / "made-by-the-demo"
    if folder.exists() and not mark.exists():
        raise DemoError(f"{folder} is in the way, and was not made by the demo: move it elsewhere")
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(exist_ok=True)
        mark.write_text(f"{os.getpid()}\n")
    except OSError as failed:
        raise DemoError(f"{folder} cannot be made: {failed.strerror}") from None
    return folder


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _stop(_number: int, _frame: FrameType | None) -> None:
    """Leave by way of every `finally`, so that no worker stays behind."""
    raise KeyboardInterrupt
