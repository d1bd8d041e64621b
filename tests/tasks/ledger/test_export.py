"""Exports and erasure: everything that explains the money, and nobody's name."""

import csv
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from tasks.ledger import Forgotten, Format, LedgerError, check, decide, export, forget_email, forget_return, open_holds
from tasks.ledger.schema import shopper_refunds, shoppers
from tasks.policy.parcel import ParcelLine
from tasks.policy.store import Guards
from tests.tasks.ledger.desk import APPROVAL, FLOW, NOON, LedgerDesk, always, request


@pytest.mark.parametrize("form", Format)
def test_every_table_is_written_with_money_as_text(desk: LedgerDesk, tmp_path: Path, form: Format) -> None:
    claim = desk.sent("p1")
    desk.done(claim)
    desk.one("p2", always(APPROVAL))
    written = desk.ledger.read(export, tmp_path / "new" / "out", form)
    assert written == {
        f"{name}.{form}": many
        for name, many in {
            "records": 2,
            "lines": 1,
            "intents": 1,
            "units": 1,
            "order_shipping": 0,
            "holds": 1,
            "waivers": 0,
            "audit": 6,
            "chains": 2,
            "shadow": 0,
            "files": 0,
            "parcels": 0,
            "parcel_changes": 0,
            "label_files": 0,
        }.items()
    }
    text = (tmp_path / "new" / "out" / f"intents.{form}").read_text()
    (row,) = (
        [json.loads(line) for line in text.splitlines()] if form is Format.JSONL else csv.DictReader(text.splitlines())
    )
    assert (row["amount"], row["state"], row["process_id"]) == ("10.00", "done", "p1")
    assert row["closed_at"] == NOON.isoformat()
    everything = "".join(path.read_text() for path in (tmp_path / "new" / "out").iterdir())
    assert claim.token not in everything
    assert "ann@example.test" not in everything
    (hashed,) = desk.ledger.read(lambda conn: conn.execute(select(shopper_refunds.c.hash)).scalars().all())
    assert hashed not in everything


def test_a_cell_is_never_a_formula(desk: LedgerDesk, tmp_path: Path) -> None:
    desk.one("=cmd()", always(APPROVAL))
    desk.ledger.read(export, tmp_path / "out", Format.CSV)
    (row,) = csv.DictReader((tmp_path / "out" / "records.csv").read_text().splitlines())
    assert row["process_id"] == "'=cmd()"


def test_an_export_overwrites_nothing(desk: LedgerDesk, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(LedgerError, match="not empty"):
        desk.ledger.read(export, tmp_path / "out", Format.CSV)
    with pytest.raises(LedgerError, match="cannot be written"):
        desk.ledger.read(export, tmp_path / "out" / "mine", Format.CSV)


def hashes(desk: LedgerDesk) -> int:
    def count(conn: Connection) -> int:
        return sum(len(conn.execute(select(table.c.hash)).all()) for table in (shoppers, shopper_refunds))

    return desk.ledger.read(count)


@pytest.mark.parametrize("by_return", [True, False])
def test_a_shopper_is_forgotten_and_the_books_stay(desk: LedgerDesk, *, by_return: bool) -> None:
    capped: dict[str, Any] = {"guards": Guards(max_refunds_per_shopper=1)}
    desk.done(desk.sent("p1", email="Bob@Example.test ", **capped))
    before = desk.history("p1").intents
    assert desk.one("p2", email="bob@example.test", **capped).decision.rule == "guard:max_refunds_per_shopper"
    desk.done(desk.sent("p3", email="eve@example.test", **capped))
    if by_return:
        assert desk.ledger.write(forget_return, "p1", now=NOON, actor=FLOW).refunds == 1
    else:
        assert desk.ledger.write(forget_email, " BOB@example.TEST", now=NOON, actor=FLOW).refunds == 1
    assert hashes(desk) == 2  # the other shopper's
    assert desk.history("p1").intents == before
    assert desk.ledger.read(check, now=NOON).findings == ()
    assert desk.claim("p4", email="bob@example.test", **capped)
    assert desk.one("p5", email="eve@example.test", **capped).decision.rule == "guard:max_refunds_per_shopper"


@pytest.mark.parametrize("form", Format)
def test_what_a_hold_tells_of_the_goods_is_in_no_export_and_is_erased(
    desk: LedgerDesk, tmp_path: Path, form: Format
) -> None:
    goods = (ParcelLine("l1", "Linen shirt", "LS-1", 1, "TOO_SMALL", {"DECLINED": 1}, ("worn by Ann",)),)
    for process_id in ("p1", "p2"):
        asked = replace(request(process_id, always(APPROVAL)), parcel=lambda: goods)
        desk.ledger.write(decide, [asked], actor=FLOW, now=NOON, lease=timedelta(seconds=60))
    assert [hold.parcel for hold in desk.ledger.read(open_holds)] == [goods, goods]
    desk.ledger.read(export, tmp_path / "out", form)
    assert "Linen" not in "".join(file.read_text() for file in (tmp_path / "out").iterdir())
    assert "worn" not in str(desk.history("p1").audit)
    gone = desk.ledger.write(forget_return, "p1", now=NOON, actor=FLOW)
    assert (gone.holds, gone.known) == (1, True)
    assert [hold.parcel for hold in desk.ledger.read(open_holds)] == [(), goods]
    assert desk.ledger.read(check, now=NOON).findings == ()
    assert not desk.ledger.write(forget_return, "p1", now=NOON, actor=FLOW).known


def test_a_return_nobody_knows_is_said(desk: LedgerDesk) -> None:
    with pytest.raises(LedgerError, match="nobody is not in the ledger"):
        desk.ledger.write(forget_return, "nobody", now=NOON, actor=FLOW)
    steps = desk.ledger.read(check, now=NOON).steps
    assert desk.ledger.write(forget_email, "never@example.test", now=NOON, actor=FLOW) == Forgotten(0, 0, known=False)
    assert desk.ledger.read(check, now=NOON).steps == steps
