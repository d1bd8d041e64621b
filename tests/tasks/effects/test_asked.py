"""Effects that somebody asks for, over HTTP: claimed, sent once, and settled by what REVER shows."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from rever_api.errors import WrongSetup
from rever_api.models import ReviewStatus
from rever_api.sandbox.faults import Fault, FaultPlan
from tasks.crash_points import CrashPoint
from tasks.desk import Desk
from tasks.effects.carry_out import AskedReturn
from tasks.effects.perform import Result, mark_if_due
from tasks.ledger import Actor, Answer, answer_hold, stop_switch, withdraw
from tasks.policy.decision import AskedEffect, Hold, Nothing, Wait
from tasks.policy.kinds.register_label import MadeLabel
from tasks.policy.kinds.review import UnitReview
from tasks.policy.record import IntentKind
from tasks.settings import load_settings
from tasks.settle_outcomes import Settlement
from tests.asked import approved, ask, at_desk, settled, wanted
from tests.books import LedgerState
from tests.judge import assert_promises_kept
from tests.world import Start, World

REVIEW, CANCEL, REGISTER = IntentKind.REVIEW, IntentKind.CANCEL, IntentKind.REGISTER_LABEL
CASES = {
    REVIEW: ("in_warehouse", "addReview"),
    CANCEL: ("collected", "cancelReturnProcess"),
    REGISTER: ("label_needed_drop_off", "createReverseDelivery"),
}
"""Kind -> the scenario it is asked of, and the operation that it is at REVER."""
KINDS = pytest.mark.parametrize("kind", list(CASES))


def asked(world: World, kind: IntentKind, content: object = None) -> AskedReturn:
    """Ask for an effect on the world's only return."""
    (process_id,) = world.sandbox.process_ids()
    found = at_desk(world, lambda desk: ask(desk, kind, process_id, content))
    assert isinstance(found, AskedReturn)
    return found


def sent(world: World, kind: IntentKind) -> int:
    """How often REVER has carried it out for us."""
    return sum(effect.operation == CASES[kind][1] and not effect.foreign for effect in world.sandbox.books)


def shop(start_world: Start, scenario: str, settings: dict[str, str] | None = None, name: str = "acme") -> World:
    world = start_world(settings=settings, shops=(name,), returns=34)
    world.keep_only([scenario])
    return world


@KINDS
def test_it_is_done_once_however_often_it_is_asked_for(start_world: Start, kind: IntentKind) -> None:
    world = shop(start_world, CASES[kind][0])
    first = asked(world, kind)
    assert isinstance(first.decided.decision, AskedEffect)
    assert first.outcome is not None
    assert first.outcome.result is Result.DONE
    again = asked(world, kind)
    assert again.outcome is None
    assert isinstance(again.decided.decision, Nothing)
    assert sent(world, kind) == 1
    (intent,) = world.read(LedgerState.read).intents
    assert (intent.kind, intent.state, intent.attempt) == (kind, "done", 1)


@KINDS
def test_it_is_not_claimed_again_where_an_old_view_does_not_show_it(start_world: Start, kind: IntentKind) -> None:
    world = shop(start_world, CASES[kind][0])
    (process_id,) = world.sandbox.process_ids()
    with world.sandbox.sandbox.locked():
        before = world.sandbox.sandbox.find(process_id).process
    asked(world, kind)
    with world.sandbox.sandbox.locked():
        world.sandbox.sandbox.find(process_id).process = before
    again = asked(world, kind)
    assert again.outcome is None
    assert again.decided.decision.rule == "lost_claim"
    assert sent(world, kind) == 1


@KINDS
def test_an_answer_that_is_lost_is_found_done_by_what_rever_shows(start_world: Start, kind: IntentKind) -> None:
    world = shop(start_world, CASES[kind][0])
    world.sandbox.set_faults(f"{CASES[kind][1]}:1:acts_answer_lost")
    outcome = asked(world, kind).outcome
    assert outcome is not None
    assert outcome.result is Result.UNKNOWN
    world.let_pass(5)
    assert [it.settlement for it in settled(world)] == [Settlement.DONE]
    assert sent(world, kind) == 1
    assert world.holds() == []


@KINDS
def test_one_that_rever_does_not_show_is_never_sent_again_by_itself(start_world: Start, kind: IntentKind) -> None:
    world = shop(start_world, CASES[kind][0])
    world.sandbox.set_faults(f"{CASES[kind][1]}:1:error_500_before")
    asked(world, kind)
    assert isinstance(asked(world, kind).decided.decision, Wait), "its outcome is to come first"
    world.pass_time(120)
    assert [it.settlement for it in settled(world)] == [Settlement.HELD]
    (hold,) = world.holds()
    assert (hold.rule, hold.label) == ("unknown_outcome", kind is REGISTER)
    assert f"{hold.answers}".count(_noun(kind)) >= 2
    asked(world, kind)
    assert sent(world, kind) == 0
    world.run("answer-hold", mode="act", hold_id=hold.hold_id, version=str(hold.version), answer="send_again", by="ada")
    assert sent(world, kind) == 1
    assert world.holds() == []


def _noun(kind: IntentKind) -> str:
    return {REVIEW: "the review", CANCEL: "the cancellation", REGISTER: "the registered label"}[kind]


@KINDS
def test_the_stop_switch_stops_it(start_world: Start, kind: IntentKind) -> None:
    world = shop(start_world, CASES[kind][0])
    world.write(stop_switch, on=True, by="olga", why="a wrong price list", now=world.clock())
    found = asked(world, kind)
    assert found.outcome is None
    assert found.decided.decision.rule == "store_stopped"
    assert sent(world, kind) == 0


@pytest.mark.parametrize("slow", [mark_if_due, withdraw])
def test_a_run_that_is_cancelled_again_and_again_leaves_no_mark_without_a_call(
    start_world: Start, monkeypatch: pytest.MonkeyPatch, slow: Callable[..., Any]
) -> None:
    world = shop(start_world, "collected")
    (process_id,) = world.sandbox.process_ids()

    async def cancelled(desk: Desk) -> None:
        reached = {op: asyncio.Event() for op in (mark_if_due, withdraw)}
        go_on = asyncio.Event()

        def slowed(write: Callable[..., Any], *, before: bool) -> Callable[..., Any]:
            async def wait(op: Callable[..., Any]) -> None:
                if op in reached:
                    reached[op].set()
                    if op is slow:
                        await go_on.wait()

            async def writing(op: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
                if before:
                    await wait(op)
                written = await write(op, *args, **kwargs)
                if not before:
                    await wait(op)
                return written

            return writing

        monkeypatch.setattr(desk.ledger, "awrite_joined", slowed(desk.ledger.awrite_joined, before=False))
        monkeypatch.setattr(desk.ledger, "awrite", slowed(desk.ledger.awrite, before=True))
        run = asyncio.ensure_future(ask(desk, CANCEL, process_id))
        for op in dict.fromkeys((mark_if_due, slow)):
            await reached[op].wait()
            for _ in range(3):
                run.cancel()
                await asyncio.sleep(0)
        assert not run.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await run

    at_desk(world, cancelled)
    (intent,) = world.read(LedgerState.read).intents
    assert (intent.state, sent(world, CANCEL)) == ("withdrawn", 0)


@KINDS
def test_a_backend_that_changes_before_the_call_is_seen(
    start_world: Start, kind: IntentKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = shop(start_world, CASES[kind][0])
    (process_id,) = world.sandbox.process_ids()

    def others(point: CrashPoint, _: str) -> None:
        if point is CrashPoint.AFTER_CLAIM:
            world.sandbox.act("fail", process_id)

    monkeypatch.setattr("tasks.effects.carry_out.reached", others)
    outcome = asked(world, kind).outcome
    assert outcome is not None
    assert outcome.result is Result.WITHDRAWN
    assert sent(world, kind) == 0


def test_a_review_answered_with_nothing_is_looked_after(start_world: Start) -> None:
    world = shop(start_world, "in_warehouse")
    world.sandbox.set_faults(FaultPlan(1.0, weights={Fault.EMPTY_ANSWER: 1}))
    outcome = asked(world, REVIEW).outcome
    assert outcome is not None
    assert outcome.result is Result.DONE


def test_the_next_unit_is_a_review_of_its_own(start_world: Start) -> None:
    world = shop(start_world, "in_warehouse")
    asked(world, REVIEW)
    (process_id,) = world.sandbox.process_ids()
    process = world.sandbox.sandbox.find(process_id).process
    line = next(line for line in process.return_line_items if line.quantity == 2)
    reason = UnitReview(line.id, 2, ReviewStatus.DECLINED, "worn")
    outcome = asked(world, REVIEW, (reason,)).outcome
    assert outcome is not None
    assert outcome.result is Result.DONE
    assert asked(world, REVIEW, (UnitReview(line.id, 4, ReviewStatus.APPROVED),)).outcome is None
    assert sent(world, REVIEW) == 2
    world.act()
    assert_promises_kept(world)


CAPPED = '[default.guards]\nmax_refund = { EUR = "0" }\n'


def test_a_review_where_rever_pays_meets_the_guards(start_world: Start, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(CAPPED)
    told = {"REVER_POLICY": str(policy), "REVER_REFUNDS_BY": "rever"}
    world = shop(start_world, "in_warehouse", told, "autopay")
    found = asked(world, REVIEW)
    assert isinstance(found.decided.decision, Hold)
    assert sent(world, REVIEW) == 0
    (hold,) = world.holds()
    assert hold.rule == "guard:max_refund"
    assert hold.amount is not None
    assert Decimal(hold.amount) > 0
    now = world.clock()
    about = {"hold_id": hold.hold_id, "version": hold.version, "by": "ada", "why": "agreed", "now": now}
    lease = load_settings().lease_duration
    world.write(answer_hold, answer=Answer.APPROVE, actor=Actor("ada"), lease=lease, **about)  # type: ignore[arg-type]
    outcome = asked(world, REVIEW).outcome
    assert outcome is not None
    assert outcome.result is Result.DONE


def test_a_review_where_rever_pays_counts_for_the_day(start_world: Start, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    told = {"REVER_POLICY": str(policy), "REVER_REFUNDS_BY": "rever"}
    world = shop(start_world, "in_warehouse", told, "autopay")
    policy.write_text("[default]\n")
    asked(world, REVIEW)
    (first,) = world.read(LedgerState.read).intents
    assert first.counted
    assert first.amount > 0
    policy.write_text(f'[default.guards]\nmax_per_day = {{ {first.currency} = "{first.amount}" }}\n')
    (process_id,) = world.sandbox.process_ids()
    process = world.sandbox.sandbox.find(process_id).process
    two = tuple(it for it in approved(process, unit=2) if it.line_id in _of_two(world, process_id))
    found = asked(world, REVIEW, two)
    assert [hold.rule for hold in world.holds()] == ["guard:max_per_day"]
    assert found.outcome is None


def _of_two(world: World, process_id: str) -> set[str]:
    process = world.sandbox.sandbox.find(process_id).process
    return {line.id for line in process.return_line_items if line.quantity == 2}


def test_a_review_where_this_desk_pays_moves_no_money_of_its_own(start_world: Start, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(CAPPED)
    world = shop(start_world, "in_warehouse", {"REVER_POLICY": str(policy)})
    assert asked(world, REVIEW).outcome is not None
    (intent,) = world.read(LedgerState.read).intents
    assert (intent.amount, intent.counted) == (Decimal(0), False)


@pytest.mark.parametrize("scenario", ["foreign_exact", "approved_one"])
def test_a_return_that_was_paid_is_not_cancelled(start_world: Start, scenario: str) -> None:
    world = shop(start_world, scenario)
    with world.sandbox.sandbox.locked():
        (stored,) = world.sandbox.sandbox.processes.values()
        line = stored.process.return_line_items[0]
        more = line.model_copy(update={"id": "retl_more"})
        world.sandbox.sandbox.change(stored, return_line_items=(line, more))  # so that it runs on once it is paid
    world.act()
    found = asked(world, CANCEL)
    assert isinstance(found.decided.decision, Nothing)
    assert "money or goods went out" in found.decided.decision.why
    assert sent(world, CANCEL) == 0


def test_nothing_is_paid_while_a_cancellation_is_unknown(start_world: Start) -> None:
    world = shop(start_world, "approved_one")
    world.sandbox.set_faults("cancelReturnProcess:1:error_500_before")
    asked(world, CANCEL)
    assert world.act().paid == {}
    assert world.read(LedgerState.read).open
    world.pass_time(120)
    world.act()
    (hold,) = world.holds()
    assert hold.rule == "unknown_outcome"
    assert not hold.label


def test_a_label_is_not_registered_beside_one_that_rever_made(start_world: Start) -> None:
    world = shop(start_world, "label_needed_drop_off")
    world.act()
    with world.sandbox.sandbox.locked():
        (stored,) = world.sandbox.sandbox.processes.values()
        stored.process = stored.process.model_copy(update={"logistics": ()})  # an old view
    found = asked(world, REGISTER)
    assert found.outcome is None
    assert found.decided.decision.rule == "lost_claim"
    assert sent(world, REGISTER) == 0


def test_a_label_goes_with_its_file_if_that_is_still_the_one(start_world: Start, tmp_path: Path) -> None:
    world = shop(start_world, "label_needed_drop_off")
    file = tmp_path / "label.pdf"
    file.write_bytes(b"%PDF-1.4 label %%EOF")
    digest = sha256(file.read_bytes()).hexdigest()
    label = MadeLabel(1, "OPS", "DHL", "DROP_OFF_POINT", "track-1", file=str(file), digest=digest)
    file.write_bytes(b"%PDF-1.4 another %%EOF")
    outcome = asked(world, REGISTER, label).outcome
    assert outcome is not None
    assert outcome.result is Result.NOT_SENT
    assert sent(world, REGISTER) == 0
    file.write_bytes(b"%PDF-1.4 label %%EOF")
    world.let_pass(120)
    settled(world)
    outcome = asked(world, REGISTER, label).outcome
    assert outcome is not None
    assert outcome.result is Result.DONE
    assert world.act().outcomes["done"] == 0, "REVER shows a parcel: no label is due"


def test_what_is_asked_stays_the_same(start_world: Start) -> None:
    world = shop(start_world, "in_warehouse")
    (process_id,) = world.sandbox.process_ids()
    process = world.sandbox.sandbox.find(process_id).process
    assert wanted(REVIEW, process) == wanted(REVIEW, process.model_copy(update={"reviews": None}))


@pytest.mark.parametrize(("kind", "then"), [(CANCEL, CANCEL), (REGISTER, REGISTER), (REVIEW, CANCEL)])
def test_what_a_proxy_may_have_denied_is_waited_for(start_world: Start, kind: IntentKind, then: IntentKind) -> None:
    world = shop(start_world, CASES[kind][0])
    world.sandbox.set_faults(f"{CASES[kind][1]}:1:set_up_after")
    with pytest.raises(WrongSetup):
        asked(world, kind)
    with world.sandbox.sandbox.locked():
        (stored,) = world.sandbox.sandbox.processes.values()
        stored.process = stored.earlier  # an old view
    found = asked(world, then)
    assert found.outcome is None
    assert found.decided.decision.rule == "told_no"
