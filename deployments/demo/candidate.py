"""The demo's candidate policy: tried over the first part's returns before it would go live; nothing of it is done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from deployments.demo.account import Account
from deployments.demo.process import DemoError, started_worker
from deployments.demo.promises import Promise
from deployments.demo.text import Page
from rever_api.models import ReviewStatus
from rever_api.sandbox import RunningSandbox
from tasks.policy.record import IntentKind, IntentState

FILE = "candidate.yaml"
RULE = "small things at the first scan"
CANDIDATE = f"""\
default:
  rules:
  - name: {RULE}
    when: {{return_value: {{at_most: 50.00 EUR}}, units: {{is: 1}}}}
    then: {{pay: {{at: first_scan}}}}
    if_unknown: does_not_match
"""
A_FEW = 4


@dataclass(frozen=True, slots=True)
class Tried:
    """What the backtest found. `more` are the orders for which the candidate pays what the policy in force does not."""

    ledger: dict[str, Decimal]
    more: tuple[tuple[str, str, Decimal], ...]
    differences: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> "Tried":
        """Read it from the report that `--json` prints."""
        money = {it["currency"]: Decimal(it["ledger"]) for it in report["money"] if not it["goods"]}
        paid = [(it["order"], it["process_id"], Decimal(it["more"] or 0)) for it in report["differences"]]
        return cls(money, tuple(each for each in paid if each[2]), report["differences"])


def try_a_candidate(
    page: Page, sandbox: RunningSandbox, env: Mapping[str, str], folder: Path, account: Account
) -> list[Promise]:
    """Replay the returns under a candidate that pays sooner. Returns what was found about its promises."""
    page.title("2. A policy of your own, tried before it goes live")
    page.say("Suppose small amounts are to be paid as soon as the carrier has the goods, and not after the inspection:")
    for line in CANDIDATE.splitlines():
        page.say(line.strip(), "dim", indent=4 + len(line) - len(line.lstrip()))
    (folder / FILE).write_text(CANDIDATE, encoding="utf-8")
    before = len(sandbox.books)
    page.say("`rever-returns policy backtest` replays the returns under it, beside the rules in force ...")
    with started_worker((f"backtest-policy candidate={FILE}",), env, folder, "backtest") as worker:
        (report,) = worker.reports()
    tried = Tried.of(report)
    for one in tried.differences[:A_FEW]:
        when = "more, which the rules in force never pay" if one["more"] else "earlier"
        amount = one["more"] or one["earlier"]
        page.say(f"{one['order']}: {amount} {one['currency']} {when}", indent=4)
    promises = [really_done(tried, account), the_wrong_one(tried, sandbox), _nothing_done(before, len(sandbox.books))]
    page.promises("What the trial says, held against the ledger and REVER's books", promises)
    return promises


def really_done(tried: Tried, account: Account) -> Promise:
    """That what it says was really done is what the ledger has, to the cent."""
    done: dict[str, Decimal] = {}
    for row in account.done:
        if row.intent.kind is IntentKind.REFUND and row.intent.state is IntentState.DONE:
            done[row.intent.currency] = done.get(row.intent.currency, Decimal(0)) + row.intent.amount
    words = ", ".join(f"{amount:,} {currency}" for currency, amount in sorted(tried.ledger.items()))
    return Promise("really done", f"{words}, as in the ledger (REVER's own included)", tried.ledger == done)


def the_wrong_one(tried: Tried, sandbox: RunningSandbox) -> Promise:
    """That it names the one return for which the candidate would have paid what never arrived."""
    if len(tried.more) != 1:
        return Promise("paid wrongly", f"{len(tried.more)} returns, where one was to be found", kept=False)
    ((order, process_id, amount),) = tried.more
    stored = sandbox.sandbox.processes.get(process_id)
    if stored is None:
        raise DemoError(f"the trial names {process_id}, which REVER does not have")
    missing = any(review.status == ReviewStatus.MISSING for review in stored.process.reviews or ())
    words = f"{order}: {amount:,} for what the warehouse never found in the parcel"
    return Promise("paid wrongly", words, missing)


def _nothing_done(before: int, after: int) -> Promise:
    """That the trial itself did nothing at REVER."""
    return Promise("done by the trial", f"{after - before} effects in REVER's books", before == after)
