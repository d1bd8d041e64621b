"""`rever-returns bootstrap`: set a Prefect server up, or say what would be done."""

import asyncio
from collections import Counter
from pathlib import Path

from deployments.bootstrap.bootstrap import bootstrap
from deployments.bootstrap.change import Change, Outcome
from deployments.bootstrap.prefect_file import PREFECT_FILE
from deployments.bootstrap.server import server
from deployments.console.errors import print_out


def bootstrap_server(*, check: bool, wait_s: float, file: Path | None) -> int:
    """Do it and print the account. Answers the exit code: 1 where `check` found something to do."""
    changes = asyncio.run(_bootstrap(check=check, wait_s=wait_s, file=file or PREFECT_FILE))
    for change in changes:
        print_out(change.line(check=check))
    print_out(_summary(changes, check=check))
    return 1 if check and any(change.outcome is not Outcome.LEFT for change in changes) else 0


async def _bootstrap(*, check: bool, wait_s: float, file: Path) -> list[Change]:
    async with server(wait_s) as client:
        return await bootstrap(client, check=check, file=file)


def _summary(changes: list[Change], *, check: bool) -> str:
    count = Counter(change.outcome for change in changes)
    made, changed, left = (count[outcome] for outcome in Outcome)
    if check:
        return f"{made} to make, {changed} to change, {left} as they should be"
    return f"{made} made, {changed} changed, {left} left"
