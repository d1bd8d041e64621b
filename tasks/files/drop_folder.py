"""The folder into which warehouses put their files: what is new and complete in it, and where each goes.

```
inspections/landmark/mapping.yaml   what the files of this warehouse mean
inspections/landmark/day.csv        put there by the warehouse
inspections/landmark/done/          taken; deleted after some days
inspections/landmark/refused/       rows that came back, and files that could not be read, with the reasons
```

A warehouse may write here, and must reach nothing else: a link or a device is never opened, nor what lies outside.
"""

import os
import shutil
import stat
from contextlib import suppress
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

from tasks.files.private_copy import Stamp, printable, stamp_of
from tasks.files.table import InputFileError

MAPPING = "mapping.yaml"
"""The name of the mapping in a warehouse's folder."""
DONE, REFUSED = "done", "refused"
COMPLETE_AFTER = timedelta(seconds=60)
"""A file that has changed since is still growing, and is left to the next run."""

_UNFINISHED = (".part", ".partial", ".filepart", ".tmp", ".crdownload")
"""How programs name what they are still writing."""
_REASON = ".why.txt"


def inside(root: Path, typed: str) -> Path:
    """The path of a file in the folder that was named. Raises `InputFileError` for what lies outside, or is a link."""
    path = root / typed
    try:
        linked = path.is_symlink()
        real_root, real = root.resolve(strict=True), path.resolve(strict=True)
    except (OSError, ValueError) as error:  # a zero character in what was typed is a `ValueError`
        raise InputFileError(f"{typed}: is not there, in {root}.") from error
    if linked:
        raise InputFileError(f"{typed}: is a link; put the file itself into {root}.")
    if real_root not in real.parents:
        raise InputFileError(f"{typed}: lies outside of {root}, and no other files are taken; put it there.")
    return path


def warehouses(root: Path) -> list[Path]:
    """The folders into which files are put: the root itself if it has a mapping, and each folder in it.

    Raises `InputFileError`.
    """
    try:
        found = sorted(it for it in root.iterdir() if it.is_dir() and it.name not in {DONE, REFUSED})
    except OSError as error:
        raise InputFileError(f"{root}: the folder cannot be read ({error.strerror}).") from error
    return [*([root] if (root / MAPPING).exists() else []), *(it for it in found if not it.name.startswith("."))]


def waiting(folder: Path, now: datetime) -> tuple[list[Path], list[str]]:
    """The complete files of a warehouse's folder, the oldest first; and what is to be said of the others."""
    found: list[tuple[float, Path]] = []
    said: list[str] = []
    if folder.is_symlink():
        return [], [f"{printable(folder)}: is a link, and is not looked into; make it a folder."]
    try:
        entries = sorted(os.scandir(folder), key=lambda it: it.name)
    except OSError as error:
        return [], [f"{printable(folder)}: cannot be read ({error.strerror})."]
    for entry in entries:
        path = Path(entry.path)
        if entry.name.startswith(".") or entry.name.casefold().endswith((*_UNFINISHED, ".yaml", ".yml")):
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue  # it was taken away meanwhile
        if stat.S_ISREG(status.st_mode):
            # By the time of the last change on this machine: programs that upload set the other one as they like.
            if abs(now.timestamp() - status.st_ctime) < COMPLETE_AFTER.total_seconds():
                words = "has just come, or still grows; it is taken once it stays the same for a minute"
                said.append(f"{printable(path)}: {words}.")
            else:
                found.append((status.st_mtime, path))
        elif not stat.S_ISDIR(status.st_mode):
            what = "a link" if stat.S_ISLNK(status.st_mode) else "a device, a pipe or a socket"
            said.append(f"{printable(path)}: is {what}, and is not opened; put the file itself there.")
    return [path for _, path in sorted(found)], said


def writable(folders: list[Path], name: str) -> Path:
    """The first of these folders in which there is, or can be made, a folder of this name for its owner alone: that.

    Raises `InputFileError` where there is none.
    """
    for folder in folders:
        kept = folder / name
        with suppress(OSError):
            kept.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not kept.is_symlink() and os.access(kept, os.W_OK | os.X_OK):
                return kept
    raise InputFileError(f"{' and '.join(map(str, folders))}: no folder {name} can be written there.")


def put_away(path: Path, stamp: Stamp | None, into: Path, now: datetime) -> Path | None:
    """Move the file of this stamp, and note that it was moved now. It never takes the place of another.

    None where it is gone, or another has come in its place, which is left for the next run. Raises `OSError`.
    """
    try:
        if stamp_of(path.lstat()) != stamp:
            return None
    except FileNotFoundError:
        return None
    for number in range(1, 10_000):
        to = into / (path.name if number == 1 else f"{path.stem}-{number}{path.suffix}")
        try:
            to.touch(mode=0o600, exist_ok=False)
        except FileExistsError:
            continue
        if not _moved(path, stamp, to):
            return None
        with suppress(OSError):
            to.chmod(0o600)
            os.utime(to, (now.timestamp(), now.timestamp()))
        return to
    raise FileExistsError(f"{into}: is full of {path.name}")


def _moved(path: Path, stamp: Stamp | None, to: Path) -> bool:
    """Move the file of this stamp, whatever comes in its place in that moment: False where another file has."""
    try:
        path.replace(to)
    except OSError:  # another file system
        try:
            shutil.copyfile(path, to, follow_symlinks=False)
            if same := stamp_of(path.lstat()) == stamp:
                path.unlink()
        except OSError:
            to.unlink(missing_ok=True)
            raise
        if not same:
            to.unlink()
        return same
    if stamp_of(to.lstat()) == stamp:
        return True
    # Nobody has read this one: it goes back, or beside one that came since, and the next run takes it.
    back = (path.with_name(f"{path.stem}{f'-{number}' if number > 1 else ''}{path.suffix}") for number in range(1, 999))
    to.rename(next(free for free in back if not free.exists()))
    return False


def write_reason(into: Path, name: str, digest: str, why: str) -> Path:
    """Say in a file beside it why a file could not be read. The same for the same file."""
    path = into / f"{Path(name).name}.{digest[:8]}{_REASON}"
    with (
        suppress(FileExistsError),
        os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file,
    ):
        file.write(f"{why}\n")
    return path


def delete_old(folder: Path, before: datetime, named: str = "*") -> int:
    """Delete the files of such names in this folder that are older; how many. They may hold shoppers' names.

    A link in the place of the folder, or of the warehouse's own, leads to files that are not ours: none is deleted.
    """
    gone = 0
    if folder.parent.is_symlink():
        return gone
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            for entry in os.scandir(handle):
                with suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    old = stat.S_ISREG(status.st_mode) and status.st_mtime < before.timestamp()
                    if old and fnmatchcase(entry.name, named):
                        os.unlink(entry.name, dir_fd=handle)
                        gone += 1
        finally:
            os.close(handle)
    return gone
