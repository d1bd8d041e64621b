"""Forty rules of real shops and help centres: each file of `docs/policies`, and what it says at its edges.

What the desk does with what a rule says (amounts, methods, moments) is in `test_shop_rules_in_money.py`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rever_api.models import Shopper
from tasks.policy.policy_text import read_yaml
from tasks.policy.return_facts import EarlierReturn, ReturnFacts, Unknown, facts_of
from tasks.policy.verdict import Decided, Standing, explain, judge
from tests.tasks.policy.factories import NOW, approved, hold, process, record, reviews, rules
from tests.tasks.policy.rule_texts import in_short
from tests.tasks.policy.shop_returns import (
    MADRID,
    POLICIES,
    TODAY,
    abroad,
    began,
    discounted,
    earlier,
    eur,
    item,
    known,
    of_product,
    shop_rules,
)
from tests.tasks.policy.test_policy_schema import VALIDATOR

ELECTRONICS, SHOE = {"product_type": "electronics"}, {"product_type": "shoe"}
NOT_SENT: dict[str, Any] = {"logistics": ("CREATED",), "return_status": "STARTED"}
SENT: dict[str, Any] = {"logistics": ("COLLECTED",), "return_status": "STARTED"}
PICKED_UP = {"return_method": "HOME_PICK_UP"}
STARTED = date(2026, 3, 18)


def tagged(*tags: str) -> ReturnFacts:
    """Two lines, the first of which has these tags and the second none."""
    none: frozenset[str] = frozenset()
    both = known(item("a"), item("b"))
    return of_product(both, a={"product_tags": frozenset(tags)}, b={"product_tags": none})


def delivered(days_before: int, **lines: Mapping[str, Any]) -> ReturnFacts:
    """Two lines, delivered so many days before the return began."""
    return of_product(known(item("a"), item("b"), delivered_on=STARTED - timedelta(days=days_before)), **lines)


EDGES: dict[str, Sequence[tuple[ReturnFacts, dict[str, str]]]] = {
    "R01": (
        (tagged("Final Sale"), {"a acceptance": "decline by final sale"}),
        (tagged("sale"), {}),
        (known(item("a")), {"a acceptance": "open"}),
    ),
    "R02": (
        (known(item("a", reason="DAMAGED")), {"a fee": "no_fee by not their fault"}),
        (known(item("a", reason="TOO_SMALL")), {"a fee": "fee by handling"}),
        (
            known(item("a", reason="DEFECTIVE"), item("b")),
            {"a fee": "no_fee by not their fault", "b fee": "fee by handling"},
        ),
        (known(item("a", reason="")), {"a fee": "open"}),
    ),
    "R03": (
        (known(item("a", "CLEARANCE-1")), {"a methods": "methods by credit only"}),
        (of_product(known(item("a")), a={"product_type": "gift"}), {"a methods": "methods by credit only"}),
        (of_product(known(item("a")), a=SHOE), {}),
        (known(item("a")), {"a methods": "open"}),
    ),
    "R04": (
        (known(item("a", "R-1"), item("b", "R-2")), {"return warehouse": "warehouse by repairs"}),
        (known(item("a", "R-1"), item("b", "S-1")), {}),
    ),
    "R05": ((known(item("a", "COAT-1"), item("b")), {"a approval": "approve by look at the seams"}),),
    "R06": (
        (of_product(known(item("a")), a={"variants": 1}), {"a methods": "methods by one variant"}),
        (of_product(known(item("a")), a={"variants": 2}), {}),
        (known(item("a")), {"a methods": "open"}),
    ),
    "R07": (
        (known(item("a", "NEW-1"), item("b", "NEW-2")), {f"{it} fee": "no_fee by new line" for it in "ab"}),
        (known(item("a", "NEW-1"), item("b", "OLD-1")), {f"{it} fee": "fee by handling" for it in "ab"}),
    ),
    "R08": ((known(item("a"), item("b", "INSURANCE")), {"b add_on": "add_on by add-on"}),),
    "R09": (
        (discounted("49.99"), {}),
        (discounted("50.00"), {"a acceptance": "decline by half price"}),
        (known(item("a")), {"a acceptance": "open"}),
    ),
    "R10": (
        (discounted("100.00"), {}),
        (discounted("100.01"), {"a acceptance": "decline by discount over 100"}),
        (discounted("5.00", currency="SEK"), {"a acceptance": "open"}),
    ),
    "R11": (
        (known(item("a"), earlier=(EarlierReturn("x", "o-1", STARTED - timedelta(days=1)),)), {}),
        (
            known(
                item("a"),
                earlier=(
                    EarlierReturn("x", "o-1", STARTED - timedelta(days=1)),
                    EarlierReturn("y", "o-1", STARTED - timedelta(days=1)),
                ),
            ),
            {"a approval": "approve by third of the order"},
        ),
        (
            known(
                item("a"),
                earlier=(
                    EarlierReturn("x", "o-1", STARTED - timedelta(days=1)),
                    EarlierReturn("y", "o-2", STARTED - timedelta(days=1)),
                ),
            ),
            {},
        ),
        (
            known(
                item("a"),
                earlier=(
                    EarlierReturn("x", "o-1", STARTED - timedelta(days=1)),
                    EarlierReturn("y", "o-1", STARTED - timedelta(days=1), cancelled=True),
                ),
            ),
            {},
        ),
        (known(item("a"), earlier=(EarlierReturn("x", "o-1", TODAY), EarlierReturn("y", "o-1", TODAY))), {}),
        (known(item("a")), {"a approval": "open"}),
    ),
    "R12": ((known(item("a")), {"a fee": "fee by per unit"}),),
    "R13": (
        (
            began(datetime(2026, 1, 14, 23, 59, 59, tzinfo=MADRID), date(2025, 12, 1)),
            {"a acceptance": "accept by holidays"},
        ),
        (began(datetime(2026, 1, 15, tzinfo=MADRID), date(2025, 12, 1)), {"a acceptance": "decline by window"}),
        (began(datetime(2026, 1, 14, tzinfo=MADRID), date(2025, 11, 30)), {"a acceptance": "decline by window"}),
        (began(datetime(2026, 1, 14, tzinfo=MADRID), date(2025, 12, 31)), {"a acceptance": "accept by holidays"}),
        (began(datetime(2026, 1, 20, tzinfo=MADRID), date(2026, 1, 1)), {}),
    ),
    "R14": (
        (known(item("a"), of=abroad("PT")), {"a fee": "fee by home"}),
        (known(item("a"), of={**abroad("ES"), **PICKED_UP}), {"a fee": "fee by home, picked up"}),
        (known(item("a"), of=abroad("FR")), {"a fee": "fee by EU"}),
        (known(item("a"), of={**abroad("SE"), **PICKED_UP}), {"a fee": "fee by EU, picked up"}),
        (known(item("a"), of=abroad("US")), {"a fee": "fee by elsewhere"}),
        (known(item("a"), of={**abroad("GB"), **PICKED_UP}), {"a fee": "fee by elsewhere, picked up"}),
        (known(item("a"), of={**abroad("FR"), "return_method": "IN_STORE"}), {"a fee": "no_fee by in the shop"}),
        (known(item("a"), of={"pickup_address": None}), {"a fee": "open"}),
    ),
    "R15": (
        (known(item("a", total="500.00"), earlier=()), {}),
        (known(item("a", total="500.01"), earlier=()), {"a approval": "approve by over 500"}),
        (known(item("a", total="1000.00"), earlier=()), {"a approval": "approve by over 500"}),
        (known(item("a", total="1000.01"), earlier=()), {"a approval": "approve by over 1,000"}),
        (
            known(item("a", total="600.00"), earlier=(EarlierReturn("x", "o-1", TODAY, value=eur("400.01")),)),
            {"a approval": "approve by over 1,000 with the order's other returns"},
        ),
        (
            known(item("a", total="100.00"), earlier=(EarlierReturn("x", "o-1", TODAY, value=eur("400.01")),)),
            {"a approval": "approve by over 500 with the order's other returns"},
        ),
        (known(item("a", total="500.00")), {}),
        (
            known(item("a", total="5.00"), item("b", total="5.00", currency="SEK")),
            {"a approval": "open", "b approval": "open"},
        ),
    ),
    "R16": (
        (known(item("a"), customer_tags=frozenset({"VIP"})), {"a pay": "pay by VIP", "a fee": "no_fee by VIP"}),
        (known(item("a"), customer_tags=frozenset({"vip?"})), {}),
        (known(item("a")), {"a pay": "open", "a fee": "open"}),
    ),
    "R17": (
        (
            known(item("a"), item("b", method="GIFT_CARD"), gateway="cash_on_delivery"),
            {"a approval": "approve by refund by hand"},
        ),
        (known(item("a"), gateway="shopify_payments"), {}),
        # Of b nothing is missing: whatever the gateway is, its leg goes.
        (known(item("a"), item("b", method="GIFT_CARD")), {"a approval": "open"}),
    ),
    "R18": (
        (known(item("a", total="9.99"), label_cost=eur("10.00")), {"a keep": "keep_item by not worth sending"}),
        (known(item("a", total="10.00"), label_cost=eur("10.00")), {}),
        (known(item("a")), {"a keep": "open"}),
    ),
    "R19": (
        (tagged("perishable"), {"a keep": "keep_item by perishable", "a approval": "approve by perishable"}),
        (known(item("a")), {"a keep": "open", "a approval": "open"}),
    ),
    "R20": (
        (delivered(14, a=ELECTRONICS, b=SHOE), {}),
        (delivered(15, a=ELECTRONICS, b=SHOE), {"a acceptance": "decline by electronics, 14 days"}),
        (delivered(30, b=SHOE, a=SHOE), {}),
        (delivered(31, b=SHOE, a=SHOE), {f"{it} acceptance": "decline by the rest, 30 days" for it in "ab"}),
        # Nobody says what it is: on day 14 it is in for any, on day 15 it may be out.
        (delivered(14), {}),
        (delivered(15), {"a acceptance": "open", "b acceptance": "open"}),
    ),
    "R21": (
        (known(item("a", "PROMO-1"), item("b", "promo-1")), {"a acceptance": "decline by promotion"}),
        (known(item("a", "XPROMO-1")), {}),
    ),
    "R22": (
        (known(item("a"), earlier=earlier(2)), {}),
        (known(item("a"), earlier=earlier(3)), {"a approval": "approve by many returns"}),
        (known(item("a"), earlier=earlier(3, days_ago=90)), {"a approval": "approve by many returns"}),
        (known(item("a"), earlier=earlier(3, days_ago=91)), {}),
        (known(item("a"), earlier=(*earlier(2), *earlier(9, cancelled=True))), {}),
        (known(item("a"), earlier=(*earlier(2), *earlier(9, days_ago=2))), {}),
        (known(item("a")), {"a approval": "open"}),
    ),
    "R23": (
        (known(item("a"), earlier=earlier(1, wrong_items=True)), {"a pay": "pay by wrong items before"}),
        (known(item("a"), earlier=earlier(1)), {"a pay": "pay by everyone else"}),
        (known(item("a")), {"a pay": "open"}),
    ),
    "R24": (
        (known(item("a"), fraud_risk="high"), {"a approval": "approve by high risk"}),
        (known(item("a"), fraud_risk="low"), {}),
        (known(item("a")), {}),
    ),
    "R25": (
        (
            known(item("a"), item("b", method="GIFT_CARD"), item("c", method="EXCHANGE")),
            {"a pay": "pay by money", "b pay": "pay by credit", "c pay": "pay by exchange"},
        ),
    ),
    "R26": (
        (known(item("a")), {"a pay": "pay by buffer"}),
        (
            facts_of(process(item("a")), record(holds=(hold(),)), rules(), NOW, UTC),
            {"a pay": "pay by buffer", "a approval": "approve by a question is open"},
        ),
    ),
    "R27": (
        (known(item("a"), arrived_on=TODAY - timedelta(days=29)), {}),
        (known(item("a"), arrived_on=TODAY - timedelta(days=30)), {"return alarm": "alarm by nobody looked"}),
        (known(item("a"), of={"reviews": approved("a")}, arrived_on=TODAY - timedelta(days=30)), {}),
        (known(item("a")), {"return alarm": "open"}),
    ),
    "R28": (
        (known(item("a"), of=NOT_SENT, now=NOW + timedelta(days=27)), {}),
        (known(item("a"), of=NOT_SENT, now=NOW + timedelta(days=28)), {"return cancel": "cancel by not sent"}),
        (known(item("a"), of=SENT, now=NOW + timedelta(days=28)), {}),
    ),
    "R29": (
        (
            known(item("a"), of={"reviews": approved("a")}, whole_order=True),
            {"return shipping": "refund_shipping by all came back"},
        ),
        (known(item("a"), of={"reviews": reviews("a", "MISSING")}, whole_order=True), {}),
        (known(item("a"), of={"reviews": approved("a")}, whole_order=False), {}),
        (known(item("a"), of={"reviews": approved("a")}), {"return shipping": "open"}),
        # One is missing: whether it is the whole order is asked no more.
        (known(item("a"), of={"reviews": reviews("a", "MISSING")}), {}),
    ),
    "R30": (
        (
            known(item("a"), fulfilled_on=STARTED - timedelta(days=14)),
            {"return shipping": "refund_shipping by asked in time"},
        ),
        (known(item("a"), fulfilled_on=STARTED - timedelta(days=15)), {}),
        (known(item("a")), {"return shipping": "open"}),
    ),
    "R31": (
        (discounted("0.00"), {}),
        (discounted("0.01"), {"a acceptance": "decline by discounted"}),
        (known(item("a")), {"a acceptance": "open"}),
    ),
    "R32": tuple(
        (
            known(item("a"), of={"shopper": Shopper(email=email)}, ordered_on=STARTED - timedelta(days=days)),
            {"a acceptance": says} if says else {},
        )
        for email, days, says in (
            ("ann@example.com", 90, "accept by allow-list"),
            ("both@example.com", 90, "accept by allow-list"),
            ("Bob+2@Example.com", 5, "decline by block-list"),
            ("eve@example.com", 30, ""),
            ("eve@example.com", 31, "decline by window"),
        )
    ),
    "R33": (
        (known(item("a")), {"a fee": "fee by home"}),
        (known(item("a"), of=abroad("FR")), {"a fee": "fee by everywhere"}),
    ),
    "R34": (
        (
            known(item("a", "BULKY-1")),
            {"a fee": "fee by fee", "return warehouse": "warehouse by destination"},
        ),
        (known(item("a", "S-1")), {"a fee": "fee by fee"}),
    ),
    "R35": (
        (known(item("a"), of={"started_at": datetime(2026, 3, 19, tzinfo=UTC)}), {"a fee": "fee by new fee"}),
        (
            known(item("a"), of={"started_at": datetime(2026, 3, 18, 23, 59, 59, tzinfo=UTC)}),
            {"a fee": "fee by old fee"},
        ),
        (known(item("a"), of={"started_at": None}), {"a fee": "open"}),
    ),
    "R36": ((known(item("a")), {"a bonus": "bonus by credit is more"}),),
    "R37": ((known(item("a")), {"a pay": "pay by after the inspection"}),),
    "R38": ((known(item("a"), item("b", method="GIFT_CARD"), item("c", method="EXCHANGE")), {}),),
    "R39": tuple(
        (
            known(item("a"), now=NOW + timedelta(days=day - 3), refunded=refunded),
            {"a pay": "pay by proof of sending"} | ({"return alarm": says} if says else {}),
        )
        for day, refunded, says in (
            (11, False, ""),
            (12, False, "alarm by two days left"),
            (13, False, "alarm by two days left"),
            (14, False, "alarm by breach"),
            (14, True, ""),
            (14, Unknown("it"), "open"),
        )
    ),
    "R40": (
        (known(item("a"), earlier=()), {"a bonus": "bonus by credit is more"}),
        (known(item("a"), earlier=earlier(1, bonus=True)), {"a bonus": "no_bonus by once only"}),
        (known(item("a")), {"a bonus": "open"}),
    ),
}
"""The number of a rule -> returns, and all that its file says of each."""


@pytest.mark.parametrize("number", EDGES)
def test_the_file_says_what_is_right_at_each_edge(number: str) -> None:
    cases = EDGES[number]
    assert [in_short(judge(shop_rules(number), facts)) for facts, _ in cases] == [expected for _, expected in cases]


def test_each_of_the_forty_has_its_file_and_its_edges() -> None:
    numbers = [f"R{number:02d}" for number in range(1, 41)]
    assert [path.name[:3] for path in sorted(POLICIES.glob("R*.yaml"))] == numbers == sorted(EDGES)


@pytest.mark.parametrize("file", sorted(POLICIES.glob("*.yaml")), ids=lambda file: file.name)
def test_each_file_says_first_what_it_does_and_is_right_by_the_schema(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    comment, _, rest = text.partition("default:")
    assert all(line.startswith("# ") for line in comment.splitlines())
    assert len(comment) > 60
    assert "#" not in rest
    assert VALIDATOR.is_valid(read_yaml(text).values)


def test_each_file_is_in_the_table_of_the_folder() -> None:
    page = (POLICIES / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in POLICIES.glob("*.yaml") if f"]({path.name})" not in page] == []


def test_r24_a_risk_that_nobody_tells_does_not_hold_and_is_shown_as_missing() -> None:
    verdict = judge(shop_rules("R24"), known(item("a")))
    assert verdict.needs == ()
    assert (verdict.asked[0].standing, verdict.asked[0].needs) == (
        Standing.DOES_NOT_MATCH,
        ("the order's fraud risk (the table of orders)",),
    )
    assert any("'high risk'" in words and "fraud risk" in words for words in explain(verdict))


@pytest.mark.parametrize(
    ("shopper", "decided", "outranked"),
    [
        ("ann@example.com", "allow-list", ("window",)),
        ("both@example.com", "allow-list", ("block-list", "window")),
        ("bob@example.com", "block-list", ("window",)),
        ("eve@example.com", "window", ()),
    ],
)
def test_r32_the_allow_list_is_above_all_and_the_others_are_named(
    shopper: str, decided: str, outranked: tuple[str, ...]
) -> None:
    asked = known(item("a"), of={"shopper": Shopper(email=shopper)}, ordered_on=TODAY - timedelta(days=90))
    verdict = judge(shop_rules("R32"), asked)
    (outcome,) = verdict.lines["a"].values()
    assert isinstance(outcome, Decided)
    assert (outcome.rule, outcome.outranked) == (decided, outranked)
    assert "@" not in "\n".join(explain(verdict))


def test_r35_the_days_are_told() -> None:
    old = known(item("a"), of={"started_at": datetime(2026, 3, 1, tzinfo=UTC)})
    words = "rule 'new fee': not in force (from 2026-03-19, asked of the day the return began)"
    assert words in list(explain(judge(shop_rules("R35"), old)))


def test_r26_the_question_stands_until_it_is_answered() -> None:
    read = process(item("a"))
    answered = facts_of(read, record(), rules(), NOW, UTC)
    assert in_short(judge(shop_rules("R26"), answered._replace(held=False))) == {"a pay": "pay by buffer"}
