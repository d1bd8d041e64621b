"""Which facts that REVER does not tell a merchant's rules ask for, so that they are gathered, and those alone."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from tasks.policy.actions import Pay, RefundShipping
from tasks.policy.condition_fields import FIELDS
from tasks.policy.conditions import Check, checks_of
from tasks.policy.merchant_rules import MerchantRule
from tasks.policy.return_facts import LineFacts, ReturnFacts, Unknown
from tasks.policy.side_facts import OF_PRODUCT

EARLIER, WHOLE_ORDER = "earlier", "whole_order"
"""The shopper's other returns, and whether the whole order comes back."""

OF_FIELD: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ordered_on": ("ordered_on",),
        "days_since_order": ("ordered_on",),
        "days_from_order": ("ordered_on",),
        "fulfilled_on": ("fulfilled_on",),
        "days_since_fulfilment": ("fulfilled_on",),
        "days_from_fulfilment": ("fulfilled_on",),
        "delivered_on": ("delivered_on",),
        "days_since_delivery": ("delivered_on",),
        "days_from_delivery": ("delivered_on",),
        "order_value": ("order_value",),
        "order_tags": ("order_tags",),
        "customer_tags": ("customer_tags",),
        "gateway": ("gateway",),
        "fraud_risk": ("fraud_risk",),
        "whole_order": (WHOLE_ORDER,),
        "label_cost": ("label_cost",),
        "label_cost_share": ("label_cost",),
        "earlier_returns": (EARLIER,),
        "earlier_refunds": (EARLIER,),
        "earlier_refund_value": (EARLIER,),
        "earlier_wrong_items": (EARLIER,),
        "earlier_bonuses": (EARLIER,),
        "returns_of_order": (EARLIER,),
        "order_returns_value": (EARLIER,),
        "product_type": ("product_type",),
        "vendor": ("vendor",),
        "product_tags": ("product_tags",),
        "variants": ("variants",),
        "product_cost": ("cost",),
    }
)
"""Field of a condition -> the facts of `ReturnFacts` or `LineFacts` that it is made from and REVER does not tell."""


_IN_NO_READ = frozenset({"days_since_first_scan", "days_since_arrival", "held"})
"""Fields that the ledger alone tells."""


def left_out(rules: Iterable[MerchantRule], facts: ReturnFacts) -> bool:
    """Whether what these rules ask for hangs on what a list may have left out: a fact that REVER tells of a return is
    unknown, or that by which another source is asked.
    """
    lines: tuple[LineFacts | None, ...] = facts.lines or (None,)
    came = {"first_scan": facts.scanned, "arrival": facts.arrived, "inspection": facts.reviewed}
    for rule in rules:
        if any(isinstance(it, Pay) and isinstance(came.get(it.at), Unknown) for it in rule.then):
            return True
        for check in checks_of(rule.when):
            if check.field not in _IN_NO_READ and any(_untold(check, facts, line) for line in lines):
                return True
    return False


def _untold(check: Check, facts: ReturnFacts, line: LineFacts | None) -> bool:
    """Whether a field is unknown, or of those that REVER does not tell the key to it."""
    gathered = OF_FIELD.get(check.field, ())
    if not gathered:
        return isinstance(FIELDS[check.field].reader(check.within_days)(facts, line), Unknown)
    if EARLIER in gathered:
        return isinstance(facts.shopper, Unknown)
    if OF_PRODUCT.intersection(gathered):
        return line is None or isinstance(line.sku, Unknown)
    return not facts.order_id


def needed(rules: Iterable[MerchantRule]) -> dict[str, tuple[str, ...]]:
    """Fact -> the names of the rules that ask for it, by a condition or for what they do."""
    found: dict[str, list[str]] = {}
    for rule in rules:
        facts = dict.fromkeys(fact for check in checks_of(rule.when) for fact in OF_FIELD.get(check.field, ()))
        for action in rule.then:
            if isinstance(action, RefundShipping):
                facts |= dict.fromkeys(("shipping",) if action.share == "whole" else ("shipping", "goods_value"))
        for fact in facts:
            found.setdefault(fact, []).append(rule.name)
    return {fact: tuple(names) for fact, names in found.items()}
