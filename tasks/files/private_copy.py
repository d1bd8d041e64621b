"""A private copy of a file that came: nobody changes it while it is read, and its content tells it from all others."""

import fcntl
import hashlib
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tasks.files.mapping import LARGEST_MAPPING
from tasks.files.table import LARGEST_TEXT, InputFileError

_COPIES = "rever-inspections-"
_BEGINS = timedelta(minutes=1)
"""Within this a run has locked the folder that it made."""
_CHUNK = 1 << 20


Stamp = tuple[int, int, int]
"""What tells a file from one that takes its place: its number on the disk, its size, and when it was last changed."""


class StillGrowingError(InputFileError):
    """A file that changes while it is read: it is left where it is."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A file that came. `name` is how people know it, `copy` a private copy of it, `mapping` the file with its meaning,
    a copy too where it lies in a folder that others write to; `meaning` is how people know that one.

    `digest` stands for the content of file and mapping together: with another mapping it is another file. `origin` is
    where it lies, and `stamp` what tells it from another file of that name; None for what was fetched. `watched`: it
    lies where a warehouse puts its files, and is moved once it is taken.
    """

    name: str
    copy: Path
    mapping: Path
    digest: str
    origin: Path | None = None
    stamp: Stamp | None = None
    watched: bool = False
    meaning: str = ""


def stamp_of(status: os.stat_result) -> Stamp:
    """The stamp of a file."""
    return status.st_ino, status.st_size, status.st_mtime_ns


@contextmanager
def private_copies(now: datetime) -> Iterator[Path]:
    """A folder for copies that only this user can read. It is gone at the end, and so are those of killed runs.

    Each run holds a lock on its own: one that nobody holds is of a run that was killed.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{_COPIES}*"):
        with suppress(OSError):
            status = left.lstat()
            if status.st_uid == os.getuid() and now.timestamp() - status.st_mtime > _BEGINS.total_seconds():
                with _locked(left):
                    shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_COPIES) as folder, _locked(Path(folder)):
        yield Path(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder. Raises `OSError` where another run holds it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def printable(path: Path) -> str:
    """A path for people. A name may be no text at all, or have line breaks in it."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in str(path))


def copied(path: Path, copies: Path) -> tuple[Path, str, Stamp]:
    """A copy of a file under its own name, its digest, and the stamp of the file. Raises `InputFileError`."""
    copy = copies / hashlib.sha256(os.fsencode(path)).hexdigest()[:16] / path.name
    try:
        copy.parent.mkdir(mode=0o700)
        return copy, *_copied(path, copy)
    except OSError as error:
        words = f"cannot be read ({error.strerror or type(error).__name__})"
        raise InputFileError(f"{printable(path)}: {words}.") from error


def arrived(path: Path, mapping: Path, copies: Path, *, watched: bool) -> Arrived:
    """Copy a file and its mapping, and see that they are whole. Raises `InputFileError`."""
    copy, digest, stamp = copied(path, copies)
    meaning, together = with_mapping(digest, mapping, copy.parent)
    return Arrived(printable(path), copy, meaning, together, path, stamp, watched, printable(mapping))


def with_mapping(digest: str, mapping: Path, copies: Path) -> tuple[Path, str]:
    """A copy of a mapping, and the digest of a file together with what it means. Raises `InputFileError`."""
    copy = copies / f".mapping-{secrets.token_hex(8)}"
    if mapping.is_symlink():
        raise InputFileError(f"{printable(mapping)}: is a link, and is not opened; put the mapping itself there.")
    try:
        meaning, _ = _copied(mapping, copy, LARGEST_MAPPING)
    except OSError as error:
        words = f"the mapping cannot be read ({error.strerror or type(error).__name__})"
        raise InputFileError(f"{printable(mapping)}: {words}.") from error
    return copy, hashlib.sha256(digest.encode() + bytes.fromhex(meaning)).hexdigest()


def _copied(path: Path, to: Path, most: int = LARGEST_TEXT) -> tuple[str, Stamp]:
    # A link is not followed, and without O_NONBLOCK the opening of a pipe would wait for ever.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as source:
        before = os.fstat(handle)
        if not stat.S_ISREG(before.st_mode):
            raise InputFileError(f"{printable(path)}: is no file.")
        digest = copy_from(source.read, to, printable(path), most)
        after = os.fstat(handle)
    if stamp_of(before) != stamp_of(after):
        raise StillGrowingError(f"{printable(path)}: changed while it was read; it is taken once it is whole.")
    return digest, stamp_of(after)


def copy_from(read: Callable[[int], bytes], to: Path, name: str, most: int = LARGEST_TEXT) -> str:
    """Write what `read` returns, piece by piece, into a new file for its owner alone; the digest of it.

    Raises `InputFileError` past the largest size of a file, whatever was said of its size before.
    """
    digest, size = hashlib.sha256(), 0
    with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
        while chunk := read(_CHUNK):
            size += len(chunk)
            if size > most:
                raise InputFileError(f"{name}: has more than {most:,} bytes; split it.")
            digest.update(chunk)
            target.write(chunk)
    return digest.hexdigest()
