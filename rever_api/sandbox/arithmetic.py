"""What a return is worth, in whole minor units: the sandbox's own arithmetic, written apart from any desk's.

The value of `k` of a line's `q` units is its total times k / q, rounded half up to the minor unit; costs reduce a
process's refunds as a whole. Minor units per currency: ISO 4217.
"""

from decimal import Decimal

from rever_api.models import (
    NOT_RECEIVED,
    CompensationMethod,
    Refund,
    RefundTiming,
    ReturnLineItem,
    ReturnProcess,
    ReturnStatus,
    ReviewStatus,
    ShippingStatus,
)

_DIGITS = dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"), 0) | dict.fromkeys(
    ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3
)
_ON_ITS_WAY = {ShippingStatus.COLLECTED, ShippingStatus.IN_WAREHOUSE}


def minor(amount: Decimal, currency: str) -> int:
    """Return `amount` in minor units; what is finer than one is an error of the caller (ValueError)."""
    shifted = amount.scaleb(_DIGITS.get(currency, 2))
    if shifted != shifted.to_integral_value():
        msg = "finer than the minor unit of its currency"
        raise ValueError(msg)
    return int(shifted)


def major(units: int, currency: str) -> Decimal:
    """Return minor units as a decimal amount with the currency's digits."""
    return Decimal(units).scaleb(-_DIGITS.get(currency, 2))


def is_exchange(line: ReturnLineItem) -> bool:
    """Whether the shopper wants other goods for this line, not money."""
    return line.compensation_method == CompensationMethod.EXCHANGE


def line_value(line: ReturnLineItem, units: int) -> int:
    """Return the value of `units` of the line, rounded half up, in minor units."""
    total = minor(line.total_price or Decimal(0), line.currency)
    return (2 * total * units + line.quantity) // (2 * line.quantity)


def reviewed(process: ReturnProcess, line: ReturnLineItem, *statuses: str) -> int:
    """Count the line's reviews, of the given statuses only where some are given."""
    return sum(r.line_item_id == line.id and (not statuses or r.status in statuses) for r in process.reviews or ())


def approved_units(process: ReturnProcess, line: ReturnLineItem, timing: str) -> int:
    """Count the units that are to be compensated: approved, or not yet inspected where that is no condition."""
    not_approved = reviewed(process, line, ReviewStatus.DECLINED, ReviewStatus.MISSING)
    shipped = process.return_status in {ReturnStatus.COLLECTED, ReturnStatus.REVIEW_REQUIRED, ReturnStatus.COMPLETED}
    shipped = shipped or any(entry.status in _ON_ITS_WAY for entry in process.logistics or ())
    early = timing == RefundTiming.ON_START or (timing == RefundTiming.ON_ITEM_SENT and shipped)
    if early or line.return_reason == NOT_RECEIVED:
        return max(0, line.quantity - not_approved)
    return min(line.quantity, reviewed(process, line, ReviewStatus.APPROVED))


def fully_reviewed(process: ReturnProcess, line: ReturnLineItem) -> bool:
    """Whether each unit of the line has its review, or needs none."""
    return line.return_reason == NOT_RECEIVED or reviewed(process, line) >= line.quantity


def costs(process: ReturnProcess) -> int:
    """Return what is taken from the process's refunds, in minor units of its lines' currency."""
    currency = next((line.currency for line in process.return_line_items), "")
    return minor(process.return_costs or Decimal(0), currency)


def refund_gross(process: ReturnProcess, timing: str) -> int:
    """Return the approved value of all lines that are to be refunded, before costs, in minor units."""
    lines = (line for line in process.return_line_items if not is_exchange(line))
    return sum(line_value(line, approved_units(process, line, timing)) for line in lines)


def refund_value(process: ReturnProcess, timing: str) -> int:
    """Return what refunds are worth in all, after costs: max(0, approved value - costs). Exchanges are not in it."""
    return max(0, refund_gross(process, timing) - costs(process))


def refunds(process: ReturnProcess) -> tuple[Refund, ...]:
    """Return the refunds that the process shows."""
    return (process.compensation.refunds if process.compensation else ()) or ()


def paid(process: ReturnProcess) -> int:
    """Return what the refunds that the process shows are in all, in minor units."""
    return sum(minor(refund.amount, refund.currency) for refund in refunds(process))
