"""Notices from a real server to a real HTTP address: what they say, and how many a storm makes."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

import pytest
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.states import Failed, Running
from pydantic import SecretStr

from deployments.bootstrap import bootstrap
from deployments.prefect_server import PrefectServer
from tasks.in_prefect.events import hold_events, pause_events, send, switch_event
from tasks.in_prefect.ui_links import UiLinks
from tasks.ledger import HoldRow, Pause, Switch
from tests.live import in_prefect_of
from tests.samples import NEW_HOLD as HOLD
from tests.ui.workers import automations_taken_up, until

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

ANSWERS = {"approve": "pays it", "drop": "never pays it"}


class Inbox:
    """What was posted, in the order of its coming."""

    def __init__(self) -> None:
        self.notices: list[dict[str, str]] = []
        inbox = self

        class Taking(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                inbox.notices.append(json.loads(body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> SecretStr:
        return SecretStr(f"http://127.0.0.1:{self.server.server_port}/only-we-know-this")

    def told(self, words: str) -> list[dict[str, str]]:
        return [notice for notice in self.notices if words in notice["body"]]


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    inbox = Inbox()
    yield inbox
    inbox.server.shutdown()
    inbox.server.server_close()


@pytest.fixture
async def client(live_server: PrefectServer, inbox: Inbox) -> AsyncIterator[PrefectClient]:
    with in_prefect_of(live_server):
        async with get_client() as client:
            await bootstrap(client, notices_url=inbox.url)
            await automations_taken_up(client)
            yield client
            for automation in await client.read_automations():
                await client.delete_automation(automation.id)
            for deployment in await client.read_deployments():
                await client.delete_deployment(deployment.id)


def holds(many: int, store: str) -> list[HoldRow]:
    """So many holds that one run opens at a store, each for a tripped guard."""
    now = datetime.now(UTC)
    return [
        replace(
            HOLD,
            hold_id=f"{store}-{at}",
            process_id=f"retp_{store}-{at}",
            order_name=f"#100{at}",
            store=store,
            since=now,
            answers=ANSWERS,
        )
        for at in range(many)
    ]


async def test_what_happens_is_told_once_and_a_storm_is_one_notice(client: PrefectClient, inbox: Inbox) -> None:
    began = time.monotonic()
    links = UiLinks("https://desk.example", "id-1", pages={"acme": UUID(int=7)})
    alone, storm = holds(2, "nordic"), holds(200, "acme")
    events = [event for those in (alone, storm, alone, storm) for event in hold_events(those, links=links)]
    now = datetime.now(UTC)
    pauses = [Pause(store, now, now + timedelta(minutes=each)) for store in ("acme", "nordic") for each in (1, 2)]
    stops = [switch_event(Switch(stopped=True, since=now, by=by, why="wrong prices")) for by in ("kim", "olga")]
    assert await send([*events, *pause_events(pauses), *stops], timeout_s=60)
    deployment = await client.read_deployment_by_name("reconcile/reconcile")
    failed = []
    for _ in range(5):
        run = await client.create_flow_run_from_deployment(deployment.id)
        await client.set_flow_run_state(run.id, Running(), force=True)
        await client.set_flow_run_state(run.id, Failed(message="REVER refuses the key"), force=True)
        failed.append(run)

    async def all_told() -> bool:
        return len(inbox.notices) >= 8

    await until(all_told, within=180, told=f"notices: {inbox.notices}")
    seconds = time.monotonic() - began
    await asyncio.sleep(10)  # what else a storm would bring
    print(f"\n{len(events) + 11} events made {len(inbox.notices)} notices, the last after {seconds:.1f} s")
    single = {notice["subject"]: notice["body"] for notice in inbox.told("rever.hold.opened")}
    assert sorted(single) == [f"rever-returns: hold of order #100{at} at nordic" for at in range(2)]
    assert len(inbox.told("rever.hold.opened")) == 2
    body = single["rever-returns: hold of order #1001 at nordic"]
    assert body.count("nordic: order #1001 is held about 80.00 EUR") == 1
    assert "approve: pays it\n  https://desk.example/deployments/deployment/id-1/run?parameters=" in body
    [many] = inbox.told("rever.holds.opened")
    assert many["subject"] == "rever-returns: 200 holds at acme"
    assert "All that waits for a person: https://desk.example/artifacts/artifact/" in many["body"]
    assert len(inbox.told("rever.store.paused")) == 2
    assert len(inbox.told("rever.effects.stopped")) == 2
    [run_failed] = inbox.told("prefect.flow-run.Failed")
    assert "is Failed: REVER refuses the key" in run_failed["body"]
    assert any(f"/runs/flow-run/{run.id}" in run_failed["body"] for run in failed)
    assert len(inbox.notices) == 8
    assert not [notice for notice in inbox.notices if "{{" in notice["text"] or "None" in notice["text"]]
