"""The bucket behind the sandbox's 429."""

import pytest

from rever_api.sandbox.server import Quota


def test_a_second_s_worth_at_once_then_one_after_each_interval() -> None:
    now = [100.0]
    quota = Quota(4, lambda: now[0])
    assert [quota.take() for _ in range(4)] == [0] * 4
    assert quota.take() == pytest.approx(0.25)
    now[0] += 0.25
    assert quota.take() == 0
    assert quota.take() > 0
    now[0] += 60
    assert [bool(quota.take()) for _ in range(5)] == [False] * 4 + [True]


def test_no_rate_is_no_limit() -> None:
    quota = Quota(None)
    assert [quota.take() for _ in range(100)] == [0] * 100
