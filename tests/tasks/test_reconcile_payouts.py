"""What REVER shows of refunds that the ledger does not have."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tasks.policy.record import IntentState
from tasks.reconcile_payouts import foreign_refunds
from tests.tasks.policy.factories import NOW, intent, process, record, refund

WINDOW = (NOW - timedelta(days=1), NOW + timedelta(days=1))


@pytest.mark.parametrize("state", [IntentState.REFUSED, IntentState.WITHDRAWN, IntentState.INTENDED])
def test_a_refund_by_another_counts_where_ours_of_the_same_amount_was_never_paid(state: IntentState) -> None:
    """REVER may have refused ours because a person had paid it there already."""
    shown, known = process(refunds=[refund("10.00")]), record(intent(state=state))
    (theirs,) = foreign_refunds(shown, known, "acme", WINDOW)
    assert (theirs.amount, theirs.at, theirs.wanted) == (Decimal("10.00"), NOW, True)


def test_ours_is_no_refund_by_another() -> None:
    shown, known = process(refunds=[refund("10.00"), refund("10.00")]), record(intent())
    (theirs,) = foreign_refunds(shown, known, "acme", WINDOW)
    assert (theirs.amount, theirs.wanted) == (Decimal("10.00"), True)
    assert foreign_refunds(process(refunds=[refund("10.00")]), known, "acme", WINDOW) == []
