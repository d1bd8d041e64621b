"""A desk in front of a sandbox: its settings in the environment, its ledger in a folder of the test's own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rever_api.sandbox import RunningSandbox
from tests.hurry import hurry
from tests.world import PATIENT, QUICK, Start
from tests.world import World as Bench

__all__ = ["PATIENT", "QUICK", "Bench", "Start", "bench", "start_bench"]


@pytest.fixture
def start_bench(start_sandbox: Callable[..., RunningSandbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Start a sandbox with these arguments of `running_sandbox`, and settings (`REVER_...`) beside the usual ones.

    In this process nothing waits longer than it must between attempts.
    """
    monkeypatch.chdir(tmp_path)
    hurry(monkeypatch.setattr)

    def start(settings: dict[str, str] | None = None, **how: object) -> Bench:
        settings = {**PATIENT, **(settings or {})}
        ledger_url = settings.pop("REVER_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.sqlite'}")
        bench = Bench(start_sandbox(**how), ledger_url, settings)
        for name, value in bench.environment.items():
            monkeypatch.setenv(name, value)
        return bench

    return start


@pytest.fixture
def bench(start_bench: Start) -> Bench:
    """A desk in front of the default sandbox: two shops, 60 returns, no faults."""
    return start_bench()
