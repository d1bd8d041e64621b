"""Webhooks: the secret by its length, the receiver by what it says, the inbox by what waits. No secret is shown."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from deployments.doctor.examination import Examination, State
from deployments.doctor.webhook import receiver_line
from deployments.receiver.delivery import read_content
from deployments.receiver.inbox import (
    ELSEWHERE,
    GIVEN_UP,
    UNKNOWN,
    Delivery,
    Inbox,
    events,
    inbox_state,
    returns,
    store,
)
from deployments.receiver.inbox_care import drop
from tasks.desk import utc_now
from tests.deployments.doctor.conftest import Desk
from tests.deployments.receiver.conftest import body
from tests.rever_api.told_server import ToldServer, answers, told_server

LONG, SHORT = "a-long-secret-of-today", "s3cr3t-word"
NAMES = ("webhook secret", "receiver", "inbox")


@pytest.fixture(scope="module")
def told() -> Iterator[ToldServer]:
    with told_server() as server:
        yield server


def fill(file: Path, *, minutes: int, state: str = "") -> None:
    with closing(Inbox.open(f"sqlite:///{file}")) as inbox:
        raw = body()
        inbox.write(store, Delivery(raw, read_content(raw), "created", utc_now() - timedelta(minutes=minutes)))
        if state:
            inbox.write(lambda conn: conn.execute(update(events).values(state=state)))


def test_without_a_secret_webhooks_are_not_used(desk: Desk) -> None:
    lines = desk.lines(*NAMES)
    assert lines["webhook secret"].state is State.NOT_USED
    assert not {"receiver", "inbox"} & lines.keys()


@pytest.mark.parametrize(
    ("secrets", "state", "words"),
    [
        (LONG, State.OK, "set, 22 signs or more"),
        (f"{LONG},{LONG}-and-before", State.OK, "two, while the old one is being replaced"),
        (f"{LONG},{SHORT}", State.ATTENTION, "1 of 2 shorter than 16 signs"),
    ],
)
def test_a_secret_is_judged_by_its_length(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, secrets: str, state: State, words: str
) -> None:
    monkeypatch.setenv("REVER_WEBHOOK_SECRETS", secrets)
    lines = desk.lines("webhook secret")
    assert lines["webhook secret"].state is state
    assert words in lines["webhook secret"].found
    assert not [part for part in secrets.split(",") if part in str(lines)]


@pytest.mark.parametrize(
    ("status", "says", "state", "words"),
    [
        (200, {"inbox": "writable", "dispatcher": "alive"}, State.OK, "inbox writable, dispatcher alive"),
        (503, {"inbox": "not writable", "dispatcher": "alive"}, State.BROKEN, "inbox not writable"),
        (200, {"inbox": "writable", "hosts": "1 refused: see the log"}, State.ATTENTION, "hosts 1 refused"),
        (200, {"status": "up"}, State.BROKEN, "is no receiver"),
        (404, ["no"], State.BROKEN, "is no receiver"),
    ],
)
async def test_a_receiver_is_judged_by_what_it_says(
    told: ToldServer, status: int, says: object, state: State, words: str
) -> None:
    told.tell(answers(status, says))
    line = await receiver_line(f"{told.url}/health")
    assert line.state is state
    assert words in line.found


def test_a_receiver_is_looked_for_where_it_is_said_to_be(
    desk: Desk, told: ToldServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVER_WEBHOOK_SECRETS", LONG)
    told.tell(answers(200, {"inbox": "writable", "dispatcher": "alive"}))
    lines = desk.lines("receiver", examination=Examination(receiver_url=f"{told.url}/"))
    assert lines["receiver"].found == f"{told.url}/health: inbox writable, dispatcher alive"


async def test_a_receiver_that_does_not_run_is_worth_a_word() -> None:
    line = await receiver_line("http://127.0.0.1:9/health")
    assert line.state is State.ATTENTION
    assert "rever-returns receiver" in line.to_do


def test_an_inbox_is_looked_into_and_left_as_it_is(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVER_WEBHOOK_SECRETS", LONG)
    file = desk.ledger_file.with_name("ledger-inbox.sqlite")
    assert "not made yet" in desk.lines("inbox")["inbox"].found
    assert not file.exists()
    fill(file, minutes=3)
    assert desk.lines("inbox")["inbox"].found.startswith("1 event waits, the oldest since ")
    assert {path.name for path in file.parent.iterdir()} == {file.name}


@pytest.mark.parametrize(
    ("minutes", "state", "words"),
    [
        (30, "", "1 event waits"),
        (1, GIVEN_UP, "1 given up: no run acted on them"),
        (1, UNKNOWN, "1 closed lately: REVER does not know their return"),
        (1, ELSEWHERE, "shows it at another store"),
    ],
)
def test_events_that_wait_long_or_were_given_up_are_worth_a_word(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, minutes: int, state: str, words: str
) -> None:
    monkeypatch.setenv("REVER_WEBHOOK_SECRETS", LONG)
    fill(desk.ledger_file.with_name("ledger-inbox.sqlite"), minutes=minutes, state=state)
    line = desk.lines("inbox")["inbox"]
    assert line.state is State.ATTENTION
    assert words in line.found


def test_returns_whose_runs_come_to_nothing_are_worth_a_word_and_dropped_events_are_not(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVER_WEBHOOK_SECRETS", LONG)
    file = desk.ledger_file.with_name("ledger-inbox.sqlite")
    fill(file, minutes=1)
    with closing(Inbox.open(f"sqlite:///{file}")) as inbox:
        inbox.write(lambda conn: conn.execute(update(returns).values(attempt=3)))
        line = desk.lines("inbox")["inbox"]
        assert line.state is State.ATTENTION
        assert "1 return had 3 or more runs that came to nothing" in line.found
        assert "rever-returns inbox" in line.to_do
        inbox.write(drop, read_content(body()).process_id, by="ann", why="a test", now=utc_now())
    assert desk.lines("inbox")["inbox"].state is State.OK


def test_what_was_closed_long_ago_is_no_longer_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVER_WEBHOOK_SECRETS", LONG)
    file = desk.ledger_file.with_name("ledger-inbox.sqlite")
    fill(file, minutes=1, state=UNKNOWN)
    with closing(Inbox.open(f"sqlite:///{file}")) as inbox:
        inbox.write(lambda conn: conn.execute(update(events).values(closed_at=utc_now() - timedelta(days=8))))
    assert desk.lines("inbox")["inbox"].state is State.OK


def test_a_file_that_is_no_inbox_holds_none(desk: Desk) -> None:
    desk.make_ledger()
    assert inbox_state(f"sqlite:///{desk.ledger_file}") is None
