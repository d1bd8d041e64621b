"""`rever-returns ledger ...`: clear sentences, exit codes, and no secret."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from deployments.cli.ledger import opened_ledger
from deployments.receiver.delivery import Kind, read_content
from deployments.receiver.example import example_body
from deployments.receiver.inbox import Delivery, Inbox, store
from flows.catalog import FLOWS
from rever_api.sandbox import RunningSandbox
from tasks.desk import utc_now
from tasks.ledger import Actor, archive_returns
from tasks.settings import load_settings
from tests.deployments.cli.conftest import Call

RUN = ("run", "process-pending-returns", "--no-prefect", "mode=act")


@pytest.fixture
def rever(call: Call, start_sandbox: Callable[..., RunningSandbox], monkeypatch: pytest.MonkeyPatch) -> RunningSandbox:
    rever = start_sandbox(returns=20)
    monkeypatch.setenv("REVER_BASE_URL", rever.base_url)
    monkeypatch.setenv("REVER_API_KEY", rever.api_key)
    monkeypatch.setenv("REVER_STORES", ",".join(rever.stores))
    assert call(*RUN, "max_returns=8").code == 0
    return rever


def test_check_is_silent_on_a_sound_ledger_and_names_what_was_tampered_with(call: Call, rever: RunningSandbox) -> None:
    sound = call("ledger", "check")
    assert (sound.code, sound.err) == (0, "")
    assert "is sound: 8 returns" in sound.out
    with closing(sqlite3.connect("rever-returns.sqlite")) as conn, conn:
        (process_id,) = conn.execute(
            "SELECT process_id FROM intents WHERE kind = 'refund' AND state = 'done'"
        ).fetchone()
        conn.execute("UPDATE intents SET amount = '999.00' WHERE process_id = ? AND kind = 'refund'", (process_id,))
    broken = call("ledger", "check")
    assert broken.code == 1
    assert f"money: {process_id}: refund" in broken.out


def test_backup_restore_and_what_is_said_next(call: Call, rever: RunningSandbox) -> None:
    assert call("ledger", "backup", "copy.sqlite").code == 0
    again = call("ledger", "backup", "copy.sqlite")
    assert again.code == 1
    assert "overwrites nothing" in again.err
    restored = call("ledger", "restore", "copy.sqlite", "--by", "olga")
    assert restored.code == 0
    assert "all effects are stopped. First reconcile" in restored.out
    assert "over what REVER shows since then" in restored.out
    assert "must begin at " in restored.out
    assert "REVER_SETTLE_AFTER" in restored.out
    before = rever.books.effects
    assert call(*RUN).code == 0
    early = call("start", "--by", "olga")
    assert (early.code, early.out) == (1, "")
    assert "no store has caught up yet" in early.err
    assert "begun REVER_SETTLE_AFTER after that moment or later" in early.err
    told = call("ledger", "caught-up", *rever.stores, "--by", "olga", "--why", "looked at REVER by hand")
    assert told.code == 0
    assert "caught up: acme, nordic. Effects are still stopped" in told.out
    assert call(*RUN).code == 0
    assert rever.books.effects == before
    assert call("start", "--by", "olga").code == 0
    assert call(*RUN).code == 0
    assert len(rever.books.effects) > len(before)
    assert not rever.audit().violations
    marked = call("ledger", "mark-restored", "--by", "olga")
    assert "all effects are stopped. First reconcile" in marked.out


def test_export_and_forget(call: Call, rever: RunningSandbox) -> None:
    told = call("ledger", "export", "out", "--format", "jsonl")
    assert told.code == 0
    rows = [json.loads(line) for line in Path("out/intents.jsonl").read_text().splitlines()]
    assert rows
    assert "@example.com" not in "".join(path.read_text() for path in Path("out").iterdir())
    assert call("ledger", "export", "more", "--format", "xml").code == 2
    gone = call("ledger", "forget", rows[0]["process_id"], "--by", "olga")
    assert gone.code == 0
    assert "Kept: amounts, ids and the audit" in gone.out
    assert call("ledger", "forget", "--by", "olga").code == 2
    assert call("ledger", "forget", "retp_nobody", "--by", "olga").code == 1
    assert call("ledger", "forget", "#AC1", "--by", "olga").code == 2
    typed = call("ledger", "forget", "nobody@example.com", "--by", "olga")
    assert (typed.code, "--email" in typed.err, "nobody@" in typed.err) == (2, True, False)
    assert call("ledger", "check").code == 0


def test_an_order_number_names_the_shopper_to_forget(call: Call, rever: RunningSandbox) -> None:
    refund = next(effect for effect in rever.books.effects if effect.operation == "issueRefund" and effect.by == "api")
    it = rever.sandbox.processes[refund.process_id].process
    gone = call("ledger", "forget", it.order_name.lstrip("#"), "--by", "olga")
    assert (gone.code, "1 refund was counted" in gone.out) == (0, True)


def test_forget_serves_the_webhooks_inbox_too(call: Call, rever: RunningSandbox) -> None:
    bodies = {
        raw: read_content(raw) for raw in (example_body(Kind.CREATED, "retp_1"), example_body(Kind.CREATED, "retp_2"))
    }
    email = json.loads(next(iter(bodies)))["shopper"]["email"]
    url = "sqlite:///rever-returns-inbox.sqlite"
    with closing(Inbox.open(url)) as inbox:
        for raw, words in bodies.items():
            inbox.write(store, Delivery(raw, words, "", utc_now()))
    of_all = call("ledger", "forget", "retp_1", "--by", "olga")  # one shopper; the ledger has seen neither return
    assert (of_all.code, "from the inbox: 2 webhook bodies" in of_all.out) == (0, True)
    assert email.encode() not in b"".join(path.read_bytes() for path in Path.cwd().glob("*inbox*"))
    by_email = call("ledger", "forget", "--email", email, "--by", "olga")
    assert (by_email.code, "inbox" in by_email.out) == (0, False)
    with closing(Inbox.open(url)) as inbox:
        assert not any(inbox.write(store, Delivery(raw, words, "", utc_now())).new for raw, words in bodies.items())


def test_without_a_ledger_nothing_is_made(call: Call) -> None:
    by = ("--by", "olga")
    for words in (
        ("ledger", "check"),
        ("ledger", "export", "out"),
        ("ledger", "mark-restored", *by),
        ("ledger", "caught-up", "acme", *by, "--why", "a try"),
        ("ledger", "forget", "retp_1", *by),
        ("ledger", "backup", "copy"),
        ("stop", *by, "--why", "wrong prices"),
        ("start", *by),
        ("holds",),
        ("holds", "--json"),
        ("why", "retp_1"),
        ("run", "answer-hold", "--no-prefect", "hold_id=h", "version=1"),
    ):
        ended = call(*words)
        assert (words, ended.code, ended.out) == (words, 2, "")
        assert "there is no ledger" in ended.err
        assert "rever-returns ledger create" in ended.err or "backup" in words
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("found", ["empty file", "empty database", "something else"])
def test_what_is_no_ledger_is_not_taken_for_one(call: Call, found: str) -> None:
    file = Path("rever-returns.sqlite")
    file.touch()
    if found != "empty file":
        with closing(sqlite3.connect(file)) as conn:
            conn.executescript("CREATE TABLE mine (a)" if found == "something else" else "VACUUM")
    before = file.read_bytes()
    for words in (("stop", "--by", "olga", "--why", "prices"), ("holds",), ("ledger", "check")):
        ended = call(*words)
        assert ended.code in {1, 2}
        assert "no ledger" in ended.err or "not a ledger" in ended.err
        assert ended.out == ""
    assert file.read_bytes() == before
    assert [path.name for path in Path.cwd().iterdir()] == [file.name]
    if found == "something else":
        assert "holds something else" in call(*RUN).err
        with closing(sqlite3.connect(file)) as conn:
            assert conn.execute("SELECT name FROM sqlite_master").fetchall() == [("mine",)]


def test_a_ledger_is_made_once_by_its_command_and_starts_stopped(call: Call, rever: RunningSandbox) -> None:
    again = call("ledger", "create", "--by", "olga")
    assert again.code == 1
    assert "is there already" in again.err
    Path("rever-returns.sqlite").unlink()
    for left in Path.cwd().glob("rever-returns.sqlite-*"):
        left.unlink()
    made = call("ledger", "create", "--by", "olga")
    assert made.code == 0
    assert "sqlite:///rever-returns.sqlite was made, for the REVER account http://127.0.0.1:" in made.out
    before = rever.books.effects
    assert call(*RUN).code == 0
    assert rever.books.effects == before
    assert "no store has caught up yet" in call("start", "--by", "olga").err


def test_stop_says_which_ledger_it_stopped_and_when_it_was_used(
    call: Call, rever: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = call("stop", "--by", "olga", "--why", "prices")
    words = f"Ledger sqlite:///rever-returns.sqlite of the REVER account {rever.base_url}; a run last used it at"
    assert words in stopped.out
    monkeypatch.setenv("REVER_LEDGER_URL", "sqlite:///other.sqlite")
    assert call("ledger", "create", "--by", "olga").code == 0
    assert "no run has used it yet" in call("stop", "--by", "pau", "--why", "prices").out


@pytest.mark.parametrize("mode", ["plan", "act"])
@pytest.mark.parametrize("flow", FLOWS)
def test_where_rever_is_elsewhere_no_run_makes_a_ledger(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flow: str, mode: str
) -> None:
    """A volume that is not mounted is an empty folder: a ledger made in it would pay everything again."""
    monkeypatch.setenv("REVER_BASE_URL", "https://rever.invalid")
    monkeypatch.setenv("REVER_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    needed = {
        "process-return": ("process_id=retp_1",),
        "explain-return": ("process_id=retp_1",),
        "cancel-return": ("process_id=retp_1", "reason=a try"),
        "register-label": ("process_id=retp_1", "carrier=DHL", "tracking_id=JD1"),
        "reissue-label": ("process_id=retp_1", "reason=a try"),
        "answer-hold": ("hold_id=h", "version=1"),
        "answer-holds": ("holds=h:1",),
        "backtest-policy": ("candidate=candidate.yaml",),
        "import-inspections": ("file=returns.csv", "mapping=mapping.yaml"),
        "import-returns": ("file=returns.csv", "mapping=mapping.yaml"),
    }
    said = ("answer=drop", "by=olga", "reason=x") if flow.startswith("answer") and mode == "act" else ()
    only_read = {"explain-return", "backtest-policy", "daily-report", "reconcile-payouts"}
    modes = () if flow in only_read else (f"mode={mode}",)
    ended = call("run", flow, "--no-prefect", *modes, *needed.get(flow, ()), *said)
    assert (ended.code, ended.out) == (2, "")
    assert "there is no ledger" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_where_rever_is_this_machine_the_first_run_makes_the_ledger_and_says_so_loudly(
    call: Call, rever: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVER_LEDGER_URL", "sqlite:///mistyped.sqlite")
    made = call(*RUN, "max_returns=1")
    assert "A NEW LEDGER WAS MADE: sqlite:///mistyped.sqlite" in made.out
    assert "A NEW LEDGER" not in call(*RUN, "max_returns=1").out


def test_a_new_ledger_says_when_reconcile_may_begin_and_over_what_it_goes(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVER_BASE_URL", "https://rever.invalid")
    monkeypatch.setenv("REVER_API_KEY", "k")
    monkeypatch.setenv("REVER_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    made = call("ledger", "create", "--by", "olga")
    assert made.code == 0
    assert "First reconcile goes over all that REVER shows" in made.out
    assert "since then" not in made.out
    assert "must begin at " in made.out


def test_archive_says_what_would_move_and_refuses_a_window_that_is_too_short(call: Call, rever: RunningSandbox) -> None:
    short = call("ledger", "archive", "--older-than", "100d", "--act")
    assert (short.code, short.out) == (2, "")
    assert "reconcile looks so long at returns that have ended, 366 days back" in short.err
    assert call("ledger", "archive", "--older-than", "a year").code == 2
    plan = call("ledger", "archive", "--older-than", "400d")
    assert (plan.code, plan.err) == (0, "")
    assert "would move: 0 returns of 8" in plan.out
    assert "bytes per return" in plan.out
    assert "--act moves it" in plan.out
    assert call("ledger", "archive", "--older-than", "400d", "--act").code == 0
    assert "The ledger has no archives." in call("ledger", "archives").out


def test_archives_that_cannot_be_read_are_named_until_it_is_said_where_they_are(
    call: Call, rever: RunningSandbox, tmp_path: Path
) -> None:
    with opened_ledger(load_settings()) as ledger:
        cut = utc_now() + timedelta(days=1)
        assert archive_returns(ledger, tmp_path / "kept", cut, clock=utc_now, actor=Actor("ann")).returns
    assert "kept/archive-000001-" in call("ledger", "archives").out
    (tmp_path / "kept").rename(tmp_path / "there")
    told = call("ledger", "archives").out
    assert "; IT CANNOT BE READ: " in told
    assert "manifest.json is missing" in told
    assert "Mount its disk, put the archive back from a copy, or say where it is now" in told
    assert "Mount its disk" in call("ledger", "export", str(tmp_path / "out")).err
    moved = call("ledger", "archives", "--moved-to", str(tmp_path / "there"))
    assert (moved.code, "there/archive-000001-" in moved.out, "CANNOT" in moved.out) == (0, True, False)
    for file in (tmp_path / "there").glob("*/manifest.json"):
        file.write_text("{}")
    assert "was changed or damaged" in call("ledger", "archives").out
