"""The rules of paying: what holds a payment that is due, and the payment itself."""

from dataclasses import replace
from datetime import timedelta

from rever_api.models import CompensationMethod, ProcessStatus, ShippingStatus
from tasks.policy.actions import ActionKind
from tasks.policy.approvals import APPROVAL, Limit
from tasks.policy.case import Case
from tasks.policy.clocks import come
from tasks.policy.decision import Compensate, Decision, ExchangeDue, Hold, Nothing, RefundDue
from tasks.policy.facts import LineInspection, counted, goods_here, goods_sent, later, quoted
from tasks.policy.label_case import NEEDS_LABEL
from tasks.policy.money import ZERO, Due, price_difference, shown
from tasks.policy.record import (
    HoldKind,
    Intent,
    IntentKind,
    LineUnits,
    OrderShipping,
    refusal,
    taken_by_desk,
    units_of,
)
from tasks.policy.replaced import superseded
from tasks.policy.return_facts import Unknown
from tasks.policy.rules.at_rever import all_paid, on_its_way, told_on_its_way
from tasks.policy.store import NotReceived


def completed_unpaid(case: Case) -> Decision | None:
    """REVER has completed the return and approved units are without compensation: too late for this desk to pay."""
    late = [LineUnits(it.line_id, _open_beyond(case, it, it.later)) for it in case.inspection.lines if it.later]
    if case.process.rever_process_status != ProcessStatus.COMPLETED or not (case.free or late):
        return None
    if not late and _nothing_to_send(case):
        return None
    items = (*(part.item for part in case.free), *late)
    units = sum(item.quantity for item in items)
    amount = None if late else case.due.amount or None
    why = f"the return is COMPLETED at REVER, with {counted(units, 'approved unit')} not compensated"
    why += f" ({shown(amount, case.currency)} to refund)" if amount else ""
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
        items=tuple(part.item for part in parts),
    )


NEEDS_FACTS = "needs_facts"
"""The rule of a return that the merchant's own rules cannot decide, since a fact is missing."""


def needs_facts(case: Case) -> Decision | None:
    """A merchant's rule asks for what nobody tells, and something would be due by one way that it leaves open."""
    ruling, missing = case.ruling, dict[str, str]()
    if ruling is None:
        return None
    for line in case.process.return_line_items:
        units = {line.id: frozenset(range(1, line.quantity + 1))}
        stock, already = case.out_of_stock(units) is not None, case.already(line.id)
        missing |= ruling.missing(case.inspected(line.id), str(line.compensation_method), already, out_of_stock=stock)
    # The first refund fixes the costs, also one that bears none: until one does, nothing was paid by them.
    untouched = case.record.costs is None or not case.gross_before
    if untouched and any(due.gross > due.exempt for due in case.due.refunds):
        missing |= ruling.costs_missing()
    if isinstance(case.shipping, Unknown) and case.due.refunds:
        missing[case.shipping.needs] = ruling.shipping_rules()
    if not missing:
        return None
    words = "; ".join(f"{what}, for rule {names}" for what, names in list(missing.items())[:5])
    why = f"the store's own rules cannot decide this return: they need {words}"
    evidence = {"missing": ", ".join(list(missing)[:20])}
    return Hold(NEEDS_FACTS, why, HoldKind.UNKNOWN_VALUE, evidence, items=case.due.items)


def method_forbidden(case: Case) -> Decision | None:
    """The store's own rules forbid the compensation that the shopper wished for, and name no other for it."""
    ruling = case.ruling
    parts = [
        part
        for part in case.free
        if part.line.id in case.due_units and ruling and not ruling.method(part.line.id, part.method)
    ]
    if ruling is None or not parts:
        return None
    names = ruling.rules((part.line.id for part in parts), ActionKind.METHODS)
    methods = ", ".join(sorted({part.method for part in parts}))
    why = f"{methods} is not allowed by rule {names}, which names no other method; `approve` pays by it all the same"
    return case.hold(
        "method_forbidden", HoldKind.APPROVAL, why, {"policy_rules": names}, items=tuple(part.item for part in parts)
    )


def approval(case: Case) -> Decision | None:
    """The store's own rules ask a person before these units are paid."""
    ruling = case.ruling
    asked = {line_id: it for line_id in case.due_units if ruling and (it := ruling.approval(line_id))}
    if ruling is None or not asked:
        return None
    items = tuple(part.item for part in case.free if part.line.id in asked)
    names = ruling.rules(asked, ActionKind.APPROVAL)
    who = " and ".join(sorted({it.who for it in asked.values()}))
    why = "; ".join(sorted({it.why for it in asked.values()}))
    units = sum(item.quantity for item in items)
    limit = Limit.of(asked.values(), case.now)
    said = f"payment of {counted(units)} needs the approval of {who}: {why} (rule {names})"
    said += limit.words(case.rules.zone) if limit else ""
    evidence = {"policy_rules": names, "asked": who} | (limit.evidence if limit else {})
    return case.hold(APPROVAL, HoldKind.APPROVAL, said, evidence, items=items)


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


EXCHANGE_DIFFERENCE = "exchange_difference"
"""The rule of an exchange for goods that cost more than those that come back."""


def exchange_difference(case: Case) -> Decision | None:
    """An exchange for dearer goods waits until a person has seen that the shopper paid the difference.

    What is refunded beside it is paid before.
    """
    due = case.due.exchange
    parts = [part for part in case.free if due and part.method == CompensationMethod.EXCHANGE]
    found = price_difference(case.process, parts)
    if due is None or found is None or not found.to_pay:
        return None
    why = f"{found.words}. REVER does not tell whether that is paid: look there, and `approve` orders the exchange"
    evidence = {"worth": shown(found.back, found.currency)}
    evidence |= {"cost": shown(found.new, found.currency)} if found.new is not None else {}
    held = case.hold(
        EXCHANGE_DIFFERENCE,
        HoldKind.APPROVAL,
        why,
        evidence,
        amount=due.gross or None,
        items=case.due.exchanged,
        to_pay=found.more,
    )
    return _paid(case, Due(case.due.refunds)) if held and case.due.refunds else held


def compensate(case: Case) -> Decision | None:
    """Pay what is due: refunds in the order of the lines, then the exchange."""
    return _paid(case, case.due) if case.due else None


SHIPPING_LEFT = "shipping_left"
"""The rule of the order's shipping that is due when no goods are refunded any more."""


def shipping_left(case: Case) -> Decision | None:
    """The store's own rules refund the order's shipping, and the goods that it could go with are refunded already.

    REVER takes no refund that is of no units, so that a person sees to it.
    """
    left = case.shipping
    if not isinstance(left, OrderShipping) or case.ruling is None:
        return None
    amount, names = shown(left.amount, case.currency), case.ruling.shipping_rules()
    why = f"the order's shipping of {amount} is to be refunded by rule {names}, and its goods are refunded already: "
    why += "REVER takes no refund without goods, so a person refunds it there, or gives it up"
    held = case.hold(SHIPPING_LEFT, HoldKind.APPROVAL, why, {"order": left.order_id}, amount=left.amount, items=())
    return held and replace(held, shipping=left)


def _paid(case: Case, due: Due) -> Compensate:
    """Pay all of this."""
    words = [_refund_words(refund) for refund in due.refunds]
    words += [f"exchanges {counted(sum(item.quantity for item in due.exchanged))}"] if due.exchange else []
    why = f"{counted(due.units)} approved and not compensated yet: {', '.join(words)}{_by_rules(case, due)}"
    return Compensate(str(case.timing).lower(), why, case.costs, due.refunds, due.exchange)


def _refused_exchange(case: Case) -> Decision | None:
    """An exchange that was refused: out of stock by the store's policy, else like a refund."""
    due, units = case.due.exchange, units_of(case.due.exchanged)
    before = refusal(case.record, IntentKind.EXCHANGE, units)
    if due is None or before is None:
        return None
    evidence, items = {"intent": before.id, "code": before.error_code}, case.due.exchanged
    if case.out_of_stock(units):
        if (wait := _stock_may_come(case, before, due)) is not None:
            return _paid(case, Due(case.due.refunds)) if case.due.refunds else wait
        why = "a variant of the exchange is out of stock; `send_again` orders the exchange again"
        return case.hold("out_of_stock", HoldKind.OUT_OF_STOCK, why, evidence, amount=due.gross, items=items)
    code = f" (code {quoted(before.error_code)})" if before.error_code else ""
    why = f"REVER has refused the exchange{code}"
    return case.hold("refused_by_rever", HoldKind.REFUSED, why, evidence, amount=due.gross, items=items)


def _stock_may_come(case: Case, refused: Intent, due: ExchangeDue) -> Decision | None:
    """The store's own rules wait some days before a person is asked about an exchange that is out of stock."""
    ruled = [it for item in due.items if case.ruling and (it := case.ruling.out_of_stock(item.line_id))]
    days = min((it.days for it in ruled if it.days is not None), default=None)
    if days is None or len(ruled) < len(due.items) or refused.created_at is None:
        return None
    until = later(refused.created_at, timedelta(days=days))
    if come(until, case.now, timedelta(days=days)):
        return None
    day = until.astimezone(case.rules.zone)
    return case.wait("wait_stock", f"a variant of the exchange is out of stock; a person is asked on {day:%F}", until)


def _by_rules(case: Case, due: Due) -> str:
    """The store's own rules by which it is due now, or by this method, as the end of a sentence.

    A rule is not named where it changes nothing: the moment of an exchange, a bonus of money, a method wished for.
    """
    if (ruling := case.ruling) is None:
        return ""
    wishes = {line.id: str(line.compensation_method) for line in case.process.return_line_items}
    refunded = [(item.line_id, refund) for refund in due.refunds for item in refund.items]
    named = set[str]()
    for line_id, refund in refunded:
        wish = wishes[line_id]
        kinds = {ActionKind.FEE} | ({ActionKind.BONUS} if refund.bonus else set())
        kinds |= {ActionKind.PAY, ActionKind.KEEP} if wish != CompensationMethod.EXCHANGE else set()
        if refund.method != wish and ruling.method(line_id, wish) != wish:
            kinds |= {ActionKind.METHODS}
        elif refund.method != wish:  # an exchange that is out of stock
            kinds |= {ActionKind.OUT_OF_STOCK}
            kinds |= {ActionKind.METHODS} if refund.method != case.instead_of_exchange(line_id) else set()
        named |= {ruling.rule(line_id, kind) for kind in kinds}
    words = ", ".join(map(repr, sorted(named - {""})))
    moments = ruling.moments(line_id for line_id, _ in refunded if wishes[line_id] != CompensationMethod.EXCHANGE)
    names = [f"{words}{moments}"] if words else []
    names += [ruling.shipping_rules()] if any(refund.shipping for refund in due.refunds) else []
    return f" (by rule {', '.join(names)})" if names else ""


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
    paid += f" (a bonus of {shown(refund.bonus, refund.currency)} in it)" if refund.bonus else ""
    if refund.shipping:
        paid += f" (the order's shipping of {shown(refund.shipping.amount, refund.currency)} in it)"
    paid += f" (a fee of {shown(refund.fee, refund.currency)} taken off)" if refund.fee else ""
    return f"{paid} (costs of {shown(refund.costs, refund.currency)} taken off)" if refund.costs > ZERO else paid


# The last rules: nothing is due. Either the return is at its end, or it waits for something that has a name.


_DEAD = {ShippingStatus.CANCELED, ShippingStatus.ERROR}
_PENDING = {ShippingStatus.NO_SHIPPING_STATUS, ""}


WAITS = frozenset(
    {"wait_exchange_inspection", "wait_goods", "wait_inspection", "wait_label", "wait_moment", "wait_parcel"}
)
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
    why = f"the return is COMPLETED at REVER{_ruled_out(case)}{_declined_since(case)}"
    why += f"; {counted(open_units)} never inspected" if open_units else "; every unit has its outcome"
    return Nothing("completed", why, final=not open_units and same_at_rever(case))


def all_settled(case: Case) -> Decision | None:
    """Every unit is compensated, declined or missing."""
    lines = case.inspection.lines
    if case.free or any(line.later or not line.reviewed for line in lines):
        return None
    nothing = sum(line.declined + line.missing for line in lines)
    why = f"every unit has its outcome: {sum(line.counted for line in lines)} approved and compensated, "
    why += f"{nothing} declined or missing{_ruled_out(case)}{_declined_since(case)}"
    # The store's rules may be changed as long as the return runs.
    return Nothing("all_settled", why, final=same_at_rever(case) and not any(line.ruled_out for line in lines))


def waits(case: Case) -> Decision:
    """Wait, with the precise reason."""
    uninspected = case.inspection.uninspected
    told = f"{counted(uninspected)} not inspected yet"
    since = _declined_since(case) + told_on_its_way(case)
    if (late := _paid_later(case)) and not uninspected:
        return case.wait("wait_moment", f"{late}{since}")
    since = f"; {late}{since}" if late else since
    if case.due.exchange_waits:
        waiting = counted(case.due.exchange_waits, "approved unit")
        why = f"{waiting} to be exchanged once the whole exchange is inspected; {told}"
        return case.wait("wait_exchange_inspection", why + since)
    if _arrived(case):
        return case.wait("wait_inspection", f"waiting for the inspection: {told}{since}")
    if goods_sent(case.process):
        return case.wait("wait_parcel", f"the goods are on their way to the warehouse; {told}{since}")
    return case.wait(*_before_collection(case, since))


def _paid_later(case: Case) -> str:
    """The units whose moment, by the store's own rules, has not come; empty where there are none."""
    late = [line for line in case.inspection.lines if line.later]
    if not late or case.ruling is None:
        return ""
    lines = [line.line_id for line in late]
    names = case.ruling.rules(lines, ActionKind.PAY)
    units = counted(sum(len(_open_beyond(case, line, line.later)) for line in late))
    return f"{units} to be paid when rule {names} says so{case.ruling.moments(lines)}"


def _ruled_out(case: Case) -> str:
    """The units that the store's own rules do not compensate, as the end of a sentence."""
    out = [line for line in case.inspection.lines if line.ruled_out]
    if not out or case.ruling is None:
        return ""
    names = case.ruling.rules((line.line_id for line in out), ActionKind.ACCEPTANCE, ActionKind.ADD_ON)
    units = counted(sum(len(_open_beyond(case, line, line.ruled_out)) for line in out))
    return f"; {units} not compensated by rule {names}"


def _open_beyond(case: Case, line: LineInspection, many: int) -> tuple[int, ...]:
    """The units after those that are counted, so many of them, but for those that a person has closed."""
    gone = case.taken.get(line.line_id, frozenset())
    return tuple(unit for unit in range(line.counted + 1, line.counted + many + 1) if unit not in gone)


def _before_collection(case: Case, since: str) -> tuple[str, str]:
    """What a return waits for whose goods are still with the shopper."""
    method, shown = case.process.return_method, case.process.logistics or ()
    if method not in NEEDS_LABEL:
        return "wait_goods", f"waiting for the shopper to bring the goods{since}"
    gone = superseded(case.process, case.record)
    live = [entry for number, entry in enumerate(shown, start=1) if entry.status not in _DEAD and number not in gone]
    if any(entry.status not in _PENDING for entry in live):
        return "wait_goods", f"the label is there; waiting for the carrier to collect the goods{since}"
    if live:
        return "wait_label", f"waiting for the label, which REVER is making{since}"
    return "wait_label", f"waiting for a label ({method}){since}"


def _arrived(case: Case) -> bool:
    """Whether the goods are where they are inspected: some were, or the return or a parcel says so."""
    inspected = any(line.approved + line.declined + line.missing for line in case.inspection.lines)
    return inspected or goods_here(case.process)


def _without_outcome(line: LineInspection) -> int:
    """Units of a line that are neither approved (or count as such), declined nor missing."""
    return max(0, line.not_turned_down - line.counted - line.ruled_out)


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
