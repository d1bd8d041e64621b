"""Labels against a REVER over HTTP: several parcels of a return, the next carrier, days off, and what people make."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from rever_api.models import ReturnStatus, ShippingStatus
from rever_api.sandbox.faults import Fault, FaultPlan, NamedFault
from tests.world import Start, World

EACH = "default:\n  labels: {parcels: {max_units: 1}}\n"
WAITING = ("label_needed_pickup", "label_needed_drop_off", "label_canceled")
UNITS = (1, 2, 3)


def policy(world: World, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The desk's policy file from now on."""
    Path("policy.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("REVER_POLICY", "policy.yaml")


def several(start: Start, monkeypatch: pytest.MonkeyPatch, text: str = EACH, **how: object) -> World:
    """A shop whose returns wait for labels: of one unit, of two and of three, each unit in a parcel of its own."""
    world = start(shops=("acme",), returns=68, **how)
    world.keep_only(WAITING)
    policy(world, text, monkeypatch)
    sandbox = world.sandbox.sandbox
    with sandbox.locked():
        needed = {}
        for number, (process_id, stored) in enumerate(sandbox.processes.items()):
            units = needed[process_id] = UNITS[number % len(UNITS)]
            line = stored.process.return_line_items[0].model_copy(update={"quantity": units})
            stored.process = stored.process.model_copy(update={"return_line_items": (line,)})
        sandbox.options = replace(sandbox.options, parcels=needed)
    return world


def live(world: World) -> dict[str, int]:
    """Return -> its parcels at REVER that have not come to nothing."""
    dead = {ShippingStatus.CANCELED, ShippingStatus.ERROR}
    found = world.sandbox.sandbox.processes.items()
    return {name: sum(it.status not in dead for it in stored.process.logistics or ()) for name, stored in found}


def calls(world: World) -> Counter[str]:
    return Counter(entry.operation for entry in world.sandbox.journal.entries)


def needed(world: World) -> dict[str, int]:
    return dict(world.sandbox.sandbox.options.parcels)


def judged(world: World) -> None:
    """As many live labels as parcels, by REVER's books."""
    audit = world.sandbox.audit()
    assert audit.violations == ()
    assert [due.process_id for due in audit.due if due.label] == []
    assert live(world) == needed(world)


def label(world: World) -> None:
    world.run("generate-labels", mode="act")


def test_each_parcel_gets_its_label_in_one_run_and_no_run_after_it_makes_another(
    start_world: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = several(start_world, monkeypatch)
    planned = world.run("generate-labels")
    assert planned.decisions["label"] == len(needed(world))
    assert "createOrderV2" not in calls(world)
    label(world)
    judged(world)
    assert sorted(needed(world).values()) == [1, 1, 2, 2, 3, 3]
    made = sum(needed(world).values())
    assert calls(world)["createOrderV2"] == made
    for _ in range(2):
        label(world)
        world.act()
    assert calls(world)["createOrderV2"] == made
    judged(world)


def test_no_more_calls_than_it_takes(start_world: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each label one order and one read before it, and one read between two labels of a return."""
    world = several(start_world, monkeypatch)
    label(world)
    made, returns, found = sum(needed(world).values()), len(needed(world)), calls(world)
    assert found.pop("searchReturnProcesses") <= 2, "a page, and one that shows that it was the last"
    assert found == {
        "getEcommerceSettings": 1,
        "listWarehouses": 1,
        "createOrderV2": made,
        "getReturnProcess": made + made - returns,
    }


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("fault", [Fault.ACTS_ANSWER_LOST, Fault.NO_ANSWER_BEFORE_ACTING, Fault.REDIRECT_AFTER])
def test_where_an_answer_is_lost_none_is_made_twice_and_none_is_missing_in_the_end(
    start_world: Start, monkeypatch: pytest.MonkeyPatch, fault: Fault, nth: int
) -> None:
    world = several(start_world, monkeypatch)
    (three, *others) = [name for name, parcels in needed(world).items() if parcels == 3]
    with world.sandbox.sandbox.locked():
        for name in [name for name in needed(world) if name != three]:
            del world.sandbox.sandbox.processes[name]
        world.sandbox.sandbox.options = replace(world.sandbox.sandbox.options, parcels={three: 3})
    assert others
    world.sandbox.set_faults(FaultPlan(named=(NamedFault("createOrderV2", nth, fault),)))
    for _ in range(2):
        label(world)
        assert live(world)[three] <= 3
    assert live(world)[three] == (3 if fault is not Fault.NO_ANSWER_BEFORE_ACTING else nth - 1)
    world.pass_time(3600)
    for _ in range(3):
        label(world)
        world.act()
    assert world.sandbox.audit().violations == ()
    if fault is Fault.NO_ANSWER_BEFORE_ACTING:
        (hold,) = world.holds()
        assert hold.rule == "unknown_outcome"
        answer = {"hold_id": hold.hold_id, "version": str(hold.version), "answer": "send_again", "by": "ada"}
        world.tell("answer-hold", mode="act", reason="seen", **answer)
        label(world)
    judged(world)
    assert world.holds() == []


def test_while_reads_show_the_state_before_none_is_made_twice(
    start_world: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = several(start_world, monkeypatch)
    world.sandbox.set_faults(FaultPlan(rate=1.0, weights={Fault.STALE_READ: 1}))
    for _ in range(4):
        label(world)
        assert world.sandbox.audit().violations == ()
        assert all(live(world)[name] <= parcels for name, parcels in needed(world).items())
        world.pass_time(31)
    judged(world)


@pytest.mark.parametrize("status", [ShippingStatus.CANCELED, ShippingStatus.ERROR])
def test_a_parcel_that_comes_to_nothing_is_replaced_once(
    start_world: Start, monkeypatch: pytest.MonkeyPatch, status: ShippingStatus
) -> None:
    world = several(start_world, monkeypatch)
    label(world)
    lost = [name for name, parcels in needed(world).items() if parcels == 3]
    for name in lost:
        stored = world.sandbox.sandbox.find(name)
        parcels = list(stored.process.logistics or ())
        parcels[-2] = parcels[-2].model_copy(update={"status": status})
        with world.sandbox.sandbox.locked():
            world.sandbox.sandbox.change(stored, logistics=tuple(parcels))
    before = calls(world)["createOrderV2"]
    label(world)
    if status is ShippingStatus.ERROR:
        assert calls(world)["createOrderV2"] == before, "a person is asked first"
        for hold in world.holds():
            said = {"answer": "send_again", "by": "ada", "reason": "it was lost", "mode": "act"}
            world.tell("answer-hold", hold_id=hold.hold_id, version=str(hold.version), **said)
        label(world)
    label(world)
    world.act()
    assert calls(world)["createOrderV2"] == before + len(lost)
    judged(world)


def test_a_label_is_replaced_though_another_parcel_is_on_its_way(
    start_world: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = several(start_world, monkeypatch)
    label(world)
    sandbox = world.sandbox.sandbox
    with sandbox.locked():
        for stored in [sandbox.find(name) for name, parcels in needed(world).items() if parcels == 3]:
            states = (ShippingStatus.COLLECTED, ShippingStatus.CANCELED, ShippingStatus.CREATED)
            shown = zip(stored.process.logistics[-3:] if stored.process.logistics else (), states, strict=True)
            moved = [it.model_copy(update={"status": status}) for it, status in shown]
            before = (stored.process.logistics or ())[:-3]
            sandbox.change(stored, logistics=(*before, *moved), return_status=ReturnStatus.COLLECTED)
    world.pass_time(60)
    before_it = calls(world)["createOrderV2"]
    for _ in range(2):
        world.act()
    assert calls(world)["createOrderV2"] == before_it + 2
    judged(world)


@pytest.mark.parametrize("word", ["done_by_hand", "drop"])
def test_a_label_that_a_person_took_care_of_is_not_made_though_another_was_cancelled_before(
    start_world: Start, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    world = start_world(shops=("acme",), returns=34)
    world.keep_only(("label_canceled",))
    names = ("DHL", "CORREOS")
    limits = ", ".join(f"SENDCLOUD/{name}: {{max_weight: 1 kg}}" for name in names)
    policy(world, f"default: {{labels: {{carriers: {{{limits}}}}}}}\n", monkeypatch)
    label(world)
    (hold,) = world.holds()
    assert hold.rule == "no_carrier"
    said = {"answer": word, "by": "ada", "reason": "mailed", "mode": "act"}
    said |= {"reference": "mail 7"} if word == "done_by_hand" else {}
    world.tell("answer-hold", hold_id=hold.hold_id, version=str(hold.version), **said)
    policy(world, "default: {}\n", monkeypatch)
    for _ in range(2):
        label(world)
        world.act()
        world.pass_time(3600)
    assert (calls(world)["createOrderV2"], world.holds()) == (0, [])


def test_a_policy_that_changes_after_a_label_was_registered_adds_none_and_takes_none_away(
    start_world: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = several(start_world, monkeypatch, "default: {}\n")
    one, other = (name for name, parcels in needed(world).items() if parcels == 3)
    made = {"mode": "act", "carrier": "DHL"}
    world.run("register-label", process_id=one, tracking_id="JD1", **made)
    policy(world, EACH, monkeypatch)
    world.run("register-label", process_id=other, tracking_id="JD2", **made)
    policy(world, "default: {}\n", monkeypatch)
    label(world)
    policy(world, EACH, monkeypatch)
    label(world)
    world.act()
    assert {name: many for name, many in live(world).items() if many != 1} == {other: 3}


def test_a_policy_that_splits_later_adds_no_label(start_world: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    world = several(start_world, monkeypatch, "default: {}\n")
    label(world)
    policy(world, EACH, monkeypatch)
    for _ in range(2):
        label(world)
        world.act()
    assert set(live(world).values()) == {1}
    assert world.sandbox.audit().violations == ()


# The shop in six countries: the next carrier, days off, addresses, and labels that people make.


def atlas(start: Start, country: str, method: str = "DROP_OFF_POINT", **address: str) -> tuple[World, str]:
    """One return of that shop, from this country."""
    world = start(shops=("atlas",), returns=34)
    world.keep_only(["label_needed_drop_off"])
    (process_id,) = world.sandbox.process_ids()
    stored = world.sandbox.sandbox.find(process_id)
    assert stored.process.pickup_address
    update = {"country": country, "country_code": country, **address}
    stored.process = stored.process.model_copy(
        update={"return_method": method, "pickup_address": stored.process.pickup_address.model_copy(update=update)}
    )
    return world, process_id


def made_by(world: World, process_id: str) -> list[str]:
    return [it.carrier for it in world.sandbox.sandbox.find(process_id).process.logistics or ()]


@pytest.mark.parametrize(
    ("country", "carriers"),
    [("ES", ["DHL"]), ("FR", ["GLS"]), ("DE", ["DHL"]), ("IT", ["DHL"]), ("BE", ["GLS"]), ("PT", [])],
)
def test_each_country_has_its_carrier_and_a_refused_combination_the_next(
    start_world: Start, country: str, carriers: list[str]
) -> None:
    world, process_id = atlas(start_world, country)
    label(world)
    label(world)
    assert made_by(world, process_id) == carriers
    assert calls(world)["createOrderV2"] == (2 if country == "FR" else 1)
    assert world.sandbox.audit().violations == ()


def test_the_cheapest_carrier_that_takes_the_parcel(start_world: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    world, process_id = atlas(start_world, "DE")
    product = world.sandbox.sandbox.find(process_id).process.return_line_items[0].product
    assert product
    Path("products.csv").write_text(f"sku,weight\n{product.sku},12 kg\n", encoding="utf-8")
    policy(
        world,
        """\
default:
  facts: {products: products.csv}
  labels:
    carriers:
      SENDCLOUD/GLS: {cost: "3.00", currency: EUR, max_weight: 10 kg}
      SHIPPO/UPS: {cost: "4.00", currency: EUR, max_weight: 15 kg}
      SENDCLOUD/DHL: {cost: "5.00", currency: EUR}
""",
        monkeypatch,
    )
    told = world.tell("explain-return", process_id=process_id).as_json()["stories"][0]["label"]
    assert told[1:] == [
        f"in the parcel: 1 of {product.sku}; 12 kg",
        "SENDCLOUD/GLS: 10 kg at most, and the parcel weighs 12 kg",
        "SHIPPO/UPS: takes it, for 4.00 EUR",
        "SENDCLOUD/DHL: takes it, for 5.00 EUR",
        "SENDCLOUD/CORREOS: DE is not served",
        "OPS/CTT: DE is not served",
    ]
    label(world)
    assert made_by(world, process_id) == ["UPS"]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ({"address_line_1": "Calle de la Virgen del Perpetuo Socorro 128"}, "address_refused"),
        ({}, "pickup_slot_refused"),
    ],
)
def test_any_other_refusal_is_held_with_its_class_and_no_other_carrier_asked(
    start_world: Start, address: dict[str, str], reason: str
) -> None:
    world, process_id = atlas(start_world, "ES", "HOME_PICK_UP", **address)
    sandbox = world.sandbox.sandbox
    tomorrow = sandbox.clock().date() + timedelta(days=1)
    sandbox.shops["atlas"] = replace(sandbox.shops["atlas"], days_off=frozenset({tomorrow}))
    label(world)
    label(world)
    (hold,) = world.holds()
    assert (hold.rule, hold.evidence["reason"]) == ("label_refused", reason)
    assert calls(world)["createOrderV2"] == 1
    assert made_by(world, process_id) == []
    for text in address.values():
        assert text not in str(hold)


def test_a_pickup_waits_for_a_day_on_which_the_carrier_comes(
    start_world: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, process_id = atlas(start_world, "ES", "HOME_PICK_UP")
    policy(world, "default:\n  labels: {days_off: wait, slots: [RANGE_8_TO_12]}\n", monkeypatch)
    friday = _next_friday(world.now())
    world.pass_time((friday - world.now()).total_seconds())
    saturday, sunday = friday.date() + timedelta(days=1), friday.date() + timedelta(days=2)
    sandbox = world.sandbox.sandbox
    sandbox.shops["atlas"] = replace(sandbox.shops["atlas"], days_off=frozenset({saturday, sunday}))
    planned = world.run("generate-labels")
    label(world)
    assert planned.decisions["wait"] == 1
    assert made_by(world, process_id) == []
    assert "createOrderV2" not in calls(world)
    world.pass_time(2 * 86_400)
    label(world)
    assert made_by(world, process_id) == ["DHL"]
    assert world.holds() == []


def _sku(world: World, process_id: str) -> str:
    product = world.sandbox.sandbox.find(process_id).process.return_line_items[0].product
    assert product
    return product.sku


def _next_friday(now: datetime) -> datetime:
    """Noon of a Friday after which Monday is a working day in Spain."""
    day = now.date() + timedelta(days=1)
    while day.weekday() != 4 or (day + timedelta(days=3)) in _MONDAYS_OFF(day):
        day += timedelta(days=1)
    return datetime.combine(day, time(12), UTC)


def _MONDAYS_OFF(day: date) -> set[date]:  # noqa: N802 - a table, by year
    import holidays

    return set(holidays.country_holidays("ES", years=(day.year, day.year + 1)))


def test_what_people_make_is_held_with_all_that_it_takes_but_the_address(start_world: Start) -> None:
    world, process_id = atlas(start_world, "PT", "HOME_PICK_UP")
    label(world)
    (hold,) = world.holds()
    process = world.sandbox.sandbox.find(process_id).process
    assert (hold.rule, hold.evidence["reason"]) == ("label_refused", "done_by_hand_only")
    assert hold.evidence["warehouse"] == "Zaragoza"
    assert hold.evidence["order_name"] == process.order_name
    assert "SENDCLOUD/DHL, SENDCLOUD/GLS, SENDCLOUD/CORREOS, SHIPPO/UPS: PT is not served" in hold.evidence["tried"]
    (told,) = world.tell("explain-return", process_id=process_id).as_json()["stories"]
    assert f"in the parcel: 1 of {_sku(world, process_id)}; of unknown weight" in told["held"][0]["seen"]
    assert process.pickup_address
    assert process.pickup_address.address_line_1 not in str(hold)
    assert process.shopper
    assert process.shopper.email not in str(hold)


def test_a_carrier_that_the_store_does_not_have_is_said(start_world: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    world, _ = atlas(start_world, "ES")
    policy(world, "default: {labels: {carriers: {SENDCLOUD/DLH: {max_weight: 1 kg}}}}\n", monkeypatch)
    (note,) = [note for note in world.run("generate-labels").notes if "SENDCLOUD/DLH" in note]
    assert "SENDCLOUD/DHL" in note
    assert note.endswith("what is said of them does nothing")
