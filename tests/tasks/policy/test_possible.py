"""What can be true together: never denied where facts show it, and denied where any reader sees that it cannot."""

from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.policy.condition_reader import ConditionReader
from tasks.policy.conditions import Condition, asks_of_a_line, evaluate
from tasks.policy.policy_text import read_yaml
from tasks.policy.possible import Claim, Says, is_possible
from tasks.policy.return_facts import ReturnFacts
from tests.tasks.policy.test_conditions import CONDITIONS, FACTS, LINE_CHECKS, NOW, joined

TODAY = NOW.date()


def condition(text: str) -> Condition:
    read = read_yaml(text)
    reader = ConditionReader({"ours": ("A", "B")})
    found = reader.condition(read.values, ())
    assert (*read.problems, *reader.problems) == ()
    return found


def can_be(text: str, says: Says = Says.YES, *, today: date = TODAY) -> bool:
    found = condition(text)
    return is_possible([Claim(found, says)], today, a_line=asks_of_a_line(found))


@pytest.mark.parametrize(
    "text",
    [
        "{return_value: {over: 100.00 EUR, under: 50.00 EUR}}",
        "{return_value: {over: 100.00 EUR, at_most: 100 EUR}}",
        "{return_value: {is: 100.00 EUR}, not: {return_value: {at_least: 99.99 EUR}}}",
        "{all: [{return_value: {over: 1.00 EUR}}, {return_value: {over: 1.00 SEK}}]}",
        "{quantity: {over: 2, under: 4}, not: {quantity: {is: 3}}}",
        "{quantity: {over: 2, under: 3}}",
        "{hour: {over: 23}}",
        "{earlier_returns: {under: 0}}",
        "{discount_share: {over: 50 %, under: 50 %}}",
        "{sku: {is: A, starts_with: B}}",
        "{all: [{sku: {is: A}}, {sku: {is: B}}]}",
        "{sku: {in_list: ours}, not: {sku: {is_one_of: [A, B, C]}}}",
        "{all: [{sku: {starts_with: AB}}, {sku: {starts_with: AC}}]}",
        "{all: [{sku: {is: ab, any_case: true}}, {sku: {starts_with: AC}}]}",
        "{sku: {starts_with: AB}, not: {sku: {starts_with: A}}}",
        "{sku: {starts_with: AB}, not: {sku: {starts_with: a, any_case: true}}}",
        "{sku: {is: AB, ends_with: A}}",
        "{sku: {is: AB, contains: BA}}",
        "{all: [{sku: {ends_with: AB}}, {sku: {ends_with: CB}}]}",
        "{sku: {ends_with: AB}, not: {sku: {contains: b, any_case: true}}}",
        "{sku: {starts_with: AB}, not: {sku: {contains: B}}}",
        "{order_tags: {has: A}, not: {order_tags: {has_any_of: [A, B]}}}",
        "{order_tags: {has_all_of: [A, B]}, not: {order_tags: {has_all_of: [B]}}}",
        "{order_tags: {has: A}, not: {order_tags: {has: a, any_case: true}}}",
        "{ordered_on: {from: 2026-01-02, until: 2026-01-01}}",
        "{today: {before: 2026-03-21}}",
        "{held: {is: true}, not: {held: {is: true}}}",
        "{all: [{held: {is: true}}, {held: {is: false}}]}",
        "{all: [{weekday: {starts_with: m}}, {weekday: {is: friday}}]}",
        "{weekday: {starts_with: x}}",
        "{some_line: {sku: {is: A}, not: {sku: {is: A}}}}",
        "{every_line: {sku: {is: A}}, some_line: {sku: {is: B}}}",
        "{all: [{every_line: {sku: {is: A}}}, {every_line: {sku: {is: B}}}]}",
        "{every_line: {sku: {is: A}}, not: {some_line: {sku: {is: A}}}}",
        "{every_line: {sku: {is: A}}, sku: {is: B}}",
        "{sku: {is: A}, not: {some_line: {sku: {is: A}}}}",
        "{not: {any: [{lines: {at_least: 1}}, {lines: {under: 1}}]}}",
        "{all: [{any: [{held: {is: true}}, {scanned: {is: true}}]}, {held: {is: false}}, {scanned: {is: false}}]}",
        "{earlier_returns: {at_least: 3, within_days: 90}, not: {earlier_returns: {at_least: 3, within_days: 90}}}",
        "{some_line: {sku: {is: A}, held: {is: true}}, held: {is: false}}",
        "{sku: {is: B}, not: {any: [{every_line: {sku: {is: A}}}, {some_line: {not: {sku: {is: A}}}}]}}",
    ],
)
def test_what_no_facts_can_make_true(text: str) -> None:
    assert not can_be(text)


@pytest.mark.parametrize(
    "text",
    [
        "{return_value: {over: 100.00 EUR, under: 100.01 EUR}}",
        "{return_value: {at_least: 100.00 EUR, at_most: 100.00 EUR}}",
        "{not: {any: [{return_value: {over: 1.00 EUR}}, {return_value: {at_most: 1.00 EUR}}]}}",  # there is none
        "{quantity: {over: 2, under: 4}}",
        "{days_from_order: {under: 0}}",
        "{sku: {starts_with: A}, not: {sku: {is_one_of: [A, B]}}}",
        "{all: [{sku: {starts_with: A}}, {sku: {starts_with: AB}}]}",
        "{all: [{sku: {is: ab, any_case: true}}, {sku: {starts_with: AB}}], not: {sku: {is: ab}}}",
        "{sku: {starts_with: AB, ends_with: BC, contains: XY}, not: {sku: {is: ABC}}}",
        "{all: [{sku: {contains: AB}}, {sku: {contains: CD}}, {sku: {ends_with: B}}, {sku: {ends_with: AB}}]}",
        "{sku: {contains: AB}, not: {any: [{sku: {starts_with: AB}}, {sku: {ends_with: AB}}]}}",
        "{order_tags: {has: A}, not: {order_tags: {has_all_of: [A, B]}}}",
        "{order_tags: {has: a, any_case: true}, not: {order_tags: {has: a}}}",
        "{ordered_on: {from: 2026-01-01, until: 2026-01-01}}",
        "{today: {until: 2026-03-21}}",
        "{all: [{some_line: {sku: {is: A}}}, {some_line: {sku: {is: B}}}]}",
        "{some_line: {sku: {is: A}}, sku: {is: B}}",
        "{not: {some_line: {sku: {is: A}}}}",
        # Of a return without lines.
        "{not: {any: [{every_line: {sku: {is: A}}}, {some_line: {not: {sku: {is: A}}}}]}}",
        "{all: [{not: {every_line: {sku: {is: A}}}}, {not: {every_line: {sku: {is: B}}}}]}",
        "{earlier_returns: {at_least: 3, within_days: 90}, not: {earlier_returns: {at_least: 3, within_days: 30}}}",
    ],
)
def test_what_some_facts_make_true(text: str) -> None:
    assert can_be(text)


def test_what_is_unknown_is_neither() -> None:
    both = "{return_value: {over: 100.00 EUR, under: 50.00 EUR}}"
    assert can_be(both, Says.NOT_NO)
    assert not can_be("{quantity: {over: 3, under: 2}}", Says.NOT_NO)
    assert can_be("{any: [{held: {is: true}}, {held: {is: false}}]}", Says.NOT_YES)
    assert not can_be("{any: [{quantity: {over: 1}}, {quantity: {at_most: 1}}]}", Says.NOT_YES)
    assert not can_be("{any: [{quantity: {over: 1}}, {quantity: {at_most: 1}}]}", Says.NO)


def test_what_is_too_much_to_look_at_is_possible() -> None:
    """The lines are looked at last: each of the 2 ** 20 ways would have to be gone to its end."""
    either = ", ".join(f"{{any: [{{order_tags: {{has: A{n}}}}}, {{customer_tags: {{has: A{n}}}}}]}}" for n in range(20))
    contradiction = "{every_line: {sku: {is: A}}}, {some_line: {sku: {is: B}}}"
    assert not can_be(f"{{all: [{contradiction}]}}")
    assert can_be(f"{{all: [{either}, {contradiction}]}}")


CLAIMED = st.lists(st.tuples(CONDITIONS | joined(LINE_CHECKS), st.sampled_from(Says)), min_size=1, max_size=4)


@given(CLAIMED, FACTS)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_facts_show_is_never_denied(claimed: Sequence[tuple[Condition, Says]], facts: ReturnFacts) -> None:
    """Claim of facts what is true of them: it is possible."""
    line = facts.lines[0]
    claims = []
    for asked, _ in claimed:
        truth = evaluate(asked, facts, line).truth
        claims += [Claim(asked, says) for says in Says if truth in says.value]
    assert is_possible(claims, facts.today, a_line=True)
    assert is_possible(claims, facts.today - timedelta(days=1), a_line=True)
    whole = [claim for claim in claims if not asks_of_a_line(claim.condition)]
    assert is_possible(whole, facts.today, a_line=False)
