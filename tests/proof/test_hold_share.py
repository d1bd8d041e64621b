"""The measure of how many returns are held: without faults no ordinary one is, so that it counts only faults."""

import os

import pytest

from tests.proof.hold_share import HELD_BY_THEMSELVES, REVERS_SHARE, Measured, measure


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the measure sets is gone after the test."""
    monkeypatch.setattr(os, "environ", os.environ.copy())


def measured(faults: str) -> Measured:
    return measure(faults, returns=68, rounds=2)


def test_nothing_but_a_fault_holds_an_ordinary_return() -> None:
    found = measured("none")
    assert found.returns == 68 - 2 * len(HELD_BY_THEMSELVES)
    assert (found.held, found.injected, found.violations, found.forgotten) == (0, 0, 0, 0)


def test_ambiguous_answers_hold_what_rever_never_did() -> None:
    found = measured("ambiguous-20")
    assert found.injected > 3
    assert set(found.rules) == {"unknown_outcome"}
    assert 0 < found.held <= found.injected
    assert (found.violations, found.forgotten) == (0, 0)
    assert str(REVERS_SHARE) in found.line()
