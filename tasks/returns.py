"""The values that pass from step to step: a return with its store, its inspection, its decision."""

from dataclasses import dataclass

from rever_api.models import ReturnProcess, UnreadableProcess
from tasks.policy.decision import Adopt, Compensate, Decision, Hold, MakeLabel, Nothing, Wait
from tasks.policy.inspection import Inspection

Entry = ReturnProcess | UnreadableProcess


@dataclass(frozen=True, slots=True)
class PendingReturn:
    """A return as REVER last answered it, and the store it was asked for.

    `searched` says that a search brought it; `differ` in what two reads of this run contradict each other; `agreed`
    that a search and a read by id of this run agree, where those of an earlier run did not.
    """

    store: str
    process: ReturnProcess
    searched: bool = False
    differ: tuple[str, ...] = ()
    agreed: bool = False

    @property
    def process_id(self) -> str:
        """REVER's id of the return."""
        return self.process.rever_process_id


@dataclass(frozen=True, slots=True)
class InspectedReturn:
    """A return and the reading of its reviews, line by line."""

    pending: PendingReturn
    inspection: Inspection


_NAMES: dict[type[Decision], str] = {
    Compensate: "refund",
    Adopt: "adopt",
    MakeLabel: "label",
    Wait: "wait",
    Hold: "hold",
    Nothing: "nothing",
}


def decision_name(decision: Decision) -> str:
    """The word under which a decision is counted."""
    if isinstance(decision, Compensate) and not decision.refunds:
        return "exchange"
    return _NAMES[type(decision)]
