"""process-return: one return, as far as it can go, however often it is asked for."""

import pytest

from flows.run import UsageError
from tasks.desk import DeskError
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
