"""What `rever-returns labels` does with the files of labels: what is kept is listed, got out, and deleted when old.

The parcels are those that REVER shows now, with what the ledger knows of them and of their files.
"""

import asyncio
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deployments.cli.find import Finding, finding, typed_key
from deployments.cli.ledger import opened_ledger
from deployments.console.errors import CommandError, UsageError, print_error
from rever_api.errors import ReverError
from rever_api.label_file import FileKind, LabelFile, LabelFileError
from tasks.desk import utc_now
from tasks.fetch_label_files import fetched_file, label_fetcher, remove_old_files
from tasks.files.kept_labels import KeptLabels, LabelFolderError
from tasks.find_returns import FoundReturn
from tasks.ledger import Came, label_files_of, note_label_files, parcels_of, replaced_labels
from tasks.policy.clocks import clock_time
from tasks.policy.facts import counted
from tasks.policy.label_case import DEAD_PARCEL
from tasks.policy.label_files import KnownFile, WantedFile, asks_again_at, files_of, replaced_numbers
from tasks.policy.record import ParcelChange, Record
from tasks.policy.replaced import reissues, replaced_as_seen
from tasks.policy.tracking import ParcelView, in_words, standing, view_of
from tasks.reporting.printable import columns, json_text, printable
from tasks.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A parcel of a return. `seen`: this desk has noted where it is; else it was seen just now for the first time.

    `file` is what the ledger knows of its label's file; None where no run has asked for it. `lost_from` is the folder
    in which it should lie and does not. `replaced`: another label stands for this one by now.
    """

    parcel: ParcelChange
    seen: bool
    file: KnownFile | None = None
    lost_from: Path | None = None
    replaced: bool = False

    @property
    def void(self) -> bool:
        """Whether nobody may send a parcel with this label: it was cancelled, or replaced."""
        return self.replaced or self.parcel.status in DEAD_PARCEL

    def as_json(self) -> dict[str, object]:
        """One entry of `parcels` in `--json`. `since` is null for a parcel that nobody has noted yet."""
        file, kept = self.file, self.file is not None and self.file.kept and self.lost_from is None
        return {
            "parcel": self.parcel.parcel,
            "carrier": self.parcel.carrier,
            "tracking": self.parcel.tracking,
            "status": self.parcel.status,
            "replaced": self.replaced,
            "since": self.parcel.at.isoformat(timespec="seconds") if self.seen else None,
            "file": {"kind": file.kind, "size": file.size, "sha256": file.digest} if file and kept else None,
            "no_file": None if kept else self.file_in_words(),
        }

    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        shown = self.seen or self.parcel.status
        return (
            str(self.parcel.parcel),
            self.parcel.carrier or "-",
            self.parcel.tracking or "-",
            (in_words(self.parcel.status) if shown else "-") + (", replaced" if self.replaced else ""),
            clock_time(self.parcel.at) if self.seen else "just seen" if shown else "-",
            self.file_in_words(),
        )

    def file_in_words(self) -> str:
        """Whether the file is kept, since when, and why not."""
        file, now = self.file, utc_now()
        if file is None:
            return "not kept"
        if file.kept and file.kept_at:
            since = f"kept since {clock_time(file.kept_at)} ({file.kind}, {file.size:,} bytes)"
            lost = f", and is not in {self.lost_from} (REVER_LABELS) any more: labels get asks REVER for it"
            return since + (lost if self.lost_from is not None else "")
        if file.removed_at is not None:
            return f"deleted {clock_time(file.removed_at)}"
        again = asks_again_at(file, now)
        when = "no run asks again" if again is None else "the next run asks again"
        if again is not None and again > now:
            when = f"asked again from {clock_time(again)} on"
        return f"not kept: {file.why}; {when}"


_HEAD = ("PARCEL", "CARRIER", "TRACKING", "STATUS", "SINCE", "FILE")


def shown_labels(what: str, *, as_json: bool) -> str:
    """The parcels of each return that is found. Raises as `deployments.cli.find.why_text` does."""
    return asyncio.run(_shown(what, as_json=as_json))


async def _shown(what: str, *, as_json: bool) -> str:
    settings = load_settings()
    async with finding(settings, typed_key(what)) as found:
        rows = _rows(settings, found)
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


def _rows(settings: Settings, found: Finding) -> list[tuple[FoundReturn, list[LabelRow]]]:
    """The parcels of each return, as REVER shows them now, else as they were seen last."""
    ids = [each.process_id for each in found.match.returns]
    known, files = found.ledger.read(parcels_of, ids), found.ledger.read(label_files_of, ids)
    replaced = found.ledger.read(replaced_labels, ids)
    rows = []
    for each in found.match.returns:
        noted, of_parcel = known[each.process_id], {it.parcel: it for it in files[each.process_id]}
        view = view_of(each.process) if each.process is not None else ParcelView()
        record = replaced.get(each.process_id)
        gone = replaced_numbers(each.process, noted, record) if each.process else _replaced_as_seen(record)
        stands = standing(noted, view, utc_now())
        stands += tuple(_unseen(it) for it in files[each.process_id] if it.parcel not in {one.parcel for one in stands})
        of_it = [
            LabelRow(it, it in noted, file := of_parcel.get(it.parcel), _lost_from(settings, file), it.parcel in gone)
            for it in stands
        ]
        rows.append((each, of_it))
    return rows


def _lost_from(settings: Settings, file: KnownFile | None) -> Path | None:
    """The folder of files, where this one should lie in it and does not."""
    if settings.labels is None or file is None or not file.kept:
        return None
    return None if KeptLabels(settings.labels).has(file.digest, file.kind) else settings.labels


def _replaced_as_seen(record: Record | None) -> frozenset[int]:
    """The parcels whose label was replaced, where REVER cannot be asked: some of them nobody has noted yet."""
    if record is None:
        return frozenset()
    return replaced_as_seen(record).numbers | {asked.parcel for asked, _ in reissues(record)}


def _unseen(file: KnownFile) -> ParcelChange:
    """A parcel of which the ledger knows the label's file alone: no run has noted where it is."""
    return ParcelChange(file.parcel, 1, "", "", file.kept_at or file.tried_at or utc_now())


def _text(found: FoundReturn, rows: list[LabelRow]) -> str:
    if not rows:
        return printable(f"{found.words}: no parcel")
    lines = [printable(line) for line in columns([_HEAD, *(row.cells() for row in rows)], len(_HEAD))]
    return "\n".join([printable(found.words), *(f"  {line}" for line in lines)])


# Getting a file out.


@dataclass(frozen=True, slots=True)
class GotLabel:
    """A label's file for who asked for it."""

    wanted: WantedFile
    file: LabelFile

    def name(self, *, of_several: bool) -> str:
        """A name for it: of its order and its parcel; of its return where that has none, or the order has several."""
        it = self.wanted
        words = (it.order_name, it.process_id) if of_several else (it.order_name or it.process_id,)
        plain = [re.sub(r"[^A-Za-z0-9_-]", "", word)[:60] for word in words]
        return f"{'-'.join(filter(None, plain)) or 'label'}-{it.parcel}.{self.file.kind}"

    def in_words(self, path: Path) -> str:
        """Where it is, and whose."""
        of = f"{self.wanted.order_name or self.wanted.process_id}, parcel {self.wanted.parcel}"
        return f"{path}: the label of {of} ({self.file.kind}, {len(self.file.content):,} bytes)"


def got_labels(what: str, out: Path) -> tuple[str, bool]:
    """Write the labels' files of a return to a new file, or into a folder: one that is there, or a name without ending.

    What is to be said, and whether all came. Of a label that was cancelled or replaced none is handed out. What is kept
    is taken from there; REVER is asked for the rest, and what comes is kept where a folder is set. Raises as
    `deployments.cli.find.why_text` does, and `UsageError` for files that are there, and several files for one name.
    """
    into = out if out.is_dir() or not out.suffix else None
    if into is None and out.exists():
        raise UsageError(f"{out} is there already, and nothing is overwritten; name a new file, or a folder")
    got, missing = asyncio.run(_got(load_settings(), what))
    if into is None and len(got) > 1:
        raise UsageError(f"there are {len(got)} labels: name a folder, such as --out {out.parent / out.stem}")
    if not got and not missing:
        missing = ["there is no label that is ready and not used yet"]
    lines = []
    of_several = len({each.wanted.process_id for each in got}) > 1
    for each in got:
        path = into / each.name(of_several=of_several) if into is not None else out
        _write(path, each.file.content)
        lines.append(each.in_words(path))
    return "\n".join(printable(line) for line in [*lines, *missing]), not missing


def _write(path: Path, content: bytes) -> None:
    """Write a new file for its owner alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise UsageError(f"{path} is there already, and nothing is overwritten; name another folder") from None
    try:
        with os.fdopen(handle, "wb") as target:
            target.write(content)
    except OSError:
        path.unlink()  # a part of a label is none, and would stand in the way of the next try
        raise


async def _got(settings: Settings, what: str) -> tuple[list[GotLabel], list[str]]:
    async with finding(settings, typed_key(what)) as found:
        got: list[GotLabel] = []
        fetched: list[GotLabel] = []
        missing = [found.note] if found.note else []
        for each, rows in _rows(settings, found):
            known = [row.file for row in rows if row.file is not None]
            void = {row.parcel.parcel for row in rows if row.void}
            here = [it for it in _kept_here(settings, known) if it.wanted.parcel not in void]
            got += here
            if each.process is None or found.client is None:
                continue
            noted = found.ledger.read(parcels_of, [each.process_id])[each.process_id]
            for it in files_of(each.process, each.store, noted):
                if it.parcel in void | {one.wanted.parcel for one in here}:
                    continue
                try:
                    file = await fetched_file(found.client, label_fetcher(settings), it, known)
                except (LabelFileError, ReverError) as error:
                    missing.append(f"{it.process_id}, parcel {it.parcel}: {error}")
                else:
                    fetched.append(GotLabel(it, file))
    _keep(settings, fetched)
    return [*got, *fetched], missing


def _kept_here(settings: Settings, known: Sequence[KnownFile]) -> list[GotLabel]:
    """The files of a return that lie in the folder of this machine."""
    if settings.labels is None:
        return []
    labels, found = KeptLabels(settings.labels), []
    for it in known:
        content = labels.read(it.digest, it.kind) if it.kept else None
        if content is not None:
            wanted = WantedFile(it.process_id, it.store, it.order_name, it.parcel)
            found.append(GotLabel(wanted, LabelFile(content, FileKind(it.kind))))
    return found


def _keep(settings: Settings, fetched: Sequence[GotLabel]) -> None:
    """Keep what came, where a folder is set for it."""
    if settings.labels is None or not fetched:
        return
    labels = KeptLabels(settings.labels)
    try:
        came = [Came(it.wanted, labels.keep(it.file), it.file.kind, len(it.file.content)) for it in fetched]
    except LabelFolderError as error:
        print_error(f"not kept: {error}")
        return
    with opened_ledger(settings) as ledger:
        ledger.write(note_label_files, came, now=utc_now(), by_hand=True)


def pruned_labels() -> str:
    """Delete the files that are older than `REVER_LABELS_KEPT`. Raises `UsageError` where no folder is set."""
    settings = load_settings()
    if settings.labels is None:
        raise UsageError("REVER_LABELS is not set, so no files of labels are kept here")
    labels = KeptLabels(settings.labels)
    try:
        with opened_ledger(settings) as ledger:
            gone = asyncio.run(remove_old_files(ledger, labels, settings.labels_kept, utc_now()))
    except LabelFolderError as error:
        raise CommandError(str(error)) from None
    deleted = f"{counted(gone, 'file')} deleted from {settings.labels}"
    return f"{deleted}: older than {settings.labels_kept:g} days, or unknown to the ledger."
