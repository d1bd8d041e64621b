"""However events come in, and runs begin, end and die: each event leads to a look, and then there is peace."""

import tempfile
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime

from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from deployments.receiver.inbox import ACTED_ON, Inbox, events
from deployments.receiver.offers import Pace
from deployments.receiver.prefect_runs import RunState
from tests.deployments.receiver.conftest import Clock, Desk, Prefect, body

STEPS = ("event", "step", "begin", "end", "die", "schedule begins", "schedule ends", "prefect leaves", "wait")
RETURNS = ("p1", "p2")


@dataclass
class Executing(Prefect):
    """A Prefect whose runs have each a state of their own."""

    over: set[str] = field(default_factory=set)
    began: dict[str, datetime] = field(default_factory=dict)

    async def states(self, run_ids: Collection[str]) -> dict[str, RunState]:
        self._there()
        return {each: self.of(each) for each in run_ids}

    async def cancel(self, run_ids: Collection[str]) -> set[str]:
        self._there()
        taken = {each for each in run_ids if self.of(each) is RunState.TO_COME}
        self.over |= taken
        return taken

    def of(self, run_id: str) -> RunState:
        if run_id in self.over:
            return RunState.OVER
        return RunState.UNDER_WAY if run_id in self.began else RunState.TO_COME

    def in_state(self, state: RunState) -> list[str]:
        return [run_id for run_id in self.runs if self.of(run_id) is state]


class Play:
    """A desk, the runs of its Prefect, and a scheduled run over all returns."""

    def __init__(self, inbox: Inbox) -> None:
        self.desk = Desk(inbox, Clock())
        self.prefect = self.desk.prefect = Executing()
        self.dispatcher = self.desk.another(Pace(few=1000))
        self.looks: dict[str, list[datetime]] = {each: [] for each in RETURNS}
        self.schedule: datetime | None = None
        self.told = 0

    def do(self, step: str, process_id: str) -> None:
        """One step; time passes before it."""
        clock = self.desk.clock
        clock.forward(seconds=0.3)
        to_come, under_way = self.prefect.in_state(RunState.TO_COME), self.prefect.in_state(RunState.UNDER_WAY)
        if step == "event":
            self.told += 1
            self.desk.store(body(process_id, shipping=f"STATE_{self.told}"))
        elif step == "begin" and to_come:
            self.prefect.began[to_come[0]] = clock()
        elif step == "end" and under_way:
            self.look(self.returns_of(under_way[0]), self.prefect.began[under_way[0]])
            self.prefect.over.add(under_way[0])
        elif step == "die" and under_way:
            self.prefect.over.add(under_way[0])
        elif step == "schedule begins":
            self.schedule = clock()
        elif step == "schedule ends" and self.schedule:
            self.look(RETURNS, self.schedule)
        elif step == "prefect leaves":
            self.prefect.away = not self.prefect.away
        elif step == "wait":
            clock.forward(seconds=7)
        elif step == "step":
            self.desk.step(self.dispatcher)
            if not self.prefect.away:  # runs that are not needed are cancelled in the step after
                self.desk.step(self.dispatcher)
        self.check()

    def returns_of(self, run_id: str) -> list[str]:
        return self.prefect.offered()[list(self.prefect.runs).index(run_id)]

    def look(self, process_ids: Collection[str], began: datetime) -> None:
        for each in process_ids:
            self.looks[each].append(began)
            self.desk.looked[each] = max(self.looks[each])

    def check(self) -> None:
        """Nothing was closed that no later run looked at, and no return has two runs to come."""
        closed = select(events.c.process_id, events.c.stored_at).where(events.c.state == ACTED_ON)
        for row in self.desk.inbox.read(lambda conn: list(conn.execute(closed))):
            assert max(self.looks[row.process_id]) >= row.stored_at
        to_come = self.prefect.in_state(RunState.TO_COME)
        about = [each for run_id in to_come for each in self.returns_of(run_id)]
        assert len(about) == len(set(about)), about

    def waiting(self) -> int:
        still = select(events.c.seq).where(events.c.state != ACTED_ON)
        return len(self.desk.inbox.read(lambda conn: list(conn.execute(still))))

    def come_to_an_end(self) -> None:
        """Prefect is there, a worker takes what is to come, and time passes."""
        self.prefect.away = False
        for _ in range(40):
            for step in ("step", "begin", "begin", "end", "end", "step", "wait"):
                self.do(step, "")
            if not self.waiting() and not self.prefect.in_state(RunState.TO_COME):
                return
        raise AssertionError(f"{self.waiting()} events wait for ever")


SCHEDULE_FIRST = ("event", "step", "schedule begins", "event", "schedule ends", "step")
"""The scheduled run looks before anybody takes the run that was offered."""


@example([(step, "p1") for step in SCHEDULE_FIRST])
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from(RETURNS)), max_size=25))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_each_event_is_looked_at_after_it_came_in_and_then_there_is_peace(steps: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(Inbox.open(f"sqlite:///{folder}/inbox.sqlite")) as inbox:
        play = Play(inbox)
        for step, process_id in steps:
            play.do(step, process_id)
        play.come_to_an_end()
        runs = len(play.prefect.runs)
        for _ in range(3):
            play.desk.clock.forward(minutes=10)
            play.desk.step(play.dispatcher)
        assert len(play.prefect.runs) == runs
