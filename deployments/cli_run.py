"""`rever-returns run`: one flow in this process, its report on stdout, everything else on stderr."""

import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout

from deployments.cli_logging import log_to_stderr
from deployments.cli_parameters import checked


def run_one(flow: str, pairs: Sequence[str], *, as_json: bool, prefect: bool, debug: bool = False) -> int:
    """Run `flow` and print its report. Answers the exit code: 1 where the run counts as failed."""
    # Whoever prints meanwhile (a library, a notice of Prefect's) must not spoil the one object on stdout.
    with redirect_stdout(sys.stderr):
        log_to_stderr(debug=debug)
        values = checked(flow, pairs)
        from flows.run import run_flow

        report = run_flow(flow, values, prefect=prefect)
    print(json.dumps(report.as_json(), ensure_ascii=False) if as_json else "\n".join(report.lines()))
    return 1 if report.failed else 0
