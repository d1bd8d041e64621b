"""The command line in this process, in a folder of its own, as a person would call it."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from deployments.cli import main
from rever_api.sandbox import RunningSandbox

KEY = "k3y-of-a-real-account"
ENVIRONMENT = {
    "REVER_BASE_URL": "http://127.0.0.1:9",
    "REVER_API_KEY": KEY,
    "REVER_STORES": "acme",
}


@dataclass(frozen=True)
class Ended:
    """How a call ended: its exit code and all it wrote."""

    code: object
    out: str
    err: str


Call = Callable[..., Ended]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """Call `rever-returns` with arguments; asserts that the key shows up nowhere."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("REVER_")]:
        monkeypatch.delenv(name)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)

    def call(*arguments: str) -> Ended:
        factory, root, handlers = logging.getLogRecordFactory(), logging.getLogger(), logging.getLogger().handlers[:]
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        logging.setLogRecordFactory(factory)
        root.handlers[:] = handlers
        out, err = capfd.readouterr()
        assert KEY not in out + err
        return Ended(ended.value.code, out, err)

    return call


@pytest.fixture
def rever(call: Call, start_sandbox: Callable[..., RunningSandbox], monkeypatch: pytest.MonkeyPatch) -> RunningSandbox:
    """A sandbox that the settings point at; the ledger is the default one, in the test's own folder."""
    rever = start_sandbox(returns=40)
    monkeypatch.setenv("REVER_BASE_URL", rever.base_url)
    monkeypatch.setenv("REVER_API_KEY", rever.api_key)
    monkeypatch.setenv("REVER_STORES", ",".join(rever.stores))
    return rever
