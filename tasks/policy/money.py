"""The arithmetic of refunds: exact, in one currency at a time, rounded only where a unit's value is worked out.

With `T` a line's total, `q` its quantity and `k` the number of its approved units, `value(k) = round_half_up(T k / q)`
at the currency's minor unit; the n-th unit is worth `value(n) - value(n - 1)`, so that all units together are worth
exactly `T`. Costs `C` come off the refunds of a return as a whole: `net(G) = max(0, G - C)`.

How a line is rounded is fixed by name when its first unit is paid (`LineTerms.rounding`). Another way of rounding, or
another number of decimals for a currency, is a new name in `ROUNDINGS`; the old ones stay as they are.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cache, lru_cache
from types import MappingProxyType

from tasks.policy.record import ROUNDING, LineTerms

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


def in_minor_units(amount: Decimal, currency: str) -> Decimal:
    """An amount that is payable, written with the decimals of its currency: `24` euros become `24.00`."""
    return amount.quantize(_step(minor_unit(currency)))


def shown(amount: Decimal, currency: str) -> str:
    """An amount as a person reads it: `1,024.00 EUR`; as it is where nobody can pay it."""
    text = in_minor_units(amount, currency) if payable(amount, currency) else amount
    return f"{text:,} {currency}".strip()
