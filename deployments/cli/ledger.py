"""`rever-returns holds`, `stop`, `start` and `resume`: what the ledger knows, and what a person says to it.

REVER is not asked, so they work in its outages. While effects are stopped reads go on, and no effect starts, also in
runs that are under way.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC
from types import MappingProxyType
from typing import Any, TypeVar

from sqlalchemy import Connection

from deployments.console.errors import UsageError
from deployments.console.logs import log_to_stderr
from tasks.desk import utc_now
from tasks.ledger import (
    Actor,
    HoldRow,
    Ledger,
    Switch,
    last_run,
    lift_pause,
    open_holds,
    pauses_of,
    restored,
    stop_switch,
    switch,
)
from tasks.policy.clocks import clock_time
from tasks.policy.money import shown
from tasks.reporting.printable import columns, json_text, plain_words, printable
from tasks.settings import Settings, load_settings, read_variable, without_password

T = TypeVar("T")


def holds_text(*, as_json: bool) -> str:
    """The open holds, oldest first: a JSON list, or a table, below lines that say so while effects are stopped."""
    now = utc_now()
    found, stopped, pauses = _read(
        load_settings(), lambda conn: (open_holds(conn), switch(conn), pauses_of(conn, None, now))
    )
    rows = sorted(found, key=lambda row: (row.since, row.hold_id))
    forms, pages = _in_prefects_ui(rows)
    if as_json:
        return json_text([hold_json(row, forms.get(row.hold_id)) for row in rows])
    stops = [printable(line) for line in (stopped.sentence, *(pause.sentence() for pause in pauses)) if line]
    return "\n\n".join([*stops, holds_table(rows, forms, pages)])


LINKS_WITHIN_S = 5.0
"""Seconds in which Prefect's server must say where its forms are; the list goes without links otherwise."""

Forms = Mapping[str, Mapping[str, str]]
"""Hold id -> answer -> where its form is."""

NO_FORMS: Forms = MappingProxyType({})


def _in_prefects_ui(rows: Sequence[HoldRow]) -> tuple[Forms, list[str]]:
    """The forms of the answers and the pages of the holds' stores, where a Prefect server is configured."""
    if not rows or not read_variable("PREFECT_API_URL"):
        return {}, []
    log_to_stderr(debug=False)
    from tasks.in_prefect.ui_links import ui_links_now

    stores = dict.fromkeys(row.store for row in rows)
    links = ui_links_now(stores, LINKS_WITHIN_S)
    pages = [links.page(store) for store in stores]
    return {row.hold_id: links.answers(row) for row in rows}, list(filter(None, pages))


def _read(settings: Settings, op: Callable[[Connection], T]) -> T:
    with opened_ledger(settings, read_only=True) as ledger:
        return ledger.read(op)


@contextmanager
def opened_ledger(settings: Settings, *, read_only: bool = False) -> Iterator[Ledger]:
    """The ledger of the settings in force. Raises `LedgerError`, and `NoLedgerError` where there is none."""
    url = settings.ledger_url.get_secret_value()
    ledger = Ledger.open(url, account=settings.account, clock=utc_now, read_only=read_only, existing=True)
    try:
        yield ledger
    finally:
        ledger.close()


@dataclass(frozen=True, slots=True)
class Thrown:
    """What `stop` or `start` did: the text to print, and the new state of the switch if it changed."""

    text: str
    now: Switch | None = None


def throw_switch(*, on: bool, by: str, why: str) -> Thrown:
    """Stop all effects, or let them go again.

    Raises `UsageError`, and `LedgerError`: where there is no ledger none is made, for no run would see its switch.
    """
    if not by.strip() or (on and not why.strip()):
        raise UsageError("say who you are (--by) and why (--why): the others will read it in every run and hold list.")
    settings = load_settings()
    with opened_ledger(settings) as ledger:
        thrown = ledger.write(_throw, on=on, by=by.strip(), why=why.strip())
        behind = None if on else ledger.read(restored, settings.stores)
        last = ledger.read(last_run)
    used = f"a run last used it at {clock_time(last)}" if last else "no run has used it yet"
    waits = ""
    if behind:
        names = ", ".join(behind.stores)
        waits = f"\nNothing is sent to {names} until `rever-returns run reconcile mode=act` has caught up there."
    url = without_password(settings.ledger_url.get_secret_value())
    about = f"\nLedger {url} of the REVER account {settings.account}; {used}."
    return replace(thrown, text=thrown.text + waits + about)


def _throw(conn: Connection, *, on: bool, by: str, why: str) -> Thrown:
    before = switch(conn)
    if before.stopped is on:
        return Thrown(f"Nothing changed. {before.sentence}" if on else "Nothing changed: effects were not stopped.")
    now = stop_switch(conn, on=on, by=by, why=why, now=utc_now())
    if on:
        text = f"{now.sentence}\nWhat was sent before this moment is settled as usual; reads go on."
        return Thrown(text, now)
    return Thrown("Effects may go again, from the next run on.", now)


def resume(store: str, *, by: str, why: str) -> str:
    """End a store's pause, and return the text to print. Raises `LedgerError`, `UsageError`."""
    if not by.strip():
        raise UsageError("say who you are (--by): it is kept in the audit.")
    settings = load_settings()
    if settings.stores and store not in settings.stores:
        raise UsageError(f"this desk has no store {store!r}; its stores are {', '.join(settings.stores)}")
    with opened_ledger(settings) as ledger:
        until = ledger.write(lift_pause, store, why=why.strip(), now=utc_now(), actor=Actor(by.strip()))
        stopped = ledger.read(switch).sentence
    if until is None:
        done = f"Nothing changed: store {store} is not paused."
    else:
        done = f"Store {store} was paused until {clock_time(until)}; its effects may go again."
    return f"{done}\n{stopped}" if stopped else done


def tell_prefect(thrown: Thrown) -> None:
    """Emit the event of a changed switch, if a Prefect API is configured. The switch holds without it."""
    if thrown.now is None or not read_variable("PREFECT_API_URL"):
        return
    log_to_stderr(debug=False)
    from tasks.in_prefect.events import send, switch_event

    asyncio.run(send([switch_event(thrown.now)]))


def hold_json(row: HoldRow, forms: Mapping[str, str] | None = None) -> dict[str, Any]:
    """One hold as `holds --json` lists it. `amount` is a decimal string or null, `answers` answer -> what it does.

    `forms` is answer -> its form in Prefect's UI, filled in; empty where there is none.
    """
    return {
        "hold_id": row.hold_id,
        "version": row.version,
        "process_id": row.process_id,
        "order": row.order_name,
        "store": row.store,
        "kind": str(row.kind),
        "why": row.why,
        "since": row.since.astimezone(UTC).isoformat(),
        "amount": None if row.amount is None else f"{row.amount:f}",
        "currency": row.currency,
        "answers": {str(answer): does for answer, does in row.answers.items()},
        "forms": dict(forms or {}),
    }


def holds_table(rows: Sequence[HoldRow], forms: Forms = NO_FORMS, pages: Sequence[str] = ()) -> str:
    """The holds as a table, each with its reason and answers below it, each answer with its form, and how to answer."""
    if not rows:
        return "Nothing waits for a person."
    head = ("HOLD", "VERSION", "SINCE", "STORE", "ORDER", "AMOUNT", "KIND", "RULE")
    cells = [head, *(tuple(map(printable, _cells(row))) for row in rows)]
    titles, *lines = columns(cells, left=len(head), gap="  ")
    below = [titles]
    for line, row in zip(lines, rows, strict=True):
        below += [line, f"    {printable(plain_words(row.why))}"]
        for answer, does in row.answers.items():
            below += [f"    {answer}: {printable(plain_words(does))}"]
            below += [f"        {form}"] if (form := forms.get(row.hold_id, {}).get(answer)) else []
    how = "rever-returns run answer-hold hold_id=HOLD version=VERSION answer=ANSWER by=NAME mode=act"
    many = "rever-returns run answer-holds cause=RULE"
    needs = "drop also needs reason=WHY; done_by_hand needs reference=WHERE, and amount= if it is not the hold's"
    ways = [
        "",
        f"Answer one:   {how}",
        f"              {needs}",
        f"List one cause, to answer it together:   {many}",
        *(f"In Prefect's UI:   {page}" for page in pages),
        "More:   docs/holds.md",
    ]
    return "\n".join([*below, *ways])


def _cells(row: HoldRow) -> tuple[str, ...]:
    amount = "" if row.amount is None or not row.currency else shown(row.amount, row.currency)
    order = row.order_name or row.process_id
    since = clock_time(row.since)
    return (row.hold_id, str(row.version), since, row.store, order, amount, str(row.kind), row.rule)
