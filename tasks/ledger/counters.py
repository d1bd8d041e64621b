"""What a store paid on a day and how often a shopper was refunded: rows that are locked before they are judged by.

Intended, sent, unknown and done refunds count; refused and withdrawn ones are given back. Sums are whole numbers of
1/10000 of the currency, since text cannot be added in SQL and no currency has more decimals.
"""

import hashlib
import hmac
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from tasks.ledger.schema import shopper_refunds, shoppers, store_days

StoreDay = tuple[str, date, str]
"""Store, the store's own date, currency."""


_PG_DAY = (
    pg_insert(store_days)
    .on_conflict_do_update(index_elements=["store", "day", "currency"], set_={"amount_e4": store_days.c.amount_e4})
    .returning(store_days.c.amount_e4)
)
_LITE_DAY = (
    sqlite_insert(store_days)
    .on_conflict_do_update(index_elements=["store", "day", "currency"], set_={"amount_e4": store_days.c.amount_e4})
    .returning(store_days.c.amount_e4)
)
_PG_SHOPPER = pg_insert(shoppers).on_conflict_do_update(index_elements=["hash"], set_={"locks": shoppers.c.locks + 1})
_LITE_SHOPPER = sqlite_insert(shoppers).on_conflict_do_update(
    index_elements=["hash"], set_={"locks": shoppers.c.locks + 1}
)
_REFUNDS = (
    select(shopper_refunds.c.hash, shopper_refunds.c.at)
    .where(shopper_refunds.c.hash.in_(bindparam("hashes", expanding=True)))
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
_FORGET = delete(shopper_refunds).where(shopper_refunds.c.intent_id.in_(bindparam("ids", expanding=True)))


def e4(amount: Decimal) -> int:
    """An amount in 1/10000, rounded up: a cap is never passed by rounding."""
    return int((amount * 10_000).to_integral_value(ROUND_CEILING))


def shopper_hash(key: bytes, email: str) -> str:
    """The keyed hash under which a shopper's refunds are counted; empty for none. Useless without the ledger's key.

    One shopper is one mailbox, however it is written: case and spaces around do not count, nor what follows a `+`
    before the `@`, nor, at Gmail, dots. Where a provider takes these for two mailboxes, two people share a cap: that
    holds a refund, and pays none.
    """
    plain = unicodedata.normalize("NFKC", email).strip().casefold()
    name, at, domain = plain.rpartition("@")
    domain = domain.rstrip(".")
    base = name.partition("+")[0] or name
    if domain in {"gmail.com", "googlemail.com"}:
        base, domain = base.replace(".", "") or base, "gmail.com"
    return _hashed(key, f"{base}{at}{domain}" if at else plain)


def shopper_hashes(key: bytes, email: str) -> frozenset[str]:
    """All hashes under which refunds to this e-mail may be counted: today's, and that of older ledgers.

    Those hashed the e-mail as it was written, but for case: what they counted goes on counting for that spelling.
    """
    return frozenset({shopper_hash(key, email), _hashed(key, email.strip().casefold())} - {""})


def _hashed(key: bytes, plain: str) -> str:
    return hmac.new(key, plain.encode(errors="replace"), hashlib.sha256).hexdigest() if plain else ""


def lock_days(conn: Connection, days: Iterable[StoreDay]) -> dict[StoreDay, int]:
    """Lock these rows until the commit, in one order for everybody, and answer what they hold, in 1/10000."""
    query = _PG_DAY if conn.dialect.name == "postgresql" else _LITE_DAY
    return {
        day: conn.execute(query, {"store": day[0], "day": day[1], "currency": day[2], "amount_e4": 0}).scalar_one()
        for day in sorted(set(days))
    }


def lock_shoppers(conn: Connection, hashes: Collection[str], since: datetime) -> dict[str, list[datetime]]:
    """Lock these shoppers until the commit, and answer when each was refunded since then."""
    if not hashes:
        return {}
    query = _PG_SHOPPER if conn.dialect.name == "postgresql" else _LITE_SHOPPER
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
