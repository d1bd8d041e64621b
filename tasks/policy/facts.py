"""What one read of a process told: fields left out, refunds and exchange shown, whether the goods are on their way."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from rever_api.models import (
    ExchangeOrder,
    Refund,
    RefundTiming,
    ReturnProcess,
    ReturnStatus,
    ShippingStatus,
)
from tasks.policy.money import ZERO, payable
from tasks.policy.rules import StoreRules

_ON_THE_WAY = {ReturnStatus.COLLECTED, ReturnStatus.REVIEW_REQUIRED, ReturnStatus.COMPLETED}
_A_NAME = re.compile(r"[\w.:/#+-]*", re.ASCII)
_PARCEL_MOVED = {ShippingStatus.COLLECTED, ShippingStatus.IN_WAREHOUSE}


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


def refunds_shown(process: ReturnProcess) -> tuple[Refund, ...]:
    """The refunds that REVER shows; none where it did not say."""
    return (process.compensation.refunds or ()) if process.compensation else ()


def exchange_shown(process: ReturnProcess) -> ExchangeOrder | None:
    """The exchange order that REVER shows, or None where there is none or it did not say."""
    return process.compensation.exchange_order if process.compensation else None


def costs_told(process: ReturnProcess) -> Decimal:
    """The return's costs, once, however often REVER tells them; 0 where it did not say.

    Where it tells them in several ways that contradict each other (`costs_contradict`) this is no ground to pay.
    """
    parts = _cost_parts(process)
    if process.return_costs is not None:
        return process.return_costs
    return next(iter(parts.values()), Decimal(0))


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
        yield f"the costs are told in several ways that differ: {', '.join(ways)}"


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


def goods_sent(process: ReturnProcess) -> bool:
    """Whether the shopper has handed the goods over, by the return's status or by a parcel's."""
    entries = process.logistics or ()
    return process.return_status in _ON_THE_WAY or any(entry.status in _PARCEL_MOVED for entry in entries)


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
    return None if at is None or at > later(now, timedelta(days=1)) else at


def believed(process: ReturnProcess, now: datetime) -> ReturnProcess:
    """The process without the times that tell of the past and lie more than a day ahead of the clock.

    Applied where a process is taken in: no rule, filter or wait has to look again. A refund whose only sign of payment
    is such a time is not paid, but on its way.
    """
    told = {name: getattr(process, name) for name in ("started_at", "updated_at")}
    changes: dict[str, object] = {name: None for name, at in told.items() if at and not told_of_the_past(at, now)}
    if any(it.review_date and not told_of_the_past(it.review_date, now) for it in process.reviews or ()):
        changes["reviews"] = tuple(
            it.model_copy(update={"review_date": told_of_the_past(it.review_date, now)}) for it in process.reviews or ()
        )
    if any(it.refunded_at and not told_of_the_past(it.refunded_at, now) for it in refunds_shown(process)):
        refunds = tuple(
            it.model_copy(update={"refunded_at": told_of_the_past(it.refunded_at, now)})
            for it in refunds_shown(process)
        )
        changes["compensation"] = process.compensation and process.compensation.model_copy(update={"refunds": refunds})
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
