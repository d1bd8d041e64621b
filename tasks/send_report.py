"""Send the daily report's totals by mail, chat or webhook, through Apprise. Writes nothing at REVER or in the ledger.

The address is a secret, for whoever knows it may post there: it is in no message, log or error.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from tasks.desk import DeskError, WrongNameError
from tasks.reporting.daily_report import DailyReport

WITHIN_S = 60.0
"""Seconds in which a message must be taken."""

VARIABLE = "REVER_REPORT_URL"


def channel_of(address: SecretStr) -> Any:
    """What sends to an address: Apprise's channel for it; an http(s) address that is none of Apprise's takes JSON.

    Raises `WrongNameError` where nothing can be sent to it.
    """
    from apprise import Apprise  # noqa: PLC0415 - it takes a while, and few runs send

    url = address.get_secret_value().strip()
    if not url:
        raise WrongNameError(f"the report is to be sent, and not said where to: set {VARIABLE}, or leave `send` out")
    as_json = url.replace("https://", "jsons://", 1).replace("http://", "json://", 1)
    with _silent():
        found = Apprise.instantiate(url, suppress_exceptions=True) or Apprise.instantiate(
            as_json, suppress_exceptions=True
        )
    if not found:
        raise WrongNameError(
            f"{VARIABLE} is not an address that a report can be sent to: give an http(s) address that takes JSON, or "
            "one of Apprise's, like mailto://user:password@example.com or slack://..."
        )
    return found


async def send_report(channel: Any, report: DailyReport, page: Path | None = None) -> None:
    """Send the totals as text, with the page attached where there is one and the channel takes it.

    Raises `DeskError` where it was not taken.
    """
    from apprise import Apprise  # noqa: PLC0415

    sender = Apprise()
    sender.add(channel)
    body = "\n".join(report.totals())
    attached = str(page) if page is not None and channel.attachment_support else None
    taken: bool | None = False
    with _silent():
        try:
            async with asyncio.timeout(WITHIN_S):
                taken = await sender.async_notify(title=report.title, body=body, attach=attached)
        except TimeoutError:
            taken = False
    if not taken:
        raise DeskError(f"the report was made, and where {VARIABLE} says it was not taken; look at that address")


@contextmanager
def _silent() -> Iterator[None]:
    """Apprise, and what it calls HTTP with, would log parts of an address."""
    logs = [logging.getLogger(name) for name in ("apprise", "urllib3", "urllib3.connectionpool")]
    before = [log.disabled for log in logs]
    for log in logs:
        log.disabled = True
    try:
        yield
    finally:
        for log, was in zip(logs, before, strict=True):
            log.disabled = was
