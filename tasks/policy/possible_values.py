"""A value of one field of which several checks say what is claimed of them, if there is one.

Only the values matter at which a check changes its mind, and one between each two of them; so a handful is tried.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from enum import Enum
from itertools import chain, pairwise, product
from math import prod
from typing import Any, NamedTuple

from tasks.policy.condition_fields import Field, FieldKind, Value
from tasks.policy.conditions import Check, Operator, Truth, is_true_of
from tasks.policy.return_facts import Fact, Money, Unknown


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
    least = 1 if field.name == "returns_of_order" else 0 if field.counts or field.name == "lines" else float("-inf")
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
    """A text that is one of those named, or begins as one of them, or is another."""
    checks = _in_one_spelling(asked)
    named = [text for check, _ in checks for text in _texts(check)]
    texts = _WEEK if field.name == "weekday" else (*named, *(f"{text}{OTHER}" for text in named), OTHER)
    tests = [(is_true_of(check), wanted) for check, wanted in checks]
    fit = (text for text in texts if all(test(text) is wanted for test, wanted in tests))
    found = next(fit, None)
    return None if found is None else Found(found, sure=not any(it.check.any_case for it in asked))


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
