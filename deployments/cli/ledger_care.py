"""What `rever-returns ledger ...` does, with the settings in force. Each function returns the text to print."""

import re
import sys
from collections.abc import Collection, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from deployments.cli.find import ids_named
from deployments.cli.ledger import opened_ledger
from deployments.console.errors import CommandError, UsageError
from deployments.receiver.inbox import Inbox
from deployments.receiver.inbox_care import remove_return, remove_shopper
from tasks.archive_ledger import WindowTooShort, archive_folder, archive_ledger, check_window
from tasks.desk import utc_now
from tasks.files.kept_labels import KeptLabels, LabelFolderError
from tasks.ledger import (
    Actor,
    Archive,
    Forgotten,
    Format,
    Ledger,
    LedgerError,
    back_up,
    catch_up,
    check,
    export,
    forget_email,
    forget_return,
    known_archives,
    mark_restored,
    move_archives,
    restore,
)
from tasks.policy.clocks import clock_time
from tasks.policy.facts import counted
from tasks.policy.policy_file import read_policy
from tasks.reporting.archive_report import archive_lines
from tasks.settings import Settings, load_settings, without_password

SINCE = "what REVER shows since then"


def _until_reconcile(settings: Settings, *, over: str) -> str:
    """What has to come before effects go again; `over` is what reconcile goes over."""
    earliest = utc_now() + timedelta(seconds=settings.settle_after)
    begin = f"It must begin at {clock_time(earliest, seconds=True)} or later (REVER_SETTLE_AFTER from now)"
    return (
        f"all effects are stopped. First reconcile goes over {over} (rever-returns run reconcile mode=act). {begin}:"
        " what was sent until now may not show before. Then a person looks at what it holds (rever-returns holds) and"
        " lets effects go (rever-returns start)"
    )


def checked() -> tuple[list[str], bool]:
    """What the check says, and whether the ledger is sound."""
    settings = load_settings()
    with opened_ledger(settings, read_only=True) as ledger:
        found = ledger.read(check, now=utc_now())
    seen = f"{counted(found.returns, 'return')}, {counted(found.intents, 'effect')}"
    seen += f", {counted(found.steps, 'step')} of the audit"
    if not found.findings:
        return [f"{_name(settings)} is sound: {seen}."], True
    many = f"{len(found.findings)} finding{'s' if len(found.findings) > 1 else ''}"
    return [*map(str, found.findings), f"{_name(settings)}: {many} in {seen}."], False


def created(by: str) -> str:
    """Make the ledger of an account, once. Raises `LedgerError` if there is one."""
    settings = load_settings()
    url = settings.ledger_url.get_secret_value()
    if Ledger.exists(url):
        raise LedgerError(f"{_name(settings)} is there already; nothing was changed")
    with closing(Ledger.open(url, account=settings.account, clock=utc_now)) as ledger:
        ledger.write(mark_restored, why="the ledger is new", now=utc_now(), actor=Actor(by))
    return (
        f"{_name(settings)} was made, for the REVER account {settings.account}. It knows nothing of what was paid or"
        f" answered before, so {_until_reconcile(settings, over='all that REVER shows')}."
    )


def backed_up(file: Path) -> str:
    """Back the ledger up."""
    size = back_up(load_settings().ledger_url.get_secret_value(), file)
    return f"{file} holds the ledger as it is now, {size / 1024:.0f} KiB. Keep it as safe as the ledger."


def restored_from(file: Path, by: str) -> str:
    """Restore the ledger from a backup."""
    settings = load_settings()
    url = settings.ledger_url.get_secret_value()
    kept, until = restore(url, file, account=settings.account, clock=utc_now, actor=Actor(by))
    former = f" The former one is kept as {kept}." if kept.exists() else ""
    ready = _until_reconcile(settings, over=SINCE)
    return f"{_name(settings)} is as it was at {clock_time(until, seconds=True)}; {ready}.{former}"


def marked_restored(by: str) -> str:
    """Mark the ledger as restored by other means."""
    settings = load_settings()
    with opened_ledger(settings) as ledger:
        until = ledger.write(mark_restored, why="it was put back by other means", now=utc_now(), actor=Actor(by))
    first = _until_reconcile(settings, over=SINCE)
    return f"{_name(settings)} knows what was done until {clock_time(until, seconds=True)}; {first}."


def let_go_again(stores: Sequence[str], by: str, why: str) -> str:
    """Take these stores as caught up, by a person's say."""
    settings, now = load_settings(), utc_now()
    with opened_ledger(settings) as ledger:
        gone = ledger.write(
            catch_up, stores, read_since=now, settle_after=timedelta(0), now=now, actor=Actor(by), why=why
        )
    if not gone:
        return "no restore was waiting for these stores."
    return f"caught up: {', '.join(gone)}. Effects are still stopped: rever-returns start lets them go."


def exported(folder: Path, form: str) -> list[str]:
    """Export the ledger; one line per file. Raises `UsageError` for an unknown format."""
    if form not in set(Format):
        raise UsageError(f"--format is csv or jsonl, not {form!r}")
    with opened_ledger(load_settings(), read_only=True) as ledger:
        written = ledger.read(export, folder, Format(form))
    return [f"{folder / name}: {counted(many, 'row')}" for name, many in written.items()]


def forgotten(process_id: str, email: str, by: str) -> str:
    """Serve an erasure request, in inbox and ledger, for the shopper of a return, or of all of an order, or by e-mail.

    Raises `UsageError` unless just one of the two is given, and `NothingFoundError` for a return that nobody knows.
    """
    if bool(process_id) == bool(email):
        raise UsageError("say either a return (its id or order number) or --email, to name the shopper")
    if "@" in process_id:
        raise UsageError("write an e-mail address behind --email: then all that it led to is removed")
    if process_id:
        return "\n".join(_forgotten(each, "", by) for each in ids_named(process_id))
    return _forgotten("", email, by)


def _forgotten(process_id: str, email: str, by: str) -> str:
    address = sys.stdin.readline().strip() if email == "-" else email
    if not process_id and "@" not in address:
        raise UsageError("--email takes an e-mail address")
    settings = load_settings()
    bodies = _forgotten_bodies(settings, process_id, address)
    inbox = f"removed from the inbox: {counted(bodies, 'webhook body', 'webhook bodies')}. " if bodies else ""
    try:
        found = _forgotten_in_ledger(settings, process_id, address, by)
    except LedgerError as error:
        if not bodies:
            raise
        return f"{inbox}In the ledger nothing was removed: {error}"
    if not found.known:
        whose = f"the shopper of {process_id}" if process_id else "this address"
        nothing = f"nothing in the ledger leads to {whose}, so nothing was removed there"
        return f"{inbox}{nothing[0].upper()}{nothing[1:]}. Check how it is written; backups were not looked at."
    return (
        f"{inbox}removed: what led back to the shopper, that is the keyed hash under which"
        f" {counted(found.refunds, 'refund')} {'was' if found.refunds == 1 else 'were'} counted,"
        f" {counted(found.words, 'text')} in REVER's own words, what {counted(found.holds, 'hold')} said about the"
        f" goods, and {counted(len(found.label_files), 'file')} of labels. Kept: amounts, ids and the audit, which"
        " explain where money went and name nobody. Backups made before still hold what was removed."
        f"{_without_labels(settings, found.label_files)}"
    )


def _without_labels(settings: Settings, digests: Collection[str]) -> str:
    """Delete the files of these labels; what is to be said of those that are not here.

    Raises `CommandError` where they cannot be deleted. The ledger does not know them any more, so that runs would
    delete them too.
    """
    if not digests:
        return ""
    if settings.labels is None:
        return " The files of labels are not here: REVER_LABELS is not set. A run where it is set deletes them."
    try:
        gone = KeptLabels(settings.labels).remove(digests)
    except LabelFolderError as error:
        names = ", ".join(f"{digest}.*" for digest in sorted(digests))
        raise CommandError(f"all was removed but the files of labels: {error}. Delete them there: {names}") from None
    left = len(digests) - gone
    if not left:
        return ""
    return f" Not in {settings.labels}: {counted(left, 'file')} of labels; the next run deletes what lies elsewhere."


def _forgotten_in_ledger(settings: Settings, process_id: str, address: str, by: str) -> Forgotten:
    with opened_ledger(settings) as ledger:
        now, actor = utc_now(), Actor(by)
        if process_id:
            found = ledger.write(forget_return, process_id, now=now, actor=actor)
        else:
            found = ledger.write(forget_email, address, now=now, actor=actor)
        ledger.trim()
    return found


def _forgotten_bodies(settings: Settings, process_id: str, address: str) -> int:
    """Remove the bodies of the shopper's webhooks, where there is an inbox."""
    url = settings.inbox_url.get_secret_value()
    if not Inbox.exists(url):
        return 0
    with closing(Inbox.open(url)) as inbox:
        many = inbox.write(remove_return, process_id) if process_id else inbox.write(remove_shopper, address)
        inbox.trim()
    return many


def _name(settings: Settings) -> str:
    return f"the ledger {without_password(settings.ledger_url.get_secret_value())}"


# What `rever-returns ledger archive` and `archives` do. Each function returns the lines to print.

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
    told = f"{archive.path}: {many}, made {clock_time(archive.made_at)}"
    try:
        archive.opened()
    except LedgerError as error:
        return f"{told}; IT CANNOT BE READ: {error}"
    return told
