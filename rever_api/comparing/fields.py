"""Whether the fields that we read and send are in their schemas, by the same name, kind and values.

Our schema leads: what it has is looked for in theirs; fields of theirs that nobody here reads are no difference.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rever_api.comparing.document import Document, node, nodes
from rever_api.comparing.values import known_values, plain, unknown_values
from rever_api.parsing import LISTS
from rever_api.responses import TOTALS

Node = Mapping[str, Any]

_ACCEPTED = {"processes": LISTS, "rowcount": TOTALS}
_LIKE = ({"string", "number"}, {"string", "integer"}, {"number", "integer"})
"""Kinds that are read alike: money is a string or a number, and a gateway writes long integers as strings."""


@dataclass(frozen=True, order=True)
class Found:
    """One difference: which field, what is different, and whether amounts would be wrong or the call refused."""

    where: str
    why: str
    grave: bool = False


@dataclass(frozen=True)
class Walk:
    """One pair of schemas being compared, from the top down. `sent` is true for a request's."""

    ours: Document
    theirs: Document
    sent: bool

    def compare(self, mine: Any, other: Any, where: str) -> Iterator[Found]:
        """Yield what differs. It ends where ours ends, however theirs refer to themselves."""
        name, mine = self.ours.resolve(mine)
        _, other = self.theirs.resolve(other)
        where = name if name and ("properties" in mine or "allOf" in mine) else where
        if not other:
            return
        yield from self._kinds(mine, other, where)
        yield from self._values(mine, other, where)
        yield from self._properties(mine, other, where)
        if (items := node(mine.get("items"))) and (others := node(other.get("items"))):
            yield from self.compare(items, others, f"{where}[]")

    def _kinds(self, mine: Node, other: Node, where: str) -> Iterator[Found]:
        ours, theirs = _kind(mine), _kind(other)
        whole = "integer" in theirs or "int" in str(other.get("format"))
        if whole and mine is self.ours.resolve({"$ref": "#/components/schemas/Money"})[1]:
            yield Found(where, "is an integer there: perhaps cents, and here it is whole units", grave=True)
        elif ours and theirs and not ours & theirs and not any((ours | theirs) <= like for like in _LIKE):
            yield Found(where, f"is {' or '.join(sorted(theirs))} there, {' or '.join(sorted(ours))} here")

    def _values(self, mine: Node, other: Node, where: str) -> Iterator[Found]:
        known, listed = known_values(mine), [str(value) for value in nodes(other.get("enum"))]
        if known and listed:
            if new := unknown_values(listed, known):
                yield Found(where, f"has values there that are not known here: {', '.join(new)}")
            if gone := unknown_values(known, listed):
                yield Found(where, f"has no {', '.join(gone)} there")

    def _properties(self, mine: Node, other: Node, where: str) -> Iterator[Found]:
        fields, others = properties(self.ours, mine), properties(self.theirs, other)
        if not fields or not others:
            return
        for name, below in fields.items():
            found = next((each for each in _ACCEPTED.get(name, (name,)) if each in others), "")
            if found:
                yield from self.compare(below, others[found], f"{where}.{name}")
            else:
                yield Found(f"{where}.{name}", self._absent(name, others))
        if self.sent:
            yield from self._asked_for(other, fields, where)

    def _absent(self, name: str, others: Mapping[str, Any]) -> str:
        verb = "sent" if self.sent else "read"
        near = next((each for each in others if plain(each) == plain(name)), "")
        return f"is {verb} here and not there" + (f"; there it is called {near}" if near else "")

    def _asked_for(self, other: Node, fields: Mapping[str, Any], where: str) -> Iterator[Found]:
        for name in nodes(other.get("required")):
            if str(name) not in fields:
                yield Found(f"{where}.{name}", "is required there and never sent", grave=True)


def properties(document: Document, schema: Node, depth: int = 8) -> dict[str, Any]:
    """The fields of an object: its own, and those of what it is composed of."""
    found = dict(node(schema.get("properties")))
    if depth:
        for word in ("allOf", "anyOf", "oneOf"):
            for part in nodes(schema.get(word))[:20]:
                found = properties(document, document.resolve(part)[1], depth - 1) | found
    return found


def _kind(schema: Node) -> set[str]:
    """The JSON types that a schema takes, null left out; empty where it does not say."""
    said = schema.get("type")
    types = {str(each) for each in (said if isinstance(said, list) else [said]) if each} - {"null"}
    if types:
        return types
    return {"object"} if "properties" in schema or "allOf" in schema else {"array"} if "items" in schema else set()
