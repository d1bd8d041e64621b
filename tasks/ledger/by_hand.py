"""Close units that a person settled outside of this desk, or gave up: an intent that is at its end from the start."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, insert
from sqlalchemy.exc import IntegrityError

from tasks.ledger.errors import AnswerError
from tasks.ledger.records import load_records
from tasks.ledger.rows import intent_row, items_of, new_id, terms_of, unit_rows
from tasks.ledger.schema import intents, units
from tasks.ledger.types import Answer
from tasks.ledger.writing import free_dead_units, write_terms
from tasks.policy.money import gross
from tasks.policy.record import Intent, IntentKind, IntentState, LineTerms, LineUnits, Record


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

    Raises `AnswerError` where no units are known, where one is taken or does not exist, or where the amount that was
    paid by hand is not said.
    """
    record = load_records(conn, [hold.process_id])[hold.process_id]
    terms = terms_of(hold.details) | dict(record.lines)
    intent = _label(record, answer) if hold.label else _money(hold, answer, amount, items, terms, now)
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
        details={"label": {"provider": "", "carrier": "", "return_method": ""}} if hold.label else {},
    )
    try:
        with conn.begin_nested():
            free_dead_units(conn, [record])
            conn.execute(insert(intents), [row])
            conn.execute(insert(units), unit_rows(hold.process_id, intent))
    except IntegrityError:
        raise _taken() from None
    new = {item.line_id for item in intent.items} - set(record.lines)
    write_terms(conn, [_terms_row(hold.process_id, line, terms[line]) for line in sorted(new & set(terms))])
    return intent.id


def _state(answer: Answer) -> IntentState:
    return IntentState.DONE_BY_HAND if answer is Answer.DONE_BY_HAND else IntentState.DROPPED


def _label(record: Record, answer: Answer) -> Intent:
    taken = {i.generation for i in record.intents if i.kind is IntentKind.LABEL and i.live}
    generation = next(n for n in range(1, len(taken) + 2) if n not in taken)
    return Intent(id=new_id(), kind=IntentKind.LABEL, state=_state(answer), generation=generation)


def _money(
    hold: Row[Any],
    answer: Answer,
    amount: Decimal | None,
    items: tuple[LineUnits, ...],
    terms: Mapping[str, LineTerms],
    now: datetime,
) -> Intent:
    covered = items or items_of(hold.items)
    if not covered:
        raise AnswerError("this hold names no units; say which to close, as line and unit numbers")
    if answer is Answer.DONE_BY_HAND and amount is None and (items or hold.amount is None):
        raise AnswerError(
            "say the amount that was paid by hand, 0 for none; the hold does not state it for these units"
        )
    paid = Decimal(0)
    if answer is Answer.DONE_BY_HAND:
        paid = hold.amount if amount is None else amount
    return Intent(
        id=new_id(),
        kind=IntentKind.REFUND,
        state=_state(answer),
        items=covered,
        method=hold.details.get("method", ""),
        currency=hold.currency or next((t.currency for t in terms.values()), ""),
        amount=paid,
        gross=_gross(hold, covered, terms),
        created_at=now,
    )


def _gross(hold: Row[Any], covered: tuple[LineUnits, ...], terms: Mapping[str, LineTerms]) -> Decimal:
    """What bears the return's costs: the units that were to be refunded, not those that were to be exchanged."""
    refunded = terms.keys() - set(hold.details.get("exchanged", ()))
    return sum((gross(terms[i.line_id], i.units) for i in covered if i.line_id in refunded), Decimal(0))


def _check(record: Record, intent: Intent, terms: Mapping[str, LineTerms]) -> None:
    for item in intent.items:
        known = terms.get(item.line_id)
        if known is None and terms:
            raise AnswerError(f"this return has no line {item.line_id!r}; its lines are {', '.join(sorted(terms))}")
        if known is not None and not all(1 <= n <= known.quantity for n in item.units):
            raise AnswerError(f"line {item.line_id!r} has units 1 to {known.quantity}, not {list(item.units)}")
    keys = [(item.line_id, n) for item in intent.items for n in item.units]
    live = {(i.line_id, n) for other in record.intents if other.live for i in other.items for n in i.units}
    if len(set(keys)) < len(keys) or live & set(keys):
        raise _taken()


def _taken() -> AnswerError:
    return AnswerError("nothing was done: one of these units is already paid, exchanged, closed or under way")


def _terms_row(process_id: str, line_id: str, terms: LineTerms) -> dict[str, Any]:
    return {
        "process_id": process_id,
        "line_id": line_id,
        "total": terms.total,
        "quantity": terms.quantity,
        "currency": terms.currency,
    }
