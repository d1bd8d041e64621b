"""A desk in a replay: it decides by the rules of every run, and what it decides is done at once.

REVER answers each payment with a yes; what is held nobody answers, but for an approval that the rules end themselves.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from rever_api.models import Compensation, ReturnProcess
from tasks.policy.actions import ActionKind, Pay
from tasks.policy.approvals import APPROVAL, Limit, Then
from tasks.policy.backtest.outcome import HeldPayment, Payment, deciding
from tasks.policy.case import Case, told_terms
from tasks.policy.decide import decide_money, hold_of_money_ends
from tasks.policy.decision import AskedEffect, Compensate, Decision, Hold, Wait
from tasks.policy.facts import Inspection, LineInspection, contradictions, inspected_lines
from tasks.policy.kinds import EXCHANGE, REFUND
from tasks.policy.money import ZERO, gross
from tasks.policy.once_done import record_once_done, shown_once_paid
from tasks.policy.record import Intent, IntentKind, IntentState, OpenHold, Record, Waiver
from tasks.policy.ruling import Ruling
from tasks.policy.store import RefundsBy, StoreRules
from tasks.policy.verdict import Decided, Verdict


@dataclass(frozen=True)
class Look:
    """A return as REVER shows it at one moment."""

    process: ReturnProcess
    rules: StoreRules

    @cached_property
    def lines(self) -> tuple[LineInspection, ...]:
        """The lines by their reviews."""
        return inspected_lines(self.process, self.rules)

    @cached_property
    def inspection(self) -> Inspection:
        """The reviews, counted."""
        return Inspection(self.lines, contradictions(self.process))


@dataclass(frozen=True)
class _SeenCase(Case):
    """A case whose rules have been asked, and whose reviews are counted, for more than one policy."""

    heard: Ruling | None = None
    look: Look | None = None

    @cached_property
    def ruling(self) -> Ruling | None:
        """What the merchant's own rules said."""
        return self.heard

    @cached_property
    def reviews(self) -> Inspection:
        """The reviews, as they were counted."""
        return super().reviews if self.look is None else self.look.inspection


@dataclass(slots=True)
class ReplayedDesk:
    """A replayed desk: its ledger's record of the return, what REVER shows of its payments, and how it ends.

    `asks` is the hold that nobody has answered, `limit` until when it asks for an approval, and what happens then.
    `asked_of_it` says that rules ask what the desk itself has done, or holds.
    """

    record: Record
    asked_of_it: bool = False
    payments: list[Payment] = field(default_factory=list)
    held: HeldPayment | None = None
    waits: str = ""
    compensation: Compensation | None = None
    over: bool = False
    last: Verdict | None = None
    shown: tuple[str, int] = ("", 0)
    asks: Hold | None = None
    limit: Limit | None = None

    def is_late(self, at: datetime) -> bool:
        """Whether the time for an approval is up."""
        return (limit := self.limit) is not None and at >= limit.until

    def sees(self, process: ReturnProcess) -> ReturnProcess:
        """The return with what this desk has paid."""
        return process if self.compensation is None else process.model_copy(update={"compensation": self.compensation})

    def decide(
        self, rules: StoreRules, look: Look, ruling: Ruling, at: datetime, *, exact: bool, decides: bool
    ) -> None:
        """Decide, where it must be or the rules say something else than at the last decision; and do it."""
        process, says, before, limit = look.process, ruling.verdict, self.last, self.limit
        late = limit is not None and limit.is_up(rules.merchant_rules, at)
        if limit is not None and late:
            self._end(limit.then, process)
        if not (decides or late or (before and (put_off(says) or says.lines != before.lines))):
            return
        shown = str(process.rever_process_status), len(process.reviews or ())
        if self.held and before and says.lines == before.lines and self.shown == shown:
            return  # nothing that could end the hold has changed
        self.last, self.shown = says, shown
        heard = ruling if rules.merchant_rules and rules.refunds_by is RefundsBy.US else None
        if heard and self.held and self.asked_of_it:
            heard = Ruling.of(rules.merchant_rules, heard.facts._replace(held=False))
        record = replace(self.record, holds=()) if self.held else self.record
        case = _SeenCase(process, rules, record, at, heard, look)
        if self.held and not hold_of_money_ends(self.record.holds[0], case):
            return
        if self.held:
            self._goes_on(record)
        self._act(decide_money(case), process, at, says, exact=exact)

    def _act(self, decision: Decision, process: ReturnProcess, at: datetime, says: Verdict, *, exact: bool) -> None:
        """Do what was decided."""
        self.waits = decision.why if isinstance(decision, Wait) else ""
        if isinstance(decision, Compensate):
            self._pay(decision, process, at, says, exact=exact)
        elif isinstance(decision, AskedEffect):
            self.over = True  # a return that is called off has nothing to come
        elif isinstance(decision, Hold) and self.held is None:
            amount = decision.amount if decision.pays is None else decision.pays
            rules = deciding(says, (item.line_id for item in decision.items))
            currency = decision.currency or next((line.currency for line in process.return_line_items), "")
            self.held = HeldPayment(at, decision.rule, decision.why, amount, currency, rules)
            self.asks, self.limit = decision, Limit.told(decision.evidence) if decision.rule == APPROVAL else None
            asks = OpenHold("replayed", 1, decision.kind, decision.rule, decision.why, at)
            self.record = replace(
                self.record, holds=(replace(asks, amount=decision.amount, currency=decision.currency),)
            )

    def _end(self, then: Then, process: ReturnProcess) -> None:
        """Answer the approval that nobody gave in time, as the rule says."""
        assert self.asks is not None  # noqa: S101 - it has a limit
        record, asks = replace(self.record, holds=()), self.asks
        if then is Then.GO_ON:
            record = replace(record, waivers=(*record.waivers, Waiver(APPROVAL, asks.amount, asks.currency)))
        else:
            lines = {line.id: line for line in process.return_line_items}
            money = [item for item in asks.items if lines[item.line_id].compensation_method != "EXCHANGE"]
            worth = sum((gross(told_terms(lines[item.line_id]), item.units) for item in money), ZERO)
            number = f"replayed {len(record.intents)}"
            closed = Intent(
                number, IntentKind.REFUND, IntentState.DROPPED, asks.items, currency=asks.currency, gross=worth
            )
            record = replace(record, intents=(*record.intents, closed))
        self._goes_on(record)

    def _goes_on(self, record: Record) -> None:
        """Ask nobody any more."""
        self.held, self.asks, self.limit, self.record = None, None, None, record

    def _pay(self, due: Compensate, process: ReturnProcess, at: datetime, says: Verdict, *, exact: bool) -> None:
        """Pay all that is due, as the ledger and REVER show it afterwards."""
        made = [REFUND.intent(refund) for refund in due.refunds]
        made += [EXCHANGE.intent(due.exchange)] if due.exchange else []
        terms = {line.id: told_terms(line) for line in process.return_line_items}
        for intent in made:
            goods = intent.kind is EXCHANGE.name
            self.record = record_once_done(self.record, intent, terms, due.costs, at)
            rules = deciding(says, (item.line_id for item in intent.items)) or (due.rule,)
            amount, method = (intent.gross, "EXCHANGE") if goods else (intent.amount, intent.method)
            self.payments.append(Payment(at, amount, intent.currency, method, intent.items, rules, exact, goods))
        taken = sum(item.quantity for intent in self.record.intents for item in intent.items)
        self.over = taken == sum(line.quantity for line in process.return_line_items)
        if not self.over:  # nobody looks at it again
            self.compensation = shown_once_paid(self.compensation, due, at)


def put_off(says: Verdict) -> list[Pay]:
    """What says of lines that they are to be paid so many days after something: the day may have come."""
    paid = [outcomes.get(ActionKind.PAY) for outcomes in says.lines.values()]
    return [it.action for it in paid if isinstance(it, Decided) and isinstance(it.action, Pay) and it.action.plus_days]
