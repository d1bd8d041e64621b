"""What a candidate policy decides otherwise: kept once for each return and candidate, with its beginning and end."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from tasks.ledger import (
    Actor,
    Format,
    Ledger,
    back_up,
    check,
    export,
    forget_return,
    note_shadow,
    open_differences,
    restore,
    shadow_rows,
)
from tasks.ledger.schema import metadata, shadow
from tasks.policy.backtest.differences import Change, Purse
from tasks.policy.decision import DecisionName
from tasks.policy.shadow import Differs, Said
from tests.postgres import ACCOUNT
from tests.tasks.ledger.desk import NOON, LedgerDesk

REFUND = Said(
    DecisionName.REFUND, "on_item_verified", "2 units", MappingProxyType({"GIFT_CARD": Decimal("20.10")}), None, "EUR"
)
HELD = Said(DecisionName.HOLD, "approval", "dear", held=Decimal("20.10"), currency="EUR")
LABEL = Said(DecisionName.LABEL, "label_due", "no label yet", label="SENDCLOUD/DHL (HOME_PICK_UP)")


def differs(process_id: str = "p1", live: Said = REFUND, candidate: Said = HELD, **more: str) -> Differs:
    changes = {Purse("EUR"): {Change.HELD: Decimal("20.10")}, Purse("EUR", goods=True): {Change.LATER: Decimal("5.00")}}
    told = MappingProxyType({purse: MappingProxyType(each) for purse, each in changes.items()})
    return Differs(process_id, more.get("store", "acme"), "#1001", live, candidate, told)


def spans(desk: LedgerDesk, candidate: str = "c1") -> dict[str, tuple[datetime, datetime | None]]:
    return {row.differs.process_id: (row.since, row.until) for row in desk.ledger.read(shadow_rows, candidate)}


def test_what_is_written_is_read_again_to_the_cent(desk: LedgerDesk) -> None:
    other = differs("p2", LABEL, replace(LABEL, label="SENDCLOUD/GLS (HOME_PICK_UP)"))
    desk.ledger.write(note_shadow, "c1", [other, differs()], [], now=NOON)
    found = desk.ledger.read(shadow_rows, "c1")
    assert [row.differs for row in found] == [differs(), other]
    assert {(row.since, row.until, row.looked_at) for row in found} == {(NOON, None, NOON)}


def test_the_beginning_stays_while_they_differ_and_the_last_words_count(desk: LedgerDesk) -> None:
    desk.ledger.write(note_shadow, "c1", [differs()], [], now=NOON)
    later = NOON + timedelta(hours=1)
    desk.ledger.write(note_shadow, "c1", [differs(candidate=LABEL)], [], now=later)
    (row,) = desk.ledger.read(shadow_rows, "c1")
    assert (row.since, row.until, row.looked_at, row.differs.candidate) == (NOON, None, later, LABEL)


def test_one_that_ends_keeps_what_was_said_and_one_that_begins_again_begins_anew(desk: LedgerDesk) -> None:
    desk.ledger.write(note_shadow, "c1", [differs(), differs("p2")], [], now=NOON)
    ends = NOON + timedelta(hours=1)
    desk.ledger.write(note_shadow, "c1", [], ["p1", "unknown"], now=ends)
    assert spans(desk) == {"p1": (NOON, ends), "p2": (NOON, None)}
    assert [row.differs.process_id for row in desk.ledger.read(shadow_rows, "c1")] == ["p2", "p1"]
    assert desk.ledger.read(open_differences, "c1", ["p1", "p2", "p3"]) == {"p2"}
    desk.ledger.write(note_shadow, "c1", [], ["p1"], now=ends + timedelta(hours=1))
    assert spans(desk)["p1"] == (NOON, ends)
    again = ends + timedelta(hours=2)
    desk.ledger.write(note_shadow, "c1", [differs()], [], now=again)
    assert spans(desk)["p1"] == (again, None)


def test_another_candidate_has_rows_of_its_own(desk: LedgerDesk) -> None:
    desk.ledger.write(note_shadow, "c1", [differs()], [], now=NOON)
    desk.ledger.write(note_shadow, "c2", [differs("p2")], ["p1"], now=NOON)
    assert (set(spans(desk, "c1")), set(spans(desk, "c2"))) == ({"p1"}, {"p2"})
    assert spans(desk, "c1")["p1"] == (NOON, None)
    desk.ledger.write(note_shadow, "c2", [differs("p3", store="nordic")], [], now=NOON)
    assert [it.differs.store for it in desk.ledger.read(shadow_rows, "c2", ["nordic"])] == ["nordic"]


SEEN = st.lists(st.tuples(st.sampled_from(["p1", "p2", "p3"]), st.sampled_from(["c1", "c2"]), st.booleans()))


@given(SEEN)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_seen_a_row_begins_with_its_last_unbroken_stretch(
    desk: LedgerDesk, seen: list[tuple[str, str, bool]]
) -> None:
    desk.ledger.write(lambda conn: conn.execute(delete(shadow)))
    known: dict[tuple[str, str], tuple[datetime, datetime | None]] = {}
    for hour, (process_id, candidate, differ) in enumerate(seen):
        now = NOON + timedelta(hours=hour)
        found, alike = ([differs(process_id)], []) if differ else ([], [process_id])
        desk.ledger.write(note_shadow, candidate, found, alike, now=now)
        key = (candidate, process_id)
        if differ:
            since, until = known.get(key, (now, None))
            known[key] = (since if until is None else now, None)
        elif key in known and known[key][1] is None:
            known[key] = (known[key][0], now)
    for candidate in ("c1", "c2"):
        mine = {process_id: span for (of, process_id), span in known.items() if of == candidate}
        assert spans(desk, candidate) == mine


def test_the_rest_of_the_ledger_is_as_it_was(desk: LedgerDesk, tmp_path: Path) -> None:
    desk.done(desk.sent("p1"))
    before = _all_but_shadow(desk)
    desk.ledger.write(note_shadow, "c1", [differs()], [], now=NOON)
    desk.ledger.write(note_shadow, "c1", [], ["p1"], now=NOON)
    assert _all_but_shadow(desk) == before
    assert desk.ledger.read(check, now=NOON).findings == ()
    assert desk.ledger.read(export, tmp_path / "out", Format.JSONL)["shadow.jsonl"] == 1


def _all_but_shadow(desk: LedgerDesk) -> dict[str, list[object]]:
    tables = [table for table in metadata.sorted_tables if table is not shadow]
    return desk.ledger.read(
        lambda conn: {table.name: [tuple(row) for row in conn.execute(select(table))] for table in tables}
    )


def test_a_time_that_is_to_come_is_found_and_an_erasure_leaves_what_names_nobody(desk: LedgerDesk) -> None:
    desk.done(desk.sent("p1"))
    desk.ledger.write(note_shadow, "c1", [differs()], [], now=NOON + timedelta(days=1))
    (found,) = desk.ledger.read(check, now=NOON).findings
    assert (found.rule, "shadow.looked_at" in found.why) == ("ahead", True)
    desk.ledger.write(forget_return, "p1", now=NOON, actor=Actor("olga"))
    assert set(spans(desk)) == {"p1"}


def test_a_backup_has_the_table_and_a_restored_ledger_reads_it(tmp_path: Path, clock: Callable[[], datetime]) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    ledger = Ledger.open(url, account=ACCOUNT, clock=clock)
    ledger.write(note_shadow, "c1", [differs()], [], now=NOON)
    back_up(url, tmp_path / "backup.sqlite")
    ledger.write(note_shadow, "c1", [differs("p2")], ["p1"], now=NOON)
    ledger.close()
    restore(url, tmp_path / "backup.sqlite", account=ACCOUNT, clock=clock, actor=Actor("olga"))
    ledger = Ledger.open(url, account=ACCOUNT, clock=clock)
    assert [row.differs.process_id for row in ledger.read(shadow_rows, "c1")] == ["p1"]
    assert ledger.read(shadow_rows, "c1")[0].until is None
    ledger.close()


@pytest.mark.parametrize("goods", [False, True])
def test_the_purse_of_no_currency_is_read_again(desk: LedgerDesk, goods: bool) -> None:
    odd = replace(differs(), changes=MappingProxyType({Purse("", goods): MappingProxyType({Change.HELD: Decimal(0)})}))
    desk.ledger.write(note_shadow, "c1", [odd], [], now=NOON)
    assert desk.ledger.read(shadow_rows, "c1")[0].differs == odd
