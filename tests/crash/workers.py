"""Workers in processes of their own, forked from one that has imported everything and has a single thread.

A fork of the test's own process would copy the sandbox's threads in whatever state they are; `tests.forked` does not.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.forked import CONTEXT
from tests.world import World

Runs = Sequence[tuple[str, dict[str, str]]]


def act(environment: dict[str, str], folder: str, runs: Runs, told: Connection) -> None:
    """Run flows one after another, as a worker of one's own would. Tells "begun", then a report or error a run."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    from flows.run import run_flow

    told.send("begun")
    for flow, values in runs:
        try:
            told.send(run_flow(flow, values, prefect=False).as_json())
        except Exception as error:  # noqa: BLE001 - told to the test, which judges it
            told.send(f"{type(error).__name__}: {error}")


@dataclass
class Worker:
    """A process at work, and what it tells."""

    process: BaseProcess
    told: Connection

    def begun(self) -> None:
        """Return once it begins its first run."""
        assert self.told.poll(60)
        assert self.told.recv() == "begun"

    def kill(self) -> None:
        """SIGKILL: no handler, no flush, no goodbye."""
        self.process.kill()
        self.process.join(30)

    def reports(self) -> list[Any]:
        """What it told of each run it finished, once it has ended."""
        found = []
        try:
            while self.told.poll(60):
                found.append(self.told.recv())
        except EOFError:
            pass
        self.process.join(30)
        assert self.process.exitcode is not None
        return found


def start(world: World, runs: Runs) -> Worker:
    """Start a worker at a world's desk."""
    mine, theirs = CONTEXT.Pipe(duplex=False)
    folder = Path(world.ledger_file).parent
    environment = {**os.environ, **world.environment}
    process = CONTEXT.Process(target=act, args=(environment, str(folder), runs, theirs), daemon=True)
    process.start()
    theirs.close()
    return Worker(process, mine)
