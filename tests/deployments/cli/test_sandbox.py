"""The sandbox by itself, as a process of its own."""

import signal
import socket
import subprocess
import sys

import httpx
import pytest

from tests.deployments.cli.conftest import Call


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_until_it_is_stopped(ending: signal.Signals) -> None:
    port = free_port()
    command = [sys.executable, "-c", "from deployments.cli import main; main()", "sandbox", f"--port={port}"]
    with subprocess.Popen(
        [*command, "--returns=3"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout
        assert f"http://127.0.0.1:{port}" in running.stdout.readline()
        found = httpx.get(f"http://127.0.0.1:{port}/v1/processes", headers={"x-rever-api-key": "sandbox-key"})
        running.send_signal(ending)
        _, err = running.communicate(timeout=20)
    assert found.status_code == 200
    assert len(found.json()["processes"]) == 3
    assert running.returncode in {0, 130}
    assert "Traceback" not in err


@pytest.mark.parametrize("wrong", [("--faults", "nonsense"), ("--shops", "nowhere"), ("--shops", ",")])
def test_what_it_does_not_know_is_wrong_usage(call: Call, wrong: tuple[str, str]) -> None:
    ended = call("sandbox", *wrong)
    assert (ended.code, ended.out) == (2, "")
    assert wrong[1].strip(",") in ended.err


def test_a_port_that_is_taken_is_a_sentence(call: Call) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        ended = call("sandbox", "--port", str(held.getsockname()[1]))
    assert ended.code == 2
    assert "is taken, perhaps by another sandbox: choose one with --port" in ended.err
