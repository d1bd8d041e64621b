"""Several at the same time: processes on an empty ledger, workers on one return, two people on one hold."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from threading import Barrier
from typing import Any, TypeVar, cast

import pytest
from sqlalchemy import select

from tasks.ledger import Answer, Ledger, OutdatedAnswer, expire
from tasks.ledger.schema import ledger as ledger_table
from tasks.ledger.schema import store_days
from tasks.policy.store import Guards
from tests.forked import Forked
from tests.postgres import ACCOUNT
from tests.tasks.ledger import racing
from tests.tasks.ledger.conftest import BOTH
from tests.tasks.ledger.desk import FLOW, LedgerDesk, pay, refund, request, units
from tests.tasks.ledger.racing import CAP, RETURNS

T = TypeVar("T")
PROCESSES = 4


@pytest.fixture(params=BOTH)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place where no ledger has been made yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new.sqlite"
    return str(request.getfixturevalue("postgres_empty_url"))


@pytest.fixture
def desks(desk: LedgerDesk, url: str) -> Iterator[list[LedgerDesk]]:
    """Four that have the same ledger open, each with connections and a writer of its own."""
    more = [LedgerDesk(Ledger.open(url, account=ACCOUNT, clock=desk.clock), desk.clock) for _ in range(3)]
    yield [desk, *more]
    for each in more:
        each.ledger.close()


def together(*steps: Callable[[], T]) -> list[T | Exception]:
    """Run these at the same moment, and answer what each answered or raised."""
    barrier = Barrier(len(steps))

    def run(step: Callable[[], T]) -> T | Exception:
        barrier.wait(10)
        try:
            return step()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    with ThreadPoolExecutor(len(steps)) as threads:
        return list(threads.map(run, steps))


def test_processes_that_start_on_an_empty_ledger_make_it_once_and_never_pass_the_cap(
    empty_url: str, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    racers = [
        Forked(racing.main, empty_url, str(go), environment=os.environ, folder=tmp_path) for _ in range(PROCESSES)
    ]
    while len(list(tmp_path.glob("go.*"))) < PROCESSES and all(racer.poll() is None for racer in racers):
        time.sleep(0.01)
    go.touch()
    outputs = [racer.communicate(timeout=60) for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * PROCESSES, [errors for _, errors in outputs]
    sent = [tuple(each) for output, _ in outputs for each in json.loads(output)]
    assert {verdict for _, verdict in sent} == {"sent"}
    assert max(Counter(process_id for process_id, _ in sent).values()) == 1
    assert len(sent) == CAP // 10 < RETURNS
    ledger = Ledger.open(
        empty_url, account=ACCOUNT, clock=lambda: pytest.fail("the ledger is bound already"), read_only=True
    )
    assert len(ledger.read(lambda conn: conn.execute(select(ledger_table.c.shopper_key)).all())) == 1
    assert ledger.read(lambda conn: conn.execute(select(store_days.c.amount_e4)).scalar_one()) == CAP * 10_000
    ledger.close()


def test_many_workers_on_the_same_returns_claim_each_once(desks: list[LedgerDesk]) -> None:
    ids = [f"p{n}" for n in range(12)]

    def decide(each: LedgerDesk, order: list[str]) -> list[str]:
        return [d.process_id for d in each.decide(*map(request, order)) if d.claim is not None]

    orders = [ids, ids[::-1], ids[6:] + ids[:6], ids]
    found = together(*(lambda d=d, o=o: decide(d, o) for d, o in zip(desks, orders, strict=True)))
    assert sorted(process_id for each in found if isinstance(each, list) for process_id in each) == sorted(ids)


def test_different_units_of_one_return_are_not_claimed_side_by_side(desks: list[LedgerDesk]) -> None:
    rules = [pay(refund(items=units(n))) for n in (1, 2)]
    found = together(*(lambda d=d, rule=rule: d.one("p1", rule) for d, rule in zip(desks, rules, strict=False)))
    assert sorted(each.claim is not None for each in found) == [False, True]  # type: ignore[union-attr]


def test_of_many_that_send_one_claim_one_may(desks: list[LedgerDesk]) -> None:
    for number in range(5):
        claim = desks[0].claim(f"p{number}")
        verdicts: list[Any] = together(*(lambda d=d, claim=claim: d.send(claim) for d in desks))
        assert sorted(each.sending for each in verdicts) == ["lost", "lost", "lost", "sent"]


def test_the_cap_holds_between_workers(desks: list[LedgerDesk]) -> None:
    guards = Guards(max_refunds_per_shopper=3)

    def claims(each: LedgerDesk, number: int) -> int:
        found = (each.one(f"p{number}-{n}", guards=guards) for n in range(3))
        return sum(decided.claim is not None for decided in found)

    assert sum(together(*(lambda d=d, n=n: claims(d, n) for n, d in enumerate(desks)))) == 3  # type: ignore[arg-type]


def test_two_people_at_once_are_one_answer(desks: list[LedgerDesk]) -> None:
    for number, answer in enumerate((Answer.RETRY, Answer.DROP, Answer.DONE_BY_HAND)):
        desks[0].held(f"p{number}", store=f"store-{number}")
        (hold,) = desks[0].holds()
        found = together(*(lambda d=d, a=answer, h=hold: d.answer(a, h) for d in desks))
        refused = [each for each in found if isinstance(each, Exception)]
        assert len(refused) == 3
        assert all(isinstance(each, OutdatedAnswer) for each in refused)


def test_the_clock_or_the_owner_never_both(desks: list[LedgerDesk]) -> None:
    for number in range(6):
        claim = desks[0].claim(f"p{number}")
        desks[0].clock.forward(seconds=61)
        steps: list[Callable[[], Any]] = [
            partial(desks[0].send, claim),
            partial(desks[1].ledger.write, expire, now=desks[1].clock(), actor=FLOW),
        ]
        verdict, expired = cast("list[Any]", together(*steps))
        assert (verdict.sending == "sent") != (expired.withdrawn == (claim.intent.id,)), (verdict, expired)


def test_of_many_after_a_pause_one_is_the_trial(desks: list[LedgerDesk]) -> None:
    claims = [desks[0].claim(f"t{n}") for n in range(4)]
    for number in range(5):
        desks[0].unknown(desks[0].sent(f"p{number}"))
    desks[0].clock.forward(minutes=1)
    verdicts: list[Any] = together(*(lambda d=d, c=c: d.send(c) for d, c in zip(desks, claims, strict=True)))
    assert sorted(each.sending for each in verdicts) == ["paused", "paused", "paused", "sent"]


def test_workers_in_each_others_way_fail_at_nothing(desks: list[LedgerDesk]) -> None:
    """Batches in any order, ends in any order, and the clock: whoever is undone by a deadlock is done again."""
    ids = [f"p{n:02}" for n in range(16)]
    guards = Guards(max_per_day={"EUR": Decimal(1000)}, max_refunds_per_shopper=1000)

    def work(each: LedgerDesk, seed: int) -> int:
        dice = Random(seed)
        ended = 0
        for _ in range(6):
            batch = [request(process_id, guards=guards) for process_id in dice.sample(ids, 6)]
            claims = [decided.claim for decided in each.decide(*batch) if decided.claim is not None]
            dice.shuffle(claims)
            ends = [partial(dice.choice((each.withdraw, each.refused)), claim) for claim in claims]
            for claim in claims:
                each.send(claim)
            ended += len(together(*ends)) if ends else 0
            each.ledger.write(expire, now=each.clock(), actor=FLOW)
        return ended

    found = together(*(lambda d=d, n=n: work(d, n) for n, d in enumerate(desks)))
    assert all(isinstance(each, int) for each in found), found
    left = desks[0].ledger.read(lambda conn: conn.execute(select(store_days.c.amount_e4)).scalars().all())
    assert left == [0]
