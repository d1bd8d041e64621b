"""`python -m tests.benchmarks.year_of_returns`: a brand's year as a report and as frames, with its time and memory.

The rows are made up and stand in memory as if they had been read, with as many objects of their own as those have: what
REVER's answers take to come in is not measured.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from sys import intern
from zoneinfo import ZoneInfo

from tasks.ledger import Effect
from tasks.policy.money import ZERO, shared
from tasks.policy.record import IntentKind, IntentState
from tasks.reporting.daily_data import ReportData, StoreWindow
from tasks.reporting.daily_report import DailyReport
from tasks.reporting.frames import write_frames
from tasks.reporting.report_files import report_html, write_workbook
from tasks.reporting.return_rows import LineRow, RefundRow, ReturnParts, ReturnRow, ReviewRow, Seen, Stage

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
SKUS = [f"SKU-{n:04}" for n in range(2000)]
REASONS = ("TOO_BIG", "TOO_SMALL", "DAMAGED", "NOT_AS_EXPECTED", "CHANGED_MIND")
METHODS = ("ORIGINAL_PAYMENT_METHOD", "ORIGINAL_PAYMENT_METHOD", "GIFT_CARD")


def a_year(many: int) -> ReportData:
    """So many returns of one store over a year, each of one or two lines, inspected and paid but for the newest."""
    random = Random(7)
    returns, effects = [], []
    for n in range(many):
        process_id = intern(f"retp_{n:027}")
        started = BEGAN + YEAR * (n / many)
        reviewed, paid_at = started + timedelta(days=6), started + timedelta(days=7, minutes=random.randrange(600))
        waits, currency = paid_at > BEGAN + YEAR, "EUR"
        lines = tuple(_line(random, process_id, f"line_{n}_{place}") for place in range(1 + n % 2))
        value = shared(sum((line.total or ZERO for line in lines), ZERO))
        order = f"#{n}"
        method = random.choice(METHODS)
        seen: tuple[Seen, ...] = ()
        refunds: tuple[RefundRow, ...] = ()
        if not waits:
            effect = _effect(f"{n:032x}", process_id, n, method, value, lines, paid_at)
            effects.append(effect)
            seen = (Seen(effect.id, value, value, paid_at),)
            refunds = (RefundRow(process_id, order, "acme", method, value, value, currency, paid_at),)
        row = ReturnRow(
            process_id=process_id,
            order=order,
            store="acme",
            status="RUNNING" if waits else "COMPLETED",
            return_status="STARTED" if waits else "COMPLETED",
            country=random.choice(("ES", "FR", "DE", "PT")),
            return_method="DROP_OFF_POINT",
            started_at=started,
            moved_at=started + timedelta(days=2),
            arrived_at=started + timedelta(days=4),
            reviewed_at=reviewed,
            moved=True,
            units=len(lines),
            value=value,
            refunded=ZERO if waits else value,
            currency=currency,
            stage=Stage.INSPECTED if waits else Stage.ENDED,
            waits=waits,
            decision="wait",
            rule="on_item_verified",
        )
        reviews = tuple(
            ReviewRow(process_id, line.line_id, "acme", "APPROVED", reviewed, line.total, currency) for line in lines
        )
        returns.append(ReturnParts(row, lines, reviews, (), refunds, seen))
    window = StoreWindow("acme", BEGAN, BEGAN + YEAR, ZoneInfo("Europe/Madrid"))
    return ReportData({"acme": window}, BEGAN + YEAR, effects, (), returns)


def _line(random: Random, process_id: str, line_id: str) -> LineRow:
    sku = random.choice(SKUS)
    total = shared(Decimal(random.randrange(500, 20_000)) / 100)
    reason = random.choice(REASONS)
    return LineRow(process_id, line_id, "acme", sku, sku, reason, "ORIGINAL_PAYMENT_METHOD", 1, total, "EUR")


def _effect(
    name: str, process_id: str, n: int, method: str, value: Decimal, lines: tuple[LineRow, ...], at: datetime
) -> Effect:
    return Effect(
        id=name,
        process_id=process_id,
        order=f"#{n}",
        store="acme",
        kind=IntentKind.REFUND,
        state=IntentState.DONE,
        method=method,
        currency="EUR",
        amount=value,
        gross=value,
        shipping=ZERO,
        units=len(lines),
        parts=tuple((line.line_id, line.total or ZERO) for line in lines),
        carrier="",
        created_at=at - timedelta(seconds=2),
        sent_at=at - timedelta(seconds=1),
        closed_at=at,
        rule="on_item_verified",
        why=f"{len(lines)} units approved and not compensated yet: refunds {value} EUR by {method}",
        adopted=False,
        paid_seen=None,
        approved_by="",
        approved_at=None,
    )


def main() -> None:
    """Make the year, the frames and the report, and print what each took."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--returns", type=int, default=300_000)
    options.add_argument("--only", choices=("frames", "report"), default="")
    asked = options.parse_args()
    data = a_year(asked.returns)
    print(f"{asked.returns:,} returns in memory: {_memory()} MB")
    with tempfile.TemporaryDirectory() as folder:
        if asked.only != "report":
            with _measured("frames and Parquet"):
                rows = write_frames(Path(folder), data)
            size = sum(path.stat().st_size for path in Path(folder).iterdir()) / 1e6
            print(f"  {sum(rows.values()):,} rows, {size:.0f} MB of files")
        if asked.only != "frames":
            with _measured("report"):
                report = DailyReport.of(data)
            with _measured("workbook"):
                write_workbook(Path(folder, "r.xlsx"), report)
            print(f"  {Path(folder, 'r.xlsx').stat().st_size / 1e6:.0f} MB; page: {len(report_html(report)):,} bytes")


@contextmanager
def _measured(what: str) -> Iterator[None]:
    began, worked = time.monotonic(), time.process_time()
    yield
    took, worked = time.monotonic() - began, time.process_time() - worked
    print(f"{what}: {took:.1f} s, of it {worked:.1f} s of the processor; {_memory()} MB at most so far")


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
