"""The world of one cell: a small REVER with chosen returns, an empty ledger, workers, and an hour that passes at will.

Time is told to both sides: workers get a clock that is ahead by `hour` seconds, and the sandbox's is moved along. So
the settings are those of a real desk (15 minutes to settle, a lease of one), and a cell takes about a second.
"""

import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rever_api.sandbox import RunningSandbox, running_sandbox
from rever_api.sandbox.faults import FaultPlan, NamedFault
from rever_api.sandbox.seed import SCENARIOS
from tests.ledgers import empty_sqlite
from tests.memory import memory
from tests.proof.faults import CLOCK, REFUSED, fault_plan, options
from tests.proof.terms import Terms
from tests.proof.workers import ACCOUNT, SETTINGS, STORE, Nursery, Step, Strike, Worker
from tests.world import World, keep_only

RUN = "process-pending-returns"
ALWAYS = ("two_methods",)
SOMETIMES = (
    "approved_thirds", "exchange_reviewed", "label_needed_pickup", "costs_smaller", "refund_and_exchange",
    "partially_reviewed", "costs_larger", "foreign_exact", "mixed_review", "not_received",
)  # fmt: skip
A_FEW = 3


class CellWorld(World):
    """What a cell plays in. `fault` is the column, `seed` decides all that is left open."""

    def __init__(
        self, sandbox: RunningSandbox, ledger_url: str, nursery: Nursery, fault: str, seed: int, folder: Path
    ) -> None:
        # Workers' clocks are wrong here, and must do without REVER's.
        super().__init__(sandbox, ledger_url, dict(SETTINGS), self.now, date=lambda: None)
        self.nursery, self.fault, self.folder = nursery, fault, folder
        self.random = random.Random(seed)
        self.seed = seed
        self.hour = 0.0
        self.latest = 0.0
        """The latest hour of any worker: what it has written down may lie in the future of the others."""
        self.workers: list[Worker] = []
        self.asks: tuple[Step, ...] = ()
        """What every worker that acts asks for first: effects that no flow asks for by itself."""
        self.broken = False
        """Whether the column's fault is in force."""
        self.closed = False
        """Whether REVER refuses connections now."""
        self.by_hand: set[str] = set()
        """Returns that a person closed by hand before a restore: none of them is ever paid after it."""
        self.forgot: set[str] = set()
        """Returns of which a ledger that was restored, or lost, does not know all."""
        self.inspected: dict[str, Counter[str]] = {}
        """Line -> the reviews that were there, with those that a warehouse's file tells of."""
        self.terms: Terms | None = None
        """What a merchant's rules leave of the refunds, where the sandbox's auditor does not know of it."""
        self.put_back_at = 0
        """How many effects were in REVER's books when a restored ledger had caught up."""
        self.sent_while_stopped = 0
        """Effects that were asked for between a restore and `start`."""

    def now(self) -> datetime:
        """The time of this world."""
        return datetime.now(UTC) + timedelta(seconds=self.hour)

    def start(
        self,
        flow: str = RUN,
        values: dict[str, str] | None = None,
        *,
        strikes: Sequence[Strike] = (),
        copies: int = 1,
        ahead: float = 0.0,
        wrong: float = 0.0,
        settings: dict[str, str] | None = None,
    ) -> Worker:
        """Start a worker that runs one flow at this hour, or `ahead` seconds after it."""
        steps = [Step(flow, {"mode": "act"} | (values or {}), copies)]
        return self.start_all(steps, strikes=strikes, ahead=ahead, wrong=wrong, settings=settings)

    def start_all(
        self,
        steps: Sequence[Step],
        *,
        strikes: Sequence[Strike] = (),
        ahead: float = 0.0,
        wrong: float = 0.0,
        settings: dict[str, str] | None = None,
    ) -> Worker:
        """Start a worker that runs several flows, one after another. Its clock is `wrong` by so many seconds."""
        acts = all(step.values.get("mode") == "act" for step in steps)
        worker = self.nursery.start(
            steps=(*(self.asks if acts else ()), *steps),
            environment=self.environment | (settings or {}),
            later=self.hour + ahead + wrong,
            jumps=self.random.randrange(1 << 30) if self.fault == CLOCK and self.broken else None,
            strikes=tuple(strikes),
        )
        self.latest = max(self.latest, self.hour + ahead)
        self.workers.append(worker)
        return worker

    def worker(self, flow: str = RUN, **values: str) -> Worker:
        """Let a worker run one flow to its end."""
        return self.start(flow, values).wait()

    def break_it(self, *named: NamedFault, silent: float = 0.0) -> None:
        """Let the column's fault begin; `named` ones come first."""
        self.broken = True
        plan = fault_plan(self.fault, self.seed)
        self.sandbox.set_faults(replace(plan, named=named, silent=silent or plan.silent))

    def mend_it(self) -> None:
        """All faults end, and what was put off is carried out."""
        self.broken = False
        self.sandbox.stop_faults()
        self.sandbox.set_faults(FaultPlan())

    def pass_time(self, seconds: float) -> None:
        """Let it become later for everybody who starts from now on."""
        self.hour += seconds
        self.sandbox.advance(seconds)

    @property
    def refuses(self) -> bool:
        """Whether this column's REVER refuses connections at some time."""
        return self.fault == REFUSED

    def close(self) -> None:
        """REVER refuses connections from now on."""
        if not self.closed:
            self.closed = True
            self.sandbox.stop()

    def open(self) -> None:
        """REVER answers again."""
        if self.closed:
            self.closed = False
            self.sandbox.start()


@contextmanager
def world(
    nursery: Nursery, *, seed: int, fault: str = "none", ledger_url: str = "", scenarios: Sequence[str] = ()
) -> Iterator[CellWorld]:
    """A world of its own; its ledger is a new SQLite file, or the empty one that `ledger_url` names."""
    chosen = tuple(scenarios) or (*ALWAYS, *random.Random(seed).sample(SOMETIMES, A_FEW))
    with (
        tempfile.TemporaryDirectory(prefix="proof-", ignore_cleanup_errors=True, dir=memory()) as folder,
        running_sandbox(seed=seed % 1000, returns=len(SCENARIOS), shops=(STORE,), options=options(fault)) as sandbox,
    ):
        keep_only(sandbox, chosen)
        url = ledger_url or empty_sqlite(Path(folder) / "ledger.sqlite", ACCOUNT)
        made = CellWorld(sandbox, url, nursery, fault, seed, Path(folder))
        try:
            yield made
        finally:
            for worker in made.workers:
                worker.kill()


def told(worker: Worker) -> list[str]:
    """What a worker was to do and how it ended, for a person who looks for a cause."""
    hit = ", ".join(f"{strike.blow} at {strike.nth}. {strike.point!r}" for strike in worker.job.strikes)
    head = f"worker {worker.pid}, {worker.job.later:+.0f} s{', ' + hit if hit else ''}: exit {worker.ended}"
    return [head, *(f"  {answer.flow}: {answer.error or answer.report}" for answer in worker.answers())]
