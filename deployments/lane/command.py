"""`rever-returns lane`: the lane as a process, ended by signals."""

import asyncio
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from deployments.console.errors import UsageError
from deployments.console.logs import log_to_stderr


def run_lane(*, name: str, at_once: int, grace_s: float, debug: bool) -> None:
    """Execute the runs of the fast lane's pool until SIGTERM or Ctrl-C; a second one cuts short what still runs.

    Raises `UsageError` or `SettingsError` where nothing could be executed, `DeskError` for Prefect's server.
    """
    from tasks.settings import load_settings

    load_settings()  # a wrong setting is an error now, not in the first run
    log_to_stderr(debug=debug)
    from prefect.settings import PREFECT_API_URL

    from deployments.lane.lane import Lane, LaneSettings

    if not PREFECT_API_URL.value():
        raise UsageError("PREFECT_API_URL is not set: say where Prefect's server is, as http://127.0.0.1:4200/api.")
    lane = Lane(LaneSettings(name or f"lane {socket.gethostname()} {os.getpid()}", at_once, grace_s=grace_s))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: lane.end())
    # Not in the main thread: there Prefect's engine takes SIGTERM for itself while a run is on.
    with ThreadPoolExecutor(1, "lane") as thread:
        thread.submit(copy_context().run, asyncio.run, lane.serve()).result()
