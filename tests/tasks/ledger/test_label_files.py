"""Files of labels in the ledger: which is kept, how often one was asked for, what is old, what is forgotten."""

from datetime import timedelta

from sqlalchemy import select

from tasks.ledger import (
    Came,
    check,
    drop_old_label_files,
    forget_email,
    forget_return,
    label_digests,
    label_files_of,
    note_label_files,
)
from tasks.ledger.schema import label_files
from tasks.policy.label_files import KnownFile, WantedFile
from tests.tasks.ledger.desk import FLOW, NOON, LedgerDesk

ADA, BEN = "ada@example.test", "ben@example.test"


def wanted(process_id: str, parcel: int = 1, email: str = ADA) -> WantedFile:
    return WantedFile(process_id, "acme", "#1", parcel, email=email)


def note(desk: LedgerDesk, *came: Came, by_hand: bool = False) -> None:
    desk.ledger.write(note_label_files, came, now=desk.clock(), by_hand=by_hand)


def known(desk: LedgerDesk, process_id: str) -> tuple[KnownFile, ...]:
    return desk.ledger.read(label_files_of, [process_id])[process_id]


def test_a_file_is_kept_after_it_was_asked_for_in_vain(desk: LedgerDesk) -> None:
    note(desk, Came(wanted("p1"), why="none yet"))
    desk.clock.forward(hours=1)
    note(desk, Came(wanted("p1"), why="too large"), Came(wanted("p1", 2), "d2", "png", 7))
    first, second = known(desk, "p1")
    assert (first.tries, first.why, first.tried_at, first.kept) == (2, "too large", desk.clock(), False)
    assert (second.kept, second.kind, second.size, second.kept_at) == (True, "png", 7, desk.clock())
    note(desk, Came(wanted("p1"), "d1", "pdf", 9))
    assert [(it.kept, it.tries, it.why) for it in known(desk, "p1")] == [(True, 2, ""), (True, 0, "")]
    note(desk, Came(wanted("p1"), why="of a run that was slower"))
    assert known(desk, "p1")[0].kept
    assert desk.ledger.read(label_digests) == {"d1", "d2"}
    assert known(desk, "p2") == ()


def test_what_is_old_is_dropped_and_only_a_person_has_it_kept_again(desk: LedgerDesk) -> None:
    note(desk, Came(wanted("p1"), "d1", "pdf", 9))
    desk.clock.forward(days=10)
    note(desk, Came(wanted("p2"), "d2", "pdf", 9))
    before = desk.clock() - timedelta(days=5)
    assert desk.ledger.write(drop_old_label_files, before=before, now=desk.clock()) == 1
    assert desk.ledger.write(drop_old_label_files, before=before, now=desk.clock()) == 0
    assert desk.ledger.read(label_digests) == {"d2"}
    note(desk, Came(wanted("p1"), "d1", "pdf", 9))
    assert not known(desk, "p1")[0].kept
    note(desk, Came(wanted("p1"), "d1", "pdf", 9), by_hand=True)
    assert known(desk, "p1")[0].kept


def test_a_shoppers_files_are_forgotten_by_return_and_by_email_and_no_one_elses(desk: LedgerDesk) -> None:
    note(desk, Came(wanted("p1"), "d1", "pdf", 9), Came(wanted("p2"), "d2", "pdf", 9))
    note(desk, Came(wanted("p3", email=BEN), "d3", "pdf", 9), Came(wanted("p4", email=BEN), "shared", "pdf", 9))
    note(desk, Came(wanted("p5", email="cy@example.test"), "shared", "pdf", 9))
    gone = desk.ledger.write(forget_return, "p1", now=NOON, actor=FLOW)
    assert gone.known
    assert gone.label_files == {"d1", "d2"}, "those of the shopper's other returns too"
    assert "d1" not in repr(gone)
    gone = desk.ledger.write(forget_email, BEN, now=NOON, actor=FLOW)
    assert gone.label_files == {"d3"}, "what another parcel has too is not deleted"
    assert desk.ledger.read(label_digests) == {"shared"}
    rows = desk.ledger.read(lambda conn: conn.execute(select(label_files)).all())
    assert {row.process_id for row in rows if row.shopper or row.digest} == {"p5"}
    assert not desk.ledger.write(forget_email, BEN, now=NOON, actor=FLOW).known
    note(desk, Came(wanted("p1"), "d1", "pdf", 9), Came(wanted("p2"), why="none yet"))
    assert not any(it.kept for process_id in ("p1", "p2") for it in known(desk, process_id))
    assert [it.why for it in known(desk, "p2")] == [""]
    assert desk.ledger.read(check, now=NOON).findings == ()
