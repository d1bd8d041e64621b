"""What `rever-returns ledger archive` and `archives` do. Each function returns the lines to print."""

import re
from pathlib import Path

from deployments.cli.ledger import opened_ledger
from deployments.console.errors import UsageError
from tasks.archive_ledger import WindowTooShort, archive_folder, archive_ledger, check_window
from tasks.desk import utc_now
from tasks.ledger import Actor, Archive, known_archives, move_archives
from tasks.policy.clocks import clock_time
from tasks.policy.facts import counted
from tasks.policy.policy_file import read_policy
from tasks.reporting.archive_report import archive_lines
from tasks.settings import load_settings

_DAYS = re.compile(r"([0-9]{1,5})d?")


def archived(older_than: str, to: Path | None, *, act: bool, by: str) -> list[str]:
    """Archive what was over long ago, or say what would move. Raises `UsageError` for a window that is too short."""
    written = _DAYS.fullmatch(older_than.strip())
    if written is None:
        raise UsageError(f"--older-than takes days, such as 400d, not {older_than!r}")
    settings = load_settings()
    days = int(written[1])
    try:
        check_window(days, read_policy(settings.policy))
    except WindowTooShort as error:
        raise UsageError(f"--older-than: {error}.") from None
    folder = archive_folder(settings, to)
    with opened_ledger(settings, read_only=not act) as ledger:
        done = archive_ledger(ledger, folder, days, act=act, clock=utc_now, actor=Actor(by))
    end = [] if act else ["Nothing was moved: --act moves it."]
    return [*archive_lines(done), *end]


def archives_told(moved_to: Path | None) -> list[str]:
    """The ledger's archives, and whether each can be read; with `moved_to` they are looked for there from now on."""
    with opened_ledger(load_settings(), read_only=moved_to is None) as ledger:
        if moved_to is not None:
            ledger.write(move_archives, moved_to.resolve())
        found = ledger.read(known_archives)
    if not found:
        return ["The ledger has no archives."]
    return [_told(archive) for archive in found]


def _told(archive: Archive) -> str:
    many = f"{counted(archive.counts['returns'], 'return')}, {counted(archive.counts['audit'], 'step')} of the audit"
    missing = "" if archive.path.is_dir() else "; IT IS NOT THERE"
    return f"{archive.path}: {many}, made {clock_time(archive.made_at)}{missing}"
