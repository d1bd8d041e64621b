"""The rules of paying: what holds a payment that is due, and the payment itself."""

from rever_api.models import ProcessStatus, ReturnStatus, ShippingStatus
from tasks.policy.case import Case
from tasks.policy.decision import Compensate, Decision, Hold, Nothing, RefundDue
from tasks.policy.facts import counted, goods_sent, quoted
from tasks.policy.inspection import LineInspection
from tasks.policy.money import ZERO, shown
from tasks.policy.record import HoldKind, IntentKind, LineUnits, refusal, taken_by_desk, units_of
from tasks.policy.rules.label import NEEDS_LABEL
from tasks.policy.rules.on_its_way import all_paid, on_its_way, told_on_its_way
from tasks.policy.store import NotReceived


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


# The last rules: nothing is due. Either the return is at its end, or it waits for something that has a name.


_DEAD = {ShippingStatus.CANCELED, ShippingStatus.ERROR}
_PENDING = {ShippingStatus.NO_SHIPPING_STATUS, ""}


WAITS = frozenset({"wait_exchange_inspection", "wait_goods", "wait_inspection", "wait_label", "wait_parcel"})
"""The rules of `waits`: nothing is due, and the return waits for something that has a name."""


def ended(case: Case) -> Decision | None:
    """A cancelled or failed return is never paid."""
    status = case.process.rever_process_status
    if status not in {ProcessStatus.CANCELED, ProcessStatus.FAILED}:
        return None
    outstanding = on_its_way(case)
    if outstanding is not None:
        return outstanding
    units = sum(len(part.units) for part in case.free)
    why = f"the return is {status} at REVER, so nothing is paid"
    why += f"; {counted(units, 'approved unit')} left without compensation" if units else ""
    return Nothing("not_running", why, final=not units and same_at_rever(case))


def completed(case: Case) -> Decision | None:
    """A completed return with nothing left to pay."""
    if case.process.rever_process_status != ProcessStatus.COMPLETED:
        return None
    open_units = sum(_without_outcome(line) for line in case.inspection.lines)
    why = f"the return is COMPLETED at REVER{_declined_since(case)}"
    why += f"; {counted(open_units)} never inspected" if open_units else "; every unit has its outcome"
    return Nothing("completed", why, final=not open_units and same_at_rever(case))


def all_settled(case: Case) -> Decision | None:
    """Every unit is compensated, declined or missing."""
    if case.free or not all(line.reviewed for line in case.inspection.lines):
        return None
    lines = case.inspection.lines
    nothing = sum(line.declined + line.missing for line in lines)
    why = f"every unit has its outcome: {sum(line.counted for line in lines)} approved and compensated, "
    why += f"{nothing} declined or missing{_declined_since(case)}"
    return Nothing("all_settled", why, final=same_at_rever(case))


def waits(case: Case) -> Decision:
    """Wait, with the precise reason."""
    uninspected = case.inspection.uninspected
    told = f"{counted(uninspected)} not inspected yet"
    since = _declined_since(case) + told_on_its_way(case)
    if case.due.exchange_waits:
        waiting = counted(case.due.exchange_waits, "approved unit")
        why = f"{waiting} to be exchanged once the whole exchange is inspected; {told}"
        return case.wait("wait_exchange_inspection", why + since)
    if _arrived(case):
        return case.wait("wait_inspection", f"waiting for the inspection: {told}{since}")
    if goods_sent(case.process):
        return case.wait("wait_parcel", f"the goods are on their way to the warehouse; {told}{since}")
    return case.wait(*_before_collection(case, since))


def _before_collection(case: Case, since: str) -> tuple[str, str]:
    """What a return waits for whose goods are still with the shopper."""
    method, entries = case.process.return_method, case.process.logistics or ()
    if method not in NEEDS_LABEL:
        return "wait_goods", f"waiting for the shopper to bring the goods{since}"
    live = [entry for entry in entries if entry.status not in _DEAD]
    if any(entry.status not in _PENDING for entry in live):
        return "wait_goods", f"the label is there; waiting for the carrier to collect the goods{since}"
    if live:
        return "wait_label", f"waiting for the label, which REVER is making{since}"
    return "wait_label", f"waiting for a label ({method}){since}"


def _arrived(case: Case) -> bool:
    """Whether the goods are where they are inspected: some were, or the return or a parcel says so."""
    process = case.process
    inspected = any(line.approved + line.declined + line.missing for line in case.inspection.lines)
    at_warehouse = any(entry.status == ShippingStatus.IN_WAREHOUSE for entry in process.logistics or ())
    here = {ReturnStatus.REVIEW_REQUIRED, ReturnStatus.COMPLETED}
    return inspected or at_warehouse or process.return_status in here


def _without_outcome(line: LineInspection) -> int:
    """Units of a line that are neither approved (or count as such), declined nor missing."""
    return max(0, line.quantity - line.counted - line.declined - line.missing)


def same_at_rever(case: Case) -> bool:
    """Whether no effect is open, all is paid and REVER shows no more than the ledger, but for what a person saw."""
    if any(intent.open for intent in case.record.intents):
        return False
    comparison = case.comparison
    refunds = not (comparison.foreign or comparison.foreign_taken_back) or case.refunds_seen
    exchange = not comparison.exchange_foreign or not case.by_us or case.exchange_seen
    return refunds and exchange and all_paid(case)


def _declined_since(case: Case) -> str:
    """Units paid before their inspection and declined in it: told, never reclaimed."""
    units = 0
    for line_id, numbers in taken_by_desk(case.record).items():
        line = case.inspection.line(line_id)
        units += max(0, len(numbers) - line.counted) if line else 0
    return (
        f"; {counted(units)} paid before the inspection and not approved in it, which is not reclaimed" if units else ""
    )
