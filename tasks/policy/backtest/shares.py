"""A backtest in several processes: the returns in shares, and what a further process does with one.

No share needs another's: a shopper's returns are in one, since rules may ask for the earlier ones. A share goes to its
process, and its replays come back, over pipes and by pickle: both ends are this program.
"""

import gc
import pickle
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from rever_api.models import ReturnProcess
from tasks.policy.backtest.backtest import Replays, StorePolicies, replayed, widest_history
from tasks.policy.backtest.past import PastReturn, mailbox_of
from tasks.policy.record import Record


@dataclass(frozen=True, slots=True)
class Share:
    """Returns that are replayed in one process, and those that count as their shoppers' earlier ones alone."""

    past: tuple[PastReturn, ...]
    others: tuple[ReturnProcess, ...]
    stores: Mapping[str, StorePolicies] = field(repr=False)
    until: datetime

    def replayed(self) -> Replays:
        """Replay its returns."""
        return replayed(self.past, self.stores, self.until, self.others)


def shares(
    past: Iterable[PastReturn],
    stores: Mapping[str, StorePolicies],
    until: datetime,
    others: Iterable[ReturnProcess],
    many: int,
) -> list[Share]:
    """The returns in so many shares of about the same size, a shopper's all in one."""
    mine: list[list[PastReturn]] = [[] for _ in range(many)]
    theirs: list[list[ReturnProcess]] = [[] for _ in range(many)]
    place: dict[str, int] = {}
    by_shopper: dict[str, list[PastReturn]] = defaultdict(list)
    for it in past:
        by_shopper[mailbox_of(it.process) or it.process_id].append(it)
    for shopper, returns in by_shopper.items():
        place[shopper] = min(range(many), key=lambda n: len(mine[n]))
        mine[place[shopper]] += returns
    both = [rules for it in stores.values() for rules in (it.current, it.candidate)]
    if widest_history(rule for rules in both for rule in rules.merchant_rules) != 0:
        for process in others:
            if (shopper := mailbox_of(process)) in place:
                theirs[place[shopper]].append(process)
    return [Share(tuple(one), tuple(two), stores, until) for one, two in zip(mine, theirs, strict=True) if one]


def packed(share: Share) -> bytes:
    """A share for another process: without what the ledger knows, which no replay asks for."""
    bare = tuple(replace(it, record=Record(it.process_id, lines={})) for it in share.past)
    return pickle.dumps(replace(share, past=bare))


def unpacked(replays: bytes) -> Replays:
    """What another process sent back."""
    found: Replays = pickle.loads(replays)  # noqa: S301 - our own process wrote it
    return found


def serve() -> None:
    """Replay the share that comes in, and send back what became of it.

    Nothing is looked for that could be freed: all that the process makes lives about as long as it does.
    """
    gc.disable()
    share: Share = pickle.load(sys.stdin.buffer)  # noqa: S301 - our own process wrote it
    sys.stdout.buffer.write(pickle.dumps(share.replayed()))
