"""reconcile from end to end: what no search for running returns shows is found; nothing is sent."""

import csv
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from flows.run import RunFailedError
from rever_api import AsyncReverClient
from rever_api.errors import OutcomeUnknown
from rever_api.models import Compensation, ProcessStatus, ReturnProcess, SearchQuery, UnreadableProcess
from rever_api.sandbox import operations
from tasks.desk import DeskError
from tests.world import Start, World


def test_a_return_of_a_status_not_known_is_held_and_not_forgotten(world: World) -> None:
    paused = world.sandbox.process_ids("unknown_status")
    assert paused
    world.act()
    assert set(paused) <= set(world.sandbox.audit().forgotten(world.explained()))
    world.run("reconcile", mode="act")
    assert world.sandbox.audit().forgotten(world.explained()) == ()
    held = {hold.process_id: hold for hold in world.holds()}
    assert {held[process_id].rule for process_id in paused} == {"unknown_status"}


def test_nothing_is_sent_though_much_is_due(world: World) -> None:
    world.run("reconcile", mode="act")
    assert [effect for effect in world.sandbox.books.effects if effect.by == "api"] == []
    assert world.act().paid
    assert world.sandbox.audit().violations == ()


def comparison(world: World, folder: Path, **values: str) -> dict[str, dict[str, str]]:
    """The comparison as finance gets it, by return."""
    file = folder / "comparison.csv"
    world.run("reconcile", csv=str(file), **values)
    with file.open(encoding="utf-8", newline="") as text:
        return {row["process_id"]: row for row in csv.DictReader(text)}


def test_the_file_has_every_cent_of_both_sides(world: World, tmp_path: Path) -> None:
    world.act()
    world.run("reconcile", mode="act")
    found = comparison(world, tmp_path, mode="act")
    assert set(found) == set(world.sandbox.process_ids())
    books = world.sandbox.books
    for currency in ("EUR", "SEK"):
        theirs = sum(Decimal(row["rever"]) for row in found.values() if row["currency"] == currency)
        assert theirs == sum(e.amount for e in books.effects if e.amount is not None and e.currency == currency)
    paid = [row for row in found.values() if row["seen"] == "same"]
    assert len(paid) > 10
    assert all(Decimal(row["difference"]) == 0 for row in paid)
    unlike = {row["process_id"] for row in found.values() if row["seen"] not in {"same", "neither"}}
    held = {hold.process_id for hold in world.holds()}
    assert unlike <= held


def test_a_return_that_only_rever_knows_is_found_and_adopted_or_held(world: World, tmp_path: Path) -> None:
    exact, different = (world.sandbox.process_ids(name)[0] for name in ("foreign_exact", "foreign_different"))
    planned = comparison(world, tmp_path)
    assert not world.ledger_file.exists()
    assert {planned[exact]["seen"], planned[different]["seen"]} == {"only theirs"}
    world.run("reconcile", mode="act")
    after = comparison(world, tmp_path, mode="act")
    assert after[exact]["seen"] == "same"
    assert after[different]["decision"] == "foreign_refund"
    assert [hold.rule for hold in world.holds() if hold.process_id == different] == ["foreign_refund"]
    assert [effect for effect in world.sandbox.books.effects if effect.by == "api"] == []


def test_a_payment_by_hand_is_called_so_whether_rever_shows_it_or_not(world: World, tmp_path: Path) -> None:
    shown, sold_out = (world.sandbox.process_ids(name)[0] for name in ("foreign_different", "exchange_out_of_stock"))
    world.act()
    theirs = comparison(world, tmp_path)[shown]["rever"]
    held = {hold.process_id: hold for hold in world.holds()}
    for process_id, amount in ((shown, theirs), (sold_out, "37.00")):
        hold = {"hold_id": held[process_id].hold_id, "version": str(held[process_id].version)}
        said = {"answer": "done_by_hand", "by": "olga", "reference": "bank 7", "amount": amount}
        world.run("answer-hold", mode="act", **hold, **said)
    found = comparison(world, tmp_path, mode="act")
    row = found[shown]
    assert (row["ours"], row["rever"], row["by_hand"], row["seen"]) == ("0", theirs, theirs, "by hand")
    row = found[sold_out]
    assert (row["ours"], row["rever"], row["by_hand"], row["seen"]) == ("0", "0", "37.00", "only by hand")


def test_what_is_paid_again_after_a_return_has_ended_is_held_once(world: World, tmp_path: Path) -> None:
    ended = world.sandbox.process_ids("approved_one")[0]
    world.act()
    world.run("reconcile", mode="act")
    assert comparison(world, tmp_path, mode="act")[ended]["decision"] == "at its end"
    world.sandbox.act("pay", ended, amount="5.00")
    report = world.run("reconcile", mode="act")
    assert any(note.startswith(f"{ended}: REVER shows 5") for note in report.notes)
    [hold] = [hold for hold in world.holds() if hold.process_id == ended]
    assert "5.00" in hold.why
    assert comparison(world, tmp_path, mode="act")[ended]["difference"] == "5.00"
    world.act()
    assert [hold] == [hold for hold in world.holds() if hold.process_id == ended]


def test_a_cancelled_return_that_was_refunded_is_held_though_the_rules_leave_it(world: World) -> None:
    cancelled = world.sandbox.process_ids("canceled")[0]
    world.sandbox.act("pay", cancelled, amount="5.00")
    world.run("reconcile", mode="act")
    [hold] = [hold for hold in world.holds() if hold.process_id == cancelled]
    assert hold.rule == "differs_from_rever"
    told = {"hold_id": hold.hold_id, "version": str(hold.version), "answer": "drop", "by": "olga", "reason": "goodwill"}
    world.run("answer-hold", mode="act", **told)
    world.run("reconcile", mode="act")
    assert [hold for hold in world.holds() if hold.process_id == cancelled] == []


def test_what_is_paid_beside_us_while_rever_holds_a_return_is_held(world: World) -> None:
    """Found by the model. A return that we have not paid is left to REVER's people as long as they hold it."""
    paid, unpaid = world.sandbox.process_ids("approved_one")[:2]
    world.sandbox.act("hold", unpaid)
    world.act()
    with world.sandbox.sandbox.locked():  # REVER held it just when it was paid, so it did not complete
        stored = world.sandbox.sandbox.processes[paid]
        stored.process = stored.process.model_copy(update={"rever_process_status": ProcessStatus.ON_HOLD})
    for process_id in (paid, unpaid):
        world.sandbox.act("pay", process_id, amount="5.00")
    world.run("reconcile", mode="act")
    [hold] = [hold for hold in world.holds() if hold.process_id in {paid, unpaid}]
    assert (hold.process_id, hold.rule) == (paid, "differs_from_rever")
    assert "5.00" in hold.why


def test_what_rever_no_longer_shows_is_waited_for_and_then_held(world: World, tmp_path: Path) -> None:
    paid = world.sandbox.process_ids("approved_one")[0]
    world.act()
    with world.sandbox.sandbox.locked():
        stored = world.sandbox.sandbox.processes[paid]
        stored.process = stored.process.model_copy(update={"compensation": Compensation(refunds=())})
    later = world.clock
    world.run("reconcile", mode="act")
    world.clock = lambda: later() + timedelta(minutes=10)
    found = comparison(world, tmp_path, mode="act")[paid]
    assert found["seen"] == "only ours"
    assert [hold.rule for hold in world.holds() if hold.process_id == paid] == ["rever_shows_less"]
    world.act()
    assert len([e for e in world.sandbox.books.effects if e.process_id == paid and e.by == "api"]) == 1


@pytest.mark.parametrize("ignored", [True, False])
def test_a_rever_that_does_not_know_updated_since_is_walked_no_further_than_needed(
    start_world: Start, monkeypatch: pytest.MonkeyPatch, ignored: bool
) -> None:
    """The filter is assumed. Without it the walk ends once a page of older returns has passed."""
    if ignored:
        monkeypatch.setattr(operations, "_since", lambda _: lambda _: True)
    world = start_world(returns=500, shops=("acme",))
    fresh = world.sandbox.process_ids("unknown_status")[0]
    with world.sandbox.sandbox.locked():
        for process_id, stored in world.sandbox.sandbox.processes.items():
            at = datetime.now(UTC) - timedelta(days=0 if process_id == fresh else 3)
            stored.process = stored.process.model_copy(update={"updated_at": at})
    report = world.run("reconcile", mode="act", hours="24")
    assert report.seen == 1
    assert [hold.process_id for hold in world.holds()] == [fresh]
    assert len(world.sandbox.journal.entries) < 10


@pytest.mark.parametrize("told", [0, 1, 5])
def test_what_a_list_showed_before_it_broke_is_compared(
    start_world: Start, monkeypatch: pytest.MonkeyPatch, told: int
) -> None:
    """A page cannot be had: the returns before it, fewer than a batch, are compared, and the store still fails."""
    world = start_world(returns=12, shops=("acme",))
    walk = AsyncReverClient.walk_return_processes

    async def breaking(
        client: AsyncReverClient, query: SearchQuery
    ) -> AsyncIterator[ReturnProcess | UnreadableProcess]:
        left = told
        async for entry in walk(client, query):
            if not left:
                raise OutcomeUnknown("the list broke", operation="searchReturnProcesses", status=500)
            left -= 1
            yield entry

    monkeypatch.setattr(AsyncReverClient, "walk_return_processes", breaking)
    with pytest.raises(RunFailedError, match="the list broke") as failed:
        world.run("reconcile", mode="act")
    assert (failed.value.report.seen, [*failed.value.report.stores_failed]) == (told, ["acme"])


def test_a_file_that_cannot_be_written_is_said_before_anything_is_done(world: World, tmp_path: Path) -> None:
    with pytest.raises(DeskError, match="name a file in a folder that is there"):
        world.run("reconcile", mode="act", csv=str(tmp_path / "nowhere" / "c.csv"))
    assert world.holds() == []


def test_a_cell_is_no_formula(world: World, tmp_path: Path) -> None:
    first = world.sandbox.process_ids("approved_one")[0]
    with world.sandbox.sandbox.locked():
        stored = world.sandbox.sandbox.processes[first]
        stored.process = stored.process.model_copy(update={"order_name": "=HYPERLINK(1)"})
    assert comparison(world, tmp_path)[first]["order"] == "'=HYPERLINK(1)"
