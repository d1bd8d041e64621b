"""Check the inspection of a return: what of each line is approved, declined, missing or not looked at. Writes none."""

from collections.abc import Sequence
from dataclasses import replace

from rever_api.errors import NotFound, ReverError, Unreadable, WrongSetup
from tasks.desk import Desk
from tasks.ledger import held_by
from tasks.policy.comparison import READS_DIFFER, differences
from tasks.policy.decide import incomplete
from tasks.policy.facts import believed, inspect
from tasks.policy.rules.label import incomplete_label
from tasks.reporting.report import Failure
from tasks.returns import InspectedReturn, PendingReturn, denied_return, unread_return
from tasks.steps import each, step


async def check_inspection(
    desk: Desk, pending: PendingReturn, *, disputed: bool = False, again: bool = False
) -> InspectedReturn | Failure:
    """Read the reviews of one return.

    A search page that left out what no payment, or no label, can do without is no ground to act, so the return is
    then read again by id; what that read leaves out too, or what cannot be read by id either, the rules hold. So is one
    whose reads by search and by id contradicted each other in an earlier run (`disputed`), to see whether they agree.
    So is any return with `again`.
    """
    rules = await desk.rules(pending.store)
    disputed = disputed and pending.searched
    left_out = incomplete(pending.process, rules) or incomplete_label(pending.process, rules)
    if pending.unread or disputed or left_out or again:
        try:
            process = believed(await desk.client.get_return_process(pending.process_id), desk.clock())
        except WrongSetup:
            raise
        except NotFound:
            pending = denied_return(pending)
        except Unreadable as error:
            pending = unread_return(pending.store, error.process)
        except ReverError as error:
            return Failure(pending.process_id, f"it could not be read again: {error}")
        else:
            if not pending.unread:
                differ = differences(pending.process, process)
                agreed = disputed and not differ
                pending = replace(pending, process=process, differ=differ, agreed=agreed, read_again=True)
            elif process.ecommerce_id in {"", pending.store}:
                pending = PendingReturn(pending.store, process)
            else:
                why = f"it belongs to store {process.ecommerce_id!r}, though {pending.store!r} was asked for"
                return Failure(pending.process_id, why)
    return InspectedReturn(pending, inspect(pending.process, rules))


@step("check-inspections")
async def check_inspections(desk: Desk, batch: Sequence[PendingReturn]) -> tuple[list[InspectedReturn], list[Failure]]:
    """Check a batch. The returns that could not be read come back as failures; the others go on, in order of id."""
    ids = [pending.process_id for pending in batch]
    disputed = await desk.ledger.aread(held_by, READS_DIFFER, ids)

    async def check(pending: PendingReturn) -> InspectedReturn | Failure:
        return await check_inspection(desk, pending, disputed=pending.process_id in disputed)

    answers = await each("check-inspections", batch, check)
    inspected = [answer for answer in answers if isinstance(answer, InspectedReturn)]
    inspected.sort(key=lambda item: item.pending.process_id)
    return inspected, [answer for answer in answers if isinstance(answer, Failure)]
