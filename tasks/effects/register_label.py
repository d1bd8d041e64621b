"""Register the label of a claim that was made outside of REVER: one createReverseDelivery."""

from hashlib import sha256
from pathlib import Path

from rever_api.errors import NotSent
from rever_api.limits import AsyncSlot as Slot
from rever_api.models import LogisticOrder, ReturnProcess
from tasks.desk import Desk
from tasks.effects.kind import Confirmed, Effect
from tasks.ledger import Claim
from tasks.policy.kinds import REGISTER_LABEL
from tasks.policy.kinds.register_label import MadeLabel

OPERATION = "createReverseDelivery"


async def send_register_label(desk: Desk, claim: Claim, process: ReturnProcess, slot: Slot) -> Confirmed:
    """The one call: each registers another parcel, so only `effects.perform` makes it.

    Raises `NotSent` where the label's file is gone, or is another one by now.
    """
    label: MadeLabel = claim.content
    order = LogisticOrder(
        provider=label.provider,
        carrier=label.carrier,
        return_method=label.return_method,
        tracking_id=label.tracking_id,
        tracking_url=label.tracking_url,
        from_=process.pickup_address,
    )
    made = await desk.client.create_reverse_delivery(
        process.rever_process_id, order, _file(label), Path(label.file).suffix.removeprefix("."), slot=slot
    )
    return Confirmed(
        {"answer": "REVER registered the label", "order": made.id, "carrier": made.carrier or label.carrier}
    )


def _file(label: MadeLabel) -> bytes:
    if not label.file:
        return b""
    try:
        found = Path(label.file).read_bytes()
    except OSError as error:
        raise NotSent(f"The label's file could not be read: {type(error).__name__}.", operation=OPERATION) from None
    if sha256(found).hexdigest() != label.digest:
        raise NotSent("The label's file is another one than was given.", operation=OPERATION)
    return found


REGISTER_LABEL_EFFECT = Effect(REGISTER_LABEL, send_register_label)
