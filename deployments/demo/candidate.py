"""The demo's candidate policy: tried over past returns, then in shadow beside the rules in force.

Nothing of it is done.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from deployments.demo.process import DemoError, started_worker
from deployments.demo.promises import Account, Promise, read_shadow, same_effects
from deployments.demo.text import Page
from rever_api.models import ReviewStatus
from rever_api.sandbox import RunningSandbox
from rever_api.sandbox.state import Effect
from tasks.ledger import ShadowRow
from tasks.policy.facts import counted
from tasks.policy.policy_file import read_policy
from tasks.policy.record import IntentKind, IntentState
from tasks.reporting.printable import plain_words
from tasks.reporting.report_parts import changes_words

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
IN_FORCE = "policy.yaml"
BESIDE = f"shadow: {FILE}\n"
"""The rules in force without a file, with the candidate in shadow."""

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


def policy_with_shadow(folder: Path) -> Path:
    """Write the candidate, and a policy file in which it stands in shadow; return the latter."""
    (folder / FILE).write_text(CANDIDATE, encoding="utf-8")
    policy = folder / IN_FORCE
    policy.write_text(BESIDE, encoding="utf-8")
    return policy


def show_the_shadow(page: Page, env: Mapping[str, str], folder: Path) -> list[ShadowRow]:
    """Print what the candidate would have done otherwise, as the ledger keeps it, and return it."""
    digest = read_policy(folder / FILE).digest
    rows = read_shadow(env["REVER_LEDGER_URL"], env["REVER_ACCOUNT"], digest)
    page.say("What the candidate in shadow would have done otherwise (`rever-returns policy shadow`):", "bold")
    for row in rows[:A_FEW]:
        page.say(f"{row.differs.order}: {changes_words(row.differs)}", indent=4)
        page.say(plain_words(f"in force: {row.differs.live.why}"), "dim", indent=8)
        page.say(plain_words(f"candidate: {row.differs.candidate.why}"), "dim", indent=8)
    return rows


def nothing_by_the_shadow(rows: Collection[ShadowRow], without: Iterable[Effect], beside: Iterable[Effect]) -> Promise:
    """That the candidate differed, and that REVER's books beside it are those `without` it."""
    same = same_effects(without, beside)
    found = f"{counted(len(rows), 'return')} decided otherwise; "
    found += "the books are those without it" if same.kept else f"the books differ: {same.found}"
    return Promise("policy in shadow", found, bool(rows) and same.kept)
