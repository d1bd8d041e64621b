"""What the ledger says to the receiver, with clocks that are apart."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta

import pytest
from sqlalchemy import URL

from deployments.receiver import lookups
from deployments.receiver.lookups import LedgerLook
from tasks import desk
from tasks.desk import utc_now
from tasks.settings import load_settings
from tests.postgres import fresh_database, postgres_server  # noqa: F401 - a fixture is found by its name
from tests.world import Start, World

MINUTES = [(0, 0), (2, 0), (-2, 0), (0, 2), (0, -2), (2, -2), (-2, 2)]
"""By how much the clocks of the worker and of the receiver are ahead of the ledger's."""


@pytest.fixture
def on_postgres(start_world: Start, postgres_server: URL) -> Iterator[World]:  # noqa: F811
    """A desk whose workers and receiver may be on different machines."""
    with fresh_database(postgres_server) as url:
        yield start_world({"REVER_LEDGER_URL": url}, returns=3, shops=("acme",), scenarios=("approved_one",))


def began(process_id: str) -> datetime | None:
    """As the receiver sees it; None where no run has looked as far as it can tell."""
    with closing(LedgerLook(load_settings())) as ledger:
        return asyncio.run(ledger.runs_began([process_id])).get(process_id)


@pytest.mark.postgres
@pytest.mark.xdist_group("postgres")
@pytest.mark.parametrize(("worker", "receiver"), MINUTES)
def test_a_run_looked_at_what_came_in_before_it_began_and_at_nothing_later_whatever_the_clocks_show(
    on_postgres: World, monkeypatch: pytest.MonkeyPatch, worker: int, receiver: int
) -> None:
    def theirs() -> datetime:
        return utc_now() + timedelta(minutes=receiver)

    monkeypatch.setattr(lookups, "utc_now", theirs)
    on_postgres.clock = lambda: utc_now() + timedelta(minutes=worker)
    process_id = on_postgres.sandbox.process_ids()[0]
    came_in_before = theirs() - timedelta(seconds=1)
    before_it_ends = theirs()
    on_postgres.run("process-return", process_id=process_id, mode="act")
    came_in_after = theirs()
    seen = began(process_id)
    assert seen is not None
    assert came_in_before <= seen < came_in_after
    assert seen - before_it_ends < timedelta(seconds=5)


def test_on_one_machine_the_ledgers_clock_is_the_receivers(world: World) -> None:
    process_id = world.sandbox.process_ids()[0]
    before = utc_now()
    world.run("process-return", process_id=process_id, mode="act")
    seen = began(process_id)
    assert seen is not None
    assert before <= seen <= utc_now()


@pytest.mark.parametrize("minutes", [-5, 5])
def test_where_a_clock_is_wrong_no_event_is_closed_and_the_log_says_so_once(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, minutes: int
) -> None:
    process_id = world.sandbox.process_ids()[0]
    world.run("process-return", process_id=process_id, mode="act")
    monkeypatch.setattr(lookups, "server_clock", lambda _: utc_now() + timedelta(minutes=minutes))
    with closing(LedgerLook(load_settings())) as ledger:
        assert asyncio.run(ledger.runs_began([process_id])) == {}
        assert asyncio.run(ledger.runs_began([process_id])) == {}
        assert [record.message for record in caplog.records if "more than 4 minutes apart" in record.message] != []
        assert len([record for record in caplog.records if record.name == lookups.__name__]) == 1
        monkeypatch.setattr(lookups, "server_clock", lambda _: utc_now())
        assert process_id in asyncio.run(ledger.runs_began([process_id]))


@pytest.mark.parametrize("minutes", [-5, 5])
def test_a_run_by_a_wrong_clock_stands_for_no_event(
    world: World, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    process_id = world.sandbox.process_ids()[0]
    monkeypatch.setattr(desk, "server_clock", lambda _: utc_now() + timedelta(minutes=minutes))
    world.run("process-return", process_id=process_id, mode="act")
    assert began(process_id) is None
