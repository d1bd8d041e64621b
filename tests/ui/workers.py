"""A desk for the live tests: a sandbox, a folder with its `.env`, and workers that are started in it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from deployments.prefect_server import PrefectServer
from rever_api.sandbox import RunningSandbox
from tests.live import environment

GRACE_S = 15.0


def write_env(folder: Path, sandbox: RunningSandbox, **settings: str) -> None:
    """The settings where a person has them: in the folder. The ledger is named by a relative path on purpose."""
    lines = {
        "REVER_BASE_URL": sandbox.base_url,
        "REVER_API_KEY": sandbox.api_key,
        "REVER_STORES": ",".join(sandbox.stores),
        "REVER_LEDGER_URL": "sqlite:///ledger.sqlite",
        "REVER_TIMEOUT": "2",
        "REVER_SETTLE_AFTER": "6",
        "REVER_LEASE": "2",
        **settings,
    }
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
