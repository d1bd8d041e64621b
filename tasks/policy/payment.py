"""The rules of paying: what holds a payment that is due, and the payment itself."""

from rever_api.models import ProcessStatus
from tasks.policy.case import Case
from tasks.policy.claims import refusal, units_of
from tasks.policy.decision import Compensate, Decision, Hold, RefundDue
from tasks.policy.money import ZERO, shown
from tasks.policy.reading import counted, quoted
from tasks.policy.record import HoldKind, IntentKind, LineUnits
from tasks.policy.rules import NotReceived


def completed_unpaid(case: Case) -> Decision | None:
    """REVER has completed the return and approved units are without compensation: too late for this desk to pay."""
    if case.process.rever_process_status != ProcessStatus.COMPLETED or not case.free or _nothing_to_send(case):
        return None
    units = sum(len(part.units) for part in case.free)
    amount = case.due.amount or None
    why = f"the return is COMPLETED at REVER, with {counted(units, 'approved unit')} not compensated"
    why += f" ({shown(amount, case.currency)} to refund)" if amount else ""
    items = tuple(LineUnits(part.line.id, part.units) for part in case.free)
    evidence = {"units": str(units), "due": shown(case.due.amount, case.currency)}
    currency = case.currency if amount else ""
    return Hold("completed_unpaid", why, HoldKind.CONTRADICTION, evidence, amount, currency, items)


def not_received(case: Case) -> Decision | None:
    """Goods that never reached the shopper: nothing to inspect, and a store may want a person to approve them."""
    if case.rules.policy.not_received is not NotReceived.HOLD:
        return None
    parts = [part for part in case.free if _assumed(case, part.line.id)]
    if not parts:
        return None
    units = sum(len(part.units) for part in parts)
    return case.hold(
        "not_received",
        HoldKind.APPROVAL,
        f"{counted(units)} never reached the shopper: with nothing to inspect, a person approves them at this store",
        {"lines": ", ".join(quoted(part.line.id) for part in parts[:20])},
        items=tuple(LineUnits(part.line.id, part.units) for part in parts),
    )


def refused(case: Case) -> Decision | None:
    """REVER has refused this payment before: it is not tried again by itself."""
    for refund in case.due.refunds:
        before = refusal(case.record, IntentKind.REFUND, units_of(refund.items), refund.method)
        if before and refund.amount:
            code = f" (code {quoted(before.error_code)})" if before.error_code else ""
            paid = shown(refund.amount, refund.currency)
            why = f"REVER has refused the refund of {paid} by {refund.method}{code}"
            evidence, kind = {"intent": before.id, "code": before.error_code}, HoldKind.REFUSED
            held = case.hold("refused_by_rever", kind, why, evidence, amount=refund.amount, items=refund.items)
            if held:
                return held
    return _refused_exchange(case)


def no_variant(case: Case) -> Decision | None:
    """An exchange that does not say what is wanted instead."""
    wanted = case.due.exchange
    lines = [item.line_id for item in wanted.items if not item.variant_id] if wanted else []
    if not lines:
        return None
    names = ", ".join(quoted(line) for line in lines[:20])
    why = f"an exchange is due, and REVER does not say for which variant (line {names})"
    return Hold("no_variant", why, HoldKind.UNKNOWN_VALUE, {"lines": names}, items=case.due.items)


def compensate(case: Case) -> Decision | None:
    """Pay what is due: refunds in the order of the lines, then the exchange."""
    if not case.due:
        return None
    words = [_refund_words(refund) for refund in case.due.refunds]
    words += [f"exchanges {counted(sum(item.quantity for item in case.due.exchanged))}"] if case.due.exchange else []
    why = f"{counted(case.due.units)} approved and not compensated yet: {', '.join(words)}"
    return Compensate(str(case.timing).lower(), why, case.costs, case.due.refunds, case.due.exchange)


def _refused_exchange(case: Case) -> Decision | None:
    """An exchange that was refused: out of stock by the store's policy, else like a refund."""
    due, units = case.due.exchange, units_of(case.due.exchanged)
    before = refusal(case.record, IntentKind.EXCHANGE, units)
    if due is None or before is None:
        return None
    evidence, items = {"intent": before.id, "code": before.error_code}, case.due.exchanged
    if case.out_of_stock(units):
        why = "a variant of the exchange is out of stock; `send_again` orders the exchange again"
        return case.hold("out_of_stock", HoldKind.OUT_OF_STOCK, why, evidence, amount=due.gross, items=items)
    code = f" (code {quoted(before.error_code)})" if before.error_code else ""
    why = f"REVER has refused the exchange{code}"
    return case.hold("refused_by_rever", HoldKind.REFUSED, why, evidence, amount=due.gross, items=items)


def _nothing_to_send(case: Case) -> bool:
    """Whether costs use up all that is due, so that closing the units sends nothing."""
    return bool(case.due.refunds) and not case.due.amount and not case.due.exchange and not case.due.exchange_waits


def _assumed(case: Case, line_id: str) -> bool:
    inspected = case.inspected(line_id)
    return inspected.not_received and inspected.assumed > 0


def _refund_words(refund: RefundDue) -> str:
    """One refund, as a person reads it."""
    units = sum(item.quantity for item in refund.items)
    paid = f"refunds {shown(refund.amount, refund.currency)} by {refund.method} for {counted(units)}"
    costs = refund.gross - refund.amount
    return f"{paid} (costs of {shown(costs, refund.currency)} taken off)" if costs > ZERO else paid
