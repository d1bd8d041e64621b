"""Returns named by whatever a person knows: each flow that takes ids works on just those, or begins nothing."""

import json
import re
from importlib import import_module

import pytest
from prefect.exceptions import ParameterTypeError
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import ValidationError, validate

from flows.catalog import FLOWS
from flows.run import UsageError, parameters_for
from rever_api.models import ReturnProcess
from tasks.desk import WrongNameError
from tasks.find_returns import NothingFoundError, SeveralStoresError
from tests.world import World

EMAIL = "olga.ortiz@example.com"
NAMING = {name: field for name in FLOWS for field in ("process_id", "process_ids") if field in
          import_module(FLOWS[name]).Parameters.model_fields}  # fmt: skip
"""The flows that take returns, each with the parameter that does."""


NEEDED = {
    "cancel-return": {"reason": "asked for by mistake"},
    "register-label": {"carrier": "DHL", "tracking_id": "JD1"},
    "reissue-label": {"reason": "the shopper lost it"},
}
"""What a flow needs besides."""


def naming(flow: str, key: str) -> dict[str, str]:
    """The parameters of a run that is to work on what `key` names, and what the flow needs besides."""
    return {NAMING[flow]: key} | NEEDED.get(flow, {})


def form_naming(flow: str, key: str) -> dict[str, str | list[str]]:
    """The same as a form holds it."""
    return {**naming(flow, key), NAMING[flow]: key if NAMING[flow] == "process_id" else [key]}


def due(world: World, many: int = 1) -> list[ReturnProcess]:
    """Returns of which each is due one refund."""
    return [world.sandbox.sandbox.processes[each].process for each in world.sandbox.process_ids("approved_one")[:many]]


def same_order(world: World) -> tuple[str, list[str]]:
    """The number of an order with two returns that are due a refund, both of one store, and their ids."""
    payable = [item.process_id for item in world.sandbox.audit().due if item.amount and not item.blocked]
    processes = [world.sandbox.sandbox.processes[process_id].process for process_id in payable]
    one, other, *_ = [process for process in processes if process.ecommerce_id == "acme"]
    with world.sandbox.sandbox.locked():
        stored = world.sandbox.sandbox.processes[other.rever_process_id]
        stored.process = stored.process.model_copy(update={"order_name": one.order_name})
    return one.order_name, [one.rever_process_id, other.rever_process_id]


def at_two_stores(world: World) -> tuple[str, dict[str, str]]:
    """The number of an order that each of the two stores has, and the return of it at each; both are due a refund."""
    found = {}
    with world.sandbox.sandbox.locked():
        for process_id in world.sandbox.process_ids("approved_one"):
            stored = world.sandbox.sandbox.processes[process_id]
            if stored.process.ecommerce_id not in found:
                stored.process = stored.process.model_copy(update={"order_name": "#1001"})
                found[stored.process.ecommerce_id] = process_id
    assert set(found) == {"acme", "nordic"}
    return "1001", found


def effects_of(world: World) -> set[str]:
    return {effect.process_id for effect in world.sandbox.books.effects if effect.by == "api"}


@pytest.mark.parametrize("kind", ["order", "bare order", "tracking", "id"])
def test_process_return_takes_each_kind_of_key_and_says_what_it_found(world: World, kind: str) -> None:
    (it,) = due(world)
    assert it.logistics
    typed = {
        "order": it.order_name,
        "bare order": it.order_name.lstrip("#"),
        "tracking": f"tracking:{it.logistics[0].tracking_number}",
        "id": f"id:{it.rever_process_id}",
    }[kind]
    report = world.run("process-return", process_id=typed, mode="act")
    assert effects_of(world) == {it.rever_process_id}
    assert report.paid == world.paid() != {}
    said = [note for note in report.notes if note.startswith("found by")]
    assert said == [] if kind == "id" else it.rever_process_id in said[0]


def test_a_hold_names_its_return(world: World) -> None:
    world.act()
    hold = world.holds()[0]
    report = world.run("process-return", process_id=hold.hold_id)
    assert list(report.rows) == [hold.process_id]


@pytest.mark.parametrize("flow", ["process-return", "process-pending-returns"])
def test_an_order_number_names_all_its_returns_and_the_report_says_which(world: World, flow: str) -> None:
    number, ids = same_order(world)
    report = world.run(flow, mode="act", **naming(flow, number))
    assert effects_of(world) == set(ids)
    assert report.seen == 2
    assert report.paid == world.paid()
    (note,) = [note for note in report.notes if note.startswith(f"found by order number {number}: 2 returns: ")]
    assert all(process_id in note for process_id in ids)
    assert world.sandbox.audit().violations == ()


def test_returns_named_twice_are_worked_on_once(world: World) -> None:
    number, ids = same_order(world)
    report = world.run("process-pending-returns", mode="act", process_ids=f"{number},{ids[0]},{number.lstrip('#')}")
    assert report.seen == 2
    assert report.paid == world.paid()


def test_a_label_is_made_for_the_return_of_an_order(world: World) -> None:
    waiting = next(item.process_id for item in world.sandbox.audit().due if item.label and not item.label_blocked)
    number = world.sandbox.sandbox.processes[waiting].process.order_name
    world.run("generate-labels", mode="act", process_ids=number)
    assert effects_of(world) == {waiting}


@pytest.mark.parametrize("flow", sorted(NAMING))
@pytest.mark.parametrize("typed", ["#AC1", "retp_nobody", "0" * 32, "tracking:XX1"])
def test_nothing_found_begins_nothing(world: World, flow: str, typed: str) -> None:
    with pytest.raises(NothingFoundError):
        world.run(flow, **naming(flow, typed), **({} if flow == "explain-return" else {"mode": "act"}))
    assert effects_of(world) == set()


def test_one_key_that_finds_nothing_begins_nothing_for_the_others(world: World) -> None:
    (it,) = due(world)
    with pytest.raises(NothingFoundError, match="#AC1"):
        world.run("process-pending-returns", mode="act", process_ids=f"{it.rever_process_id},#AC1")
    assert effects_of(world) == set()


def test_an_order_of_a_store_that_was_not_asked_for_begins_nothing(world: World) -> None:
    (it,) = due(world)
    with pytest.raises(NothingFoundError):
        world.run("process-pending-returns", mode="act", stores="nordic", process_ids=it.order_name)
    assert effects_of(world) == set()


ACTING = sorted(set(NAMING) - {"explain-return"})


@pytest.mark.parametrize("flow", ACTING)
def test_an_order_that_two_stores_have_is_not_acted_on_until_the_run_says_at_which(world: World, flow: str) -> None:
    number, found = at_two_stores(world)
    with pytest.raises(SeveralStoresError, match=r"1001 .*acme, nordic.* stores=acme"):
        world.run(flow, mode="act", **naming(flow, number))
    assert effects_of(world) == set()
    with pytest.raises(SeveralStoresError):
        world.run("process-pending-returns", mode="act", process_ids=f"{found['acme']},{number}")
    assert effects_of(world) == set()


@pytest.mark.parametrize("flow", ["process-return", "process-pending-returns"])
def test_the_stores_that_a_run_names_say_which_of_the_orders_is_meant(world: World, flow: str) -> None:
    number, found = at_two_stores(world)
    report = world.run(flow, mode="act", stores="nordic", **naming(flow, number))
    assert effects_of(world) == {found["nordic"]}
    assert report.stores == ("nordic",)
    world.run(flow, mode="act", stores="acme,nordic", **naming(flow, number))
    assert effects_of(world) == set(found.values())


@pytest.mark.parametrize("flow", sorted({*ACTING} - {*NEEDED}))
def test_a_plan_shows_the_returns_of_both_stores_and_says_that_act_asks_which(world: World, flow: str) -> None:
    number, found = at_two_stores(world)
    report = world.run(flow, **naming(flow, number))
    assert set(report.rows) == set(found.values())
    (note,) = [note for note in report.notes if "mode=act" in note]
    assert "acme, nordic" in note
    assert "stores=acme" in note


def test_one_return_is_called_off_at_a_time_so_a_plan_names_all_that_the_order_has(world: World) -> None:
    number, found = at_two_stores(world)
    with pytest.raises(WrongNameError, match="2 returns; name one by its id") as refused:
        world.run("cancel-return", **naming("cancel-return", number))
    assert all(process_id in str(refused.value) for process_id in found.values())
    assert effects_of(world) == set()


def test_a_named_return_of_another_store_than_those_asked_for_is_not_passed_over_in_silence(world: World) -> None:
    _, found = at_two_stores(world)
    ids = f"{found['acme']},{found['nordic']}"
    report = world.run("process-pending-returns", mode="act", stores="nordic", process_ids=ids)
    assert effects_of(world) == {found["nordic"]}
    [failure] = report.failures
    assert failure.process_id == found["acme"]
    assert "of store 'acme'" in failure.why
    assert not report.failed


@pytest.mark.parametrize("flow", ACTING)
def test_where_no_named_return_is_of_a_store_that_was_asked_for_it_is_an_error(world: World, flow: str) -> None:
    _, found = at_two_stores(world)
    with pytest.raises(NothingFoundError, match="of store 'acme'"):
        world.run(flow, mode="act", stores="nordic", **naming(flow, found["acme"]))
    assert effects_of(world) == set()


@pytest.mark.parametrize("flow", sorted(NAMING))
@pytest.mark.parametrize("typed", [EMAIL, f"email:{EMAIL}", f"order:{EMAIL}", "olga.ortiz@"])
def test_no_form_takes_an_email_and_nobody_repeats_it(flow: str, typed: str) -> None:
    with pytest.raises(UsageError, match="e-mail address") as refused:
        parameters_for(flow, naming(flow, typed))
    assert "olga" not in str(refused.value)
    form = import_module(FLOWS[flow]).Parameters
    with pytest.raises(ValueError, match="e-mail address") as invalid:
        form(**form_naming(flow, typed))
    assert "olga" not in f"{invalid.value} {invalid.value!r}"


def test_a_name_that_is_typed_by_mistake_is_not_repeated() -> None:
    with pytest.raises(UsageError, match="no digit in it") as refused:
        parameters_for("process-return", {"process_id": "Olga Ortiz"})
    assert "Olga" not in str(refused.value)


@pytest.mark.parametrize("flow", sorted(NAMING))
def test_prefects_server_refuses_an_email_before_it_stores_the_run(flow: str) -> None:
    schema = parameter_schema(getattr(import_module(FLOWS[flow]), flow.replace("-", "_"))).model_dump()
    for typed, taken in ((EMAIL, False), ("#1001", True), ("1001", True), ("retp_1", True)):
        values = {"parameters": form_naming(flow, typed)}
        if taken:
            validate(values, schema, raise_on_error=True)
            continue
        with pytest.raises(ValidationError):
            validate(values, schema, raise_on_error=True)


async def test_a_form_that_reaches_a_flow_all_the_same_is_refused_without_the_email() -> None:
    from flows.process_return import process_return

    with pytest.raises(ParameterTypeError) as refused:
        process_return.validate_parameters({"parameters": {"process_id": EMAIL}})
    assert "olga" not in str(refused.value)


def test_the_report_in_json_says_what_was_found(world: World) -> None:
    number, ids = same_order(world)
    notes = json.loads(json.dumps(world.run("process-pending-returns", process_ids=number).as_json()))["notes"]
    (note,) = [note for note in notes if note.startswith("found by")]
    assert set(re.findall("retp_[0-9A-Za-z]{27}", note)) == set(ids)
