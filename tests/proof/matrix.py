"""The matrix: its cells, how one is played and judged, and many side by side.

A cell is a database, a same-time case, a crash, a fault and a number. It plays the same each time it is named.
"""

import queue
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from zlib import crc32

from sqlalchemy import URL, Connection, select

from rever_api.models import RefundTiming
from tasks.ledger import parcels_of
from tasks.ledger.checking import check_parcels
from tasks.ledger.schema import intents
from tasks.policy.facts import GOODS_SENT, PARCEL_MOVED
from tasks.policy.record import IntentKind
from tests.books import Books, LedgerState
from tests.judge import DOUBLE, ELSEWHERE, PLAN, TRAIL, Verdict, everything, judge, judge_put_back, judge_reports
from tests.postgres import empty, ledger_database
from tests.proof.cases import CASES, Case
from tests.proof.crashes import CRASHES
from tests.proof.faults import CLOCK, COLUMNS, NONE, UNPAID
from tests.proof.terms import by_terms
from tests.proof.workers import WRONG_AT_MOST_S, Nursery
from tests.proof.world import CellWorld, told, world

DATABASES = ("sqlite", "postgres")
ALONE = "alone"
SENT = GOODS_SENT | PARCEL_MOVED
"""Statuses of a return or a parcel that the carrier has, or had."""
PLANNED_IN_ONE_OF = 3
"""Cells with a run that only plans."""


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """The address of one play."""

    database: str
    case: str
    crash: str
    fault: str
    number: int

    def __str__(self) -> str:
        return f"{self.database}:{self.case}:{self.crash}:{self.fault}:{self.number}"

    @classmethod
    def of(cls, text: str) -> "Cell":
        """Read an address. ValueError says what there is."""
        database, case, crash, fault, number = text.split(":")
        for word, known in ((database, DATABASES), (case, CASES), (crash, CRASHES), (fault, COLUMNS)):
            if word not in known:
                raise ValueError(f"{word!r} is none of {', '.join(known)}")
        return cls(database, case, crash, fault, int(number))

    @property
    def seed(self) -> int:
        """What all chance in it comes from."""
        return crc32(str(self).encode())


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a cell. `kills` counts the workers that died by SIGKILL, `told` is how each worker ended."""

    cell: Cell
    verdict: Verdict
    kills: int = 0
    runs: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    effects: int = 0
    held: int = 0
    returns: int = 0
    seconds: float = 0.0
    told: tuple[str, ...] = ()


def play(nursery: Nursery, cell: Cell, ledger_url: str = "") -> Played:
    """Play a cell: the crash under the fault, then runs while faults go on, then three without, then the verdict."""
    began = time.monotonic()
    crash, case = CRASHES[cell.crash], CASES[cell.case]
    with world(nursery, seed=cell.seed, fault=cell.fault, ledger_url=ledger_url, scenarios=case.scenarios) as here:
        case.before(here)
        crash.before(here)
        case.play(here, crash)
        verdict = Verdict()
        _go_on_under_faults(here, verdict, case)
        injected = Counter(here.sandbox.faults.injected)
        _end_in_peace(here, case)
        verdict += judged(here)
        if cell.case == ALONE:
            verdict += reports(here)
        return Played(
            cell, verdict,
            kills=sum(worker.killed for worker in here.workers),
            runs=sum(len(worker.job.steps) for worker in here.workers),
            injected=injected,
            effects=sum(not effect.foreign for effect in here.sandbox.books),
            held=len({hold.process_id for hold in here.holds()}),
            returns=len(here.sandbox.process_ids()),
            seconds=time.monotonic() - began,
            told=tuple(line for worker in here.workers for line in told(worker)),
        )  # fmt: skip


def _go_on_under_faults(here: CellWorld, verdict: Verdict, case: Case) -> None:
    """Safety: whoever runs next, and whenever, pays nothing twice. A run that only plans writes nothing."""
    here.worker()
    here.open()
    if here.seed % PLANNED_IN_ONE_OF == 0:
        before = here.read(everything), len(here.sandbox.books)
        here.worker(mode="plan")
        if (here.read(everything), len(here.sandbox.books)) != before:
            verdict.add(PLAN, "the ledger or REVER's books changed")
    case.after(here)
    here.pass_time(130)
    here.worker()
    case.after(here)


def _end_in_peace(here: CellWorld, case: Case) -> None:
    """Liveness: faults stop; within three runs everything is at its end or held."""
    here.mend_it()
    here.pass_time(here.latest - here.hour)
    if here.fault == CLOCK:
        here.pass_time(WRONG_AT_MOST_S)  # what a clock that was ahead has written down lies in the future
    for seconds, flow in ((1200, "reconcile"), (600, "process-pending-returns"), (2400, "process-pending-returns")):
        here.pass_time(seconds)
        here.worker(flow)
        case.after(here)


def judged(here: CellWorld) -> Verdict:
    """Judge a world in which faults have stopped and three runs have followed."""
    books = Books.of(here.sandbox)
    if here.fault == UNPAID:
        books = replace(books, shown={})  # what was accepted is paid after the cell is over
    verdict = Verdict()
    if here.terms is not None:
        books, verdict = by_terms(here.sandbox, books, here.terms)
    verdict += judge(books, here.read(LedgerState.read), forgot=here.forgot)
    stopped, since = here.sent_while_stopped, here.put_back_at
    verdict += judge_put_back(books, sent_while_stopped=stopped, closed=here.by_hand, since=since)
    if here.fault != CLOCK:
        verdict += here.read(parcels_judged)
    verdict += inspections_judged(here)
    return verdict


def inspections_judged(here: CellWorld) -> Verdict:
    """Judge the reviews of a world with a warehouse's file: of no line more than were there and than the file tells."""
    verdict = Verdict()
    with here.sandbox.sandbox.locked():
        found = [stored.process for stored in here.sandbox.sandbox.processes.values()]
    shown = Counter((it.line_item_id, str(it.status)) for process in found for it in process.reviews or ())
    for line, told_of in here.inspected.items():
        for status in ("APPROVED", "DECLINED"):
            if shown[line, status] > told_of[status]:
                verdict.add(DOUBLE, f"line {line}: {shown[line, status]} {status}, the file tells of {told_of[status]}")
    return verdict


def parcels_judged(conn: Connection) -> Verdict:
    """Judge where the ledger saw the parcels: each change follows, and no refund was meant before its scan was seen.

    A refund that is paid by the review needs no scan, and where a scan was never seen the review was why: the books
    judge both.
    """
    verdict = Verdict()
    for finding in check_parcels(conn):
        verdict.add(TRAIL, f"{finding.where}: {finding.why}")
    at_the_scan = (intents.c.kind == IntentKind.REFUND) & (intents.c.rule == RefundTiming.ON_ITEM_SENT.lower())
    meant = conn.execute(select(intents).where(at_the_scan)).all()
    seen = parcels_of(conn, {row.process_id for row in meant})
    for row in meant:
        scans = [it.seen_at for it in seen[row.process_id] if it.status in SENT]
        if scans and row.created_at < min(scans):
            verdict.add(ELSEWHERE, f"{row.process_id}: refunded before its scan was seen")
    return verdict


def reports(here: CellWorld) -> Verdict:
    """Judge the reports where every run came to its end."""
    answers = [answer for worker in here.workers for answer in worker.answers()]
    told = [answer.report for answer in answers if answer.report is not None]
    if any(worker.ended for worker in here.workers) or len(told) < len(answers):
        return Verdict()
    return judge_reports(told, here.paid())


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
