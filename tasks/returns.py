"""The value that passes from step to step: a return with its store."""

from dataclasses import dataclass
from datetime import datetime

from rever_api.models import ReturnProcess, UnreadableProcess
from tasks.policy.decide import Unread
from tasks.policy.facts import believed

Entry = ReturnProcess | UnreadableProcess


@dataclass(frozen=True, slots=True)
class PendingReturn:
    """A return as REVER last answered it, and the store it was asked for.

    `searched` says that a search brought it; `differ` in what two reads of this run contradict each other; `agreed`
    that a search and a read by id of this run agree, where those of an earlier run did not; `read_again` that one which
    a search brought was read by its id too; `claimed` that money was
    claimed by the first of two such reads, so that a person must hear of it whatever the second asks for.
    Where it is `unread`, `process` holds its id and nothing else, and is no ground for anything but a hold. `unasked`
    says why facts that rules may need of it could not be asked for in this run, and may be in the next.
    """

    store: str
    process: ReturnProcess
    searched: bool = False
    differ: tuple[str, ...] = ()
    agreed: bool = False
    read_again: bool = False
    claimed: bool = False
    unread: Unread | None = None
    unasked: str = ""

    @property
    def process_id(self) -> str:
        """REVER's id of the return."""
        return self.process.rever_process_id


def taken_in(entry: Entry, now: datetime) -> Entry:
    """An entry of a list as it is worked with: a return without times that cannot be."""
    return believed(entry, now) if isinstance(entry, ReturnProcess) else entry


def unread_return(store: str, found: UnreadableProcess) -> PendingReturn:
    """A return that cannot be read, of which no more than its id is known."""
    stub = ReturnProcess(
        rever_process_id=found.process_id,
        rever_process_status="UNREADABLE",
        return_line_items=(),
        order_name=found.order_name,
    )
    return PendingReturn(store, stub, unread=Unread(found.why))


def denied_return(pending: PendingReturn) -> PendingReturn:
    """A return that REVER's list shows, and its read by id denies."""
    found = UnreadableProcess(process_id=pending.process_id, why="", order_name=pending.process.order_name)
    return unread_return(pending.store, found)
