"""A return that somebody asks for, over HTTP: made once, settled by its order, held and answered like any effect."""

import asyncio
import re
from dataclasses import replace

import pytest

from rever_api.errors import WrongSetup
from rever_api.sandbox.faults import Fault, FaultPlan
from tasks.crash_points import CrashPoint
from tasks.desk import Desk, DeskError
from tasks.effects.carry_out import AskedReturn
from tasks.effects.perform import Result
from tasks.ledger import History, history, stop_switch
from tasks.policy.decision import AskedEffect, Nothing, Wait
from tasks.policy.kinds.create_return import NewItem, NewReturn
from tasks.policy.order_returns import OrderKey
from tasks.policy.record import IntentKind
from tasks.settle_outcomes import Settlement
from tests.asked import NEW, ORDER, ask, at_desk, settled
from tests.books import LedgerState
from tests.judge import assert_promises_kept, everything
from tests.world import Start, World

CREATE = IntentKind.CREATE_RETURN
SECOND = replace(NEW, items=(NewItem("ACME-001-M", (2,)), NewItem("ACME-002-S", (1,))), source="returns.csv, row 2")


def asked(world: World, content: NewReturn | None = None) -> AskedReturn:
    """Ask for the return."""
    found = at_desk(world, lambda desk: ask(desk, CREATE, ORDER, content))
    assert isinstance(found, AskedReturn)
    return found


def spelled(world: World, name: str) -> AskedReturn:
    """Ask for the return, by an order's name in this spelling."""
    found = at_desk(
        world, lambda desk: ask(desk, CREATE, OrderKey("acme", name).process_id, replace(NEW, order_name=name))
    )
    assert isinstance(found, AskedReturn)
    return found


def made(world: World) -> list[str]:
    """The returns that REVER has made for us."""
    return [it.process_id for it in world.sandbox.books if it.operation == "createReturn" and not it.foreign]


def shop(start_world: Start, settings: dict[str, str] | None = None, name: str = "acme") -> World:
    """A shop with one return that has nothing to do with the order."""
    world = start_world(settings=settings, shops=(name,), returns=34)
    world.keep_only(["collected"])
    return world


def result(found: AskedReturn) -> Result:
    """What came of it."""
    assert found.outcome is not None
    return found.outcome.result


def test_it_is_made_once_however_often_it_is_asked_for(start_world: Start) -> None:
    world = shop(start_world)
    first = asked(world)
    assert isinstance(first.decided.decision, AskedEffect)
    assert result(first) is Result.DONE
    again = asked(world)
    assert again.outcome is None
    assert isinstance(again.decided.decision, Nothing)
    (process_id,) = made(world)
    (intent,) = world.read(LedgerState.read).intents
    assert (intent.kind, intent.state, intent.evidence["process"]) == (CREATE, "done", process_id)
    process = world.sandbox.sandbox.find(process_id).process
    assert process.shopper is not None
    assert (process.order_name, process.shopper.email) == ("#N1", NEW.email)
    assert [(it.product.sku, it.quantity, it.return_reason) for it in process.return_line_items if it.product] == [
        ("ACME-001-M", 1, "TOO_SMALL")
    ]
    world.act()
    assert_promises_kept(world)


def test_an_order_has_as_many_returns_as_are_asked_for(start_world: Start) -> None:
    world = shop(start_world)
    assert asked(world, SECOND).outcome is None, "its first unit comes first"
    assert result(asked(world)) is Result.DONE
    assert result(asked(world, SECOND)) is Result.DONE
    assert asked(world, SECOND).outcome is None
    assert len(made(world)) == 2
    assert world.sandbox.audit().clean


def test_what_is_asked_for_under_one_key_is_one_return_whatever_its_units(start_world: Start) -> None:
    world = shop(start_world)
    asked(world)
    again = asked(world, replace(SECOND, source=NEW.source))
    assert again.outcome is None
    assert "under the same key (retp_" in again.decided.decision.why
    assert result(asked(world, SECOND)) is Result.DONE
    assert len(made(world)) == 2


def test_a_list_that_does_not_show_it_yet_makes_no_second_one(start_world: Start) -> None:
    world = shop(start_world)
    asked(world)
    world.sandbox.set_faults(FaultPlan(1.0, weights={Fault.STALE_READ: 1}))
    for content in (NEW, SECOND):
        again = asked(world, content)
        assert again.outcome is None
        assert again.decided.decision.rule == "stale_view"
    assert len(made(world)) == 1


def test_a_unit_that_is_claimed_is_not_claimed_again_whatever_the_list_shows(start_world: Start) -> None:
    world = shop(start_world)
    asked(world)
    (process_id,) = made(world)
    with world.sandbox.sandbox.locked():
        stored = world.sandbox.sandbox.find(process_id)
        line = stored.process.return_line_items[0]
        other = line.product.model_copy(update={"sku": "ACME-OTHER"}) if line.product else None
        changed = (line.model_copy(update={"product": other}),)
        stored.process = stored.process.model_copy(update={"return_line_items": changed})
    again = asked(world, replace(NEW, source="another row"))
    assert again.outcome is None
    assert again.decided.decision.rule == "lost_claim"


def test_a_return_that_the_shopper_has_started_is_not_made_again(start_world: Start) -> None:
    world = shop(start_world)
    with world.sandbox.sandbox.locked():
        (stored,) = world.sandbox.sandbox.processes.values()
        line = stored.process.return_line_items[0]
        assert line.product is not None
        mine = line.model_copy(update={"product": line.product.model_copy(update={"sku": "ACME-001-M"})})
        world.sandbox.sandbox.change(stored, order_name="#N1", return_line_items=(mine,))
    found = asked(world)
    assert found.outcome is None
    assert stored.process.rever_process_id in found.decided.decision.why
    assert made(world) == []


def test_two_spellings_of_an_order_are_one_order(start_world: Start) -> None:
    world = shop(start_world)
    asked(world)
    assert OrderKey("acme", "N1").process_id == ORDER
    again = asked(world, replace(NEW, order_name="n1"))
    assert again.outcome is None
    found = at_desk(world, lambda desk: ask(desk, CREATE, OrderKey("acme", "n1").process_id))
    assert isinstance(found, AskedReturn)
    assert found.outcome is None
    assert len(made(world)) == 1


def test_two_that_ask_at_once_in_two_spellings_make_one(start_world: Start) -> None:
    world = shop(start_world)
    low = OrderKey("acme", "#n1").process_id

    async def both(desk: Desk) -> object:
        lower = replace(NEW, order_name="#n1")
        return await asyncio.gather(ask(desk, CREATE, ORDER, NEW), ask(desk, CREATE, low, lower))

    at_desk(world, both)
    assert len(made(world)) == 1


@pytest.mark.parametrize("stale", [False, True])
@pytest.mark.parametrize(
    ("first", "then"), [("#N1", "#n1"), ("#Ab1", "#ab1"), ("#ab1", "#Ab1"), ("#STRASSE1", "straße1")]
)
def test_whoever_asks_in_another_spelling_finds_what_was_made(
    start_world: Start, first: str, then: str, stale: bool
) -> None:
    world = shop(start_world)
    assert result(spelled(world, first)) is Result.DONE
    if stale:
        world.sandbox.set_faults(FaultPlan(1.0, weights={Fault.STALE_READ: 1}))
    again = spelled(world, then)
    assert again.outcome is None
    assert again.decided.decision.rule == ("stale_view" if stale else "create_return_not_due")
    assert len(made(world)) == 1


def test_a_lost_answer_is_settled_by_the_spelling_that_was_sent(start_world: Start) -> None:
    world = shop(start_world)
    world.sandbox.set_faults("createReturn:1:acts_answer_lost")
    assert result(spelled(world, "#Ab1")) is Result.UNKNOWN
    world.let_pass(5)
    assert [it.settlement for it in settled(world)] == [Settlement.DONE]


def test_an_answer_that_is_lost_is_found_done_by_what_rever_shows(start_world: Start) -> None:
    world = shop(start_world)
    world.sandbox.set_faults("createReturn:1:acts_answer_lost")
    assert result(asked(world)) is Result.UNKNOWN
    assert isinstance(asked(world).decided.decision, Wait | Nothing)
    world.let_pass(5)
    assert [it.settlement for it in settled(world)] == [Settlement.DONE]
    (intent,) = world.read(LedgerState.read).intents
    assert [intent.evidence["process"]] == made(world)
    assert world.holds() == []
    world.act()
    assert_promises_kept(world)


@pytest.mark.parametrize("answer", ["send_again", "done_by_hand", "drop"])
def test_one_that_rever_does_not_show_is_held_and_answered(start_world: Start, answer: str) -> None:
    world = shop(start_world)
    world.sandbox.set_faults("createReturn:1:error_500_before")
    assert result(asked(world)) is Result.UNKNOWN
    assert isinstance(asked(world).decided.decision, Wait), "its outcome is to come first"
    world.pass_time(120)
    assert [it.settlement for it in settled(world)] == [Settlement.HELD]
    (hold,) = world.holds()
    assert (hold.rule, hold.label, hold.process_id) == ("unknown_outcome", False, ORDER)
    assert "asked for again" in hold.answers["send_again"]
    asked(world)
    assert made(world) == []
    about = {"hold_id": hold.hold_id, "version": str(hold.version), "by": "ada", "reason": "x", "reference": "y"}
    report = world.run("answer-hold", mode="act", answer=answer, **about)
    assert report.failures == []
    assert world.holds() == []
    assert made(world) == [], "the ledger does not keep the e-mail"
    found = asked(world)
    assert (found.outcome is not None) is (answer == "send_again")
    assert len(made(world)) == (answer == "send_again")
    if answer == "drop":
        unit_2 = replace(NEW, items=(NewItem("ACME-001-M", (2,)),), source="returns.csv, row 3")
        assert result(asked(world, unit_2)) is Result.DONE


def test_a_hold_closes_when_the_return_appears(start_world: Start) -> None:
    world = shop(start_world)
    world.sandbox.set_faults("createReturn:1:acts_answer_lost")
    asked(world)
    (process_id,) = made(world)
    with world.sandbox.sandbox.locked():
        stored = world.sandbox.sandbox.processes.pop(process_id)
    world.pass_time(120)
    assert [it.settlement for it in settled(world)] == [Settlement.HELD]
    with world.sandbox.sandbox.locked():
        world.sandbox.sandbox.processes[process_id] = stored
    assert [it.settlement for it in settled(world)] == [Settlement.DONE]
    assert world.holds() == []


def test_a_return_of_before_is_not_taken_for_the_lost_one(start_world: Start) -> None:
    world = shop(start_world)
    asked(world)
    world.sandbox.set_faults("createReturn:1:error_500_before")
    unit_2 = replace(NEW, items=(NewItem("ACME-001-M", (2,)),), source="returns.csv, row 3")
    assert result(asked(world, unit_2)) is Result.UNKNOWN
    world.pass_time(120)
    assert [it.settlement for it in settled(world)] == [Settlement.HELD]


def test_the_stop_switch_stops_it(start_world: Start) -> None:
    world = shop(start_world)
    world.write(stop_switch, on=True, by="olga", why="a wrong file", now=world.clock())
    found = asked(world)
    assert found.outcome is None
    assert found.decided.decision.rule == "store_stopped"
    assert made(world) == []


def test_a_return_that_appears_before_the_call_is_seen(start_world: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    world = shop(start_world)

    def others(point: CrashPoint, _: str) -> None:
        if point is CrashPoint.AFTER_CLAIM:
            with world.sandbox.sandbox.locked():
                (stored,) = world.sandbox.sandbox.processes.values()
                line = stored.process.return_line_items[0]
                assert line.product is not None
                mine = line.model_copy(update={"product": line.product.model_copy(update={"sku": "ACME-001-M"})})
                world.sandbox.sandbox.change(stored, order_name="#N1", return_line_items=(mine,))

    monkeypatch.setattr("tasks.effects.carry_out.reached", others)
    assert result(asked(world)) is Result.WITHDRAWN
    assert made(world) == []


def test_what_a_proxy_may_have_denied_is_waited_for(start_world: Start) -> None:
    world = shop(start_world)
    world.sandbox.set_faults("createReturn:1:set_up_after")
    with pytest.raises(WrongSetup):
        asked(world)
    world.sandbox.set_faults(FaultPlan(1.0, weights={Fault.STALE_READ: 1}))
    assert asked(world).decided.decision.rule == "told_no"
    assert len(made(world)) == 1


def test_what_was_refused_though_it_was_done_is_not_made_again(start_world: Start) -> None:
    world = shop(start_world)
    world.sandbox.set_faults("createReturn:1:conflict_409_after")
    assert result(asked(world)) is Result.REFUSED
    world.sandbox.set_faults(FaultPlan(1.0, weights={Fault.STALE_READ: 1}))
    waits = asked(world).decided.decision
    assert waits.rule == "told_no"
    assert re.search(r"ask for it again after \d\d:\d\d CES?T$", waits.why)
    world.sandbox.stop_faults()
    world.pass_time(120)
    assert asked(world).outcome is None
    assert len(made(world)) == 1


def test_one_that_was_put_off_is_looked_for_before_it_is_sent_again(start_world: Start) -> None:
    world = shop(start_world)
    world.sandbox.set_faults("createReturn:1:too_many_after")
    assert result(asked(world)) in {Result.DONE, Result.NOT_SENT}
    world.pass_time(120)
    asked(world)
    assert len(made(world)) == 1


def test_where_rever_pays_at_the_start_none_is_made(start_world: Start) -> None:
    world = start_world(
        settings={"REVER_REFUNDS_BY": "rever"}, shops=("acme",), returns=34, timings={"acme": "ON_START"}
    )
    found = asked(world)
    assert found.outcome is None
    assert "REVER pays as soon as" in found.decided.decision.why


def test_no_email_is_in_the_ledger(start_world: Start) -> None:
    world = shop(start_world)
    world.sandbox.set_faults("createReturn:1:error_500_before")
    asked(world)
    world.pass_time(120)
    settled(world)
    found = world.read(history, ORDER)
    assert isinstance(found, History)
    assert NEW.email not in repr(found)
    state = world.read(LedgerState.read)
    rows = (*state.intents, *state.holds, *state.steps, *state.records)
    assert NEW.email not in repr([tuple(row) for row in rows])
    assert NEW.source in repr(state.intents[0].details)


def test_reconcile_takes_an_order_for_no_return(start_world: Start) -> None:
    world = shop(start_world)
    world.sandbox.set_faults("createReturn:1:conflict_409")
    asked(world)
    world.sandbox.stop_faults()
    asked(world)
    world.pass_time(120)
    asked(world)
    assert len(made(world)) == 1
    report = world.run("reconcile", mode="act")
    assert report.failures == []
    before = world.read(everything)
    with pytest.raises(DeskError, match="stands for an order"):
        world.run("process-return", mode="plan", process_id=f"id:{ORDER}")
    assert world.read(everything) == before
