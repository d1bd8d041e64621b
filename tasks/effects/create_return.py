"""Make the return of a claim at REVER: one createReturn, with the shopper's e-mail that who asked for it gave."""

from rever_api.limits import AsyncSlot as Slot
from rever_api.models import ReturnInput, ReturnItemInput, ReturnProcess
from tasks.desk import Desk
from tasks.effects.kind import Confirmed, Effect
from tasks.ledger import Claim
from tasks.policy.kinds import CREATE_RETURN
from tasks.policy.kinds.create_return import NewReturn
from tasks.policy.record import MADE


async def send_create_return(desk: Desk, claim: Claim, process: ReturnProcess, slot: Slot) -> Confirmed:
    """The one call: each makes another return, so only `effects.perform` makes it. `process` is the order as read."""
    new: NewReturn = claim.content
    items = tuple(
        ReturnItemInput(
            sku=item.sku, quantity=len(item.units), return_reason=item.reason, compensation_method=item.method
        )
        for item in new.items
    )
    body = ReturnInput(ecommerce_id=process.ecommerce_id, order_name=new.order_name, email=new.email, items=items)
    made = await desk.client.create_return(body, slot=slot)
    return Confirmed({"answer": "REVER made the return", MADE: made.rever_process_id})


CREATE_RETURN_EFFECT = Effect(CREATE_RETURN, send_create_return)
