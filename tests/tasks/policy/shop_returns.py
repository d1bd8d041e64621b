"""Returns and what is known of them, for the rules of real shops; and those rules, read from `docs/policies`."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rever_api.models import Address, Product
from tasks.policy.merchant_rules import MerchantRule
from tasks.policy.policy_file import read_policy
from tasks.policy.return_facts import EarlierReturn, Money, ReturnFacts, facts_of
from tests.tasks.policy.factories import NOW, line, process, record, rules

POLICIES = Path(__file__).parents[3] / "docs" / "policies"
MADRID = ZoneInfo("Europe/Madrid")
TODAY = NOW.date()


def policy_of(number: str) -> Path:
    """The file of a rule, as R07."""
    (found,) = POLICIES.glob(f"{number}-*.yaml")
    return found


@cache
def shop_rules(number: str) -> tuple[MerchantRule, ...]:
    """The rules of its file."""
    return read_policy(policy_of(number)).rules.default


def item(line_id: str = "a", sku: str = "", reason: str = "CHANGED_MIND", **fields: Any) -> Any:
    """A line of REVER's; further keywords are those of `factories.line`, or fields of REVER's."""
    own: dict[str, Any] = {name: fields.pop(name) for name in ("total_discounts", "subtotal_price") if name in fields}
    made = line(line_id, reason=reason, **fields)
    return made.model_copy(update={"product": Product(sku=sku or f"SKU-{line_id}"), **own})


def known(*lines: Any, of: Mapping[str, Any] | None = None, now: datetime = NOW, **facts: Any) -> ReturnFacts:
    """The facts of a return of these lines, and further facts that REVER does not tell."""
    return facts_of(process(*lines, order_id="o-1", **(of or {})), record(), rules(), now, UTC)._replace(**facts)


def of_product(facts: ReturnFacts, **lines: Mapping[str, Any]) -> ReturnFacts:
    """The facts with what a table of products says of single lines."""
    return facts._replace(lines=tuple(it._replace(**lines.get(it.line_id, {})) for it in facts.lines))


def eur(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")


def earlier(count: int, days_ago: int = 10, **fields: Any) -> tuple[EarlierReturn, ...]:
    return tuple(
        EarlierReturn(f"other-{n}", f"o-{n}", TODAY - timedelta(days=days_ago), **fields) for n in range(count)
    )


def abroad(country: str) -> dict[str, Any]:
    return {"pickup_address": Address(country_code=country)}


def began(at: datetime, ordered: date) -> ReturnFacts:
    """A return that began at this time at a shop in Madrid."""
    read = process(item("a"), started_at=at)
    return facts_of(read, record(), rules(), at + timedelta(days=1), MADRID)._replace(ordered_on=ordered)


def discounted(discount: str, currency: str = "EUR") -> ReturnFacts:
    """A return of one line whose discount is of 100 before it."""
    return known(item("a", currency=currency, total_discounts=Decimal(discount), subtotal_price=Decimal(100)))
