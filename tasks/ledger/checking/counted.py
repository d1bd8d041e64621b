"""Whether the guards' counters are what the intents add up to."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, select

from tasks.ledger.checking.finding import Finding
from tasks.ledger.counters import e4
from tasks.ledger.schema import intents, shopper_refunds, store_days
from tasks.policy.record import DEAD_STATES


def check_counters(conn: Connection) -> Iterator[Finding]:
    """Yield the days of a store whose sum is not that of its counted refunds, and refunds counted for nothing."""
    due: Counter[tuple[str, Any, str]] = Counter()
    counted = set()
    for row in conn.execute(select(intents).where(intents.c.counted, intents.c.state.not_in(sorted(DEAD_STATES)))):
        due[row.store, row.day, row.currency] += e4(_meant(row))
        counted.add(row.id)
    found = {(row.store, row.day, row.currency): row.amount_e4 for row in conn.execute(select(store_days))}
    for key in sorted({*due, *found}):
        if due[key] != found.get(key, 0):
            store, day, currency = key
            said = f"counts {_money(found.get(key, 0))} {currency}, the refunds of that day are {_money(due[key])}"
            yield Finding("counter", f"store {store} on {day}", said)
    for (intent_id,) in conn.execute(select(shopper_refunds.c.intent_id)):
        if intent_id not in counted:
            yield Finding("counter", intent_id, "is counted for a shopper, though it is no refund that counts")


def _meant(row: Row[Any]) -> Decimal:
    """What was claimed: a person who closed it by hand may have named another amount."""
    return Decimal(row.evidence["meant"]) if "meant" in row.evidence else row.amount


def _money(amount_e4: int) -> str:
    return f"{Decimal(amount_e4) / 10_000:f}"
