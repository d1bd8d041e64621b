"""The facts that REVER and the ledger tell, and what stays unknown."""

from dataclasses import Field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rever_api.models import Address, Product, Shopper
from tasks.policy.record import IntentKind, IntentState
from tasks.policy.return_facts import LineFacts, Money, ReturnFacts, Unknown, facts_of
from tests.tasks.policy.factories import NOW, approved, intent, line, order, process, record, refund, reviews, rules


def of(*lines: Any, **fields: Any) -> ReturnFacts:
    return facts_of(process(*lines, **fields), record(), rules(), NOW, UTC)


def test_what_rever_tells_is_known() -> None:
    bought = line("a", 2, "80.00", "GIFT_CARD", reason="DAMAGED").model_copy(
        update={
            "product": Product(product_id="p", variant_id="v", sku="S"),
            "unit_price": Decimal("50.00"),
            "total_discounts": Decimal("20.00"),
        }
    )
    facts = of(bought, order_id="o", shopper=Shopper(email=" Ann@Example.com "), costs="4.00")
    assert (facts.store, facts.order_id, facts.country, facts.return_method) == ("acme", "o", "ES", "DROP_OFF_POINT")
    assert (facts.value, facts.costs, facts.shopper) == (_eur("80.00"), _eur("4.00"), "ann@example.com")
    assert facts.started_on == date(2026, 3, 18)
    (found,) = facts.lines
    assert (found.line_id, found.quantity, found.sku, found.product_id, found.variant_id) == ("a", 2, "S", "p", "v")
    assert (found.reason, found.method, found.value) == ("DAMAGED", "GIFT_CARD", _eur("80.00"))
    assert (found.unit_price, found.discount, found.discount_share) == (_eur("50.00"), _eur("20.00"), Decimal(20))


def test_the_shoppers_mailbox_and_postcode_are_in_no_log() -> None:
    shown = repr(of(shopper=Shopper(email="ann@example.com"), pickup_address=Address(postcode="07460")))
    assert "ann@" not in shown
    assert "07460" not in shown


@pytest.mark.parametrize("kind", [ReturnFacts, LineFacts])
def test_what_a_fact_is_where_nobody_tells_it_is_no_field_of_a_dataclass(kind: Any) -> None:
    assert not [name for name, told in kind._field_defaults.items() if isinstance(told, Field)]


def test_what_nobody_tells_is_unknown_and_says_what_is_missing() -> None:
    facts = of(line(total=None), pickup_address=Address(), started_at=None, costs=None, method="")
    for name in ("country", "started_on", "value", "costs", "return_method", "shopper", "order_tags", "earlier"):
        assert isinstance(getattr(facts, name), Unknown), name
    for name in ("sku", "reason", "value", "discount", "discount_share", "product_type"):
        assert isinstance(getattr(facts.lines[0], name), Unknown), name
    assert facts.order_tags == Unknown("the order's tags (the table of orders or the shop's order)")


def test_lines_of_two_currencies_have_no_value_together() -> None:
    facts = of(line("a"), line("b", currency="SEK"))
    assert isinstance(facts.value, Unknown)
    assert isinstance(facts.costs, Unknown)
    assert facts.lines[1].value == Money(Decimal("10.00"), "SEK")


def test_days_are_those_of_the_store() -> None:
    late = datetime(2026, 3, 20, 23, 30, tzinfo=UTC)
    facts = facts_of(process(started_at=late), record(), rules(), NOW, ZoneInfo("Europe/Madrid"))
    assert facts.started_on == date(2026, 3, 21)
    assert (facts.today, facts.now.hour) == (date(2026, 3, 21), 13)


@pytest.mark.parametrize(
    ("logistics", "status", "scanned", "arrived"),
    [
        (("CREATED",), "STARTED", False, False),
        ((), "STARTED", False, False),
        (("COLLECTED",), "STARTED", True, False),
        (("CREATED",), "COLLECTED", True, False),
        (("CREATED", "IN_WAREHOUSE"), "STARTED", True, True),
        (None, "REVIEW_REQUIRED", True, True),
        (None, "STARTED", None, None),
        (("TELEPORTED",), "STARTED", None, None),
    ],
)
def test_how_far_the_parcel_is(
    logistics: tuple[str, ...] | None, status: str, scanned: bool | None, arrived: bool | None
) -> None:
    facts = of(logistics=logistics, return_status=status)
    for found, expected in ((facts.scanned, scanned), (facts.arrived, arrived)):
        assert isinstance(found, Unknown) if expected is None else found is expected
    assert (facts.first_scanned_on is None) is (scanned is False)
    assert (facts.arrived_on is None) is (arrived is False)
    assert facts.first_scanned_on is None or isinstance(facts.first_scanned_on, Unknown)


def test_reviews() -> None:
    half = of(line("a", 2), reviews=approved("a"))
    assert (half.reviewed, half.all_approved, half.reviewed_on) == (False, False, None)
    whole = of(line("a", 2), reviews=[*approved("a"), *reviews("a", "DECLINED")])
    assert (whole.reviewed, whole.all_approved, whole.reviewed_on) == (True, False, NOW.date())
    assert whole.lines[0].reviews == frozenset({"APPROVED", "DECLINED"})
    assert of(line("a"), reviews=approved("a")).all_approved is True
    undated = of(line("a"), reviews=reviews("a", "APPROVED", at=None))
    assert isinstance(undated.reviewed_on, Unknown)
    left_out = of(line("a"), reviews=None)
    for fact in (left_out.reviewed, left_out.all_approved, left_out.lines[0].reviews, left_out.lines[0].reject_reasons):
        assert isinstance(fact, Unknown)
    declared = facts_of(process(reviews=None), record(), rules(omits=True), NOW, UTC)
    assert (declared.reviewed, declared.lines[0].reviews) == (False, frozenset())


def test_who_inspected_is_known_only_where_all_are_named() -> None:
    named = [it.model_copy(update={"user": "ann"}) for it in approved("a")]
    assert of(line("a"), reviews=named).lines[0].inspectors == frozenset({"ann"})
    assert isinstance(of(line("a", 2), reviews=[*named, *approved("a")]).lines[0].inspectors, Unknown)


def test_the_postcode_and_the_currency() -> None:
    spain = Address(country_code="ES", postcode=" 35 001 ")
    assert of(pickup_address=spain).postcode == "35001"
    assert of(pickup_address=Address(country_code="GB", postcode="sw1a 1aa")).postcode == "SW1A1AA"
    assert of(line("a", currency="SEK")).lines[0].currency == "SEK"
    for read in (of(pickup_address=None), of(pickup_address=Address(country_code="ES"))):
        assert isinstance(read.postcode, Unknown)
    assert isinstance(of(line("a", currency="")).lines[0].currency, Unknown)


def test_whether_anything_was_refunded() -> None:
    assert of().refunded is False
    assert of(refunds=[refund()]).refunded is True
    assert of(exchange=order("v")).refunded is True
    assert facts_of(process(), record(intent()), rules(), NOW, UTC).refunded is True
    sent = record(intent(state=IntentState.SENT))
    assert facts_of(process(), sent, rules(), NOW, UTC).refunded is False
    assert isinstance(of(compensation=None).refunded, Unknown)
    came_to_nothing = record(
        intent(amount="0.00", nothing_sent=True), intent(amount="0", state=IntentState.DONE_BY_HAND)
    )
    assert facts_of(process(refunds=[refund("0.00")]), came_to_nothing, rules(), NOW, UTC).refunded is False
    assert facts_of(process(), record(intent(IntentKind.EXCHANGE, amount="0")), rules(), NOW, UTC).refunded is True


def test_a_discount_of_nothing_is_no_share_of_anything() -> None:
    free = line(total="0.00").model_copy(update={"total_discounts": Decimal(0), "subtotal_price": Decimal(0)})
    odd = free.model_copy(update={"total_discounts": Decimal(5)})
    assert of(free).lines[0].discount_share == 0
    assert isinstance(of(odd).lines[0].discount_share, Unknown)
    assert isinstance(LineFacts("a", 1).discount_share, Unknown)


def _eur(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")
