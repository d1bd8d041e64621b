"""An event is stored once, on either database, and survives what is done to the inbox."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import select, update

from deployments.receiver.delivery import Kind
from deployments.receiver.inbox import Inbox, beat, events, version
from deployments.receiver.offers import waiting_returns
from tasks.ledger import Ledger, LedgerError
from tests.deployments.receiver.conftest import NOON, Clock, Desk, body


def test_the_same_bytes_are_one_event(desk: Desk) -> None:
    assert desk.store(body()).new
    assert [desk.store(body()).new for _ in range(3)] == [False] * 3
    assert desk.store(body(order_name="#1")).new
    row = desk.inbox.read(lambda conn: conn.execute(select(events).order_by(events.c.seq)).first())
    assert row is not None
    assert (row.hash, bytes(row.body), row.stored_at) == (sha256(body()).hexdigest(), body(), NOON)
    (waiting,) = desk.inbox.read(waiting_returns)
    assert (waiting.process_id, waiting.events, waiting.first) == ("retp_1", 2, NOON)


def test_the_kind_follows_what_was_told_before(desk: Desk) -> None:
    kinds = [
        desk.store(raw).kind
        for raw in (
            body(),
            body(order_name="#1"),
            body(shipping="COLLECTED"),
            body(shipping="IN_WAREHOUSE"),
            body(rever_process_status="COMPLETED"),
            body("retp_2", rever_process_status="CANCELED"),
        )
    ]
    assert kinds == [Kind.CREATED, Kind.UNKNOWN, Kind.SHIPPED, Kind.SHIPPED, Kind.COMPLETED, Kind.CANCELLED]


def test_of_many_at_the_same_time_one_is_new(desk: Desk, inbox_url: str) -> None:
    with closing(Inbox.open(inbox_url)) as other, ThreadPoolExecutor(8) as threads:
        desks = [desk, Desk(other, Clock())]
        stored = list(threads.map(lambda number: desks[number % 2].store(body(f"p{number % 5}")).new, range(50)))
    assert sum(stored) == 5


def test_an_inbox_is_opened_again_with_all_that_is_in_it(desk: Desk, inbox_url: str) -> None:
    desk.store(body())
    with closing(Inbox.open(inbox_url)) as again:
        assert len(again.read(waiting_returns)) == 1
    assert Inbox.exists(inbox_url)


def test_there_is_none_where_nobody_made_one(inbox_url: str) -> None:
    assert not Inbox.exists(inbox_url)


def test_a_newer_one_is_refused(desk: Desk, inbox_url: str) -> None:
    desk.inbox.write(lambda conn: conn.execute(update(version).values(version=99)) and None)
    with pytest.raises(LedgerError, match=r"the inbox .* newer version .*99"):
        Inbox.open(inbox_url)


def test_a_ledger_is_no_inbox(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    Ledger.open(url, account="a", clock=Clock()).close()
    with pytest.raises(LedgerError, match="something else, not an inbox; point REVER_INBOX_URL elsewhere"):
        Inbox.open(url)


def test_ledger_and_inbox_live_in_one_postgresql_database(desk: Desk, inbox_url: str) -> None:
    if inbox_url.startswith("postgresql:"):
        Ledger.open(inbox_url, account="a", clock=Clock()).close()
        assert desk.store(body()).new


def test_an_inbox_that_cannot_be_opened_is_a_sentence_about_the_inbox(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"the inbox sqlite:.* cannot be used: its file cannot be opened"):
        Inbox.open(f"sqlite:///{tmp_path}/no/such/inbox.sqlite")
    with pytest.raises(LedgerError, match=r"the inbox postgresql:.* REVER_INBOX_URL names its host") as failed:
        Inbox.open("postgresql://desk:s3cret@127.0.0.1:1/x")
    assert "s3cret" not in str(failed.value)


def test_it_beats(desk: Desk) -> None:
    desk.inbox.write(beat, now=NOON)
    assert desk.inbox.read(lambda conn: conn.execute(select(version.c.beat)).scalar()) == NOON
