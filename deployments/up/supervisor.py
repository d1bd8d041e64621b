"""Start children in order, wait until each does its work, keep them alive, and end them in the opposite order.

No library stands in for this: none tried ends what a child has started in a session of its own, as Prefect's workers
start each run. After SIGTERM, honcho 2.0.0 and supervisor 4.3.0 had ended the child and left its own child running;
after SIGKILL of the supervisor itself both were left. Here neither is (prctl(2), on Linux), and tests see to it. Nor
does either wait until one child does its work before it starts the next, which Prefect's server needs.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import psutil

from deployments.console.errors import CommandError

LOOK_EVERY_S = 0.1
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
STEADY_S = 60.0
"""A child that has run this long is started again after the first pause, not a longer one."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h

LAST_BREATH_S = 5.0
"""Seconds that killed processes get to be gone."""

SAID = "rever-returns: "
"""How our commands begin the sentence that says why they ended."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What to start. `healthy` returns whether it does its work, given the time of its start (seconds since 1970).

    When a `needed` child dies, everything ends; the others are started again. `patience_s` is how long starting may
    take, `grace_s` how long it gets to end after SIGTERM.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(repr=False)
    folder: Path
    healthy: Callable[[float], bool]
    needed: bool = False
    patience_s: float = 120.0
    grace_s: float = 10.0


class Child:
    """A child process and all processes it starts. Its output goes to `log`."""

    def __init__(self, spec: Spec, logs: Path) -> None:
        self.spec = spec
        self.log = logs / f"{spec.name.replace(' ', '-')}.log"
        self.began = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._tree: list[psutil.Process] = []

    def start(self) -> None:
        """Start it, in a session of its own: the terminal's Ctrl-C is not for it."""
        self.began = time.time()
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, and arguments of our own
                self.spec.command,
                env=dict(self.spec.env),
                cwd=self.spec.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=end_with_parent(),  # noqa: PLW1509 - `up` has one thread
            )

    @property
    def ended(self) -> int | None:
        """Its exit code; None while it runs or before it was started."""
        return None if self._process is None else self._process.poll()

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def healthy(self) -> bool:
        """Whether it does its work."""
        return self.running and self.spec.healthy(self.began)

    def tell_to_end(self) -> None:
        """Send SIGTERM to it alone: it ends what it has started itself."""
        self._remember()
        if self._process is not None and self.running:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to it and to all it has started, in whatever process group or session they are."""
        self._remember()
        if self._process is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for process in self._tree:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        psutil.wait_procs(self._tree, timeout=LAST_BREATH_S)

    def why_it_ended(self) -> str:
        """The last of our sentences in its log, or else its exit code."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        said = [line.removeprefix(SAID) for line in lines if line.startswith(SAID)]
        return said[-1] if said else f"exit code {self.ended}"

    def _remember(self) -> None:
        """Note its descendants while it runs: those that outlive it have another parent."""
        if self._process is not None and self.running:
            with suppress(psutil.NoSuchProcess):
                self._tree += psutil.Process(self._process.pid).children(recursive=True)


class UpError(CommandError):
    """A child did not start, or ended on its own; the text says which, why, and where its log is."""


class StoppedError(Exception):
    """The end was asked for."""


@dataclass(slots=True)
class _Kept:
    """A child that is kept alive, and when it is started again after it has died."""

    child: Child
    pause_s: float = field(default_factory=lambda: FIRST_PAUSE_S / 2)
    again_at: float | None = None


class Supervisor:
    """The children, in the order of their start. `say` prints what happens to them."""

    def __init__(self, logs: Path, say: Callable[[str], None]) -> None:
        self._logs, self._say = logs, say
        self._stages: list[list[_Kept]] = []
        self._signals = 0

    def stop(self) -> None:
        """Ask for the end; asked again, what still runs is killed at once. Safe to call from a signal."""
        self._signals += 1

    def start(self, specs: Iterable[Spec]) -> None:
        """Start these together, and return once all do their work. Raises `UpError`, `StoppedError`."""
        stage = [_Kept(Child(spec, self._logs)) for spec in specs]
        self._stages.append(stage)
        for kept in stage:
            kept.child.start()
        for kept in stage:
            self._until_healthy(kept.child)

    def run(self, spec: Spec) -> None:
        """Run this one to its end. Raises `UpError` if it fails, `StoppedError`."""
        child = Child(spec, self._logs)
        self._stages.append([_Kept(child)])
        child.start()
        until = time.monotonic() + spec.patience_s
        while child.running:
            self._look(child, until)
        if child.ended:
            raise UpError(f"{spec.name} failed: {child.why_it_ended()} (log: {child.log})")
        self._stages.pop()

    def watch(self) -> NoReturn:
        """Keep all alive. Raises `StoppedError` when the end is asked for, `UpError` when a needed child has died."""
        while True:
            for kept in self._kept():
                self._keep(kept)
            if self._signals:
                raise StoppedError
            time.sleep(LOOK_EVERY_S)

    def end(self) -> None:
        """End all, the last started first. What does not end in its time is killed."""
        for stage in reversed(self._stages):
            children = [kept.child for kept in stage]
            for child in children:
                child.tell_to_end()
            self._wait_for(children)
            for child in children:
                if child.running and self._signals <= 1:
                    self._say(f"{child.spec.name} did not end within {child.spec.grace_s:.0f} s and was killed")
                child.kill()
        self._stages.clear()

    def _wait_for(self, children: Sequence[Child]) -> None:
        asked, began = self._signals, time.monotonic()
        while any(c.running and time.monotonic() < began + c.spec.grace_s for c in children):
            if self._signals > max(asked, 1):
                return
            time.sleep(LOOK_EVERY_S)

    def _until_healthy(self, child: Child) -> None:
        until = time.monotonic() + child.spec.patience_s
        while not child.healthy():
            if child.ended is not None:
                raise UpError(f"{child.spec.name} did not start: {child.why_it_ended()} (log: {child.log})")
            self._look(child, until)

    def _look(self, child: Child, until: float) -> None:
        if self._signals:
            raise StoppedError
        for kept in self._kept():
            if kept.child.spec.needed and kept.child.ended is not None:
                self._keep(kept)
        if time.monotonic() > until:
            raise UpError(f"{child.spec.name} took longer than {child.spec.patience_s:.0f} s (log: {child.log})")
        time.sleep(LOOK_EVERY_S)

    def _kept(self) -> list[_Kept]:
        return [kept for stage in self._stages for kept in stage]

    def _keep(self, kept: _Kept) -> None:
        child, now = kept.child, time.monotonic()
        if child.ended is None:
            return
        if child.spec.needed:
            raise UpError(f"{child.spec.name} has ended: {child.why_it_ended()} (log: {child.log})")
        if kept.again_at is None:
            kept.pause_s = self._pause(kept)
            kept.again_at = now + kept.pause_s
            child.kill()
            again = f"started again in {kept.pause_s:.0f} s"
            self._say(f"{child.spec.name} has ended: {child.why_it_ended()}; {again} (log: {child.log})")
        elif now >= kept.again_at:
            kept.again_at = None
            child.start()

    @staticmethod
    def _pause(kept: _Kept) -> float:
        steady = time.time() - kept.child.began > STEADY_S + kept.pause_s
        return FIRST_PAUSE_S if steady else min(2 * kept.pause_s, LONGEST_PAUSE_S)


def end_with_parent() -> Callable[[], None] | None:
    """What a child calls before its program begins, so that the kernel sends it SIGTERM when its parent dies.

    So nothing is left when `up` itself is killed. None where the system is not Linux (prctl(2), PR_SET_PDEATHSIG). The
    parent is the thread that starts the child: it must live as long as the process.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return ask
