"""Which cells there are, and how many are played side by side: threads that wait, over one zygote."""

import queue
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from sqlalchemy import URL

from tests.postgres import empty, ledger_database
from tests.proof.cases import CASES
from tests.proof.cell import ALONE, Cell, Played, play
from tests.proof.crashes import CRASHES
from tests.proof.faults import COLUMNS, NONE
from tests.proof.judge import Verdict
from tests.proof.nursery import Nursery

BROKEN = "the cell broke"


def crash_by_fault(database: str, times: int) -> list[Cell]:
    """Each crash under each fault."""
    numbers = range(1, times + 1)
    return [Cell(database, ALONE, crash, fault, n) for n in numbers for crash in CRASHES for fault in COLUMNS]


def case_by_crash(database: str, times: int) -> list[Cell]:
    """Each same-time case with each crash."""
    numbers, cases = range(1, times + 1), [case for case in CASES if case != ALONE]
    return [Cell(database, case, crash, NONE, n) for n in numbers for case in cases for crash in CRASHES]


def case_by_fault(database: str, times: int) -> list[Cell]:
    """Each same-time case under each fault."""
    numbers, cases = range(1, times + 1), [case for case in CASES if case != ALONE]
    return [Cell(database, case, NONE, fault, n) for n in numbers for case in cases for fault in COLUMNS]


class Ledgers:
    """Empty ledgers on PostgreSQL, one per cell that is played at a time; SQLite ones are made by each world."""

    def __init__(self, databases: Sequence[str]) -> None:
        self._free: queue.SimpleQueue[str] = queue.SimpleQueue()
        for url in databases:
            self._free.put(url)

    @contextmanager
    def one_for(self, cell: Cell) -> Iterator[str]:
        """The URL of an empty ledger for this cell."""
        if cell.database == "sqlite":
            yield ""
            return
        url = self._free.get()
        try:
            empty(url)
            yield url
        finally:
            self._free.put(url)


@contextmanager
def ledgers(server: URL | None, lanes: int) -> Iterator[Ledgers]:
    """Databases for so many lanes on this server; none where there is no server."""
    with ExitStack() as stack:
        yield Ledgers([stack.enter_context(ledger_database(server)) for _ in range(lanes)] if server else [])


def play_all(
    nursery: Nursery,
    cells: Iterable[Cell],
    ledgers: Ledgers,
    lanes: int,
    tell: Callable[[Played], None] = lambda _: None,
) -> list[Played]:
    """Play cells, `lanes` at a time; `tell` hears of each, one at a time. A cell that fails is a broken promise."""
    telling = threading.Lock()

    def one(cell: Cell) -> Played:
        try:
            with ledgers.one_for(cell) as url:
                played = play(nursery, cell, url)
        except Exception:  # noqa: BLE001 - it is counted, and its words are kept
            verdict = Verdict()
            verdict.add(BROKEN, traceback.format_exc(limit=-4))
            played = Played(cell, verdict)
        with telling:
            tell(played)
        return played

    with ThreadPoolExecutor(lanes) as pool:
        futures: list[Future[Played]] = [pool.submit(one, cell) for cell in cells]
        return [future.result() for future in futures]
