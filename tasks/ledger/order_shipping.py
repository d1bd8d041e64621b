"""What of each order's shipping went with refunds: read for the rules, so that an order's is refunded once."""

from collections import defaultdict
from collections.abc import Collection
from decimal import Decimal

from sqlalchemy import Connection, bindparam, func, select

from tasks.database.engines import chunks
from tasks.ledger.records import intent_of
from tasks.ledger.schema import intents, order_shipping
from tasks.policy.record import Intent, IntentState
from tasks.policy.return_facts import ShippingPart

_PARTS = (
    select(order_shipping.c.store, order_shipping.c.order_id, order_shipping.c.number, intents)
    .select_from(order_shipping.join(intents, intents.c.id == order_shipping.c.intent_id))
    .where(order_shipping.c.store == bindparam("s"), order_shipping.c.order_id.in_(bindparam("ids", expanding=True)))
    .order_by(order_shipping.c.order_id, order_shipping.c.number)
)
_LAST = select(func.max(order_shipping.c.number)).where(
    order_shipping.c.store == bindparam("s"), order_shipping.c.order_id == bindparam("o")
)


def shipping_parts(conn: Connection, store: str, order_ids: Collection[str]) -> dict[str, tuple[ShippingPart, ...]]:
    """Order id -> the parts of its shipping that refunds of this store have; an empty one for an order without any.

    What a person gave up was paid to nobody: it is a part of nothing, whose return has none any more.
    """
    found: dict[str, list[ShippingPart]] = defaultdict(list)
    for ids in chunks(order_ids):
        for row in conn.execute(_PARTS, {"s": store, "ids": ids}):
            found[row.order_id].append(_part(row.process_id, row.number, intent_of(row)))
    return {order_id: tuple(found[order_id]) for order_id in order_ids}


def next_number(conn: Connection, store: str, order_id: str) -> int:
    """The number of the next part of an order's shipping."""
    return int(conn.execute(_LAST, {"s": store, "o": order_id}).scalar() or 0) + 1


def _part(process_id: str, number: int, intent: Intent) -> ShippingPart:
    shipping, zero = intent.shipping, Decimal(0)
    if shipping is None or intent.state is IntentState.DROPPED:
        return ShippingPart(process_id, number, zero, zero, intent.live)
    sent_at = None if intent.live else intent.sent_at
    return ShippingPart(process_id, number, shipping.amount, shipping.worth, intent.live, sent_at)
