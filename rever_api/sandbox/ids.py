"""Ids as REVER's look (observed): a prefix and 27 base62 characters, here drawn from a seed."""

from random import Random
from string import ascii_letters, digits

_BASE62 = digits + ascii_letters


class Ids:
    """A source of ids, the same for the same seed."""

    def __init__(self, seed: int, purpose: str = "") -> None:
        self._random = Random(f"{seed}/{purpose}")  # noqa: S311 - ids that must repeat, not secrets

    def new(self, prefix: str) -> str:
        """Return `prefix_` and 27 characters, as in `retp_2AbC...`."""
        return f"{prefix}_" + "".join(self._random.choices(_BASE62, k=27))
