"""The holds that wait for a person, and what each answer would do."""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, exists, select

from tasks.ledger.records import items_of, shipping_of, terms_of
from tasks.ledger.schema import PARCEL, audit, holds, intents, records
from tasks.ledger.types import Answer, HoldRow, PastHold
from tasks.policy.decision import NOT_WAIVED
from tasks.policy.kinds import KINDS
from tasks.policy.money import shown
from tasks.policy.parcel import parcel_from
from tasks.policy.record import HoldKind, IntentState
from tasks.policy.rules.label import TAKEN_AS_SHOWN

HOLDS = (
    select(
        holds,
        records.c.order_name,
        intents.c.state.label("intent_state"),
        intents.c.kind.label("intent_kind"),
        intents.c.details.label("intent_details"),
    )
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


def held_since(conn: Connection, since: datetime) -> set[str]:
    """The stores of which a hold was opened, answered or closed since then."""
    changed = select(holds.c.store).where((holds.c.since >= since) | (holds.c.answered_at >= since))
    return set(conn.execute(changed.distinct()).scalars())


def held_by(conn: Connection, rule: str, process_ids: Collection[str]) -> set[str]:
    """Those of these returns with an open hold of this rule."""
    held = select(holds.c.process_id).where(holds.c.rule == rule, holds.c.state == "open")
    return {row.process_id for row in conn.execute(held)} & set(process_ids)


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
        amount=row.amount,
        currency=row.currency,
        label=row.label,
        intent_id=row.intent_id,
        answers=_answers(row),
        parcel=parcel_from(row.details.get(PARCEL, ())),
        items=items_of(row.items),
    )


_WAITS_FOR_REVER = frozenset({HoldKind.NOT_PAID_BY_REVER, HoldKind.ON_ITS_WAY, HoldKind.CAME_BACK})
"""Kinds of hold about money that REVER is to pay: to go on is to wait for it."""


def going_on(row: Row[Any], intent_state: str) -> Answer:
    """The one answer that goes on with this hold, and says what that does: of a row of `holds` and its intent's state.

    A hold about an intent that has ended is just a question. What no person can let pass is looked at again. What was
    refused or failed is sent again. Where units are due that a rule holds, a person approves; where none are, they take
    what is shown as it is.
    """
    if intent_state == IntentState.UNKNOWN:
        return Answer.SEND_AGAIN
    if row.intent_id or row.rule in TAKEN_AS_SHOWN:
        return Answer.TAKE_AS_IT_IS
    if row.rule in NOT_WAIVED or row.kind in _WAITS_FOR_REVER:
        return Answer.LOOK_AGAIN
    if row.kind == HoldKind.AFTER_RESTORE:
        return Answer.APPROVE
    if row.label or row.kind in {HoldKind.REFUSED, HoldKind.OUT_OF_STOCK}:
        return Answer.SEND_AGAIN
    return Answer.APPROVE if row.items else Answer.TAKE_AS_IT_IS


def _answers(row: Row[Any]) -> Mapping[str, str]:
    """What each answer does, and what happens to the money, in numbers."""
    word = going_on(row, row.intent_state or "")
    if row.intent_state == IntentState.UNKNOWN:
        return _unknown(word, row)
    state = "state the reference" if row.label else "state amount, date and reference"
    if row.intent_id:
        return {
            word: "closes the question; the rules go on with this return as the ledger has it; "
            f"{_nothing_more(row)}; {_GOES_ON}",
            Answer.DONE_BY_HAND: f"closes the question as put right by hand; {state}; {_closed(row, by_hand=True)}",
            Answer.DROP: f"closes the question; nothing is put right; {_closed(row)}",
        }
    of_label = row.label and row.rule not in TAKEN_AS_SHOWN
    if row.items or of_label or row.rule in NOT_WAIVED or shipping_of(row.details) is not None:
        units = _units(row)
        never = "makes it" if row.label else "pays or exchanges these units"
        return {
            word: _going_on(word, row),
            Answer.DONE_BY_HAND: f"closes {units} as done outside of this desk; {state}; {_closed(row, by_hand=True)}",
            Answer.DROP: f"closes {units} for good; this desk never {never} again; {_closed(row)}",
        }
    return {
        word: _going_on(word, row),
        Answer.DONE_BY_HAND: f"takes it as put right outside of this desk; {state}; {_closed(row, by_hand=True)}",
        Answer.DROP: f"takes it as REVER shows it, and does not ask this again; no unit is closed; {_closed(row)}",
    }


_GOES_ON = "what else is due goes out"
_STAYS = "what else is due stays due"
_UNLESS = "unless another rule or cap holds it"


def _going_on(word: Answer, row: Row[Any]) -> str:
    if row.rule in NOT_WAIVED:
        return (
            "looks again, and holds again as long as REVER shows the same; "
            f"{_NO_MONEY if row.label else 'nothing is paid as long as it does'}"
        )
    if row.kind in {HoldKind.ON_ITS_WAY, HoldKind.CAME_BACK}:
        waits = "waits for REVER as long again (REVER_ON_ITS_WAY_AFTER), then asks again"
        return f"{waits}; {_nothing_more(row)}; {_GOES_ON}"
    if word is Answer.LOOK_AGAIN:
        return f"goes on waiting for REVER to pay; {_nothing_more(row)}"
    does = f"lets `{row.rule}` pass once, and goes on"
    if word is Answer.SEND_AGAIN:
        does = "asks for another label" if row.label else "sends it once more"
    elif word is Answer.TAKE_AS_IT_IS:
        does = "takes it as it is, does not ask this again, and goes on"
    elif row.kind == HoldKind.FOREIGN_REFUND:
        does = "pays what is due in addition to what REVER shows"
    return f"{does}; {_what_goes_out(row)}"


def _what_goes_out(row: Row[Any]) -> str:
    """The money and goods that go out when the rule is let pass, where they were worked out: all of the return's."""
    if row.label:
        return f"{_NO_MONEY} for the label; {_GOES_ON}"
    details = row.details
    if "pays" not in details:
        most = f"for up to {row.amount:f} {row.currency}" if row.amount is not None else "the amount is worked out then"
        return f"{most}; {_GOES_ON}"
    pays, goods, currency = Decimal(details["pays"]), Decimal(details.get("goods", 0)), _currency(row)
    besides = Decimal(details.get("besides", 0))
    said = [_more(row, pays, currency, besides)] if pays else [_nothing_more(row)]
    said += [f"goods worth {shown(goods, currency)} are ordered"] if goods else []
    said += [_UNLESS] if pays or goods else []
    return ", ".join(said) + ("" if "besides" in details else f"; {_GOES_ON}")


def _unknown(word: Answer, row: Row[Any]) -> Mapping[str, str]:
    kind = KINDS[row.intent_kind]
    paid = row.amount if kind.pays else None
    what = f"the {kind.noun}" + (f" of {row.amount:f} {row.currency}" if paid else "")
    goes, stays = _beside_unknown(row)
    again = gone = by_hand = f"{_NO_MONEY} for it"
    if paid:
        again = f"{_more(row, paid, row.currency)}; were the first to land after all, {_in_all(row, 2 * paid)}"
        gone = f"{_nothing_more(row, ' for it')}; were the first to land after all, {_in_all(row, paid)}"
        by_hand = f"{_nothing_more(row, ' for it')}{_BY_HAND}; were the first to land after all, "
        by_hand += f"{shown(paid, row.currency)} more"
    state = "state amount, date and reference" if paid else "state the reference"
    return {
        word: f"reads REVER first; where it does not show {what}, {kind.again}; {again}; {goes}",
        Answer.DONE_BY_HAND: f"closes {what} as done outside of this desk; {state}; {by_hand}; {stays}",
        Answer.DROP: f"closes {what} for good; it is never sent again; {gone}; {stays}",
    }


def _beside_unknown(row: Row[Any]) -> tuple[str, str]:
    """What goes out beside an effect of unknown outcome once it is sent again, and what stays due once it is closed.

    The figures are those of the moment at which it was claimed: until it is at its end nothing is worked out anew.
    """
    beside = (row.intent_details or {}).get("besides")
    if beside is None:
        return _GOES_ON, _STAYS
    sums, many = _sums(Decimal(beside["pays"]), Decimal(beside.get("goods", 0)), str(row.currency))
    if not sums:
        return "nothing else was due", "nothing else was due"
    return f"then {sums} that {'were' if many else 'was'} due besides", f"{sums} {'stay' if many else 'stays'} due"


_NO_MONEY = "no money moves"
_BY_HAND = ", plus what was paid by hand outside REVER"


def _sums(money: Decimal, goods: Decimal, currency: str) -> tuple[str, bool]:
    """`22.30 EUR and goods worth 37.00 EUR`, and whether that is a plural; empty where it is nothing."""
    said = [shown(money, currency)] if money else []
    said += [f"goods worth {shown(goods, currency)}"] if goods else []
    return " and ".join(said), bool(goods)


def _more(row: Row[Any], amount: Decimal, currency: str, besides: Decimal = Decimal(0)) -> str:
    """`the shopper gets 106.29 EUR more, 201.95 EUR in all`, and how much of it is due besides, if any is."""
    if not besides:
        return f"the shopper gets {shown(amount, currency)} more, {_in_all(row, amount)}"
    own, rest = shown(amount - besides, currency), f"{shown(besides, currency)} that is due besides"
    if amount == besides:
        return f"the shopper gets {rest}, {_in_all(row, amount)}"
    return f"the shopper gets {own} more for this, and {rest}, {_in_all(row, amount)}"


def _nothing_more(row: Row[Any], of: str = "") -> str:
    if row.label:
        return _NO_MONEY
    return f"the shopper gets nothing more{of}, {_in_all(row, Decimal(0))}"


def _closed(row: Row[Any], *, by_hand: bool = False) -> str:
    """What an answer that closes leaves: nothing more for its units, and what stays due for the others.

    This desk sends nothing for what was done by hand, and what a person paid may not be among what is shown.
    """
    besides = _BY_HAND if by_hand and not row.label else ""
    if row.label:
        return f"{_NO_MONEY}; {_STAYS}"
    leaves = row.details.get("leaves")
    leaves = row.details.get("leaves_by_hand", leaves) if by_hand else leaves
    if leaves is None:
        return f"{_nothing_more(row)}{besides}; {_STAYS}"
    left, currency = Decimal(leaves), _currency(row)
    sums, many = _sums(left, Decimal(row.details.get("leaves_goods", 0)), currency)
    if not sums:
        return f"{_nothing_more(row)}{besides}"
    then = f", {_in_all(row, left)} with it" if left else ""
    return (
        f"{_nothing_more(row, ' for these units')}{besides}; {sums} {'stay' if many else 'stays'} due for other units"
        f" and {'go' if many else 'goes'} out by the next run{then}, {_UNLESS}"
    )


def _in_all(row: Row[Any], more: Decimal) -> str:
    """What the shopper has then, currency by currency, by what REVER and the ledger showed when the hold was opened."""
    if "received" not in row.details:
        return "on top of what was paid before" if more else "as before"
    sums = {currency: Decimal(amount) for currency, amount in row.details["received"].items()}
    currency = _currency(row)
    sums[currency] = sums.get(currency, Decimal(0)) + more
    return " and ".join(shown(amount, name) for name, amount in sums.items()) + " in all"


def _currency(row: Row[Any]) -> str:
    """The currency of the hold, else the one of the return's lines."""
    return str(row.currency or next((terms.currency for terms in terms_of(row.details).values()), ""))


def _units(row: Row[Any]) -> str:
    if row.label:
        return "the label"
    shipping = "the shipping of its order" if shipping_of(row.details) is not None else ""
    if not row.items:
        return shipping or "the units you name"
    count = sum(len(units) for units in row.items.values())
    lines = ", ".join(f"{line}: {', '.join(map(str, units))}" for line, units in row.items.items())
    return f"{count} unit{'s' if count > 1 else ''} (line {lines}){f' and {shipping}' if shipping else ''}"
