"""Whatever REVER's reads show and the calls come to: never more live labels than parcels, and all in the end.

REVER, the ledger's one key per label, the two reads before a call, and the settling are played here; the rules decide.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from rever_api.errors import Reason
from rever_api.models import Carrier, ReturnProcess
from tasks.policy.decision import Decision, MakeLabel
from tasks.policy.kinds import LABEL
from tasks.policy.kinds.kind import Seen
from tasks.policy.label_case import DEAD_PARCEL
from tasks.policy.record import Intent, IntentKind, IntentState, Record
from tasks.policy.rules.label import decide_label
from tests.tasks.policy.factories import NOW, line, process, record, rules

MOST_STEPS = 14
CARRIERS = [Carrier(provider="X", carrier=f"C{number}") for number in range(MOST_STEPS + 1)]
STORE = rules(labels={"parcels": {"max_units": 1}}, carriers=CARRIERS)


@dataclass
class Play:
    """One return of `parcels` parcels. `views` are REVER's parcels after each change: a read shows any late one.

    In the first are those that others made `earlier`, and that came to nothing.
    """

    parcels: int
    earlier: int = 0
    views: list[tuple[str, ...]] = field(default_factory=list)
    intents: list[Intent] = field(default_factory=list)
    before: dict[str, dict[str, Any]] = field(default_factory=dict)
    closed: int = 0
    ids: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.views.append(("CANCELED",) * self.earlier)

    def read(self, late: int) -> ReturnProcess:
        """What a read shows that is so many changes behind."""
        shown = self.views[max(0, len(self.views) - 1 - late)]
        return process(line(quantity=self.parcels), return_status="STARTED", logistics=shown)

    def known(self) -> Record:
        return record(*self.intents)

    def decide(self, late: int, known: Record, now: datetime = NOW) -> Decision:
        return decide_label(self.read(late), STORE, known, now)

    @property
    def live(self) -> int:
        return sum(status not in DEAD_PARCEL for status in self.views[-1])

    def change(self, parcels: tuple[str, ...]) -> None:
        self.views.append(parcels)

    def write(self, intent: Intent) -> None:
        self.intents = [intent if it.id == intent.id else it for it in self.intents]

    def run(self, first: int, second: int, outcome: str) -> bool:
        """One run: a search, the claim, the read before the call, the call. Returns whether it was sent."""
        due = self.decide(first, self.known())
        if not isinstance(due, MakeLabel):
            return False
        taken = {it.generation for it in self.intents if it.live}
        if due.generation in taken or any(it.open for it in self.intents):
            return False  # the ledger's key, and its rule that one is open at a time
        mine = replace(LABEL.intent(due), id=str(next(self.ids)), created_at=NOW)
        again = self.decide(second, self.known())
        if not LABEL.covers(again, mine, due):
            return False
        self.intents.append(mine)
        self.send(mine, second, outcome)
        return True

    def send(self, mine: Intent, late: int, outcome: str) -> None:
        done = [it for it in self.intents if it.state in {IntentState.DONE, IntentState.DONE_BY_HAND}]
        self.before[mine.id] = LABEL.snapshot(mine, None, self.read(late)) | LABEL.knew(mine, done)
        if outcome in {"done", "answer lost"}:
            self.change((*self.views[-1], "CREATED"))
        state = {"done": IntentState.DONE, "refused": IntentState.REFUSED}.get(outcome, IntentState.UNKNOWN)
        reason = Reason.COMBINATION if state is IntentState.REFUSED else ""
        self.write(replace(mine, state=state, reason=reason, sent_at=NOW))

    def unknown(self) -> Intent | None:
        return next((it for it in self.intents if it.state is IntentState.UNKNOWN), None)

    def settle(self, late: int) -> None:
        mine = self.unknown()
        if mine and isinstance(LABEL.look(mine, self.before[mine.id], self.read(late), NOW), Seen):
            self.write(replace(mine, state=IntentState.DONE))

    def answer(self, said: str) -> None:
        """A person says what becomes of a label that REVER does not show by now."""
        self.settle(0)
        mine = self.unknown()
        if mine is None:
            return
        if said == "send again":
            self.send(mine, 0, "done")
            return
        self.closed += 1
        state = IntentState.DONE_BY_HAND if said == "by hand" else IntentState.DROPPED
        self.write(replace(mine, state=state))


LATE = st.integers(0, 3)
OUTCOME = st.sampled_from(["done", "done", "answer lost", "not done", "refused"])
STEPS = st.one_of(
    st.tuples(st.just("run"), LATE, LATE, OUTCOME),
    st.tuples(st.just("settle"), LATE),
    st.tuples(st.just("answer"), st.sampled_from(["send again", "by hand", "drop"])),
    st.tuples(st.just("cancel"), st.integers(0, 5)),
)


@settings(max_examples=600, deadline=None)
@example(1, 0, [("run", 0, 0, "done"), ("run", 1, 1, "done")])
@example(1, 1, [("run", 0, 0, "not done"), ("answer", "drop")])
@example(2, 0, [("run", 0, 0, "not done"), ("answer", "by hand"), ("run", 0, 0, "done"), ("run", 1, 1, "done")])
@example(3, 0, [("run", 0, 0, "done"), ("run", 0, 0, "answer lost"), ("run", 2, 2, "done"), ("settle", 0)])
@example(
    2, 0, [("run", 0, 0, "done"), ("run", 0, 0, "done"), ("cancel", 0), ("run", 1, 0, "refused"), ("run", 0, 1, "done")]
)
@given(st.integers(1, 4), st.integers(0, 2), st.lists(STEPS, max_size=MOST_STEPS))
def test_never_more_live_labels_than_parcels_and_all_in_the_end(
    parcels: int, earlier: int, steps: list[tuple[Any, ...]]
) -> None:
    play = Play(parcels, earlier)
    for step, *how in steps:
        if step == "run":
            play.run(*how)
        elif step == "settle":
            play.settle(*how)
        elif step == "answer":
            play.answer(*how)
        elif play.views[-1]:
            place = how[0] % len(play.views[-1])
            play.change((*play.views[-1][:place], "CANCELED", *play.views[-1][place + 1 :]))
        assert play.live + play.closed <= parcels, (step, how, play.views, play.intents)
        assert len(play.views[-1]) == earlier + sum(
            it.kind is IntentKind.LABEL for it in play.intents if _at_rever(it, play)
        )
    for _ in range(3 * parcels + 3):
        if play.unknown():
            play.answer("send again")
        play.run(0, 0, "done")
        assert play.live + play.closed <= parcels
    assert play.live + play.closed == parcels


def _at_rever(intent: Intent, play: Play) -> bool:
    """Whether REVER has made it: done, or of unknown outcome and there."""
    if intent.state is IntentState.DONE:
        return True
    return intent.state is IntentState.UNKNOWN and isinstance(
        LABEL.look(intent, play.before[intent.id], play.read(0), NOW), Seen
    )
