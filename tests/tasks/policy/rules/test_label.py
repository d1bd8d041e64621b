"""When a label is due, by which carrier, and what stops it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rever_api.errors import Reason
from rever_api.models import Address, Carrier, Warehouse
from tasks.policy.country import country_of
from tasks.policy.decide import decide
from tasks.policy.decision import Compensate, Decision, Hold, MakeLabel, Nothing, Wait
from tasks.policy.facts import incomplete_label
from tasks.policy.label_choice import warehouse_for
from tasks.policy.record import HoldKind, Intent, IntentKind, IntentState, Record, Waiver
from tasks.policy.rules.label import decide_label
from tests.tasks.policy.factories import NOW, approved, hold, intent, line, process, record, refund, rules, terms

LABEL = IntentKind.LABEL
FRESH: dict[str, Any] = {"return_status": "STARTED", "logistics": ()}


@pytest.mark.parametrize("method", ["HOME_PICK_UP", "DROP_OFF_POINT", "DELIVERY_PICKUP"])
@pytest.mark.parametrize("return_status", ["STARTED", ""])
def test_a_label_is_due(method: str, return_status: str) -> None:
    it = process(method=method, **{**FRESH, "return_status": return_status})
    decision = decide_label(it, rules(), record(), NOW)
    assert isinstance(decision, MakeLabel)
    assert (decision.generation, decision.provider, decision.carrier) == (1, "SENDCLOUD", "DHL")
    assert decision.return_method == method


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "IN_STORE"},
        {"method": "NO_RETURN_METHOD"},
        {"method": ""},
        {"return_status": "COLLECTED"},
        {"return_status": "SOMETHING_NEW"},
        {"status": "CANCELED"},
        {"status": "COMPLETED"},
        {"return_line_items": (line(reason="NOT_RECEIVED"),)},
        {"reviews": approved()},
        {"logistics": ["CREATED"]},
        {"logistics": ["CANCELED", "CREATED"]},
        {"logistics": ["A_NEW_STATUS"]},
    ],
)
def test_no_label_is_due(changed: dict[str, Any]) -> None:
    assert isinstance(decide_label(process(**{**FRESH, **changed}), rules(), record(), NOW), Nothing)


def test_one_line_that_was_received_needs_a_label() -> None:
    it = process(line(reason="NOT_RECEIVED"), line("retl_2"), **FRESH)
    assert isinstance(decide_label(it, rules(), record(), NOW), MakeLabel)


@pytest.mark.parametrize("status", ["NO_SHIPPING_STATUS", ""])
def test_a_label_that_rever_is_making_is_waited_for(status: str) -> None:
    decision = decide_label(process(**{**FRESH, "logistics": [status]}), rules(), record(), NOW)
    assert isinstance(decision, Wait)
    assert decision.rule == "label_pending"


def test_a_cancelled_label_is_followed_by_the_next() -> None:
    done = record(intent(LABEL, generation=1))
    decision = decide_label(process(**{**FRESH, "logistics": ["CANCELED"]}), rules(), done, NOW)
    assert isinstance(decision, MakeLabel)
    assert decision.generation == 2


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"logistics": ["ERROR"]}, "label_error"),
        ({"logistics": None}, "incomplete_read"),
        ({"method": "BY_PIGEON"}, "unknown_return_method"),
    ],
)
def test_what_holds_a_label(changed: dict[str, Any], rule: str) -> None:
    decision = decide_label(process(**{**FRESH, **changed}), rules(), record(), NOW)
    assert isinstance(decision, Hold)
    assert (decision.rule, decision.kind, decision.label) == (rule, HoldKind.LABEL, True)


def test_parcels_not_told_are_none_where_an_account_leaves_them_out() -> None:
    it = process(**{**FRESH, "logistics": None})
    assert incomplete_label(it, rules()) == ("logistics",)
    assert incomplete_label(it, rules(omits=True)) == ()
    assert isinstance(decide_label(it, rules(omits=True), record(), NOW), MakeLabel)


@pytest.mark.parametrize("state", [IntentState.INTENDED, IntentState.SENT, IntentState.UNKNOWN])
def test_an_open_label_is_not_asked_for_again(state: IntentState) -> None:
    decision = decide_label(process(**FRESH), rules(), record(intent(LABEL, state, generation=1)), NOW)
    assert isinstance(decision, Wait)
    assert (decision.rule, decision.until) == ("label_open", NOW + timedelta(minutes=5))


def test_a_label_we_made_and_rever_does_not_show() -> None:
    made = record(intent(LABEL, generation=1, sent_at=NOW))
    first = decide_label(process(**FRESH), rules(), made, NOW)
    assert isinstance(first, Wait)
    assert first.until == NOW + timedelta(minutes=15)
    assert decide_label(process(**FRESH), rules(), made, NOW + timedelta(minutes=15)).rule == "label_not_shown"
    by_hand = record(intent(LABEL, IntentState.DONE_BY_HAND, generation=1))
    assert isinstance(decide_label(process(**FRESH), rules(), by_hand, NOW), Nothing)


def test_a_refused_label_is_made_by_a_person() -> None:
    ops = record(intent(LABEL, IntentState.REFUSED, generation=1, error_code="12"))
    decision = decide_label(process(**FRESH), rules(), ops, NOW)
    assert isinstance(decision, Hold)
    assert decision.rule == "label_refused"
    assert "by hand" in decision.why
    waived = record(*ops.intents, waivers=(Waiver("label_refused"),))
    assert isinstance(decide_label(process(**FRESH), rules(), waived, NOW), MakeLabel)


def test_an_unanswered_hold_of_the_label_stays() -> None:
    decision = decide_label(process(**FRESH), rules(), record(holds=(hold("no_carrier", label=True),)), NOW)
    assert isinstance(decision, Hold)
    assert (decision.rule, decision.label) == ("no_carrier", True)


def test_a_retry_that_still_finds_no_way_asks_again_and_does_not_wait_for_ever() -> None:
    nobody = decide_label(process(**FRESH), rules(carriers=()), record(waivers=(Waiver("no_carrier"),)), NOW)
    assert isinstance(nobody, Hold)
    assert nobody.rule == "no_carrier"
    made = record(intent(LABEL, generation=1, sent_at=NOW), waivers=(Waiver("label_not_shown"),))
    not_shown = decide_label(process(**FRESH), rules(), made, NOW + timedelta(minutes=15))
    assert isinstance(not_shown, Hold)
    assert not_shown.rule == "label_not_shown"


@pytest.mark.parametrize(
    ("country", "method", "preferred", "chosen"),
    [
        ("ES", "DROP_OFF_POINT", (), "Correos"),
        ("es", "DROP_OFF_POINT", (), "Correos"),
        ("ES", "DROP_OFF_POINT", ("X/UPS", "X/DHL"), "UPS"),
        ("ES", "DROP_OFF_POINT", ("X/Seur",), "Correos"),
        ("ES", "HOME_PICK_UP", (), "UPS"),
        ("FR", "DROP_OFF_POINT", (), "UPS"),
        ("FR", "DELIVERY_PICKUP", (), None),
    ],
)
def test_the_carrier_fits_country_and_method(
    country: str, method: str, preferred: tuple[str, ...], chosen: str | None
) -> None:
    store = rules(
        label_carriers=preferred,
        carriers=(
            Carrier(provider="", carrier="Nobody"),
            Carrier(provider="X", carrier="Correos", countries=("ES",), return_methods=("DROP_OFF_POINT",)),
            Carrier(provider="X", carrier="UPS", return_methods=("DROP_OFF_POINT", "HOME_PICK_UP")),
        ),
    )
    decision = decide_label(process(country=country, method=method, **FRESH), store, record(), NOW)
    if chosen is None:
        assert isinstance(decision, Hold)
        assert decision.rule == "no_carrier"
        assert "DELIVERY_PICKUP in FR" in decision.why
    else:
        assert isinstance(decision, MakeLabel)
        assert decision.carrier == chosen


def test_money_comes_first_and_then_the_label() -> None:
    assert isinstance(decide(process(**FRESH), rules(), record(), NOW), MakeLabel)
    due = process(line(reason="NOT_RECEIVED"), line("retl_2"), **FRESH)
    assert isinstance(decide(due, rules(), record(), NOW), Compensate)
    paid = process(line(), refunds=[refund()], **FRESH)
    first = record(intent(), lines={"retl_1": terms()})
    assert isinstance(decide(paid, rules(timing="ON_START"), first, NOW), MakeLabel), "paid before the goods are sent"


def test_a_label_that_cannot_be_made_holds_a_return_that_waits_for_it() -> None:
    decision = decide(process(**FRESH), rules(carriers=()), record(), NOW)
    assert isinstance(decision, Hold)
    assert (decision.rule, decision.label) == ("no_carrier", True)
    held_money = decide(process(**FRESH), rules(carriers=()), record(holds=(hold(),)), NOW)
    assert held_money.rule == "foreign_refund"


@pytest.mark.parametrize(
    ("houses", "chosen"),
    [
        ([("a", False, ["FR"]), ("b", True, []), ("c", False, ["es"])], "c"),
        ([("a", False, ["FR"]), ("b", True, [])], "b"),
        ([("a", False, ["FR"])], "a"),
        ([("a", False, ["FR"]), ("b", False, [])], None),
        ([], None),
    ],
)
def test_the_warehouse(houses: list[tuple[str, bool, list[str]]], chosen: str | None) -> None:
    known = [Warehouse(id=name, is_default=default, countries=tuple(serves)) for name, default, serves in houses]
    found = warehouse_for(known, "ES")
    assert (found.id if found else None) == chosen


def sent_label(state: IntentState = IntentState.DONE, **fields: Any) -> Record:
    return record(intent(LABEL, state, generation=1, **fields))


def held_label(rule: str, why: str, told: dict[str, str]) -> Hold:
    return Hold(rule, why, HoldKind.LABEL, told, label=True)


HELD = record(holds=(replace(hold("b", label=True), id="b"), replace(hold("a", label=True), id="a")))
OLDER = Hold("a", "somebody else has paid", HoldKind.FOREIGN_REFUND, {"hold": "a"}, label=True)
EMPTY, SOON, QUARTER = record(), NOW + timedelta(minutes=10), NOW + timedelta(minutes=15)
ON_HOLD = "the return is 'ON_HOLD' at REVER, so no label is made"
NOT_HERE = "the return method 'BY_PIGEON' is not known here, so no label is made"
UNTOLD = "REVER's answer leaves out logistics, so whether there is a label is not known"
ERROR = "the carrier reports an error for the parcel; `send_again` asks for another label"
REFUSED = "REVER has refused to make the label{}: a person makes it by hand and registers it (`labels register`)"
UNSEEN = "the label was made long enough ago, and REVER does not show it"
OPEN = "the outcome of a label is still open (sent)"


@pytest.mark.parametrize(
    ("changed", "known", "expected"),
    [
        ({}, HELD, OLDER),
        ({"status": "ON_HOLD"}, EMPTY, Wait("label_on_hold", ON_HOLD, SOON)),
        ({"status": "FAILED"}, EMPTY, Nothing("no_label", "the return is 'FAILED' at REVER, so no label is made")),
        ({"method": "IN_STORE"}, EMPTY, Nothing("no_label", "a return by IN_STORE needs no label")),
        ({"method": ""}, EMPTY, Nothing("no_label", "a return by no method needs no label")),
        ({"return_status": "COLLECTED"}, EMPTY, Nothing("no_label", "the goods are past collection ('COLLECTED')")),
        ({"reviews": approved()}, EMPTY, Nothing("no_label", "every unit is inspected: the goods are there")),
        ({}, sent_label(IntentState.SENT, look_at=NOW - timedelta(1)), Wait("label_open", OPEN, NOW)),
        ({}, sent_label(IntentState.SENT, look_at=None), Wait("label_open", OPEN, SOON)),
        (
            {"method": "BY_PIGEON"},
            EMPTY,
            held_label("unknown_return_method", NOT_HERE, {"return_method": "'BY_PIGEON'"}),
        ),
        ({"logistics": None}, EMPTY, held_label("incomplete_read", UNTOLD, {"missing": "logistics"})),
        ({"logistics": [""]}, EMPTY, Wait("label_pending", "REVER is making the label", SOON)),
        ({"logistics": ["CREATED"]}, EMPTY, Nothing("label_there", "the label is there; waiting for the parcel")),
        ({"logistics": ["ERROR"]}, EMPTY, held_label("label_error", ERROR, {"logistics.status": "ERROR"})),
        ({}, sent_label(sent_at=NOW), Wait("label_made", "the label was made; REVER does not show it yet", QUARTER)),
        ({}, sent_label(), held_label("label_not_shown", UNSEEN, {"intent": sent_label().intents[0].id})),
        ({}, sent_label(IntentState.DROPPED), Nothing("label_by_hand", "a person has taken care of the label")),
    ],
)
def test_each_answer_about_a_label_is_told_whole(changed: dict[str, Any], known: Record, expected: Decision) -> None:
    assert decide_label(process(**{**FRESH, **changed}), rules(), known, NOW) == expected


def test_where_no_carrier_goes_is_told() -> None:
    why = "no carrier of the store serves DROP_OFF_POINT in FR"
    expected = held_label("no_carrier", why, {"return_method": "DROP_OFF_POINT", "country": "FR"})
    assert decide_label(process(country="fr", **FRESH), rules(carriers=()), EMPTY, NOW) == expected


PLACE = {"address_line_1": "Calle 1", "city": "Somewhere"}
CARRIERS = (
    Carrier(provider="X", carrier="GLS", countries=("ES",)),
    Carrier(provider="X", carrier="DHL", countries=("FR", "DEU", "Italia")),
)
HOUSES = [Warehouse(id=code, countries=(code,)) for code in ("ES", "FR", "DEU", "Italia")]


@pytest.mark.parametrize(
    ("told", "carrier", "house"),
    [
        ({"country_code": "FR"}, "DHL", "FR"),
        ({"country_code": "fra"}, "DHL", "FR"),
        ({"country": "FR"}, "DHL", "FR"),
        ({"country": "France"}, "DHL", "FR"),
        ({"country": "Francia"}, "DHL", "FR"),
        ({"country": "Alemania"}, "DHL", "DEU"),
        ({"country_code": "IT"}, "DHL", "Italia"),
        ({"country": "ESPANA"}, "GLS", "ES"),
        ({"country_code": "ES", "country": "FR"}, "GLS", "ES"),
        ({"country_code": "??", "country": "FR"}, "DHL", "FR"),
    ],
)
def test_carrier_and_warehouse_are_chosen_by_the_same_country(told: dict[str, str], carrier: str, house: str) -> None:
    address = Address(**PLACE, **told)
    decision = decide_label(process(pickup_address=address, **FRESH), rules(carriers=CARRIERS), EMPTY, NOW)
    assert isinstance(decision, MakeLabel)
    found = warehouse_for(HOUSES, country_of(address))
    assert (decision.carrier, found and found.id) == (carrier, house)


@pytest.mark.parametrize("method", ["HOME_PICK_UP", "DROP_OFF_POINT", "DELIVERY_PICKUP"])
@pytest.mark.parametrize("told", [{}, {"country": "Atlantis"}, {"country_code": "ZZ"}, {"country_code": "1"}])
def test_where_no_country_can_be_told_the_label_is_held_though_a_carrier_serves_all(
    method: str, told: dict[str, str]
) -> None:
    it = process(method=method, pickup_address=Address(**PLACE, **told), **FRESH)
    held = decide_label(it, rules(), EMPTY, NOW)
    assert isinstance(held, Hold)
    assert (held.rule, held.label) == ("no_country", True)


@pytest.mark.parametrize("method", ["HOME_PICK_UP", "DELIVERY_PICKUP"])
@pytest.mark.parametrize(
    "address",
    [
        None,
        Address(),
        Address(country_code="ES"),
        Address(address_line_1="Calle 1", country_code="ES"),
        Address(city="Valencia", country_code="ES"),
        Address(address_line_1=" ", city="Valencia", country_code="ES"),
    ],
)
def test_a_pickup_at_home_without_an_address_is_held(method: str, address: Address | None) -> None:
    held = decide_label(process(method=method, pickup_address=address, **FRESH), rules(), EMPTY, NOW)
    assert isinstance(held, Hold)
    assert (held.rule, held.label) == ("no_address", True)


def test_a_drop_off_needs_a_country_alone() -> None:
    known = process(pickup_address=Address(country_code="ES"), **FRESH)
    assert isinstance(decide_label(known, rules(), EMPTY, NOW), MakeLabel)
    assert decide_label(process(pickup_address=None, **FRESH), rules(), EMPTY, NOW).rule == "no_country"


def test_where_order_tags_decide_rever_chooses_the_warehouse() -> None:
    assert warehouse_for([*HOUSES, Warehouse(id="tagged", tags=("bulky",))], "FR") is None


def refused_by(carrier: str, refusal: Reason, number: int = 1) -> Intent:
    """The label that this carrier was refused for."""
    return intent(
        LABEL,
        IntentState.REFUSED,
        generation=1,
        error_code="3",
        carrier=f"X/{carrier}",
        reason=refusal,
        id=str(number),
    )


TWO = rules(carriers=(Carrier(provider="X", carrier="GLS"), Carrier(provider="X", carrier="DHL")))


def test_another_carrier_is_tried_where_the_combination_was_refused_and_a_person_after_the_last() -> None:
    first = record(refused_by("GLS", Reason.COMBINATION))
    decision = decide_label(process(**FRESH), TWO, first, NOW)
    assert isinstance(decision, MakeLabel)
    assert (decision.carrier, decision.generation) == ("DHL", 1)
    both = record(*first.intents, refused_by("DHL", Reason.COMBINATION, 2))
    held = decide_label(process(**FRESH), TWO, both, NOW)
    assert isinstance(held, Hold)
    assert (held.rule, held.evidence["reason"]) == ("label_refused", Reason.COMBINATION)
    again = decide_label(process(**FRESH), TWO, replace(both, waivers=(Waiver("label_refused"),)), NOW)
    assert isinstance(again, MakeLabel)


@pytest.mark.parametrize("refusal", [each for each in Reason if each is not Reason.COMBINATION])
def test_after_any_other_refusal_no_other_carrier_is_tried(refusal: Reason) -> None:
    tried = record(refused_by("GLS", Reason.COMBINATION), refused_by("DHL", refusal, 2))
    three = rules(carriers=(*TWO.settings.carriers, Carrier(provider="X", carrier="UPS")))
    for known in (tried, record(refused_by("GLS", refusal))):
        held = decide_label(process(**FRESH), three, known, NOW)
        assert isinstance(held, Hold)
        assert (held.rule, held.evidence["reason"]) == ("label_refused", refusal)


def test_a_combination_refused_for_the_label_before_is_tried_again_for_the_next() -> None:
    it = process(**{**FRESH, "logistics": ["CANCELED"]})
    decision = decide_label(it, TWO, record(refused_by("GLS", Reason.COMBINATION)), NOW)
    assert isinstance(decision, MakeLabel)
    assert (decision.carrier, decision.generation) == ("GLS", 2)


@pytest.mark.parametrize(("code", "told"), [("12", " (code '12')"), ("", "")])
def test_a_refusal_of_a_label_is_told_with_its_code(code: str, told: str) -> None:
    refused = sent_label(IntentState.REFUSED, error_code=code)
    held = decide_label(process(**FRESH), rules(), refused, NOW)
    assert isinstance(held, Hold)
    assert (held.rule, held.why) == ("label_refused", REFUSED.format(told))
    assert (held.evidence["intent"], held.evidence["code"]) == (refused.intents[0].id, code)


def test_a_label_after_two_that_failed_is_the_third() -> None:
    it = process(country="fr", return_status="STARTED", logistics=["CANCELED", "ERROR"])
    why = "the return waits for a label: DROP_OFF_POINT in FR goes by SENDCLOUD/DHL"
    expected = MakeLabel("label_due", why, 3, "SENDCLOUD", "DHL", "DROP_OFF_POINT")
    assert decide_label(it, rules(), record(waivers=(Waiver("label_error"),)), NOW) == expected


def test_goods_that_never_arrived_need_no_label() -> None:
    it = process(line(reason="NOT_RECEIVED"), **FRESH)
    why = "the goods never reached the shopper: there is nothing to send back"
    assert decide_label(it, rules(), record(), NOW) == Nothing("no_label", why)


@pytest.mark.parametrize("lines", [(), (line(quantity=0),), (line(quantity=-2),)])
def test_lines_that_name_no_goods_get_no_label_and_are_not_taken_for_never_received(lines: tuple[Any, ...]) -> None:
    it = process(**FRESH, return_line_items=lines)
    decision = decide_label(it, rules(), record(), NOW)
    assert decision == Nothing("no_label", "by its lines no unit is to come back")
    assert decide(it, rules(), record(), NOW).rule == "contradictory", "a person is asked all the same"


def test_goods_of_which_some_are_inspected_need_one() -> None:
    it = process(line(quantity=2), reviews=approved(), **FRESH)
    assert isinstance(decide_label(it, rules(), record(), NOW), MakeLabel)


def test_a_refusal_of_the_label_before_does_not_stop_the_next() -> None:
    refused = intent(LABEL, IntentState.REFUSED, generation=1)
    decision = decide_label(process(**{**FRESH, "logistics": ["CANCELED"]}), rules(), record(refused), NOW)
    assert isinstance(decision, MakeLabel)
    assert decision.generation == 2


def test_a_label_is_decided_where_money_waits_or_has_not_come_to_its_end() -> None:
    """Not beside a hold of the money, and not for a return that is at its end."""
    waiting = process(**FRESH)
    assert decide(waiting, rules(), record(), NOW).rule == "label_due"
    assert decide(waiting, rules(), record(holds=(hold(),)), NOW).rule == "foreign_refund"
    no_carrier = rules(carriers=())
    assert decide(waiting, no_carrier, record(), NOW).rule == "no_carrier"
    on_its_way = process(return_status="STARTED", logistics=["CREATED"])
    assert decide(on_its_way, no_carrier, record(), NOW).rule == "wait_goods"
    not_told = process(return_status="STARTED", logistics=None)
    assert decide(not_told, rules(), record(), NOW).rule != "incomplete_read"


def test_a_way_back_that_is_not_known_is_asked_about_while_goods_are_waited_for() -> None:
    assert decide(process(**FRESH, method="BY_DRONE"), rules(), record(), NOW).rule == "unknown_return_method"
