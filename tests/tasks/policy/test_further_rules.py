"""Rules of shops beside the forty (`docs/policies/S*.yaml`): what each file says at its edges, and what it comes to."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from rever_api.models import Address
from tasks.policy.decide import decide
from tasks.policy.decision import Compensate
from tasks.policy.return_facts import ReturnFacts, facts_of
from tasks.policy.verdict import fees, judge
from tests.tasks.policy.factories import BANK, GIFT, NOW, ORIGINAL, approved, process, record, rules
from tests.tasks.policy.rule_texts import in_short
from tests.tasks.policy.shop_returns import (
    MADRID,
    POLICIES,
    earlier,
    eur,
    item,
    known,
    of_product,
    shop_rules,
)

STARTED = date(2026, 3, 18)
PICKED_UP = {"return_method": "HOME_PICK_UP"}
DECLINED = "a acceptance"


def typed(product_type: str, **fields: Any) -> ReturnFacts:
    return of_product(known(item("a", **fields)), a={"product_type": product_type})


def tagged(*tags: str, method: str = ORIGINAL, **facts: Any) -> ReturnFacts:
    """One line, of a product with these tags."""
    return of_product(known(item("a", method=method), **facts), a={"product_tags": frozenset(tags)})


def delivered(days_before: int, *lines: Any) -> ReturnFacts:
    """Delivered so many days before the return began."""
    return known(*(lines or (item("a"),)), delivered_on=STARTED - timedelta(days=days_before))


def due_at(hour: int, minute: int, day: int) -> ReturnFacts:
    """A large sum at this time of March 2026 in UTC, in Madrid, where the clock goes forward on Sunday the 29th."""
    at = datetime(2026, 3, day, hour, minute, tzinfo=UTC)
    return facts_of(process(item("a", total="500.01")), record(), rules(), at, MADRID)


def begun(at: datetime) -> ReturnFacts:
    """A gift card for a return that began then, a week later."""
    return facts_of(process(item("a", method=GIFT), started_at=at), record(), rules(), at + timedelta(days=7), MADRID)


def living(postcode: str, country: str = "ES") -> ReturnFacts:
    return known(item("a"), of={"pickup_address": Address(country_code=country, postcode=postcode)})


def refunded(*amounts: str, days_ago: int = 365, currency: str = "EUR") -> ReturnFacts:
    """A shopper to whom these were refunded, in returns that began so many days ago."""
    others = (earlier(1, days_ago, refunded={currency: Decimal(amount)})[0] for amount in amounts)
    return known(item("a"), earlier=tuple(replace(it, process_id=f"other-{n}") for n, it in enumerate(others)))


LOOKED_AT = {"a approval": "approve by large sums out of hours"}
A_LOT = {"a fee": "fee by a lot of money", "a approval": "approve by a lot of money"}
TRUSTED, OTHERS = {"a pay": "pay by trusted"}, {"a pay": "pay by all others"}
TRADE = frozenset({"B2B"})

EDGES: dict[str, Sequence[tuple[ReturnFacts, dict[str, str]]]] = {
    "S01": (
        (typed("underwear"), {DECLINED: "decline by hygiene"}),
        (typed("underwear", reason="DEFECTIVE"), {}),
        (typed("shoe"), {}),
        (known(item("a", reason="WRONG_ITEM")), {}),
        (known(item("a")), {DECLINED: "open"}),
        (typed("earrings", reason=""), {DECLINED: "open"}),
        (typed("shoe", reason=""), {}),
    ),
    "S02": (
        (delivered(28), {}),
        (delivered(29), {"a methods": "methods by late"}),
        (delivered(45), {"a methods": "methods by late"}),
        (delivered(46), {"a methods": "methods by late", DECLINED: "decline by too late"}),
        (known(item("a")), {"a methods": "open", DECLINED: "open"}),
    ),
    "S03": (
        (known(item("a", total="8.00")), {"a keep": "keep_item by cheap things stay"}),
        (known(item("a", total="8.01")), {}),
        (known(item("a", total="90.00", currency="SEK")), {"a keep": "keep_item by cheap things stay"}),
        (known(item("a", total="90.01", currency="SEK")), {}),
        (known(item("a", total="1.00", currency="GBP")), {}),
        (known(item("a", total="1.00", currency="")), {"a keep": "open"}),
    ),
    "S04": (
        (due_at(6, 59, day=27), LOOKED_AT),  # Friday 7:59, in winter
        (due_at(7, 0, day=27), {}),
        (due_at(20, 59, day=27), {}),
        (due_at(21, 0, day=27), LOOKED_AT),
        (due_at(12, 0, day=28), LOOKED_AT),  # Saturday
        (due_at(22, 0, day=29), LOOKED_AT),  # Monday 0:00
        (due_at(5, 59, day=30), LOOKED_AT),  # Monday 7:59, in summer
        (due_at(6, 0, day=30), {}),
        (due_at(20, 0, day=30), LOOKED_AT),
        (known(item("a", total="500.00"), now=datetime(2026, 3, 28, tzinfo=UTC)), {}),
    ),
    "S05": (
        (living("35001"), {"a fee": "fee by islands"}),
        (living(" 38 760"), {"a fee": "fee by islands"}),
        (living("28035"), {"a fee": "fee by elsewhere"}),
        (living("35000", country="FR"), {"a fee": "fee by elsewhere"}),
        (living(""), {"a fee": "open"}),
        (living("", country="FR"), {"a fee": "fee by elsewhere"}),
    ),
    "S06": (
        (known(item("a"), gateway="Contrareembolso"), {"a methods": "methods by cash on delivery"}),
        (known(item("a"), gateway="paypal"), {}),
        (known(item("a")), {"a methods": "open"}),
    ),
    "S07": tuple(
        (begun(at), {"a bonus": f"bonus by {rule}"})
        for at, rule in (
            (datetime(2026, 11, 26, 23, 59, 59, tzinfo=MADRID), "credit is more"),
            (datetime(2026, 11, 27, tzinfo=MADRID), "Black Friday"),
            (datetime(2026, 11, 30, 23, 59, 59, tzinfo=MADRID), "Black Friday"),
            (datetime(2026, 12, 1, tzinfo=MADRID), "credit is more"),
        )
    ),
    "S08": (
        (
            delivered(2, item("a", reason="DAMAGED"), item("b")),
            {"a keep": "keep_item by damaged, told in time", "a approval": "approve by damaged, told in time"},
        ),
        (delivered(3, item("a", reason="DAMAGED")), {DECLINED: "decline by damaged, told late"}),
        (known(item("a")), {}),
        (known(item("a", reason="DAMAGED")), {"a keep": "open", "a approval": "open", DECLINED: "open"}),
    ),
    "S09": (
        (known(item("a", total="60.00"), earlier=earlier(5)), TRUSTED),
        (known(item("a", total="60.00"), earlier=earlier(6)), OTHERS),
        (known(item("a", total="60.00"), earlier=earlier(6, days_ago=366)), TRUSTED),
        (known(item("a", total="60.01"), earlier=()), OTHERS),
        (known(item("a", total="60.01"), earlier=(), customer_tags=frozenset({"VIP"})), TRUSTED),
        (known(item("a", total="60.00"), earlier=earlier(1, wrong_items=True)), OTHERS),
        (known(item("a", total="60.00")), OTHERS),
    ),
    "S10": (
        (tagged("bundle", whole_order=False, order_tags=frozenset()), {DECLINED: "decline by whole bundle"}),
        (tagged("bundle", whole_order=True), {}),
        (tagged("bundle", order_tags=frozenset()), {DECLINED: "open"}),
        (tagged(order_tags=frozenset()), {}),
        (tagged(whole_order=False, order_tags=frozenset({"3for2"})), {"a approval": "approve by three for two"}),
    ),
    "S11": (
        (known(item("a", total="49.99")), {"a fee": "fee by dropped off"}),
        (known(item("a", total="50.00")), {"a fee": "no_fee by free from 50"}),
        (known(item("a", total="49.99"), of=PICKED_UP), {"a fee": "fee by picked up"}),
        (
            known(item("a", total="25.00"), item("b", total="24.99", method=GIFT)),
            {"a fee": "fee by dropped off", "b fee": "no_fee by free for credit"},
        ),
        (known(item("a", currency="GBP")), {"a fee": "open"}),
        (known(item("a", currency="GBP", reason="DEFECTIVE")), {"a fee": "no_fee by free if faulty"}),
    ),
    "S12": (
        (
            known(item("a", reason="DEFECTIVE"), item("b"), customer_tags=TRADE),
            {"a approval": "approve by trade, faulty", "b acceptance": "decline by trade"},
        ),
        (known(item("a"), customer_tags=frozenset({"b2b"})), {}),
        (known(item("a")), {DECLINED: "open"}),
        (known(item("a", reason="DEFECTIVE")), {"a approval": "open"}),
    ),
    "S13": (
        (refunded("500.00", "500.00"), {}),
        (refunded("500.00", "500.01"), A_LOT),
        (refunded("500.00", "500.01", days_ago=366), {}),
        (refunded("1.00", currency="SEK"), {"a fee": "open", "a approval": "open"}),
        (known(item("a"), earlier=earlier(9)), {}),
        (known(item("a")), {"a fee": "open", "a approval": "open"}),
    ),
    "S14": (
        (
            known(item("a", "SHOE-1-OUT"), item("b", "CUSTOM-OF-ANN"), item("c", "0042"), item("d", "OUT-1")),
            {f"{it} acceptance": "decline by outlet or made to order" for it in "abc"},
        ),
        (known(item("a", "custom-1"), item("b", "42"), item("c", "ring-77")), {}),
        (known(item("a", "CUSTOM-1", reason="DEFECTIVE")), {}),
    ),
    "S15": (
        (tagged("limited", method="EXCHANGE"), {"a out_of_stock": "out_of_stock by limited edition"}),
        (tagged(method="EXCHANGE"), {"a out_of_stock": "out_of_stock by wait for goods"}),
        (known(item("a", method="EXCHANGE")), {"a out_of_stock": "open"}),
        (known(item("a")), {}),
    ),
    "S16": (
        (typed("electronics", reason="SIZE"), {"a fee": "fee by restocking"}),
        (typed("electronics", reason="DEFECTIVE"), {"a fee": "no_fee by faulty"}),
        (typed("shoe", reason="SIZE"), {}),
        (known(item("a", reason="SIZE")), {"a fee": "open"}),
    ),
    "S17": (
        (known(item("a", total="19.99", method=GIFT)), {"a bonus": "no_bonus by small"}),
        (known(item("a", total="20.00", method=GIFT)), {"a bonus": "bonus by five for credit"}),
        (known(item("a", currency="SEK", method=GIFT)), {"a bonus": "open"}),
    ),
}
"""The number of a rule -> returns, and all that its file says of each."""


@pytest.mark.parametrize("number", EDGES)
def test_the_file_says_what_is_right_at_each_edge(number: str) -> None:
    cases = EDGES[number]
    assert [in_short(judge(shop_rules(number), facts)) for facts, _ in cases] == [expected for _, expected in cases]


def test_each_file_has_its_edges() -> None:
    assert [path.name[:3] for path in sorted(POLICIES.glob("S*.yaml"))] == sorted(EDGES)


def pays(number: str, *lines: Any, **of: Any) -> dict[str, Decimal]:
    """Method -> what is paid of a return of these lines, all of them approved; or the rule that holds it."""
    shown = process(*lines, reviews=[it for each in lines for it in approved(each.id, each.quantity)], **of)
    decision = decide(shown, replace(rules(), merchant_rules=shop_rules(number)), record(), NOW)
    assert isinstance(decision, Compensate), decision.why
    return {due.method: due.amount for due in decision.refunds}


def test_s05_and_s11_the_fee_to_the_cent() -> None:
    facts = living("35001")
    assert [fee.amount for fee in fees(judge(shop_rules("S05"), facts), facts)] == [
        eur("10.00")
    ]  # all that it is worth
    assert pays("S11", item("a", total="25.00"), item("b", total="24.99", method=GIFT)) == {
        ORIGINAL: Decimal("23.05"),
        GIFT: Decimal("24.99"),
    }
    assert pays("S11", item("a", total="50.00"), costs="7.00") == {ORIGINAL: Decimal("50.00")}


def test_s06_a_wish_that_does_not_ask_for_money_needs_no_gateway() -> None:
    assert pays("S06", item("a", method=GIFT)) == {GIFT: Decimal("10.00")}
    assert pays("S06", item("a", method=BANK)) == {BANK: Decimal("10.00")}


@pytest.mark.parametrize(
    ("total", "credit"), [("75.00", "82.50"), ("150.00", "165.00"), ("150.10", "165.10"), ("900.00", "915.00")]
)
def test_s07_the_bonus_stops_at_its_bound(total: str, credit: str) -> None:
    assert pays("S07", item("a", total=total, method=GIFT)) == {GIFT: Decimal(credit)}
    assert pays("S07", item("a", total=total)) == {ORIGINAL: Decimal(total)}


@pytest.mark.parametrize(
    ("totals", "amount"),
    [
        (("2.50",), "2.50"),
        (("19.99",), "3.00"),
        (("20.01",), "3.00"),
        (("20.04",), "3.01"),
        (("199.99",), "30.00"),
        (("200.00",), "30.00"),
        (("900.00",), "30.00"),
        (("150.00", "150.00"), "30.00"),
    ],
)
def test_s16_the_restocking_fee_to_the_cent(totals: Sequence[str], amount: str) -> None:
    names = [f"l{number}" for number in range(len(totals))]
    facts = known(*(item(name, total=total, reason="SIZE") for name, total in zip(names, totals, strict=True)))
    facts = of_product(facts, **{name: {"product_type": "electronics"} for name in names})
    (fee,) = fees(judge(shop_rules("S16"), facts), facts)
    assert (fee.lines, fee.amount) == (tuple(names), eur(amount))


def test_s17_the_sum_is_had_once_and_for_credit_alone() -> None:
    two = (item("a", total="10.00", method=GIFT), item("b", total="12.00", method=GIFT))
    assert pays("S17", *two) == {GIFT: Decimal("27.00")}
    assert pays("S17", item("a", total="20.00")) == {ORIGINAL: Decimal("20.00")}
    assert pays("S17", item("a", total="19.99", method=GIFT)) == {GIFT: Decimal("19.99")}


def test_s10_whether_the_whole_order_comes_back_is_not_asked_of_other_goods() -> None:
    verdict = judge(shop_rules("S10"), tagged("shirt", order_tags=frozenset()))
    assert verdict.needs == ()


def test_s13_what_began_today_counts() -> None:
    assert in_short(judge(shop_rules("S13"), refunded("1000.01", days_ago=0))) == A_LOT
