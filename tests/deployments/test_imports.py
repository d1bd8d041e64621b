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


FOREIGN = ("fastapi", "httpx", "pandas", "prefect", "psycopg", "rich", "sqlalchemy", "starlette", "typer", "uvicorn")
"""What takes nearly all of the time of an import, and knows nothing of ours."""

# Each program in a process that was forked before anything of ours was imported.
SCRIPT = """
import importlib, os, sys
foreign, programs = (names.split(",") for names in sys.argv[1:])
for name in foreign:
    importlib.import_module(name)
for program in programs:
    child = os.fork()
    if not child:
        importlib.import_module("deployments." + program)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit(program)
"""


@pytest.mark.slow
def test_each_program_can_be_imported_first() -> None:
    command = [sys.executable, "-c", SCRIPT, ",".join(FOREIGN), ",".join(PROGRAMS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
