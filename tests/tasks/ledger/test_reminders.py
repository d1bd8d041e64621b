"""Of which returns people were told: once for each return, stage and hold, also of two runs at the same time."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

from tasks.ledger import Ledger, remind_once
from tasks.policy.stale import KnownBy, StaleReturn, StaleStage, WaitsFor
from tests.postgres import ACCOUNT
from tests.tasks.ledger.desk import NOON, STORE, LedgerDesk
from tests.tasks.ledger.test_races import together

STILL = StaleReturn(
    "p1", STORE, "#1001", StaleStage.LABEL_UNUSED, NOON - timedelta(days=30), KnownBy.SEEN, 9, WaitsFor.SHOPPER
)


def told(desk: LedgerDesk, *found: StaleReturn) -> list[StaleReturn]:
    return desk.ledger.write(remind_once, found, now=desk.clock())


def test_it_is_told_once_however_its_days_and_its_first_moment_change(desk: LedgerDesk) -> None:
    assert told(desk, STILL) == [STILL]
    desk.clock.forward(hours=24)
    assert told(desk, replace(STILL, over=10, since=NOON - timedelta(days=31))) == []


def test_another_stage_another_return_and_another_hold_are_told_too(desk: LedgerDesk) -> None:
    told(desk, STILL)
    held = replace(STILL, stage=StaleStage.HOLD_OPEN, about="hold-1")
    others = [replace(STILL, stage=StaleStage.PARCEL_STOPPED), replace(STILL, process_id="p2"), held]
    assert told(desk, STILL, *others) == others
    assert told(desk, *others, replace(held, about="hold-2")) == [replace(held, about="hold-2")]


def test_of_two_runs_at_the_same_time_one_tells_of_it(desk: LedgerDesk, url: str) -> None:
    ledgers = [Ledger.open(url, account=ACCOUNT, clock=desk.clock) for _ in range(2)]
    both = together(*(partial(it.write, remind_once, [STILL], now=NOON) for it in ledgers))
    for ledger in ledgers:
        ledger.close()
    assert sorted((it if isinstance(it, list) else [it, it] for it in both), key=len) == [[], [STILL]]
