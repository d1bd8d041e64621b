"""The demo's worker, a process of its own: runs flows one after another for real, in Prefect, and prints their reports.

`python -m deployments.demo.worker FLOW...`, with `REVER_*` in the environment. One JSON object per flow and line on
stdout, as `rever-returns run FLOW mode=act --json` prints it; logs go to stderr. Exit codes are the command line's.
"""

import sys
from collections.abc import Sequence

import typer

from deployments.cli.run import run_one
from deployments.console.errors import errors_as_sentences


def main(flows: Sequence[str]) -> int:
    """Run these flows with mode `act`; answers the first exit code that is not 0, and runs no flow after it."""
    try:
        with errors_as_sentences(debug=False):
            for flow in flows:
                code = run_one(flow, ["mode=act"], as_json=True, prefect=True)
                sys.stdout.flush()
                if code:
                    return code
    except typer.Exit as ended:
        return ended.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
