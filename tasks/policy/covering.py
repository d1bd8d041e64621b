"""Whether a decision taken again just before the call still asks for exactly what is about to be sent."""

from tasks.policy.claims import units_of
from tasks.policy.decision import Compensate, Decision, ExchangeDueItem, MakeLabel
from tasks.policy.record import Intent, IntentKind


def covers(
    decision: Decision,
    intent: Intent,
    exchange_items: tuple[ExchangeDueItem, ...] = (),
    label: MakeLabel | None = None,
) -> bool:
    """Say whether `decision`, taken on `record.without(intent.id)`, still contains exactly this intent.

    Exact in kind, method, amount, currency and units; for an exchange the variants too; for a label the generation,
    provider, carrier and return method.
    """
    match intent.kind, decision:
        case IntentKind.REFUND, Compensate():
            return _refunds(decision, intent)
        case IntentKind.EXCHANGE, Compensate():
            return _exchanges(decision, intent, exchange_items)
        case IntentKind.LABEL, MakeLabel():
            return label is not None and _same_label(decision, label) and intent.generation == label.generation
        case _:
            return False


def _refunds(decision: Compensate, intent: Intent) -> bool:
    """Whether one of the refunds due is this one."""
    asked = (intent.method, intent.amount, intent.currency, units_of(intent.items))
    return any((it.method, it.amount, it.currency, units_of(it.items)) == asked for it in decision.refunds)


def _exchanges(decision: Compensate, intent: Intent, items: tuple[ExchangeDueItem, ...]) -> bool:
    """Whether the exchange due is this one, unit by unit and variant by variant."""
    due = decision.exchange
    if due is None or due.currency != intent.currency:
        return False
    units = {item.line_id: frozenset(item.units) for item in due.items}
    return units == units_of(intent.items) and _variants(due.items) == _variants(items)


def _variants(items: tuple[ExchangeDueItem, ...]) -> set[tuple[str, str, frozenset[int]]]:
    return {(item.line_id, item.variant_id, frozenset(item.units)) for item in items}


def _same_label(due: MakeLabel, asked: MakeLabel) -> bool:
    """Whether two labels are the same but for the words that explain them."""
    same = due.generation == asked.generation and due.return_method == asked.return_method
    return same and (due.provider, due.carrier) == (asked.provider, asked.carrier)
