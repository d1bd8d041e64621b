"""What a run that tracks parcels reports: which moved, which went back, and which have stopped, the oldest first."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

from tasks.ledger import Moved, StandingParcel
from tasks.policy.clocks import clock_time
from tasks.policy.facts import counted
from tasks.policy.record import Record
from tasks.policy.replaced import replaced_as_seen
from tasks.policy.tracking import OF_RETURN, change_in_words, in_words, went_back
from tasks.reporting.report import ReturnsReport, Row

MOVED, BACK, STOPPED = "moved", "went back", "stopped"
"""What stands in a row in the place of a decision."""


@dataclass
class ParcelsReport(ReturnsReport):
    """The account of a run that tracks parcels. `seen` counts the returns of which it read where their parcels are.

    `moved` are the changes that it saw first; `stopped` the parcels that have stood for too long, the oldest first, and
    `told` those of them of which people are told now. `replaced` is what the ledger knows of the returns of which a
    label was replaced.
    """

    moved: list[Moved] = field(default_factory=list)
    stopped: list[StandingParcel] = field(default_factory=list)
    told: list[StandingParcel] = field(default_factory=list)
    replaced: dict[str, Record] = field(default_factory=dict, repr=False)

    def take(
        self,
        moved: Sequence[Moved],
        stopped: Sequence[StandingParcel],
        now: datetime,
        replaced: Mapping[str, Record],
    ) -> None:
        """Enter what was found at a store; `replaced` are the records of the returns of which a label was replaced."""
        self.replaced |= replaced
        self.moved += moved
        self.stopped = sorted([*self.stopped, *stopped], key=lambda it: (it.since, it.process_id, it.parcel))
        self.rows = {}
        for each in self.stopped:
            self._row(
                each.process_id,
                each.order_name,
                each.store,
                STOPPED,
                stopped_in_words(each, now, self.zone(each.store)),
            )
        for it in self.moved:
            what = BACK if went_back(it.change) else MOVED
            words = change_in_words(it.change, self.zone(it.store)) + self._of_replaced(it)
            self._row(it.process_id, it.order_name, it.store, what, words)

    def _of_replaced(self, moved: Moved) -> str:
        """What a move means where a label of the return was replaced, as the end of a sentence."""
        record, number = self.replaced.get(moved.process_id), moved.change.parcel
        if record is None or number == OF_RETURN:
            return ""
        seen = replaced_as_seen(record)
        if seen.both is not None and number in seen.both:
            return f"; both labels are used: parcel {seen.both[0]}, whose label was replaced, and parcel {seen.both[1]}"
        return "; its label was replaced" if number in seen.numbers else ""

    def _row(self, process_id: str, order: str, store: str, what: str, why: str) -> None:
        before = self.rows.get(process_id)
        if before is not None:
            what = min(what, before.decision, key=(BACK, STOPPED, MOVED).index)
            why = f"{before.why}; {why}"
        self.rows[process_id] = Row(process_id, order, store, what, why, done=self.acts)

    @property
    def gone_back(self) -> list[Moved]:
        """The changes by which a parcel is less far than it was."""
        return [it for it in self.moved if went_back(it.change) and it.change.parcel != OF_RETURN]

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        common = {name: value for name, value in super().as_json().items() if name not in OF_MONEY}
        moved = [
            {
                "process_id": it.process_id,
                "order": it.order_name,
                "store": it.store,
                "parcel": it.change.parcel,
                "carrier": it.change.carrier,
                "before": it.change.before,
                "status": it.change.status,
                "seen_at": it.change.seen_at.isoformat(timespec="seconds"),
                "went_back": went_back(it.change),
            }
            for it in self.moved
        ]
        stopped = [
            {
                "process_id": it.process_id,
                "order": it.order_name,
                "store": it.store,
                "parcel": it.parcel,
                "carrier": it.carrier,
                "status": it.status,
                "since": it.since.isoformat(timespec="seconds"),
            }
            for it in self.stopped
        ]
        return common | {"moved": moved, "stopped": stopped}

    def results(self) -> list[str]:
        """How many moved, went back and have stopped. Each is in the rows."""
        ways = Counter(_way(it) for it in self.moved if it.change.parcel != OF_RETURN)
        told = ", ".join(f"{many} {way}" for way, many in sorted(ways.items()))
        return [
            f"  moved:     {told or 'none'}",
            *([f"  went back: {len(self.gone_back)}"] if self.gone_back else []),
            *([f"  stopped:   {len(self.stopped)}"] if self.stopped else []),
        ]

    def result(self) -> str:
        """The counts, in one line."""
        many = sum(it.change.parcel != OF_RETURN for it in self.moved)
        back = f", {len(self.gone_back)} of them back" if self.gone_back else ""
        return f"{counted(many, 'change')} of parcels{back}; {counted(len(self.stopped), 'parcel')} stopped"


OF_MONEY = frozenset(
    {"decisions", "outcomes", "paid", "on_its_way", "due", "would_pay", "would_hold", "alarms", "shadow", "label_files"}
)
"""What the report of a run over returns has and this one says nothing of."""


def stopped_in_words(parcel: StandingParcel, now: datetime, zone: tzinfo = UTC) -> str:
    """Since when a parcel stands where it is, as people in the store's zone read it."""
    days = counted((now - parcel.since).days, "day")
    carrier = f" ({parcel.carrier})" if parcel.carrier else ""
    since = clock_time(parcel.since, zone)
    return f"parcel {parcel.parcel}{carrier} has been {in_words(parcel.status)} since {since}, {days}"


def _way(moved: Moved) -> str:
    before, now = moved.change.before, in_words(moved.change.status)
    return f"from {in_words(before)} to {now}" if before else f"first seen as {now}"
