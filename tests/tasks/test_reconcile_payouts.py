"""What REVER shows of refunds that the ledger does not have."""

from datetime import timedelta
from decimal import Decimal

import pytest

from rever_api.models import ReturnProcess
from tasks.policy.comparison import compare
from tasks.policy.payouts import BookedRefund
from tasks.policy.record import IntentState, Record
from tasks.reconcile_payouts import as_shown, foreign_refunds
from tests.tasks.policy.factories import NOW, intent, process, record, refund

WINDOW = (NOW - timedelta(days=1), NOW + timedelta(days=1))


def others(shown: ReturnProcess, known: Record) -> list[BookedRefund]:
    settled = as_shown(shown, known)
    return foreign_refunds(shown, settled, compare(shown, settled), "acme", WINDOW)


@pytest.mark.parametrize("state", [IntentState.REFUSED, IntentState.WITHDRAWN, IntentState.INTENDED])
def test_a_refund_by_another_counts_where_ours_of_the_same_amount_was_never_paid(state: IntentState) -> None:
    """REVER may have refused ours because a person had paid it there already."""
    shown, known = process(refunds=[refund("10.00")]), record(intent(state=state))
    (theirs,) = others(shown, known)
    assert (theirs.amount, theirs.at, theirs.wanted) == (Decimal("10.00"), NOW, True)


def test_ours_is_no_refund_by_another() -> None:
    shown, known = process(refunds=[refund("10.00"), refund("10.00")]), record(intent())
    (theirs,) = others(shown, known)
    assert (theirs.amount, theirs.wanted) == (Decimal("10.00"), True)
    assert others(process(refunds=[refund("10.00")]), known) == []


@pytest.mark.parametrize("state", [IntentState.SENT, IntentState.UNKNOWN])
def test_ours_that_rever_shows_before_it_is_settled_is_no_refund_by_another(state: IntentState) -> None:
    known = record(intent(state=state))
    assert others(process(refunds=[refund("10.00")]), known) == []
    assert others(process(refunds=[refund("4.00"), refund("6.00")]), known) == []
    for shown in ([refund("10.00"), refund("7.00")], [refund("7.00")]):
        (theirs,) = others(process(refunds=shown), known)
        assert (theirs.amount, theirs.wanted) == (Decimal("7.00"), True)
