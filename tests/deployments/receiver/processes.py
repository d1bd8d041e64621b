"""A receiver as a process of its own, that can be killed and started again on the same port."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from deployments.prefect_server import free_port

PATIENCE_S = 60.0


@dataclass
class ReceiverProcess:
    """A receiver in `folder`, with what it needs in `env`. Its log is `receiver.log` there."""

    folder: Path
    env: Mapping[str, str]
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.address}/webhooks/rever"

    @property
    def log(self) -> str:
        return (self.folder / "receiver.log").read_text()

    def start(self) -> float:
        """Start it, and answer after how many seconds it listens."""
        began = time.monotonic()
        with (self.folder / "receiver.log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deployments.cli", "receiver", "--port", str(self.port)],
                cwd=self.folder,
                env=dict(self.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while time.monotonic() - began < PATIENCE_S:
            assert self.process.poll() is None, self.log
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.address}/health", timeout=10).status_code == 200:
                    return time.monotonic() - began
            time.sleep(0.05)
        raise AssertionError(f"the receiver did not come up: {self.log}")

    def kill(self) -> None:
        """SIGKILL: nothing of it can react, write or clean up."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal; answers its exit code."""
        assert self.process
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@contextmanager
def receiving(folder: Path, env: Mapping[str, str]) -> Iterator[ReceiverProcess]:
    """A running receiver; nothing of it is left after the block."""
    receiver = ReceiverProcess(folder, env, free_port())
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.kill()
