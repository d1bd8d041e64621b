"""Run, back up, run more, restore: nothing is sent until reconcile has gone over what REVER shows since."""

from contextlib import closing
from pathlib import Path

import pytest

from tasks.desk import utc_now
from tasks.ledger import Actor, Ledger, LedgerError, back_up, check, mark_restored, restore, stop_switch
from tests.flows.conftest import Bench, Start

SHORT = {"REVER_TIMEOUT": "0.5", "REVER_SETTLE_AFTER": "1"}
"""For faults that do not answer."""


def put_back(bench: Bench, file: Path) -> None:
    account = bench.environment["REVER_BASE_URL"]
    restore(bench.environment["REVER_LEDGER_URL"], file, account=account, clock=utc_now, actor=Actor("olga"))


def start(bench: Bench) -> None:
    """Let effects go, as a person does."""
    account = bench.environment["REVER_BASE_URL"]
    with closing(Ledger.open(bench.environment["REVER_LEDGER_URL"], account=account, clock=bench.clock)) as ledger:
        ledger.write(stop_switch, on=False, by="olga", why="looked at what is held", now=bench.clock())


def sound(bench: Bench) -> bool:
    ledger = bench.ledger()
    try:
        return ledger.read(check, now=bench.clock()).findings == ()
    finally:
        ledger.close()


def test_after_a_restore_nothing_is_sent_until_reconcile_and_then_nothing_twice(
    start_bench: Start, tmp_path: Path
) -> None:
    bench = start_bench()
    bench.act(stores="acme", max_returns="12")
    back_up(bench.environment["REVER_LEDGER_URL"], tmp_path / "copy")
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
    start(bench)
    assert bench.act().paid
    bench.run("reconcile", mode="act")
    audit = bench.sandbox.audit()
    assert audit.violations == ()
    assert audit.forgotten(bench.explained()) == ()
    assert sound(bench)


def test_a_reconcile_that_plans_or_comes_too_early_or_of_one_store_lets_nothing_else_go(start_bench: Start) -> None:
    bench = start_bench()
    bench.act(max_returns="1")
    ledger = Ledger.open(
        bench.environment["REVER_LEDGER_URL"], account=bench.environment["REVER_BASE_URL"], clock=utc_now
    )
    ledger.write(mark_restored, why="a try", now=utc_now(), actor=Actor("olga"))
    ledger.close()
    before = bench.sandbox.books.effects

    def notes(mode: str) -> str:
        return " ".join(bench.run("reconcile", mode=mode, stores="acme").notes)

    assert "a reconcile that begins at" in notes("act")
    bench.let_pass(120)
    assert "until reconcile has run with mode=act" in notes("plan")
    bench.act()
    assert bench.sandbox.books.effects == before
    with pytest.raises(LedgerError, match="no store has caught up yet"):
        start(bench)
    assert "caught up with the restore at acme." in notes("act")
    start(bench)
    assert set(bench.act().paid) == {"EUR"}
    assert {effect.store for effect in bench.sandbox.books.effects[len(before) :]} == {"acme"}
    assert bench.sandbox.audit().violations == ()


def test_the_same_under_faults(start_bench: Start, tmp_path: Path) -> None:
    bench = start_bench(SHORT, faults="mixed:0.3", seed=3)
    bench.act(max_returns="10")
    back_up(bench.environment["REVER_LEDGER_URL"], tmp_path / "copy")
    bench.act()
    put_back(bench, tmp_path / "copy")
    bench.let_pass(120)
    for _ in range(3):
        bench.run("reconcile", mode="act")
        start(bench)
        bench.act()
        bench.let_pass(600)
    audit = bench.sandbox.audit()
    assert audit.violations == ()
    assert sound(bench)
