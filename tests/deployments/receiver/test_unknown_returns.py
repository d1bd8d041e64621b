"""Events about returns that REVER does not know: few runs, closed with a reason, listed, and dropped by hand."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, select

from deployments.receiver.delivery import EXAMPLE, Kind, read_content
from deployments.receiver.example import example_body
from deployments.receiver.inbox import VERSION, Inbox, events, version
from deployments.receiver.inbox_care import Listed, drop, listed
from deployments.receiver.lookups import ReverLook, Standing
from deployments.receiver.offers import open_offers, waiting_returns
from deployments.receiver.prefect_runs import RunState
from rever_api.sandbox import RunningSandbox
from tasks.ledger import LedgerError
from tasks.settings import Settings
from tests.deployments.receiver.conftest import NOON, Desk, body


def states(desk: Desk) -> dict[str, int]:
    query = select(events.c.state, func.count().label("many")).group_by(events.c.state)
    return desk.inbox.read(lambda conn: {row.state: row.many for row in conn.execute(query)})


def rows(desk: Desk) -> list[Listed]:
    return desk.inbox.read(partial(listed, now=desk.clock()))


def let_pass(desk: Desk, minutes: float, every_s: float = 5) -> None:
    """So many minutes, with a dispatcher that looks so often; every run fails at once."""
    desk.prefect.state = RunState.OVER
    for _ in range(int(minutes * 60 / every_s)):
        desk.clock.forward(seconds=every_s)
        desk.step()


def test_an_unknown_return_costs_one_failed_run_and_is_closed_with_its_reason(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.standing["strange"] = Standing.UNKNOWN
    for shipping in ("CREATED", "COLLECTED", "IN_WAREHOUSE"):
        desk.store(body("strange", shipping=shipping))
    desk.step()
    assert desk.prefect.offered() == [["strange"]]
    desk.clock.forward(seconds=5)
    desk.prefect.state = RunState.OVER
    desk.step()
    assert states(desk) == {"waiting": 3}, "REVER may show it a moment later"
    let_pass(desk, minutes=5)
    assert desk.prefect.offered() == [["strange"]]
    assert 3 <= len(desk.asked) <= 6
    assert states(desk) == {"unknown_return": 3}
    assert desk.inbox.read(open_offers) == []
    assert desk.number("rever_webhook_closed_total", reason="unknown_return") == 3
    (row,) = rows(desk)
    assert (row.process_id, row.state, row.events) == ("strange", "unknown_return", 3)
    assert row.why == "REVER knows no return of this id"
    assert "return strange: REVER knows no return of this id; 3 events about it are closed" in caplog.text


def test_more_events_about_it_cost_no_run_at_all(desk: Desk) -> None:
    desk.standing["strange"] = Standing.UNKNOWN
    for number in range(40):
        desk.store(body("strange", note=str(number)))
        let_pass(desk, minutes=2, every_s=20)
    assert desk.prefect.offered() == [["strange"]]
    assert states(desk) == {"unknown_return": 40}
    assert [row.events for row in rows(desk)] == [40]


def test_a_storm_of_unknown_returns_is_one_run_each_hundred(desk: Desk) -> None:
    for number in range(120):
        desk.standing[f"strange{number:03}"] = Standing.UNKNOWN
        desk.store(body(f"strange{number:03}"))
    let_pass(desk, minutes=15)
    assert len(desk.prefect.runs) == 2
    assert states(desk) == {"unknown_return": 120}


def test_one_that_rever_shows_late_is_looked_at_at_once(desk: Desk) -> None:
    desk.standing["late"] = Standing.UNKNOWN
    desk.store(body("late"))
    let_pass(desk, minutes=0.5)
    assert desk.prefect.offered() == [["late"]]
    desk.standing["late"] = Standing.OURS
    let_pass(desk, minutes=1)
    assert len(desk.prefect.offered()) >= 2
    desk.look("late")
    desk.step()
    assert states(desk) == {"acted_on": 1}


def test_one_that_was_unknown_once_is_looked_at_when_rever_knows_it(desk: Desk) -> None:
    desk.standing["p1"] = Standing.UNKNOWN
    desk.store(body("p1"))
    let_pass(desk, minutes=5)
    assert states(desk) == {"unknown_return": 1}
    desk.standing["p1"] = Standing.OURS
    desk.store(body("p1", shipping="COLLECTED"))
    desk.step()
    assert desk.prefect.offered() == [["p1"], ["p1"]]
    desk.clock.forward(seconds=1)
    desk.look("p1")
    desk.step()
    assert states(desk) == {"unknown_return": 1, "acted_on": 1}


def test_where_rever_cannot_be_asked_runs_are_offered_as_ever(desk: Desk) -> None:
    desk.store(body("p1"))
    let_pass(desk, minutes=10)
    assert len(desk.prefect.offered()) > 3
    assert states(desk) == {"waiting": 1}


def test_where_rever_cannot_be_asked_it_is_not_asked_at_each_step(desk: Desk) -> None:
    for number in range(4):
        desk.store(body(f"p{number}"))
    let_pass(desk, minutes=10)
    assert len(desk.asked) <= 5


def test_what_is_new_is_offered_before_rever_is_asked_about_others(desk: Desk) -> None:
    desk.standing["old"] = Standing.OURS
    desk.store(body("old"))
    desk.step()
    desk.prefect.state = RunState.OVER
    desk.clock.forward(seconds=6)
    desk.step()
    desk.store(body("new"))
    desk.clock.forward(seconds=12)
    desk.step()
    assert desk.prefect.offered()[:2] == [["old"], ["old"]]
    order: list[str] = []
    offer, standings = desk.prefect.offer, desk._standings

    async def offered(deployment: str, parameters: Mapping[str, object], key: str) -> str:
        order.append(str(parameters))
        return await offer(deployment, parameters, key)

    async def asked(process_ids: Collection[str]) -> dict[str, Standing]:
        order.append("asked")
        return await standings(process_ids)

    desk.prefect.offer, desk.dispatcher._standings = offered, asked  # type: ignore[method-assign]
    desk.store(body("newer"))
    desk.clock.forward(minutes=2)
    desk.step()
    assert "newer" in order[0]
    assert "asked" in order


def test_a_return_of_another_store_is_closed_at_once(desk: Desk) -> None:
    desk.standing["theirs"] = Standing.ELSEWHERE
    desk.store(body("theirs"))
    let_pass(desk, minutes=0.5)
    assert states(desk) == {"other_store": 1}
    assert "not one of this desk's" in rows(desk)[0].why
    assert desk.prefect.offered() == [["theirs"]]


def test_one_that_cannot_be_read_waits_without_runs_until_it_can(desk: Desk) -> None:
    desk.standing["odd"] = Standing.UNREADABLE
    desk.store(body("odd"))
    let_pass(desk, minutes=30, every_s=30)
    assert desk.prefect.offered() == [["odd"]]
    assert states(desk) == {"waiting": 1}
    assert rows(desk)[0].tries == 1
    desk.standing["odd"] = Standing.OURS
    let_pass(desk, minutes=65, every_s=30)
    assert len(desk.prefect.offered()) > 1


def test_a_known_return_is_offered_without_asking(desk: Desk) -> None:
    for number in range(10):
        desk.store(body(f"p{number}"))
    desk.step()
    assert desk.asked == []


def test_an_example_makes_no_run_and_names_no_return_that_exists(
    desk: Desk, start_sandbox: Callable[..., RunningSandbox]
) -> None:
    raw = example_body(Kind.CREATED, "")
    process_id = read_content(raw).process_id
    assert process_id.startswith(EXAMPLE)
    assert process_id != read_content(example_body(Kind.CREATED, "")).process_id
    assert process_id not in start_sandbox(seed=7, returns=60, shops=("acme",)).process_ids()
    desk.standing[process_id] = Standing.UNKNOWN
    desk.store(raw)
    let_pass(desk, minutes=5)
    assert desk.prefect.offered() == []
    assert states(desk) == {"unknown_return": 1}


def test_events_are_dropped_by_hand_with_a_name_and_a_reason(desk: Desk) -> None:
    desk.store(body("p1"))
    desk.store(body("p1", shipping="COLLECTED"))
    desk.store(body("p2"))
    desk.step()
    told_drop = partial(drop, by="ann", why="a test of ours")
    assert desk.inbox.write(told_drop, "p1", now=desk.clock()) == 2
    assert states(desk) == {"waiting": 1, "dropped": 2}
    assert [item.process_id for item in desk.inbox.read(waiting_returns)] == ["p2"]
    assert [offer.process_ids for offer in desk.inbox.read(open_offers)] == [("p2",)]
    dropped = [row for row in rows(desk) if row.state == "dropped"]
    assert [(row.process_id, row.events, row.by, row.why) for row in dropped] == [("p1", 2, "ann", "a test of ours")]
    for wrong in ("p1", "p9", "'; DROP TABLE inbox_events; --"):
        with pytest.raises(LedgerError, match="holds no event of the return"):
            desk.inbox.write(told_drop, wrong, now=desk.clock())
    desk.store(body("p1", shipping="IN_WAREHOUSE"))
    desk.step()
    assert desk.prefect.offered()[-1] == ["p1"], "what comes in later is a new event"


def test_the_list_has_no_personal_data_and_forgets_what_was_closed_long_ago(desk: Desk) -> None:
    desk.standing["strange"] = Standing.UNKNOWN
    desk.store(body("strange"))
    let_pass(desk, minutes=5)
    desk.store(body("open"))
    found = rows(desk)
    assert [row.state for row in found] == ["waiting", "unknown_return"]
    assert "ann" not in str([row.as_json() for row in found]).lower()
    assert found[0].as_json()["first"].startswith("2026-11-25T12:")
    desk.clock.forward(days=31)
    assert [row.process_id for row in rows(desk)] == ["open"]


def test_an_inbox_of_the_first_version_is_brought_up_to_this_one(tmp_path: Path) -> None:
    file = tmp_path / "inbox.sqlite"
    url = f"sqlite:///{file}"
    Inbox.open(url).close()
    with closing(sqlite3.connect(file)) as conn:
        for table, column in (
            ("inbox_events", "closed_why"), ("inbox_events", "closed_by"),
            ("inbox_returns", "doubts"), ("inbox_returns", "ask_at"),
        ):  # fmt: skip
            conn.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        conn.execute("UPDATE inbox_version SET version = 1")
        row = ("h", "retp_1", "created", "2026-11-25 12:00:00.000000", "waiting")
        conn.execute("INSERT INTO inbox_events (hash, process_id, kind, stored_at, state) VALUES (?, ?, ?, ?, ?)", row)
        conn.execute("INSERT INTO inbox_returns (process_id, shipping) VALUES ('retp_1', '')")
        conn.commit()
    for _ in range(2):
        with closing(Inbox.open(url)) as inbox:
            assert inbox.read(lambda conn: conn.execute(select(version.c.version)).scalar_one()) == VERSION
            (row_,) = inbox.read(partial(listed, now=NOON))
            assert (row_.process_id, row_.state, row_.why) == ("retp_1", "waiting", "")
            assert inbox.read(waiting_returns)[0].doubts == 0


def _settings(sandbox: RunningSandbox, *stores: str, url: str = "") -> Settings:
    return Settings(base_url=url or sandbox.base_url, api_key=sandbox.api_key, stores=stores)


async def test_rever_says_how_returns_stand(
    start_sandbox: Callable[..., RunningSandbox], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, nordic = (start_sandbox(returns=10, shops=(shop,)) for shop in ("acme", "nordic"))
    ours, theirs = acme.process_ids()[0], nordic.process_ids()[0]
    look, other = ReverLook(_settings(acme, "acme")), ReverLook(_settings(nordic, "acme"))
    # One that cannot be asked for (a path of its own) does not keep the others from being known.
    assert await look.standings([ours, "a/b", "retp_nobody", "x:y=~@+z"]) == {
        ours: Standing.OURS,
        "retp_nobody": Standing.UNKNOWN,
        "x:y=~@+z": Standing.UNKNOWN,
    }
    assert await other.standings([theirs]) == {theirs: Standing.ELSEWHERE}
    await look.close()
    await other.close()
    caplog.set_level(logging.WARNING)
    caplog.clear()
    monkeypatch.setattr("deployments.receiver.lookups.PATIENCE_S", 0.3)
    away = ReverLook(_settings(acme, "acme", url="http://127.0.0.1:9"))
    async with asyncio.timeout(30):
        assert await away.standings(["retp_1"]) == await away.standings(["retp_1"]) == {}
    await away.close()
    assert caplog.text.count("REVER cannot be asked") == 1
