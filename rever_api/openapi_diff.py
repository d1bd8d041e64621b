"""REVER's official OpenAPI document against our endpoint table and the fields of our contract.

The document is the user's: REVER gives it to its customers, and it is not public in full. What differs is named, and
what the endpoint table can correct is written as the TOML that `REVER_ENDPOINTS` takes.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from rever_api.config import Endpoint, Endpoints, EndpointsError
from rever_api.http import KEY_HEADER
from rever_api.models.process import canonical
from rever_api.openapi import (
    Document,
    Operation,
    Parameter,
    contract,
    key_headers,
    node,
    nodes,
    operations,
)
from rever_api.operations import LISTS, TOTALS

_LIKELY = 0.8
_NEAR = 0.05
_VERSION = re.compile(r"v\d+(_\d+)?")
_UPPER = re.compile(r"[A-Z][A-Z0-9_]*")
_ACCEPTED = {"processes": LISTS, "rowcount": TOTALS}
_LIKE = ({"string", "number"}, {"string", "integer"}, {"number", "integer"})
"""Kinds that are read alike: money is a string or a number, and a gateway writes long integers as strings."""


class Verdict(StrEnum):
    """How an operation of ours stands in their document."""

    SAME = "same"
    DIFFERS = "differs"
    MISSING = "missing there"


@dataclass(frozen=True)
class Compared:
    """One operation of ours in their document.

    Attributes:
        guessed: matched by its path alone.
        differences: what the endpoint table can correct.
        beyond: what it cannot; the call cannot be right.
        ignored: our parameters of the query that theirs does not have.
        perhaps: those of theirs that may be this one, where it is missing.
    """

    operation: str
    confidence: str
    verdict: Verdict
    theirs: Operation | None = None
    guessed: bool = False
    differences: tuple[str, ...] = ()
    beyond: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    perhaps: tuple[Operation, ...] = ()


@dataclass(frozen=True)
class FieldDifference:
    """A field that we read or send and that their schema has otherwise, with the operations that use it.

    `grave`: amounts would be wrong, or the call refused.
    """

    field: str
    why: str
    grave: bool
    operations: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """All that was found. `toml` is the whole file for `REVER_ENDPOINTS`, "" where the contract needs no correction.

    `notes` are about the document as a whole.
    """

    operations: tuple[Compared, ...]
    new: tuple[Operation, ...]
    fields: tuple[FieldDifference, ...]
    toml: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Match:
    """Their operation for one of ours, or those that might be it."""

    theirs: Operation | None = None
    by_name: bool = False
    perhaps: tuple[Operation, ...] = ()


@dataclass(frozen=True)
class _Fit:
    """`endpoint` is ours, corrected as far as the endpoint table can.

    `beyond` says what no table can correct, so that the call cannot be right; `ignored` are our parameters that theirs
    does not have.
    """

    endpoint: Endpoint
    beyond: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, order=True)
class _SchemaDifference:
    """One difference: which field, what is different, and whether amounts would be wrong or the call refused."""

    where: str
    why: str
    grave: bool = False


def compare(official: Document, in_force: Endpoints | None = None, base_url: str = "") -> Comparison:
    """Compare the table in force (default: the contract's) with an official document.

    `base_url` is where REVER is called: what the document's server adds to that counts as part of its paths.
    """
    known = Endpoints.load().by_operation
    theirs = operations(official, base_url)
    matches = _match(known.values(), theirs)
    rows, tables = [], {}
    guessed: dict[str, str] = {}
    for name, matched in matches.items():
        row, correction = _compared(known[name], (in_force or Endpoints.load())[name], matched)
        rows.append(row)
        if correction:
            tables[name] = correction
            guessed |= {name: str(matched.theirs)} if row.guessed else {}
    taken = [matched.theirs for matched in matches.values()]
    new = tuple(each for each in theirs if each not in taken)
    headers = key_headers(official)
    notes: tuple[str, ...] = ()
    if headers and KEY_HEADER not in headers:
        notes = (f"it wants the key in the header {' or '.join(headers)}, and it is sent in {KEY_HEADER}",)
    by_contract = sorted(rows, key=lambda row: list(known).index(row.operation))
    return Comparison(tuple(by_contract), new, _fields(official, matches), _toml(tables, guessed), notes)


def _compared(known: Endpoint, in_force: Endpoint, matched: _Match) -> tuple[Compared, dict[str, object]]:
    """Return one row, and the table that corrects the contract for it."""
    if matched.theirs is None:
        return Compared(known.operation, known.confidence, Verdict.MISSING, perhaps=matched.perhaps), {}
    right = _fit(known, matched.theirs)
    correction, beyond = _correction(known, right.endpoint), right.beyond
    try:
        Endpoints.load().corrected({known.operation: correction}, "the correction")
    except EndpointsError as error:  # a path may hold characters that no table takes
        correction, beyond = {}, (*beyond, str(error))
    found = tuple(_differences(in_force, right.endpoint))
    row = Compared(
        known.operation,
        known.confidence,
        Verdict.DIFFERS if found or beyond or right.ignored else Verdict.SAME,
        matched.theirs,
        guessed=not matched.by_name,
        differences=found,
        beyond=beyond,
        ignored=right.ignored,
    )
    return row, correction


def _fields(official: Document, matches: Mapping[str, _Match]) -> tuple[FieldDifference, ...]:
    ours = Document(contract())
    mine = {each.id: each for each in operations(ours)}
    used: dict[_SchemaDifference, list[str]] = {}
    for name, matched in matches.items():
        if matched.theirs is not None:
            sent = _Schemas(ours, official, sent=True).compare(mine[name].sent, matched.theirs.sent, f"{name} request")
            read = _Schemas(ours, official, sent=False).compare(mine[name].read, matched.theirs.read, f"{name} answer")
            for found in (*sent, *read):
                used.setdefault(found, []).append(name)
    return tuple(
        FieldDifference(each.where, each.why, each.grave, tuple(dict.fromkeys(used[each]))) for each in sorted(used)
    )


def _match(ours: Iterable[Endpoint], theirs: Iterable[Operation]) -> Mapping[str, _Match]:
    """Return a match for each of ours, by operationId. None of theirs is given to two of ours.

    A match by path is a guess. It is made only where nothing else comes near, and a read is never matched with a call
    that changes something, nor the other way round.
    """
    ours, left = list(ours), list(theirs)
    found: dict[str, _Match] = {}
    for spelt in (_plain, _last_part):
        for endpoint in ours:
            same = [each for each in left if each.id and spelt(each.id) == _plain(endpoint.operation)]
            if endpoint.operation not in found and len(same) == 1:
                found[endpoint.operation] = _Match(same[0], by_name=True)
                left.remove(same[0])
    return found | _by_path([each for each in ours if each.operation not in found], left)


def _by_path(ours: list[Endpoint], theirs: list[Operation]) -> dict[str, _Match]:
    scores = {(mine.operation, each): _likeness(mine, each) for mine in ours for each in theirs}
    likely = {pair: score for pair, score in scores.items() if score >= _LIKELY}
    sure = {operation: each for operation, each in likely if not _rivals(operation, each, likely)}
    return {
        mine.operation: _Match(sure[mine.operation])
        if mine.operation in sure
        else _Match(
            perhaps=tuple(each for name, each in likely if name == mine.operation and each not in sure.values())
        )
        for mine in ours
    }


def _rivals(operation: str, each: Operation, likely: Mapping[tuple[str, Operation], float]) -> bool:
    """Whether one of the two is as likely, or nearly so, to belong to another."""
    least = likely[operation, each] - _NEAR
    return any(((name == operation) != (other == each)) and score > least for (name, other), score in likely.items())


def _likeness(mine: Endpoint, other: Operation) -> float:
    """Return how much path and method have in common, 0 to 1."""
    if (Endpoints.load()[mine.operation].method == "GET") != (other.method == "GET"):
        return 0.0
    ours, theirs = _segments(mine.path), _segments(other.path)
    pairs = list(zip(reversed(ours), reversed(theirs), strict=False))
    if not pairs or [left == "{}" for left, _ in pairs] != [right == "{}" for _, right in pairs]:
        return 0.0
    alike = [SequenceMatcher(None, left, right).ratio() for left, right in pairs if left != "{}"]
    if not alike:
        return 0.0
    # The last word says what is done, so it counts twice.
    path = (sum(alike) + alike[0]) / (len(alike) + 1) - 0.1 * abs(len(ours) - len(theirs))
    return max(0.0, 0.8 * path + (0.2 if mine.method == other.method else 0.0))


def _segments(path: str) -> list[str]:
    words = ["{}" if word.startswith("{") else word.lower() for word in path.strip("/").split("/")]
    return [word for word in words if not _VERSION.fullmatch(word)]


def _last_part(operation_id: str) -> str:
    """Return what a gateway writes behind its service's name: ProcessesAPI_SearchReturnProcesses."""
    return _plain(re.split(r"[_./:-]", operation_id)[-1])


def _fit(ours: Endpoint, theirs: Operation) -> _Fit:
    """Correct one of the contract's endpoints so that it calls `theirs`.

    Our parameter is theirs where the name is the same, or the same but for case and signs (`processId`), or the last
    part of a dotted one (`filter.process_id`); what is then left over within both paths goes by its place.
    """
    pairs = _pairs(ours, theirs)
    extra = [each for each in theirs.parameters if each not in pairs.values()]
    path, unknown = _path(ours, theirs, pairs)
    query = {name: each.name for name, each in pairs.items() if each.where == "query"}
    needs = [each.name for each in extra if each.required and each.where == "query"]
    gone = [name for name in ours.parameters if name not in pairs]
    beyond = [
        *(f"its path holds {{{name}}}, for which this operation has no value" for name in unknown),
        *(f"it asks for the parameter {name}, which is not sent" for name in needs),
        *(f"it does not say which {name} is meant" for name in gone if name in ours.in_path),
    ]
    parameters = MappingProxyType({**ours.parameters, **query})
    endpoint = replace(ours, method=theirs.method, parameters=parameters)
    ignored = tuple(name for name in gone if name not in ours.in_path)
    return _Fit(endpoint if unknown else replace(endpoint, path=path), tuple(beyond), ignored)


def _differences(ours: Endpoint, right: Endpoint) -> Iterator[str]:
    """Yield in words how an endpoint in force differs from the right one of the same operation."""
    if ours.method != right.method:
        yield f"method: {ours.method} here, {right.method} there"
    if ours.path != right.path:
        yield f"path: {ours.path} here, {right.path} there"
    for name in right.parameters:
        here, there = ("path" if name in each.in_path else "query" for each in (ours, right))
        if here != there:
            yield f"{name}: in the {here} here, in the {there} there"
        if there == "query" and ours.parameters[name] != right.parameters[name]:
            yield f"{name}: called {ours.parameters[name]} here, {right.parameters[name]} there"


def _pairs(ours: Endpoint, theirs: Operation) -> dict[str, Parameter]:
    """Return our names of parameters, and their parameters for them."""
    pairs: dict[str, Parameter] = {}
    for spelt in (str, _plain, _last):
        for name in ours.parameters:
            free = [each for each in theirs.parameters if each not in pairs.values()]
            same = [each for each in free if spelt(each.name) == spelt(name)]
            if name not in pairs and same:
                pairs[name] = same[0]
    ours_left = [name for name in ours.in_path if name not in pairs]
    theirs_left = [
        each for each in theirs.parameters
        if each.where == "path" and each not in pairs.values() and f"{{{each.name}}}" in theirs.path
    ]  # fmt: skip
    if len(ours_left) == len(theirs_left):
        theirs_left.sort(key=lambda each: theirs.path.index(f"{{{each.name}}}"))
        pairs |= dict(zip(ours_left, theirs_left, strict=True))
    return pairs


def _path(ours: Endpoint, theirs: Operation, pairs: dict[str, Parameter]) -> tuple[str, list[str]]:
    """Return their path with our names in its braces, and the names in it that are not ours."""
    our_name = {each.name: name for name, each in pairs.items() if each.where == "path"}
    # A document may forget to list what its path holds.
    our_name |= {name: name for name in ours.parameters if name not in pairs and name not in our_name}
    held = re.findall(r"\{([^{}]*)\}", theirs.path)
    path = re.sub(r"\{([^{}]*)\}", lambda found: f"{{{our_name.get(found[1], found[1])}}}", theirs.path)
    return path, [name for name in held if name not in our_name]


def _last(name: str) -> str:
    return _plain(name.rpartition(".")[2])


def _correction(known: Endpoint, right: Endpoint) -> dict[str, Any]:
    """Return the table that turns the contract's endpoint into the right one; empty where they are the same."""
    found: dict[str, Any] = {}
    if known.method != right.method:
        found["method"] = right.method
    if known.path != right.path:
        found["path"] = right.path
    renamed = {name: wire for name, wire in right.parameters.items() if known.parameters[name] != wire}
    return found | ({"parameters": renamed} if renamed else {})


def _toml(tables: Mapping[str, Mapping[str, Any]], guessed: Mapping[str, str]) -> str:
    """Return the file's text. A table in `guessed` (operation -> what it was matched with) is commented out in it."""
    parts = []
    for operation, table in tables.items():
        lines = [f"[{operation}]", *(f"{key} = {_text(table[key])}" for key in ("method", "path") if key in table)]
        if renamed := table.get("parameters"):
            lines += [f"[{operation}.parameters]", *(f"{name} = {_text(wire)}" for name, wire in renamed.items())]
        if guess := guessed.get(operation):
            asked = f"# Is this {guess}? Nothing but its path says so. If it is, take the # away from the lines below."
            lines = [asked, *(f"# {line}" for line in lines)]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _text(value: str) -> str:
    """Return a basic string of TOML: JSON's, but that TOML forbids one more character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


@dataclass(frozen=True)
class _Schemas:
    """Two documents whose schemas are compared. `sent` is true for a request's.

    Our schema leads: what it has is looked for in theirs; fields of theirs that are not read here are no difference.
    """

    ours: Document
    theirs: Document
    sent: bool

    def compare(self, mine: Any, other: Any, where: str) -> Iterator[_SchemaDifference]:
        """Yield what differs between two schemas. It ends where ours ends, however theirs refer to themselves."""
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

    def _kinds(self, mine: Mapping[str, Any], other: Mapping[str, Any], where: str) -> Iterator[_SchemaDifference]:
        ours, theirs = _kind(mine), _kind(other)
        whole = "integer" in theirs or "int" in str(other.get("format"))
        if whole and mine is self.ours.resolve({"$ref": "#/components/schemas/Money"})[1]:
            yield _SchemaDifference(where, "is an integer there: perhaps cents, and here it is whole units", grave=True)
        elif ours and theirs and not ours & theirs and not any((ours | theirs) <= like for like in _LIKE):
            yield _SchemaDifference(where, f"is {' or '.join(sorted(theirs))} there, {' or '.join(sorted(ours))} here")

    def _values(self, mine: Mapping[str, Any], other: Mapping[str, Any], where: str) -> Iterator[_SchemaDifference]:
        known, listed = _known_values(mine), [str(value) for value in nodes(other.get("enum"))]
        if known and listed:
            if new := _unknown_values(listed, known):
                yield _SchemaDifference(where, f"has values there that are not known here: {', '.join(new)}")
            if gone := _unknown_values(known, listed):
                yield _SchemaDifference(where, f"has no {', '.join(gone)} there")

    def _properties(self, mine: Mapping[str, Any], other: Mapping[str, Any], where: str) -> Iterator[_SchemaDifference]:
        fields, others = _properties_of(self.ours, mine), _properties_of(self.theirs, other)
        if not fields or not others:
            return
        for name, below in fields.items():
            found = next((each for each in _ACCEPTED.get(name, (name,)) if each in others), "")
            if found:
                yield from self.compare(below, others[found], f"{where}.{name}")
            else:
                verb = "sent" if self.sent else "read"
                near = next((each for each in others if _plain(each) == _plain(name)), "")
                there = f"; there it is called {near}" if near else ""
                yield _SchemaDifference(f"{where}.{name}", f"is {verb} here and not there{there}")
        if self.sent:
            for name in nodes(other.get("required")):
                if str(name) not in fields:
                    yield _SchemaDifference(f"{where}.{name}", "is required there and never sent", grave=True)


def _properties_of(document: Document, schema: Mapping[str, Any], depth: int = 8) -> dict[str, Any]:
    """Return the fields of an object: its own, and those of what it is composed of."""
    found = dict(node(schema.get("properties")))
    if depth:
        for word in ("allOf", "anyOf", "oneOf"):
            for part in nodes(schema.get(word))[:20]:
                found = _properties_of(document, document.resolve(part)[1], depth - 1) | found
    return found


def _kind(schema: Mapping[str, Any]) -> set[str]:
    """Return the JSON types that a schema takes, null left out; empty where it does not say."""
    said = schema.get("type")
    types = {str(each) for each in (said if isinstance(said, list) else [said]) if each} - {"null"}
    if types:
        return types
    return {"object"} if "properties" in schema or "allOf" in schema else {"array"} if "items" in schema else set()


def _known_values(schema: Mapping[str, Any]) -> list[str]:
    """Return the values we know: an enum's, or the examples of an open one (two or more, all written in capitals)."""
    if listed := nodes(schema.get("enum")):
        return [str(value) for value in listed]
    examples = [str(value) for value in nodes(schema.get("examples"))]
    return examples if len(examples) > 1 and all(map(_UPPER.fullmatch, examples)) else []


def _unknown_values(found: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the values that are not among the known, older spellings taken as today's."""
    right = {canonical(value) for value in known}
    return [value for value in found if value not in {"", "null", "None"} and canonical(value) not in right]


def _plain(name: str) -> str:
    """Return a name without case and signs: `processId` and `process_id` are one."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())
