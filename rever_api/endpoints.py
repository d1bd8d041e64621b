"""The endpoint table: every operation's method and path, read from the contract, corrected by a user's file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class EndpointsError(Exception):
    """A user's endpoint file that cannot be used. The sentence names the file, the table, the key and what is right."""


@dataclass(frozen=True)
class Endpoints:
    """The endpoint of every operation of the contract, by operationId."""

    by_operation: Mapping[str, str]

    @classmethod
    def load(cls, overrides: Path | None = None) -> "Endpoints":
        """The contract's endpoints, with the corrections of a user's TOML file where one is given."""
        return cls({})
