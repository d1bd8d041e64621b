"""One past return under two policies: at each moment of its life the same rules decide that every run asks.

The replayed desk pays what is decided, and REVER answers each payment with a yes; what it holds nobody answers. So the
two sides differ by the policies alone. Guards are judged afterwards, over all returns in the order of time (`caps`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from heapq import heappop, heappush

from rever_api.models import Compensation, ExchangeOrder, Product, Refund, ReturnProcess
from tasks.policy.backtest.moments import TimesAsked, turning_points
from tasks.policy.backtest.past import PastReturn, View, mailbox_of
from tasks.policy.case import Case, told_terms
from tasks.policy.decide import decide_money
from tasks.policy.decision import Compensate, Decision, Hold, Wait
from tasks.policy.kinds import EXCHANGE, REFUND
from tasks.policy.record import IntentState, LineUnits, OpenHold, Record
from tasks.policy.return_facts import EarlierReturn, ReturnFacts, Unknown, facts_of
from tasks.policy.rules.endings import ended_holds
from tasks.policy.side_facts import SideFacts, enriched
from tasks.policy.store import StoreRules
from tasks.policy.verdict import Decided, Standing, Verdict, judge

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
        for asked in verdict.asked:
            if asked.standing is Standing.MATCHES:
                self.matched.add(asked.rule.name)
            elif asked.standing is Standing.UNKNOWN:
                self.unknown.setdefault(asked.rule.name, asked.needs)
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
    """The two policies of a store, made ready. `alike` says that but for guards they differ in merchant's rules alone,
    `unstated` that nobody has said who pays there.
    """

    current: StoreRules
    candidate: StoreRules
    asked: TimesAsked
    alike: bool = False
    unstated: bool = False

    @property
    def both(self) -> tuple[StoreRules, StoreRules]:
        """The current policy, then the candidate."""
        return self.current, self.candidate


@dataclass(slots=True)
class _Desk:
    """A replayed desk: its ledger's record of the return, what REVER shows of its payments, and how it ends."""

    record: Record
    payments: list[Payment] = field(default_factory=list)
    held: HeldPayment | None = None
    waits: str = ""
    compensation: Compensation | None = None
    over: bool = False

    def sees(self, process: ReturnProcess) -> ReturnProcess:
        """The return with what this desk has paid."""
        return process if self.compensation is None else process.model_copy(update={"compensation": self.compensation})

    def act(self, decision: Decision, process: ReturnProcess, at: datetime, says: Verdict, *, exact: bool) -> None:
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


def replay(
    past: PastReturn, seen: Sequence[View], pair: Pair, history: History | None, until: datetime
) -> tuple[Replayed, Replayed]:
    """What the current policy and the candidate make of a return, from these views of it, up to `until`.

    As long as the rules of both say the same, one desk stands for both.
    """
    it = _Replay(past, pair, history, until)
    for view in seen:
        it.change(view)
    return it.results()


class _Replay:
    def __init__(self, past: PastReturn, pair: Pair, history: History | None, until: datetime) -> None:
        self.pair, self.history, self.until = pair, history, until
        self.shopper = mailbox_of(past.process) if history else ""
        self.first = self.second = _Desk(Record(past.process_id, pair.current.store))
        self.heard = RulesHeard(), RulesHeard()
        self.points: list[datetime] = []
        self.view: View | None = None

    def change(self, view: View) -> None:
        """Pass the turning points before a change, then the change itself."""
        self._pass_time(view.at)
        self.view = view
        facts = self._look(view.process, view.at, exact=view.exact)
        if facts is None or self.pair.asked.calm:
            return
        others = self.history(self.until) if self.history and self.pair.asked.within else ()
        earlier = others if isinstance(others, tuple) else ()
        for point in turning_points(self.pair.asked, facts, earlier, self.pair.current.zone, self.until):
            heappush(self.points, point)

    def results(self) -> tuple[Replayed, Replayed]:
        """What became of the return by each policy, once all time has passed."""
        self._pass_time(None)
        first, second = (
            Replayed(desk.payments, desk.held, desk.waits, heard)
            for desk, heard in zip((self.first, self.second), self.heard, strict=True)
        )
        return first, second

    def _pass_time(self, before: datetime | None) -> None:
        last = None
        while self.points and (before is None or self.points[0] < before):
            at = heappop(self.points)
            if at != last and self.view is not None:
                self._look(self.view.process, at, exact=True)
            last = at

    def _look(self, process: ReturnProcess, at: datetime, *, exact: bool) -> ReturnFacts | None:
        """Ask both policies at one moment. Returns the facts they were asked about; None where all is over."""
        first, second = self.first, self.second
        if first.over and second.over:
            return None
        rules = [self._as_known(each, at) for each in self.pair.both]
        shown = first.sees(process)
        facts = _facts(shown, rules[0], first.record, at)
        said = judge(rules[0].merchant_rules, facts)
        if first is second:
            would = judge(rules[1].merchant_rules, facts)
            self.heard[0].hear(said)
            self.heard[1].hear(would)
            if self.pair.alike and said.whole == would.whole and said.lines == would.lines:
                _decide(first, rules[0], shown, at, said, exact=exact)
                return facts
            second = self.second = replace(first, payments=[*first.payments])
        else:
            if not first.over:
                self.heard[0].hear(said)
            if not second.over:
                would = judge(rules[1].merchant_rules, _facts(second.sees(process), rules[1], second.record, at))
                self.heard[1].hear(would)
        if not first.over:
            _decide(first, rules[0], shown, at, said, exact=exact)
        if not second.over:
            _decide(second, rules[1], second.sees(process), at, would, exact=exact)
        return facts

    def _as_known(self, rules: StoreRules, at: datetime) -> StoreRules:
        """The rules with the shopper's earlier returns as they were known then, where rules ask for them."""
        if self.history is None or not self.shopper:
            return rules
        return replace(rules, side=replace(rules.side or SideFacts(), earlier={self.shopper: self.history(at)}))


def _decide(
    desk: _Desk, rules: StoreRules, process: ReturnProcess, at: datetime, says: Verdict, *, exact: bool
) -> None:
    if desk.held and ended_holds(process, rules, desk.record, at):
        desk.held, desk.record = None, replace(desk.record, holds=())
    desk.act(decide_money(Case(process, rules, desk.record, at)), process, at, says, exact=exact)


def _facts(process: ReturnProcess, rules: StoreRules, record: Record, at: datetime) -> ReturnFacts:
    return enriched(facts_of(process, record, rules, at, rules.zone), rules.side)
