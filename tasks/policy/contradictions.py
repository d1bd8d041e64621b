"""What in a process cannot be true, so that no amount may be worked out from it."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

from rever_api.models import ReturnLineItem, ReturnProcess
from tasks.policy.money import LARGEST, minor_unit, payable
from tasks.policy.reading import costs_contradict, costs_told, counted, quoted, refunds_shown, strange
from tasks.policy.rules import is_currency

MOST_UNITS = 10_000
"""No line of a return has more units than this: what has, is a slip of the keyboard or of a unit of measure."""


def contradictions(process: ReturnProcess) -> tuple[str, ...]:
    """One sentence for each contradiction, empty for a sound process. Only ids, counts and amounts are named."""
    return (*_of_return(process), *_of_lines(process), *_of_reviews(process), *_of_amounts(process))


def _of_return(process: ReturnProcess) -> Iterator[str]:
    """Lines: at least one, each id once, one currency for all."""
    if not process.return_line_items:
        yield "the return has no lines"
    for line_id, times in Counter(line.id for line in process.return_line_items).items():
        if times > 1:
            yield f"line {quoted(line_id)} is there {times} times"
    currencies = sorted({line.currency for line in process.return_line_items if line.currency})
    if len(currencies) > 1:
        yield f"the lines are in more than one currency: {', '.join(map(quoted, currencies))}"


def _of_lines(process: ReturnProcess) -> Iterator[str]:
    """Every line: a quantity, a currency and a total that can be paid."""
    for line in process.return_line_items:
        name = f"line {quoted(line.id)}"
        if not 1 <= line.quantity <= MOST_UNITS:
            yield f"{name} has the quantity {line.quantity}"
        if not line.currency:
            yield f"{name} has no currency"
        elif not is_currency(line.currency):
            yield f"{name} has the currency {quoted(line.currency)}, not three capital letters"
        yield from _of_total(line, name)


def _of_total(line: ReturnLineItem, name: str) -> Iterator[str]:
    """A line's total: there, not negative, and no finer than its currency."""
    if line.total_price is None:
        yield f"{name} has no total"
    elif line.total_price < 0:
        yield f"{name} has a negative total, {line.total_price}"
    elif not payable(line.total_price, line.currency):
        yield f"{name} has the total {line.total_price}, {_unpayable(line.total_price, line.currency)}"


def parts_contradict(line: ReturnLineItem) -> tuple[str, ...]:
    """In which ways a line's total is more than its parts come to; empty where it is not, or they are not all told.

    Each unit may be rounded by one minor unit of the currency. Taxes may be in the subtotal or come on top, so they
    are always allowed for; discounts that the subtotal already leaves out are not taken off again (REVER's integration
    v2: subtotal = (unit price - unit discount) x quantity); less than the parts come to is the shop's to give. Unit
    price, subtotal, discounts and taxes may have more decimals than the currency, but no sign and no absurd size.
    """
    parts = {
        "unit price": line.unit_price,
        "subtotal": line.subtotal_price,
        "discounts": line.total_discounts,
        "taxes": line.total_taxes,
    }
    price, subtotal, discounts, taxes = parts.values()
    if price is None or subtotal is None or discounts is None or taxes is None or line.total_price is None:
        return ()
    name = f"line {quoted(line.id)}"
    for part, amount in parts.items():
        if amount is not None and not (amount.is_finite() and 0 <= amount < LARGEST):
            return (f"{name} has the {part} {shortened(amount)}",)
    rounding = line.quantity * Decimal(1).scaleb(-minor_unit(line.currency))
    found = []
    inside = subtotal <= price * line.quantity - discounts + rounding
    most = subtotal + taxes if inside else subtotal - discounts + taxes
    if line.total_price > most + rounding:
        less = "" if inside else f"less discounts {discounts} and "
        found.append(
            f"{name} has the total {line.total_price}, and the subtotal {subtotal} {less}with taxes {taxes} is {most}"
        )
    if subtotal > price * line.quantity + taxes + rounding:
        found.append(
            f"{name} has the subtotal {subtotal}, and {counted(line.quantity)} at {price} with taxes {taxes} are "
            f"{price * line.quantity + taxes}"
        )
    return tuple(found)


def shortened(amount: Decimal) -> str:
    """An amount as told, cut where it is too long for a sentence."""
    return quoted(f"{amount:E}" if amount.is_finite() and abs(amount.adjusted()) > 30 else str(amount)).strip("'")


def _of_reviews(process: ReturnProcess) -> Iterator[str]:
    """Reviews: of lines that are there, and no more than the line has units."""
    quantities = {line.id: line.quantity for line in process.return_line_items}
    for line_id, reviews in Counter(review.line_item_id for review in process.reviews or ()).items():
        if line_id not in quantities:
            yield f"{reviews} reviews are of line {quoted(line_id)}, which the return does not have"
        elif reviews > quantities[line_id]:
            yield f"line {quoted(line_id)} has {reviews} reviews of {counted(quantities[line_id])}"


def _of_amounts(process: ReturnProcess) -> Iterator[str]:
    """Costs and refunds: amounts that can be reckoned with."""
    currency = next((line.currency for line in process.return_line_items), "")
    yield from costs_contradict(process)
    costs = costs_told(process)
    if costs < 0:
        yield f"the return costs are negative, {costs}"
    elif not payable(costs, currency):
        yield f"the return costs are {costs}, {_unpayable(costs, currency)}"
    for refund in refunds_shown(process):
        if not payable(refund.amount, refund.currency):
            yield f"a refund of {refund.amount} is shown, {_unpayable(refund.amount, refund.currency)}"
        elif how := strange(refund):
            yield f"of a refund of {refund.amount} {refund.currency} {refund.missing_amount} is missing, which {how}"


def _unpayable(amount: Decimal, currency: str) -> str:
    """Why an amount cannot be paid."""
    if not amount.is_finite() or amount.copy_abs() >= LARGEST:
        return "which is no sensible amount"
    return f"which has more than the {minor_unit(currency)} decimals of {currency or 'its currency'}"
