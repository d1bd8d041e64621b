"""The demo's first part: nothing breaks. What becomes of 60 returns, why, and whether all books agree."""

from pathlib import Path

from deployments.demo.account import totals
from deployments.demo.process import environment, started_worker
from deployments.demo.promises import Promise, added, sums_agree
from deployments.demo.scene import FLOWS, RETURNS, SEED, SHOPS, account_in, currencies, verdict
from deployments.demo.text import Page, examples, rest
from deployments.prefect_server import PrefectServer
from rever_api.sandbox import running_sandbox
from rever_api.sandbox.state import Effect


def in_peace(page: Page, folder: Path, prefect: PrefectServer) -> tuple[list[Promise], tuple[Effect, ...]]:
    """Play it; answers the promises with what was found, and all that REVER's books then hold."""
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
        return promises, sandbox.books.effects
