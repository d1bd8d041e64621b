"""What a person sees while a run goes: lines where stderr is no terminal, a bar where it is one."""

import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.cli.run import shown_progress
from rever_api.sandbox import RunningSandbox
from tasks.reporting.report import Mode, Progress, ReturnsReport
from tests.world import Start


def test_where_there_is_no_terminal_it_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    begun = [ReturnsReport("process-pending-returns", mode=Mode.ACT, progress=Progress(found=2000, done=1200))]
    with shown_progress(begun, every_s=0.01):
        until = time.monotonic() + 10
        said = ""
        while "\n" not in said and time.monotonic() < until:
            said += capsys.readouterr().err
    assert said.splitlines()[0] == "process-pending-returns: 1,200 of 2,000 returns"


def test_a_run_that_has_found_nothing_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress([ReturnsReport("x", mode=Mode.ACT)], every_s=0.001):
        time.sleep(0.05)
    assert capsys.readouterr().err == ""


def test_in_a_terminal_it_is_a_bar_and_stdout_has_the_report_alone(
    start_sandbox: Callable[..., RunningSandbox], tmp_path: Path
) -> None:
    rever = start_sandbox(returns=40)
    ours, theirs = pty.openpty()
    environment = {
        **os.environ,
        "REVER_BASE_URL": rever.base_url,
        "REVER_API_KEY": rever.api_key,
        "REVER_STORES": ",".join(rever.stores),
        "REVER_LEDGER_URL": f"sqlite:///{tmp_path / 'ledger.sqlite'}",
        "REVER_RATE": "15",  # also a busy machine asks for more than that
        "COLUMNS": "120",
        "TERM": "xterm",
    }
    command = [sys.executable, "-m", "deployments.cli", "run", "process-pending-returns", "mode=act", "--no-prefect"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment, cwd=tmp_path) as run:
        os.close(theirs)
        shown = b""
        while True:
            try:
                read = os.read(ours, 4096)
            except OSError:  # the other side of a terminal is closed
                break
            if not read:
                break
            shown += read
        out = run.stdout.read().decode() if run.stdout else ""
    os.close(ours)
    assert run.returncode == 0
    said = shown.decode()
    assert "━" in said
    assert " returns, paid " in said
    assert "for the rate limit" in said
    assert out.startswith("process-pending-returns (act)")
    assert "━" not in out


@pytest.mark.parametrize("mode", ["plan", "act"])
def test_at_the_end_of_a_run_all_that_was_found_is_done(start_world: Start, mode: str) -> None:
    world = start_world(returns=80)
    report = world.run("process-pending-returns", mode=mode)
    assert report.progress.done == report.progress.found == report.seen
    assert report.progress.paid == (report.paid if mode == "act" else {})


def test_no_more_is_found_than_is_asked_for(start_world: Start) -> None:
    report = start_world(returns=80).run("process-pending-returns", mode="act", max_returns="7")
    assert (report.progress.found, report.progress.done) == (7, 7)
