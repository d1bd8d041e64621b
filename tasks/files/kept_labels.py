"""The folder with the files of labels: each under the digest of its content, for this desk's user alone.

A file shows where a shopper lives, so nothing in its name says whose it is; the ledger does
(`tasks.ledger.label_files`). What the ledger does not know as kept has no business here, and `sweep` deletes it.
"""

import hashlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from rever_api.label_file import FileKind, LabelFile

_NAME = re.compile(rf"([0-9a-f]{{64}})\.({'|'.join(FileKind)})(\.[0-9a-f]{{16}}\.part)?")
_WRITTEN_WITHIN = timedelta(hours=1)
"""A file that the ledger does not know may be one that a run has just written, and notes next."""


class LabelFolderError(Exception):
    """The folder cannot be used; the sentence says why, and what would be right."""


@dataclass(frozen=True, slots=True)
class KeptLabels:
    """The files in one folder (`REVER_LABELS`), which is made when the first one is kept."""

    folder: Path

    def keep(self, file: LabelFile) -> str:
        """Keep a file, whole or not at all; its digest. The same content is kept once. Raises `LabelFolderError`."""
        path = self._path(file.digest, file.kind)
        part = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
        try:
            self._make()
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as target:
                target.write(file.content)
                target.flush()
                os.fsync(target.fileno())
            part.replace(path)
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise LabelFolderError(self._words(error)) from None
        return file.digest

    def read(self, digest: str, kind: str) -> bytes | None:
        """The content of a file; None where it is not there, or is another one by now."""
        try:
            handle = os.open(self._path(digest, FileKind(kind)), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as source:
                content = source.read()
        except OSError:
            return None
        return content if hashlib.sha256(content).hexdigest() == digest else None

    def has(self, digest: str, kind: str) -> bool:
        """Whether the file is there, whatever is in it; a link is none."""
        path = self._path(digest, FileKind(kind))
        return path.is_file() and not path.is_symlink()

    def remove(self, digests: Collection[str]) -> int:
        """Delete the files of these digests; how many. Raises `LabelFolderError`."""
        return self._delete(lambda digest, _: digest in digests)

    def sweep(self, kept: Collection[str], now: datetime) -> int:
        """Delete what the ledger does not know as kept, once it has lain there for an hour: until then a run may note
        it. How many; raises `LabelFolderError`.
        """
        newest = (now - _WRITTEN_WITHIN).timestamp()
        return self._delete(lambda digest, written: digest not in kept and written < newest)

    def _delete(self, chosen: Callable[[str, float], bool]) -> int:
        """Delete the files that are chosen by their digest, "" for one that was never finished, and their time."""
        gone = 0
        try:
            for entry in list(os.scandir(self.folder)):
                named = _NAME.fullmatch(entry.name)
                with suppress(FileNotFoundError):  # another run has deleted it
                    status = entry.stat(follow_symlinks=False)
                    digest = "" if named is None or named[3] else named[1]
                    if named and stat.S_ISREG(status.st_mode) and chosen(digest, status.st_mtime):
                        Path(entry.path).unlink()
                        gone += 1
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise LabelFolderError(self._words(error)) from None
        return gone

    def _path(self, digest: str, kind: FileKind) -> Path:
        return self.folder / f"{digest}.{kind}"

    def _make(self) -> None:
        """Make the folder, for its owner alone. Raises `LabelFolderError` where one is there that others may open."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = self.folder.lstat()
        if not stat.S_ISDIR(status.st_mode):
            raise LabelFolderError(f"{self.folder} (REVER_LABELS) is a link; name the folder itself")
        if status.st_uid != os.getuid() or status.st_mode & 0o077:
            found = f"mode {stat.S_IMODE(status.st_mode):04o}, of user {status.st_uid}"
            raise LabelFolderError(
                f"{self.folder} (REVER_LABELS) is open to others ({found}), and labels show where shoppers live;"
                f" make it this desk's own: chmod 700"
            )

    def _words(self, error: OSError) -> str:
        why = (error.strerror or type(error).__name__).lower()
        return f"{self.folder} (REVER_LABELS) cannot be used for the files of labels: {why}"
