"""The judge finds what is broken: a verdict of "clean" means something."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, update

from rever_api import ClientConfig, ReverClient
from rever_api.models import LineQuantity, RefundInput
from rever_api.sandbox.state import Actor, Effect
from tasks.ledger.schema import intents
from tests.books import LedgerState
from tests.judge import BOOKS, BY_EVIDENCE, DOUBLE, FORGOTTEN, OVER, REPORT, Verdict, compare, everything
from tests.proof.cases import CASES, OWN_TERMS
from tests.proof.matrix import inspections_judged, judged, reports
from tests.proof.workers import Nursery
from tests.proof.world import CellWorld, world

pytestmark = pytest.mark.crash


def pay_past_the_desk(here: CellWorld, process_id: str) -> None:
    """The refund that was made for this return once more, with the desk's key and without its ledger."""
    before = next(e for e in here.sandbox.books.of(process_id, "issueRefund"))
    config = ClientConfig(here.sandbox.base_url, SecretStr(here.sandbox.api_key))
    items = tuple(LineQuantity(line_item_id=item.line_item_id, quantity=item.quantity) for item in before.items)
    body = RefundInput(type=before.type, amount=before.amount or Decimal(0), currency=before.currency, items=items)
    with ReverClient(config) as client:
        client.issue_refund(process_id, body)


def test_a_world_that_was_served_is_clean_and_one_refund_too_many_is_found(workers: Nursery) -> None:
    with world(workers, seed=3, scenarios=("approved_one", "two_methods")) as here:
        assert judged(here).found[FORGOTTEN] == 2
        here.worker()
        assert judged(here).words == []
        assert reports(here).words == []
        (process_id,) = here.sandbox.process_ids("approved_one")
        pay_past_the_desk(here, process_id)
        found = judged(here).found
        assert found[DOUBLE]
        assert found[OVER]
        assert found[BOOKS]
        assert reports(here).found[REPORT]


def test_a_merchant_s_fee_and_sum_are_judged_to_the_cent(workers: Nursery) -> None:
    """By other terms than those that the desk played, it has paid too little, or too much."""
    case, in_part = CASES["own-rules"], ("approved_two_of_three", "partially_reviewed", "refund_and_exchange")
    with world(workers, seed=3, scenarios=in_part) as here:
        case.before(here)
        for _ in range(3):
            here.worker()
            case.after(here)
        assert judged(here).words == []
        own = OWN_TERMS
        for terms in (
            replace(own, percent=14), replace(own, at_least=299), replace(own, at_most=1199), replace(own, reason=""),
            replace(own, on_top=501),
        ):  # fmt: skip
            here.terms = terms
            assert set(judged(here).found) == {FORGOTTEN}, terms
        for terms in (
            replace(own, percent=16), replace(own, at_least=301), replace(own, at_most=1201), replace(own, on_top=499),
        ):  # fmt: skip
            here.terms = terms
            assert set(judged(here).found) == {OVER}, terms


def test_what_terms_leave_of_a_return(workers: Nursery) -> None:
    """Two of three units of 10.01 EUR are approved: 6.67, of which 15 % are 1.00."""
    terms = replace(OWN_TERMS, reason="WRONG_SIZE_TOO_BIG")
    with world(workers, seed=3, scenarios=("approved_two_of_three",)) as here:
        ((process, timing),) = [(it.process, "ON_ITEM_VERIFIED") for it in here.sandbox.sandbox.processes.values()]
        (line,) = process.return_line_items
        assert terms.total(process, timing) == 667 - 300
        assert replace(terms, at_least=0).total(process, timing) == 667 - 100
        assert replace(terms, at_least=0, at_most=50).total(process, timing) == 667 - 50
        assert replace(terms, at_least=700).total(process, timing) == 0
        credit = process.model_copy(
            update={"return_line_items": (line.model_copy(update={"compensation_method": "GIFT_CARD"}),)}
        )
        assert terms.total(credit, timing) == 667 - 300 + 500
        assert terms.total(credit.model_copy(update={"reviews": ()}), timing) == 0


def test_what_a_plan_would_write_is_seen(workers: Nursery) -> None:
    with world(workers, seed=3, scenarios=("approved_one",)) as here:
        empty = here.read(everything)
        here.worker(mode="plan")
        assert here.read(everything) == empty
        here.worker()
        assert here.read(everything) != empty


def test_a_refund_before_its_scan_was_seen_is_found(workers: Nursery) -> None:
    with world(workers, seed=3, scenarios=("approved_one",)) as here:
        here.worker()
        assert judged(here).words == []

        def mean_it_earlier(conn: Connection) -> None:
            conn.execute(update(intents).values(created_at=here.now() - timedelta(days=1)))

        def mean_it_by_the_scan(conn: Connection) -> None:
            conn.execute(update(intents).values(rule="on_item_sent"))

        here.write(mean_it_earlier)
        assert judged(here).words == []
        here.write(mean_it_by_the_scan)
        assert "refunded before its scan was seen" in " ".join(judged(here).words)


def test_a_review_that_the_warehouse_s_file_does_not_tell_of_is_found(workers: Nursery) -> None:
    with world(workers, seed=3, scenarios=("approved_one",)) as here:
        (stored,) = [it for it in here.sandbox.sandbox.processes.values() if it.scenario == "approved_one"]
        line = stored.process.return_line_items[0].id
        here.inspected[line] = Counter(APPROVED=1)
        assert inspections_judged(here).words == []
        here.inspected[line] = Counter(DECLINED=1)
        assert f"line {line}: 1 APPROVED, the file tells of 0" in " ".join(inspections_judged(here).words)


def test_whose_a_refund_is_that_was_found_done_rever_does_not_tell(workers: Nursery) -> None:
    """What somebody else has paid is taken for ours only if our outcome was unknown, and only to the cent."""
    with world(workers, seed=3, scenarios=("approved_one",)) as here:
        here.worker()
        (process_id,) = here.sandbox.process_ids("approved_one")
        answered = here.read(LedgerState.read).of_return(process_id)
        (effect,) = here.sandbox.books.of(process_id, "issueRefund")
        (row,) = answered.intents
        found = replace(answered, intents=[SimpleNamespace(**dict(row._mapping) | {"evidence": {"by": BY_EVIDENCE}})])
        theirs = replace(effect, by=Actor.BACK_OFFICE, at=effect.at + timedelta(minutes=1))
        before = replace(theirs, at=effect.at - timedelta(minutes=1))
        more = replace(theirs, amount=(effect.amount or Decimal(0)) + 1)

        def broken(known: LedgerState, *effects: Effect) -> int:
            verdict = Verdict()
            compare(verdict, process_id, known, effects)
            return verdict.found[BOOKS]

        assert (broken(answered, effect), broken(found, effect), broken(found, theirs)) == (0, 0, 0)
        assert (broken(answered, theirs), broken(found, more), broken(found, before), broken(found)) == (1, 1, 1, 1)
        assert broken(found, effect, effect) == 1
