"""The story of one return, for a person who has never seen the code: what REVER says, what was decided and why, what
was sent, what it waits for and when it is looked at next; and a timeline of all of it, in the store's time.

Pure: everything is handed in. No shopper in it, but for REVER's own words, which only `story_lines` shows.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

from rever_api.models import ReturnLineItem, ReturnProcess, Review
from tasks.ledger import IN_AUDIT, STOP_RULES, AuditRow, History, HoldRow, IntentRow, PastHold
from tasks.policy.clocks import clock_time
from tasks.policy.decision import DecisionName
from tasks.policy.facts import counted, exchange_shown, refunds_shown, status_in_words
from tasks.policy.kinds import KINDS
from tasks.policy.money import shown
from tasks.policy.order_returns import OrderKey
from tasks.policy.record import IntentState, ParcelChange
from tasks.policy.replaced import REPLACED, number_of
from tasks.policy.tracking import change_in_words
from tasks.reporting.printable import code, markdown, plain_words, printable
from tasks.reporting.report_page import linked

_STATES = {
    IntentState.INTENDED: "meant, not sent yet",
    IntentState.SENT: "sent, no answer yet",
    IntentState.DONE: "done",
    IntentState.REFUSED: "refused by REVER",
    IntentState.UNKNOWN: "sent, outcome unknown; never sent again automatically",
    IntentState.WITHDRAWN: "withdrawn before it was sent",
    IntentState.DONE_BY_HAND: "done by hand",
    IntentState.DROPPED: "dropped by a person",
}

_EVENTS = {
    "intended": "prepared the {what}",
    "sent": "sent to REVER: the {what}{attempt}",
    "done": "done: the {what}",
    "adopted": "taken as done: the {what}",
    "nothing_to_send": "closed without a call: the {what}",
    "refused": "REVER refused the {what}",
    "unknown": "no clear answer to the {what}; it is never sent again automatically",
    "withdrawn": "withdrawn before it was sent: the {what}",
    "put_back": "not sent after all, to be tried again: the {what}",
    "replaced": "the label of parcel {parcel} is replaced, by the {what}",
    "paid": "REVER shows another sum as paid of the {what}",
    "held": "held for a person",
    "hold_closed": "the hold closed without an answer",
    "waiver_used": "a person's approval was used",
    "forgotten": "what led back to the shopper was removed on request",
}

_NOT_EVIDENCE = frozenset(
    {
        "answer",
        "attempt",
        "code",
        "decision",
        "gross",
        "hold",
        "intent",
        "kind",
        "method",
        "parcel",
        "reason",
        "snapshot",
        "units",
    }
    | {"why", "order", "through", IN_AUDIT}
)
"""What is told in words already, or says nothing to a person."""

_LEFT_TO_ANOTHER_RUN = {"run_limit", "left_to_next_run", "lost_claim", "twice_in_batch"}
"""Rules by which a return waits for nothing but another run: the one that decided might not do what is due."""

_WIDTH = 11
_INDENT = " " * (_WIDTH + 2)


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known of a return. `process` is what REVER shows now, `problem` why there is none; `history` is the
    ledger's, None where no run has looked at it, and `gap` why its archived steps are not in it. `stops` keep effects
    from being sent now; `kept_back` is why none of this store is, empty where they go, None where nobody looked.
    `rules` is what the merchant's own rules say, `label` how its label is chosen now, `parcels` the changes of its
    parcels that were seen. Without `now` no time is said to be past. `zone` is the store's.
    """

    process_id: str
    store: str
    order_name: str = ""
    process: ReturnProcess | None = field(default=None, repr=False)
    problem: str = ""
    history: History | None = None
    gap: str = ""
    stops: tuple[str, ...] = ()
    kept_back: str | None = None
    rules: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    parcels: tuple[ParcelChange, ...] = ()
    zone: tzinfo = UTC
    now: datetime | None = None
    back_office: str = ""


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the timeline: when, who did it, and what."""

    at: datetime
    who: str
    what: str


@dataclass(frozen=True, slots=True)
class Story:
    """A return's story, in the order in which it is read. `own_words` are REVER's: they may name a shopper."""

    title: str
    process_id: str
    link: str
    at_rever: tuple[str, ...]
    decided: tuple[str, ...]
    rules: tuple[str, ...]
    label: tuple[str, ...]
    sent: tuple[str, ...]
    held: tuple["HeldStory", ...]
    waits_for: str
    next_look: str
    stops: tuple[str, ...]
    timeline: tuple[Happening, ...]
    zone: tzinfo
    own_words: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class HeldStory:
    """A hold that waits for an answer: what it asks, what was seen, what each answer would do."""

    hold_id: str
    version: int
    asks: str
    seen: str
    answers: Mapping[str, str]


def tell(known: Known) -> Story:
    """The story of what is known."""
    return _Teller(known).story()


@dataclass(frozen=True, slots=True)
class _Teller:
    """Puts one return into words."""

    known: Known

    def story(self) -> Story:
        known = self.known
        order = f"order {known.order_name}" if known.order_name else known.process_id
        return Story(
            title=f"Return of {order}, store {known.store}",
            process_id=known.process_id,
            link=linked(known.process_id, known.back_office),
            at_rever=tuple(self._at_rever()),
            decided=tuple(self._decided()),
            rules=known.rules,
            label=tuple(map(self._plain, known.label)),
            sent=tuple(line for row in self._intents for line in self._sent(row)),
            held=tuple(self._held(past.hold) for past in self._open_holds),
            waits_for=self._waits_for(),
            next_look=self._next_look(),
            stops=() if self._ended else known.stops,
            timeline=tuple(sorted((*self._of_rever(), *self._of_parcels(), *self._of_ledger()), key=lambda it: it.at)),
            zone=known.zone,
            own_words=tuple(self._own_words()),
        )

    # What REVER shows

    def _at_rever(self) -> Iterator[str]:
        process = self.known.process
        if process is None:
            yield self.known.problem or "not asked"
            return
        state = status_in_words(process)
        yield f"{state}; begun {self._time(process.started_at)}" if process.started_at else state
        yield from (self._line(line) for line in process.return_line_items)
        yield self._inspected(process)
        if process.return_costs:
            bear = "the refunds of lines whose fee no rule says" if self.known.rules else "its refunds"
            yield f"costs of the return: {process.return_costs}, taken off {bear}"
        for number, parcel in enumerate(process.logistics or (), start=1):
            named = " ".join(filter(None, [parcel.carrier, parcel.tracking_number]))
            gone = self._replaced(number, process)
            yield f"parcel {named}: {str(parcel.status).lower().replace('_', ' ') or 'no status'}{gone}"
        for refund in refunds_shown(process):
            left = (
                f", {shown(refund.missing_amount, refund.currency)} of it on its way" if refund.missing_amount else ""
            )
            yield f"refunded {shown(refund.amount, refund.currency)}{self._by(refund.type)}{left}"
        if order := exchange_shown(process):
            yield f"exchanged by order {order.order_name or order.order_id}"

    def _replaced(self, number: int, process: ReturnProcess) -> str:
        """That the label of this parcel was replaced, for whom and why."""
        ones = [row.intent.replaces for row in self._intents if row.intent.state in REPLACED and row.intent.replaces]
        it = next((it for it in ones if number_of(it, process) == number), None)
        return "" if it is None else f"; its label was replaced, for {it.by or 'the policy'}: {it.why}"

    def _line(self, line: ReturnLineItem) -> str:
        total = "" if line.total_price is None else f": {shown(line.total_price, line.currency)}"
        method = f", to be compensated{self._by(line.compensation_method)}" if line.compensation_method else ""
        return f"{counted(line.quantity)} of {_product(line)}{total}{method}"

    def _inspected(self, process: ReturnProcess) -> str:
        if process.reviews is None:
            return "REVER does not tell whether it was inspected"
        found = Counter(_review(each) for each in process.reviews)
        return (
            f"inspected: {', '.join(f'{many} {name}' for name, many in found.items())}"
            if found
            else "not inspected yet"
        )

    def _of_rever(self) -> Iterator[Happening]:
        process = self.known.process
        if process is None:
            return
        if process.started_at:
            yield Happening(process.started_at, "REVER", "the shopper started the return")
        inspected = Counter((each.review_date, each.line_item_id, _review(each)) for each in process.reviews or ())
        for (at, line_id, review), many in inspected.items():
            if at:
                what = self._plain(f"{counted(many)} of {line_id}")
                yield Happening(at, "REVER", f"the warehouse's inspection of {what}: {review}")
        for refund in refunds_shown(process):
            if refund.refunded_at:
                money = f"{shown(refund.amount, refund.currency)}{self._by(refund.type)}"
                yield Happening(refund.refunded_at, "REVER", f"a refund of {money} was made")

    # What the ledger knows

    @property
    def _intents(self) -> Sequence[IntentRow]:
        return self.known.history.intents if self.known.history else ()

    @property
    def _open_holds(self) -> list[PastHold]:
        return [past for past in self.known.history.holds if past.state == "open"] if self.known.history else []

    @property
    def _is_order(self) -> bool:
        """Whether it is no return, but an order of which one was asked for."""
        return OrderKey.of(self.known.process_id) is not None

    @property
    def _ended(self) -> bool:
        return bool(self.known.history and self.known.history.record.final and not self._open_holds)

    @property
    def _was_stopped(self) -> bool:
        """Whether the last look found an effect due, and kept back by what stopped its store then."""
        return bool(self.known.history and self.known.history.record.rule in STOP_RULES.values())

    @property
    def _goes_again(self) -> bool:
        return self._was_stopped and self.known.kept_back == ""

    def _decided(self) -> Iterator[str]:
        if self.known.history is None:
            yield "nothing yet: no run with mode act has looked at it"
            return
        if self.known.gap:
            yield f"its steps were archived and are not told: {self.known.gap}"
        record = self.known.history.record
        if not record.decision:
            yield "nothing yet"
            return
        why = f": {self._plain(record.why)}" if record.why else ""
        yield f"{record.decision}{why}{' (that is over)' if self._goes_again else ''}"
        looked = f"; looked at {self._time(record.looked_at)}" if record.looked_at else ""
        if record.rule:
            yield f"by the rule {_rule(record.rule)}{looked}"

    def _sent(self, row: IntentRow) -> Iterator[str]:
        intent = row.intent
        state = (
            "no call needed"
            if intent.nothing_sent
            else "found done at REVER"
            if intent.adopted
            else _STATES[intent.state]
        )
        closed = f" {self._time(row.closed_at)}" if row.closed_at else ""
        attempts = f", attempt {row.attempt}" if row.attempt > 1 else ""
        yield f"{self._what(row)}: {state}{closed}{attempts}"
        seen = intent.paid_seen
        if seen is not None and (seen.paid != intent.amount or seen.most != seen.paid):
            left = shown(intent.amount - seen.paid, intent.currency)
            back = f", {shown(seen.most, intent.currency)} was paid before" if seen.most != seen.paid else ""
            yield f"  paid {shown(seen.paid, intent.currency)}, {left} on its way at REVER{back}"
        if row.why:
            yield f"  why: {self._plain(row.why)} (rule {_rule(row.rule)})"
        if evidence := self._evidence(row.evidence):
            yield f"  evidence: {evidence}"

    def _what(self, row: IntentRow) -> str:
        intent = row.intent
        kind = KINDS[intent.kind]
        units = " and ".join(f"{counted(item.quantity)} of {item.line_id}" for item in intent.items)
        money = f" of {shown(intent.amount, intent.currency)}{self._by(intent.method)}" if kind.pays else ""
        of_order = intent.shipping
        units += f" and {shown(of_order.amount, intent.currency)} of its order's shipping" if of_order else ""
        return self._plain(f"{kind.noun}{money}{f' for {units}' if units else ''}")

    def _held(self, hold: HoldRow) -> HeldStory:
        about = "" if hold.amount is None or not hold.currency else shown(hold.amount, hold.currency)
        since = f" (since {self._time(hold.since)}, rule {_rule(hold.rule)}{f', {about}' if about else ''})"
        answers = {str(name): self._plain(does) for name, does in hold.answers.items()}
        return HeldStory(
            hold.hold_id, hold.version, self._plain(hold.why) + since, self._evidence(hold.evidence), answers
        )

    def _waits_for(self) -> str:
        history = self.known.history
        if history is None:
            return "a run that looks at it"
        if self._ended:
            return "nothing, it is at its end"
        holds = [past.hold for past in self._open_holds]
        outcome = "the outcome at REVER" if any(row.intent.open for row in self._intents) else ""
        if holds:
            all_of_it = history.record.final or any(not hold.label for hold in holds)
            rest = "" if all_of_it else " about the label; what else is due goes on"
            return f"a person's answer{f', or {outcome}' if outcome else ''}{rest}"
        if outcome or self._is_order:
            return outcome or "nothing; a return that was made of it has a story of its own"
        left = history.record.rule in _LEFT_TO_ANOTHER_RUN or self._goes_again
        if left or history.record.decision != DecisionName.WAIT:
            return "the next run that acts" if left else "the next run"
        why = self._plain(self.known.kept_back or history.record.why if self._was_stopped else history.record.why)
        named = why.removeprefix("waiting for ")
        return named if named != why else f"this to change: {why}"

    def _next_look(self) -> str:
        """When it is looked at again. When a run comes by is not the ledger's to know: no time of one is promised."""
        history = self.known.history
        if history is None:
            return "by the next run that acts"
        if self._ended:
            return "none is due; reconcile goes on comparing it with REVER for a while"
        looks = [row.intent.look_at for row in self._intents if row.intent.open and row.intent.look_at]
        if self._is_order and not looks:
            return "none is due; a file that asks for a return of it looks at it again"
        looks += [history.record.next_look_at] if history.record.next_look_at else []
        seen = history.record.looked_at
        looks = [at for at in looks if seen is None or at > seen]
        if not looks:
            return "by the next run"
        due = self._time(min(looks))
        if self.known.now is None or min(looks) > self.known.now:
            return f"by the next run; it is due by {due}"
        return f"by the next run; it is due since {due}, and no run has come by"

    def _of_ledger(self) -> Iterator[Happening]:
        history = self.known.history
        by_id = {row.intent.id: row for row in self._intents}
        for step in history.audit if history else ():
            yield Happening(step.at, step.actor, self._step(step, by_id.get(step.intent_id)))

    def _of_parcels(self) -> Iterator[Happening]:
        """The changes of the parcels when this desk saw them: REVER tells no times of its own."""
        for change in self.known.parcels:
            yield Happening(change.seen_at, "seen at REVER", change_in_words(change, self.known.zone))

    def _step(self, step: AuditRow, row: IntentRow | None) -> str:
        why = str(step.evidence.get("why") or "")
        if step.event == "decided":
            return self._plain(f"decided: {step.evidence.get('decision', '')}: {why} (rule {_rule(step.rule)})")
        if step.event == "answered":
            done = {"reference": step.evidence.get("reference"), "reason": why}
            said = ", ".join(f"{name}: {text}" for name, text in done.items() if text)
            return f"answered {step.evidence.get('answer', '')}{f' ({said})' if said else ''}"
        attempt = step.evidence.get("attempt", 1)
        words = _EVENTS.get(step.event, step.event.replace("_", " ")).format(
            what=self._what(row) if row else "effect",
            parcel=step.evidence.get("parcel", ""),
            attempt=f" (attempt {attempt})" if attempt != 1 else "",
        )
        told = self._plain(why) if why and step.event not in {"intended", "sent"} else ""
        evidence = self._evidence(step.evidence) if step.event not in {"intended", "sent", "held"} else ""
        return "; ".join(filter(None, [f"{words}: {told}" if told else words, evidence]))

    def _own_words(self) -> Iterator[str]:
        for said in self.known.history.words if self.known.history else ():
            text = "(removed on request)" if said.forgotten else f'"{said.text}"'
            yield f"{self._time(said.at)}: {text}"

    # Words

    def _time(self, at: datetime | None) -> str:
        return "" if at is None else clock_time(at, self.known.zone)

    def _by(self, method: str) -> str:
        return f" by {str(method).lower().replace('_', ' ')}" if method else ""

    def _evidence(self, evidence: Mapping[str, Any]) -> str:
        """What was seen, name by name; times in the store's zone."""
        answer = [str(evidence["answer"])] if "answer" in evidence else []
        silent = _NOT_EVIDENCE | {"by"} if answer else _NOT_EVIDENCE
        pairs = [(name, value) for name, value in evidence.items() if name not in silent and value]
        said = [f"{name.replace('_', ' ')}: {self._value(value)}" for name, value in pairs]
        return self._plain("; ".join([*answer, *said]))

    def _value(self, value: Any) -> str:
        text = str(value)
        try:
            at = datetime.fromisoformat(text) if "T" in text else None
        except ValueError:
            at = None
        return self._time(at) if at is not None and at.utcoffset() is not None else text

    def _plain(self, text: str) -> str:
        """A sentence without REVER's spelling of its words, and with goods for the ids of lines."""
        for line in self.known.process.return_line_items if self.known.process else ():
            text = text.replace(line.id, _product(line))
        return plain_words(text)


def _product(line: ReturnLineItem) -> str:
    names = [line.product.name, line.product.variant_name] if line.product else []
    return ", ".join(filter(None, names)) or line.id


def _review(review: Review) -> str:
    return str(review.status).lower().replace("_", " ")


def _rule(rule: str) -> str:
    """A rule's name as it is asked for (`answer-hold cause=...`), in quotes: it is a name, not a sentence."""
    return f"'{rule}'"


def story_lines(story: Story) -> list[str]:
    """The story for a terminal."""
    return [printable(line) for line in _lines(story)]


def _lines(story: Story) -> Iterator[str]:
    yield story.title
    if story.process_id not in story.title:
        yield from _part("return", [story.process_id])
    yield from _part("at REVER", story.at_rever)
    yield from _part("decided", story.decided)
    yield from _part("rules", story.rules)
    yield from _part("label", story.label)
    yield from _part("sent", story.sent)
    yield from _part("REVER said", story.own_words)
    for hold in story.held:
        asked = [hold.asks, *([f"seen: {hold.seen}"] if hold.seen else [])]
        asked += [f"answer {name}: {does}" for name, does in hold.answers.items()]
        yield from _part("on hold", [*asked, f"to answer: {_how(hold)}"])
    yield from _part("waits for", [story.waits_for])
    yield from _part("next look", [story.next_look])
    yield from _part("but", story.stops)
    yield from _part("happened", [_happening(story, it) for it in story.timeline])


def _part(label: str, lines: Sequence[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f"  {label if not number else '':<{_WIDTH}}{line}"


def _happening(story: Story, it: Happening) -> str:
    return f"{clock_time(it.at, story.zone)}  {it.who}: {it.what}"


def _how(hold: HeldStory) -> str:
    named = f"hold_id={hold.hold_id} version={hold.version}"
    return f"rever-returns run answer-hold {named} answer=ANSWER by=NAME mode=act"


def story_json(story: Story) -> dict[str, Any]:
    """The story as JSON values: times in ISO 8601, in UTC. Without REVER's own words, which may name a shopper."""
    return {
        "process_id": story.process_id,
        "title": story.title,
        "at_rever": list(story.at_rever),
        "decided": list(story.decided),
        "rules": list(story.rules),
        "label": list(story.label),
        "sent": list(story.sent),
        "held": [
            {"hold_id": it.hold_id, "version": it.version, "why": it.asks, "seen": it.seen, "answers": dict(it.answers)}
            for it in story.held
        ],
        "waits_for": story.waits_for,
        "next_look": story.next_look,
        "but": list(story.stops),
        "happened": [
            {"at": it.at.astimezone(UTC).isoformat(timespec="seconds"), "who": it.who, "what": it.what}
            for it in story.timeline
        ],
    }


def story_page(story: Story) -> str:
    """The story as markdown, for Prefect's UI: without REVER's own words, which may name a shopper."""
    return "\n".join(_page(story)) + "\n"


def _page(story: Story) -> Iterator[str]:
    yield f"### {markdown(story.title)}\n"
    yield f"Return {story.link}\n"
    yield from _section("At REVER", story.at_rever)
    yield from _section("Decided", story.decided)
    yield from _section("What the merchant's rules say now", story.rules)
    yield from _section("How the label is chosen now", story.label)
    yield from _section("What was sent to REVER", story.sent)
    for hold in story.held:
        yield "\n#### On hold for a person\n"
        yield f"{markdown(hold.asks)}\n"
        if hold.seen:
            yield f"Seen: {markdown(hold.seen)}\n"
        yield from (f"- {code(name)}: {markdown(does)}" for name, does in hold.answers.items())
        yield f"\nTo answer, run `answer-hold` with the hold {code(hold.hold_id)} and its version {hold.version}."
    yield from _section("Waits for", [story.waits_for])
    yield from _section("Next look", [story.next_look, *story.stops])
    yield "\n#### What happened\n"
    yield from ("| when | who | what |", "| --- | --- | --- |")
    for it in story.timeline:
        yield f"| {clock_time(it.at, story.zone)} | {markdown(it.who)} | {markdown(it.what)} |"


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"\n#### {title}\n"
        yield from (f"{' ' * (len(line) - len(line.lstrip(' ')))}- {markdown(line)}" for line in lines)
