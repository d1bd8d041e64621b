"""A decision taken again covers an intent only where nothing about it has changed."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tasks.policy.decision import (
    Adopt,
    Compensate,
    Decision,
    ExchangeDue,
    ExchangeDueItem,
    MakeLabel,
    Nothing,
    RefundDue,
)
from tasks.policy.kinds import KINDS
from tasks.policy.record import Intent, IntentKind, IntentState, LineUnits
from tests.tasks.policy.factories import BANK, GIFT, ORIGINAL, intent

REFUND = intent(state=IntentState.INTENDED, units=(1, 2), amount="6.67")
DUE = RefundDue(ORIGINAL, Decimal("6.670"), Decimal("6.67"), "EUR", (LineUnits("retl_1", (2, 1)),))
OTHER = RefundDue(GIFT, Decimal(5), Decimal(5), "EUR", (LineUnits("retl_2", (1,)),))
PAY = Compensate("r", "w", Decimal(0), (OTHER, DUE))


def covers(decision: Decision, meant: Intent, content: object = None) -> bool:
    return KINDS[meant.kind].covers(decision, meant, content)


def test_the_intent_of_a_refund_says_all_that_is_due() -> None:
    due = RefundDue(
        method=GIFT,
        amount=Decimal("22.00"),
        gross=Decimal("20.00"),
        currency="SEK",
        items=(LineUnits("retl_1", (1, 2)),),
        exempt=Decimal("5.00"),
        bonus=Decimal("2.00"),
    )
    assert KINDS[IntentKind.REFUND].intent(due) == Intent(
        id="",
        kind=IntentKind.REFUND,
        state=IntentState.INTENDED,
        items=due.items,
        method=GIFT,
        currency="SEK",
        amount=Decimal("22.00"),
        gross=Decimal("20.00"),
        exempt=Decimal("5.00"),
        bonus=Decimal("2.00"),
    )


def test_a_refund_is_covered_wherever_it_stands() -> None:
    assert covers(PAY, REFUND)


@pytest.mark.parametrize(
    "changed",
    [
        {"amount": Decimal("6.66")},
        {"method": BANK},
        {"currency": "SEK"},
        {"items": (LineUnits("retl_1", (1, 2, 3)),)},
        {"items": (LineUnits("retl_1", (1,)),)},
        {"items": (LineUnits("retl_9", (1, 2)),)},
    ],
)
def test_any_change_of_a_refund_uncovers_it(changed: dict[str, Any]) -> None:
    assert not covers(replace(PAY, refunds=(OTHER, replace(DUE, **changed))), REFUND)


@pytest.mark.parametrize("decision", [Nothing("r", "w"), Adopt("r", "w", Decimal(0), (DUE,))])
def test_only_a_payment_covers_a_payment(decision: Decision) -> None:
    assert covers(decision, REFUND) is False


ITEM = ExchangeDueItem("retl_1", "v", "p", (1, 2))
SWAP = intent(IntentKind.EXCHANGE, IntentState.INTENDED, units=(1, 2))


@pytest.mark.parametrize(
    ("due", "covered"),
    [
        (ITEM, True),
        (replace(ITEM, variant_id="w"), False),
        (replace(ITEM, units=(1,)), False),
        (replace(ITEM, line_id="retl_2"), False),
    ],
)
def test_an_exchange_is_covered_variant_by_variant(due: ExchangeDueItem, covered: bool) -> None:
    decision = Compensate("r", "w", Decimal(0), exchange=ExchangeDue((due,), Decimal(20), "EUR"))
    assert covers(decision, SWAP, (ITEM,)) is covered
    assert not covers(replace(decision, exchange=None, refunds=(DUE,)), SWAP, (ITEM,))


LABEL = MakeLabel("r", "w", 1, "SENDCLOUD", "DHL", "HOME_PICK_UP")


@pytest.mark.parametrize(
    "changed", [{"generation": 2}, {"provider": "OPS"}, {"carrier": "UPS"}, {"return_method": "DROP_OFF_POINT"}]
)
def test_a_label_is_covered_by_the_same_label(changed: dict[str, Any]) -> None:
    mine = intent(IntentKind.LABEL, IntentState.INTENDED, generation=1)
    assert covers(replace(LABEL, why="other words"), mine, LABEL)
    assert not covers(replace(LABEL, **changed), mine, LABEL)
    assert not covers(LABEL, mine)
