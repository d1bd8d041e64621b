"""A candidate policy beside the live one: what it would decide of the same return, at the same moment.

The live policy names its candidate (`shadow: candidate.yaml`). Both are asked with the same return, record, time and
facts; what the candidate says is compared and told, and nothing of it is ever done. So it can be watched on real
returns before it is put in the live policy's place. All is pure, but for the reading of the file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

from rever_api.models import CompensationMethod
from tasks.policy.backtest.differences import Change, Purse, compared
from tasks.policy.backtest.outcome import HeldPayment, Payment, Replayed
from tasks.policy.case import Case
from tasks.policy.decision import Compensate, Decision, DecisionName, Hold, MakeLabel, Wait, decision_name, refunds_of
from tasks.policy.merchant_rules import MerchantRule
from tasks.policy.money import ZERO, shown
from tasks.policy.policy_file import PolicyFile, PolicyFileError, read_policy
from tasks.policy.record import HoldKind, Record, Units, units_of
from tasks.policy.rules.payment import NEEDS_FACTS
from tasks.policy.side_facts import SideFacts
from tasks.policy.store import MAX_REFUND, Guards, StorePolicy, StoreRules


@dataclass(frozen=True, slots=True)
class Candidate:
    """A policy file that is tried beside the live one, and never acts.

    `problems` say why it cannot be tried: then there are no `policies`. `sides` is what the tables that it names tell
    of each store.
    """

    file: Path
    policies: PolicyFile | None = None
    problems: tuple[str, ...] = ()
    sides: Mapping[str, SideFacts] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """The file's name, as people know it."""
        return self.file.name

    @property
    def digest(self) -> str:
        """What stands for its rules: the differences found under others are not of this candidate."""
        return self.policies.digest if self.policies else ""

    @property
    def problem(self) -> str:
        """Why nothing is compared with it, in one line; empty where something is."""
        if self.policies is not None:
            return ""
        said = "; ".join(problem.rstrip(".") for problem in self.problems)
        return f"the shadow policy {self.name} decides nothing, since it is wrong: {said}"

    def refused(self, *problems: str) -> "Candidate":
        """The same one, which does not fit this desk."""
        return Candidate(self.file, problems=problems)

    def merchant_rules(self, store: str) -> tuple[MerchantRule, ...]:
        """Its own rules for a store; none where it cannot be read."""
        return self.policies.rules.for_store(store) if self.policies else ()

    def rules(self, live: StoreRules) -> StoreRules:
        """The rules of a store as they would be by this candidate, with what its own tables tell.

        Raises `ValueError` where the candidate cannot be read.
        """
        own = self.policies
        if own is None:
            raise ValueError(self.problem)
        tables = self.sides.get(live.store, SideFacts())
        side = replace(
            live.side or SideFacts(),
            products=tables.products,
            orders=tables.orders,
            orders_by_name=tables.orders_by_name,
        )
        rules = self.merchant_rules(live.store)
        return replace(live, policy=own.for_store(live.store), merchant_rules=rules, side=side)


def read_candidate(policies: PolicyFile, *, ours: Sequence[str] = ()) -> Candidate | None:
    """The candidate that the live policy names, or None where it names none.

    It is read as the live file is (`ours` as in `read_policy`), and its own `shadow` is not followed. Never raises for
    what is in the file: the live policy goes on without it.
    """
    if policies.shadow is None:
        return None
    try:
        return Candidate(policies.shadow, read_policy(policies.shadow, ours=ours))
    except PolicyFileError as error:
        return Candidate(policies.shadow, problems=error.problems)


def unjudged(live: PolicyFile, candidate: Candidate | None, stores: Sequence[str]) -> list[str]:
    """What a report says of caps in which the candidate differs, and which are not judged for what is never paid."""
    if candidate is None or candidate.policies is None:
        return []
    own = candidate.policies
    differ = [it for it in stores if _counted_caps(live.for_store(it)) != _counted_caps(own.for_store(it))]
    if not differ:
        return []
    return [
        f"the shadow policy {candidate.name} has other caps per day or per shopper at {', '.join(differ)}: they count"
        " what is really paid, so the shadow does not judge them"
    ]


def _counted_caps(policy: StorePolicy) -> Guards:
    return policy.guards.model_copy(update={"max_refund": {}})


@dataclass(frozen=True, slots=True)
class Said:
    """What one policy says of a return. `amounts` is what it pays by each method, an exchange by what it is worth, and
    `held` what a hold keeps back, where that is known. `label` is the carrier of a label that it makes.
    """

    decision: DecisionName
    rule: str
    why: str
    amounts: Mapping[str, Decimal] = field(default_factory=lambda: MappingProxyType({}))
    held: Decimal | None = None
    currency: str = ""
    label: str = ""

    def same_as(self, other: "Said") -> bool:
        """Whether the same would be done: two waits for different things are the same."""
        holds = self.rule == other.rule or self.decision is not DecisionName.HOLD
        return holds and self._done() == other._done()

    def _done(self) -> tuple[object, ...]:
        return self.decision, dict(self.amounts), self.held, self.currency, self.label

    @property
    def words(self) -> str:
        """The decision with its amounts, for a table."""
        parts = [
            f"{shown(amount, self.currency)} {'in goods' if method == CompensationMethod.EXCHANGE else f'by {method}'}"
            for method, amount in self.amounts.items()
        ]
        parts += [shown(self.held, self.currency)] if self.held else []
        parts += [f"by {self.label}"] if self.label else []
        return " ".join(filter(None, [self.decision, ", ".join(parts), f"({self.rule})"]))


@dataclass(frozen=True, slots=True)
class Differs:
    """What the live policy and the candidate say of one return, where that is not the same.

    `changes` is what the candidate pays earlier, later, more, less or another way, or holds, in each currency; nothing
    where no money is known to be concerned.
    """

    process_id: str
    store: str
    order: str
    live: Said
    candidate: Said
    changes: Mapping[Purse, Mapping[Change, Decimal]]

    @property
    def kinds(self) -> tuple[Change, ...]:
        """The ways in which it differs, each once."""
        return tuple(kind for kind in Change if any(kind in each for each in self.changes.values()))


def without_questions(record: Record) -> Record:
    """The record without the holds that a policy opened, which the rules open again where they still apply.

    An open hold holds whatever the policy says: of two policies of which only one asks a person, the other would seem
    to ask too as soon as the question stands.
    """
    return replace(record, holds=tuple(hold for hold in record.holds if not _by_policy(hold.kind, hold.rule)))


def _by_policy(kind: HoldKind, rule: str) -> bool:
    asked = {HoldKind.APPROVAL, HoldKind.GUARD, HoldKind.OUT_OF_STOCK}
    return kind in asked or rule in {NEEDS_FACTS, "no_carrier"}


def capped(decision: Decision, guards: Guards, record: Record) -> Decision:
    """The decision, or a hold where its first refund is above the most that one may be and nobody has let that pass.

    The caps per day and per shopper count what a store really pays: they are not judged for what is never paid. Further
    refunds of the same return meet the cap once the first is paid.
    """
    if not isinstance(decision, Compensate) or not decision.refunds:
        return decision
    refund = decision.refunds[0]
    most = guards.max_refund.get(refund.currency)
    if most is None or refund.amount <= most or record.waived(MAX_REFUND, refund.amount, refund.currency):
        return decision
    money, cap = shown(refund.amount, refund.currency), shown(most, refund.currency)
    why = f"the refund of {money} is above the most that one refund may be, {cap}"
    due = sum((it.amount for it in decision.refunds), ZERO)
    return Hold(MAX_REFUND, why, HoldKind.GUARD, {}, refund.amount, refund.currency, refund.items, pays=due)


def leaves_units(case: Case, decision: Decision) -> bool:
    """Whether a payment leaves units that may be paid later: not inspected yet, or before their moment."""
    return isinstance(decision, Compensate) and any(line.later or not line.reviewed for line in case.inspection.lines)


def difference(
    live: Decision,
    candidate: Decision,
    *,
    process_id: str,
    order: str,
    rules: StoreRules,
    now: datetime,
    leave: tuple[bool, bool] = (False, False),
) -> Differs | None:
    """How the candidate's decision differs from the live one's, or None where the same would be done.

    What one pays and the other still waits for is paid earlier or later; a live hold waits for a person. `leave` says
    of each whether its payment leaves units for later: another amount for other units is then earlier or later too.
    """
    said, other = said_by(live), said_by(candidate)
    if said.same_as(other):
        return None
    same_units = _units(live) == _units(candidate)
    both = [
        _as_replayed(decision, now, waits=left and not same_units)
        for decision, left in zip((live, candidate), leave, strict=True)
    ]
    found = compared(both[0], both[1], rules.zone)
    changes = {each.purse: MappingProxyType(dict(each.changes)) for each in found}
    return Differs(process_id, rules.store, order, said, other, MappingProxyType(changes))


def said_by(decision: Decision) -> Said:
    """A decision in what is compared of it."""
    amounts: dict[str, Decimal] = {}
    held, currency, label = None, "", ""
    match decision:
        case Compensate(refunds=refunds, exchange=exchange):
            for refund in refunds:
                amounts[refund.method] = amounts.get(refund.method, ZERO) + refund.amount
                currency = refund.currency
            if exchange is not None:
                amounts[CompensationMethod.EXCHANGE.value] = exchange.gross
                currency = exchange.currency
        case Hold():
            held, currency = _kept_back(decision), decision.currency
        case MakeLabel(provider=provider, carrier=carrier, return_method=method):
            label = f"{provider}/{carrier} ({method})"
    return Said(decision_name(decision), decision.rule, decision.why, MappingProxyType(amounts), held, currency, label)


def _kept_back(hold: Hold) -> Decimal | None:
    """What a hold keeps from being paid; None where that is not known, and of one that stops a label alone."""
    return None if hold.label else hold.amount if hold.pays is None else hold.pays


def _units(decision: Decision) -> Units:
    """The units that it pays for."""
    return units_of(it for refund in refunds_of(decision) for it in refund.items)


def _as_replayed(decision: Decision, now: datetime, *, waits: bool) -> Replayed:
    """A decision as a replay that ends with it: what it pays now, or the hold or wait that it leaves."""
    match decision:
        case Compensate(refunds=refunds, exchange=exchange):
            paid = [Payment(now, it.amount, it.currency, it.method, it.items) for it in refunds]
            if exchange is not None:
                method = CompensationMethod.EXCHANGE.value
                paid.append(Payment(now, exchange.gross, exchange.currency, method, (), goods=True))
            return Replayed(paid, waits=decision.why if waits else "")
        case Hold(label=False):
            held = HeldPayment(now, decision.rule, decision.why, _kept_back(decision), decision.currency)
            return Replayed([], held, waits=decision.why)
        case Wait() | MakeLabel() | Hold():
            return Replayed(waits=decision.why)
        case _:
            return Replayed()
