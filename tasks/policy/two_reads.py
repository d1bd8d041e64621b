"""Two reads of one return in one run, beside each other: what money hangs on must be the same in both.

Further approvals, a refund and an exchange that appear meanwhile are news, which the rules judge. A total, quantity,
currency, method, variant or cost that differs between a search and a read by id is none: one of the two is wrong, and
nobody can tell which.
"""

from collections.abc import Iterator

from rever_api.models import ReturnLineItem, ReturnProcess
from tasks.policy.decision import Hold
from tasks.policy.reading import quoted
from tasks.policy.record import HoldKind

READS_DIFFER = "reads_differ"
"""The rule of the hold; it ends by itself when a search and a read by id of one later run agree."""


def differences(first: ReturnProcess, second: ReturnProcess) -> tuple[str, ...]:
    """One sentence for each difference; empty where they agree. What one of them does not tell is no difference."""
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
    costs = first.return_costs, second.return_costs
    if None not in costs and costs[0] != costs[1]:
        yield f"the return costs are {costs[0]} and {costs[1]}"


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
