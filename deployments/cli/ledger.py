"""`rever-returns why` and `holds`: what the ledger knows, only read. REVER is not asked: they work in its outages."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from deployments.cli.switch import stopped_text
from deployments.cli.text import hold_json, holds_table, told
from tasks.desk import utc_now
from tasks.ledger import Ledger, LedgerError, Pause, history, open_holds, pauses_of, switch
from tasks.reporting.printable import json_text, printable
from tasks.settings import Settings, load_settings, without_password

T = TypeVar("T")


def why_lines(process_id: str) -> list[str]:
    """What was decided and done about a return, as lines. Raises LedgerError for one the ledger has never seen."""
    settings = load_settings()
    now = utc_now()
    known, stopped, pauses = _read(
        settings, lambda conn: (history(conn, process_id), switch(conn), pauses_of(conn, None, now))
    )
    if known is None:
        ledger = without_password(settings.ledger_url.get_secret_value())
        raise LedgerError(
            f"{process_id} is not in the ledger {ledger}: no run with mode=act has looked at it, or the id is wrong."
        )
    stops = [stopped_text(stopped), *(_sentence(pause) for pause in pauses if pause.store == known.record.store)]
    return told(known, list(filter(None, stops)), now)


def holds_text(*, as_json: bool) -> str:
    """The open holds, oldest first: a JSON list, or a table, below lines that say so while effects are stopped."""
    now = utc_now()
    found, stopped, pauses = _read(
        load_settings(), lambda conn: (open_holds(conn), switch(conn), pauses_of(conn, None, now))
    )
    rows = sorted(found, key=lambda row: (row.since, row.hold_id))
    if as_json:
        return json_text([hold_json(row) for row in rows])
    stops = [printable(line) for line in (stopped_text(stopped), *map(_sentence, pauses)) if line]
    return "\n\n".join([*stops, holds_table(rows)])


def _sentence(pause: Pause) -> str:
    return pause.words[0].upper() + pause.words[1:]


def _read(settings: Settings, op: Callable[[Connection], T]) -> T:
    url = settings.ledger_url.get_secret_value()
    ledger = Ledger.open(url, account=settings.account, clock=utc_now, read_only=True, existing=True)
    try:
        return ledger.read(op)
    finally:
        ledger.close()
