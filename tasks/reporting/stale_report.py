"""What a run that chases returns reports: those that have stood still for too long, the oldest first."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any, ClassVar
from urllib.parse import quote

from tasks.policy.clocks import clock_time
from tasks.policy.facts import counted
from tasks.policy.order_returns import OrderKey
from tasks.policy.stale import StaleReturn, StaleStage
from tasks.reporting.parcels_report import OF_MONEY
from tasks.reporting.printable import plain_words
from tasks.reporting.report import ReturnsReport, Row, counts


@dataclass
class StaleReport(ReturnsReport):
    """The account of a run that chases returns. `seen` counts the returns that it read.

    `stale` are those that have stood still for too long, the oldest first, and `told` those of them of which people are
    told now.
    """

    stale: list[StaleReturn] = field(default_factory=list)
    told: list[StaleReturn] = field(default_factory=list)

    by_stores: ClassVar[bool] = False

    def take(self, found: Sequence[StaleReturn]) -> None:
        """Enter what was found at a store."""
        self.stale = sorted([*self.stale, *found], key=lambda it: (it.since, it.process_id, it.stage))
        self.rows = {}
        for it in self.stale:
            before = self.rows.get(it.process_id)
            what, why = it.stage.words, self.words_of(it)
            if before is not None:
                what, why = f"{before.decision}; {what}", f"{before.why}; {why}"
            self.rows[it.process_id] = Row(it.process_id, it.order_name, it.store, what, why, done=self.acts)

    def words_of(self, it: StaleReturn) -> str:
        """Since when a return stands still, by how much too long, for whom it waits, and what comes next."""
        return stale_in_words(it, self.zone(it.store))

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        common = {name: value for name, value in super().as_json().items() if name not in OF_MONEY}
        told = set(self.told)
        found = [
            {
                "process_id": it.process_id,
                "order": it.order_name,
                "store": it.store,
                "link": link_to(it.process_id, self.back_office),
                "stage": str(it.stage),
                "since": it.since.isoformat(timespec="seconds"),
                "known_by": it.known_by.name.lower(),
                "days_over": it.over,
                "waits_for": str(it.waits_for),
                "comes_next": it.comes_next,
                "called_off_by": it.called_off_by,
                "called_off_on": it.called_off_on.isoformat() if it.called_off_on else None,
                "about": it.about,
                "told_now": it in told,
            }
            for it in self.stale
        ]
        return common | {"stale": found}

    def results(self) -> list[str]:
        """At what returns stand still, and who has to act. Each is in the rows."""
        at = Counter(it.stage for it in self.stale)
        stages = "; ".join(f"{many} {stage.words}" for stage in StaleStage if (many := at[stage]))
        waits_for = counts(Counter(str(it.waits_for) for it in self.stale))
        told = [f"  told now:    {counted(len(self.told), 'return')}"] if self.acts else []
        return [f"  stand still: {stages or 'none'}", f"  waits for:   {waits_for}", *told]

    def result(self) -> str:
        """The counts, in one line."""
        called_off = len({it.process_id for it in self.stale if it.called_off_by})
        said = [f"{counted(len(self.rows), 'return')} of {self.seen} read or held stood still for too long"]
        said += [f"{called_off} will be called off by rule"] if called_off else []
        said += [f"told of {len(self.told)} for the first time"] if self.acts else []
        return "; ".join(said)


def link_to(process_id: str, back_office: str) -> str:
    """Where a person looks at a return; empty where the settings do not say, and for an order in its place."""
    return "" if OrderKey.of(process_id) else back_office.replace("{process_id}", quote(process_id, safe=""))


def stale_in_words(it: StaleReturn, zone: tzinfo = UTC) -> str:
    """Since when a return stands still, by how much too long, for whom it waits, and what comes next."""
    over = f"{counted(it.over, 'day')} over the limit" if it.over else "at the limit today"
    since = f"since {clock_time(it.since, zone)} ({it.known_by})"
    return f"{over}, {since}; waits for {it.waits_for}. Next: {plain_words(what_comes(it))}"


def what_comes(it: StaleReturn) -> str:
    """What happens next, where nothing changes at REVER."""
    if it.called_off_by and it.called_off_on:
        return (
            f"rule {it.called_off_by!r} calls it off on {it.called_off_on:%F} if nothing changes; now: {it.comes_next}"
        )
    return it.comes_next
