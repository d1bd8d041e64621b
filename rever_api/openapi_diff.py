"""REVER's official OpenAPI document against our endpoint table and the fields of our contract.

The document is the user's: REVER gives it to its customers, and it is not public in full. What differs is named, and
what the endpoint table can correct is written as the TOML that `REVER_ENDPOINTS` takes.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from rever_api.attempts import KEY_HEADER
from rever_api.endpoints import Endpoint, Endpoints, EndpointsError
from rever_api.models.enums import canonical
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
from rever_api.parsing import LISTS
from rever_api.requests import EFFECTS
from rever_api.responses import TOTALS

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


# Whether the fields that we read and send are in their schemas, by the same name, kind and values.
#
# Our schema leads: what it has is looked for in theirs; fields of theirs that nobody here reads are no difference.


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


# One of our endpoints as their document has it, and in words how the two differ.
#
# Our parameter is theirs where the name is the same, or the same but for case and signs (`processId`), or the last
# part of a dotted one (`filter.process_id`); what is then left over within both paths goes by its place.


@dataclass(frozen=True)
class Fit:
    """`endpoint` is ours, corrected as far as the endpoint table can.

    `beyond` says what no table can correct, so that the call cannot be right; `ignored` are our parameters that theirs
    does not have.
    """

    endpoint: Endpoint
    beyond: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


def fit(ours: Endpoint, theirs: Operation) -> Fit:
    """Correct one of the contract's endpoints so that it calls `theirs`."""
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
    return Fit(endpoint if unknown else replace(endpoint, path=path), tuple(beyond), ignored)


def differences(ours: Endpoint, right: Endpoint) -> tuple[str, ...]:
    """In words, how an endpoint in force differs from the right one of the same operation."""
    return tuple(_differences(ours, right))


def _differences(ours: Endpoint, right: Endpoint) -> Iterator[str]:
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
    """Our names of parameters, and theirs for them."""
    pairs: dict[str, Parameter] = {}
    for spelt in (str, plain, _last):
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
    """Their path with our names in its braces, and the names in it that are none of ours."""
    our_name = {each.name: name for name, each in pairs.items() if each.where == "path"}
    # A document may forget to list what its path holds.
    our_name |= {name: name for name in ours.parameters if name not in pairs and name not in our_name}
    held = re.findall(r"\{([^{}]*)\}", theirs.path)
    path = re.sub(r"\{([^{}]*)\}", lambda found: f"{{{our_name.get(found[1], found[1])}}}", theirs.path)
    return path, [name for name in held if name not in our_name]


def _last(name: str) -> str:
    return plain(name.rpartition(".")[2])


# Which of their operations is which of ours: by operationId, then by what path and method have in common.
#
# A match by path is a guess. It is made only where nothing else comes near, and a read is never matched with a call
# that changes something, nor the other way round.


_LIKELY = 0.8
_NEAR = 0.05
_VERSION = re.compile(r"v\d+(_\d+)?")


@dataclass(frozen=True)
class Matched:
    """Their operation for one of ours, or those that might be it."""

    theirs: Operation | None = None
    by_name: bool = False
    perhaps: tuple[Operation, ...] = field(default=())


def match(ours: Iterable[Endpoint], theirs: Iterable[Operation]) -> Mapping[str, Matched]:
    """One `Matched` for each of ours, by operationId. None of theirs is given to two of ours."""
    ours, left = list(ours), list(theirs)
    found: dict[str, Matched] = {}
    for spelt in (plain, _last_part):
        for endpoint in ours:
            same = [each for each in left if each.id and spelt(each.id) == plain(endpoint.operation)]
            if endpoint.operation not in found and len(same) == 1:
                found[endpoint.operation] = Matched(same[0], by_name=True)
                left.remove(same[0])
    return found | _by_path([each for each in ours if each.operation not in found], left)


def _by_path(ours: list[Endpoint], theirs: list[Operation]) -> dict[str, Matched]:
    scores = {(mine.operation, each): likeness(mine, each) for mine in ours for each in theirs}
    likely = {pair: score for pair, score in scores.items() if score >= _LIKELY}
    sure = {operation: each for operation, each in likely if not _rivals(operation, each, likely)}
    return {
        mine.operation: Matched(sure[mine.operation])
        if mine.operation in sure
        else Matched(
            perhaps=tuple(each for name, each in likely if name == mine.operation and each not in sure.values())
        )
        for mine in ours
    }


def _rivals(operation: str, each: Operation, likely: Mapping[tuple[str, Operation], float]) -> bool:
    """Whether one of the two is as likely, or nearly so, to belong to another."""
    least = likely[operation, each] - _NEAR
    return any(((name == operation) != (other == each)) and score > least for (name, other), score in likely.items())


def likeness(mine: Endpoint, other: Operation) -> float:
    """How much path and method have in common, 0 to 1."""
    if (mine.operation in EFFECTS) == (other.method == "GET"):
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
    """What a gateway writes behind its service's name: ProcessesAPI_SearchReturnProcesses."""
    return plain(re.split(r"[_./:-]", operation_id)[-1])


# The correction as the TOML that `REVER_ENDPOINTS` takes.


Table = Mapping[str, Any]


def table(contract: Endpoint, right: Endpoint) -> dict[str, Any]:
    """The table that turns the contract's endpoint into the right one; empty where they are the same."""
    found: dict[str, Any] = {}
    if contract.method != right.method:
        found["method"] = right.method
    if contract.path != right.path:
        found["path"] = right.path
    renamed = {name: wire for name, wire in right.parameters.items() if contract.parameters[name] != wire}
    return found | ({"parameters": renamed} if renamed else {})


def refusal(operation: str, correction: Table) -> str:
    """Why a table cannot be loaded, "" where it can: a path may hold signs that no table takes."""
    try:
        Endpoints.load().corrected({operation: correction}, "the correction")
    except EndpointsError as error:
        return str(error)
    return ""


def toml(tables: Mapping[str, Table], guessed: Mapping[str, str]) -> str:
    """The file's text. A table in `guessed` (operation -> what it was matched with) stands there commented out."""
    return "\n".join(_table(name, found, guessed.get(name, "")) for name, found in tables.items())


def _table(operation: str, found: Table, guess: str) -> str:
    lines = [f"[{operation}]", *(f"{key} = {_text(found[key])}" for key in ("method", "path") if key in found)]
    if renamed := found.get("parameters"):
        lines += [f"[{operation}.parameters]", *(f"{name} = {_text(wire)}" for name, wire in renamed.items())]
    if guess:
        asked = f"# Is this {guess}? Nothing but its path says so. If it is, take the # away from the lines below."
        lines = [asked, *(f"# {line}" for line in lines)]
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    """A basic string of TOML: JSON's, but that TOML forbids one sign more."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


# Our endpoint table and fields against REVER's official document.


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


def compare(official: Document, in_force: Endpoints | None = None, base_url: str = "") -> Comparison:
    """Compare the table in force (default: the contract's) with an official document.

    `base_url` is where REVER is called: what the document's server adds to that counts as part of its paths.
    """
    known = Endpoints.load().by_operation
    theirs = operations(official, base_url)
    matches = match(known.values(), theirs)
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
    by_contract = sorted(rows, key=lambda row: list(known).index(row.operation))
    return Comparison(
        tuple(by_contract), new, _fields(official, matches), toml(tables, guessed), tuple(_notes(official))
    )


def _notes(official: Document) -> Iterator[str]:
    headers = key_headers(official)
    if headers and KEY_HEADER not in headers:
        yield f"it wants the key in the header {' or '.join(headers)}, and it is sent in {KEY_HEADER}"


def _compared(known: Endpoint, in_force: Endpoint, matched: Matched) -> tuple[Compared, dict[str, object]]:
    """One row, and the table that corrects the contract for it."""
    if matched.theirs is None:
        return Compared(known.operation, known.confidence, Verdict.MISSING, perhaps=matched.perhaps), {}
    right = fit(known, matched.theirs)
    correction = table(known, right.endpoint)
    refused = refusal(known.operation, correction)
    found = differences(in_force, right.endpoint)
    beyond = right.beyond + ((refused,) if refused else ())
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
    return row, {} if refused else correction


def _fields(official: Document, matches: Mapping[str, Matched]) -> tuple[FieldDifference, ...]:
    ours = Document(contract())
    mine = {each.id: each for each in operations(ours)}
    used: dict[Found, list[str]] = {}
    for name, matched in matches.items():
        if matched.theirs is not None:
            for found in _both(ours, official, mine[name], matched.theirs):
                used.setdefault(found, []).append(name)
    return tuple(
        FieldDifference(each.where, each.why, each.grave, tuple(dict.fromkeys(used[each]))) for each in sorted(used)
    )


def _both(ours: Document, official: Document, mine: Operation, theirs: Operation) -> Iterator[Found]:
    yield from Walk(ours, official, sent=True).compare(mine.sent, theirs.sent, f"{mine.id} request")
    yield from Walk(ours, official, sent=False).compare(mine.read, theirs.read, f"{mine.id} answer")


# Compare the endpoint table and the contract's fields with REVER's official OpenAPI document. Pure, but for one file.
#
# The document is the user's: REVER gives it to its customers, and it is not public in full.
