"""What the rules of real shops come to: fees to the cent, methods, the moment to pay, bonuses; what needs no rule."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tasks.policy.actions import Action, Bonus, Methods, Pay, is_due, kind_of, method_for
from tasks.policy.conditions import Truth
from tasks.policy.decide import decide
from tasks.policy.decision import Compensate
from tasks.policy.policy_file import PolicyFileError, read_policy
from tasks.policy.return_facts import ReturnFacts, Unknown
from tasks.policy.verdict import Decided, explain, fees, judge
from tests.tasks.policy.factories import NOW, approved, line, process, record, reviews, rules
from tests.tasks.policy.rule_texts import rules_of
from tests.tasks.policy.shop_returns import TODAY, abroad, eur, item, known, policy_of, shop_rules


def charged(number: str, facts: ReturnFacts) -> list[tuple[str, tuple[str, ...], str]]:
    """The fees by the rules of a file: rule, lines, amount."""
    due = fees(judge(shop_rules(number), facts), facts)
    return [(fee.rule, fee.lines, str(getattr(fee.amount, "amount", fee.amount))) for fee in due]


def decided(number: str, facts: ReturnFacts, line_id: str = "a") -> list[Action]:
    """The actions that are decided for a line, in the order of their kinds."""
    outcomes = judge(shop_rules(number), facts).lines[line_id]
    actions = [it.action for it in outcomes.values() if isinstance(it, Decided)]
    return sorted(actions, key=kind_of)


def test_r2_the_fee_falls_on_the_lines_that_are_not_damaged_and_never_exceeds_them() -> None:
    facts = known(item("a", reason="DAMAGED", total="50.00"), item("b", total="5.00"))
    assert charged("R02", facts) == [("handling", ("b",), "5.00")]
    assert charged("R02", known(item("a", total="50.00"), item("b", total="5.00"))) == [
        ("handling", ("a", "b"), "9.00")
    ]
    assert charged("R02", known(item("a", reason="DAMAGED"))) == []


def test_lines_that_are_not_paid_bear_no_fee() -> None:
    text = """
rules:
- {name: promotion, when: {sku: {is: P}}, then: {decline: {why: a promotion}}}
- {name: insurance, when: {sku: {is: I}}, then: {add_on: {}}}
- {name: handling, then: {fee: {amount: 9.00 EUR}}}
"""
    facts = known(item("a", "P", total="50.00"), item("b", "I", total="50.00"), item("c", total="5.00"))
    (fee,) = fees(judge(rules_of(text), facts), facts)
    assert (fee.lines, fee.amount) == (("c",), eur("5.00"))


@pytest.mark.parametrize(
    ("wish", "offered", "gets"),
    [
        ("ORIGINAL_PAYMENT_METHOD", ("GIFT_CARD",), "GIFT_CARD"),
        ("BANK_TRANSFER", (), "GIFT_CARD"),
        ("EXCHANGE", ("EXCHANGE",), "EXCHANGE"),
        ("ORIGINAL_PAYMENT_METHOD", ("ORIGINAL_PAYMENT_METHOD",), ""),
    ],
)
def test_r3_what_is_not_allowed_becomes_credit_or_is_held(wish: str, offered: tuple[str, ...], gets: str) -> None:
    (credit_only,) = decided("R03", known(item("a", "CLEARANCE-1")))
    assert isinstance(credit_only, Methods)
    assert method_for(wish, credit_only, offered) == gets


def test_r6_an_exchange_falls_to_the_next_method_that_the_store_has() -> None:
    facts = known(item("a"))
    (methods,) = decided("R06", facts._replace(lines=tuple(it._replace(variants=1) for it in facts.lines)))
    assert isinstance(methods, Methods)
    assert method_for("EXCHANGE", methods, ("EXCHANGE", "ORIGINAL_PAYMENT_METHOD")) == "ORIGINAL_PAYMENT_METHOD"
    assert method_for("BANK_TRANSFER", methods, ()) == "BANK_TRANSFER"


@pytest.mark.parametrize(("quantities", "amount"), [((2,), "0.00"), ((3,), "1.50"), ((1, 1, 2), "3.00")])
def test_r12_two_units_are_free_also_of_one_line(quantities: tuple[int, ...], amount: str) -> None:
    facts = known(*(item(f"l{n}", quantity=quantity) for n, quantity in enumerate(quantities)))
    assert [fee for _, _, fee in charged("R12", facts)] == [amount]


@pytest.mark.parametrize(
    ("country", "method", "amount"),
    [
        ("ES", "DROP_OFF_POINT", "6.00"),
        ("PT", "HOME_PICK_UP", "7.00"),
        ("DE", "DROP_OFF_POINT", "12.00"),
        ("DE", "HOME_PICK_UP", "13.00"),
        ("US", "DROP_OFF_POINT", "24.00"),
        ("US", "HOME_PICK_UP", "25.00"),
    ],
)
def test_r14_the_fee_is_exact(country: str, method: str, amount: str) -> None:
    facts = known(item("a", total="99.00"), of={**abroad(country), "return_method": method})
    assert [fee for _, _, fee in charged("R14", facts)] == [amount]


def test_r16_and_r25_are_due_at_their_own_moment() -> None:
    at_depot = known(item("a"), of={"logistics": ("COLLECTED",), "return_status": "COLLECTED", "reviews": ()})
    due = {at: is_due(Pay(at=at), at_depot) for at in ("start", "first_scan", "arrival", "inspection")}
    assert due == {"start": Truth.YES, "first_scan": Truth.YES, "arrival": Truth.NO, "inspection": Truth.NO}
    assert [it.at for it in decided("R16", at_depot._replace(customer_tags=frozenset({"VIP"}))) if isinstance(it, Pay)]
    here = known(item("a"))
    assert is_due(Pay(at="arrival"), here) is Truth.YES
    assert is_due(Pay(at="inspection"), known(item("a"), of={"reviews": approved("a")})) is Truth.YES


@pytest.mark.parametrize(("days", "due"), [(2, Truth.NO), (3, Truth.YES), (4, Truth.YES)])
def test_r26_a_buffer_of_days_after_the_arrival(days: int, due: Truth) -> None:
    facts = known(item("a"), arrived_on=TODAY - timedelta(days=days))
    (pay,) = decided("R26", facts)
    assert isinstance(pay, Pay)
    assert is_due(pay, facts) is due
    assert is_due(pay, known(item("a"))) is Truth.UNKNOWN, "nobody has kept the day of the arrival"


def test_r33_of_two_fees_the_higher_rule_s_is_taken_and_the_other_is_shown() -> None:
    facts = known(item("a", total="50.00"))
    assert charged("R33", facts) == [("home", ("a",), "6.00")]
    words = "line a, fee: fee (amount 6.00 EUR) by 'home'; matched too, outranked: 'everywhere'"
    assert words in list(explain(judge(shop_rules("R33"), facts)))


def test_r36_a_bonus_is_never_for_money(tmp_path: Path) -> None:
    text = policy_of("R36").read_text(encoding="utf-8")
    for money in ("ORIGINAL_PAYMENT_METHOD", "BANK_TRANSFER"):
        (tmp_path / "policy.yaml").write_text(text.replace("GIFT_CARD", money), encoding="utf-8")
        with pytest.raises(PolicyFileError, match="GIFT_CARD"):
            read_policy(tmp_path / "policy.yaml")
    (bonus,) = decided("R36", known(item("a", method="GIFT_CARD")))
    assert isinstance(bonus, Bonus)
    for method, amount in (("GIFT_CARD", "11.06"), ("BANK_TRANSFER", "10.05")):
        read = process(line("a", total="10.05", method=method), reviews=approved("a"))
        decision = decide(read, replace(rules(), merchant_rules=shop_rules("R36")), record(), NOW)
        assert isinstance(decision, Compensate)
        assert [due.amount for due in decision.refunds] == [Decimal(amount)]


def test_r37_units_that_the_warehouse_declines_are_not_paid_and_the_others_of_the_line_are() -> None:
    declined = [it.model_copy(update={"reject_reason": "Damaged"}) for it in reviews("a", "DECLINED")]
    read = process(line("a", quantity=2, total="20.00"), reviews=[*approved("a"), *declined])
    decision = decide(read, replace(rules(), merchant_rules=shop_rules("R37")), record(), NOW)
    assert isinstance(decision, Compensate)
    assert [due.amount for due in decision.refunds] == [Decimal("10.00")]


def test_r38_a_refund_an_exchange_and_a_gift_card_of_one_return_are_all_due() -> None:
    lines = (line("a"), line("b", method="GIFT_CARD"), line("c", method="EXCHANGE", variant="v"))
    read = process(*lines, reviews=[*approved("a"), *approved("b"), *approved("c")])
    decision = decide(read, replace(rules(), merchant_rules=shop_rules("R38")), record(), NOW)
    assert isinstance(decision, Compensate)
    assert [due.method for due in decision.refunds] == ["ORIGINAL_PAYMENT_METHOD", "GIFT_CARD"]
    assert decision.exchange is not None


def test_a_fee_in_another_currency_is_not_guessed() -> None:
    facts = known(item("a", currency="SEK"))
    text = "rules: [{name: fee, then: {fee: {amount: 6.00 EUR}}}]"
    (due,) = fees(judge(rules_of(text), facts), facts)
    assert due.amount == Unknown("the lines' totals in EUR")
