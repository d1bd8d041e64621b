"""`rever-returns run`: one flow in this process, its report on stdout, everything else on stderr."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout

from deployments.cli.errors import out
from deployments.cli.logs import log_to_stderr
from deployments.cli.parameters import split_pairs
from deployments.prefect_settings import LOOPBACK, new_auth


def run_one(flow: str, pairs: Sequence[str], *, as_json: bool, prefect: bool, debug: bool = False) -> int:
    """Run `flow` and print its report. Answers the exit code: 1 where the run counts as failed."""
    from tasks.printable import json_text
    from tasks.settings import load_settings

    values = split_pairs(pairs)
    load_settings()  # what is wrong with them is said now, not once Prefect is up
    log_to_stderr(debug=debug)
    # Whoever prints meanwhile (a library, a notice of Prefect's) must not spoil the one object on stdout.
    with redirect_stdout(sys.stderr):
        from flows.run import run_flow
        from flows.timed import RunFailedError

        try:
            if prefect:
                with _closed_server():
                    report = run_flow(flow, values, prefect=True)
            else:
                report = run_flow(flow, values, prefect=False)
        except RunFailedError as failed:
            report = failed.report
    out(json_text(report.as_json()) if as_json else "\n".join(report.lines()))
    return 1 if report.failed else 0


@contextmanager
def _closed_server() -> Iterator[None]:
    """Have the server that Prefect brings up for a run, where there is none, ask for a password that this run has.

    It listens on 127.0.0.1 for as long as the run takes, and any web page could command it meanwhile.
    """
    from prefect.settings import (
        PREFECT_API_AUTH_STRING,
        PREFECT_API_URL,
        PREFECT_SERVER_API_AUTH_STRING,
        PREFECT_SERVER_CORS_ALLOWED_ORIGINS,
        temporary_settings,
    )

    if PREFECT_API_URL.value():
        yield
        return
    auth = new_auth()
    nobody = {PREFECT_SERVER_CORS_ALLOWED_ORIGINS: f"http://{LOOPBACK}"}
    with temporary_settings({PREFECT_API_AUTH_STRING: auth, PREFECT_SERVER_API_AUTH_STRING: auth, **nobody}):
        yield
