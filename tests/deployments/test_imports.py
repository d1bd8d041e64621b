"""Each program can be imported first, in a process of its own: no circle of imports hides behind another's order."""

import subprocess
import sys

import pytest

PROGRAMS = (
    "bootstrap.command",
    "cli.ledger_care",
    "demo.play",
    "doctor.command",
    "lane.lane",
    "receiver.app",
    "receiver.inbox_care",
    "up.command",
)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_can_be_imported_first(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import deployments.{program}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
