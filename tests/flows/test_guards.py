"""The guards from the flow's side: what trips holds, what goes out stays within the caps, an answer waives it once."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from rever_api.sandbox.state import Effect
from tasks.ledger import HoldRow
from tests.world import Start, World


def policy(folder: Path, guards: str) -> dict[str, str]:
    """The setting that names a policy file with these guards."""
    file = folder / "policy.toml"
    file.write_text(f"[default.guards]\n{guards}\n")
    return {"REVER_POLICY": str(file)}


def refunds(world: World) -> list[Effect]:
    return [effect for effect in world.sandbox.books.effects if effect.by == "api" and effect.amount is not None]


def rows(world: World, query: str) -> list[Any]:
    """What the ledger's tables say, asked past its own code."""
    return world.read(lambda conn: list(conn.execute(text(query))))


def held(world: World, rule: str) -> list[HoldRow]:
    return [hold for hold in world.holds() if hold.rule == rule]


def retry(world: World, hold: HoldRow) -> None:
    world.run("answer-hold", mode="act", hold_id=hold.hold_id, version=str(hold.version), answer="retry", by="olga")


def test_a_refund_above_the_cap_is_held_and_an_answer_lets_just_that_one_pass(
    start_world: Start, tmp_path: Path
) -> None:
    world = start_world(policy(tmp_path, 'max_refund = { EUR = "60", SEK = "600" }'))
    world.act()
    caps = {"EUR": Decimal(60), "SEK": Decimal(600)}
    assert refunds(world)
    assert all(effect.amount <= caps[effect.currency] for effect in refunds(world) if effect.amount)
    waiting = held(world, "guard:max_refund")
    assert len(waiting) > 1
    assert all(hold.amount and Decimal(hold.amount) > caps[hold.currency] for hold in waiting)
    first, before = waiting[0], len(refunds(world))
    retry(world, first)
    [paid] = refunds(world)[before:]
    assert (paid.process_id, paid.amount) == (first.process_id, Decimal(first.amount or "0"))
    world.act()
    assert len(held(world, "guard:max_refund")) >= len(waiting) - 1
    assert len(refunds(world)) == before + 1
    assert world.sandbox.audit().violations == ()
    world.run("reconcile", mode="act")
    assert world.sandbox.audit().forgotten(world.explained()) == ()


def test_a_days_cap_is_never_passed_by_returns_paid_at_the_same_time(start_world: Start, tmp_path: Path) -> None:
    world = start_world(policy(tmp_path, 'max_per_day = { EUR = "200", SEK = "3000" }'), returns=120)
    world.act()
    world.act()
    totals = world.paid()
    assert Decimal(100) < totals["EUR"] <= Decimal(200)
    assert totals["SEK"] <= Decimal(3000)
    assert held(world, "guard:max_per_day")
    world.run("reconcile", mode="act")
    assert world.sandbox.audit().forgotten(world.explained()) == ()


def test_an_unknown_outcome_counts_and_a_refused_one_is_given_back(start_world: Start, tmp_path: Path) -> None:
    """Each refund that may have been made counts against the cap, until it is known that it was not."""
    world = start_world(
        policy(tmp_path, 'max_per_day = { EUR = "100", SEK = "100000" }'),
        faults="issueRefund:1:error_500_before,issueRefund:2:conflict_409,issueRefund:3:conflict_409",
        shops=("acme",),
        returns=60,
    )
    report = world.act()
    assert report.outcomes["refused"] >= 1
    counted = Decimal(rows(world, "SELECT sum(amount_e4) FROM store_days")[0][0]) / 10_000
    sent = world.paid().get("EUR", Decimal(0))
    [(open_amount,)] = rows(world, "SELECT coalesce(sum(amount), 0) FROM intents WHERE state = 'unknown'")
    assert counted == sent + Decimal(str(open_amount))
    assert counted <= 100


def test_a_shopper_is_refunded_so_often_and_then_held(start_world: Start, tmp_path: Path) -> None:
    world = start_world(policy(tmp_path, "max_refunds_per_shopper = 1\nshopper_window_days = 30"))
    with world.sandbox.sandbox.locked():
        for stored in world.sandbox.sandbox.processes.values():
            assert stored.process.shopper
            same = stored.process.shopper.model_copy(update={"email": "same.person@example.com"})
            stored.process = stored.earlier = stored.process.model_copy(update={"shopper": same})
    world.act()
    world.act()
    assert len(refunds(world)) == 1
    waiting = held(world, "guard:max_refunds_per_shopper")
    assert len(waiting) > 5
    assert "same.person" not in str(waiting)
    retry(world, waiting[0])
    assert [effect.process_id for effect in refunds(world)[1:]] == [waiting[0].process_id]


@pytest.mark.parametrize(
    ("at", "madrid"),
    [
        (datetime(2026, 6, 30, 21, 59, tzinfo=UTC), date(2026, 6, 30)),
        (datetime(2026, 6, 30, 22, 1, tzinfo=UTC), date(2026, 7, 1)),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), date(2026, 10, 25)),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), date(2026, 10, 25)),
    ],
)
def test_the_day_of_a_cap_is_the_stores_own(start_world: Start, tmp_path: Path, at: datetime, madrid: date) -> None:
    """Two minutes around midnight in Madrid are two days, whatever UTC says; the doubled hour is one day."""
    world = start_world(policy(tmp_path, 'max_per_day = { EUR = "1000000" }'), shops=("acme",), returns=8)
    world.clock = lambda: at
    world.act()
    assert [row[0] for row in rows(world, "SELECT day FROM store_days")] == [madrid.isoformat()]
