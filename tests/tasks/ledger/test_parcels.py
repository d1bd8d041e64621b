"""Changes of parcels in the ledger: each once, whoever sees it; told once; forgotten with the shopper."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, select, update

from tasks.ledger import (
    Format,
    Ledger,
    LedgerError,
    Sighting,
    check,
    export,
    forget_return,
    load_records,
    note_looks,
    note_parcels,
    note_tracked,
    parcels_due,
    parcels_of,
    standing_parcels,
    tell_once,
    tracked_until,
)
from tasks.ledger.schema import parcel_changes, parcels
from tasks.policy.decision import Decision
from tasks.policy.record import ParcelChange, Record
from tasks.policy.tracking import ParcelView, ShownParcel
from tests.postgres import ACCOUNT
from tests.tasks.ledger.desk import FLOW, NOON, STORE, LedgerDesk, request
from tests.tasks.ledger.tampering import tamper
from tests.tasks.ledger.test_races import together


def view(*statuses: str, over: bool = False) -> ParcelView:
    shown = tuple(ShownParcel(status, f"TRK{n}", "DHL") for n, status in enumerate(statuses, start=1))
    return ParcelView(shown, whole=True, over=over)


def sighting(process_id: str, *statuses: str, over: bool = False) -> Sighting:
    return Sighting(process_id, STORE, f"#{process_id}", view(*statuses, over=over))


def note(desk: LedgerDesk, *seen: Sighting) -> list[str]:
    written = desk.ledger.write(note_parcels, seen, now=desk.clock(), actor=FLOW)
    return [f"{it.process_id} {it.change.before}>{it.change.status}" for it in written]


def of(desk: LedgerDesk, process_id: str = "p1") -> tuple[ParcelChange, ...]:
    return desk.ledger.read(parcels_of, [process_id])[process_id]


def test_a_change_is_written_once_and_a_look_that_shows_nothing_new_writes_none(desk: LedgerDesk) -> None:
    assert note(desk, sighting("p2", "CREATED"), sighting("p1", "CREATED")) == ["p1 >CREATED", "p2 >CREATED"]
    assert note(desk, sighting("p1", "CREATED")) == []
    desk.clock.forward(hours=1)
    assert note(desk, sighting("p1", "COLLECTED"), sighting("p2", "CREATED")) == ["p1 CREATED>COLLECTED"]
    first, second = of(desk)
    assert (first.seen_at, second.seen_at, second.n, second.tracking) == (NOON, desk.clock(), 2, "TRK1")
    assert not desk.ledger.read(check, now=desk.clock()).findings


def test_a_decision_writes_what_its_read_shows_and_the_rules_are_told(desk: LedgerDesk) -> None:
    seen = replace(request("p1"), view=view("COLLECTED"))
    desk.decide(seen)
    desk.clock.forward(days=1)
    told: list[tuple[ParcelChange, ...] | None] = []

    def rule(record: Record) -> Decision:
        told.append(record.parcels)
        return request("p1").decide(record)

    desk.decide(replace(seen, decide=rule))
    assert [it.status for it in told[0] or ()] == ["COLLECTED"]
    assert of(desk)[0].seen_at == NOON
    assert desk.ledger.read(load_records, ["p1", "p2"])["p2"].parcels == ()
    desk.decide(request("p3"))
    assert of(desk, "p3") == (), "nothing is written of a return that cannot be read"


@pytest.mark.parametrize("many", [2, 4])
def test_of_several_who_see_it_at_the_same_time_one_writes_it(desk: LedgerDesk, url: str, many: int) -> None:
    note(desk, *(sighting(f"p{n}", "CREATED") for n in range(20)))
    ledgers = [Ledger.open(url, account=ACCOUNT, clock=desk.clock) for _ in range(many)]
    seen = [sighting(f"p{n}", "COLLECTED") for n in range(30)]
    decided = [replace(request(f"p{n}"), view=view("COLLECTED")) for n in range(30)]

    def looks(ledger: Ledger) -> int:
        return len(ledger.write(note_parcels, seen, now=desk.clock(), actor=FLOW))

    def decides(ledger: Ledger) -> int:
        LedgerDesk(ledger, desk.clock).decide(*decided)
        return 0

    found = together(*(partial(looks, it) for it in ledgers), partial(decides, desk.ledger))
    for ledger in ledgers:
        ledger.close()
    assert all(isinstance(it, int) for it in found), found
    assert sum(it for it in found if isinstance(it, int)) <= 30
    ends = desk.ledger.read(parcels_of, [f"p{n}" for n in range(30)])
    assert all(it[-1].status == "COLLECTED" and len(it) == (2 if n < 20 else 1) for n, it in enumerate(ends.values()))
    assert not desk.ledger.read(check, now=desk.clock()).findings


def test_changes_stand_as_they_were_written(desk: LedgerDesk) -> None:
    note(desk, sighting("p1", "CREATED"))
    for statement in (update(parcel_changes).values(status="COLLECTED"), delete(parcel_changes)):
        with pytest.raises(LedgerError):
            desk.ledger.write(Connection.execute, statement)
    assert [it.status for it in of(desk)] == ["CREATED"]


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("DELETE FROM parcel_changes WHERE n = 1", "does not follow from the one before"),
        ("UPDATE parcel_changes SET before = 'COLLECTED' WHERE n = 2", "does not follow from the one before"),
        ("DELETE FROM parcel_changes WHERE n = 2", "does not stand where its last change left it"),
        ("UPDATE parcels SET status = 'CREATED'", "does not stand where its last change left it"),
    ],
)
def test_a_check_sees_what_was_changed(desk: LedgerDesk, statement: str, why: str) -> None:
    note(desk, sighting("p1", "CREATED"))
    note(desk, sighting("p1", "COLLECTED"))
    tamper(desk, statement)
    (finding,) = desk.ledger.read(check, now=desk.clock()).findings
    assert finding.rule == "parcels"
    assert why in finding.why


def test_what_is_at_its_end_is_never_due_again(desk: LedgerDesk) -> None:
    seen = [sighting("here", "IN_WAREHOUSE"), sighting("off", "CREATED"), sighting("way", "COLLECTED", "CANCELED")]
    note(desk, *seen)
    assert desk.ledger.read(parcels_due, STORE, desk.clock()) == (set(), 2), "they were looked at just now"
    desk.clock.forward(hours=13)
    assert desk.ledger.read(parcels_due, STORE, desk.clock()) == ({"off", "way"}, 2)
    note(desk, sighting("off", "CREATED", over=True))
    assert desk.ledger.read(parcels_due, STORE, desk.clock()) == ({"way"}, 1)
    desk.ledger.write(note_looks, ["way"], now=desk.clock(), every=timedelta(0))
    assert desk.ledger.read(parcels_due, STORE, desk.clock()) == (set(), 1)
    assert desk.ledger.read(parcels_due, "other", desk.clock()) == (set(), 0)


def test_a_run_that_reads_a_return_anyway_notes_its_look_now_and_then(desk: LedgerDesk) -> None:
    seen = replace(request("p1"), view=view("COLLECTED"))
    looks = []
    for _ in range(3):
        desk.decide(seen)
        looks.append(desk.ledger.read(lambda conn: conn.execute(select(parcels.c.looked_at)).scalar_one()))
        desk.clock.forward(hours=4)
    assert [it - NOON for it in looks] == [timedelta(0), timedelta(0), timedelta(hours=8)]


def test_of_a_parcel_that_has_stopped_people_are_told_once_until_it_moves(desk: LedgerDesk) -> None:
    note(desk, sighting("p1", "CREATED"))
    desk.clock.forward(days=1)
    note(desk, sighting("p2", "COLLECTED"))
    stands = desk.ledger.read(standing_parcels, STORE)
    assert [(it.process_id, it.since, it.carrier) for it in stands] == [
        ("p1", NOON, "DHL"),
        ("p2", desk.clock(), "DHL"),
    ]
    assert [it.process_id for it in desk.ledger.write(tell_once, stands)] == ["p1", "p2"]
    assert desk.ledger.write(tell_once, stands) == []
    note(desk, sighting("p1", "COLLECTED"))
    assert desk.ledger.write(tell_once, stands) == [], "it has moved meanwhile"
    again = desk.ledger.read(standing_parcels, STORE)
    assert [it.process_id for it in desk.ledger.write(tell_once, again)] == ["p1"]


def test_a_tracking_number_goes_with_the_shopper_and_the_times_stay(desk: LedgerDesk, tmp_path: Path) -> None:
    note(desk, sighting("p1", "CREATED"), sighting("p2", "CREATED"))
    desk.ledger.read(export, tmp_path / "out", Format.CSV)
    written = "".join(file.read_text() for file in (tmp_path / "out").iterdir())
    assert "TRK" not in written
    done = desk.ledger.write(forget_return, "p1", now=NOON, actor=FLOW)
    assert (done.known, done.tracking) == (True, 1)
    assert (of(desk)[0].tracking, of(desk, "p2")[0].tracking) == ("", "TRK1")
    assert note(desk, sighting("p1", "COLLECTED")) == ["p1 CREATED>COLLECTED"], "it is known by its place"
    assert of(desk)[-1].tracking == ""
    assert not desk.ledger.read(check, now=desk.clock()).findings


def test_the_list_was_read_until_then(desk: LedgerDesk) -> None:
    assert desk.ledger.read(tracked_until, STORE, NOON) is None
    desk.ledger.write(note_tracked, STORE, at=NOON)
    assert desk.ledger.read(tracked_until, STORE, NOON) == NOON
    assert desk.ledger.read(tracked_until, STORE, NOON - timedelta(days=1)) is None, "of a clock that was ahead"
