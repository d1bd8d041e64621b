"""The last look at several returns and their marks in one call: each is judged by its own read."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from rever_api.models import ReturnProcess
from tasks.effects.perform import LastLook, mark_if_due
from tasks.ledger import Claim, Ledger, Sending, SendVerdict, Sent
from tasks.policy import decide
from tests.tasks.ledger.desk import FLOW, Clock, LedgerDesk
from tests.tasks.policy.factories import NOW, approved, process, refund, rules, terms

NO_LONGER_DUE = "read again before the call, it is no longer due"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[LedgerDesk]:
    clock = Clock(NOW)
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.sqlite", account="acme", clock=clock)
    yield LedgerDesk(ledger, clock)
    ledger.close()


def shown(process_id: str, **fields: object) -> ReturnProcess:
    return process(reviews=approved(), rever_process_id=process_id, **fields)  # type: ignore[arg-type]


def claimed(desk: LedgerDesk, process_id: str) -> Claim:
    found = shown(process_id)
    return desk.claim(
        process_id,
        lambda record: decide.decide(found, rules(), record, NOW),
        lines={"retl_1": terms()},
        email=f"{process_id}@example.test",
    )


def look(claim: Claim, found: ReturnProcess) -> LastLook:
    later = NOW + timedelta(seconds=15)
    return LastLook(Sent(claim, {}, later, later, NOW, FLOW), found, rules())


def test_of_several_looks_each_verdict_is_that_of_its_own_return(desk: LedgerDesk) -> None:
    claims = [claimed(desk, process_id) for process_id in ("p1", "p2", "p3", "p4")]
    desk.withdraw(claims[2])
    looks = [look(claim, shown(claim.process_id)) for claim in claims]
    looks[0] = look(claims[0], shown("p1", refunds=[refund()]))  # somebody has paid it meanwhile
    verdicts = desk.ledger.write(mark_if_due, looks)
    told = [verdict.sending if isinstance(verdict, SendVerdict) else verdict.partition(":")[0] for verdict in verdicts]
    assert told == [NO_LONGER_DUE, Sending.SENT, Sending.LOST, Sending.SENT]
    assert [desk.intent(each).state for each in ("p1", "p2", "p3", "p4")] == ["intended", "sent", "withdrawn", "sent"]


def test_where_none_is_due_any_more_none_is_marked(desk: LedgerDesk) -> None:
    claim = claimed(desk, "p1")
    (verdict,) = desk.ledger.write(mark_if_due, [look(claim, shown("p1", refunds=[refund()]))])
    assert isinstance(verdict, str)
    assert desk.intent("p1").state == "intended"
