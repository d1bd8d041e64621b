"""The arithmetic of refunds, and what is due by it: exact, in one currency at a time, rounded only for a unit's value.

With `T` a line's total, `q` its quantity and `k` the number of its approved units, `value(k) = round_half_up(T k / q)`
at the currency's minor unit; the n-th unit is worth `value(n) - value(n - 1)`, so that all units together are worth
exactly `T`. Costs `C` come off the refunds of a return as a whole: `net(G) = max(0, G - C)`.

How a line is rounded is fixed by name when its first unit is paid (`LineTerms.rounding`). Another way of rounding, or
another number of decimals for a currency, is a new name in `ROUNDINGS`; the old ones stay as they are.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache, lru_cache
from types import MappingProxyType

from rever_api.models import CompensationMethod, ReturnLineItem, ReturnProcess
from tasks.policy.decision import ExchangeDue, ExchangeDueItem, RefundDue
from tasks.policy.record import ROUNDING, FeeTerms, LineTerms, LineUnits, OrderShipping

_MINOR_UNIT = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI"), 0),
    **dict.fromkeys(("VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
"""Currencies whose minor unit is not the hundredth (ISO 4217, list one of the maintenance agency)."""

LARGEST = Decimal(10) ** 15
"""No amount of a return is as large as this: what is, is a contradiction and is never reckoned with."""

ZERO = Decimal(0)


def shared(amount: Decimal) -> Decimal:
    """The amount, as one object for all that are written alike: of a year's rows most amounts come again and again."""
    return _shared(amount, amount.as_tuple().exponent)


@lru_cache(maxsize=1 << 15)
def _shared(amount: Decimal, exponent: object) -> Decimal:  # noqa: ARG001 - 10 and 10.00 are equal, and written otherwise
    return amount


def is_currency(code: str) -> bool:
    """Whether this looks like a currency code of ISO 4217: three capital letters."""
    return len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()


def minor_unit(currency: str) -> int:
    """The number of decimals of a currency, 2 where ISO 4217's list of exceptions does not name it."""
    return _MINOR_UNIT.get(currency, 2)


def payable(amount: Decimal, currency: str) -> bool:
    """Whether an amount is finite, of a sensible size and has no more decimals than its currency."""
    if not amount.is_finite() or amount.copy_abs() >= LARGEST:
        return False
    return amount == amount.quantize(_step(minor_unit(currency)))


@cache
def _step(digits: int) -> Decimal:
    """The least amount with so many decimals."""
    return Decimal(1).scaleb(-digits)


def _half_up(total: Decimal, quantity: int, approved: int, currency: str) -> Decimal:
    """`total * approved / quantity`, a half of the currency's minor unit rounded up."""
    digits = minor_unit(currency)
    above, below = total.as_integer_ratio()
    below *= quantity
    rounded = (2 * above * approved * 10**digits + below) // (2 * below)
    return Decimal(rounded).scaleb(-digits)


ROUNDINGS: Mapping[str, Callable[[Decimal, int, int, str], Decimal]] = MappingProxyType({"half_up": _half_up})
"""Name -> the value of so many units of a line: (total, quantity, approved units, currency). None may change."""


def value(total: Decimal, quantity: int, approved: int, currency: str, rounding: str = ROUNDING) -> Decimal:
    """The value of `approved` units of a line. `quantity` is at least 1, `total` not negative.

    Raises `KeyError` for a rounding rule that this version does not have.
    """
    return ROUNDINGS[rounding](total, quantity, approved, currency)


def unit_value(terms: LineTerms, unit: int) -> Decimal:
    """The value of the n-th approved unit of a line: the step from `value(n - 1)` to `value(n)`."""
    after = value(terms.total, terms.quantity, unit, terms.currency, terms.rounding)
    return after - value(terms.total, terms.quantity, unit - 1, terms.currency, terms.rounding)


def gross(terms: LineTerms, units: Iterable[int]) -> Decimal:
    """The value of these units of one line, before costs."""
    return sum((unit_value(terms, unit) for unit in units), ZERO)


def bonus(terms: LineTerms, units: Iterable[int], percent: Decimal) -> Decimal:
    """What these units of one line get on top of their value: all units together just so many percent of it."""
    if not percent:
        return ZERO
    whole = value(terms.total * percent / 100, 1, 1, terms.currency, terms.rounding)
    return gross(replace(terms, total=whole), units)


def fee_in_percent(worth: Decimal, terms: FeeTerms, currency: str) -> Decimal:
    """The fee in percent of units that are worth this in all: within its bounds, and never more than they are worth.

    As the worth grows by a step, the fee grows by no more than that step, and never falls.
    """
    fee = _half_up(worth * terms.percent, 100, 1, currency)
    fee = fee if terms.at_least is None else max(fee, terms.at_least)
    return min(worth, fee if terms.at_most is None else min(fee, terms.at_most))


def net(before_costs: Decimal, costs: Decimal) -> Decimal:
    """What is left of a gross value once the return's costs are taken off: never below 0."""
    return max(ZERO, before_costs - costs)


def net_amounts(values: Sequence[Decimal], before: Decimal, costs: Decimal) -> tuple[Decimal, ...]:
    """What is paid for each of `values`, one after another, when `before` was the gross value of all earlier ones.

    The costs are taken from the first values first; the amounts sum up to `net(before + sum) - net(before)`.
    """
    amounts = []
    for step in values:
        amounts.append(net(before + step, costs) - net(before, costs))
        before += step
    return tuple(amounts)


def add_to(sums: dict[str, Decimal], currency: str, amount: Decimal) -> None:
    """Add an amount to the sum of its currency."""
    sums[currency] = sums.get(currency, ZERO) + amount


def in_minor_units(amount: Decimal, currency: str) -> Decimal:
    """An amount that is payable, written with the decimals of its currency: `24` euros become `24.00`."""
    return amount.quantize(_step(minor_unit(currency)))


def shown(amount: Decimal, currency: str) -> str:
    """An amount as a person reads it: `1,024.00 EUR`; as it is where nobody can pay it."""
    text = in_minor_units(amount, currency) if payable(amount, currency) else amount
    return f"{text:,} {currency}".strip()


# What is due by the inspection and taken by no intent yet: the refunds, each with its amount, and the exchange.


@dataclass(frozen=True, slots=True)
class FreeUnits:
    """Approved units of one line that no intent has taken, the method that compensates them and the line's terms.

    `bears_costs` says whether the return's costs may be taken off what they are worth; `bonus` is paid on top of it,
    `bonus_sum` of it as a fixed sum. `fee` is taken off by the terms of a fee in percent.
    """

    line: ReturnLineItem
    method: str
    terms: LineTerms
    units: tuple[int, ...]
    bears_costs: bool = True
    bonus: Decimal = ZERO
    bonus_sum: Decimal = ZERO
    fee_terms: FeeTerms | None = None
    fee: Decimal = ZERO

    @property
    def gross(self) -> Decimal:
        """What the units are worth, before costs."""
        return gross(self.terms, self.units)

    @property
    def item(self) -> LineUnits:
        """The line and its units, as an effect or a hold names them."""
        return LineUnits(self.line.id, self.units)


@dataclass(frozen=True, slots=True)
class Due:
    """What is due now. `exchange_waits` counts approved units of an exchange that is not wholly inspected yet."""

    refunds: tuple[RefundDue, ...] = ()
    exchange: ExchangeDue | None = None
    exchange_waits: int = 0

    @property
    def amount(self) -> Decimal:
        """What the refunds come to."""
        return sum((refund.amount for refund in self.refunds), ZERO)

    @property
    def exchanged(self) -> tuple[LineUnits, ...]:
        """The units of the exchange."""
        return tuple(LineUnits(it.line_id, it.units) for it in self.exchange.items) if self.exchange else ()

    @property
    def items(self) -> tuple[LineUnits, ...]:
        """All units that are due."""
        return (*(item for refund in self.refunds for item in refund.items), *self.exchanged)

    @property
    def units(self) -> int:
        """How many units are due."""
        return sum(item.quantity for item in self.items)

    def __bool__(self) -> bool:
        return bool(self.refunds) or self.exchange is not None


def with_fees(parts: Sequence[FreeUnits], refunded: Mapping[str, Decimal]) -> tuple[FreeUnits, ...]:
    """The parts with their fees in percent. `refunded` is what the units already refunded under a rule's fee are worth.

    A fee is worked out from the whole worth that bears it, so that refunds one after another take the fee of all. Here
    too it goes in the order of the refunds: method by method, the first lines first.
    """
    if all(part.fee_terms is None for part in parts):
        return tuple(parts)
    methods, worth, fees = [part.method for part in parts], dict(refunded), dict[str, Decimal]()
    for part in sorted(parts, key=lambda it: methods.index(it.method)):
        if part.fee_terms is None or part.method == CompensationMethod.EXCHANGE:
            continue
        before, currency = worth.get(part.fee_terms.rule, ZERO), part.terms.currency
        worth[part.fee_terms.rule] = after = before + part.gross
        fees[part.line.id] = fee_in_percent(after, part.fee_terms, currency) - fee_in_percent(
            before, part.fee_terms, currency
        )
    return tuple(replace(part, fee=fees.get(part.line.id, ZERO)) for part in parts)


def due_of(
    free: Iterable[FreeUnits],
    before: Decimal,
    costs: Decimal,
    *,
    exchange_ready: bool,
    shipping: OrderShipping | None = None,
) -> Due:
    """Group free units into one refund per method, in the order of their first lines, and one exchange.

    `before` is the value of all units in live refund intents that bear costs. The exchange is due when every exchange
    line is inspected. `shipping` goes with the first refund, since REVER takes none that is of no units.
    """
    methods: dict[str, list[FreeUnits]] = {}
    for part in free:
        methods.setdefault(part.method, []).append(part)
    exchanges = methods.pop(CompensationMethod.EXCHANGE, [])
    refunds = tuple(_refunds(methods, before, costs))
    if refunds and shipping is not None:
        first, *others = refunds
        more = in_minor_units(first.amount + shipping.amount, first.currency)
        refunds = (replace(first, amount=more, shipping=shipping), *others)
    if not exchanges:
        return Due(refunds)
    if exchange_ready:
        return Due(refunds, _exchange(exchanges))
    return Due(refunds, exchange_waits=sum(len(part.units) for part in exchanges))


def _refunds(methods: dict[str, list[FreeUnits]], before: Decimal, costs: Decimal) -> Iterable[RefundDue]:
    """One refund per method; the costs are taken from the first units first, of those that bear any."""
    for method, parts in methods.items():
        values = [part.gross for part in parts if part.bears_costs]
        exempt = sum((part.gross for part in parts if not part.bears_costs), ZERO)
        bonus = sum((part.bonus for part in parts), ZERO)
        fee = sum((part.fee for part in parts), ZERO)
        worth, currency = sum(values, ZERO), parts[0].terms.currency
        yield RefundDue(
            method=str(method),
            amount=in_minor_units(sum(net_amounts(values, before, costs), exempt + bonus - fee), currency),
            gross=in_minor_units(worth + exempt, currency),
            currency=currency,
            items=tuple(part.item for part in parts),
            exempt=exempt,
            bonus=bonus,
            bonus_sum=sum((part.bonus_sum for part in parts), ZERO),
            fee=fee,
            fee_terms=tuple((part.line.id, part.fee_terms) for part in parts if part.fee_terms is not None),
        )
        before += worth


def _exchange(parts: list[FreeUnits]) -> ExchangeDue:
    """One exchange of all units. A line that does not say what is wanted has an empty variant here."""
    return ExchangeDue(
        items=tuple(_wanted(part) for part in parts),
        gross=sum((part.gross for part in parts), ZERO),
        currency=parts[0].terms.currency,
    )


def _wanted(part: FreeUnits) -> ExchangeDueItem:
    """The replacement for the units of one line."""
    wanted = part.line.exchange_for
    return ExchangeDueItem(
        line_id=part.line.id,
        variant_id=wanted.variant_id if wanted else "",
        product_id=wanted.product_id if wanted else "",
        units=part.units,
    )


# What an exchange costs the shopper beyond what comes back, as far as REVER tells the prices. Pure.
#
# Whether the shopper has paid a difference is told by no field that is known.


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
    def more(self) -> Decimal | None:
        """How much more the goods wanted instead cost; None where that is not known."""
        return None if self.new is None else self.new - self.back

    @property
    def words(self) -> str:
        """What the shopper is to pay, and both prices."""
        back = f"those that come back are worth {shown(self.back, self.currency)}"
        if self.new is None or self.more is None:
            return (
                f"the shopper may have to pay: the goods wanted instead are not priced in {self.currency}, and {back}"
            )
        more, new = shown(self.more, self.currency), shown(self.new, self.currency)
        return f"the shopper is to pay {more}: the goods wanted instead cost {new}, and {back}"


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
