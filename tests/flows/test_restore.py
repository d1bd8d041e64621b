"""Run, back up, run more, restore: nothing is sent until reconcile has gone over what REVER shows since."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from tasks.desk import utc_now
from tasks.ledger import Actor, LedgerError, back_up, check, mark_restored, restore
from tests.world import Start, World

SHORT = {"REVER_TIMEOUT": "0.5", "REVER_SETTLE_AFTER": "1"}
"""For faults that do not answer."""


def put_back(world: World, file: Path) -> None:
    restore(world.ledger_url, file, account=world.account, clock=utc_now, actor=Actor("olga"))


def answer_all(world: World, cause: str) -> None:
    """Approve all that one cause holds, as a person does who has seen the list."""
    mark = world.run("answer-holds", cause=cause).notes[-1].split("listed=")[1].split()[0]
    world.run("answer-holds", mode="act", cause=cause, listed=mark, answer="approve", by="olga", reason="gone over")


def sound(world: World) -> bool:
    return world.read(check, now=world.clock()).findings == ()


def test_after_a_restore_nothing_is_sent_until_reconcile_and_then_nothing_twice(
    start_world: Start, tmp_path: Path
) -> None:
    world = start_world()
    world.act(stores="acme", max_returns="12")
    back_up(world.ledger_url, tmp_path / "copy")
    world.act(max_returns="35")
    effects = world.sandbox.books.effects
    assert world.paid().keys() == {"EUR", "SEK"}
    put_back(world, tmp_path / "copy")
    world.let_pass(120)

    blocked = world.act()
    assert world.sandbox.books.effects == effects
    assert blocked.paid == {}
    assert any("until reconcile has gone over it" in row.why for row in blocked.rows.values())

    told = world.run("reconcile", mode="act")
    assert world.sandbox.books.effects == effects
    assert [note for note in told.notes if "Effects are still stopped" in note]
    assert world.act().paid == {}
    assert world.sandbox.books.effects == effects
    world.let_effects_go()
    assert world.act().paid
    world.run("reconcile", mode="act")
    audit = world.sandbox.audit()
    assert audit.violations == ()
    assert audit.forgotten(world.explained()) == ()
    assert sound(world)


def test_a_reconcile_that_plans_or_comes_too_early_or_of_one_store_lets_nothing_else_go(start_world: Start) -> None:
    world = start_world()
    world.act(max_returns="1")
    world.write(mark_restored, why="a try", now=utc_now(), actor=Actor("olga"))
    before = world.sandbox.books.effects

    def notes(mode: str) -> str:
        return " ".join(world.run("reconcile", mode=mode, stores="acme").notes)

    assert "a reconcile that begins at" in notes("act")
    world.let_pass(120)
    assert "until reconcile has run with mode=act" in notes("plan")
    world.act()
    assert world.sandbox.books.effects == before
    with pytest.raises(LedgerError, match="no store has caught up yet"):
        world.let_effects_go()
    assert "caught up with the restore at acme." in notes("act")
    world.let_effects_go()
    assert world.act().paid == {}
    answer_all(world, "after_restore")
    assert set(world.paid()) == {"EUR"}
    assert {effect.store for effect in world.sandbox.books.effects[len(before) :]} == {"acme"}
    assert world.sandbox.audit().violations == ()


def test_the_same_under_faults(start_world: Start, tmp_path: Path) -> None:
    world = start_world(SHORT, faults="mixed:0.3", seed=3)
    world.act(max_returns="10")
    back_up(world.ledger_url, tmp_path / "copy")
    world.act()
    put_back(world, tmp_path / "copy")
    world.let_pass(120)
    for _ in range(3):
        world.run("reconcile", mode="act")
        world.let_effects_go()
        world.act()
        world.let_pass(600)
    audit = world.sandbox.audit()
    assert audit.violations == ()
    assert sound(world)


CAPPED = '[default.guards]\nmax_refund = {EUR = "0", SEK = "0"}\n'
"""Every refund waits for a person."""


def answered_after_the_backup(start_world: Start, tmp_path: Path) -> tuple[World, dict[str, str]]:
    """A desk whose backup is older than three answers; process id -> the answer. No cap holds any more."""
    policy = tmp_path / "policy.toml"
    policy.write_text(CAPPED)
    world = start_world({"REVER_POLICY": str(policy)})
    world.act()
    back_up(world.ledger_url, tmp_path / "copy")
    held = [hold for hold in world.holds() if hold.rule == "guard:max_refund"]
    assert len(held) > 5
    said = dict(zip([hold.process_id for hold in held], ["done_by_hand", "drop", "done_by_hand"], strict=False))
    for hold in held[:3]:
        more = {"reference": "bank 7"} if said[hold.process_id] == "done_by_hand" else {}
        version = str(hold.version)
        world.run(
            "answer-hold",
            mode="act",
            hold_id=hold.hold_id,
            version=version,
            answer=said[hold.process_id],
            by="pau",
            reason="agreed",
            **more,
        )
    return world, said


def let_the_rest_go(world: World, tmp_path: Path) -> None:
    """A person lets the cap's holds of the restored ledger pass, and takes the cap away."""
    (tmp_path / "policy.toml").write_text("[default]\n")
    world.let_pass(120)
    world.run("reconcile", mode="act")
    world.let_effects_go()
    answer_all(world, "guard:max_refund")
    world.act()


def paid_to(world: World) -> set[str]:
    return {effect.process_id for effect in world.sandbox.books.effects if effect.amount and effect.by == "api"}


def asked(world: World) -> dict[str, str]:
    return {hold.process_id: hold.why for hold in world.holds() if hold.rule == "after_restore"}


def test_what_was_answered_after_the_backup_is_held_by_what_the_former_ledger_says(
    start_world: Start, tmp_path: Path
) -> None:
    world, said = answered_after_the_backup(start_world, tmp_path)
    put_back(world, tmp_path / "copy")
    let_the_rest_go(world, tmp_path)
    assert paid_to(world)
    assert not paid_to(world) & said.keys()
    assert asked(world).keys() == said.keys()
    for process_id, answer in said.items():
        assert f"{answer}" in asked(world)[process_id]
        assert "answered by pau" in asked(world)[process_id]
    assert world.sandbox.audit().violations == ()
    assert sound(world)


def test_without_the_former_ledger_every_return_that_was_due_then_is_asked_about_once(
    start_world: Start, tmp_path: Path
) -> None:
    world, said = answered_after_the_backup(start_world, tmp_path)
    for file in tmp_path.glob("ledger.sqlite*"):
        file.unlink()
    put_back(world, tmp_path / "copy")
    let_the_rest_go(world, tmp_path)
    assert paid_to(world) == set()
    assert asked(world).keys() > said.keys()

    chosen = [hold for hold in world.holds() if hold.kind == "after_restore"]
    some = ",".join(f"{hold.hold_id}:{hold.version}" for hold in chosen if hold.process_id in said)
    world.run("answer-holds", mode="act", holds=some, answer="drop", by="olga", reason="as before the restore")
    answer_all(world, "after_restore")
    world.act()
    assert paid_to(world)
    assert not paid_to(world) & said.keys()
    assert asked(world) == {}
    assert world.sandbox.audit().violations == ()
    assert sound(world)


@pytest.mark.parametrize("how", ["mark_restored", "new"])
def test_a_ledger_put_back_by_other_means_or_made_anew_asks_too(start_world: Start, tmp_path: Path, how: str) -> None:
    world, said = answered_after_the_backup(start_world, tmp_path)
    for file in tmp_path.glob("ledger.sqlite*"):
        file.unlink()
    if how == "mark_restored":
        shutil.copy(tmp_path / "copy", world.ledger_file)
    world.write(mark_restored, why="a try", now=utc_now(), actor=Actor("olga"))
    (tmp_path / "policy.toml").write_text("[default]\n")
    world.let_pass(120)
    world.run("reconcile", mode="act")
    world.let_effects_go()
    assert world.run("process-pending-returns").paid == {}
    world.act()
    assert paid_to(world) == set()
    assert {hold.process_id for hold in world.holds()} >= said.keys()
    if how == "new":
        assert asked(world).keys() >= said.keys()


def test_a_former_ledger_that_does_not_go_on_from_the_backup_is_not_believed(
    start_world: Start, tmp_path: Path
) -> None:
    """The file was lost, somebody made a new one in its place, and then the backup is restored over that."""
    world, said = answered_after_the_backup(start_world, tmp_path)
    for file in tmp_path.glob("ledger.sqlite*"):
        file.unlink()
    world.run("process-pending-returns", mode="act", max_returns="1")
    put_back(world, tmp_path / "copy")
    let_the_rest_go(world, tmp_path)
    assert not paid_to(world) & said.keys()
    assert asked(world).keys() > said.keys()


def test_restoring_twice_does_not_forget_what_the_first_ledger_knew(start_world: Start, tmp_path: Path) -> None:
    world, said = answered_after_the_backup(start_world, tmp_path)
    put_back(world, tmp_path / "copy")
    put_back(world, tmp_path / "copy")
    let_the_rest_go(world, tmp_path)
    assert not paid_to(world) & said.keys()
    assert asked(world).keys() >= said.keys()


def test_what_is_approved_after_the_restore_is_paid_without_asking(start_world: Start) -> None:
    """Nobody can have answered before what was not due before."""
    world = start_world()
    world.write(mark_restored, why="a try", now=utc_now() - timedelta(hours=2), actor=Actor("olga"))
    world.run("reconcile", mode="act")
    world.let_effects_go()
    [process_id] = world.sandbox.process_ids("in_warehouse")[:1]
    world.act()
    assert paid_to(world) == set()
    world.sandbox.act("review", process_id)
    world.act()
    assert paid_to(world) == {process_id}
