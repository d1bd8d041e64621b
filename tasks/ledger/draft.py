"""One return of a batch while it is decided about: what will be written, before anything is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tasks.ledger.records import Loaded, StoredWaiver
from tasks.ledger.rows import exchange_json, intent_row, items_json, label_json, new_id, terms_json, unit_rows
from tasks.ledger.trail import audit_row
from tasks.ledger.types import Actor, Claim, DecideRequest
from tasks.policy.decision import Compensate, Decision, ExchangeDue, Hold, MakeLabel, RefundDue
from tasks.policy.record import (
    LASTING,
    MONEY_KINDS,
    HoldKind,
    Intent,
    IntentKind,
    IntentState,
    LineTerms,
    LineUnits,
    OpenHold,
    Record,
)


class LostClaim(Exception):  # noqa: N818 - a normal turn of events, not an error
    """Units that this claim needs are taken by a live intent."""


@dataclass(slots=True)
class Draft:
    """What is to be written about one return. `record` is as it will be once that is written."""

    request: DecideRequest
    loaded: Loaded
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
    holds: list[dict[str, Any]] = field(default_factory=list)
    closed_holds: list[dict[str, Any]] = field(default_factory=list)
    waived: list[StoredWaiver] = field(default_factory=list)
    waivers_used: list[dict[str, Any]] = field(default_factory=list)
    trail: list[dict[str, Any]] = field(default_factory=list)

    def open_intent(self, *, money: bool) -> Intent | None:
        """The intent that must come to its end first."""
        return next((i for i in self.record.intents if i.open and (i.kind in MONEY_KINDS) is money), None)

    def waive(self, rule: str, amount: Decimal | None, currency: str) -> bool:
        """Whether a person has let this rule pass for this amount; the waiver is used up by the claim that follows."""
        found = next((w for w in self._unused() if w.waiver.lets_pass(rule, amount, currency)), None)
        if found is not None:
            self.waived.append(found)
        return found is not None

    def close_without_call(self, refund: RefundDue, costs: Decimal, rule: str, why: str) -> None:
        """A refund that comes to nothing after costs: its units are done, and nothing is sent."""
        intent = self._refund(refund, IntentState.DONE, nothing_sent=True)
        self._fix(intent, costs)
        self._insert(intent, rule, why, "nothing_to_send")

    def adopt(self, refund: RefundDue, costs: Decimal, rule: str, why: str) -> None:
        """A refund that REVER made itself: done, without us."""
        intent = self._refund(refund, IntentState.DONE, adopted=True, nothing_sent=not refund.amount)
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
        intent = replace(self._refund(refund, IntentState.INTENDED), look_at=self.now + lease)
        self._fix(intent, due.costs)
        self._claim(intent, due.rule, due.why, lease, {"besides": besides}, counted=True)
        return intent.id

    def claim_exchange(self, exchange: ExchangeDue, rule: str, why: str, lease: timedelta) -> None:
        """Claim the exchange."""
        intent = Intent(
            id=new_id(),
            kind=IntentKind.EXCHANGE,
            state=IntentState.INTENDED,
            items=tuple(LineUnits(item.line_id, item.units) for item in exchange.items),
            currency=exchange.currency,
            gross=exchange.gross,
            created_at=self.now,
            look_at=self.now + lease,
        )
        self._fix(intent, None)
        self._claim(intent, rule, why, lease, {"exchange": exchange_json(exchange.items)})
        assert self.claim is not None  # noqa: S101 - set by the line above
        self.claim = replace(self.claim, exchange_items=exchange.items)

    def claim_label(self, label: MakeLabel, lease: timedelta) -> None:
        """Claim the label."""
        intent = Intent(
            id=new_id(),
            kind=IntentKind.LABEL,
            state=IntentState.INTENDED,
            generation=label.generation,
            carrier=f"{label.provider}/{label.carrier}",
            created_at=self.now,
            look_at=self.now + lease,
        )
        self._claim(intent, label.rule, label.why, lease, {"label": label_json(label)})
        assert self.claim is not None  # noqa: S101 - set by the line above
        self.claim = replace(self.claim, label=label)

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
        if hold.refunds:
            details["refunds"] = _texts(hold.refunds)
        if hold.kind is not HoldKind.UNREADABLE:  # of which nobody knows what the shopper has
            details["received"] = _texts(self.request.received(self.record))
        sums = {name: getattr(hold, name) for name in ("pays", "goods", "besides", "leaves", "leaves_goods")}
        details |= {name: format(sum_, "f") for name, sum_ in sums.items() if sum_ is not None}
        if refund is not None:
            details |= {"method": refund.method, "gross": format(refund.gross, "f")}
        elif self.request.exchanged:
            details["exchanged"] = sorted(self.request.exchanged)
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

    def _refund(
        self, refund: RefundDue, state: IntentState, *, adopted: bool = False, nothing_sent: bool = False
    ) -> Intent:
        return Intent(
            id=new_id(),
            kind=IntentKind.REFUND,
            state=state,
            items=refund.items,
            method=refund.method,
            currency=refund.currency,
            amount=refund.amount,
            gross=refund.gross,
            created_at=self.now,
            adopted=adopted,
            nothing_sent=nothing_sent,
        )

    def _claim(
        self,
        intent: Intent,
        rule: str,
        why: str,
        lease: timedelta,
        details: Mapping[str, Any] | None = None,
        *,
        counted: bool = False,
    ) -> None:
        self._insert(intent, rule, why, "intended", self.now + lease, details, counted=counted)
        self._use_up(intent)
        self.claim = Claim(intent, self.intents[-1]["token"], self.request.process_id, self.request.store)

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
        self.record = replace(self.record, intents=(*self.record.intents, intent))
        evidence = {"kind": intent.kind, "method": intent.method, "units": row["items"], "gross": str(intent.gross)}
        self._tell(event, rule, why, intent.amount, intent.currency, evidence, intent_id=intent.id)

    def _fix(self, intent: Intent, costs: Decimal | None) -> None:
        """Fix the costs by the first live refund intent, and each line's terms by its first live intent."""
        _check_free(self.record, intent)
        if costs is not None and self.record.costs is None:
            self.costs = costs
            self.record = replace(self.record, costs=costs)
        known = dict(self.record.lines)
        for line_id in dict.fromkeys(item.line_id for item in intent.items):
            if line_id not in known:
                known[line_id] = terms = self.request.lines[line_id]
                self.terms.append(_terms_row(self.request.process_id, line_id, terms))
        self.record = replace(self.record, lines=known)

    def _use_up(self, intent: Intent) -> None:
        """Mark the waivers that this intent was claimed under: those of guards, and those of rules it completes.

        The rules let a rule pass for the units of its hold, so its waiver is used once they are all taken.
        """
        label = intent.kind is IntentKind.LABEL
        taken = {(item.line_id, n) for i in self.record.intents if i.live for item in i.items for n in item.units}
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


def _terms_row(process_id: str, line_id: str, terms: LineTerms) -> dict[str, Any]:
    return {
        "process_id": process_id,
        "line_id": line_id,
        "total": terms.total,
        "quantity": terms.quantity,
        "currency": terms.currency,
    }


def _texts(amounts: Mapping[str, Decimal]) -> dict[str, str]:
    return {currency: format(amount, "f") for currency, amount in amounts.items()}


def _keys(intents: Iterable[Intent]) -> set[tuple[str, str, int]]:
    return {(row["space"], row["line_id"], row["n"]) for intent in intents for row in unit_rows("", intent)}


def _check_free(record: Record, intent: Intent) -> None:
    """Refuse before the database does; the unique key stays the promise."""
    wanted = unit_rows("", intent)
    if not wanted or len(_keys([intent])) < len(wanted) or _keys([intent]) & _keys(i for i in record.intents if i.live):
        raise LostClaim
