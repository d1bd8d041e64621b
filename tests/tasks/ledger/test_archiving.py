"""Old returns move to archives: what is paid stays paid, each step is still there, and nothing else moves."""

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Table, Text, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from tasks.archive_ledger import LedgerArchiving, archive_ledger
from tasks.crash_points import CrashPoint
from tasks.ledger import (
    Actor,
    Answer,
    Archived,
    Done,
    Format,
    Ledger,
    LedgerError,
    Recorded,
    all_parcels_of,
    archive_returns,
    back_up,
    catch_up,
    check,
    effects,
    export,
    forget_return,
    held_returns,
    known_archives,
    move_archives,
    note_shadow,
    past_records,
    plan_archive,
    record_done,
    restore,
    returns_tracked_as,
    shadow_rows,
    stop_switch,
)
from tasks.ledger.archive_files import MOVED
from tasks.ledger.archives import archived_rows
from tasks.ledger.backup import known_since, lineage
from tasks.ledger.schema import audit, intents, parcel_changes, parcels, records, units
from tasks.policy.decision import Nothing
from tasks.policy.record import Replaced
from tasks.policy.tracking import ParcelView
from tests.postgres import ACCOUNT
from tests.tasks.ledger.desk import APPROVAL, FLOW, LABEL, NOON, STORE, Clock, LedgerDesk, always, pay, refund
from tests.tasks.ledger.desk import units as these
from tests.tasks.ledger.tampering import tamper
from tests.tasks.ledger.test_parcels import note, sighting
from tests.tasks.ledger.test_shadow import differs

WINDOW = timedelta(days=400)
BY = Actor("archive-ledger")
OVER = always(Nothing("all_settled", "every unit has its outcome", final=True))
GONE_IN = {each.name for each in MOVED} - {"shadow", "reminders"}


def paid(desk: LedgerDesk, *names: str) -> None:
    """Returns that were paid, whose goods arrived, and that are at their end."""
    for name in names:
        desk.done(desk.sent(name))
        note(desk, sighting(name, "CREATED"))
        note(desk, sighting(name, "IN_WAREHOUSE"))
        desk.one(name, OVER)


def archive(desk: LedgerDesk, folder: Path, *, most: int = 5000) -> Archived:
    return archive_returns(desk.ledger, folder, desk.clock() - WINDOW, clock=desk.clock, actor=BY, most=most)


def findings(desk: LedgerDesk) -> list[str]:
    return [str(found) for found in desk.ledger.read(check, now=desk.clock()).findings]


def many(desk: LedgerDesk, table: Table) -> int:
    return desk.ledger.read(lambda conn: int(conn.execute(select(func.count()).select_from(table)).scalar_one()))


def only_archive(folder: Path) -> Path:
    (found,) = folder.glob("archive-*")
    return found


def test_only_what_is_wholly_over_and_old_moves_and_its_history_is_told_as_before(
    desk: LedgerDesk, tmp_path: Path
) -> None:
    paid(desk, "old", "held", "moving", "seen")
    desk.done(desk.sent("not-final"))
    desk.sent("unknown")
    desk.one("held", always(APPROVAL))
    note(desk, sighting("moving", "IN_WAREHOUSE", "CREATED"))
    desk.clock.forward(days=300)
    paid(desk, "young")
    desk.one("seen", OVER)
    names = ("old", "young", "held", "unknown", "moving", "seen")
    before = {name: desk.history(name) for name in names}
    goods, tracked = desk.ledger.read(all_parcels_of, names), desk.ledger.read(returns_tracked_as, "TRK1")
    desk.clock.forward(days=200)
    plan = desk.ledger.read(plan_archive, desk.clock() - WINDOW)
    steps = len(before["old"].audit)
    assert (plan.returns, plan.of, plan.rows["audit"], plan.rows["parcel_changes"]) == (1, 7, steps, 2)
    assert 0 < plan.moved < plan.size
    moved = archive(desk, tmp_path / "kept")
    assert (moved.returns, moved.rows["audit"], moved.paid) == (1, steps, {"EUR": Decimal("10.00")})
    assert {name: desk.history(name) for name in before} == before
    assert desk.ledger.read(all_parcels_of, names) == goods
    assert desk.ledger.read(returns_tracked_as, "TRK1") == tracked
    assert desk.record("old").parcels is None  # not "there are none": no rule may take it that the goods never moved
    assert desk.ledger.read(past_records, ["old"])["old"].parcels == goods["old"]
    assert [each for each in findings(desk) if not each.startswith("late")] == []
    folder = only_archive(tmp_path / "kept")
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert json.loads((folder / "manifest.json").read_text())["paid"] == {"EUR": "10.00"}
    assert b"TRK1" not in b"".join(file.read_bytes() for file in folder.iterdir())
    assert archive(desk, tmp_path / "kept") == Archived()  # nothing is moved twice


def test_what_stays_of_an_archived_return_is_what_decides_and_finds_it(desk: LedgerDesk, tmp_path: Path) -> None:
    paid(desk, "p1")
    claim = desk.claim("p1", pay(refund("9.99", items=these(1, line="l2"), gross="9.99")))
    desk.send(claim, refunds=1)
    desk.done(claim)
    note(desk, replace(sighting("p1", "IN_WAREHOUSE"), view=ParcelView(of_return="REVIEW_REQUIRED")))
    desk.one("p1", OVER)
    before = desk.record("p1").intents

    def kept(table: Table) -> list[dict[str, Any]]:
        return desk.ledger.read(lambda conn: [dict(row) for row in conn.execute(select(table)).mappings()])

    assert [row["parcel"] for row in kept(parcels)] == [1, 0]
    desk.clock.forward(days=500)
    plan = desk.ledger.read(plan_archive, desk.clock() - WINDOW)
    moved = archive(desk, tmp_path / "kept")
    assert {table: moved.rows[table] for table in plan.rows} == plan.rows
    assert [(row["parcel"], row["tracking"]) for row in kept(parcels)] == [(1, "TRK1")]
    for row in kept(intents):
        gone = [row[name] for name in ("token", "snapshot", "evidence", "deadline", "settle_at")]
        assert gone == ["", {}, {}, None, None]
    assert desk.record("p1").intents == before
    assert desk.ledger.write(record_done, [Done(claim, {}, desk.clock(), FLOW)]) == [Recorded.KNOWN]
    assert findings(desk) == []


def test_the_units_of_an_archived_return_stay_taken(desk: LedgerDesk, tmp_path: Path) -> None:
    paid(desk, "p1")
    desk.clock.forward(days=500)
    before = (desk.record("p1").intents, many(desk, units))
    assert archive(desk, tmp_path / "kept").returns == 1
    assert (desk.record("p1").intents, many(desk, units)) == before
    again = desk.one("p1", always(pay(refund())(desk.record("p2"))))  # rules that would pay it once more
    assert (again.claim, again.decision.rule) == (None, "lost_claim")
    taken = desk.ledger.read(lambda conn: dict(conn.execute(select(units)).mappings().first() or {}))
    with pytest.raises((IntegrityError, LedgerError), match=r"(?i)unique"):
        desk.ledger.write(lambda conn: conn.execute(insert(units).values(taken | {"intent_id": "another"})))
    last = max(row["id"] for row in desk.ledger.read(lambda conn: list(archived_rows(conn, audit))))
    other = desk.sent("p1", pay(refund(), refund("9.99", items=these(1, line="l2"), gross="9.99")))
    desk.done(other)
    desk.one("p1", OVER)
    assert findings(desk) == []  # the chain goes on behind its anchor
    steps = desk.ledger.read(lambda conn: conn.execute(select(audit.c.id).where(audit.c.process_id == "p1")).scalars())
    assert min(steps) > last  # no number is given twice
    history = desk.history("p1")
    desk.clock.forward(days=500)
    assert archive(desk, tmp_path / "kept").returns == 1
    assert desk.history("p1") == history  # out of two archives
    assert (findings(desk), len(desk.ledger.read(known_archives))) == ([], 2)


def test_a_step_that_names_a_parcel_by_its_number_is_archived_whole(desk: LedgerDesk, tmp_path: Path) -> None:
    lost = replace(LABEL, generation=2, replaces=Replaced(1, "mark", "olga", "the shopper lost it"))
    desk.done(desk.sent("p1", always(lost)))
    desk.one("p1", OVER)
    before = desk.history("p1")
    assert [step.evidence["parcel"] for step in before.audit if step.event == "replaced"] == ["1"]
    desk.clock.forward(days=500)
    archive(desk, tmp_path / "kept")
    assert (desk.history("p1"), findings(desk)) == (before, [])
    desk.ledger.read(export, tmp_path / "out", Format.JSONL)
    assert '"parcel": "1"' in (tmp_path / "out" / "audit.jsonl").read_text()


@pytest.mark.parametrize("touched", [True, False])
def test_a_return_that_changes_while_it_is_archived_is_written_anew_or_left(
    desk: LedgerDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, touched: bool
) -> None:
    paid(desk, "p1", "p2")
    desk.clock.forward(days=500)

    def change(at: CrashPoint, _: str) -> None:
        if at is CrashPoint.ARCHIVE_NAMED and many(desk, parcel_changes) == 4:
            late = {"process_id": "p1", "parcel": 0, "n": 1, "before": "", "status": "SENT", "seen_at": NOON}
            desk.ledger.write(lambda conn: conn.execute(insert(parcel_changes).values(late)).rowcount)
            if touched:
                desk.one("p1", always(APPROVAL))

    monkeypatch.setattr("tasks.crash_points._armed", [change])
    moved = archive(desk, tmp_path / "kept")
    assert (moved.returns, moved.rows["parcel_changes"]) == ((1, 2) if touched else (2, 5))
    only_archive(tmp_path / "kept")
    assert [event for event in desk.events("p1") if event == "held"] == ["held"] * touched
    told = {each: len(found) for each, found in desk.ledger.read(all_parcels_of, ["p1", "p2"]).items()}
    assert told == {"p1": 3, "p2": 2}


def test_a_change_of_a_parcel_that_comes_while_its_return_is_archived_is_no_finding(
    desk: LedgerDesk, tmp_path: Path
) -> None:
    """On PostgreSQL whoever has read the changes before they went writes the next one after it."""
    paid(desk, "p1")
    desk.clock.forward(days=500)
    archive(desk, tmp_path / "kept")
    late = {"process_id": "p1", "parcel": 1, "n": 3, "before": "IN_WAREHOUSE", "status": "", "seen_at": desk.clock()}
    desk.ledger.write(lambda conn: conn.execute(insert(parcel_changes).values(late)).rowcount)
    assert findings(desk) == []
    assert [it.n for it in desk.ledger.read(all_parcels_of, ["p1"])["p1"]] == [1, 2, 3]
    gap = late | {"n": 5}
    desk.ledger.write(lambda conn: conn.execute(insert(parcel_changes).values(gap)).rowcount)
    assert ["change 5 of parcel 1 does not follow" in each for each in findings(desk)] == [True]


def test_the_folder_of_archives_is_on_the_disk_before_any_row_goes(
    desk: LedgerDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid(desk, "p1")
    desk.clock.forward(days=500)
    synced: list[tuple[int, int]] = []
    fsync, folder = os.fsync, tmp_path / "new" / "kept"

    def seen(opened: int) -> None:
        synced.append((os.fstat(opened).st_ino, many(desk, audit)))
        fsync(opened)

    steps = many(desk, audit)
    monkeypatch.setattr("os.fsync", seen)
    archive(desk, folder)
    for each in (tmp_path, tmp_path / "new", folder, only_archive(folder), only_archive(folder) / "audit.parquet"):
        assert (each.stat().st_ino, steps) in synced, each


def test_an_archive_of_before_a_column_was_added_can_be_read(desk: LedgerDesk, tmp_path: Path) -> None:
    paid(desk, "p1")
    desk.clock.forward(days=500)
    archive(desk, tmp_path / "kept")
    (row, *_) = desk.ledger.read(lambda conn: list(archived_rows(conn, audit)))
    later = Table("audit", MetaData(), *(Column(it.name, it.type) for it in audit.columns), Column("more", Text))
    (same, *_) = desk.ledger.read(lambda conn: list(archived_rows(conn, later)))
    assert same == row | {"more": None}


def test_no_other_row_of_the_audit_can_be_removed_or_changed(desk: LedgerDesk, tmp_path: Path) -> None:
    paid(desk, "old")
    desk.clock.forward(days=500)
    paid(desk, "young")
    archive(desk, tmp_path / "kept")
    for whose in ("young", ""):
        gone = delete(audit).where(audit.c.process_id == whose)
        with pytest.raises(LedgerError, match="append-only"):
            desk.ledger.write(lambda conn, gone=gone: conn.execute(gone).rowcount)  # type: ignore[misc]
    with pytest.raises(LedgerError, match="append-only"):
        desk.ledger.write(lambda conn: conn.execute(audit.update().values(event="x")))


def test_a_file_that_is_missing_or_was_changed_is_found_and_named(desk: LedgerDesk, tmp_path: Path) -> None:
    paid(desk, "p1", "p2")
    desk.clock.forward(days=500)
    archive(desk, tmp_path / "kept")
    folder = only_archive(tmp_path / "kept")
    for name in ("audit.parquet", "intents.parquet", "manifest.json"):
        file = folder / name
        content = file.read_bytes()
        for damage in (content[:-9] + b"X" + content[-8:], None):
            file.unlink()
            if damage is not None:
                file.write_bytes(damage)
            assert [name in each for each in findings(desk)] == [True]
            with pytest.raises(LedgerError, match=name):
                desk.history("p1")
            with pytest.raises(LedgerError, match=r"parquet|manifest"):
                desk.ledger.read(export, tmp_path / f"out-{name}-{damage is None}", Format.CSV)
            file.write_bytes(content)
    assert findings(desk) == []
    tamper(desk, "UPDATE intents SET amount = '11.00' WHERE process_id = 'p1'")
    assert any("not as archive-000001" in each for each in findings(desk))
    tamper(desk, "UPDATE intents SET amount = '10.00' WHERE process_id = 'p1'")
    tamper(desk, "UPDATE chains SET archived_head = 'x' WHERE process_id = 'p1'")
    assert any(each.startswith("audit: p1") for each in findings(desk))
    tamper(desk, "DELETE FROM archives")
    assert any("does not know" in each for each in findings(desk))


@pytest.mark.parametrize(
    "manifest", ["[1]", "{", "{MINE}", '{MINE, "tables": {}}', '{MINE, "tables": {"returns": 1}}', None]
)
def test_what_lies_in_the_folder_and_is_no_archive_is_left_alone(
    desk: LedgerDesk, tmp_path: Path, manifest: str | None
) -> None:
    paid(desk, "p1")
    desk.clock.forward(days=500)
    strange = tmp_path / "kept" / "archive-000009-x"
    strange.parent.mkdir()
    if manifest is None:
        strange.write_text("a file")
    else:
        strange.mkdir()
        about = f'"account": "{ACCOUNT}", "made_at": "2026-01-01T00:00:00"'
        (strange / "manifest.json").write_text(manifest.replace("MINE", about))
    moved = archive(desk, tmp_path / "kept")
    assert (moved.returns, ["alone" in each for each in moved.left_behind]) == (1, [True])
    assert strange.exists()


def test_nothing_is_archived_into_a_folder_that_has_lost_an_archive(desk: LedgerDesk, tmp_path: Path) -> None:
    """Its disk is not mounted: what was written there now would be gone with the container, or hidden by the disk."""
    paid(desk, "p1")
    desk.clock.forward(days=500)
    archive(desk, tmp_path / "kept")
    paid(desk, "p2")
    desk.clock.forward(days=500)
    (tmp_path / "kept").rename(tmp_path / "unmounted")
    with pytest.raises(LedgerError, match=r"nothing was archived: .*kept/archive-000001-\w+/manifest.json is missing"):
        archive(desk, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
    assert archive(desk, tmp_path / "other").returns == 1
    (tmp_path / "unmounted").rename(tmp_path / "kept")
    assert findings(desk) == []


def test_what_was_left_behind_and_cannot_be_removed_is_named(desk: LedgerDesk, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / ".part-archive-000001").write_text("a file")
    with pytest.raises(LedgerError, match=r"\.part-archive-000001 cannot be removed: Not a directory"):
        archive(desk, tmp_path / "kept")


def test_where_the_disk_knows_no_locks_two_that_archive_at_once_lose_nothing(
    desk: LedgerDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid(desk, "p1")
    before = desk.history("p1")
    desk.clock.forward(days=500)

    def beside(at: CrashPoint, _: str) -> None:
        if at is CrashPoint.ARCHIVE_NAMED:
            monkeypatch.setattr("tasks.crash_points._armed", [])
            desk.clock.forward(seconds=1)
            assert archive(desk, tmp_path / "kept").returns == 1

    monkeypatch.setattr("tasks.crash_points._armed", [beside])
    monkeypatch.setattr("fcntl.flock", lambda *_: None)
    assert archive(desk, tmp_path / "kept").returns == 0
    assert (desk.history("p1"), findings(desk)) == (before, [])


def test_a_copy_of_the_ledger_leaves_the_archives_of_the_ledger_alone_though_it_has_all_their_rows(
    tmp_path: Path, sqlite_file: Path
) -> None:
    live, copy = tmp_path / "live.sqlite", tmp_path / "copy.sqlite"
    live.write_bytes(sqlite_file.read_bytes())
    clock = Clock()
    with closing(Ledger.open(f"sqlite:///{live}", account=ACCOUNT, clock=clock)) as ledger:
        desk = LedgerDesk(ledger, clock)
        paid(desk, "p1")
        before = desk.history("p1")
        back_up(f"sqlite:///{live}", copy)
        clock.forward(days=500)
        archive(desk, tmp_path / "kept")
        clock.forward(days=1)
        with closing(Ledger.open(f"sqlite:///{copy}", account=ACCOUNT, clock=clock)) as other:
            moved = archive(LedgerDesk(other, clock), tmp_path / "kept")
        assert (moved.returns, ["alone" in each for each in moved.left_behind]) == (1, [True])
        assert (desk.history("p1"), findings(desk)) == (before, [])


def test_archives_that_were_moved_are_read_where_they_are_now(desk: LedgerDesk, tmp_path: Path) -> None:
    paid(desk, "p1")
    before = desk.history("p1")
    desk.clock.forward(days=500)
    archive(desk, tmp_path / "kept")
    (tmp_path / "kept").rename(tmp_path / "elsewhere")
    with pytest.raises(LedgerError, match="none of the ledger's archives"):
        desk.ledger.write(move_archives, tmp_path)
    desk.ledger.write(move_archives, tmp_path / "elsewhere")
    assert (desk.history("p1"), findings(desk)) == (before, [])


def test_the_file_is_smaller_afterwards_or_it_says_why_not(
    desk: LedgerDesk, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid(desk, *(f"p{n}" for n in range(60)))
    desk.clock.forward(days=500)
    paid(desk, "p99")
    file = tmp_path / "ledger.sqlite"
    on_sqlite, large = url.startswith("sqlite"), file.stat().st_size if file.exists() else 0

    def archived() -> LedgerArchiving:
        return archive_ledger(desk.ledger, tmp_path / "kept", 400, act=True, clock=desk.clock, actor=BY)

    done = archived()
    assert done.moved is not None
    assert done.moved.returns == 60
    if not on_sqlite:
        assert "VACUUM FULL" in done.not_smaller
        return
    assert (done.not_smaller, done.size < done.plan.size) == ("", True)
    assert file.stat().st_size < 0.9 * large
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=0))
    desk.clock.forward(days=500)
    done = archived()
    assert (done.moved is not None and done.moved.returns, "of which there are 0" in done.not_smaller) == (1, True)


def test_what_a_candidate_said_of_an_archived_return_is_told_once_whatever_it_says_later(
    desk: LedgerDesk, tmp_path: Path
) -> None:
    paid(desk, "p1", "p2")
    desk.ledger.write(note_shadow, "c1", [differs("p1"), differs("p2")], [], now=desk.clock())
    before = desk.ledger.read(shadow_rows, "c1")
    assert len(before) == 2
    desk.clock.forward(days=500)
    assert archive(desk, tmp_path / "kept").rows["shadow"] == 2
    assert desk.ledger.read(shadow_rows, "c1") == before
    desk.ledger.write(note_shadow, "c1", [differs("p1")], [], now=desk.clock())
    told = [(row.differs.process_id, row.looked_at) for row in desk.ledger.read(shadow_rows, "c1")]
    assert told == [("p2", NOON), ("p1", desk.clock())]


@pytest.mark.parametrize("form", Format)
def test_an_export_has_what_was_archived(desk: LedgerDesk, tmp_path: Path, form: Format) -> None:
    paid(desk, "p1", "p2")
    desk.clock.forward(days=500)
    paid(desk, "p3")
    desk.ledger.read(export, tmp_path / "before", form)
    archive(desk, tmp_path / "kept", most=1)
    desk.ledger.read(export, tmp_path / "after", form)
    for table in ("audit", "intents", "parcel_changes", "parcels", "shadow", "units"):
        old, new = ((tmp_path / when / f"{table}.{form}").read_text().splitlines() for when in ("before", "after"))
        there = [line for line in new if line not in old]
        assert (sorted(set(old) - set(new)), ["archived" in line for line in there]) == ([], [True] * len(there)), table


def test_an_erasure_reaches_all_that_leads_to_a_shopper(desk: LedgerDesk, tmp_path: Path) -> None:
    paid(desk, "p1")
    desk.clock.forward(days=500)
    archive(desk, tmp_path / "kept")
    assert desk.ledger.write(forget_return, "p1", now=desk.clock(), actor=BY).refunds == 1
    assert findings(desk) == []


ENDS = ("paid", "refused", "by hand", "dropped", "costs", "held", "open")


@settings(max_examples=6, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    st.lists(
        st.tuples(st.sampled_from(ENDS), st.integers(0, 900)), min_size=1, max_size=8
    ),
    st.integers(1, 3),
)  # fmt: skip
def test_what_was_paid_in_any_window_is_the_same_before_and_after(
    sqlite_file: Path, tmp_path_factory: pytest.TempPathFactory, played: list[tuple[str, int]], most: int
) -> None:
    folder = tmp_path_factory.mktemp("played")
    (folder / "ledger.sqlite").write_bytes(sqlite_file.read_bytes())
    clock = Clock()
    with closing(Ledger.open(f"sqlite:///{folder}/ledger.sqlite", account=ACCOUNT, clock=clock)) as ledger:
        desk = LedgerDesk(ledger, clock)
        for number, (what, day) in enumerate(sorted(played, key=lambda it: it[1])):
            clock.now = NOON + timedelta(days=day)
            play(desk, f"p{number}", what)
        clock.now = NOON + timedelta(days=1000)

        def told() -> list[Any]:
            days = ((0, 500), (300, 901))
            windows = [(None, None), *((NOON + timedelta(days=a), NOON + timedelta(days=b)) for a, b in days)]
            return [*(ledger.read(effects, [STORE], *each) for each in windows), ledger.read(held_returns, [STORE])]

        before, due = told(), [desk.record(f"p{n}") for n in range(len(played))]
        moved = archive(desk, folder / "kept", most=most)
        assert told() == before
        assert [each for each in findings(desk) if not each.startswith("late")] == []
        gone = {each.process_id for each in (desk.record(f"p{n}") for n in range(len(played))) if each.archived_at}
        assert len(gone) == moved.returns
        for was in due:
            assert replace(desk.record(was.process_id), archived_at=None, parcels=None) == replace(was, parcels=None)


def play(desk: LedgerDesk, name: str, what: str) -> None:
    match what:
        case "refused":
            desk.refused(desk.sent(name))
        case "by hand" | "dropped":
            desk.held(name)
            hold = next(it for it in desk.holds() if it.process_id == name)
            by_hand = {"amount": Decimal("7.00"), "on": NOON.date(), "reference": "bank"}
            answer, more = (Answer.DONE_BY_HAND, by_hand) if what == "by hand" else (Answer.DROP, {})
            desk.answer(answer, hold, **more)
        case "costs":
            desk.done(desk.sent(name, pay(refund("8.00", gross="10.00"), costs="2.00")))
        case "held":
            desk.one(name, always(APPROVAL))
        case "open":
            desk.sent(name)
        case _:
            desk.done(desk.sent(name))
    if what not in {"held", "open"}:
        desk.one(name, OVER)


# Killed at each step, for real; and put back from a backup that is older than the archive.

KILLED = """
import os, signal, sys
from datetime import datetime, timedelta
from pathlib import Path
from tasks.crash_points import arm
from tasks.ledger import Actor, Ledger, archive_returns
url, account, folder, now, point, nth = sys.argv[1:]
now, left = datetime.fromisoformat(now), [int(nth)]
def kill(at, _):
    left[0] -= at == point
    if at == point and not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
arm(kill)
ledger = Ledger.open(url, account=account, clock=lambda: now)
by = Actor("archive-ledger")
archive_returns(ledger, Path(folder), now - timedelta(days=400), clock=lambda: now, actor=by, most=2)
"""
POINTS = [point for point in CrashPoint if point.name.startswith("ARCHIVE_")]


@pytest.mark.crash
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_step_each_row_is_somewhere_and_the_next_run_ends_it(
    desk: LedgerDesk, url: str, tmp_path: Path, point: CrashPoint
) -> None:
    """Killed at the second of two archives, so that there is one of which all is done."""
    names = ["p1", "p2", "p3", "p4"]
    paid(desk, *names)
    before = {name: desk.history(name) for name in names}
    desk.clock.forward(days=500)
    command = [sys.executable, "-c", KILLED, url, ACCOUNT, str(tmp_path / "kept")]
    killed = subprocess.run([*command, desk.clock().isoformat(), point, "2"], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert ({name: desk.history(name) for name in names}, findings(desk)) == (before, [])
    desk.clock.forward(seconds=1)
    moved = archive(desk, tmp_path / "kept")
    assert ({name: desk.history(name) for name in names}, findings(desk)) == (before, [])
    known = {archive.name for archive in desk.ledger.read(known_archives)}
    unknown = {path.name for path in (tmp_path / "kept").iterdir()} - known - {".lock"}
    assert [each.split()[1] for each in moved.left_behind if "alone" in each] == sorted(unknown)
    assert len(unknown) == (point in {CrashPoint.ARCHIVE_NAMED, CrashPoint.ARCHIVE_REMOVING})
    assert many(desk, records) == 4
    left = desk.ledger.read(lambda conn: conn.execute(select(audit.c.process_id).distinct()).scalars().all())
    assert set(left) == {""}


def test_a_ledger_older_than_the_archive_has_each_row_once(tmp_path: Path, sqlite_file: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    (tmp_path / "ledger.sqlite").write_bytes(sqlite_file.read_bytes())
    clock = Clock()
    with closing(Ledger.open(url, account=ACCOUNT, clock=clock)) as ledger:
        desk = LedgerDesk(ledger, clock)
        paid(desk, "p1", "p2")
        clock.forward(days=500)
        paid(desk, "p3")
        back_up(url, tmp_path / "backup.sqlite")
        before = {name: desk.history(name) for name in ("p1", "p2", "p3")}
        archive(desk, tmp_path / "kept")
        clock.forward(days=1)
    restore(url, tmp_path / "backup.sqlite", account=ACCOUNT, clock=clock, actor=BY)
    with closing(Ledger.open(url, account=ACCOUNT, clock=clock)) as ledger:
        desk = LedgerDesk(ledger, clock)
        assert ({name: desk.history(name) for name in before}, findings(desk)) == (before, [])
        clock.forward(days=1)
        with pytest.raises(LedgerError, match="acme has not caught up"):
            archive(desk, tmp_path / "kept")
        ledger.write(
            catch_up, [STORE], read_since=clock(), settle_after=timedelta(0), now=clock(), actor=BY, why="looked"
        )
        moved = archive(desk, tmp_path / "kept")
        assert (moved.returns, ["alone" in each for each in moved.left_behind]) == (2, [True])
        assert ({name: desk.history(name) for name in before}, findings(desk)) == (before, [])
        # A backup from after the archive is sound where the archive is not at hand.
        back_up(url, tmp_path / "later.sqlite")
    (tmp_path / "kept").rename(tmp_path / "lost")
    restore(url, tmp_path / "later.sqlite", account=ACCOUNT, clock=clock, actor=BY)


def test_a_former_ledger_that_has_archived_since_the_backup_is_not_taken_to_know_all(
    tmp_path: Path, sqlite_file: Path
) -> None:
    url, old = f"sqlite:///{tmp_path}/ledger.sqlite", f"sqlite:///{tmp_path}/backup.sqlite"
    (tmp_path / "ledger.sqlite").write_bytes(sqlite_file.read_bytes())
    clock = Clock()
    with closing(Ledger.open(url, account=ACCOUNT, clock=clock)) as ledger:
        desk = LedgerDesk(ledger, clock)
        ledger.write(stop_switch, on=True, by="olga", why="a try", now=clock())  # the backup's last step is no return's
        ledger.write(stop_switch, on=False, by="olga", why="", now=clock())
        back_up(url, tmp_path / "backup.sqlite")
        desk.held("p1")
        desk.answer(Answer.DROP)
        desk.one("p1", OVER)
        with closing(Ledger.open(old, account=ACCOUNT, clock=clock, read_only=True)) as backup:
            marks = backup.read(lineage)
            assert list(known_since(ledger, marks, clock()) or ()) == ["p1"]
            clock.forward(days=500)
            archive(desk, tmp_path / "kept")
            assert known_since(ledger, marks, clock()) is None
