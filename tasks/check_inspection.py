"""Check the inspection of a return: what of each line is approved, declined, missing or not looked at. Writes none."""

from collections.abc import Sequence

from rever_api.errors import ReverError, WrongSetup
from tasks.desk import Desk
from tasks.policy.decide import incomplete
from tasks.policy.inspection import inspect
from tasks.policy.label import incomplete_label
from tasks.report import Failure
from tasks.returns import InspectedReturn, PendingReturn
from tasks.steps import each


async def check_inspection(desk: Desk, pending: PendingReturn) -> InspectedReturn | Failure:
    """Read the reviews of one return.

    A search page that left out what no payment, or no label, can do without is no ground to act, so the return is
    then read again by id; what that read leaves out too, the rules hold.
    """
    rules = await desk.rules(pending.store)
    if incomplete(pending.process, rules) or incomplete_label(pending.process, rules):
        try:
            process = await desk.client.get_return_process(pending.process_id)
        except WrongSetup:
            raise
        except ReverError as error:
            return Failure(pending.process_id, f"it could not be read again: {error}")
        pending = PendingReturn(pending.store, process)
    return InspectedReturn(pending, inspect(pending.process, rules))


async def check_inspections(desk: Desk, batch: Sequence[PendingReturn]) -> tuple[list[InspectedReturn], list[Failure]]:
    """Check a batch. The returns that could not be read come back as failures; the others go on, in order of id."""
    answers = await each("check-inspections", batch, lambda pending: check_inspection(desk, pending))
    inspected = [answer for answer in answers if isinstance(answer, InspectedReturn)]
    inspected.sort(key=lambda item: item.pending.process_id)
    return inspected, [answer for answer in answers if isinstance(answer, Failure)]
