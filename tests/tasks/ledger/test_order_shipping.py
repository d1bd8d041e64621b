"""The order's shipping in the ledger: of two returns of an order that do not know of each other, one has it."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tasks.ledger import Answer, AnswerError, check, shipping_parts
from tasks.policy.decision import Hold
from tasks.policy.record import HoldKind, OrderShipping
from tasks.policy.return_facts import ShippingPart
from tests.tasks.ledger.desk import NOON, STORE, LedgerDesk, Rule, always, pay, refund, request, units
from tests.tasks.ledger.tampering import tamper


def shipping(number: int, amount: str = "4.90") -> OrderShipping:
    return OrderShipping("o-1", number, Decimal(amount), Decimal(10), Decimal("4.90"))


def paying(number: int, amount: str = "4.90") -> Rule:
    """A refund of a unit with this part of the order's shipping."""
    goods = refund(str(10 + Decimal(amount)), gross="10.00")
    return pay(replace(goods, shipping=shipping(number, amount)))


def parts(desk: LedgerDesk) -> tuple[ShippingPart, ...]:
    return desk.ledger.read(shipping_parts, STORE, ["o-1"])["o-1"]


def test_of_two_returns_that_do_not_know_of_each_other_one_has_it(desk: LedgerDesk) -> None:
    first, second = desk.decide(request("p1", paying(1)), request("p2", paying(1)))
    assert first.claim is not None
    assert (second.claim, second.decision.rule) == (None, "lost_claim")
    assert desk.one("p2", paying(1)).decision.rule == "lost_claim"
    assert parts(desk) == (ShippingPart("p1", 1, Decimal("4.90"), Decimal(10)),)
    assert desk.ledger.read(shipping_parts, "beta", ["o-1"]) == {"o-1": ()}
    kept = desk.intent("p1").shipping
    assert kept == shipping(1)
    assert kept is not None
    assert (kept.number, kept.worth, kept.whole) == (1, Decimal(10), Decimal("4.90"))
    assert desk.ledger.read(check, now=NOON).findings == ()


def test_what_was_given_back_holds_its_number_and_is_no_part(desk: LedgerDesk) -> None:
    desk.withdraw(desk.claim("p1", paying(1)))
    assert [(part.number, part.live) for part in parts(desk)] == [(1, False)]
    assert desk.one("p2", paying(1)).decision.rule == "lost_claim", "who has not seen it is refused"
    desk.done(desk.sent("p2", paying(2)))
    assert desk.one("p1", paying(3, "0.00")).claim is not None
    assert desk.ledger.read(check, now=NOON).findings == ()


def test_of_what_was_given_back_it_is_known_whether_it_was_sent(desk: LedgerDesk) -> None:
    desk.withdraw(desk.claim("p1", paying(1)))
    desk.refused(desk.sent("p2", paying(2)))
    assert [(part.number, part.live, part.sent_at is not None) for part in parts(desk)] == [
        (1, False, False),
        (2, False, True),
    ]


LEFT = Hold(
    "shipping_left", "a person must pay it", HoldKind.APPROVAL, {"order": "o-1"}, Decimal("4.90"), "EUR",
    shipping=shipping(1),
)  # fmt: skip


@pytest.mark.parametrize("answer", [Answer.DONE_BY_HAND, Answer.DROP])
def test_a_person_closes_what_is_left_and_it_is_the_order_s(desk: LedgerDesk, answer: Answer) -> None:
    desk.done(desk.sent("p2", pay(replace(refund("10.90", gross="10.00"), shipping=shipping(1, "0.90")))))
    desk.one("p1", always(replace(LEFT, amount=Decimal("4.00"), shipping=shipping(1, "4.00"))))
    (hold,) = desk.holds()
    assert "closes the shipping of its order as done outside" in hold.answers[Answer.DONE_BY_HAND]
    more = {"on": NOON.date(), "reference": "bank"} if answer is Answer.DONE_BY_HAND else {}
    desk.answer(answer, hold, **more)
    assert desk.holds() == []
    made = desk.intent("p1")
    paid = Decimal("4.00") if answer is Answer.DONE_BY_HAND else Decimal(0)
    assert (made.items, made.amount) == ((), paid)
    assert [(part.process_id, part.number, part.amount) for part in parts(desk)] == [
        ("p2", 1, Decimal("0.90")),
        ("p1", 2, paid),
    ]


def test_by_hand_goes_only_what_is_left_and_a_lower_amount_may_be_said(desk: LedgerDesk) -> None:
    desk.done(desk.sent("p2", pay(replace(refund("10.90", gross="10.00"), shipping=shipping(1, "0.90")))))
    desk.one("p1", always(LEFT))
    on = NOON.date()
    for amount in (None, Decimal("4.01")):
        with pytest.raises(AnswerError, match=r"4\.90 EUR of the order's shipping in it, and 4\.00 EUR of it is left"):
            desk.answer(Answer.DONE_BY_HAND, on=on, reference="bank", amount=amount)
    desk.answer(Answer.DONE_BY_HAND, on=on, reference="bank", amount=Decimal("4.00"))
    assert [part.amount for part in parts(desk)] == [Decimal("0.90"), Decimal("4.00")]


def test_a_person_takes_what_is_left_as_it_is(desk: LedgerDesk) -> None:
    desk.one("p1", always(LEFT))
    desk.answer(Answer.TAKE_AS_IT_IS)
    assert (desk.holds(), desk.record("p1").intents) == ([], ())
    assert desk.record("p1").waived("shipping_left", Decimal("4.90"), "EUR")


def test_who_closes_units_closes_the_shipping_that_goes_with_them(desk: LedgerDesk) -> None:
    asked = replace(LEFT, rule="approval", amount=Decimal("14.90"), items=units(1))
    desk.one("p1", always(asked))
    assert "1 unit (line l1: 1) and the shipping of its order" in desk.holds()[0].answers[Answer.DROP]
    desk.answer(Answer.DROP)
    assert desk.intent("p1").shipping is not None
    other = replace(refund("14.90", gross="10.00", items=units(2)), shipping=shipping(2))
    assert desk.one("p1", pay(other)).decision.rule == "lost_claim", "each return has it once"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM order_shipping", "has shipping of an order that does not know"),
        ("UPDATE order_shipping SET number = 7", "has shipping of an order that does not know"),
        ("DELETE FROM units WHERE space = 'shipping'", "the shipping of the return's order is"),
        ("UPDATE intents SET amount = '15.90'", "where 14.90 was due after costs"),
        ("UPDATE order_shipping SET intent_id = 'x'", "a part of an order's shipping is of the effect x"),
    ],
)
def test_what_was_done_behind_its_back_is_found(desk: LedgerDesk, statement: str, said: str) -> None:
    desk.done(desk.sent("p1", paying(1)))
    tamper(desk, statement)
    assert any(said in str(found) for found in desk.ledger.read(check, now=NOON).findings)


def test_more_than_the_order_s_shipping_is_found(desk: LedgerDesk) -> None:
    desk.claim("p1", paying(1))
    desk.claim("p2", paying(2))
    words = [str(found) for found in desk.ledger.read(check, now=NOON).findings]
    assert any("9.80 of the shipping of order o-1 was refunded, which cost 4.90" in found for found in words)
