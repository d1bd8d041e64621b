"""Two reads of one return in one run, beside each other: what money hangs on must be the same in both.

Further approvals, a refund and an exchange that appear meanwhile are news, which the rules judge. A total,
quantity, currency, method, variant, store or cost that differs between a search and a read by id is none, nor is a
review, a refund or an exchange that the later read no longer shows: one of the two is wrong or old, and nobody can
tell which.
"""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

from rever_api.models import ReturnLineItem, ReturnProcess
from tasks.policy.decision import Hold
from tasks.policy.facts import counted, exchange_shown, quoted, refunds_shown
from tasks.policy.money import shown
from tasks.policy.record import HoldKind

READS_DIFFER = "reads_differ"
"""The rule of the hold; it ends by itself when a search and a read by id of one later run agree."""


def differences(first: ReturnProcess, second: ReturnProcess) -> tuple[str, ...]:
    """One sentence for each difference between an earlier and a later read; empty where they agree.

    What one of them does not tell is no difference, but for costs, reviews, refunds and an exchange that the earlier
    one showed: where an account leaves empty fields out, the later one says that there are none.
    """
    return tuple(_differences(first, second))


def reads_differ(found: tuple[str, ...]) -> Hold:
    """The hold of a return whose two reads differ so."""
    why = f"two reads of this return in one run differ: {'; '.join(found[:3])}; nothing is sent on either"
    evidence = {str(number): sentence for number, sentence in enumerate(found[:20], start=1)}
    return Hold(READS_DIFFER, why, HoldKind.CONTRADICTION, evidence)


def _differences(first: ReturnProcess, second: ReturnProcess) -> Iterator[str]:
    before = {line.id: line for line in first.return_line_items}
    after = {line.id: line for line in second.return_line_items}
    if before and after:  # a read without lines is held as such
        for line_id in sorted(before.keys() ^ after.keys()):
            yield f"line {quoted(line_id)} is in only one of them"
        for line_id in sorted(before.keys() & after.keys()):
            yield from _of_line(before[line_id], after[line_id])
    stores = first.ecommerce_id, second.ecommerce_id
    if all(stores) and stores[0] != stores[1]:
        yield f"the store is {quoted(stores[0])} and {quoted(stores[1])}"
    costs = first.return_costs, second.return_costs
    if costs[0] != costs[1] and (None not in costs or costs[0]):
        yield f"the return costs are {costs[0]} and {'not given' if costs[1] is None else costs[1]}"
    yield from _gone(first, second)


def _gone(first: ReturnProcess, second: ReturnProcess) -> Iterator[str]:
    """What the first read showed as done and the second no longer does; its paid part may change meanwhile."""
    reviews = _reviews(first) - _reviews(second)
    if reviews:
        yield f"{counted(reviews.total(), 'review')} in the first alone"
    for (method, amount, currency), times in (_refunds_of(first) - _refunds_of(second)).items():
        many = f"{times} refunds" if times > 1 else "a refund"
        yield f"{many} of {shown(amount, currency)} by {quoted(method)} in the first alone"
    if exchange_shown(first) is not None and exchange_shown(second) is None:
        yield "the exchange order in the first alone"


def _reviews(process: ReturnProcess) -> Counter[tuple[str, str]]:
    return Counter((review.line_item_id, str(review.status)) for review in process.reviews or ())


def _refunds_of(process: ReturnProcess) -> Counter[tuple[str, Decimal, str]]:
    return Counter((str(it.type), it.amount, it.currency) for it in refunds_shown(process))


def _of_line(before: ReturnLineItem, after: ReturnLineItem) -> Iterator[str]:
    name = f"line {quoted(before.id)}"
    told = (
        ("total", before.total_price, after.total_price),
        ("quantity", before.quantity, after.quantity),
        ("currency", before.currency or None, after.currency or None),
        ("compensation method", str(before.compensation_method) or None, str(after.compensation_method) or None),
        ("variant to exchange for", _variant(before), _variant(after)),
    )
    for what, one, other in told:
        if one is not None and other is not None and one != other:
            shown = (quoted(each) if isinstance(each, str) else str(each) for each in (one, other))
            yield f"{name} has the {what} {' and '.join(shown)}"


def _variant(line: ReturnLineItem) -> str | None:
    return (line.exchange_for.variant_id or None) if line.exchange_for else None
