"""A merchant's rules in the policy file: read, written back, put together, and all that can be wrong with them."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.policy.actions import ACTIONS, Decline, Fee, kind_of
from tasks.policy.conditions import AllOf, Check
from tasks.policy.merchant_rules import (
    AppliesTo,
    IfUnknown,
    MerchantRule,
    read_rules,
    rule_as_data,
    together,
)
from tasks.policy.policy_file import PolicyFileError, read_policy
from tests.tasks.policy.rule_texts import problems_of, rules_of
from tests.tasks.policy.test_conditions import CONDITIONS
from tests.tasks.policy.test_policy_file import written

ONE = """
default:
  lists: {ours: [A]}
  rules:
  - name: first
    when: {sku: {in_list: ours}}
    then: {no_fee: {}}
  - name: second
    then: {keep_item: {}}
stores:
  acme:
    lists: {theirs: [B]}
    rules:
    - name: second
      when: {sku: {in_list: theirs}, not: {sku: {in_list: ours}}}
      then: {add_on: {}}
"""
FIELDS: dict[str, dict[str, Any]] = {
    "pay": {"at": "arrival", "plus_days": 3},
    "approve": {"who": "finance", "why": "dear", "within_days": 3, "then": "decline"},
    "decline": {"why": "late"},
    "accept": {"why": "friend"},
    "methods": {"only": ["GIFT_CARD"], "never": ["EXCHANGE"], "instead": ["GIFT_CARD"]},
    "bonus": {"percent": "10.5 %", "methods": ["GIFT_CARD", "PROMO_CODE"], "at_most": "2.00 EUR"},
    "fee": {"amount": "6.00 EUR", "per": "unit", "free_units": 2},
    "refund_shipping": {"share": "proportion"},
    "warehouse": {"name": "Two"},
    "carrier": {"name": "SENDCLOUD/DHL"},
    "return_by": {"method": "IN_STORE"},
    "out_of_stock": {"do": "refund", "refund_by": "GIFT_CARD"},
    "cancel": {"why": "not sent"},
    "alarm": {"why": "late"},
}
"""An example of each action that has fields."""

OTHER_FIELDS: list[tuple[str, dict[str, Any]]] = [
    ("fee", {"percent": "15 %"}),
    ("fee", {"percent": "12.5 %", "at_least": "2.00 EUR", "at_most": "30.00 EUR"}),
    ("bonus", {"amount": "5.00 EUR", "methods": ["GIFT_CARD"]}),
]
"""Examples of those that can be written in more than one way."""


def test_a_store_has_its_own_rules_above_the_others_and_instead_of_one_of_the_same_name(tmp_path: Path) -> None:
    rules = read_policy(written(tmp_path, ONE, "policy.yaml")).rules
    assert [rule.name for rule in rules.default] == ["first", "second"]
    assert [rule.name for rule in rules.stores["acme"]] == ["second", "first"]
    assert [kind_of(it) for it in rules.stores["acme"][0].then] == ["add_on"]
    assert together((), ()) == ()


def test_a_list_of_a_store_stands_in_the_place_of_the_default_s_in_the_default_s_rules_too(tmp_path: Path) -> None:
    text = ONE.replace("theirs: [B]", "theirs: [B], ours: [C]")
    rules = read_policy(written(tmp_path, text, "policy.yaml")).rules
    first, at_store = rules.default[0].when, rules.stores["acme"][1].when
    assert isinstance(first, Check)
    assert isinstance(at_store, Check)
    assert (first.wanted, at_store.wanted) == (("A",), ("C",))


def test_what_is_wrong_in_a_rule_is_said_with_its_line_beside_all_else(tmp_path: Path) -> None:
    text = (
        "default:\n  out_of_stock: CASH\n  rules:\n  - name: a\n    when: {skuu: {is: A}}\n    then: {keep_item: {}}\n"
    )
    with pytest.raises(PolicyFileError) as caught:
        read_policy(written(tmp_path, text, "policy.yaml"))
    assert [problem.partition(", ")[2] for problem in caught.value.problems][1] == (
        "line 5: default.rules[1].when.skuu is no field (did you mean sku?)."
    )
    assert len(caught.value.problems) == 2


WRONG_RULES = [
    ("{then: {keep_item: {}}}", "name is missing or no name"),
    ("{name: a, whn: {}, then: {keep_item: {}}}", "whn is no part of a rule (did you mean when?)"),
    ("{name: a, when: {}, then: {keep_item: {}}}", "when is no condition"),
    ("{name: a}", "then is missing or no action"),
    ("{name: a, then: {kep_item: {}}}", "is no action (did you mean keep_item?)"),
    ("{name: a, then: {keep_item: true}}", "keep_item has no fields below it; right would be {}"),
    ("{name: a, then: {pay: {}}}", "pay.at is missing (The moment.)"),
    ("{name: a, then: {pay: {at: later}}}", "pay.at is \"later\"; right would be 'start'"),
    ("{name: a, then: {pay: {at: start, plus_days: true}}}", "plus_days is True"),
    ("{name: a, then: {fee: {amount: 6}}}", "fee.amount is 6; right would be an amount with its currency"),
    ("{name: a, then: {fee: {amount: 6.00 EUR, pr: unit}}}", "pr is no field of this action (did you mean per?)"),
    ("{name: a, then: {bonus: {percent: 10, methods: [GIFT_CARD]}}}", "percent is 10; right would be a percentage"),
    ("{name: a, then: {bonus: {percent: 10 %, methods: []}}}", "bonus is not whole: `methods` names none"),
    ("{name: a, then: {bonus: {percent: 1000 %, methods: [GIFT_CARD]}}}", "`percent` is more than 100 %"),
    ("{name: a, then: {bonus: {methods: [GIFT_CARD]}}}", "bonus is not whole: either `amount` or `percent` says how"),
    (
        "{name: a, then: {bonus: {percent: 10 %, amount: 5.00 EUR, methods: [GIFT_CARD]}}}",
        "bonus is not whole: either `amount` or `percent` says how much",
    ),
    (
        "{name: a, then: {bonus: {amount: 5.00 EUR, methods: [GIFT_CARD], at_most: 9.00 EUR}}}",
        "`at_most` goes with `percent`",
    ),
    ("{name: a, then: {bonus: {amount: 5, methods: [GIFT_CARD]}}}", "amount is 5; right would be an amount"),
    ("{name: a, then: {bonus: {amount: 5.00 EUR, methods: [BANK_TRANSFER]}}}", "right would be 'GIFT_CARD' or"),
    ("{name: a, then: {fee: {}}}", "fee is not whole: either `amount` or `percent` says how much"),
    ("{name: a, then: {fee: {percent: 15 %, amount: 3.00 EUR}}}", "either `amount` or `percent` says how much"),
    ("{name: a, then: {fee: {percent: 15}}}", "fee.percent is 15; right would be a percentage, such as 10 %"),
    ("{name: a, then: {fee: {percent: 150 %}}}", "fee is not whole: `percent` is more than 100 %"),
    ("{name: a, then: {fee: {percent: 15 %, per: unit}}}", "`per: unit` goes with `amount`"),
    ("{name: a, then: {fee: {amount: 3.00 EUR, at_most: 9.00 EUR}}}", "`at_least` and `at_most` go with `percent`"),
    ("{name: a, then: {fee: {percent: 15 %, at_least: 3}}}", "at_least is 3; right would be an amount"),
    ("{name: a, then: {methods: {instead: [GIFT_CARD]}}}", "methods is not whole: `only` or `never`"),
    ("{name: a, then: {out_of_stock: {do: wait}}}", "days with `do: wait`"),
    ("{name: a, then: {out_of_stock: {do: refund, refund_by: EXCHANGE}}}", "no exchange"),
    ("{name: a, then: {approve: {who: x, why: z, then: decline}}}", "`then: decline` needs within_days"),
    ("{name: a, then: {decline: {why: x}, accept: {why: z}}}", "accept stands beside another action of its kind"),
    ("{name: a, when: {sku: {is: A}}, then: {warehouse: {name: B}}}", "put the lines' conditions under some_line"),
    ("{name: a, then: {keep_item: {}}, from: 2026-01-01}", "applies_to goes together with from and until"),
    ("{name: a, then: {keep_item: {}}, applies_to: new}", "applies_to goes together with from and until"),
    ("{name: a, then: {keep_item: {}}, applies_to: nw, from: 2026-01-01}", "right would be new or all"),
    ("{name: a, then: {keep_item: {}}, applies_to: new, from: 2026-02-30}", "right would be a date"),
    (
        "{name: a, then: {keep_item: {}}, applies_to: new, from: 2026-02-03, until: 2026-02-02}",
        "is 2026-02-02, before the rule begins on 2026-02-03",
    ),
    ("{name: a, then: {keep_item: {}}, if_unknown: match}", "(did you mean matches?)"),
    ("{name: a, when: {country: {is: Spain}}, then: {keep_item: {}}}", "which country never is"),
    ("{name: a, when: {method: {is: GIFTCARD}}, then: {keep_item: {}}}", "(did you mean GIFT_CARD?)"),
    ("{name: a, when: {shopper: {is: x}}, then: {keep_item: {}}}", "would show what is personal"),
    ("{name: a, when: {sku: {in_list: x}}, then: {keep_item: {}}}", "no list has that name"),
    ("{name: a, when: {sku: A}, then: {keep_item: {}}}", "right would be `sku: {is: A}`"),
    ("{name: a, when: {sku: {}}, then: {keep_item: {}}}", "sku has no operator"),
    ("{name: a, when: {sku: {ovr: A}}, then: {keep_item: {}}}", "is no operator of sku, which is a text"),
    ("{name: a, when: {sku: {is: 5}}, then: {keep_item: {}}}", "is 5; right would be a text"),
    ("{name: a, when: {sku: {is_one_of: A}}, then: {keep_item: {}}}", "one or more texts"),
    ("{name: a, when: {sku: {is: A, any_case: A}}, then: {keep_item: {}}}", "neither true nor false"),
    ("{name: a, when: {sku: {is: A, within_days: 3}}, then: {keep_item: {}}}", "is no operator of sku"),
    ("{name: a, when: {quantity: {over: -1}}, then: {keep_item: {}}}", "is -1; right would be a whole number"),
    ("{name: a, when: {return_value: {over: 1000}}, then: {keep_item: {}}}", "such as 24.00 EUR"),
    ("{name: a, when: {return_value: {over: 1000 eur}}, then: {keep_item: {}}}", "such as 24.00 EUR"),
    ("{name: a, when: {discount_share: {over: 50}}, then: {keep_item: {}}}", "such as 50 %"),
    ("{name: a, when: {ordered_on: {from: 1 Dec}}, then: {keep_item: {}}}", "such as 2026-12-01"),
    ("{name: a, when: {held: {is: 1}}, then: {keep_item: {}}}", "right would be true or false"),
    ("{name: a, when: {earlier_returns: {over: 1, within_days: x}}, then: {keep_item: {}}}", "no whole number of"),
    ("{name: a, when: {all: []}, then: {keep_item: {}}}", "all is no list of conditions"),
    ("{name: a, when: {any: {sku: {is: A}}}, then: {keep_item: {}}}", "any is no list of conditions"),
    ("{name: a, when: {some_line: {held: {is: true}}}, then: {keep_item: {}}}", "asks nothing of a line"),
    (
        "{name: a, when: {some_line: {every_line: {sku: {is: A}}}}, then: {keep_item: {}}}",
        "stands within another, which is about one line already",
    ),
    ("rule", "is no rule; right would be `name`, `when` and `then`"),
]
"""A rule that is wrong in one way, and what is said of it."""


@pytest.mark.parametrize(("rule", "says"), WRONG_RULES)
def test_what_is_wrong_is_said_once(rule: str, says: str) -> None:
    (words,) = problems_of(f"rules:\n- {rule}\n")
    assert words.startswith("rules[1]")
    assert says in words


@pytest.mark.parametrize(
    ("then", "says"),
    [
        ("fee: {amount: 6.005 EUR}", 'fee.amount is "6.005 EUR"; right would be an amount that EUR has coins for'),
        ("fee: {percent: 15 %, at_least: 9.00 EUR, at_most: 3.00 EUR}", "`at_least` is no more than `at_most`, in"),
        ("fee: {percent: 15 %, at_least: 3.00 EUR, at_most: 30.00 SEK}", "`at_least` is no more than `at_most`, in"),
        ("fee: {percent: 15 %, at_most: 5.00 ERU}", "an amount in a currency that there is, such as 24.00 EUR"),
        ('decline: {why: "two\\nlines"}', "right would be one line of words"),
        ('approve: {who: " ", why: z}', 'who is " "; right would be one line of words'),
        ("cancel: {why: ask bob@example.com}", "right would be a reason without an e-mail address: REVER shows it"),
    ],
)
def test_values_that_only_the_reader_refuses(then: str, says: str) -> None:
    (problem,) = problems_of(f"rules: [{{name: a, then: {{{then}}}}}]")
    assert says in problem


def test_a_text_that_is_folded_is_one_line() -> None:
    (rule,) = rules_of("rules:\n- name: a\n  then:\n    decline:\n      why: >\n        bought\n        on sale\n")
    assert rule.then == (Decline(why="bought on sale"),)


def test_lists_and_names_that_are_wrong() -> None:
    twice = "rules: [{name: a, then: {keep_item: {}}}, {name: a, then: {no_fee: {}}}]"
    assert problems_of(twice) == ["rules[2].name is that of rule 1 too; each name stands for one rule."]
    assert "lists.x[1] is 1; right would be a text" in problems_of("lists: {x: [1]}\nrules: []")[0]
    assert "lists.x is []; right would be one or more texts" in problems_of("lists: {x: []}\nrules: []")[0]
    assert "lists holds no lists" in problems_of("lists: [x]\nrules: []")[0]
    assert "rules is no list of rules" in problems_of("rules: {name: a}")[0]
    many = "rules:\n" + "".join(f"- {{name: r{n}, then: {{keep_item: {{}}}}}}\n" for n in range(501))
    assert problems_of(many) == ["rules are 501 rules; 500 is the most."]


def test_every_action_can_be_written() -> None:
    for name, (model, kind) in ACTIONS.items():
        fields = FIELDS.get(name, {})
        assert set(fields) <= set(model.model_fields)
        (rule,) = read_rules([{"name": name, "then": {name: fields}}], {}, ()).rules
        assert [kind_of(action) for action in rule.then] == [kind]
        assert rule_as_data(rule) == {"name": name, "then": {name: fields}}


@pytest.mark.parametrize(("name", "fields"), OTHER_FIELDS)
def test_those_with_several_ways_can_be_written_in_each(name: str, fields: dict[str, Any]) -> None:
    (rule,) = read_rules([{"name": name, "then": {name: fields}}], {}, ()).rules
    assert rule_as_data(rule) == {"name": name, "then": {name: fields}}


@pytest.mark.parametrize("percent", ["15%", "15 %", '"15 %"', "15.0 %"])
def test_a_percentage_may_be_written_in_each_of_these_ways(percent: str) -> None:
    (rule,) = rules_of(f"rules: [{{name: a, then: {{fee: {{percent: {percent}}}}}}}]")
    (fee,) = rule.then
    assert isinstance(fee, Fee)
    assert fee.percent == 15


ACTION = st.sampled_from(
    [
        *(model.model_validate(FIELDS.get(name, {})) for name, (model, _) in ACTIONS.items()),
        *(ACTIONS[name][0].model_validate(fields) for name, fields in OTHER_FIELDS),
    ]
)
RULES = st.builds(
    lambda when, then, days, applies_to, if_unknown: MerchantRule(
        "a rule",
        when,
        then,
        applies_to if any(days) else AppliesTo.ALL,
        min(days) if all(days) else days[0],
        max(days) if all(days) else days[1],
        if_unknown,
    ),
    CONDITIONS | st.just(AllOf(())),
    st.lists(ACTION, min_size=1, max_size=3, unique_by=kind_of).map(tuple),
    st.tuples(st.none() | st.dates(), st.none() | st.dates()),
    st.sampled_from(AppliesTo),
    st.sampled_from(IfUnknown),
)


@given(RULES)
def test_what_is_written_is_read_back(rule: MerchantRule) -> None:
    found = read_rules([rule_as_data(rule)], {}, ())
    assert found.problems == ()
    assert found.rules == (rule,)


def test_the_days_of_toml_are_days() -> None:
    (rule,) = read_rules(
        [{"name": "a", "then": {"keep_item": {}}, "applies_to": "all", "from": date(2026, 1, 2)}], {}, ()
    ).rules
    assert rule.begins == date(2026, 1, 2)
    assert rules_of("rules: []") == ()
