"""The guards: caps that are judged inside the transaction of the claim, against counters it has locked."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from tasks.ledger import counters
from tasks.ledger.draft import Draft
from tasks.policy.decision import Compensate, Hold, RefundDue
from tasks.policy.reading import counted
from tasks.policy.record import HoldKind

MAX_REFUND = "guard:max_refund"
MAX_PER_DAY = "guard:max_per_day"
MAX_PER_SHOPPER = "guard:max_refunds_per_shopper"
SHOPPER_UNKNOWN = "guard:shopper_unknown"


@dataclass(slots=True)
class Guard:
    """The locked counters of a batch. Returns are judged one by one, each against what those before it claimed."""

    now: datetime
    key: bytes
    days: dict[counters.StoreDay, int]
    shoppers: dict[str, list[datetime]]
    spent: dict[counters.StoreDay, int] = field(default_factory=lambda: defaultdict(int))
    refunds: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def lock(cls, conn: Connection, asked: Sequence[tuple[Draft, RefundDue]], *, now: datetime, key: bytes) -> "Guard":
        """Lock the counters of all refunds that a batch wants to claim, days first, then shoppers."""
        days = counters.lock_days(conn, (_day(draft, refund) for draft, refund in asked))
        capped = [draft.request for draft, _ in asked if draft.request.guards.max_refunds_per_shopper]
        hashes = {each for request in capped for each in counters.shopper_hashes(key, request.shopper_email)}
        widest = max((request.guards.shopper_window_days for request in capped), default=0)
        return cls(now, key, days, counters.lock_shoppers(conn, hashes, now - timedelta(days=widest)))

    def judge(self, draft: Draft, due: Compensate) -> Hold | None:
        """The hold of the first guard that trips and is not waived; None where the first refund may be claimed.

        It carries all that is due beside this refund: that goes out too once a person lets the refund pass.
        """
        refund, *others = due.refunds
        besides = sum((other.amount for other in others), Decimal(0))
        goods = due.exchange.gross if due.exchange else None
        for rule, why, evidence in self._tripped(draft, refund):
            if not draft.waive(rule, refund.amount, refund.currency):
                return Hold(
                    rule,
                    why,
                    HoldKind.GUARD,
                    evidence,
                    refund.amount,
                    refund.currency,
                    refund.items,
                    pays=refund.amount + besides,
                    goods=goods,
                    besides=besides,
                    leaves=besides,
                    leaves_goods=goods,
                )
        return None

    def _tripped(self, draft: Draft, refund: RefundDue) -> list[tuple[str, str, dict[str, str]]]:
        guards, money = draft.request.guards, f"{refund.amount} {refund.currency}"
        tripped: list[tuple[str, str, dict[str, str]]] = []
        cap = guards.max_refund.get(refund.currency)
        if cap is not None and refund.amount > cap:
            why = f"the refund of {money} is above the most that one refund may be, {cap} {refund.currency}"
            tripped.append((MAX_REFUND, why, {"cap": str(cap), "amount": str(refund.amount)}))
        tripped += self._day_tripped(draft, refund, money)
        tripped += self._shopper_tripped(draft, money)
        return tripped

    def _day_tripped(self, draft: Draft, refund: RefundDue, money: str) -> list[tuple[str, str, dict[str, str]]]:
        day = _day(draft, refund)
        cap = draft.request.guards.max_per_day.get(refund.currency)
        before = self.days[day] + self.spent[day]
        if cap is None or before + counters.e4(refund.amount) <= counters.e4(cap):
            return []
        spent = f"{before / 10_000:.2f}"
        why = f"with this refund of {money} the store would pass its cap of {cap} {refund.currency} for {day[1]}"
        return [(MAX_PER_DAY, why, {"cap": str(cap), "amount": str(refund.amount), "spent": spent, "day": str(day[1])})]

    def _shopper_tripped(self, draft: Draft, money: str) -> list[tuple[str, str, dict[str, str]]]:
        guards = draft.request.guards
        if guards.max_refunds_per_shopper is None:
            return []
        cap = {"cap": str(guards.max_refunds_per_shopper)}
        hashes = counters.shopper_hashes(self.key, draft.request.shopper_email)
        if not hashes:
            why = f"REVER names no e-mail, so the cap on refunds to one shopper cannot be judged; {money} is due"
            return [(SHOPPER_UNKNOWN, why, cap)]
        since = self.now - timedelta(days=guards.shopper_window_days)
        times = sum(at >= since for each in hashes for at in self.shoppers.get(each, ()))
        if times < guards.max_refunds_per_shopper:
            return []
        had = f"{counted(times, 'refund')} within {counted(guards.shopper_window_days, 'day')}"
        why = f"the shopper already had {had}; {money} more is due"
        return [(MAX_PER_SHOPPER, why, {**cap, "refunds": str(times)})]

    def count(self, draft: Draft, refund: RefundDue, intent_id: str) -> None:
        """Count a refund that is claimed."""
        self.spent[_day(draft, refund)] += counters.e4(refund.amount)
        shopper = counters.shopper_hash(self.key, draft.request.shopper_email)
        if shopper:
            self.refunds.append({"intent_id": intent_id, "hash": shopper, "at": self.now})
            self.shoppers.setdefault(shopper, []).append(self.now)


def _day(draft: Draft, refund: RefundDue) -> counters.StoreDay:
    return draft.request.store, draft.request.day, refund.currency
