"""The rows of the matrix: where a worker dies, stops or is cancelled, and what leads up to it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from rever_api.sandbox.faults import Fault, NamedFault
from tasks.crash_points import CrashPoint
from tests.proof.workers import BEFORE_COMMIT, TIMEOUT_S, Blow, Strike, Worker
from tests.proof.world import CellWorld

LOOK_EVERY_S = 0.002
EFFECTS = ("issueRefund", "issueExchange", "createOrderV2")


@dataclass(frozen=True, slots=True)
class Crash:
    """A row. `before` leads up to it, `start` starts the worker that is hit, `watch` brings the blow and awaits it.

    `start` takes further strikes, which come before the row's own.
    """

    name: str
    words: str
    start: Callable[..., Worker]
    before: Callable[[CellWorld], None] = lambda world: world.break_it()
    watch: Callable[[CellWorld, Worker], object] = lambda _, worker: worker.wait()


def _at(point: str, most: int = 3, *blows: Blow) -> Callable[..., Worker]:
    def start(world: CellWorld, *strikes: Strike) -> Worker:
        blow = world.random.choice(blows or (Blow.KILL,))
        return world.start(strikes=(*strikes, Strike(blow, point, world.random.randint(1, most))))

    return start


def _plain(world: CellWorld, *strikes: Strike) -> Worker:
    return world.start(strikes=strikes)


def _hang(world: CellWorld) -> None:
    """One of the first effects reaches REVER, and gets no answer: half of the time REVER has not even acted."""
    nth, acts = world.random.randint(1, 3), world.random.random() < 0.5
    fault = Fault.HANG_AFTER_ACTING if acts else Fault.NO_ANSWER_BEFORE_ACTING
    world.break_it(NamedFault("issueRefund", nth, fault), silent=0.0 if acts else 0.7)


def _kill_at_request(world: CellWorld, worker: Worker) -> None:
    named = world.sandbox.faults.plan.named[0].fault
    seen = [0]

    def sent() -> bool:
        seen[0] = sum(e.fault == named and e.operation == "issueRefund" for e in tuple(world.sandbox.journal.entries))
        return bool(seen[0])

    while worker.poll() and not sent():
        time.sleep(LOOK_EVERY_S)
    worker.kill()
    worker.wait()


def _leave_unknown(world: CellWorld) -> None:
    """A first worker dies with effects marked as sent; half of the time REVER has carried one out."""
    if world.random.random() < 0.5:
        _hang(world)
        _kill_at_request(world, world.start())
        world.break_it()
    else:
        world.break_it()
        world.start(strikes=[Strike(Blow.KILL, CrashPoint.AFTER_SENT, world.random.randint(1, 2))]).wait()
    world.pass_time(120)


def leave_held(world: CellWorld) -> None:
    """A first worker dies after `sent`; when nothing is seen for long, the question is put to a person."""
    world.break_it()
    world.start(strikes=[Strike(Blow.KILL, CrashPoint.AFTER_SENT, world.random.randint(1, 2))]).wait()
    world.mend_it()
    world.pass_time(1200)
    world.worker("reconcile")
    world.break_it()


def answer_values(world: CellWorld, answer: str = "") -> dict[str, str] | None:
    """The form of an answer to the first hold about an unknown outcome, or to any; None where nothing is held."""
    holds = sorted(world.holds(), key=lambda hold: (hold.kind != "unknown_outcome", hold.since))
    if not holds:
        return None
    hold, said = holds[0], answer or world.random.choice(("retry", "retry", "done_by_hand", "drop"))
    values = {"hold_id": hold.hold_id, "version": str(hold.version), "answer": said, "by": "ada", "reason": "agreed"}
    if said == "done_by_hand":
        values |= {"reference": "bank 7", "on": "2025-01-31"} | ({"amount": str(hold.amount)} if hold.amount else {})
    return values


def _answer(world: CellWorld, *strikes: Strike) -> Worker:
    values = answer_values(world)
    if values is None:
        return _plain(world, *strikes)
    last = Strike(Blow.KILL, CrashPoint.WHILE_ANSWERING)
    return world.start("answer-hold", values, strikes=(*strikes, last))


def _answer_meanwhile(world: CellWorld, worker: Worker) -> None:
    """The stopped worker is believed dead; a person answers its hold; then it wakes up.

    It is asleep for two time-outs, as it is whenever there was time for a hold: `settle_after` is at least that. The
    effects that it had in the air are past their deadline then, and end before they write.
    """
    if worker.rest():
        slept = time.monotonic()
        world.open()
        world.mend_it()
        world.pass_time(1200)
        world.worker("reconcile")
        world.break_it()
        values = answer_values(world)
        if values is not None:
            world.start("answer-hold", values).wait()
        time.sleep(max(0.0, slept + 2 * TIMEOUT_S + 0.05 - time.monotonic()))
        worker.go_on()
    worker.wait()


def _kill_at_random(world: CellWorld, worker: Worker) -> None:
    until = time.monotonic() + world.random.uniform(0.02, 0.3)
    while worker.poll() and time.monotonic() < until:
        time.sleep(LOOK_EVERY_S)
    worker.kill()
    worker.wait()


CRASHES = {
    crash.name: crash
    for crash in (
        Crash("none", "no crash", _plain),
        Crash("before-intent", "before the intent", _at(CrashPoint.BEFORE_INTENT, 2)),
        Crash("after-claim", "after the claim, before the second read", _at(CrashPoint.AFTER_CLAIM)),
        Crash("after-sent", "after sent, before the request", _at(CrashPoint.AFTER_SENT)),
        Crash("request-sent", "after the request is sent", _plain, _hang, _kill_at_request),
        Crash("after-answer", "after the answer is read", _at(CrashPoint.AFTER_ANSWER)),
        Crash("before-commit", "before the outcome is committed", _at(BEFORE_COMMIT, 2)),
        Crash("between-effects", "between two effects of one return", _at(CrashPoint.BETWEEN_REFUNDS, 1)),
        Crash("settling", "while settling", _at(CrashPoint.WHILE_SETTLING, 1), _leave_unknown),
        Crash("answering", "while a hold is answered", _answer, leave_held),
        Crash("cancelled", "cancelled from the UI", _at(CrashPoint.AFTER_SENT, 3, Blow.CANCEL, Blow.TERMINATE)),
        Crash(
            "asleep", "stopped between sent and the request, awake after an answer",
            _at(CrashPoint.AFTER_SENT, 2, Blow.STOP), watch=_answer_meanwhile,
        ),
        Crash("random", "at a random moment", _plain, watch=_kill_at_random),
    )
}  # fmt: skip
"""Name -> row."""
