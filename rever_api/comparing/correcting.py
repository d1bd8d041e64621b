"""The correction as the TOML that `REVER_ENDPOINTS` takes."""

import json
from collections.abc import Mapping
from typing import Any

from rever_api.endpoints import Endpoint, Endpoints, EndpointsError

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
