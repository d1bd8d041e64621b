"""The endpoint table: each operation's method, path and parameters, as in the contract or as a user corrects it.

Much of the contract is assumed. Whoever holds REVER's own document corrects the table with a TOML file, by operationId:

    [searchReturnProcesses]
    method = "GET"
    path = "/v2/returns"
    [searchReturnProcesses.parameters]
    process_id = "processId"

A parameter that the path names in braces goes into the path, every other one into the query; so a corrected path may
move one from one place to the other.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rever_api.openapi import METHODS, contract

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class EndpointsError(Exception):
    """A user's endpoint file that cannot be used. The sentence names the file, the table, the key and what is right."""


@dataclass(frozen=True)
class Endpoint:
    """One operation: `parameters` maps the contract's name of each path and query parameter to its name on the wire."""

    operation: str
    method: str
    path: str
    parameters: Mapping[str, str]
    confidence: str

    @property
    def in_path(self) -> tuple[str, ...]:
        """The parameters that the path holds, by the contract's names."""
        return tuple(_PLACEHOLDER.findall(self.path))


@dataclass(frozen=True)
class Endpoints:
    """The endpoint of every operation of the contract, by operationId."""

    by_operation: Mapping[str, Endpoint]

    def __getitem__(self, operation: str) -> Endpoint:
        return self.by_operation[operation]

    @classmethod
    def load(cls, overrides: Path | None = None) -> "Endpoints":
        """The contract's endpoints, with the corrections of a user's TOML file where one is given.

        Raises `EndpointsError` when the file cannot be read or corrects what is not there.
        """
        return _contract() if overrides is None else _contract().corrected(_tables(overrides), str(overrides))

    def corrected(self, tables: Mapping[str, Any], where: str) -> "Endpoints":
        """Apply a user's tables, by operationId; `where` is the file that a sentence names. Raises `EndpointsError`."""
        found = dict(self.by_operation)
        for operation, table in tables.items():
            _known(f"{where}: [{operation}]", "operation", operation, found)
            found[operation] = _corrected(found[operation], table, f"{where}: [{operation}]")
        return Endpoints(MappingProxyType(found))


@cache
def _contract() -> Endpoints:
    """The operations of `rever_api/openapi.yaml`, once per process."""
    document = contract()
    found = {}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                endpoint = _endpoint(document, path, method, item)
                found[endpoint.operation] = endpoint
    return Endpoints(MappingProxyType(found))


def _endpoint(document: Mapping[str, Any], path: str, method: str, item: dict[str, Any]) -> Endpoint:
    """Read one operation; a parameter is written out or is a reference into the contract's components."""
    operation = item[method]
    names = []
    for parameter in [*item.get("parameters", ()), *operation.get("parameters", ())]:
        reference = parameter.get("$ref", "").rpartition("/")[2]
        names.append((document["components"]["parameters"][reference] if reference else parameter)["name"])
    return Endpoint(
        operation=operation["operationId"],
        method=method.upper(),
        path=path,
        parameters=MappingProxyType({name: name for name in names}),
        confidence=operation["x-confidence"],
    )


def _tables(file: Path) -> dict[str, Any]:
    """Read a user's file as TOML."""
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise EndpointsError(f"{file}: cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise EndpointsError(f"{file}: not a TOML file ({error}).") from error


def _corrected(endpoint: Endpoint, table: Any, where: str) -> Endpoint:
    """Apply one table of a user's file to the endpoint it names."""
    if not isinstance(table, dict):
        raise EndpointsError(
            f"{where}: must be a table, found {table!r}; write [{endpoint.operation}] and keys below it."
        )
    for key, value in table.items():
        _known(f"{where} {key}", "key", key, ("method", "path", "parameters"))
        if key == "method":
            endpoint = replace(endpoint, method=_method(value, f"{where} {key}"))
        elif key == "path":
            endpoint = replace(endpoint, path=_path(value, endpoint, f"{where} {key}"))
        else:
            endpoint = replace(endpoint, parameters=_parameters(value, endpoint, f"{where} {key}"))
    return endpoint


def _method(value: Any, where: str) -> str:
    """Check a corrected method."""
    if not isinstance(value, str) or value.lower() not in METHODS:
        raise EndpointsError(f"{where}: found {value!r}, must be one of {', '.join(METHODS).upper()}.")
    return value.upper()


def _path(value: Any, endpoint: Endpoint, where: str) -> str:
    """Check a corrected path: absolute, without query, holding no parameter that the operation lacks."""
    if not isinstance(value, str) or not value.startswith("/") or re.search(r"[?#\s]", value):
        raise EndpointsError(f'{where}: found {value!r}, must be a path such as "{endpoint.path}".')
    if re.search(r"[{}]", _PLACEHOLDER.sub("", value)):
        raise EndpointsError(
            f'{where}: found {value!r}, whose braces do not match; a path looks like "{endpoint.path}".'
        )
    for name in _PLACEHOLDER.findall(value):
        _known(where, "parameter", name, endpoint.parameters)
    return value


def _parameters(value: Any, endpoint: Endpoint, where: str) -> Mapping[str, str]:
    """Check corrected names of parameters."""
    if not isinstance(value, dict):
        raise EndpointsError(f"{where}: found {value!r}, must be a table of parameter names.")
    for name, wire in value.items():
        _known(where, "parameter", name, endpoint.parameters)
        if not isinstance(wire, str) or not wire:
            raise EndpointsError(f"{where}: {name} is {wire!r}, must be the parameter's name at REVER.")
    return MappingProxyType({**endpoint.parameters, **value})


def _known(where: str, kind: str, found: str, right: Mapping[str, Any] | tuple[str, ...]) -> None:
    """Refuse an unknown name, and say which are known."""
    if found in right:
        return
    near = get_close_matches(found, right, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(right) or 'none'}."
    raise EndpointsError(f"{where}: unknown {kind} {found!r}; {hint}")
