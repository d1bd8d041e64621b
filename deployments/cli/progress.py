"""How far a run is, on stderr while it goes: a bar in a terminal, elsewhere a line every ten seconds."""

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tasks.reporting.report import Progress as RunProgress
from tasks.reporting.report import RunReport

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
