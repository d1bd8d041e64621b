"""A child process and everything it starts: begun with a log of its own, and ended so that nothing of it is left."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from deployments.up.orphans import end_with_parent

LAST_BREATH_S = 5.0

SAID = "rever-returns: "
"""How our own commands begin the sentence that says why they ended."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What a child is. `healthy` asks whether it does its work, given the time it was started (seconds since 1970).

    `needed` children end everything when they die; the others are started again. `patience_s` is how long it may take
    to come up, `grace_s` how long to end by itself.
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
    """A child of this spec, running or not. Its output goes to `log`."""

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
        """Its exit code, once it has ended; nothing while it runs or before it was started."""
        return None if self._process is None else self._process.poll()

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def healthy(self) -> bool:
        """Whether it does its work."""
        return self.running and self.spec.healthy(self.began)

    def tell_to_end(self) -> None:
        """SIGTERM, to it alone: it ends what it has started in its own way."""
        self._remember()
        if self._process is not None and self.running:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, to it and to all it has started, in whatever process group that is by now."""
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
        """Its last words, where they are one of our sentences, else its exit code."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        said = [line.removeprefix(SAID) for line in lines if line.startswith(SAID)]
        return said[-1] if said else f"exit code {self.ended}"

    def _remember(self) -> None:
        """Note who descends from it while that can still be told: who outlives it belongs to nobody any more."""
        if self._process is not None and self.running:
            with suppress(psutil.NoSuchProcess):
                self._tree += psutil.Process(self._process.pid).children(recursive=True)
