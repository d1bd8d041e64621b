"""The policy file: YAML with a part `default` and one for each store merged over it, read into `StorePolicy`.

```yaml
default:
  not_received: approved
  guards:
    max_refund: {EUR: "500.00"}
stores:
  acme:
    out_of_stock: ORIGINAL_PAYMENT_METHOD
shadow: candidate.yaml
```

A file whose name does not end in .yaml, .yml or .json is read as TOML, with the same words.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from tasks.policy.merchant_rules import MerchantRule, RuleReading, read_rules, together
from tasks.policy.policy_text import PolicyText, Problem, Where, nearest, read_toml, read_yaml, shown
from tasks.policy.store import (
    CarrierLimits,
    FactTables,
    Guards,
    LabelPolicy,
    LabelReissue,
    ParcelLimits,
    ParcelSplit,
    StaleLimits,
    StorePolicy,
)

_YAML = frozenset({".yaml", ".yml", ".json"})
_OF_RULES = frozenset({"rules", "lists"})
"""Fields of a part that hold the merchant's rules, and are read by them."""

_ALL_OF_A_PART = (*sorted(_OF_RULES, reverse=True), *StorePolicy.model_fields)

_BELOW: Mapping[tuple[str, ...], type[BaseModel]] = MappingProxyType(
    {
        ("guards",): Guards,
        ("facts",): FactTables,
        ("parcels",): ParcelLimits,
        ("stale",): StaleLimits,
        ("labels",): LabelPolicy,
        ("labels", "parcels"): ParcelSplit,
        ("labels", "reissue"): LabelReissue,
        ("labels", "carriers", "*"): CarrierLimits,
    }
)
"""Fields of a part that have fields of their own, each by the way to it; `*` stands for any name."""

_NO_LISTS: Mapping[str, tuple[str, ...]] = MappingProxyType({})


class PolicyFileError(Exception):
    """The file is missing, broken, or says something that is no rule. `problems` holds one sentence for each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class FileRules:
    """The merchant's rules of a policy file: those of each store named in it, and those of all others."""

    default: tuple[MerchantRule, ...] = ()
    stores: Mapping[str, tuple[MerchantRule, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def __bool__(self) -> bool:
        """Whether there is any rule."""
        return bool(self.default or any(self.stores.values()))

    def for_store(self, store: str) -> tuple[MerchantRule, ...]:
        """The rules of a store, in their order."""
        return self.stores.get(store, self.default)


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """The policies of an installation, one for each store named in the file and one for all others; and its rules.

    `shadow` is the file of the candidate that decides beside it (`tasks.policy.shadow`), if it names one. `digest`
    stands for what the file says, whatever its comments and its layout; empty where there is no file. `refused` says
    why stores have no policy, though others have: what is wrong is in their own parts.
    """

    default: StorePolicy = field(default_factory=StorePolicy)
    stores: Mapping[str, StorePolicy] = field(default_factory=lambda: MappingProxyType({}))
    rules: FileRules = field(default_factory=FileRules)
    shadow: Path | None = None
    digest: str = field(default="", compare=False)
    refused: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def for_store(self, store: str) -> StorePolicy:
        """The policy of a store: its own part over the default, or the default.

        Raises `PolicyFileError` for a store whose own part is wrong: the default does not stand in for it.
        """
        if store in self.refused:
            raise PolicyFileError(self.refused[store])
        return self.stores.get(store, self.default)


class PolicyDocument(BaseModel):
    """A policy file as it is written: what holds for every store, and what single stores change."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    default: StorePolicy = Field(StorePolicy(), description="What holds for every store.")
    stores: dict[str, StorePolicy] = Field({}, description="Store id -> what is different there.")
    shadow: str = Field(
        "",
        min_length=1,
        description="A candidate that decides beside this file, and never acts: its name, relative to this file.",
    )


def read_policy(path: Path | None, *, ours: Sequence[str] = (), by_store: bool = False) -> PolicyFile:
    """The policies and the rules of the file, or the built-in defaults where `path` is None.

    `ours` are the stores that the file may name, where they are known: a misspelt id would leave the real store
    without its caps. Raises `PolicyFileError` with one sentence for every problem of the file: line, field,
    what was found, what would be right. With `by_store` what is wrong in the parts of single stores alone is no error
    of the file: these stores are `refused`.
    """
    if path is None:
        return PolicyFile()
    text = _read(path)
    rules, wrong_rules = _rules(text)
    better, said = {problem.at for problem in wrong_rules}, {problem.at for problem in text.problems}
    of_text = (problem for problem in text.problems if problem.at not in better)
    of_settings = (problem for problem in _problems(text, ours) if problem.at not in said)
    problems = sorted((*of_text, *of_settings, *wrong_rules), key=lambda problem: problem.line or 0)
    refused: dict[str, tuple[str, ...]] = {}
    for problem in problems:
        if not by_store or not problem.store:
            raise PolicyFileError(tuple(problem.of(path) for problem in problems))
        refused[problem.store] = (*refused.get(problem.store, ()), problem.of(path))
    default = text.values.get("default", {})
    parts = {store: own for store, own in text.values.get("stores", {}).items() if store not in refused}
    stores = {store: _policy(_merged(default, own)) for store, own in parts.items()}
    shadow = text.values.get("shadow")
    candidate = path.parent / shadow if shadow else None
    return PolicyFile(_policy(default), MappingProxyType(stores), rules, candidate, _digest(text), refused)


def _digest(text: PolicyText) -> str:
    """What stands for the policy in this text. The shadow that it names is no part of the policy."""
    said = {name: value for name, value in text.values.items() if name != "shadow"}
    return hashlib.sha256(json.dumps(said, default=str, sort_keys=True).encode()).hexdigest()[:16]


def _rules(text: PolicyText) -> tuple[FileRules, list[Problem]]:
    """The rules of each part, those of a store above those of the default part; and what is wrong with them.

    A list of the store's own stands in the place of the default's of the same name, for the default's rules there too.
    """
    default, others = text.values.get("default"), text.values.get("stores")
    shared = _rules_of(text, ("default",), default, default)
    problems, stores = list(shared.problems), {}
    for store, own in others.items() if isinstance(others, dict) else ():
        found = _rules_of(text, ("stores", store), own, own, shared.lists)
        problems += found.problems
        there = _rules_of(text, ("default",), default, {}, found.lists)
        stores[store] = together(there.rules, found.rules)
    known = [problem for problem in problems if not _is_unread(text, problem)]
    return FileRules(shared.rules, MappingProxyType(stores)), known


def _rules_of(
    text: PolicyText, place: Where, part: Any, lists: Any, known_lists: Mapping[str, tuple[str, ...]] = _NO_LISTS
) -> RuleReading:
    """The rules of a part, with the lists of another."""
    rules = part.get("rules", []) if isinstance(part, dict) else []
    return read_rules(rules, lists.get("lists", {}) if isinstance(lists, dict) else {}, place, text.line, known_lists)


def _is_unread(text: PolicyText, problem: Problem) -> bool:
    """Whether a problem is of a value that could not be read, or of one around it: that is said already."""
    return any(problem.at[: len(at)] == at[: len(problem.at)] for at in text.unread)


def _read(path: Path) -> PolicyText:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise PolicyFileError((f"{path}: the policy file cannot be read ({why}).",)) from error
    except UnicodeDecodeError as error:
        raise PolicyFileError((f"{path}: the policy file is not text in UTF-8.",)) from error
    if not text.strip():
        words = "the policy file is empty; for the default rules leave REVER_POLICY empty instead"
        raise PolicyFileError((f"{path}: {words}.",))
    return read_yaml(text) if path.suffix.casefold() in _YAML else read_toml(text)


def _problems(text: PolicyText, ours: Sequence[str]) -> Iterator[Problem]:
    """What is wrong with the values, each part judged by itself, so that a sentence names the one to mend."""
    known = tuple(PolicyDocument.model_fields)
    for name in text.values:
        if name not in known:
            below = ": put it below default, or below a store" if name in _ALL_OF_A_PART else nearest(name, known)
            words = f"{shown((name,))} is no part of a policy file{below}; there are {_listed(known)}."
            yield Problem((name,), text.line((name,)), words)
    yield from _problems_of_shadow(text)
    parts: list[tuple[Where, Any]] = [(("default",), text.values.get("default", {}))]
    stores = text.values.get("stores", {})
    if isinstance(stores, dict):
        parts += [(("stores", store), own) for store, own in stores.items()]
    elif ("stores",) not in text.unread:
        words = f"stores is {_found(stores)}; right would be the stores' ids, each with fields of its own."
        yield Problem(("stores",), text.line(("stores",)), words)
    for place, values in parts:
        if len(place) > 1 and ours and place[1] not in ours:
            near = nearest(str(place[1]), tuple(ours))
            words = f"{shown(place)} is no store of this desk{near}; its stores are {', '.join(ours)}."
            yield Problem(place, text.line(place), words)
        for problem in _problems_of(text, place, values):
            if not _is_unread(text, problem):
                yield problem


def _problems_of_shadow(text: PolicyText) -> Iterator[Problem]:
    """What is wrong with the name of the shadow's file; not with what is in that file."""
    place = ("shadow",)
    name = text.values.get("shadow", "none")
    if place in text.unread or (isinstance(name, str) and name.strip()):
        return
    right = "the name of another policy file, such as `shadow: candidate.yaml`"
    yield Problem(place, text.line(place), f"shadow is {_found(name)}; right would be {right}.")


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _problems_of(text: PolicyText, place: Where, values: Any) -> Iterator[Problem]:
    """What is wrong within one part."""
    if not isinstance(values, dict):
        words = f"{shown(place)} is {_found(values)}; right would be fields below it, such as `not_received: hold`."
        yield Problem(place, text.line(place), words)
        return
    try:
        _policy(values)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            at = (*place, *(part for part in detail["loc"] if part != "[key]"))
            yield Problem(at, text.line(at), _sentence(at, len(place), detail))


def _policy(values: Mapping[str, Any]) -> StorePolicy:
    """Validate strictly: through JSON, in which a list is a tuple and a string names an enum's member."""
    fields = {name: value for name, value in values.items() if name not in _OF_RULES}
    return StorePolicy.model_validate_json(json.dumps(fields, default=_plain), strict=True)


def _plain(value: Any) -> str:
    """A number of the file's in plain digits, however it was written there; bounded, and whatever else as text."""
    if isinstance(value, Decimal) and value.is_finite() and -30 < value.adjusted() < 30:
        return format(value, "f")
    return str(value)


def _merged(default: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The store's part over the default, fields within fields too. A list stands in the place of the default's."""
    merged = dict(default)
    for name, value in own.items():
        below = merged.get(name)
        merged[name] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _sentence(at: Where, begins: int, detail: ErrorDetails) -> str:
    """One problem of pydantic's as a sentence of ours. The fields of the part begin at `begins` of the place."""
    path = [str(part) for part in at[begins:]]
    if detail["type"] == "extra_forbidden":
        known = tuple(_model_at(path[:-1]).model_fields) if path[:-1] else _ALL_OF_A_PART
        return f"{shown(at)} is no rule{nearest(path[-1], known)}; there are {', '.join(known)}."
    return f"{shown(at)} is {_found(detail['input'])}; right would be {_right(path, detail)}."


def _right(path: list[str], detail: ErrorDetails) -> str:
    """What would be right: the rule's own words where it has any, else what the check said."""
    rule = _field_at(path)
    if detail["type"] == "value_error":
        return detail["msg"].removeprefix("Value error, ").removeprefix("write ")
    wanted = detail["msg"].removeprefix("Input should be ")
    return f"{wanted} ({rule.description.rstrip('.')})" if rule and rule.description else wanted


def _way(path: Sequence[str]) -> tuple[str, ...]:
    """The way to a field as `_BELOW` has it."""
    named = next((way for way in _BELOW if way[-1] == "*" and way[:-1] == tuple(path[:-1])), None)
    return named or tuple(path)


def _field_at(path: Sequence[str]) -> FieldInfo | None:
    """The field at this place of a part, or the nearest above it."""
    for end in range(len(path), 0, -1):
        model = StorePolicy if end == 1 else _BELOW.get(_way(path[: end - 1]))
        if model and path[end - 1] in model.model_fields:
            return model.model_fields[path[end - 1]]
    return None


def _model_at(path: Sequence[str]) -> type[BaseModel]:
    """The model whose fields stand at this place of a part: the nearest above it that has any."""
    for end in range(len(path), 0, -1):
        if model := _BELOW.get(_way(path[:end])):
            return model
    return StorePolicy


def _found(value: Any) -> str:
    """What was found, as the file has it."""
    if value is None:
        return "empty"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, default=str, ensure_ascii=False)
