"""One return at one moment, with all that the rules ask of it worked out once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from rever_api.models import CompensationMethod, RefundTiming, ReturnLineItem, ReturnProcess
from tasks.policy.actions import ActionKind
from tasks.policy.comparison import Comparison, compare
from tasks.policy.decision import Hold, Wait
from tasks.policy.facts import MOST_UNITS, Inspection, LineInspection, believed, costs_told, inspect, later, timing_of
from tasks.policy.money import ZERO, Due, FreeUnits, bonus, due_of, gross, payable, with_fees
from tasks.policy.record import (
    BY_A_PERSON,
    TO_PAY_SEEN,
    FeeTerms,
    HoldKind,
    Intent,
    IntentKind,
    IntentState,
    LineTerms,
    LineUnits,
    OrderShipping,
    Record,
    Units,
    closed_by_person,
    money_intents,
    overlap,
    refusal,
    taken,
    units_of,
)
from tasks.policy.return_facts import Fact, ReturnFacts, facts_now, facts_of, lasting_facts
from tasks.policy.ruling import Ruling
from tasks.policy.side_facts import enriched
from tasks.policy.store import REFUND_METHODS, RefundsBy, StoreRules


def ruling_of(process: ReturnProcess, rules: StoreRules, record: Record, now: datetime) -> Ruling:
    """What the merchant's own rules say of a return now, with all that is known of it."""
    return Ruling.of(rules.merchant_rules, facts_with(process, rules, record, now))


def facts_with(process: ReturnProcess, rules: StoreRules, record: Record, now: datetime) -> ReturnFacts:
    """All that is known of a return now: from REVER, from the ledger, and from other sources."""
    return enriched(facts_of(process, record, rules, now, rules.zone), rules.side)


OUT_OF_STOCK_CODE = "9"
"""REVER's code (gRPC FAILED_PRECONDITION) of an exchange refused because a variant is out of stock."""


@dataclass(frozen=True)
class Case:
    """A process, its store's rules, its record and the time: what every rule is given.

    Amounts may be asked for only once the process is known to be free of contradictions.
    """

    process: ReturnProcess
    rules: StoreRules
    record: Record
    now: datetime

    def __post_init__(self) -> None:
        """Forget the times that cannot be, so that no rule believes one."""
        object.__setattr__(self, "process", believed(self.process, self.now))

    @cached_property
    def ruling(self) -> Ruling | None:
        """What the merchant's own rules say; None where there are none, and where this desk does not pay."""
        if not self.rules.merchant_rules or not self.by_us:
            return None
        process, rules, zone = self.process, self.rules, self.rules.zone
        lasting, lines = lasting_facts(process, rules, zone), self.reviews.lines
        facts = facts_now(lasting, process, lines, self.record, rules, self.now, zone)
        return Ruling.of(rules.merchant_rules, enriched(facts, rules.side))

    @cached_property
    def reviews(self) -> Inspection:
        """The reviews, counted."""
        return inspect(self.process, self.rules)

    @cached_property
    def inspection(self) -> Inspection:
        """The reviews, counted as the merchant's rules would have it."""
        found = self.reviews
        if (ruling := self.ruling) is None:
            return found
        wishes = {line.id: str(line.compensation_method) for line in self.process.return_line_items}
        ruled = (ruling.of_line(it, wishes[it.line_id], self.already(it.line_id)) for it in found.lines)
        return replace(found, lines=tuple(ruled))

    @cached_property
    def comparison(self) -> Comparison:
        """REVER's refunds beside the ledger's."""
        return compare(self.process, self.record)

    @cached_property
    def timing(self) -> RefundTiming | str:
        """When the store refunds."""
        return timing_of(self.rules)

    @property
    def by_us(self) -> bool:
        """Whether this desk pays at this store, and not REVER or nobody knows who."""
        return self.rules.refunds_by is RefundsBy.US

    @property
    def refunds_seen(self) -> bool:
        """Whether a person has seen all refunds that others made: a further one is asked about again."""
        return self.record.seen(self.comparison.others)

    @property
    def exchange_seen(self) -> bool:
        """Whether a person has seen the exchange that REVER made by itself; there is one at most."""
        waived = any(waiver.rule == "foreign_exchange" for waiver in self.record.waivers)
        return waived or closed_by_person(self.record)

    @cached_property
    def currency(self) -> str:
        """The one currency of the return."""
        return next((line.currency for line in self.process.return_line_items), "")

    @cached_property
    def costs(self) -> Decimal:
        """The return's costs: as the first refund intent fixed them, else as they are now."""
        return self.record.costs if self.record.costs is not None else self.costs_now

    @cached_property
    def costs_now(self) -> Decimal:
        """The costs as the merchant's rules have them, else as REVER tells them."""
        told, fixed = costs_told(self.process), any(self.fees_fixed.values())
        lines = self.process.return_line_items if fixed else ()
        in_percent = frozenset(line.id for line in lines if self._fee_terms(line.id))
        return told if self.ruling is None else self.ruling.costs(told, in_percent)

    @cached_property
    def costs_changed(self) -> bool:
        """Whether the first payment fixed other costs than there are now. Where the merchant's rules say what they are,
        that is of interest only if more is to be refunded by them, and only once it is known what they are.
        """
        if self.record.costs is None or self.record.costs == self.costs_now:
            return False
        if self.ruling is None or not self.ruling.speaks_of_costs:
            return True
        return bool(self.due.refunds) and not any(self.ruling.costs_missing())

    @cached_property
    def gross_before(self) -> Decimal:
        """The value of all units in live refund intents that bear costs, before these."""
        intents = [it for it in money_intents(self.record) if it.kind is IntentKind.REFUND]
        return sum((self._gross(intent) - intent.exempt for intent in intents), ZERO)

    @cached_property
    def due(self) -> Due:
        """What is due and not taken."""
        shipping = self.shipping if isinstance(self.shipping, OrderShipping) else None
        ready = self.exchange_inspected
        return due_of(self.free, self.gross_before, self.costs, exchange_ready=ready, shipping=shipping)

    @cached_property
    def due_units(self) -> Units:
        """The units that are due and not taken."""
        return units_of(self.due.items)

    @cached_property
    def shipping(self) -> Fact[OrderShipping]:
        """The part of the order's shipping that the merchant's rules refund with this return now.

        It goes out once no unit of the return is open any more, in one piece, and only where goods are refunded too.
        Unknown where the rules or the amount are; None where none is due, or where it was refunded or closed before.
        """
        if self.ruling is None or not self.ruling.shipping_rules():
            return None
        if any(intent.shipping is not None for intent in money_intents(self.record)):
            return None
        if any(line.later or line.not_turned_down > line.counted + line.ruled_out for line in self.inspection.lines):
            return None
        refunded = self._refunded
        return self.ruling.shipping_part(refunded, self.currency) if refunded else None

    @property
    def _refunded(self) -> Decimal:
        """What the units are worth that are refunded, or will be; nothing where a person took care of them all."""
        intents = [it for it in money_intents(self.record) if it.kind is IntentKind.REFUND]
        paid = [it for it in intents if it.state is not IntentState.DROPPED]
        free = sum((part.gross for part in self.free if part.method != CompensationMethod.EXCHANGE), ZERO)
        by_desk = any(it.state not in BY_A_PERSON for it in paid)
        return sum((self._gross(it) for it in paid), free) if by_desk or free else ZERO

    @cached_property
    def taken(self) -> Units:
        """Units that an intent has taken already."""
        return taken(self.record)

    @cached_property
    def free(self) -> tuple[FreeUnits, ...]:
        """Approved units that no intent has taken, line by line."""
        claimed = self.taken
        parts = (self._free(line, claimed.get(line.id, frozenset())) for line in self.process.return_line_items)
        bounded = self._bounded(part for part in parts if part.units and not self._exchanged_by_rever(part))
        return with_fees(bounded, self._worth_with_fees)

    def _bounded(self, parts: Iterable[FreeUnits], paid: Decimal = ZERO) -> tuple[FreeUnits, ...]:
        """The parts with no more bonus than their rules leave, by what the return has had as such already.

        A fixed sum goes to the first part that is worth anything, and once for the return; `paid` is one that is
        paid by hand with other units.
        """
        intents, bounded = money_intents(self.record), list[FreeUnits]()
        had, once = sum((it.bonus for it in intents), paid), bool(paid) or any(it.bonus_sum for it in intents)
        for part in parts:
            most = self.ruling.most_bonus(part.line.id) if self.ruling and part.bonus else None
            within = part if most is None else replace(part, bonus=max(ZERO, min(part.bonus, most - had)))
            if self.ruling and not once and (fixed := self.ruling.bonus_sum(part.line.id, part.method)) and part.gross:
                within, once = replace(part, bonus=fixed, bonus_sum=fixed), True
            had += within.bonus
            bounded.append(within)
        return tuple(bounded)

    @cached_property
    def fees_fixed(self) -> Mapping[str, FeeTerms | None]:
        """Line -> the fee in percent that its first refund fixed; None where that bore none and was this desk's: of
        what a person closed, as an exchange beside a refund, nobody can say that it was to bear none.
        """
        fixed: dict[str, FeeTerms | None] = {}
        for intent in money_intents(self.record):
            if intent.kind is IntentKind.REFUND:
                found, by_desk = dict(intent.fee_terms), intent.state not in BY_A_PERSON
                lines = {it.line_id for it in intent.items if by_desk or it.line_id in found}
                fixed |= {line_id: found.get(line_id) for line_id in sorted(lines - fixed.keys())}
        return fixed

    @cached_property
    def fees_changed(self) -> tuple[tuple[str, FeeTerms | None, FeeTerms | None], ...]:
        """The lines whose first refund fixed another fee in percent than the rules say now, with both. Of interest only
        if more is to be refunded, and of a line of which it is known.
        """
        if not self.by_us or not self.due.refunds:
            return ()
        now = {it: self.ruling.fee_in_percent(it) if self.ruling else None for it in self.fees_fixed}
        open_ = {it for it in self.fees_fixed if self.ruling and self.ruling.fee_is_open(it)}
        return tuple(
            (line_id, fixed, now[line_id])
            for line_id, fixed in self.fees_fixed.items()
            if line_id not in open_ and (not fixed.same(now[line_id]) if fixed else now[line_id] is not None)
        )

    @cached_property
    def _worth_with_fees(self) -> Mapping[str, Decimal]:
        """Rule -> what the units are worth that were refunded under its fee in percent, also of lines that are gone."""
        intents, worth = [it for it in money_intents(self.record) if it.fee_terms], dict[str, Decimal]()
        lines = {line.id: line for line in self.process.return_line_items} if intents else {}
        for intent in intents:
            found = dict(intent.fee_terms)
            for item in intent.items:
                line = lines.get(item.line_id)
                of_line = self.terms(line) if line else self.record.lines.get(item.line_id)
                if (terms := found.get(item.line_id)) is not None and of_line is not None:
                    worth[terms.rule] = worth.get(terms.rule, ZERO) + gross(of_line, item.units)
        return worth

    def _fee_terms(self, line_id: str) -> FeeTerms | None:
        """The fee in percent of a line: as its first refund fixed it, else as that of another line of its rule did, so
        also where the rule says a sum by now, or has another name; else as it is now.
        """
        if line_id in self.fees_fixed or self.ruling is None:
            return self.fees_fixed.get(line_id)
        if not (rule := self.ruling.rule(line_id, ActionKind.FEE)):
            return None
        of_rule = [it for other, it in self.fees_fixed.items() if self.ruling.rule(other, ActionKind.FEE) == rule]
        of_rule += [it for it in self.fees_fixed.values() if it and it.rule == rule]
        return of_rule[0] if of_rule else self.ruling.fee_in_percent(line_id)

    def _bears_costs(self, line_id: str) -> bool:
        """Whether the return's costs come off a line: not where a rule says so, nor beside a fee in percent."""
        return self._fee_terms(line_id) is None and (self.ruling is None or self.ruling.bears_costs(line_id))

    @cached_property
    def exchange_inspected(self) -> bool:
        """Whether every line that is to be exchanged is wholly inspected."""
        lines = [it for it in self.process.return_line_items if it.compensation_method == CompensationMethod.EXCHANGE]
        return all(self.inspected(line.id).reviewed for line in lines)

    @property
    def lines_without_costs(self) -> frozenset[str]:
        """The lines off which no costs come: those to be exchanged, or that bear none by the merchant's rules."""
        return frozenset(
            line.id
            for line in self.process.return_line_items
            if self._method(line, tuple(range(1, min(line.quantity, MOST_UNITS) + 1))) == CompensationMethod.EXCHANGE
            or not self._bears_costs(line.id)
        )

    def already(self, line_id: str) -> int:
        """How many of a line's first units intents have taken without a gap: a person may close one further on."""
        gone = self.taken.get(line_id, frozenset())
        return next(unit for unit in range(len(gone) + 1) if unit + 1 not in gone)

    def inspected(self, line_id: str) -> LineInspection:
        """The inspection of a line of this process."""
        return self._by_line[line_id]

    def terms(self, line: ReturnLineItem) -> LineTerms:
        """A line's total, quantity and currency: as its first intent fixed them, else as REVER tells them."""
        fixed = self.record.lines.get(line.id)
        return fixed if fixed and usable(fixed, line) else told_terms(line)

    def out_of_stock(self, units: Mapping[str, frozenset[int]]) -> Intent | None:
        """The exchange of these units that REVER refused because a variant is out of stock, if it was the last."""
        refused = refusal(self.record, IntentKind.EXCHANGE, units)
        return refused if refused and refused.error_code == OUT_OF_STOCK_CODE else None

    def wait(self, rule: str, why: str, until: datetime | None = None) -> Wait:
        """Wait, at the longest for the time after which this store's returns are looked at again."""
        return Wait(rule, why, until or later(self.now, self.rules.look_again))

    def hold(
        self,
        rule: str,
        kind: HoldKind,
        why: str,
        evidence: Mapping[str, str] | None = None,
        *,
        amount: Decimal | None = None,
        items: tuple[LineUnits, ...] | None = None,
        refunds: Mapping[str, Decimal] | None = None,
        to_pay: Decimal | None = None,
    ) -> Hold | None:
        """Hold with what is due, unless a person has waived this rule for that amount, and has seen these `refunds` and
        what the shopper is to pay.
        """
        told = refunds or {}
        stake = amount if amount is not None else (self.due.amount or None)
        seen = self.record.seen(told) and (to_pay is None or self.record.waived(TO_PAY_SEEN, to_pay, self.currency))
        if seen and self.record.waived(rule, stake, self.currency):
            return None
        units = self.due.items if items is None else items
        currency = self.currency if stake is not None or to_pay is not None else ""
        due, left = (self.due, self._due_without(units)) if self.by_us else (Due(), Due())
        held = units_of(units)
        return Hold(
            rule,
            why,
            kind,
            evidence or {},
            stake,
            currency,
            units,
            refunds=told,
            to_pay=to_pay,
            pays=due.amount,
            goods=due.exchange.gross if due.exchange else None,
            besides=sum((it.amount for it in due.refunds if not overlap(units_of(it.items), held)), ZERO),
            leaves=left.amount,
            leaves_goods=left.exchange.gross if left.exchange else None,
        )

    def closing(self, hold: Hold) -> Hold:
        """The hold with what its units have beside their value, and bear, where a person pays them by hand.

        Every hold that names units has it: else what was paid there would be paid, or taken off, again.
        """
        if not self.by_us or not hold.items:
            return hold
        held = units_of(hold.items)
        parts = [part for part in self.free if overlap(units_of((part.item,)), held)]
        refunded = [part for part in parts if part.method != CompensationMethod.EXCHANGE]
        carrying = (it for it in self.due.refunds if it.shipping and overlap(units_of(it.items), held))
        closing = replace(
            hold,
            shipping=next((it.shipping for it in carrying), None),
            bonus_sum=sum((part.bonus_sum for part in parts), ZERO),
            fee_terms=tuple((part.line.id, part.fee_terms) for part in refunded if part.fee_terms is not None),
        )
        if hold.leaves is None or not (closing.bonus_sum or closing.fee_terms):
            return closing
        return replace(closing, leaves_by_hand=self._due_without(hold.items, by_hand=True).amount)

    def _due_without(self, items: tuple[LineUnits, ...], *, by_hand: bool = False) -> Due:
        """What stays due once a person has closed these units; those that were to be refunded bear costs first.

        What was paid `by_hand` had the bonus that is a fixed sum, where it goes with them, and bore fees in percent.
        """
        closed, before, rest = units_of(items), self.gross_before, []
        bonus_paid, worth = ZERO, dict(self._worth_with_fees)
        for part in self.free:
            ended = closed.get(part.line.id, frozenset())
            units = tuple(unit for unit in part.units if unit not in ended)
            if part.method != CompensationMethod.EXCHANGE and part.bears_costs:
                before += gross(part.terms, tuple(unit for unit in part.units if unit in ended))
            if by_hand and len(units) < len(part.units):
                bonus_paid += part.bonus_sum
                if part.fee_terms is not None and part.method != CompensationMethod.EXCHANGE:
                    of_part = part.gross - gross(part.terms, units)
                    worth[part.fee_terms.rule] = worth.get(part.fee_terms.rule, ZERO) + of_part
            if units:
                more = self._bonus(part.line.id, part.method, part.terms, units)
                rest.append(replace(part, units=units, bonus=more, bonus_sum=ZERO))
        carrying = next((it for it in self.due.refunds if it.shipping), None)
        stays = carrying is not None and not overlap(units_of(carrying.items), closed)
        shipping = carrying.shipping if carrying and stays else None
        left = with_fees(self._bounded(rest, bonus_paid), worth)
        return due_of(left, before, self.costs, exchange_ready=self.exchange_inspected, shipping=shipping)

    @cached_property
    def _by_line(self) -> dict[str, LineInspection]:
        return {line.line_id: line for line in self.inspection.lines}

    def _free(self, line: ReturnLineItem, claimed: frozenset[int]) -> FreeUnits:
        terms = self.terms(line)
        last = min(self.inspected(line.id).counted, line.quantity, terms.quantity)
        units = tuple(unit for unit in range(1, last + 1) if unit not in claimed)
        method = self._method(line, units)
        more = self._bonus(line.id, method, terms, units)
        fee = self._fee_terms(line.id)
        return FreeUnits(line, method, terms, units, self._bears_costs(line.id), more, fee_terms=fee)

    def _bonus(self, line_id: str, method: str, terms: LineTerms, units: tuple[int, ...]) -> Decimal:
        """The bonus in percent that these units of a line get by this method, before its bound."""
        return bonus(terms, units, self.ruling.bonus_percent(line_id, method)) if self.ruling else ZERO

    def _method(self, line: ReturnLineItem, units: tuple[int, ...]) -> str:
        """The method that the line's wish becomes by the merchant's rules, or instead of an exchange out of stock.

        A wish that may not be, and for which there is no other, stays: `payment.method_forbidden` holds it.
        """
        wish = str(line.compensation_method)
        method = wish if self.ruling is None else self.ruling.method(line.id, wish) or wish
        instead = self.instead_of_exchange(line.id)
        exchange = method == CompensationMethod.EXCHANGE and instead in REFUND_METHODS
        if not exchange or not self.out_of_stock({line.id: frozenset(units)}):
            return method
        return instead if self.ruling is None else self.ruling.method(line.id, instead) or instead

    def instead_of_exchange(self, line_id: str) -> str:
        """The method by which a line is refunded whose exchange is out of stock; another word where it is not."""
        ruled = self.ruling.out_of_stock(line_id) if self.ruling else None
        return str(ruled.refund_by or ruled.do) if ruled else self.rules.policy.out_of_stock

    def _exchanged_by_rever(self, part: FreeUnits) -> bool:
        """Whether REVER has already ordered the replacement, at a store where that is not this desk's to do."""
        return not self.by_us and part.method == CompensationMethod.EXCHANGE and self.comparison.exchange_foreign

    def _gross(self, intent: Intent) -> Decimal:
        """The value of an intent's units by their lines' terms; as it was written down where a line is gone.

        And where a person closed them: of some of them no costs may have come off.
        """
        if intent.state in BY_A_PERSON:
            return intent.gross
        lines = {line.id: self.terms(line) for line in self.process.return_line_items}
        if any(item.line_id not in lines for item in intent.items):
            return intent.gross
        return sum((gross(lines[item.line_id], item.units) for item in intent.items), ZERO)


def usable(fixed: LineTerms, line: ReturnLineItem) -> bool:
    """Whether units can be valued by these terms, in the currency that the line has now."""
    return fixed.quantity >= 1 and fixed.currency == line.currency and payable(fixed.total, fixed.currency)


def told_terms(line: ReturnLineItem) -> LineTerms:
    """A line's total, quantity and currency as REVER tells them now."""
    return LineTerms(line.total_price if line.total_price is not None else ZERO, line.quantity, line.currency)


def stated_terms(process: ReturnProcess) -> dict[str, LineTerms]:
    """The terms of the lines that state them; without them nothing of a line is ever due."""
    return {line.id: told_terms(line) for line in process.return_line_items if line.total_price is not None}
