"""The sandbox as a process of its own, with returns that are all ordinary refunds, and the audit of its books.

`python -m tests.benchmarks.served RETURNS [RATE]` serves until its stdin closes. It serves leanly (httptools) where
that is installed, so that it is not what is measured; what it could serve at most is in the table.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import httpx

from rever_api.sandbox import Options, running_sandbox
from tests.books import Books
from tests.judge import judge_once_each

SEED, SHOP, SCENARIOS = 7, "acme", ("approved_one", "approved_thirds")
PATIENCE_S = 120.0


class WrongBooksError(Exception):
    """The books of the sandbox do not show exactly one refund per return."""


@dataclass(frozen=True, slots=True)
class Served:
    """Where a sandbox listens, and how to judge what was done to it."""

    base_url: str
    api_key: str
    stores: tuple[str, ...]
    returns: int

    def control(self, name: str) -> Any:
        """What a control endpoint says."""
        return httpx.get(f"{self.base_url}/_sandbox/{name}", timeout=PATIENCE_S, trust_env=False, verify=False).json()

    def audit(self) -> None:
        """Check that all returns were refunded once each. Raises `WrongBooksError`."""
        verdict = judge_once_each(Books.served_at(self.base_url), self.returns)
        if not verdict.clean:
            raise WrongBooksError(f"{dict(verdict.found)}, such as {verdict.words[0]}")


@contextmanager
def served(returns: int, rate: float | None = None) -> Iterator[Served]:
    """A sandbox with so many returns, in a process of its own until the end of the block. `rate`: requests per s."""
    command = [sys.executable, "-m", "tests.benchmarks.served", str(returns), *([str(rate)] if rate else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout  # noqa: PT018 - for the type checker
        try:
            told = json.loads(process.stdout.readline())
            yield Served(told["base_url"], told["api_key"], (SHOP,), returns)
        finally:
            process.stdin.close()
            process.wait()


def main(returns: int, rate: float | None) -> None:
    """Serve, and say where on stdout."""
    how = {"returns": returns, "seed": SEED, "shops": (SHOP,), "scenarios": SCENARIOS}
    lean = find_spec("httptools") is not None
    with running_sandbox(**how, lean=lean, options=Options(rate=rate)) as running:  # type: ignore[arg-type]
        print(json.dumps({"base_url": running.base_url, "api_key": running.api_key}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else None)
