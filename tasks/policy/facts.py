"""What one read of a process shows and leaves out: refunds, exchange, goods, inspection; and what cannot be true."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from rever_api.models import (
    NOT_RECEIVED,
    CompensationMethod,
    ExchangeOrder,
    Refund,
    RefundTiming,
    ReturnLineItem,
    ReturnProcess,
    ReturnStatus,
    ReviewStatus,
    ShippingStatus,
)
from tasks.policy.money import LARGEST, ZERO, is_currency, minor_unit, payable
from tasks.policy.store import StoreRules

GOODS_HERE = frozenset({ReturnStatus.REVIEW_REQUIRED, ReturnStatus.COMPLETED})
"""The statuses of a return whose goods are where they are inspected."""

GOODS_SENT = GOODS_HERE | {ReturnStatus.COLLECTED}
"""Those of a return whose goods the shopper has handed over."""

PARCEL_MOVED = frozenset({ShippingStatus.COLLECTED, ShippingStatus.IN_WAREHOUSE})
"""Those of a parcel that the carrier has, or had."""

_A_NAME = re.compile(r"[\w.:/#+-]*", re.ASCII)


def incomplete(process: ReturnProcess, rules: StoreRules) -> tuple[str, ...]:
    """Name the fields that this read left out and that no payment can do without; read again by id where any.

    Empty for an account that is declared to leave empty fields out (`omits_empty_fields`).
    """
    if rules.omits_empty_fields:
        return ()
    missing = []
    if process.compensation is None:
        missing.append("compensation")
    elif process.compensation.refunds is None:
        missing.append("compensation.refunds")
    if process.reviews is None:
        missing.append("reviews")
    if process.return_costs is None and not (process.cost_lines or process.line_fees):
        missing.append("return_costs")
    return tuple(missing)


def incomplete_label(process: ReturnProcess, rules: StoreRules) -> tuple[str, ...]:
    """Name what this read left out and no label can be decided without; read again by id where any."""
    return ("logistics",) if process.logistics is None and not rules.omits_empty_fields else ()


def refunds_shown(process: ReturnProcess) -> tuple[Refund, ...]:
    """The refunds that REVER shows; none where it did not say."""
    return (process.compensation.refunds or ()) if process.compensation else ()


def exchange_shown(process: ReturnProcess) -> ExchangeOrder | None:
    """The exchange order that REVER shows, or None where there is none or it did not say."""
    return process.compensation.exchange_order if process.compensation else None


def status_in_words(process: ReturnProcess) -> str:
    """How the return stands at REVER: its two statuses, once where they are the same; empty where it has none."""
    words = (str(process.rever_process_status), str(process.return_status))
    return ", ".join(dict.fromkeys(word.lower().replace("_", " ") for word in words if word))


def costs_told(process: ReturnProcess) -> Decimal:
    """The return's costs, once, however often REVER tells them; 0 where it did not say.

    Where it tells them in several ways that contradict each other (`costs_contradict`) this is no ground to pay.
    """
    if process.return_costs is not None:
        return process.return_costs
    return next(iter(_cost_parts(process).values()), Decimal(0))


def costs_contradict(process: ReturnProcess) -> Iterator[str]:
    """Why the costs that REVER tells cannot be: `return_costs`, lines of type `cost`, and fees, each the whole or, of
    the lines and fees together, the parts of `return_costs`.
    """
    currency = next((line.currency for line in process.return_line_items), "")
    for name, amount, told in _each_cost(process):
        if amount is None:
            yield f"a {name} has no amount"
        elif name == "cost line" and amount > 0:
            yield f"a cost line has the total {amount}, which is not negative"
        if told not in {"", currency}:
            yield f"a {name} is in {quoted(told)}, and the lines are in {quoted(currency)}"
    signs = {fee.amount > 0 for fee in process.line_fees if fee.amount}
    if len(signs) > 1:
        yield "some fees are negative and some are not"
    parts, costs = _cost_parts(process), process.return_costs
    same = set(parts.values()) | (set() if costs is None else {costs})
    whole = costs is not None and len(parts) > 1 and sum(parts.values(), Decimal(0)) == costs
    if len(same) > 1 and not whole:
        ways = [f"{name} {amount}" for name, amount in parts.items()]
        ways += [] if costs is None else [f"return_costs {costs}"]
        yield f"the costs are given in several ways that differ: {', '.join(ways)}"


def _each_cost(process: ReturnProcess) -> Iterator[tuple[str, Decimal | None, str]]:
    """Each single cost: what it is, its amount as told, its currency."""
    yield from (("cost line", line.total_price, line.currency) for line in process.cost_lines)
    yield from (("fee", fee.amount, fee.currency) for fee in process.line_fees)


def _cost_parts(process: ReturnProcess) -> dict[str, Decimal]:
    """What lines of type `cost` and fees come to, each only where it is more than nothing."""
    lines = sum((-line.total_price for line in process.cost_lines if line.total_price), Decimal(0))
    fees = sum((abs(fee.amount) for fee in process.line_fees if fee.amount), Decimal(0))
    return {name: amount for name, amount in (("cost lines", lines), ("fees", fees)) if amount}


def timing_of(rules: StoreRules) -> RefundTiming | str:
    """The store's refund timing; on item verified where REVER does not say."""
    return rules.settings.refund.timing or RefundTiming.ON_ITEM_VERIFIED


def goods_here(process: ReturnProcess) -> bool:
    """Whether the goods are where they are inspected, by the return's status or by a parcel's."""
    entries = process.logistics or ()
    return process.return_status in GOODS_HERE or any(entry.status == ShippingStatus.IN_WAREHOUSE for entry in entries)


def goods_sent(process: ReturnProcess) -> bool:
    """Whether the shopper has handed the goods over, by the return's status or by a parcel's."""
    entries = process.logistics or ()
    return process.return_status in GOODS_SENT or any(entry.status in PARCEL_MOVED for entry in entries)


def counts_unreviewed(process: ReturnProcess, rules: StoreRules) -> bool:
    """Whether the store refunds before the inspection and this return has come that far."""
    timing = timing_of(rules)
    return timing == RefundTiming.ON_START or (timing == RefundTiming.ON_ITEM_SENT and goods_sent(process))


def later(at: datetime, by: timedelta) -> datetime:
    """`at + by`, or the end of time where that lies past the calendar: a far date must not break a decision."""
    try:
        return at + by
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def told_of_the_past(at: datetime | None, now: datetime) -> datetime | None:
    """A time that tells of the past; more than a day ahead of the clock it cannot be, and counts as not told."""
    return None if at is None or at > later(now, _AHEAD) else at


_AHEAD = timedelta(days=1)
"""How far a time may lie ahead of the clock and be believed."""


def believed(process: ReturnProcess, now: datetime) -> ReturnProcess:
    """The process without the times that tell of the past and lie more than a day ahead of the clock.

    Applied where a process is taken in: no rule, filter or wait has to look again. A refund whose only sign of payment
    is such a time is not paid, but on its way.
    """
    last, changes = later(now, _AHEAD), dict[str, object]()
    for name, at in (("started_at", process.started_at), ("updated_at", process.updated_at)):
        if at is not None and at > last:
            changes[name] = None
    reviews, refunds = process.reviews or (), refunds_shown(process)
    if any(it.review_date is not None and it.review_date > last for it in reviews):
        changes["reviews"] = tuple(
            it.model_copy(update={"review_date": told_of_the_past(it.review_date, now)}) for it in reviews
        )
    if any(it.refunded_at is not None and it.refunded_at > last for it in refunds):
        paid = tuple(it.model_copy(update={"refunded_at": told_of_the_past(it.refunded_at, now)}) for it in refunds)
        changes["compensation"] = process.compensation and process.compensation.model_copy(update={"refunds": paid})
    return process.model_copy(update=changes) if changes else process


def counted(number: int, noun: str = "unit", several: str = "") -> str:
    """A number of things in words: `1 unit`, `2 units`; `several` is the plural where an s does not make it."""
    return f"{number} {noun}" if number == 1 else f"{number} {several or noun + 's'}"


def quoted(text: str) -> str:
    """A value of REVER's in quotes, cut to a length that a sentence can bear."""
    return repr(text if len(text) <= 60 else text[:57] + "...") if _A_NAME.fullmatch(text) else named(text)


def named(text: str) -> str:
    """A value of REVER's where it can be an id or a name of the API; else only its length.

    Such values stand in holds and in the audit for good, and a text in their place can be anything: a shopper's name.
    """
    return text if _A_NAME.fullmatch(text) else f"a text of {counted(len(text), 'character')}"


def paid_of(refund: Refund) -> Decimal:
    """How much of a refund is paid; 0 where REVER says neither what is missing nor when it was paid."""
    if refund.missing_amount is None:
        return refund.amount if refund.refunded_at is not None else ZERO
    return refund.amount - refund.missing_amount


def strange(refund: Refund) -> str:
    """Why `missing_amount` of a refund cannot be, empty where it can: it is a part of the amount, from 0 to all."""
    missing = refund.missing_amount
    if missing is None:
        return ""
    if missing < 0:
        return "is negative"
    if not payable(missing, refund.currency):
        return "is no amount of its currency"
    return "is more than the refund" if missing > max(refund.amount, ZERO) else ""


# What in a process cannot be true, so that no amount may be worked out from it.


MOST_UNITS = 10_000
"""No line of a return has more units than this: what has, is a slip of the keyboard or of a unit of measure."""


def contradictions(process: ReturnProcess) -> tuple[str, ...]:
    """One sentence for each contradiction, empty for a sound process. Only ids, counts and amounts are named."""
    return (*_of_return(process), *_of_lines(process), *_of_reviews(process), *_of_amounts(process))


def _of_return(process: ReturnProcess) -> Iterator[str]:
    """Lines: at least one, each id once, one currency for all."""
    if not process.return_line_items:
        yield "the return has no lines"
    ids = [line.id for line in process.return_line_items]
    if len(set(ids)) < len(ids):
        yield from (f"line {quoted(name)} is there {times} times" for name, times in Counter(ids).items() if times > 1)
    currencies = sorted({line.currency for line in process.return_line_items if line.currency})
    if len(currencies) > 1:
        yield f"the lines are in more than one currency: {', '.join(map(quoted, currencies))}"


def _of_lines(process: ReturnProcess) -> Iterator[str]:
    """Every line: a quantity, a currency and a total that can be paid."""
    for line in process.return_line_items:
        yield from (f"line {quoted(line.id)} has {what}" for what in _of_line(line))


def _of_line(line: ReturnLineItem) -> Iterator[str]:
    """What a line has that cannot be. Its total is there, not negative, and no finer than its currency."""
    if not 1 <= line.quantity <= MOST_UNITS:
        yield f"the quantity {line.quantity}"
    if not line.currency:
        yield "no currency"
    elif not is_currency(line.currency):
        yield f"the currency {quoted(line.currency)}, not three capital letters"
    if line.total_price is None:
        yield "no total"
    elif line.total_price < 0:
        yield f"a negative total, {line.total_price}"
    elif not payable(line.total_price, line.currency):
        yield f"the total {line.total_price}, {_unpayable(line.total_price, line.currency)}"


def parts_contradict(line: ReturnLineItem) -> tuple[str, ...]:
    """In which ways a line's total is more than its parts come to; empty where it is not, or they are not all told.

    Each unit may be rounded by one minor unit of the currency. Taxes may be in the subtotal or come on top, so they
    are always allowed for; discounts that the subtotal already leaves out are not taken off again (REVER's integration
    v2: subtotal = (unit price - unit discount) x quantity); less than the parts come to is the shop's to give. Unit
    price, subtotal, discounts and taxes may have more decimals than the currency, but no sign and no absurd size.
    """
    price, subtotal, discounts, taxes = line.unit_price, line.subtotal_price, line.total_discounts, line.total_taxes
    if price is None or subtotal is None or discounts is None or taxes is None or line.total_price is None:
        return ()
    for part, amount in (("unit price", price), ("subtotal", subtotal), ("discounts", discounts), ("taxes", taxes)):
        if not (amount.is_finite() and 0 <= amount < LARGEST):
            return (f"line {quoted(line.id)} has the {part} {shortened(amount)}",)
    rounding = line.quantity * Decimal(1).scaleb(-minor_unit(line.currency))
    found = []
    inside = subtotal <= price * line.quantity - discounts + rounding
    most = subtotal + taxes if inside else subtotal - discounts + taxes
    if line.total_price > most + rounding:
        less = "" if inside else f"less discounts {discounts} and "
        found.append(f"the total {line.total_price}, and the subtotal {subtotal} {less}with taxes {taxes} is {most}")
    if subtotal > price * line.quantity + taxes + rounding:
        found.append(
            f"the subtotal {subtotal}, and {counted(line.quantity)} at {price} with taxes {taxes} are "
            f"{price * line.quantity + taxes}"
        )
    return tuple(f"line {quoted(line.id)} has {what}" for what in found)


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


def one_mailbox(email: str) -> str:
    """The one spelling of all addresses of a mailbox, which stands for one shopper; empty for none.

    Case and spaces around do not count, nor what follows a `+` before the `@`, nor, at Gmail, dots. Where a provider
    takes these for two mailboxes, two people share a cap: that holds a refund, and pays none.
    """
    plain = unicodedata.normalize("NFKC", email).strip().casefold()
    name, at, domain = plain.rpartition("@")
    domain = domain.rstrip(".")
    base = name.partition("+")[0] or name
    if domain in {"gmail.com", "googlemail.com"}:
        base, domain = base.replace(".", "") or base, "gmail.com"
    return f"{base}{at}{domain}" if at else plain


# How far the inspection of a return has come: per line, and how many units count as approved.

_STATUSES = frozenset(ReviewStatus)


class LineInspection(NamedTuple):
    """The units of one line, counted by the outcome of their inspection.

    `counted` is how many count as approved (`k`), given the store's timing and NOT_RECEIVED: units 1..k are to be
    compensated. `assumed` of them were not inspected. `unknown` are review statuses that this project does not know.

    By the merchant's rules `ruled_out` units are not compensated, whatever their review, and `later` units at another
    moment, which has not come.
    """

    line_id: str
    quantity: int
    approved: int
    declined: int
    missing: int
    uninspected: int
    counted: int
    assumed: int
    not_received: bool
    unknown: tuple[str, ...] = ()
    ruled_out: int = 0
    later: int = 0

    @property
    def not_turned_down(self) -> int:
        """Units that no review has declined or found missing."""
        return max(0, self.quantity - self.declined - self.missing)

    @property
    def reviewed(self) -> bool:
        """Whether nothing of the line is left to inspect. A line that was never received has nothing to inspect."""
        return self.not_received or self.uninspected == 0


@dataclass(frozen=True, slots=True)
class Inspection:
    """The inspection of a return. Where there are `contradictions` the counts are no ground to act on."""

    lines: tuple[LineInspection, ...]
    contradictions: tuple[str, ...] = ()

    @property
    def uninspected(self) -> int:
        """Units that a warehouse has still to look at."""
        return sum(line.uninspected for line in self.lines if not line.not_received)

    def line(self, line_id: str) -> LineInspection | None:
        """The inspection of one line, None where the return has no such line."""
        return next((line for line in self.lines if line.line_id == line_id), None)


def inspect(process: ReturnProcess, rules: StoreRules) -> Inspection:
    """Count the reviews of every line, and say what in the process contradicts itself."""
    return Inspection(inspected_lines(process, rules), contradictions(process))


def inspected_lines(process: ReturnProcess, rules: StoreRules) -> tuple[LineInspection, ...]:
    """Count the reviews of every line."""
    before_review = counts_unreviewed(process, rules)
    found: dict[str, list[str]] = {}
    for review in process.reviews or ():
        found.setdefault(review.line_item_id, []).append(str(review.status))
    return tuple([_line(item, found.get(item.id, ()), before_review) for item in process.return_line_items])


def _line(item: ReturnLineItem, found: Sequence[str], before_review: bool) -> LineInspection:
    """Count one line. An exchange always waits for the inspection: the timing is one of refunds."""
    approved = found.count(ReviewStatus.APPROVED)
    not_received = item.return_reason == NOT_RECEIVED
    early = before_review and item.compensation_method != CompensationMethod.EXCHANGE
    uninspected = max(0, item.quantity - len(found))
    assumed = uninspected if not_received or early else 0
    return LineInspection(
        line_id=item.id,
        quantity=item.quantity,
        approved=approved,
        declined=found.count(ReviewStatus.DECLINED),
        missing=found.count(ReviewStatus.MISSING),
        uninspected=uninspected,
        counted=approved + assumed,
        assumed=assumed,
        not_received=not_received,
        unknown=tuple(dict.fromkeys([status for status in found if status not in _STATUSES])),
    )
