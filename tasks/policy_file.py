"""The policy file: TOML with `[default]` and `[stores."ID"]` tables merged over it, read into `StorePolicy`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.policy.rules import StorePolicy


class PolicyFileError(Exception):
    """The file is missing, broken, or says something that is no rule. `problems` holds one sentence for each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """The policies of an installation: one for each store named in the file, and one for all others."""

    default: StorePolicy
    stores: Mapping[str, StorePolicy]

    def for_store(self, store: str) -> StorePolicy:
        """The policy of a store: its own table over the default, or the default."""
        return self.stores.get(store, self.default)


def load_policy(path: Path | None) -> PolicyFile:
    """Read the policy file, or give the built-in defaults where `path` is None.

    Raises `PolicyFileError` with one sentence per problem: file, table, field, what was found, what would be right.
    """
    raise NotImplementedError
