"""Whether facts can be such that conditions are true, false or unknown together: what `policy check` asks of rules.

It never says no where there are such facts. It may say yes where there are none: fields are looked at one by one (that
`days_since_order` follows from `ordered_on` it does not know), and where there is too much to look at it gives up.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType
from typing import NamedTuple

from tasks.policy.condition_fields import FIELDS
from tasks.policy.conditions import AllOf, AnyOf, Check, Condition, EveryLine, Not, Operator, SomeLine
from tasks.policy.merchant_rules import AppliesTo, IfUnknown, MerchantRule
from tasks.policy.possible_values import Asked, Found, Says, is_so, some_value

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
