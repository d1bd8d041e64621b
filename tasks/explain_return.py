"""Gather what is known of a return, from REVER and from the ledger: for its story, and for what rules say of it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, tzinfo

from sqlalchemy import Connection

from rever_api import AsyncReverClient
from rever_api.errors import ReverError, Unreadable
from rever_api.models import ReturnProcess
from tasks.desk import Clock, Desk, DeskError, utc_now
from tasks.fetch_returns import PendingReturn
from tasks.find_returns import FoundReturn
from tasks.gather_facts import gather_facts
from tasks.ledger import (
    History,
    Ledger,
    LedgerError,
    all_parcels_of,
    history,
    kept_back,
    load_records,
    parcels_of,
    pauses_of,
    switch,
)
from tasks.policy.case import ruling_of
from tasks.policy.clocks import store_zone
from tasks.policy.record import ParcelChange
from tasks.policy.return_facts import ReturnFacts
from tasks.policy.rules.label import explain_label
from tasks.policy.verdict import explain
from tasks.reporting.story import Known, Story, tell
from tasks.steps import step

MOST_STORIES = 20
"""Returns of which the story is told at a time; further ones are named."""


@dataclass(slots=True)
class Explainer:
    """What the stories of returns are gathered from. Without a `client` the ledger alone tells, in UTC; without a
    `desk` nobody asks the merchant's rules, for the reason `wrong_rules`.
    """

    client: AsyncReverClient | None
    ledger: Ledger
    clock: Clock = utc_now
    back_office: str = ""
    desk: Desk | None = None
    wrong_rules: str = ""
    _zones: dict[str, tzinfo] = field(default_factory=dict)

    async def story(self, found: FoundReturn) -> Story:
        """The story of a return that was found."""
        found = await self._read_whole(found)
        now, zone = self.clock(), await self._zone(found.store)
        known, stops, back, parcels, gap = await self.ledger.aread(_told, found.process_id, found.store, now, zone)
        return tell(
            Known(
                process_id=found.process_id,
                store=found.store,
                order_name=found.order_name or (known.record.order_name if known else ""),
                process=found.process,
                problem=found.problem,
                history=known,
                gap=gap,
                stops=stops,
                kept_back=back,
                rules=await self.rules(found),
                label=await self._label(found),
                parcels=parcels,
                zone=zone,
                now=now,
                back_office=self.back_office,
            )
        )

    async def rules(self, found: FoundReturn) -> tuple[str, ...]:
        """What the merchant's rules say of a return now; none where its store has none."""
        if self.desk is None:
            return (self.wrong_rules,) if self.wrong_rules else ()
        return await explain_rules(self.desk, await self._read_whole(found))

    async def _label(self, found: FoundReturn) -> tuple[str, ...]:
        """How the return's label is chosen now; none where it needs none, or nobody could be asked."""
        if self.desk is None or found.process is None:
            return ()
        try:
            rules = await self.desk.rules(found.store)
        except (DeskError, ReverError):
            return ()
        records = await self.ledger.aread(load_records, [found.process_id])
        return explain_label(found.process, rules, records[found.process_id], self.clock())

    async def _read_whole(self, found: FoundReturn) -> FoundReturn:
        """A return of REVER's list, read by its id; as the list shows it where that fails."""
        if self.client is None or not found.searched:
            return found
        try:
            return replace(found, process=await self.client.get_return_process(found.process_id), searched=False)
        except Unreadable as error:
            return replace(found, process=None, problem=f"it cannot be read: {error.process.why}")
        except ReverError:
            return found

    async def _zone(self, store: str) -> tzinfo:
        """The store's zone, asked from REVER once; UTC where it cannot be asked."""
        if self.client is None:
            return UTC
        if store not in self._zones:
            try:
                named = (await self.client.get_ecommerce_settings(store)).timezone
            except ReverError:
                return UTC
            self._zones[store] = store_zone(named).zone
        return self._zones[store]


@step("explain-returns")
async def explain_returns(desk: Desk, found: Sequence[FoundReturn]) -> list[Story]:
    """The story of each of these returns, in their order. Without REVER's own words: a run's report is kept."""
    explainer = Explainer(desk.client, desk.ledger, desk.clock, desk.settings.back_office, desk)
    return [replace(await explainer.story(each), own_words=()) for each in found]


def _told(
    conn: Connection, process_id: str, store: str, now: datetime, zone: tzinfo
) -> tuple[History | None, tuple[str, ...], str, tuple[ParcelChange, ...], str]:
    """The ledger's history of a return, what keeps effects from being sent now, why one of its store is not, the
    changes of its parcels, and why its archive cannot be read: what was paid is told all the same.
    """
    stopped, pauses = switch(conn), pauses_of(conn, [store], now)
    stops = (*([stopped.sentence] if stopped.stopped else []), *(pause.sentence(zone) for pause in pauses))
    back, gap = kept_back(conn, store, now), ""
    try:
        whole, moved = history(conn, process_id), all_parcels_of(conn, [process_id])
    except LedgerError as error:
        whole, moved, gap = history(conn, process_id, archived=False), parcels_of(conn, [process_id]), str(error)
    return whole, stops, back, moved[process_id], gap


async def explain_rules(desk: Desk, found: FoundReturn) -> tuple[str, ...]:
    """The verdict of the rules on a return as lines: what is decided by which rule, then each rule with what it asked
    for and found. None where no rules hold at its store. Nothing of the shopper is in them.
    """
    if not desk.policies.rules.for_store(found.store):
        return ()
    if found.process is None:
        return (f"not asked: {found.problem or 'REVER does not show the return'}",)
    try:
        rules = await desk.rules(found.store)
        await gather_facts(desk, [PendingReturn(found.store, found.process)])
    except (DeskError, ReverError) as error:
        return (f"not asked: {error}",)
    records = await desk.ledger.aread(load_records, [found.process_id])
    ruling = ruling_of(found.process, rules, records[found.process_id], desk.clock())
    lines = (*explain(ruling.verdict), *_moved(ruling.facts))
    return tuple(_with_names(line, found.process) for line in lines)


def _moved(facts: ReturnFacts) -> Iterator[str]:
    """When the goods were seen to be scanned and to arrive."""
    days = {"first scan": facts.first_scanned_on, "arrival": facts.arrived_on}
    for what, day in days.items():
        if isinstance(day, date):
            yield f"the {what} was seen on {day:%F}: it was then at the latest"


def _with_names(text: str, process: ReturnProcess) -> str:
    """A sentence with the goods beside the ids of lines."""
    for line in process.return_line_items:
        name = line.product.name if line.product else ""
        text = re.sub(rf"(?<![\w-]){re.escape(line.id)}(?![\w-])", f"{line.id} ({name})", text) if name else text
    return text
