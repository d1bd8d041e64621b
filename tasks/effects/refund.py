"""Issue the refunds that were claimed: one issueRefund per claim, method by method."""

from collections.abc import Sequence

from rever_api.limits import AsyncSlot as Slot
from rever_api.models import LineQuantity, RefundInput, ReturnProcess
from tasks.decide_returns import DecidedReturn
from tasks.desk import Desk
from tasks.effects.carry_out import ReturnResult, carry_out_batch
from tasks.effects.kind import Confirmed, Effect
from tasks.ledger import Claim
from tasks.policy.comparison import Standing
from tasks.policy.facts import told_of_the_past
from tasks.policy.kinds import REFUND
from tasks.steps import step


async def send_refund(desk: Desk, claim: Claim, process: ReturnProcess, slot: Slot) -> Confirmed:
    """The one call. Two identical calls would be two refunds, so only `effects.perform` makes it.

    A refund that REVER has accepted may be on its way: what is paid already is said apart.
    """
    intent = claim.intent
    body = RefundInput(
        type=intent.method,
        amount=intent.amount,
        currency=intent.currency,
        items=tuple(LineQuantity(line_item_id=item.line_id, quantity=item.quantity) for item in intent.items),
    )
    refund = await desk.client.issue_refund(process.rever_process_id, body, slot=slot)
    refund = refund.model_copy(update={"refunded_at": told_of_the_past(refund.refunded_at, desk.clock())})
    when = refund.refunded_at.isoformat() if refund.refunded_at else "not said"
    seen = Standing.of(intent, [refund]).seen(desk.clock())
    evidence = {"answer": "REVER confirmed the refund", "refunded_at": when}
    if seen.paid != intent.amount:
        evidence |= {"paid": str(seen.paid), "on its way": str(intent.amount - seen.paid)}
    return Confirmed(evidence, seen)


REFUND_EFFECT = Effect(REFUND, send_refund)


@step("issue-refunds")
async def issue_refunds(
    desk: Desk, batch: Sequence[DecidedReturn], into: list[ReturnResult] | None = None
) -> list[ReturnResult]:
    """Refund a batch of returns."""
    return await carry_out_batch(desk, "issue-refunds", batch, REFUND_EFFECT, into)
