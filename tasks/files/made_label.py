"""The file of a label that was made by hand: whether REVER would take it, and what tells it from another."""

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from tasks.files.private_copy import printable
from tasks.files.table import InputFileError

LARGEST_LABEL = 5 * 1024**2
"""Bytes that a label has at most: it goes to REVER within one call. A label of one page has some 100,000."""

BEGINNINGS: Mapping[str, bytes] = MappingProxyType(
    {"pdf": b"%PDF-", "png": b"\x89PNG\r\n\x1a\n", "jpg": b"\xff\xd8\xff"}
)
"""Extension that REVER takes -> how such a file begins (ISO 32000, ISO 15948, ISO 10918)."""


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
    extension = path.suffix.removeprefix(".").lower()
    if extension not in BEGINNINGS:
        raise InputFileError(f"{name}: {_other_extension(extension)}")
    content = _content(path, name)
    if not content:
        raise InputFileError(f"{name}: is empty.")
    if not content.startswith(BEGINNINGS[extension]):
        real = next((it for it, beginning in BEGINNINGS.items() if content.startswith(beginning)), "")
        if real:
            raise InputFileError(f"{name}: is a {real} by its content; rename it to {path.stem}.{real}.")
        raise InputFileError(f"{name}: is no {extension} by its content; save the label as a pdf, png or jpg.")
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
            content = file.read(LARGEST_LABEL + 1)
    except FileNotFoundError:
        raise InputFileError(f"{name}: is not there.") from None
    except (OSError, ValueError) as error:  # a zero character in a name is a `ValueError`
        words = getattr(error, "strerror", None) or type(error).__name__
        raise InputFileError(f"{name}: cannot be read ({words}).") from error
    if len(content) > LARGEST_LABEL:
        raise InputFileError(f"{name}: has more than {LARGEST_LABEL:,} bytes; make it smaller.")
    return content
