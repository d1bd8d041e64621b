"""The schema of a flow's form, put so that Prefect's UI shows one plain field for each parameter.

What pydantic writes by itself is right but hard to fill: an optional number becomes a choice between "Number" and
"None", an amount of money one between "Number", "String" and "None", and the order of the fields is lost where Prefect
keeps it in PostgreSQL. Prefect's server takes null for a field that is neither required nor has a default.
"""

from collections.abc import Callable, Sequence
from typing import Any

Schema = dict[str, Any]


def as_form(schema: Schema, last: Sequence[str], resolve: Callable[[Schema], Schema]) -> Schema:
    """The schema with one type for each property and its place in the form; those named in `last` at the end.

    `resolve` answers what a `$ref` stands for.
    """
    properties: dict[str, Schema] = schema.get("properties", {})
    first = [name for name in properties if name not in last]
    order = [*first, *(name for name in last if name in properties)]
    schema["properties"] = {name: _plain(properties[name], resolve) | {"position": n} for n, name in enumerate(order)}
    return schema


def _plain(field: Schema, resolve: Callable[[Schema], Schema]) -> Schema:
    """A field that may be left out, without the choice of a type."""
    kinds = [kind for kind in field.get("anyOf", ()) if kind.get("type") != "null"]
    if not kinds:
        return {name: value for name, value in field.items() if (name, value) != ("default", None)}
    # Of an amount's two kinds the number comes first; a text that is one is taken all the same where it comes in.
    kind = resolve(kinds[0]) if "$ref" in kinds[0] else kinds[0]
    if "enum" in kind:
        kind = kind | {"enum": [*kind["enum"], None]}
    return kind | {name: value for name, value in field.items() if name not in {"anyOf", "default"}}
