"""A merchant's own rules: each with a name, the condition under which it acts, and its actions.

A rule that asks for a field of a line is of each line by itself; every other is of the whole return. An action of the
whole return (a warehouse, a cancellation) stands only in a rule of the return: `some_line` or `every_line` says what is
meant where lines differ.

`from` and `until` are days in the store's zone, both inclusive. With `applies_to: new` they are asked of the day the
return began, with `all` of today; so a changed rule can leave the returns alone that began before it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tasks.policy.actions import ACTIONS, FROM_THE_FILE, OF_RETURN, Action, ActionKind, kind_of, name_of
from tasks.policy.condition_reader import ConditionReader, as_data, day, text_list
from tasks.policy.conditions import AllOf, Answer, Ask, Condition, answering, asks_of_a_line, compiled
from tasks.policy.other_words import ACTIONS as ACTIONS_OF_OTHERS
from tasks.policy.other_words import meant
from tasks.policy.policy_text import Problem, Where, nearest

WordT = TypeVar("WordT", bound=StrEnum)

_WORDS = ("name", "when", "then", "applies_to", "from", "until", "if_unknown")
LONGEST_NAME = 80
MOST_RULES = 500


class AppliesTo(StrEnum):
    """Which returns the days of a rule are about."""

    NEW = "new"
    ALL = "all"


class IfUnknown(StrEnum):
    """What an unknown condition means: the return is held, or the rule matches, or it does not."""

    HOLD = "hold"
    MATCHES = "matches"
    DOES_NOT_MATCH = "does_not_match"


@dataclass(frozen=True)
class MerchantRule:
    """One rule. `begins` and `ends` are None where it has no such day, `line` where the file's line is not known."""

    name: str
    when: Condition
    then: tuple[Action, ...]
    applies_to: AppliesTo = AppliesTo.ALL
    begins: date | None = None
    ends: date | None = None
    if_unknown: IfUnknown = IfUnknown.HOLD
    line: int | None = field(default=None, compare=False)

    def __reduce__(self) -> tuple[type["MerchantRule"], tuple[Any, ...]]:
        """By its fields alone: what was made ready from them is made again where it is needed."""
        return MerchantRule, tuple(getattr(self, each.name) for each in fields(self))

    @cached_property
    def of_line(self) -> bool:
        """Whether it is asked of each line by itself."""
        return asks_of_a_line(self.when)

    @cached_property
    def of_return(self) -> tuple[tuple[ActionKind, Action], ...]:
        """Its actions of the return as a whole, each with its kind."""
        return tuple((kind, it) for it in self.then if (kind := kind_of(it)) in OF_RETURN)

    @cached_property
    def of_lines(self) -> tuple[tuple[ActionKind, Action], ...]:
        """Its actions of lines, each with its kind."""
        return tuple((kind, it) for it in self.then if (kind := kind_of(it)) not in OF_RETURN)

    @cached_property
    def ask(self) -> Ask:
        """Its condition, made ready to be asked."""
        return compiled(self.when)

    @cached_property
    def answer(self) -> Answer:
        """Its condition, made ready to be answered without a trace."""
        return answering(self.when)


@dataclass(frozen=True, slots=True)
class RuleReading:
    """The rules of a part of the file, in its order, and all that is wrong with them."""

    rules: tuple[MerchantRule, ...] = ()
    problems: tuple[Problem, ...] = ()
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))


def read_rules(
    data: Any,
    lists: Any,
    at: Where,
    line_of: Callable[[Where], int | None] = lambda _: None,
    known_lists: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> RuleReading:
    """The rules of the values below `rules` and `lists` of the part `at`. `known_lists` are those of the default part.

    Every problem is found, each at its place; where there is one, the rules are of no use.
    """
    found = dict(known_lists)
    reader = ConditionReader(found, line_of)
    for name, entries in lists.items() if isinstance(lists, dict) else ():
        texts = text_list(entries)
        if texts is None:
            reader.wrong_texts(entries, (*at, "lists", name))
        found[name] = texts or ()
    if not isinstance(lists, dict):
        reader.wrong((*at, "lists"), "holds no lists; right would be `name: [A, B]`, one in a line")
    if not isinstance(data, list):
        reader.wrong((*at, "rules"), "is no list of rules; right would be one or more, each beginning with `- name:`")
        return RuleReading((), tuple(reader.problems), found)
    if len(data) > MOST_RULES:
        reader.wrong((*at, "rules"), f"are {len(data)} rules; {MOST_RULES} is the most")
    rules: list[MerchantRule] = []
    names: dict[str, int] = {}
    for number, each in enumerate(data):
        place = (*at, "rules", number)
        rule = _rule(each, place, reader)
        if rule is not None and names.setdefault(rule.name, number) != number:
            reader.wrong((*place, "name"), f"is that of rule {names[rule.name] + 1} too; each name stands for one rule")
        rules += [] if rule is None else [rule]
    return RuleReading(tuple(rules), tuple(reader.problems), found)


def together(default: Sequence[MerchantRule], own: Sequence[MerchantRule]) -> tuple[MerchantRule, ...]:
    """The rules of a store: its own stand above those of the default part, and in the place of one of the same name."""
    names = {rule.name for rule in own}
    return (*own, *(rule for rule in default if rule.name not in names))


def rule_as_data(rule: MerchantRule) -> dict[str, Any]:
    """The rule as the policy file has it; `read_rules` reads it back."""
    data: dict[str, Any] = {"name": rule.name, "when": as_data(rule.when)}
    if isinstance(rule.when, AllOf) and not rule.when.parts:
        del data["when"]
    data["then"] = {name_of(it): it.model_dump(mode="json", exclude_unset=True) for it in rule.then}
    if rule.begins or rule.ends:
        data["applies_to"] = str(rule.applies_to)
    data |= {"from": rule.begins.isoformat()} if rule.begins else {}
    data |= {"until": rule.ends.isoformat()} if rule.ends else {}
    data |= {} if rule.if_unknown is IfUnknown.HOLD else {"if_unknown": str(rule.if_unknown)}
    return data


def _rule(data: Any, at: Where, reader: ConditionReader) -> MerchantRule | None:
    if not isinstance(data, dict):
        reader.wrong(at, "is no rule; right would be `name`, `when` and `then`")
        return None
    for word in data:
        if word not in _WORDS:
            reader.wrong((*at, word), f"is no part of a rule{nearest(word, _WORDS)}; there are {', '.join(_WORDS)}")
    name = data.get("name")
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        reader.wrong((*at, "name"), f"is missing or no name; right would be a text of at most {LONGEST_NAME} letters")
    # Without a `when` a rule is of every return.
    when = reader.condition(data["when"], (*at, "when")) if "when" in data else AllOf(())
    then = _actions(data.get("then"), (*at, "then"), reader)
    if asks_of_a_line(when):
        for action in then:
            if kind_of(action) in OF_RETURN:
                words = (
                    "is of the whole return, and the rule is of each line; put the lines' conditions under some_line"
                )
                reader.wrong((*at, "then", name_of(action)), f"{words} or every_line")
    begins, ends = (_day(data, word, at, reader) for word in ("from", "until"))
    if begins and ends and ends < begins:
        reader.wrong((*at, "until"), f"is {ends}, before the rule begins on {begins}")
    applies_to = _word(data, "applies_to", AppliesTo, at, reader) or AppliesTo.ALL
    if ("applies_to" in data) != ("from" in data or "until" in data):
        words = "goes together with from and until: new asks them of the day the return began, all asks them of today"
        reader.wrong((*at, "applies_to"), words)
    if_unknown = _word(data, "if_unknown", IfUnknown, at, reader) or IfUnknown.HOLD
    return MerchantRule(str(name), when, then, applies_to, begins, ends, if_unknown, reader.line_of(at))


def _day(data: Mapping[str, Any], word: str, at: Where, reader: ConditionReader) -> date | None:
    found = day(data.get(word))
    if word in data and found is None:
        reader.wrong((*at, word), f"is {data[word]!r}; right would be a date, such as 2026-12-01")
    return found


def _word(data: Mapping[str, Any], word: str, words: type[WordT], at: Where, reader: ConditionReader) -> WordT | None:
    """One of a closed list of words, or None where it is left out or none of them."""
    if word not in data:
        return None
    try:
        return words(data[word])
    except ValueError:
        hint = nearest(str(data[word]), list(words))
        reader.wrong((*at, word), f"is {data[word]!r}{hint}; right would be {' or '.join(words)}")
        return None


def _actions(data: Any, at: Where, reader: ConditionReader) -> tuple[Action, ...]:
    if not isinstance(data, dict) or not data:
        reader.wrong(at, f"is missing or no action; right would be one or more of {', '.join(ACTIONS)}")
        return ()
    found: list[Action] = []
    for name, values in data.items():
        if name not in ACTIONS:
            hint = meant(name, ACTIONS_OF_OTHERS, ACTIONS)
            reader.wrong((*at, name), f"is no action{hint}; there are {', '.join(ACTIONS)}")
            continue
        model = ACTIONS[name][0]
        if not isinstance(values, dict):
            right = ", ".join(model.model_fields) or "{}"
            reader.wrong((*at, name), f"has no fields below it; right would be {right}")
            continue
        try:
            found.append(model.model_validate(values, context=FROM_THE_FILE))
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                place = (*at, name, *detail["loc"])
                reader.wrong(place, _said(detail, model))
    for number, action in enumerate(found):
        if kind_of(action) in map(kind_of, found[:number]):
            reader.wrong((*at, name_of(action)), "stands beside another action of its kind; keep one of them")
    return tuple(found)


def _said(detail: ErrorDetails, model: type[Action]) -> str:
    """One problem of an action's fields in words."""
    name = str(detail["loc"][0]) if detail["loc"] else ""
    if detail["type"] == "extra_forbidden":
        fields = ", ".join(model.model_fields) or "none"
        return f"is no field of this action{nearest(name, model.model_fields)}; there are {fields}"
    about = model.model_fields[name].description if name in model.model_fields else ""
    if detail["type"] == "missing":
        return f"is missing ({about})"
    right = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    found = detail["input"]
    match detail["type"]:
        case "tuple_type":
            right = f"a list, as [{found}]" if isinstance(found, str) else "a list"
        case "int_type":
            right = "a whole number"
        case "string_type":
            right = "a text"
        case "string_too_long":
            right = f"at most {detail['ctx']['max_length']} letters"
    shown = f'"{found}"' if isinstance(found, str) else str(found)
    return f"is {shown}; right would be {right}" if name else f"is not whole: {right}"
