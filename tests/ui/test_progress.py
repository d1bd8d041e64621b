"""A run of 5,000 returns, watched by a person in Prefect's UI while it goes."""

import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import TimeoutError as PageTimeoutError

from deployments.prefect_server import PrefectServer
from rever_api.sandbox import RunningSandbox
from tests.live import environment
from tests.ui.browser import log_in, opened_page, picture
from tests.ui.desks import wait_until

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]

KEY = "process-pending-returns-progress"


def test_the_progress_of_a_run_of_5000_returns_is_seen(
    live_server: PrefectServer, start_sandbox: Callable[..., RunningSandbox], tmp_path: Path
) -> None:
    rever = start_sandbox(returns=5000)
    settings = {
        "REVER_BASE_URL": rever.base_url,
        "REVER_API_KEY": rever.api_key,
        "REVER_STORES": ",".join(rever.stores),
        "REVER_LEDGER_URL": f"sqlite:///{tmp_path / 'ledger.sqlite'}",
    }
    command = [sys.executable, "-m", "deployments.cli", "run", "process-pending-returns", "mode=act"]
    log = tmp_path / "run.log"
    run: subprocess.Popen[bytes] | None = None
    try:
        auth = live_server.variables["PREFECT_API_AUTH_STRING"]
        with opened_page(live_server.address, auth) as page:
            # The browser is there first: the run takes half a minute, and may be over before a browser has started.
            with log.open("w") as stderr:
                run = subprocess.Popen(
                    command, env=environment(live_server, settings), cwd=tmp_path, stdout=subprocess.PIPE, stderr=stderr
                )
            progress = f"{live_server.address}/v2/artifacts/key/{KEY}"
            page.goto(progress)
            shown = page.get_by_text(re.compile(r"[\d,]+ of [\d,]+ returns, paid ")).first

            def seen() -> bool:
                # The page asks for the artifact after it has loaded: on a busy machine that takes seconds.
                with suppress(PageTimeoutError):
                    shown.wait_for(timeout=5_000)
                    return True
                # Prefect's page forgets the password where its first call fails: also one that a reload cuts off.
                if page.locator("input[type=password]").is_visible():
                    log_in(page, auth)
                page.goto(progress)
                return False

            wait_until(seen, "the progress to be seen")
            said = shown.inner_text()
            picture(page, "progress of a run")
            assert run.poll() is None, f"the run was over before: {said}"
        out = run.communicate(timeout=600)[0].decode()
    finally:
        if run is not None:
            run.kill()
            run.wait()
    assert run.returncode == 0, log.read_text()[-2000:]
    done, found = (int(number.replace(",", "")) for number in re.findall(r"([\d,]+) of ([\d,]+) returns", said)[0])
    assert 0 < done < found
    assert re.search(r"^process-pending-returns: [\d,]+ of [\d,]+ returns", log.read_text(), re.MULTILINE)
    assert "act" in out
    assert not rever.audit().violations
