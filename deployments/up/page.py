"""What `up` prints once all is there: the addresses, where things are kept, and what to do next."""

from pathlib import Path
from shlex import quote

from deployments.prefect_server import CLIENT_AUTH, SERVER_AUTH
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
    kept = [*_kept(desk, logs), "", *_log_in(desk)]
    return "\n".join(["", head, "", *table, "", *kept, "", *_next(desk, parts), *end])


def _workers(number: int) -> tuple[str, str, str]:
    return ("worker", "", "runs all other flows") if number == 1 else (f"{number} workers", "", "run all other flows")


def _kept(desk: Desk, logs: Path) -> list[str]:
    lines = [f"  logs      {logs}"]
    if desk.sandbox:
        lines += [f"  all else  {desk.folder} (made anew at each start: a new sandbox knows nothing of the last)"]
    where = desk.password or f"what you have set as {SERVER_AUTH} or {CLIENT_AUTH}"
    return [*lines, f"  password  {where}"]


def _log_in(desk: Desk) -> list[str]:
    """How to get in. The password itself is in no terminal's history, and in no log."""
    whole = f"the one line of {desk.password}" if desk.password else "it, whole"
    return [
        f"Prefect's UI asks for a password, once a browser: type {whole} (user:password).",
        "In another terminal, with what it needs to be let in:",
        f"  set -a; . {quote(str(desk.variables))}; set +a",
    ]


def _next(desk: Desk, parts: Parts) -> list[str]:
    if not desk.sandbox:
        lines = ["Schedules carry out what is due at this account (mode=act). `rever-returns stop` stops all effects."]
        return lines if desk.receives else [*lines, "No receiver: REVER_WEBHOOK_SECRETS is not set."]
    return [
        "Next:",
        f"  1. {parts.prefect}/deployments: the flows run by schedule; run one by hand, with its form.",
        "  2. In that other terminal:",
        "         rever-returns holds                # what waits for a person, once a flow",
        "                                            # has run with mode=act: until then there is no ledger",
        f"         rever-returns webhook send --url '{parts.webhooks}'   # an event, signed as REVER signs it",
    ]
