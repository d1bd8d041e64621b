"""The first rules: whether this read and this record are any ground to decide about money at all."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo

from rever_api.models import CompensationMethod, ProcessStatus, RefundTiming, ReturnProcess, ReviewStatus
from tasks.policy.case import Case, told_terms
from tasks.policy.clocks import believed, clock_time, come
from tasks.policy.decision import Decision, Hold
from tasks.policy.facts import counted, incomplete, later, parts_contradict, quoted
from tasks.policy.money import ZERO, shown
from tasks.policy.record import (
    ALL_BUT_LABELS,
    SHOWS_LESS,
    HoldKind,
    Intent,
    IntentKind,
    IntentState,
    Record,
    money_intents,
    open_money_intent,
    taken_by_desk,
)
from tasks.policy.rules.at_rever import ON_ITS_WAY
from tasks.policy.store import REFUND_METHODS, StoreRules

REVER_ON_HOLD = "rever_on_hold"
"""The rule by which a return waits that REVER's own people hold."""

CANCEL_NOT_SHOWN = "cancel_not_shown"
"""The rule of a return that was called off here, and that REVER goes on showing as one that runs."""

ENDED = frozenset({ProcessStatus.COMPLETED, ProcessStatus.FAILED, ProcessStatus.CANCELED})
"""Statuses of a return that is at its end at REVER."""


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
    until = told_no_until(case.record.intents, ALL_BUT_LABELS, case.rules, case.now)
    if until is None or not case.due:
        return None
    why = "it was sent, and REVER or a proxy before it answered that it was not done; it is sent again once REVER"
    return replace(case.wait("told_no", f"{why} would show it by now", until), for_another_run=True)


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


def called_off(case: Case) -> Decision | None:
    """The return was called off here, and REVER shows it as running: an older view, for `settle_after`; then held.

    Nothing is paid for it meanwhile.
    """
    ended = {IntentState.DONE, IntentState.DONE_BY_HAND}
    done = [it for it in case.record.intents if it.kind is IntentKind.CANCEL and it.state in ended]
    if not done or case.process.rever_process_status in ENDED:
        return None
    at = done[-1].sent_at or done[-1].created_at or case.now
    until = later(at, case.rules.settle_after)
    why = "the return was called off here, and REVER does not show that"
    if not come(until, case.now, case.rules.settle_after):
        return case.wait("stale_view", f"{why}; this may be an older view of the return", until)
    return case.hold(CANCEL_NOT_SHOWN, HoldKind.CONTRADICTION, f"{why}, though it was done long enough ago", items=())


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


# Rules about what may be due: timing, changed terms and approvals, and values that this project does not know.


_TIMINGS = {RefundTiming.ON_START, RefundTiming.ON_ITEM_SENT, RefundTiming.ON_ITEM_VERIFIED}


def fewer_approvals(case: Case) -> Decision | None:
    """A unit was compensated and its approval is gone. Where the store pays before the review that is only told."""
    if case.timing in {RefundTiming.ON_START, RefundTiming.ON_ITEM_SENT}:
        return None
    short = []
    for line_id, units in taken_by_desk(case.record).items():
        inspected = case.inspection.line(line_id)
        early = case.ruling is not None and case.ruling.pays_early(line_id)
        if inspected and units and max(units) > inspected.counted and not early:
            words = f"line {quoted(line_id)}: {len(units)} compensated, {inspected.counted} approved"
            if case.ruling is not None and inspected.uninspected:
                # A rule that is gone or has changed may have paid them before their inspection.
                words += f", {inspected.uninspected} not inspected yet"
            short.append(words)
    if not short:
        return None
    return case.hold(
        "fewer_approvals",
        HoldKind.CONTRADICTION,
        f"fewer units are approved than were compensated ({'; '.join(short[:3])})",
        {"lines": "; ".join(short[:20])},
    )


def terms_changed(case: Case) -> Decision | None:
    """A total, quantity, currency or the costs are no longer what the first payment was worked out from."""
    changes, currency_changed = [], False
    lines = {line.id: line for line in case.process.return_line_items}
    paid = {item.line_id for intent in money_intents(case.record) for item in intent.items}
    for line_id in sorted(paid | set(case.record.lines)):
        fixed = case.record.lines.get(line_id)
        if line_id not in lines:
            changes.append(f"line {quoted(line_id)} is no longer there")
        elif fixed and fixed != (now := told_terms(lines[line_id])):
            currency_changed = currency_changed or fixed.currency != now.currency
            changes.append(
                f"line {quoted(line_id)} was {fixed.quantity} for {shown(fixed.total, fixed.currency)}, "
                f"is {now.quantity} for {shown(now.total, now.currency)}"
            )
    if case.record.costs is not None and case.costs_changed:
        before, now_costs = shown(case.record.costs, case.currency), shown(case.costs_now, case.currency)
        changes.append(f"the return costs were {before}, are {now_costs}")
    for line_id, fixed_fee, fee_now in case.fees_changed:
        was, now_is = (it.words(case.currency) if it else "none" for it in (fixed_fee, fee_now))
        changes.append(f"the fee in percent of line {quoted(line_id)} was {was}, is {now_is}")
    if not changes:
        return None
    listed = "; ".join(changes[:3])
    why = f"the terms have changed since the first payment: {listed}; going on is by the first ones"
    evidence = {"changes": "; ".join(changes[:20])}
    if currency_changed:
        return Hold("terms_changed", why, HoldKind.CONTRADICTION, evidence)
    return case.hold("terms_changed", HoldKind.CONTRADICTION, why, evidence)


def total_above_parts(case: Case) -> Decision | None:
    """A line to be refunded whose total is more than its own parts come to; one whose parts are not all told passes."""
    found = [problem for part in case.free if part.method in REFUND_METHODS for problem in parts_contradict(part.line)]
    if not found:
        return None
    evidence = {str(number): sentence for number, sentence in enumerate(found[:20], start=1)}
    why = f"a line's total is not what its own parts come to: {'; '.join(found[:3])}"
    return case.hold("total_above_parts", HoldKind.CONTRADICTION, why, evidence)


def other_currency(case: Case) -> Decision | None:
    """A refund in a currency that is neither the store's own nor one that the policy names.

    Where REVER's settings do not tell the store's currency and the policy names none, there is nothing to compare with.
    """
    own = case.rules.settings.currency.strip().upper()
    allowed = {*case.rules.policy.currencies, *([own] if own else [])}
    due = any(part.method in REFUND_METHODS for part in case.free)
    if not due or not allowed or case.currency in allowed:
        return None
    names = " and ".join(sorted(allowed))
    why = (
        f"the return is in {quoted(case.currency)}, and the store's currency is {names}; where the store sells in it, "
        "name it in the policy (`currencies`)"
    )
    return case.hold("other_currency", HoldKind.CONTRADICTION, why, {"currency": case.currency, "store": names})


def unknown_review(case: Case) -> Decision | None:
    """A review status that is neither APPROVED, DECLINED nor MISSING."""
    unknown = sorted({status for line in case.inspection.lines for status in line.unknown})
    if not unknown:
        return None
    names = ", ".join(quoted(status) for status in unknown[:5])
    why = f"a review has the status {names}, which is not known here"
    return Hold("unknown_review_status", why, HoldKind.UNKNOWN_VALUE, {"reviews.status": names})


def unknown_timing(case: Case) -> Decision | None:
    """A refund timing that says nothing: what is due is held, what is not due waits."""
    if case.timing in _TIMINGS:
        return None
    why = f"the store's refund timing is {quoted(str(case.timing))}, which does not say when to pay"
    if case.free:
        evidence, amount = {"refund.timing": quoted(str(case.timing))}, case.due.amount or None
        currency = case.currency if amount else ""
        return Hold("unknown_timing", why, HoldKind.UNKNOWN_VALUE, evidence, amount, currency, case.due.items)
    return case.wait("unknown_timing", f"{why}; nothing is approved yet")


def unknown_method(case: Case) -> Decision | None:
    """Approved units whose compensation method is missing or not known."""
    known = {*REFUND_METHODS, CompensationMethod.EXCHANGE}
    unknown = [part for part in case.free if part.method not in known]
    if not unknown:
        return None
    names = ", ".join(sorted({quoted(part.method) if part.method else "empty" for part in unknown})[:5])
    units = sum(len(part.units) for part in unknown)
    why = f"{counted(units, 'approved unit')} to be compensated by a method that is not known here: {names}"
    evidence = {"compensation_method": names, "lines": ", ".join(quoted(part.line.id) for part in unknown[:20])}
    return Hold("unknown_method", why, HoldKind.UNKNOWN_VALUE, evidence, items=case.due.items)


# The rule after a restore: what people answered since the backup is seen nowhere, so a person goes over what is due.
#
# Asked about is a return that began before the ledger was restored (or made), with units that were due before that
# too. What is approved later than that nobody can have answered before. Where the former ledger could be read, just
# those returns are asked about of which it knows more.

MONEY_ASKED = "after_restore"
LABEL_ASKED = "label_after_restore"
"""The rules of the two holds."""

CLOCKS_DIFFER = timedelta(hours=1)
"""REVER's times are of another clock: what happened shortly after the restore may have been before it."""

_GENERAL = "it began before the ledger was restored or made, which knows nothing of what people answered before that"


def after_restore(case: Case) -> Hold | None:
    """Money or goods are due that a person may have settled, or given up, before the ledger was restored.

    One answer lasts: what REVER refuses afterwards, or what is left of it, is asked about by its own rule.
    """
    due, record = case.due, case.record
    if not (due.amount or due.exchange):
        return None
    if not record.former and not (_began_before(case.process, record) and _due_then(case)):
        return None
    looked_at = [waiver for waiver in record.waivers if waiver.rule == MONEY_ASKED]
    if looked_at and (not due.amount or any(it.lets_pass(MONEY_ASKED, due.amount, case.currency) for it in looked_at)):
        return None
    amount = due.amount or (due.exchange.gross if due.exchange else None)
    why = f"{_asked(record)}; a person looks at it once before it is paid"
    return case.hold(MONEY_ASKED, HoldKind.AFTER_RESTORE, why, _evidence(record, case.rules.zone), amount=amount)


def may_be_lost(process: ReturnProcess, record: Record) -> bool:
    """Whether something of this return may have been done or answered that only a ledger before this one knew."""
    return bool(record.former) or _began_before(process, record)


def label_after_restore(process: ReturnProcess, record: Record, zone: tzinfo) -> Hold | None:
    """A label is due that a person may have ordered by hand, or given up, before the ledger was restored."""
    if not may_be_lost(process, record) or any(it.rule == LABEL_ASKED for it in record.waivers):
        return None
    why = f"{_asked(record)}; a person looks at it once before its label is made"
    return Hold(LABEL_ASKED, why, HoldKind.AFTER_RESTORE, _evidence(record, zone), label=True)


def _asked(record: Record) -> str:
    return f"the ledger before this one knows more of it: {record.former}" if record.former else _GENERAL


def _evidence(record: Record, zone: tzinfo) -> dict[str, str]:
    found = {"former_ledger": record.former} if record.former else {}
    return found | ({"restored": clock_time(record.review_before, zone)} if record.review_before else {})


def _began_before(process: ReturnProcess, record: Record) -> bool:
    before = record.review_before
    return before is not None and _before(process.started_at, before)


def _due_then(case: Case) -> bool:
    """Whether any unit that is due now may have been due before the restore: units are counted as they are approved."""
    before = case.record.review_before
    if before is None:
        return False
    then: dict[str, int] = {}
    for review in case.process.reviews or ():
        if review.status == ReviewStatus.APPROVED and _before(review.review_date, before):
            then[review.line_item_id] = then.get(review.line_item_id, 0) + 1
    return any(
        case.inspected(item.line_id).assumed or min(item.units, default=1) <= then.get(item.line_id, 0)
        for item in case.due.items
    )


def _before(at: datetime | None, restored: datetime) -> bool:
    return at is None or at < restored + CLOCKS_DIFFER


ARCHIVED = "archived"
"""The rule of the hold."""


def archived(case: Case) -> Hold | None:
    """Money or goods are due for a return that was wholly over for so long that its history was archived.

    What was done for it the ledger knows as before, unit by unit: asked about is only what is due beyond that.
    """
    due, at = case.due, case.record.archived_at
    if at is None or not (due.amount or due.exchange):
        return None
    when = clock_time(at, case.rules.zone)
    why = f"the return was over long ago, and archived at {when}; a person looks at it before it is paid again"
    amount = due.amount or (due.exchange.gross if due.exchange else None)
    return case.hold(ARCHIVED, HoldKind.APPROVAL, why, {"archived": when}, amount=amount)
