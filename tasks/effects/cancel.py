"""Cancel the return of a claim: one cancelReturnProcess."""

from rever_api.limits import AsyncSlot as Slot
from rever_api.models import ReturnProcess
from tasks.desk import Desk
from tasks.effects.kind import Confirmed, Effect
from tasks.ledger import Claim
from tasks.policy.kinds import CANCEL


async def send_cancel(desk: Desk, claim: Claim, process: ReturnProcess, slot: Slot) -> Confirmed:
    """The one call. Only `effects.perform` makes it."""
    await desk.client.cancel_return_process(process.rever_process_id, claim.content, slot=slot)
    return Confirmed({"answer": "REVER cancelled the return"})


CANCEL_EFFECT = Effect(CANCEL, send_cancel)
