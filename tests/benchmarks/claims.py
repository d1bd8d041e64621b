"""The ledger alone: claims per second with several writers, each a process that does a worker's three steps.

`python -m tests.benchmarks.claims WRITER CLAIMS` is one writer: it decides by batches of 100, marks each claim as sent
and records it as done, 8 at a time as a run does, and starts when it reads a line on stdin.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from sqlalchemy import URL

from tasks.ledger import Actor, Claim, Decided, DecideRequest, Done, Ledger, Sent, decide, mark_sent, record_done
from tasks.policy.decision import Compensate, Decision, RefundDue
from tasks.policy.record import LineTerms, LineUnits, Record
from tasks.policy.store import Guards
from tests.benchmarks.children import ROOT, clean_environment
from tests.postgres import fresh_database

WRITERS, IN_FLIGHT, BATCH = (1, 4, 16), 8, 100
ACTOR = Actor("bench")
_AMOUNT = Decimal("22.30")
_REFUND = RefundDue("ORIGINAL_PAYMENT_METHOD", _AMOUNT, _AMOUNT, "EUR", (LineUnits("l1", (1,)),))


def _pay(_: Record) -> Decision:
    return Compensate("approved", "1 unit approved and not compensated yet", Decimal(0), (_REFUND,))


def _request(process_id: str, now: datetime) -> DecideRequest:
    later = now + timedelta(minutes=10)
    terms = {"l1": LineTerms(_AMOUNT, 1, "EUR")}
    return DecideRequest(
        process_id, "acme", "#AC1", now.date(), _pay, Guards(), f"{process_id}@example.com", later, terms
    )


async def _batch(ledger: Ledger, ids: list[str]) -> None:
    now = datetime.now(UTC)
    requests = [_request(process_id, now) for process_id in ids]
    decided: list[Decided] = await ledger.awrite(decide, requests, actor=ACTOR, now=now, lease=timedelta(minutes=1))
    waiting = iter([each.claim for each in decided if each.claim])

    async def worker() -> None:
        for claim in waiting:
            await _carry_out(ledger, claim)

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))


async def _carry_out(ledger: Ledger, claim: Claim) -> None:
    now = datetime.now(UTC)
    until, settle_at = now + timedelta(seconds=15), now + timedelta(minutes=15)
    await ledger.awrite_joined(mark_sent, Sent(claim, {"refunds": 0}, until, settle_at, now, ACTOR))
    await ledger.awrite_joined(record_done, Done(claim, {"answer": "yes"}, now, ACTOR))


async def _claims(ledger: Ledger, writer: int, count: int) -> None:
    ids = [f"retp_{writer}_{number:06}" for number in range(count)]
    for start in range(0, count, BATCH):
        await _batch(ledger, ids[start : start + BATCH])


def main(writer: int, count: int) -> None:
    """One writer."""
    ledger = Ledger.open(os.environ["REVER_LEDGER_URL"], account="bench", clock=lambda: datetime.now(UTC))
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.time()
    asyncio.run(_claims(ledger, writer, count))
    print(json.dumps([began, time.time()]), flush=True)
    ledger.close()


def claims_per_second(url: str, writers: int, count: int) -> float:
    """So many writers at once on one ledger, with `count` claims between them."""
    Ledger.open(url, account="bench", clock=lambda: datetime.now(UTC)).close()
    each = max(1, count // writers)
    env = clean_environment() | {"REVER_LEDGER_URL": url, "PYTHONPATH": str(ROOT)}
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.claims", str(writer), str(each)],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for writer in range(writers)
    ]
    for one in running:
        assert one.stdout and one.stdout.readline()  # noqa: PT018
    for one in running:
        assert one.stdin
        one.stdin.write("\n")
        one.stdin.flush()
    times = [json.loads(one.communicate()[0].splitlines()[-1]) for one in running]
    seconds: float = max(end for _, end in times) - min(began for began, _ in times)
    return each * writers / seconds


def ledger_claims(folder: Path, postgres: URL | None, count: int) -> dict[str, dict[int, float]]:
    """Database -> writers -> claims per second."""
    told: dict[str, dict[int, float]] = {"SQLite": {}}
    for writers in WRITERS:
        told["SQLite"][writers] = claims_per_second(f"sqlite:///{folder / f'{writers}.sqlite'}", writers, count)
    if postgres is not None:
        told["PostgreSQL"] = {}
        for writers in WRITERS:
            with fresh_database(postgres) as url:
                told["PostgreSQL"][writers] = claims_per_second(url, writers, count)
    return told


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
