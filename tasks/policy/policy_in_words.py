"""What a policy holds, in plain sentences: what `policy check` prints of a file that is right."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from tasks.policy.actions import action_in_words
from tasks.policy.conditions import in_words
from tasks.policy.facts import counted
from tasks.policy.measures import size_in_words, weight_in_words
from tasks.policy.merchant_rules import AppliesTo, IfUnknown, MerchantRule
from tasks.policy.money import shown
from tasks.policy.policy_file import PolicyFile
from tasks.policy.store import DaysOff, LabelPolicy, NotReceived, StorePolicy


def policies_in_words(policies: PolicyFile) -> list[str]:
    """The default policy whole, then of each store what is different there, and its rules in their order."""
    default = _sentences(policies.default)
    lines = ["Every store, unless it is named below:", *(f"  {words}" for words in default.values())]
    lines += _rules(policies.rules.default)
    for store, policy in policies.stores.items():
        different = [f"  {words}" for name, words in _sentences(policy).items() if words != default[name]]
        if (own := policies.rules.for_store(store)) != policies.rules.default:
            different += _rules(own)
        lines += ["", f"Store {store}{', where it differs:' if different else ': the same.'}", *different]
    return lines


def _rules(rules: Sequence[MerchantRule]) -> Iterator[str]:
    """The rules, numbered, each with its condition and what it does."""
    for number, rule in enumerate(rules, start=1):
        of = "each line" if rule.of_line else "the return"
        days = " and ".join(
            f"{word} {day}" for word, day in (("from", rule.begins), ("until", rule.ends)) if day is not None
        )
        asked = "the day the return began" if rule.applies_to is AppliesTo.NEW else "today"
        yield f"  Rule {number}, {rule.name}: asked of {of}{f', {days}, which is asked of {asked}' if days else ''}."
        yield f"    When {in_words(rule.when) or 'always'}."
        yield from (f"    Then {action_in_words(action)}." for action in rule.then)
        if rule.if_unknown is not IfUnknown.HOLD:
            yield f"    Where a fact is missing, it {rule.if_unknown.replace('_', ' ')}."


def _sentences(policy: StorePolicy) -> dict[str, str]:
    """Field -> what its value does."""
    guards = policy.guards
    carriers = (*policy.label_carriers, f"any {'other ' if policy.label_carriers else ''}carrier that fits")
    return {
        "not_received": (
            "A line that never reached the shopper is paid."
            if policy.not_received is NotReceived.APPROVED
            else "A line that never reached the shopper is held for a person."
        ),
        "out_of_stock": (
            "An exchange that is out of stock is held for a person."
            if policy.out_of_stock == "hold"
            else f"An exchange that is out of stock is refunded by {policy.out_of_stock}."
        ),
        "rever_pays_within_hours": (
            f"Where REVER pays, what it has not paid {counted(policy.rever_pays_within_hours, 'hour')} "
            "after it was due is held."
        ),
        "label_carriers": f"A label is asked of {', then of '.join(carriers)}.",
        "labels": " ".join(_labels(policy.labels)),
        "currencies": (
            f"Refunds in the store's own currency are paid{_and(policy.currencies)}; in any other they are held."
        ),
        "max_refund": _cap("A refund", guards.max_refund),
        "max_per_day": _cap("What takes the refunds of one day", guards.max_per_day),
        "max_refunds_per_shopper": (
            "There is no cap on the refunds to one shopper."
            if guards.max_refunds_per_shopper is None
            else f"A refund is held that would be more than {counted(guards.max_refunds_per_shopper, 'refund')} "
            f"to one shopper within {counted(guards.shopper_window_days, 'day')}."
        ),
        "products": _table("products", policy.facts.products),
        "orders": _table("orders", policy.facts.orders),
        "label_unused_days": (
            f"A label that is not used for {counted(policy.parcels.label_unused_days, 'day')} is listed as stopped."
        ),
        "on_the_way_days": (
            f"A parcel that is on its way for {counted(policy.parcels.on_the_way_days, 'day')} without moving is listed"
            " as stopped."
        ),
        "stale": (
            "A return is told of that has no label for "
            f"{counted(policy.stale.no_label_days, 'day')}, arrived and is not inspected for "
            f"{counted(policy.stale.not_inspected_days, 'day')}, is approved and not paid for "
            f"{counted(policy.stale.not_paid_days, 'day')}, whose refund is on its way for "
            f"{counted(policy.stale.on_its_way_days, 'day')}, or whose hold nobody answers for "
            f"{counted(policy.stale.hold_days, 'day')}."
        ),
    }


def _labels(policy: LabelPolicy) -> Iterator[str]:
    """What carriers take, when pickups are ordered, and when a return travels in several parcels."""
    for name, limits in policy.carriers.items():
        most = [f"of {weight_in_words(limits.max_weight)}"] if limits.max_weight else []
        most += [f"of {size_in_words(limits.max_size)}"] if limits.max_size else []
        said = [f"parcels {' and '.join(most)} at most"] if most else []
        if limits.cost is not None and limits.currency:
            said.append(f"a label for {shown(limits.cost, limits.currency)}")
        said += [f"nothing from {', '.join(limits.not_in)}"] if limits.not_in else []
        said += [_DAYS_OFF[limits.days_off]] if limits.days_off else []
        yield f"{name}: {', '.join(said) or 'no limits'}."
    yield f"A pickup that would come at a weekend or on a bank holiday: {_DAYS_OFF[policy.days_off]}"
    yield f"(it comes {counted(policy.lead_days, 'day')} after it is ordered)."
    if policy.slots:
        yield f"Where the shopper has no wish, it comes at {' or '.join(policy.slots)}."
    split = policy.parcels
    several = [f"of {weight_in_words(split.max_weight)} at most"] if split.max_weight else []
    several += [f"of {counted(split.max_units)} at most"] if split.max_units else []
    several += [f"one for each unit of {', '.join(split.alone)}"] if split.alone else []
    yield f"A return travels in parcels {', and '.join(several)}." if several else "A return travels in one parcel."
    days = [it for it in (policy.reissue.unused_days, policy.reissue.expire_days) if it is not None]
    often = "once" if policy.reissue.at_most == 1 else f"{policy.reissue.at_most} times"
    replaced = f"A label that nobody has used for {counted(min(days), 'day')} is replaced" if days else ""
    yield f"{replaced}, {often} a return at most." if days else "No label is replaced by the policy."


_DAYS_OFF = {DaysOff.ORDER: "ordered all the same", DaysOff.WAIT: "ordered later, so that it comes on a working day"}


def _table(what: str, file: str) -> str:
    return f"What REVER does not tell of {what} is read from {file}." if file else f"No table tells of {what}."


def _and(currencies: tuple[str, ...]) -> str:
    return f", and in {', '.join(currencies)}" if currencies else ""


def _cap(what: str, caps: Mapping[str, Decimal]) -> str:
    """A cap in words. An amount that is exactly the cap passes."""
    if not caps:
        return f"{what} has no cap."
    amounts = " or ".join(shown(cap, currency) for currency, cap in sorted(caps.items()))
    return f"{what} over {amounts} is held; in another currency it has no cap."
