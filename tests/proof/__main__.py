"""Play the whole matrix and write the page: `python -m tests.proof`, or `make prove`."""

import argparse
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import psycopg

from tests.model.rounds import revision
from tests.postgres import plain, running_postgres
from tests.proof.matrix import (
    DATABASES,
    Cell,
    Played,
    case_by_crash,
    case_by_fault,
    crash_by_fault,
    ledgers,
    play,
    play_all,
)
from tests.proof.page import Proof, page, sqlite_version
from tests.proof.workers import nursery

PAGE = Path(__file__).parents[2] / "docs" / "proof.md"
PARTS = {"crash": crash_by_fault, "pairs-crash": case_by_crash, "pairs-fault": case_by_fault}
TELL_EVERY = 50
LANES = 2 * (os.cpu_count() or 1)
"""A cell waits half its time: for a time-out, for a worker that stands still."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer 0 where every promise was kept, 1 where one was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof", description=__doc__)
    parser.add_argument("--cell", action="append", default=[], help="play this cell alone, print it, write no page")
    parser.add_argument("--sqlite", type=int, default=4, help="runs per cell of crash x fault on SQLite")
    parser.add_argument("--postgres", type=int, default=2, help="runs per cell of crash x fault on PostgreSQL")
    parser.add_argument("--pairs", type=int, default=1, help="runs per cell of the tables with same-time cases")
    parser.add_argument("--only", choices=PARTS, action="append", help="these tables alone; no page is written")
    parser.add_argument("--lanes", type=int, default=LANES, help="cells that are played side by side")
    parser.add_argument("--model-steps", type=int, default=10_000, help="steps of the stateful model; 0 leaves it out")
    parser.add_argument(
        "--model-said", type=said_before, action="append", default=[], metavar="FILE",
        help="what an earlier `python -m tests.model` printed, instead of running it; may be given several times",
    )  # fmt: skip
    asked = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    if asked.cell:
        return _some([Cell.of(address) for address in asked.cell])
    cells = _cells(asked)
    began, of = time.monotonic(), revision()
    played, servers = _play(cells, asked.lanes)
    beside = {} if asked.only else _beside(0 if asked.model_said else asked.model_steps) | dict(asked.model_said)
    proof = Proof(played, time.monotonic() - began, servers, beside, of)
    text = page(proof)
    print(text)
    if not asked.only:
        PAGE.write_text(text, encoding="utf-8")
    return 0 if proof.kept and all(not said.startswith(BROKEN) for said in beside.values()) else 1


def _cells(asked: argparse.Namespace) -> list[Cell]:
    cells: list[Cell] = []
    for name, table in PARTS.items():
        if asked.only and name not in asked.only:
            continue
        for database, times in (("sqlite", asked.sqlite), ("postgres", asked.postgres)):
            cells += table(database, times if name == "crash" else min(times, asked.pairs))
    return cells


def _play(cells: Sequence[Cell], lanes: int) -> tuple[list[Played], dict[str, str]]:
    shared = any(cell.database == "postgres" for cell in cells)
    began, done = time.monotonic(), 0

    def tell(played: Played) -> None:
        nonlocal done
        done += 1
        if not played.verdict.clean:
            print(f"{played.cell}: {'; '.join(played.verdict.words)}", file=sys.stderr, flush=True)
        if done % TELL_EVERY == 0:
            print(f"{done} of {len(cells)} runs, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)

    with ExitStack() as stack:
        server = stack.enter_context(running_postgres(connections=CONNECTIONS)) if shared else None
        servers = {"SQLite": sqlite_version()}
        if server is not None:
            with psycopg.connect(plain(server)) as conn:
                servers["PostgreSQL"] = str(conn.info.server_version // 10_000)
        workers = stack.enter_context(nursery())
        free = stack.enter_context(ledgers(server, lanes))
        return play_all(workers, cells, free, lanes, tell), servers


def _some(cells: Iterable[Cell]) -> int:
    """Play cells one by one, and say all there is to say about each."""
    clean = True
    for cell in cells:
        with ExitStack() as stack:
            server = (
                stack.enter_context(running_postgres(connections=CONNECTIONS))
                if cell.database == DATABASES[1]
                else None
            )
            free = stack.enter_context(ledgers(server, 1))
            workers = stack.enter_context(nursery())
            with free.one_for(cell) as url:
                played = play(workers, cell, url)
            clean &= played.verdict.clean
            print(f"{cell}  seed {cell.seed}, {played.seconds:.1f} s, {played.kills} killed, {played.effects} effects")
            print(f"  faults {dict(played.injected)}, {played.held} of {played.returns} returns held")
            print("\n".join(f"  {line}" for line in played.told))
            print("\n".join(f"  {line}" for line in played.verdict.words) or "  every promise was kept")
            print(workers.log.read_text(), file=sys.stderr)
    return 0 if clean else 1


CONNECTIONS = 400
"""Fifty runs at once in each lane, each with a writer and readers of its own, and those that judge."""
BROKEN = "FAILED"


def said_before(name: str) -> tuple[str, str]:
    """The last words of an earlier run of the model, under a title that says so. Its commit and time are its first."""
    try:
        lines = Path(name).read_text(encoding="utf-8").splitlines()
    except OSError as problem:
        raise argparse.ArgumentTypeError(f"{name} cannot be read: {problem.strerror}") from None
    ends = [number for number, line in enumerate(lines) if line.startswith(("of commit ", "of no known commit"))]
    if not ends:
        raise argparse.ArgumentTypeError(
            f"{name} does not end as a run of tests.model does: no line begins with 'of commit'"
        )
    broken = [BROKEN] if any(line.startswith("BROKEN") for line in lines) else []
    return f"python -m tests.model, run apart: {Path(name).name}", "\n".join([*broken, *lines[ends[-1] :]])


def _beside(steps: int) -> dict[str, str]:
    """Run the model and the measure of holds; answers their last words."""
    commands = [["tests.proof.hold_share"]]
    if steps:
        commands.append(["tests.model", "--steps", str(steps)])
    said = {}
    for command in commands:
        ended = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
        lines = ended.stdout.strip().splitlines()[-LAST_WORDS:]
        said[f"python -m {' '.join(command)}"] = "\n".join([*([BROKEN] if ended.returncode else []), *lines])
    return said


LAST_WORDS = 12

if __name__ == "__main__":
    raise SystemExit(main())
