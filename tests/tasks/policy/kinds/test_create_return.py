"""A new return: when it is still to be made, and what shows that it was."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rever_api.models import NOT_RECEIVED, ReturnProcess
from tasks.policy.decision import AskedEffect, Decision, Nothing, Wait
from tasks.policy.kinds import CREATE_RETURN
from tasks.policy.kinds.create_return import NewItem, NewReturn
from tasks.policy.kinds.kind import Held, NotYet, Seen, Verdict
from tasks.policy.order_returns import OrderReturns
from tasks.policy.record import Intent, IntentKind, IntentState, LineUnits, Record
from tasks.policy.store import RefundsBy, StoreRules
from tests.tasks.policy.factories import NOW, STARTED, record, rules
from tests.tasks.policy.test_order_returns import found, of_sku

EMAIL = "ada@example.com"
SETTLE_AT = NOW + timedelta(minutes=15)


def new(*units: int, sku: str = "A", **said: Any) -> NewReturn:
    """These units of one SKU, unit 1 where none is named."""
    return NewReturn("#1001", (NewItem(sku, units or (1,), **said),), EMAIL, "row 1")


def made(state: IntentState = IntentState.DONE, unit: int = 1, **fields: Any) -> Intent:
    """An intent of before."""
    items = (LineUnits("A", (unit,)),)
    return Intent("i", IntentKind.CREATE_RETURN, state, items, generation=1, **fields)


def decided(
    *shown: ReturnProcess,
    wanted: NewReturn | None = None,
    known: Record | None = None,
    store: StoreRules | None = None,
) -> Decision:
    """What is decided where REVER shows these returns of the order."""
    return CREATE_RETURN.decide(found(*shown), store or rules(), known or record(), NOW, wanted or new())


def test_what_nobody_has_asked_back_is_to_be_made() -> None:
    decision = decided()
    assert isinstance(decision, AskedEffect)
    assert decision.stake is None
    assert CREATE_RETURN.covers(decision, CREATE_RETURN.intent(decision), new())
    assert not CREATE_RETURN.covers(decision, CREATE_RETURN.intent(decision), new(2))


@pytest.mark.parametrize("status", ["RUNNING", "COMPLETED", "CANCELED", "ON_HOLD"])
def test_a_unit_that_a_return_names_is_not_asked_back_again(status: str) -> None:
    decision = decided(of_sku("retp_9", sku="a", status=status))
    assert isinstance(decision, Nothing)
    assert "retp_9" in decision.why
    assert isinstance(decided(of_sku(status=status), wanted=new(2)), AskedEffect)


@pytest.mark.parametrize("units", [(2,), (1, 3), (3, 4)])
def test_only_the_units_that_come_next_are_made(units: tuple[int, ...]) -> None:
    decision = decided(wanted=new(*units))
    assert isinstance(decision, Nothing)
    assert "unit 1 comes next" in decision.why


def test_other_skus_are_no_hindrance() -> None:
    assert isinstance(decided(of_sku(sku="B", quantity=3)), AskedEffect)


def test_a_unit_that_a_person_gave_up_is_counted() -> None:
    known = record(made(IntentState.DROPPED))
    assert isinstance(decided(known=known), Nothing)
    assert isinstance(decided(known=known, wanted=new(2)), AskedEffect)


def test_a_list_that_lacks_what_was_made_is_an_older_view() -> None:
    known = record(made(made="retp_7"))
    decision = decided(wanted=new(2), known=known)
    assert isinstance(decision, Wait)
    assert decision.rule == "stale_view"
    assert isinstance(decided(of_sku("retp_7"), wanted=new(2), known=known), AskedEffect)


def test_what_was_refused_a_moment_ago_waits_until_rever_would_show_it() -> None:
    assert isinstance(decided(known=record(made(IntentState.REFUSED, sent_at=NOW - timedelta(minutes=1)))), Wait)
    assert isinstance(decided(known=record(made(IntentState.REFUSED, sent_at=NOW - timedelta(hours=1)))), AskedEffect)


def test_nothing_is_made_on_a_list_that_is_not_clear() -> None:
    assert isinstance(decided(of_sku(order_name="")), Nothing)


def test_nothing_is_made_of_another_order_than_was_read() -> None:
    assert isinstance(decided(wanted=replace(new(), order_name="1001")), AskedEffect)
    assert isinstance(decided(wanted=replace(new(), order_name="#1002")), Nothing)


def test_without_the_email_nothing_is_made() -> None:
    assert isinstance(decided(wanted=replace(new(), email="")), Nothing)


@pytest.mark.parametrize(
    ("payer", "timing", "reason", "goes"),
    [
        (RefundsBy.US, "ON_START", "", True),
        (RefundsBy.REVER, "ON_ITEM_VERIFIED", "", True),
        (RefundsBy.REVER, "ON_ITEM_SENT", "", True),
        (RefundsBy.REVER, "ON_START", "", False),
        (RefundsBy.UNSTATED, "ON_START", "", False),
        (RefundsBy.REVER, "ON_SOMETHING", "", False),
        (RefundsBy.REVER, "ON_ITEM_VERIFIED", NOT_RECEIVED, False),
    ],
)
def test_no_return_is_made_that_rever_pays_at_once(payer: RefundsBy, timing: str, reason: str, goes: bool) -> None:
    decision = decided(wanted=new(reason=reason), store=rules(payer, timing))
    assert isinstance(decision, AskedEffect) is goes


def test_the_ledger_gets_no_email() -> None:
    wanted = NewReturn("#1001", (NewItem("A", (1, 2), "TOO_SMALL", "GIFT_CARD"), NewItem("B", (1,))), EMAIL, "row 1")
    stored = json.dumps(CREATE_RETURN.stored(wanted))
    assert EMAIL not in stored + repr(wanted)
    assert CREATE_RETURN.restored(made(), json.loads(stored), "", "") == replace(wanted, email="")


UNITS = st.lists(st.tuples(st.sampled_from("AaBC"), st.integers(1, 4)), min_size=1, max_size=8)


@given(UNITS, UNITS)
def test_two_returns_share_a_key_just_where_they_share_a_unit(
    one: Sequence[tuple[str, int]], other: Sequence[tuple[str, int]]
) -> None:
    def keys(units: Sequence[tuple[str, int]]) -> set[Any]:
        kept = {(sku.casefold(), n): sku for sku, n in units}
        wanted = NewReturn("#1001", tuple(NewItem(sku, (n,)) for (_, n), sku in kept.items()), EMAIL)
        found = CREATE_RETURN.key(CREATE_RETURN.intent(AskedEffect("r", "w", CREATE_RETURN.name, wanted)))
        assert len(set(found)) == len(found) == len(kept)
        return set(found)

    folded = {(sku.casefold(), n) for sku, n in one} & {(sku.casefold(), n) for sku, n in other}
    assert len(keys(one) & keys(other)) == len(folded)


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ((), "has items"),
        ((NewItem("", (1,)),), "has items"),
        ((NewItem("A", ()),), "has items"),
        ((NewItem("A", (0,)),), "from 1"),
        ((NewItem("A", (1, 1)),), "twice"),
        ((NewItem("A", (1,)), NewItem("a", (1,))), "twice"),
    ],
)
def test_items_that_cannot_be_are_refused(items: tuple[NewItem, ...], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        NewReturn("#1001", items, EMAIL)


def judged(before: OrderReturns, after: OrderReturns, *, late: bool = False) -> Verdict:
    """The verdict about unit 1 of A, sent now."""
    sent = made(IntentState.UNKNOWN, sent_at=NOW)
    kept = json.loads(json.dumps(CREATE_RETURN.snapshot(sent, new(), before)))
    return CREATE_RETURN.judge(sent, kept, after, now=SETTLE_AT if late else NOW, settle_at=SETTLE_AT)


AFTER = NOW + timedelta(seconds=1)
OURS = of_sku("retp_n", started_at=AFTER)


def test_one_new_return_of_just_these_units_is_it() -> None:
    verdict = judged(found(of_sku("retp_o")), found(of_sku("retp_o"), OURS))
    assert isinstance(verdict, Seen)
    assert verdict.evidence["process"] == "retp_n"


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        ([], NotYet),
        ([of_sku("retp_o")], NotYet),
        ([of_sku("retp_old", started_at=STARTED)], NotYet),  # one that the view before did not show yet
        ([of_sku("retp_b", sku="B", started_at=AFTER)], NotYet),
        ([of_sku("retp_b", sku="B", started_at=AFTER), OURS], Seen),
        ([OURS, of_sku("retp_m", started_at=AFTER)], Held),
        ([of_sku("retp_m", quantity=2, started_at=AFTER)], Held),
        ([of_sku("retp_m", started_at=None)], Held),
        ([OURS, of_sku("retp_x", order_name="")], NotYet),
    ],
)
def test_anything_else_is_not(after: list[ReturnProcess], verdict: type) -> None:
    assert isinstance(judged(found(of_sku("retp_o")), found(*after)), verdict)


def test_what_is_not_seen_is_held_only_when_the_time_is_over() -> None:
    assert isinstance(judged(found(), found()), NotYet)
    late = judged(found(), found(), late=True)
    assert isinstance(late, Held)
    assert late.why.startswith("REVER does not show the return that was sent, though")


def test_a_return_in_the_place_of_its_order_is_a_fault() -> None:
    with pytest.raises(TypeError):
        CREATE_RETURN.decide(of_sku(), rules(), record(), NOW, new())
