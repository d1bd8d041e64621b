"""Every table of money sums up to what SQL adds up over the ledger, over any window, also when clocks change."""

import csv
import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert

from tasks.ledger import Ledger, effects
from tasks.ledger.schema import intents, lines, records
from tasks.policy.record import IntentKind, IntentState
from tasks.reporting.daily_data import ReportData, StoreWindow
from tasks.reporting.daily_report import DailyReport, DailyRun, report_json
from tasks.reporting.report_files import report_html, write_csv_files, write_workbook
from tests.postgres import ACCOUNT

ZONES = {"acme": ZoneInfo("Europe/Madrid"), "east": ZoneInfo("America/New_York")}
CHANGES = (
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2027, 3, 28, 1, tzinfo=UTC),
    datetime(2027, 3, 14, 7, tzinfo=UTC),
)
NOW = datetime(2027, 6, 1, tzinfo=UTC)
SPLIT = ("money", "days", "methods", "reasons", "products", "countries", "why")


def fill(conn: Connection) -> None:
    """Effects of all kinds, states and currencies around the times when clocks change, a minute from midnight too."""
    random = Random(15)
    for n in range(400):
        store = random.choice(list(ZONES))
        change = random.choice(CHANGES)
        at = change + timedelta(minutes=random.randrange(-3 * 1440, 3 * 1440))
        if n % 5 == 0:  # just before and at midnight of the store
            day = at.astimezone(ZONES[store]).date()
            at = datetime(day.year, day.month, day.day, tzinfo=ZONES[store]).astimezone(UTC)
            at -= timedelta(microseconds=random.choice((0, 1)))
        kind = random.choice((IntentKind.REFUND, IntentKind.REFUND, IntentKind.EXCHANGE, IntentKind.LABEL))
        state = random.choice((IntentState.DONE, IntentState.DONE, IntentState.DONE_BY_HAND, IntentState.REFUSED,
                               IntentState.DROPPED, IntentState.UNKNOWN))  # fmt: skip
        cents = random.choice((random.randrange(1, 100_000), 1, 0))
        amount = Decimal(cents) / 100 if kind is IntentKind.REFUND else Decimal(0)
        process, currency = f"retp_{n}", random.choice(("EUR", "SEK"))
        conn.execute(insert(records).values(process_id=process, store=store, order_name=f"#{n}"))
        for line in ("l1", "l2", "l3")[: n % 4]:
            total = Decimal(random.randrange(0, 9999)) / 100
            conn.execute(
                insert(lines).values(process_id=process, line_id=line, total=total, quantity=3, currency=currency)
            )
        conn.execute(
            insert(intents).values(
                id=f"i{n}",
                process_id=process,
                store=store,
                kind=kind,
                state=state,
                method=random.choice(("GIFT_CARD", "ORIGINAL_PAYMENT_METHOD")) if kind is IntentKind.REFUND else "",
                currency=currency,
                amount=amount,
                gross=amount,
                items={line: [1, 2] for line in ("l1", "l2", "l3")[: n % 4]},
                details={},
                token="t",
                lease_until=at,
                snapshot={},
                evidence={},
                rule=random.choice(("on_item_verified", "already_paid")),
                day=at.date(),
                created_at=at - timedelta(minutes=1),
                closed_at=None if state is IntentState.UNKNOWN else at,
            )
        )


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sums") / "ledger.sqlite"
    with closing(Ledger.open(f"sqlite:///{path}", account=ACCOUNT, clock=lambda: NOW)) as ledger:
        ledger.write(fill)
    return path


@pytest.fixture(scope="module")
def ledger(file: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(f"sqlite:///{file}", account=ACCOUNT, clock=lambda: NOW, read_only=True)) as ledger:
        yield ledger


def by_sql(file: Path, window: StoreWindow, state: str, since: datetime, until: datetime) -> dict[str, Decimal]:
    """Currency -> sum in cents, as the database adds it up."""
    query = (
        "SELECT currency, SUM(CAST(ROUND(amount * 100) AS INTEGER)) FROM intents WHERE kind = 'refund' AND state = ? "
        "AND store = ? AND closed_at >= ? AND closed_at < ? GROUP BY currency"
    )
    times = [f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}" for at in (since, until)]
    with closing(sqlite3.connect(file)) as conn:
        found = conn.execute(query, (state, window.store, *times)).fetchall()
    return {currency: Decimal(cents) / 100 for currency, cents in found}


def added(report: DailyReport, table: str, column: str, store: str, day: date | None = None) -> dict[str, Decimal]:
    """Currency -> sum of a column over the rows of a store."""
    sums: dict[str, Decimal] = {}
    for row in report.table(table).records():
        amount = row[column]
        if row["store"] == store and isinstance(amount, Decimal) and (day is None or row["day"] == day):
            sums[str(row["currency"])] = sums.get(str(row["currency"]), Decimal(0)) + amount
    return sums


def nonzero(sums: dict[str, Decimal]) -> dict[str, Decimal]:
    return {currency: amount for currency, amount in sums.items() if amount}


MINUTES = st.integers(-3 * 1440, 3 * 1440)
WINDOWS = st.tuples(st.sampled_from(CHANGES), MINUTES, MINUTES).filter(lambda it: it[1] < it[2])


@settings(max_examples=25)
@given(WINDOWS)
@example((CHANGES[0], -60, 60))
@example((CHANGES[1], -3 * 1440, 3 * 1440))
def test_each_table_of_money_sums_up_to_what_sql_says(
    file: Path, ledger: Ledger, cut: tuple[datetime, int, int]
) -> None:
    change, first, last = cut
    since, until = change + timedelta(minutes=first), change + timedelta(minutes=last)
    windows = {store: StoreWindow(store, since, until, zone) for store, zone in ZONES.items()}
    report = DailyReport.of(ReportData(windows, NOW, ledger.read(effects, list(ZONES), since, until)))
    for store, window in windows.items():
        done = by_sql(file, window, "done", since, until)
        by_hand = by_sql(file, window, "done_by_hand", since, until)
        for table in SPLIT:
            assert nonzero(added(report, table, "refunded", store)) == nonzero(done), table
            assert nonzero(added(report, table, "by_hand", store)) == nonzero(by_hand), table
        listed: dict[str, Decimal] = {}
        for row in report.table("payments").records():
            if row["store"] == store and row["state"] != "by hand" and isinstance(row["amount"], Decimal):
                listed[str(row["currency"])] = listed.get(str(row["currency"]), Decimal(0)) + row["amount"]
        assert nonzero(listed) == nonzero(done)


def offset(store: str, day: date) -> int:
    """Hours from UTC at midnight of a day, by the calendar and not by the zone database."""
    if store == "acme":
        return 2 if day <= date(2026, 10, 25) or day > date(2027, 3, 28) else 1
    return -4 if day <= date(2026, 11, 1) or day > date(2027, 3, 14) else -5


@pytest.mark.parametrize("store", ZONES)
@pytest.mark.parametrize("first", [date(2026, 10, 22), date(2027, 3, 11), date(2027, 3, 25)])
def test_each_day_sums_up_to_what_sql_says_from_midnight_to_midnight(
    file: Path, ledger: Ledger, store: str, first: date
) -> None:
    bounds = [
        datetime(each.year, each.month, each.day, tzinfo=UTC) - timedelta(hours=offset(store, each))
        for each in (first + timedelta(days=n) for n in range(8))
    ]
    window = StoreWindow(store, bounds[0], bounds[-1], ZONES[store])
    report = DailyReport.of(
        ReportData({store: window}, NOW, ledger.read(effects, [store], *bounds[:: len(bounds) - 1]))
    )
    seen = []
    for day, since, until in zip(window.days(), bounds, bounds[1:], strict=False):
        seen.append(day.day)
        assert day.hours == (until - since) / timedelta(hours=1)
        done = by_sql(file, window, "done", since, until)
        assert nonzero(added(report, "days", "refunded", store, day.day)) == nonzero(done)
    assert seen == [first + timedelta(days=n) for n in range(7)]


# What stands in each form of the report: every row of a table, with its cells as a person or a program reads them.

Read = dict[str, list[dict[str, str]]]


def in_files(report: DailyReport, folder: Path) -> Iterator[Read]:
    """The tables as each form has them: CSV, Excel, JSON, the page to send on and the page in Prefect."""
    write_csv_files(folder, report)
    yield {name: list(csv.DictReader((folder / f"{name}.csv").open(newline=""))) for name in SPLIT}
    write_workbook(folder / "r.xlsx", report)
    book = openpyxl.load_workbook(folder / "r.xlsx", read_only=True)
    yield {name: of_sheet(report, name, list(book[report.table(name).title].values)[2:]) for name in SPLIT}
    told = {table["name"]: table["rows"] for table in json.loads(json.dumps(report_json(report)))["tables"]}
    yield {name: told[name] for name in SPLIT}
    page = report_html(report)
    sections = {name: page.partition(f'<h2 id="{name}">')[2].partition("</section>")[0] for name in SPLIT}
    yield {name: shown(re.findall(r"<tr>(.*?)</tr>", sections[name]), r"<t[dh][^>]*>(.*?)</t[dh]>") for name in SPLIT}
    artifact = DailyRun("daily-report", found=report).page
    parts = {
        name: artifact.partition(f"\n#### {report.table(name).title}\n")[2].partition("\n####")[0] for name in SPLIT
    }
    yield {name: shown(re.findall(r"^\| (?!---)(.*) \|$", parts[name], re.MULTILINE), r"[^|]+") for name in SPLIT}


def of_sheet(report: DailyReport, name: str, rows: Sequence[tuple[object, ...]]) -> list[dict[str, str]]:
    titles = [column.name for column in report.table(name).columns]
    return [dict(zip(titles, map(str, row), strict=True)) for row in rows if row[1] is not None]


def shown(rows: list[str], cell: str) -> list[dict[str, str]]:
    """Rows of a page, the first of which has the titles."""
    cells = [[it.strip() for it in re.findall(cell, row)] for row in rows]
    titles = [title.lower() for title in cells[0]] if cells else []
    return [dict(zip(titles, row, strict=True)) for row in cells[1:]]


@settings(max_examples=3)
@given(WINDOWS)
@example((CHANGES[0], -3 * 1440, 3 * 1440))
@example((CHANGES[1], -90, 2000))
def test_each_form_of_the_report_says_what_sql_says(
    file: Path, ledger: Ledger, tmp_path_factory: pytest.TempPathFactory, cut: tuple[datetime, int, int]
) -> None:
    change, first, last = cut
    since, until = change + timedelta(minutes=first), change + timedelta(minutes=last)
    windows = {store: StoreWindow(store, since, until, zone) for store, zone in ZONES.items()}
    report = DailyReport.of(ReportData(windows, NOW, ledger.read(effects, list(ZONES), since, until)))
    done = {(store, code): it for store, window in windows.items()
            for code, it in nonzero(by_sql(file, window, "done", since, until)).items()}  # fmt: skip
    for form in in_files(report, tmp_path_factory.mktemp("form")):
        for name, rows in form.items():
            sums: dict[tuple[str, str], Decimal] = {}
            for row in rows:
                key = (row["store"], row["currency"])
                sums[key] = sums.get(key, Decimal(0)) + Decimal(row["refunded"].replace(",", ""))
            assert {key: amount for key, amount in sums.items() if amount} == done, name
