"""Kinds of return that a table of rules leaves out: a fee by country without one for pick-ups, say.

Two or more rules that say which fee, moment, warehouse or the like, and ask for the same reason, method, country or
return method, are taken for a table. A return is left out where none of them, nor any other rule of the kind, can
match. Rules that decline, approve or free of a fee are exceptions: all else is not theirs to name.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import product
from math import prod
from typing import NamedTuple

from tasks.policy.actions import ActionKind, NoFee, kind_of
from tasks.policy.condition_fields import FIELDS
from tasks.policy.conditions import Check, Operator, checks_of, is_true_of
from tasks.policy.merchant_rules import MerchantRule
from tasks.policy.possible import Claim, is_possible, matching
from tasks.policy.possible_values import OTHER, Says

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
    fields = [name for name in _BY if sum(bool(_asked(rule, name)) for rule in table) > 1]
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
