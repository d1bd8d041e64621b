"""reconcile from end to end: what no search for running returns shows is found; nothing is sent."""

from tests.flows.conftest import Bench


def test_a_return_of_a_status_not_known_is_held_and_not_forgotten(bench: Bench) -> None:
    paused = bench.sandbox.process_ids("unknown_status")
    assert paused
    bench.act()
    assert set(paused) <= set(bench.sandbox.audit().forgotten(bench.explained()))
    bench.run("reconcile", mode="act")
    assert bench.sandbox.audit().forgotten(bench.explained()) == ()
    held = {hold.process_id: hold for hold in bench.holds()}
    assert {held[process_id].rule for process_id in paused} == {"unknown_status"}


def test_nothing_is_sent_though_much_is_due(bench: Bench) -> None:
    bench.run("reconcile", mode="act")
    assert [effect for effect in bench.sandbox.books.effects if effect.by == "api"] == []
    assert bench.act().paid
    assert bench.sandbox.audit().violations == ()
