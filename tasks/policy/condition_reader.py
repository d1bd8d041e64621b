"""Conditions in the policy file: read from its values, with every problem at its place, and written back."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tasks.policy.condition_fields import FIELDS, Field, FieldKind
from tasks.policy.conditions import (
    OF_PARTS,
    OPERATORS,
    AllOf,
    AnyOf,
    Check,
    Condition,
    EveryLine,
    Not,
    Operator,
    SomeLine,
    Wanted,
    asks_of_a_line,
)
from tasks.policy.currencies import CURRENCIES
from tasks.policy.money import is_currency, minor_unit
from tasks.policy.other_words import FIELDS as FIELDS_OF_OTHERS
from tasks.policy.other_words import meant, operator_meant, value_meant
from tasks.policy.policy_text import Problem, Where, nearest, shown
from tasks.policy.return_facts import Money

_JOINS = ("all", "any", "not", "some_line", "every_line")
SEVERAL = frozenset({Operator.IS_ONE_OF, Operator.HAS_ANY_OF, Operator.HAS_ALL_OF})
MONEY = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,4})?) ([A-Z]{3})")
PERCENT = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,6})?) ?%")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
LARGEST_WHOLE = 10**6 - 1
_MOST_SHOWN = 20


def as_data(condition: Condition) -> dict[str, Any]:
    """The condition as the policy file has it; `ConditionReader.condition` reads it back."""
    match condition:
        case Check():
            options: dict[str, Any] = {"any_case": True} if condition.any_case else {}
            options |= {} if condition.within_days is None else {"within_days": condition.within_days}
            return {condition.field: {str(condition.operator): _written(condition), **options}}
        case AllOf():
            return {"all": [as_data(part) for part in condition.parts]}
        case AnyOf():
            return {"any": [as_data(part) for part in condition.parts]}
        case Not():
            return {"not": as_data(condition.part)}
        case SomeLine():
            return {"some_line": as_data(condition.part)}
        case EveryLine():
            return {"every_line": as_data(condition.part)}


def _written(check: Check) -> Any:
    if check.operator is Operator.IN_LIST:
        return check.list_name
    match check.wanted:
        case Money(amount, currency):
            return f"{amount:f} {currency}"
        case tuple():
            return list(check.wanted)
        case Decimal():
            return f"{check.wanted:f} %"
        case date():
            return check.wanted.isoformat()
        case _:
            return check.wanted


class ConditionReader:
    """Reads conditions out of the policy file's values. `problems` grow by whatever is wrong with them. `line_of` is
    the line of a place, where that is known.

    What it returns is of use only where there are none.
    """

    def __init__(
        self,
        lists: Mapping[str, tuple[str, ...]] | None = None,
        line_of: Callable[[Where], int | None] = lambda _: None,
    ) -> None:
        self.problems: list[Problem] = []
        self._lists = {} if lists is None else lists
        self.line_of = line_of

    def wrong(self, at: Where, words: str) -> Condition:
        """Note a problem, as the place and `words`; returns a condition that stands for the one that is wrong."""
        self.problems.append(Problem(at, self.line_of(at), f"{shown(at)} {words}."))
        return AllOf(())

    def condition(self, data: Any, at: Where, *, within_line: bool = False) -> Condition:
        """The condition of a mapping, whose entries are joined by `all`."""
        if not isinstance(data, dict) or not data:
            return self.wrong(at, "is no condition; right would be a field with an operator, as `quantity: {over: 2}`")
        parts = tuple(self._entry(name, it, (*at, name), within_line=within_line) for name, it in data.items())
        return parts[0] if len(parts) == 1 else AllOf(parts)

    def _entry(self, name: str, data: Any, at: Where, *, within_line: bool) -> Condition:
        match name:
            case "all" | "any":
                parts = self._parts(data, at, within_line=within_line)
                return AllOf(parts) if name == "all" else AnyOf(parts)
            case "not":
                return Not(self.condition(data, at, within_line=within_line))
            case "some_line" | "every_line":
                return self._of_lines(name, data, at, within_line=within_line)
        if field := FIELDS.get(name):
            return self._checks(field, data, at)
        hint, known = meant(name, FIELDS_OF_OTHERS, (*FIELDS, *_JOINS)), ", ".join((*FIELDS, *_JOINS))
        return self.wrong(at, f"is no field{hint or f'; there are {known}'}")

    def _parts(self, data: Any, at: Where, *, within_line: bool) -> tuple[Condition, ...]:
        if not isinstance(data, list) or not data:
            self.wrong(at, "is no list of conditions; right would be one or more, each on a line of its own with a `-`")
            return ()
        return tuple(self.condition(it, (*at, n), within_line=within_line) for n, it in enumerate(data))

    def _of_lines(self, name: str, data: Any, at: Where, *, within_line: bool) -> Condition:
        if within_line:
            return self.wrong(at, "stands within another, which is about one line already")
        before = len(self.problems)
        part = self.condition(data, at, within_line=True)
        if len(self.problems) == before and not asks_of_a_line(part):
            return self.wrong(at, "asks nothing of a line; write its condition without it")
        return SomeLine(part) if name == "some_line" else EveryLine(part)

    def _checks(self, field: Field, data: Any, at: Where) -> Condition:
        """The checks of one field; several operators are joined by `all`."""
        fit = OPERATORS[field.kind]
        if not isinstance(data, dict):
            several = isinstance(data, list) and next((it for it in fit if it in SEVERAL), None)
            value = _as_written(data, quoted=False) if data not in ("", None) else "..."
            return self.wrong(at, f"has no operator; right would be `{field.name}: {{{several or fit[0]}: {value}}}`")
        options = {"any_case"} if field.kind in {FieldKind.TEXT, FieldKind.TEXTS} else set()
        options |= {"within_days"} if field.counts else set()
        case = data.get("any_case", False) if "any_case" in options else False
        window = data.get("within_days") if "within_days" in options else None
        if not isinstance(case, bool):
            self.wrong((*at, "any_case"), "is neither true nor false")
        if window is not None and not _is_whole(window):
            self.wrong((*at, "within_days"), "is no whole number of days")
        names = [name for name in data if name not in options]
        if not names:
            return self.wrong(at, f"has no operator; there are {', '.join(fit)}")
        checks: list[Condition] = []
        for name in names:
            if name in fit:
                checks.append(self._check(field, Operator(name), data[name], (*at, name), bool(case), window))
                continue
            hint = operator_meant(name, field.name, fit)
            words = f"{hint}; there are {', '.join((*fit, *sorted(options)))}"
            self.wrong((*at, name), f"is no operator of {field.name}, which is {field.kind}{words}")
        return checks[0] if len(checks) == 1 else AllOf(tuple(checks))

    def _check(
        self, field: Field, operator: Operator, data: Any, at: Where, any_case: bool, within_days: int | None
    ) -> Condition:
        if operator is Operator.IN_LIST:
            if isinstance(data, str) and data in self._lists:
                entries = tuple(map(field.spelled, self._lists[data]))
                return Check(field.name, operator, entries, any_case, within_days, data)
            return self._no_list(field, data, at)
        if field.personal:
            return self.wrong(at, "would show what is personal; write it into a list and use `in_list`")
        wanted = text_list(data) if operator in SEVERAL else _wanted(field.kind, data)
        if wanted is None and operator in SEVERAL:
            return self.wrong_texts(data, at)
        right = wrong_amount(wanted) if isinstance(wanted, Money) else "" if wanted is not None else _right(field, data)
        if wanted is None or right:
            return self.wrong(at, f"is {_as_written(data)}; right would be {right}")
        if field.words and operator not in OF_PARTS:
            for word in sorted(set(wanted if isinstance(wanted, tuple) else (str(wanted),)) - field.words):
                known = f"; there are {', '.join(sorted(field.words))}" if len(field.words) < _MOST_SHOWN else ""
                hint = value_meant(word, field.words)
                self.wrong(at, f"is {_as_written(word)}, which {field.name} never is{hint}{known}")
        return Check(field.name, operator, wanted, any_case, within_days)

    def _no_list(self, field: Field, data: Any, at: Where) -> Condition:
        if isinstance(data, list):
            single = next(it for it in OPERATORS[field.kind] if it in SEVERAL)
            right = "the name of a list" + ("" if field.personal else f"; single texts stand under `{single}`")
            return self.wrong(at, f"is {_as_written(data)}; right would be {right}")
        hint = nearest(str(data), self._lists)
        return self.wrong(at, f"is {_as_written(data)}, and no list has that name{hint}; name it under `lists`")

    def wrong_texts(self, data: Any, at: Where) -> Condition:
        """Note what is wrong with what should be a list of texts: which of them is none, or that it is no list."""
        others = [n for n, it in enumerate(data) if not isinstance(it, str) or not it] if isinstance(data, list) else []
        for n in others:
            self.wrong((*at, n), f"is {_as_written(data[n])}; right would be a text{_in_quotes(data[n])}")
        if others:
            return AllOf(())
        return self.wrong(at, f"is {_as_written(data)}; right would be one or more texts, as [A, B]")


def text_list(data: Any) -> tuple[str, ...] | None:
    """One or more texts, or None."""
    if not isinstance(data, list) or not data or not all(isinstance(it, str) and it for it in data):
        return None
    return tuple(dict.fromkeys(data))


def _is_whole(data: Any) -> bool:
    return isinstance(data, int) and not isinstance(data, bool) and 0 <= data <= LARGEST_WHOLE


def _wanted(kind: FieldKind, data: Any) -> Wanted | None:
    """A single value of this kind, or None where it is none."""
    match kind:
        case FieldKind.MONEY:
            return money(data)
        case FieldKind.PERCENT:
            return percent(data)
        case FieldKind.NUMBER:
            return data if _is_whole(data) else None
        case FieldKind.FLAG:
            return data if isinstance(data, bool) else None
        case FieldKind.DAY:
            return day(data)
        case FieldKind.TEXT | FieldKind.TEXTS:
            return data if isinstance(data, str) and data else None


def money(data: Any) -> Money | None:
    """An amount with its currency, as `24.00 EUR`, or None."""
    found = MONEY.fullmatch(data) if isinstance(data, str) else None
    return Money(Decimal(found[1]), found[2]) if found and is_currency(found[2]) else None


def percent(data: Any) -> Decimal | None:
    """A percentage, as `50 %`, or None."""
    found = PERCENT.fullmatch(data) if isinstance(data, str) else None
    return Decimal(found[1]) if found else None


def day(data: Any) -> date | None:
    """A date, as `2026-12-01`, or None."""
    if isinstance(data, date) and not isinstance(data, datetime):  # TOML has dates of its own
        return data
    if not isinstance(data, str) or not DAY.fullmatch(data):
        return None
    try:
        return date.fromisoformat(data)
    except ValueError:
        return None


def wrong_amount(money: Money) -> str:
    """What would be right in the place of an amount in no currency, or with more decimals than its currency has: `1.000
    EUR` may mean a thousand. Empty where it is right.
    """
    if money.currency not in CURRENCIES:
        return "an amount in a currency that there is, such as 24.00 EUR"
    text = f"{money.amount:f}"
    decimals = len(text.partition(".")[2])
    if decimals <= minor_unit(money.currency):
        return ""
    whole = f"; if its point parts thousands, write {text.replace('.', '')} {money.currency}" if decimals == 3 else ""
    return f"an amount that {money.currency} has coins for{whole}"


def _right(field: Field, data: Any) -> str:
    """What would be right in the place of a single value."""
    if isinstance(data, list) and (several := [f"`{it}`" for it in OPERATORS[field.kind] if it in SEVERAL]):
        return f"a text; several stand under {' or '.join(several)}"
    return f"{field.kind}{_in_quotes(data)}" if field.kind is FieldKind.TEXT else f"{field.kind}"


def _in_quotes(data: Any) -> str:
    number = isinstance(data, int | Decimal) and not isinstance(data, bool)
    return f': write "{data}" with quotes' if number else ""


def _as_written(data: Any, *, quoted: bool = True) -> str:
    if isinstance(data, list):
        return f"[{', '.join(_as_written(it, quoted=False) for it in data)}]"
    if isinstance(data, bool):
        return str(data).lower()
    if isinstance(data, str) and not data.isprintable():
        return json.dumps(data)  # a blank that does not break looks like one that does
    return f'"{data}"' if isinstance(data, str) and quoted else "empty" if data is None else str(data)
