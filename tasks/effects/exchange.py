"""Issue the exchanges that were claimed: all replacement goods of a return in one issueExchange."""

from collections.abc import Sequence

from rever_api.limits import AsyncSlot as Slot
from rever_api.models import ExchangeItem, ReturnProcess
from tasks.decide_returns import DecidedReturn
from tasks.desk import Desk
from tasks.effects.carry_out import ReturnResult, carry_out_batch
from tasks.effects.kind import Confirmed, Effect
from tasks.ledger import Claim
from tasks.policy.kinds import EXCHANGE
from tasks.steps import step


async def send_exchange(desk: Desk, claim: Claim, process: ReturnProcess, slot: Slot) -> Confirmed:
    """The one call. Only `effects.perform` makes it."""
    items = tuple(
        ExchangeItem(
            line_item_id=item.line_id,
            variant_id=item.variant_id,
            product_id=item.product_id,
            quantity=len(item.units),
        )
        for item in claim.content
    )
    order = await desk.client.issue_exchange(process.rever_process_id, items, slot=slot)
    return Confirmed({"answer": "REVER ordered the replacement", "order": order.order_name or order.order_id})


EXCHANGE_EFFECT = Effect(EXCHANGE, send_exchange)


@step("issue-exchanges")
async def issue_exchanges(
    desk: Desk, batch: Sequence[DecidedReturn], into: list[ReturnResult] | None = None
) -> list[ReturnResult]:
    """Order the replacement goods of a batch of returns."""
    return await carry_out_batch(desk, "issue-exchanges", batch, EXCHANGE_EFFECT, into)
