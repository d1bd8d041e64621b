"""`rever-returns up` for real: all of it comes up, answers, hides its secrets, mends itself, and leaves nothing."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from dotenv import dotenv_values

from deployments.prefect_server import without_own_settings
from tests.ui.desks import wait_until
from tests.ui.running_up import UP_WITHIN_S, Up, running_up

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]

PASSWORD = "a-password-nobody-may-see"
DOWN_WITHIN_S = 120.0


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with running_up(tmp_path, PREFECT_SERVER_API_AUTH_STRING=f"admin:{PASSWORD}") as running:
        yield running


def test_up_and_down(up: Up) -> None:
    seconds = up.wait_for("The desk is up", UP_WITHIN_S)
    print(f"up after {seconds:.0f} s")
    for part, path in {"Prefect": "/", "receiver": "/health", "sandbox": "/_sandbox/audit"}.items():
        assert httpx.get(f"{up.address(part)}{path}", trust_env=False).status_code == httpx.codes.OK, part
    api = f"{up.address('Prefect')}/api/flow_runs/count"
    token = f"{up.address('Prefect')}/api/csrf-token?client=test"
    assert httpx.get(token, trust_env=False).status_code == httpx.codes.UNAUTHORIZED
    known = httpx.get(token, trust_env=False, auth=("admin", PASSWORD)).raise_for_status().json()
    headers = {"Prefect-Csrf-Token": known["token"], "Prefect-Csrf-Client": "test"}
    statuses = [
        httpx.post(api, json={}, trust_env=False, auth=auth, headers=more).status_code
        for auth, more in [(None, {}), (None, headers), (("admin", PASSWORD), {}), (("admin", PASSWORD), headers)]
    ]
    assert statuses == [httpx.codes.FORBIDDEN, httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN, httpx.codes.OK]

    _a_lane_that_dies_is_started_again(up)
    _another_up_in_the_folder_is_refused(up)

    up.pause_schedules()
    family = up.family()
    began = time.monotonic()
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(DOWN_WITHIN_S) == 130
    print(f"down after {time.monotonic() - began:.1f} s; {len(family)} processes")
    assert [child for child in family if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []
    assert "was killed" not in up.text

    variables = dotenv_values(up.folder / ".up" / "sandbox" / "desk.env")
    secrets = [PASSWORD, variables["REVER_API_KEY"], variables["REVER_WEBHOOK_SECRETS"]]
    logs = [log for log in (up.folder / ".up" / "logs").iterdir() if log.name != "sandbox.log"]  # greets with its key
    shown = [up.folder / "printed", *logs]
    assert {"Prefect.log", "receiver.log", "bootstrap.log", "fast-lane.log", "worker-1.log"} <= {f.name for f in logs}
    assert [(file.name, secret) for file in shown for secret in secrets if secret and secret in file.read_text()] == []


def _a_lane_that_dies_is_started_again(up: Up) -> None:
    up.child("lane", "--name").kill()
    up.wait_for("fast lane has ended: exit code -9; started again in 1 s", 60)
    wait_until(
        lambda: (up.folder / ".up/logs/fast-lane.log").read_text().count("takes the runs") == 2, "a new lane", 180
    )


def _another_up_in_the_folder_is_refused(up: Up) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "deployments.cli", "up"], cwd=up.folder, capture_output=True, text=True, check=False,
        env=without_own_settings(os.environ),
    )  # fmt: skip
    assert second.returncode == 2
    assert "runs in this folder already" in second.stderr
