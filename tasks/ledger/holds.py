"""The holds that wait for a person, and what each answer would do."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, Row, exists, select

from tasks.ledger.schema import audit, holds, intents, records
from tasks.ledger.types import Answer, HoldRow, PastHold
from tasks.policy.decision import NOT_WAIVED
from tasks.policy.record import IntentState

HOLDS = (
    select(holds, records.c.order_name, intents.c.state.label("intent_state"), intents.c.kind.label("intent_kind"))
    .select_from(
        holds.join(records, records.c.process_id == holds.c.process_id).outerjoin(
            intents, intents.c.id == holds.c.intent_id
        )
    )
    .order_by(holds.c.seq)
)
"""Holds with what is told beside them, oldest first."""


def open_holds(conn: Connection, stores: Collection[str] | None = None) -> list[HoldRow]:
    """All holds nobody has answered, of these stores (None: of all), oldest first."""
    query = HOLDS.where(holds.c.state == "open")
    if stores is not None:
        query = query.where(holds.c.store.in_(sorted(stores)))
    return [hold_row(row) for row in conn.execute(query)]


def opened_by(conn: Connection, flow_run_id: str) -> list[HoldRow]:
    """The open holds that a flow run opened, by what the audit says, oldest first."""
    told = exists().where(
        audit.c.process_id == holds.c.process_id,
        audit.c.hold_id == holds.c.id,
        audit.c.event == "held",
        audit.c.flow_run_id == flow_run_id,
    )
    return [hold_row(row) for row in conn.execute(HOLDS.where(holds.c.state == "open", told))]


def find_hold(conn: Connection, hold_id: str) -> PastHold | None:
    """A hold by its id, open or not; None where there is none."""
    row = conn.execute(HOLDS.where(holds.c.id == hold_id)).first()
    return None if row is None else past_hold(row)


def past_hold(row: Row[Any]) -> PastHold:
    """A hold of a row of `HOLDS`, with its end."""
    return PastHold(
        hold=hold_row(row),
        state=row.state,
        answer=row.answer,
        answered_by=row.answered_by,
        answered_at=row.answered_at,
        closed_why=row.closed_why,
    )


def hold_row(row: Row[Any]) -> HoldRow:
    """A hold of a row of `HOLDS`, as a person sees it."""
    return HoldRow(
        hold_id=row.id,
        version=row.version,
        process_id=row.process_id,
        store=row.store,
        order_name=row.order_name,
        kind=row.kind,
        rule=row.rule,
        why=row.why,
        evidence=row.evidence,
        since=row.since,
        amount=None if row.amount is None else format(row.amount, "f"),
        currency=row.currency,
        label=row.label,
        intent_id=row.intent_id,
        answers=_answers(row),
    )


def _answers(row: Row[Any]) -> Mapping[str, str]:
    money = f"{row.amount:f} {row.currency}" if row.amount is not None else ""
    if row.intent_state == IntentState.UNKNOWN:
        return _unknown(row.intent_kind, money)
    if row.intent_id:
        return {
            Answer.RETRY: "closes the question; the rules go on with this return as the ledger has it",
            Answer.DONE_BY_HAND: "closes the question as put right by hand; state amount, date and reference",
            Answer.DROP: "closes the question; nothing is put right",
        }
    if row.items or row.label or row.rule in NOT_WAIVED:
        units = _units(row)
        return {
            Answer.RETRY: _retry(row.rule, money),
            Answer.DONE_BY_HAND: f"closes {units} as done outside of this desk; state amount, date and reference",
            Answer.DROP: f"closes {units} for good; this desk never pays, exchanges or labels it again",
        }
    return {
        Answer.RETRY: _retry(row.rule, money),
        Answer.DONE_BY_HAND: "takes it as put right outside of this desk; state amount, date and reference",
        Answer.DROP: "takes it as REVER shows it, and does not ask this again; no unit is closed",
    }


def _retry(rule: str, money: str) -> str:
    if rule in NOT_WAIVED:
        return "looks again, and holds again as long as REVER shows the same"
    return f"lets `{rule}` pass once" + (f" for up to {money}" if money else "") + ", and goes on"


def _unknown(kind: str, money: str) -> Mapping[str, str]:
    what = f"the {kind}" + (f" of {money}" if money and kind == "refund" else "")
    return {
        Answer.RETRY: f"reads REVER first; where it does not show {what}, sends it once more",
        Answer.DONE_BY_HAND: f"closes {what} as done outside of this desk; state amount, date and reference",
        Answer.DROP: f"closes {what} for good; it is never sent again",
    }


def _units(row: Row[Any]) -> str:
    if row.label:
        return "the label"
    if not row.items:
        return "the units you name"
    count = sum(len(units) for units in row.items.values())
    lines = ", ".join(f"{line}: {', '.join(map(str, units))}" for line, units in row.items.items())
    return f"{count} unit{'s' if count > 1 else ''} (line {lines})"
