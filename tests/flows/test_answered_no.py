"""What a proxy may say after REVER has acted: an effect is not done twice for it, nor a return forgotten."""

import pytest

from flows.timed import RunFailedError
from rever_api.errors import ReverError
from rever_api.sandbox.faults import Fault, FaultPlan, NamedFault
from tests.flows.conftest import Bench, Start

EFFECT_OF = {
    "approved_one": "issueRefund",
    "exchange_reviewed": "issueExchange",
    "label_needed_pickup": "createOrderV2",
}
AFTER = [Fault.REDIRECT_AFTER, Fault.SET_UP_AFTER, Fault.TOO_MANY_AFTER, Fault.CONFLICT_409_AFTER]


def act(bench: Bench) -> None:
    """A run to whatever end: some answers say that the set-up is wrong."""
    try:
        bench.act()
    except (ReverError, RunFailedError) as error:
        print(error)


def hour_later(bench: Bench) -> None:
    bench.let_pass(3600)
    bench.sandbox.advance(3600)


def sent(bench: Bench, scenario: str) -> int:
    return sum(entry.operation == EFFECT_OF[scenario] for entry in bench.sandbox.journal.entries)


def done(bench: Bench, scenario: str) -> int:
    return sum(effect.operation == EFFECT_OF[scenario] for effect in bench.sandbox.books if not effect.foreign)


@pytest.mark.parametrize("scenario", EFFECT_OF)
@pytest.mark.parametrize("fault", AFTER)
def test_what_was_carried_out_and_denied_is_not_done_again(start_bench: Start, fault: Fault, scenario: str) -> None:
    bench = start_bench(shops=("acme",), returns=34)
    bench.keep_only([scenario])
    bench.sandbox.set_faults(f"{EFFECT_OF[scenario]}:1:{fault}")
    act(bench)
    act(bench)
    hour_later(bench)
    act(bench)
    bench.run("reconcile", mode="act")
    assert sent(bench, scenario) == done(bench, scenario) == 1
    assert bench.sandbox.audit().violations == ()
    assert bench.sandbox.audit().forgotten(bench.explained()) == ()


@pytest.mark.parametrize("scenario", EFFECT_OF)
@pytest.mark.parametrize("fault", [Fault.REDIRECT_AFTER, Fault.SET_UP_AFTER, Fault.CONFLICT_409_AFTER])
def test_nor_while_reads_show_the_state_before(start_bench: Start, fault: Fault, scenario: str) -> None:
    bench = start_bench(shops=("acme",), returns=34)
    bench.keep_only([scenario])
    named = (NamedFault(EFFECT_OF[scenario], 1, fault),)
    bench.sandbox.set_faults(FaultPlan(1.0, weights={Fault.STALE_READ: 1}, named=named))
    for _ in range(4):
        act(bench)
    assert done(bench, scenario) == 1
    bench.sandbox.stop_faults()
    hour_later(bench)
    act(bench)
    bench.run("reconcile", mode="act")
    assert done(bench, scenario) == 1
    assert bench.sandbox.audit().violations == ()
    assert bench.sandbox.audit().forgotten(bench.explained()) == ()


@pytest.mark.parametrize("fault", ["unauthorized_401"])
def test_what_was_denied_and_not_done_is_done_once_rever_would_show_it(start_bench: Start, fault: str) -> None:
    bench = start_bench(shops=("acme",), returns=34)
    bench.keep_only(["approved_one"])
    bench.sandbox.set_faults(f"issueRefund:1:{fault}")
    act(bench)
    bench.act()
    assert sent(bench, "approved_one") == 1
    assert "told_no" in {item.rule for item in bench.unfinished()}
    hour_later(bench)
    bench.act()
    assert done(bench, "approved_one") == 1
    assert bench.holds() == []
    assert bench.sandbox.audit().violations == ()


@pytest.mark.parametrize("seed", range(3))
def test_a_429_after_acting_is_seen_to_be_done_whoever_said_it(start_bench: Start, seed: int) -> None:
    bench = start_bench(shops=("acme",), returns=34)
    bench.keep_only(["exchange_reviewed"])
    bench.sandbox.set_faults(FaultPlan(seed=seed, named=(NamedFault("issueExchange", 1, Fault.TOO_MANY_AFTER),)))
    bench.act()
    assert sent(bench, "exchange_reviewed") == done(bench, "exchange_reviewed") == 1
    assert bench.sandbox.audit().violations == ()
