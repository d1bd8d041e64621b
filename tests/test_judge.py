"""The judge finds what is wrong: each of its checks fails on a ledger or on books that are changed for it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from rever_api.sandbox import Due, Violation
from tests.books import Books, LedgerState
from tests.judge import (
    BOOKS,
    DOUBLE,
    ELSEWHERE,
    FORGOTTEN,
    NO_LOOK,
    REPORT,
    TRAIL,
    WHILE_STOPPED,
    judge,
    judge_always,
    judge_put_back,
    judge_reports,
)
from tests.world import Start

Sides = tuple[Books, LedgerState]
Change = Callable[[Books, LedgerState], Sides]


@pytest.fixture
def sides(start_world: Start) -> Sides:
    """A world that was served: two returns, each refunded once."""
    world = start_world(returns=2, shops=("acme",), scenarios=("approved_one",))
    world.act()
    return Books.of(world.sandbox), world.read(LedgerState.read)


def first(rows: Any, **values: Any) -> list[Any]:
    """The rows, the first of them with other values."""
    changed, *rest = rows
    return [SimpleNamespace(**dict(changed._mapping) | values), *rest]


def without_step(event: str) -> Change:
    return lambda books, ledger: (books, replace(ledger, steps=[row for row in ledger.steps if row.event != event]))


def intent(**values: Any) -> Change:
    return lambda books, ledger: (books, replace(ledger, intents=first(ledger.intents, **values)))


def record(**values: Any) -> Change:
    return lambda books, ledger: (books, replace(ledger, records=first(ledger.records, **values)))


def violation(books: Books, ledger: LedgerState) -> Sides:
    return replace(books, violations=[Violation(2, "double_refund", "retp_1", 1, "twice")]), ledger


def paid_more(books: Books, ledger: LedgerState) -> Sides:
    effect, *rest = books.effects
    return replace(books, effects=[replace(effect, amount=(effect.amount or 0) + Decimal("0.01")), *rest]), ledger


def shown_less(books: Books, ledger: LedgerState) -> Sides:
    return replace(books, shown=dict.fromkeys(books.shown, Decimal(0))), ledger


def still_due(books: Books, ledger: LedgerState) -> Sides:
    effect = books.effects[0]
    return replace(books, due=[Due(effect.process_id, "acme", "EUR", Decimal(1), 0, False, 0, "desk")]), ledger


ALWAYS: dict[str, tuple[Change, str]] = {
    "the auditor's violation": (violation, DOUBLE),
    "a cent more at REVER than is meant": (paid_more, BOOKS),
    "a cent more in the ledger than at REVER": (intent(amount=Decimal("999.99")), BOOKS),
    "an effect that was never meant": (without_step("intended"), TRAIL),
    "a call that is not written down": (without_step("sent"), TRAIL),
    "an end that is not told": (without_step("done"), TRAIL),
    "a step by nobody": (lambda b, e: (b, replace(e, steps=first(e.steps, actor=""))), TRAIL),
    "an intent without a rule": (intent(rule=""), TRAIL),
    "an open outcome nobody looks at": (intent(state="unknown", look_at=None), NO_LOOK),
}  # fmt: skip
AT_REST: dict[str, tuple[Change, str]] = {
    "an open outcome nobody is asked about": (intent(state="unknown", look_at=datetime.now(UTC)), NO_LOOK),
    "a return that is not looked at again": (record(final=False, next_look_at=None), NO_LOOK),
    "a return that is due something": (still_due, FORGOTTEN),
    "an effect that is not in the ledger": (intent(adopted=True), BOOKS),
    "less shown at the return than paid": (shown_less, BOOKS),
}


def test_a_world_that_was_served_is_clean(sides: Sides) -> None:
    assert judge(*sides).words == []
    assert len(sides[1].done) == 2


@pytest.mark.parametrize("name", ALWAYS)
def test_at_any_moment_it_finds(sides: Sides, name: str) -> None:
    change, kind = ALWAYS[name]
    assert judge_always(*change(*sides)).found[kind]
    assert judge(*change(*sides)).found[kind]


@pytest.mark.parametrize("name", AT_REST)
def test_where_no_run_is_at_work_it_finds(sides: Sides, name: str) -> None:
    change, kind = AT_REST[name]
    assert judge(*change(*sides)).found[kind]


def test_it_finds_a_report_that_says_more_than_was_paid() -> None:
    told = {"mode": "act", "paid": {"EUR": "10.00"}, "on_its_way": {"EUR": "1.00"}}
    assert judge_reports([told, told | {"mode": "plan"}], {"EUR": Decimal(11)}).clean
    assert judge_reports([told, told], {"EUR": Decimal(11)}).found[REPORT] == 1


def test_after_a_restore_it_finds_what_was_sent_while_stopped_and_what_a_person_had_closed(sides: Sides) -> None:
    books, _ = sides
    closed = {books.effects[0].process_id}
    assert judge_put_back(books, sent_while_stopped=0, closed=closed, since=len(books.effects)).clean
    found = judge_put_back(books, sent_while_stopped=1, closed=closed, since=0).found
    assert (found[WHILE_STOPPED], found[ELSEWHERE]) == (1, 1)
