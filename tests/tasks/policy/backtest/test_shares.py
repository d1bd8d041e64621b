"""A backtest in shares is the backtest in one piece: same money, same differences, same words."""

import pickle
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.policy.backtest.backtest import Replays, StorePolicies, backtest, summed_up
from tasks.policy.backtest.past import PastReturn, mailbox_of
from tasks.policy.backtest.shares import Share, packed, shares
from tests.tasks.policy.backtest.histories import BEGAN, DAY, UNTIL, past, ruled
from tests.tasks.policy.backtest.test_backtest import histories
from tests.tasks.policy.backtest.test_rules_tried import RULES, SECOND

OTHERS = [it for it in RULES if it != SECOND]
POLICIES = st.lists(st.sampled_from(OTHERS), unique=True, max_size=4).map(
    lambda texts: ruled("".join((SECOND, *texts)))
)


def in_shares(parts: list[Share]) -> Replays:
    """The replays of all shares, each as if it had come over a pipe."""
    found: Replays = {}
    for part in parts:
        sent: Share = pickle.loads(packed(part))
        found |= pickle.loads(pickle.dumps(sent.replayed()))
    return found


@settings(max_examples=40, deadline=None)
@given(histories(), histories(), POLICIES, POLICIES, st.integers(1, 4))
def test_shares_come_to_the_same_as_one_piece(
    returns: list[PastReturn], before: list[PastReturn], one: Any, other: Any, many: int
) -> None:
    stores = {"acme": StorePolicies(one, other)}
    others = [it.process.model_copy(update={"rever_process_id": f"other_{it.process_id}"}) for it in before]
    parts = shares(returns, stores, UNTIL, others, many)
    whole = backtest(returns, stores, UNTIL, others)
    assert repr(summed_up(returns, stores, UNTIL, in_shares(parts))) == repr(whole)


@settings(max_examples=40, deadline=None)
@given(histories(), st.integers(1, 4))
def test_a_shoppers_returns_are_in_one_share_and_each_return_is_in_one(returns: list[PastReturn], many: int) -> None:
    parts = shares(returns, {"acme": StorePolicies(ruled(), ruled())}, UNTIL, (), many)
    assert sorted(it.process_id for part in parts for it in part.past) == sorted(it.process_id for it in returns)
    homes = [{mailbox_of(it.process) for it in part.past} - {""} for part in parts]
    assert sum(map(len, homes)) == len(set().union(*homes))


def test_earlier_returns_go_with_their_shopper_and_only_where_a_rule_asks_for_them() -> None:
    returns = [past(name=f"retp_{n}", email=f"{n}@example.com") for n in range(4)]
    others = [past(name=f"old_{n}", email=f"{n}@example.com", began=BEGAN - DAY).process for n in range(5)]
    asking = shares(returns, {"acme": StorePolicies(ruled(), ruled(SECOND))}, UNTIL, others, 2)
    assert [{it.shopper for it in part.others} for part in asking] == [
        {it.process.shopper for it in part.past} for part in asking
    ]
    silent = shares(returns, {"acme": StorePolicies(ruled(), ruled())}, UNTIL, others, 2)
    assert [part.others for part in silent] == [(), ()]


def test_shares_are_of_about_the_same_size() -> None:
    returns = [past(name=f"retp_{n}", email=f"{n // 2}@example.com") for n in range(40)]
    parts = shares(returns, {"acme": StorePolicies(ruled(), ruled())}, UNTIL, (), 4)
    assert [len(part.past) for part in parts] == [10, 10, 10, 10]
