"""Fetch the files of labels, once each, and keep them in `REVER_LABELS`.

A file that does not come harms nothing: no money waits for it, the run says so, and a later one asks again, ever more
seldom and not without end.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pydantic import SecretStr

from rever_api import AsyncReverClient
from rever_api.errors import NotFound, ReverError, WrongSetup
from rever_api.label_file import LabelFetcher, LabelFile, LabelFileError, Trouble
from tasks.desk import Desk
from tasks.effects.carry_out import ReturnResult
from tasks.effects.perform import Result
from tasks.fetch_returns import PendingReturn
from tasks.files.kept_labels import KeptLabels, LabelFolderError
from tasks.ledger import (
    Came,
    Ledger,
    drop_old_label_files,
    label_digests,
    label_files_of,
    note_label_files,
    parcels_of,
    replaced_labels,
)
from tasks.policy.label_files import KnownFile, WantedFile, due, file_of_new_label, files_of
from tasks.policy.record import IntentKind
from tasks.reporting.report import Mode
from tasks.reporting.report_parts import LabelFilesTally, MissingFile
from tasks.settings import Settings
from tasks.steps import each, step

MOST_IN_A_RUN = 200
"""Files that one run asks for: a desk that begins with thousands of labels does not ask for all of them at once."""

FAILED_IN_A_ROW = 8
"""After so many that did not come, one after another, the rest is left to another run: it is not about the files."""

LONGEST_S = 300.0
"""A run begins to fetch no further file after this."""


async def note_wanted_files(desk: Desk, pending: Iterable[PendingReturn], carried: Sequence[ReturnResult]) -> None:
    """Note which labels of these returns have no file yet: of those shown, and of those that this run has made."""
    if desk.settings.labels is None:
        return
    made = {
        outcome.claim.process_id: outcome.process
        for item in carried
        for outcome in item.outcomes
        if outcome.claim.intent.kind is IntentKind.LABEL and outcome.result in {Result.DONE, Result.COUNTED}
    }
    shown = [it for it in pending if it.unread is None and (it.process_id in made or it.process.logistics)]
    if not shown:
        return
    ids = [it.process_id for it in shown]
    parcels, files = await desk.ledger.aread(parcels_of, ids), await desk.ledger.aread(label_files_of, ids)
    replaced = await desk.ledger.aread(replaced_labels, ids)
    now = desk.clock()
    for it in shown:
        known, before = parcels[it.process_id], made.get(it.process_id)
        wanted = files_of(it.process, it.store, known, replaced.get(it.process_id))
        if it.process_id in made:
            # Of the parcels before it REVER gives no address any more when it is asked about the return.
            new = file_of_new_label(before or it.process, it.store, known)
            wanted = [new, *(replace(old, youngest=False) for old in wanted if old.url.get_secret_value())]
        desk.label_files += due(wanted, files[it.process_id], now)


@step("fetch-label-files")
async def fetch_label_files(desk: Desk, wanted: Sequence[WantedFile], tally: LabelFilesTally) -> None:
    """Fetch these files, and keep and note each at once; what becomes of them stands in `tally`. A plan only counts.

    Raises nothing that is about a file, its host or the folder: `tally` has it in words.
    """
    folder = desk.settings.labels
    tally.acts, tally.left = desk.mode is Mode.ACT, len(wanted)
    if folder is None or not tally.acts:
        return
    labels = KeptLabels(folder)
    try:
        # Before others come: on a full disk it makes room.
        tally.deleted = await remove_old_files(desk.ledger, labels, desk.settings.labels_kept, desk.clock())
        await each("fetch-label-files", wanted[:MOST_IN_A_RUN], _Fetching(desk, labels, tally).one)
    except LabelFolderError as error:
        tally.why_left = str(error)
    if tally.left and not tally.why_left:
        tally.why_left = f"one run asks for at most {MOST_IN_A_RUN} files, within {LONGEST_S / 60:g} minutes"


async def remove_old_files(ledger: Ledger, labels: KeptLabels, days: float, now: datetime) -> int:
    """Delete the files that were kept for so many days, and those that the ledger does not know; how many.

    Raises `LabelFolderError`.
    """
    await ledger.awrite(drop_old_label_files, before=now - timedelta(days=days), now=now)
    return labels.sweep(await ledger.aread(label_digests), now)


@dataclass(slots=True)
class _Fetching:
    """The files of one run. `in_a_row` counts those that failed since one came."""

    desk: Desk
    labels: KeptLabels
    tally: LabelFilesTally
    in_a_row: int = 0
    until: float = field(default_factory=lambda: asyncio.get_running_loop().time() + LONGEST_S)

    async def one(self, wanted: WantedFile) -> None:
        """Fetch one file, keep it, and note it; or note why it did not come. Raises `LabelFolderError`."""
        if self.tally.why_left or asyncio.get_running_loop().time() > self.until:
            return
        fetcher = label_fetcher(self.desk.settings)
        known = (await self.desk.ledger.aread(label_files_of, [wanted.process_id]))[wanted.process_id]
        try:
            file = await fetched_file(self.desk.client, fetcher, wanted, known)
        except WrongSetup as error:
            self.tally.why_left = f"REVER could not be asked for the files of labels: {error}"
            return
        except LabelFileError as error:
            await self._failed(wanted, str(error))
            return
        except ReverError as error:
            await self._failed(wanted, f"REVER could not be asked for the label's file: {error}")
            return
        self.in_a_row = 0
        digest = await asyncio.to_thread(self.labels.keep, file)
        await self._note(Came(wanted, digest, file.kind, len(file.content)))
        self.tally.kept += 1
        self.tally.left -= 1

    async def _failed(self, wanted: WantedFile, why: str) -> None:
        self.in_a_row += 1
        self.tally.left -= 1
        if self.in_a_row >= FAILED_IN_A_ROW and self.tally.left and not self.tally.why_left:
            self.tally.why_left = f"{self.in_a_row} files in a row did not come, so the others are left to another run"
        self.tally.missing.append(MissingFile(wanted.process_id, wanted.order_name, wanted.parcel, why))
        await self._note(Came(wanted, why=why))

    async def _note(self, came: Came) -> None:
        await self.desk.ledger.awrite(note_label_files, [came], now=self.desk.clock())


def label_fetcher(settings: Settings) -> LabelFetcher:
    """Fetches by these settings: a file may take twice as long as a call."""
    return LabelFetcher(settings.base_url, within_s=2 * settings.timeout)


async def fetched_file(
    client: AsyncReverClient, fetcher: LabelFetcher, wanted: WantedFile, known: Iterable[KnownFile]
) -> LabelFile:
    """The file of a label: from the address that the return shows, else from one that REVER is asked for.

    Where no file comes from the one that is shown, or REVER's has run out, REVER is asked for another one, once. Raises
    `LabelFileError`, or the `ReverError` for which REVER could not be asked.
    """
    if wanted.url.get_secret_value():
        try:
            return await fetcher.fetch(wanted.url)
        except LabelFileError:
            if not wanted.youngest:
                raise
    else:
        try:
            return _of_this_label(await fetcher.fetch(await _address(client, wanted)), wanted, known)
        except LabelFileError as error:
            if error.trouble is not Trouble.EXPIRED:
                raise
    return _of_this_label(await fetcher.fetch(await _address(client, wanted)), wanted, known)


async def _address(client: AsyncReverClient, wanted: WantedFile) -> SecretStr:
    try:
        return SecretStr(await client.get_presigned_label_url(wanted.process_id))
    except NotFound:
        pass
    raise LabelFileError(Trouble.ABSENT, "REVER has no file of this label, or none yet")


def _of_this_label(file: LabelFile, wanted: WantedFile, known: Iterable[KnownFile]) -> LabelFile:
    """The file, if it is not that of an earlier label of the return: REVER gives the return's, and may be behind."""
    if any(it.digest == file.digest and it.parcel != wanted.parcel for it in known):
        raise LabelFileError(Trouble.EARLIER, "REVER still gives the file of an earlier label of this return")
    return file
