"""What a merchant's own rules make of one return: which units are paid, when, how, and what is taken off. Pure.

The rules of money stand below: they pay what a ruling leaves due, never above a unit's value, never a unit twice, and
what a person has answered stays. A ruling takes units out, brings their moment forward or puts it off, changes the
method and the costs. What this desk has paid already it leaves alone.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType
from typing import TypeVar

from rever_api.models import CompensationMethod
from tasks.policy.actions import (
    Accept,
    Action,
    ActionKind,
    AddOn,
    Alarm,
    Approve,
    Bonus,
    Cancel,
    Carrier,
    Fee,
    KeepItem,
    Methods,
    NoBonus,
    NoFee,
    OutOfStock,
    Pay,
    RefundShipping,
    ReturnBy,
    Warehouse,
    day_of,
    fee_terms,
    is_due,
    kind_of,
    method_for,
)
from tasks.policy.conditions import Truth
from tasks.policy.decision import Cancellation
from tasks.policy.facts import LineInspection
from tasks.policy.merchant_rules import MerchantRule
from tasks.policy.money import ZERO
from tasks.policy.order_shipping import shipping_part
from tasks.policy.record import FeeTerms, OrderShipping
from tasks.policy.return_facts import Fact, Money, ReturnFacts, Unknown
from tasks.policy.store import REFUND_METHODS
from tasks.policy.verdict import Decided, FeeDue, Open, Outcome, Outcomes, Verdict, excluded, fees, judge

ActionT = TypeVar("ActionT", bound=Action)

BESIDE_MONEY = frozenset({ActionKind.CARRIER, ActionKind.WAREHOUSE, ActionKind.RETURN_METHOD, ActionKind.ALARM})
"""Kinds that are about the label or a notice alone, and not about what the shopper gets."""

_OF_MONEY = frozenset(ActionKind) - BESIDE_MONEY
_NONE: Outcomes = MappingProxyType({})

OF_THE_LABEL = frozenset(
    {
        ActionKind.CARRIER,
        ActionKind.WAREHOUSE,
        ActionKind.RETURN_METHOD,
        ActionKind.KEEP,
        ActionKind.ACCEPTANCE,
        ActionKind.ADD_ON,
    }
)
"""Kinds without which it cannot be said whether a label is needed, from whom, and to where."""


def of_money(action: Action) -> bool:
    """Whether it is about what the shopper gets, and not about the label or a notice alone."""
    return kind_of(action) not in BESIDE_MONEY


def idle_where_rever_pays(rules: Iterable[MerchantRule], store: str, where: str) -> str:
    """What is wrong with these rules of a store at which REVER pays: those about money; empty where nothing is."""
    idle = rules_of_money(rules)
    if not idle:
        return ""
    return (
        f"REVER pays at store {store!r} (REVER_REFUNDS_BY), so its rules about money would do nothing: "
        f"{idle}; put them below the stores where this desk pays ({where})"
    )


def rules_of_money(rules: Iterable[MerchantRule]) -> str:
    """The names of those of the rules that are about money."""
    return ", ".join(repr(rule.name) for rule in rules if any(map(of_money, rule.then)))


@dataclass(frozen=True)
class Ruling:
    """The verdict of the rules on one return, with the facts that it stands on."""

    facts: ReturnFacts
    verdict: Verdict

    @classmethod
    def of(cls, rules: tuple[MerchantRule, ...], facts: ReturnFacts) -> "Ruling":
        """What these rules say of these facts."""
        return cls(facts, judge(rules, facts))

    def outcome(self, line_id: str, kind: ActionKind) -> Outcome | None:
        """What was decided of a line about this; None where no rule speaks of it."""
        return self.verdict.lines.get(line_id, _NONE).get(kind)

    def decided(self, line_id: str, kind: ActionKind, action: type[ActionT]) -> ActionT | None:
        """The action of this kind that a rule has decided on for a line, where it is this one."""
        found = self.verdict.lines.get(line_id, _NONE).get(kind)
        return found.action if isinstance(found, Decided) and isinstance(found.action, action) else None

    def rule(self, line_id: str, kind: ActionKind) -> str:
        """The name of the rule that decided about this of a line; empty where none did."""
        found = self.outcome(line_id, kind)
        return found.rule if isinstance(found, Decided) else ""

    def rules(self, line_ids: Iterable[str], *kinds: ActionKind) -> str:
        """The names of the rules that decided about these kinds of these lines, each once, as a sentence has them."""
        names = {self.rule(line_id, kind) for line_id in line_ids for kind in kinds}
        return ", ".join(map(repr, sorted(names - {""})))

    def moments(self, line_ids: Iterable[str]) -> str:
        """When the scans and arrivals were seen by which rules have these lines paid, as the end of a sentence."""
        pays = [it for line_id in line_ids if (it := self.decided(line_id, ActionKind.PAY, Pay))]
        days = {
            "first_scan": ("first scan", self.facts.first_scanned_on),
            "arrival": ("arrival", self.facts.arrived_on),
        }
        seen = {days[pay.at] for pay in pays if pay.at in days}
        return "".join(f"; {what} seen on {day:%F}" for what, day in sorted(seen, key=str) if isinstance(day, date))

    def approval(self, line_id: str) -> Approve | None:
        """Who is asked before a line is paid."""
        return self.decided(line_id, ActionKind.APPROVAL, Approve)

    def out_of_stock(self, line_id: str) -> OutOfStock | None:
        """What becomes of a line's exchange that is out of stock."""
        return self.decided(line_id, ActionKind.OUT_OF_STOCK, OutOfStock)

    def method(self, line_id: str, wish: str) -> str:
        """The compensation that a line gets; empty where its wish may not be, and a person must say which."""
        methods = self.decided(line_id, ActionKind.METHODS, Methods)
        return wish if methods is None else method_for(wish, methods, sorted(REFUND_METHODS))

    def bonus_percent(self, line_id: str, method: str) -> Decimal:
        """How many percent of its value a line gets on top, compensated by this method: only ever by credit."""
        found = self.decided(line_id, ActionKind.BONUS, Bonus)
        return found.percent or ZERO if found and method in found.methods else ZERO

    def bonus_sum(self, line_id: str, method: str) -> Decimal:
        """The fixed sum that the return gets on top where a line is compensated by this method: only ever by credit."""
        found = self.decided(line_id, ActionKind.BONUS, Bonus)
        return found.amount.amount if found and found.amount and method in found.methods else ZERO

    def most_bonus(self, line_id: str) -> Decimal | None:
        """What the return's bonuses come to at most, a line's included; None where its rule says no bound."""
        found = self.decided(line_id, ActionKind.BONUS, Bonus)
        return found.at_most.amount if found and found.at_most else None

    def excludes(self, line_id: str) -> bool:
        """Whether a line is not compensated at all: it is declined, or no goods."""
        return excluded(self.verdict.lines[line_id])

    def pays_early(self, line_id: str) -> bool:
        """Whether a line may be paid before its inspection, or it cannot be said just now that it may not."""
        outcomes = (self.outcome(line_id, kind) for kind in (ActionKind.PAY, ActionKind.KEEP))
        return any(
            isinstance(action, KeepItem) or (isinstance(action, Pay) and action.at != "inspection")
            for found in outcomes
            if found
            for action in (found.candidates if isinstance(found, Open) else (found.action,))
        )

    def comes_back(self, line_id: str) -> bool:
        """Whether a line is to come back: neither excluded nor kept. Who gets an exchange sends the goods back."""
        if self.excludes(line_id):
            return False
        exchange = any(it.line_id == line_id and it.method == CompensationMethod.EXCHANGE for it in self.facts.lines)
        return exchange or self.decided(line_id, ActionKind.KEEP, KeepItem) is None

    def carrier(self) -> str:
        """The carrier that a rule wants the label from; empty where none does."""
        found = _decided(self.verdict.whole.get(ActionKind.CARRIER), Carrier)
        return found.name if found else ""

    def warehouse(self) -> str:
        """The name or id of the warehouse that a rule sends the goods to; empty where none does."""
        found = _decided(self.verdict.whole.get(ActionKind.WAREHOUSE), Warehouse)
        return found.name if found else ""

    def cancellation(self) -> Fact[Cancellation]:
        """The cancellation that a rule wants; None where none does, unknown where that cannot be said."""
        found = self.verdict.whole.get(ActionKind.CANCEL)
        if isinstance(found, Open):
            return Unknown(f"{', '.join(found.needs)}, for rule {', '.join(map(repr, found.rules))}")
        cancel = _decided(found, Cancel)
        return Cancellation(cancel.why, found.rule) if cancel and found else None

    def return_method(self) -> str:
        """How a rule wants the goods to come back; empty where none does."""
        found = _decided(self.verdict.whole.get(ActionKind.RETURN_METHOD), ReturnBy)
        return found.method if found else ""

    def label_needs(self) -> tuple[str, ...]:
        """What is missing before it can be said whether a label is needed, and from whom."""
        outcomes = [self.verdict.whole, *self.verdict.lines.values()]
        found = [each.get(kind) for each in outcomes for kind in sorted(OF_THE_LABEL)]
        return tuple(dict.fromkeys(word for it in found if isinstance(it, Open) for word in it.needs))

    def alarm(self) -> str:
        """The rule that raises an alarm about the return and why, or what it needs before it can say so; else empty."""
        found = self.verdict.whole.get(ActionKind.ALARM)
        if isinstance(found, Open):
            return f"rule {', '.join(map(repr, found.rules))} may raise an alarm: it needs {', '.join(found.needs)}"
        if isinstance(found, Decided) and isinstance(found.action, Alarm):
            return f"rule {found.rule!r}: {found.action.why}"
        return ""

    # Costs, and the order's shipping.

    def shipping_part(self, worth: Decimal, currency: str) -> Fact[OrderShipping]:
        """The part of the order's shipping that goes with the refund of goods of this value; None where none does."""
        found = self.verdict.whole.get(ActionKind.SHIPPING)
        if isinstance(found, Open):
            return Unknown(", ".join(found.needs))
        action = _decided(found, RefundShipping)
        return None if action is None else shipping_part(action, self.facts, worth, currency)

    def shipping_rules(self) -> str:
        """The names of the rules that refund the order's shipping, or may do so; as a sentence has them."""
        found = self.verdict.whole.get(ActionKind.SHIPPING)
        return ", ".join(map(repr, found.rules if isinstance(found, Open) else (found.rule,))) if found else ""

    @property
    def speaks_of_costs(self) -> bool:
        """Whether a rule says, or may say, what is taken off the refunds."""
        return any(self.outcome(line.line_id, ActionKind.FEE) for line in self.facts.lines)

    @cached_property
    def fees(self) -> tuple[FeeDue, ...]:
        """The fees that are taken off the refunds in the place of REVER's costs."""
        return fees(self.verdict, self.facts)

    def fee_in_percent(self, line_id: str) -> FeeTerms | None:
        """The fee in percent that a rule takes off what is refunded of a line, in the place of costs."""
        found = self.decided(line_id, ActionKind.FEE, Fee)
        if found is None or found.percent is None:
            return None
        return fee_terms(found, self.rule(line_id, ActionKind.FEE))

    def fee_is_open(self, line_id: str) -> bool:
        """Whether it cannot be said just now which fee a line has."""
        return isinstance(self.outcome(line_id, ActionKind.FEE), Open)

    def bears_costs(self, line_id: str) -> bool:
        """Whether costs are taken off a line: not where a rule says so."""
        return self.decided(line_id, ActionKind.FEE, NoFee) is None

    def costs(self, told: Decimal, in_percent: Collection[str] = frozenset()) -> Decimal:
        """What is taken off the refunds in all, beside fees in percent. `told` is what REVER tells: it goes on for
        lines of which no rule speaks, up to what they are worth. Lines that bear a fee `in_percent` already, as it was
        fixed, bear nothing else, whatever their rules say by now.
        """
        if not self.speaks_of_costs:
            return told
        bear = tuple(line for line in self.facts.lines if line.line_id not in in_percent)
        due = fees(self.verdict, self.facts._replace(lines=bear)) if in_percent else self.fees
        fixed = [fee.amount for fee in due if not fee.in_percent]
        amounts = [amount.amount for amount in fixed if isinstance(amount, Money)]
        rest = [
            line
            for line in bear
            if self.outcome(line.line_id, ActionKind.FEE) is None and not self.excludes(line.line_id)
        ]
        worth = sum((line.value.amount for line in rest if isinstance(line.value, Money)), ZERO)
        return sum(amounts, min(told, worth))

    # The moment of payment.

    def of_line(self, found: LineInspection, wish: str, already: int) -> LineInspection:
        """The inspection of a line as the rules would have it counted. The units 1 to `already` are taken by intents:
        they go on being counted, so that only a review takes an approval back.

        The moment to pay is one of refunds: an exchange waits for its inspection whatever the rules say, and goods
        that never reached the shopper have no moment.
        """
        kept = min(already, found.not_turned_down)
        if self.excludes(found.line_id):
            no_goods = self.decided(found.line_id, ActionKind.ADD_ON, AddOn) is not None
            return found._replace(
                counted=kept,
                assumed=max(0, kept - found.approved),
                ruled_out=found.not_turned_down - kept,
                uninspected=0 if no_goods else found.uninspected,
            )
        if not _has_moment(found, wish):
            return found
        if self.decided(found.line_id, ActionKind.KEEP, KeepItem):
            return _counted(found, found.not_turned_down)
        pay = self.decided(found.line_id, ActionKind.PAY, Pay)
        if pay is None:
            return found
        most = _most(found, pay)
        if self._is_due(pay) is Truth.YES:
            return _counted(found, most)
        counted = _counted(found, min(most, kept) if pay.at == "inspection" else kept)
        return counted._replace(later=max(0, most - kept))

    def missing(
        self, found: LineInspection, wish: str, already: int, *, out_of_stock: bool
    ) -> Iterator[tuple[str, str]]:
        """What is missing before a line's units beyond `already` can be paid, each with the rules that ask for it.

        Only where it makes a difference to what is due now: a rule about goods that are still with the shopper is asked
        again later, and one about credit is not asked of money. `found` is the inspection by the rules (`of_line`).
        """
        if self.excludes(found.line_id):
            return
        outcomes = self.verdict.lines[found.line_id]
        left_open = ((kind, it) for kind, it in outcomes.items() if isinstance(it, Open) and kind in _OF_MONEY)
        for _, outcome in sorted(left_open):
            if any(self._matters(it, found, wish, already, out_of_stock=out_of_stock) for it in outcome.candidates):
                rules = ", ".join(map(repr, outcome.rules))
                yield from ((word, rules) for word in outcome.needs)
        bonus = self.decided(found.line_id, ActionKind.BONUS, Bonus)
        fee = self.decided(found.line_id, ActionKind.FEE, Fee)
        sums: list[tuple[str, Bonus | Fee, Money | None]] = []
        sums += [("bonus's bound", bonus, bonus.at_most), ("bonus", bonus, bonus.amount)] if bonus else []
        sums += [("fee's bound", fee, it) for it in (fee.at_least, fee.at_most)] if fee else []
        for what, action, amount in sums:
            currency = next(line.currency for line in self.facts.lines if line.line_id == found.line_id)
            wrong = amount is not None and amount.currency != currency
            if wrong and self._matters(action, found, wish, already, out_of_stock=out_of_stock):
                yield f"the {what} in {currency}", repr(self.rule(found.line_id, kind_of(action)))
        pay = self.decided(found.line_id, ActionKind.PAY, Pay)
        if pay is None or not _has_moment(found, wish) or _most(found, pay) <= already:
            return
        day = day_of(pay, self.facts)
        if isinstance(day, Unknown) and self._is_due(pay) is Truth.UNKNOWN:
            yield day.needs, repr(self.rule(found.line_id, ActionKind.PAY))

    def _matters(self, action: Action, found: LineInspection, wish: str, already: int, *, out_of_stock: bool) -> bool:
        """Whether what is due of a line may be another by this action than without it."""
        if isinstance(action, Pay | KeepItem):
            return _has_moment(found, wish) and self._counts_otherwise(action, found, already)
        if found.counted <= already:
            return False
        method, matters = self.method(found.line_id, wish) or wish, True
        match action:
            case OutOfStock():
                matters = out_of_stock
            case Methods():
                matters = out_of_stock or method_for(wish, action, sorted(REFUND_METHODS)) != wish
            case Bonus():
                matters = out_of_stock or method in action.methods
            case Fee() | NoFee():
                matters = out_of_stock or method != CompensationMethod.EXCHANGE
            case Accept() | NoBonus():
                matters = False
        return matters

    def _counts_otherwise(self, action: Pay | KeepItem, found: LineInspection, already: int) -> bool:
        """Whether other units of a line may be counted by this action; a moment that nobody can tell may have come."""
        if isinstance(action, KeepItem):
            return found.not_turned_down > max(found.counted, already)
        if self.decided(found.line_id, ActionKind.KEEP, KeepItem):
            return False
        came = self._is_due(action)
        units = 0 if came is Truth.NO else _most(found, action)
        return max(units, found.counted) > already and (came is Truth.UNKNOWN or units != found.counted)

    def costs_missing(self) -> Iterator[tuple[str, str]]:
        """What is missing before it can be said what is taken off the refunds, each with the rules that ask for it."""
        for line in self.facts.lines:
            outcome = self.outcome(line.line_id, ActionKind.FEE)
            if isinstance(outcome, Open) and not self.excludes(line.line_id):
                yield from ((word, ", ".join(map(repr, outcome.rules))) for word in outcome.needs)
        yield from (
            (fee.amount.needs, repr(fee.rule))
            for fee in self.fees
            if isinstance(fee.amount, Unknown) and not fee.in_percent
        )

    def _is_due(self, pay: Pay) -> Truth:
        """Whether the moment has come. The inspection of a unit is its own: what is approved is due at once."""
        return Truth.YES if pay.at == "inspection" and not pay.plus_days else is_due(pay, self.facts)


def _decided(found: Outcome | None, action: type[ActionT]) -> ActionT | None:
    """The action that was decided on, where it is this one."""
    return found.action if isinstance(found, Decided) and isinstance(found.action, action) else None


def _has_moment(found: LineInspection, wish: str) -> bool:
    """Whether a rule may say when a line is paid: neither an exchange nor goods that never reached the shopper."""
    return wish != CompensationMethod.EXCHANGE and not found.not_received


def _most(found: LineInspection, pay: Pay) -> int:
    """How many units are paid once the moment has come."""
    return found.approved if pay.at == "inspection" else found.not_turned_down


def _counted(found: LineInspection, units: int) -> LineInspection:
    return found if units == found.counted else found._replace(counted=units, assumed=max(0, units - found.approved))
