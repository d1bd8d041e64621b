"""What a client needs to know: where REVER is, the key, how long, how fast and how often it may call, and by which
endpoints.

The endpoint table has each operation's method, path and parameters, as in the contract or as a user corrects it. Much
of the contract is assumed. Whoever holds REVER's own document corrects the table with a TOML file, by operationId:

    [searchReturnProcesses]
    method = "GET"
    path = "/v2/returns"
    [searchReturnProcesses.parameters]
    process_id = "processId"

A parameter that the path names in braces goes into the path, every other one into the query; so a corrected path may
move one from one place to the other.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from rever_api.errors import WrongSetup
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


DEFAULT_BASE_URL = "https://api.byrever.com"
"""REVER's production host; operation paths carry `/v1` themselves (REVER's reference)."""

DEFAULT_RATE = 10.0
"""Requests per second to a real REVER where nothing else is stated. REVER limits, but publishes no number."""


def is_loopback(url: str) -> bool:
    """Whether `url` names this machine: `localhost`, 127.0.0.0/8 or ::1.

    False for whatever two readers might take for two hosts: a user part, a backslash, a dot behind the name, a name
    under `localhost`, a malformed address. Plain http, no proxy and looser settings are for a sandbox here alone, and
    must not open for a REVER that pays real money.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if "@" in parts.netloc or "\\" in url:
        return False
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class ClientConfig:
    """How to reach one REVER account. Raises `WrongSetup` with a sentence when a value cannot work.

    Attributes:
        base_url: origin, with a path of its own where there is one (REVER's mock server has). Only https, but for a
            loopback host: the key goes in a header.
        api_key: sent in `x-rever-api-key` and nowhere else; a plain text is taken as a secret one.
        timeout: seconds that one stage of an attempt may take: a place in the pool, the connect, the write, each wait
            for bytes.
        deadline: seconds that one attempt may take as a whole, for reads and effects; default: `timeout`. An effect
            past it is `OutcomeUnknown`.
        rate: requests per second for this key in this process, evenly spread; what a stall cost is caught up, up to
            half a second's worth (`rever_api.limits`). None for no limit.
        max_in_flight: requests at the same time for this key in this process.
        endpoints: the endpoint table, corrected by the user or not.
        group: the e-commerce group whose stores are listed and searched where a call names none (`AsyncReverClient`).
        read_attempts: how often a read is tried at most; effects are tried once.
        read_patience: seconds after which a read starts no further attempt.
        retry_after_cap: seconds that a `Retry-After` may make reads and the rate limit wait.
    """

    base_url: str
    api_key: SecretStr
    timeout: float = 10.0
    deadline: float | None = None
    rate: float | None = None
    max_in_flight: int = 8
    endpoints: Endpoints = field(default_factory=Endpoints.load, repr=False)
    group: str = ""
    read_attempts: int = 5
    read_patience: float = 60.0
    retry_after_cap: float = 30.0

    def __post_init__(self) -> None:
        if isinstance(self.api_key, str):
            object.__setattr__(self, "api_key", SecretStr(self.api_key))  # hidden from here on, as if it had been
        if not isinstance(self.api_key, SecretStr):
            raise WrongSetup(f"api_key must be a SecretStr or a text, found a {type(self.api_key).__name__}.")
        _check_key(self.api_key.get_secret_value())
        _check_url(self.base_url)
        for name in ("timeout", "read_patience", "retry_after_cap", "max_in_flight", "read_attempts"):
            _check_positive(name, getattr(self, name))
        for name in ("deadline", "rate"):
            if (value := getattr(self, name)) is not None:
                _check_positive(name, value)

    @property
    def attempt_deadline(self) -> float:
        """Seconds that one attempt may take as a whole."""
        return self.timeout if self.deadline is None else self.deadline

    @property
    def loopback(self) -> bool:
        """Whether REVER is a sandbox on this machine."""
        return is_loopback(self.base_url)


def configured(
    config: ClientConfig | None,
    *,
    api_key: str | SecretStr | None = None,
    base_url: str | None = None,
    group: str | None = None,
    timeout: float | None = None,
    max_retries: int | None = None,
) -> ClientConfig:
    """A configuration with what is given here, else what `config` says, else what the environment says (`REVER_*`).

    The variables are the desk's: docs/settings.md. `max_retries` is how often a read is tried again; effects are tried
    once whatever it says. `timeout` holds for an attempt as a whole too. Raises `WrongSetup`, or `EndpointsError` for
    the file that REVER_ENDPOINTS names.
    """
    given: dict[str, Any] = {"api_key": api_key, "base_url": base_url, "group": group, "timeout": timeout}
    given = {name: value for name, value in given.items() if value is not None}
    if timeout is not None:
        given["deadline"] = None
    if max_retries is not None:
        if isinstance(max_retries, bool) or not isinstance(max_retries, int) or max_retries < 0:
            raise WrongSetup(f"max_retries must be a whole number from 0 on, found {max_retries!r}.")
        given["read_attempts"] = max_retries + 1
    if config is not None:
        if not isinstance(config, ClientConfig):  # without showing it: it may be the key
            raise TypeError(
                f"config must be a ClientConfig, found a {type(config).__name__}; a key goes in api_key=..."
            )
        return replace(config, **given) if given else config
    return ClientConfig(**_from_environment(os.environ, given))


def _from_environment(environ: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given, and what the environment says of the rest. A variable that is empty counts as not set."""
    stated = {name[6:].lower(): value.strip() for name, value in environ.items() if name.startswith("REVER_")}
    stated = {name: value for name, value in stated.items() if value and name not in given}
    found: dict[str, Any] = {"base_url": DEFAULT_BASE_URL, "api_key": ""}
    found |= {name: stated[name] for name in ("api_key", "base_url", "group") if name in stated}
    found |= given
    found |= {name: _number(name, stated[name]) for name in ("timeout", "max_in_flight") if name in stated}
    rate = stated.get("rate", "none" if is_loopback(str(found["base_url"])) else str(DEFAULT_RATE))
    found["rate"] = None if rate.lower() == "none" else _number("rate", rate)
    if "endpoints" in stated:
        found["endpoints"] = Endpoints.load(Path(stated["endpoints"]))
    return found


def _number(name: str, text: str) -> float | int:
    """Read a number of the environment."""
    try:
        return int(text) if name == "max_in_flight" else float(text)
    except ValueError:
        kind = "a whole number" if name == "max_in_flight" else "a number"
        raise WrongSetup(f"REVER_{name.upper()} must be {kind}, found {text!r}.") from None


def _check_key(key: str) -> None:
    """Refuse a key that cannot be a header's value, without showing it."""
    if not key.strip():
        raise WrongSetup(
            "There is no API key: pass api_key=..., or set REVER_API_KEY, to the key that REVER's account manager gave "
            "you."
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise WrongSetup("The API key holds a blank, a line break or a letter outside ASCII: check REVER_API_KEY.")


def _check_url(url: str) -> None:
    """Refuse an invalid base URL, one that carries more than a path, or one that would send the key in clear text."""
    if not isinstance(url, str):
        raise WrongSetup(f"base_url must be a text, found a {type(url).__name__}.")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"}:
        raise WrongSetup(f"The base URL is not an http or https address: check REVER_BASE_URL ({DEFAULT_BASE_URL}).")
    if parts.username is not None or parts.query or parts.fragment:
        raise WrongSetup(
            "The base URL may hold a host and a path, but no user, query or fragment: check REVER_BASE_URL."
        )
    if parts.scheme == "http" and not is_loopback(url):
        raise WrongSetup(
            f"The base URL {url} would send the API key in clear text: use https (plain http is for a sandbox on this "
            "machine only)."
        )


def _check_positive(name: str, value: float) -> None:
    """Refuse a number that is not above zero (NaN included)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongSetup(f"{name} must be a number, found a {type(value).__name__}.")
    if not value > 0:
        raise WrongSetup(f"{name} must be above 0, found {value}.")
