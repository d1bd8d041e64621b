"""A process that has everything imported and warm, and only forks a worker per job, so that a worker costs no start.

It has no thread and no connection when it forks, or a fork of it would be no fair copy. One job per line on stdin; one
JSON line on stdout per thing that happens to a worker: `pid`, `stopped`, `ended` (minus the signal's number, or the
exit code). `python -m tests.proof.zygote`.
"""

import contextlib
import gc
import json
import os
import select
import signal
import sys
import tempfile
import traceback
from importlib import import_module
from pathlib import Path
from threading import active_count

from flows.catalog import FLOWS
from rever_api.sandbox import running_sandbox
from rever_api.sandbox.seed import SCENARIOS
from tests.proof.job import Job, Step
from tests.proof.settings import STORE, empty_sqlite, environment_of
from tests.proof.worker import live


class Zygote:
    """Forks and reaps."""

    def __init__(self) -> None:
        self._alive: dict[int, int] = {}
        self._woken, waker = os.pipe()
        os.set_blocking(waker, False)
        os.set_blocking(self._woken, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        """Until stdin ends; then no worker is left."""
        rest = b""
        while True:
            ready, _, _ = select.select([0, self._woken], [], [])
            if self._woken in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._woken, 4096)
                self._reap()
            if 0 in ready:
                read = os.read(0, 1 << 16)
                if not read:
                    break
                *lines, rest = (rest + read).split(b"\n")
                for line in lines:
                    number, _, job = line.decode().partition(" ")
                    self._fork(int(number), job)
        for pid in self._alive:
            os.kill(pid, signal.SIGKILL)

    def _fork(self, number: int, job: str) -> None:
        assert active_count() == 1, "a zygote must have no threads"
        pid = os.fork()
        if pid == 0:
            _be_a_worker(job)
        self._alive[pid] = number
        _say(number, pid=pid)

    def _reap(self) -> None:
        while self._alive:
            pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            if pid == 0:
                return
            if os.WIFSTOPPED(status):
                _say(self._alive[pid], stopped=True)
            else:
                _say(self._alive.pop(pid), ended=os.waitstatus_to_exitcode(status))


def _say(number: int, **what: object) -> None:
    print(json.dumps({"job": number} | what), flush=True)


def _be_a_worker(job: str) -> None:
    code = 70
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        code = live(Job.of(job))
    except BaseException:  # noqa: BLE001 - the end of a process
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _warm_up() -> None:
    """Run the flows once for real, so that all that is loaded late or read once is there before the first fork."""
    import_module("sqlalchemy.dialects.postgresql.psycopg")
    with (
        tempfile.TemporaryDirectory(prefix="proof-") as folder,
        running_sandbox(returns=len(SCENARIOS), shops=(STORE,)) as sandbox,
    ):
        environment = environment_of(sandbox, empty_sqlite(Path(folder)))
        before = dict(os.environ)
        steps = tuple(Step(flow, {"mode": "act"}) for flow in ("process-pending-returns", "reconcile"))
        live(Job(steps, environment, f"{folder}/answers.jsonl"))
        os.environ.clear()
        os.environ.update(before)


def main() -> None:
    """Import and warm what a worker will need, say so, and serve."""
    for module in FLOWS.values():
        import_module(module)
    _warm_up()
    gc.collect()
    gc.freeze()
    print(json.dumps({"job": 0}), flush=True)
    Zygote().serve()


if __name__ == "__main__":
    main()
