"""Whether what was sent is to be seen at REVER."""

import json
from datetime import timedelta
from typing import Any

import pytest

from rever_api.models import ReturnProcess
from tasks.policy.decision import ExchangeDueItem
from tasks.policy.kinds import EXCHANGE as SWAP_KIND
from tasks.policy.kinds import KINDS, LABEL, REFUND
from tasks.policy.kinds.kind import Held, NotYet, Seen, Verdict
from tasks.policy.record import Intent, IntentKind, IntentState
from tests.tasks.policy.factories import EXCHANGE, GIFT, NOW, intent, line, order, process, refund

SETTLE_AT = NOW + timedelta(minutes=15)
SENT = intent(state=IntentState.UNKNOWN, sent_at=NOW)


def settle(
    before: ReturnProcess,
    after: ReturnProcess,
    sent: Intent = SENT,
    late: bool = False,
    knew: int = 0,
    content: Any = (),
) -> Verdict:
    kind = KINDS[sent.kind]
    kept = json.loads(json.dumps({**kind.snapshot(sent, content, before), "ledger_knew": knew}))
    return kind.judge(sent, kept, after, now=SETTLE_AT if late else NOW, settle_at=SETTLE_AT)


@pytest.mark.parametrize(
    ("before", "after", "knew", "verdict"),
    [
        ([], [refund()], 0, Seen),
        ([refund()], [refund(), refund()], 0, Seen),
        ([refund()], [refund(), refund()], 1, Seen),
        ([], [refund()], 1, NotYet),  # REVER shows late what the ledger knew already
        ([refund()], [refund()], 0, NotYet),
        ([], [], 0, NotYet),
        ([], [refund(), refund()], 0, Held),
        ([], [refund("9.00")], 0, Held),
        ([], [refund(method=GIFT)], 0, Held),
        ([], [refund(currency="SEK")], 0, Held),
        ([], [refund(), refund("9.00")], 0, Held),
        ([refund("9.00")], [refund("9.00"), refund()], 0, Seen),
        ([refund()], [refund(), refund("9.00")], 0, Held),
    ],
)
def test_a_refund(before: list[Any], after: list[Any], knew: int, verdict: type) -> None:
    assert isinstance(settle(process(refunds=before), process(refunds=after), knew=knew), verdict)


def test_what_is_not_seen_is_held_only_when_the_time_is_over() -> None:
    unseen = "REVER does not show the refund of 10.00 EUR by ORIGINAL_PAYMENT_METHOD that was sent"
    assert settle(process(), process()) == NotYet(SETTLE_AT, unseen)
    assert settle(process(), process(), late=True) == Held(
        f"{unseen}, though 15 minutes were waited; whether it was done is not known",
        {
            "snapshot": "{'same': 0, 'refunds': 0, 'of_type': [], 'ledger_knew': 0}",
            "settle_at": "2026-03-21T12:15:00+00:00",
        },
    )
    assert isinstance(settle(process(), process(refunds=[refund()]), late=True), Seen)


@pytest.mark.parametrize("left_out", [{"compensation": None}, {"compensation": {"exchange_order": None}}])
def test_a_read_that_does_not_tell_is_not_held_early(left_out: dict[str, Any]) -> None:
    assert isinstance(settle(process(), process(**left_out)), NotYet)
    assert isinstance(settle(process(), process(**left_out), late=True), Held)


SWAP = line(method=EXCHANGE, variant="v")
SWAPPED = intent(IntentKind.EXCHANGE, IntentState.UNKNOWN, sent_at=NOW)
WANTED = (ExchangeDueItem("retl_1", "v", "p-v", (1,)),)


@pytest.mark.parametrize(
    ("before", "after", "knew", "verdict"),
    [
        (None, order("v"), 0, Seen),
        (None, None, 0, NotYet),
        (None, order("w"), 0, Held),
        (None, order("v", "w"), 0, Held),
        (None, order("v", "v"), 0, Held),
        (None, order(), 0, NotYet),
        (order("v"), order("v"), 0, NotYet),
        (None, order("v"), 1, NotYet),
    ],
)
def test_an_exchange(before: Any, after: Any, knew: int, verdict: type) -> None:
    first, then = process(SWAP, exchange=before), process(SWAP, exchange=after)
    assert isinstance(settle(first, then, SWAPPED, knew=knew, content=WANTED), verdict)
    assert isinstance(settle(first, then, SWAPPED, knew=knew), verdict), "the lines say what was wanted, too"


def test_what_was_ordered_counts_not_what_the_shopper_wants_since() -> None:
    since = process(line(method=EXCHANGE, variant="w"), exchange=order("v"))
    assert isinstance(settle(process(SWAP), since, SWAPPED, content=WANTED), Seen)


@pytest.mark.parametrize(
    ("before", "after", "knew", "verdict"),
    [
        ([], ["CREATED"], 0, Seen),
        ([], ["NO_SHIPPING_STATUS"], 0, Seen),
        (["CANCELED"], ["CANCELED", "CREATED"], 1, Seen),
        (["CREATED"], ["CREATED"], 0, NotYet),
        ([], [], 0, NotYet),
        ([], ["CREATED"], 1, NotYet),
        ([], ["CREATED", "CREATED"], 0, Held),
        ([], None, 0, NotYet),
    ],
)
def test_a_label(before: list[str], after: list[str] | None, knew: int, verdict: type) -> None:
    sent = intent(IntentKind.LABEL, IntentState.UNKNOWN, generation=1 + len(before))
    assert isinstance(settle(process(logistics=before), process(logistics=after), sent, knew=knew), verdict)


def test_a_snapshot_holds_counts_and_variants_only() -> None:
    it = process(SWAP, refunds=[refund(), refund("9.00")], logistics=["CREATED"])
    assert REFUND.snapshot(intent(amount="10.0"), None, it) == {
        "same": 1,
        "refunds": 2,
        "of_type": ["10.00", "9.00"],
    }
    assert SWAP_KIND.snapshot(SWAPPED, WANTED, it) == {
        "exchange_order": False,
        "variants": ["v"],
    }
    assert LABEL.snapshot(intent(IntentKind.LABEL), None, it) == {"logistics": 1}


def test_what_is_seen_says_by_what() -> None:
    assert settle(process(), process(refunds=[refund()])) == Seen(
        {"refunds like this": "1", "known before": "0", "all refunds": "1"}
    )
    swapped = settle(process(SWAP), process(SWAP, exchange=order("v")), SWAPPED, content=WANTED)
    assert swapped == Seen({"ordered": "v", "wanted": "v"})
    label = intent(IntentKind.LABEL, IntentState.UNKNOWN, generation=1)
    none = settle(process(logistics=[]), process(logistics=[]), label)
    assert none == NotYet(SETTLE_AT, "REVER does not show the label that was asked for")
    made = settle(process(logistics=[]), process(logistics=["CREATED"]), label)
    assert made == Seen({"parcels": "1", "known before": "0"})


@pytest.mark.parametrize("kept", [{}, {"logistics": None, "ledger_knew": "x"}])
def test_what_a_snapshot_does_not_count_was_not_there(kept: dict[str, Any]) -> None:
    label = intent(IntentKind.LABEL, IntentState.UNKNOWN, generation=1)
    it = process(logistics=["CREATED"])
    assert isinstance(LABEL.judge(label, kept, it, now=NOW, settle_at=SETTLE_AT), Seen)


def test_how_long_was_waited_is_told_in_minutes() -> None:
    hour = NOW + timedelta(hours=1)
    held = REFUND.judge(SENT, {}, process(), now=hour, settle_at=hour)
    assert isinstance(held, Held)
    assert "60 minutes were waited" in held.why
