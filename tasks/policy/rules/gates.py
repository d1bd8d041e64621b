"""The first rules: whether this read and this record are any ground to decide about money at all."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime

from rever_api.models import ProcessStatus
from tasks.policy.case import Case
from tasks.policy.claims import money_intents, open_money_intent
from tasks.policy.clocks import believed, come
from tasks.policy.decision import Decision, Hold
from tasks.policy.money import ZERO, shown
from tasks.policy.paid import ON_ITS_WAY
from tasks.policy.reading import incomplete, later, quoted
from tasks.policy.record import MONEY_KINDS, SHOWS_LESS, HoldKind, Intent, IntentKind, IntentState
from tasks.policy.rules import StoreRules

REVER_ON_HOLD = "rever_on_hold"
"""The rule by which a return waits that REVER's own people hold."""


def held_already(case: Case) -> Decision | None:
    """An unanswered hold goes on holding, whatever REVER shows meanwhile."""
    held = [hold for hold in case.record.holds if not hold.label]
    if not held:
        return None
    first = min(held, key=lambda hold: (hold.since, hold.id))
    evidence = {"hold": first.id, "since": first.since.isoformat(timespec="seconds")}
    return Hold(first.rule, first.why, first.kind, evidence, first.amount, first.currency)


def outcome_open(case: Case) -> Decision | None:
    """While the outcome of one refund or exchange is open, no other is begun."""
    intent = open_money_intent(case.record)
    if intent is None:
        return None
    paid = f" of {shown(intent.amount, intent.currency)}" if intent.amount else ""
    why = f"the outcome of the {intent.kind}{paid} is still open ({intent.state})"
    return case.wait("open_intent", why, max(believed(intent.look_at, case.now), case.now) if intent.look_at else None)


def told_no(case: Case) -> Decision | None:
    """An effect was sent, and somebody on the way answered "no": REVER is looked at once it would show it, then sent.

    A proxy can say 401, 403, 404, 405, 407 or 429 by itself after REVER has acted. What REVER shows is adopted or held
    by the rules before this one.
    """
    until = told_no_until(case.record.intents, MONEY_KINDS, case.rules, case.now)
    if until is None or not case.due:
        return None
    why = "it was sent, and REVER or a proxy before it answered that it was not done; it is sent again once REVER"
    return case.wait("told_no", f"{why} would show it by now", until)


def told_no_until(
    intents: Iterable[Intent], kinds: Collection[IntentKind], rules: StoreRules, now: datetime
) -> datetime | None:
    """Until when nothing of these kinds is sent because of a "no" that a proxy may have given; None where it may."""
    told = (intent.told_no_until for intent in intents if intent.kind in kinds)
    return max((until for until in told if until and not come(until, now, rules.settle_after)), default=None)


def contradictory(case: Case) -> Decision | None:
    """A process that contradicts itself is no ground for any amount."""
    found = case.inspection.contradictions
    if not found:
        return None
    why = f"REVER's own figures contradict each other: {'; '.join(found[:3])}"
    evidence = {str(number): sentence for number, sentence in enumerate(found[:20], start=1)}
    return Hold("contradictory", why, HoldKind.CONTRADICTION, evidence)


def not_told(case: Case) -> Decision | None:
    """A read from which reviews, refunds or costs are absent cannot tell "none" from "not told"."""
    missing = incomplete(case.process, case.rules)
    if not missing:
        return None
    names = ", ".join(missing)
    why = (
        f"REVER's answer leaves out {names}, so nothing can be paid on it; if this account leaves empty fields out, "
        "say so with REVER_OMITS_EMPTY_FIELDS=true"
    )
    return Hold("incomplete_read", why, HoldKind.UNKNOWN_VALUE, {"missing": names})


def stale_view(case: Case) -> Decision | None:
    """REVER shows less than this desk has done: an older view. It is waited for, for `settle_after`, then held."""
    missing, exchange = case.comparison.missing, case.comparison.exchange_missing
    if not missing and not exchange:
        return _legs(case)
    absent = [f"{shown(amount, currency)} by {method}" for (method, currency), amount in missing.items()]
    absent += ["the exchange order"] if exchange else []
    why = f"REVER does not show what was done: {', '.join(absent)}"
    until = _settled_by(case)
    if until is not None and not come(until, case.now, case.rules.settle_after):
        return case.wait("stale_view", f"{why}; this may be an older view of the return", until)
    return case.hold(
        SHOWS_LESS,
        HoldKind.CONTRADICTION,
        f"{why}, though it was done long enough ago",
        {"absent": ", ".join(absent)},
        amount=sum(missing.values(), ZERO) or None,
    )


def _legs(case: Case) -> Decision | None:
    """A refund of ours is shown as several, or in part: nothing else is paid as long as these may be another's."""
    if not case.comparison.in_legs:
        return None
    until = _settled_by(case)
    if until is not None and not come(until, case.now, case.rules.settle_after):
        why = "REVER shows other refunds in place of one that was made: its legs, or an older view with another's"
        return case.wait("stale_view", why, until)
    if all(it.amount == it.intent.amount for it in case.comparison.standings):
        return None
    amount = sum((it.intent.amount - it.amount for it in case.comparison.standings), ZERO)
    why = f"REVER shows a refund that was made only in part; {shown(amount, case.currency)} of it is still to appear"
    return replace(case.wait(ON_ITS_WAY, f"{why}, and until then nothing else is paid"), reopens=True)


def status(case: Case) -> Decision | None:
    """Money goes out for a running process only. A completed one goes on, to see that nothing was forgotten."""
    match case.process.rever_process_status:
        case ProcessStatus.RUNNING | ProcessStatus.COMPLETED | ProcessStatus.CANCELED | ProcessStatus.FAILED:
            return None
        case ProcessStatus.ON_HOLD:
            return case.wait(REVER_ON_HOLD, "the return is ON_HOLD at REVER, whose own people work on it")
        case other:
            why = f"the return has the status {quoted(other)}, which is not known here, so nothing is paid"
            return Hold("unknown_status", why, HoldKind.UNKNOWN_VALUE, {"rever_process_status": quoted(other)})


def _settled_by(case: Case) -> datetime | None:
    """When the youngest done effect must be visible at REVER."""
    done = [intent for intent in money_intents(case.record) if intent.state is IntentState.DONE]
    times = [at for intent in done if (at := intent.sent_at or intent.created_at)]
    return later(max(times), case.rules.settle_after) if times else None
