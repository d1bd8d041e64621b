"""A Prefect server with a database of its own, for as long as a block takes: for the demo and the tests.

It is a process of its own, started once for all that use it: coming up is what takes Prefect long.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from deployments.free_port import free_port
from deployments.prefect_settings import (
    CLIENT_AUTH,
    LOOPBACK,
    SERVER_AUTH,
    kept_auth,
    prefect_variables,
    without_own_settings,
)

PATIENCE_S = 240.0
LOOK_EVERY_S = 0.2
GRACE_S = 5.0


class PrefectServerError(Exception):
    """Prefect's server did not come up; the sentence says where its log is."""


@dataclass(frozen=True, slots=True)
class PrefectServer:
    """A Prefect server that is coming up or answers. `variables` are what its clients need, its password too."""

    process: subprocess.Popen[bytes]
    address: str
    variables: Mapping[str, str] = field(repr=False)
    log: Path

    def wait(self) -> None:
        """Return once it answers. Raises `PrefectServerError` where it does not come up."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and self.process.poll() is None:
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.address}/api/health", trust_env=False).status_code == httpx.codes.OK:
                    return
            time.sleep(LOOK_EVERY_S)
        raise PrefectServerError(f"Prefect's server did not come up; its log is {self.log}")

    def stop(self) -> None:
        """End it, and whatever it started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE_S)


def server_command(port: int, *, ui: bool) -> list[str]:
    """The command that serves Prefect's API on this port of 127.0.0.1, and its UI where asked for."""
    prefect = [sys.executable, "-m", "deployments.prefect_process"]
    command = [*prefect, "server", "start", "--host", LOOPBACK, "--port", str(port)]
    return command if ui else [*command, "--no-ui"]


@contextmanager
def prefect_server(folder: Path, *, port: int = 0, ui: bool = False) -> Iterator[PrefectServer]:
    """Start a Prefect server on 127.0.0.1, with all it stores in `folder`; it ends with the block.

    Its password is made at its first start in this folder, and is among `variables`.

    `port` 0 takes a free one. A server that stored something in `folder` before goes on with it.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    port, auth = port or free_port(), kept_auth(folder / "password")
    variables = {**prefect_variables(port, folder), CLIENT_AUTH: auth}
    log = folder / "server.log"
    with log.open("a") as output:
        process = subprocess.Popen(  # noqa: S603 - this interpreter, and arguments of our own
            server_command(port, ui=ui),
            env={**without_own_settings(os.environ), **variables, SERVER_AUTH: auth},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    server = PrefectServer(process, f"http://{LOOPBACK}:{port}", variables, log)
    try:
        yield server
    finally:
        server.stop()
