"""Processes of their own without the price of a start: forked from one that has imported everything.

A fresh interpreter takes seconds of CPU until Prefect, SQLAlchemy and the client are imported, and nearly all of a test
that calls `rever-returns` would be that. `multiprocessing`'s fork server has imported them once, and has a single
thread; what it forks has an environment, a folder, outputs and an exit code of its own, as the real command has.
That the installed command starts at all, and with as few imports as it should, is tried with real starts elsewhere.
"""

import gc
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "tests.crash.workers",
        "tests.hurry",
        "deployments.cli",
        "deployments.cli.ledger",
        "deployments.cli.run",
        "flows.answer_hold",
        "flows.answer_holds",
        "flows.process_pending_returns",
        "flows.process_return",
        "flows.reconcile",
        "flows.run",
        "tasks.ledger.ledger",
        "tests.tasks.ledger.racing",
    ]
)


class Forked:
    """A process that was forked, in the words of `subprocess.Popen`."""

    def __init__(
        self, call: Callable[..., object], *arguments: Any, environment: Mapping[str, str], folder: Path
    ) -> None:
        """Call a function of a module in a process with just this environment, in this folder."""
        self._written = tempfile.TemporaryDirectory(prefix="forked-")
        outputs = [str(Path(self._written.name) / name) for name in ("out", "err")]
        self.args = [call.__name__, *arguments]
        self._process = CONTEXT.Process(
            target=_live, args=(call, arguments, dict(environment), str(folder), outputs), daemon=True
        )
        self._process.start()

    @property
    def returncode(self) -> int | None:
        """How it ended: minus the number of the signal that killed it, or its exit code; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same, in the word for asking."""
        return self.returncode

    def kill(self) -> None:
        """SIGKILL, where it still runs."""
        self._process.kill()

    def communicate(self, timeout: float = 60) -> tuple[str, str]:
        """Wait for its end; return stdout and stderr. TimeoutExpired, and no process is left, where it hangs."""
        hangs = not wait([self._process.sentinel], timeout)
        if hangs:
            self.kill()
        self._process.join(10)
        outputs = (Path(self._written.name) / name for name in ("out", "err"))
        out, err = (path.read_text("utf-8") if path.exists() else "" for path in outputs)
        if hangs:
            raise subprocess.TimeoutExpired(self.args, timeout, out, err)
        return out, err

    def ended(self, timeout: float = 60) -> "subprocess.CompletedProcess[str]":
        """Wait for its end; return how it ended and what it wrote."""
        out, err = self.communicate(timeout)
        assert self.returncode is not None
        return subprocess.CompletedProcess(self.args, self.returncode, out, err)


def command(*words: str, environment: Mapping[str, str], folder: Path) -> Forked:
    """Start `rever-returns` with these words and, beside this process's variables, these; it is in a hurry."""
    return Forked(rever_returns, *words, environment={**os.environ, **environment}, folder=folder)


def _live(
    call: Callable[..., object],
    arguments: tuple[Any, ...],
    environment: dict[str, str],
    folder: str,
    outputs: list[str],
) -> None:
    gc.freeze()  # to look through all that was imported before the fork would take longer than most of what is tried
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    null = os.open(os.devnull, os.O_RDONLY)
    for number, fd in enumerate((null, *(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND) for path in outputs))):
        os.dup2(fd, number)
        os.close(fd)
    sys.stdout, sys.stderr = (os.fdopen(fd, "w", closefd=False, encoding="utf-8") for fd in (1, 2))
    sys.stderr.reconfigure(line_buffering=True)
    call(*arguments)


def rever_returns(*words: str) -> None:
    """Be the command with these words, in a process that was forked."""
    from deployments.cli import main
    from tests.hurry import hurry

    hurry()
    sys.argv = ["rever-returns", *words]
    main()
