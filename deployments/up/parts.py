"""The children of `up`: what each is started with, and how it is seen to do its work."""

import sys
from typing import Any

from deployments.lane import POOL as FAST_LANE
from deployments.prefect_server import CLIENT_AUTH, LOOPBACK, SERVER_AUTH, server_command
from deployments.up.child import Spec
from deployments.up.desk import Desk
from deployments.up.health import Healthy, answers, polls
from deployments.up.ports import Ports

WORKERS_POOL = "rever"
LANE, GRACE_S = "fast lane", 20.0
RUNS_OF_A_WORKER = 5
"""Runs a worker executes at a time, each in a process of its own; the others are left to the other workers."""


class Parts:
    """The children of this desk on these ports."""

    def __init__(self, desk: Desk, ports: Ports) -> None:
        self._desk, self._ports = desk, ports
        self.prefect = f"http://{LOOPBACK}:{ports.prefect}"
        self.receiver_url = f"http://{LOOPBACK}:{ports.receiver}"
        self.sandbox_url = f"http://{LOOPBACK}:{ports.sandbox}"
        self.webhooks = f"{self.receiver_url}/webhooks/rever/{{event}}"

    def first(self) -> list[Spec]:
        """What needs nothing else: the server, the receiver, and the sandbox where there is one."""
        receiver = [self._receiver()] if self._desk.receives else []
        return [*([self._sandbox()] if self._desk.sandbox else []), self._server(), *receiver]

    def bootstrap(self) -> Spec:
        """What sets the server up, and ends."""
        return self._ours("bootstrap", ["bootstrap"], answers(self.prefect))

    def executors(self, workers: int) -> list[Spec]:
        """What executes runs: the fast lane, and so many workers."""
        return [self._lane(), *(self._worker(number + 1) for number in range(workers))]

    def _ours(self, name: str, arguments: list[str], healthy: Healthy, **more: Any) -> Spec:
        command = [sys.executable, "-m", "deployments.cli", *arguments]
        return Spec(name, command, self._without(SERVER_AUTH), self._desk.folder, healthy, **more)

    def _without(self, *beginnings: str) -> dict[str, str]:
        """The desk's environment without what a part has nothing to do with."""
        return {name: value for name, value in self._desk.env.items() if not name.upper().startswith(beginnings)}

    def _sandbox(self) -> Spec:
        arguments = ["sandbox", "--port", str(self._ports.sandbox), "--webhook-url", self.webhooks]
        command = [sys.executable, "-m", "deployments.cli", *arguments]
        healthy, env = answers(f"{self.sandbox_url}/_sandbox/audit"), self._without(SERVER_AUTH, CLIENT_AUTH)
        return Spec("sandbox", command, env, self._desk.folder, healthy, needed=True)

    def _server(self) -> Spec:
        command = server_command(self._ports.prefect, ui=True)
        return Spec(
            "Prefect",
            command,
            self._without("REVER_"),
            self._desk.folder,
            answers(f"{self.prefect}/api/health"),
            needed=True,
        )

    def _receiver(self) -> Spec:
        arguments = ["receiver", "--port", str(self._ports.receiver)]
        return self._ours("receiver", arguments, answers(f"{self.receiver_url}/health"))

    def _lane(self) -> Spec:
        arguments = ["lane", "--name", LANE, "--grace", f"{GRACE_S:g}"]
        healthy = polls(f"{self.prefect}/api", FAST_LANE, LANE, self._desk.auth)
        return self._ours("fast lane", arguments, healthy, grace_s=GRACE_S + 10)

    def _worker(self, number: int) -> Spec:
        name = f"worker {number}"
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", WORKERS_POOL, "--name", name]
        command += ["--limit", str(RUNS_OF_A_WORKER), "--no-create-pool-if-not-found", "--install-policy", "never"]
        healthy = polls(f"{self.prefect}/api", WORKERS_POOL, name, self._desk.auth)
        return Spec(name, command, self._without(SERVER_AUTH), self._desk.folder, healthy, grace_s=GRACE_S)
