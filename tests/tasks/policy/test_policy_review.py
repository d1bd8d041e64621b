"""The warnings about rules: each names what is so, and never says "never" of what facts can show."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path
from time import process_time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.policy.actions import ActionKind, Pay
from tasks.policy.conditions import Check, Operator
from tasks.policy.merchant_rules import IfUnknown, MerchantRule
from tasks.policy.policy_file import read_policy
from tasks.policy.policy_review import left_out, never_decisive, review, warnings
from tasks.policy.possible import is_possible, matching
from tasks.policy.return_facts import LineFacts, ReturnFacts
from tasks.policy.verdict import Decided, Standing, judge
from tests.tasks.policy.rule_texts import rules_of
from tests.tasks.policy.shop_returns import POLICIES
from tests.tasks.policy.test_conditions import FACTS, NOW, joined
from tests.tasks.policy.test_policy_file import written
from tests.tasks.policy.test_verdict import POLICIES as GENERATED
from tests.tasks.policy.test_verdict import numbered

TODAY = NOW.date()
HOLDS = "; where a fact that it asks for is missing, it holds the return all the same"
NONE: list[str] = []


def warned(text: str) -> list[str]:
    return [it.words for it in warnings(rules_of(text), TODAY)]


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (
            "when: {return_value: {over: 100.00 EUR, under: 50.00 EUR}}",
            "return_value over 100.00 EUR and return_value under 50.00 EUR are never true together" + HOLDS,
        ),
        (
            "when: {return_value: {over: 100.00 EUR, under: 50.00 EUR}}, if_unknown: does_not_match",
            "return_value over 100.00 EUR and return_value under 50.00 EUR are never true together",
        ),
        ("when: {all: [{sku: {is: A}}, {sku: {is: B}}]}", "sku is A and sku is B are never true together" + HOLDS),
        ("when: {hour: {over: 23}}", "hour over 23 is never true"),
        ("applies_to: all, until: 2026-03-20", "its last day was 2026-03-20"),
        (
            "applies_to: new, from: 2026-03-01, when: {started_on: {before: 2026-03-01}}",
            "started_on from 2026-03-01 and started_on before 2026-03-01 are never true together" + HOLDS,
        ),
        ("when: {today: {until: 2026-03-20}}", "today until 2026-03-20 is never true"),
    ],
)
def test_a_rule_that_can_never_match(rule: str, why: str) -> None:
    assert warned(f"rules: [{{name: r, {rule}, then: {{no_fee: {{}}}}}}]") == [f"rule 'r' can never match: {why}"]


@pytest.mark.parametrize(
    "rule",
    [
        "when: {return_value: {over: 50.00 EUR, under: 100.00 EUR}}",
        "when: {return_value: {over: 100.00 EUR, under: 50.00 EUR}}, if_unknown: matches",
        "applies_to: all, until: 2026-03-21",
        "applies_to: new, until: 2025-01-01",  # a return that began then may still be open
    ],
)
def test_a_rule_that_can_match(rule: str) -> None:
    assert warned(f"rules: [{{name: r, {rule}, then: {{no_fee: {{}}}}}}]") == NONE


@pytest.mark.parametrize(
    ("above", "below", "says"),
    [
        ("then: {fee: {amount: 6.00 EUR}}", "when: {held: {is: true}}, then: {no_fee: {}}", ["'a' above it"]),
        (
            "when: {return_value: {over: 50.00 EUR}}, then: {no_fee: {}}",
            "when: {return_value: {over: 100.00 EUR}}, then: {no_fee: {}}",
            ["rule 'b' is never decisive: 'a' above it always comes first"],
        ),
        # Of another kind, of a store's part of the returns, of one line where the other is of all.
        ("then: {fee: {amount: 6.00 EUR}}", "then: {keep_item: {}}", NONE),
        (
            "when: {return_value: {over: 100.00 EUR}}, then: {no_fee: {}}",
            "when: {return_value: {over: 50.00 EUR}}, then: {no_fee: {}}",
            NONE,
        ),
        ("when: {sku: {is: A}}, then: {no_fee: {}}", "when: {some_line: {sku: {is: A}}}, then: {no_fee: {}}", NONE),
        (
            "when: {some_line: {sku: {is: A}}}, then: {no_fee: {}}",
            "when: {sku: {is: A}}, then: {no_fee: {}}",
            ["'a' above it"],
        ),
        # Where the fact is missing, the upper rule holds or matches; only one that steps back lets the lower decide.
        ("when: {held: {is: true}}, then: {no_fee: {}}", "when: {held: {is: true}}, then: {no_fee: {}}", ["'a' above"]),
        (
            "when: {held: {is: true}}, if_unknown: does_not_match, then: {no_fee: {}}",
            "when: {held: {is: true}}, if_unknown: matches, then: {no_fee: {}}",
            NONE,
        ),
        ("applies_to: new, from: 2026-01-01, then: {no_fee: {}}", "then: {no_fee: {}}", NONE),
        (
            "when: {sku: {is: A}}, then: {decline: {why: x}}",
            "when: {sku: {is_one_of: [A]}}, then: {accept: {why: z}}",
            ["rules 'a' and 'b' contradict each other: of the same returns one says decline (why x), the other accept"],
        ),
        (
            "then: {pay: {at: start}}",
            "then: {pay: {at: arrival}, no_fee: {}}",
            ["rules 'a' and 'b' contradict each other: of the same returns one says pay (at start), the other pay"],
        ),
        (
            "when: {held: {is: true}}, then: {fee: {amount: 6.00 EUR}}",
            "when: {held: {is: true}}, then: {fee: {amount: 6.00 EUR}, keep_item: {}}",
            ["fee of rule 'b' is never decisive"],
        ),
    ],
)
def test_a_rule_that_is_never_decisive(above: str, below: str, says: list[str]) -> None:
    found = warned(f"rules: [{{name: a, {above}}}, {{name: b, {below}}}]")
    assert len(found) == len(says)
    assert [words for words, expected in zip(found, says, strict=True) if expected not in words] == NONE


def test_rules_that_outrank_another_only_together() -> None:
    text = """
rules:
- {name: small, when: {quantity: {at_most: 2}}, then: {no_fee: {}}}
- {name: other, when: {sku: {is: A}}, then: {no_fee: {}}}
- {name: large, when: {quantity: {over: 2}}, then: {fee: {amount: 6.00 EUR}}}
- {name: rest, then: {fee: {amount: 9.00 EUR}}}
"""
    assert warned(text) == ["rule 'rest' is never decisive: 'small' or 'large' above it always comes first"]


def test_what_a_table_of_rules_leaves_out() -> None:
    table = """
lists: {home: [ES, PT], near: [FR, IT, Spain]}
rules:
- {name: a, when: {country: {in_list: home}, return_method: {is: DROP_OFF_POINT}}, then: {fee: {amount: 6.00 EUR}}}
- {name: b, when: {country: {in_list: home}, return_method: {is: HOME_PICK_UP}}, then: {fee: {amount: 7.00 EUR}}}
- {name: c, when: {country: {in_list: near}, return_method: {is: DROP_OFF_POINT}}, then: {fee: {amount: 12.00 EUR}}}
- {name: d, when: {return_method: {is_one_of: [IN_STORE, DELIVERY_PICKUP]}}, then: {no_fee: {}}}
"""
    assert warned(table) == [
        "rule 'c': the list near has 'Spain', which country never is",
        "no rule of the kind fee is about country other than those named with return_method DROP_OFF_POINT; "
        "country other than those named with return_method HOME_PICK_UP; "
        "country FR, IT with return_method HOME_PICK_UP",
    ]
    assert warned(f"{table}- {{name: e, then: {{fee: {{amount: 24.00 EUR}}}}}}")[1:] == NONE


def test_a_method_and_a_reason_that_no_rule_is_about() -> None:
    text = """
rules:
- {name: credit, when: {method: {is: GIFT_CARD}}, then: {pay: {at: first_scan}}}
- {name: exchange, when: {method: {is: EXCHANGE}}, then: {pay: {at: inspection}}}
- {name: broken, when: {reason: {is: BROKEN}}, then: {fee: {amount: 1.00 EUR}}}
- {name: wrong, when: {reason: {is: WRONG}}, then: {fee: {amount: 2.00 EUR}}}
"""
    assert warned(text) == [
        "no rule of the kind pay is about method BANK_TRANSFER, ORIGINAL_PAYMENT_METHOD, PROMO_CODE",
        "no rule of the kind fee is about reason other than those named",
    ]
    exceptions = """
rules:
- {name: look, when: {reason: {is: BROKEN}}, then: {approve: {who: x, why: z}}}
- {name: wrong, when: {reason: {is: WRONG}}, then: {approve: {who: x, why: z}}}
- {name: free, when: {reason: {is: OLD}}, then: {no_fee: {}}}
- {name: free too, when: {reason: {is: LATE}}, then: {no_fee: {}}}
"""
    assert warned(exceptions) == NONE


def test_a_store_s_own_warnings_are_said_once(tmp_path: Path) -> None:
    text = """
default:
  rules:
  - {name: dead, when: {hour: {over: 23}}, then: {no_fee: {}}}
  - {name: fee, when: {held: {is: true}}, then: {fee: {amount: 6.00 EUR}}}
stores:
  acme:
    rules: [{name: free, then: {no_fee: {}}}]
  nordic:
    rules: [{name: keep, then: {keep_item: {}}}]
"""
    assert review(read_policy(written(tmp_path, text, "policy.yaml")).rules, TODAY) == [
        "line 4: rule 'dead' can never match: hour over 23 is never true",
        "line 5: at acme, rule 'fee' is never decisive: 'free' above it always comes first",
    ]


@pytest.mark.parametrize("file", sorted(POLICIES.glob("*.yaml")), ids=lambda file: file.name)
def test_the_rules_of_shops_have_no_warnings(file: Path) -> None:
    assert [it.words for it in warnings(read_policy(file).rules.default, TODAY)] == NONE


@pytest.mark.parametrize(
    "rule",
    [
        "when: {{sku: {{is: S-{n}}}, country: {{is: ES}}, quantity: {{over: {n}}}}}, then: {{no_fee: {{}}}}",
        "when: {{any: [{{sku: {{is: S-{n}}}}}, {{order_tags: {{has: T{n}}}}}]}}, then: {{no_fee: {{}}}}",
        "when: {{sku: {{starts_with: S-{few}}}}}, then: {{no_fee: {{}}}}",
    ],
)
def test_many_rules_are_looked_at_in_time(rule: str) -> None:
    rules = rules_of("rules:\n" + "".join(f"- {{name: r{n}, {rule.format(n=n, few=n % 9)}}}\n" for n in range(150)))
    begun = process_time()
    list(warnings(rules, TODAY))
    assert process_time() - begun < 10


@given(GENERATED, FACTS)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_called_dead_never_matches(rules: Sequence[MerchantRule], facts: ReturnFacts) -> None:
    facts = numbered(facts)
    verdict = judge(rules, facts)
    dead = {rule.name for rule in rules if not is_possible([matching(rule)], facts.today, a_line=rule.of_line)}
    assert dead == {it.words.split("'")[1] for it in warnings(rules, facts.today) if "can never match" in it.words}
    assert [each for each in verdict.asked if each.rule.name in dead and each.standing is Standing.MATCHES] == []


@given(GENERATED, FACTS)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_called_never_decisive_never_decides(rules: Sequence[MerchantRule], facts: ReturnFacts) -> None:
    facts = numbered(facts)
    verdict = judge(rules, facts)
    for number, rule in enumerate(rules):
        never = never_decisive(rule, rules[:number], facts.today - timedelta(days=1))
        for outcomes in (verdict.whole, *verdict.lines.values()):
            decided = [it for it in outcomes.values() if isinstance(it, Decided) and it.rule == rule.name]
            assert [it for it in decided if it.action in never] == []


COUNTRIES, METHODS, REASONS = ("ES", "FR", "US"), ("GIFT_CARD", "EXCHANGE", "BANK_TRANSFER"), ("BROKEN", "SMALL")
TABLE_CHECKS = st.one_of(
    st.builds(Check, st.just("country"), st.just(Operator.IS), st.sampled_from(COUNTRIES)),
    st.builds(
        Check,
        st.just("country"),
        st.just(Operator.IS_ONE_OF),
        st.lists(st.sampled_from(COUNTRIES), min_size=1, unique=True).map(tuple),
    ),
    st.builds(Check, st.just("method"), st.just(Operator.IS), st.sampled_from(METHODS)),
    st.builds(Check, st.just("reason"), st.sampled_from([Operator.IS, Operator.STARTS_WITH]), st.sampled_from(REASONS)),
    st.builds(Check, st.just("quantity"), st.sampled_from([Operator.OVER, Operator.AT_MOST]), st.integers(0, 3)),
)
TABLES = st.lists(
    st.builds(
        lambda when, unknown: MerchantRule("r", when, (Pay(at="start"),), if_unknown=unknown),
        joined(TABLE_CHECKS),
        st.sampled_from(IfUnknown),
    ),
    min_size=2,
    max_size=5,
).map(lambda rules: [replace(rule, name=f"rule {number}") for number, rule in enumerate(rules)])


@given(TABLES)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_a_table_is_said_to_leave_out_no_rule_is_about(rules: list[MerchantRule]) -> None:
    _, left = left_out(rules, ActionKind.PAY, TODAY)
    for cell, country, method, reason, quantity in product(left, COUNTRIES, METHODS, REASONS, range(5)):
        known = {"country": country, "method": method, "reason": reason} | {it.field: it.value for it in cell}
        line = LineFacts("a", quantity, method=known["method"], reason=known["reason"])
        facts = ReturnFacts("retp_1", "acme", NOW, (line,), country=known["country"])
        assert not judge(rules, facts).lines["a"]


@pytest.mark.parametrize(
    ("methods", "why"),
    [
        ("{only: [GIFT_CARD], instead: [BANK_TRANSFER, GIFT_CARD]}", "BANK_TRANSFER: `only` does not name it"),
        ("{never: [GIFT_CARD], instead: [GIFT_CARD]}", "GIFT_CARD: `never` forbids it"),
        (
            "{never: [GIFT_CARD], instead: [EXCHANGE]}",
            "EXCHANGE: an exchange needs the shopper's choice of what is wanted",
        ),
        ("{never: [GIFT_CARD], instead: [BANK_TRANSFER]}", ""),
    ],
)
def test_a_method_that_is_never_taken_instead(methods: str, why: str) -> None:
    method, _, because = why.partition(": ")
    words = [f"rule 'a': {method} under `instead` is never taken, since {because}"] if why else []
    assert warned(f"rules: [{{name: a, then: {{methods: {methods}}}}}]") == words


@pytest.mark.parametrize(
    ("when", "warns"),
    [
        ("days_since_start: {over: 30}", True),
        ("scanned: {is: false}, days_since_start: {over: 30}", False),
        ("not: {scanned: {is: true}}", False),
        ("any: [{scanned: {is: false}}, {days_since_start: {over: 90}}]", True),
    ],
)
def test_a_rule_that_calls_off_what_was_sent(when: str, warns: bool) -> None:
    words = (
        "rule 'a' also calls off returns whose goods are on their way or here, and which are then never paid; "
        "`scanned: {is: false}` under `when` leaves them alone"
    )
    found = warned(f"rules: [{{name: a, when: {{{when}}}, then: {{cancel: {{why: old}}}}}}]")
    assert found == ([words] if warns else [])


LATE = "{name: late, when: {days_from_order: {over: 30}}, then: {decline: {why: late}}}"
VIP = "{name: VIP, when: {customer_tags: {has: VIP}}, then: {accept: {why: a friend}}}"
MORE = "{name: more, when: {units: {over: 1}}, then: {bonus: {percent: 5 %, methods: [GIFT_CARD]}}}"
NO_MORE = "{name: none, when: {customer_tags: {has: VIP}}, then: {no_bonus: {}}}"


@pytest.mark.parametrize(
    ("above", "below", "says"),
    [
        (LATE, VIP, "accept of rule 'VIP' does nothing: no rule below it declines; put it above those that do"),
        (VIP, LATE, ""),
        (
            MORE,
            NO_MORE,
            "no_bonus of rule 'none' does nothing: no rule below it gives a bonus; put it above those that do",
        ),
        (NO_MORE, MORE, ""),
    ],
)
def test_an_exception_that_stands_below_what_it_is_an_exception_of(above: str, below: str, says: str) -> None:
    assert warned(f"rules: [{above}, {below}]") == ([says] if says else [])


@pytest.mark.parametrize(
    ("when", "then", "warns"),
    [
        ("some_line: {sku: {is: A}}", "decline: {why: x}", "decline"),
        ("country: {is: ES}, some_line: {sku: {is: A}}", "keep_item: {}", "keep_item"),
        ("any: [{some_line: {sku: {is: A}}}, {units: {over: 9}}]", "decline: {why: x}", "decline"),
        ("sku: {is: A}", "decline: {why: x}", ""),
        ("some_line: {sku: {is: A}}, sku: {is: B}", "decline: {why: x}", ""),
        ("every_line: {sku: {is: A}}", "decline: {why: x}", ""),
        ("not: {some_line: {sku: {is: A}}}", "decline: {why: x}", ""),
        ("some_line: {sku: {is: A}}", "approve: {who: ann, why: x}", ""),
    ],
)
def test_one_line_that_takes_all_others_with_it(when: str, then: str, warns: str) -> None:
    words = (
        f"{warns} of rule 'a' is of every line of a return with one such line; without `some_line` it is of that line"
    )
    assert warned(f"rules: [{{name: a, when: {{{when}}}, then: {{{then}}}}}]") == ([f"{words} alone"] if warns else [])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('when: {sku: {is: "A-1 "}}', "'A-1 ' begins or ends with a blank"),
        ('when: {product_tags: {has_any_of: [sale, " new"]}}', "' new' begins or ends with a blank"),
        ("when: {sku: {in_list: ours}}", "'B\\u200b1' has a letter that cannot be seen"),
        ("when: {shopper: {in_list: ours}}", "the list ours has an entry that is no e-mail address"),
        ("when: {sku: {is: A 1}}", ""),
    ],
)
def test_what_cannot_be_seen_in_a_text(text: str, says: str) -> None:
    found = warned(f'lists: {{ours: ["B\u200b1"]}}\nrules: [{{name: a, {text}, then: {{no_fee: {{}}}}}}]')
    assert [it for it in found if says] == ([f"rule 'a': {says}"] if says else [])


def test_a_rule_that_forbids_every_method_says_so() -> None:
    every = "ORIGINAL_PAYMENT_METHOD, BANK_TRANSFER, GIFT_CARD, PROMO_CODE"
    assert warned(f"rules: [{{name: a, then: {{methods: {{never: [{every}]}}}}}}]") == []
    assert warned(f"rules: [{{name: a, then: {{methods: {{never: [{every}, EXCHANGE]}}}}}}]") == [
        "rule 'a' leaves no method: every line that it is about is held"
    ]


EXCHANGE_WAITS = "an exchange waits for its inspection"
NOT_WAITED_FOR = "goods that never reached the shopper are not waited for"


@pytest.mark.parametrize(
    ("when", "then", "why"),
    [
        ("method: {is: EXCHANGE}", "pay: {at: first_scan}", EXCHANGE_WAITS),
        ("method: {is: EXCHANGE}, country: {is: ES}", "pay: {at: inspection, plus_days: 3}", EXCHANGE_WAITS),
        ("every_line: {method: {is: EXCHANGE}}", "pay: {at: start}", EXCHANGE_WAITS),
        (
            "any: [{method: {is: EXCHANGE}, sku: {is: A}}, {method: {is_one_of: [EXCHANGE]}}]",
            "pay: {at: arrival}",
            EXCHANGE_WAITS,
        ),
        ("reason: {is: NOT_RECEIVED}", "pay: {at: inspection}", NOT_WAITED_FOR),
        ("reason: {is: NOT_RECEIVED}, method: {is: EXCHANGE}", "pay: {at: start}", NOT_WAITED_FOR),
        (
            "any: [{method: {is: EXCHANGE}}, {reason: {is: NOT_RECEIVED}}]",
            "pay: {at: start}",
            f"{EXCHANGE_WAITS}, and {NOT_WAITED_FOR}",
        ),
        ("method: {is: EXCHANGE}", "keep_item: {}", "goods that are to be exchanged come back, and are inspected"),
        # A rule that says of an exchange what is so in any case, as a table of moments may.
        ("method: {is: EXCHANGE}", "pay: {at: inspection}", ""),
        ("method: {is_one_of: [EXCHANGE, GIFT_CARD]}", "pay: {at: start}", ""),
        ("some_line: {method: {is: EXCHANGE}}", "pay: {at: start}", ""),
        ("not: {method: {is: EXCHANGE}}", "pay: {at: start}", ""),
        ("method: {is: EXCHANGE}", "no_fee: {}", ""),
        ("", "pay: {at: start}", ""),
    ],
)
def test_a_moment_for_lines_that_keep_their_own(when: str, then: str, why: str) -> None:
    name = then.partition(":")[0]
    words = f"{name} of rule 'a' does nothing: {why}, whatever a rule says"
    found = warned(f"rules: [{{name: a, when: {{{when}}}, then: {{{then}}}}}]".replace("when: {}, ", ""))
    assert found == ([words] if why else [])


def test_of_a_rule_that_never_matches_nothing_is_said_of_its_moment() -> None:
    (only,) = warned("rules: [{name: a, when: {hour: {over: 23}}, then: {pay: {at: start}}}]")
    assert only.startswith("rule 'a' can never match")
