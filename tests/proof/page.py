"""The proof as a page: what was played, table by table, with all that is needed to play it again."""

import platform
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

from tests.judge import BOOKS, DOUBLE, ELSEWHERE, FORGOTTEN, OVER
from tests.proof.cases import CASES
from tests.proof.crashes import CRASHES
from tests.proof.faults import COLUMNS, NONE
from tests.proof.matrix import ALONE, Played
from tests.proof.planted import BUGS

PACKAGES = ("prefect", "httpx", "sqlalchemy", "psycopg", "pydantic", "starlette", "uvicorn")
PROMISES = (DOUBLE, OVER, ELSEWHERE, FORGOTTEN, BOOKS)
SHORT = {
    "none": "none", "mixed": "mixed", "connection_refused": "refused", "connection_dropped": "dropped",
    "no_answer_before_acting": "silent", "acts_answer_lost": "lost", "acts_later": "later",
    "too_many_seconds": "429 s", "too_many_date": "429 date", "too_many_absurd": "429 !", "too_many_silent": "429",
    "error_500_before": "500 b", "error_500_after": "500 a", "error_502_before": "502 b", "error_502_after": "502 a",
    "unavailable_503": "503", "missing_field": "missing", "extra_field": "extra", "unknown_enum": "enum",
    "cut_body": "cut", "cut_json": "json", "slow_body": "slow", "page_repeats": "repeats", "page_skips": "skips",
    "stale_read": "stale", "unauthorized_401": "401", "conflict_409": "409", "clock_jumps": "clock",
    "redirect_after": "3xx", "empty_answer": "empty", "read_differs": "differs",
    "accepted_unpaid": "unpaid", "paid_in_legs": "legs",
}  # fmt: skip
FAULT_WORDS = {
    "refused": "the port is closed", "dropped": "reset before anything is done", "silent": "no answer, nothing done",
    "lost": "done, the answer lost", "later": "504, done a minute later", "429 !": "Retry-After of eleven days",
    "500 b": "before acting", "500 a": "after acting", "missing": "200 without a field", "extra": "with one more",
    "enum": "with an unknown value", "cut": "half a body", "json": "half a JSON text", "repeats": "a page repeats",
    "skips": "a page skips", "stale": "a read shows the state before", "3xx": "done, answered with a redirect",
    "empty": "done, answered with an empty 2xx",
    "differs": "a read by id tells other terms than the search", "clock": "the worker's clock jumps by hours",
    "unpaid": "refunds are accepted and not paid, answers lost", "legs": "a refund shows as two, answers lost",
    "mixed": "all of the wire's faults, on three calls in ten; one fault alone is on four in ten",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Proof:
    """All that was run."""

    played: Sequence[Played]
    seconds: float
    servers: dict[str, str]
    beside: dict[str, str] = field(default_factory=dict)
    """Command -> what it printed at its end: the model, the share of holds."""
    revision: str = "no known commit"
    """Of the code that was played."""

    @property
    def kept(self) -> bool:
        """Whether every promise was kept in every cell."""
        return all(played.verdict.clean for played in self.played)


def page(proof: Proof) -> str:
    """The whole page, in Markdown."""
    parts = [
        _head(proof), _found(proof), *_tables(proof), _legend(), _beside(proof), _bugs(), _again(), _limits(),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(proof: Proof) -> str:
    played = proof.played
    kills, cells = sum(one.kills for one in played), len(played)
    injected = sum((one.injected for one in played), Counter[str]())
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    databases = ", ".join(f"{name} {number}" for name, number in proof.servers.items())
    return "\n".join(
        (
            "# The proof: no effect twice, none forgotten",
            "",
            "Written by `make prove`. Each run is a small REVER over real HTTP, real worker processes, a fault on the"
            " wire, and a worker that dies (SIGKILL), stands still (SIGSTOP) or is cancelled at a named point; then"
            " further runs while the fault goes on, then three without it. REVER's own books judge, never our ledger;"
            " the ledger is then held against them to the cent.",
            "",
            f"**{cells} runs, {kills} workers killed, {sum(one.runs for one in played)} flows run,"
            f" {sum(one.effects for one in played)} effects at REVER, {sum(injected.values())} faults on the wire.**",
            "",
            f"Played of {proof.revision} in {proof.seconds / 60:.0f} minutes on {platform.machine()},"
            f" Python {platform.python_version()},"
            f" {databases}; {versions}.",
        )
    )


def _found(proof: Proof) -> str:
    found = sum((one.verdict.found for one in proof.played), Counter[str]())
    kinds = dict.fromkeys(PROMISES, 0) | dict(found)
    rows = ["| what was looked for | found |", "| --- | ---: |"]
    rows += [f"| {kind} | {count} |" for kind, count in kinds.items()]
    broken = [one for one in proof.played if not one.verdict.clean]
    rows += ["", *(f"- `{one.cell}`: {'; '.join(one.verdict.words)}" for one in broken)] if broken else []
    held, returns = sum(one.held for one in proof.played), sum(one.returns for one in proof.played)
    rows += ["", f"At their ends {held} of {returns} returns waited for a person; every other one was at its end."]
    return "\n".join(rows)


def _tables(proof: Proof) -> list[str]:
    parts = []
    for database in dict.fromkeys(one.cell.database for one in proof.played):
        mine = [one for one in proof.played if one.cell.database == database]
        alone = [one for one in mine if one.cell.case == ALONE]
        paired = [one for one in mine if one.cell.case != ALONE]
        crash = [one for one in paired if one.cell.fault == NONE]
        fault = [one for one in paired if one.cell.crash == "none"]
        columns = [(name, SHORT[name]) for name in COLUMNS]
        crashes = [(name, row.words) for name, row in CRASHES.items()]
        cases = [(name, case.words) for name, case in CASES.items() if name != ALONE]
        points = [(name, name) for name in CRASHES]
        parts += [
            _table(f"{database}: crash x fault", alone, crashes, columns, lambda p: (p.cell.crash, p.cell.fault)),
            _table(f"{database}: same time x crash", crash, cases, points, lambda p: (p.cell.case, p.cell.crash)),
            _table(f"{database}: same time x fault", fault, cases, columns, lambda p: (p.cell.case, p.cell.fault)),
        ]
    return [part for part in parts if part]


def _table(
    title: str,
    played: Iterable[Played],
    rows: Sequence[tuple[str, str]],
    columns: Sequence[tuple[str, str]],
    place: Callable[[Played], tuple[str, str]],
) -> str:
    """One table: runs / broken promises in each cell."""
    cells: dict[tuple[str, str], list[Played]] = defaultdict(list)
    for one in played:
        cells[place(one)].append(one)
    if not cells:
        return ""
    lines = [f"## {title}", "", "Runs / broken promises.", ""]
    lines.append("| | " + " | ".join(words for _, words in columns) + " |")
    lines.append("| --- |" + " ---: |" * len(columns))
    for row, words in rows:
        found = [cells[row, column] for column, _ in columns]
        told = [f"{len(c)}/{sum(one.verdict.found.total() for one in c)}" if c else "" for c in found]
        lines.append(f"| {words} | " + " | ".join(told) + " |")
    return "\n".join(lines)


def _legend() -> str:
    words = "; ".join(f"*{name}* {words}" for name, words in FAULT_WORDS.items())
    return f"## Faults\n\n{words}. The others are their status; `b` before and `a` after REVER has acted."


def _beside(proof: Proof) -> str:
    if not proof.beside:
        return ""
    parts = [f"`{command}`\n\n```\n{said}\n```" for command, said in proof.beside.items()]
    return "## Beside the matrix\n\n" + "\n\n".join(parts)


def _bugs() -> str:
    rows = ["| planted bug | caught by |", "| --- | --- |"]
    rows += [f"| {bug.words} | `{bug.test}` |" for bug in BUGS.values()]
    why = (
        "A proof that cannot fail proves nothing. Each of these is put into a copy of the source, and the named test"
        " must fail there (`tests/proof/test_planted.py`, part of `make test-slow`)."
    )
    return "\n".join(["## Planted bugs", "", why, "", *rows])


def _again() -> str:
    return (
        "## To play it again\n\n"
        "A cell's address is `database:case:crash:fault:number`; its seed is the CRC-32 of that address, and all chance"
        " in it comes from there: which returns, which call breaks, how often a point is passed before the blow. The"
        " order in which processes are scheduled is the machine's.\n\n"
        "    make prove                                                  # all of it\n"
        "    make prove ARGS='--cell sqlite:alone:after-sent:mixed:3'    # one cell; its workers' words are printed\n"
        "    make prove ARGS='--sqlite 1 --postgres 0 --only crash'      # a part\n"
        "    make prove ARGS='--model-said FILE'                         # all of it, with a model run apart\n\n"
        f"Crashes: {', '.join(f'`{name}`' for name in CRASHES)}.\n\n"
        f"Same time: {', '.join(f'`{name}`' for name in CASES)}."
    )


def _limits() -> str:
    return (
        "## What it does not show\n\n"
        "- What the back office does after our second read and before our call, or what a stale read does not show of"
        " it, nobody can see; the cases let 45 s pass, and a stale read is 30 s old at most.\n"
        "- Waiting is shortened: workers' clocks and the sandbox's are moved on together instead of sleeping through"
        " `settle_after`, and pauses between attempts are cut to hundredths of a second.\n"
        "- A power cut is not played: SQLite's `synchronous=FULL` and PostgreSQL's `synchronous_commit=on` are held by"
        " tests of the settings, and tests' PostgreSQL runs without fsync.\n"
        "- Of a ledger that was restored or lost, what it forgot is judged by REVER's books alone: no double, nothing"
        " paid that a person had closed by hand, nothing sent before `start`, none forgotten. On PostgreSQL the backup"
        " is a copy of all rows. That off loopback no ledger is made by itself is held by tests of its own.\n"
        "- The sandbox is our reading of REVER's reference, not REVER."
    )


def sqlite_version() -> str:
    """Of the library in use."""
    return sqlite3.sqlite_version
