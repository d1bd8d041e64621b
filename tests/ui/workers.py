"""A desk for the live tests: a sandbox, a folder with its `.env`, and workers that are started in it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from prefect.client.orchestration import PrefectClient
from prefect.events import Event
from prefect.events.actions import DoNothing
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from deployments.prefect_server import PrefectServer
from rever_api.sandbox import RunningSandbox
from tests.live import environment
from tests.world import environment_of

GRACE_S = 15.0


def write_env(folder: Path, sandbox: RunningSandbox, **settings: str) -> None:
    """The settings where a person has them: in the folder. The ledger is named by a relative path on purpose."""
    quick = {"REVER_TIMEOUT": "2", "REVER_SETTLE_AFTER": "6", "REVER_LEASE": "2"}
    lines = environment_of(sandbox, "sqlite:///ledger.sqlite", **quick | settings)
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in lines.items()))


@contextmanager
def worker(server: PrefectServer, folder: Path, pool: str = "rever") -> Iterator[subprocess.Popen[bytes]]:
    """A Prefect worker in `folder`; it ends with the block, and whatever it started."""
    with (folder / "worker.log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--type", "process"],
            env=environment(server),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
        kill(process)


def kill(process: subprocess.Popen[bytes], *runs: int) -> None:
    """SIGKILL to a worker and to the processes of its runs, at once: each run is a session of its own."""
    for number in (process.pid, *runs):
        with suppress(ProcessLookupError):
            os.killpg(number, signal.SIGKILL)
    process.wait()


async def until(what: Callable[[], Awaitable[bool]], *, within: float, told: str) -> float:
    """Wait for something; answers after how many seconds it came."""
    began = time.monotonic()
    while time.monotonic() - began < within:
        if await what():
            return time.monotonic() - began
        await asyncio.sleep(0.5)
    raise AssertionError(f"{told}: not within {within:g} s")


async def automations_taken_up(client: PrefectClient) -> None:
    """Wait until the server applies every automation that was made before: it loads them later than it stores them.

    An event that comes earlier is not seen by an automation, and never will be. So one more is made, and shown events
    until it is triggered: the server loads them in the order in which they were made.
    """
    name = f"test.probe.{uuid4()}"
    trigger = EventTrigger(expect={name}, posture=Posture.Reactive, threshold=1, within=timedelta(0))
    made = await client.create_automation(AutomationCore(name=name, trigger=trigger, actions=[DoNothing()]))
    which = {"event": {"name": ["prefect.automation.triggered"]}, "resource": {"id": [f"prefect.automation.{made}"]}}

    async def triggered() -> bool:
        probe = Event(event=name, resource={"prefect.resource.id": "test.probe"})
        await client.request("POST", "/events", json=[probe.model_dump(mode="json")])
        found = await client.request("POST", "/events/filter", json={"filter": which, "limit": 1})
        return bool(found.json()["events"])

    await until(triggered, within=180, told="the server did not take the automations up")
    await client.delete_automation(made)
