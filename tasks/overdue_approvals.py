"""Approvals that nobody gave in time: the merchant's own rule says what happens then, and this does it, once.

The hold says until when, and what then, as the rule had it when it was opened. It is answered as a person would, so
that the ledger has who and why. Nothing happens where the rules, asked about the return as it is now, no longer ask for
the approval with that limit: an answer closes units for good, or pays them.
"""

from collections.abc import Collection
from dataclasses import replace

from rever_api.errors import ReverError, WrongSetup
from tasks.answer_hold import HoldAnswer, answer
from tasks.desk import Desk, DeskError
from tasks.fetch_returns import read_now
from tasks.gather_facts import gather_facts
from tasks.ledger import Answer, AnswerError, HoldRow, OutdatedAnswer, load_records, open_holds
from tasks.policy.approvals import APPROVAL, Limit, Then
from tasks.policy.case import Case
from tasks.policy.decide import decide_money
from tasks.policy.decision import Hold
from tasks.policy.record import units_of
from tasks.reporting.report import Failure, Mode
from tasks.returns import PendingReturn
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
        try:
            if not await _still_asked(desk, hold, limit):
                notes.append(f"{said}; the store's own rules no longer ask for it: it is left to a person")
                continue
            if desk.mode is Mode.PLAN:
                notes.append(f"{said}; `act` answers {done} by the store's own rule")
                continue
            await answer(desk, hold, HoldAnswer(done, BY, why))
        except OutdatedAnswer:
            continue  # a person was faster
        except (AnswerError, DeskError) as error:
            failures.append(Failure(hold.process_id, str(error)))
        else:
            notes.append(f"{said}; answered {done} by the store's own rule")
    return failures


async def _still_asked(desk: Desk, hold: HoldRow, limit: Limit) -> bool:
    """Whether the rules would ask for this approval now, of all its units and with this limit, were it not asked for.

    Raises `DeskError` where the return cannot be read.
    """
    try:
        process = await read_now(desk, hold.process_id)
    except WrongSetup:
        raise
    except ReverError as error:
        raise DeskError(f"the return could not be read: {error}; the next run tries again") from None
    await gather_facts(desk, [PendingReturn(hold.store, process)])
    records = await desk.ledger.aread(load_records, [hold.process_id])
    record = records[hold.process_id]
    record = replace(record, holds=tuple(other for other in record.holds if other.id != hold.hold_id))
    decision = decide_money(Case(process, await desk.rules(hold.store), record, desk.clock()))
    if not isinstance(decision, Hold) or decision.rule != APPROVAL:
        return False
    now, asked = Limit.told(decision.evidence), units_of(decision.items)
    same = now is not None and (now.days, now.then) == (limit.days, limit.then)
    return same and all(set(item.units) <= asked.get(item.line_id, frozenset()) for item in hold.items)
