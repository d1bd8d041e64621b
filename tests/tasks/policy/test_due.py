"""What is due of free units: costs over several methods, worth in the currency's own decimals, exchanges beside."""

from collections.abc import Sequence
from decimal import Decimal

from rever_api.models import ReturnLineItem
from tasks.policy.due import Due, FreeUnits, due_of
from tests.tasks.policy.factories import BANK, EXCHANGE, GIFT, ORIGINAL, line, terms


def due(parts: Sequence[tuple[ReturnLineItem, str]], before: str = "0", costs: str = "0", *, ready: bool = True) -> Due:
    """What is due of one unit of each of these lines, worth so much."""
    free = [FreeUnits(it, str(it.compensation_method), terms(total, 1, it.currency), (1,)) for it, total in parts]
    return due_of(free, Decimal(before), Decimal(costs), exchange_ready=ready)


def test_costs_go_on_from_method_to_method_and_from_what_was_paid_before() -> None:
    """Of costs of 10.00, 3.00 were taken before; 4.00 come off the first refund here, 3.00 off the second."""
    parts = [(line("a"), "4.00"), (line("b", method=GIFT), "5.00"), (line("c", method=BANK), "6.00")]
    found = due(parts, before="3.00", costs="10.00")
    assert [(each.method, str(each.amount), str(each.gross)) for each in found.refunds] == [
        (ORIGINAL, "0.00", "4.00"),
        (GIFT, "2.00", "5.00"),
        (BANK, "6.00", "6.00"),
    ]


def test_worth_keeps_the_decimals_of_its_currency() -> None:
    [refund] = due([(line(currency="BHD"), "1.234")]).refunds
    assert (refund.gross, refund.amount) == (Decimal("1.234"), Decimal("1.234"))


def test_refunds_are_due_while_an_exchange_waits_for_its_inspection() -> None:
    found = due([(line("a"), "4.00"), (line("b", method=EXCHANGE, variant="v"), "5.00")], ready=False)
    assert [str(each.amount) for each in found.refunds] == ["4.00"]
    assert (found.exchange, found.exchange_waits) == (None, 1)
