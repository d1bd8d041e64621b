"""`rever-returns run`: one flow in this process, its report on stdout, everything else on stderr.

Below the report of a run over returns stands a table: a row for each that moved, is held or could not be worked on.
"""

import io
import shutil
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import get_args

from pydantic.fields import FieldInfo
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deployments.console.errors import (
    FAILED,
    USAGE,
    CommandError,
    RunStoppedError,
    UsageError,
    explained,
    print_error,
    print_out,
)
from deployments.console.logs import log_to_stderr
from deployments.prefect_server import LOOPBACK, new_auth
from flows.catalog import FLOWS
from tasks.reporting.report import Mode, ReturnsReport, Row, RunReport, counts
from tasks.reporting.report import Progress as RunProgress

_STOPPED = "stopped. What was under way is settled by the next run."
_STOPPED_BEFORE = "stopped. Nothing was under way."


@dataclass(frozen=True, slots=True)
class Printed:
    """How a report is printed: as one JSON object, with a row for every return, with the rows in a CSV file besides."""

    as_json: bool = False
    every_row: bool = False
    csv: Path | None = None


def run_one(flow: str, pairs: Sequence[str], printed: Printed, *, prefect: bool, debug: bool = False) -> int:
    """Run `flow` and print its report, however the run ends. Returns the exit code: 1 where the run counts as failed.

    As JSON one object is printed in any case, and `failed` in it says what went wrong, if anything. Raises the
    error that ended the run, `RunStoppedError` where a person or a signal did.
    """
    begun: list[RunReport] = []
    values: dict[str, str] = {}
    try:
        values |= split_pairs(pairs)
        if printed.csv is not None:
            from tasks.reporting.csv_file import check_target

            check_target(printed.csv)
        report = _ran(flow, values, begun, prefect=prefect, debug=debug)
    except (SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        acted = any(report.acts for report in begun)
        ended = _STOPPED if acted else _STOPPED_BEFORE
        stopped = None if isinstance(error, Exception) else RunStoppedError(ended)
        code, words = explained(error) if isinstance(error, Exception) else (FAILED, ended)
        report = begun[0] if begun else _never_begun(flow, values)
        report.broke_off = report.broke_off or words
        if printed.as_json or (begun and code != USAGE):
            try:
                _print(report, printed if begun else replace(printed, csv=None))
            except CommandError as other:  # of two errors the one that ended the run is raised
                print_error(str(other))
        if stopped is not None:
            raise stopped from None
        raise
    _print(report, printed)
    if report.failed:
        print_error(report.failed_why)
    return FAILED if report.failed else 0


def run_with_options(
    flow: str, options: Mapping[str, object], *, as_json: bool, debug: bool, prefect: bool = False
) -> int:
    """Run a flow for a command that has options of its own: by the parameters' names, what was typed, if anything was.

    Several of one option are written with commas. Text that is empty is refused, as in `split_pairs`. Returns the exit
    code.
    """
    typed = {name: it for name, it in options.items() if it or it == ""}
    pairs = [f"{name}={','.join(map(str, it)) if isinstance(it, list) else it}" for name, it in typed.items()]
    return run_one(flow, pairs, Printed(as_json), prefect=prefect, debug=debug)


def _never_begun(flow: str, values: dict[str, str]) -> RunReport:
    """The report of a run that did not begin, in the shape that its flow's reports have."""
    if (module := sys.modules.get(FLOWS.get(flow, ""))) and "mode" not in module.Parameters.model_fields:
        return RunReport(flow)
    return ReturnsReport(flow, mode=Mode.ACT if values.get("mode") == Mode.ACT else Mode.PLAN)


def _ran(flow: str, values: dict[str, str], begun: list[RunReport], *, prefect: bool, debug: bool) -> RunReport:
    from tasks.settings import load_settings

    load_settings()  # what is wrong with them is said now, not once Prefect is up
    log_to_stderr(debug=debug)
    # Whoever prints meanwhile (a library, a notice of Prefect's) must not spoil the one object on stdout.
    with redirect_stdout(sys.stderr):
        from deployments.cli.run import shown_progress
        from flows.run import BEGUN, RunFailedError, run_flow

        BEGUN.set(begun)
        try:
            with shown_progress(begun), _closed_server() if prefect else nullcontext():
                return run_flow(flow, values, prefect=prefect)
        except RunFailedError as failed:
            return failed.report


def flow_help(flow: str) -> str:
    """What a flow does, and its parameters, as the help of a command lists options. Raises `UsageError`."""
    import click

    from flows.parameters import LAST
    from flows.run import form_of

    form = form_of(flow)
    text = click.HelpFormatter(width=min(100, shutil.get_terminal_size().columns))
    text.write_usage(f"rever-returns run {flow}", "[NAME=VALUE]... [OPTIONS]")
    text.write_paragraph()
    text.indent()
    text.write_text((form.__doc__ or "").strip())
    text.dedent()
    names = sorted(form.model_fields, key=lambda name: name in LAST)
    rows = [(f"{name}=VALUE", _said_of(form.model_fields[name])) for name in names]
    with text.section("Parameters"):
        text.write_dl(rows, col_max=34)
    text.write_paragraph()
    text.write_text("Options are those of `rever-returns run --help`.")
    return text.getvalue().rstrip()


def _said_of(field: FieldInfo) -> str:
    """What the help says of a parameter: its description, its choices, and whether it may be left out."""
    from flows.run import takes_several

    choices: list[str] = []
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, Enum):
            choices = [str(member.value) for member in kind]
    default = field.get_default(call_default_factory=True)
    said = [
        field.description or "",
        "Separate several by commas." if takes_several(field) else "",
        f"[one of: {', '.join(choices)}]" if choices else "",
        "[required]" if field.is_required() else f"[default: {default}]" if default else "",
    ]
    return " ".join(filter(None, said))


def split_pairs(pairs: Sequence[str]) -> dict[str, str]:
    """The values by name, as text, of `name=value` pairs. Raises `UsageError` for a wrong, double or empty pair.

    An empty value is refused because an unset shell variable (`max_amount=$CAP`) must not mean "no cap", nor
    `stores=$STORE` mean "all stores".
    """
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise UsageError(f"{pair!r} is no parameter: write name=value.")
        if not value.strip(" ,"):
            raise UsageError(f"{name} is given no value: say one, or leave {name} out.")
        if name in values:
            raise UsageError(f"{name} is given twice, as {values[name]!r} and as {value!r}: say it once.")
        values[name] = value
    return values


def _print(report: RunReport, printed: Printed) -> None:
    from tasks.reporting.printable import json_text

    rows = report.all_rows() if isinstance(report, ReturnsReport) else []
    lines = report.lines()
    if rows and not printed.as_json:
        lines += ["", *returns_lines(rows, every_row=printed.every_row or len(rows) == 1, width=_width())]
    print_out(json_text(report.as_json()) if printed.as_json else "\n".join(lines))
    if printed.csv is not None:
        from tasks.desk import DeskError
        from tasks.reporting.csv_file import write_csv

        try:
            write_csv(printed.csv, Row.COLUMNS, [row.as_json() for row in rows])
        except DeskError as error:
            raise CommandError(str(error)) from None


def _width() -> int | None:
    """The columns of the terminal; None where what is printed goes elsewhere, and no line is to be broken."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def returns_lines(rows: Sequence[Row], *, every_row: bool, width: int | None) -> list[str]:
    """The returns as a table, those that are held last; those of which nothing is to be said are counted."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from tasks.reporting.printable import plain_words, printable

    shown = [row for row in rows if row.moves or every_row] + [row for row in rows if row.held and not every_row]
    rest = Counter(
        f"{row.decision} for another run" if row.left else row.decision for row in rows if not (row.moves or row.held)
    )
    table = Table(box=None, pad_edge=False, header_style="", show_header=bool(shown))
    for name in ("ORDER", "STORE", "DECISION"):
        table.add_column(name, no_wrap=True)
    table.add_column("AMOUNT", no_wrap=True, justify="right")
    table.add_column("WHY", overflow="fold")
    for row in shown:
        why = plain_words(". ".join(filter(None, [row.outcome, row.why])))
        cells = (row.order or row.process_id, row.store, row.decision, row.money, why)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    text = io.StringIO()
    Console(file=text, width=width or 10_000, no_color=True, highlight=False).print(table)
    lines = [f"  {line}".rstrip() for line in text.getvalue().splitlines() if line.strip()]
    if rest and not every_row:
        lines.append(f"  and {counts(rest)} (--all lists them)")
    return lines


@contextmanager
def _closed_server() -> Iterator[None]:
    """Have the server that Prefect brings up for a run, where there is none, ask for a password that this run has.

    It listens on 127.0.0.1 for as long as the run takes, and any web page could command it meanwhile.
    """
    from prefect.settings import (
        PREFECT_API_AUTH_STRING,
        PREFECT_API_URL,
        PREFECT_SERVER_API_AUTH_STRING,
        PREFECT_SERVER_CORS_ALLOWED_ORIGINS,
        temporary_settings,
    )

    if PREFECT_API_URL.value():
        yield
        return
    auth = new_auth()
    nobody = {PREFECT_SERVER_CORS_ALLOWED_ORIGINS: f"http://{LOOPBACK}"}
    with temporary_settings({PREFECT_API_AUTH_STRING: auth, PREFECT_SERVER_API_AUTH_STRING: auth, **nobody}):
        yield


# How far a run is, on stderr while it goes: a bar in a terminal, elsewhere a line every ten seconds.

EVERY_S = 10.0
"""Seconds between two lines where stderr is no terminal."""

REFRESH_S = 0.5
"""Seconds between two looks where it is one."""


@contextmanager
def shown_progress(begun: Sequence[RunReport], every_s: float = EVERY_S) -> Iterator[None]:
    """Show how far the run is whose report `begun` gets, until the block ends. What is said goes to stderr alone."""
    ended = threading.Event()
    show, pause_s = (_bar, REFRESH_S) if sys.stderr.isatty() else (_lines, every_s)
    thread = threading.Thread(target=show, args=(begun, ended, pause_s), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _lines(begun: Sequence[RunReport], ended: threading.Event, every_s: float) -> None:
    while not ended.wait(every_s):
        if progress := _known(begun):
            print(f"{begun[0].flow}: {progress.words}", file=sys.stderr, flush=True)


def _bar(begun: Sequence[RunReport], ended: threading.Event, every_s: float) -> None:
    columns = (BarColumn(bar_width=30), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    # It goes away at the end: the report says what was done. What is logged meanwhile is printed above it.
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as bar:
        task = None
        while not ended.wait(every_s):
            if progress := _known(begun):
                task = bar.add_task("", total=None) if task is None else task
                bar.update(task, completed=progress.done, total=progress.found, description=progress.words)


def _known(begun: Sequence[RunReport]) -> RunProgress | None:
    """The progress of a run that has found something; one without returns has none to show."""
    return begun[0].progress if begun and begun[0].progress.found else None
