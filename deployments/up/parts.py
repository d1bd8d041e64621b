"""The children of `up`: what each is started with, and how it is checked that it does its work."""

import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

import httpx

from deployments.prefect_server import CLIENT_AUTH, LOOPBACK, SERVER_AUTH, server_command
from deployments.up.desk import DeskEnvironment, Ports
from deployments.up.supervisor import Spec
from deployments.work_pools import FAST_LANE, POOL

Healthy = Callable[[float], bool]

_PATIENCE_S = 2.0

LANE, GRACE_S = "fast lane", 20.0
RUNS_OF_A_WORKER = 5
"""Runs that a worker executes at a time, each in its own process."""


class Parts:
    """The children of this desk on these ports."""

    def __init__(self, desk: DeskEnvironment, ports: Ports) -> None:
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
        return self._ours("bootstrap", ["bootstrap"], responds(self.prefect))

    def executors(self, workers: int) -> list[Spec]:
        """What executes runs: the fast lane, and so many workers."""
        return [self._lane(), *(self._worker(number + 1) for number in range(workers))]

    def _ours(self, name: str, arguments: list[str], healthy: Healthy, **more: Any) -> Spec:
        command = [sys.executable, "-m", "deployments.cli", *arguments]
        return Spec(name, command, self._without(SERVER_AUTH), self._desk.folder, healthy, **more)

    def _without(self, *beginnings: str) -> dict[str, str]:
        """The desk's environment without the variables that a part does not need."""
        return {name: value for name, value in self._desk.env.items() if not name.upper().startswith(beginnings)}

    def _sandbox(self) -> Spec:
        arguments = ["sandbox", "--port", str(self._ports.sandbox), "--webhook-url", self.webhooks]
        command = [sys.executable, "-m", "deployments.cli", *arguments]
        healthy, env = responds(f"{self.sandbox_url}/_sandbox/audit"), self._without(SERVER_AUTH, CLIENT_AUTH)
        return Spec("sandbox", command, env, self._desk.folder, healthy, needed=True)

    def _server(self) -> Spec:
        command = server_command(self._ports.prefect, ui=True)
        return Spec(
            "Prefect",
            command,
            self._without("REVER_"),
            self._desk.folder,
            responds(f"{self.prefect}/api/health"),
            needed=True,
        )

    def _receiver(self) -> Spec:
        arguments = ["receiver", "--port", str(self._ports.receiver)]
        return self._ours("receiver", arguments, responds(f"{self.receiver_url}/health"))

    def _lane(self) -> Spec:
        arguments = ["lane", "--name", LANE, "--grace", f"{GRACE_S:g}"]
        healthy = polls(f"{self.prefect}/api", FAST_LANE, LANE, self._desk.auth)
        return self._ours("fast lane", arguments, healthy, grace_s=GRACE_S + 10)

    def _worker(self, number: int) -> Spec:
        name = f"worker {number}"
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--name", name]
        command += ["--limit", str(RUNS_OF_A_WORKER), "--no-create-pool-if-not-found", "--install-policy", "never"]
        healthy = polls(f"{self.prefect}/api", POOL, name, self._desk.auth)
        return Spec(name, command, self._without(SERVER_AUTH), self._desk.folder, healthy, grace_s=GRACE_S)


def responds(url: str) -> Healthy:
    """Healthy once this address responds with 200."""

    def healthy(_began: float) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(url, trust_env=False, timeout=_PATIENCE_S).status_code == httpx.codes.OK
        return False

    return healthy


def polls(api_url: str, pool: str, name: str, auth: tuple[str, str]) -> Healthy:
    """Healthy once Prefect has a heartbeat of the worker of this name in this pool, from after its start."""
    asker, token = f"up-{uuid4()}", dict[str, str]()

    def healthy(began: float) -> bool:
        with suppress(httpx.HTTPError, ValueError, KeyError):
            asked = partial(httpx.request, auth=auth, trust_env=False, timeout=_PATIENCE_S)
            if not token:  # needed for all but GET (PREFECT_SERVER_CSRF_PROTECTION_ENABLED)
                found = asked("GET", f"{api_url}/csrf-token", params={"client": asker}).json()
                token.update({"Prefect-Csrf-Token": found.get("token", ""), "Prefect-Csrf-Client": asker})
            response = asked("POST", f"{api_url}/work_pools/{pool}/workers/filter", json={}, headers=token)
            if not response.is_success:
                token.clear()
                return False
            heard = [worker["last_heartbeat_time"] for worker in response.json() if worker["name"] == name]
            return any(datetime.fromisoformat(at).timestamp() >= began for at in heard)
        return False

    return healthy
