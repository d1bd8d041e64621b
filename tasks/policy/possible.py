"""Whether facts can be such that conditions are true, false or unknown together: what `policy check` asks of rules.

It never says no where there are such facts. It may say yes where there are none: fields are looked at one by one (that
`days_since_order` follows from `ordered_on` it does not know), and where there is too much to look at it gives up.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import Enum
from itertools import chain, pairwise, product
from math import prod
from types import MappingProxyType
from typing import Any, NamedTuple

from tasks.policy.condition_fields import FIELDS, Field, FieldKind, Value
from tasks.policy.conditions import (
    OF_PARTS,
    AllOf,
    AnyOf,
    Check,
    Condition,
    EveryLine,
    Not,
    Operator,
    SomeLine,
    Truth,
    is_true_of,
)
from tasks.policy.merchant_rules import AppliesTo, IfUnknown, MerchantRule
from tasks.policy.return_facts import Fact, Money, Unknown

# A value of one field of which several checks say what is claimed of them, if there is one.
#
# Only the values matter at which a check changes its mind, and one between each two of them; so a handful is tried.


class Says(Enum):
    """What a condition is claimed to say."""

    YES = frozenset({Truth.YES})
    NO = frozenset({Truth.NO})
    NOT_YES = frozenset({Truth.NO, Truth.UNKNOWN})
    NOT_NO = frozenset({Truth.YES, Truth.UNKNOWN})


class Asked(NamedTuple):
    """A check of a field, and what it is claimed to say."""

    check: Check
    says: Says

    @property
    def is_true(self) -> bool:
        """Whether it is claimed to be true of a value that is known."""
        return Truth.YES in self.says.value


ALWAYS_TOLD = frozenset({"store", "lines", "units", "today", "weekday", "hour", "quantity"})
"""Fields whose value is known of every return."""

OTHER = "\ue000"
"""A letter that stands in no value of a policy file."""

_MOST_SETS = 500
_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Found(NamedTuple):
    """A fact of which the checks say what is claimed of them. Where it is not `sure`, another spelling of it may be."""

    fact: Fact[Value]
    sure: bool = True


def some_value(field: Field, asked: Sequence[Asked], today: date) -> Found | None:
    """A fact of which each check says what is claimed; None where there is none, on `today` or later."""
    if field.name not in ALWAYS_TOLD:
        for fact, truth in ((Unknown(""), Truth.UNKNOWN), (None, Truth.NO)):
            if all(truth in it.says.value for it in asked):
                return Found(fact)
    match field.kind:
        case FieldKind.TEXT:
            return _some_text(field, asked)
        case FieldKind.TEXTS:
            return _some_set(asked)
        case FieldKind.MONEY:
            return _some_amount(asked)
        case _:
            return _fits_one(_values(field, asked, today), asked)


def is_so(asked: Asked, fact: Fact[Value]) -> bool:
    """Whether the check says of the fact what it is claimed to."""
    wanted = asked.check.wanted
    other = isinstance(fact, Money) and isinstance(wanted, Money) and fact.currency != wanted.currency
    if other or isinstance(fact, Unknown):
        return Truth.UNKNOWN in asked.says.value
    truth = Truth.YES if fact is not None and is_true_of(asked.check)(fact) else Truth.NO
    return truth in asked.says.value


def _values(field: Field, asked: Sequence[Asked], today: date) -> Iterable[Any]:
    """The values worth a trial."""
    match field.kind:
        case FieldKind.PERCENT:
            return _around([Decimal(str(it.check.wanted)) for it in asked])
        case FieldKind.NUMBER:
            least, most = _bounds(field)
            return (number for number in _near(asked) if least <= number <= most)
        case FieldKind.DAY:
            first = today if field.name == "today" else date.min
            days = (max(day, first.toordinal()) for day in _near(asked))
            return (date.fromordinal(day) for day in days if day <= date.max.toordinal())
        case _:
            return (True, False)


def _fits_one(values: Iterable[Any], asked: Sequence[Asked]) -> Found | None:
    tests = [(is_true_of(it.check), it.is_true) for it in asked]
    fit = (Found(value) for value in values if all(test(value) is wanted for test, wanted in tests))
    return next(fit, None)


def _bounds(field: Field) -> tuple[float, float]:
    """The least and the most that a whole number can be."""
    if field.name == "hour":
        return 0, 23
    least = (
        1
        if field.name in {"returns_of_order", "number_of_order"}
        else 0
        if field.counts or field.name == "lines"
        else float("-inf")
    )
    return least, float("inf")


def _near(asked: Sequence[Asked]) -> Iterator[int]:
    """The whole numbers, or days as such, at which a check changes its mind."""
    for it in asked:
        wanted = it.check.wanted
        number = wanted.toordinal() if isinstance(wanted, date) else int(str(wanted))
        yield from (number - 1, number, number + 1)


def _around(bounds: Sequence[Decimal]) -> Iterator[Decimal]:
    """The bounds, one between each two, one below and one above them all."""
    points = sorted(set(bounds))
    return chain(points, ((low + high) / 2 for low, high in pairwise(points)), (points[0] - 1, points[-1] + 1))


def _some_amount(asked: Sequence[Asked]) -> Found | None:
    """An amount in one of the currencies. Of a check in another one nobody knows."""
    wanted = [it.check.wanted for it in asked if isinstance(it.check.wanted, Money)]
    for currency in dict.fromkeys(money.currency for money in wanted):
        mine = [it for it in asked if isinstance(it.check.wanted, Money) and it.check.wanted.currency == currency]
        if any(Truth.UNKNOWN not in it.says.value for it in asked if it not in mine):
            continue
        amounts = _around([money.amount for money in wanted if money.currency == currency])
        if found := _fits_one((Money(amount, currency) for amount in amounts), mine):
            return found
    return None


def _in_one_spelling(asked: Sequence[Asked]) -> list[tuple[Check, bool]]:
    """The checks of texts, and whether each is to be true.

    Where some do not regard capitals, none does: what is then asked for is less, and what must not be is left out,
    for another spelling of it may well be.
    """
    if not any(it.check.any_case for it in asked):
        return [(it.check, it.is_true) for it in asked]
    return [(_folded(it.check), it.is_true) for it in asked if it.is_true or it.check.any_case]


def _folded(check: Check) -> Check:
    wanted = tuple(map(str.casefold, _texts(check)))
    several = check.operator in {Operator.IS_ONE_OF, Operator.IN_LIST, Operator.HAS_ANY_OF, Operator.HAS_ALL_OF}
    return Check(check.field, check.operator, wanted if several else wanted[0])


def _texts(check: Check) -> tuple[str, ...]:
    return check.wanted if isinstance(check.wanted, tuple) else (str(check.wanted),)


def _some_text(field: Field, asked: Sequence[Asked]) -> Found | None:
    """A text that is one of those named, or has them as its parts, or is another."""
    checks = _in_one_spelling(asked)
    named = [text for check, _ in checks for text in _texts(check)]
    texts = _WEEK if field.name == "weekday" else (*named, *_made_of_parts(checks))
    tests = [(is_true_of(check), wanted) for check, wanted in checks]
    fit = (text for text in texts if all(test(text) is wanted for test, wanted in tests))
    found = next(fit, None)
    return None if found is None else Found(found, sure=not any(it.check.any_case for it in asked))


def _made_of_parts(checks: Sequence[tuple[Check, bool]]) -> Iterator[str]:
    """Texts that are none of those named, with all that must be in them: another letter stands between the parts."""
    parts = {
        operator: [text for check, wanted in checks if wanted and check.operator is operator for text in _texts(check)]
        for operator in OF_PARTS
    }
    middle = "".join(f"{OTHER}{text}" for text in parts[Operator.CONTAINS]) + OTHER
    starts, ends = parts[Operator.STARTS_WITH] or [""], parts[Operator.ENDS_WITH] or [""]
    yield from (f"{start}{middle}{end}" for start in starts for end in ends)


def _some_set(asked: Sequence[Asked]) -> Found | None:
    """A set of the texts named: the largest that has none of those that must not be, less one of each that must not all
    be there.
    """
    checks = _in_one_spelling(asked)
    not_all = [_texts(check) for check, wanted in checks if not wanted and check.operator is Operator.HAS_ALL_OF]
    never = {
        text
        for check, wanted in checks
        if not wanted and check.operator is not Operator.HAS_ALL_OF
        for text in _texts(check)
    }
    largest = frozenset(text for check, wanted in checks if wanted for text in _texts(check)) - never
    tests = [is_true_of(check) for check, wanted in checks if wanted]
    if prod(map(len, not_all)) > _MOST_SETS:
        return Found(largest, sure=False)
    sets = (largest - set(left) for left in product(*not_all))
    found = next((each for each in sets if all(test(each) for test in tests)), None)
    return None if found is None else Found(found, sure=not any(it.check.any_case for it in asked))


_MOST_STEPS = 5_000
_TURNED = MappingProxyType({Says.YES: Says.NO, Says.NO: Says.YES, Says.NOT_YES: Says.NOT_NO, Says.NOT_NO: Says.NOT_YES})
_POSITIVE = frozenset({Says.YES, Says.NOT_NO})


class Claim(NamedTuple):
    """That a condition says this. What it asks of a line is asked of the line of this number."""

    condition: Condition
    says: Says
    line: int = 0


class _Subject(NamedTuple):
    """One fact: of the return (`line` is -1) or of a line; a count has a window."""

    field: str
    line: int
    within_days: int | None


def _subject(check: Check, line: int) -> _Subject:
    return _Subject(check.field, line if FIELDS[check.field].read_line is not None else -1, check.within_days)


@dataclass
class _Branch:
    """One way in which all claims may hold.

    `pending` are claims not looked at, `choices` those of which one part is enough. There are so many `lines` as are
    spoken of, none where `no_lines` was chosen; `of_each` is what holds for each, and is claimed of them at the end.
    `found` is a fact for all `checks` of a subject.
    """

    lines: int
    pending: list[Claim]
    choices: list[Claim] = field(default_factory=list)
    of_each: list[tuple[Condition, Says]] = field(default_factory=list)
    no_lines: bool = False
    checks: dict[_Subject, tuple[Asked, ...]] = field(default_factory=dict)
    found: dict[_Subject, Found] = field(default_factory=dict)
    claimed: set[tuple[_Subject, Asked]] = field(default_factory=set)

    def take(self, today: date) -> bool:
        """Look at one pending claim; False where the branch cannot hold."""
        condition, says, line = self.pending.pop()
        match condition:
            case Check():
                return self._take_check(_subject(condition, line), Asked(condition, says), today)
            case Not():
                self.pending.append(Claim(condition.part, _TURNED[says], line))
            case AllOf() | AnyOf():
                if isinstance(condition, AllOf) is (says in _POSITIVE):
                    self.pending += [Claim(part, says, line) for part in condition.parts]
                else:
                    self.choices.append(Claim(condition, says, line))
            case SomeLine() if says in _POSITIVE:
                self.pending.append(Claim(condition.part, says, self.lines))
                self.lines += 1
            case SomeLine():
                self.of_each.append((condition.part, says))
            case EveryLine() if says in _POSITIVE:
                self.of_each.append((condition.part, says))
                self.lines = max(self.lines, 1)
            case EveryLine():
                self.choices.append(Claim(condition, says, line))
        return not (self.no_lines and self.lines)

    def _take_check(self, subject: _Subject, asked: Asked, today: date) -> bool:
        """Whether there still is a fact for all checks of the subject. What was found for them is tried first."""
        before = self.found.get(subject)
        self.claimed.add((subject, asked))
        self.checks[subject] = (*self.checks.get(subject, ()), asked)
        if before is not None and before.sure and is_so(asked, before.fact):
            return True
        found = some_value(FIELDS[subject.field], self.checks[subject], today)
        if found is None:
            return False
        self.found[subject] = found
        return True

    def ways(self) -> list["_Branch"]:
        """The branches of a choice: one for each part that may be the one."""
        condition, says, line = self.choices.pop()
        if isinstance(condition, AllOf | AnyOf):
            if any(self._has(part, says, line) for part in condition.parts):
                return [self]
            return [self._with(Claim(part, says, line)) for part in reversed(condition.parts)]
        if self.no_lines or not isinstance(condition, EveryLine):
            return [self]
        one = replace(self._with(Claim(condition.part, says, self.lines)), lines=self.lines + 1)
        # Of a return without lines nothing is true of every line.
        return [one] if self.lines else [replace(self._with(), no_lines=True), one]

    def close(self) -> bool:
        """Claim of each line what is said of every one; False where that is done."""
        of_each, self.of_each = self.of_each, []
        self.pending += [Claim(condition, says, line) for line in range(self.lines) for condition, says in of_each]
        return bool(self.pending)

    def _has(self, condition: Condition, says: Says, line: int) -> bool:
        """Whether it is claimed already."""
        return isinstance(condition, Check) and (_subject(condition, line), Asked(condition, says)) in self.claimed

    def _with(self, *claims: Claim) -> "_Branch":
        return replace(
            self,
            pending=[*claims],
            choices=[*self.choices],
            of_each=[*self.of_each],
            checks={**self.checks},
            found={**self.found},
            claimed={*self.claimed},
        )


def is_possible(claims: Iterable[Claim], today: date, *, a_line: bool) -> bool:
    """Whether there are facts, on this day or later, of which all claims hold; True too where that is not found out.

    `a_line`: the return has the line that the claims are about; else it may have none.
    """
    branches = [_Branch(1 if a_line else 0, list(claims))]
    for _ in range(_MOST_STEPS):
        if not branches:
            return False
        branch = branches[-1]
        if branch.pending:
            if not branch.take(today):
                branches.pop()
        elif branch.choices:
            branches.pop()
            branches += branch.ways()
        elif not branch.close():
            return True
    return True


# Rules as claims: that one matches, or that it does not stand in the way of those below it.


def in_force_and(rule: MerchantRule) -> Condition:
    """The rule's days and its condition as one condition."""
    asked = "started_on" if rule.applies_to is AppliesTo.NEW else "today"
    days = ((Operator.FROM, rule.begins), (Operator.UNTIL, rule.ends))
    checks = tuple(Check(asked, operator, day) for operator, day in days if day is not None)
    return AllOf((*checks, rule.when)) if checks else rule.when


def matching(rule: MerchantRule) -> Claim:
    """That the rule matches."""
    if rule.if_unknown is not IfUnknown.MATCHES:
        return Claim(in_force_and(rule), Says.YES)
    # It is in force too where the day of the beginning is known to be none, of which its days would be false.
    return Claim(rule.when if rule.applies_to is AppliesTo.NEW else in_force_and(rule), Says.NOT_NO)


def not_matching(rule: MerchantRule, *, may_be_unknown: bool = False) -> Claim:
    """That the rule neither matches nor, being unknown, leaves its kinds open. It may be unknown where it would do the
    same as the one that decides.
    """
    passes = rule.if_unknown is IfUnknown.DOES_NOT_MATCH or (may_be_unknown and rule.if_unknown is IfUnknown.HOLD)
    return Claim(in_force_and(rule), Says.NOT_YES if passes else Says.NO)
