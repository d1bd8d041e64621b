"""A person's answer to a hold: looked at beside REVER, given once, and carried out."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from rever_api.errors import NotFound, ReverError, WrongSetup
from rever_api.models import ReturnProcess
from tasks.crash_points import CrashPoint, reached
from tasks.desk import Desk, DeskError, WrongNameError
from tasks.effects.calls import EFFECTS
from tasks.effects.perform import Outcome, perform
from tasks.fetch_returns import PendingReturn, read_now
from tasks.gather_facts import gather_facts
from tasks.ledger import (
    Answer,
    Answered,
    AnswerError,
    HoldRow,
    OpenIntent,
    OutdatedAnswer,
    PastHold,
    answer_hold,
    find_hold,
    load_records,
    open_holds,
    open_intents,
    switch,
)
from tasks.policy.approvals import APPROVAL, Limit, Then
from tasks.policy.case import Case
from tasks.policy.clocks import clock_time
from tasks.policy.comparison import compare
from tasks.policy.decide import decide_money
from tasks.policy.decision import DecisionName, Hold
from tasks.policy.facts import counted
from tasks.policy.kinds import KINDS
from tasks.policy.money import shown
from tasks.policy.record import Intent, IntentState, LineUnits, Record, units_of
from tasks.reporting.report import Failure, Mode
from tasks.settle_outcomes import Settled, Settlement, settle_outcome
from tasks.steps import step

EARLIEST_ZONE = timedelta(hours=14)
"""The zone whose day begins first is so far ahead of UTC."""

FIRST_YEAR = 2000

LONGEST_BEFORE = timedelta(days=31)
"""A shop may have paid some days before the shopper registers the return, but not longer than this."""


@dataclass(frozen=True, slots=True)
class HoldAnswer:
    """What a person says to a hold. `by` is their name as they give it; open-source Prefect has no users."""

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


def check_day(on: date | None, now: datetime) -> None:
    """Refuse a day on which nothing can have been done by hand: one to come, anywhere on Earth, or before 2000.

    Raises `DeskError`.
    """
    if on is None:
        return
    latest = (now.astimezone(UTC) + EARLIEST_ZONE).date()
    if on > latest:
        raise WrongNameError(f"nothing was done: on={on} is a day to come; state the day on which it was done")
    if on.year < FIRST_YEAR:
        raise WrongNameError(f"nothing was done: on={on} is before any return; state the day on which it was done")


async def _check_began(desk: Desk, hold: HoldRow, said: HoldAnswer) -> None:
    """Refuse a day long before the return began, where REVER tells when it did."""
    now = desk.clock()
    check_day(said.on, now)
    if said.on is None or said.on >= now.date() - LONGEST_BEFORE:
        return
    try:
        process = await read_now(desk, hold.process_id)
    except WrongSetup:
        raise
    except ReverError:
        return
    began = process.started_at
    if began is not None and said.on < began.date() - LONGEST_BEFORE:
        raise DeskError(
            f"nothing was done: on={said.on} is long before the return began, {began:%F}; "
            "state the day on which it was done"
        )


@step("answer-hold")
async def answer_holds(
    desk: Desk, holds: Sequence[HoldRow], said: HoldAnswer, into: list[AnsweredHold], *, alone: bool
) -> list[Failure]:
    """Answer one hold after the other; what came of each stands in `into` at once.

    Of many, one that cannot be answered does not stop the others and comes back as a failure. Where it is `alone`, this
    raises as `answer` does.
    """
    failures: list[Failure] = []
    for hold in holds:
        try:
            into.append(await answer(desk, hold, said))
        except (AnswerError, DeskError) as error:
            if alone:
                raise
            failures.append(Failure(hold.process_id, str(error)))
    return failures


async def answer(desk: Desk, hold: HoldRow, said: HoldAnswer) -> AnsweredHold:
    """Carry out one answer. An outdated one, or one that came second, is refused by the ledger.

    REVER is read first. An effect of unknown outcome that it shows by now is done, whatever was answered, and nothing
    is sent; what is said to have been done by hand is held against what REVER shows.
    Raises `DeskError` where REVER cannot be read, or contradicts what was said, or where `on` is no day on which it can
    have been done; `AnswerError` of the ledger.
    """
    await _check_began(desk, hold, said)
    unknown = await _unknown(desk, hold)
    at_rever = ""
    if unknown is not None:
        await _check_switch(desk, said)
        settled = await _settle(desk, unknown)
        if settled.settlement is Settlement.DONE:
            return AnsweredHold(hold, settled=settled)
    elif not said.answer.goes_on and not hold.label:
        at_rever = await _check_at_rever(desk, hold, said)
    answered = await desk.ledger.awrite(
        answer_hold,
        hold_id=hold.hold_id,
        version=hold.version,
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
        at_rever=at_rever,
    )
    return AnsweredHold(hold, outcome=await _send_again(desk, answered))


def what_was_done(before: Record, after: Record, *, settled: str = "") -> list[str]:
    """What came of a return from one record of it to a later one, in words: the effects, then what holds it. Pure.

    `settled` is an intent that is told of elsewhere.
    """
    known = {intent.id: intent for intent in before.intents}
    said = [_outcome(intent) for intent in after.intents if intent != known.get(intent.id) and intent.id != settled]
    sent = any(intent != known.get(intent.id) for intent in after.intents)
    said += [] if sent else ["nothing was paid, ordered or sent"]
    opened = {hold.id for hold in before.holds}
    held = [hold for hold in after.holds if hold.id not in opened]
    said += [f"held by `{hold.rule}`" for hold in held]
    said += [f"still held by `{hold.rule}`" for hold in after.holds if hold.id in opened]
    return said


def what_follows(after: Record, decision: str, why: str) -> str:
    """What happens next to a return that was answered, by its record and what was decided last, in words. Pure."""
    if after.holds:
        asked = " and ".join(f"hold {hold.id}, version {hold.version}" for hold in after.holds)
        return f"it waits for a person ({asked})"
    if any(intent.open for intent in after.intents):
        return "the next run looks for the outcome at REVER"
    if decision == DecisionName.WAIT:
        return f"it waits: {why}"
    return "nothing more is due now" if decision == DecisionName.NO_ACTION else "the next run looks at it again"


def _outcome(intent: Intent) -> str:  # noqa: PLR0911 - one for each state
    """One effect as it stands now."""
    kind = KINDS[intent.kind]
    money = shown(intent.amount, intent.currency) if kind.pays else ""
    what = f"the {kind.noun}" + (f" of {money}" if money else "")
    match intent.state:
        case IntentState.DONE if intent.adopted:
            return f"REVER shows {what} by now, and nothing was sent" if money else f"{what} was found done at REVER"
        case IntentState.DONE if intent.nothing_sent:
            return "its costs use up what is due, so nothing was sent"
        case IntentState.DONE if money:
            rest = intent.amount - intent.paid_seen.paid if intent.paid_seen else Decimal(0)
            paid = f"paid {shown(intent.amount - rest, intent.currency)} by {intent.method}"
            return paid + (f", {shown(rest, intent.currency)} on its way at REVER" if rest else "")
        case IntentState.DONE:
            return f"{what} is done"
        case IntentState.REFUSED:
            return f"REVER refused {what}"
        case IntentState.WITHDRAWN:
            return f"{what} was not sent"
        case IntentState.DONE_BY_HAND | IntentState.DROPPED:
            how = "done by hand" if intent.state is IntentState.DONE_BY_HAND else "dropped"
            units = sum(len(item.units) for item in intent.items)
            return f"{counted(units, 'unit')} closed as {how}" if units else f"{what} is closed as {how}"
        case _:
            return f"the outcome of {what} is not known yet"


async def _unknown(desk: Desk, hold: HoldRow) -> OpenIntent | None:
    """The effect of unknown outcome that this hold asks about, if it does."""
    if not hold.intent_id:
        return None
    intents = await desk.ledger.aread(open_intents, process_ids=[hold.process_id])
    mine = (item for item in intents if item.intent.id == hold.intent_id)
    return next((item for item in mine if item.intent.state is IntentState.UNKNOWN), None)


async def _check_switch(desk: Desk, said: HoldAnswer) -> None:
    now = await desk.ledger.aread(switch)
    if said.answer.goes_on and now.stopped:
        raise DeskError(f"nothing was done: all effects are stopped by {now.by}: {now.why}; answer after the start")


async def _settle(desk: Desk, unknown: OpenIntent) -> Settled:
    settled = await settle_outcome(desk, unknown)
    if settled.unread:
        raise DeskError(f"nothing was done, since {settled.why}; answer again when REVER can be read")
    return settled


async def _check_at_rever(desk: Desk, hold: HoldRow, said: HoldAnswer) -> str:
    """What REVER shows that this desk did not do, in words. What was paid by hand must be it, or a reason says why not.

    A return that REVER no longer knows can still be closed.
    """
    try:
        process = await read_now(desk, hold.process_id)
    except WrongSetup:
        raise
    except NotFound:
        return "REVER no longer knows this return"
    except ReverError as error:
        raise DeskError(
            f"nothing was done, since the return could not be read: {error}; answer again when it can"
        ) from None
    foreign = await _foreign(desk, process)
    words = ", ".join(f"{shown(amount, currency)} by {method}" for (method, currency), amount in foreign.items())
    paid = said.amount if said.amount is not None else hold.amount or Decimal(0)
    fits = {*foreign.values(), sum(foreign.values(), Decimal(0))}
    if said.answer is Answer.DONE_BY_HAND and foreign and paid not in fits and not said.reason:
        raise DeskError(
            f"nothing was done: REVER shows refunds that were not made here, {words}, and the answer says {paid}; "
            "state that amount, or say in the reason why it is another"
        )
    return words or "no refund that was not made here"


async def _foreign(desk: Desk, process: ReturnProcess) -> dict[tuple[str, str], Decimal]:
    records = await desk.ledger.aread(load_records, [process.rever_process_id])
    return compare(process, records[process.rever_process_id]).foreign


async def _send_again(desk: Desk, answered: Answered) -> Outcome | None:
    reached(CrashPoint.WHILE_ANSWERING, answered.process_id)
    if answered.claim is None:
        return None
    return await perform(desk, answered.claim, EFFECTS[answered.claim.intent.kind])


# Which holds a person answers: one, a list, or all of one cause. A list that has changed since is refused.


NAMED = 5
"""How many of the holds that changed an error names."""


def list_mark(holds: Sequence[HoldRow]) -> str:
    """The mark of a list of holds, such as `37-1f0c9a2b44`: their number, and a digest of their ids and versions."""
    told = "\n".join(sorted(f"{hold.hold_id}:{hold.version}" for hold in holds))
    return f"{len(holds)}-{hashlib.sha256(told.encode()).hexdigest()[:10]}"


def of_cause(holds: Sequence[HoldRow], cause: str) -> list[HoldRow]:
    """The holds of a rule or kind."""
    return [hold for hold in holds if cause in {hold.rule, hold.kind}]


async def hold_by_id(desk: Desk, hold_id: str, version: int | None = None) -> HoldRow:
    """The open hold of this id, in this version where one is given. Raises `DeskError`: no such hold, or outdated."""
    past = await desk.ledger.aread(find_hold, hold_id)
    if past is None or past.hold.store not in desk.stores:
        raise WrongNameError(f"there is no hold {hold_id!r}; `rever-returns holds` lists those that are open")
    changed = _changed(past, version)
    if changed:
        raise DeskError(f"nothing was done: hold {hold_id} {changed}")
    return past.hold


async def holds_by_list(desk: Desk, named: Sequence[str]) -> list[HoldRow]:
    """The open holds of a list of `HOLD:VERSION`. Raises `DeskError`, before anything is done, if one has changed."""
    chosen: dict[str, HoldRow] = {}
    problems: list[str] = []
    for text in named:
        hold_id, _, version = text.partition(":")
        try:
            chosen[hold_id] = await hold_by_id(desk, hold_id, int(version))
        except DeskError as error:
            problems.append(str(error).removeprefix("nothing was done: "))
    if problems:
        more = f", and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
        raise DeskError(f"nothing was done, for the list has changed: {'; '.join(problems[:NAMED])}{more}")
    return list(chosen.values())


async def holds_by_cause(desk: Desk, cause: str, stores: Sequence[str], listed: str) -> list[HoldRow]:
    """All open holds of a rule or kind at these stores. `listed` is the mark that `plan` printed; empty: not asked.

    Raises `DeskError` where there are none, or where they are not the ones that were listed.
    """
    everything = await desk.ledger.aread(open_holds, stores)
    found = of_cause(everything, cause)
    if not found:
        causes = ", ".join(sorted({hold.rule for hold in everything})) or "none"
        raise WrongNameError(f"nothing is held by {cause!r}; the causes of open holds are: {causes}")
    if listed and listed != list_mark(found):
        raise DeskError(
            f"nothing was done: the holds by {cause!r} have changed since they were listed as {listed}; "
            f"they are {list_mark(found)} now; look at them again with mode=plan"
        )
    return found


def _changed(past: PastHold, version: int | None) -> str:
    """What has become of a hold since it was listed; empty where it is as it was."""
    if past.state == "answered":
        when = f" at {clock_time(past.answered_at, seconds=True)}" if past.answered_at else ""
        return f"was answered with {past.answer!r} by {past.answered_by}{when}"
    if past.state != "open":
        return f"has closed itself: {past.closed_why}"
    if version is not None and past.hold.version != version:
        return f"is of version {past.hold.version}, not {version}: look at it again (rever-returns holds), then answer"
    return ""


# Approvals that nobody gave in time: the merchant's own rule says what happens then, and this does it, once.
#
# The hold says until when, and what then, as the rule had it when it was opened. It is answered as a person would, so
# that the ledger has who and why. Nothing happens where the rules, asked about the return as it is now, no longer ask
# for the approval with that limit: an answer closes units for good, or pays them.

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
        rules = await desk.rules(store)
        if not limit.is_up(rules.merchant_rules, desk.clock()):
            continue
        done = Answer.APPROVE if limit.then is Then.GO_ON else Answer.DROP
        why = f"nobody answered until {clock_time(limit.until, rules.zone)}"
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
