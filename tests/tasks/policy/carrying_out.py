"""A small model of a desk and a REVER: it carries a decision out on a record and a process, one effect at a time."""

from dataclasses import replace
from decimal import Decimal

from rever_api.models import Compensation, ExchangeOrder, Product, Refund, ReturnProcess
from tasks.policy.case import told_terms
from tasks.policy.decision import Adopt, Compensate, Decision, ExchangeDue, MakeLabel, RefundDue
from tasks.policy.record import Intent, IntentKind, IntentState, LineUnits, Record
from tests.tasks.policy.factories import NOW


def carry_out(
    decision: Decision, before: Record, process: ReturnProcess, state: IntentState = IntentState.DONE
) -> tuple[Record, ReturnProcess]:
    """Do the first effect of a decision, as the ledger does; `state` is what came of it."""
    match decision:
        case Compensate(refunds=(due, *_), costs=costs):
            fixed = costs if due.gross > due.exempt else before.costs
            after = replace(_with(before, _refund_intent(due, before, state), process), costs=fixed)
            return after, _refunded(process, due) if state is IntentState.DONE and due.amount else process
        case Compensate(exchange=ExchangeDue() as wanted):
            items = tuple(LineUnits(item.line_id, item.units) for item in wanted.items)
            made = _intent(IntentKind.EXCHANGE, items, wanted.currency, before, state)
            after = _with(before, made, process)
            return after, _exchanged(process, wanted) if state is IntentState.DONE else process
        case Adopt(refunds=refunds, costs=costs):
            for due in refunds:
                adopted = replace(_refund_intent(due, before, IntentState.DONE), adopted=True)
                before = replace(_with(before, adopted, process), costs=costs)
            return before, process
        case MakeLabel(generation=generation):
            label = replace(_intent(IntentKind.LABEL, (), "", before, state), generation=generation)
            return replace(before, intents=(*before.intents, label)), process
    return before, process


def _intent(
    kind: IntentKind, items: tuple[LineUnits, ...], currency: str, record: Record, state: IntentState
) -> Intent:
    name = f"{len(record.intents)}"
    return Intent(name, kind, state, items, currency=currency, created_at=NOW, sent_at=NOW, look_at=NOW)


def _refund_intent(due: RefundDue, record: Record, state: IntentState) -> Intent:
    made = _intent(IntentKind.REFUND, due.items, due.currency, record, state if due.amount else IntentState.DONE)
    made = replace(made, method=due.method, nothing_sent=not due.amount)
    made = replace(made, amount=due.amount, gross=due.gross, exempt=due.exempt, bonus=due.bonus, shipping=due.shipping)
    return replace(made, bonus_sum=due.bonus_sum, fee=due.fee, fee_terms=due.fee_terms)


def _with(record: Record, made: Intent, process: ReturnProcess) -> Record:
    """The record with one intent more; a line's first intent fixes its terms."""
    lines = {line.id: line for line in process.return_line_items}
    fixed = {item.line_id: told_terms(lines[item.line_id]) for item in made.items}
    return replace(record, intents=(*record.intents, made), lines={**fixed, **record.lines})


def _compensation(process: ReturnProcess) -> Compensation:
    return process.compensation or Compensation(refunds=())


def _refunded(process: ReturnProcess, due: RefundDue) -> ReturnProcess:
    shown = _compensation(process)
    made = Refund(amount=due.amount, currency=due.currency, type=due.method, refunded_at=NOW)
    return process.model_copy(
        update={"compensation": shown.model_copy(update={"refunds": (*(shown.refunds or ()), made)})}
    )


def _exchanged(process: ReturnProcess, wanted: ExchangeDue) -> ReturnProcess:
    goods = tuple(Product(variant_id=item.variant_id) for item in wanted.items for _ in item.units)
    shown = _compensation(process).model_copy(update={"exchange_order": ExchangeOrder(ordered_items=goods)})
    return process.model_copy(update={"compensation": shown})


def paid(process: ReturnProcess) -> Decimal:
    """All that REVER shows as refunded."""
    return sum((refund.amount for refund in _compensation(process).refunds or ()), Decimal(0))
