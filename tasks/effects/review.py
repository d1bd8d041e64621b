"""Send the reviews that were claimed: one addReview per claim."""

from rever_api.limits import AsyncSlot as Slot
from rever_api.models import ReturnProcess, ReviewInput
from tasks.desk import Desk
from tasks.effects.kind import Confirmed, Effect
from tasks.ledger import Claim
from tasks.policy.kinds import REVIEW
from tasks.policy.kinds.review import Reviews


async def send_review(desk: Desk, claim: Claim, process: ReturnProcess, slot: Slot) -> Confirmed:
    """The one call; what comes back shows the reviews. Only `effects.perform` makes it.

    An answer without a body is looked after by one read at once, beside what REVER showed before the call.
    """
    reviews: Reviews = claim.content
    body = [
        ReviewInput(line_item_id=it.line_id, status=it.status, reject_reason=it.reject_reason)
        for it in sorted(reviews, key=lambda it: (it.line_id, it.unit))
    ]
    await desk.client.add_review(process.rever_process_id, body, before=process, slot=slot)
    return Confirmed({"answer": "REVER recorded the review", "units": str(len(body))})


REVIEW_EFFECT = Effect(REVIEW, send_review)
