"""What an exchange costs the shopper beyond what comes back, as far as REVER tells the prices. Pure.

Whether the shopper has paid a difference is told by no field that is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from rever_api.models import CompensationMethod, ReturnProcess
from tasks.policy.due import FreeUnits
from tasks.policy.money import ZERO, shown


@dataclass(frozen=True, slots=True)
class PriceDifference:
    """What the goods wanted instead cost (`new`) and what those that come back are worth, in one currency.

    `new` is None where they are priced in another currency, so that the two cannot be compared.
    """

    new: Decimal | None
    back: Decimal
    currency: str

    @property
    def to_pay(self) -> bool:
        """Whether the shopper pays more, or may have to."""
        return self.new is None or self.new > self.back

    @property
    def words(self) -> str:
        """Both prices and the difference."""
        back = shown(self.back, self.currency)
        if self.new is None:
            return (
                f"the goods wanted instead are not priced in {self.currency}, and those that come back are worth {back}"
            )
        more = shown(self.new - self.back, self.currency)
        new = shown(self.new, self.currency)
        return f"the goods wanted instead cost {new}, and those that come back are worth {back}: {more} more"


def price_difference(process: ReturnProcess, parts: Sequence[FreeUnits]) -> PriceDifference | None:
    """Compare the prices of an exchange of these units; None where REVER tells no price of what is wanted instead.

    By the price of each line's wanted goods, else by all goods that the exchange brings beside all its lines.
    """
    priced = [(part, it) for part in parts if (it := part.line.exchange_for) is not None and it.unit_price is not None]
    if priced:
        currency = priced[0][0].terms.currency
        back = sum((part.gross for part, _ in priced), ZERO)
        if any((it.currency or currency) != currency or part.terms.currency != currency for part, it in priced):
            return PriceDifference(None, back, currency)
        new = sum((len(part.units) * (it.unit_price or ZERO) for part, it in priced), ZERO)
        return PriceDifference(new, back, currency)
    told = [it for it in process.new_items if it.total_price is not None]
    if not told or not parts:
        return None
    currency = parts[0].terms.currency
    lines = [it for it in process.return_line_items if it.compensation_method == CompensationMethod.EXCHANGE]
    back = sum((line.total_price or ZERO for line in lines), ZERO)
    if any((it.currency or currency) != currency for it in told) or any(line.currency != currency for line in lines):
        return PriceDifference(None, back, currency)
    return PriceDifference(sum((it.total_price or ZERO for it in told), ZERO), back, currency)
