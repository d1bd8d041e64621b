"""What holds an approval where REVER pays for it: whatever would hold the payment."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from rever_api.models import ReviewStatus
from tasks.policy.decision import AskedEffect, Decision
from tasks.policy.kinds.review import REVIEW, Reviews, UnitReview
from tasks.policy.record import Record, Waiver
from tasks.policy.rules.gates import ARCHIVED
from tasks.policy.store import RefundsBy
from tests.tasks.policy.factories import NOW, approved, intent, line, process, record, refund, rules

FIRST = (UnitReview("retl_1", 1, ReviewStatus.APPROVED),)
SECOND = (UnitReview("retl_1", 2, ReviewStatus.APPROVED),)
LONG_AGO = NOW - timedelta(days=500)
PAID = intent(adopted=True, sent_at=LONG_AGO, created_at=LONG_AGO)


def decided(by: RefundsBy, wanted: Reviews, known: Record, **shown: Any) -> Decision:
    it = process(line(quantity=2, total="20.00"), **shown)
    return REVIEW.decide(it, replace(rules(), refunds_by=by), known, NOW, wanted)


@pytest.mark.parametrize("by", [RefundsBy.REVER, RefundsBy.UNSTATED])
def test_where_rever_pays_nothing_is_approved_by_a_read_that_lacks_what_was_paid(by: RefundsBy) -> None:
    """The back office had approved the unit, and REVER paid: an older view shows neither."""
    assert decided(by, FIRST, record(PAID)).rule == "rever_shows_less"
    assert decided(by, FIRST, record(PAID), refunds=[refund("10.00")]).rule == "fewer_approvals"
    seen = {"reviews": approved(), "refunds": [refund("10.00")]}
    assert isinstance(decided(by, SECOND, record(PAID), **seen), AskedEffect), "the next unit is paid for once"
    assert isinstance(decided(RefundsBy.US, FIRST, record(PAID)), AskedEffect), "there a review pays nothing"


def test_where_rever_pays_a_person_looks_before_an_archived_return_is_approved() -> None:
    known = record(archived_at=NOW - timedelta(days=30))
    held = decided(RefundsBy.REVER, FIRST, known)
    assert (held.rule, getattr(held, "amount", None)) == (ARCHIVED, Decimal("10.00"))
    seen = replace(known, waivers=(Waiver(ARCHIVED, Decimal("10.00"), "EUR"),))
    assert isinstance(decided(RefundsBy.REVER, FIRST, seen), AskedEffect)
    declined = (UnitReview("retl_1", 1, ReviewStatus.DECLINED, "worn"),)
    assert isinstance(decided(RefundsBy.REVER, declined, known), AskedEffect), "nothing is paid for it"
    assert isinstance(decided(RefundsBy.US, FIRST, known), AskedEffect)
