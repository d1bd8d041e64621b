"""The one file of Prefect's settings: names that Prefect knows, values that it takes as they are meant."""

import subprocess
import sys
from pathlib import Path

from deployments.prefect_server import prefect_variables, server_settings, without_own_settings


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
