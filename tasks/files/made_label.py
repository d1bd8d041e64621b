"""The file of a label that was made by hand: whether REVER would take it, and what tells it from another."""

import hashlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from rever_api.label_file import LARGEST, FileKind, is_whole, kind_of
from tasks.files.private_copy import printable
from tasks.files.table import InputFileError


@dataclass(frozen=True, slots=True)
class LabelFile:
    """A label's file as it was read; `digest` is the SHA-256 of its content, in hex."""

    path: Path
    extension: str
    digest: str
    content: bytes = field(repr=False)

    @property
    def words(self) -> str:
        """Which file it is."""
        return f"{printable(self.path)} ({self.extension}, {len(self.content):,} bytes, SHA-256 {self.digest[:12]}...)"


def read_label(path: Path) -> LabelFile:
    """Read the file of a label whole. Raises `InputFileError` for what REVER would not take, or is no plain file."""
    name = printable(path)
    extension = Path(name).suffix.removeprefix(".").lower()
    if extension not in set(FileKind):
        raise InputFileError(f"{name}: {_other_extension(extension)}")
    content = _content(path, name)
    if not content:
        raise InputFileError(f"{name}: is empty.")
    real = kind_of(content)
    if real is None:
        raise InputFileError(f"{name}: is no {extension} by its content; save the label as a pdf, png or jpg.")
    if real != extension:
        raise InputFileError(f"{name}: is a {real} by its content; rename it to {Path(name).stem}.{real}.")
    if not is_whole(real, content):
        raise InputFileError(f"{name}: has no end, so it is not whole; save the label again.")
    return LabelFile(Path(os.path.abspath(path)), extension, hashlib.sha256(content).hexdigest(), content)  # noqa: PTH100 - a link stays one


def _other_extension(extension: str) -> str:
    if extension == "jpeg":
        return "REVER takes the extension jpg, and not jpeg; rename it."
    found = f"the extension {extension}" if extension else "no extension"
    return f"has {found}; REVER takes labels as pdf, png or jpg."


def _content(path: Path, name: str) -> bytes:
    """The content of a plain file: a link is not followed, a pipe not waited for, a device not opened."""
    try:
        if stat.S_ISLNK(path.lstat().st_mode):
            raise InputFileError(f"{name}: is a link; name the file itself.")
        if not stat.S_ISREG(path.stat().st_mode):
            raise InputFileError(f"{name}: is a folder or a device, and no file.")
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise InputFileError(f"{name}: is a folder or a device, and no file.")
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise InputFileError(f"{name}: is not there.") from None
    except (OSError, ValueError) as error:  # a zero character in a name is a `ValueError`
        words = getattr(error, "strerror", None) or type(error).__name__
        raise InputFileError(f"{name}: cannot be read ({words}).") from error
    if len(content) > LARGEST:
        raise InputFileError(f"{name}: has more than {LARGEST:,} bytes; make it smaller.")
    return content
