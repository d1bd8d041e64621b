"""A fee in percent: of what is refunded, the same in parts as in one, within its bounds, fixed by the first refund."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rever_api.models import ReturnProcess
from tasks.ledger.checking import check_payments
from tasks.policy.case import Case
from tasks.policy.decide import decide
from tasks.policy.decision import Compensate, Hold
from tasks.policy.money import fee_in_percent, minor_unit, value
from tasks.policy.record import FeeTerms, IntentKind, IntentState, LineUnits, Record, Waiver, money_intents
from tasks.policy.return_facts import Money, Unknown
from tasks.policy.store import StoreRules
from tasks.policy.verdict import explain, fees, judge
from tests.tasks.policy.carrying_out import carry_out, paid
from tests.tasks.policy.factories import (
    EXCHANGE,
    GIFT,
    NOW,
    ORIGINAL,
    approved,
    intent,
    line,
    process,
    record,
    reviews,
    rules,
    terms,
)
from tests.tasks.policy.rule_texts import rules_of
from tests.tasks.policy.shop_returns import item, known
from tests.tasks.policy.test_ruling import of_sku, pays, shop, told

OPENED = "{name: opened, then: {fee: {percent: 15 %}}}"
BOUNDED = "{name: opened, then: {fee: {percent: 15 %, at_least: 3.00 EUR, at_most: 9.00 EUR}}}"
CURRENCIES = ["EUR", "JPY", "BHD"]


# The arithmetic.


@pytest.mark.parametrize(
    ("worth", "fee"),
    [("0.00", "0.00"), ("0.03", "0.00"), ("0.10", "0.02"), ("0.17", "0.03"), ("100.00", "15.00"), ("33.30", "5.00")],
)
def test_it_is_rounded_half_up(worth: str, fee: str) -> None:
    assert fee_in_percent(Decimal(worth), FeeTerms("r", Decimal(15)), "EUR") == Decimal(fee)


@pytest.mark.parametrize(
    ("worth", "fee"),
    [("2.00", "2.00"), ("3.00", "3.00"), ("20.00", "3.00"), ("20.07", "3.01"), ("60.00", "9.00"), ("99.00", "9.00")],
)
def test_its_bounds_are_included_and_it_is_never_more_than_the_units_are_worth(worth: str, fee: str) -> None:
    bounded = FeeTerms("r", Decimal(15), Decimal(3), Decimal(9))
    assert fee_in_percent(Decimal(worth), bounded, "EUR") == Decimal(fee)


@st.composite
def some_terms(draw: st.DrawFn, currency: str) -> FeeTerms:
    """A fee in percent with bounds, or with one, or none."""
    coins = st.integers(0, 5_000).map(lambda many: Decimal(many).scaleb(-minor_unit(currency)))
    bounds = sorted([draw(coins), draw(coins)])
    percent = draw(st.decimals(0, 100, places=draw(st.sampled_from([0, 2, 6]))))
    least, most = draw(st.sampled_from([(0, 0), (1, 0), (0, 1), (1, 1)]))
    return FeeTerms("r", percent, bounds[0] if least else None, bounds[1] if most else None)


@given(st.sampled_from(CURRENCIES), st.lists(st.integers(0, 3_000), max_size=9), st.data())
def test_its_parts_sum_to_the_whole_and_none_is_negative_or_above_what_bears_it(
    currency: str, steps: list[int], data: st.DataObject
) -> None:
    fee = data.draw(some_terms(currency))
    before, taken = Decimal(0), Decimal(0)
    for step in (Decimal(each).scaleb(-minor_unit(currency)) for each in steps):
        part = fee_in_percent(before + step, fee, currency) - fee_in_percent(before, fee, currency)
        assert 0 <= part <= step
        before, taken = before + step, taken + part
    assert taken == fee_in_percent(before, fee, currency)


# What is paid.


def settled(it: ReturnProcess, of: StoreRules, so_far: Record | None = None) -> tuple[Record, ReturnProcess]:
    """The record and the return once all that is due now is paid."""
    known, decision = so_far or record(), decide(it, of, so_far or record(), NOW)
    while isinstance(decision, Compensate):
        known, it = carry_out(decision, known, it)
        decision = decide(it, of, known, NOW)
    assert not isinstance(decision, Hold), decision
    return known, it


def agrees(known: Record) -> bool:
    """Whether the ledger's own check finds nothing wrong with the payments."""
    return not list(check_payments("retp_1", money_intents(known), known.lines, known.costs or Decimal(0)))


def test_it_is_taken_off_in_the_place_of_rever_s_costs_and_the_decision_says_so() -> None:
    it = process(line("a", 2, "20.00"), reviews=approved("a", 2), costs="4.00")
    decision = decide(it, shop(OPENED), record(), NOW)
    assert pays(decision) == {ORIGINAL: "17.00"}
    assert "refunds 17.00 EUR by ORIGINAL_PAYMENT_METHOD for 2 units (a fee of 3.00 EUR taken off)" in decision.why
    assert decision.why.endswith("(by rule 'opened')")


def test_other_lines_bear_rever_s_costs_and_those_with_the_fee_do_not() -> None:
    opened = "{name: opened, when: {sku: {is: O}}, then: {fee: {percent: 15 %}}}"
    it = process(of_sku("O", "a"), of_sku("N", "b", 1, "4.00"), reviews=[*approved("a"), *approved("b")], costs="6.00")
    decision = decide(it, shop(opened), record(), NOW)
    assert pays(decision) == {ORIGINAL: "8.50"}
    assert "(a fee of 1.50 EUR taken off) (costs of 4.00 EUR taken off)" in decision.why


def test_it_is_of_the_units_that_are_refunded_and_not_of_those_that_are_declined() -> None:
    it = process(line("a", 2, "20.00"), reviews=reviews("a", "APPROVED", "DECLINED"))
    assert pays(decide(it, shop(OPENED), record(), NOW)) == {ORIGINAL: "8.50"}


def test_an_exchange_bears_none_and_one_that_is_refunded_for_want_of_stock_does() -> None:
    instead = "{name: stock, then: {out_of_stock: {do: refund, refund_by: GIFT_CARD}}}"
    it = process(line(method=EXCHANGE, variant="v"), reviews=approved())
    decision = decide(it, shop(OPENED), record(), NOW)
    assert isinstance(decision, Compensate)
    assert decision.exchange
    assert decision.exchange.gross == Decimal("10.00")
    refused = intent(IntentKind.EXCHANGE, IntentState.REFUSED, error_code="9", created_at=NOW)
    known = record(refused, lines={"retl_1": terms()})
    assert pays(decide(it, shop(OPENED, instead), known, NOW)) == {GIFT: "8.50"}


def test_unit_by_unit_it_comes_to_the_same() -> None:
    it, known = process(line("a", 3, "10.00")), record()
    for units in (1, 2, 3):
        it = it.model_copy(update={"reviews": tuple(approved("a", units))})
        known, it = carry_out(decide(it, shop(OPENED), known, NOW), known, it)
    assert [str(made.fee) for made in known.intents] == ["0.50", "0.50", "0.50"]
    assert [str(made.amount) for made in known.intents] == ["2.83", "2.84", "2.83"]
    assert paid(it) == Decimal("8.50")
    assert agrees(known)


def test_its_least_is_of_the_return_and_comes_off_the_first_units() -> None:
    it, known = process(line("a", 2, "10.00"), line("b", 1, "80.00", GIFT)), record()
    amounts = []
    for reviewed in (approved("a"), approved("a", 2), [*approved("a", 2), *approved("b")]):
        it = it.model_copy(update={"reviews": tuple(reviewed)})
        known, it = carry_out(decide(it, shop(BOUNDED), known, NOW), known, it)
        amounts.append(str(known.intents[-1].amount))
    assert amounts == ["2.00", "5.00", "74.00"]
    assert [str(made.fee) for made in known.intents] == ["3.00", "0.00", "6.00"]
    whole = process(line("a", 2, "10.00"), line("b", 1, "80.00", GIFT), reviews=[*approved("a", 2), *approved("b")])
    assert pays(decide(whole, shop(BOUNDED), record(), NOW)) == {ORIGINAL: "7.00", GIFT: "74.00"}


def test_the_plan_of_several_methods_is_what_is_then_paid_one_after_another() -> None:
    """The bound is used up in the order of the refunds, and not of the lines."""
    lines = (line("a", 1, "30.00"), line("b", 1, "30.00", GIFT), line("c", 1, "30.00"))
    it = process(*lines, reviews=[*approved("a"), *approved("b"), *approved("c")])
    planned = pays(decide(it, shop(BOUNDED), record(), NOW))
    known, _ = settled(it, shop(BOUNDED))
    assert {made.method: str(made.amount) for made in known.intents} == planned == {ORIGINAL: "51.00", GIFT: "30.00"}


@st.composite
def some_returns(draw: st.DrawFn) -> tuple[ReturnProcess, str]:
    """A return of one currency whose units are not inspected yet."""
    currency = draw(st.sampled_from(CURRENCIES))
    lines = [
        line(
            f"l{n}",
            draw(st.integers(1, 4)),
            str(Decimal(draw(st.integers(0, 2_000))).scaleb(-minor_unit(currency))),
            draw(st.sampled_from([ORIGINAL, GIFT])),
            currency,
        )
        for n in range(draw(st.integers(1, 3)))
    ]
    return process(*lines, costs="0"), currency


@given(some_returns(), st.data())
@settings(max_examples=150, deadline=None)
def test_however_it_is_refunded_the_fee_is_that_of_all_and_the_ledger_agrees(
    told_: tuple[ReturnProcess, str], data: st.DataObject
) -> None:
    it, currency = told_
    fee = data.draw(some_terms(currency))
    bounds = (("at_least", fee.at_least), ("at_most", fee.at_most))
    said = "".join(f", {name}: {amount:f} {currency}" for name, amount in bounds if amount is not None)
    of = shop(f"{{name: r, then: {{fee: {{percent: {fee.percent:f} %{said}}}}}}}", currencies=tuple(CURRENCIES))
    units = [each.id for each in it.return_line_items for _ in range(each.quantity)]
    outcomes = [
        (line_id, data.draw(st.sampled_from(["APPROVED", "APPROVED", "DECLINED"])))
        for line_id in data.draw(st.permutations(units))
    ]
    known, seen = record(), 0
    while seen < len(outcomes):
        seen += data.draw(st.integers(1, len(outcomes) - seen))
        found = [each for line_id, status in outcomes[:seen] for each in reviews(line_id, status)]
        it = it.model_copy(update={"reviews": tuple(found)})
        known, it = settled(it, of, known)
    worth = sum(
        (
            value(each.total_price or Decimal(0), each.quantity, outcomes.count((each.id, "APPROVED")), currency)
            for each in it.return_line_items
        ),
        Decimal(0),
    )
    assert all(0 <= made.fee <= made.gross and made.amount == made.gross - made.fee for made in known.intents)
    assert paid(it) == worth - fee_in_percent(worth, fee, currency)
    assert agrees(known)


# What is fixed.


HALF = process(line("a", 2, "20.00"), reviews=approved("a"))
BOTH = HALF.model_copy(update={"reviews": tuple(approved("a", 2))})


def half_paid(*texts: str) -> tuple[Record, ReturnProcess]:
    """The first of two units is refunded by these rules, and the second approved since."""
    known, it = settled(HALF, shop(*texts))
    return known, BOTH.model_copy(update={"compensation": it.compensation})


@pytest.mark.parametrize(
    ("first", "then", "was", "now"),
    [
        (OPENED, OPENED.replace("15", "20"), "15 % by rule 'opened'", "20 % by rule 'opened'"),
        (OPENED, "{name: other, then: {no_bonus: {}}}", "15 % by rule 'opened'", "none"),
        ("{name: other, then: {no_bonus: {}}}", OPENED, "none", "15 % by rule 'opened'"),
        (
            BOUNDED,
            BOUNDED.replace("3.00", "4.00"),
            "15 %, at least 3.00 EUR, at most 9.00 EUR by rule 'opened'",
            "15 %, at least 4.00 EUR, at most 9.00 EUR by rule 'opened'",
        ),
        (
            BOUNDED,
            BOUNDED.replace("name: opened", "name: new"),
            "15 %, at least 3.00 EUR, at most 9.00 EUR by rule 'opened'",
            "15 %, at least 3.00 EUR, at most 9.00 EUR by rule 'new'",
        ),
    ],
)
def test_another_fee_than_the_first_refund_s_holds_what_is_still_to_be_refunded(
    first: str, then: str, was: str, now: str
) -> None:
    known, it = half_paid(first)
    held = decide(it, shop(then), known, NOW)
    assert told(held) == ("Hold", "terms_changed")
    assert f"the fee in percent of line 'a' was {was}, is {now}; going on is by the first ones" in held.why
    nothing_more = it.model_copy(update={"reviews": tuple(reviews("a", "APPROVED", "DECLINED"))})
    assert told(decide(nothing_more, shop(then), known, NOW)) == ("Nothing", "all_settled")


@pytest.mark.parametrize(
    ("first", "then", "rest"),
    [
        (OPENED, OPENED.replace("15", "20"), "8.50"),
        (OPENED, "{name: other, then: {no_bonus: {}}}", "8.50"),
        ("{name: other, then: {no_bonus: {}}}", OPENED, "10.00"),
        (BOUNDED, BOUNDED.replace("at_least: 3.00", "at_least: 8.00"), "10.00"),
    ],
)
def test_a_person_who_approves_goes_on_by_the_first_fee(first: str, then: str, rest: str) -> None:
    known, it = half_paid(first)
    yes = replace(known, waivers=(Waiver("terms_changed", Decimal(rest), "EUR"),))
    decision = decide(it, shop(then), yes, NOW)
    assert pays(decision) == {ORIGINAL: rest}
    assert agrees(carry_out(decision, yes, it)[0])


def test_a_rule_that_is_renamed_and_has_no_bounds_is_the_same_fee() -> None:
    known, it = half_paid(OPENED)
    assert pays(decide(it, shop(OPENED.replace("opened", "restocking")), known, NOW)) == {ORIGINAL: "8.50"}


def test_the_first_refund_fixes_it_for_the_other_lines_of_its_rule_too() -> None:
    it = process(line("a"), line("b"), reviews=approved("a"))
    known, it = settled(it, shop(OPENED))
    it = it.model_copy(update={"reviews": (*approved("a"), *approved("b"))})
    twenty = shop(OPENED.replace("15", "20"))
    assert told(decide(it, twenty, known, NOW)) == ("Hold", "terms_changed")
    yes = replace(known, waivers=(Waiver("terms_changed", Decimal("8.50"), "EUR"),))
    assert pays(decide(it, twenty, yes, NOW)) == {ORIGINAL: "8.50"}


def test_a_refund_that_was_refused_fixes_nothing() -> None:
    known, _ = settled(HALF, shop(OPENED))
    refused = replace(known, intents=tuple(replace(each, state=IntentState.WITHDRAWN) for each in known.intents))
    assert pays(decide(HALF, shop(OPENED.replace("15", "20")), refused, NOW)) == {ORIGINAL: "8.00"}


def test_units_that_a_person_closed_fix_nothing_and_bear_nothing() -> None:
    closed = replace(
        intent(state=IntentState.DONE_BY_HAND, units=(1,), line_id="a", amount="0"), gross=Decimal(0), exempt=Decimal(0)
    )
    known = record(closed, lines={"a": terms("20.00", 2)})
    assert pays(decide(BOTH, shop(BOUNDED), known, NOW)) == {ORIGINAL: "7.00"}


def test_what_stays_due_once_units_are_closed_has_the_fee_of_what_is_left() -> None:
    """A hold says it: of two lines one is asked about, and the least falls on the other where that is closed."""
    ask = "{name: ask, when: {sku: {is: A}}, then: {approve: {who: o, why: w}}}"
    it = process(of_sku("A", "a"), of_sku("B", "b"), reviews=[*approved("a"), *approved("b")])
    held = decide(it, shop(BOUNDED, ask), record(), NOW)
    assert isinstance(held, Hold)
    assert (held.pays, held.leaves, held.leaves_by_hand) == (Decimal("17.00"), Decimal("7.00"), Decimal("10.00"))
    assert Case(it, shop(BOUNDED, ask), record(), NOW).lines_without_costs == {"a", "b"}
    assert held.items == (LineUnits("a", (1,)),)


def test_an_exchange_that_a_person_made_beside_a_refund_by_hand_was_not_fixed_to_bear_none() -> None:
    """One answer closed both lines: the fee that it fixed is that of the refund, and what is left is paid."""
    lines = line("a", 1, "20.00", EXCHANGE), line("b", 1, "30.00"), line("c", 1, "40.00")
    it = process(*lines, reviews=[*approved("a"), *approved("b"), *approved("c")])
    items = LineUnits("a", (1,)), LineUnits("b", (1,))
    bore = (("b", FeeTerms("opened", Decimal(15), Decimal(3), Decimal(9))),)
    closed = replace(
        intent(state=IntentState.DONE_BY_HAND, items=items, amount="45.50"), gross=Decimal(0), fee_terms=bore
    )
    known = record(closed, lines={"a": terms("20.00", 1), "b": terms("30.00", 1)})
    assert pays(decide(it, shop(BOUNDED), known, NOW)) == {ORIGINAL: "35.50"}, "9.00 of both, of which 4.50 were borne"


def test_a_refund_whose_outcome_nobody_knew_and_that_a_person_made_by_hand_bore_the_fee() -> None:
    known, it = half_paid(BOUNDED)
    by_hand = replace(known, intents=tuple(replace(each, state=IntentState.DONE_BY_HAND) for each in known.intents))
    decision = decide(it, shop(BOUNDED), by_hand, NOW)
    assert pays(decision) == {ORIGINAL: "10.00"}, "the least came off the first"
    assert agrees(carry_out(decision, by_hand, it)[0])


@pytest.mark.parametrize(
    ("rule", "more", "status"),
    [
        ("completed_unpaid", "", "COMPLETED"),
        ("unknown_timing", "", "RUNNING"),
        ("unknown_method", "", "RUNNING"),
        ("no_variant", "", "RUNNING"),
        ("needs_facts", "{name: sale, when: {product_tags: {has: x}}, then: {decline: {why: w}}}", "RUNNING"),
    ],
)
def test_a_hold_that_nobody_can_let_pass_says_too_what_units_have_had_once_they_are_paid_by_hand(
    rule: str, more: str, status: str
) -> None:
    """Without it the sum would be paid again with other units, and the least be taken again."""
    other = {"unknown_method": "BY_POST", "no_variant": EXCHANGE}.get(rule, GIFT)
    lines = line("a", 1, "20.00", GIFT), line("b", 1, "9.00", other)
    it = process(*lines, reviews=[*approved("a"), *approved("b")], status=status)
    sum_on_top = "{name: five, then: {bonus: {amount: 5.00 EUR, methods: [GIFT_CARD]}}}"
    of = shop(BOUNDED, sum_on_top, *([more] if more else []))
    if rule == "unknown_timing":
        of = replace(of, settings=rules(timing="NO_TIMING").settings)
    held = decide(it, of, record(), NOW)
    assert isinstance(held, Hold)
    assert (held.rule, held.bonus_sum) == (rule, Decimal("5.00"))
    assert "a" in dict(held.fee_terms)


def test_the_ledger_s_check_finds_a_fee_that_is_not_by_its_terms() -> None:
    known, _ = settled(BOTH, shop(OPENED))
    (made,) = known.intents
    wrong = replace(made, fee=made.fee - 1, amount=made.amount + 1)
    (found,) = check_payments("retp_1", [wrong], known.lines, Decimal(0))
    assert "bears a fee of 2.00 EUR, where 3.00 was due by its terms" in found.why
    off = replace(made, amount=made.amount + 1)
    (found,) = check_payments("retp_1", [off], known.lines, Decimal(0))
    assert "is of 18.00 EUR, where 17.00 was due after costs" in found.why


# Which fee, and what is not known.


def test_of_two_rules_that_match_the_upper_one_s_fee_is_taken_whatever_they_come_to() -> None:
    fixed = "{name: fixed, then: {fee: {amount: 6.00 EUR}}}"
    it = process(line(), reviews=approved(), costs="1.00")
    for texts, amount in (((OPENED, fixed), "8.50"), ((fixed, OPENED), "4.00")):
        decision = decide(it, shop(*texts), record(), NOW)
        assert pays(decision) == {ORIGINAL: amount}


@pytest.mark.parametrize("other", ["fee: {percent: 15 %}", "fee: {percent: 20 %}", "fee: {amount: 1.00 EUR}"])
def test_where_it_cannot_be_said_which_fee_it_is_nothing_is_refunded(other: str) -> None:
    heavy = f"{{name: heavy, when: {{product_tags: {{has: heavy}}}}, then: {{{other}}}}}"
    it = process(line(), reviews=approved())
    held = decide(it, shop(heavy, OPENED), record(), NOW)
    assert told(held) == ("Hold", "needs_facts")
    assert "the product's tags (the table of products), for rule 'heavy'" in held.why
    known, it = half_paid(OPENED)
    assert told(decide(it, shop(heavy, OPENED), known, NOW)) == ("Hold", "needs_facts")


def test_bounds_in_another_currency_hold() -> None:
    it = process(line(currency="SEK"), reviews=approved())
    held = decide(it, shop(BOUNDED, currencies=("SEK",)), record(), NOW)
    assert told(held) == ("Hold", "needs_facts")
    assert "the fee's bound in SEK, for rule 'opened'" in held.why
    assert pays(decide(it, shop(OPENED, currencies=("SEK",)), record(), NOW)) == {ORIGINAL: "8.50"}


@pytest.mark.parametrize(
    ("text", "lines", "amount"),
    [
        (OPENED, [("a", "10.00", "EUR"), ("b", "5.03", "EUR")], Money(Decimal("2.25"), "EUR")),
        (BOUNDED, [("a", "10.00", "EUR"), ("b", "5.00", "EUR")], Money(Decimal("3.00"), "EUR")),
        (BOUNDED, [("a", "10.00", "SEK")], Unknown("the lines' totals in EUR")),
    ],
)
def test_the_verdict_says_what_it_comes_to(text: str, lines: Sequence[tuple[str, str, str]], amount: object) -> None:
    facts = known(*(item(name, total=total, currency=currency) for name, total, currency in lines))
    (fee,) = fees(judge(rules_of(f"rules: [{text}]"), facts), facts)
    assert (fee.amount, fee.in_percent) == (amount, True)


def test_it_is_explained_with_its_bounds() -> None:
    facts = known(item("a"))
    words = list(explain(judge(rules_of(f"rules: [{BOUNDED}]"), facts)))
    assert words[0] == "line a, fee: fee (percent 15 %; at_least 3.00 EUR; at_most 9.00 EUR) by 'opened'"


def test_a_line_that_is_gone_has_borne_the_least_all_the_same() -> None:
    """A person goes on though REVER shows the line no more; the ledger's own check knows it still."""
    known, it = settled(process(line("a"), line("b"), reviews=approved("a")), shop(BOUNDED))
    it = it.model_copy(update={"return_line_items": it.return_line_items[1:], "reviews": tuple(approved("b"))})
    assert told(decide(it, shop(BOUNDED), known, NOW)) == ("Hold", "terms_changed")
    yes = replace(known, waivers=(Waiver("terms_changed", Decimal("10.00"), "EUR"),))
    decision = decide(it, shop(BOUNDED), yes, NOW)
    assert pays(decision) == {ORIGINAL: "10.00"}
    assert agrees(carry_out(decision, yes, it)[0])


@pytest.mark.parametrize(
    ("first", "then", "rest"),
    [
        (OPENED, "{name: opened, then: {fee: {amount: 5.00 EUR}}}", "8.50"),
        (OPENED, "{name: opened, then: {no_fee: {}}}", "8.50"),
        ("{name: opened, then: {fee: {amount: 5.00 EUR}}}", OPENED, "10.00"),
        ("{name: opened, then: {no_fee: {}}}", OPENED, "10.00"),
        (BOUNDED, BOUNDED.replace("name: opened", "name: new"), "10.00"),
    ],
)
def test_another_line_of_a_rule_goes_on_by_what_the_first_refund_fixed_also_from_a_sum_or_to_one(
    first: str, then: str, rest: str
) -> None:
    known, it = settled(process(line("a"), line("b"), reviews=approved("a"), costs="4.00"), shop(first))
    it = it.model_copy(update={"reviews": (*approved("a"), *approved("b"))})
    assert told(decide(it, shop(then), known, NOW)) == ("Hold", "terms_changed")
    yes = replace(known, waivers=(Waiver("terms_changed", Decimal("10.00"), "EUR"),))
    decision = decide(it, shop(then), yes, NOW)
    assert pays(decision) == {ORIGINAL: rest}
    assert agrees(carry_out(decision, yes, it)[0])


def test_a_sum_that_a_rule_says_by_now_does_not_fall_on_other_lines() -> None:
    """Line a has borne its fee in percent; of b no rule speaks, and it bears REVER's costs and no more."""
    of_a = "{name: r, when: {sku: {is: A}}, then: {fee: {percent: 15 %}}}"
    it = process(of_sku("A", "a"), of_sku("B", "b"), reviews=approved("a"), costs="4.00")
    known, it = settled(it, shop(of_a))
    it = it.model_copy(update={"reviews": (*approved("a"), *approved("b"))})
    yes = replace(known, waivers=(Waiver("terms_changed", Decimal("10.00"), "EUR"),))
    sums = shop(of_a.replace("percent: 15 %", "amount: 5.00 EUR"))
    assert told(decide(it, sums, known, NOW)) == ("Hold", "terms_changed")
    assert pays(decide(it, sums, yes, NOW)) == {ORIGINAL: "6.00"}
