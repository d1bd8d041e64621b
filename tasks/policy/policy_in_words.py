"""What a policy holds, in plain sentences: what `policy check` prints of a file that is right."""

from collections.abc import Mapping
from decimal import Decimal

from tasks.policy.facts import counted
from tasks.policy.money import shown
from tasks.policy.policy_file import PolicyFile
from tasks.policy.store import NotReceived, StorePolicy


def policies_in_words(policies: PolicyFile) -> list[str]:
    """The default policy whole, then of each store what is different there."""
    default = _sentences(policies.default)
    lines = ["Every store, unless it is named below:", *(f"  {words}" for words in default.values())]
    for store, policy in policies.stores.items():
        different = [words for name, words in _sentences(policy).items() if words != default[name]]
        lines.append("")
        lines.append(f"Store {store}{', where it differs:' if different else ': the same.'}")
        lines += [f"  {words}" for words in different]
    return lines


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
    }


def _and(currencies: tuple[str, ...]) -> str:
    return f", and in {', '.join(currencies)}" if currencies else ""


def _cap(what: str, caps: Mapping[str, Decimal]) -> str:
    """A cap in words. An amount that is exactly the cap passes."""
    if not caps:
        return f"{what} has no cap."
    amounts = " or ".join(shown(cap, currency) for currency, cap in sorted(caps.items()))
    return f"{what} over {amounts} is held; in another currency it has no cap."
