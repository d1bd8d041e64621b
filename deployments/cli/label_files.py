"""What `rever-returns labels show` prints: the parcels of returns, by what REVER shows and what the ledger knows."""

import asyncio
from dataclasses import dataclass

from deployments.cli.find import Finding, finding, typed_key
from deployments.console.columns import columns
from deployments.console.errors import print_error
from tasks.desk import utc_now
from tasks.find_returns import FoundReturn
from tasks.ledger import parcels_of
from tasks.policy.clocks import clock_time
from tasks.policy.record import ParcelChange
from tasks.policy.tracking import ParcelView, in_words, standing, view_of
from tasks.reporting.printable import json_text, printable
from tasks.settings import load_settings


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A parcel of a return. `seen`: this desk has noted where it is; else it was seen just now for the first time."""

    parcel: ParcelChange
    seen: bool

    def as_json(self) -> dict[str, object]:
        """One entry of `parcels` in `--json`. `since` is null for a parcel that nobody has noted yet."""
        return {
            "parcel": self.parcel.parcel,
            "carrier": self.parcel.carrier,
            "tracking": self.parcel.tracking,
            "status": self.parcel.status,
            "since": self.parcel.at.isoformat(timespec="seconds") if self.seen else None,
        }

    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        since = clock_time(self.parcel.at) if self.seen else "just seen"
        return (
            str(self.parcel.parcel),
            self.parcel.carrier or "-",
            self.parcel.tracking or "-",
            in_words(self.parcel.status),
            since,
        )


_HEAD = ("PARCEL", "CARRIER", "TRACKING", "STATUS", "SINCE")


def shown_labels(what: str, *, as_json: bool) -> str:
    """The parcels of each return that is found. Raises as `deployments.cli.find.why_text` does."""
    return asyncio.run(_shown(what, as_json=as_json))


async def _shown(what: str, *, as_json: bool) -> str:
    async with finding(load_settings(), typed_key(what)) as found:
        rows = _rows(found)
    if as_json:
        if found.note:
            print_error(found.note)
        return json_text(
            [
                {
                    "process_id": each.process_id,
                    "order_name": each.order_name,
                    "store": each.store,
                    "parcels": [row.as_json() for row in of_it],
                }
                for each, of_it in rows
            ]
        )
    notes = [found.note] if found.note else []
    return "\n\n".join([*notes, *(_text(each, of_it) for each, of_it in rows)])


def _rows(found: Finding) -> list[tuple[FoundReturn, list[LabelRow]]]:
    """The parcels of each return, as REVER shows them now, else as they were seen last."""
    known = found.ledger.read(parcels_of, [each.process_id for each in found.match.returns])
    rows = []
    for each in found.match.returns:
        noted = known[each.process_id]
        view = view_of(each.process) if each.process is not None else ParcelView()
        rows.append((each, [LabelRow(it, it in noted) for it in standing(noted, view, utc_now())]))
    return rows


def _text(found: FoundReturn, rows: list[LabelRow]) -> str:
    if not rows:
        return printable(f"{found.words}: no parcel")
    lines = [printable(line) for line in columns([_HEAD, *(row.cells() for row in rows)], len(_HEAD))]
    return "\n".join([printable(found.words), *(f"  {line}" for line in lines)])
