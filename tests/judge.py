"""The judge of all tests that move money: it holds a desk's ledger against REVER's books, return by return.

One side is `Books`: what REVER did, for whom, and what the sandbox's own auditor says to it. The other is
`LedgerState`: what the ledger holds. `judge_always` finds what is wrong at any moment, also in the middle of a run.
`judge` is for a world in which no run is at work: it also finds what is forgotten and where the two sides differ.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from itertools import combinations
from typing import Any

from sqlalchemy import Connection, text

from rever_api.sandbox.state import Actor, Effect
from tasks.ledger.schema import VERSION_TABLE, metadata
from tasks.policy.record import MADE, IntentKind, IntentState
from tests.books import Amounts, Books, LedgerState, Sums
from tests.world import World, shown

KINDS = {
    "issueRefund": IntentKind.REFUND,
    "issueExchange": IntentKind.EXCHANGE,
    "createOrderV2": IntentKind.LABEL,
    "addReview": IntentKind.REVIEW,
    "cancelReturnProcess": IntentKind.CANCEL,
    "createReverseDelivery": IntentKind.REGISTER_LABEL,
}
"""What is done to a return that is there. A return that is made is judged by `_made`."""
OPERATIONS = {kind: operation for operation, kind in KINDS.items()}
STEPS = ("intended", "sent", "done")
LAST_STEP = {
    "done": {"done", "adopted", "nothing_to_send"},
    "refused": {"refused"},
    "withdrawn": {"withdrawn"},
    "done_by_hand": {"answered"},
    "dropped": {"answered"},
}
"""State at an intent's end -> the audit rows of which one must tell of it."""
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


def judge_always(
    books: Books, ledger: LedgerState, *, asked: Collection[str] = (), forgot: Collection[str] = ()
) -> Verdict:
    """Judge a world at any moment: nothing paid twice, too much or unexplained, each step written down.

    `asked` are returns for which a person asked for one effect more, beside those of which the ledger says so: what is
    too much there is the auditor's matter. `forgot` are those of which a ledger that was restored or lost does not know
    all: the books alone judge them.
    """
    verdict = Verdict()
    for broken in books.violations:
        verdict.add(_INVARIANTS[broken.invariant], f"{broken.process_id} {broken.kind}: {broken.why}")
    _written_down(verdict, ledger)
    _made(verdict, books, ledger, forgot)
    _explained(verdict, books, ledger, {*ledger.asked_again, *asked}, forgot)
    for row in ledger.open:
        if row.process_id in ledger.final:
            verdict.add(NO_LOOK, f"{row.process_id} is at its end with an open {row.kind}")
        if row.look_at is None:
            verdict.add(NO_LOOK, f"{row.process_id}: nobody looks at its open {row.kind} again")
    return verdict


def judge(
    books: Books,
    ledger: LedgerState,
    *,
    waits: Collection[str] = (),
    doubts: bool = True,
    asked: Collection[str] = (),
    forgot: Collection[str] = (),
) -> Verdict:
    """Judge a world in which no run is at work: what `judge_always` finds, and what is forgotten or differs.

    What is due is held, or was closed by a person or left as paid, or is of a return that `waits`. With `doubts`, an
    effect about which a person is asked may be in the books or not; without, it is in none.
    """
    verdict = judge_always(books, ledger, asked=asked, forgot=forgot)
    explained = {*ledger.held} - ledger.final | {*ledger.closed_by_hand, *ledger.left_as_paid, *waits}
    for due in books.due:
        if due.anything and due.process_id not in explained:
            verdict.add(FORGOTTEN, f"{due.process_id} {ledger.said_of(due.process_id)}")
    for row in ledger.open:
        if row.process_id not in {*ledger.held, *waits}:
            verdict.add(NO_LOOK, f"{row.process_id}: its {row.kind} is still {row.state}")
    busy = {row.process_id for row in ledger.open}
    for row in ledger.records:
        if not row.final and row.next_look_at is None and row.process_id not in {*ledger.held, *busy}:
            verdict.add(NO_LOOK, row.process_id)
    certain = True
    for process_id in sorted(
        {effect.process_id for effect in books.effects} | {it.process_id for it in ledger.intents}
    ):
        known, effects = ledger.of_return(process_id), books.of_return(process_id)
        if process_id in forgot:
            certain = False
            continue
        if process_id not in {*ledger.closed_by_hand, *asked}:
            compare(verdict, process_id, known, effects, doubts=doubts)
        certain &= process_id not in {*ledger.closed_by_hand, *asked} and not _maybe(known, effects, doubts=doubts)
        _trail(verdict, process_id, known, [effect for effect in effects if effect.by is Actor.API])
    _as_shown(verdict, books, ledger, {*ledger.held, *ledger.closed_by_hand, *ledger.asked_again, *asked, *forgot})
    if certain:
        paid: Amounts = defaultdict(Decimal)
        for (_, currency), amount in books.refunds(of_all=False).items():
            paid[currency] += amount
        same_sums(verdict, BOOKS, "in all", ledger.paid, paid)
    return verdict


def assert_promises_kept(world: World, about: str = "") -> LedgerState:
    """Fail where a promise is broken, or ledger and books differ by a cent. Prints both.

    A return that is due something must be held, or have an outcome that is still to come.
    """
    books, ledger = Books.of(world.sandbox), world.read(LedgerState.read)
    print(about)
    print(f"  REVER's books: {shown(world.paid())}, {len(books.effects)} effects; our ledger: {shown(ledger.paid)}")
    due, held = world.sandbox.audit().due_total, [row.kind for row in ledger.open_holds]
    print(f"  still due without a hold's reason at REVER: {shown(due)}; {len(ledger.open)} outcomes open")
    print(f"  {len(held)} held: {dict(sorted(Counter(held).items()))}")
    assert judge(books, ledger, waits={row.process_id for row in ledger.open}, doubts=False).words == []
    return ledger


def compare(
    verdict: Verdict, process_id: str, known: LedgerState, effects: Sequence[Effect], *, doubts: bool = True
) -> None:
    """Our ledger's done refunds, exchanges and labels of a return, and those in REVER's books: the same to the cent.

    Where a person is asked whether an effect was done (more than one like it is there, say), both answers fit. So they
    do where a refund of unknown outcome was found done by what REVER shows, and somebody else had paid just that in
    between: whose it is REVER does not tell, and it is not paid again.
    """
    theirs: Amounts = defaultdict(Decimal)
    for effect in effects:
        if effect.by is Actor.API and effect.operation in KINDS:
            theirs[effect.operation] += 1
            if effect.amount is not None:
                theirs[effect.currency] += effect.amount
    maybe = _maybe(known, effects, doubts=doubts)
    certain = [row for row in known.done if row not in maybe and row.kind in OPERATIONS]
    fits = [_sum([*certain, *some]) for many in range(len(maybe), -1, -1) for some in combinations(maybe, many)]
    if theirs not in fits:
        verdict.add(BOOKS, f"{process_id}: ledger {_plain(fits[0])}, REVER {_plain(theirs)}")


def same_sums(
    verdict: Verdict, kind: str, about: str, ours: Mapping[str, Decimal], theirs: Mapping[str, Decimal]
) -> None:
    """Note where two sums per currency differ by a cent."""
    if {name: amount for name, amount in ours.items() if amount} != {name: it for name, it in theirs.items() if it}:
        verdict.add(kind, f"{about}: ours {_plain(ours)}, REVER's {_plain(theirs)}")


def judge_reports(reports: Iterable[Mapping[str, Any]], paid: Mapping[str, Decimal]) -> Verdict:
    """Judge the reports of all runs, each at its end: what they call paid, or on its way, REVER has paid."""
    verdict, told = Verdict(), defaultdict[str, Decimal](Decimal)
    for report in reports:
        if report["mode"] == "act":
            for paid_or_on_its_way in (report["paid"], report["on_its_way"]):
                for currency, amount in paid_or_on_its_way.items():
                    told[currency] += Decimal(amount)
    same_sums(verdict, REPORT, "reports", told, paid)
    return verdict


def judge_put_back(books: Books, *, sent_while_stopped: int, closed: Collection[str], since: int) -> Verdict:
    """Judge a restore: nothing is sent before a person's `start`, and never for what was `closed` by hand before it.

    `since` is how many effects were in the books when the restored ledger had caught up.
    """
    verdict = Verdict()
    if sent_while_stopped:
        verdict.add(WHILE_STOPPED, f"{sent_while_stopped} effects")
    for effect in books.effects[since:]:
        if effect.by is Actor.API and effect.process_id in closed:
            verdict.add(ELSEWHERE, f"{effect.process_id}: {effect.operation}, which a person had closed by hand")
    return verdict


def judge_once_each(books: Books, returns: int) -> Verdict:
    """Judge a shop whose returns are each due one refund: so many were refunded, once each, no more is done or due."""
    verdict = Verdict()
    for broken in books.violations:
        verdict.add(_INVARIANTS[broken.invariant], f"{broken.process_id} {broken.kind}: {broken.why}")
    refunds = Counter(effect.process_id for effect in books.effects if effect.operation == "issueRefund")
    for process_id, times in refunds.items():
        if times > 1:
            verdict.add(DOUBLE, f"{process_id} refunded {times} times")
    if len(refunds) != returns:
        verdict.add(FORGOTTEN if len(refunds) < returns else ELSEWHERE, f"{len(refunds)} of {returns} returns refunded")
    if others := len(books.effects) - refunds.total():
        verdict.add(ELSEWHERE, f"{others} effects that are no refund")
    for due in books.due:
        if due.payer == "desk" and not due.blocked and due.amount > 0:
            verdict.add(FORGOTTEN, f"{due.process_id} is still due {due.amount} {due.currency}")
    return verdict


def everything(conn: Connection) -> str:
    """One hash of all that stands in the ledger's tables, which `plan` must not change: an operation of the ledger."""
    names = [*(table.name for table in metadata.sorted_tables), VERSION_TABLE]
    rows = [str(sorted(map(tuple, conn.execute(text(f"SELECT * FROM {name}"))), key=str)) for name in names]
    return sha256("\n".join(rows).encode()).hexdigest()


def _written_down(verdict: Verdict, ledger: LedgerState) -> None:
    """Each step by somebody, each intent meant by a rule, sent as often as is written, and its end told."""
    events: dict[str, list[str]] = defaultdict(list)
    for step in ledger.steps:
        if not step.actor:
            verdict.add(TRAIL, f"row {step.id} names nobody")
        for about in {step.intent_id, step.hold_id} - {""}:
            events[about].append(step.event)
    for row in ledger.open_holds:
        if "held" not in events[row.id]:
            verdict.add(TRAIL, f"hold {row.id} ({row.rule}) was opened without a word")
    for row in ledger.intents:
        told = events[row.id]
        if not row.rule:
            verdict.add(TRAIL, f"no rule is named for a {row.kind} of {row.process_id}")
        by_person = row.state in {"done_by_hand", "dropped"} and "answered" in told
        if not by_person and not {"intended", "adopted", "nothing_to_send"} & set(told):
            verdict.add(TRAIL, f"{row.id} was never meant")
        if told.count("sent") != row.attempt:
            verdict.add(TRAIL, f"{row.id}: {row.attempt} attempts, audited {told}")
        if row.state in LAST_STEP and not LAST_STEP[row.state] & set(told):
            verdict.add(TRAIL, f"{row.id} {row.state}: {told}")


def _made(verdict: Verdict, books: Books, ledger: LedgerState, forgot: Collection[str]) -> None:
    """Each return that was made for us is the ledger's, once; one that is not has an outcome that nobody knows yet.

    A return found by what REVER shows may be one that somebody else has started in between.
    """
    started = {effect.process_id: effect.by for effect in books.effects if effect.operation == "createReturn"}
    news = [row for row in ledger.intents if row.kind == IntentKind.CREATE_RETURN]
    named = Counter(row.evidence[MADE] for row in news if row.state == IntentState.DONE)
    for process_id, times in named.items():
        if process_id not in started or times > 1:
            verdict.add(BOOKS, f"{process_id}: the ledger says {times} times that it was made, REVER does not")
    extra = [it for it, by in started.items() if by is Actor.API and it not in named and it not in forgot]
    unknown = [row for row in news if row.attempt and row.state not in {IntentState.DONE, IntentState.WITHDRAWN}]
    if len(extra) > len(unknown):
        verdict.add(BOOKS, f"{', '.join(extra)} were made for us, and the ledger does not know")


def _explained(
    verdict: Verdict, books: Books, ledger: LedgerState, asked: Collection[str], forgot: Collection[str]
) -> None:
    """What the ledger holds for done is paid at REVER, and what REVER paid for us, the ledger means."""
    done: Sums = defaultdict(Decimal)
    meant: Sums = defaultdict(Decimal)
    for row in ledger.intents:
        if row.kind == IntentKind.REFUND:
            if row.state == IntentState.DONE and not row.nothing_sent:
                done[row.process_id, row.currency] += row.amount
            if row.attempt and row.state not in {IntentState.REFUSED, IntentState.WITHDRAWN}:
                meant[row.process_id, row.currency] += Decimal(row.evidence.get("meant", row.amount))
    at_rever = books.refunds(of_all=True)
    for (process_id, currency), amount in done.items():
        paid = at_rever[process_id, currency]
        if process_id not in forgot and amount > paid:
            verdict.add(BOOKS, f"{process_id}: the ledger holds {amount} {currency} for done, REVER paid {paid}")
    for (process_id, currency), amount in books.refunds(of_all=False).items():
        ours = meant[process_id, currency]
        if process_id not in forgot and process_id not in asked and amount > ours:
            verdict.add(BOOKS, f"{process_id}: REVER paid {amount} {currency} for us, the ledger means {ours}")


def _as_shown(verdict: Verdict, books: Books, ledger: LedgerState, doubtful: Collection[str]) -> None:
    """What the ledger holds for refunded, by us or by others, is what REVER shows at the return itself."""
    done: Sums = defaultdict(Decimal)
    for row in ledger.intents:
        if row.kind == IntentKind.REFUND and row.state == IntentState.DONE and not row.nothing_sent:
            done[row.process_id, row.currency] += row.amount
    for (process_id, currency), amount in done.items():
        theirs = books.shown.get(process_id, amount)
        if process_id not in doubtful and amount != theirs:
            verdict.add(BOOKS, f"{process_id}: the ledger says {amount} {currency}, REVER shows {theirs}")


def _maybe(known: LedgerState, effects: Sequence[Effect], *, doubts: bool) -> list[Any]:
    """The effects of a return that may be in the books as ours or not."""
    asked_about = [row for row in known.asked_about if row.kind in OPERATIONS]
    return [*asked_about, *_of_somebody_else(known, effects)] if doubts else []


def _of_somebody_else(known: LedgerState, effects: Sequence[Effect]) -> list[Any]:
    """The refunds found done by what REVER shows, of which somebody else's later payment may be what it shows."""
    others = [it for it in effects if it.by is not Actor.API and it.operation == "issueRefund"]
    found = []
    for row in known.intents:
        if row.state == IntentState.DONE and row.evidence.get("by") == BY_EVIDENCE:
            like = next((other for other in others if _may_be(row, other)), None)
            if like is not None:
                others.remove(like)
                found.append(row)
    return found


def _may_be(row: Any, other: Effect) -> bool:
    """Whether REVER shows the two as one and the same: alike to the cent, and made after ours was sent."""
    alike = (row.amount, row.currency, row.method) == (other.amount, other.currency, other.type)
    return alike and row.sent_at is not None and row.sent_at <= other.at


def _sum(rows: Iterable[Any]) -> Amounts:
    found: Amounts = defaultdict(Decimal)
    for row in rows:
        found[OPERATIONS[row.kind]] += 1
        if row.kind == IntentKind.REFUND:
            found[row.currency] += row.amount
    return found


def _plain(amounts: Mapping[str, Decimal]) -> dict[str, str]:
    return {name: str(amount) for name, amount in amounts.items()}


def _trail(verdict: Verdict, process_id: str, known: LedgerState, effects: Sequence[Effect]) -> None:
    """Every effect has its rows: meant by a rule, sent with evidence, and how it ended, each by somebody at a time."""
    kinds = {row.id: row.kind for row in known.intents}
    steps: dict[str, Counter[str]] = defaultdict(Counter)
    for row in known.steps:
        if row.intent_id and row.actor and row.evidence and (row.rule or row.event != "intended"):
            steps[kinds[row.intent_id]][row.event] += 1
    open_end = bool(known.closed_by_hand or known.asked_about)
    for kind, times in Counter(KINDS[effect.operation] for effect in effects if effect.operation in KINDS).items():
        for step in STEPS[: 2 if open_end else 3]:
            if steps[kind][step] < times:
                verdict.add(TRAIL, f"{process_id}: {times} of {kind}, {steps[kind][step]} rows {step!r}")
