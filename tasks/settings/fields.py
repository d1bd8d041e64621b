"""How single values are read from text: lists, the payer per store, a rate that may be absent, the key."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from tasks.policy.rules import RefundsBy

ANY_STORE = "*"
"""The key under which the payer of every store not named stands."""

_MOST_SECRETS = 2
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_.])?")
_PAYERS = "us or rever"


def names(value: Any) -> Any:
    """Comma-separated names, in order, without repeats."""
    if not isinstance(value, str):
        return value
    return tuple(dict.fromkeys(name for part in value.split(",") if (name := part.strip())))


def hosts(value: Any) -> Any:
    """Comma-separated host names, without a scheme, a port or a path."""
    if not isinstance(value, str):
        return value
    found = names(value.lower())
    for name in found:
        if not _HOST.fullmatch(name):
            raise ValueError(f"is wrong at {name!r}: write host names alone, such as returns.example.com")
    return found


def payers(value: Any) -> Any:
    """`us`, `rever`, or `acme=us,nordic=rever`: store id -> who pays there; `*` for every store."""
    if not isinstance(value, str):
        return value
    found: dict[str, RefundsBy] = {}
    for part in names(value):
        store, equals, payer = (piece.strip() for piece in part.rpartition("="))
        key = store if equals else ANY_STORE
        if payer.lower() not in {RefundsBy.US, RefundsBy.REVER} or (equals and not store):
            raise ValueError(f"is wrong at {part!r}: write {_PAYERS}, or one for each store: acme=us,nordic=rever")
        if key in found:
            raise ValueError(f"says twice who pays for {'all stores' if key == ANY_STORE else key!r}")
        found[key] = RefundsBy(payer.lower())
    return found


def rate(value: Any) -> Any:
    """A number, or `none` for no limit of our own."""
    return None if isinstance(value, str) and value.strip().lower() == "none" else value


def number(value: Any) -> Any:
    """A number in plain digits: `1_0`, full-width digits and `1e2` are none, though Python reads them."""
    if isinstance(value, str) and (re.search("[_eE]", value) or not value.isascii()):
        raise ValueError("is wrong: a number in plain digits is needed")
    return value


def key(value: Any) -> Any:
    """The API key, fit for an HTTP header: a line break in it would otherwise surface, key and all, in an error."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(text, str):
        return value
    text = text.strip()
    if not text:
        raise ValueError("is empty; set the key your REVER account manager gave you")
    if not all("!" <= sign <= "~" for sign in text):
        raise ValueError("has a blank, a line break or a letter outside ASCII in it; copy it again")
    return SecretStr(text)


def secrets(value: Any) -> Any:
    """One secret, or two, comma-separated: while the old one is being replaced both verify."""
    if not isinstance(value, str):
        return value
    found = tuple(SecretStr(part.strip()) for part in value.split(","))
    if not all(secret.get_secret_value() for secret in found):
        raise ValueError("has an empty secret in it; write one secret, or the new and the old one with a comma between")
    if len(found) > _MOST_SECRETS:
        raise ValueError(f"holds {len(found)} secrets; one, or the new and the old one with a comma between")
    return found


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(names)]
Hosts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(hosts)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(secrets)]
Payers = Annotated[dict[str, RefundsBy], NoDecode, BeforeValidator(payers)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False), BeforeValidator(number)]
Days = Annotated[float, Field(gt=0, le=366, allow_inf_nan=False), BeforeValidator(number)]
Rate = Annotated[
    Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False), BeforeValidator(number)] | None, BeforeValidator(rate)
]
Count = Annotated[int, BeforeValidator(number)]
Key = Annotated[SecretStr, BeforeValidator(key)]
