"""A person's answer to a hold: what it would do, and doing it once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from rever_api.errors import ReverError, WrongSetup
from tasks.crash_points import CrashPoint, reached
from tasks.desk import Desk, DeskError
from tasks.effects import Outcome, Send, perform
from tasks.generate_label import send_label
from tasks.issue_exchange import send_exchange
from tasks.issue_refund import send_refund
from tasks.ledger import Answer, Answered, HoldRow, OpenIntent, answer_hold, open_holds, open_intents
from tasks.policy.record import IntentKind, LineUnits
from tasks.settle_outcome import Settled, Settlement, settle_outcome

SENDS: dict[IntentKind, Send] = {
    IntentKind.REFUND: send_refund,
    IntentKind.EXCHANGE: send_exchange,
    IntentKind.LABEL: send_label,
}


@dataclass(frozen=True, slots=True)
class HoldAnswer:
    """What a person says to one hold. `by` is their name as they give it; open-source Prefect has no users."""

    hold_id: str
    version: int
    answer: Answer
    by: str
    reason: str
    reference: str = ""
    amount: Decimal | None = None
    on: date | None = None
    items: Sequence[LineUnits] = ()


@dataclass(frozen=True, slots=True)
class AnsweredHold:
    """What came of an answer. `settled` where REVER already showed the effect, `outcome` where it was sent again."""

    hold: HoldRow
    settled: Settled | None = None
    outcome: Outcome | None = None


async def find_hold(desk: Desk, hold_id: str) -> HoldRow:
    """The open hold of this id. Raises `DeskError` where there is none."""
    for hold in await desk.ledger.aread(open_holds, desk.stores):
        if hold.hold_id == hold_id:
            return hold
    raise DeskError(f"there is no open hold {hold_id!r}; `rever-returns holds` lists those that are open")


async def answer(desk: Desk, said: HoldAnswer) -> AnsweredHold:
    """Carry out one answer. An outdated one, or one that came second, is refused by the ledger.

    `retry` of an unknown outcome reads REVER first: seen there, it is done and nothing is sent.
    """
    hold = await find_hold(desk, said.hold_id)
    if said.answer is Answer.RETRY and hold.intent_id:
        settled = await _seen_meanwhile(desk, hold)
        if settled is not None:
            return AnsweredHold(hold, settled=settled)
    answered = await desk.ledger.awrite(
        answer_hold,
        hold_id=said.hold_id,
        version=said.version,
        answer=said.answer,
        by=said.by,
        why=said.reason,
        now=desk.clock(),
        actor=desk.actor,
        lease=desk.settings.lease_duration,
        reference=said.reference,
        amount=said.amount,
        on=said.on,
        items=said.items,
    )
    return AnsweredHold(hold, outcome=await _send_again(desk, answered))


async def _seen_meanwhile(desk: Desk, hold: HoldRow) -> Settled | None:
    intents = await desk.ledger.aread(open_intents, process_ids=[hold.process_id])
    unknown = next((item for item in intents if item.intent.id == hold.intent_id), None)
    if unknown is None:
        return None
    settled = await _settle(desk, unknown)
    return settled if settled.settlement is Settlement.DONE else None


async def _settle(desk: Desk, unknown: OpenIntent) -> Settled:
    try:
        settled = await settle_outcome(desk, unknown)
    except WrongSetup:
        raise
    except ReverError as error:
        raise DeskError(f"REVER could not be read before trying again: {error}") from None
    if settled.settlement is Settlement.OPEN and settled.why.startswith("the return could not be read"):
        raise DeskError(f"not tried again, since {settled.why}; answer again when REVER can be read")
    return settled


async def _send_again(desk: Desk, answered: Answered) -> Outcome | None:
    reached(CrashPoint.WHILE_ANSWERING, answered.process_id)
    if answered.claim is None:
        return None
    return await perform(desk, answered.claim, SENDS[answered.claim.intent.kind])
