"""`rever-returns why`, `holds`, `stop`, `start` and `resume`: what the ledger knows, and what a person says to it.

REVER is not asked, so they work in its outages. While effects are stopped reads go on, and no effect starts, also in
runs that are under way.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import Connection

from deployments.console.errors import UsageError
from deployments.console.logs import log_to_stderr
from tasks.desk import utc_now
from tasks.ledger import (
    IN_AUDIT,
    Actor,
    History,
    HoldRow,
    IntentRow,
    KeptWords,
    Ledger,
    LedgerError,
    PastHold,
    Pause,
    Switch,
    history,
    last_run,
    lift_pause,
    open_holds,
    pauses_of,
    restored,
    stop_switch,
    switch,
)
from tasks.policy.kinds import KINDS
from tasks.policy.record import IntentState
from tasks.reporting.printable import json_text, printable
from tasks.settings import Settings, load_settings, read_variable, without_password

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
    return history_lines(known, list(filter(None, stops)), now)


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


def stopped_text(now: Switch) -> str:
    """That effects are stopped, and how they go again; "" if they are not."""
    return f"{now.words} (`rever-returns start --by NAME` lets them go again)" if now.stopped else ""


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
    used = f"a run last used it at {last.astimezone(UTC):%Y-%m-%d %H:%MZ}" if last else "no run has used it yet"
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
        return Thrown(
            f"Nothing changed. {stopped_text(before)}" if on else "Nothing changed: effects were not stopped."
        )
    now = stop_switch(conn, on=on, by=by, why=why, now=utc_now())
    if on:
        text = f"{stopped_text(now)}\nWhat was sent before this moment is settled as usual; reads go on."
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
        stopped = stopped_text(ledger.read(switch))
    if until is None:
        done = f"Nothing changed: store {store} is not paused."
    else:
        done = f"Store {store} was paused until {until.astimezone(UTC):%Y-%m-%d %H:%MZ}; its effects may go again."
    return f"{done}\n{stopped}" if stopped else done


def tell_prefect(thrown: Thrown) -> None:
    """Emit the event of a changed switch, if a Prefect API is configured. The switch holds without it."""
    if thrown.now is None or not read_variable("PREFECT_API_URL"):
        return
    log_to_stderr(debug=False)
    from tasks.in_prefect.events import send, switch_event

    asyncio.run(send([switch_event(thrown.now)]))


_WORDS = {
    IntentState.INTENDED: "meant, not sent yet",
    IntentState.SENT: "sent, no answer yet",
    IntentState.DONE: "done",
    IntentState.REFUSED: "refused by REVER",
    IntentState.UNKNOWN: "sent, outcome unknown; never sent again by itself",
    IntentState.WITHDRAWN: "withdrawn before it was sent",
    IntentState.DONE_BY_HAND: "done by hand",
    IntentState.DROPPED: "dropped by a person",
}


def history_lines(known: History, stops: Sequence[str] = (), now: datetime | None = None) -> list[str]:
    """A return's history in a few lines: decided, done, held, and what comes next.

    `stops` say what keeps effects from being sent now, whatever is due; without `now` no time is said to be past.
    """
    record = known.record
    head = " ".join(filter(None, [record.process_id, record.order_name and f"order {record.order_name}", record.store]))
    held = {past.hold.why for past in known.holds if past.state == "open"}
    looked = f", looked at {_time(record.looked_at)}" if record.looked_at else ""
    lines = [
        head,
        f"  decided: {record.decision or 'nothing yet'}{_rule(record.rule)}{looked}",
        *([f"           {record.why}"] if record.why and record.why not in held else []),
        *(line for intent in known.intents for line in _intent(intent, known.words)),
        *(line for past in known.holds for line in _hold(past)),
        f"  next:    {_next(known, now)}",
        *(f"  but:     {stop}" for stop in stops if not _ended(known)),
    ]
    return [printable(line) for line in lines]


def hold_json(row: HoldRow) -> dict[str, Any]:
    """One hold as `holds --json` lists it. `amount` is a decimal string or null, `answers` answer -> what it does."""
    return {
        "hold_id": row.hold_id,
        "version": row.version,
        "process_id": row.process_id,
        "store": row.store,
        "kind": str(row.kind),
        "why": row.why,
        "since": row.since.astimezone(UTC).isoformat(),
        "amount": None if row.amount is None else str(row.amount),
        "currency": row.currency,
        "answers": {str(answer): does for answer, does in row.answers.items()},
    }


def holds_table(rows: Sequence[HoldRow]) -> str:
    """The holds as a table, each with its reason below it, and how to answer."""
    if not rows:
        return "Nothing waits for a person."
    head = ("HOLD", "VERSION", "SINCE", "STORE", "RETURN", "AMOUNT", "KIND")
    cells = [head, *(tuple(map(printable, _cells(row))) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    below = [lines[0]]
    for line, row in zip(lines[1:], rows, strict=True):
        below += [line, f"    {printable(row.why)}", *(f"    {answer}: {does}" for answer, does in row.answers.items())]
    how = "rever-returns run answer-hold hold_id=HOLD version=VERSION answer=ANSWER by=NAME mode=act"
    many = "rever-returns run answer-hold cause=KIND"
    needs = (
        "drop needs reason=WHY besides; done_by_hand needs reference=WHERE, and amount= where it is not the hold's own"
    )
    ways = [
        "",
        f"Answer one:   {how}",
        f"              {needs}",
        f"List one cause, to answer it together:   {many}",
        "More:   docs/holds.md",
    ]
    return "\n".join([*below, *ways])


def _cells(row: HoldRow) -> tuple[str, ...]:
    amount = _money(row.amount, row.currency)
    return (row.hold_id, str(row.version), _time(row.since), row.store, row.process_id, amount, str(row.kind))


def _intent(row: IntentRow, words: Sequence[KeptWords]) -> Iterator[str]:
    intent = row.intent
    closed = f" {_time(row.closed_at)}" if row.closed_at else ""
    state = (
        "no call needed" if intent.nothing_sent else "found done at REVER" if intent.adopted else _WORDS[intent.state]
    )
    money = _money(intent.amount, intent.currency) if KINDS[intent.kind].pays else ""
    what = " ".join(filter(None, [intent.kind.value, money, intent.method.lower()]))
    attempts = f", attempt {row.attempt}" if row.attempt > 1 else ""
    yield f"  {what}: {state}{closed}{attempts}{_rule(row.rule)}"
    seen = intent.paid_seen
    if seen is not None and (seen.paid != intent.amount or seen.most != seen.paid):
        on_its_way = _money(intent.amount - seen.paid, intent.currency)
        back = f", {_money(seen.most, intent.currency)} was paid before" if seen.most != seen.paid else ""
        yield f"           paid {_money(seen.paid, intent.currency)}, {on_its_way} on its way at REVER{back}"
    if intent.items:
        yield "           " + "; ".join(f"{item.line_id} units {_numbers(item.units)}" for item in intent.items)
    if row.why:
        yield f"           {row.why}"
    shown = {name: value for name, value in row.evidence.items() if name != IN_AUDIT}
    if shown:
        yield f"           evidence: {_pairs(shown)}"
    for said in words:
        if said.intent_id == intent.id:
            text = "(removed on request)" if said.forgotten else f'"{said.text}"'
            yield f"           REVER's own words {_time(said.at)}: {text}"


def _hold(past: PastHold) -> Iterator[str]:
    row = past.hold
    if past.state != "open":
        by = f" by {past.answered_by} {_time(past.answered_at)}" if past.answered_by else ""
        yield f"  held:    {row.why} -> {past.answer or past.closed_why or past.state}{by}"
        return
    about = " ".join(filter(None, [str(row.kind), _money(row.amount, row.currency)]))
    yield f"  on hold: {row.hold_id} version {row.version} since {_time(row.since)}, {about}{_rule(row.rule)}"
    yield f"           {row.why}"
    if row.evidence:
        yield f"           evidence: {_pairs(row.evidence)}"
    yield from (f"           answer {answer}: {does}" for answer, does in row.answers.items())


def _ended(known: History) -> bool:
    return known.record.final and all(past.state != "open" for past in known.holds)


def _next(known: History, now: datetime | None) -> str:
    """What has to happen next. When a run comes by is not the ledger's to know, so no time of one is promised."""
    held = [past.hold for past in known.holds if past.state == "open"]
    if _ended(known):
        return "nothing, it is at its end"
    looks = [row.intent.look_at for row in known.intents if row.intent.open and row.intent.look_at]
    looks += [known.record.next_look_at] if known.record.next_look_at else []
    when = "the next run looks at it"
    if looks and (now is None or min(looks) > now):
        when = f"the next run looks at it; it is due by {_time(min(looks))}"
    elif looks:
        when = f"the next run looks at it; it is due since {_time(min(looks))}, and no run has come by"
    if any(row.intent.open for row in known.intents):
        return f"waits for the outcome at REVER; {when}"
    if any(not hold.label for hold in held) or (held and known.record.final):
        return f"waits for a person's answer; {when}"
    return when


def _rule(rule: str) -> str:
    return f" (rule {rule})" if rule else ""


def _money(amount: Decimal | str | None, currency: str) -> str:
    return "" if amount is None or not currency else f"{amount} {currency}"


def _numbers(units: tuple[int, ...]) -> str:
    return ",".join(map(str, units))


def _pairs(evidence: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in evidence.items())


def _time(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ") if at else ""
