"""`rever-returns stop` and `start`: the stop switch. Reads go on; no effect starts, also in runs that are under way."""

from datetime import UTC, datetime

from sqlalchemy import Connection

from deployments.cli.errors import UsageError
from tasks.ledger import Ledger, Switch, stop_switch, switch
from tasks.settings import load_settings


def stopped_text(now: Switch) -> str:
    """How the switch stands while it is stopped, in one sentence; empty where effects may go."""
    if not now.stopped:
        return ""
    since = f" since {now.since.astimezone(UTC):%Y-%m-%d %H:%MZ}" if now.since else ""
    return f"All effects are stopped{since} by {now.by}: {now.why} (`rever-returns start --by NAME` lets them go again)"


def throw_switch(*, on: bool, by: str, why: str) -> str:
    """Stop all effects, or let them go again; answers what is the case now. Raises LedgerError, UsageError."""
    if not by.strip() or (on and not why.strip()):
        raise UsageError("say who you are (--by) and why (--why): the others will read it in every run and hold list.")
    settings = load_settings()
    url = settings.ledger_url.get_secret_value()
    ledger = Ledger.open(url, account=settings.account, clock=lambda: datetime.now(UTC))
    try:
        return ledger.write(_throw, on=on, by=by.strip(), why=why.strip())
    finally:
        ledger.close()


def _throw(conn: Connection, *, on: bool, by: str, why: str) -> str:
    before = switch(conn)
    if before.stopped is on:
        return f"Nothing changed. {stopped_text(before)}" if on else "Nothing changed: effects were not stopped."
    thrown = stop_switch(conn, on=on, by=by, why=why, now=datetime.now(UTC))
    if on:
        return f"{stopped_text(thrown)}\nWhat was sent before this moment is settled as usual; reads go on."
    return "Effects may go again, from the next run on."
