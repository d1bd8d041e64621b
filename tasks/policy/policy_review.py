"""What of a policy file's rules is right and yet probably not meant: the warnings of `policy check`. Pure.

A rule is called dead, or outranked for ever, only where no facts can be otherwise (`tasks.policy.possible`).
"""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import combinations
from typing import NamedTuple

from rever_api.models import CompensationMethod
from tasks.policy.actions import OF_RETURN, Action, Cancel, Methods, action_in_words, alike, kind_of, name_of
from tasks.policy.condition_fields import FIELDS
from tasks.policy.conditions import AllOf, Check, Condition, Operator, checks_of, in_words
from tasks.policy.coverage import gaps
from tasks.policy.merchant_rules import AppliesTo, IfUnknown, MerchantRule
from tasks.policy.policy_file import FileRules
from tasks.policy.possible import Claim, in_force_and, is_possible, matching, not_matching
from tasks.policy.possible_values import Says


class Warned(NamedTuple):
    """One warning: a part of a sentence that names its rule, and the rule's line where that is known."""

    words: str
    line: int | None = None


def review(rules: FileRules, today: date) -> list[str]:
    """The warnings about the rules of a file: those of the default part, and of each store what is so there alone.

    `today` is the first day that counts.
    """
    shared = list(warnings(rules.default, today))
    found = [(it.line, it.words) for it in shared]
    for store, own in rules.stores.items():
        found += [(it.line, f"at {store}, {it.words}") for it in warnings(own, today) if it not in shared]
    return [f"line {line}: {words}" if line else words for line, words in found]


def warnings(rules: Sequence[MerchantRule], today: date) -> Iterator[Warned]:
    """The warnings about rules in their order."""
    alive: list[MerchantRule] = []
    for rule in rules:
        if why := _why_dead(rule, today):
            words = [f"rule {rule.name!r} can never match: {why}{_holds_still(rule, today)}"]
        else:
            words = [*_outranked(rule, alive, today), *_calls_off_what_was_sent(rule, today)]
            alive.append(rule)
        yield from (Warned(it, rule.line) for it in (*words, *_misspelt(rule), *_never_instead(rule)))
    yield from map(Warned, gaps(alive, today))


def _why_dead(rule: MerchantRule, today: date) -> str:
    """Why no facts make it match; empty where some may."""
    if is_possible([matching(rule)], today, a_line=rule.of_line):
        return ""
    if rule.applies_to is AppliesTo.ALL and rule.ends is not None and rule.ends < today:
        return f"its last day was {rule.ends}"
    says = matching(rule).says
    whole = in_force_and(rule)
    parts = list(_joined(whole)) if says is Says.YES else [whole]
    for part in parts:
        if not is_possible([Claim(part, says)], today, a_line=rule.of_line):
            return f"{in_words(part)} is never true"
    for one, other in combinations(parts, 2):
        if not is_possible([Claim(one, says), Claim(other, says)], today, a_line=rule.of_line):
            return f"{in_words(one)} and {in_words(other)} are never true together"
    return f"{in_words(whole)} is never true"


def _joined(condition: Condition) -> Iterator[Condition]:
    """The parts of which each must be true."""
    if not isinstance(condition, AllOf):
        yield condition
        return
    for part in condition.parts:
        yield from _joined(part)


def _holds_still(rule: MerchantRule, today: date) -> str:
    """What a rule that never matches does all the same."""
    if rule.if_unknown is not IfUnknown.HOLD or not is_possible(
        [Claim(in_force_and(rule), Says.NOT_NO)], today, a_line=rule.of_line
    ):
        return ""
    return "; where a fact that it asks for is missing, it holds the return all the same"


def never_decisive(
    rule: MerchantRule, above: Sequence[MerchantRule], today: date
) -> dict[Action, tuple[MerchantRule, ...]]:
    """The rule's actions that never decide, since rules above match or are unknown whenever it matches; and those."""
    found: dict[Action, tuple[MerchantRule, ...]] = {}
    for action in rule.then:
        others = [other for other in above if _rival(action, other)]
        if by := _always_first(rule, action, others, today):
            found[action] = by
    return found


def _rival(action: Action, other: MerchantRule) -> Action | None:
    """The action of the other rule that is of the same kind."""
    return next((it for it in other.then if kind_of(it) is kind_of(action)), None)


def _outranked(rule: MerchantRule, above: Sequence[MerchantRule], today: date) -> Iterator[str]:
    """What to say of the actions that never decide."""
    for action, by in never_decisive(rule, above, today).items():
        other = _rival(action, by[0])
        if len(by) == 1 and other != action and other is not None and _same(rule, by[0], today):
            yield (
                f"rules {by[0].name!r} and {rule.name!r} contradict each other: of the same returns one says "
                f"{action_in_words(other)}, the other {action_in_words(action)}; the first is taken"
            )
            continue
        whose = f"{name_of(action)} of rule {rule.name!r}" if len(rule.then) > 1 else f"rule {rule.name!r}"
        names = " or ".join(repr(it.name) for it in by)
        yield f"{whose} is never decisive: {names} above it always comes first"


def _always_first(
    rule: MerchantRule, action: Action, others: Sequence[MerchantRule], today: date
) -> tuple[MerchantRule, ...]:
    """Few rules one of which always stands before this one; none where it may decide."""

    def may_decide(above: Sequence[MerchantRule]) -> bool:
        others = ((other, _rival(action, other)) for other in above)
        claims = [not_matching(other, may_be_unknown=it is not None and alike(it, action)) for other, it in others]
        return is_possible([matching(rule), *claims], today, a_line=kind_of(action) not in OF_RETURN)

    if not others or may_decide(others):
        return ()
    needed = next(([other] for other in others if not may_decide([other])), [*others])
    for other in list(needed):
        fewer = [it for it in needed if it is not other]
        if fewer and not may_decide(fewer):
            needed = fewer
    return tuple(needed)


def _same(one: MerchantRule, other: MerchantRule, today: date) -> bool:
    """Whether two rules match the same returns and lines."""
    return one.of_line is other.of_line and not any(
        is_possible([matching(first), not_matching(second)], today, a_line=True)
        for first, second in ((one, other), (other, one))
    )


def _misspelt(rule: MerchantRule) -> Iterator[str]:
    """Entries of a list that its field never is. Words that stand in the condition itself the reader refuses."""
    for check in checks_of(rule.when):
        field = FIELDS[check.field]
        if check.operator is Operator.IN_LIST and field.words and isinstance(check.wanted, tuple):
            for entry in (it for it in check.wanted if it not in field.words and not check.any_case):
                yield f"rule {rule.name!r}: the list {check.list_name} has {entry!r}, which {field.name} never is"


def _calls_off_what_was_sent(rule: MerchantRule, today: date) -> Iterator[str]:
    """A rule that calls returns off whatever became of the goods: nothing is paid for them afterwards."""
    sent = Claim(Check("scanned", Operator.IS, True), Says.YES)
    if any(isinstance(it, Cancel) for it in rule.then) and is_possible([matching(rule), sent], today, a_line=False):
        yield (
            f"rule {rule.name!r} also calls off returns whose goods are on their way or here, and which are then never "
            "paid; `scanned: {is: false}` under `when` leaves them alone"
        )


def _never_instead(rule: MerchantRule) -> Iterator[str]:
    """Methods that a rule names in the place of others, and that no line ever gets by it."""
    for action in rule.then:
        if not isinstance(action, Methods):
            continue
        for method in action.instead:
            why = ""
            if method == CompensationMethod.EXCHANGE:
                why = "an exchange needs the shopper's choice of what is wanted"
            elif method in action.never:
                why = "`never` forbids it"
            elif action.only and method not in action.only:
                why = "`only` does not name it"
            if why:
                yield f"rule {rule.name!r}: {method} under `instead` is never taken, since {why}"
