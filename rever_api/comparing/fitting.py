"""One of our endpoints as their document has it, and in words how the two differ.

Our parameter is theirs where the name is the same, or the same but for case and signs (`processId`), or the last part
of a dotted one (`filter.process_id`); what is then left over within both paths goes by its place.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType

from rever_api.comparing.operations import Operation, Parameter
from rever_api.comparing.values import plain
from rever_api.endpoints import Endpoint


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
