"""One store's fault stops no other, and is named; and every run that began reports what it did, however it ends."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection

from flows.run import BEGUN, CUT_OFF, RunFailedError, run_flow
from rever_api.errors import Unauthorized
from rever_api.models import RefundInput
from rever_api.sandbox.faults import Fault, FaultPlan, NamedFault
from tasks.ledger import Done, LedgerError, Recorded, record_done
from tasks.reporting.report import ReturnsReport, RunReport
from tests.world import Start, World

FLOWS = ("process-pending-returns", "generate-labels", "reconcile")


def break_at(world: World, store: str, operation: str, fault: Fault) -> None:
    """Let every call of this operation about this store fail."""
    named = tuple(NamedFault(operation, nth, fault, store) for nth in range(1, 40))
    world.sandbox.faults.set(replace(world.sandbox.faults.plan, named=named))


def reported(
    world: World, flow: str = "process-pending-returns", **values: str
) -> tuple[ReturnsReport, BaseException | None]:
    """The report of a run however it ended, and what ended it."""
    begun: list[RunReport] = []
    token = BEGUN.set(begun)
    try:
        run_flow(flow, {"mode": "act", **values}, prefect=False, clock=world.clock)
    except BaseException as error:  # noqa: BLE001 - whatever ends a run is looked at
        ended: BaseException | None = error
    else:
        ended = None
    finally:
        BEGUN.reset(token)
    [report] = begun
    assert isinstance(report, ReturnsReport)
    return report, ended


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        ("getEcommerceSettings", Fault.ERROR_500_BEFORE),
        ("getEcommerceSettings", Fault.UNAUTHORIZED_401),
        ("getEcommerceSettings", Fault.CUT_JSON),
        ("searchReturnProcesses", Fault.ERROR_500_BEFORE),
        ("searchReturnProcesses", Fault.UNAUTHORIZED_401),
    ],
)
def test_what_fails_at_one_store_goes_on_at_the_others(
    start_world: Start, flow: str, operation: str, fault: Fault
) -> None:
    whole = start_world(returns=24)
    whole_report = whole.run(flow, mode="act", stores="nordic")
    second = whole.ledger_file.with_name("second.sqlite")
    world = start_world({"REVER_LEDGER_URL": f"sqlite:///{second}"}, returns=24)
    break_at(world, "acme", operation, fault)
    report, ended = reported(world, flow)
    assert isinstance(ended, RunFailedError)
    assert list(report.stores_failed) == ["acme"]
    assert "store 'acme': " in report.as_json()["failed"]
    assert "nordic" not in report.as_json()["failed"]
    assert (report.decisions, report.paid) == (whole_report.decisions, whole_report.paid)
    assert report.paid or flow != "process-pending-returns"
    assert world.paid() == whole.paid()
    assert world.sandbox.audit().violations == ()


def test_labels_that_no_warehouse_can_be_read_for_keep_no_refund_back(start_world: Start) -> None:
    whole = start_world()
    whole.act()
    world = start_world({"REVER_LEDGER_URL": f"sqlite:///{whole.ledger_file.with_name('second.sqlite')}"})
    break_at(world, "acme", "listWarehouses", Fault.ERROR_500_BEFORE)
    report, _ = reported(world)
    assert world.paid() == whole.paid() == report.paid
    assert list(report.stores_failed) == ["acme"]
    assert "warehouses" in report.failed_why
    labels = {effect.store for effect in world.sandbox.books.effects if effect.operation == "createOrderV2"}
    assert labels == {"nordic"}
    world.sandbox.stop_faults()
    assert world.act().outcomes["done"] == sum(
        e.operation == "createOrderV2" and e.store == "acme" for e in whole.sandbox.books.effects
    )


def test_a_label_found_done_at_a_store_whose_settings_fail_fails_that_store_alone(start_world: Start) -> None:
    """What labels cost is told at the end, by rules that this store has not."""
    world = start_world(returns=24)
    world.sandbox.faults.set(FaultPlan(named=(NamedFault("createOrderV2", 1, Fault.ACTS_LATER),), later=50))
    first = world.run("generate-labels", mode="act", stores="acme")
    assert first.outcomes["unknown"] == 1
    world.pass_time(60)
    break_at(world, "acme", "getEcommerceSettings", Fault.ERROR_500_BEFORE)
    report, ended = reported(world, "generate-labels")
    assert isinstance(ended, RunFailedError)
    assert list(report.stores_failed) == ["acme"]
    assert report.broke_off == ""
    assert report.by_store["acme"].outcomes["done"] == 1


def test_a_page_that_is_refused_after_refunds_does_not_hide_them(
    start_world: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.fetch_returns.BATCH", 10)
    world = start_world(returns=40, shops=("acme",), scenarios=("approved_one",))
    named = tuple(NamedFault("searchReturnProcesses", nth, Fault.UNAUTHORIZED_401) for nth in range(2, 40))
    world.sandbox.faults.set(FaultPlan(named=named))
    report, ended = reported(world)
    assert isinstance(ended, RunFailedError)
    assert report.paid == world.paid() != {}
    assert "401" in report.as_json()["failed"]


def test_a_key_that_is_refused_for_an_effect_ends_the_run_with_its_report(start_world: Start) -> None:
    world = start_world(returns=60, scenarios=("approved_one",))
    named = tuple(NamedFault("issueRefund", nth, Fault.UNAUTHORIZED_401) for nth in range(6, 99))
    world.sandbox.faults.set(FaultPlan(named=named))
    report, ended = reported(world)
    assert isinstance(ended, Unauthorized)
    assert report.outcomes["done"] == 5
    assert report.paid == world.paid() != {}
    assert "401" in report.as_json()["failed"]
    calls = sum(entry.operation == "issueRefund" for entry in world.sandbox.journal.entries)
    assert calls < 5 + 2 * 8, "effects went on after the key was refused"


@pytest.mark.parametrize("nth", [1, 7])
def test_a_ledger_that_fails_in_mid_run_does_not_hide_what_was_paid(
    start_world: Start, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """The n-th confirmed refund cannot be written down: it is told as sent and unknown, with its money."""
    world = start_world(returns=30, scenarios=("approved_one",))
    calls = 0

    def failing(conn: Connection, dones: Sequence[Done]) -> list[Recorded]:
        nonlocal calls
        calls += len(dones)
        if calls >= nth:
            raise LedgerError("the disk is full")
        return record_done(conn, dones)

    monkeypatch.setattr("tasks.effects.perform.record_done", failing)
    report, ended = reported(world)
    assert isinstance(ended, LedgerError)
    assert report.as_json()["failed"] == "the disk is full"
    sent = world.sandbox.books.effects
    assert report.outcomes["done"] < nth
    assert report.outcomes["done"] + report.outcomes["unknown"] == len([each for each in sent if each.by == "api"])
    assert any("outcome is not known here" in note for note in report.notes)
    assert set(report.paid) <= set(world.paid())


def cut_off_after(monkeypatch: pytest.MonkeyPatch, nth: int, how: Callable[[], None]) -> None:
    """Do something to the run just as REVER's n-th answer to a refund is in."""
    calls = 0

    def body(**values: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth:
            how()
        return RefundInput(**values)

    monkeypatch.setattr("tasks.effects.calls.RefundInput", body)


def test_a_run_that_is_cancelled_reports_what_was_paid_and_what_was_cut_off(
    start_world: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = start_world(returns=40, scenarios=("approved_one",))
    loops: list[asyncio.Task[Any]] = []

    def cancel_all() -> None:
        for task in asyncio.all_tasks():
            if "stoppable" in str(task.get_coro()):
                loops.append(task)
                task.cancel()

    cut_off_after(monkeypatch, 12, cancel_all)
    report, ended = reported(world)
    assert loops
    assert isinstance(ended, asyncio.CancelledError)
    assert report.as_json()["failed"] == CUT_OFF
    done = world.read(lambda conn: list(conn.exec_driver_sql("SELECT state, currency, amount FROM intents")))
    paid: dict[str, Decimal] = {}
    for state, currency, amount in done:
        if state == "done":
            paid[currency] = paid.get(currency, Decimal(0)) + Decimal(str(amount))
    assert {currency: Decimal(amount) for currency, amount in report.paid.items()} == paid
    assert report.outcomes["unknown"] == sum(state == "unknown" for state, *_ in done)
    world.let_pass(120)
    again = world.act()
    total = {c: report.paid.get(c, Decimal(0)) + again.paid.get(c, Decimal(0)) for c in {*report.paid, *again.paid}}
    assert total == world.paid()
    assert world.sandbox.audit().violations == ()


def test_named_returns_of_a_store_that_fails_keep_no_other_back(world: World) -> None:
    ids = [world.sandbox.process_ids("approved_one", store=store)[0] for store in ("acme", "nordic")]
    break_at(world, "acme", "getEcommerceSettings", Fault.ERROR_500_BEFORE)
    report, _ = reported(world, process_ids=",".join(ids))
    assert list(report.stores_failed) == ["acme"]
    assert set(report.paid) == {"SEK"}
