"""`rever-returns ledger ...`: clear sentences, exit codes, and no secret."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from deployments.receiver.example import example_body
from deployments.receiver.inbox import Inbox
from deployments.receiver.kinds import Kind
from deployments.receiver.reading import told
from deployments.receiver.storing import Delivery, store
from rever_api.sandbox import RunningSandbox
from tasks.desk import utc_now
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
    assert "nothing is sent until reconcile" in restored.out
    before = rever.books.effects
    assert call(*RUN).code == 0
    assert rever.books.effects == before
    told = call("ledger", "caught-up", *rever.stores, "--by", "olga", "--why", "looked at REVER by hand")
    assert (told.code, told.out.strip()) == (0, "effects may be sent again at: acme, nordic.")
    assert call(*RUN).code == 0
    assert len(rever.books.effects) > len(before)
    assert not rever.audit().violations
    marked = call("ledger", "mark-restored", "--by", "olga")
    assert "nothing is sent until reconcile" in marked.out


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
    assert call("ledger", "check").code == 0


def test_forget_serves_the_webhooks_inbox_too(call: Call, rever: RunningSandbox) -> None:
    bodies = {raw: told(raw) for raw in (example_body(Kind.CREATED, "retp_1"), example_body(Kind.CREATED, "retp_2"))}
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
    for words in (("check",), ("export", "out"), ("mark-restored", "--by", "olga"), ("backup", "copy")):
        ended = call("ledger", *words)
        assert ended.code == 1
        assert "there is no ledger" in ended.err
    assert list(Path.cwd().iterdir()) == []
