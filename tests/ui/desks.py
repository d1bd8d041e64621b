"""A desk in a real Prefect server: a sandbox, its ledger, a deployment of process-return, and lanes as processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectAlreadyExists

from deployments.prefect_server import PrefectServer
from deployments.work_pools import FAST_LANE as POOL
from flows.process_return import NAME, process_return
from rever_api.sandbox import RunningSandbox
from rever_api.sandbox.state import Effect
from tasks.steps import global_limits
from tests.live import environment
from tests.world import World

PATIENCE_S = 180.0
"""How long a wait may take: on a machine with other work a new process alone can take a minute."""

HELD_S = 120.0
"""`REVER_TIMEOUT`: how long a lane waits for a response that the sandbox holds back. What a test does meanwhile must be
over before, or the run ends by itself.
"""


class Desk(World):
    """A world in a real Prefect server, with its ledger in `folder`. `env` is what a lane needs."""

    def __init__(self, sandbox: RunningSandbox, folder: Path, server: PrefectServer, client: SyncPrefectClient) -> None:
        super().__init__(sandbox, f"sqlite:///{folder / 'ledger.sqlite'}", {"REVER_TIMEOUT": f"{HELD_S:g}"})
        self.folder = folder
        self.client = client
        self.env = environment(server, self.environment)

    def deployment(self, **more: Any) -> UUID:
        """Make the deployment of process-return in the fast lane's pool anew, with these arguments beside the usual."""
        with suppress(ObjectAlreadyExists):
            self.client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        for name, slots in global_limits().items():
            self.client.upsert_global_concurrency_limit_by_name(name, slots)
        flow_id = self.client.create_flow(process_return)
        return self.client.create_deployment(flow_id, NAME, work_pool_name=POOL, enforce_parameter_schema=False, **more)

    def run_in_lane(self, deployment: UUID, process_id: str) -> FlowRun:
        """Make a run, as the receiver's dispatcher does."""
        form = {"process_id": process_id, "mode": "act"}
        return self.client.create_flow_run_from_deployment(deployment, parameters={"parameters": form})

    def state(self, run: FlowRun) -> str:
        """The type of the run's state now."""
        found = self.client.read_flow_run(run.id)
        return found.state.type.value if found.state else ""

    def span(self, run: FlowRun) -> tuple[datetime, datetime]:
        """When the run began and ended."""
        found = self.client.read_flow_run(run.id)
        assert found.start_time
        assert found.end_time
        return found.start_time, found.end_time

    def wait_for(self, state: StateType, *runs: FlowRun) -> None:
        """Wait until all these runs are in the state."""
        wait_until(lambda: all(self.state(run) == state for run in runs), f"{len(runs)} runs to be {state}")

    def wait_for_refund(self, process_id: str) -> None:
        """Wait until REVER's books hold a refund for this return."""
        wait_until(lambda: bool(self.refunds(process_id)), "the refund")

    def refunds(self, process_id: str = "") -> list[Effect]:
        """What REVER's books say was refunded, for this return or all."""
        made = [effect for effect in self.sandbox.books.effects if effect.operation == "issueRefund"]
        return [effect for effect in made if process_id in {"", effect.process_id}]

    def approved(self, many: int) -> tuple[str, ...]:
        """Returns of which each is due exactly one refund."""
        return self.sandbox.process_ids("approved_one")[:many]

    @contextmanager
    def lane(self, name: str = "lane", *more: str) -> "Iterator[Lane]":
        """A lane as a process of its own, until the end of the block; then nothing of it is left."""
        log = self.folder / f"{name}.log"
        with log.open("a") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "deployments.cli", "lane", "--name", name, *more],
                env=self.env,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,
            )
        lane = Lane(process, log)
        try:
            wait_until(lambda: "takes the runs" in log.read_text(), f"the lane {name} to begin")
            yield lane
        finally:
            lane.kill()


@dataclass
class Lane:
    """A running lane."""

    process: subprocess.Popen[bytes]
    log: Path

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, to it and whatever it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def desk_at(server: PrefectServer, sandbox: RunningSandbox, folder: Path) -> Iterator[Desk]:
    """A desk of the sandbox's, in this server, with its ledger in `folder`."""
    with get_client(sync_client=True) as client:
        yield Desk(sandbox, folder, server, client)


def wait_until(
    reached: Callable[[], bool],
    what: str,
    patience_s: float = PATIENCE_S,
    every_s: float = 0.02,
    seen: Callable[[], str] = str,
) -> None:
    """Wait for something to be so; looking at a server is work for it, so do not look often there.

    Where it does not come to be, the failure says what is `seen` in its place.
    """
    until = time.monotonic() + patience_s
    while not reached():
        assert time.monotonic() < until, f"waited {patience_s:.0f} s for {what}\n{seen()}"
        time.sleep(every_s)
