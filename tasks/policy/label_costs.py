"""What labels cost, as far as the policy file tells what a carrier takes for one. REVER tells no price. Pure."""

from collections.abc import Mapping
from decimal import Decimal

from tasks.policy.facts import counted
from tasks.policy.money import shown
from tasks.policy.store import CarrierLimits


def costs_of(labels: Mapping[str, int], limits: Mapping[str, CarrierLimits]) -> tuple[dict[str, Decimal], int]:
    """What labels cost, by currency, and of how many that is not told. `labels` is `PROVIDER/CARRIER` -> how many."""
    sums: dict[str, Decimal] = {}
    untold = 0
    for carrier, many in labels.items():
        told = limits.get(carrier, CarrierLimits())
        if told.cost is None or told.currency is None:
            untold += many
        else:
            sums[told.currency] = sums.get(told.currency, Decimal(0)) + many * told.cost
    return dict(sorted(sums.items())), untold


def costs_in_words(labels: Mapping[str, int], limits: Mapping[str, CarrierLimits]) -> str:
    """Say how many labels there are and what they cost, by currency, and of how many that is not told.

    `labels` is `PROVIDER/CARRIER` -> how many. Empty for none.
    """
    sums, untold = costs_of(labels, limits)
    total = sum(labels.values())
    if not total:
        return ""
    cost = " and ".join(shown(amount, currency) for currency, amount in sums.items())
    said = [f"{cost} by the policy file's costs"] if cost else []
    whose = f"the cost of {untold}" if cost else "their cost" if total > 1 else "its cost"
    said += [f"{whose} is not known, since no `cost` in the policy file tells it"] if untold else []
    return f"{counted(total, 'label')}: {', '.join(said)}"
