"""Several parcels for one return: as many live labels as parcels, one by one, never more. Pickups and their day."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rever_api.errors import Reason
from rever_api.models import Carrier, Product
from tasks.policy.decide import decide
from tasks.policy.decision import Decision, Hold, MakeLabel, Nothing, Wait
from tasks.policy.kinds import LABEL
from tasks.policy.record import Intent, IntentKind, IntentState, Parcel, Record, Replaced, Waiver
from tasks.policy.rules.label import decide_label, explain_label
from tasks.policy.side_facts import ProductFacts, SideFacts
from tasks.policy.store import StoreRules
from tests.tasks.policy.factories import NOW, intent, line, process, record, rules

FRESH: dict[str, Any] = {"return_status": "STARTED", "logistics": ()}
EACH = {"parcels": {"max_units": 1}}
PLAN = (Parcel((("retl_1", 1),)), Parcel((("retl_1", 1),)), Parcel((("retl_2", 1),)))


def store(labels: dict[str, Any] | None = None, **fields: Any) -> StoreRules:
    return rules(labels=EACH if labels is None else labels, **fields)


def decided(
    parcels: tuple[str, ...] = (), known: Record | None = None, its: StoreRules | None = None, **changed: Any
) -> Decision:
    it = process(line(quantity=2), line("retl_2"), **{**FRESH, "logistics": parcels, **changed})
    return decide_label(it, its or store(), known or record(), NOW)


def label(generation: int, parcel: int | None = None, state: IntentState = IntentState.DONE, **fields: Any) -> Intent:
    told = {"parcel": parcel or generation, "parcels": PLAN, "sent_at": NOW, "id": str(generation), **fields}
    return intent(IntentKind.LABEL, state, generation=generation, **told)


def due(decision: Decision) -> tuple[int, int]:
    """The number of the label that is due, and of the parcel that it is for."""
    assert isinstance(decision, MakeLabel), decision
    assert decision.parcels == PLAN
    return decision.generation, decision.parcel


def test_each_parcel_gets_its_label_one_after_another_and_then_it_is_enough() -> None:
    assert due(decided()) == (1, 1)
    assert due(decided(("CREATED",), record(label(1)))) == (2, 2)
    assert due(decided(("CREATED", "CREATED"), record(label(1), label(2)))) == (3, 3)
    made = record(label(1), label(2), label(3))
    assert decided(("CREATED", "CREATED", "CREATED"), made) == Nothing(
        "label_there", "the label is there; waiting for the parcel"
    )
    assert decided(("CREATED", "", ""), made).rule == "label_there"
    assert decided(("", "", ""), made).rule == "label_pending"


@pytest.mark.parametrize("state", [IntentState.INTENDED, IntentState.SENT, IntentState.UNKNOWN])
def test_one_of_unknown_outcome_stops_those_after_it(state: IntentState) -> None:
    assert decided(("CREATED",), record(label(1), label(2, state=state))).rule == "label_open"


@pytest.mark.parametrize("shown", [(), ("CREATED",)])
def test_an_older_view_that_lacks_a_label_makes_none_twice(shown: tuple[str, ...]) -> None:
    """It would be the number of a label that the ledger has: that is waited for, then asked about."""
    known = record(label(1), label(2))
    assert isinstance(decided(shown, known), Wait)
    late = process(line(quantity=2), line("retl_2"), **{**FRESH, "logistics": shown})
    held = decide_label(late, store(), known, NOW + timedelta(minutes=15))
    assert held.rule == "label_not_shown"


def test_a_cancelled_one_is_replaced_once_and_by_the_parcel_that_lost_its_label() -> None:
    known = record(label(1), label(2), label(3))
    assert due(decided(("CREATED", "CANCELED", "CREATED"), known)) == (4, 2)
    after = record(*known.intents, label(4, parcel=2))
    assert decided(("CREATED", "CANCELED", "CREATED", "CREATED"), after).rule == "label_there"
    assert decided(("CREATED", "CANCELED", "CREATED"), after).rule == "label_made", "an older view"


def test_one_in_error_is_asked_about_and_then_replaced_once() -> None:
    known = record(label(1), label(2), label(3))
    shown = ("CREATED", "ERROR", "CREATED")
    assert decided(shown, known).rule == "label_error"
    again = replace(known, waivers=(Waiver("label_error"),))
    assert due(decided(shown, again)) == (4, 2)
    assert decided((*shown, "CREATED"), replace(again, intents=(*known.intents, label(4, 2)))).rule == "label_there"


def test_labels_that_appear_after_a_refusal_and_are_fewer_than_the_parcels_are_asked_about() -> None:
    """REVER said no, and acted; or a person made one label for all: nobody but they knows."""
    refused = record(label(1, state=IntentState.REFUSED))
    held = decided(("CREATED",), refused)
    assert (held.rule, isinstance(held, Hold) and held.label) == ("labels_by_others", True)
    assert decided(("CREATED", "CREATED"), refused).rule == "labels_by_others"
    assert decided(("CREATED",) * 3, refused).rule == "label_there"
    answered = replace(refused, waivers=(Waiver("labels_by_others"),))
    assert decided(("CREATED",), answered).rule == "label_there"
    assert decided(("CREATED",)).rule == "label_there", "nothing was asked for before"
    assert decided(("CREATED",), record(label(1, state=IntentState.REFUSED, parcels=()))).rule == "label_there"


@pytest.mark.parametrize("lost", [{"review_before": NOW}, {"former": "the label was sent, and is done"}])
def test_labels_that_a_lost_ledger_may_have_made_and_that_are_fewer_than_the_parcels_are_asked_about(
    lost: dict[str, Any],
) -> None:
    """That ledger was killed after the first of three, or a person made one for all: REVER shows both alike."""
    known = record(**lost)
    held = decided(("CREATED",), known)
    assert isinstance(held, Hold)
    assert (held.rule, held.label) == ("labels_by_others", True)
    assert held.evidence == {"labels": "1", "parcels": "3"}
    assert "whether all goods travel with that is not known" in held.why
    assert decided(("CREATED", "CANCELED", "CREATED"), known).rule == "labels_by_others"
    assert decided(("CREATED",) * 3, known).rule == "label_there"
    assert decided(("CREATED",), replace(known, waivers=(Waiver("labels_by_others"),))).rule == "label_there"
    assert decided(("CREATED",), known, store({})).rule == "label_there", "it travels in one parcel"
    assert decided(("CREATED",), known, started_at=NOW + timedelta(days=1)).rule == (
        "labels_by_others" if "former" in lost else "label_there"
    )
    ours = replace(known, intents=(label(1),), waivers=(Waiver("label_after_restore"),))
    assert due(decided(("CREATED",), ours)) == (2, 2), "this ledger knows of the first, and makes the others"


@pytest.mark.parametrize("state", [IntentState.DONE_BY_HAND, IntentState.DROPPED])
def test_one_that_a_person_took_care_of_counts_and_the_others_are_made(state: IntentState) -> None:
    closed = replace(label(2, state=state), parcel=0, parcels=())
    assert due(decided(("CREATED",), record(label(1), closed))) == (3, 3)
    assert decided(("CREATED", "CREATED"), record(label(1), closed, label(3))).rule == "label_there"
    assert due(decided((), record(replace(closed, generation=1)))) == (2, 2)


@pytest.mark.parametrize("state", [IntentState.DONE_BY_HAND, IntentState.DROPPED])
def test_a_parcel_that_came_to_nothing_before_a_person_answered_is_not_taken_for_theirs(state: IntentState) -> None:
    closed = replace(label(2, state=state), parcel=0, parcels=())
    one = store({})
    assert decided(("CANCELED",), record(closed), one).rule == "label_by_hand"
    assert decided(("CANCELED", "CREATED"), record(closed), one).rule == "label_there", "theirs is shown"
    after = decided(("CANCELED", "CANCELED"), record(closed), one)
    assert isinstance(after, MakeLabel), "theirs was shown, and cancelled"
    assert after.generation == 3
    ours = label(1, parcels=())
    assert decided(("CANCELED", "CANCELED"), record(ours, closed), one).rule == "label_due", "both came to nothing"
    replaced = label(2, 1, parcels=(), replaces=Replaced(1, "", "ada", "lost"))
    third = replace(closed, generation=3)
    assert decided(("CREATED", "CANCELED"), record(replaced, third), one).rule == "label_by_hand"


def test_a_new_label_that_a_person_gave_up_stands_for_no_parcel() -> None:
    """The old label is still there, and counts: beside it the given up one would hide that another lacks."""
    two = PLAN[:2]
    made = (label(1, parcels=two), label(2, parcels=two))
    gone = label(3, 1, IntentState.DROPPED, parcels=two, replaces=Replaced(1, "", "ada", "lost"))
    assert decided(("CREATED", "CREATED"), record(*made, gone)).rule == "label_there"
    for shown, parcel in ((("CREATED", "CANCELED"), 2), (("CANCELED", "CREATED"), 1)):
        found = decided(shown, record(*made, gone))
        assert isinstance(found, MakeLabel)
        assert (found.generation, found.parcel) == (4, parcel)
        after = record(*made, gone, label(4, parcel, parcels=two))
        assert decided((*shown, "CREATED"), after).rule == "label_there"
    late = record(*made, gone)
    assert decided(("CREATED", "CANCELED", "CREATED"), late).rule == "label_there", "it was made after all"


def test_the_first_label_fixes_the_parcels_whatever_the_policy_says_later() -> None:
    assert due(decided(("CREATED",), record(label(1)), rules())) == (2, 2)
    whole = replace(label(1), parcels=(), parcel=1)
    assert decided(("CREATED",), record(whole)).rule == "label_there", "it was one parcel when it was packed"
    refused = replace(label(1, state=IntentState.REFUSED), parcels=(), parcel=1)
    assert due(decided((), record(refused, waivers=(Waiver("label_refused"),)))) == (1, 1), "nothing was made then"


def test_a_label_that_was_registered_fixes_the_parcels_too() -> None:
    whole = intent(IntentKind.REGISTER_LABEL, generation=1, id="r", parcel=1)
    assert decided(("CREATED",), record(whole)).rule == "label_there", "it was one parcel when it was packed"
    of_three = replace(whole, parcels=PLAN)
    assert due(decided(("CREATED",), record(of_three), rules())) == (2, 2)
    assert due(decided(("CREATED", "CANCELED"), record(label(1), replace(of_three, generation=2, parcel=2)))) == (3, 2)


@pytest.mark.parametrize("state", [IntentState.DONE_BY_HAND, IntentState.DROPPED])
def test_so_does_one_of_unknown_outcome_that_a_person_took_care_of(state: IntentState) -> None:
    whole = replace(label(1, state=state), parcels=(), parcel=1)
    assert decided((), record(whole)).rule == "label_by_hand", "it was one parcel when it was asked for"


def test_a_label_that_somebody_else_has_made_stays_the_only_one_but_one_registered_here_is_of_a_parcel() -> None:
    assert decided(("CREATED",)).rule == "label_there"
    registered = intent(IntentKind.REGISTER_LABEL, generation=1, id="r")
    assert due(decided(("CREATED",), record(registered))) == (2, 2)
    assert due(decided(("CANCELED",))) == (2, 1)


@pytest.mark.parametrize("status", ["COLLECTED", "REVIEW_REQUIRED"])
def test_the_rest_is_not_forgotten_where_one_parcel_is_on_its_way(status: str) -> None:
    changed: dict[str, Any] = {"return_status": status}
    assert due(decided(("COLLECTED",), record(label(1)), **changed)) == (2, 2)
    all_of_them = record(label(1), label(2), label(3))
    assert decided(("COLLECTED",) * 3, all_of_them, **changed).rule == "no_label"
    assert decided(("COLLECTED",), record(), **changed).rule == "no_label", "not one that this desk began"
    assert decided(("CANCELED",), record(label(1)), **changed).rule == "no_label"


@pytest.mark.parametrize("status", ["COLLECTED", "REVIEW_REQUIRED"])
def test_what_a_person_must_see_to_is_held_too_where_one_parcel_is_on_its_way(status: str) -> None:
    it = process(line(quantity=2), line("retl_2"), return_status=status, logistics=("COLLECTED", "CREATED", "ERROR"))
    all_of_them = record(label(1), label(2), label(3))
    assert decide(it, store(), all_of_them, NOW).rule == "label_error"
    two = it.model_copy(update={"logistics": (it.logistics or ())[:2]})
    assert decide(two, store(carriers=()), record(label(1), label(2)), NOW).rule == "no_carrier"


def test_a_carrier_refused_for_one_parcel_is_not_asked_for_the_next_of_the_same_return() -> None:
    two = store(carriers=(Carrier(provider="X", carrier="GLS"), Carrier(provider="X", carrier="DHL")))
    refused = label(1, 1, IntentState.REFUSED, carrier="X/GLS", reason=Reason.COMBINATION)
    known = record(refused, replace(label(1), id="2"))
    found = decided(("CREATED",), known, two)
    assert isinstance(found, MakeLabel)
    assert (found.carrier, found.generation) == ("DHL", 2)


def test_more_parcels_than_anybody_means_are_held() -> None:
    it = process(line(quantity=11), **FRESH)
    held = decide_label(it, store(), record(), NOW)
    assert isinstance(held, Hold)
    assert (held.rule, held.label) == ("too_many_parcels", True)


def test_what_is_due_comes_through_the_ledger_whole() -> None:
    found = decided()
    assert isinstance(found, MakeLabel)
    mine = replace(LABEL.intent(found), id="1")
    restored = LABEL.restored(mine, LABEL.stored(LABEL.content(found)), found.rule, found.why)
    assert restored == found
    assert (mine.parcel, mine.parcels) == (1, PLAN)
    assert LABEL.covers(found, mine, restored)
    assert not LABEL.covers(replace(found, parcel=2), mine, restored)


# What the parcels weigh, and what is said where no carrier takes them.


SIDE = SideFacts(products={"S-1": ProductFacts("products.csv, row 2", weight=12_000)})
LIMITS = {"carriers": {"X/DHL": {"max_weight": "10 kg"}, "X/GLS": {"max_weight": "30 kg"}}}
TWO = (Carrier(provider="X", carrier="DHL"), Carrier(provider="X", carrier="GLS"))


def weighed(sku: str, **labels: Any) -> Decision:
    it = line(quantity=2)
    it = it.model_copy(update={"product": Product(sku=sku)})
    its = replace(rules(carriers=TWO, labels={**LIMITS, **labels}), side=SIDE)
    return decide_label(process(it, **FRESH), its, record(), NOW)


def test_the_carrier_fits_the_weight_and_each_that_does_not_is_named_with_its_reason() -> None:
    found = weighed("S-1")
    assert isinstance(found, MakeLabel)
    assert found.carrier == "GLS"
    assert found.why.endswith("goes by X/GLS; not by X/DHL: 10 kg at most, and the parcel weighs 24 kg")
    split = weighed("S-1", parcels={"max_units": 1})
    assert isinstance(split, MakeLabel)
    assert (split.carrier, split.parcel) == ("GLS", 1)
    assert "parcel 1 of 2: 1 of S-1; 12 kg" in split.why


def test_one_hold_says_all_that_was_tried() -> None:
    held = weighed("S-2")
    assert isinstance(held, Hold)
    assert held.rule == "no_carrier"
    for name, most in (("X/DHL", 10), ("X/GLS", 30)):
        said = f"{name}: {most} kg at most, and it is not known: the weight of S-2 (the table of products)"
        assert said in held.why
    assert "no carrier of the store is sure" in held.why


def test_why_a_carrier_is_chosen_can_be_asked_for() -> None:
    it = process(line(quantity=2), line("retl_2"), **FRESH)
    told = explain_label(it, store(carriers=TWO), record(), NOW)
    assert told[0].startswith("the return waits for a label: DROP_OFF_POINT in ES goes by X/DHL, parcel 1 of 3")
    assert told[1:] == (
        "parcel 1 of 3: 1 of retl_1; of unknown weight",
        "parcel 2 of 3: 1 of retl_1; of unknown weight",
        "parcel 3 of 3: 1 of retl_2; of unknown weight",
        "X/DHL: takes it",
        "X/GLS: takes it",
    )
    assert explain_label(process(**{**FRESH, "logistics": ["CREATED"]}), store(), record(), NOW) == ()
    assert explain_label(process(**{**FRESH, "method": "IN_STORE"}), store(), record(), NOW) == ()


def test_a_refused_label_says_all_that_it_takes_to_make_it_by_hand_but_no_address() -> None:
    refused = intent(IntentKind.LABEL, IntentState.REFUSED, generation=1, error_code="12", reason=Reason.BY_HAND)
    it = process(line(quantity=2), method="HOME_PICK_UP", **FRESH)
    held = decide_label(it, rules(labels={"slots": ["RANGE_8_TO_12"]}), record(refused), NOW)
    assert isinstance(held, Hold)
    assert held.evidence["order_name"] == "#1001"
    assert held.evidence["return_method"] == "HOME_PICK_UP"
    assert held.evidence["pickup_hours"] == "RANGE_8_TO_12"
    assert held.evidence["in_the_parcel"] == "2 of retl_1; of unknown weight"
    assert "at REVER" in held.evidence["address"]
    assert "Calle 1" not in str(held)


# Pickups: their hours, and their day.


WAITS = {"days_off": "wait", "slots": ["RANGE_8_TO_12"]}
FRIDAY = datetime(2026, 12, 4, 22, 30, tzinfo=UTC)


def pickup(now: datetime, labels: dict[str, Any], **changed: Any) -> Decision:
    its = replace(rules(labels=labels, carriers=TWO), zone=ZoneInfo("Europe/Madrid"))
    return decide_label(process(**{**FRESH, "method": "HOME_PICK_UP", **changed}), its, record(), now)


def test_a_pickup_waits_for_a_day_from_which_the_carrier_comes_on_a_working_day() -> None:
    found = pickup(FRIDAY, WAITS)
    assert isinstance(found, Wait)
    assert found.rule == "label_day_off"
    assert found.why == "2026-12-05 is Saturday, when no carrier comes; the pickup is ordered on 2026-12-06"
    assert found.until == datetime(2026, 12, 5, 23, 0, tzinfo=UTC), "midnight in Madrid"
    assert isinstance(pickup(found.until, WAITS), MakeLabel)
    assert isinstance(pickup(FRIDAY, {"slots": []}), MakeLabel), "nobody has asked to wait"
    assert isinstance(pickup(FRIDAY, WAITS, method="DROP_OFF_POINT"), MakeLabel)


def test_a_carrier_that_comes_on_days_off_is_ordered_at_once() -> None:
    found = pickup(FRIDAY, {**WAITS, "carriers": {"X/DHL": {"days_off": "order"}}})
    assert isinstance(found, MakeLabel)
    assert pickup(FRIDAY, {"carriers": {"X/DHL": {"days_off": "wait"}}}).rule == "label_day_off"


@pytest.mark.parametrize(
    ("wish", "slots"),
    [
        ((), ("RANGE_8_TO_12",)),
        (("NO_RANGE",), ("RANGE_8_TO_12",)),
        (("RANGE_16_TO_20",), ("RANGE_16_TO_20",)),
    ],
)
def test_the_shopper_s_wish_for_the_hours_comes_first_and_then_the_policy_s(
    wish: tuple[str, ...], slots: tuple[str, ...]
) -> None:
    found = pickup(FRIDAY, {"slots": ["RANGE_8_TO_12"]}, pickup_ranges=wish)
    assert isinstance(found, MakeLabel)
    assert found.slots == slots


def test_a_replacement_that_an_older_view_lacks_is_waited_for_and_the_error_not_asked_about_again() -> None:
    known = record(label(1), label(2), label(3), label(4, parcel=2))
    assert decided(("CREATED", "ERROR", "CREATED"), known).rule == "label_made"
