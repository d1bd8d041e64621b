"""Whether a decision taken again just before the call still asks for exactly what is about to be sent."""

from tasks.policy.decision import Decision, ExchangeDueItem, MakeLabel
from tasks.policy.record import Intent


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
    raise NotImplementedError
