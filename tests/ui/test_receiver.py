"""REVER's webhooks with everything real: receiver, Prefect's server, fast lane, and the sandbox's books at the end.

`LOAD` deliveries (5,000 unless the variable says otherwise) are sent while the receiver is killed and Prefect is away.
`EVENT_JSON` names a file into which the seconds from each post to its refund are written, for `make bench`.
"""

import asyncio
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest
from prefect import get_client
from pydantic import SecretStr

from deployments.prefect_server import PrefectServer, free_port, prefect_server
from deployments.receiver.delivery import Kind
from deployments.receiver.example import example_body
from rever_api.sandbox import RunningSandbox
from rever_api.webhooks import SIGNATURE_HEADER, sign
from tests.deployments.receiver.load import Load, Sent, send
from tests.deployments.receiver.processes import ReceiverProcess
from tests.live import in_prefect_of
from tests.ui.desks import Desk, desk_at, wait_until

pytestmark = [pytest.mark.live, pytest.mark.timeout(3600)]

SECRET = SecretStr("a-shared-s3cr3t")
PATIENCE_S = 300.0
"""Prefect's SQLite has been seen to stand still for a minute where other work keeps the disk busy."""
LOAD = int(os.environ.get("LOAD", "5000"))
RETURNS, EVENTS = LOAD // 20, 20


@dataclass
class Whole:
    """A desk whose webhooks are taken in: its receiver, and the Prefect server that can be away."""

    desk: Desk
    server: PrefectServer
    receiver: ReceiverProcess
    stack: ExitStack
    outage: list[float] = field(default_factory=list)

    def away(self, seconds: float) -> None:
        """Stop Prefect's server, and start it again on the same port with what it knew."""
        began = time.monotonic()
        port = int(self.server.address.rpartition(":")[2])
        self.server.stop()
        time.sleep(seconds)
        self.server = self.stack.enter_context(prefect_server(self.desk.folder / "prefect", port=port))
        self.server.wait()
        self.outage.append(time.monotonic() - began)

    def states(self) -> Counter[str]:
        """How many events are in which state."""
        with closing(sqlite3.connect(self.desk.folder / "ledger-inbox.sqlite", timeout=30)) as conn:
            return Counter(dict(conn.execute("SELECT state, count(*) FROM inbox_events GROUP BY state").fetchall()))

    def seen(self) -> str:
        """What became of the events, and the last lines of every log."""
        logs = sorted(self.desk.folder.rglob("*.log"))
        ends = [f"-- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-15:]) for log in logs]
        return "\n".join([str(dict(self.states())), *ends])

    def metric(self, name: str) -> dict[str, float]:
        """The numbers of this name, by label."""
        lines = httpx.get(f"{self.receiver.address}/metrics", timeout=30).text.splitlines()
        found = [
            line.removeprefix(name).rpartition(" ") for line in lines if line.startswith((f"{name} ", f"{name}{{"))
        ]
        return {label: float(value) for label, _, value in found}


@pytest.fixture
def whole(start_sandbox: Callable[..., RunningSandbox], tmp_path: Path) -> Iterator[Whole]:
    with ExitStack() as stack:
        server = stack.enter_context(prefect_server(tmp_path / "prefect"))
        stack.enter_context(in_prefect_of(server))
        sandbox = start_sandbox(returns=RETURNS + EVENTS, scenarios=("approved_one",))
        desk = stack.enter_context(desk_at(server, sandbox, tmp_path))
        desk.env["REVER_WEBHOOK_SECRETS"] = SECRET.get_secret_value()
        server.wait()
        subprocess.run([sys.executable, "-m", "deployments.cli", "bootstrap"], env=desk.env, cwd=tmp_path, check=True)
        receiver = ReceiverProcess(tmp_path, desk.env, free_port())
        receiver.start()
        stack.callback(receiver.kill)
        stack.enter_context(desk.lane())
        yield Whole(desk, server, receiver, stack)


def test_an_event_becomes_a_refund_with_no_hand_in_between_and_a_storm_is_acted_on_once(whole: Whole) -> None:
    ids = whole.desk.approved(RETURNS + EVENTS)
    one_by_one(whole, ids[:EVENTS])
    storm(whole, ids[EVENTS:])


def one_by_one(whole: Whole, ids: tuple[str, ...]) -> None:
    """Events one after the other: from the post to the refund in REVER's books."""
    taken, answered = [], []
    with httpx.Client(timeout=30, trust_env=False) as http:
        for process_id in ids:
            raw = example_body(Kind.SHIPPED, process_id)
            headers = {"content-type": "application/json", SIGNATURE_HEADER: sign(raw, SECRET)}
            began = time.monotonic()
            assert http.post(whole.receiver.url, content=raw, headers=headers).status_code == 202
            answered.append(time.monotonic() - began)
            wait_until(partial(_is_paid, whole.desk, process_id), "the refund", PATIENCE_S, seen=whole.seen)
            taken.append(time.monotonic() - began)
    print(
        f"\nfrom post to refund: median {statistics.median(taken):.2f} s, worst {max(taken):.2f} s of {len(taken)};"
        f" answered after {statistics.median(answered) * 1000:.1f} ms (median)"
    )
    if file := os.environ.get("EVENT_JSON"):
        Path(file).write_text(
            json.dumps({"from post to refund, s": taken, "from post to answer, s": answered}, indent=2)
        )
    wait_until(
        lambda: whole.states() == {"acted_on": len(ids)}, "the events to be acted on", PATIENCE_S, seen=whole.seen
    )


def _is_paid(desk: Desk, process_id: str) -> bool:
    return bool(desk.refunds(process_id))


def storm(whole: Whole, ids: tuple[str, ...]) -> None:
    """Repeats, bad signatures, a receiver killed and a Prefect that is away, all at once."""
    load = Load.of(ids, LOAD, repeats=0.3, bad=0.05, seed=7)
    trouble: list[threading.Thread] = []

    def on(number: int) -> None:
        if number == LOAD // 3:
            trouble.append(threading.Thread(target=whole.away, args=(10.0,)))
            trouble[-1].start()
        if number == LOAD // 2:
            whole.receiver.kill()
            trouble.append(threading.Thread(target=whole.receiver.start))
            trouble[-1].start()

    began = time.monotonic()
    sent = asyncio.run(send(whole.receiver.url, load, SECRET, on=on))
    sending = time.monotonic() - began
    for thread in trouble:
        thread.join()
    expected = {"acted_on": len(load.events) + EVENTS}
    wait_until(lambda: whole.states() == expected, "all to be acted on", 1200, seen=whole.seen)
    told(whole, load, sent, sending, time.monotonic() - began)

    assert sent.refused == {401: round(LOAD * 0.05)}
    assert set(sent.answers) == load.events
    assert all(statuses.count(202) <= 1 for statuses in sent.answers.values())
    assert Counter(effect.process_id for effect in whole.desk.refunds()) == dict.fromkeys(
        whole.desk.approved(RETURNS + EVENTS), 1
    )
    assert whole.desk.sandbox.audit().violations == ()
    assert "ann@" not in whole.receiver.log


def told(whole: Whole, load: Load, sent: Sent, sending: float, whole_s: float) -> None:
    """What is printed for a person."""
    with get_client(sync_client=True) as client:
        runs = [run for run in client.read_flow_runs(limit=200) if run.run_count]
    by_flow = Counter(run.name.split()[0] for run in runs)
    states = Counter(run.state.type.value for run in runs if run.state)
    print(
        f"{len(load.deliveries)} deliveries in {sending:.0f} s, all acted on after {whole_s:.0f} s; "
        f"{len(load.events)} events of {RETURNS} returns\n"
        f"answers: {sent.times()}; {sent.unanswered} attempts without an answer\n"
        f"Prefect was away for {whole.outage[0]:.0f} s; its runs: {dict(by_flow)}, {dict(states)}\n"
        f"refunds in REVER's books: {len(whole.desk.refunds())} for {RETURNS + EVENTS} returns;"
        f" since its restart the receiver offered {whole.metric('rever_webhook_offered_runs_total')}"
    )
