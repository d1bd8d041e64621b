"""A fail-over of PostgreSQL is a restore that nobody announced: the ledger notices it by the server's timeline."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from tasks.ledger import Actor, Ledger, LedgerError, catch_up, restored, stop_switch, switch
from tasks.ledger.schema import ledger
from tests.postgres import ACCOUNT
from tests.tasks.ledger.desk import NOON, Clock, LedgerDesk

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("postgres")]


def opened(url: str) -> LedgerDesk:
    clock = Clock()
    return LedgerDesk(Ledger.open(url, account=ACCOUNT, clock=clock), clock)


def put_on(desk: LedgerDesk, server: str) -> None:
    """As if the ledger had been on this server, or on this timeline of it, before."""
    desk.ledger.write(lambda conn: conn.execute(update(ledger).values(server=server)) and None)


def server_of(desk: LedgerDesk) -> str:
    return str(desk.ledger.read(lambda conn: conn.execute(select(ledger.c.server)).scalar_one()))


def test_the_same_server_is_no_restore(postgres_ledger_url: str) -> None:
    first = opened(postgres_ledger_url)
    identifier, timeline = server_of(first).split("/")
    assert int(identifier) > 0
    assert int(timeline, 16) >= 1
    second = opened(postgres_ledger_url)
    assert server_of(second) == server_of(first)
    assert not second.ledger.read(switch).stopped
    first.ledger.close()
    second.ledger.close()


@pytest.mark.parametrize("before", ["timeline", "server"])
def test_another_timeline_or_server_is_a_restore_once(postgres_ledger_url: str, before: str) -> None:
    desk = opened(postgres_ledger_url)
    claim = desk.claim("p1")
    now = server_of(desk)
    put_on(desk, "1/00000001" if before == "server" else now.partition("/")[0] + "/00000000")
    desk.ledger.close()
    back = opened(postgres_ledger_url)
    assert server_of(back) == now
    assert "a standby took over" in back.ledger.read(switch).why
    mark = back.ledger.read(restored, ["acme"])
    assert mark is not None
    assert back.send(claim).sending == "stopped"
    how = {"settle_after": timedelta(0), "now": NOON, "actor": Actor("olga")}
    back.ledger.write(catch_up, ["acme"], read_since=mark.at, **how)  # type: ignore[arg-type]
    back.ledger.write(stop_switch, on=False, by="olga", why="looked", now=NOON)
    again = opened(postgres_ledger_url)
    assert not again.ledger.read(switch).stopped
    assert again.ledger.read(restored, ["acme"]) is None
    back.ledger.close()
    again.ledger.close()


def test_a_ledger_from_before_this_was_kept_is_no_restore(postgres_ledger_url: str) -> None:
    desk = opened(postgres_ledger_url)
    put_on(desk, "")
    desk.ledger.close()
    back = opened(postgres_ledger_url)
    assert server_of(back)
    assert not back.ledger.read(switch).stopped
    back.ledger.close()


def test_a_run_goes_no_further_on_another_server(postgres_ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connections break with the old server; the pool would quietly make new ones to the standby that took over."""
    desk = opened(postgres_ledger_url)
    desk.done(desk.sent("p1"))
    writer = desk.ledger._writer
    assert writer is not None
    writer._engine.dispose()
    monkeypatch.setattr("tasks.ledger.after_restore._IDENTITY", "SELECT '1/00000002'")
    with pytest.raises(LedgerError, match="has changed under this run"):
        desk.claim("p2")
    desk.ledger.close()
