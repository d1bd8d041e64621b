"""Fetch all returns of a store that changed lately, whatever their status: also those no search for running ones shows.

REVER's `updated_since` is only assumed, so the list is asked newest change first, each entry's `updated_at` is looked
at here too, and the walk ends once a whole page of entries is older than asked for.
"""

from collections.abc import AsyncIterator
from datetime import datetime

from rever_api.errors import ReverError
from rever_api.models import ReturnProcess, SearchQuery, UnreadableProcess
from tasks.desk import Desk
from tasks.fetch_pending_returns import BATCH
from tasks.report import Failure
from tasks.returns import Entry, PendingReturn, taken_in, unread_return


class UpdatedReturns:
    """A store's returns that changed at `since` or later, batch by batch as the pages come in; never all in memory.

    A return that changes during the walk moves to the front of the list, where the walk has been; so what changed
    since the walk began is asked for once more, and may come twice. `failures` are entries that could not be read.
    """

    def __init__(self, desk: Desk, store: str, since: datetime) -> None:
        self.store = store
        self.failures: list[Failure] = []
        self._desk = desk
        self._since = since

    async def batches(self) -> AsyncIterator[list[PendingReturn]]:
        """The returns, at most a page at a time. Raises the `ReverError` that broke the list, after what was read."""
        began = self._desk.clock()
        for since in (self._since, max(began, self._since)):
            batch: list[PendingReturn] = []
            walk, broken = self._walk(since), None
            while broken is None:
                try:
                    pending = await anext(walk, None)
                except ReverError as error:
                    # What was read before the list broke is compared first; then the error is told.
                    broken, pending = error, None
                if pending is not None:
                    batch.append(pending)
                if batch and (pending is None or len(batch) == BATCH):
                    yield batch
                    batch = []
                if pending is None:
                    break
            if broken is not None:
                raise broken

    async def _walk(self, since: datetime) -> AsyncIterator[PendingReturn]:
        older = 0
        query = SearchQuery(
            ecommerce_id=self.store, updated_since=since, sortby="updated_at", order="desc", limit=BATCH
        )
        async for found in self._desk.client.walk_return_processes(query):
            entry = taken_in(found, self._desk.clock())
            if isinstance(entry, ReturnProcess) and not _changed_since(entry, since):
                older += 1
                if older >= BATCH:
                    return
                continue
            older = 0
            pending = self._accept(entry)
            if pending is not None:
                yield pending

    def _accept(self, entry: Entry) -> PendingReturn | None:
        if isinstance(entry, UnreadableProcess):
            if entry.process_id and entry.ecommerce_id in {"", self.store}:
                return unread_return(self.store, entry)
            self.failures.append(Failure(entry.process_id, f"REVER's answer could not be read: {entry.why}"))
            return None
        if entry.ecommerce_id and entry.ecommerce_id != self.store:
            why = f"it belongs to store {entry.ecommerce_id!r}, though {self.store!r} was asked for"
            self.failures.append(Failure(entry.rever_process_id, why))
            return None
        return PendingReturn(self.store, entry)


def _changed_since(process: ReturnProcess, since: datetime) -> bool:
    """Whether it changed since then, as far as REVER tells: one without a date is taken in, never left out."""
    return process.updated_at is None or process.updated_at >= since
