"""What people type in the place of what is right, and that the message leads them there in one step."""

from pathlib import Path

import pytest

from tasks.policy.policy_file import PolicyFileError, read_policy
from tests.tasks.policy.test_policy_file import written


def said_of(folder: Path, text: str) -> list[str]:
    """What is said of a file: each problem without the file's name."""
    with pytest.raises(PolicyFileError) as caught:
        read_policy(written(folder, text, "policy.yaml"))
    return [problem.partition(", ")[2] for problem in caught.value.problems]


def rule(rest: str) -> str:
    """A file of one rule, whose third line has this."""
    return f"default:\n  rules:\n  - {{name: one, {rest}}}\n"


def when(condition: str) -> str:
    return rule(f"when: {{{condition}}}, then: {{keep_item: {{}}}}")


def then(action: str) -> str:
    return rule(f"then: {{{action}}}")


AMOUNT = "right would be an amount with its currency, such as 24.00 EUR"
WRITTEN = [
    # Numbers without their unit: to put them in quotes would be the next error.
    (when("return_value: {over: 100.00}"), f"is 100.00; {AMOUNT}"),
    (when("discount_share: {over: 0.1}"), "is 0.1; right would be a percentage, such as 50 %"),
    (when("quantity: {over: 2.5}"), "is 2.5; right would be a whole number"),
    (then("fee: {amount: 5.00}"), f"is 5.00; {AMOUNT}"),
    (then("bonus: {percent: 0.1, methods: [GIFT_CARD]}"), "is 0.1; right would be a percentage, such as 10 %"),
    (then("fee: {percent: 0.15}"), "is 0.15; right would be a percentage, such as 10 %"),
    (then("fee: {percent: 150}"), "is 150; right would be a percentage, such as 10 %"),
    (then("fee: {percent: 150 %}"), "`percent` is more than 100 %"),
    (then("fee: {percent: 15 EUR}"), 'is "15 EUR"; right would be a percentage, such as 10 %'),
    (then("fee: {percent: 15 %, amount: 5.00 EUR}"), "either `amount` or `percent` says how much"),
    (then("bonus: {amount: 5.00, methods: [GIFT_CARD]}"), f"is 5.00; {AMOUNT}"),
    (then("restocking_fee: {percent: 15 %}"), "is no action (did you mean fee?)"),
    (when("sku: {is: 12.50}"), 'is 12.50; right would be a text: write "12.50" with quotes'),
    (when("sku: {is: 1001}"), 'is 1001; right would be a text: write "1001" with quotes'),
    (
        "default:\n  rules: []\n  lists: {skus: [A, 1001]}\n",
        'skus[2] is 1001; right would be a text: write "1001" with',
    ),
    ("default:\n  guards:\n    max_refund: {EUR: 3.50}\n", 'is 3.50 without quotes, which is not exact; write "3.50"'),
    # A point that parts thousands: an amount of one euro otherwise.
    (
        when("return_value: {over: 1.000 EUR}"),
        "right would be an amount that EUR has coins for; if its point parts thousands, write 1000 EUR",
    ),
    (when("return_value: {over: 0.5 JPY}"), "right would be an amount that JPY has coins for"),
    (
        then("fee: {amount: 1.000 EUR}"),
        "right would be an amount that EUR has coins for; if its point parts thousands, write 1000 EUR",
    ),
    (
        when("return_value: {over: 100.00 ERU}"),
        "; right would be an amount in a currency that there is, such as 24.00 EUR",
    ),
    (then("fee: {amount: 5.00 ERU}"), "; right would be an amount in a currency that there is, such as 24.00 EUR"),
    (when("currency: {is: eur}"), "which currency never is (did you mean EUR?)"),
    (
        "default:\n  guards:\n    max_refund: {ERU: 300}\n",
        "right would be the three capital letters of a currency that there is, such as EUR",
    ),
    (when("return_value: {over: 24.00\u00a0EUR}"), f'is "24.00\\u00a0EUR"; {AMOUNT}'),
    # Several values where one belongs.
    (when("country: {is: [ES, PT]}"), "is [ES, PT]; right would be a text; several stand under `is_one_of`"),
    (when("product_tags: {has: [a, b]}"), "several stand under `has_any_of` or `has_all_of`"),
    (
        when("sku: {in_list: [A, B]}"),
        "is [A, B]; right would be the name of a list; single texts stand under `is_one_of`",
    ),
    (when("country: [ES, PT]"), "has no operator; right would be `country: {is_one_of: [ES, PT]}`"),
    (when("country: ES"), "has no operator; right would be `country: {is: ES}`"),
    # Words of other programs.
    (when("or: [{sku: {is: A}}]"), "is no field (did you mean any?)"),
    (when("order_total: {over: 9.00 EUR}"), "is no field (did you mean order_value?)"),
    (when("type: {is: shoe}"), "is no field (did you mean product_type?)"),
    (when("tags: {has: x}"), "is no field (did you mean product_tags, order_tags or customer_tags?)"),
    (when("country: {equals: ES}"), "(did you mean is?)"),
    (when("product_tags: {contains: x}"), "(did you mean has?)"),
    (when("sku: {like: x}"), "(did you mean contains?)"),
    (when('return_value: {">=": 9.00 EUR}'), "(did you mean at_least?)"),
    (when("country: {not_in: [ES]}"), "write `not: {country: {is_one_of: ...}}`"),
    (when("product_tags: {is: x}"), "(did you mean has?)"),
    (then("reject: {why: x}"), "(did you mean decline?)"),
    (then("hold: {who: me}"), "(did you mean approve?)"),
    # Capitals, and names of countries.
    (when("method: {is: gift_card}"), "(did you mean GIFT_CARD?)"),
    (when("method: {is: store credit}"), "(did you mean GIFT_CARD?)"),
    (when("country: {is: Spain}"), "(did you mean ES?)"),
    (when("country: {is: es}"), "(did you mean ES?)"),
    (when("country: {is: UK}"), "(did you mean GB?)"),
    (when("country: {is: EU}"), "is no country of its own: name its countries"),
    # What the checks of a type are called in Python is nobody's word.
    (then("methods: {only: GIFT_CARD}"), "right would be a list, as [GIFT_CARD]"),
    (then("pay: {at: arrival, plus_days: 3 days}"), 'is "3 days"; right would be a whole number'),
    (then(f"decline: {{why: {'x' * 201}}}"), "; right would be at most 200 letters"),
    # What would do nothing.
    (then("fee: {amount: 5.00 EUR, free_units: 2}"), "`free_units` goes with `per: unit`"),
    (then("carrier: {name: DHL}"), 'is "DHL"; right would be PROVIDER/CARRIER, such as SENDCLOUD/DHL'),
    # YAML.
    (when("sku: {is: “A”}"), 'is “A”, whose quotation marks YAML takes for letters; write "A"'),
    (then("decline: {why: sale, no returns}"), "if a comma belongs to a text, put the text in quotes"),
    (then("decline: {why: sale: no returns}"), "not YAML: expected ',' or '}', but got ':'. A text with a colon"),
    (then("decline: {why: @sale}"), "that cannot start any token. Put the text in quotes"),
    (when("sku: {starts_with: *OUT}"), "A `*` is no wildcard"),
    ("default:\n  rules:\n  - name: a\n    then: {decline: {why: final #1}}\n", "line 4: this is not YAML"),
    # Where things stand.
    ("stores:\n  acme:\n    rule: []\n", "rule is no rule (did you mean rules?); there are rules, lists,"),
    ("rules: []\n", "rules is no part of a policy file: put it below default, or below a store"),
]
"""A file with one thing that is wrong, and what is said of it."""


@pytest.mark.parametrize(("text", "says"), WRITTEN)
def test_what_is_wrong_is_said_once_with_what_would_be_right(text: str, says: str, tmp_path: Path) -> None:
    (problem,) = said_of(tmp_path, text)
    assert says in problem


def test_a_list_with_a_word_that_cannot_be_read_is_not_called_no_list_too(tmp_path: Path) -> None:
    text = "default:\n  lists: {nordic: [SE, NO, DK]}\n  rules:\n  - name: a\n"
    text += "    when: {country: {is_one_of: [SE, NO]}}\n    then: {keep_item: {}}\n"
    problems = said_of(tmp_path, text)
    assert [it.partition(" is ")[0] for it in problems] == [
        "line 2: default.lists.nordic[2]",
        "line 5: default.rules[1].when.country.is_one_of[2]",
    ]
    assert all('"NO" for the text' in it for it in problems)
