"""Conditions: stated bounds, three values by Kleene's logic, and what is missing."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.policy.condition_fields import FIELDS, FieldKind, Value
from tasks.policy.condition_reader import ConditionReader, as_data
from tasks.policy.conditions import (
    OPERATORS,
    AllOf,
    AnyOf,
    Check,
    Condition,
    EveryLine,
    Not,
    Operator,
    SomeLine,
    Truth,
    answering,
    asks_of_a_line,
    evaluate,
    explained,
    in_words,
    needs,
)
from tasks.policy.return_facts import EarlierReturn, Fact, LineFacts, Money, ReturnFacts, Unknown

NOW = datetime(2026, 3, 21, 12, 30, tzinfo=UTC)  # a Saturday
YES, UNKNOWN, NO = Truth.YES, Truth.UNKNOWN, Truth.NO


def line(line_id: str = "a", **facts: Any) -> LineFacts:
    return LineFacts(line_id, 1)._replace(**facts)


def facts(*lines: LineFacts, **known: Any) -> ReturnFacts:
    return ReturnFacts("retp_1", "acme", NOW, lines or (line(),), "o-1")._replace(**known)


def read(data: Any, lists: Mapping[str, tuple[str, ...]] | None = None) -> Condition:
    reader = ConditionReader(lists or {})
    found = reader.condition(data, ())
    assert reader.problems == []
    return found


def truth(data: Any, of: ReturnFacts, of_line: LineFacts | None = None) -> Truth:
    condition = read(data)
    found = evaluate(condition, of, of_line).truth
    assert answering(condition)(of, of_line) is found
    return found


def eur(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")


@pytest.mark.parametrize(
    ("operator", "below", "exactly", "above"),
    [
        ("over", NO, NO, YES),
        ("at_least", NO, YES, YES),
        ("is", NO, YES, NO),
        ("at_most", YES, YES, NO),
        ("under", YES, NO, NO),
    ],
)
def test_the_bound_is_in_the_operators_name(operator: str, below: Truth, exactly: Truth, above: Truth) -> None:
    for amount, expected in (("999.99", below), ("1000.00", exactly), ("1000", exactly), ("1000.01", above)):
        assert truth({"return_value": {operator: "1000.00 EUR"}}, facts(value=eur(amount))) is expected
    for share, expected in (("49.99", below), ("50.00", exactly), ("50.01", above)):
        of = line(discount_share=Decimal(share))
        assert truth({"discount_share": {operator: "50 %"}}, facts(of), of) is expected
    for quantity, expected in ((2, below), (3, exactly), (4, above)):
        of = line(quantity=quantity)
        assert truth({"quantity": {operator: 3}}, facts(of), of) is expected


@pytest.mark.parametrize(
    ("operator", "before", "same", "after"),
    [
        ("after", NO, NO, YES),
        ("from", NO, YES, YES),
        ("is", NO, YES, NO),
        ("until", YES, YES, NO),
        ("before", YES, NO, NO),
    ],
)
def test_the_bound_of_a_day_too(operator: str, before: Truth, same: Truth, after: Truth) -> None:
    for day, expected in ((date(2026, 11, 30), before), (date(2026, 12, 1), same), (date(2026, 12, 2), after)):
        assert truth({"ordered_on": {operator: "2026-12-01"}}, facts(ordered_on=day)) is expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"sku": {"is": "PROMO-1"}}, YES),
        ({"sku": {"is": "promo-1"}}, NO),
        ({"sku": {"is": "promo-1", "any_case": True}}, YES),
        ({"sku": {"starts_with": "PROMO-"}}, YES),
        ({"sku": {"starts_with": "promo-"}}, NO),
        ({"sku": {"starts_with": "promo-", "any_case": True}}, YES),
        ({"sku": {"ends_with": "-1"}}, YES),
        ({"sku": {"ends_with": "o-1"}}, NO),
        ({"sku": {"ends_with": "o-1", "any_case": True}}, YES),
        ({"sku": {"ends_with": "PROMO-"}}, NO),
        ({"sku": {"contains": "OMO"}}, YES),
        ({"sku": {"contains": "PROMO-1"}}, YES),
        ({"sku": {"contains": "omo"}}, NO),
        ({"sku": {"contains": "omo", "any_case": True}}, YES),
        ({"sku": {"is_one_of": ["A", "PROMO-1"]}}, YES),
        ({"sku": {"is_one_of": ["A", "PROMO-"]}}, NO),
        ({"product_tags": {"has": "sale"}}, YES),
        ({"product_tags": {"has": "sal"}}, NO),
        ({"product_tags": {"has": "SALE", "any_case": True}}, YES),
        ({"product_tags": {"has_any_of": ["x", "new"]}}, YES),
        ({"product_tags": {"has_all_of": ["x", "new"]}}, NO),
        ({"product_tags": {"has_all_of": ["sale", "new"]}}, YES),
        ({"not": {"product_tags": {"has": "x"}}}, YES),
    ],
)
def test_texts(data: Any, expected: Truth) -> None:
    of = line(sku="PROMO-1", product_tags=frozenset({"sale", "new"}))
    assert truth(data, facts(of), of) is expected


def test_a_named_list() -> None:
    lists = {"ours": ("A-1", "B-1")}
    for sku, expected in (("A-1", YES), ("A-2", NO)):
        of = line(sku=sku)
        assert evaluate(read({"sku": {"in_list": "ours"}}, lists), facts(of), of).truth is expected


def test_the_clock_of_the_store() -> None:
    of = facts(started_on=date(2026, 3, 7))
    assert truth({"weekday": {"is": "saturday"}, "hour": {"is": 12}, "today": {"is": "2026-03-21"}}, of) is YES
    assert truth({"days_since_start": {"is": 14}}, of) is YES


def test_another_currency_cannot_be_compared() -> None:
    trace = evaluate(read({"return_value": {"over": "1000.00 EUR"}}), facts(value=Money(Decimal(9000), "SEK")))
    assert trace.truth is UNKNOWN
    assert needs(trace) == ("the amount in EUR: it is in SEK",)


def test_what_has_not_come_is_known_to_be_none() -> None:
    of = facts(scanned=False, first_scanned_on=None)
    late = {"days_since_first_scan": {"over": 30}}
    assert truth(late, of) is NO
    assert truth({"not": late}, of) is YES
    assert truth(late, facts()) is UNKNOWN


def test_lines_are_asked_one_by_one_or_together() -> None:
    of = facts(line("a", sku="X"), line("b", sku="Y"), line("c"))
    is_x = {"sku": {"is": "X"}}
    assert truth({"some_line": is_x}, of) is YES
    assert truth({"every_line": is_x}, of) is NO
    assert truth({"every_line": {"not": {"sku": {"is": "Z"}}}}, of) is UNKNOWN
    assert truth({"some_line": is_x}, of._replace(lines=())) is NO
    assert truth({"every_line": is_x}, of._replace(lines=())) is NO
    assert asks_of_a_line(read({"country": {"is": "ES"}, "not": is_x}))
    assert not asks_of_a_line(read({"some_line": is_x}))


def test_which_return_came_first_is_told_by_when_each_began() -> None:
    today, yesterday = date(2026, 3, 21), date(2026, 3, 20)
    began = datetime(2026, 3, 21, 9, 0, tzinfo=UTC)

    def of(*others: EarlierReturn) -> ReturnFacts:
        return facts(earlier=others, started_on=today, began=began)

    sooner = EarlierReturn("retp_0", "o-1", today, began=began - timedelta(seconds=1))
    later = replace(sooner, process_id="retp_2", began=began + timedelta(seconds=1))
    at_once = [replace(sooner, process_id=name, began=began) for name in ("retp_0", "retp_2")]
    for others, before in (((sooner, later), 1), (at_once, 1), ((later,), 0), ((), 0)):
        assert truth({"returns_before": {"is": before}}, of(*others)) is YES
        assert truth({"number_of_order": {"is": before + 1}}, of(*others)) is YES
    old = EarlierReturn("retp_3", "o-9", yesterday)
    assert truth({"returns_before": {"is": 1}}, of(old, later)) is YES
    assert truth({"number_of_order": {"is": 1}}, of(old, later)) is YES
    assert truth({"returns_before": {"is": 0, "within_days": 0}}, of(old)) is YES
    # Nobody says when it began, only that it had by then.
    assert truth({"returns_before": {"over": 0}}, of(replace(old, started_on=today))) is UNKNOWN
    assert truth({"returns_before": {"over": 0}}, of(replace(old, shown=False))) is YES
    assert truth({"returns_before": {"over": 0}}, of(replace(old, shown=False, started_on=today))) is UNKNOWN
    assert truth({"returns_before": {"over": 0}}, facts(earlier=(old,))) is UNKNOWN


def test_earlier_returns_are_counted_within_a_window_without_cancelled_ones_and_this_one() -> None:
    earlier = (
        EarlierReturn("retp_1", "o-1", date(2026, 3, 20)),
        EarlierReturn("retp_2", "o-1", date(2025, 12, 21), refunded={"EUR": Decimal(10)}, value=eur("600")),
        EarlierReturn("retp_3", "o-3", date(2025, 12, 20), refunded={"EUR": Decimal(5)}),
        EarlierReturn("retp_4", "o-1", date(2026, 3, 1), cancelled=True, value=eur("50")),
    )
    of = facts(earlier=earlier, value=eur("500"))
    assert truth({"earlier_returns": {"is": 2}}, of) is YES
    assert truth({"earlier_returns": {"is": 1, "within_days": 90}}, of) is YES
    assert truth({"earlier_refunds": {"is": 2}}, of) is YES
    assert truth({"earlier_refund_value": {"is": "15.00 EUR"}}, of) is YES
    assert truth({"returns_of_order": {"is": 2}}, of) is YES
    assert truth({"order_returns_value": {"is": "1100.00 EUR"}}, of) is YES
    assert truth({"earlier_returns": {"over": 0}}, facts()) is UNKNOWN
    in_sek = (EarlierReturn("retp_2", "o-1", date(2026, 1, 1), refunded={"SEK": Decimal(1)}),)
    assert truth({"earlier_refund_value": {"is": "15.00 EUR"}}, facts(earlier=in_sek, value=eur("5"))) is UNKNOWN


def test_the_trace_shows_what_was_wanted_and_found_and_nothing_personal() -> None:
    lists = {"allowed": ("ann@example.com",)}
    condition = read(
        {"return_value": {"over": "1000.00 EUR"}, "shopper": {"in_list": "allowed"}, "order_tags": {"has": "VIP"}},
        lists,
    )
    trace = evaluate(condition, facts(value=eur("900.5"), shopper="ann@example.com"))
    assert list(explained(trace)) == [
        "all: no",
        "  return_value over 1,000.00 EUR: no, found 900.50 EUR",
        "  shopper in_list `allowed`: yes, found",
        "  order_tags has VIP: unknown, needs the order's tags (the table of orders or the shop's order)",
    ]
    assert in_words(condition) == "return_value over 1,000.00 EUR and shopper in_list `allowed` and order_tags has VIP"
    assert "ann@" not in repr(facts(shopper="ann@example.com"))


def test_where_the_shopper_lives_is_asked_by_its_beginning_and_not_shown() -> None:
    condition, islands = read({"postcode": {"starts_with": "35"}}), facts(postcode="35001")
    assert list(explained(evaluate(condition, islands))) == ["postcode starts_with 35: yes, found"]
    assert evaluate(condition, facts(postcode="28001")).truth is NO
    assert evaluate(condition, facts()).truth is UNKNOWN
    assert "35001" not in repr(islands)


# Laws, over any condition and any facts.

FLAGS = ("scanned", "arrived", "reviewed", "refunded", "held")
TEXTS = ("A", "a", "AB", "B")


def checks() -> st.SearchStrategy[Condition]:
    """Checks of a few fields, so that the same fact is asked several times."""
    return st.one_of(
        st.builds(Check, st.sampled_from(FLAGS), st.just(Operator.IS), st.booleans()),
        st.builds(
            Check,
            st.just("return_value"),
            st.sampled_from(OPERATORS[FieldKind.MONEY]),
            st.builds(Money, st.sampled_from([Decimal("9.99"), Decimal("10.00")]), st.sampled_from(["EUR", "SEK"])),
        ),
        st.builds(
            Check,
            st.just("gateway"),
            st.sampled_from([Operator.IS, Operator.STARTS_WITH, Operator.ENDS_WITH, Operator.CONTAINS]),
            st.sampled_from(TEXTS),
            st.booleans(),
        ),
        st.builds(
            Check,
            st.just("order_tags"),
            st.sampled_from([Operator.HAS_ALL_OF, Operator.HAS_ANY_OF]),
            st.lists(st.sampled_from(TEXTS), min_size=1, unique=True).map(tuple),
        ),
        st.builds(Check, st.just("ordered_on"), st.sampled_from(OPERATORS[FieldKind.DAY]), st.dates()),
    )


LINE_CHECKS = st.builds(Check, st.just("quantity"), st.sampled_from(OPERATORS[FieldKind.NUMBER]), st.integers(0, 3)) | (
    st.builds(
        Check,
        st.just("discount_share"),
        st.sampled_from(OPERATORS[FieldKind.PERCENT]),
        st.sampled_from([Decimal("49.5"), Decimal(50)]),
    )
)


def joined(leaves: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    """Conditions of these, as the file can have them: a join of one part is that part."""

    def several(parts: st.SearchStrategy[Condition]) -> st.SearchStrategy[Any]:
        return st.lists(parts, min_size=2, max_size=3).map(tuple)

    return st.recursive(
        leaves,
        lambda parts: st.builds(AllOf, several(parts)) | st.builds(AnyOf, several(parts)) | st.builds(Not, parts),
        max_leaves=8,
    )


CONDITIONS = joined(checks() | st.builds(SomeLine, joined(LINE_CHECKS)) | st.builds(EveryLine, joined(LINE_CHECKS)))


def fact(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return values | st.none() | st.just(Unknown("it"))


LINES = st.builds(
    lambda quantity, share, value: line(quantity=quantity, discount_share=share, value=value),
    st.integers(0, 3),
    fact(st.sampled_from([Decimal("49.5"), Decimal(50), Decimal(51)])),
    fact(st.builds(Money, st.sampled_from([Decimal("0.50"), Decimal(10)]), st.just("EUR"))),
)
FACTS = st.builds(
    lambda lines, flags, value, gateway, tags, day: facts(
        *lines, **dict(zip(FLAGS, flags, strict=True)), value=value, gateway=gateway, order_tags=tags, ordered_on=day
    ),
    st.lists(LINES, min_size=1, max_size=3),
    st.tuples(*(fact(st.booleans()) for _ in FLAGS)),
    fact(st.builds(Money, st.sampled_from([Decimal("9.99"), Decimal(10)]), st.sampled_from(["EUR", "SEK"]))),
    fact(st.sampled_from(TEXTS)),
    fact(st.frozensets(st.sampled_from(TEXTS))),
    fact(st.dates()),
)


@given(CONDITIONS, CONDITIONS, FACTS)
def test_all_any_and_not_keep_the_laws_of_three_values(one: Condition, two: Condition, of: ReturnFacts) -> None:
    def said(condition: Condition) -> Truth:
        return evaluate(condition, of).truth

    assert said(AllOf((one, two))) is min(said(one), said(two))
    assert said(AnyOf((one, two))) is max(said(one), said(two))
    assert said(Not(Not(one))) is said(one)
    assert said(Not(AllOf((one, two)))) is said(AnyOf((Not(one), Not(two))))
    assert said(Not(AnyOf((one, two)))) is said(AllOf((Not(one), Not(two))))
    assert (said(Not(one)) is UNKNOWN) is (said(one) is UNKNOWN)
    assert bool(needs(evaluate(one, of))) is (said(one) is UNKNOWN)


@given(CONDITIONS, FACTS, FACTS)
def test_what_is_known_stays_so_whatever_a_missing_fact_turns_out_to_be(
    condition: Condition, of: ReturnFacts, other: ReturnFacts
) -> None:
    names = (*FLAGS, "value", "gateway", "order_tags", "ordered_on")
    missing = [name for name in names if isinstance(getattr(of, name), Unknown)]
    told = of._replace(
        lines=tuple(
            it._replace(discount_share=other.lines[0].discount_share) if isinstance(it.discount_share, Unknown) else it
            for it in of.lines
        ),
        **{name: getattr(other, name) for name in missing},
    )
    before, after = evaluate(condition, of).truth, evaluate(condition, told).truth
    assert before is UNKNOWN or before is after


@given(CONDITIONS, FACTS)
def test_the_answer_without_a_trace_is_that_of_the_trace(condition: Condition, of: ReturnFacts) -> None:
    assert answering(condition)(of, None) is evaluate(condition, of).truth


@given(joined(LINE_CHECKS), LINES)
def test_so_it_is_of_a_line(condition: Condition, of: LineFacts) -> None:
    assert answering(condition)(facts(of), of) is evaluate(condition, facts(of), of).truth


@given(CONDITIONS)
def test_what_is_written_is_read_back(condition: Condition) -> None:
    reader = ConditionReader()
    assert reader.condition(as_data(condition), ()) == condition
    assert reader.problems == []


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_says_what_it_is_and_what_it_needs(name: str) -> None:
    field = FIELDS[name]
    assert field.about
    assert OPERATORS[field.kind]
    found: Fact[Value] = field.reader()(facts(), line())
    known = {"store", "lines", "units", "today", "weekday", "hour", "quantity"}
    assert isinstance(found, Unknown) is (name not in known)
    assert not isinstance(found, Unknown) or found.needs
