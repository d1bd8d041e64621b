"""What of a policy file's rules is right and yet probably not meant: the warnings of `policy check`. Pure.

A rule is called dead, or outranked for ever, only where no facts can be otherwise (`tasks.policy.possible`).
"""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import combinations, product
from math import prod
from typing import NamedTuple

from rever_api.models import NOT_RECEIVED, CompensationMethod
from tasks.policy.actions import (
    OF_RETURN,
    Accept,
    Action,
    ActionKind,
    Bonus,
    Cancel,
    Decline,
    KeepItem,
    Methods,
    NoBonus,
    NoFee,
    Pay,
    action_in_words,
    alike,
    kind_of,
    name_of,
)
from tasks.policy.condition_fields import FIELDS
from tasks.policy.conditions import AllOf, AnyOf, Check, Condition, Operator, SomeLine, checks_of, in_words, is_true_of
from tasks.policy.merchant_rules import AppliesTo, IfUnknown, MerchantRule
from tasks.policy.policy_file import FileRules
from tasks.policy.possible import OTHER, Claim, Says, in_force_and, is_possible, matching, not_matching

# Kinds of return that a table of rules leaves out: a fee by country without one for pick-ups, say.
#
# Two or more rules that say which fee, moment, warehouse or the like, and ask for the same reason, method, country or
# return method, are taken for a table. A return is left out where none of them, nor any other rule of the kind, can
# match. Rules that decline, approve or free of a fee are exceptions: all else is not theirs to name.

_BY = ("country", "return_method", "method", "reason")
_TABLES = (
    ActionKind.PAY,
    ActionKind.FEE,
    ActionKind.WAREHOUSE,
    ActionKind.CARRIER,
    ActionKind.RETURN_METHOD,
    ActionKind.OUT_OF_STOCK,
)
_NEVER_CHOSEN = frozenset({"NO_RETURN_METHOD"})
_MOST_CELLS, _MOST_SHOWN = 300, 6
_MANY = 15
"""A group of more values than this, or than half of all where that is more, is not listed."""


class _Group(NamedTuple):
    """Values of a field that no rule tells apart: one of them, and all in words."""

    field: str
    value: str
    words: str


Cell = tuple[_Group, ...]
"""One value of each field of a table."""


def gaps(rules: Sequence[MerchantRule], today: date) -> Iterator[str]:
    """What the tables among the rules leave out, kind by kind."""
    for kind in _TABLES:
        groups, left = left_out(rules, kind, today)
        words = list(_in_words(left, groups))
        more = f" and {len(words) - _MOST_SHOWN} more" if len(words) > _MOST_SHOWN else ""
        if words:
            yield f"no rule of the kind {kind} is about {'; '.join(words[:_MOST_SHOWN])}{more}"


def left_out(
    rules: Sequence[MerchantRule], kind: ActionKind, today: date
) -> tuple[Sequence[Sequence[_Group]], Sequence[Cell]]:
    """The values that a table of this kind of action parts, field by field, and the cells that no rule is about."""
    mine = [rule for rule in rules if any(kind_of(action) is kind for action in rule.then)]
    table = [rule for rule in mine if not any(isinstance(action, NoFee) for action in rule.then)]
    # Of what is out of stock an exchange alone is asked.
    by = [name for name in _BY if (kind, name) != (ActionKind.OUT_OF_STOCK, "method")]
    fields = [name for name in by if sum(bool(_asked(rule, name)) for rule in table) > 1]
    groups = [_groups(name, [check for rule in mine for check in _asked(rule, name)]) for name in fields]
    if not fields or prod(map(len, groups)) > _MOST_CELLS:
        return (), ()
    return groups, [cell for cell in product(*groups) if not any(_can_match(rule, cell, today) for rule in mine)]


def _asked(rule: MerchantRule, field: str) -> list[Check]:
    return [check for check in checks_of(rule.when) if check.field == field]


def _groups(field: str, checks: Sequence[Check]) -> list[_Group]:
    """All that the field may be, values that each check takes alike together. One stands for all that are not named."""
    named = [
        text for check in checks for text in (check.wanted if isinstance(check.wanted, tuple) else (check.wanted,))
    ]
    words = FIELDS[field].words - _NEVER_CHOSEN
    tests = [is_true_of(check) for check in checks]
    alike: dict[tuple[bool, ...], list[str]] = {}
    for value in sorted(words) if words else (*map(str, dict.fromkeys(named)), OTHER):
        alike.setdefault(tuple(test(value) for test in tests), []).append(value)
    return [_Group(field, values[0], f"{field} {_of(values, words)}") for values in alike.values()]


def _of(values: Sequence[str], words: frozenset[str]) -> str:
    if OTHER in values or len(values) > max(len(words) / 2, _MANY):
        return "other than those named"
    return ", ".join(values[:_MOST_SHOWN]) + (f" and {len(values) - _MOST_SHOWN} more" if values[_MOST_SHOWN:] else "")


def _can_match(rule: MerchantRule, cell: Cell, today: date) -> bool:
    known = [Claim(Check(group.field, Operator.IS, group.value), Says.YES) for group in cell]
    return is_possible([matching(rule), *known], today, a_line=True)


def _in_words(left: Sequence[Cell], groups: Sequence[Sequence[_Group]]) -> Iterator[str]:
    """The cells that are left out; a group of which all are is said once."""
    cells = prod(map(len, groups))
    whole = [group for each in groups for group in each if sum(group in cell for cell in left) == cells // len(each)]
    yield from (group.words for group in whole)
    yield from (
        " with ".join(group.words for group in cell) for cell in left if not any(group in whole for group in cell)
    )


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
    for number, rule in enumerate(rules):
        if why := _why_dead(rule, today):
            words = [f"rule {rule.name!r} can never match: {why}{_holds_still(rule, today)}"]
        else:
            words = [*_outranked(rule, alive, today)] or [*_exception_below(rule, rules[number + 1 :])]
            words += [*_calls_off_what_was_sent(rule, today), *_keeps_its_moment(rule, today)]
            alive.append(rule)
        words += [*_misspelt(rule), *_unseen(rule), *_never_instead(rule), *_of_all_lines(rule)]
        yield from (Warned(it, rule.line) for it in words)
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


def _unseen(rule: MerchantRule) -> Iterator[str]:
    """Texts that are probably compared with nothing, and do not look like it."""
    for check in checks_of(rule.when):
        texts = check.wanted if isinstance(check.wanted, tuple) else (check.wanted,)
        for text in (it for it in texts if isinstance(it, str)):
            if check.field == "shopper":
                if "@" not in text:
                    yield f"rule {rule.name!r}: the list {check.list_name} has an entry that is no e-mail address"
            elif text != text.strip():
                yield f"rule {rule.name!r}: {text!r} begins or ends with a blank"
            elif not text.isprintable():
                yield f"rule {rule.name!r}: {text!r} has a letter that cannot be seen"


def _of_all_lines(rule: MerchantRule) -> Iterator[str]:
    """What a rule does with all lines of a return because of one of them."""
    if rule.of_line or not _asks_some_line(rule.when):
        return
    for action in rule.then:
        if isinstance(action, Decline | KeepItem):
            yield (
                f"{name_of(action)} of rule {rule.name!r} is of every line of a return with one such line; "
                "without `some_line` it is of that line alone"
            )


def _asks_some_line(condition: Condition) -> bool:
    if isinstance(condition, AllOf | AnyOf):
        return any(map(_asks_some_line, condition.parts))
    return isinstance(condition, SomeLine)


def _exception_below(rule: MerchantRule, below: Sequence[MerchantRule]) -> Iterator[str]:
    """An exception that stands below all that it could be an exception of."""
    done = {type(action) for other in below for action in other.then}
    for action in rule.then:
        of, does = {Accept: (Decline, "declines"), NoBonus: (Bonus, "gives a bonus")}.get(type(action), (None, ""))
        if of and of not in done:
            words = f"{name_of(action)} of rule {rule.name!r} does nothing: no rule below it {does}"
            yield f"{words}; put it above those that do"


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
        if not {*(action.only or CompensationMethod)} - {*action.never}:
            yield f"rule {rule.name!r} leaves no method: every line that it is about is held"
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


def _keeps_its_moment(rule: MerchantRule, today: date) -> Iterator[str]:
    """What a rule says of the moment of lines that keep their own. Nothing is said where it gives an exchange just the
    moment that it has.
    """
    exchange = Check("method", Operator.IS, str(CompensationMethod.EXCHANGE))
    not_received = Check("reason", Operator.IS, NOT_RECEIVED)

    def is_of_nothing_but(*checks: Check) -> bool:
        others = [Claim(check, Says.NOT_YES) for check in checks]
        return not is_possible([matching(rule), *others], today, a_line=True)

    for action in rule.then:
        why = ""
        if isinstance(action, KeepItem) and is_of_nothing_but(exchange):
            why = "goods that are to be exchanged come back, and are inspected"
        elif isinstance(action, Pay) and is_of_nothing_but(not_received):
            why = "goods that never reached the shopper are not waited for"
        elif isinstance(action, Pay) and is_of_nothing_but(exchange):
            why = "an exchange waits for its inspection" if action.at != "inspection" or action.plus_days else ""
        elif isinstance(action, Pay) and is_of_nothing_but(exchange, not_received):
            why = "an exchange waits for its inspection, and goods that never reached the shopper are not waited for"
        if why:
            yield f"{name_of(action)} of rule {rule.name!r} does nothing: {why}, whatever a rule says"
