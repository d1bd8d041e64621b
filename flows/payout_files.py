"""The payout files that a person or a form names: what is read of them, and from where."""

from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from prefect.runtime import deployment

from tasks.desk import Desk, WrongNameError
from tasks.files.drop_folder import inside
from tasks.files.private_copy import copied
from tasks.files.table import InputFileError


def payout_files(desk: Desk, typed: Sequence[str], copies: Path) -> list[Path]:
    """The payout files that are meant. In Prefect a name with `*` is all files of the folder that it fits.

    Raises `InputFileError`, and `WrongNameError` for one that is named twice.
    """
    if double := next((it for it in typed if typed.count(it) > 1), None):
        raise WrongNameError(f"{double} is named twice; name each file once")
    root = None if deployment.id is None else desk.settings.payout_files
    names = list[str]()
    for each in typed:
        fits = sorted(it.name for it in root.iterdir() if it.is_file() and fnmatch(it.name, each)) if root else []
        names += fits if root and "*" in each else [each]
    return [payout_file(desk, name, copies) for name in dict.fromkeys(names)]


def payout_file(desk: Desk, typed: str, copies: Path) -> Path:
    """The file that is meant: what was typed into a form is read by a worker, so only from its folder, as a copy.

    Raises `InputFileError`.
    """
    if deployment.id is None:
        return Path(typed)
    root = desk.settings.payout_files
    if root is None:
        words = "no folder is set from which payout files are taken; set REVER_PAYOUT_FILES where the workers run"
        raise InputFileError(f"{words}, and put them there.")
    return copied(inside(root, typed), copies)[0]  # nobody puts a link in its place once it was looked at


def named_file(desk: Desk, typed: str, copies: Path) -> Path | None:
    """The file that is meant; None where none is named. Raises `InputFileError`."""
    return payout_file(desk, typed, copies) if typed else None
