"""A return at REVER, and what the ledger knows of it, as both are once a payment is done: nothing is written. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from rever_api.models import Compensation, ExchangeOrder, Product, Refund, ReturnProcess
from tasks.policy.case import stated_terms
from tasks.policy.decision import Compensate, Decision
from tasks.policy.kinds import REFUND
from tasks.policy.record import Intent, IntentKind, IntentState, LineTerms, Record


def record_once_done(
    record: Record, made: Intent, terms: Mapping[str, LineTerms], costs: Decimal | None, at: datetime
) -> Record:
    """The record once a refund or an exchange is done; a refund that comes to nothing is closed unsent.

    `terms` are those of the return's lines as told now, `costs` its costs: what is fixed already stays.
    """
    refund = made.kind is IntentKind.REFUND
    done = replace(
        made,
        id=f"foreseen {len(record.intents)}",
        state=IntentState.DONE,
        created_at=at,
        sent_at=at,
        nothing_sent=refund and not made.amount,
    )
    fixed = {item.line_id: terms[item.line_id] for item in done.items if item.line_id not in record.lines}
    fixes = refund and done.bears_costs and record.costs is None
    return replace(
        record,
        intents=(*record.intents, done),
        lines={**record.lines, **fixed},
        costs=costs if fixes else record.costs,
    )


def with_first_done(record: Record, due: Compensate, terms: Mapping[str, LineTerms], at: datetime) -> Record:
    """The record once the first refund of what is due is done."""
    return record_once_done(record, REFUND.intent(due.refunds[0]), terms, due.costs, at)


def decided_after_payment(
    process: ReturnProcess,
    decide: Callable[[ReturnProcess, Record], Decision],
    at: datetime,
    record: Record,
    due: Compensate,
) -> Iterator[Decision]:
    """What is decided after each refund of a payment, done and shown by REVER: for as long as `act` decides again."""
    shown, decision = process, due
    while decision.refunds:
        first = replace(decision, refunds=decision.refunds[:1], exchange=None)
        if len(decision.refunds) == 1 and decision.exchange is None and first.refunds[0].amount:
            return  # nothing more was due
        record = with_first_done(record, first, stated_terms(process), at)
        paid = shown_once_paid(shown.compensation, first, at)
        shown = shown.model_copy(update={"compensation": paid})
        found = decide(shown, record)
        yield found
        if not isinstance(found, Compensate):
            return
        decision = found


def shown_once_paid(before: Compensation | None, due: Compensate, at: datetime) -> Compensation:
    """What REVER shows once these refunds and this exchange are made."""
    refunds = (before.refunds or ()) if before else ()
    refunds += tuple(
        Refund(amount=it.amount, currency=it.currency, type=it.method, refunded_at=at)
        for it in due.refunds
        if it.amount
    )
    order = before.exchange_order if before else None
    if due.exchange:
        goods = tuple(Product(variant_id=it.variant_id) for it in due.exchange.items for _ in it.units)
        order = ExchangeOrder(order_id="foreseen", ordered_items=goods)
    return Compensation(refunds=refunds, exchange_order=order)
