"""A shopper's returns in the stores of this desk, as REVER shows them, made into what rules ask of them. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import tzinfo
from decimal import Decimal

from rever_api.models import ProcessStatus, Refund, ReturnProcess, ReviewStatus
from tasks.policy.facts import one_mailbox, paid_of, refunds_shown
from tasks.policy.money import value
from tasks.policy.return_facts import EarlierReturn, Unknown, value_of

_REFUSED = frozenset({ReviewStatus.DECLINED, ReviewStatus.MISSING})


def earlier_of(
    processes: Iterable[ReturnProcess], shopper: str, zone: tzinfo, *, omits_empty_fields: bool = False
) -> tuple[EarlierReturn, ...] | Unknown:
    """The returns of the mailbox `shopper` among these, each once; their days are those of `zone`.

    What a return does not tell is unknown in it. One that does not tell when it began makes all unknown: whether it
    counts cannot be said. `omits_empty_fields` says that what the account's REVER leaves out is empty.
    """
    found: dict[str, EarlierReturn] = {}
    for process in processes:
        if process.shopper is None or not shopper or one_mailbox(process.shopper.email) != shopper:
            continue
        if process.started_at is None:
            return Unknown(f"the day on which the shopper's other return {process.rever_process_id} began")
        refunds_told = omits_empty_fields or (
            process.compensation is not None and process.compensation.refunds is not None
        )
        reviews_told = omits_empty_fields or process.reviews is not None
        refunds = refunds_shown(process) if refunds_told else None
        found[process.rever_process_id] = EarlierReturn(
            process.rever_process_id,
            process.order_id,
            process.started_at.astimezone(zone).date(),
            cancelled=process.rever_process_status == ProcessStatus.CANCELED,
            refunded=Unknown("what was refunded for each earlier return") if refunds is None else _paid(refunds),
            value=value_of(process),
            wrong_items=_wrong_items(process, told=reviews_told),
            bonus=_bonus(process, refunds, reviews_told=reviews_told),
        )
    return tuple(found.values())


def _wrong_items(process: ReturnProcess, *, told: bool) -> bool | Unknown:
    """Whether units were missing or declined. A status that this project does not know may mean either."""
    statuses = {review.status for review in process.reviews or ()}
    if statuses & _REFUSED:
        return True
    return False if told and statuses <= {ReviewStatus.APPROVED} else Unknown("the reviews of each earlier return")


def _paid(refunds: Iterable[Refund]) -> dict[str, Decimal]:
    """What was paid in each currency: what is still on its way is left out."""
    paid: dict[str, Decimal] = {}
    for refund in refunds:
        paid[refund.currency] = paid.get(refund.currency, Decimal(0)) + paid_of(refund)
    return paid


def _bonus(process: ReturnProcess, refunds: tuple[Refund, ...] | None, *, reviews_told: bool) -> bool | Unknown:
    """Whether a bonus was paid: more than the units that were not refused are worth.

    Unknown where costs, units that wait for their review, or another method than the one wished for could hide one.
    """
    unknown = Unknown("whether a bonus was paid for each earlier return")
    if refunds is None:
        return unknown
    if not any(map(paid_of, refunds)):
        return False
    worth, paid = defaultdict[str, Decimal](Decimal), defaultdict[str, Decimal](Decimal)
    settled = reviews_told
    currencies = {line.currency for line in process.return_line_items} | {refund.currency for refund in refunds}
    for line in process.return_line_items:
        reviews = [review.status for review in process.reviews or () if review.line_item_id == line.id]
        left = line.quantity - sum(status in _REFUSED for status in reviews)
        if line.total_price is None or line.quantity < 1 or left < 0 or len(currencies) != 1:
            return unknown
        worth[str(line.compensation_method)] += value(line.total_price, line.quantity, left, line.currency)
        settled = settled and len(reviews) == line.quantity
    for refund in refunds:
        paid[str(refund.type)] += paid_of(refund)
    all_paid, all_worth = sum(paid.values(), Decimal(0)), sum(worth.values(), Decimal(0))
    if all_paid > all_worth:
        return True
    costs = process.return_costs
    within = settled and costs is not None and all_paid + costs <= all_worth
    return False if within and all(amount <= worth[method] for method, amount in paid.items()) else unknown
