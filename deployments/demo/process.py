"""The demo's workers, real child processes: their environment, their reports, and their end by SIGKILL.

`python -m deployments.demo.process FLOW...`, with `REVER_*` in the environment, is such a worker: it runs the flows one
after another in Prefect, and prints a JSON object a flow and line, as `rever-returns run FLOW mode=act --json` does.
Where parameters follow a flow in the same argument (`FLOW name=value`), they stand in the place of `mode=act`.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from deployments.cli.run import Printed, run_one
from deployments.console.errors import errors_as_sentences
from deployments.prefect_server import without_own_settings
from rever_api.sandbox import RunningSandbox

TIMEOUT_S, SETTLE_AFTER_S, LEASE_S = 4, 12, 4
"""`REVER_TIMEOUT`, `REVER_SETTLE_AFTER` and `REVER_LEASE` of the demo: seconds, where a real desk takes minutes."""

PATIENCE_S = 240.0
"""A worker that takes longer than this has hung."""

SAID = "rever-returns: "
"""How the command line begins the sentence that says why it failed."""


class DemoError(Exception):
    """The demo could not be played to its end; the sentence says why and where to look."""


def environment(
    sandbox: RunningSandbox, folder: Path, prefect: Mapping[str, str], **settings: object
) -> dict[str, str]:
    """What a worker needs to serve this sandbox, with its ledger in `folder` and the demo's Prefect.

    Nothing of a person's own desk reaches it: their variables are left out here, and its working folder
    (`started_worker`) has no `.env`. `settings` are further ones, without their prefix.
    """
    own = {
        "BASE_URL": sandbox.base_url,
        "API_KEY": sandbox.api_key,
        "ACCOUNT": "demo",
        "STORES": ",".join(sandbox.stores),
        "LEDGER_URL": f"sqlite:///{folder / 'ledger.sqlite'}",
        "TIMEOUT": TIMEOUT_S,
        "SETTLE_AFTER": SETTLE_AFTER_S,
        "LEASE": LEASE_S,
        **settings,
    }
    ours = {f"REVER_{name}": str(value) for name, value in own.items()}
    return {**without_own_settings(os.environ), **prefect, **ours}


@dataclass(frozen=True, slots=True)
class Worker:
    """A running worker. `log` is what it wrote on stderr."""

    process: subprocess.Popen[str]
    log: Path

    def reports(self) -> list[dict[str, Any]]:
        """Wait for its end, and return the reports it printed. Raises `DemoError` if it failed or takes too long."""
        try:
            out, _ = self.process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise DemoError(f"the worker did not end within {PATIENCE_S:.0f} s; its log is {self.log}") from None
        if self.process.returncode != 0:
            raise DemoError(f"the worker failed: {self._last_words()} Its log is {self.log}")
        return [json.loads(line) for line in out.splitlines() if line.strip()]

    def running(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL, to it and whatever it started: nothing of it can react, write or clean up."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _last_words(self) -> str:
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.startswith(SAID)]
        return lines[-1].removeprefix(SAID) if lines else f"exit code {self.process.returncode}."


@contextmanager
def started_worker(flows: tuple[str, ...], env: Mapping[str, str], folder: Path, name: str) -> Iterator[Worker]:
    """Start a worker that runs these flows; at the end of the block nothing of it is left running."""
    log = folder / f"{name}.log"
    with log.open("w") as stderr:
        process = subprocess.Popen(  # noqa: S603 - this interpreter, and names of our own
            [sys.executable, "-m", "deployments.demo.process", *flows],
            env=dict(env),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
    worker = Worker(process, log)
    try:
        yield worker
    finally:
        worker.kill()
        if process.stdout:
            process.stdout.close()


def main(flows: Sequence[str]) -> int:
    """Run these flows. Returns the first exit code that is not 0, and runs no flow after it."""
    try:
        with errors_as_sentences(debug=False):
            for flow, *parameters in map(str.split, flows):
                code = run_one(flow, parameters or ["mode=act"], Printed(as_json=True), prefect=True)
                sys.stdout.flush()
                if code:
                    return code
    except typer.Exit as ended:
        return ended.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
