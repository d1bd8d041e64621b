"""Lock the returns of a batch, and write what was decided about them: one statement per table, however many."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, func, insert, or_, select, update

from tasks.database.engines import chunks, upsert
from tasks.database.lists import among
from tasks.ledger.audit import append, audit_row
from tasks.ledger.parcels import Moved, end_parcels, note_looks, write_moves
from tasks.ledger.records import (
    BONUS_SUM,
    FEE_TERMS,
    REVIEW_BEFORE,
    SAYS,
    LedgerRecord,
    StoredWaiver,
    fee_terms_json,
    intent_row,
    items_json,
    load,
    new_id,
    paid_json,
    shipping_json,
    shipping_row,
    terms_json,
    terms_row,
    unit_rows,
)
from tasks.ledger.schema import PARCEL, holds, intents, lines, order_shipping, records, units, waivers
from tasks.ledger.types import Actor, Claim, DecideRequest
from tasks.policy.clocks import DIFFER
from tasks.policy.decision import (
    Compensate,
    Decision,
    Hold,
    Nothing,
    RefundDue,
    Wait,
    decision_name,
    left_to_another_run,
)
from tasks.policy.kinds import KINDS, REFUND, Due, Kind, Side
from tasks.policy.record import (
    LASTING,
    MONEY_KINDS,
    HoldKind,
    Intent,
    IntentState,
    OpenHold,
    Record,
    money_intents,
)
from tasks.policy.tracking import changes

# One return of a batch while it is decided about: what will be written, before anything is.


class LostClaim(Exception):  # noqa: N818 - a normal turn of events, not an error
    """Units that this claim needs are taken by a live intent."""


@dataclass(slots=True)
class PendingWrite:
    """What is to be written about one return. `record` is as it will be once that is written."""

    request: DecideRequest
    loaded: LedgerRecord
    record: Record
    actor: Actor
    now: datetime
    decision: Decision
    claim: Claim | None = None
    hold: OpenHold | None = None
    new_hold: bool = False
    costs: Decimal | None = None
    intents: list[dict[str, Any]] = field(default_factory=list)
    units: list[dict[str, Any]] = field(default_factory=list)
    terms: list[dict[str, Any]] = field(default_factory=list)
    shipping: list[dict[str, Any]] = field(default_factory=list)
    holds: list[dict[str, Any]] = field(default_factory=list)
    closed_holds: list[dict[str, Any]] = field(default_factory=list)
    waived: list[StoredWaiver] = field(default_factory=list)
    waivers_used: list[dict[str, Any]] = field(default_factory=list)
    trail: list[dict[str, Any]] = field(default_factory=list)

    def open_intent(self, kind: Kind[Any, Any]) -> Intent | None:
        """The intent that must come to its end before one of this kind is begun."""
        return next((i for i in self.record.intents if i.open and i.kind not in kind.beside), None)

    def waive(self, rule: str, amount: Decimal | None, currency: str) -> bool:
        """Whether a person has let this rule pass for this amount; the waiver is used up by the claim that follows."""
        found = next((w for w in self._unused() if w.waiver.lets_pass(rule, amount, currency)), None)
        if found is not None:
            self.waived.append(found)
        return found is not None

    def close_without_call(self, refund: RefundDue, costs: Decimal, rule: str, why: str) -> None:
        """A refund that comes to nothing after costs: its units are done, and nothing is sent."""
        done = REFUND.intent(refund)
        intent = replace(done, id=new_id(), state=IntentState.DONE, created_at=self.now, nothing_sent=True)
        self._fix(intent, costs)
        self._insert(intent, rule, why, "nothing_to_send")

    def adopt(self, refund: RefundDue, costs: Decimal, rule: str, why: str) -> None:
        """A refund that REVER made itself: done, without us."""
        done = replace(REFUND.intent(refund), adopted=True, nothing_sent=not refund.amount)
        intent = replace(done, id=new_id(), state=IntentState.DONE, created_at=self.now)
        self._fix(intent, costs)
        self._insert(intent, rule, why, "adopted")
        self._use_up(intent)

    def claim_refund(self, due: Compensate, lease: timedelta) -> str:
        """Claim the first refund of what is due; answers its intent's id, for the counters.

        What is due beside it is written down with it: who is asked about its outcome is told what goes out besides.
        """
        refund, *others = due.refunds
        besides = {"pays": format(sum((other.amount for other in others), Decimal(0)), "f")}
        besides |= {"goods": format(due.exchange.gross, "f")} if due.exchange else {}
        intent = self.claim_effect(
            REFUND, refund, due.rule, due.why, lease, costs=due.costs, details={"besides": besides}, counted=True
        )
        return intent.id

    def claim_effect(
        self,
        kind: Kind[Due, Any],
        due: Due,
        rule: str,
        why: str,
        lease: timedelta,
        *,
        costs: Decimal | None = None,
        details: Mapping[str, Any] | None = None,
        counted: bool = False,
    ) -> Intent:
        """Claim one effect that is due; its intent. Raises `LostClaim` where one of its units is taken."""
        intent = replace(kind.intent(due), id=new_id(), created_at=self.now, look_at=self.now + lease)
        content = kind.content(due)
        details = {**kind.stored(content), **(details or {})}
        if kind.name in MONEY_KINDS:
            self._fix(intent, costs)
        self._insert(intent, rule, why, "intended", self.now + lease, details, counted=counted)
        self._use_up(intent)
        self.claim = Claim(intent, self.intents[-1]["token"], self.request.process_id, self.request.store, content)
        return intent

    def stop(self, hold: Hold, refund: RefundDue | None = None) -> None:
        """Hold the return: the hold of the same rule where one is open, else a new one."""
        self.decision = hold
        same = (h for h in self.record.holds if h.rule == hold.rule and h.label == hold.label)
        self.hold = next(same, None)
        if self.hold is not None:
            return
        self.new_hold = True
        self.hold = OpenHold(
            new_id(), 1, hold.kind, hold.rule, hold.why, self.now, hold.label, hold.amount, hold.currency
        )
        self.holds.append(self._hold_row(self.hold, hold, refund))
        self._tell("held", hold.rule, hold.why, hold.amount, hold.currency, hold.evidence, hold_id=self.hold.id)

    def close_holds(self, ended: Mapping[str, str]) -> None:
        """Close these open holds, hold id -> why: what they asked has answered itself."""
        for hold in self.loaded.record.holds:
            if hold.id in ended:
                self.closed_holds.append({"hold": hold.id, "because": ended[hold.id], "at": self.now})
                self._tell("hold_closed", hold.rule, ended[hold.id], hold.amount, hold.currency, {}, hold_id=hold.id)

    def _hold_row(self, opened: OpenHold, hold: Hold, refund: RefundDue | None) -> dict[str, Any]:
        details: dict[str, Any] = {"terms": terms_json(self.request.lines), "day": self.request.day.isoformat()}
        if hold.says:
            details[SAYS] = {line: dict(each) for line, each in hold.says.items()}
        if hold.refunds:
            details["refunds"] = _texts(hold.refunds)
        if hold.kind is not HoldKind.UNREADABLE:  # of which nobody knows what the shopper has
            details["received"] = _texts(self.request.received(self.record))
        names = ("to_pay", "pays", "goods", "besides", "leaves", "leaves_goods", "leaves_by_hand")
        sums = {name: getattr(hold, name) for name in names}
        details |= {name: format(sum_, "f") for name, sum_ in sums.items() if sum_ is not None}
        shipping = hold.shipping if refund is None else refund.shipping
        details |= shipping_json(shipping) if shipping is not None else {}
        if bonus_sum := hold.bonus_sum if refund is None else refund.bonus_sum:
            details[BONUS_SUM] = format(bonus_sum, "f")
        if fees := hold.fee_terms if refund is None else refund.fee_terms:
            details[FEE_TERMS] = fee_terms_json(fees)
        if refund is not None:
            details |= {"method": refund.method, "gross": format(refund.gross, "f")}
        if without_costs := self.request.without_costs(self.record):
            details["without_costs"] = sorted(without_costs)
        if parcel := self.request.parcel():
            details[PARCEL] = [line.as_json() for line in parcel]
        return {
            "id": opened.id,
            "process_id": self.request.process_id,
            "store": self.request.store,
            "kind": hold.kind,
            "rule": hold.rule,
            "why": hold.why,
            "evidence": dict(hold.evidence),
            "amount": hold.amount,
            "currency": hold.currency,
            "items": items_json(hold.items),
            "details": details,
            "label": hold.label,
            "since": self.now,
        }

    def _insert(
        self,
        intent: Intent,
        rule: str,
        why: str,
        event: str,
        lease_until: datetime | None = None,
        details: Mapping[str, Any] | None = None,
        *,
        counted: bool = False,
    ) -> None:
        units = unit_rows(self.request.process_id, intent)
        _check_free(self.record, intent)
        row = intent_row(
            intent,
            process_id=self.request.process_id,
            store=self.request.store,
            day=self.request.day,
            now=self.now,
            rule=rule,
            why=why,
            lease_until=lease_until,
            details=details,
            counted=counted,
        )
        self.intents.append(row)
        self.units += units
        if intent.shipping is not None:
            about = {"store": self.request.store, "process_id": self.request.process_id, "intent_id": intent.id}
            self.shipping.append(shipping_row(intent.shipping, **about))
        self.record = replace(self.record, intents=(*self.record.intents, intent))
        evidence = {"kind": intent.kind, "method": intent.method, "units": row["items"], "gross": str(intent.gross)}
        self._tell(event, rule, why, intent.amount, intent.currency, evidence, intent_id=intent.id)

    def _fix(self, intent: Intent, costs: Decimal | None) -> None:
        """Fix the costs by the first live refund that bears any, and each line's terms by its first live intent."""
        _check_free(self.record, intent)
        if costs is not None and self.record.costs is None and intent.bears_costs:
            self.costs = costs
            self.record = replace(self.record, costs=costs)
        known = dict(self.record.lines)
        for line_id in dict.fromkeys(item.line_id for item in intent.items):
            if line_id not in known:
                known[line_id] = terms = self.request.lines[line_id]
                self.terms.append(terms_row(self.request.process_id, line_id, terms))
        self.record = replace(self.record, lines=known)

    def _use_up(self, intent: Intent) -> None:
        """Mark the waivers that this intent was claimed under: those of guards, and those of rules it completes.

        The rules let a rule pass for the units of its hold, so its waiver is used once they are all taken.
        """
        label = KINDS[intent.kind].side is Side.LABEL
        taken = {(item.line_id, n) for i in money_intents(self.record) for item in i.items for n in item.units}
        for stored in self._unused():
            asked = {(item.line_id, n) for item in stored.items for n in item.units}
            lasting = stored.waiver.rule in LASTING or stored.waiver.rule.startswith("guard:")
            rule = not lasting and stored.label is label and asked <= taken
            if rule or stored in self.waived:
                self.waivers_used.append({"waiver": stored.seq, "intent": intent.id})
                self._tell(
                    "waiver_used",
                    stored.waiver.rule,
                    "",
                    stored.waiver.amount,
                    stored.waiver.currency,
                    {},
                    intent_id=intent.id,
                )

    def _unused(self) -> list[StoredWaiver]:
        gone = {i.id for i in self.record.intents if i.state is IntentState.WITHDRAWN}
        used = {each["waiver"] for each in self.waivers_used}
        return [
            w for w in self.loaded.waivers if w.seq not in used and (not w.waiver.used_by or w.waiver.used_by in gone)
        ]

    def _tell(
        self,
        event: str,
        rule: str,
        why: str,
        amount: Decimal | None,
        currency: str,
        evidence: Mapping[str, Any],
        **ids: str,
    ) -> None:
        said = {"why": why, **evidence} if why else dict(evidence)
        self.trail.append(
            audit_row(
                self.actor,
                self.now,
                event,
                self.request.process_id,
                rule=rule,
                evidence=said,
                amount=amount,
                currency=currency,
                **ids,
            )
        )


def _texts(amounts: Mapping[str, Decimal]) -> dict[str, str]:
    return {currency: format(amount, "f") for currency, amount in amounts.items()}


def _keys(intents: Iterable[Intent]) -> set[tuple[str, str, int]]:
    return {(row["space"], row["line_id"], row["n"]) for intent in intents for row in unit_rows("", intent)}


def _check_free(record: Record, intent: Intent) -> None:
    """Refuse before the database does; the unique key stays the promise."""
    wanted = unit_rows("", intent)
    if not wanted or len(_keys([intent])) < len(wanted) or _keys([intent]) & _keys(i for i in record.intents if i.live):
        raise LostClaim


_LOCK = (
    select(records, REVIEW_BEFORE)
    .where(among(records.c.process_id, "ids"))
    .order_by(records.c.process_id)
    .with_for_update(of=records)
)
_AT = records.c.run_began_at.type
_BEGAN = bindparam("began", type_=records.c.run_began_at.type)
# Of two runs at the same time the one that began last counts, in whatever order they write.
_LAST_BEGAN = case(
    (
        _BEGAN.is_(None)
        | ((records.c.run_began_at > _BEGAN) & (records.c.run_began_at <= bindparam("believed", type_=_AT))),
        records.c.run_began_at,
    ),
    else_=_BEGAN,
)
_LOOKED = (
    update(records)
    .where(records.c.process_id == bindparam("p"))
    .values(
        store=bindparam("s"),
        order_name=bindparam("o"),
        decision=bindparam("d"),
        rule=bindparam("r"),
        why=bindparam("w"),
        looked_at=bindparam("looked"),
        next_look_at=bindparam("next"),
        run_began_at=_LAST_BEGAN,
        final=bindparam("f"),
        costs=func.coalesce(bindparam("c", type_=records.c.costs.type), records.c.costs),
    )
)
_IN_HAND = select(intents.c.id).where(
    intents.c.process_id == records.c.process_id,
    or_(intents.c.state == IntentState.INTENDED, intents.c.state == IntentState.SENT),  # IN cannot be used for many
)
_TOOK_ON = (
    update(records).where(records.c.process_id == bindparam("p"), ~_IN_HAND.exists()).values(run_began_at=_LAST_BEGAN)
)
_FREE = delete(units).where(among(units.c.process_id, "ids"), among(units.c.intent_id, "dead"))
_PAID = (
    update(intents)
    .where(intents.c.id == bindparam("intent"), intents.c.state == IntentState.DONE)
    .values(paid_seen=bindparam("paid", type_=intents.c.paid_seen.type))
)
_USE = update(waivers).where(waivers.c.seq == bindparam("waiver")).values(used_by=bindparam("intent"))
_CLOSE = (
    update(holds)
    .where(holds.c.id == bindparam("hold"), holds.c.state == "open")
    .values(state="closed", closed_why=bindparam("because"), answered_at=bindparam("at"), version=holds.c.version + 1)
)
_INTENTS, _UNITS, _HOLDS, _SHIPPING = insert(intents), insert(units), insert(holds), insert(order_shipping)


def lock_and_load(conn: Connection, requests: Sequence[DecideRequest]) -> dict[str, LedgerRecord]:
    """Lock each return's row until the commit, in order of id, making those that are missing; load what is known."""
    ids = [request.process_id for request in requests]
    known = lock_rows(conn, ids)
    missing = [request for request in requests if request.process_id not in known]
    if missing:
        rows = [{"process_id": r.process_id, "store": r.store, "order_name": r.order_name} for r in missing]
        conn.execute(upsert(conn, records, ["process_id"]), rows)
        # On PostgreSQL another worker may have made one meanwhile: then it is known after all, and has a past.
        known |= lock_rows(conn, [request.process_id for request in missing])
    return load(conn, known)


def lock_rows(conn: Connection, ids: Sequence[str]) -> dict[str, Any]:
    """Lock the rows of these returns that are there."""
    return {row.process_id: row for piece in chunks(ids) for row in conn.execute(_LOCK, {"ids": piece})}


def write(conn: Connection, drafts: Sequence[PendingWrite]) -> None:
    """Write all drafts. Raises `IntegrityError` where a unit is taken after all, or another return of the order has had
    a part of its shipping meanwhile; then nothing of it may stay.
    """
    _free_units(conn, drafts)
    _insert(conn, _INTENTS, [row for draft in drafts for row in draft.intents])
    _insert(conn, _UNITS, [row for draft in drafts for row in draft.units])
    _insert(conn, _SHIPPING, [row for draft in drafts for row in draft.shipping])
    write_terms(conn, [row for draft in drafts for row in draft.terms])
    _insert(conn, _CLOSE, [row for draft in drafts for row in draft.closed_holds])
    _insert(conn, _HOLDS, [row for draft in drafts for row in draft.holds])
    _insert(conn, _USE, [row for draft in drafts for row in draft.waivers_used])
    _insert(conn, _PAID, [row for draft in drafts for row in _paid(draft)])
    conn.execute(_LOOKED, [_looked(draft) for draft in drafts])
    _note_parcels(conn, drafts)
    append(conn, [row for draft in drafts for row in _trail(draft)])


def _note_parcels(conn: Connection, drafts: Sequence[PendingWrite]) -> None:
    """Write down where these reads show the parcels, where that is news; the drafts are in order of id."""
    if not drafts:
        return
    now, actor, found, looked, over = drafts[0].now, drafts[0].actor, list[Moved](), set[str](), set[str]()
    for draft in drafts:
        request, view = draft.request, draft.request.view
        if view is None or draft.record.archived_at is not None:
            continue
        known = draft.record.parcels or ()
        moved = changes(known, view, now)
        found += [Moved(request.process_id, request.store, request.order_name, change) for change in moved]
        looked |= {request.process_id} if known and view.tells else set()
        over |= {request.process_id} if known and view.over else set()
    write_moves(conn, found, now=now, actor=actor)
    note_looks(conn, looked, now=now)
    end_parcels(conn, over)


def took_on(conn: Connection, process_ids: Collection[str], *, began: datetime, now: datetime) -> None:
    """The run that began then has carried out what it claimed for these returns: it leaves nothing to another run.

    Where a decision claims an effect, nobody knows yet whether the run comes so far. A return of which another effect
    is in hand is left out: whose that is may break off.
    """
    ids = sorted(process_ids)
    lock_rows(conn, ids)
    if ids:
        conn.execute(_TOOK_ON, [{"p": each, "began": began, "believed": now + DIFFER} for each in ids])


def write_terms(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Fix the terms of lines, over those that only dead intents had fixed."""
    if rows:
        fixed = ["total", "quantity", "currency"]
        conn.execute(upsert(conn, lines, ["process_id", "line_id"], fixed), list(rows))


def free_dead_units(conn: Connection, found: Sequence[Record]) -> None:
    """Let go of the units that refused and withdrawn intents still name. Such an intent never lives again."""
    dead = {intent.id: record.process_id for record in found for intent in record.intents if not intent.live}
    if dead:
        conn.execute(_FREE, {"ids": sorted(set(dead.values())), "dead": list(dead)})


def _paid(draft: PendingWrite) -> list[dict[str, Any]]:
    """What REVER shows as paid of the done refunds; told in the audit where it is not all, or not what it was."""
    made = {intent.id: intent for intent in draft.record.intents}
    rows = []
    for intent_id, seen in draft.request.paid(draft.record).items():
        rows.append({"intent": intent_id, "paid": paid_json(seen)})
        intent = made[intent_id]
        before = intent.amount if intent.paid_seen is None else intent.paid_seen.paid
        if seen.paid != before:
            evidence = {"paid": str(seen.paid), "on its way": str(intent.amount - seen.paid), "before": str(before)}
            draft.trail.append(
                audit_row(
                    draft.actor, draft.now, "paid", draft.request.process_id, rule=draft.decision.rule,
                    evidence=evidence, amount=seen.paid, currency=intent.currency, intent_id=intent_id,
                )
            )  # fmt: skip
    return rows


def _free_units(conn: Connection, drafts: Sequence[PendingWrite]) -> None:
    free_dead_units(conn, [draft.loaded.record for draft in drafts if draft.units])


def _insert(conn: Connection, statement: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        conn.execute(statement, rows)


def _looked(draft: PendingWrite) -> dict[str, Any]:
    request, decision = draft.request, draft.decision
    return {
        "p": request.process_id,
        "s": request.store,
        "o": request.order_name,
        "d": str(decision_name(decision)),
        "r": decision.rule,
        "w": decision.why,
        "looked": draft.now,
        "next": decision.until if isinstance(decision, Wait) else request.next_look_at,
        "began": None if _left_to_another_run(draft) else draft.actor.run_began_at,
        "believed": draft.now + DIFFER,
        "f": _final(draft.loaded, decision) and not draft.record.holds,
        "c": draft.costs,
    }


def _left_to_another_run(draft: PendingWrite) -> bool:
    """Whether the run may not do what is due, or something is in hand: of this run's claim too nothing is known yet."""
    return left_to_another_run(draft.decision) or any(intent.in_hand for intent in draft.record.intents)


def _final(loaded: LedgerRecord, decision: Decision) -> bool:
    """Whether the return is at its end, were it not for open holds: a return that waits for a person is not.

    An end stays one, whatever an older view of the return says; only something to do or to ask opens it again.
    """
    if isinstance(decision, Nothing) and decision.final:
        return True
    return loaded.final and (isinstance(decision, Nothing) or (isinstance(decision, Wait) and not decision.reopens))


def _trail(draft: PendingWrite) -> list[dict[str, Any]]:
    decision = draft.decision
    said = (str(decision_name(decision)), decision.rule, decision.why)
    if said == draft.loaded.decided:
        return draft.trail
    evidence = {"decision": said[0], "why": decision.why}
    row = audit_row(draft.actor, draft.now, "decided", draft.request.process_id, rule=decision.rule, evidence=evidence)
    return [row, *draft.trail]
