"""The values of an enum, as a schema lists them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rever_api.comparing.document import nodes
from rever_api.models.enums import canonical

_UPPER = re.compile(r"[A-Z][A-Z0-9_]*")


def known_values(schema: Mapping[str, Any]) -> list[str]:
    """The values we know: an enum's, or the examples of an open one (two or more, all written in capitals)."""
    if listed := nodes(schema.get("enum")):
        return [str(value) for value in listed]
    examples = [str(value) for value in nodes(schema.get("examples"))]
    return examples if len(examples) > 1 and all(map(_UPPER.fullmatch, examples)) else []


def unknown_values(found: Sequence[str], known: Sequence[str]) -> list[str]:
    """Those that are none of the known, older spellings taken as today's."""
    right = {canonical(value) for value in known}
    return [value for value in found if value not in {"", "null", "None"} and canonical(value) not in right]


def plain(name: str) -> str:
    """A name without case and signs: `processId` and `process_id` are one."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())
