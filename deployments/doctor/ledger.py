"""The ledger: that it opens, is ours, keeps what it commits, and what in it stops or waits. It is only read."""

import shlex
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection

from deployments.doctor.examination import (
    Examination,
    Line,
    NotChecked,
    NotUsed,
    attention,
    broken,
    clock_line,
    in_thread,
    ok,
)
from rever_api.messages import Sample
from tasks.desk import utc_now
from tasks.ledger import (
    Condition,
    Ledger,
    LedgerError,
    check,
    condition,
    open_holds,
    paid_elsewhere,
    pauses_of,
    restored,
    switch,
)
from tasks.policy.clocks import clock_time
from tasks.policy.facts import counted

T = TypeVar("T")

FINDINGS_SHOWN = 3
TOO_LONG = timedelta(days=2)
"""A hold that nobody has answered for so long is worth a word."""

_ELSEWHERE = "keep it on a local disk, or on a PostgreSQL with fsync and synchronous_commit on; see docs/ledger.md"


async def ledger(examination: Examination) -> list[Line]:
    """The ledger opens, belongs to this account, is of this version, and keeps what it commits; its server's clock."""
    settings = examination.settings
    asked_at = examination.clock()
    try:
        found = await in_thread(lambda: condition(settings.ledger_url.get_secret_value()))
    except LedgerError as error:
        return [
            broken("ledger", str(error), "nothing can be done without it; see REVER_LEDGER_URL in docs/settings.md")
        ]
    lines = [ledger_line(found, settings.account, first_run_makes_it=settings.loopback)]
    readable = {"", found.newest} if settings.loopback else {found.newest}
    examination.ledger_readable = found.revision in readable and found.account in {"", settings.account}
    examination.ledger_made = bool(found.revision)
    if found.now is not None:
        seen = [Sample(found.now.astimezone(UTC), asked_at, examination.clock())]
        lines.append(clock_line("clock of the ledger", "the database's", seen))
    return lines


def ledger_line(found: Condition, account: str, *, first_run_makes_it: bool) -> Line:
    """One line about the ledger itself. Pure."""
    if found.account and found.account != account:
        words = f"{found.where} belongs to the REVER account {found.account!r}, and this desk's is {account!r}"
        return broken("ledger", words, "point REVER_LEDGER_URL to this account's own ledger, or correct REVER_ACCOUNT")
    if not found.writable:
        return broken(
            "ledger", f"{found.where} cannot be written to", "check its folder, its owner and its permissions"
        )
    if found.revision != found.newest:
        return _of_another_version(found, first_run_makes_it=first_run_makes_it)
    if not found.durable:
        return broken("ledger", f"{found.where} may lose what it has committed when the power fails", _ELSEWHERE)
    return ok("ledger", f"{found.where}, bound to {found.account}, revision {found.revision}, durable")


def _of_another_version(found: Condition, *, first_run_makes_it: bool) -> Line:
    if not found.revision and not first_run_makes_it:
        mend = "check REVER_LEDGER_URL and its disk; a new account: rever-returns ledger create; lost: restore a backup"
        return broken("ledger", f"there is no ledger {found.where}", mend)
    if not found.revision:
        return ok("ledger", f"{found.where} is not made yet: the first run with mode=act makes it")
    if found.revision > found.newest:
        words = f"{found.where} was made by a newer version of rever-returns ({found.revision})"
        return broken("ledger", words, "upgrade rever-returns here")
    words = f"{found.where} is of an older version ({found.revision})"
    return attention("ledger", words, f"back it up; the next run with mode=act brings it up to {found.newest}")


async def consistency(examination: Examination) -> Line:
    """What `rever-returns ledger check` finds, in short."""
    now = examination.clock()
    found = await _read(examination, lambda conn: check(conn, now=now))
    seen = f"{counted(found.returns, 'return')}, {counted(found.intents, 'effect')}"
    seen += f", {counted(found.steps, 'step')} of the audit"
    if not found.findings:
        return ok("ledger check", f"sound: {seen}")
    many = len(found.findings)
    first = "; ".join(map(str, found.findings[:FINDINGS_SHOWN]))
    words = f"{many} finding{'s' if many > 1 else ''} in {seen}: {first}"
    rules = {each.rule for each in found.findings}
    if rules == {"ahead"}:
        return attention("ledger check", words, "right the clock that was ahead; nothing waits for these times")
    if rules <= {"late", "ahead"}:
        return attention("ledger check", words, "no run comes by: rever-returns run reconcile mode=act, and a schedule")
    if rules <= {"late", "ahead", "archive"}:
        mend = "put it back, or say where it is: rever-returns ledger archives --moved-to FOLDER; runs go on without it"
        return attention("ledger check", words, mend)
    return broken(
        "ledger check", words, "read them all: rever-returns ledger check; docs/ledger.md says what each means"
    )


async def stop_switch(examination: Examination) -> Line:
    """Whether effects may go."""
    now = await _read(examination, switch)
    if now.stopped:
        return attention("stop switch", now.words, "rever-returns start --by NAME")
    return ok("stop switch", "off: effects may go out")


async def other_desk(examination: Examination) -> Line:
    """Whether another desk seems to pay the same account, by what runs have seen in the last day."""
    since = examination.clock() - timedelta(days=1)
    many = await _read(examination, lambda conn: paid_elsewhere(conn, since))
    if not many:
        return ok("another desk", "no sign of one in the last day")
    were = "was" if many == 1 else "were"
    words = (
        f"{counted(many, 'return')} {were} refunded at REVER just as this desk would, at the same time, and not by it"
    )
    return attention("another desk", words, "see that no other ledger serves this account; docs/ledger.md")


async def restore(examination: Examination) -> Line:
    """Whether a restore from a backup waits to be caught up with."""
    _, stores = examination.settings, examination.stores
    if not stores:
        raise NotChecked("the stores are not known")
    mark = await _read(examination, lambda conn: restored(conn, stores))
    if mark is None:
        return ok("restore", "no store waits to be reconciled after a restore")
    words = f"restored at {_time(mark.at)}, knows nothing since {_time(mark.since)}; nothing goes to "
    to_do = "rever-returns run reconcile mode=act; docs/ledger.md"
    return attention("restore", words + ", ".join(mark.stores), to_do)


async def pauses(examination: Examination) -> Line:
    """The stores at which no effect starts because the outcomes of several in a row are unknown."""
    found = await _read(examination, lambda conn: pauses_of(conn, None, utc_now()))
    if not found:
        return ok("paused stores", "none")
    words = ", ".join(f"{pause.store} until {_time(pause.until)}" for pause in found)
    ends = "; ".join(f"rever-returns resume {shlex.quote(pause.store)} --by NAME" for pause in found[:5])
    return attention("paused stores", words, f"it ends on its own when REVER responds again, or by hand: {ends}")


async def holds(examination: Examination) -> Line:
    """How many returns wait for a person."""
    rows = await _read(examination, open_holds)
    if not rows:
        return ok("open holds", "none")
    oldest = min(row.since for row in rows)
    words = f"{len(rows)}, the oldest since {_time(oldest)}"
    if examination.clock() - oldest > TOO_LONG:
        return attention("open holds", words, "answer them: rever-returns holds; docs/holds.md")
    return ok("open holds", words)


async def _read(examination: Examination, op: Callable[[Connection], T]) -> T:
    settings = examination.settings
    if not examination.ledger_readable:
        raise NotChecked("there is no ledger that can be read")
    if not examination.ledger_made:
        raise NotUsed

    def run() -> T:
        url = settings.ledger_url.get_secret_value()
        opened = Ledger.open(url, account=settings.account, clock=examination.clock, read_only=True)
        try:
            return opened.read(op)
        finally:
            opened.close()

    return await in_thread(run)


def _time(at: datetime) -> str:
    return clock_time(at)
