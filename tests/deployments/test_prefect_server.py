"""The one file of Prefect's settings: names that Prefect knows, values that it takes as they are meant."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from deployments import prefect_server as module
from deployments.prefect_server import free_port, is_free, prefect_variables, server_settings, without_own_settings


def test_prefect_knows_every_name_of_the_file() -> None:
    from prefect.settings import Settings
    from prefect.settings.legacy import _get_valid_setting_names

    names = {name for name in server_settings() if name.startswith("PREFECT_")}
    assert names
    assert names <= _get_valid_setting_names(Settings)


def test_prefect_takes_the_values_as_they_are_meant(tmp_path: Path) -> None:
    """The batches, the leases on disk and the retention, as Prefect itself reads them."""
    ask = (
        "from prefect.settings import get_current_settings as s; e = s().server; v = e.services.db_vacuum;"
        "print(e.services.task_run_recorder.batch_size, e.concurrency.lease_storage.rpartition('.')[2],"
        "sorted(v.enabled_vacuum_types), v.retention_period.days,"
        "v.event_retention_overrides['prefect.flow-run.heartbeat'].days, s().flows.heartbeat_frequency)"
    )
    said = subprocess.run(
        [sys.executable, "-c", ask], env=prefect_variables(1, tmp_path), capture_output=True, text=True, check=True
    )
    assert said.stdout.split("\n")[0] == "200 filesystem ['events', 'flow_runs', 'orphans'] 90 1 30"


def test_nothing_of_a_persons_own_desk_or_prefect_is_passed_on() -> None:
    own = {"REVER_API_KEY": "real", "rever_group": "g", "PREFECT_API_URL": "http://prefect.example", "PATH": "/bin"}
    assert without_own_settings(own) == {"PATH": "/bin"}


EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_a_free_port_can_be_listened_on() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)
    assert is_free(port)


def test_it_is_none_that_is_wanted_for_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    two = range(free_port(), 32_000)[:2]
    monkeypatch.setattr(module, "_PORTS", two)
    monkeypatch.setattr(module, "_TRIES", 2)
    assert free_port(besides={two[0]}) == two[1]


@pytest.mark.skipif(not EPHEMERAL.exists(), reason="only Linux tells which these are")
def test_no_outgoing_connection_is_given_it() -> None:
    assert max(module._PORTS) < int(EPHEMERAL.read_text().split()[0])


def test_it_says_so_where_none_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(module, "_PORTS", range(port, port + 1))
        monkeypatch.setattr(module, "_TRIES", 1)
        with pytest.raises(OSError, match="is free"):
            free_port()
