"""Trace one refund: which of our modules a return passes through until it is paid. `python -m tests.trace_refund`.

An approved return of the sandbox goes through `process-pending-returns`, without Prefect's engine. Counted is what runs
between the first line of the flow's work and its last, on every thread; what is run by an import, a function that a
library has generated (a dataclass's `__init__`), and the sandbox do not count. A comprehension or lambda belongs to the
function that it stands in.
"""

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from types import CodeType, FrameType
from typing import Any
from unittest.mock import patch

from flows import process_pending_returns
from flows.parameters import FlowParameters
from flows.run import run_flow
from rever_api.sandbox import running_sandbox

LAYERS = frozenset({"rever_api", "tasks", "flows", "deployments"})
SANDBOX = "rever_api.sandbox"


@dataclass
class Trace:
    """The functions that were entered, by module; both in order of first entry. `paid` is what REVER's books say."""

    entered: dict[str, dict[CodeType, None]] = field(default_factory=dict)
    paid: dict[str, Decimal] = field(default_factory=dict)

    @property
    def functions(self) -> int:
        """The number of functions entered in all modules."""
        return sum(map(len, self.entered.values()))

    def lines(self) -> list[str]:
        """A line for each module, and one for the totals."""
        width = max(map(len, self.entered))
        table = [f"{name:{width}} {len(codes):4}" for name, codes in self.entered.items()]
        paid = ", ".join(f"{amount} {currency}" for currency, amount in self.paid.items())
        return [*table, f"paid {paid}: {len(self.entered)} modules, {self.functions} functions"]


class _Profile:
    """Notes each function of ours that is entered while `on`."""

    def __init__(self) -> None:
        self.trace = Trace()
        self.on = False
        self._importing = threading.local()

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if code.co_name == "<module>":
            depth = getattr(self._importing, "depth", 0)
            self._importing.depth = depth + (event == "call") - (event == "return")
        elif event == "call" and self.on and not getattr(self._importing, "depth", 0):
            name = frame.f_globals.get("__name__", "")
            if _ours(name) and not code.co_name.startswith("<") and not code.co_filename.startswith("<"):
                self.trace.entered.setdefault(name, {})[code] = None


def _ours(name: str) -> bool:
    return name.partition(".")[0] in LAYERS and name != SANDBOX and not name.startswith(f"{SANDBOX}.")


@contextmanager
def _profiled() -> Iterator[_Profile]:
    """Profile this thread and those that start in the block; restore what profiled before."""
    profile, before = _Profile(), (sys.getprofile(), threading.getprofile())
    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        yield profile
    finally:
        sys.setprofile(before[0])
        threading.setprofile(before[1])


def trace() -> Trace:
    """Have one approved return refunded at a sandbox, and return what that entered."""
    work = process_pending_returns.work
    with (
        tempfile.TemporaryDirectory(prefix="trace-") as folder,
        running_sandbox(returns=1, shops=("acme",), scenarios=("approved_one",)) as sandbox,
        patch.dict(
            os.environ,
            {
                "REVER_BASE_URL": sandbox.base_url,
                "REVER_API_KEY": sandbox.api_key,
                "REVER_STORES": "acme",
                "REVER_LEDGER_URL": f"sqlite:///{folder}/ledger.sqlite",
            },
        ),
        _profiled() as profile,
    ):

        async def traced(desk: Any, parameters: FlowParameters, *more: Any) -> None:
            profile.on = True
            try:
                await work(desk, parameters, *more)  # type: ignore[arg-type]
            finally:
                profile.on = False

        with patch.object(process_pending_returns, "work", traced):
            run_flow(process_pending_returns.NAME, {"mode": "act"}, prefect=False)
        profile.trace.paid = sandbox.books.paid()
    return profile.trace


if __name__ == "__main__":
    print(*trace().lines(), sep="\n")
