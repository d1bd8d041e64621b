"""A person's answer to a hold. The answer names the hold and its version, so that two people at once are one answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from tasks.ledger.by_hand import close_by_hand
from tasks.ledger.errors import AnswerError, OutdatedAnswer
from tasks.ledger.holds import going_on
from tasks.ledger.pausing import end_trial
from tasks.ledger.rows import claim_of, items_json, new_token
from tasks.ledger.schema import holds, intents, waivers
from tasks.ledger.trail import append, audit_row
from tasks.ledger.transitions import change
from tasks.ledger.types import Actor, Answer, Answered, Claim
from tasks.ledger.writing import lock_rows
from tasks.policy.decision import NOT_WAIVED
from tasks.policy.record import REFUNDS_SEEN, IntentKind, IntentState, LineUnits
from tasks.policy.restored import LABEL_ASKED, MONEY_ASKED

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
    return Answered(hold.id, hold.process_id, hold.store, answer, claim, intent_id)


def _open_hold(conn: Connection, hold_id: str, version: int) -> Row[Any]:
    found = conn.execute(_HOLD, {"hold": hold_id}).first()
    if found is None:
        raise AnswerError(f"there is no hold {hold_id!r}; `rever-returns holds` lists those that are open")
    lock_rows(conn, [found.process_id])
    hold = conn.execute(_HOLD.with_for_update(), {"hold": hold_id}).one()
    if hold.state == "answered":
        raise _outdated(
            hold, f"was answered with {hold.answer!r} by {hold.answered_by} at {hold.answered_at:%F %T} UTC"
        )
    if hold.state != "open":
        raise _outdated(hold, f"has closed itself: {hold.closed_why}")
    if hold.version != version:
        raise _outdated(hold, f"has changed since: its version is {hold.version}, not {version}")
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
        return claim_of(_AGAIN.one(conn, again))
    if said.items:
        raise AnswerError("this hold is about one effect as a whole; answer it without naming units")
    by_hand = said.answer is Answer.DONE_BY_HAND
    paid = said.amount if by_hand and said.amount is not None and row.kind == IntentKind.REFUND else row.amount
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
    return not (hold.items or said.items or hold.label or hold.rule in NOT_WAIVED)


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
    """Write down how much of others' refunds the person was shown: a further one is asked about again."""
    seen = [
        {
            "process_id": hold.process_id,
            "rule": REFUNDS_SEEN,
            "amount": Decimal(amount),
            "currency": currency,
            "items": {},
            "hold_id": hold.id,
        }
        for currency, amount in hold.details.get("refunds", {}).items()
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
