"""The verdict on a cell: broken promises, found in REVER's books first, and by holding our ledger against them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from itertools import combinations

from sqlalchemy import Connection, select

from rever_api.sandbox.state import Actor, Effect
from tasks.ledger import Answer, History, history, open_holds, open_intents, unfinished
from tasks.ledger.schema import metadata
from tasks.policy.record import Intent, IntentKind, IntentState
from tests.proof.world import World

KINDS = {
    "issueRefund": IntentKind.REFUND,
    "issueExchange": IntentKind.EXCHANGE,
    "createOrderV2": IntentKind.LABEL,
}
OPERATIONS = {kind: operation for operation, kind in KINDS.items()}
STEPS = ("intended", "sent", "done")
BY_EVIDENCE = "evidence at REVER"
"""How the ledger says of an effect that it was found done by what REVER shows."""

DOUBLE, OVER, ELSEWHERE, FORGOTTEN, BOOKS, REPORT, TRAIL, PLAN, NO_LOOK, WHILE_STOPPED = (
    "double effect", "over-payment", "paid where nothing may be paid", "forgotten", "books differ", "report differs",
    "no audit row", "plan wrote", "open without a next look", "sent while stopped",
)  # fmt: skip
_INVARIANTS = {1: OVER, 2: DOUBLE, 3: ELSEWHERE, 4: DOUBLE}


@dataclass(slots=True)
class Verdict:
    """What was found: kind -> how often; `words` say where."""

    found: Counter[str] = field(default_factory=Counter)
    words: list[str] = field(default_factory=list)

    def add(self, kind: str, words: str) -> None:
        """Note a broken promise."""
        self.found[kind] += 1
        self.words.append(f"{kind}: {words}")

    def __iadd__(self, other: "Verdict") -> "Verdict":
        self.found.update(other.found)
        self.words += other.words
        return self

    @property
    def clean(self) -> bool:
        """Whether every promise was kept."""
        return not self.found


def judge(world: World) -> Verdict:
    """Judge a world in which faults have stopped and three runs have followed."""
    verdict = Verdict()
    audit = world.sandbox.audit()
    for broken in audit.violations:
        verdict.add(_INVARIANTS[broken.invariant], f"{broken.process_id} {broken.kind}: {broken.why}")
    with world.ledger() as ledger:
        held = {hold.process_id for hold in ledger.read(open_holds)}
        past = {process_id: ledger.read(history, process_id) for process_id in world.sandbox.process_ids()}
        by_hand = {process_id for process_id, known in past.items() if known and _closed_by_hand(known)}
        for process_id in audit.forgotten(held | by_hand):
            verdict.add(FORGOTTEN, f"{process_id} {_seen(past[process_id])}")
        for waiting in ledger.read(unfinished):
            if waiting.next_look_at is None and not waiting.held:
                verdict.add(NO_LOOK, waiting.process_id)
        for still in ledger.read(open_intents):
            if still.process_id not in held:
                verdict.add(NO_LOOK, f"{still.process_id}: its {still.intent.kind} is still {still.intent.state}")
    _put_back(verdict, world)
    for process_id, known in past.items():
        effects = world.sandbox.books.of(process_id)
        if process_id in world.forgot:  # by the ledger; REVER's books alone judge it
            continue
        if process_id not in by_hand:
            compare(verdict, process_id, known, effects)
        _trail(verdict, process_id, known, [effect for effect in effects if effect.by is Actor.API])
    return verdict


def _put_back(verdict: Verdict, world: World) -> None:
    """After a restore nothing is sent before a person's `start`, and never for what was closed by hand before it."""
    if world.sent_while_stopped:
        verdict.add(WHILE_STOPPED, f"{world.sent_while_stopped} effects")
    for effect in world.sandbox.books.effects[world.put_back_at :]:
        if effect.by is Actor.API and effect.process_id in world.by_hand:
            verdict.add(ELSEWHERE, f"{effect.process_id}: {effect.operation}, which a person had closed by hand")


def _closed_by_hand(known: History) -> bool:
    return any(past.answer in {Answer.DONE_BY_HAND, Answer.DROP} for past in known.holds)


def _seen(known: History | None) -> str:
    if known is None:
        return "never seen"
    return f"{known.record.decision} by {known.record.rule}: {known.record.why}"


def compare(verdict: Verdict, process_id: str, known: History | None, effects: Sequence[Effect]) -> None:
    """Our ledger's done refunds, exchanges and labels of a return, and those in REVER's books: the same to the cent.

    Where a person is asked whether an effect was done (more than one like it is there, say), both answers fit. So they
    do where a refund of unknown outcome was found done by what REVER shows, and somebody else had paid just that in
    between: whose it is REVER does not tell, and it is not paid again.
    """
    theirs: dict[str, Decimal] = defaultdict(Decimal)
    for effect in effects:
        if effect.by is Actor.API:
            theirs[effect.operation] += 1
            if effect.amount is not None:
                theirs[effect.currency] += effect.amount
    intents = [row.intent for row in known.intents] if known else []
    done = [i for i in intents if i.state is IntentState.DONE and not i.adopted and not i.nothing_sent]
    maybe = [*_asked(known), *_of_somebody_else(known, effects)]
    certain = [intent for intent in done if intent not in maybe]
    fits = [_sum([*certain, *some]) for many in range(len(maybe), -1, -1) for some in combinations(maybe, many)]
    if theirs not in fits:
        verdict.add(BOOKS, f"{process_id}: ledger {_plain(fits[0])}, REVER {_plain(theirs)}")


def _asked(known: History | None) -> list[Intent]:
    """The effects of unknown outcome about which a hold asks a person."""
    if known is None:
        return []
    about = {past.hold.intent_id for past in known.holds if past.state == "open"}
    return [row.intent for row in known.intents if row.intent.state is IntentState.UNKNOWN and row.intent.id in about]


def _of_somebody_else(known: History | None, effects: Sequence[Effect]) -> list[Intent]:
    """The refunds found done by what REVER shows, of which somebody else's later payment may be what it shows."""
    others = [it for it in effects if it.by is not Actor.API and it.operation == "issueRefund"]
    found = []
    for row in known.intents if known else ():
        if row.intent.state is IntentState.DONE and row.evidence.get("by") == BY_EVIDENCE:
            like = next((other for other in others if _may_be(row.intent, other)), None)
            if like is not None:
                others.remove(like)
                found.append(row.intent)
    return found


def _may_be(intent: Intent, other: Effect) -> bool:
    """Whether REVER shows the two as one and the same: alike to the cent, and made after ours was sent."""
    alike = (intent.amount, intent.currency, intent.method) == (other.amount, other.currency, other.type)
    return alike and intent.sent_at is not None and intent.sent_at <= other.at


def _sum(intents: Iterable[Intent]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = defaultdict(Decimal)
    for intent in intents:
        found[OPERATIONS[intent.kind]] += 1
        if intent.kind is IntentKind.REFUND:
            found[intent.currency] += intent.amount
    return found


def _plain(amounts: dict[str, Decimal]) -> dict[str, str]:
    return {name: str(amount) for name, amount in amounts.items()}


def _trail(verdict: Verdict, process_id: str, known: History | None, effects: list[Effect]) -> None:
    """Every effect has its rows: meant by a rule, sent with evidence, and how it ended, each by somebody at a time."""
    kinds = {row.intent.id: row.intent.kind for row in known.intents} if known else {}
    steps: dict[IntentKind, Counter[str]] = defaultdict(Counter)
    for row in known.audit if known else ():
        if row.intent_id and row.actor and row.evidence and (row.rule or row.event != "intended"):
            steps[kinds[row.intent_id]][row.event] += 1
    wanted = Counter(KINDS[effect.operation] for effect in effects if effect.operation in KINDS)
    open_end = bool(known and (_closed_by_hand(known) or _asked(known)))
    for kind, times in wanted.items():
        for step in STEPS[: 2 if open_end else 3]:
            if steps[kind][step] < times:
                verdict.add(TRAIL, f"{process_id}: {times} of {kind}, {steps[kind][step]} rows {step!r}")


def reports(world: World) -> Verdict:
    """Where every run came to its end, alone: what the reports say was paid, or is on its way, is in REVER's books."""
    verdict = Verdict()
    answers = [answer for worker in world.workers for answer in worker.answers()]
    if any(worker.ended for worker in world.workers) or any(answer.report is None for answer in answers):
        return verdict
    told: dict[str, Decimal] = defaultdict(Decimal)
    for answer in answers:
        if answer.report and answer.report["mode"] == "act":
            for paid_or_on_its_way in (answer.report["paid"], answer.report["on_its_way"]):
                for currency, amount in paid_or_on_its_way.items():
                    told[currency] += Decimal(amount)
    paid = {currency: amount for currency, amount in world.sandbox.books.paid().items() if amount}
    if {currency: amount for currency, amount in told.items() if amount} != paid:
        verdict.add(REPORT, f"reports {_plain(told)}, REVER {_plain(paid)}")
    return verdict


def fingerprint(world: World) -> str:
    """What the ledger holds and how long REVER's books are, as one hash: `plan` must not change it."""

    def everything(conn: Connection) -> str:
        rows = [str(sorted(map(tuple, conn.execute(select(table))), key=str)) for table in metadata.sorted_tables]
        return sha256("\n".join(rows).encode()).hexdigest()

    with world.ledger() as ledger:
        return f"{ledger.read(everything)}/{len(world.sandbox.books)}"
