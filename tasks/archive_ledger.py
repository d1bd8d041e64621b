"""Move what the ledger keeps of returns that were over long ago to archives: how old, into which folder, what it gains.

What may move, and how, is the ledger's affair (`tasks.ledger.archiving`).
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tasks.database.engines import Where
from tasks.desk import Desk, DeskError
from tasks.ledger import (
    LONGEST_WAIT,
    Actor,
    Archived,
    Ledger,
    LedgerError,
    Plan,
    archive_returns,
    ledger_size,
    plan_archive,
)
from tasks.policy.conditions import checks_of
from tasks.policy.facts import counted
from tasks.policy.policy_file import PolicyFile
from tasks.reconcile import PAST_THE_END
from tasks.settings import Settings
from tasks.steps import step

MARGIN = timedelta(days=7)
"""How much longer than each window: reconcile looks at a return once a week."""


class WindowTooShort(DeskError):  # noqa: N818 - it says what is wrong
    """Something may look back further than the returns that were to be archived are old."""


@dataclass(frozen=True, slots=True)
class Window:
    """How far back something looks, and what."""

    days: int
    what: str


def windows(policies: PolicyFile) -> Iterator[Window]:
    """How far back rules, guards and runs look at a return or what was paid for it."""
    yield Window(PAST_THE_END.days, "reconcile looks so long at returns that have ended")
    yield Window(LONGEST_WAIT.days, "a return waits so long, at most, for REVER to pay")
    for store, policy in (("every store", policies.default), *policies.stores.items()):
        if policy.guards.max_refunds_per_shopper:
            yield Window(policy.guards.shopper_window_days, f"the cap on refunds per shopper counts them ({store})")
    for store, rules in (("every store", policies.rules.default), *policies.rules.stores.items()):
        for rule in rules:
            for check in checks_of(rule.when):
                if check.within_days is not None:
                    yield Window(check.within_days, f"the rule {rule.name!r} counts earlier returns ({store})")


def check_window(days: int, policies: PolicyFile) -> None:
    """Refuse to archive what something may still look at. Raises `WindowTooShort`, which says what that is."""
    longest = max(windows(policies), key=lambda it: it.days)
    least = longest.days + MARGIN.days
    if days < least:
        raise WindowTooShort(
            f"{counted(days, 'day')} are too few: {longest.what}, {longest.days} days back. Archive what was last"
            f" touched {least} days ago or longer"
        )


def archive_folder(settings: Settings, typed: Path | None = None) -> Path:
    """Where archives go: what was typed, the setting, or beside a ledger on SQLite. Raises `DeskError`."""
    stated = typed or settings.archives
    if stated is not None:
        return stated
    path = Where.of(settings.ledger_url.get_secret_value()).path
    if path is None:
        raise DeskError(
            "the ledger is on PostgreSQL, and no folder for archives is stated: set REVER_ARCHIVES, or say --to"
        )
    return path.with_name(f"{path.name}.archives")


@dataclass(slots=True)
class LedgerArchiving:
    """What moves, or has moved: the plan, and with `act` what came of it. `size` is what the ledger takes then.

    `not_smaller` says why the ledger takes as much of its disk as before.
    """

    cut: datetime
    folder: Path
    plan: Plan
    moved: Archived | None = None
    size: int = 0
    not_smaller: str = ""

    @property
    def per_return(self) -> float:
        """Bytes of the ledger per return that it knows, afterwards."""
        return self.size / self.plan.of if self.plan.of else 0.0


@step("archive-ledger")
async def archive_old_returns(desk: Desk, folder: Path, days: int, *, act: bool) -> LedgerArchiving:
    """Archive for a run, beside its other work. Raises `LedgerError`."""
    parts = (desk.ledger, folder, days)
    return await asyncio.to_thread(archive_ledger, *parts, act=act, clock=desk.clock, actor=desk.actor)


def archive_ledger(
    ledger: Ledger, folder: Path, days: int, *, act: bool, clock: Callable[[], datetime], actor: Actor
) -> LedgerArchiving:
    """Say what would move, and with `act` move it, and make SQLite's file smaller. Raises `LedgerError`."""
    cut = clock() - timedelta(days=days)
    done = LedgerArchiving(cut, folder, ledger.read(plan_archive, cut))
    if not act:
        return done
    done.moved = archive_returns(ledger, folder, cut, clock=clock, actor=actor)
    if done.moved.returns:
        try:
            ledger.shrink()
        except LedgerError as error:
            done.not_smaller = str(error)
    done.size = ledger.read(ledger_size)
    return done
