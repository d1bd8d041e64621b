"""`rever-returns run`: one flow in this process, its report on stdout, everything else on stderr."""

import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout

from deployments.cli.logs import log_to_stderr
from deployments.cli.parameters import split_pairs


def run_one(flow: str, pairs: Sequence[str], *, as_json: bool, prefect: bool, debug: bool = False) -> int:
    """Run `flow` and print its report. Answers the exit code: 1 where the run counts as failed."""
    from tasks.settings import load_settings

    values = split_pairs(pairs)
    load_settings()  # what is wrong with them is said now, not once Prefect is up
    log_to_stderr(debug=debug)
    # Whoever prints meanwhile (a library, a notice of Prefect's) must not spoil the one object on stdout.
    with redirect_stdout(sys.stderr):
        from flows.run import run_flow
        from flows.timed import RunFailedError

        try:
            report = run_flow(flow, values, prefect=prefect)
        except RunFailedError as failed:
            report = failed.report
    print(json.dumps(report.as_json(), ensure_ascii=False) if as_json else "\n".join(report.lines()))
    return 1 if report.failed else 0
