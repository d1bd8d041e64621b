"""What `rever-returns inspections` prints: a guessed mapping, and what would become of each row of a file."""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from deployments.cli.checked_file import rows_lines, told_guess
from deployments.console.errors import UsageError
from rever_api import AsyncReverClient
from tasks.desk import client_config, stores_of, utc_now
from tasks.fetch_named_returns import NamedReturns, fetch_named, wanted_names
from tasks.files.guess import guess
from tasks.files.inspections import WarehouseFile, read_warehouse_file
from tasks.files.open_table import open_table
from tasks.files.refused_file import expect_new
from tasks.files.verdicts import FileVerdict, Known, RowVerdict, Verdict, judge
from tasks.ledger import Ledger, known_reviews
from tasks.policy.facts import counted
from tasks.policy.kinds.review import KnownReview
from tasks.reporting.printable import json_text
from tasks.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of a file, and where its refused rows are; `refused` is None where there are none."""

    file: WarehouseFile
    found: FileVerdict
    unreadable: Sequence[str]
    refused: Path | None


def guessed_mapping(file: Path, out: Path | None) -> str:
    """Guess the mapping of a file. It is written to `out`, which must not be there, else printed below the reasons."""
    return told_guess(guess(open_table(file)), file, out)


def check_file(file: Path, mapping: Path, refused: Path | None) -> Checked:
    """Say what would become of each row, and write those that come back to a file. At REVER nothing is written.

    Raises `InputFileError`, `UsageError`, `DeskError` and `ReverError`.
    """
    if refused is not None:
        expect_new(refused)
    read = read_warehouse_file(file, mapping)
    settings = load_settings()
    named = asyncio.run(_fetched(settings, read))
    known = Known(_known_reviews(settings, named), read.digest, read.mapping.cumulative)
    found = judge(read.rows, named.returns.values(), utc_now(), known, named.unread_orders)
    return Checked(read, found, named.unreadable, read.hand_back(found.returned(), refused))


def _known_reviews(settings: Settings, named: NamedReturns) -> dict[str, tuple[KnownReview, ...]]:
    """The units of these returns that files were taken for, by the ledger; none where there is no ledger yet."""
    url = settings.ledger_url.get_secret_value()
    if not named.returns or not Ledger.exists(url):
        return {}
    with closing(Ledger.open(url, account=settings.account, clock=utc_now, read_only=True)) as ledger:
        return ledger.read(known_reviews, sorted(named.returns))


async def _fetched(settings: Settings, file: WarehouseFile) -> NamedReturns:
    names, only = wanted_names(file.rows), file.mapping.store
    async with AsyncReverClient(client_config(settings)) as client:
        stores = await stores_of(settings, client)
        if only:
            if only not in stores:
                raise UsageError(f"the mapping is of the store {only}; this desk's are {', '.join(stores)}.")
            stores = (only,)
        return await fetch_named(client, stores, names) if names else NamedReturns()


def checked_text(checked: Checked, *, every_row: bool) -> str:
    """What became of the file: how it was read, the counts, the rows, and where the refused ones are."""
    found = checked.found
    lines = [*checked.file.how, "", found.words]
    if checked.unreadable:
        lines.append(f"{counted(len(checked.unreadable), 'return')} at REVER cannot be read and were passed over.")
    lines += rows_lines(
        found.rows,
        ("ROW", "VERDICT", "ORDER", "RETURN", "WHY"),
        lambda it: (str(it.number), it.verdict, it.order_name, it.process_id, it.why),
        already=Verdict.ALREADY,
        every_row=every_row,
        refused=checked.refused,
    )
    return "\n".join(lines)


def checked_json(checked: Checked) -> str:
    """The same as one JSON object."""
    return json_text(
        {
            "file": str(checked.file.table.path),
            "read_as": checked.file.table.how,
            "counts": {str(verdict): many for verdict, many in checked.found.counts.items()},
            "footers": checked.found.footers,
            "unreadable": list(checked.unreadable),
            "rows": [_as_json(row) for row in checked.found.rows],
            "refused_file": str(checked.refused) if checked.refused else None,
        }
    )


def _as_json(row: RowVerdict) -> dict[str, object]:
    reviews = [{"line_id": it.line_id, "unit": it.unit, "status": str(it.status)} for it in row.reviews]
    return {
        "row": row.number,
        "verdict": str(row.verdict),
        "process_id": row.process_id,
        "order_name": row.order_name,
        "store": row.store,
        "why": row.why,
        "reviews": reviews,
    }
