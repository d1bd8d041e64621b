"""Notices from a real server to a real HTTP address: what they say, and how many a storm makes."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.events import emit_event
from prefect.states import Failed, Running
from pydantic import SecretStr

from deployments.bootstrap import bootstrap
from deployments.prefect_server import PrefectServer
from tests.live import in_prefect_of
from tests.ui.workers import automations_taken_up, until

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

SENTENCE = "a refund of 12.50 EUR waits for a person: it is above the cap of 10.00 EUR"


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


def happened(event: str, resource: str, number: int) -> None:
    emit_event(
        event,
        resource={"prefect.resource.id": resource},
        payload={
            "sentence": f"{SENTENCE} ({number})",
            "process_id": f"retp_{number}",
            "link": f"https://rever.example/returns/retp_{number}",
            "answers": {"approve": "pays it", "drop": "never pays it"},
            "forms": {"approve": f"https://desk.example/form/{number}"},
            "page": "https://desk.example/holds",
        },
    )


async def test_a_storm_of_holds_is_one_notice_and_hides_nothing_else(client: PrefectClient, inbox: Inbox) -> None:
    began = time.monotonic()
    for number in range(200):
        happened("rever.hold.opened", f"rever.return.retp_{number}", number)
    happened("rever.guard.tripped", "rever.return.retp_7", 7)
    for number in range(2):
        happened("rever.effects.stopped", "rever.desk", number)
    deployment = await client.read_deployment_by_name("reconcile/reconcile")
    failed = []
    for _ in range(5):
        run = await client.create_flow_run_from_deployment(deployment.id)
        await client.set_flow_run_state(run.id, Running(), force=True)
        await client.set_flow_run_state(run.id, Failed(message="REVER refuses the key"), force=True)
        failed.append(run)

    async def all_told() -> bool:
        return len(inbox.notices) >= 5

    await until(all_told, within=180, told=f"notices: {inbox.notices}")
    seconds = time.monotonic() - began
    await asyncio.sleep(10)  # what else a storm would bring
    print(f"\n208 events made {len(inbox.notices)} notices, the last after {seconds:.1f} s")
    [hold] = inbox.told("rever.hold.opened")
    assert SENTENCE in hold["subject"]
    assert "rever-returns why retp_" in hold["body"]
    assert "approve: pays it\n  https://desk.example/form/" in hold["body"]
    assert "drop: never pays it\nWhy:" in hold["body"]
    assert "All that waits for a person: https://desk.example/holds" in hold["body"]
    assert "At REVER: https://rever.example/returns/retp_" in hold["body"]
    assert len(inbox.told("rever.guard.tripped")) == 1
    assert len(inbox.told("rever.effects.stopped")) == 2
    [run_failed] = inbox.told("prefect.flow-run.Failed")
    assert "is Failed: REVER refuses the key" in run_failed["subject"]
    assert any(f"/runs/flow-run/{run.id}" in run_failed["body"] for run in failed)
    assert not [notice for notice in inbox.notices if "{{" in notice["text"] or "None" in notice["text"]]
