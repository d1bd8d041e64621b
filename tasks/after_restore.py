"""After a restore from a backup: how far back reconcile must read, and when effects may go again."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from tasks.desk import Desk
from tasks.ledger import catch_up, restored
from tasks.policy.clocks import ahead
from tasks.report import Mode

MARGIN = timedelta(hours=1)
"""Clocks of two machines differ; what the backup knew last is looked at again from a little before."""


async def since_backup(desk: Desk, stores: Sequence[str], asked: timedelta) -> timedelta:
    """The window that was asked for, or a longer one that reaches back to the backup the ledger came from."""
    mark = await desk.ledger.aread(restored, stores)
    return asked if mark is None else max(asked, desk.clock() - mark.since + MARGIN)


async def after_restore(desk: Desk, stores: Sequence[str], began: datetime, *, failures: int) -> list[str]:
    """Let effects go again where REVER was read whole since `began`; answers what is to be said about it."""
    mark = await desk.ledger.aread(restored, stores)
    if mark is None:
        return []
    names, settled = ", ".join(mark.stores), mark.at + desk.settings.settle_delay
    still = f"the ledger was restored; nothing is sent to {names}"
    if desk.mode is Mode.PLAN:
        return [f"{still} until reconcile has run with mode=act"]
    if failures:
        return [
            f"{still} until a reconcile reads every return ({failures} could not be read), or a person says"
            " `rever-returns ledger caught-up`"
        ]
    if began < settled and not ahead(mark.at, desk.clock()):
        return [f"{still} until a reconcile that begins at {settled:%F %H:%M:%S} UTC or later"]
    delay = desk.settings.settle_delay
    await desk.ledger.awrite(catch_up, stores, read_since=began, settle_after=delay, now=desk.clock(), actor=desk.actor)
    return [
        f"reconcile has caught up with the restore at {names}. Effects are still stopped: look at what is held, then"
        " let them go (rever-returns start)"
    ]
