"""What `up` prints once all is there: the addresses, where things are kept, and what to do next."""

from pathlib import Path

from deployments.up.desk import Desk
from deployments.up.parts import Parts


def page(desk: Desk, parts: Parts, logs: Path, *, workers: int, seconds: float) -> str:
    """The whole page, for a terminal."""
    rows = [("Prefect", parts.prefect, "every run and its steps, the forms of the flows, schedules, holds")]
    if desk.receives:
        rows += [("receiver", parts.webhooks, "takes REVER's webhooks; /health and /metrics beside it")]
    if desk.sandbox:
        rows += [("sandbox", parts.sandbox_url, "a local REVER with returns in every state; /_sandbox/audit judges")]
    rows += [("fast lane", "", "runs process-return at once"), _workers(workers)]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    table = [f"  {name:<{widths[0]}}  {address:<{widths[1]}}  {what}" for name, address, what in rows]
    head = f"The desk is up, after {seconds:.0f} s."
    end = ["", "Ctrl-C ends it all.", ""]
    return "\n".join(["", head, "", *table, "", *_kept(desk, logs), "", *_next(desk, parts), *end])


def _workers(number: int) -> tuple[str, str, str]:
    return ("worker", "", "runs all other flows") if number == 1 else (f"{number} workers", "", "run all other flows")


def _kept(desk: Desk, logs: Path) -> list[str]:
    lines = [f"  logs      {logs}"]
    if desk.sandbox:
        lines += [f"  all else  {desk.folder} (made anew at each start: a new sandbox knows nothing of the last)"]
    if desk.auth:
        lines += ["  password  user and password are those of PREFECT_SERVER_API_AUTH_STRING"]
    return lines


def _next(desk: Desk, parts: Parts) -> list[str]:
    if not desk.sandbox:
        lines = ["Schedules carry out what is due at this account (mode=act). `rever-returns stop` stops all effects."]
        return lines if desk.receives else [*lines, "No receiver: REVER_WEBHOOK_SECRETS is not set."]
    return [
        "Next:",
        f"  1. {parts.prefect}/deployments: the flows run by schedule; run one by hand, with its form.",
        "  2. In another terminal, with this desk's variables:",
        f"         set -a; . {desk.variables}; set +a",
        "         rever-returns holds                # what waits for a person",
        f"         rever-returns webhook send --url '{parts.webhooks}'   # an event, signed as REVER signs it",
    ]
