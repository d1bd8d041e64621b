"""Receive the files of inspections or of returns, all new ones of the watched folder or the one that was named; give
back what is to be mended, and put away what is done.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tasks.crash_points import CrashPoint, reached
from tasks.desk import Desk, WrongNameError
from tasks.files.drop_folder import (
    DONE,
    MAPPING,
    REFUSED,
    delete_old,
    inside,
    put_away,
    waiting,
    warehouses,
    writable,
    write_reason,
)
from tasks.files.mapped_file import MappedFile
from tasks.files.mapping import MappingError
from tasks.files.private_copy import Arrived, StillGrowingError, arrived, printable
from tasks.files.refused_file import UNFINISHED, ReturnedRow, expect_new
from tasks.files.remote import checked_url, fetched, is_url
from tasks.files.table import InputFileError
from tasks.ledger import file_taken, note_file_taken, switch
from tasks.policy.facts import counted
from tasks.reporting.report import Mode

FileT = TypeVar("FileT")


@dataclass(frozen=True, slots=True)
class Inbox:
    """Where files of one kind come from, and where they go. `root` is the folder that `setting` names, if it does.

    `guess` is the command that begins a mapping. What is done and what comes back is put into `out`, else beside the
    file, and else into `fallback`.
    """

    root: Path | None
    setting: str
    guess: str
    fallback: Path
    out: Path | None = None


def of_inspections(desk: Desk) -> Inbox:
    """Where the files of warehouses come from."""
    settings = desk.settings
    setting, guess, fallback = "REVER_INSPECTIONS", "inspections guess", Path("inspections-out")
    return Inbox(settings.inspections, setting, guess, fallback, settings.inspections_out)


def of_returns(desk: Desk) -> Inbox:
    """Where shops' lists of returns come from."""
    return Inbox(desk.settings.return_files, "REVER_RETURN_FILES", "returns guess", Path("returns-out"))


@dataclass(frozen=True, slots=True)
class NamedFile:
    """What a person named: a file, its mapping and where `refused` rows go, each empty where they did not.

    `confined`: they typed it into a form, for another machine to read. `options` are what the file's storage needs, and
    may hold passwords.
    """

    file: str
    mapping: str
    refused: str
    confined: bool
    options: Mapping[str, Any]


class FoundRows(Protocol):
    """What became of a file's rows."""

    @property
    def passing(self) -> int:
        """The rows that come back for what passes by itself."""

    @property
    def counts(self) -> Mapping[Any, int]:
        """How many rows have which verdict."""

    def returned(self) -> list[ReturnedRow]:
        """The rows that come back, each with its reason."""


async def receive(
    desk: Desk,
    inbox: Inbox,
    named: NamedFile,
    copies: Path,
    notes: list[str],
    take: Callable[[Arrived], FileT | None],
) -> list[FileT]:
    """What `take` makes of the file that was named, else of each new file of the watched folder; None is left there.

    Raises what `take` does for the one that was named, `InputFileError` and `WrongNameError`. Of the watched folder one
    that cannot be read stops no other: it is put aside, or waits where its mapping or store is wrong.
    """
    if named.refused and named.confined:
        raise WrongNameError("rows that come back are put where the workers' settings say; leave `refused` empty.")
    if named.refused:
        expect_new(Path(named.refused))
    if named.file:
        one = take(_receive_named(desk, inbox, named, copies))
        return [] if one is None else [one]
    if named.mapping or named.refused:
        raise WrongNameError("a mapping or a file for the rows that come back is of one file; name the file too.")
    if inbox.root is None:
        notes.append(f"no folder is watched: {inbox.setting} is not set")
        return []
    acts = desk.mode is Mode.ACT
    if acts and (stop := await desk.ledger.aread(switch)).stopped:
        notes.append(f"files wait in {inbox.root} while all effects are stopped ({stop.why})")
        return []
    found: list[FileT] = []
    for file in await _receive_waiting(desk, inbox, inbox.root, copies, notes):
        try:
            if (taken := take(file)) is not None:
                found.append(taken)
        except (MappingError, WrongNameError) as error:
            notes.append(f"{file.name} waits: {error}")
        except InputFileError as error:
            if acts:
                _refuse(desk, inbox, file, str(error), notes)
            else:
                notes.append(str(error))
    return found


def _receive_named(desk: Desk, inbox: Inbox, named: NamedFile, copies: Path) -> Arrived:
    """The one file that was named, where it may be read. Raises `InputFileError`.

    What was typed into a form is read by a worker with its own rights, so it reads only what is there to be read so.
    """
    root, confined = inbox.root, named.confined
    if confined and root is None:
        words = f"no folder is set from which files are taken; set {inbox.setting} where the workers run"
        raise InputFileError(f"{words}, and put them there.")
    mapping = inside(root, named.mapping) if confined and root and named.mapping else Path(named.mapping).resolve()
    if is_url(named.file):
        url = checked_url(named.file)
        allowed = desk.settings.inspections_urls
        if confined and (".." in url or not any(url.startswith(f"{each.rstrip('/')}/") for each in allowed)):
            where = ", ".join(allowed) or "none (REVER_INSPECTIONS_URLS)"
            raise InputFileError(f"{url}: files are not fetched from there; they are from {where}.")
        if not named.mapping:
            raise InputFileError(f"{url}: name its mapping too.")
        return fetched(url, mapping, copies, named.options)
    if not confined or root is None:
        path = Path(named.file).resolve()
        return Arrived(named.file, path, mapping if named.mapping else path.parent / MAPPING, "", meaning=named.mapping)
    path = inside(root, named.file)
    mapping = mapping if named.mapping else path.parent / MAPPING
    watched = path.parent in warehouses(root) and mapping == path.parent / MAPPING
    return arrived(path, mapping, copies, watched=watched)


async def _receive_waiting(desk: Desk, inbox: Inbox, root: Path, copies: Path, notes: list[str]) -> list[Arrived]:
    """All new and complete files of the watched folder; of the others `notes` say why they are left.

    One that was taken before, by its content, is put away. Raises `InputFileError` where the folder cannot be read.
    """
    found: list[Arrived] = []
    for folder in warehouses(root):
        paths, said = waiting(folder, desk.clock())
        notes += said
        mapping = folder / MAPPING
        if paths and not (mapping.exists() or mapping.is_symlink()):
            command = f"rever-returns {inbox.guess} {printable(paths[0])} --mapping {mapping}"
            notes.append(f"{folder}: {counted(len(paths), 'file')} wait for a {MAPPING}; begin one: {command}")
            continue
        for path in paths:
            try:
                file = arrived(path, mapping, copies, watched=True)
            except StillGrowingError as error:
                notes.append(str(error))
            except InputFileError as error:
                notes.append(f"{error} It is left there.")
            else:
                if not await _was_taken(desk, inbox, file, notes):
                    found.append(file)
    return found


async def _was_taken(desk: Desk, inbox: Inbox, file: Arrived, notes: list[str]) -> bool:
    before = await desk.ledger.aread(file_taken, file.digest)
    if before is None:
        return False
    taken = f"{file.name}: a file of just this content was taken on {before:%Y-%m-%d} at {before:%H:%M} UTC"
    moved = _put_away(desk, inbox, file, DONE) if desk.mode is Mode.ACT else None
    notes.append(f"{taken}; nothing of it is done again{f', it is in {moved.parent}' if moved else ''}")
    return True


def hand_back(
    inbox: Inbox,
    file: Arrived,
    read: MappedFile[Any, Any],
    rows: Sequence[ReturnedRow],
    notes: list[str],
    to: Path | None = None,
) -> Path | None:
    """Write the rows that come back to `to`, else beside the file or where the inbox says.

    Returns None where there are none, and where they could not be written.
    """
    if not rows:
        return None
    try:
        if file.digest and to is None:  # a copy: what lies beside it is gone after the run
            path: Path | None = read.hand_back_into(out_folder(inbox, file, REFUSED), rows, file.digest)
        else:
            path = read.hand_back(rows, to)
    except InputFileError as error:
        notes.append(f"the rows that come back could not be written: {error}")
        return None
    notes.append(f"{path}: the rows that come back, each with its reason; mend them and send it again")
    return path


async def finish(
    desk: Desk, inbox: Inbox, file: Arrived, read: MappedFile[Any, Any], found: FoundRows, notes: list[str]
) -> None:
    """Give back what is to be mended, note that a watched file is taken, and put it away: in this order, so that a run
    that is killed between two of them leaves the file for the next one, and whoever is killed last does nothing twice.
    """
    if found.passing:
        waits = f"{counted(found.passing, 'row')} {'waits' if found.passing == 1 else 'wait'} for what passes by itself"
        notes.append(f"{file.name}: {waits}; the file stays, and the next run takes it again")
        return
    rows = found.returned()
    if rows and hand_back(inbox, file, read, rows, notes) is None:
        notes.append(f"{file.name}: stays where it is until they can be written")
        return
    reached(CrashPoint.BEFORE_FILE_NOTED)
    counts = {str(verdict): many for verdict, many in found.counts.items()}
    await desk.ledger.awrite(note_file_taken, file.digest, counts, now=desk.clock())
    reached(CrashPoint.AFTER_FILE_NOTED)
    if _put_away(desk, inbox, file, DONE) is None:
        words = "it could not be moved away (another has come in its place, or the folder cannot be written)"
        notes.append(f"{file.name}: {words}; it is known by its content, and is not done again")


def _refuse(desk: Desk, inbox: Inbox, file: Arrived, why: str, notes: list[str]) -> None:
    """Put a watched file aside that cannot be read, with the reason beside it."""
    notes.append(why)
    try:
        into = out_folder(inbox, file, REFUSED)
        reason = write_reason(into, file.name, file.digest, why)
    except (InputFileError, OSError) as error:
        notes.append(f"{file.name}: the reason could not be written to a file: {error}")
        return
    moved = _put_away(desk, inbox, file, REFUSED)
    notes.append(f"{reason}: the reason{'' if moved else '; the file itself could not be moved, and is left'}")


def out_folder(inbox: Inbox, file: Arrived, name: str) -> Path:
    """The folder `done` or `refused` for what comes of a file. Raises `InputFileError` where none can be written."""
    home = file.origin.parent if file.origin else None
    if home is not None and home.name in {DONE, REFUSED}:
        home = home.parent  # a file that was mended where it came back
    warehouse = home.name if home is not None and home != inbox.root else ""
    folders = [inbox.out / warehouse] if inbox.out else []
    folders += [home] if home is not None else []
    return writable([*folders, inbox.fallback / warehouse], name)


def _put_away(desk: Desk, inbox: Inbox, file: Arrived, name: str) -> Path | None:
    if file.origin is None:
        return None
    try:
        return put_away(file.origin, file.stamp, out_folder(inbox, file, name), desk.clock())
    except (InputFileError, OSError):
        return None


def forget_done(desk: Desk, inbox: Inbox, notes: list[str]) -> None:
    """Delete the files that were done long enough ago, and remind of the rows that came back and wait to be mended."""
    kept = timedelta(days=desk.settings.inspections_kept)
    gone = waits = 0
    for folder in warehouses(inbox.root) if inbox.root else ():
        name = folder.name if folder != inbox.root else ""
        homes = {folder, inbox.fallback / name, *([inbox.out / name] if inbox.out else [])}
        gone += sum(delete_old(home / DONE, desk.clock() - kept) for home in homes)
        for home in homes:  # what runs that were killed have not finished
            delete_old(home / REFUSED, desk.clock() - timedelta(days=1), f"*{UNFINISHED}")
        waits += sum(_count(home / REFUSED) for home in homes)
    if gone:
        notes.append(f"{counted(gone, 'file')} done more than {kept.days} days ago deleted (REVER_INSPECTIONS_KEPT)")
    if waits:
        notes.append(f"{counted(waits, 'file')} in {REFUSED}/ to be mended and sent again, or deleted")


def _count(folder: Path) -> int:
    if folder.is_symlink() or folder.parent.is_symlink() or not folder.is_dir():
        return 0
    return sum(1 for each in folder.iterdir() if each.is_file() and not each.name.endswith(UNFINISHED))
