"""generate-labels: a label for each return that waits for one, once."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from rever_api.models import LogisticOrderRequest
from rever_api.sandbox.state import invalid
from tasks.find_returns import NothingFoundError
from tests.world import Start, World


def labels(world: World) -> Counter[str]:
    """Labels made through the API, by return."""
    effects = world.sandbox.books.effects
    return Counter(effect.process_id for effect in effects if effect.operation == "createOrderV2")


def waiting(world: World) -> set[str]:
    """Returns that wait for a label which can be made."""
    return {item.process_id for item in world.sandbox.audit().due if item.label and not item.label_blocked}


def test_each_return_that_waits_gets_one_label(world: World) -> None:
    due = waiting(world)
    report = world.run("generate-labels", mode="act")
    assert due
    assert labels(world) == Counter(due)
    assert report.outcomes["done"] == len(due)
    assert waiting(world) == set()
    assert world.paid() == {}


def test_a_return_of_another_store_than_those_asked_for_gets_none(world: World) -> None:
    theirs = sorted(waiting(world) & set(world.sandbox.process_ids(store="nordic")))
    assert theirs
    with pytest.raises(NothingFoundError, match="it is of store 'nordic', and acme was asked for"):
        world.run("generate-labels", mode="act", stores="acme", process_ids=",".join(theirs))
    assert labels(world) == {}


def test_a_second_run_makes_none(world: World) -> None:
    world.run("generate-labels", mode="act")
    before = labels(world)
    world.run("generate-labels", mode="act")
    world.act()
    assert labels(world) == before
    assert world.sandbox.audit().violations == ()


def test_what_nobody_can_make_is_held(world: World) -> None:
    report = world.run("generate-labels", mode="act")
    assert report.outcomes["refused"] >= 1
    assert report.outcomes["held"] >= 2


def test_plan_makes_none(world: World) -> None:
    report = world.run("generate-labels")
    assert report.decisions["label"] == len(waiting(world)) + report.outcomes["refused"] + 1
    assert labels(world) == Counter()


def test_a_page_that_leaves_out_the_parcels_is_read_again_before_anything_is_held(start_world: Start) -> None:
    world = start_world(faults="searchReturnProcesses:1:missing_field")
    due = waiting(world)
    world.run("generate-labels", mode="act")
    world.run("generate-labels", mode="act")
    assert labels(world) == Counter(due)


def test_what_the_labels_cost_is_told_as_far_as_the_policy_tells_it(start_world: Start, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(
        "default: {labels: {carriers: {SENDCLOUD/DHL: {cost: '5.20', currency: EUR}}}}\n"
    )
    world = start_world({"REVER_POLICY": str(tmp_path / "policy.yaml")}, shops=("acme",), returns=68)
    for mode in ("plan", "act"):
        report = world.run("generate-labels", mode=mode)
        by = Counter(carrier for counts in report.labels.values() for carrier in counts.elements())
        rest = by.total() - by["SENDCLOUD/DHL"]
        assert by["SENDCLOUD/DHL"] > 0 < rest
        words = f"acme: {by.total()} labels: {by['SENDCLOUD/DHL'] * Decimal('5.20')} EUR by the policy file's costs"
        assert f"{words}, the cost of {rest} is not known, since no `cost` in the policy file tells it" in report.notes
    assert by.total() == report.outcomes["done"]


def refusing(monkeypatch: pytest.MonkeyPatch, words: str, but: str = "CORREOS") -> list[str]:
    """Have the sandbox refuse every carrier but one, in these words; the carriers asked come here."""
    asked: list[str] = []

    def check(_sandbox: object, _process: object, wanted: LogisticOrderRequest, *_: object) -> None:
        asked.append(wanted.carrier)
        if wanted.carrier != but:
            raise invalid(words)

    monkeypatch.setattr("rever_api.sandbox.operations._check_combination", check)
    return asked


def spanish(world: World) -> str:
    """A return that two carriers serve: dropped off in Spain."""
    process_id = min(waiting(world))
    in_spain(world, process_id, country="ES", country_code="ES")
    return process_id


def in_spain(world: World, process_id: str, **country: str) -> None:
    stored = world.sandbox.sandbox.processes[process_id]
    assert stored.process.pickup_address
    address = stored.process.pickup_address.model_copy(update=country)
    stored.process = stored.process.model_copy(
        update={"pickup_address": address, "return_method": "DROP_OFF_POINT", "return_status": "STARTED"}
    )


def test_another_carrier_is_tried_in_the_same_run_where_the_combination_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    process_id = spanish(world)
    asked = refusing(monkeypatch, "the combination of provider, carrier and method is not supported")
    world.run("generate-labels", mode="act", process_ids=process_id)
    assert asked == ["DHL", "CORREOS"]
    assert labels(world) == {process_id: 1}
    assert [hold for hold in world.holds() if hold.process_id == process_id] == []


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("no pickup slot for this carrier", "pickup_slot_refused"),
        ("address_line_1 is too long", "address_refused"),
        ("no", "other"),
    ],
)
def test_after_another_refusal_a_person_is_asked_and_told_its_class(
    world: World, monkeypatch: pytest.MonkeyPatch, words: str, reason: str
) -> None:
    process_id = spanish(world)
    asked = refusing(monkeypatch, words)
    world.run("generate-labels", mode="act", process_ids=process_id)
    assert asked == ["DHL"]
    (hold,) = [hold for hold in world.holds() if hold.process_id == process_id]
    assert (hold.rule, hold.evidence["reason"]) == ("label_refused", reason)
    assert labels(world) == {}


def test_an_address_with_a_name_of_its_country_alone_gets_its_label(world: World) -> None:
    process_id = spanish(world)
    in_spain(world, process_id, country="España", country_code="")
    world.run("generate-labels", mode="act", process_ids=process_id)
    assert labels(world) == {process_id: 1}


def test_the_lines_of_stores_say_what_a_plan_would_do_there_and_what_is_still_held_there(start_world: Start) -> None:
    world = start_world(returns=60)
    plan = world.run("generate-labels", mode="plan")
    world.run("generate-labels", mode="act")
    again = world.run("generate-labels", mode="act")
    for report in (plan, again):
        for store in ("acme", "nordic"):
            tally, begin = report.at(store), f"  at {store}: "
            said = ", ".join(f"{many} {name}" for name, many in sorted(tally.decided.items()))
            lines = [line.removeprefix(begin) for line in report.lines() if line.startswith(begin)]
            assert lines == ([f"{tally.seen} returns, {said}"] if said else [])
    assert sum(plan.at(store).decided["label"] for store in plan.stores) == plan.decisions["label"] > 0
    assert again.outcomes.total() == 0 < again.decisions["hold"]
