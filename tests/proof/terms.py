"""What a merchant's own rules leave of a return's refunds, by the judge's own arithmetic: that of the sandbox's books.

The sandbox's auditor knows no rules: to it a fee that was taken is money still due, and a return without its sum on top
is paid in full. Here each return is held against what its refunds must come to in all, to the cent.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from rever_api.models import ReturnLineItem, ReturnProcess
from rever_api.sandbox import Due, RunningSandbox
from rever_api.sandbox.arithmetic import approved_units, costs, is_exchange, line_value, major
from tests.books import Books
from tests.judge import OVER, Verdict


@dataclass(frozen=True, slots=True)
class Terms:
    """A fee of so many `percent` for the lines of a `reason`, and a sum on top for a return with `credit`.

    Amounts are in minor units. Lines that bear the fee bear none of REVER's costs.
    """

    reason: str
    percent: int
    at_least: int
    at_most: int
    credit: str
    on_top: int

    def concern(self, line: ReturnLineItem) -> bool:
        """Whether they change what the line comes to."""
        return line.return_reason == self.reason or line.compensation_method == self.credit

    def total(self, process: ReturnProcess, timing: str) -> int:
        """Return what the refunds of a return must come to in all, in minor units: of what is approved by now."""
        worth = {
            line.id: line_value(line, approved_units(process, line, timing))
            for line in process.return_line_items
            if not is_exchange(line)
        }
        lines = [line for line in process.return_line_items if line.id in worth]
        bears = sum(worth[line.id] for line in lines if line.return_reason == self.reason)
        credit = sum(worth[line.id] for line in lines if line.compensation_method == self.credit)
        fee = (2 * bears * self.percent + 100) // 200
        fee = min(max(fee, self.at_least), self.at_most, bears)
        others = max(0, sum(worth.values()) - bears - costs(process))
        return bears - fee + others + (self.on_top if credit else 0)


def by_terms(sandbox: RunningSandbox, books: Books, terms: Terms) -> tuple[Books, Verdict]:
    """Return the books with what is still due by these terms, and where more was paid than they leave."""
    verdict, dues, paid = Verdict(), {due.process_id: due for due in books.due}, books.refunds(of_all=True)
    with sandbox.sandbox.locked():
        found = [stored.process for stored in sandbox.sandbox.processes.values()]
        shops, judged_by = dict(sandbox.sandbox.shops), sandbox.sandbox.options.judged_by
    for process in found:
        if not any(terms.concern(line) for line in process.return_line_items):
            continue
        process_id, store, currency = (
            process.rever_process_id, process.ecommerce_id, process.return_line_items[0].currency,
        )  # fmt: skip
        total = major(terms.total(process, judged_by or shops[store].timing), currency)
        left = total - paid[process_id, currency]
        if left < 0:
            verdict.add(OVER, f"{process_id}: {-left} {currency} more than the {total} that its rules leave")
        nothing = Due(process_id, store, currency, left, 0, label=False, unreviewed=0, payer="desk")
        due = dues.get(process_id, nothing)
        blocked = due.blocked if left > 0 or due.exchange_units else ""
        dues[process_id] = replace(due, amount=max(left, Decimal(0)), blocked=blocked)
    return replace(books, due=tuple(dues.values())), verdict
