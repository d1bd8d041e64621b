"""What of an order's shipping costs is refunded with one of its returns: each return has a part once, and all parts
together are never more than the shopper paid. Pure.

The parts of an order are numbered, and each is worked out by those before it: in proportion, the value of the goods
that came back so far is rounded, not each part by itself, so that all parts together are just the whole.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from tasks.policy.actions import RefundShipping
from tasks.policy.clocks import LONGEST_SETTING, come
from tasks.policy.facts import later
from tasks.policy.money import ZERO, in_minor_units, minor_unit, payable, value
from tasks.policy.record import OrderShipping
from tasks.policy.return_facts import Fact, Money, ReturnFacts, ShippingPart, Unknown


def shipping_part(action: RefundShipping, facts: ReturnFacts, worth: Decimal, currency: str) -> Fact[OrderShipping]:
    """The part that goes with the refund of goods of this value; None where there is none, or nothing is left of it.

    Unknown where the order, what its shipping cost, or what was refunded of that before is not known.
    """
    parts = facts.shipping_parts if facts.order_id else Unknown("the order's id")
    whole = _in(currency, facts.shipping, "the order's shipping costs")
    if isinstance(parts, Unknown):
        return parts
    if whole is None or isinstance(whole, Unknown):
        return whole
    before = _before(parts, facts.process_id, facts.now)
    amount = max(ZERO, whole - sum((part.amount for part in before), ZERO))
    if action.share == "proportion":
        goods = _in(currency, facts.goods_value, "the value of the order's goods")
        if isinstance(goods, Unknown):
            return goods
        earlier = sum((part.worth for part in before), ZERO)
        if goods is None or not ZERO < earlier + worth <= goods:
            return Unknown("the value of the order's goods: less is told than comes back")
        amount = min(amount, _share(whole, earlier + worth, goods, currency) - _share(whole, earlier, goods, currency))
    if amount <= ZERO:
        return None
    return OrderShipping(facts.order_id, len(parts) + 1, in_minor_units(amount, currency), worth, whole)


_MAY_SHOW = 2 * LONGEST_SETTING
"""For so long a part counts that was sent and then refused or denied: REVER shows by the first half whether it was
paid, and by the second a run has looked at its return, and adopted it or sent it again.
"""


def _before(parts: Sequence[ShippingPart], process_id: str, now: datetime) -> list[ShippingPart]:
    """The parts of the order's other returns; where this one has its own, those before that one.

    What was refused or denied counts for a while, too: a proxy may have said so after REVER had paid it.
    """
    own = min((part.number for part in parts if part.live and part.process_id == process_id), default=len(parts) + 1)
    last = {part.process_id: part.number for part in parts}
    return [
        part
        for part in parts
        if part.process_id != process_id
        and part.number < own
        and (part.live or (part.number == last[part.process_id] and _may_show(part, now)))
    ]


def _may_show(part: ShippingPart, now: datetime) -> bool:
    return part.sent_at is not None and not come(later(part.sent_at, _MAY_SHOW), now, _MAY_SHOW)


def _in(currency: str, told: Fact[Money], what: str) -> Fact[Decimal]:
    """The amount of what is told, where it is one in this currency that can be paid."""
    if told is None or isinstance(told, Unknown):
        return told
    if told.currency != currency or not payable(told.amount, currency):
        return Unknown(f"{what} in {currency}")
    return told.amount


def _share(whole: Decimal, part: Decimal, of: Decimal, currency: str) -> Decimal:
    digits = minor_unit(currency)
    return value(whole, int(of.scaleb(digits)), int(part.scaleb(digits)), currency)
