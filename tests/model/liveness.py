"""Liveness: when faults stop, every return that can move comes to its end or to a hold within three runs."""

import sys

from tasks.policy.store import StorePolicy
from tests.model.agreement import Told
from tests.model.counts import COUNTS
from tests.model.machine import Desk

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
        world.running.stop_faults()
        while world.sleepers:
            self.ended(world.wake(0))
        rounds = (("reconcile", PEACE_S / 2), *self.rounds(PEACE_S / 2), *self.rounds(PEACE_S / 2))
        for flow, later in (*rounds, *self.rounds(REVER_PAYS_S)):
            world.advance(later)
            worker = self.run(flow)
            assert worker.error is None, f"{flow} in peace: {worker.error!r}"
            self.nothing_is_broken()
        self.none_is_forgotten(world.tell())

    def rounds(self, later: float) -> tuple[tuple[str, float], ...]:
        """Both flows that act, each so much later than what was before it."""
        return ("process-pending-returns", later), ("generate-labels", later)

    def none_is_forgotten(self, told: Told) -> None:
        assert self.world is not None
        explained = set(told.held) | self.notes.closed
        left = [due for due in self.world.running.audit().due if due.anything and due.process_id not in explained]
        COUNTS.forgotten += len(left)
        words = [(due, told.said.get(due.process_id), self.asked(due.process_id)) for due in left]
        assert not left, f"forgotten: {words}"
        still = [row for row in told.open_intents if row.process_id not in told.held]
        assert not still, f"open in peace and nobody is asked: {[(r.kind, r.state, r.process_id) for r in still]}"
        self.sums_agree(told)

    def sums_agree(self, told: Told) -> None:
        """To the cent, return by return: where nobody is asked and nobody has answered, both books show the same."""
        assert self.world is not None
        theirs: dict[str, object] = {}
        for process_id, stored in self.world.sandbox.processes.items():
            refunds = stored.process.compensation.refunds if stored.process.compensation else ()
            theirs[process_id] = sum(refund.amount for refund in refunds or ())
        said = {say.process_id for say in self.notes.says.values()} | self.notes.closed | set(told.held)
        for (process_id, currency), amount in told.done().items():
            same = process_id in said or amount == theirs[process_id]
            assert same, f"{process_id}: the ledger says {amount} {currency}, REVER {theirs[process_id]}"

    def asked(self, process_id: str) -> list[str]:
        """The rules that a person let pass."""
        return [say.rule for say in self.notes.says.values() if say.process_id == process_id]
