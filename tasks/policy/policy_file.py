"""The policy file: TOML with `[default]` and `[stores."ID"]` tables merged over it, read into `StorePolicy`.

```toml
[default]
not_received = "approved"
label_carriers = ["SENDCLOUD/DHL"]

[default.guards]
max_refund = { EUR = "500.00" }

[stores."acme"]
out_of_stock = "ORIGINAL_PAYMENT_METHOD"
```
"""

import difflib
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tasks.policy.store import Guards, StorePolicy

_TABLES = ("default", "stores")


class PolicyFileError(Exception):
    """The file is missing, broken, or says something that is no rule. `problems` holds one sentence for each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """The policies of an installation: one for each store named in the file, and one for all others."""

    default: StorePolicy = field(default_factory=StorePolicy)
    stores: Mapping[str, StorePolicy] = field(default_factory=lambda: MappingProxyType({}))

    def for_store(self, store: str) -> StorePolicy:
        """The policy of a store: its own table over the default, or the default."""
        return self.stores.get(store, self.default)


def load_policy(path: Path | None) -> PolicyFile:
    """Read the policy file, or give the built-in defaults where `path` is None.

    Raises `PolicyFileError` with one sentence per problem: file, table, field, what was found, what would be right.
    """
    if path is None:
        return PolicyFile()
    tables = _read(path)
    problems = tuple(f"{path}: {problem}" for problem in _problems(tables))
    if problems:
        raise PolicyFileError(problems)
    default = tables.get("default", {})
    stores = {store: _policy(_merged(default, own)) for store, own in tables.get("stores", {}).items()}
    return PolicyFile(_policy(default), MappingProxyType(stores))


def _read(path: Path) -> dict[str, Any]:
    """The file's tables, amounts exact."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise PolicyFileError((f"{path}: the policy file cannot be read ({why}).",)) from error
    except UnicodeDecodeError as error:
        raise PolicyFileError((f"{path}: the policy file is not text in UTF-8.",)) from error
    except tomllib.TOMLDecodeError as error:
        raise PolicyFileError((f"{path}: this is not TOML: {error}.",)) from error


def _problems(tables: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the tables, each judged by itself so that a sentence names the one to mend."""
    for name in tables:
        if name not in _TABLES:
            meant = _nearest(name, _TABLES)
            yield f'[{name}] is no table of a policy file; there are [default] and [stores."ID"]{meant}.'
    yield from _problems_of("[default]", tables.get("default", {}))
    stores = tables.get("stores", {})
    if not isinstance(stores, dict):
        yield f'[stores] is {_found(stores)}; right would be a table for each store, [stores."ID"].'
        return
    for store, own in stores.items():
        yield from _problems_of(f"[stores.{json.dumps(store)}]", own)


def _problems_of(table: str, values: Any) -> Iterator[str]:
    """What is wrong within one table."""
    if not isinstance(values, dict):
        yield f"{table} is {_found(values)}; right would be a table."
        return
    try:
        _policy(values)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            yield _sentence(table, detail)


def _policy(values: Mapping[str, Any]) -> StorePolicy:
    """Validate strictly: through JSON, in which a list is a tuple and a string names an enum's member."""
    return StorePolicy.model_validate_json(json.dumps(values, default=_plain), strict=True)


def _plain(value: Any) -> str:
    """A number of the file's in plain digits, however it was written there; bounded, and whatever else as text."""
    if isinstance(value, Decimal) and value.is_finite() and -30 < value.adjusted() < 30:
        return format(value, "f")
    return str(value)


def _merged(default: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The store's table over the default, tables within tables too."""
    merged = dict(default)
    for name, value in own.items():
        below = merged.get(name)
        merged[name] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _sentence(table: str, detail: ErrorDetails) -> str:
    """One problem of pydantic's as a sentence of ours."""
    path = [str(part) for part in detail["loc"]]
    name = ".".join(path)
    if detail["type"] == "extra_forbidden":
        model: type[BaseModel] = Guards if path[0] == "guards" else StorePolicy
        known = tuple(model.model_fields)
        return f"{table} {name} is no rule{_nearest(path[-1], known)}; there are {', '.join(known)}."
    return f"{table} {name} is {_found(detail['input'])}; right would be {_right(path, detail)}."


def _right(path: list[str], detail: ErrorDetails) -> str:
    """What would be right: the rule's own words where it has any, else what the check said."""
    rule = StorePolicy.model_fields.get(path[0])
    if path[0] == "guards" and len(path) > 1:
        rule = Guards.model_fields.get(path[1])
    if detail["type"] == "value_error":
        return detail["msg"].removeprefix("Value error, ")
    wanted = detail["msg"].removeprefix("Input should be ")
    return f"{wanted} ({rule.description.rstrip('.')})" if rule and rule.description else wanted


def _nearest(name: str, known: tuple[str, ...]) -> str:
    """A hint at the word that was probably meant."""
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _found(value: Any) -> str:
    """What was found, as the file has it."""
    return str(value) if isinstance(value, Decimal) else json.dumps(value, default=str)
