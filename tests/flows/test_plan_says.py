"""`plan` says what `act` would do at this moment: what it would pay, and which holds it would open, guard by guard."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.desk import utc_now
from tasks.ledger import stop_switch
from tests.flows.test_guards import policy
from tests.world import Start, World

REFUSED_BY_REVER = {"refused_by_rever", "label_refused", "out_of_stock"}
"""The plan says that it takes each answer of REVER's for a yes."""


def opened(world: World, before: set[str]) -> Counter[str]:
    """The holds that are open and were not before, by rule; but for those that only REVER's refusal brings about."""
    return Counter(
        hold.rule for hold in world.holds() if hold.hold_id not in before and hold.rule not in REFUSED_BY_REVER
    )


CAPS = [
    'max_per_day = { EUR = "200", SEK = "3000" }',
    'max_refund = { EUR = "60", SEK = "600" }',
    "max_refunds_per_shopper = 1",
    'max_refund = { EUR = "100" }\nmax_per_day = { EUR = "300", SEK = "1000" }\nmax_refunds_per_shopper = 2',
]


@pytest.mark.parametrize("caps", CAPS)
def test_with_caps_it_is_what_act_then_does(start_world: Start, tmp_path: Path, caps: str) -> None:
    world = start_world(policy(tmp_path, caps), returns=80)
    now = utc_now()
    world.clock = lambda: now
    plan = world.run("process-pending-returns")
    act = world.act()
    assert plan.would_pay == act.paid == world.paid()
    assert plan.would_hold == opened(world, set())
    assert sum(plan.due.values()) >= sum(plan.would_pay.values())
    again = world.run("process-pending-returns")
    held = {hold.hold_id for hold in world.holds()}
    second = world.act()
    assert (again.would_pay, again.would_hold) == (second.paid, opened(world, held))


ASKING = [
    ("true", "{approve: {who: olga, why: a second payment}}"),
    ("true", "{bonus: {percent: 10 %, methods: [GIFT_CARD]}}"),
    ("false", "{bonus: {percent: 10 %, methods: [GIFT_CARD]}}"),
    ("true", "{decline: {why: paid enough}}"),
    ("true", "{fee: {amount: 3.00 EUR}}"),
    ("false", "{fee: {amount: 3.00 EUR}}"),
    ("true", "{fee: {percent: 15 %}}"),
    ("false", "{fee: {percent: 15 %, at_least: 3.00 EUR}}"),
    ("false", "{bonus: {amount: 5.00 EUR, methods: [GIFT_CARD]}}"),
    ("true", "{methods: {only: [GIFT_CARD], instead: [GIFT_CARD]}}"),
    ("true", "{pay: {at: inspection, plus_days: 40}}"),
]


@pytest.mark.parametrize(("refunded", "then"), ASKING)
def test_where_rules_ask_what_was_refunded_it_is_what_act_then_does(
    start_world: Start, tmp_path: Path, refunded: str, then: str
) -> None:
    """A return that is paid by two methods: the rules are asked again after the first refund."""
    file = tmp_path / "policy.yaml"
    file.write_text(
        f"default:\n  rules:\n  - name: rule\n    when: {{refunded: {{is: {refunded}}}}}\n    then: {then}\n"
    )
    world = start_world({"REVER_POLICY": str(file)}, shops=("acme",), returns=34)
    now = utc_now()
    world.clock = lambda: now
    plan = world.run("process-pending-returns")
    act = world.act()
    assert (plan.would_pay, plan.would_hold) == (act.paid, opened(world, set()))


def test_the_stop_switch_keeps_all_back_and_the_plan_says_so(world: World) -> None:
    world.act(max_returns="5")
    before = world.paid()
    world.write(stop_switch, on=True, by="olga", why="audit", now=utc_now())
    plan = world.run("process-pending-returns")
    assert plan.due
    assert plan.would_pay == {}
    assert set(plan.kept_back) == {"acme", "nordic"}
    assert any("olga" in line for line in plan.lines())
    world.act()
    assert world.paid() == before


def test_the_json_of_a_plan_has_both_what_is_due_and_what_would_be_paid(start_world: Start, tmp_path: Path) -> None:
    world = start_world(policy(tmp_path, 'max_refund = { EUR = "0", SEK = "0" }'))
    told = world.run("process-pending-returns").as_json()
    assert told["due"]
    assert told["would_pay"] == {}
    assert told["would_hold"]["guard:max_refund"] > 1


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10_000),
    returns=st.integers(1, 40),
    refund=st.integers(0, 200),
    day=st.integers(0, 800),
    shopper=st.integers(1, 4),
)
def test_on_any_shop_and_caps_it_is_what_act_then_does(
    start_world: Start, tmp_path: Path, seed: int, returns: int, refund: int, day: int, shopper: int
) -> None:
    caps = f'max_refund = {{ EUR = "{refund}" }}\nmax_per_day = {{ EUR = "{day}", SEK = "{day * 9}" }}'
    file = tmp_path / f"ledger-{seed}-{returns}-{refund}-{day}-{shopper}.sqlite"
    file.unlink(missing_ok=True)
    chosen = policy(tmp_path, f"{caps}\nmax_refunds_per_shopper = {shopper}")
    world = start_world({**chosen, "REVER_LEDGER_URL": f"sqlite:///{file}"}, seed=seed, returns=returns)
    now = utc_now()
    world.clock = lambda: now
    plan = world.run("process-pending-returns")
    assert not file.exists()
    act = world.act()
    assert plan.would_pay == act.paid
    assert plan.would_hold == opened(world, set())
