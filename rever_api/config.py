"""What a client needs to know: where REVER is, the key, and how long, how fast and how often it may call."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from rever_api.endpoints import Endpoints
from rever_api.errors import WrongSetup

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
