"""A person's answer to a hold. The answer names the hold and its version, so that two people at once are one answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from tasks.ledger.audit import append, audit_row
from tasks.ledger.holds import going_on
from tasks.ledger.records import (
    BONUS_SUM,
    claim_of,
    fee_terms_of,
    intent_row,
    items_json,
    items_of,
    load_records,
    new_id,
    new_token,
    next_number,
    shipping_of,
    shipping_parts,
    shipping_row,
    terms_of,
    terms_row,
    unit_rows,
)
from tasks.ledger.schema import holds, intents, order_shipping, units, waivers
from tasks.ledger.send import change, further_trail
from tasks.ledger.stops import end_trial
from tasks.ledger.types import Actor, Answer, Answered, AnswerError, Claim, OutdatedAnswer
from tasks.ledger.writing import free_dead_units, lock_rows, write_terms
from tasks.policy.clocks import clock_time
from tasks.policy.decision import NOT_WAIVED
from tasks.policy.kinds import KINDS, LABEL, REFUND
from tasks.policy.money import gross, shown
from tasks.policy.record import (
    LABEL_KINDS,
    REFUNDS_SEEN,
    TO_PAY_SEEN,
    Intent,
    IntentState,
    LineTerms,
    LineUnits,
    OrderShipping,
    Record,
    money_intents,
)
from tasks.policy.rules.gates import LABEL_ASKED, MONEY_ASKED
from tasks.policy.rules.label import TAKEN_AS_SHOWN

# Close units that a person settled outside of this desk, or gave up: an intent that is at its end from the start.


def close_by_hand(
    conn: Connection,
    hold: Row[Any],
    evidence: Mapping[str, Any],
    answer: Answer,
    amount: Decimal | None,
    items: tuple[LineUnits, ...],
    now: datetime,
) -> str:
    """Insert the intent that takes the hold's units, or those named; answers its id.

    Raises `AnswerError` where no units are known, where one is taken or does not exist, where the amount that was paid
    by hand is not said, or where it has more of the order's shipping in it than is left.
    """
    record = load_records(conn, [hold.process_id])[hold.process_id]
    terms = terms_of(hold.details) | dict(record.lines)
    intent = _label(record, answer) if hold.label else _money(hold, answer, amount, items, terms, now)
    shipping = None if hold.label else shipping_of(hold.details)
    if shipping is not None and not any(other.shipping for other in money_intents(record)):
        if intent.state is IntentState.DONE_BY_HAND:
            shipping = _what_is_left(conn, hold, shipping, intent, items)
        number = next_number(conn, hold.store, shipping.order_id)
        intent = replace(intent, shipping=replace(shipping, number=number))
    _check(record, intent, terms)
    row = intent_row(
        intent,
        process_id=hold.process_id,
        store=hold.store,
        day=date.fromisoformat(hold.details["day"]) if "day" in hold.details else now.date(),
        now=now,
        rule=hold.rule,
        why=hold.why,
        evidence=evidence,
        details=LABEL.stored(None) if hold.label else {},
    )
    try:
        with conn.begin_nested():
            free_dead_units(conn, [record])
            conn.execute(insert(intents), [row])
            conn.execute(insert(units), unit_rows(hold.process_id, intent))
            if intent.shipping is not None:
                about = {"store": hold.store, "process_id": hold.process_id, "intent_id": intent.id}
                conn.execute(insert(order_shipping), [shipping_row(intent.shipping, **about)])
    except IntegrityError:
        raise _taken() from None
    new = {item.line_id for item in intent.items} - set(record.lines)
    write_terms(conn, [terms_row(hold.process_id, line, terms[line]) for line in sorted(new & set(terms))])
    return intent.id


def _what_is_left(
    conn: Connection, hold: Row[Any], shipping: OrderShipping, intent: Intent, items: tuple[LineUnits, ...]
) -> OrderShipping:
    """The part of the order's shipping that was paid by hand: never more than its other returns have left of it.

    Raises `AnswerError` where the amount has more of it: another return has had it since the hold was opened.
    """
    parts = shipping_parts(conn, hold.store, [shipping.order_id])[shipping.order_id]
    left = max(Decimal(0), shipping.whole - sum((part.amount for part in parts if part.live), Decimal(0)))
    over = shipping.amount - left
    most = None if items or hold.amount is None else hold.amount - over
    if over > 0 and (most is None or intent.amount > most):
        code = intent.currency
        raise AnswerError(
            f"nothing was done: this hold has {shown(shipping.amount, code)} of the order's shipping in it, and "
            f"{shown(left, code)} of it is left: another return of the order has had the rest since. The next run "
            "asks anew, or asks nothing"
        )
    return replace(shipping, amount=min(shipping.amount, left))


def _state(answer: Answer) -> IntentState:
    return IntentState.DONE_BY_HAND if answer is Answer.DONE_BY_HAND else IntentState.DROPPED


def _label(record: Record, answer: Answer) -> Intent:
    """The label that a person closes: the next after those of the ledger, and after the parcels that were seen."""
    taken = [it.generation for it in record.intents if it.kind in LABEL_KINDS and it.live]
    seen = [it.parcel for it in record.parcels or ()]
    return Intent(id=new_id(), kind=LABEL.name, state=_state(answer), generation=1 + max((0, *taken, *seen)))


def _money(
    hold: Row[Any],
    answer: Answer,
    amount: Decimal | None,
    items: tuple[LineUnits, ...],
    terms: Mapping[str, LineTerms],
    now: datetime,
) -> Intent:
    covered = items or items_of(hold.items)
    if not covered and shipping_of(hold.details) is None:
        raise AnswerError("this hold names no units; say which to close, as line and unit numbers")
    if answer is Answer.DONE_BY_HAND and amount is None and (items or hold.amount is None):
        raise AnswerError(
            "say the amount that was paid by hand, 0 for none; the hold does not state it for these units"
        )
    paid = Decimal(0)
    if answer is Answer.DONE_BY_HAND:
        paid = hold.amount if amount is None else amount
    # The sum on top is not paid again, nor the fee taken again. Where an amount is named, it says whether it had them.
    worth = sum((gross(terms[it.line_id], it.units) for it in covered if it.line_id in terms), Decimal(0))
    had = answer is Answer.DONE_BY_HAND and (not items or paid > worth)
    bonus = Decimal(hold.details.get(BONUS_SUM, "0")) if had else Decimal(0)
    bore = answer is Answer.DONE_BY_HAND and (amount is None or paid < worth + bonus)
    lines = {it.line_id for it in covered} if bore else set[str]()
    return Intent(
        id=new_id(),
        kind=REFUND.name,
        state=_state(answer),
        items=covered,
        bonus=bonus,
        bonus_sum=bonus,
        fee_terms=tuple(it for it in fee_terms_of(hold.details) if it[0] in lines),
        method=hold.details.get("method", ""),
        currency=hold.currency or next((t.currency for t in terms.values()), ""),
        amount=paid,
        gross=_gross(hold, covered, terms),
        created_at=now,
    )


def _gross(hold: Row[Any], covered: tuple[LineUnits, ...], terms: Mapping[str, LineTerms]) -> Decimal:
    """What bears the return's costs: not units that were to be exchanged, or bear none by the merchant's rules."""
    free = hold.details.get("without_costs", hold.details.get("exchanged", ()))  # its name in older ledgers
    bearing = terms.keys() - set(free)
    return sum((gross(terms[i.line_id], i.units) for i in covered if i.line_id in bearing), Decimal(0))


def _check(record: Record, intent: Intent, terms: Mapping[str, LineTerms]) -> None:
    for item in intent.items:
        known = terms.get(item.line_id)
        if known is None and terms:
            raise AnswerError(f"this return has no line {item.line_id!r}; its lines are {', '.join(sorted(terms))}")
        if known is not None and not all(1 <= n <= known.quantity for n in item.units):
            raise AnswerError(f"line {item.line_id!r} has units 1 to {known.quantity}, not {list(item.units)}")
    keys = [(item.line_id, n) for item in intent.items for n in item.units]
    live = {(i.line_id, n) for other in money_intents(record) for i in other.items for n in i.units}
    if len(set(keys)) < len(keys) or live & set(keys):
        raise _taken()


def _taken() -> AnswerError:
    return AnswerError("nothing was done: one of these units is already paid, exchanged, closed or under way")


_HOLD = select(holds).where(holds.c.id == bindparam("hold"))
_CLOSE = (
    update(holds)
    .where(holds.c.id == bindparam("hold"))
    .values(
        state="answered",
        version=holds.c.version + 1,
        answer=bindparam("said"),
        answered_by=bindparam("who"),
        answered_at=bindparam("at"),
    )
)
_AGAIN = change(
    IntentState.INTENDED,
    intents.c.state == IntentState.UNKNOWN,
    token=bindparam("fresh"),
    lease_until=bindparam("lease", type_=intents.c.lease_until.type),
    look_at=bindparam("lease", type_=intents.c.look_at.type),
)


@dataclass(frozen=True, slots=True)
class Said:
    """An answer as it was given. `by` is self-declared; `on` the day on which something was done by hand."""

    answer: Answer
    by: str
    why: str
    reference: str
    amount: Decimal | None
    on: date | None
    items: tuple[LineUnits, ...]
    at_rever: str = ""

    def evidence(self) -> dict[str, Any]:
        """For the audit: only what was said."""
        said: dict[str, Any] = {"answer": self.answer, "by": self.by, "why": self.why}
        if self.answer is Answer.DONE_BY_HAND:
            day = self.on.isoformat() if self.on else ""
            said |= {
                "reference": self.reference,
                "on": day,
                "amount": None if self.amount is None else str(self.amount),
            }
        if self.at_rever:
            said["at_rever"] = self.at_rever
        if self.items:
            said["units"] = items_json(self.items)
        return said


def answer_hold(
    conn: Connection,
    *,
    hold_id: str,
    version: int,
    answer: Answer,
    by: str,
    why: str,
    now: datetime,
    actor: Actor,
    lease: timedelta,
    reference: str = "",
    amount: Decimal | None = None,
    on: date | None = None,
    items: Sequence[LineUnits] = (),
    at_rever: str = "",
) -> Answered:
    """Carry out an answer, once. Raises `OutdatedAnswer` where the hold has changed, `AnswerError` where it cannot be.

    Of the answers that go on, each hold takes the one that is right for it (`tasks.ledger.holds.going_on`), or the old
    word `retry`. To send an unknown outcome again gives a `Claim` with a fresh token, for who read REVER and did not
    see the effect there; for any other hold just that rule is waived, once, up to the hold's amount. `done_by_hand`
    (`amount`, `on`, `reference`) and `drop` close the unknown intent, or else the hold's units or those of them that
    `items` name, so that they are never paid again. A hold about an intent that has ended is just closed; so is one
    without units that a person can let pass, which is not asked again. Any answer takes the refunds that the hold told
    of as seen, and no more. `at_rever` is what REVER showed then, for the audit.
    """
    said = Said(answer, by, why, reference, amount, on, tuple(items), at_rever)
    hold = _open_hold(conn, hold_id, version)
    row = _intent(conn, hold)
    _check_word(hold, row, answer)
    claim: Claim | None = None
    intent_id = hold.intent_id
    if row is not None and row.state == IntentState.UNKNOWN:
        claim = _about_unknown(conn, row, said, now, lease)
        if claim is not None:
            # Who sends it again has looked at this return: it is not asked about once more after a restore.
            _waive(conn, hold, LABEL_ASKED if hold.label else MONEY_ASKED)
    elif answer.goes_on or (row is None and _closes_no_unit(hold, said)):
        _waive(conn, hold)
    elif row is None:
        intent_id = close_by_hand(conn, hold, said.evidence(), answer, amount, said.items, now)
    _note_seen(conn, hold)
    _close(conn, hold, said, now, actor, intent_id)
    if row is not None and row.state == IntentState.UNKNOWN and answer is Answer.DONE_BY_HAND:
        append(conn, further_trail(row, claim_of(row), now, Actor(by, actor.flow_run_id)))
    return Answered(hold.id, hold.process_id, hold.store, answer, claim, intent_id)


def _open_hold(conn: Connection, hold_id: str, version: int) -> Row[Any]:
    found = conn.execute(_HOLD, {"hold": hold_id}).first()
    if found is None:
        raise AnswerError(f"there is no hold {hold_id!r}; `rever-returns holds` lists those that are open")
    lock_rows(conn, [found.process_id])
    hold = conn.execute(_HOLD.with_for_update(), {"hold": hold_id}).one()
    if hold.state == "answered":
        raise _outdated(
            hold,
            f"was answered with {hold.answer!r} by {hold.answered_by} at {clock_time(hold.answered_at, seconds=True)}",
        )
    if hold.state != "open":
        raise _outdated(hold, f"has closed itself: {hold.closed_why}")
    if hold.version != version:
        again = "look at it again (rever-returns holds), then answer"
        raise _outdated(hold, f"is of version {hold.version}, not {version}: {again}")
    return hold


def _check_word(hold: Row[Any], row: Row[Any] | None, answer: Answer) -> None:
    """Refuse a word that says something else than what would happen to the money."""
    right = going_on(hold, row.state if row is not None else "")
    if answer.goes_on and answer not in {right, Answer.RETRY}:
        raise AnswerError(
            f"nothing was done: {answer} is no answer to hold {hold.id} ({hold.rule}); "
            f"it is answered with {right}, done_by_hand or drop"
        )


def _outdated(hold: Row[Any], how: str) -> OutdatedAnswer:
    return OutdatedAnswer(f"nothing was done: hold {hold.id} {how}", state=hold.state, version=hold.version)


def _intent(conn: Connection, hold: Row[Any]) -> Row[Any] | None:
    if not hold.intent_id:
        return None
    return conn.execute(select(intents).where(intents.c.id == hold.intent_id).with_for_update()).first()


def _about_unknown(conn: Connection, row: Row[Any], said: Said, now: datetime, lease: timedelta) -> Claim | None:
    end_trial(conn, [row.id])
    if said.answer.goes_on:
        again = {"intent": row.id, "fresh": new_token(), "lease": now + lease}
        return claim_of(conn.execute(_AGAIN, again).one())
    if said.items:
        raise AnswerError("this hold is about one effect as a whole; answer it without naming units")
    by_hand = said.answer is Answer.DONE_BY_HAND
    paid = said.amount if by_hand and said.amount is not None and KINDS[row.kind].pays else row.amount
    conn.execute(
        update(intents)
        .where(intents.c.id == row.id)
        .values(
            state=IntentState.DONE_BY_HAND if by_hand else IntentState.DROPPED,
            amount=paid,
            evidence={**said.evidence(), "meant": str(row.amount)},
            look_at=None,
            closed_at=now,
        )
    )
    return None


def _closes_no_unit(hold: Row[Any], said: Said) -> bool:
    """Whether the hold is about what REVER shows, and not about units that could be paid."""
    of_label = hold.label and hold.rule not in TAKEN_AS_SHOWN
    stands = hold.items or said.items or of_label or shipping_of(hold.details) is not None
    return not (stands or hold.rule in NOT_WAIVED)


def _waive(conn: Connection, hold: Row[Any], rule: str = "") -> None:
    conn.execute(
        insert(waivers).values(
            process_id=hold.process_id,
            rule=rule or hold.rule,
            amount=hold.amount,
            currency=hold.currency,
            items=hold.items,
            label=hold.label,
            hold_id=hold.id,
        )
    )


def _note_seen(conn: Connection, hold: Row[Any]) -> None:
    """Write down what the person was shown of others' refunds, and of what the shopper is to pay: more than that is
    asked about again.
    """
    told = [(REFUNDS_SEEN, amount, currency) for currency, amount in hold.details.get("refunds", {}).items()]
    if "to_pay" in hold.details:
        told.append((TO_PAY_SEEN, hold.details["to_pay"], hold.currency))
    seen = [
        {
            "process_id": hold.process_id,
            "rule": rule,
            "amount": Decimal(amount),
            "currency": currency,
            "items": {},
            "hold_id": hold.id,
        }
        for rule, amount, currency in told
    ]
    if seen:
        conn.execute(insert(waivers), seen)


def _close(conn: Connection, hold: Row[Any], said: Said, now: datetime, actor: Actor, intent_id: str) -> None:
    conn.execute(_CLOSE, {"hold": hold.id, "said": said.answer, "who": said.by, "at": now})
    evidence: Mapping[str, Any] = said.evidence() | {"through": actor.name}
    row = audit_row(
        Actor(said.by, actor.flow_run_id),
        now,
        "answered",
        hold.process_id,
        rule=hold.rule,
        evidence=evidence,
        amount=hold.amount if said.amount is None else said.amount,
        currency=hold.currency,
        intent_id=intent_id,
        hold_id=hold.id,
    )
    append(conn, [row])
