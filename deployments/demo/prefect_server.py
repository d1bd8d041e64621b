"""The demo's own Prefect server, started once for all of its workers: coming up is what takes Prefect long."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from deployments.demo.process import DemoError, without_own_settings

PATIENCE_S = 120.0
LOOK_EVERY_S = 0.2
GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class PrefectServer:
    """A Prefect server that is coming up or answers. `variables` are what its clients need."""

    process: subprocess.Popen[bytes]
    address: str
    variables: Mapping[str, str]
    log: Path

    def wait(self) -> None:
        """Return once it answers. Raises `DemoError` where it does not come up."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and self.process.poll() is None:
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.address}/api/health", trust_env=False).status_code == httpx.codes.OK:
                    return
            time.sleep(LOOK_EVERY_S)
        raise DemoError(f"Prefect's server did not come up; its log is {self.log}")

    def stop(self) -> None:
        """End it, and whatever it started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE_S)


@contextmanager
def prefect_server(folder: Path) -> Iterator[PrefectServer]:
    """Start a Prefect server on a free port of 127.0.0.1, with all it stores in `folder`; it ends with the block."""
    folder.mkdir()
    port = _free_port()
    variables = {
        "PREFECT_HOME": str(folder),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "DO_NOT_TRACK": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
    log = folder / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(  # noqa: S603 - this interpreter, and arguments of our own
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"],
            env={**without_own_settings(os.environ), **variables},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    server = PrefectServer(process, f"http://127.0.0.1:{port}", variables, log)
    try:
        yield server
    finally:
        server.stop()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port
