"""Conditions as data: field, operator, value, joined by all, any and not; and what they say of the facts of a return.

A condition is true, false or unknown (Kleene's logic): `all` is the least of its parts, `any` the greatest, `not` turns
true and false around. A fact that is not there makes its check unknown, never false; so what is true or false while
facts are missing stays so, whatever they turn out to be. A fact that is known to be none (no scan yet) makes a check
false.

Each operator states its bound: `over 1000.00 EUR` is false of 1,000.00, `at_least` is true of it. Amounts of two
currencies cannot be compared: unknown.
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from tasks.policy.condition_fields import FIELDS, FieldKind, Value
from tasks.policy.money import shown as money_shown
from tasks.policy.return_facts import Fact, LineFacts, Money, ReturnFacts, Unknown


class Truth(IntEnum):
    """The three values, in Kleene's order."""

    NO = 0
    UNKNOWN = 1
    YES = 2

    def __str__(self) -> str:
        return self.name.lower()


class Operator(StrEnum):
    """How a value found is compared with the one wanted. The bounds are in the names."""

    IS = "is"
    IS_ONE_OF = "is_one_of"
    IN_LIST = "in_list"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    CONTAINS = "contains"
    HAS = "has"
    HAS_ANY_OF = "has_any_of"
    HAS_ALL_OF = "has_all_of"
    OVER = "over"
    AT_LEAST = "at_least"
    UNDER = "under"
    AT_MOST = "at_most"
    AFTER = "after"
    FROM = "from"
    BEFORE = "before"
    UNTIL = "until"


_O, _K = Operator, FieldKind
OF_PARTS = (_O.STARTS_WITH, _O.ENDS_WITH, _O.CONTAINS)
"""Operators that ask for a part of a text."""

_NUMBERS = (_O.IS, _O.OVER, _O.AT_LEAST, _O.UNDER, _O.AT_MOST)
OPERATORS: Mapping[FieldKind, tuple[Operator, ...]] = MappingProxyType(
    {
        _K.TEXT: (_O.IS, _O.IS_ONE_OF, _O.IN_LIST, *OF_PARTS),
        _K.TEXTS: (_O.HAS, _O.HAS_ANY_OF, _O.HAS_ALL_OF, _O.IN_LIST),
        _K.FLAG: (_O.IS,),
        _K.NUMBER: _NUMBERS,
        _K.MONEY: _NUMBERS,
        _K.PERCENT: _NUMBERS,
        _K.DAY: (_O.IS, _O.AFTER, _O.FROM, _O.BEFORE, _O.UNTIL),
    }
)
"""Kind of a field -> the operators that fit it. Of texts `in_list` is true where one of them is in the list."""

Wanted = str | bool | int | Decimal | date | Money | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """One question to one field. `wanted` of `in_list` are the list's entries, `list_name` its name.

    `any_case` compares texts without regard to capitals. `within_days` counts only earlier returns that began at most
    so many days ago.
    """

    field: str
    operator: Operator
    wanted: Wanted
    any_case: bool = False
    within_days: int | None = None
    list_name: str = ""


@dataclass(frozen=True, slots=True)
class AllOf:
    """True where every part is."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True where one part is."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True where its part is false."""

    part: "Condition"


@dataclass(frozen=True, slots=True)
class SomeLine:
    """True where its part is of one line of the return."""

    part: "Condition"


@dataclass(frozen=True, slots=True)
class EveryLine:
    """True where its part is of each line of the return."""

    part: "Condition"


Condition = Check | AllOf | AnyOf | Not | SomeLine | EveryLine


def asks_of_a_line(condition: Condition) -> bool:
    """Whether it is about one line at a time: a field of a line stands outside of `some_line` and `every_line`."""
    match condition:
        case Check():
            return FIELDS[condition.field].read_line is not None
        case AllOf() | AnyOf():
            return any(asks_of_a_line(part) for part in condition.parts)
        case Not():
            return asks_of_a_line(condition.part)
        case _:
            return False


def checks_of(condition: Condition) -> Iterator[Check]:
    """Every check in a condition, at any depth."""
    match condition:
        case Check():
            yield condition
        case AllOf() | AnyOf():
            for part in condition.parts:
                yield from checks_of(part)
        case Not() | SomeLine() | EveryLine():
            yield from checks_of(condition.part)


class Trace(NamedTuple):
    """What a condition said, and each of its parts. `found` is the value that a check found; `line_id` the line that
    a part of `some_line` or `every_line` was asked of.
    """

    condition: Condition
    truth: Truth
    found: Fact[Value] = None
    parts: tuple["Trace", ...] = ()
    line_id: str = ""


Ask = Callable[[ReturnFacts, LineFacts | None, str], Trace]
"""A condition made ready to be asked: of a return, or of one of its lines, whose id goes into the trace."""

Answer = Callable[[ReturnFacts, LineFacts | None], Truth]
"""A condition made ready to be answered without a trace: several times as fast."""


def compiled(condition: Condition) -> Ask:
    """The condition as one function, for the many returns that it is asked of.

    All parts are asked, also where one has decided, so that each can be shown.
    """
    match condition:
        case Check():
            return _compiled_check(condition)
        case AllOf():
            return _joined(condition, [compiled(part) for part in condition.parts], Truth.YES)
        case AnyOf():
            return _joined(condition, [compiled(part) for part in condition.parts], Truth.NO)
        case Not():
            return _turned(condition, compiled(condition.part))
        case SomeLine() | EveryLine():
            return _of_lines(condition, compiled(condition.part))


def evaluate(condition: Condition, facts: ReturnFacts, line: LineFacts | None = None) -> Trace:
    """What the condition says of a return, or of one of its lines."""
    return compiled(condition)(facts, line, "")


def _joined(condition: Condition, asks: Sequence[Ask], of_none: Truth) -> Ask:
    """The least of the parts where all must be true, else the greatest; `of_none` where there are no parts."""
    best = min if of_none is Truth.YES else max

    def ask(facts: ReturnFacts, line: LineFacts | None, line_id: str) -> Trace:
        parts = tuple([each(facts, line, "") for each in asks])
        return Trace(condition, best([part.truth for part in parts], default=of_none), None, parts, line_id)

    return ask


def _turned(condition: Condition, asked: Ask) -> Ask:
    def ask(facts: ReturnFacts, line: LineFacts | None, line_id: str) -> Trace:
        part = asked(facts, line, "")
        return Trace(condition, _TURNED[part.truth], None, (part,), line_id)

    return ask


def _of_lines(condition: Condition, asked: Ask) -> Ask:
    """A return without lines has none of which anything is true."""
    best = max if isinstance(condition, SomeLine) else min

    def ask(facts: ReturnFacts, _: LineFacts | None, line_id: str) -> Trace:
        parts = tuple([asked(facts, line, line.line_id) for line in facts.lines])
        return Trace(condition, best([part.truth for part in parts], default=Truth.NO), None, parts, line_id)

    return ask


def answering(condition: Condition) -> Answer:
    """The condition as one function that says no more than whether it is true: as `compiled` does, with no trace."""
    match condition:
        case Check():
            return _answering_check(condition)
        case AllOf():
            return _joined_answer([answering(part) for part in condition.parts], Truth.YES, ends=Truth.NO)
        case AnyOf():
            return _joined_answer([answering(part) for part in condition.parts], Truth.NO, ends=Truth.YES)
        case Not():
            answer = answering(condition.part)
            return lambda facts, line: _TURNED[answer(facts, line)]
        case SomeLine() | EveryLine():
            return _answer_of_lines(answering(condition.part), max if isinstance(condition, SomeLine) else min)


def _joined_answer(answers: Sequence[Answer], of_none: Truth, *, ends: Truth) -> Answer:
    """The least of the parts where all must be true, else the greatest. A part that says `ends` settles it."""
    if len(answers) == 1:
        return answers[0]

    def answer(facts: ReturnFacts, line: LineFacts | None) -> Truth:
        found = of_none
        for each in answers:
            truth = each(facts, line)
            if truth is ends:
                return ends
            if truth is Truth.UNKNOWN:
                found = truth
        return found

    return answer


def _answer_of_lines(answer: Answer, best: Callable[..., Truth]) -> Answer:
    return lambda facts, _: best([answer(facts, line) for line in facts.lines], default=Truth.NO)


def _answering_check(check: Check) -> Answer:
    read, is_true, currency = _parts_of(check)
    read_line, read_return = FIELDS[check.field].read_line, FIELDS[check.field].read
    unknown, yes, no = Truth.UNKNOWN, Truth.YES, Truth.NO

    def answer(facts: ReturnFacts, line: LineFacts | None) -> Truth:
        # Asked more often than anything else, so that most fields are read without a call between.
        if line is not None and read_line is not None:
            found = read_line(line)
        elif read_return is not None:
            found = read_return(facts)
        else:
            found = read(facts, line)
        if found is None:
            return no
        if isinstance(found, Unknown) or (currency and isinstance(found, Money) and found.currency != currency):
            return unknown
        return yes if is_true(found) else no

    return answer


def _parts_of(check: Check) -> tuple[Callable[..., Fact[Value]], Callable[[Any], bool], str]:
    """How a check reads its value, what is true of it, and in which currency; empty where it is about no amount."""
    read = FIELDS[check.field].reader(check.within_days)
    return read, is_true_of(check), check.wanted.currency if isinstance(check.wanted, Money) else ""


def _compiled_check(check: Check) -> Ask:
    """A fact that is unknown, or an amount in another currency, makes it unknown."""
    read, is_true, currency = _parts_of(check)

    def ask(facts: ReturnFacts, line: LineFacts | None, line_id: str) -> Trace:
        found = read(facts, line)
        if currency and isinstance(found, Money) and found.currency != currency:
            found = Unknown(f"the amount in {currency}: it is in {found.currency}")
        if isinstance(found, Unknown):
            truth = Truth.UNKNOWN
        else:
            truth = Truth.YES if found is not None and is_true(found) else Truth.NO
        return Trace(check, truth, found, (), line_id)

    return ask


def is_true_of(check: Check) -> Callable[[Any], bool]:
    """Whether the check is true of a value that is known; an amount is in the currency that it asks for."""
    return _of_texts(check) if FIELDS[check.field].kind in _OF_TEXTS else _compared(check)


def _compared(check: Check) -> Callable[[Any], bool]:
    """How a value that has an order is compared with the one wanted; amounts are of one currency here."""
    compare, wanted = _COMPARISONS[check.operator], check.wanted
    if isinstance(wanted, Money):
        amount = wanted.amount
        return lambda found: compare(found.amount, amount)
    return lambda found: compare(found, wanted)


def _of_texts(check: Check) -> Callable[[Any], bool]:
    """How a text, or texts, are compared with those wanted."""
    wanted = check.wanted if isinstance(check.wanted, tuple) else (str(check.wanted),)
    wanted = tuple(map(str.casefold, wanted)) if check.any_case else wanted
    several = frozenset(wanted)

    if not check.any_case and FIELDS[check.field].kind is FieldKind.TEXT and check.operator not in OF_PARTS:
        return several.__contains__

    def texts(found: str | frozenset[str]) -> frozenset[str]:
        each = frozenset({found}) if isinstance(found, str) else found
        return frozenset(map(str.casefold, each)) if check.any_case else each

    match check.operator:
        case Operator.STARTS_WITH:
            return lambda found: any(text.startswith(wanted) for text in texts(found))
        case Operator.ENDS_WITH:
            return lambda found: any(text.endswith(wanted) for text in texts(found))
        case Operator.CONTAINS:
            return lambda found: any(wanted[0] in text for text in texts(found))
    if check.operator is Operator.HAS_ALL_OF:
        return lambda found: several <= texts(found)
    return lambda found: not several.isdisjoint(texts(found))


_TURNED = MappingProxyType({Truth.YES: Truth.NO, Truth.UNKNOWN: Truth.UNKNOWN, Truth.NO: Truth.YES})
_OF_TEXTS = frozenset({FieldKind.TEXT, FieldKind.TEXTS})

_COMPARISONS: Mapping[Operator, Callable[[Any, Any], bool]] = MappingProxyType(
    {
        _O.IS: operator.eq,
        _O.OVER: operator.gt,
        _O.AT_LEAST: operator.ge,
        _O.UNDER: operator.lt,
        _O.AT_MOST: operator.le,
        _O.AFTER: operator.gt,
        _O.FROM: operator.ge,
        _O.BEFORE: operator.lt,
        _O.UNTIL: operator.le,
    }
)


def needs(trace: Trace) -> tuple[str, ...]:
    """What is missing where the condition is unknown, each once."""
    if trace.truth is not Truth.UNKNOWN:
        return ()
    if isinstance(trace.found, Unknown):
        return (trace.found.needs,)
    return tuple(dict.fromkeys(word for part in trace.parts for word in needs(part)))


def explained(trace: Trace, indent: str = "") -> Iterator[str]:
    """The trace as lines: each check with the value wanted, the value found and what it said."""
    of = f" (line {trace.line_id})" if trace.line_id else ""
    condition = trace.condition
    if isinstance(condition, Check):
        yield f"{indent}{check_in_words(condition)}{of}: {trace.truth}, {_found(condition, trace.found)}"
        return
    if condition == AllOf(()):
        yield f"{indent}always"
        return
    name = {AllOf: "all", AnyOf: "any", Not: "not", SomeLine: "some_line", EveryLine: "every_line"}[type(condition)]
    yield f"{indent}{name}{of}: {trace.truth}"
    for part in trace.parts:
        yield from explained(part, f"{indent}  ")


def _found(check: Check, found: Fact[Value]) -> str:
    if isinstance(found, Unknown):
        return f"needs {found.needs}"
    if found is None:
        return "there is none yet"
    return "found" if FIELDS[check.field].hidden else f"found {_in_words(found)}"


def in_words(condition: Condition) -> str:
    """A condition in one sentence's part; empty where it asks for nothing."""
    match condition:
        case Check():
            return check_in_words(condition)
        case AllOf():
            return " and ".join(_bracketed(part) for part in condition.parts)
        case AnyOf():
            return " or ".join(_bracketed(part) for part in condition.parts)
        case Not():
            return f"not ({in_words(condition.part)})"
        case SomeLine():
            return f"some line: ({in_words(condition.part)})"
        case EveryLine():
            return f"every line: ({in_words(condition.part)})"


def _bracketed(condition: Condition) -> str:
    joined = isinstance(condition, AllOf | AnyOf) and len(condition.parts) > 1
    return f"({in_words(condition)})" if joined else in_words(condition)


def check_in_words(check: Check) -> str:
    """A check as a person reads it: `return_value over 1,000.00 EUR`."""
    wanted = f"`{check.list_name}`" if check.operator is Operator.IN_LIST else _in_words(check.wanted)
    case = " in any case" if check.any_case else ""
    window = f" within {check.within_days} days" if check.within_days is not None else ""
    return f"{check.field} {check.operator} {wanted}{case}{window}"


def _in_words(value: Value | tuple[str, ...]) -> str:
    if isinstance(value, Money):
        return money_shown(value.amount, value.currency)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | frozenset):
        return ", ".join(sorted(value)) or "none"
    return f"{round(value, 4)} %" if isinstance(value, Decimal) else str(value)
