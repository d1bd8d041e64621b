"""One past return under two policies: at each moment of its life the same rules decide that every run asks.

The replayed desk pays what is decided, and REVER answers each payment with a yes; what it holds nobody answers. So the
two sides differ by the policies alone. Guards are judged afterwards, over all returns in the order of time (`caps`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from heapq import heappop, heappush

from rever_api.models import (
    NOT_RECEIVED,
    Compensation,
    ExchangeOrder,
    Product,
    Refund,
    RefundTiming,
    ReturnProcess,
    ReviewStatus,
)
from tasks.policy.actions import Action, ActionKind, KeepItem, Pay
from tasks.policy.backtest.moments import TimesAsked, times_asked, turning_points
from tasks.policy.backtest.past import PastReturn, View, mailbox_of
from tasks.policy.case import Case, told_terms
from tasks.policy.decide import decide_money
from tasks.policy.decision import Compensate, Decision, Hold, Wait
from tasks.policy.facts import timing_of
from tasks.policy.kinds import EXCHANGE, REFUND
from tasks.policy.record import IntentState, LineUnits, OpenHold, Record
from tasks.policy.return_facts import EarlierReturn, ReturnFacts, Unknown, facts_of
from tasks.policy.rules.endings import ended_holds
from tasks.policy.ruling import Ruling
from tasks.policy.side_facts import SideFacts, enriched
from tasks.policy.store import Guards, RefundsBy, StoreRules
from tasks.policy.verdict import Decided, Known, Standing, Verdict, judge, stands

History = Callable[[datetime], tuple[EarlierReturn, ...] | Unknown]
"""The shopper's other returns as they were known at a time."""


@dataclass(frozen=True, slots=True)
class Payment:
    """What a policy pays at one moment by one method. `goods` is an exchange, whose `amount` is what it is worth.

    `exact` is false where it was due at some time before, which nobody has told. `rules` are the merchant's rules that
    decided about its lines, or the desk's own.
    """

    at: datetime
    amount: Decimal
    currency: str
    method: str
    items: tuple[LineUnits, ...]
    rules: tuple[str, ...] = ()
    exact: bool = True
    goods: bool = False


@dataclass(frozen=True, slots=True)
class HeldPayment:
    """A hold, which nobody answers in a replay. `amount` is what it keeps back, where that is known."""

    at: datetime
    rule: str
    why: str
    amount: Decimal | None = None
    currency: str = ""
    rules: tuple[str, ...] = ()


@dataclass(slots=True)
class RulesHeard:
    """How the merchant's rules stood to a return at any moment: those that matched, decided, were outranked, and those
    that could not be answered, each with what is missing. `last` are those that decided about money last.
    """

    matched: set[str] = field(default_factory=set)
    decided: set[str] = field(default_factory=set)
    outranked: set[str] = field(default_factory=set)
    unknown: dict[str, tuple[str, ...]] = field(default_factory=dict)
    last: tuple[str, ...] = ()

    def hear(self, verdict: Verdict) -> None:
        """Note how the rules stand now."""
        for each in verdict.stood:
            if each.standing is Standing.MATCHES:
                self.matched.add(each.rule.name)
            elif each.standing is Standing.UNKNOWN:
                self.unknown.setdefault(each.rule.name, each.needs)
        for outcomes in (verdict.whole, *verdict.lines.values()):
            for outcome in outcomes.values():
                if isinstance(outcome, Decided):
                    self.decided.add(outcome.rule)
                    self.outranked.update(outcome.outranked)
        self.last = deciding(verdict, verdict.lines)


def deciding(verdict: Verdict, lines: Iterable[str]) -> tuple[str, ...]:
    """The rules that decide about these lines, each once."""
    outcomes = (it for line in lines for it in verdict.lines[line].values())
    return tuple(dict.fromkeys(it.rule for it in outcomes if isinstance(it, Decided)))


@dataclass(slots=True)
class Replayed:
    """What a policy makes of one return: its payments in order, and the hold or the wait that it ends with."""

    payments: list[Payment] = field(default_factory=list)
    held: HeldPayment | None = None
    waits: str = ""
    heard: RulesHeard = field(default_factory=RulesHeard)


@dataclass(frozen=True, slots=True)
class Pair:
    """The two policies of a store, made ready: a rule that both have is one object.

    `alike` says that but for guards they differ in merchant's rules alone, `unstated` that nobody has said who pays
    there. `early` says that something may be due before a unit is approved; `restless` are the rules, by identity,
    whose answer may turn while REVER shows the same.
    """

    current: StoreRules
    candidate: StoreRules
    asked: TimesAsked
    alike: bool = False
    unstated: bool = False
    early: bool = True
    restless: frozenset[int] = frozenset()

    @property
    def both(self) -> tuple[StoreRules, StoreRules]:
        """The current policy, then the candidate."""
        return self.current, self.candidate

    @classmethod
    def of(cls, current: StoreRules, candidate: StoreRules) -> "Pair":
        """The policies as they are replayed: where nobody has said who pays, this desk does."""
        unstated = current.refunds_by is RefundsBy.UNSTATED
        if unstated:
            current, candidate = (replace(it, refunds_by=RefundsBy.US) for it in (current, candidate))
        ours = {rule.name: rule for rule in current.merchant_rules}
        shared = [mine if (mine := ours.get(it.name)) == it and mine else it for it in candidate.merchant_rules]
        candidate = replace(candidate, merchant_rules=tuple(shared))
        rules = (*current.merchant_rules, *candidate.merchant_rules)
        timing = timing_of(current)
        asked = times_asked(rules)
        if timing == RefundTiming.ON_ITEM_SENT:
            asked = replace(asked, parcels=True)
        early = timing != RefundTiming.ON_ITEM_VERIFIED or any(_pays_early(it) for rule in rules for it in rule.then)
        bare = [it.policy.model_copy(update={"guards": Guards()}) for it in (current, candidate)]
        restless = frozenset(id(rule) for rule in rules if not times_asked([rule]).settled)
        return cls(current, candidate, asked, bare[0] == bare[1], unstated, early, restless)


def _pays_early(action: Action) -> bool:
    """Whether a line may be due before it is reviewed."""
    return isinstance(action, KeepItem) or (isinstance(action, Pay) and action.at != "inspection")


@dataclass(frozen=True)
class _HeardCase(Case):
    """A case whose rules have been asked already."""

    heard: Ruling | None = None

    @cached_property
    def ruling(self) -> Ruling | None:
        """What the merchant's own rules said."""
        return self.heard


@dataclass(slots=True)
class _Desk:
    """A replayed desk: its ledger's record of the return, what REVER shows of its payments, and how it ends."""

    record: Record
    payments: list[Payment] = field(default_factory=list)
    held: HeldPayment | None = None
    waits: str = ""
    compensation: Compensation | None = None
    over: bool = False
    last: Verdict | None = None

    def sees(self, process: ReturnProcess) -> ReturnProcess:
        """The return with what this desk has paid."""
        return process if self.compensation is None else process.model_copy(update={"compensation": self.compensation})

    def decide(
        self, rules: StoreRules, process: ReturnProcess, ruling: Ruling, at: datetime, *, exact: bool, decides: bool
    ) -> None:
        """Decide, where it must be or the rules say something else than at the last decision; and do it."""
        says, before = ruling.verdict, self.last
        if not (decides or (before and (_waits_for_a_day(says) or says.lines != before.lines))):
            return
        self.last = says
        if self.held and ended_holds(process, rules, self.record, at):
            self.held, self.record = None, replace(self.record, holds=())
        heard = ruling if rules.merchant_rules and rules.refunds_by is RefundsBy.US else None
        self._act(decide_money(_HeardCase(process, rules, self.record, at, heard)), process, at, says, exact=exact)

    def _act(self, decision: Decision, process: ReturnProcess, at: datetime, says: Verdict, *, exact: bool) -> None:
        """Do what was decided."""
        self.waits = decision.why if isinstance(decision, Wait) else ""
        if isinstance(decision, Compensate):
            self._pay(decision, process, at, says, exact=exact)
        elif isinstance(decision, Hold) and self.held is None:
            amount = decision.amount if decision.pays is None else decision.pays
            rules = deciding(says, (item.line_id for item in decision.items))
            self.held = HeldPayment(at, decision.rule, decision.why, amount, decision.currency, rules)
            asks = OpenHold("replayed", 1, decision.kind, decision.rule, decision.why, at)
            self.record = replace(
                self.record, holds=(replace(asks, amount=decision.amount, currency=decision.currency),)
            )

    def _pay(self, due: Compensate, process: ReturnProcess, at: datetime, says: Verdict, *, exact: bool) -> None:
        """Pay all that is due, as the ledger and REVER show it afterwards."""
        made = [REFUND.intent(refund) for refund in due.refunds]
        made += [EXCHANGE.intent(due.exchange)] if due.exchange else []
        lines = {line.id: line for line in process.return_line_items}
        for intent in made:
            goods = intent.kind is EXCHANGE.name
            done = replace(
                intent,
                id=f"replayed {len(self.record.intents)}",
                state=IntentState.DONE,
                created_at=at,
                sent_at=at,
                nothing_sent=not goods and not intent.amount,
            )
            fixed = {item.line_id: told_terms(lines[item.line_id]) for item in intent.items}
            self.record = replace(
                self.record,
                intents=(*self.record.intents, done),
                lines={**fixed, **self.record.lines},
                costs=due.costs if due.refunds else self.record.costs,
            )
            rules = deciding(says, (item.line_id for item in intent.items)) or (due.rule,)
            amount, method = (intent.gross, "EXCHANGE") if goods else (intent.amount, intent.method)
            self.payments.append(Payment(at, amount, intent.currency, method, intent.items, rules, exact, goods))
        self.compensation = _shown(self.compensation, due, at)
        taken = sum(item.quantity for intent in self.record.intents for item in intent.items)
        self.over = taken == sum(line.quantity for line in process.return_line_items)


def _shown(before: Compensation | None, due: Compensate, at: datetime) -> Compensation:
    """What REVER shows once these refunds and this exchange are made."""
    refunds = (before.refunds or ()) if before else ()
    refunds += tuple(
        Refund(amount=it.amount, currency=it.currency, type=it.method, refunded_at=at)
        for it in due.refunds
        if it.amount
    )
    order = before.exchange_order if before else None
    if due.exchange:
        goods = tuple(Product(variant_id=it.variant_id) for it in due.exchange.items for _ in it.units)
        order = ExchangeOrder(order_id="replayed", ordered_items=goods)
    return Compensation(refunds=refunds, exchange_order=order)


def _waits_for_a_day(says: Verdict) -> bool:
    """Whether a line is to be paid so many days after something: the day may have come."""
    paid = (outcomes.get(ActionKind.PAY) for outcomes in says.lines.values())
    return any(isinstance(it, Decided) and isinstance(it.action, Pay) and it.action.plus_days for it in paid)


def replay(
    past: PastReturn, seen: Sequence[View], pair: Pair, history: History | None, until: datetime
) -> tuple[Replayed, Replayed]:
    """What the current policy and the candidate make of a return, from these views of it, up to `until`.

    As long as the rules of both say the same, one desk stands for both.
    """
    it = _Replay(past, pair, history, until)
    for number, view in enumerate(seen, start=1):
        it.change(view, last=number == len(seen))
        it.pass_time(view.process, seen[number].at if number < len(seen) else None)
    return it.results()


@dataclass(slots=True)
class _Track:
    """One desk, and the policies (0: current, 1: candidate) that have decided alike so far.

    `facts` are those of the last look, None once the desk has done something; `known` is how the rules stood to them.
    """

    desk: _Desk
    sides: tuple[int, ...]
    facts: ReturnFacts | None = None
    known: Known = field(default_factory=dict)
    said: tuple[Verdict, ...] = ()

    def ask(self, rules: Sequence[StoreRules], process: ReturnProcess, at: datetime) -> ReturnFacts:
        """Ask the rules of each of its policies about the return as REVER shows it now."""
        own, known = rules[self.sides[0]], Known()
        facts = enriched(facts_of(process, self.desk.record, own, at, own.zone), own.side)
        self.said = tuple(judge(rules[side].merchant_rules, facts, known) for side in self.sides)
        self.facts, self.known = facts, known
        return facts

    def ask_again(self, rules: Sequence[StoreRules], pair: "Pair", at: datetime, shopper: str) -> bool:
        """Ask anew where REVER shows the same as at the last look. Returns whether any rule says something else."""
        assert self.facts is not None  # noqa: S101 - there was a last look
        own = rules[self.sides[0]]
        facts = replace(self.facts, now=at.astimezone(own.zone))
        if own.side is not None and shopper in own.side.earlier:
            facts = replace(facts, earlier=own.side.earlier[shopper])
        each = {id(rule): rule for side in self.sides for rule in rules[side].merchant_rules}
        fresh = {name: stands(rule, facts) for name, rule in each.items() if name in pair.restless}
        self.facts = facts
        if all(self.known[name] == stood for name, stood in fresh.items()):
            return any(map(_waits_for_a_day, self.said))
        self.known = {**self.known, **fresh}
        self.said = tuple(judge(rules[side].merchant_rules, facts, self.known) for side in self.sides)
        return True


class _Replay:
    def __init__(self, past: PastReturn, pair: Pair, history: History | None, until: datetime) -> None:
        self.pair, self.history, self.until = pair, history, until
        self.shopper = mailbox_of(past.process) if history else ""
        self.early = pair.early or any(it.return_reason == NOT_RECEIVED for it in past.process.return_line_items)
        self.tracks = [_Track(_Desk(Record(past.process_id, pair.current.store)), (0, 1))]
        self.heard = RulesHeard(), RulesHeard()
        self.points: list[datetime] = []

    def change(self, view: View, *, last: bool) -> None:
        """Ask about a change, and note the moments at which the answer may turn by the passing of time."""
        decides = last or self.early or any(it.status == ReviewStatus.APPROVED for it in view.process.reviews or ())
        rules = self._as_known(view.at)
        facts: ReturnFacts | None = None
        for track in [it for it in self.tracks if not it.desk.over]:
            facts = track.ask(rules, track.desk.sees(view.process), view.at)
            self._decide(track, rules, view.process, view.at, exact=view.exact, decides=decides)
        if facts is None or self.pair.asked.calm:
            return
        others = self.history(self.until) if self.history and self.pair.asked.within else ()
        earlier = others if isinstance(others, tuple) else ()
        for point in turning_points(self.pair.asked, facts, earlier, self.pair.current.zone, self.until):
            heappush(self.points, point)

    def pass_time(self, process: ReturnProcess, before: datetime | None) -> None:
        """Ask at each turning point up to a time, or all that are left, about the return as it was shown last."""
        at: datetime | None = None
        while self.points and (before is None or self.points[0] < before):
            last, at = at, heappop(self.points)
            if at == last:
                continue
            rules = self._as_known(at)
            for track in [it for it in self.tracks if not it.desk.over]:
                if track.facts is None:
                    track.ask(rules, track.desk.sees(process), at)
                elif not track.ask_again(rules, self.pair, at, self.shopper):
                    continue
                self._decide(track, rules, process, at, exact=True, decides=False)

    def results(self) -> tuple[Replayed, Replayed]:
        """What became of the return by each policy."""
        desks = {side: track.desk for track in self.tracks for side in track.sides}
        first, second = (
            Replayed(desks[side].payments, desks[side].held, desks[side].waits, heard)
            for side, heard in enumerate(self.heard)
        )
        return first, second

    def _decide(
        self, track: _Track, rules: Sequence[StoreRules], process: ReturnProcess, at: datetime, *, exact: bool,
        decides: bool,
    ) -> None:  # fmt: skip
        """Decide on what the rules said, once for both policies as long as they say the same."""
        for side, said in zip(track.sides, track.said, strict=True):
            self.heard[side].hear(said)
        parted = [track]
        if len(track.said) > 1 and not (self.pair.alike and _same(*track.said)):
            other = replace(track, desk=replace(track.desk, payments=[*track.desk.payments]))
            for it, side in ((track, 0), (other, 1)):
                it.sides, it.said = (side,), (track.said[side] if it is track else other.said[side],)
            self.tracks = parted = [track, other]
        for it in parted:
            own, shown = rules[it.sides[0]], it.desk.sees(process)
            assert it.facts is not None  # noqa: S101 - it was asked just now
            before = it.desk.record
            it.desk.decide(own, shown, Ruling(it.facts, it.said[0]), at, exact=exact, decides=decides)
            if it.desk.record is not before:
                it.facts = None

    def _as_known(self, at: datetime) -> Sequence[StoreRules]:
        """Both policies, with the shopper's earlier returns as they were known then, where rules ask for them."""
        if self.history is None or not self.shopper:
            return self.pair.both
        earlier = {self.shopper: self.history(at)}
        return [replace(it, side=replace(it.side or SideFacts(), earlier=earlier)) for it in self.pair.both]


def _same(one: Verdict, other: Verdict) -> bool:
    """Whether two verdicts decide the same, by rules of the same name."""
    return one.whole == other.whole and one.lines == other.lines
