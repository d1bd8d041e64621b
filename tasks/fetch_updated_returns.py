"""Fetch all returns of a store that changed lately, whatever their status: also those no search for running ones shows.

REVER's `updated_since` is only assumed, so the list is asked newest change first, each entry's `updated_at` is looked
at here too, and the walk ends once a whole page of entries is older than asked for.
"""

from datetime import datetime

from rever_api.models import ReturnProcess, SearchQuery, UnreadableProcess
from tasks.desk import Desk
from tasks.fetch_pending_returns import BATCH
from tasks.report import Failure
from tasks.returns import PendingReturn


async def fetch_updated(desk: Desk, store: str, since: datetime) -> tuple[list[PendingReturn], list[Failure]]:
    """The store's returns that changed at `since` or later, by id, and the entries that could not be read.

    A return that changes during the walk moves to the front of the list, where the walk has been; so what changed
    since the walk began is asked for once more.
    """
    began = desk.clock()
    found: dict[str, PendingReturn] = {}
    failures: dict[str, Failure] = {}
    for bound in (since, began):
        await _walk(desk, store, max(since, bound), found, failures)
    return sorted(found.values(), key=lambda pending: pending.process_id), list(failures.values())


async def _walk(
    desk: Desk, store: str, since: datetime, found: dict[str, PendingReturn], failures: dict[str, Failure]
) -> None:
    query = SearchQuery(ecommerce_id=store, updated_since=since, sortby="updated_at", order="desc", limit=BATCH)
    older = 0
    async for entry in desk.client.walk_return_processes(query):
        if isinstance(entry, UnreadableProcess):
            failures[entry.process_id] = Failure(entry.process_id, f"REVER's answer could not be read: {entry.why}")
        elif not _changed_since(entry, since):
            older += 1
        elif entry.ecommerce_id and entry.ecommerce_id != store:
            why = f"it belongs to store {entry.ecommerce_id!r}, though {store!r} was asked for"
            failures[entry.rever_process_id] = Failure(entry.rever_process_id, why)
        else:
            older = 0
            found[entry.rever_process_id] = PendingReturn(store, entry)
        if older >= BATCH:
            return


def _changed_since(process: ReturnProcess, since: datetime) -> bool:
    """Whether it changed since then, as far as REVER tells: one without a date is taken in, never left out."""
    return process.updated_at is None or process.updated_at >= since
