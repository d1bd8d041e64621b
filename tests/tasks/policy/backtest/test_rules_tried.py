"""Merchant's rules tried over the past: what each kind of rule changes, when, and with which history."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.policy.backtest.backtest import Backtest, RuleUse, widest_history
from tasks.policy.backtest.differences import Change, Purse
from tasks.policy.backtest.past import PastReturn
from tasks.policy.money import ZERO
from tasks.policy.side_facts import OrderFacts, SideFacts
from tests.tasks.policy.backtest.histories import BEGAN, DAY, past, ruled, tried
from tests.tasks.policy.backtest.test_backtest import changes, histories
from tests.tasks.policy.factories import GIFT, line, refund
from tests.tasks.policy.rule_texts import rules_of

EARLY = "- {name: trusted, when: {country: {is: ES}}, then: {pay: {at: first_scan}}}\n"
LATE = "- {name: buffer, then: {pay: {at: inspection, plus_days: 3}}}\n"
HOLD = "- {name: dear, when: {return_value: {over: 100.00 EUR}}, then: {approve: {who: olga, why: it is dear}}}\n"


def use(found: Backtest, name: str) -> RuleUse:
    (one,) = [it for it in found.rules if it.name == name and it.candidate]
    return one


def test_the_one_return_that_a_candidate_would_have_paid_wrongly_is_found() -> None:
    good = [past(line("a", total="20.00"), name=f"retp_{n}") for n in range(3)]
    worn = past(line("a", total="80.00"), name="retp_worn", reviewed=[("DECLINED", 6)])
    found = tried(ruled(), ruled(EARLY), *good, worn)
    assert changes(found)["retp_worn"] == {"more": "80.00"}
    one = found.differences[0]
    assert (one.process_id, one.rules, one.current, one.candidate) == (
        "retp_worn",
        ("trusted",),
        ZERO,
        Decimal("80.00"),
    )
    assert {name: change for name, change in changes(found).items() if name != "retp_worn"} == {
        f"retp_{n}": {"earlier": "20.00"} for n in range(3)
    }


def test_what_is_paid_at_a_scan_without_a_date_is_earlier_by_days_that_nobody_knows() -> None:
    found = tried(ruled(), ruled(EARLY), past())
    (one,) = found.differences
    assert (one.days, one.candidate_at) == (None, None)
    assert any(words.startswith("The first scan of 1 return has no date") for words in found.unknown)


def test_with_the_time_of_the_scan_the_days_are_known() -> None:
    found = tried(ruled(), ruled(EARLY), past(scanned_at=BEGAN + DAY))
    (one,) = found.differences
    assert (one.days, one.current_at, one.candidate_at) == (-4, BEGAN + 5 * DAY, BEGAN + DAY)
    assert not any(words.startswith("The first scan") for words in found.unknown)


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        ("- {name: later, then: {pay: {at: first_scan, plus_days: 2}}}\n", -2),
        ("- {name: later, then: {pay: {at: arrival, plus_days: 1}}}\n", -1),
        ("- {name: scanned, when: {days_since_first_scan: {at_least: 3}}, then: {keep_item: {}}}\n", -1),
    ],
)
def test_days_after_a_scan_or_an_arrival_that_the_ledger_saw(rule: str, days: int) -> None:
    it = past(scanned_at=BEGAN + DAY, arrived_at=BEGAN + 3 * DAY)
    (one,) = tried(ruled(), ruled(rule), it).differences
    assert (one.days, dict(one.changes)) == (days, {Change.EARLIER: Decimal("10.00")})
    unseen = tried(ruled(), ruled(rule), past()).differences
    assert all(set(each.changes) == {Change.HELD} for each in unseen), "nobody knows the day"


def test_days_after_the_inspection_are_whole_days_of_the_store() -> None:
    (one,) = tried(ruled(), ruled(LATE), past()).differences
    assert (one.days, dict(one.changes)) == (3, {Change.LATER: Decimal("10.00")})
    assert one.candidate_at
    assert one.candidate_at.date() == (BEGAN + 8 * DAY).date()


def test_a_rule_that_begins_to_match_before_the_inspection_pays_on_that_day() -> None:
    rule = "- {name: old, when: {days_since_start: {at_least: 3}}, then: {keep_item: {}}}\n"
    (one,) = tried(ruled(), ruled(rule), past()).differences
    assert (one.days, dict(one.changes)) == (-2, {Change.EARLIER: Decimal("10.00")})


def test_what_is_not_paid_by_the_end_is_later_by_days_that_nobody_knows() -> None:
    (one,) = tried(ruled(), ruled(LATE), past(), until=BEGAN + 6 * DAY).differences
    assert (one.days, dict(one.changes), one.candidate) == (None, {Change.LATER: Decimal("10.00")}, ZERO)


def test_a_refund_that_bears_no_costs_fixes_none() -> None:
    """As the ledger has it: the first refund that bears costs fixes them."""
    late = "- {name: credit, when: {method: {is: GIFT_CARD}}, then: {no_fee: {}}}\n"
    late += "- {name: late, when: {days_since_start: {over: 10}}, then: {fee: {amount: 2.00 EUR}}}\n"
    it = past(line("a", method=GIFT), line("b"), reviewed=[("APPROVED", 5), ("APPROVED", 12)])
    (one,) = tried(ruled(), ruled(late), it).differences
    assert (one.purse.currency, dict(one.changes)) == ("EUR", {Change.LESS: Decimal("2.00")})


def test_a_fee_in_percent_and_a_sum_on_top_are_those_of_all_refunds_together() -> None:
    """Three units inspected on three days: 15 % of 10.01 EUR, and 5.00 EUR once."""
    seen = [("APPROVED", 5), ("APPROVED", 8), ("APPROVED", 12)]
    it = past(line("a", quantity=3, total="10.01", method=GIFT), reviewed=seen)
    fee, more = "fee: {percent: 15 %}", "bonus: {amount: 5.00 EUR, methods: [GIFT_CARD]}"
    for then, kind, amount in ((fee, Change.LESS, "1.50"), (more, Change.MORE, "5.00")):
        (one,) = tried(ruled(), ruled(f"- {{name: r, then: {{{then}}}}}\n"), it).differences
        assert one.changes[kind] == Decimal(amount)
        assert one.candidate - one.current == Decimal(amount) * (1 if kind is Change.MORE else -1)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (HOLD, {"held": "120.00"}),
        (
            "- {name: final, when: {sku: {is: A}}, if_unknown: matches, then: {decline: {why: sale}}}\n",
            {"less": "120.00"},
        ),
        ("- {name: fee, then: {fee: {amount: 7.50 EUR}}}\n", {"less": "7.50"}),
        ("- {name: fee, then: {fee: {percent: 15 %, at_most: 17.00 EUR}}}\n", {"less": "17.00"}),
        ("- {name: credit, then: {methods: {only: [GIFT_CARD], instead: [GIFT_CARD]}}}\n", {"another way": "120.00"}),
        ("- {name: kept, then: {keep_item: {}}}\n", {"earlier": "120.00"}),
        ("- {name: tags, when: {order_tags: {has: VIP}}, then: {pay: {at: start}}}\n", {"held": "120.00"}),
    ],
)
def test_each_kind_of_rule(rule: str, expected: dict[str, str]) -> None:
    it = past(line("a", total="120.00"))
    found = tried(ruled(), ruled(rule), it)
    assert changes(found) == {"retp_1": expected}
    name = rules_of(f"rules:\n{rule}")[0].name
    assert name in found.differences[0].rules or "needs_facts" in found.differences[0].rules
    back = tried(ruled(rule), ruled(), it)
    assert {kind for one in back.differences for kind in one.changes} & {"more", "another way", "later"}


def test_how_rules_stood_is_counted_in_returns() -> None:
    rules = (
        "- {name: dear, when: {return_value: {over: 50.00 EUR}}, then: {fee: {amount: 1.00 EUR}}}\n"
        "- {name: all, then: {fee: {amount: 2.00 EUR}}}\n"
        "- {name: never, when: {country: {is: NZ}}, then: {no_fee: {}}}\n"
        "- {name: tagged, when: {order_tags: {has: VIP}}, then: {fee: {amount: 3.00 EUR}}}\n"
    )
    returns = [past(line("a", quantity=2, total=total), name=total) for total in ("10.00", "60.00", "70.00")]
    found = tried(ruled(), ruled(rules), *returns)
    stood = {it.name: (it.fired, it.decisive, it.outranked, it.unknown, it.never) for it in found.rules}
    assert stood == {
        "dear": (2, 2, 0, 0, False),
        "all": (3, 1, 2, 0, False),
        "never": (0, 0, 0, 0, True),
        "tagged": (0, 0, 0, 3, True),
    }
    assert use(found, "tagged").needs == {"the order's tags (the table of orders or the shop's order)": 3}


SECOND = (
    "- {name: second, when: {earlier_returns: {at_least: 1, within_days: 30}}, "
    "then: {approve: {who: olga, why: again}}}\n"
)


def test_history_is_what_was_known_then() -> None:
    first = past(name="retp_1", reviewed=[("APPROVED", 5)])
    later = past(name="retp_2", began=BEGAN + 8 * DAY)
    someone = past(name="retp_3", email="b@example.com")
    found = tried(ruled(), ruled(SECOND), later, someone, first)
    assert changes(found) == {"retp_2": {"held": "10.00"}}
    assert (use(found, "second").fired, use(found, "second").decisive) == (1, 1)


def test_a_return_that_waits_is_asked_again_when_its_shopper_begins_another() -> None:
    """A run asks all that waits: what it says must not hang on when the policy beside asks."""
    first, later = past(name="retp_1", reviewed=[]), past(name="retp_2", began=BEGAN + DAY, reviewed=[])
    alone = tried(ruled(SECOND), ruled(SECOND), first, later)
    assert [it.fired for it in alone.rules] == [2, 2]


def test_a_return_from_before_the_window_counts_as_history_alone() -> None:
    before = past(name="retp_0", began=BEGAN - 3 * DAY).process
    found = tried(ruled(), ruled(SECOND), past(), others=[before])
    assert changes(found) == {"retp_1": {"held": "10.00"}}
    assert found.returns == 1


def test_a_refund_of_another_return_counts_from_the_day_it_was_paid() -> None:
    rule = "- {name: had, when: {earlier_refunds: {at_least: 1}}, then: {approve: {who: olga, why: again}}}\n"
    paid = refund().model_copy(update={"refunded_at": BEGAN + 7 * DAY})
    other = past(name="retp_0", began=BEGAN - DAY, refunds=[paid])
    early = past(name="retp_1", reviewed=[("APPROVED", 5)])
    late = past(name="retp_2", reviewed=[("APPROVED", 9)])
    found = tried(ruled(), ruled(rule), other, early, late)
    assert changes(found) == {"retp_2": {"held": "10.00"}}


def test_a_window_that_ends_while_the_goods_are_inspected() -> None:
    rule = SECOND.replace("within_days: 30", "within_days: 6")
    other = past(name="retp_0", began=BEGAN - 3 * DAY).process
    soon, late = past(name="retp_1", reviewed=[("APPROVED", 2)]), past(name="retp_2", reviewed=[("APPROVED", 5)])
    assert changes(tried(ruled(), ruled(rule), soon, others=[other])) == {"retp_1": {"held": "10.00"}}
    assert changes(tried(ruled(), ruled(rule), late, others=[other])) == {}


def test_a_rule_of_a_weekday_pays_on_that_day() -> None:
    rule = (
        "- {name: fridays, when: {weekday: {is: friday}}, then: {pay: {at: inspection}}}\n"
        "- {name: else, then: {pay: {at: inspection, plus_days: 3000}}}\n"
    )
    (one,) = tried(ruled(), ruled(rule), past()).differences
    assert one.candidate_at
    assert (one.candidate_at.strftime("%A"), one.days) == ("Friday", 6)


def test_a_rule_that_begins_while_returns_wait() -> None:
    begins = (BEGAN + 7 * DAY).date()
    rule = LATE + f"- {{name: new fee, then: {{fee: {{amount: 1.00 EUR}}}}, applies_to: all, from: {begins}}}\n"
    early, late = past(name="retp_1", reviewed=[("APPROVED", 1)]), past(name="retp_2", reviewed=[("APPROVED", 6)])
    found = tried(ruled(LATE), ruled(rule), early, late)
    assert changes(found) == {"retp_2": {"less": "1.00"}}


def test_a_rule_that_begins_pays_from_the_start_of_that_day_at_the_store() -> None:
    begins = (BEGAN + 9 * DAY).date()
    rules = (
        f"- {{name: thaw, then: {{pay: {{at: inspection}}}}, applies_to: all, from: {begins}}}\n"
        "- {name: frozen, then: {pay: {at: inspection, plus_days: 3000}}}\n"
    )
    madrid = ZoneInfo("Europe/Madrid")
    current, candidate = (replace(it, zone=madrid) for it in (ruled(), ruled(rules)))
    (one,) = tried(current, candidate, past()).differences
    assert one.candidate_at == datetime(begins.year, begins.month, begins.day, tzinfo=madrid)
    assert (one.days, one.rules) == (4, ("thaw",))


def test_a_hold_that_nothing_ends_stays_and_one_whose_units_are_declined_ends() -> None:
    two = line("a", quantity=2, total="120.00")
    held = tried(ruled(), ruled(HOLD), past(two, reviewed=[("APPROVED", 2), ("DECLINED", 4)]))
    assert changes(held) == {"retp_1": {"held": "60.00"}}


def test_a_hold_ends_once_the_units_are_declined() -> None:
    """At the scan the rules cannot decide; after the inspection there is nothing to decide about."""
    rules = EARLY + "- {name: fee, when: {reason: {is: DEFECTIVE}}, then: {no_fee: {}}}\n"
    found = tried(ruled(), ruled(rules), past(reviewed=[("DECLINED", 5)]))
    assert found.differences == ()
    assert not any("held by the candidate" in words for words in found.unknown)


def test_whether_a_hold_ends_is_asked_of_the_rules_as_if_it_were_not_there() -> None:
    """A rule that speaks only while something is asked would keep its own question open."""
    rules = (
        "- {name: young, when: {days_since_start: {under: 4}}, then: {pay: {at: first_scan}}}\n"
        "- {name: asked, when: {held: {is: true}}, then: {pay: {at: first_scan}}}\n"
        "- {name: fee, when: {reason: {is: DEFECTIVE}}, then: {no_fee: {}}}\n"
    )
    found = tried(ruled(), ruled(rules), past(reviewed=[], scanned_at=BEGAN + DAY))
    assert use(found, "asked").fired == 1
    assert not any("held by the candidate" in words for words in found.unknown)


def test_how_far_history_must_reach() -> None:
    assert widest_history(rules_of(f"rules:\n{HOLD}")) == 0
    assert widest_history(rules_of(f"rules:\n{SECOND}")) == 30
    without = SECOND.replace(", within_days: 30", "")
    assert widest_history(rules_of(f"rules:\n{without}")) is None


def test_an_earlier_return_is_no_part_of_what_is_shown() -> None:
    found = tried(ruled(), ruled(SECOND), past(name="retp_1"), past(name="retp_2", began=BEGAN + 8 * DAY))
    assert "example.com" not in repr(found)


RULES = (
    EARLY,
    LATE,
    HOLD,
    SECOND,
    "- {name: fee, when: {reason: {is: NOT_RECEIVED}}, then: {no_fee: {}}}\n",
    "- {name: per unit, then: {fee: {amount: 2.00 EUR, per: unit, free_units: 1}}}\n",
    "- {name: kept, when: {line_value: {under: 20.00 EUR}}, then: {keep_item: {}}}\n",
    "- {name: waits, when: {days_since_start: {under: 4}}, then: {approve: {who: olga, why: young}}}\n",
    "- {name: credit, when: {quantity: {at_least: 2}}, then: {methods: {only: [GIFT_CARD], instead: [GIFT_CARD]}}}\n",
    "- {name: bad, when: {review: {has: DECLINED}}, then: {decline: {why: one is worn}}}\n",
    "- {name: old, when: {days_since_start: {at_least: 3}}, then: {keep_item: {}}}\n",
    "- {name: soon, then: {pay: {at: start, plus_days: 2}}}\n",
)
POLICIES = st.lists(st.sampled_from(RULES), unique=True, max_size=5).map(lambda texts: ruled("".join(texts)))


@settings(max_examples=80, deadline=None)
@given(histories(), POLICIES)
def test_a_candidate_that_is_the_current_policy_makes_no_difference(returns: list[PastReturn], policy: Any) -> None:
    found = tried(policy, policy, *returns)
    assert found.differences == ()
    stood = [(it.name, it.fired, it.decisive, it.outranked, it.unknown) for it in found.rules if not it.candidate]
    assert stood == [(it.name, it.fired, it.decisive, it.outranked, it.unknown) for it in found.rules if it.candidate]


@settings(max_examples=80, deadline=None)
@given(histories(), POLICIES, POLICIES)
def test_each_side_is_what_it_is_alone_whatever_stands_beside_it(
    returns: list[PastReturn], one: Any, other: Any
) -> None:
    """The two share a desk as long as they say the same: that must not show."""
    both, alone = tried(one, other, *returns), tried(other, other, *returns)
    assert {purse: it.candidate for purse, it in both.money.items() if it.candidate} == {
        purse: it.candidate for purse, it in alone.money.items() if it.candidate
    }
    assert [it for it in both.rules if it.candidate] == [it for it in alone.rules if it.candidate]


@settings(max_examples=60, deadline=None)
@given(histories(), POLICIES, POLICIES, st.randoms(use_true_random=False))
def test_the_order_in_which_returns_come_does_not_matter(
    returns: list[PastReturn], one: Any, other: Any, random: Any
) -> None:
    mixed = list(returns)
    random.shuffle(mixed)
    assert tried(one, other, *mixed) == tried(one, other, *returns)


@settings(max_examples=60, deadline=None)
@given(histories(), POLICIES)
def test_nothing_is_paid_above_what_a_return_is_worth(returns: list[PastReturn], policy: Any) -> None:
    for it in returns:
        worth = sum((each.total_price or Decimal(0) for each in it.process.return_line_items), Decimal(0))
        paid = sum((totals.candidate for totals in tried(policy, policy, it).money.values()), Decimal(0))
        assert paid <= worth


@pytest.mark.parametrize(
    ("then", "expected"),
    [("go_on", {"later": "120.00"}), ("decline", {"less": "120.00"}), ("wait", {"held": "120.00"})],
)
def test_an_approval_that_nobody_gives_ends_as_its_rule_says(then: str, expected: dict[str, str]) -> None:
    approve = f"{{who: olga, why: it is dear, within_days: 4, then: {then}}}"
    rule = f"- {{name: dear, when: {{return_value: {{over: 100.00 EUR}}}}, then: {{approve: {approve}}}}}\n"
    found = tried(ruled(), ruled(rule), past(line("a", total="120.00")))
    assert changes(found) == {"retp_1": expected}
    assert found.differences[0].days == (4 if then == "go_on" else None)
    soon = tried(ruled(), ruled(rule), past(line("a", total="120.00")), until=BEGAN + 8 * DAY)
    assert changes(soon) == {"retp_1": {"held": "120.00"}}


def test_a_hold_without_an_amount_is_of_the_returns_own_currency() -> None:
    """A return that the candidate cannot decide, and the current policy has not paid yet."""
    rule = "- {name: tags, when: {order_tags: {has: VIP}}, then: {pay: {at: start}}}\n"
    sek = past(line("a", currency="SEK"), reviewed=[], status="RUNNING")
    (one,) = tried(ruled(), ruled(rule), sek).differences
    assert (one.purse, dict(one.changes), one.current) == (Purse("SEK"), {Change.HELD: ZERO}, ZERO)


def test_goods_alone_are_held_as_goods_alone() -> None:
    it = past(line("a", total="120.00", method="EXCHANGE", variant="v2"))
    found = tried(ruled(), ruled(HOLD), it)
    assert [(one.purse, dict(one.changes)) for one in found.differences] == [
        (Purse("EUR", goods=True), {Change.HELD: Decimal("120.00")})
    ]


def test_candidates_with_tables_of_their_own_are_asked_by_what_those_tell() -> None:
    """The facts of one policy's tables are never used for the other's rules."""
    rule = "- {name: sale, when: {order_tags: {has: sale}}, then: {decline: {why: sale}}}\n"
    tagged = SideFacts(orders_by_name={"retp_1": OrderFacts("orders.csv, row 2", order_tags=frozenset({"sale"}))})
    bare = SideFacts(orders_by_name={"retp_1": OrderFacts("orders.csv, row 2", order_tags=frozenset())})
    ours, theirs = replace(ruled(rule), side=bare), replace(ruled(rule), side=tagged)
    assert changes(tried(ours, theirs, past())) == {"retp_1": {"less": "10.00"}}
    assert changes(tried(theirs, theirs, past())) == {}
