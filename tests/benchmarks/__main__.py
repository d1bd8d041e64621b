"""Measure, print the tables and write the JSON: `python -m tests.benchmarks`, or `make bench`."""

import argparse
import json
import os
import platform
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tests.benchmarks import backtest, figures, inspections, text, whole_life
from tests.benchmarks.children import ChildFailedError, Surroundings
from tests.benchmarks.claims import ledger_claims
from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.figures import ceiling, teams, throughput
from tests.benchmarks.served import SCENARIOS, SEED, WrongBooksError

PARTS = ("throughput", "shares", "ledger", "growth", "workers", "limit", "starts", "inspections", "backtest", "calls")
PACKAGES = ("prefect", "httpx", "sqlalchemy", "pydantic", "uvicorn", "psycopg", "dbos", "httptools", "httpx-aiohttp")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for. Return 1 where a part failed; the others are measured and written all the same."""
    asked = _parser().parse_args(arguments)
    parts = asked.only or PARTS
    told: dict[str, Any] = {"machine": _machine(), "settings": vars(asked) | {"seed": SEED, "scenarios": SCENARIOS}}
    with _surroundings(asked, parts) as around, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for part in parts:
            print(f"\n{part}", flush=True)
            try:
                told[part], lines = _measured(part, asked, around, Path(folder))
            except (ChildFailedError, WrongBooksError) as failed:
                told[part], lines = {"failed": str(failed)}, iter([f"FAILED: {failed}"])
            print("\n".join(lines), flush=True)
    if asked.event:
        told["event to refund"] = json.loads(asked.event.read_text())
        print("", "event to refund", *text.event_lines(told["event to refund"]), sep="\n")
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(told, indent=2, default=str) + "\n")
    print(f"\nWritten to {asked.json}")
    return 1 if any("failed" in told[part] for part in parts) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="this part; may be given again")
    parser.add_argument("--contenders", type=lambda names: names.split(","), default=list(CONTENDERS))
    parser.add_argument("--returns", type=int, default=2000, help="of throughput and shares")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--claims", type=int, default=4000, help="in all, for each number of writers")
    parser.add_argument(
        "--sizes", type=lambda sizes: [int(n) for n in sizes.split(",")], default=[1000, 10_000, 50_000]
    )
    parser.add_argument(
        "--workers", type=lambda counts: [int(n) for n in counts.split(",")], default=[1, 2, 4], help="on one backlog"
    )
    parser.add_argument("--backlog", type=int, default=10_000, help="returns that the workers share")
    parser.add_argument("--rate", type=float, default=20.0, help="requests per second that the sandbox serves")
    parser.add_argument("--limited", type=int, default=300, help="returns at that rate")
    parser.add_argument(
        "--rows", type=lambda rows: [int(n) for n in rows.split(",")], default=[100_000, 1_000_000], help="files read"
    )
    parser.add_argument("--day", type=int, default=inspections.ROWS, help="rows of a warehouse's day")
    parser.add_argument("--lives", type=int, default=1000, help="returns whose calls to REVER are counted")
    parser.add_argument("--past", type=int, default=10_000, help="returns that a backtest replays")
    parser.add_argument(
        "--no-postgres", action="store_true", help="leave PostgreSQL out (TEST_POSTGRES_URL: a given one)"
    )
    parser.add_argument("--event", type=Path, help="a JSON file with the figures of the test of event to refund")
    parser.add_argument("--json", type=Path, default=Path(".bench/bench.json"), help="where the figures are written")
    return parser


def _measured(part: str, asked: argparse.Namespace, around: Surroundings, folder: Path) -> tuple[Any, Iterator[str]]:
    """A part's figures for the JSON file, and its table."""
    told: tuple[Any, Iterator[str]]
    match part:
        case "throughput":
            return _throughput(asked, around)
        case "shares":
            shares = figures.time_shares(asked.returns, around)
            told = shares, text.share_lines(shares)
        case "ledger":
            claims = ledger_claims(folder, around.postgres, asked.claims)
            told = claims, text.claim_lines(claims)
        case "growth":
            grown = figures.growth(asked.sizes, around)
            told = grown, text.growth_lines(grown)
        case "workers":
            made = teams(asked.workers, asked.backlog, around)
            told = [asdict(team) | {"rate": team.rate} for team in made], text.team_lines(made)
        case "limit":
            limit = figures.at_limit(asked.rate, asked.limited, around)
            told = asdict(limit) | {"ideal": limit.ideal, "share": limit.share}, text.limit_lines(limit)
        case "inspections":
            readings = [inspections.in_child("read", str(rows)) for rows in asked.rows]
            day = inspections.in_child("day", str(asked.day))
            told = {"read": readings, "day": day}, inspections.lines_of(readings, day)
        case "backtest":
            tried = backtest.measured(asked.past)
            told = asdict(tried) | {"times_plain": tried.times_plain}, backtest.lines_of(tried)
        case "calls":
            played = whole_life.play(asked.lives, folder)
            told = [asdict(stage) for stage in played], whole_life.lines_of(played, asked.lives)
        case _:
            started = figures.starts(around)
            told = started, text.start_lines(started)
    return told


def _throughput(asked: argparse.Namespace, around: Surroundings) -> tuple[Any, Iterator[str]]:
    most = ceiling(asked.returns)
    print(f"  the sandbox alone serves {most:.0f} returns/s", flush=True)
    rows, absent = throughput(asked.contenders, asked.returns, asked.rounds, around)
    rows_told = [asdict(row) | {"rate": row.rate} for row in rows]
    return {"rows": rows_told, "absent": absent, "ceiling": most}, text.throughput_lines(rows, absent)


@contextmanager
def _surroundings(asked: argparse.Namespace, parts: Sequence[str]) -> Iterator[Surroundings]:
    """A Prefect server (settings: deployments/server.env) and PostgreSQL, each only where a part needs it."""
    from deployments.prefect_server import prefect_server
    from tests.postgres import running_postgres

    wanted = [CONTENDERS[name] for name in asked.contenders] if "throughput" in parts else []
    with ExitStack() as stack:
        prefect: dict[str, str] = {}
        postgres = None
        if {"shares", "starts"} & set(parts) or any(each.prefect for each in wanted):
            home = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-prefect-", ignore_cleanup_errors=True))
            server = stack.enter_context(prefect_server(Path(home)))
            server.wait()
            prefect = dict(server.variables)
        if not asked.no_postgres and (
            {"ledger", "workers"} & set(parts) or any(each.store == "postgres" for each in wanted)
        ):
            postgres = stack.enter_context(running_postgres(durable=True))
        yield Surroundings(prefect, postgres)


def _machine() -> dict[str, Any]:
    versions = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    load = f"{os.getloadavg()[0]:.1f}"
    when = datetime.now(UTC).isoformat(timespec="seconds")
    return {"cores": os.cpu_count(), "platform": platform.platform(), "load": load, "when": when, "versions": versions}


if __name__ == "__main__":
    sys.exit(main())
