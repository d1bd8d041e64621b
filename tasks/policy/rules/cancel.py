"""The rules of calling a return off, as the merchant's own rule has it. What follows is `gates.called_off`.

Nothing may have gone out for it, and nothing may be due: what is due is paid first, and what was paid stays.
"""

from dataclasses import replace

from rever_api.models import ProcessStatus
from tasks.policy.case import Case
from tasks.policy.comparison import went_out
from tasks.policy.decision import AskedEffect, Decision, Hold
from tasks.policy.facts import quoted
from tasks.policy.record import (
    ALL_BUT_LABELS,
    CANCEL_REFUSED,
    HoldKind,
    Intent,
    IntentKind,
    IntentState,
    cancellation_given_up,
)
from tasks.policy.return_facts import Unknown
from tasks.policy.rules.gates import ENDED, told_no_until
from tasks.policy.rules.payment import NEEDS_FACTS


def why_not(case: Case) -> str:
    """Why a return cannot be called off; empty where it can: one at its end cannot, one that was paid must not be."""
    status = case.process.rever_process_status
    if status in ENDED:
        return f"the return is {quoted(str(status))} at REVER"
    if went_out(case.process, case.record):
        return "money or goods went out for it"
    return ""


def by_rule(case: Case) -> Decision | None:
    """The store's own rule calls the return off: once, and only a running one for which nothing went out or is due."""
    wanted = case.ruling.cancellation() if case.ruling else None
    running = case.process.rever_process_status == ProcessStatus.RUNNING
    due = case.free or any(line.later for line in case.inspection.lines)
    if wanted is None or not running or due or why_not(case) or any(it.live for it in _cancellations(case)):
        return None
    if isinstance(wanted, Unknown):
        why = f"the store's own rules cannot say whether this return is called off: they need {wanted.needs}"
        return Hold(NEEDS_FACTS, why, HoldKind.UNKNOWN_VALUE, {"missing": wanted.needs})
    until = told_no_until(case.record.intents, ALL_BUT_LABELS, case.rules, case.now)
    if until is not None:
        why = "an effect was sent, and REVER or a proxy before it answered that it was not done; the return is called"
        wait = case.wait("told_no", f"{why} off once REVER would show it by now", until)
        return replace(wait, for_another_run=True)
    refused = [it for it in _cancellations(case) if it.state is IntentState.REFUSED]
    if refused and cancellation_given_up(case.record):
        return None
    why = f"rule {wanted.policy_rule!r} calls the return off: {wanted.reason}"
    held = _refused(case, refused[-1], why) if refused else None
    return held or AskedEffect("cancel_by_rule", why, IntentKind.CANCEL, wanted)


def _refused(case: Case, intent: Intent, why: str) -> Hold | None:
    """REVER has refused it before: it is not tried again by itself."""
    evidence = {"intent": intent.id, "code": intent.error_code}
    return case.hold(CANCEL_REFUSED, HoldKind.REFUSED, f"REVER has refused it: {why}", evidence, items=())


def _cancellations(case: Case) -> list[Intent]:
    return [intent for intent in case.record.intents if intent.kind is IntentKind.CANCEL]
