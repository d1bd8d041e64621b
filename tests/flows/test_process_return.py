"""process-return: one return, as far as it can go, however often it is asked for."""

from datetime import datetime

import pytest

from flows.run import UsageError
from tasks.desk import DeskError, utc_now
from tasks.ledger import runs_began
from tests.flows.conftest import Bench


def due(bench: Bench) -> str:
    """A return with money due."""
    return next(item.process_id for item in bench.sandbox.audit().due if item.amount and not item.blocked)


def test_it_pays_one_return_and_no_other(bench: Bench) -> None:
    process_id = due(bench)
    report = bench.run("process-return", process_id=process_id, mode="act")
    assert report.seen == 1
    assert report.paid == bench.paid()
    assert {effect.process_id for effect in bench.sandbox.books.effects if effect.by == "api"} == {process_id}
    assert process_id not in {item.process_id for item in bench.sandbox.audit().due}


def test_asked_again_and_again_it_pays_once(bench: Bench) -> None:
    process_id = due(bench)
    first = bench.run("process-return", process_id=process_id, mode="act")
    for _ in range(4):
        assert bench.run("process-return", process_id=process_id, mode="act").paid == {}
    assert bench.paid() == first.paid
    assert bench.sandbox.audit().violations == ()


def test_an_id_that_rever_does_not_know_fails_the_run(bench: Bench) -> None:
    with pytest.raises(DeskError, match="retp_nobody: REVER knows no return of this id"):
        bench.run("process-return", process_id="retp_nobody", mode="act")


def test_without_an_id_it_is_wrong_usage(bench: Bench) -> None:
    with pytest.raises(UsageError, match="process_id"):
        bench.run("process-return", mode="act")


def test_only_a_run_that_takes_a_return_as_far_as_it_can_go_counts_as_acting_on_it(bench: Bench) -> None:
    waiting = next(item.process_id for item in bench.sandbox.audit().due if item.label and not item.label_blocked)
    ids = [due(bench), waiting]

    def began() -> dict[str, datetime]:
        return bench.read(runs_began, ids)

    bench.run("process-pending-returns")
    bench.run("generate-labels", mode="act")
    bench.run("reconcile", mode="act")
    assert began() == {}
    before = utc_now()
    for process_id in ids:
        bench.run("process-return", process_id=process_id, mode="act")
    first = began()
    assert set(first) == set(ids)
    assert before <= first[ids[0]] < first[ids[1]] <= utc_now()
    bench.run("process-return", process_id=ids[0], mode="act")  # it is at its end by now, and looked at all the same
    assert began()[ids[0]] > first[ids[0]]
