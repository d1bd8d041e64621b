"""The guards: caps that are judged inside the transaction of the claim, against counters it has locked."""

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from tasks.database.engines import upsert
from tasks.database.lists import among
from tasks.ledger.schema import shopper_refunds, shoppers, store_days
from tasks.ledger.writing import PendingWrite
from tasks.policy.decision import AskedEffect, Compensate, Hold, RefundDue, refunds_of
from tasks.policy.facts import counted, one_mailbox
from tasks.policy.record import HoldKind
from tasks.policy.store import MAX_PER_DAY, MAX_PER_SHOPPER, MAX_REFUND, SHOPPER_UNKNOWN

# What a store paid on a day and how often a shopper was refunded: rows that are locked before they are judged by.
#
# Intended, sent, unknown and done refunds count; refused and withdrawn ones are given back. Sums are whole numbers of
# 1/10000 of the currency, since text cannot be added in SQL and no currency has more decimals.


StoreDay = tuple[str, date, str]
"""Store, the store's own date, currency."""


_REFUNDS = (
    select(shopper_refunds.c.hash, shopper_refunds.c.at)
    .where(among(shopper_refunds.c.hash, "hashes"))
    .where(shopper_refunds.c.at >= bindparam("since"))
)
_ADD = (
    update(store_days)
    .where(
        store_days.c.store == bindparam("s"),
        store_days.c.day == bindparam("d"),
        store_days.c.currency == bindparam("c"),
    )
    .values(amount_e4=store_days.c.amount_e4 + bindparam("e4"))
)
_FORGET = delete(shopper_refunds).where(among(shopper_refunds.c.intent_id, "ids"))


def e4(amount: Decimal) -> int:
    """An amount in 1/10000, rounded up: a cap is never passed by rounding."""
    return int((amount * 10_000).to_integral_value(ROUND_CEILING))


def shopper_hash(key: bytes, email: str) -> str:
    """The keyed hash under which a shopper's refunds are counted; empty for none.

    One shopper is one mailbox, however it is written (`one_mailbox`). Useless without the ledger's key.
    """
    return _hashed(key, one_mailbox(email))


def shopper_hashes(key: bytes, email: str) -> frozenset[str]:
    """All hashes under which refunds to this e-mail may be counted: today's, and that of older ledgers.

    Those hashed the e-mail as it was written, but for case: what they counted goes on counting for that spelling.
    """
    return frozenset({shopper_hash(key, email), _hashed(key, email.strip().casefold())} - {""})


def _hashed(key: bytes, plain: str) -> str:
    return hmac.new(key, plain.encode(errors="replace"), hashlib.sha256).hexdigest() if plain else ""


def lock_days(conn: Connection, days: Iterable[StoreDay]) -> dict[StoreDay, int]:
    """Lock these rows until the commit, in one order for everybody, and answer what they hold, in 1/10000."""
    same = {"amount_e4": store_days.c.amount_e4}
    query = upsert(conn, store_days, ["store", "day", "currency"], same).returning(store_days.c.amount_e4)
    return {
        day: conn.execute(query, {"store": day[0], "day": day[1], "currency": day[2], "amount_e4": 0}).scalar_one()
        for day in sorted(set(days))
    }


def lock_shoppers(conn: Connection, hashes: Collection[str], since: datetime) -> dict[str, list[datetime]]:
    """Lock these shoppers until the commit, and answer when each was refunded since then."""
    if not hashes:
        return {}
    query = upsert(conn, shoppers, ["hash"], {"locks": shoppers.c.locks + 1})
    conn.execute(query, [{"hash": each, "locks": 0} for each in sorted(set(hashes))])
    times: dict[str, list[datetime]] = defaultdict(list)
    for row in conn.execute(_REFUNDS, {"hashes": sorted(set(hashes)), "since": since}):
        times[row.hash].append(row.at)
    return times


def add(conn: Connection, spent: Mapping[StoreDay, int], refunds: Collection[Mapping[str, Any]]) -> None:
    """Count what was claimed: amounts per store and day, and rows (`intent_id`, `hash`, `at`) per shopper."""
    if spent:
        conn.execute(_ADD, [{"s": s, "d": d, "c": c, "e4": spent[s, d, c]} for s, d, c in sorted(spent)])
    if refunds:
        conn.execute(shopper_refunds.insert(), list(refunds))


def give_back(conn: Connection, rows: Collection[Any]) -> None:
    """Take the counted ones of these rows of `intents` (id, store, day, currency, amount, counted) out again."""
    counted = [row for row in rows if row.counted]
    if not counted:
        return
    spent: dict[StoreDay, int] = defaultdict(int)
    for row in counted:
        spent[row.store, row.day, row.currency] -= e4(row.amount)
    add(conn, spent, ())
    conn.execute(_FORGET, {"ids": [row.id for row in counted]})


@dataclass(slots=True)
class Guard:
    """The locked counters of a batch. Returns are judged one by one, each against what those before it claimed."""

    now: datetime
    key: bytes
    days: dict[StoreDay, int]
    shoppers: dict[str, list[datetime]]
    spent: dict[StoreDay, int] = field(default_factory=lambda: defaultdict(int))
    refunds: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def lock(
        cls, conn: Connection, asked: Sequence[tuple[PendingWrite, RefundDue]], *, now: datetime, key: bytes
    ) -> "Guard":
        """Lock the counters of all refunds that a batch wants to claim, days first, then shoppers."""
        days = lock_days(conn, (_day(draft, refund) for draft, refund in asked))
        capped = [draft.request for draft, _ in asked if draft.request.guards.max_refunds_per_shopper]
        hashes = {each for request in capped for each in shopper_hashes(key, request.shopper_email)}
        widest = max((request.guards.shopper_window_days for request in capped), default=0)
        return cls(now, key, days, lock_shoppers(conn, hashes, now - timedelta(days=widest)))

    def judge(self, draft: PendingWrite, due: Compensate | AskedEffect) -> Hold | None:
        """The hold of the first guard that trips and is not waived; None where the first refund may be claimed.

        It carries all that is due beside this refund: that goes out too once a person lets the refund pass.
        """
        refund, *others = refunds_of(due)
        besides = sum((other.amount for other in others), Decimal(0))
        goods = due.exchange.gross if isinstance(due, Compensate) and due.exchange else None
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
                    # Given up, its fee and its sum go to the others: how much is worked out by the next run.
                    leaves=None if refund.fee_terms or refund.bonus_sum else besides,
                    leaves_goods=goods,
                    leaves_by_hand=besides,
                )
        return None

    def _tripped(self, draft: PendingWrite, refund: RefundDue) -> list[tuple[str, str, dict[str, str]]]:
        guards, money = draft.request.guards, f"{refund.amount:,} {refund.currency}"
        tripped: list[tuple[str, str, dict[str, str]]] = []
        cap = guards.max_refund.get(refund.currency)
        if cap is not None and refund.amount > cap:
            why = f"the refund of {money} is above the most that one refund may be, {cap:,} {refund.currency}"
            tripped.append((MAX_REFUND, why, {"cap": str(cap), "amount": str(refund.amount)}))
        tripped += self._day_tripped(draft, refund, money)
        tripped += self._shopper_tripped(draft, money)
        return tripped

    def _day_tripped(self, draft: PendingWrite, refund: RefundDue, money: str) -> list[tuple[str, str, dict[str, str]]]:
        day = _day(draft, refund)
        cap = draft.request.guards.max_per_day.get(refund.currency)
        before = self.days[day] + self.spent[day]
        if cap is None or before + e4(refund.amount) <= e4(cap):
            return []
        spent = f"{before / 10_000:.2f}"
        why = f"with this refund of {money} the store would pass its cap of {cap:,} {refund.currency} for {day[1]}"
        return [(MAX_PER_DAY, why, {"cap": str(cap), "amount": str(refund.amount), "spent": spent, "day": str(day[1])})]

    def _shopper_tripped(self, draft: PendingWrite, money: str) -> list[tuple[str, str, dict[str, str]]]:
        guards = draft.request.guards
        if guards.max_refunds_per_shopper is None:
            return []
        cap = {"cap": str(guards.max_refunds_per_shopper)}
        hashes = shopper_hashes(self.key, draft.request.shopper_email)
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

    def count(self, draft: PendingWrite, refund: RefundDue, intent_id: str) -> None:
        """Count a refund that is claimed."""
        self.spent[_day(draft, refund)] += e4(refund.amount)
        shopper = shopper_hash(self.key, draft.request.shopper_email)
        if shopper:
            self.refunds.append({"intent_id": intent_id, "hash": shopper, "at": self.now})
            self.shoppers.setdefault(shopper, []).append(self.now)


def _day(draft: PendingWrite, refund: RefundDue) -> StoreDay:
    return draft.request.store, draft.request.day, refund.currency
