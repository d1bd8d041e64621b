"""A shopper's returns in the stores of this desk, made into what rules ask of them. Pure.

REVER shows them, and the ledger knows what this desk has refunded: that counts with the ledger's amount, whether REVER
shows it yet or not. What others refunded counts as REVER shows it.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import tzinfo
from decimal import Decimal
from types import MappingProxyType

from rever_api.models import ProcessStatus, Refund, ReturnProcess, ReviewStatus
from tasks.policy.comparison import compare
from tasks.policy.facts import one_mailbox, paid_of, refunds_shown
from tasks.policy.money import value
from tasks.policy.record import BY_A_PERSON, REFUNDED, Intent, IntentKind, IntentState, Record
from tasks.policy.return_facts import EarlierReturn, EarlierReturns, Unknown, value_of

_REFUSED = frozenset({ReviewStatus.DECLINED, ReviewStatus.MISSING})


def earlier_of(
    processes: Iterable[ReturnProcess],
    shopper: str,
    zone: tzinfo,
    records: Mapping[str, Record] = MappingProxyType({}),
    refunded: Collection[str] = (),
    *,
    omits_empty_fields: bool = False,
) -> EarlierReturns:
    """The returns of the mailbox `shopper` among these, each once; their days are those of `zone`.

    `records` are the ledger's of these returns, and of those that by the ledger were `refunded` to this shopper: such
    a one counts also where REVER does not show it, or shows it without an e-mail.

    What a return does not tell is unknown in it. One that does not tell when it began makes all unknown: whether it
    counts cannot be said. `omits_empty_fields` says that what the account's REVER leaves out is empty.
    """
    found: dict[str, EarlierReturn] = {}
    shown = set()
    for process in processes:
        shown.add(process.rever_process_id)
        whose = one_mailbox(process.shopper.email) if process.shopper else ""
        theirs = whose == shopper or (not whose and process.rever_process_id in refunded)
        if not shopper or not theirs:
            continue
        if process.started_at is None:
            return Unknown(f"the day on which the shopper's other return {process.rever_process_id} began")
        refunds_told = omits_empty_fields or (
            process.compensation is not None and process.compensation.refunds is not None
        )
        reviews_told = omits_empty_fields or process.reviews is not None
        refunds = refunds_shown(process) if refunds_told else None
        record = records.get(process.rever_process_id, Record(process.rever_process_id))
        by_desk = [it for it in record.intents if _counts(it)]
        found[process.rever_process_id] = EarlierReturn(
            process.rever_process_id,
            process.order_id,
            process.started_at.astimezone(zone).date(),
            cancelled=process.rever_process_status == ProcessStatus.CANCELED,
            refunded=Unknown("what was refunded for each earlier return")
            if refunds is None
            else _paid(process, refunds, record),
            value=value_of(process),
            wrong_items=_wrong_items(process, told=reviews_told),
            bonus=any(it.bonus for it in by_desk) or _bonus(process, refunds, by_desk, reviews_told=reviews_told),
            began=process.started_at,
        )
    for name in sorted({*refunded} - shown):
        if (known := _by_ledger_alone(records.get(name, Record(name)), zone)) is not None:
            found[name] = known
    return tuple(found.values())


def _counts(intent: Intent) -> bool:
    """Whether it is a refund that the shopper had."""
    return intent.kind is IntentKind.REFUND and intent.state in REFUNDED


def _by_ledger_alone(record: Record, zone: tzinfo) -> EarlierReturn | None:
    """A return that REVER does not show, by what the ledger knows of it; None where nothing of it was refunded."""
    refunds = [it for it in record.intents if _counts(it)]
    days = [at.astimezone(zone).date() for it in refunds if (at := it.sent_at or it.created_at)]
    if not days:
        return None
    sums: dict[str, Decimal] = {}
    for it in refunds:
        sums[it.currency] = sums.get(it.currency, Decimal(0)) + it.amount
    unknown = Unknown(f"REVER's answer about the shopper's other return {record.process_id}")
    bonus = True if any(it.bonus for it in refunds) else unknown
    return EarlierReturn(record.process_id, "", min(days), refunded=sums, wrong_items=unknown, bonus=bonus, shown=False)


def _wrong_items(process: ReturnProcess, *, told: bool) -> bool | Unknown:
    """Whether units were missing or declined. A status that this project does not know may mean either."""
    statuses = {review.status for review in process.reviews or ()}
    if statuses & _REFUSED:
        return True
    return False if told and statuses <= {ReviewStatus.APPROVED} else Unknown("the reviews of each earlier return")


def _paid(process: ReturnProcess, refunds: Iterable[Refund], record: Record) -> dict[str, Decimal]:
    """What was paid in each currency. Of others' refunds what is still on its way is left out; this desk's own count
    whole as soon as they are sent, less what REVER showed as paid and no longer does.
    """
    paid: dict[str, Decimal] = defaultdict(Decimal)
    for refund in refunds:
        paid[refund.currency] += paid_of(refund)
    if not any(map(_counts, record.intents)):
        return dict(paid)
    sent = [replace(it, state=IntentState.DONE) if it.open and _counts(it) else it for it in record.intents]
    found = compare(process, replace(record, intents=tuple(sent)))
    for standing in found.standings:
        if not standing.intent.adopted:
            paid[standing.intent.currency] += max(Decimal(0), standing.open - standing.back)
    for intent in found.unshown:
        paid[intent.currency] += intent.amount
    by_hand = Counter((it.amount, it.currency) for it in sent if _counts(it) and it.state in BY_A_PERSON and it.amount)
    for (amount, currency), times in (by_hand - Counter(found.beside)).items():
        paid[currency] += amount * times
    return dict(paid)


def _bonus(
    process: ReturnProcess, refunds: tuple[Refund, ...] | None, by_desk: Iterable[Intent], *, reviews_told: bool
) -> bool | Unknown:
    """Whether a bonus was paid: more than the units that were not refused are worth. The order's shipping is none.

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
    for intent in by_desk:
        paid[intent.method] -= intent.shipping.amount if intent.shipping else Decimal(0)
    all_paid, all_worth = sum(paid.values(), Decimal(0)), sum(worth.values(), Decimal(0))
    if all_paid > all_worth:
        return True
    costs = process.return_costs
    within = settled and costs is not None and all_paid + costs <= all_worth
    return False if within and all(amount <= worth[method] for method, amount in paid.items()) else unknown
