"""A refund: one issueRefund of an amount by one method, for units of lines."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from rever_api.models import Refund, ReturnProcess
from tasks.policy import decide
from tasks.policy.comparison import Standing
from tasks.policy.decision import Compensate, Decision, RefundDue
from tasks.policy.facts import paid_of, refunds_shown, strange
from tasks.policy.kinds.kind import Held, Kind, Seen, UnitKey, count
from tasks.policy.money import shown
from tasks.policy.record import (
    LABEL_KINDS,
    Intent,
    IntentKind,
    IntentState,
    Record,
    compensation_units,
    shipping_unit,
    units_of,
)
from tasks.policy.store import StoreRules


class RefundKind(Kind[RefundDue, None]):
    """Money back to the shopper. REVER shows it among the refunds of the return, in one piece or in legs."""

    name = IntentKind.REFUND
    noun = "refund"
    pays = True
    beside = LABEL_KINDS

    def key(self, intent: Intent) -> list[UnitKey]:
        """Each unit that it is for: one is refunded or exchanged, never both. With it the order's shipping, if any."""
        return compensation_units(intent) + shipping_unit(intent)

    def intent(self, due: RefundDue) -> Intent:
        """Return the intent of a refund that is due."""
        return Intent(
            id="",
            kind=self.name,
            state=IntentState.INTENDED,
            items=due.items,
            method=due.method,
            currency=due.currency,
            amount=due.amount,
            gross=due.gross,
            exempt=due.exempt,
            bonus=due.bonus,
            bonus_sum=due.bonus_sum,
            fee=due.fee,
            fee_terms=due.fee_terms,
            shipping=due.shipping,
        )

    def content(self, due: RefundDue) -> None:
        """Nothing: the intent says it all."""

    def stored(self, content: None) -> dict[str, Any]:
        """Nothing."""
        return {}

    def restored(self, intent: Intent, details: Mapping[str, Any], rule: str, why: str) -> None:
        """Nothing."""

    def decide(
        self, process: ReturnProcess, rules: StoreRules, record: Record, now: datetime, content: None
    ) -> Decision:
        """Decide by the whole rules."""
        return decide.decide(process, rules, record, now)

    def covers(self, decision: Decision, intent: Intent, content: None) -> bool:
        """Say whether one of the refunds due is this one, in method, amount, currency, units and shipping."""
        if not isinstance(decision, Compensate):
            return False
        asked = (intent.method, intent.amount, intent.currency, units_of(intent.items), intent.shipping)
        return any(
            (it.method, it.amount, it.currency, units_of(it.items), it.shipping) == asked for it in decision.refunds
        )

    def knew(self, intent: Intent, done: Sequence[Any]) -> dict[str, Any]:
        """Add `ledger_paid`: what the done refunds of its method and currency come to.

        What people paid elsewhere is not REVER's to show.
        """
        purse = (intent.method, intent.currency)
        ours = [row for row in done if row.state == IntentState.DONE and (row.method, row.currency) == purse]
        paid = sum((row.amount for row in ours), Decimal(0))
        return super().knew(intent, done) | ({"ledger_paid": str(paid)} if paid else {})

    def alike(self, intent: Intent, row: Any) -> bool:
        """Whether it is of the same method, amount and currency."""
        alike: bool = (row.method, row.amount, row.currency) == (intent.method, intent.amount, intent.currency)
        return alike

    def snapshot(self, intent: Intent, content: None, process: ReturnProcess) -> dict[str, Any]:
        """Count the refunds like this one and all, and list the amounts of its type and currency."""
        of_type = _of_type(process, intent.method, intent.currency)
        return {
            "same": sum(it.amount == intent.amount for it in of_type),
            "refunds": len(refunds_shown(process)),
            "of_type": sorted(str(it.amount) for it in of_type),
        }

    def look(
        self, intent: Intent, before: Mapping[str, Any], process: ReturnProcess, now: datetime
    ) -> Seen | Held | str:
        """One more of this type, amount and currency than was known, and nothing else more; or its legs."""
        if process.compensation is None or process.compensation.refunds is None:
            return "REVER's answer does not tell the refunds"
        of_type = _of_type(process, intent.method, intent.currency)
        for it in of_type:
            if how := strange(it):
                return Held(f"REVER shows a refund by {intent.method} of which what is still to be paid {how}")
        alike, everything = [it for it in of_type if it.amount == intent.amount], len(refunds_shown(process))
        new = len(alike) - max(count(before, "same"), count(before, "ledger_knew"))
        others = (everything - len(alike)) - (count(before, "refunds") - count(before, "same"))
        legs = _legs(intent, before, process) if new < 1 else ()
        if legs:
            return _in_legs(intent, before, legs, now)
        paid = f"{shown(intent.amount, intent.currency)} by {intent.method}"
        evidence = {
            "refunds like this": str(len(alike)),
            "known before": str(len(alike) - new),
            "all refunds": str(everything),
        }
        if new > 1 or others > 0:
            many = f"REVER shows {new} more refunds of {paid} where one was sent"
            another = f"REVER shows another new refund beside, or instead of, the one of {paid} that was sent"
            return Held(many if new > 1 else another, evidence)
        if new < 1:
            return f"REVER does not show the refund of {paid} that was sent"
        return Seen(evidence, Standing.of(intent, [min(alike, key=paid_of)]).seen(now))


def _in_legs(intent: Intent, before: Mapping[str, Any], legs: Sequence[Refund], now: datetime) -> Seen | str:
    """The new refunds come to what was sent. Where the view before was an old one, they may be older ones of ours."""
    words = " + ".join(str(it.amount) for it in legs)
    if sum(Decimal(it) for it in before["of_type"]) < Decimal(str(before.get("ledger_paid", 0))):
        paid = f"{shown(intent.amount, intent.currency)} by {intent.method}"
        return f"REVER shows {words} in place of {paid}, and its view before the call may have been an old one"
    return Seen({"legs": words}, Standing.of(intent, legs).seen(now))


def _legs(intent: Intent, before: Mapping[str, Any], process: ReturnProcess) -> tuple[Refund, ...]:
    """The new refunds of the type, where they are several, come to the amount exactly, and are all that has changed."""
    known = before.get("of_type")
    shown_now = _of_type(process, intent.method, intent.currency)
    elsewhere = len(refunds_shown(process)) - len(shown_now)
    if not isinstance(known, list) or elsewhere != count(before, "refunds") - len(known):
        return ()
    left, new = Counter(Decimal(it) for it in known), []
    for it in shown_now:
        if left[it.amount] > 0:
            left[it.amount] -= 1
        else:
            new.append(it)
    exact = len(new) > 1 and all(it.amount > 0 for it in new) and sum(it.amount for it in new) == intent.amount
    return tuple(new) if exact and not +left else ()


def _of_type(process: ReturnProcess, method: str, currency: str) -> list[Refund]:
    """The refunds of this type and currency that REVER shows."""
    return [it for it in refunds_shown(process) if (it.type, it.currency) == (method, currency)]


REFUND = RefundKind()
