"""What all tests share: a clean environment, sandboxes on demand, and one Prefect server, only where asked for."""

import gc
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

from tests.memory import keep_in_memory

if TYPE_CHECKING:
    from deployments.prefect_server import PrefectServer
    from rever_api.sandbox import RunningSandbox
    from tests.world import Start, World

# How long an example takes is the machine's business: a test judges no time.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


HOME = pytest.StashKey[tempfile.TemporaryDirectory[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Before anything imports Prefect: a home of its own, nothing sent home, and no setting of who runs the tests."""
    keep_in_memory()
    config.stash[HOME] = tempfile.TemporaryDirectory(prefix="rever-returns-prefect-", ignore_cleanup_errors=True)
    for name in [name for name in os.environ if name.startswith(("REVER_", "PREFECT_"))]:
        del os.environ[name]
    os.environ |= {
        "PREFECT_HOME": config.stash[HOME].name,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # A test that looks for events, task runs or a log would wait for the seconds after which they are written.
        "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "0.2",
        # Whole seconds alone: Prefect cuts a fraction to 0, and then the server looks again without any pause.
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
        "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "0.2",
        "DO_NOT_TRACK": "1",
    }


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind."""
    config.stash[HOME].cleanup()


CHOSEN = "_hypothesis_internal_use_settings"
FEW = 10


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that need one of Prefect's servers share it: those of `deployments` one, and all others one.

    Two workers so have each a server of its own, and neither waits for the other's.

    Coverage takes as long again as the tests. It is not measured in properties: their lines are those of the examples.
    Unless the slow tests ask for all, or a bug is planted, a property is tried by a quarter of its examples, and of a
    test's many cases only the first is tried on PostgreSQL too.
    """
    whole = "property" in config.getoption("markexpr") or {"TEST_WHOLE", "MUTANT_UNDER_TEST"} & os.environ.keys()
    seen = set[object]()
    for item in items:
        test = getattr(item, "obj", None)
        if is_hypothesis_test(test):
            item.add_marker(pytest.mark.no_cover)
            item.add_marker(pytest.mark.property)
            function = getattr(test, "__func__", test)
            if not whole and function not in seen:
                seen.add(function)
                own: settings = getattr(function, CHOSEN, None) or settings()
                few = max(own.max_examples // 4, min(own.max_examples, FEW))
                setattr(function, CHOSEN, settings(own, max_examples=few))
        cases = getattr(item, "callspec", None)
        if cases and "postgres" in cases.params.values() and len(cases.params) > 1:
            name = item.nodeid.partition("[")[0]
            if name in seen:
                item.add_marker(pytest.mark.slow)
            seen.add(name)
        if item.get_closest_marker("prefect"):
            part = "deployments" if item.nodeid.startswith("tests/deployments/") else "others"
            item.add_marker(pytest.mark.xdist_group(f"prefect {part}"))
        if item.get_closest_marker("live"):
            item.add_marker(pytest.mark.xdist_group("live"))


def pytest_collection_finish() -> None:
    """Where any test has to do with ledgers, have their migrations played and their statements compiled once.

    And the garbage collector need not look through all modules and tests each time, nor as often as after each 700 new
    objects: that was a quarter of the time.
    """
    if "tasks.ledger" in sys.modules:
        from tests.ledgers import remember_compiled, remember_migrations

        remember_migrations()
        remember_compiled()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@pytest.fixture
def start_sandbox() -> "Iterator[Callable[..., RunningSandbox]]":
    """Start sandboxes with the arguments of `running_sandbox`; all are stopped after the test."""
    from rever_api.sandbox import running_sandbox

    with ExitStack() as stack:
        yield lambda **how: stack.enter_context(running_sandbox(**how))


@pytest.fixture
def sandbox(start_sandbox: "Callable[..., RunningSandbox]") -> "RunningSandbox":
    """A sandbox of the test's own with the default shops, seed and returns, without faults."""
    return start_sandbox()


@pytest.fixture
def start_world(
    start_sandbox: "Callable[..., RunningSandbox]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> "Start":
    """Start a sandbox with these arguments of `running_sandbox`, and settings (`REVER_...`) beside the usual ones.

    The world's desk is this process, in a folder of the test's own. Nothing in it waits longer than it must between
    attempts.
    """
    from tests.hurry import hurry
    from tests.world import PATIENT, World

    monkeypatch.chdir(tmp_path)
    hurry(monkeypatch.setattr)

    def start(settings: dict[str, str] | None = None, **how: object) -> World:
        settings = {**PATIENT, **(settings or {})}
        ledger_url = settings.pop("REVER_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.sqlite'}")
        world = World(start_sandbox(**how), ledger_url, settings)
        for name, value in world.environment.items():
            monkeypatch.setenv(name, value)
        return world

    return start


@pytest.fixture
def world(start_world: "Start") -> "World":
    """A desk in front of the default sandbox: two shops, 60 returns, no faults."""
    return start_world()


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """Prefect's own server, once per session (12 s); ask for it only in tests marked `prefect`.

    A flow's heartbeat would add a second to each test of a sync flow; it is off.
    """
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=90), temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield


@pytest.fixture(scope="session")
def live_server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[PrefectServer]":
    """A real Prefect server with its UI, once per session (12 s); ask for it only in tests marked `live`.

    `tests.live` has what goes with it.
    """
    from deployments.prefect_server import prefect_server

    with prefect_server(tmp_path_factory.mktemp("live") / "prefect", ui=True) as server:
        server.wait()
        yield server
