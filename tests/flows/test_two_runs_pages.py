"""The page of open holds of two runs that end at the same time: what stays is what is open."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from flows import in_prefect
from tasks.desk import open_desk
from tasks.in_prefect.ui_links import NO_LINKS
from tasks.ledger import Actor
from tasks.reporting.report import Mode, ReturnsReport
from tasks.settings import load_settings
from tests.world import Start, World


def held(start_world: Start, tmp_path: Path) -> World:
    """A world in which each refund of acme waits for a person."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("default: {guards: {max_refund: {EUR: '1'}}}\n")
    world = start_world(
        {"REVER_POLICY": str(policy)}, shops=("acme",), returns=3, scenarios=("approved_one",)
    )  # fmt: skip
    world.act()
    assert len(world.holds()) == 3
    return world


async def test_a_write_that_lands_over_that_of_another_run_is_followed_by_what_is_open_then(
    start_world: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One hold is answered, and the page of that run is written, while this run's older page is on its way."""
    world = await asyncio.to_thread(held, start_world, tmp_path)
    answered, *others = world.holds()
    said = {"answer": "drop", "by": "olga", "reason": "x", "version": str(answered.version)}
    page, writes = "", list[str]()

    async def write(_client: Any, store: str, content: str) -> UUID:
        nonlocal page
        writes.append(store)
        if len(writes) == 1:
            await asyncio.to_thread(world.run, "answer-hold", mode="act", hold_id=answered.hold_id, **said)
            await in_prefect._write_page(client, desk, "acme", NO_LINKS, ())
            assert answered.hold_id not in page
        page = content
        return uuid4()

    monkeypatch.setattr(in_prefect, "write_holds", write)
    client: Any = None
    report = ReturnsReport("process-pending-returns", mode=Mode.ACT)
    async with open_desk(load_settings(), report, Actor("process-pending-returns", "")) as desk:
        await in_prefect._write_page(client, desk, "acme", NO_LINKS, ())
    assert {hold.hold_id for hold in world.holds()} == {hold.hold_id for hold in others}
    assert answered.hold_id not in page
    assert all(hold.hold_id in page for hold in others)
    assert len(writes) == 3, "this run's old page, the other run's, and this run's once more"
