"""Run, back up, run more, restore: nothing is sent until reconcile has gone over what REVER shows since."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from tasks.desk import utc_now
from tasks.ledger import Actor, LedgerError, back_up, check, mark_restored, restore
from tests.flows.conftest import Bench, Start

SHORT = {"REVER_TIMEOUT": "0.5", "REVER_SETTLE_AFTER": "1"}
"""For faults that do not answer."""


def put_back(bench: Bench, file: Path) -> None:
    restore(bench.ledger_url, file, account=bench.account, clock=utc_now, actor=Actor("olga"))


def answer_all(bench: Bench, cause: str) -> None:
    """Approve all that one cause holds, as a person does who has seen the list."""
    mark = bench.run("answer-hold", cause=cause).notes[-1].split("listed=")[1].split()[0]
    bench.run("answer-hold", mode="act", cause=cause, listed=mark, answer="approve", by="olga", reason="gone over")


def sound(bench: Bench) -> bool:
    return bench.read(check, now=bench.clock()).findings == ()


def test_after_a_restore_nothing_is_sent_until_reconcile_and_then_nothing_twice(
    start_bench: Start, tmp_path: Path
) -> None:
    bench = start_bench()
    bench.act(stores="acme", max_returns="12")
    back_up(bench.ledger_url, tmp_path / "copy")
    bench.act(max_returns="35")
    effects = bench.sandbox.books.effects
    assert bench.paid().keys() == {"EUR", "SEK"}
    put_back(bench, tmp_path / "copy")
    bench.let_pass(120)

    blocked = bench.act()
    assert bench.sandbox.books.effects == effects
    assert blocked.paid == {}
    assert any("until reconcile has gone over it" in row.why for row in blocked.rows.values())

    told = bench.run("reconcile", mode="act")
    assert bench.sandbox.books.effects == effects
    assert [note for note in told.notes if "Effects are still stopped" in note]
    assert bench.act().paid == {}
    assert bench.sandbox.books.effects == effects
    bench.let_effects_go()
    assert bench.act().paid
    bench.run("reconcile", mode="act")
    audit = bench.sandbox.audit()
    assert audit.violations == ()
    assert audit.forgotten(bench.explained()) == ()
    assert sound(bench)


def test_a_reconcile_that_plans_or_comes_too_early_or_of_one_store_lets_nothing_else_go(start_bench: Start) -> None:
    bench = start_bench()
    bench.act(max_returns="1")
    bench.write(mark_restored, why="a try", now=utc_now(), actor=Actor("olga"))
    before = bench.sandbox.books.effects

    def notes(mode: str) -> str:
        return " ".join(bench.run("reconcile", mode=mode, stores="acme").notes)

    assert "a reconcile that begins at" in notes("act")
    bench.let_pass(120)
    assert "until reconcile has run with mode=act" in notes("plan")
    bench.act()
    assert bench.sandbox.books.effects == before
    with pytest.raises(LedgerError, match="no store has caught up yet"):
        bench.let_effects_go()
    assert "caught up with the restore at acme." in notes("act")
    bench.let_effects_go()
    assert bench.act().paid == {}
    answer_all(bench, "after_restore")
    assert set(bench.paid()) == {"EUR"}
    assert {effect.store for effect in bench.sandbox.books.effects[len(before) :]} == {"acme"}
    assert bench.sandbox.audit().violations == ()


def test_the_same_under_faults(start_bench: Start, tmp_path: Path) -> None:
    bench = start_bench(SHORT, faults="mixed:0.3", seed=3)
    bench.act(max_returns="10")
    back_up(bench.ledger_url, tmp_path / "copy")
    bench.act()
    put_back(bench, tmp_path / "copy")
    bench.let_pass(120)
    for _ in range(3):
        bench.run("reconcile", mode="act")
        bench.let_effects_go()
        bench.act()
        bench.let_pass(600)
    audit = bench.sandbox.audit()
    assert audit.violations == ()
    assert sound(bench)


CAPPED = '[default.guards]\nmax_refund = {EUR = "0", SEK = "0"}\n'
"""Every refund waits for a person."""


def answered_after_the_backup(start_bench: Start, tmp_path: Path) -> tuple[Bench, dict[str, str]]:
    """A desk whose backup is older than three answers; process id -> the answer. No cap holds any more."""
    policy = tmp_path / "policy.toml"
    policy.write_text(CAPPED)
    bench = start_bench({"REVER_POLICY": str(policy)})
    bench.act()
    back_up(bench.ledger_url, tmp_path / "copy")
    held = [hold for hold in bench.holds() if hold.rule == "guard:max_refund"]
    assert len(held) > 5
    said = dict(zip([hold.process_id for hold in held], ["done_by_hand", "drop", "done_by_hand"], strict=False))
    for hold in held[:3]:
        more = {"reference": "bank 7"} if said[hold.process_id] == "done_by_hand" else {}
        version = str(hold.version)
        bench.run(
            "answer-hold",
            mode="act",
            hold_id=hold.hold_id,
            version=version,
            answer=said[hold.process_id],
            by="pau",
            reason="agreed",
            **more,
        )
    return bench, said


def let_the_rest_go(bench: Bench, tmp_path: Path) -> None:
    """A person lets the cap's holds of the restored ledger pass, and takes the cap away."""
    (tmp_path / "policy.toml").write_text("")
    bench.let_pass(120)
    bench.run("reconcile", mode="act")
    bench.let_effects_go()
    answer_all(bench, "guard:max_refund")
    bench.act()


def paid_to(bench: Bench) -> set[str]:
    return {effect.process_id for effect in bench.sandbox.books.effects if effect.amount and effect.by == "api"}


def asked(bench: Bench) -> dict[str, str]:
    return {hold.process_id: hold.why for hold in bench.holds() if hold.rule == "after_restore"}


def test_what_was_answered_after_the_backup_is_held_by_what_the_former_ledger_says(
    start_bench: Start, tmp_path: Path
) -> None:
    bench, said = answered_after_the_backup(start_bench, tmp_path)
    put_back(bench, tmp_path / "copy")
    let_the_rest_go(bench, tmp_path)
    assert paid_to(bench)
    assert not paid_to(bench) & said.keys()
    assert asked(bench).keys() == said.keys()
    for process_id, answer in said.items():
        assert f"{answer}" in asked(bench)[process_id]
        assert "answered by pau" in asked(bench)[process_id]
    assert bench.sandbox.audit().violations == ()
    assert sound(bench)


def test_without_the_former_ledger_every_return_that_was_due_then_is_asked_about_once(
    start_bench: Start, tmp_path: Path
) -> None:
    bench, said = answered_after_the_backup(start_bench, tmp_path)
    for file in tmp_path.glob("ledger.sqlite*"):
        file.unlink()
    put_back(bench, tmp_path / "copy")
    let_the_rest_go(bench, tmp_path)
    assert paid_to(bench) == set()
    assert asked(bench).keys() > said.keys()

    chosen = [hold for hold in bench.holds() if hold.kind == "after_restore"]
    some = ",".join(f"{hold.hold_id}:{hold.version}" for hold in chosen if hold.process_id in said)
    bench.run("answer-hold", mode="act", holds=some, answer="drop", by="olga", reason="as before the restore")
    answer_all(bench, "after_restore")
    bench.act()
    assert paid_to(bench)
    assert not paid_to(bench) & said.keys()
    assert asked(bench) == {}
    assert bench.sandbox.audit().violations == ()
    assert sound(bench)


@pytest.mark.parametrize("how", ["mark_restored", "new"])
def test_a_ledger_put_back_by_other_means_or_made_anew_asks_too(start_bench: Start, tmp_path: Path, how: str) -> None:
    bench, said = answered_after_the_backup(start_bench, tmp_path)
    for file in tmp_path.glob("ledger.sqlite*"):
        file.unlink()
    if how == "mark_restored":
        shutil.copy(tmp_path / "copy", bench.ledger_file)
    bench.write(mark_restored, why="a try", now=utc_now(), actor=Actor("olga"))
    (tmp_path / "policy.toml").write_text("")
    bench.let_pass(120)
    bench.run("reconcile", mode="act")
    bench.let_effects_go()
    assert bench.run("process-pending-returns").paid == {}
    bench.act()
    assert paid_to(bench) == set()
    assert {hold.process_id for hold in bench.holds()} >= said.keys()
    if how == "new":
        assert asked(bench).keys() >= said.keys()


def test_a_former_ledger_that_does_not_go_on_from_the_backup_is_not_believed(
    start_bench: Start, tmp_path: Path
) -> None:
    """The file was lost, somebody made a new one in its place, and then the backup is restored over that."""
    bench, said = answered_after_the_backup(start_bench, tmp_path)
    for file in tmp_path.glob("ledger.sqlite*"):
        file.unlink()
    bench.run("process-pending-returns", mode="act", max_returns="1")
    put_back(bench, tmp_path / "copy")
    let_the_rest_go(bench, tmp_path)
    assert not paid_to(bench) & said.keys()
    assert asked(bench).keys() > said.keys()


def test_restoring_twice_does_not_forget_what_the_first_ledger_knew(start_bench: Start, tmp_path: Path) -> None:
    bench, said = answered_after_the_backup(start_bench, tmp_path)
    put_back(bench, tmp_path / "copy")
    put_back(bench, tmp_path / "copy")
    let_the_rest_go(bench, tmp_path)
    assert not paid_to(bench) & said.keys()
    assert asked(bench).keys() >= said.keys()


def test_what_is_approved_after_the_restore_is_paid_without_asking(start_bench: Start) -> None:
    """Nobody can have answered before what was not due before."""
    bench = start_bench()
    bench.write(mark_restored, why="a try", now=utc_now() - timedelta(hours=2), actor=Actor("olga"))
    bench.run("reconcile", mode="act")
    bench.let_effects_go()
    [process_id] = bench.sandbox.process_ids("in_warehouse")[:1]
    bench.act()
    assert paid_to(bench) == set()
    bench.sandbox.act("review", process_id)
    bench.act()
    assert paid_to(bench) == {process_id}
