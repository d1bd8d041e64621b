"""Worker processes: the settings and the job that each is told, and the nursery that starts them through a zygote.

A nursery may be used from any thread. It waits for what becomes of its workers.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Any

ACCOUNT, STORE = "proof", "acme"
TIMEOUT_S, SETTLE_AFTER_S, LEASE_S = 1.0, 900, 60
SETTINGS = {
    "REVER_ACCOUNT": ACCOUNT,
    "REVER_TIMEOUT": str(TIMEOUT_S),
    "REVER_SETTLE_AFTER": str(SETTLE_AFTER_S),
    "REVER_LEASE": str(LEASE_S),
}

WRONG_AT_MOST_S = 7200
"""How far a clock that jumps is wrong, ahead or behind."""

BEFORE_COMMIT = "before the outcome is committed"
"""A point of this harness: the commit that writes down what REVER answered. The others are `CrashPoint`s."""


class Blow(StrEnum):
    """What happens to a worker at a point."""

    KILL = "kill"
    """SIGKILL: nothing of it can react."""
    STOP = "stop"
    """SIGSTOP, until somebody lets it go on."""
    CANCEL = "cancel"
    """The run's task is cancelled."""
    TERMINATE = "terminate"
    """SIGTERM, as Prefect sends it when a run is cancelled from its UI."""


@dataclass(frozen=True, slots=True)
class Strike:
    """A blow at the `nth` time (from 1) that the worker comes to a point."""

    blow: Blow
    point: str
    nth: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    """One flow to run. `copies` run at once in one event loop, as a webhook does that is repeated."""

    flow: str
    values: dict[str, str] = field(default_factory=dict)
    copies: int = 1


@dataclass(frozen=True, slots=True)
class Job:
    """One worker's life. `later` is by how many seconds its clock is ahead; `jumps` seeds a clock that jumps."""

    steps: tuple[Step, ...]
    environment: dict[str, str]
    answers: str
    later: float = 0.0
    jumps: int | None = None
    strikes: tuple[Strike, ...] = ()

    def as_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, line: str) -> "Job":
        """The reverse of `as_json`."""
        told: dict[str, Any] = json.loads(line)
        steps = tuple(Step(**step) for step in told.pop("steps"))
        strikes = tuple(Strike(Blow(each.pop("blow")), **each) for each in told.pop("strikes"))
        return cls(steps=steps, strikes=strikes, **told)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one flow of a worker came to: its report, or the error that ended it."""

    flow: str
    report: dict[str, Any] | None
    error: str = ""


PATIENCE_S = 90.0
"""A worker that takes longer than this has hung, and the cell is broken."""


class Worker:
    """A worker process."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.pid = 0
        self.ended: int | None = None

    @property
    def killed(self) -> bool:
        """Whether it died by SIGKILL."""
        return self.ended == -signal.SIGKILL

    def rest(self) -> bool:
        """Wait until it has ended or stopped; return whether it stopped. TimeoutError where it hangs."""
        while self.ended is None:
            try:
                said = self.events.get(timeout=PATIENCE_S)
            except queue.Empty:
                self.kill()
                raise TimeoutError(f"a worker hangs: {self.job.steps}") from None
            self.pid = said.get("pid", self.pid)
            self.ended = said.get("ended")
            if said.get("stopped"):
                return True
        return False

    def wait(self) -> "Worker":
        """Wait for its end, letting it go on where it stopped."""
        while self.rest():
            self.go_on()
        return self

    def poll(self) -> bool:
        """Whether it still runs, without waiting."""
        with suppress(queue.Empty):
            while True:
                said = self.events.get_nowait()
                self.pid = said.get("pid", self.pid)
                self.ended = said.get("ended", self.ended)
        return self.ended is None

    def go_on(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL."""
        self.poll()
        if self.ended is None and self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def answers(self) -> list[Answer]:
        """What each of its flows came to; those under way when it died are missing."""
        path = Path(self.job.answers)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [Answer(**json.loads(line)) for line in lines]


class Nursery:
    """The zygote, and the thread that hears what it says."""

    def __init__(self, zygote: "subprocess.Popen[str]", folder: Path, log: Path) -> None:
        self._zygote, self._folder, self.log = zygote, folder, log
        self._workers: dict[int, Worker] = {}
        self._numbers = count(1)
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, daemon=True, name="nursery").start()

    def start(self, **job: Any) -> Worker:
        """Start a worker; the arguments are those of `Job`."""
        with self._lock:
            number = next(self._numbers)
            worker = Worker(Job(answers=str(self._folder / f"{number}.jsonl"), **job))
            self._workers[number] = worker
            assert self._zygote.stdin is not None
            self._zygote.stdin.write(f"{number} {worker.job.as_json()}\n")
            self._zygote.stdin.flush()
        return worker

    def _listen(self) -> None:
        assert self._zygote.stdout is not None
        for line in self._zygote.stdout:
            said = json.loads(line)
            self._workers[said["job"]].events.put(said)
            if "ended" in said:
                del self._workers[said["job"]]


@contextmanager
def nursery() -> Iterator[Nursery]:
    """A zygote, ready; at the end of the block it and its workers are gone."""
    with tempfile.TemporaryDirectory(prefix="proof-") as name:
        log = Path(name) / "workers.log"
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("REVER_", "PREFECT_"))}
        with log.open("w") as stderr:
            zygote = subprocess.Popen(
                [sys.executable, "-m", "tests.proof.zygote"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=stderr, text=True, cwd=Path(__file__).parents[2],
                env=kept | {"PREFECT_HOME": f"{name}/prefect", "DO_NOT_TRACK": "1"},
            )  # fmt: skip
        assert zygote.stdin is not None
        assert zygote.stdout is not None
        try:
            if not zygote.stdout.readline():
                raise RuntimeError(f"the zygote did not start: {log.read_text()}")
            yield Nursery(zygote, Path(name), log)
        finally:
            zygote.stdin.close()
            try:
                zygote.wait(10)
            except subprocess.TimeoutExpired:
                zygote.kill()
                zygote.wait()
            zygote.stdout.close()
