"""The verdict over rules of any sort: total, the same each time, and never taken back when a missing fact is told."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.policy.actions import Accept, Decline, Pay, kind_of
from tasks.policy.merchant_rules import AppliesTo, IfUnknown, MerchantRule
from tasks.policy.return_facts import LineFacts, Money, ReturnFacts, Unknown
from tasks.policy.verdict import Decided, Open, Standing, Verdict, explain, fees, judge
from tests.tasks.policy.rule_texts import rules_of, said
from tests.tasks.policy.test_conditions import FACTS, FLAGS
from tests.tasks.policy.test_merchant_rules import RULES

BARE = ReturnFacts("retp_1", "acme", datetime(2026, 3, 21, 12, tzinfo=UTC), (LineFacts("a", 1), LineFacts("b", 2)))
POLICIES = st.lists(RULES, max_size=6).map(
    lambda rules: [replace(rule, name=f"rule {number}") for number, rule in enumerate(rules)]
)


def numbered(facts: ReturnFacts) -> ReturnFacts:
    """The facts with an id of its own for each line."""
    return facts._replace(lines=tuple(it._replace(line_id=f"l{n}") for n, it in enumerate(facts.lines)))


def decided(verdict: Verdict) -> dict[tuple[str, str], Any]:
    """Each kind that is decided, of the return and of each line: the action, without the words of a decline."""
    every = {"": verdict.whole, **verdict.lines}
    return {
        (line, kind): type(it.action) if isinstance(it.action, Decline | Accept) else it.action
        for line, outcomes in every.items()
        for kind, it in outcomes.items()
        if isinstance(it, Decided)
    }


@given(POLICIES, FACTS)
def test_it_is_total_and_the_same_each_time(rules: Sequence[MerchantRule], facts: ReturnFacts) -> None:
    facts = numbered(facts)
    verdict = judge(rules, facts)
    assert verdict == judge(rules, facts)
    assert set(verdict.lines) == {line.line_id for line in facts.lines}
    lines = list(explain(verdict))
    assert len(lines) >= len(verdict.asked)
    for fee in fees(verdict, facts):
        worth = {line.line_id: line.value for line in facts.lines}
        paid = [worth[line] for line in fee.lines]
        assert not isinstance(fee.amount, Money) or fee.amount.amount <= sum(
            it.amount for it in paid if isinstance(it, Money)
        )
    for outcomes in (verdict.whole, *verdict.lines.values()):
        for kind, outcome in outcomes.items():
            if isinstance(outcome, Decided):
                assert kind_of(outcome.action) is kind
                assert outcome.rule not in outcome.outranked
            else:
                assert outcome.needs
                assert set(outcome.needs) <= set(verdict.needs)


@given(POLICIES, FACTS, FACTS)
def test_what_is_decided_stays_so_whatever_a_missing_fact_turns_out_to_be(
    rules: list[MerchantRule], facts: ReturnFacts, other: ReturnFacts
) -> None:
    rules = [replace(rule, if_unknown=IfUnknown.HOLD) for rule in rules]
    facts = numbered(facts)
    names = (*FLAGS, "value", "gateway", "order_tags", "ordered_on")
    told = {name: getattr(other, name) for name in names if isinstance(getattr(facts, name), Unknown)}
    before, after = decided(judge(rules, facts)), decided(judge(rules, facts._replace(**told)))
    assert before.items() <= after.items()


@given(POLICIES, FACTS)
def test_the_order_of_rules_of_different_kinds_does_not_matter(rules: list[MerchantRule], facts: ReturnFacts) -> None:
    facts, (kinds, swapped) = numbered(facts), ([{kind_of(it) for it in rule.then} for rule in rules], rules[:])
    for n in range(len(rules) - 1):
        if kinds[n].isdisjoint(kinds[n + 1]):
            swapped[n], swapped[n + 1] = rules[n + 1], rules[n]
            break
    one, two = judge(rules, facts), judge(swapped, facts)
    assert (one.whole, one.lines) == (two.whole, two.lines)


def test_an_unknown_rule_above_leaves_its_kinds_open_and_one_below_changes_nothing() -> None:
    unknown = "{name: u, when: {gateway: {is: x}}, then: {pay: {at: start}, no_fee: {}}}"
    sure = "{name: s, then: {pay: {at: arrival}}}"
    opened = judge(rules_of(f"rules: [{unknown}, {sure}]"), BARE)
    missing = ("the order's payment gateway (the table of orders or the shop's order)",)
    assert opened.lines["a"]["pay"] == Open(("u",), missing, (Pay(at="start"), Pay(at="arrival")))  # type: ignore[index]
    assert opened.needs == ("the order's payment gateway (the table of orders or the shop's order)",)
    assert said(f"rules: [{sure}, {unknown}]", BARE) == {
        "a pay": "pay by s",
        "a fee": "open",
        "b pay": "pay by s",
        "b fee": "open",
    }


@pytest.mark.parametrize(
    ("one", "other", "says"),
    [
        ("keep_item: {}", "keep_item: {}", "keep_item by s"),
        ("no_fee: {}", "no_fee: {}", "no_fee by s"),
        ("decline: {why: final sale}", "decline: {why: a promotion}", "decline by s"),
        ("pay: {at: arrival}", "pay: {at: arrival}", "pay by s"),
        ("pay: {at: arrival}", "pay: {at: arrival, plus_days: 1}", "open"),
        ("decline: {why: x}", "accept: {why: x}", "open"),
        ("approve: {who: ann, why: x}", "approve: {who: bob, why: x}", "open"),
        # A fee is taken once for each rule that decides: which of the two it is matters to the other lines.
        ("fee: {amount: 3.00 EUR}", "fee: {amount: 3.00 EUR}", "open"),
    ],
)
def test_a_missing_fact_leaves_nothing_open_where_all_that_may_decide_do_the_same(
    one: str, other: str, says: str
) -> None:
    rules = f"rules: [{{name: u, when: {{gateway: {{is: x}}}}, then: {{{one}}}}}, {{name: s, then: {{{other}}}}}]"
    assert list(said(rules, BARE).values()) == [says, says]
    words = list(explain(judge(rules_of(rules), BARE)))
    assert ("; whatever 'u' says, which would do the same" in words[0]) is (says != "open")


@pytest.mark.parametrize(
    ("if_unknown", "expected"), [("hold", "open"), ("matches", "pay by u"), ("does_not_match", "pay by s")]
)
def test_a_rule_may_say_what_unknown_means(if_unknown: str, expected: str) -> None:
    rules = f"""
rules:
- {{name: u, when: {{gateway: {{is: x}}}}, if_unknown: {if_unknown}, then: {{pay: {{at: start}}}}}}
- {{name: s, then: {{pay: {{at: arrival}}}}}}
"""
    assert said(rules, BARE)["a pay"] == expected


@pytest.mark.parametrize(
    ("applies_to", "started", "standing"),
    [
        ("all", date(2026, 1, 1), Standing.MATCHES),
        ("new", date(2026, 3, 19), Standing.NOT_IN_FORCE),
        ("new", date(2026, 3, 20), Standing.MATCHES),
        ("new", date(2026, 3, 22), Standing.MATCHES),
        ("new", date(2026, 3, 23), Standing.NOT_IN_FORCE),
        ("new", Unknown("the day the return began"), Standing.UNKNOWN),
    ],
)
def test_both_days_count_and_are_asked_of_today_or_of_the_begin(
    applies_to: AppliesTo, started: Any, standing: Standing
) -> None:
    rules = rules_of(
        f"rules: [{{name: r, applies_to: {applies_to}, from: 2026-03-20, until: 2026-03-22, then: {{no_fee: {{}}}}}}]"
    )
    (asked,) = judge(rules, BARE._replace(started_on=started)).asked
    assert asked.standing is standing
    assert asked.needs == (("the day the return began",) if standing is Standing.UNKNOWN else ())


def test_it_is_explained_in_words() -> None:
    rules = rules_of("""
rules:
- name: dear
  when: {return_value: {over: 50.00 EUR}}
  then: {approve: {who: finance, why: dear}}
- name: two of it
  when: {quantity: {at_least: 2}}
  then: {decline: {why: one each}}
""")
    assert list(explain(judge(rules, BARE))) == [
        "line a, approval: open, 'dear' needs the lines' totals",
        "line b, approval: open, 'dear' needs the lines' totals",
        "line b, acceptance: decline (why one each) by 'two of it'",
        "rule 'dear': unknown, needs the lines' totals",
        "  return_value over 50.00 EUR: unknown, needs the lines' totals",
        "rule 'two of it' of line a: does not match",
        "  quantity at_least 2: no, found 1",
        "rule 'two of it' of line b: matches",
        "  quantity at_least 2: yes, found 2",
    ]


def test_a_rule_that_matches_and_does_not_decide_says_which_is_above_it() -> None:
    rules = rules_of("""
rules:
- {name: many, when: {quantity: {at_least: 2}}, then: {no_fee: {}}}
- {name: fee, then: {fee: {amount: 6.00 EUR}, keep_item: {}}}
- {name: VIP, when: {customer_tags: {has: VIP}}, then: {pay: {at: start}}}
- {name: rest, then: {pay: {at: arrival}}}
""")
    said = [words for words in explain(judge(rules, BARE)) if words.startswith("rule")]
    assert said == [
        "rule 'many' of line a: does not match",
        "rule 'many' of line b: matches",
        "rule 'fee': matches, outranked by 'many' in fee",
        "rule 'VIP': unknown, needs the customer's tags (the table of orders)",
        "rule 'rest': matches, below 'VIP', which may decide about pay",
    ]
    assert "  always" in list(explain(judge(rules, BARE)))
