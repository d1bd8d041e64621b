"""REVER's own words stand beside the audit, where an erasure request reaches them, and the chain stays whole."""

from pathlib import Path

import pytest
from sqlalchemy import text

from tasks.ledger import Format, Ledger, Said, check, export, forget_email, forget_return, record_refused
from tasks.ledger.types import History
from tests.tasks.ledger.desk import FLOW, NOON, LedgerDesk

WORDS = "Ada Lovelace of 7 Mill Lane is not at home"
EMAIL = "ada@example.test"


def refuse(desk: LedgerDesk, process_id: str, email: str = EMAIL) -> None:
    claim = desk.sent(process_id, email=email)
    desk.ledger.write(
        record_refused, claim, code="3", why="REVER answered 400", now=NOON, actor=FLOW, said=Said(WORDS, email)
    )


def everything(ledger: Ledger, table: str) -> str:
    return str(ledger.read(lambda conn: conn.execute(text(f"SELECT * FROM {table}")).all()))


def kept(known: History) -> list[tuple[str, bool]]:
    return [(said.text, said.forgotten) for said in known.words]


def test_words_stand_in_no_other_table_and_the_audit_has_their_hash(desk: LedgerDesk, tmp_path: Path) -> None:
    refuse(desk, "p1")
    assert kept(desk.history("p1")) == [(WORDS, False)]
    for table in ("audit", "intents", "holds", "records", "units"):
        assert "Lovelace" not in everything(desk.ledger, table)
    [step] = [step for step in desk.history("p1").audit if step.event == "refused"]
    assert len(step.evidence["words_sha256"]) == 64
    desk.ledger.read(export, tmp_path / "out", Format.JSONL)
    assert "Lovelace" not in "".join(file.read_text() for file in (tmp_path / "out").iterdir())
    assert desk.ledger.read(check, now=NOON).findings == ()


@pytest.mark.parametrize("by_return", [True, False])
def test_they_are_forgotten_with_the_shopper_in_all_of_their_returns(desk: LedgerDesk, *, by_return: bool) -> None:
    refuse(desk, "p1", "ADA@example.test ")
    refuse(desk, "p2")
    refuse(desk, "p3", "eve@example.test")
    if by_return:
        gone = desk.ledger.write(forget_return, "p1", now=NOON, actor=FLOW)
    else:
        gone = desk.ledger.write(forget_email, EMAIL, now=NOON, actor=FLOW)
    assert (gone.words, gone.known) == (2, True)
    assert kept(desk.history("p1")) == kept(desk.history("p2")) == [("", True)]
    assert kept(desk.history("p3")) == [(WORDS, False)]
    assert desk.ledger.read(check, now=NOON).findings == ()
    assert not desk.ledger.write(forget_email, EMAIL, now=NOON, actor=FLOW).known


def test_words_without_an_email_are_forgotten_by_the_return(desk: LedgerDesk) -> None:
    refuse(desk, "p1", "")
    assert desk.ledger.write(forget_return, "p1", now=NOON, actor=FLOW).words == 1


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE words SET text = 'all is well'", "are not those that the audit has the hash of"),
        ("DELETE FROM words", "which the audit has the hash of, are gone"),
        ("UPDATE words SET process_id = 'p9'", "are kept that no step of the audit names"),
    ],
)
def test_words_that_were_changed_are_found(desk: LedgerDesk, statement: str, why: str) -> None:
    refuse(desk, "p1")
    desk.ledger.write(lambda conn: conn.execute(text(statement)) and None)
    [found] = desk.ledger.read(check, now=NOON).findings
    assert why in found.why


def test_two_equal_words_have_two_hashes_that_tell_nothing(desk: LedgerDesk) -> None:
    refuse(desk, "p1")
    refuse(desk, "p2")
    hashes = {
        step.evidence["words_sha256"] for p in ("p1", "p2") for step in desk.history(p).audit if step.event == "refused"
    }
    assert len(hashes) == 2
