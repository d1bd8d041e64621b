"""`rever-returns stop` and `start`: the stop switch; `resume`: the end of a store's pause.

While effects are stopped reads go on; no effect starts, also in runs that are under way.
"""

import asyncio
import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from dotenv import dotenv_values
from sqlalchemy import Connection

from deployments.console.errors import UsageError
from deployments.console.logs import log_to_stderr
from tasks.ledger import Actor, Ledger, Switch, last_run, lift_pause, restored, stop_switch, switch
from tasks.settings import load_settings, without_password
from tasks.settings.load import ENV_FILE


def stopped_text(now: Switch) -> str:
    """How the switch stands while it is stopped, in one sentence; empty where effects may go."""
    if not now.stopped:
        return ""
    since = f" since {now.since.astimezone(UTC):%Y-%m-%d %H:%MZ}" if now.since else ""
    return f"All effects are stopped{since} by {now.by}: {now.why} (`rever-returns start --by NAME` lets them go again)"


@dataclass(frozen=True, slots=True)
class Thrown:
    """What throwing the switch came to: in words, and, where it changed, how it stands now."""

    text: str
    now: Switch | None = None


def throw_switch(*, on: bool, by: str, why: str) -> Thrown:
    """Stop all effects, or let them go again; answers what is the case now, and in which ledger.

    Raises `LedgerError` (`NoLedgerError`: a switch in a ledger that nobody uses would reassure), `UsageError`.
    """
    if not by.strip() or (on and not why.strip()):
        raise UsageError("say who you are (--by) and why (--why): the others will read it in every run and hold list.")
    settings = load_settings()
    url = settings.ledger_url.get_secret_value()
    ledger = Ledger.open(url, account=settings.account, clock=lambda: datetime.now(UTC), existing=True)
    try:
        thrown = ledger.write(_throw, on=on, by=by.strip(), why=why.strip())
        behind = None if on else ledger.read(restored, settings.stores)
        last = ledger.read(last_run)
    finally:
        ledger.close()
    used = f"a run last used it at {last.astimezone(UTC):%Y-%m-%d %H:%MZ}" if last else "no run has used it yet"
    waits = ""
    if behind:
        names = ", ".join(behind.stores)
        waits = f"\nNothing is sent to {names} until `rever-returns run reconcile mode=act` has caught up there."
    about = f"\nLedger {without_password(url)} of the REVER account {settings.account}; {used}."
    return replace(thrown, text=thrown.text + waits + about)


def _throw(conn: Connection, *, on: bool, by: str, why: str) -> Thrown:
    before = switch(conn)
    if before.stopped is on:
        return Thrown(
            f"Nothing changed. {stopped_text(before)}" if on else "Nothing changed: effects were not stopped."
        )
    now = stop_switch(conn, on=on, by=by, why=why, now=datetime.now(UTC))
    if on:
        text = f"{stopped_text(now)}\nWhat was sent before this moment is settled as usual; reads go on."
        return Thrown(text, now)
    return Thrown("Effects may go again, from the next run on.", now)


def resume(store: str, *, by: str, why: str) -> str:
    """End a store's pause by hand; answers what was done. Raises `LedgerError`, `UsageError`."""
    if not by.strip():
        raise UsageError("say who you are (--by): it is kept in the audit.")
    settings = load_settings()
    if settings.stores and store not in settings.stores:
        raise UsageError(f"this desk has no store {store!r}; its stores are {', '.join(settings.stores)}")
    url = settings.ledger_url.get_secret_value()
    ledger = Ledger.open(url, account=settings.account, clock=lambda: datetime.now(UTC), existing=True)
    try:
        actor = Actor(by.strip())
        until = ledger.write(lift_pause, store, why=why.strip(), now=datetime.now(UTC), actor=actor)
        stopped = stopped_text(ledger.read(switch))
    finally:
        ledger.close()
    if until is None:
        done = f"Nothing changed: store {store} is not paused."
    else:
        done = f"Store {store} was paused until {until.astimezone(UTC):%Y-%m-%d %H:%MZ}; its effects may go again."
    return f"{done}\n{stopped}" if stopped else done


def tell_prefect(thrown: Thrown) -> None:
    """Emit the event of a switch that was thrown, where a Prefect API is configured. The switch holds without it."""
    if thrown.now is None or not _has_prefect():
        return
    log_to_stderr(debug=False)
    from tasks.in_prefect.events import send, switch_event

    asyncio.run(send([switch_event(thrown.now)]))


def _has_prefect() -> bool:
    written = dotenv_values(ENV_FILE) if ENV_FILE.is_file() else {}
    return bool(os.environ.get("PREFECT_API_URL") or written.get("PREFECT_API_URL"))
