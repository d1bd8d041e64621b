"""One cell: a database, a same-time case, a crash, a fault and a number; it plays the same each time it is named."""

import time
from collections import Counter
from dataclasses import dataclass, field
from zlib import crc32

from tests.proof.cases import CASES, Case
from tests.proof.crashes import CRASHES
from tests.proof.faults import CLOCK, COLUMNS
from tests.proof.judge import PLAN, Verdict, fingerprint, judge, reports
from tests.proof.nursery import Nursery
from tests.proof.worker import WRONG_AT_MOST_S
from tests.proof.world import World, told, world

DATABASES = ("sqlite", "postgres")
ALONE = "alone"
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
        verdict += judge(here)
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


def _go_on_under_faults(here: World, verdict: Verdict, case: Case) -> None:
    """Safety: whoever runs next, and whenever, pays nothing twice. A run that only plans writes nothing."""
    here.run()
    here.open()
    if here.seed % PLANNED_IN_ONE_OF == 0:
        before = fingerprint(here)
        here.run(mode="plan")
        if fingerprint(here) != before:
            verdict.add(PLAN, "the ledger or REVER's books changed")
    case.after(here)
    here.pass_time(130)
    here.run()
    case.after(here)


def _end_in_peace(here: World, case: Case) -> None:
    """Liveness: faults stop; within three runs everything is at its end or held."""
    here.mend_it()
    here.pass_time(here.latest - here.hour)
    if here.fault == CLOCK:
        here.pass_time(WRONG_AT_MOST_S)  # what a clock that was ahead has written down lies in the future
    for seconds, flow in ((1200, "reconcile"), (600, "process-pending-returns"), (2400, "process-pending-returns")):
        here.pass_time(seconds)
        here.run(flow)
        case.after(here)
