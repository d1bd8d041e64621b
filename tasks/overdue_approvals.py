"""Approvals that nobody gave in time: the merchant's own rule says what happens then, and this does it, once.

The hold says until when, and what then, as the rule had it when it was opened. It is answered as a person would, so
that the ledger has who and why; nothing happens where the rule is no longer in the policy.
"""

from collections.abc import Collection

from tasks.answer_hold import HoldAnswer, answer
from tasks.desk import Desk, DeskError
from tasks.ledger import Answer, AnswerError, open_holds
from tasks.policy.approvals import APPROVAL, Limit, Then
from tasks.reporting.report import Failure, Mode
from tasks.steps import step

BY = "the policy"
"""Who answered, in the ledger."""


@step("answer-hold")
async def end_overdue_approvals(
    desk: Desk, store: str, process_ids: Collection[str], notes: list[str]
) -> list[Failure]:
    """Answer the store's approvals whose time is up, of these returns or of all. In a plan `notes` only tell of it.

    What cannot be answered comes back as a failure, and the next run tries again.
    """
    failures: list[Failure] = []
    for hold in await desk.ledger.aread(open_holds, [store]):
        limit = Limit.told(hold.evidence) if hold.rule == APPROVAL else None
        if limit is None or (process_ids and hold.process_id not in process_ids):
            continue
        if not limit.is_up((await desk.rules(store)).merchant_rules, desk.clock()):
            continue
        done = Answer.APPROVE if limit.then is Then.GO_ON else Answer.DROP
        why = f"nobody answered until {limit.end}"
        said = f"hold {hold.hold_id} of {hold.order_name or hold.process_id}: {why}"
        if desk.mode is Mode.PLAN:
            notes.append(f"{said}; `act` answers {done} by the store's own rule")
            continue
        try:
            await answer(desk, hold, HoldAnswer(done, BY, why))
        except (AnswerError, DeskError) as error:
            failures.append(Failure(hold.process_id, str(error)))
        else:
            notes.append(f"{said}; answered {done} by the store's own rule")
    return failures
