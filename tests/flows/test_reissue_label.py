"""A new label in the place of one that expired or was lost: by hand and by the policy, once, the old one marked."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from flows.run import RunFailedError
from rever_api.models import LogisticsEntry
from tasks.crash_points import CrashPoint
from tasks.desk import WrongNameError
from tasks.ledger import check, history
from tasks.reporting.report import ReturnsReport
from tests.books import LedgerState
from tests.judge import assert_promises_kept
from tests.world import Start, World, told

LOST = "the shopper lost it"
DAY = 86_400.0


@pytest.fixture
def world(start_world: Start) -> World:
    """One return whose label is there, and lost."""
    world = start_world(shops=("acme",), returns=34)
    world.keep_only(("label_ready",))
    world.act()
    world.sandbox.act("lose_label", the_id(world))
    return world


def the_id(world: World) -> str:
    (process_id,) = world.sandbox.process_ids()
    return process_id


def made(world: World) -> int:
    """How many labels REVER has made for us."""
    return sum(effect.operation == "createOrderV2" for effect in world.sandbox.books)


def parcels(world: World) -> tuple[LogisticsEntry, ...]:
    return world.sandbox.sandbox.find(the_id(world)).process.logistics or ()


def reissue(world: World, mode: str = "act", **more: str) -> ReturnsReport:
    return world.run("reissue-label", mode=mode, process_id=the_id(world), reason=LOST, **more)


def steps(world: World, event: str) -> list[tuple[str, dict[str, str]]]:
    """Who took these steps of the audit, and on what."""
    return [(step.actor, step.evidence) for step in world.read(LedgerState.read).steps if step.event == event]


def test_a_lost_label_is_replaced_once_and_the_old_one_is_marked(world: World) -> None:
    plan = reissue(world, "plan", by="olga")
    assert (plan.decisions["label"], made(world)) == (1, 0)
    assert plan.notes[-1].startswith("would be replaced: the label of parcel 1")
    assert "label 2 of the return" in plan.notes[-1]
    assert "What it costs neither REVER nor the policy file tells" in plan.notes[-1]
    done = reissue(world, by="olga")
    assert (done.outcomes["done"], made(world), len(parcels(world))) == (1, 1, 2)
    ((who, evidence),) = steps(world, "replaced")
    assert (who, evidence) == ("olga", {"parcel": "1", "why": LOST, "through": "reissue-label"})
    assert f"its label was replaced, for olga: {LOST}" in "\n".join(
        world.tell("explain-return", process_id=the_id(world)).lines()
    )
    known = world.read(history, the_id(world))
    assert known is not None
    assert f"olga: the label of parcel 1 is replaced, by the label: {LOST}" in told(known)
    assert world.read(check, now=world.now()).findings == ()
    assert_promises_kept(world)


def test_the_same_form_again_does_nothing_however_old_it_is(world: World) -> None:
    reissue(world)
    for _ in range(2):
        world.pass_time(5 * DAY)
        again = reissue(world)
        assert again.notes[-1].startswith("not replaced: the label of parcel 1 was replaced already")
        world.act()
    assert made(world) == 1
    world.sandbox.act("cancel_label", the_id(world))
    world.act()
    assert made(world) == 2, "the next label of the return, as after any that was cancelled"
    reissue(world)
    assert made(world) == 2


def test_the_new_one_can_be_replaced_too_where_it_is_named(world: World) -> None:
    reissue(world)
    world.sandbox.act("lose_label", the_id(world))
    reissue(world)
    assert made(world) == 1
    reissue(world, parcel="2")
    tracking = parcels(world)[1].tracking_number
    again = reissue(world, parcel=tracking)
    assert again.notes[-1].startswith("not replaced: the label of parcel 2 was replaced already")
    assert made(world) == 2
    assert_promises_kept(world)


def test_a_parcel_that_there_is_not_is_refused(world: World) -> None:
    with pytest.raises((WrongNameError, RunFailedError), match=r"no parcel of this number; it has parcels 1 \("):
        reissue(world, parcel="7")
    assert made(world) == 0


def others_come_first(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Something happens once, between the claim and the second read."""
    left = [do]

    def reached(point: CrashPoint, _: str) -> None:
        if point is CrashPoint.AFTER_CLAIM and left:
            left.pop()()

    monkeypatch.setattr("tasks.effects.carry_out.reached", reached)


def test_where_the_old_one_is_scanned_first_it_is_withdrawn(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    others_come_first(monkeypatch, lambda: world.sandbox.act("collect", the_id(world)))
    report = reissue(world)
    assert (report.outcomes["withdrawn"], made(world)) == (1, 0)
    assert "was scanned" in report.notes[-1]
    assert steps(world, "replaced") == []
    assert reissue(world).notes[-1].startswith("not replaced: parcel 1 was scanned")
    world.act()
    assert_promises_kept(world)


def test_two_who_ask_at_once_get_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    from tasks.desk import Desk
    from tasks.effects.carry_out import reissue_asked
    from tasks.fetch_returns import PendingReturn, fetch_return
    from tasks.policy.rules.reissue import wanted_reissue
    from tests.asked import at_desk

    async def both(desk: Desk) -> list[object]:
        async def one(by: str) -> object:
            pending = await fetch_return(desk, the_id(world))
            assert isinstance(pending, PendingReturn)
            return await reissue_asked(desk, pending, wanted_reissue(pending.process, 1, by=by, why=LOST))

        return list(await asyncio.gather(one("olga"), one("ada")))

    at_desk(world, both)
    assert made(world) == 1
    assert len(steps(world, "replaced")) == 1
    assert_promises_kept(world)


@pytest.mark.parametrize("fault", ["acts_answer_lost", "error_500_before"])
def test_an_outcome_that_nobody_knows_is_looked_for_and_never_sent_again(world: World, fault: str) -> None:
    world.sandbox.set_faults(f"createOrderV2:1:{fault}")
    acted = fault == "acts_answer_lost"
    first = reissue(world)
    assert (first.outcomes["done"], first.outcomes["unknown"]) == (int(acted), int(not acted))
    assert first.notes[-1].startswith("replaced" if acted else "not replaced, as far as is known")
    world.pass_time(3600)
    for _ in range(2):
        reissue(world)
        world.act()
    assert made(world) == int(acted)
    if acted:
        assert (len(steps(world, "replaced")), world.holds()) == (1, [])
        assert_promises_kept(world)
        return
    (hold,) = world.holds()
    assert (hold.rule, hold.label) == ("unknown_outcome", True)
    answer = {"mode": "act", "hold_id": hold.hold_id, "version": str(hold.version), "by": "ada", "reason": "agreed"}
    world.run("answer-hold", **answer, answer="drop")
    for _ in range(2):
        assert reissue(world).notes[-1] == "not replaced: a person has given up the new label for parcel 1"
    assert made(world) == 0


def test_what_came_of_an_unknown_one_by_hand_marks_the_old_one_too(world: World) -> None:
    world.sandbox.set_faults("createOrderV2:1:error_500_before")
    reissue(world, by="olga")
    world.pass_time(3600)
    world.act()
    (hold,) = world.holds()
    answer = {"mode": "act", "hold_id": hold.hold_id, "version": str(hold.version), "by": "ada", "reference": "mail 7"}
    world.run("answer-hold", **answer, answer="done_by_hand")
    ((who, evidence),) = steps(world, "replaced")
    assert (who, evidence["through"]) == ("olga", "ada")
    assert reissue(world).notes[-1].startswith("not replaced: the label of parcel 1 was replaced already, for olga")
    assert world.read(check, now=world.now()).findings == ()


SCAN = "default:\n  rules: [{name: scan, then: {pay: {at: first_scan}}}]\n"


def test_where_both_are_used_a_person_is_asked_and_the_goods_are_paid_once(start_world: Start) -> None:
    Path("policy.yaml").write_text(SCAN)
    world = start_world({"REVER_POLICY": str(Path("policy.yaml").absolute())}, shops=("acme",), returns=34)
    world.sandbox.sandbox.options = replace(world.sandbox.sandbox.options, judged_by="ON_ITEM_SENT")
    world.keep_only(("label_ready",))
    world.act()
    world.sandbox.act("lose_label", the_id(world))
    reissue(world)
    process = world.sandbox.sandbox.find(the_id(world)).process
    due = sum((line.total_price or Decimal(0) for line in process.return_line_items), Decimal(0))
    world.sandbox.act("collect", the_id(world), parcel=1)
    assert world.act().paid == {"EUR": due}
    world.sandbox.act("collect", the_id(world), parcel=2)
    tracked = world.run("track-parcels", mode="act")
    assert "both labels are used: parcel 1, whose label was replaced, and parcel 2" in tracked.rows[the_id(world)].why
    report = world.act()
    assert report.paid == {}
    (hold,) = world.holds()
    assert (hold.rule, hold.label) == ("both_labels_used", True)
    for mode in ("plan", "act"):
        answer = {"hold_id": hold.hold_id, "version": str(hold.version), "answer": "take_as_it_is", "by": "ada"}
        world.run("answer-hold", mode=mode, **answer)
    world.sandbox.act("arrive", the_id(world), parcel=1)
    world.sandbox.act("arrive", the_id(world), parcel=2)
    world.act()
    world.sandbox.act("review", the_id(world))
    world.act()
    assert (world.paid(), world.holds(), made(world)) == ({"EUR": due}, [], 1)
    assert_promises_kept(world)


def test_an_old_label_that_is_used_after_all_is_followed_and_no_other_is_made(world: World) -> None:
    reissue(world)
    world.sandbox.act("cancel_label", the_id(world), parcel=2)
    world.sandbox.act("collect", the_id(world), parcel=1)
    report = world.run("track-parcels", mode="act")
    assert "its label was replaced" in report.rows[the_id(world)].why
    world.act()
    assert made(world) == 1


REISSUED = "default:\n  labels: {reissue: {unused_days: 10}}\n"
EXPIRED = "default:\n  labels: {reissue: {expire_days: 10, at_most: 2}}\n"


@pytest.mark.parametrize(("policy", "most"), [(REISSUED, 1), (EXPIRED, 2), ("default: {}\n", 0)])
@pytest.mark.parametrize("flow", ["generate-labels", "process-pending-returns"])
def test_the_policy_has_unused_labels_replaced_so_many_times_and_no_day_too_soon(
    start_world: Start, policy: str, most: int, flow: str
) -> None:
    Path("policy.yaml").write_text(policy)
    world = start_world({"REVER_POLICY": str(Path("policy.yaml").absolute())}, shops=("acme",), returns=34)
    world.sandbox.sandbox.options = replace(world.sandbox.sandbox.options, label_life=10 * DAY)
    world.keep_only(("label_ready",))
    world.act()
    counts = []
    for _ in range(3):
        world.pass_time(9 * DAY)
        world.run(flow, mode="act")
        counts.append(made(world))
        world.pass_time(DAY + 3600)
        world.run(flow)
        assert made(world) == counts[-1]
        for _ in range(2):
            world.run(flow, mode="act")
            world.run("track-parcels", mode="act")
    assert counts == [min(number, most) for number in range(3)]
    assert made(world) == most
    assert_promises_kept(world)


def test_a_label_that_the_policy_gives_up_is_not_replaced_where_it_was_scanned(
    start_world: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("policy.yaml").write_text(REISSUED)
    world = start_world({"REVER_POLICY": str(Path("policy.yaml").absolute())}, shops=("acme",), returns=34)
    world.keep_only(("label_ready",))
    world.act()
    world.pass_time(11 * DAY)
    others_come_first(monkeypatch, lambda: world.sandbox.act("collect", the_id(world)))
    report = world.run("generate-labels", mode="act")
    assert (report.outcomes["withdrawn"], made(world)) == (1, 0)
