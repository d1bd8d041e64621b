"""`rever-returns up` as a child process, as a person starts it."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from dotenv import dotenv_values
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import StateType
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from deployments.prefect_server import without_own_settings
from tests.ui.desks import wait_until

UP_WITHIN_S = 400.0


@dataclass
class Up:
    """A running `up`, and what it has printed."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def text(self) -> str:
        return (self.folder / "printed").read_text()

    def address(self, part: str) -> str:
        """Where a part listens, as the page says."""
        found = re.search(rf"^  {part} +(http://[\d.:]+)", self.text, re.MULTILINE)
        assert found, self.text
        return found[1]

    def auth(self) -> str:
        """What Prefect's UI and API ask for."""
        return dotenv_values(self.folder / ".up" / "sandbox" / "desk.env")["PREFECT_API_AUTH_STRING"] or ""

    @contextmanager
    def client(self) -> Iterator[SyncPrefectClient]:
        """A client of its Prefect server."""
        api = {PREFECT_API_URL: f"{self.address('Prefect')}/api", PREFECT_API_AUTH_STRING: self.auth()}
        with temporary_settings(api), get_client(sync_client=True) as client:
            yield client

    def pause_schedules(self) -> None:
        """Let no scheduled run begin any more, and wait for those under way.

        They begin at full ten minutes by the clock, and one that is under way keeps a worker from ending at once.
        """
        under_way = FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING])
        these = FlowRunFilter(state=FlowRunFilterState(type=under_way))
        with self.client() as client:
            for deployment in client.read_deployments():
                if deployment.schedules:
                    client.pause_deployment(deployment.id)
            wait_until(lambda: not client.read_flow_runs(flow_run_filter=these), "scheduled runs to end", 300, 1)

    def family(self) -> list[psutil.Process]:
        """All that it has started by now."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, *words: str) -> psutil.Process:
        """The one child process with all these words among its arguments."""
        (found,) = [child for child in self.family() if set(words) <= set(_arguments(child))]
        return found

    def wait_for(self, words: str, patience_s: float) -> float:
        """Wait until it has said this; return the seconds."""
        began = time.monotonic()
        wait_until(lambda: words in self.text or self.process.poll() is not None, words, patience_s)
        assert words in self.text, self.text
        return time.monotonic() - began


def _arguments(process: psutil.Process) -> list[str]:
    """What a process was started with; nothing of one that has ended meanwhile."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


@contextmanager
def running_up(folder: Path, *arguments: str, **variables: str) -> Iterator[Up]:
    """Start it in `folder` on free ports, with these arguments and variables beside.

    At the end of the block it is ended, by SIGKILL where it does not obey.
    """
    free = [word for part in ("prefect", "receiver", "sandbox") for word in (f"--{part}-port", "0")]
    with (folder / "printed").open("w") as printed:
        process = subprocess.Popen(
            [sys.executable, "-m", "deployments.cli", "up", *free, *arguments],
            env={**without_own_settings(os.environ), **variables}, cwd=folder,
            stdin=subprocess.DEVNULL, stdout=printed, stderr=printed,
        )  # fmt: skip
    running = Up(process, folder)
    try:
        yield running
    finally:
        _end(running)


def _end(running: Up) -> None:
    if running.process.poll() is not None:
        return
    family = running.family()
    running.process.terminate()
    try:
        running.process.wait(120)
    except subprocess.TimeoutExpired:
        running.process.kill()
    for child in family:
        if child.is_running():
            child.kill()
