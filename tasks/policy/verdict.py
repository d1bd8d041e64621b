"""What a merchant's rules say of one return: per line and kind of action the rule that decides, and why. Pure.

For each line, and for the return as a whole, the rules are gone through in their order, kind by kind: the first that
matches decides, those below it that match too are outranked. A rule whose condition is unknown, and that comes before
any that matches, leaves its kinds open and says what is missing, unless it says itself what unknown means, or would do
the same as the one that matches. So a kind that is decided while facts are missing stays decided the same way, whatever
they turn out to be.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

from tasks.policy.actions import Action, ActionKind, Decline, Fee, action_in_words, alike, fee_of
from tasks.policy.conditions import Trace, Truth, explained, needs
from tasks.policy.merchant_rules import AppliesTo, IfUnknown, MerchantRule
from tasks.policy.return_facts import Fact, LineFacts, Money, ReturnFacts, Unknown


class Standing(StrEnum):
    """How a rule stands to a return or a line."""

    MATCHES = "matches"
    DOES_NOT_MATCH = "does not match"
    UNKNOWN = "unknown"
    NOT_IN_FORCE = "not in force"


class Asked(NamedTuple):
    """A rule asked of the return, or of the line `line_id`. `trace` is None where its days rule it out.

    `needs` is what is missing, also where the rule says what unknown means.
    """

    rule: MerchantRule
    line_id: str
    standing: Standing
    trace: Trace | None = None
    needs: tuple[str, ...] = ()


class Decided(NamedTuple):
    """The action of one kind, the rule that it is of, and the rules below it that matched too. `would_too` are rules
    above it of which facts are missing, and which would do the same.
    """

    action: Action
    rule: str
    outranked: tuple[str, ...] = ()
    would_too: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Open:
    """Nobody can say which action of this kind it is: these rules are unknown, for what is missing.

    `candidates` are the actions that it may be: those of the rules, and that of the first below them that matches.
    """

    rules: tuple[str, ...]
    needs: tuple[str, ...]
    candidates: tuple[Action, ...] = ()


Outcome = Decided | Open
Outcomes = Mapping[ActionKind, Outcome]


class Stood(NamedTuple):
    """A rule that has a say about the return, or about one of its lines: it matches, or is unknown.

    `needs` is what is missing before it can be answered.
    """

    rule: MerchantRule
    line_id: str
    standing: Standing
    needs: tuple[str, ...] = ()


Known = dict[int, tuple[Stood, ...]]
"""Where each rule has a say about some facts, by its identity: for asking several policies of the same facts."""


@dataclass(frozen=True)
class Verdict:
    """What the rules say: of the return as a whole, and of each line. `stood` are those that have a say."""

    whole: Outcomes
    lines: Mapping[str, Outcomes]
    stood: tuple[Stood, ...]
    rules: Sequence[MerchantRule] = field(repr=False)
    facts: ReturnFacts = field(repr=False)

    @property
    def needs(self) -> tuple[str, ...]:
        """What is missing before all kinds are decided, each once."""
        outcomes = [outcome for each in (self.whole, *self.lines.values()) for outcome in each.values()]
        missing = (word for outcome in outcomes if isinstance(outcome, Open) for word in outcome.needs)
        return tuple(dict.fromkeys(missing))

    @cached_property
    def asked(self) -> tuple[Asked, ...]:
        """Each rule as it was asked, with the trace of its condition; worked out where somebody wants to see it."""
        facts = self.facts
        return tuple(
            _asked(rule, facts, line) for rule in self.rules for line in (facts.lines if rule.of_line else _THE_RETURN)
        )


def judge(rules: Sequence[MerchantRule], facts: ReturnFacts) -> Verdict:
    """What these rules, in this order, say of these facts."""
    return said_by(rules, standings(rules, facts, {}), facts)


def standings(rules: Iterable[MerchantRule], facts: ReturnFacts, known: Known) -> tuple[Stood, ...]:
    """Where these rules have a say, in their order. What is `known` of these facts is not asked again, and added to."""
    stood: list[Stood] = []
    for rule in rules:
        found = known.get(id(rule))
        if found is None:
            found = known[id(rule)] = stands(rule, facts)
        stood += found
    return tuple(stood)


def said_by(rules: Sequence[MerchantRule], stood: tuple[Stood, ...], facts: ReturnFacts) -> Verdict:
    """What these rules say, of which those that `stood` so have a say about these facts."""
    lines = {
        line.line_id: _outcomes(
            [each for each in stood if not each.line_id or each.line_id == line.line_id], of_return=False
        )
        for line in facts.lines
    }
    whole = _outcomes([each for each in stood if not each.line_id], of_return=True)
    return Verdict(whole, MappingProxyType(lines), stood, rules, facts)


def stands(rule: MerchantRule, facts: ReturnFacts) -> tuple[Stood, ...]:
    """Where one rule has a say: about the return, or about some of its lines.

    Most have none: nothing is traced of them, nor asked whether they are in force.
    """
    found = []
    for line in facts.lines if rule.of_line else _THE_RETURN:
        truth = rule.answer(facts, line)
        if truth is Truth.NO or (in_force := _in_force(rule, facts)) is Truth.NO:
            continue
        stood = _stands(rule, facts, line, min(truth, in_force))
        if stood.standing in SPEAKS:
            found.append(stood)
    return tuple(found)


def _stands(rule: MerchantRule, facts: ReturnFacts, line: LineFacts | None, truth: Truth) -> Stood:
    """How a rule stands that matches, or cannot be answered."""
    line_id = line.line_id if line else ""
    if truth is Truth.YES:
        return Stood(rule, line_id, Standing.MATCHES)
    return Stood(rule, line_id, _WHERE_UNKNOWN[rule.if_unknown], _missing(rule, facts, rule.ask(facts, line, "")))


def _asked(rule: MerchantRule, facts: ReturnFacts, line: LineFacts | None) -> Asked:
    """A rule with the trace of its condition; none where its days rule it out."""
    line_id, in_force = line.line_id if line else "", _in_force(rule, facts)
    if in_force is Truth.NO:
        return Asked(rule, line_id, Standing.NOT_IN_FORCE)
    trace = rule.ask(facts, line, "")
    truth = min(trace.truth, in_force)
    if truth is Truth.UNKNOWN:
        return Asked(rule, line_id, _WHERE_UNKNOWN[rule.if_unknown], trace, _missing(rule, facts, trace))
    return Asked(rule, line_id, Standing.MATCHES if truth is Truth.YES else Standing.DOES_NOT_MATCH, trace)


def _missing(rule: MerchantRule, facts: ReturnFacts, trace: Trace) -> tuple[str, ...]:
    """What is missing before a rule can be answered: the day by which it is in force, and what its condition needs."""
    began = ("the day the return began",) if _in_force(rule, facts) is Truth.UNKNOWN else ()
    return (*began, *needs(trace))


_THE_RETURN: Sequence[None] = (None,)
"""What a rule is asked of that is of no line."""

SPEAKS = frozenset({Standing.MATCHES, Standing.UNKNOWN})
"""How a rule stands that has a say."""

_WHERE_UNKNOWN = MappingProxyType(
    {
        IfUnknown.HOLD: Standing.UNKNOWN,
        IfUnknown.MATCHES: Standing.MATCHES,
        IfUnknown.DOES_NOT_MATCH: Standing.DOES_NOT_MATCH,
    }
)


def _in_force(rule: MerchantRule, facts: ReturnFacts) -> Truth:
    """Whether the rule's days are about this return."""
    if rule.begins is None and rule.ends is None:
        return Truth.YES
    day = facts.today if rule.applies_to is AppliesTo.ALL else facts.started_on
    if day is None or isinstance(day, Unknown):
        return Truth.UNKNOWN
    after, before = rule.begins is not None and day < rule.begins, rule.ends is not None and day > rule.ends
    return Truth.NO if after or before else Truth.YES


def _outcomes(speak: Sequence[Stood], *, of_return: bool) -> Outcomes:
    """Per kind, by the first rule that matches. The rules are in their order, and all match or are unknown."""
    kinds: dict[ActionKind, list[tuple[Stood, Action]]] = {}
    for each in speak:
        for kind, action in each.rule.of_return if of_return else each.rule.of_lines:
            kinds.setdefault(kind, []).append((each, action))
    return MappingProxyType({kind: _outcome(candidates) for kind, candidates in kinds.items()})


def _outcome(candidates: Sequence[tuple[Stood, Action]]) -> Outcome:
    """The first that matches decides; those that are unknown above it leave it open, unless all do the same."""
    first = next((n for n, (each, _) in enumerate(candidates) if each.standing is Standing.MATCHES), len(candidates))
    names: tuple[str, ...] = ()
    if unknown := candidates[:first]:
        names, possible = tuple(each.rule.name for each, _ in unknown), tuple(it for _, it in candidates[: first + 1])
        if first == len(candidates) or not all(alike(action, possible[-1]) for action in possible):
            missing = dict.fromkeys(word for each, _ in unknown for word in each.needs)
            return Open(names, tuple(missing), possible)
    (decides, action), *others = candidates[first:]
    outranked = tuple(it.rule.name for it, _ in others if it.standing is Standing.MATCHES)
    return Decided(action, decides.rule.name, outranked, names)


@dataclass(frozen=True, slots=True)
class FeeDue:
    """A fee by one rule, for the lines of which it decides. `amount` is unknown where the lines' worth is; of a fee in
    percent it is what comes off where all of them are refunded.
    """

    rule: str
    lines: tuple[str, ...]
    amount: Fact[Money]
    in_percent: bool = False


def fees(verdict: Verdict, facts: ReturnFacts) -> tuple[FeeDue, ...]:
    """The fees of a return, one for each rule that decides: never more than the lines that it is for are worth.

    Lines that have no fee, or are not refunded by the rules, are not charged.
    """
    charged: dict[str, tuple[Fee, list[LineFacts]]] = {}
    for line in facts.lines:
        outcomes = verdict.lines[line.line_id]
        outcome = outcomes.get(ActionKind.FEE)
        if isinstance(outcome, Decided) and isinstance(outcome.action, Fee) and not excluded(outcomes):
            charged.setdefault(outcome.rule, (outcome.action, []))[1].append(line)
    return tuple(
        FeeDue(rule, tuple(line.line_id for line in lines), fee_of(fee, lines), fee.percent is not None)
        for rule, (fee, lines) in charged.items()
    )


def excluded(outcomes: Outcomes) -> bool:
    """Whether the line of these outcomes is not compensated at all: it is declined, or no goods."""
    acceptance, add_on = outcomes.get(ActionKind.ACCEPTANCE), outcomes.get(ActionKind.ADD_ON)
    declined = isinstance(acceptance, Decided) and isinstance(acceptance.action, Decline)
    return declined or isinstance(add_on, Decided)


def explain(verdict: Verdict) -> Iterator[str]:
    """The verdict as lines: what was decided by which rule, then each rule with its conditions and what they found."""
    yield from _in_words("the return", verdict.whole)
    for line_id, outcomes in verdict.lines.items():
        yield from _in_words(f"line {line_id}", outcomes)
    for each in verdict.asked:
        of = f" of line {each.line_id}" if each.line_id else ""
        missing = f", needs {', '.join(each.needs)}" if each.needs else ""
        yield f"rule {each.rule.name!r}{of}: {each.standing}{missing}{_above(each, verdict)}{_days(each)}"
        if each.trace is not None:
            yield from explained(each.trace, "  ")


def _in_words(what: str, outcomes: Outcomes) -> Iterator[str]:
    for kind, outcome in outcomes.items():
        if isinstance(outcome, Open):
            names = ", ".join(map(repr, outcome.rules))
            yield f"{what}, {kind}: open, {names} needs {', '.join(outcome.needs)}"
            continue
        over = f"; matched too, outranked: {', '.join(map(repr, outcome.outranked))}" if outcome.outranked else ""
        too = f"; whatever {', '.join(map(repr, outcome.would_too))} says, which would do the same"
        same = too if outcome.would_too else ""
        yield f"{what}, {kind}: {action_in_words(outcome.action)} by {outcome.rule!r}{over}{same}"


def _above(each: Asked, verdict: Verdict) -> str:
    """Where a rule that matches does not decide: the rules above it that do, or that leave open who does."""
    if each.standing is not Standing.MATCHES:
        return ""
    lines = [verdict.lines[each.line_id]] if each.line_id else verdict.lines.values()
    outcomes = [(kind, it) for of in (verdict.whole, *lines) for kind, it in of.items()]
    mine = {kind for kind, _ in (*each.rule.of_return, *each.rule.of_lines)}
    words = [
        f"outranked by {it.rule!r} in {kind}"
        for kind, it in outcomes
        if kind in mine and isinstance(it, Decided) and each.rule.name in it.outranked
    ]
    words += [
        f"below {', '.join(map(repr, it.rules))}, which may decide about {kind}"
        for kind, it in outcomes
        if kind in mine and isinstance(it, Open) and each.rule.name not in it.rules
    ]
    return "".join(f", {it}" for it in dict.fromkeys(words))


def _days(each: Asked) -> str:
    if each.standing is not Standing.NOT_IN_FORCE:
        return ""
    rule = each.rule
    which = "the day the return began" if rule.applies_to is AppliesTo.NEW else "today"
    span = " ".join(f"{word} {day}" for word, day in (("from", rule.begins), ("until", rule.ends)) if day)
    return f" ({span}, asked of {which})"
