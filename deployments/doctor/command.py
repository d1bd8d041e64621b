"""`rever-returns doctor`: the checks, and with `--openapi` the comparison with REVER's official document."""

import asyncio
import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deployments.doctor import ledger, openapi, prefect, rever, settings, webhook
from deployments.doctor.examination import Examination, Line, Named, State, looked, sound
from rever_api import DEFAULT_BASE_URL
from rever_api.openapi import read_document
from rever_api.openapi_diff import Comparison, compare
from tasks.reporting.printable import json_text

CHECKS = (
    Named("settings", settings.settings),
    Named("endpoints", settings.endpoints),
    Named("REVER", rever.reachable),
    Named("API key", rever.api_key),
    Named("stores", rever.stores, seconds=60),
    Named("policy file", settings.policy, seconds=60),
    Named("shop", rever.shops, seconds=30),
    Named(settings.FILE_MODES, settings.modes),
    Named("rate", rever.rate, seconds=30),
    Named("clock of REVER", rever.clock),
    Named("ledger", ledger.ledger, seconds=15),
    Named("ledger check", ledger.consistency, seconds=60),
    Named("stop switch", ledger.stop_switch),
    Named("restore", ledger.restore),
    Named("another desk", ledger.other_desk),
    Named("paused stores", ledger.pauses),
    Named("open holds", ledger.holds),
    Named(prefect.API, prefect.api, seconds=20),
    Named(prefect.PASSWORD, prefect.password, seconds=20),
    Named("clock of Prefect", prefect.clock),
    Named(prefect.SET_UP, prefect.set_up, seconds=30),
    Named(prefect.LIMITS, prefect.limits),
    Named("credentials", prefect.blocks),
    Named("work pools", prefect.pools),
    Named(prefect.SCHEDULES, prefect.schedules, seconds=20),
    Named("late runs", prefect.late),
    Named("webhook secret", webhook.secret),
    Named("receiver", webhook.receiver),
    Named("inbox", webhook.inbox),
)
"""The checks, one after the other: later ones use what earlier ones found."""


def doctor_says(file: Path | None, *, receiver_url: str = "", credentials: str = "", as_json: bool) -> tuple[str, bool]:
    """The text to print, and whether nothing is broken. Raises `DocumentError` if `file` is no OpenAPI document."""
    document = read_document(file) if file else None
    examination = Examination(receiver_url=receiver_url, credentials=credentials)
    lines = examine(examination=examination)
    compared: Comparison | None = None
    if document is not None:
        settings = examination.found_settings
        base_url = settings.base_url if settings and not settings.loopback else DEFAULT_BASE_URL
        compared = compare(document, examination.found_endpoints, base_url)
        lines.append(openapi.document_line(compared))
    if as_json:
        found = lines_json(lines) | {"openapi": openapi.as_json(compared) if compared else None}
        return json_text(found, indent=2), sound(lines)
    parts = [lines_text(lines), *([openapi.text(compared, str(file))] if compared else [])]
    return "\n\n".join(parts), sound(lines)


def examine(checks: Sequence[Named] = CHECKS, examination: Examination | None = None) -> list[Line]:
    """The lines of all checks. Writes nothing, and raises nothing."""
    about = examination or Examination()

    async def run() -> list[Line]:
        return [line for named in checks for line in await looked(named, about)]

    return asyncio.run(run())


WIDTH = 118

_WHOLE: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}
"""A path or a command is not cut in two."""


def lines_text(lines: Sequence[Line]) -> str:
    """A paragraph for each line, with what to do below it, and the counts at the end."""
    wide = max(len(line.name) for line in lines)
    paragraphs = [_paragraph(line, wide) for line in lines]
    counts = Counter(line.state for line in lines)
    total = ", ".join(f"{counts[state]} {state}" for state in State if counts[state])
    return "\n".join([*paragraphs, "", f"{total}."])


def lines_json(lines: Sequence[Line]) -> dict[str, Any]:
    """`ok` is false if something is broken; `checks` are the lines in their order."""
    checks = [{"name": line.name, "state": str(line.state), "found": line.found, "to_do": line.to_do} for line in lines]
    return {"ok": sound(lines), "checks": checks}


def _paragraph(line: Line, wide: int) -> str:
    head = f"{line.state:<11}  {line.name:<{wide}}  "
    found = textwrap.fill(line.found, WIDTH, initial_indent=head, subsequent_indent=" " * len(head), **_WHOLE)
    if not line.to_do:
        return found
    below = " " * len(head)
    to_do = textwrap.fill(line.to_do, WIDTH, initial_indent=f"{below}-> ", subsequent_indent=f"{below}   ", **_WHOLE)
    return f"{found}\n{to_do}"
