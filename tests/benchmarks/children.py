"""Child processes: what a contender is told, and how its answer is read."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from tests.benchmarks.contenders import Contender
from tests.benchmarks.served import Served
from tests.postgres import fresh_database
from tests.world import environment_of

ROOT = Path(__file__).parents[2]
PATIENCE_S = 3600.0


class ChildFailedError(Exception):
    """A child ended with an error; its last words are in the sentence."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is started once for all: a Prefect server's variables, and a PostgreSQL server, where they are wanted."""

    prefect: Mapping[str, str] = field(default_factory=dict)
    postgres: URL | None = None

    def missing(self, contender: Contender) -> str:
        """Why this contender cannot take part; empty where it can."""
        if contender.needs and not find_spec(contender.needs):
            return f"{contender.needs} is not installed"
        if contender.prefect and not self.prefect:
            return "no Prefect server was started"
        if contender.store == "postgres" and self.postgres is None:
            return "no PostgreSQL is given"
        return ""


def clean_environment() -> dict[str, str]:
    """This process's variables without anybody's own desk or Prefect."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("REVER_", "PREFECT_"))}


@contextmanager
def environment(contender: Contender, target: Served, around: Surroundings) -> Iterator[tuple[dict[str, str], Path]]:
    """The variables of a child, and a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        env = clean_environment() | dict(around.prefect if contender.prefect else {"PREFECT_HOME": str(folder / "p")})
        env["PYTHONPATH"] = str(ROOT)
        if contender.store == "postgres" and around.postgres is not None:
            with fresh_database(around.postgres) as url:
                yield env | _stores(target, url), folder
        else:
            yield env | _stores(target, f"sqlite:///{folder / 'store.sqlite'}"), folder


def _stores(target: Served, url: str) -> dict[str, str]:
    return environment_of(target, url, BENCH_STORE=url)


def answer_of(arguments: Sequence[str], env: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Run `python -m arguments...` in a folder, and read the last line it prints. Raises `ChildFailedError`."""
    command = [sys.executable, "-m", *arguments]
    ended = subprocess.run(
        command, env=dict(env), cwd=folder, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    lines = ended.stdout.strip().splitlines()
    if ended.returncode or not lines:
        raise ChildFailedError(f"{' '.join(arguments)} ended with {ended.returncode}: {ended.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(lines[-1])
    return told
