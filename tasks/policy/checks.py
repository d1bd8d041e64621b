"""Rules about what may be due: timing, changed terms and approvals, and values that this project does not know."""

from rever_api.models import CompensationMethod, RefundTiming
from tasks.policy.case import Case, told_terms
from tasks.policy.claims import money_intents, taken_by_desk
from tasks.policy.contradictions import parts_contradict
from tasks.policy.decision import Decision, Hold
from tasks.policy.money import shown
from tasks.policy.reading import costs_told, counted, quoted
from tasks.policy.record import HoldKind
from tasks.policy.rules import REFUND_METHODS

_TIMINGS = {RefundTiming.ON_START, RefundTiming.ON_ITEM_SENT, RefundTiming.ON_ITEM_VERIFIED}


def fewer_approvals(case: Case) -> Decision | None:
    """A unit was compensated and its approval is gone. Where the store pays before the review that is only told."""
    if case.timing in {RefundTiming.ON_START, RefundTiming.ON_ITEM_SENT}:
        return None
    short = []
    for line_id, units in taken_by_desk(case.record).items():
        inspected = case.inspection.line(line_id)
        if inspected and units and max(units) > inspected.counted:
            short.append(f"line {quoted(line_id)}: {len(units)} compensated, {inspected.counted} approved")
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
    if case.record.costs is not None and case.record.costs != costs_told(case.process):
        before, now_costs = shown(case.record.costs, case.currency), shown(costs_told(case.process), case.currency)
        changes.append(f"the return costs were {before}, are {now_costs}")
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
        return Hold(
            "unknown_timing",
            why,
            HoldKind.UNKNOWN_VALUE,
            {"refund.timing": quoted(str(case.timing))},
            case.due.amount or None,
            case.currency if case.due.amount else "",
            case.due.items,
        )
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
