"""A store's search, batch by batch: a list that broke, or was cut off, is no list that came to its end."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rever_api.errors import OutcomeUnknown
from rever_api.models import ReturnProcess
from tasks.desk import Desk
from tasks.fetch_returns import PendingReturns
from tasks.reporting.report import RunReport

NOW = datetime(2026, 3, 1, tzinfo=UTC)


async def test_a_search_that_was_cut_off_does_not_pass_for_one_that_is_over() -> None:
    """Prefect tries a step again that took too long: what the list would have shown then must not be left out."""
    stuck = asyncio.Event()

    async def walk(*_: Any) -> AsyncIterator[ReturnProcess]:
        yield ReturnProcess(rever_process_id="retp_1", rever_process_status="RUNNING", return_line_items=())
        stuck.set()
        await asyncio.Event().wait()

    rever = SimpleNamespace(walk_return_processes=walk)
    desk = cast("Desk", SimpleNamespace(client=rever, clock=lambda: NOW, report=RunReport("x")))
    pending = PendingReturns(desk, "acme")
    taking = asyncio.ensure_future(pending.next_batch())
    await stuck.wait()
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    with pytest.raises(OutcomeUnknown, match="cut off"):
        await pending.next_batch()
    assert not pending.more
