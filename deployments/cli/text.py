"""The ledger's answers as text for a terminal and as JSON. Pure: values in, lines out; times are UTC."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tasks.ledger.types import History, HoldRow, IntentRow, KeptWords, PastHold
from tasks.ledger.words import IN_AUDIT
from tasks.policy.record import IntentKind, IntentState
from tasks.reporting.printable import printable

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


def told(known: History, stops: Sequence[str] = (), now: datetime | None = None) -> list[str]:
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
    money = _money(intent.amount, intent.currency) if intent.kind is IntentKind.REFUND else ""
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
