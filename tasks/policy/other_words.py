"""Words that other programs and languages have for what the policy file calls otherwise: what was probably meant."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from tasks.policy.country import country_code
from tasks.policy.policy_text import nearest

FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "or": "any",
        "and": "all",
        "if": "when",
        "amount": "return_value",
        "brand": "vendor",
        "category": "product_type",
        "collection": "product_tags",
        "compensation": "method",
        "customer": "shopper",
        "customer_email": "shopper",
        "email": "shopper",
        "delivery_date": "delivered_on",
        "order_date": "ordered_on",
        "order_total": "order_value",
        "outcome": "method",
        "payment_method": "gateway",
        "price": "unit_price",
        "refund_method": "method",
        "return_reason": "reason",
        "shipping_method": "return_method",
        "tag": "product_tags, order_tags or customer_tags",
        "tags": "product_tags, order_tags or customer_tags",
        "time": "hour",
        "total": "return_value",
        "type": "product_type",
    }
)
OPERATORS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "=": ("is", "has"),
        "==": ("is", "has"),
        "equals": ("is", "has"),
        "eq": ("is", "has"),
        "is": ("has",),
        "has": ("is",),
        "contains": ("has",),
        "includes": ("has", "contains"),
        "like": ("contains",),
        "matches": ("contains",),
        "suffix": ("ends_with",),
        "in": ("is_one_of", "has_any_of"),
        "any_of": ("is_one_of", "has_any_of"),
        "one_of": ("is_one_of", "has_any_of"),
        "is_one_of": ("has_any_of",),
        "all_of": ("has_all_of",),
        "prefix": ("starts_with",),
        "begins_with": ("starts_with",),
        ">": ("over", "after"),
        "gt": ("over", "after"),
        "greater_than": ("over", "after"),
        "more_than": ("over", "after"),
        "above": ("over", "after"),
        ">=": ("at_least", "from"),
        "gte": ("at_least", "from"),
        "min": ("at_least", "from"),
        "<": ("under", "before"),
        "lt": ("under", "before"),
        "less_than": ("under", "before"),
        "below": ("under", "before"),
        "<=": ("at_most", "until"),
        "lte": ("at_most", "until"),
        "max": ("at_most", "until"),
    }
)
"""The first that fits the field."""

NEGATIONS: Mapping[str, str] = MappingProxyType(
    {"!=": "is", "is_not": "is", "not": "is", "not_equals": "is", "not_in": "is_one_of", "has_not": "has"}
)
"""Of these there is none: the operator that stands under `not` instead."""

ACTIONS: Mapping[str, str] = MappingProxyType(
    {
        "alert": "alarm",
        "ask": "approve",
        "block": "decline",
        "deny": "decline",
        "exclude": "methods",
        "hold": "approve",
        "keep": "keep_item",
        "notify": "alarm",
        "refund": "pay",
        "refuse": "decline",
        "reject": "decline",
        "restocking_fee": "fee",
        "review": "approve",
        "shipping": "refund_shipping",
        "store_credit": "methods",
    }
)
_VALUES: Mapping[str, str] = MappingProxyType(
    {
        "bank": "BANK_TRANSFER",
        "cash": "ORIGINAL_PAYMENT_METHOD",
        "refund": "ORIGINAL_PAYMENT_METHOD",
        "store_credit": "GIFT_CARD",
        "voucher": "GIFT_CARD",
        "delivered": "IN_WAREHOUSE",
        "rejected": "DECLINED",
        "uk": "GB",
        "el": "GR",
    }
)


def meant(word: str, words: Mapping[str, str], known: Iterable[str]) -> str:
    """A hint at the word that was probably meant: that of another program, else one that is spelled alike."""
    found = words.get(word.casefold())
    return f" (did you mean {found}?)" if found else nearest(word, known)


def operator_meant(word: str, field: str, fit: Iterable[str]) -> str:
    """A hint at the operator, of those that fit the field."""
    fit = tuple(map(str, fit))
    if (turned := NEGATIONS.get(word)) is not None:
        turned = turned if turned in fit else OPERATORS.get(turned, fit)[0]
        return f": write `not: {{{field}: {{{turned}: ...}}}}`" if turned in fit else ""
    found = next((it for it in OPERATORS.get(word, ()) if it in fit), "")
    return f" (did you mean {found}?)" if found else nearest(word, fit)


def value_meant(word: str, known: frozenset[str]) -> str:
    """A hint at the value of a field that has a closed list of them."""
    if word.casefold() in {"eu", "europe"} and "ES" in known:
        return "; it is no country of its own: name its countries, best in a list for `in_list`"
    found = _VALUES.get(word.casefold().replace(" ", "_"), "")
    found = found if found in known else country_code(word)
    return f" (did you mean {found}?)" if found in known else nearest(word, known)
