"""What `rever-returns returns` prints: a guessed mapping, and what would become of each row of a file of returns."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from deployments.cli.checked_file import rows_lines, told_guess
from rever_api import AsyncReverClient
from tasks.create_returns import AskedOrder, by_order
from tasks.desk import client_config, one_store, stores_of, utc_now
from tasks.fetch_returns import search_order
from tasks.files.guess_returns import guess_returns
from tasks.files.mapped_rows import Footer
from tasks.files.new_returns import ReturnsFile, read_returns_file, wanted_returns
from tasks.files.open_table import open_table
from tasks.files.refused_file import expect_new
from tasks.files.return_verdicts import (
    OrderBounds,
    ReturnsFileVerdict,
    ReturnVerdict,
    file_verdict,
    judge_order,
)
from tasks.policy.record import Record
from tasks.reporting.printable import json_text
from tasks.settings import Settings, load_settings
from tasks.steps import each


@dataclass(frozen=True, slots=True)
class CheckedReturns:
    """What became of a file, and where its refused rows are; `refused` is None where there are none."""

    file: ReturnsFile
    found: ReturnsFileVerdict
    refused: Path | None


def guessed_returns_mapping(file: Path, out: Path | None) -> str:
    """Guess the mapping of a file of returns; written or printed as that of inspections."""
    return told_guess(guess_returns(open_table(file)), file, out)


def check_returns(file: Path, mapping: Path, refused: Path | None) -> CheckedReturns:
    """Say what would become of each row, and write those that come back to a file. At REVER nothing is written.

    Raises `InputFileError`, `DeskError` and `ReverError`.
    """
    if refused is not None:
        expect_new(refused)
    read = read_returns_file(file, mapping)
    found = asyncio.run(_checked(load_settings(), read))
    return CheckedReturns(read, found, read.hand_back(found.returned(), refused))


async def _checked(settings: Settings, file: ReturnsFile) -> ReturnsFileVerdict:
    async with AsyncReverClient(client_config(settings)) as client:
        store = one_store(file.mapping.store, await stores_of(settings, client))
        methods = (await client.get_ecommerce_settings(store)).refund.methods
        wanted, wrong = wanted_returns(file.rows, file.mapping, store)
        orders = by_order(wanted, store)
        bounds = OrderBounds(frozenset(map(str, methods)))

        await each("create-returns", orders, lambda order: _check_order(client, order, bounds))
    footers = sum(isinstance(row, Footer) for row in file.rows)
    return file_verdict([end for order in orders for end in order.ends()], wrong, footers=footers, acted=False)


async def _check_order(client: AsyncReverClient, order: AskedOrder, bounds: OrderBounds) -> None:
    """Judge the returns of an order by what REVER shows alone."""
    shown = await search_order(client, order.order, [order.order.order_name], utc_now())
    nothing = Record(order.order.process_id)
    order.came |= enumerate(judge_order(order.wanted, shown, nothing, bounds))


def checked_returns_text(checked: CheckedReturns, *, every_row: bool) -> str:
    """What became of the file: how it was read, the counts, the rows, and where the refused ones are."""
    found = checked.found
    lines = rows_lines(
        found.rows,
        ("ROW", "VERDICT", "ORDER", "WHY"),
        lambda it: (str(it.number), it.verdict, it.order_name, it.why),
        already=ReturnVerdict.ALREADY,
        every_row=every_row,
        refused=checked.refused,
    )
    return "\n".join([*checked.file.how, "", found.words, *lines])


def checked_returns_json(checked: CheckedReturns) -> str:
    """The same as one JSON object."""
    rows = [
        {"row": it.number, "verdict": str(it.verdict), "order_name": it.order_name, "why": it.why}
        for it in checked.found.rows
    ]
    return json_text(
        {
            "file": str(checked.file.table.path),
            "read_as": checked.file.table.how,
            "counts": {str(verdict): many for verdict, many in checked.found.counts.items()},
            "returns": checked.found.returns,
            "footers": checked.found.footers,
            "rows": rows,
            "refused_file": str(checked.refused) if checked.refused else None,
        }
    )
