"""A desk whose every part is well, in front of a sandbox; a test breaks one and looks at its line."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deployments.doctor.command import CHECKS, examine
from deployments.doctor.examination import Examination, Line
from flows.run import run_flow
from rever_api.sandbox import RunningSandbox
from tasks.desk import utc_now
from tasks.ledger import Ledger

KEY = "k3y-of-a-real-account"


class Desk:
    """A sandbox, the settings for it in the environment, and a ledger with work in it."""

    def __init__(self, sandbox: RunningSandbox, ledger_file: Path) -> None:
        self.sandbox = sandbox
        self.ledger_file = ledger_file

    def make_ledger(self) -> None:
        """An empty ledger."""
        self.open_ledger().close()

    def work(self) -> None:
        """Let the desk make its ledger and do its work once."""
        run_flow("process-pending-returns", {"mode": "act"}, prefect=False)

    def open_ledger(self) -> Ledger:
        """The ledger, to change something in it."""
        return Ledger.open(f"sqlite:///{self.ledger_file}", account=self.sandbox.base_url, clock=utc_now)

    def lines(self, *only: str, examination: Examination | None = None) -> dict[str, Line]:
        """What the doctor says, by the names of its lines; only these checks, and those every other one needs."""
        checks = [each for each in CHECKS if not only or each.name in {"settings", "endpoints", *only}]
        return {line.name: line for line in examine(checks, examination)}


Start = Callable[..., Desk]


@contextmanager
def prefect_at(url: str | None) -> Iterator[None]:
    """Let Prefect's server be there, or nowhere: the session's own may be running in this process."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: url} if url else {}, restore_defaults=() if url else {PREFECT_API_URL}):
        yield


@pytest.fixture
def without_prefect() -> Iterator[None]:
    """No Prefect server is set up."""
    with prefect_at(None):
        yield


@pytest.fixture
def start_desk(start_sandbox: Callable[..., RunningSandbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Start a desk; the arguments are those of `running_sandbox`."""
    monkeypatch.chdir(tmp_path)

    def start(**how: object) -> Desk:
        sandbox = start_sandbox(api_key=KEY, **{"returns": 24, **how})
        monkeypatch.setenv("REVER_BASE_URL", sandbox.base_url)
        monkeypatch.setenv("REVER_API_KEY", KEY)
        monkeypatch.setenv("REVER_STORES", ",".join(sandbox.stores))
        monkeypatch.setenv("REVER_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.sqlite'}")
        return Desk(sandbox, tmp_path / "ledger.sqlite")

    return start


@pytest.fixture
def desk(start_desk: Start) -> Desk:
    """The default one."""
    return start_desk()
