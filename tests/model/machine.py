"""Two machines: everything that can happen to a desk, in any order; after each step nothing may be broken.

`Safety` is under faults all the time. `Liveness` ends in peace: when faults stop, every return that can move comes to
its end or to a hold within three runs.
"""

import asyncio
import sys
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rever_api.errors import ReverError
from rever_api.models import RefundTiming
from rever_api.sandbox.faults import AMBIGUOUS, WEIGHTS, Fault, FaultPlan
from rever_api.sandbox.state import Options
from tasks.crash_points import CrashPoint
from tasks.desk import DeskError
from tasks.ledger import Answer, AnswerError, HoldRow, LedgerError, switch
from tasks.ledger.checking import check_parcels
from tasks.policy.store import StorePolicy
from tests.books import Books, LedgerState
from tests.judge import FORGOTTEN, REPORT, Verdict, everything, judge, judge_always, same_sums
from tests.model import load
from tests.model.counts import COUNTS
from tests.model.life import POINTS, Blow, Fate, Killed, Worker
from tests.model.races import Say, without_races
from tests.model.world import ModelWorld

PLACES = st.integers(0, 40)
TIMINGS = st.sampled_from(
    (RefundTiming.ON_ITEM_VERIFIED, RefundTiming.ON_ITEM_VERIFIED, RefundTiming.ON_START, RefundTiming.ON_ITEM_SENT)
)
FATES = st.builds(
    Fate, st.sampled_from(Blow), st.sampled_from(("", "", *POINTS)), st.sampled_from((1, 1, 1, 2, 3, 5, 8, 13))
)
OVERTAKEN_AT = (
    str(CrashPoint.BEFORE_INTENT),
    str(CrashPoint.AFTER_CLAIM),
    "after decide",
    str(CrashPoint.BETWEEN_REFUNDS),
    str(CrashPoint.AFTER_SENT),
)
"""Where others are faster than a worker that then goes on."""
MAYBE = st.one_of(st.none(), FATES)
MIXES: dict[str, dict[Fault, int]] = {
    "all": WEIGHTS,
    "ambiguous": dict.fromkeys(AMBIGUOUS, 1),
    "stale and lost": {Fault.STALE_READ: 1, Fault.ACTS_ANSWER_LOST: 1},
    "odd and late": {Fault.MISSING_FIELD: 1, Fault.UNKNOWN_ENUM: 1, Fault.ACTS_LATER: 1},
}


@dataclass(frozen=True, slots=True)
class Weather:
    """How REVER breaks: of which mix, how often, from which seed, and how late it acts where it acts later."""

    mix: str
    rate: float
    seed: int
    later: float

    def plan(self) -> FaultPlan:
        """With waits short enough for a test."""
        weights = MIXES[self.mix]
        return FaultPlan(self.rate, self.seed, weights, retry_after=0, later=self.later, slow=0.01, silent=0.005)


WEATHER = st.builds(
    Weather,
    st.sampled_from(("all", *MIXES)),
    st.sampled_from((0.05, 0.15, 0.3, 0.6)),
    st.integers(0, 10_000),
    st.sampled_from((0.5, 5.0, 240.0)),
)
SECONDS = st.sampled_from((1, 20, 61, 61, 300, 901, 901, 1900, 3600, 90_000))
JUMPS = st.sampled_from((*(None,) * 5, 0, 0, -3600, 1200))
FLOWS = st.sampled_from(("process-pending-returns",) * 4 + ("generate-labels", "track-parcels") + ("reconcile",) * 2)
EXPECTED = (Killed, asyncio.CancelledError, ReverError, DeskError, AnswerError, TimeoutError)
"""How a run may end but well: struck down, or REVER's faults, an answer that came too late, a step slept through."""


@dataclass(slots=True)
class Notes:
    """What the model remembers of an example."""

    says: dict[str, Say] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)


class Desk(RuleBasedStateMachine):
    """All rules. What they have in common with reality: nobody waits for anybody."""

    def __init__(self) -> None:
        super().__init__()
        self.world: ModelWorld | None = None
        self.notes = Notes()
        COUNTS.examples += 1

    @initialize(
        shops=st.sampled_from((("acme",), ("acme", "nordic"), ("acme", "autopay"))),
        acme=TIMINGS,
        delay=st.sampled_from((0.0, 0.0, 60.0)),
        first=st.lists(load.RETURNS, min_size=2, max_size=5),
        weather=WEATHER,
    )
    def open_for_business(
        self, shops: tuple[str, ...], acme: str, delay: float, first: list[load.NewReturn], weather: Weather
    ) -> None:
        self.world = ModelWorld(shops, {"acme": str(acme)}, Options(completion_delay=delay))
        for new in first:
            load.open_return(self.world, new)
        self.breaks(weather)

    def step(self, name: str) -> ModelWorld:
        """Count one step, and answer what it is done to."""
        assert self.world is not None
        COUNTS.steps += 1
        self.world.pass_time(1)
        COUNTS.rules[name] += 1
        return self.world

    def one(self, place: int) -> str:
        assert self.world is not None
        ids = tuple(self.world.ids())
        return ids[place % len(ids)]

    # shoppers, carriers, warehouse, back office

    @rule(new=load.RETURNS)
    def shopper_opens(self, new: load.NewReturn) -> None:
        load.open_return(self.step("shopper_opens"), new)

    @rule(new=load.RETURNS, verdict=load.VERDICTS)
    def parcel_is_there_at_once(self, new: load.NewReturn, verdict: str) -> None:
        world = self.step("parcel_is_there_at_once")
        load.try_act(world, "review", load.open_return(world, new), status=verdict)

    @rule(place=PLACES, step=st.sampled_from(("label_ready", "collect", "arrive", "cancel_label")))
    def carrier_moves(self, place: int, step: str) -> None:
        load.move_parcel(self.step("carrier_moves"), self.one(place), step)

    @rule(place=PLACES, line=st.integers(0, 2), verdict=load.VERDICTS)
    def warehouse_inspects(self, place: int, line: int, verdict: str) -> None:
        load.inspect(self.step("warehouse_inspects"), self.one(place), line, verdict)

    @rule(place=PLACES, verdict=load.VERDICTS)
    def warehouse_inspects_all(self, place: int, verdict: str) -> None:
        load.try_act(self.step("warehouse_inspects_all"), "review", self.one(place), status=verdict)

    @rule(place=PLACES, deed=load.DEEDS)
    def back_office(self, place: int, deed: str) -> None:
        load.back_office(self.step("back_office"), self.one(place), deed)

    # time and faults

    @rule(seconds=SECONDS, ahead=JUMPS, weather=st.one_of(st.none(), WEATHER))
    def time_passes(self, seconds: int, ahead: int | None, weather: Weather | None) -> None:
        world = self.step("time_passes")
        world.pass_time(seconds)
        if ahead is not None:
            world.skew = timedelta(seconds=ahead)
        if weather is not None:
            self.breaks(weather)

    def breaks(self, weather: Weather) -> None:
        """REVER breaks in another way from now on."""
        assert self.world is not None
        COUNTS.faults.update(self.world.sandbox.faults.injected)
        self.world.sandbox.set_faults(weather.plan())

    # workers

    @rule(flow=FLOWS)
    def schedule_runs(self, flow: str) -> None:
        self.step("schedule_runs")
        self.run(flow)

    @rule(flow=FLOWS, fate=FATES)
    def worker_is_struck(self, flow: str, fate: Fate) -> None:
        self.step("worker_is_struck")
        self.run(flow, fate)

    @rule(news=st.lists(load.RETURNS, min_size=1, max_size=4), flow=FLOWS, fate=FATES)
    def worker_is_struck_on_a_busy_day(self, news: list[load.NewReturn], flow: str, fate: Fate) -> None:
        world = self.step("worker_is_struck_on_a_busy_day")
        for new in news:
            load.try_act(world, "review", load.open_return(world, new))
        self.run(flow, fate)

    @rule(news=st.lists(load.RETURNS, min_size=1, max_size=3), point=st.sampled_from(OVERTAKEN_AT), deed=load.DEEDS)
    def worker_is_overtaken(self, news: list[load.NewReturn], point: str, deed: str) -> None:
        world = self.step("worker_is_overtaken")
        opened = [load.open_return(world, new) for new in news]
        for process_id in opened:
            load.try_act(world, "review", process_id)
        asleep = len(world.sleepers)
        self.run("process-pending-returns", Fate(Blow.SLEEP, point))
        for process_id in opened:
            load.back_office(world, process_id, deed)
        if len(world.sleepers) > asleep:
            self.ended(world.wake(-1))

    @rule(place=PLACES, fate=MAYBE, times=st.integers(1, 3))
    def webhook_comes(self, place: int, fate: Fate | None, times: int) -> None:
        self.step("webhook_comes")
        for _ in range(times):
            self.run("process-return", fate, process_id=self.one(place))

    @precondition(lambda self: self.world is not None and self.world.sleepers)
    @rule(place=PLACES)
    def worker_wakes(self, place: int) -> None:
        self.ended(self.step("worker_wakes").wake(place))

    @rule(flow=st.sampled_from(("process-pending-returns", "generate-labels", "reconcile", "track-parcels")))
    def somebody_plans(self, flow: str) -> None:
        world = self.step("somebody_plans")
        before = world.read(everything), len(world.sandbox.books)
        self.ended(world.start(flow, mode="plan"))
        assert before == (world.read(everything), len(world.sandbox.books)), f"the plan of {flow} wrote"

    @precondition(lambda self: self.stopped())
    @rule()
    def operator_starts(self) -> None:
        self.step("operator_starts")
        self.start_again()

    def stopped(self) -> bool:
        return self.world is not None and self.world.read(switch).stopped

    def start_again(self) -> None:
        """Effects are let go again where the desk has stopped itself; where it is too early they stay stopped."""
        assert self.world is not None
        self.world.pass_time(PEACE_S)
        self.run("reconcile")
        with suppress(LedgerError):
            self.world.let_effects_go()

    @precondition(lambda self: self.holds())
    @rule(
        place=PLACES,
        answer=st.sampled_from((Answer.RETRY, Answer.DONE_BY_HAND, Answer.DROP)),
        fate=MAYBE,
        twice=st.booleans(),
    )
    def operator_answers(self, place: int, answer: Answer, fate: Fate | None, twice: bool) -> None:
        self.step("operator_answers")
        holds = self.holds()
        for _ in range(1 + twice):
            self.answer(holds[place % len(holds)], answer, fate)

    def holds(self) -> list[HoldRow]:
        return self.world.holds() if self.world else []

    def answer(self, hold: HoldRow, answer: Answer, fate: Fate | None) -> None:
        assert self.world is not None
        if answer is Answer.RETRY:
            # Noted whether it comes through or not: two answers to one hold ask for no more than one does.
            effects, due = len(self.world.sandbox.books), str(hold.evidence.get("due", ""))
            self.notes.says.setdefault(hold.hold_id, Say(hold.process_id, hold.rule, effects, len(due.split(", "))))
        else:
            self.notes.closed.add(hold.process_id)
        said = {"reference": "by hand", "reason": "said so"}
        if answer is Answer.DONE_BY_HAND and hold.amount is None:
            said["amount"] = "0"
        word = next(iter(hold.answers)) if answer is Answer.RETRY else answer
        values = {"hold_id": hold.hold_id, "version": str(hold.version), "answer": str(word), "by": "operator"}
        self.run("answer-hold", fate, **values, **said)

    def run(self, flow: str, fate: Fate | None = None, **values: str) -> Worker:
        assert self.world is not None
        before = self.world.state()
        worker = self.world.start(flow, fate, mode="act", **values)
        COUNTS.runs[flow] += 1
        if worker.struck and worker.fate:
            COUNTS.points[f"{worker.fate.blow} {worker.fate.point or 'anywhere'}"] += 1
        if worker.ended:
            self.ended(worker)
            self.reported(worker, before)
        else:
            COUNTS.ends["asleep"] += 1
        return worker

    def ended(self, worker: Worker) -> None:
        """A run may end well, struck down or hindered by REVER, never by a fault of this software."""
        error = worker.error
        if error is not None:
            COUNTS.ends[type(error).__name__] += 1
            if not isinstance(error, EXPECTED):
                raise AssertionError(f"{worker.name} died of {error!r}") from error
            return
        COUNTS.ends["well"] += 1
        ours = [failure for failure in worker.result.failures if failure.ours]
        assert not ours, f"{worker.name}: {ours[0].process_id}: {ours[0].why}"

    def reported(self, worker: Worker, before: LedgerState) -> None:
        """What a run says that it paid is what the ledger holds for paid since."""
        if worker.result is None or worker.struck or worker.name == "reconcile":
            return
        assert self.world is not None
        more = {key: amount - before.paid.get(key, Decimal(0)) for key, amount in self.world.state().paid.items()}
        verdict = Verdict()
        same_sums(verdict, REPORT, f"{worker.name} and the ledger", worker.result.paid, more)
        assert verdict.words == [], verdict.words

    # what must hold

    @invariant()
    def nothing_is_broken(self) -> None:
        if self.world is None:
            return
        judgment = without_races(self.world.watched, self.notes.says.values())
        COUNTS.violations += len(judgment.broken)
        books = Books(self.world.sandbox.books.effects, judgment.broken)
        words = judge_always(books, self.world.state(), asked=self.asked()).words
        assert words == [], words
        assert self.world.read(lambda conn: list(check_parcels(conn))) == []

    def asked(self) -> set[str]:
        """The returns for which a person asked for an effect once more, whether the answer came through or not."""
        return {say.process_id for say in self.notes.says.values()}

    def teardown(self) -> None:
        if self.world is None:
            return
        try:
            self.count()
        finally:
            self.world.close()

    def count(self) -> None:
        assert self.world is not None
        judgment = without_races(self.world.watched, self.notes.says.values())
        COUNTS.races += judgment.races
        COUNTS.asked_for += judgment.asked_for
        COUNTS.returns += len(self.world.ids())
        COUNTS.effects.update(f"{e.operation} by {e.by}" for e in self.world.sandbox.books)
        COUNTS.holds.update(rule for rules in self.world.state().held.values() for rule in rules)
        COUNTS.faults.update(self.world.sandbox.faults.injected)


class Safety(Desk):
    """Faults never stop."""


PEACE_S = 1900
"""Seconds between two runs of a flow: longer than a lease, what settling waits, and the longest pause of a store."""

REVER_PAYS_S = StorePolicy().rever_pays_within_hours * 3600
"""Seconds after which it is asked why a REVER that pays by itself has not: until then a return may wait for it."""


class Liveness(Desk):
    """The same load; at its end the faults stop, all sleepers wake, and whoever can must come to an end."""

    def teardown(self) -> None:
        try:
            if self.world is not None and sys.exception() is None:
                self.peace()
        finally:
            super().teardown()

    def peace(self) -> None:
        assert self.world is not None
        world = self.world
        world.sandbox.stop_faults()
        while world.sleepers:
            self.ended(world.wake(0))
        rounds = (("reconcile", PEACE_S / 2), *self.rounds(PEACE_S / 2), *self.rounds(PEACE_S / 2))
        for flow, later in (*rounds, *self.rounds(REVER_PAYS_S)):
            world.pass_time(later)
            worker = self.run(flow)
            assert worker.error is None, f"{flow} in peace: {worker.error!r}"
            if self.stopped():
                self.start_again()
            self.nothing_is_broken()
        self.none_is_forgotten(world)

    def rounds(self, later: float) -> tuple[tuple[str, float], ...]:
        """Both flows that act, each so much later than what was before it."""
        return ("process-pending-returns", later), ("generate-labels", later)

    def none_is_forgotten(self, world: ModelWorld) -> None:
        broken = without_races(world.watched, self.notes.says.values()).broken
        verdict = judge(replace(Books.of(world.sandbox), violations=broken), world.state(), asked=self.asked())
        COUNTS.forgotten += verdict.found[FORGOTTEN]
        assert verdict.words == [], verdict.words + [(say.process_id, say.rule) for say in self.notes.says.values()]
