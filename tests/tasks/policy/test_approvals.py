"""The time that a person has for an approval, and that it is what the hold said when it was opened."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tasks.policy.actions import Approve
from tasks.policy.approvals import Limit, Then
from tests.tasks.policy.factories import NOW
from tests.tasks.policy.rule_texts import rules_of


def approve(**fields: Any) -> Approve:
    """An approval of these fields."""
    return Approve(who="olga", why="dear", **fields)


def test_a_limit_is_read_back_from_its_evidence() -> None:
    limit = Limit.of([approve(within_days=2, then="decline")], NOW)
    assert limit == Limit(NOW + timedelta(days=2), 2, Then.DECLINE)
    assert Limit.told(limit.evidence) == limit
    assert Limit.told({}) is None
    assert Limit.told({"until": "x", "within_days": "2", "then": "wait"}) is None


@pytest.mark.parametrize(
    "asked",
    [
        [approve()],
        [approve(within_days=2, then="wait")],
        [approve(within_days=2, then="go_on"), approve(within_days=3, then="go_on")],
        [approve(within_days=2, then="go_on"), approve(within_days=2, then="decline")],
        [approve(within_days=2, then="go_on"), approve()],
    ],
)
def test_without_a_limit_or_with_two_it_waits_for_a_person(asked: list[Approve]) -> None:
    assert Limit.of(asked, NOW) is None


def test_it_is_up_at_its_end_and_only_while_a_rule_says_so() -> None:
    limit = Limit(NOW, 2, Then.GO_ON)
    same = rules_of("rules: [{name: a, then: {approve: {who: x, why: z, within_days: 2, then: go_on}}}]")
    assert limit.is_up(same, NOW)
    assert not limit.is_up(same, NOW - timedelta(seconds=1))
    assert not limit.is_up((), NOW)
    for other in (replace(limit, days=3), replace(limit, then=Then.DECLINE)):
        assert not other.is_up(same, NOW)
