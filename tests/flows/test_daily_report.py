"""daily-report over the sandbox: its sums are those of the sandbox's books, its files say the same, and name nobody."""

import asyncio
import csv
import json
import re
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from prefect import State, get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

from flows.daily_report import Parameters, daily_report
from flows.run import run_flow
from rever_api import AsyncReverClient
from rever_api.models import ReturnProcess, UnreadableProcess
from rever_api.sandbox import running_sandbox
from rever_api.sandbox.state import Actor
from tasks.desk import WrongNameError
from tasks.reporting.daily_report import DailyReport, DailyRun
from tasks.reporting.tables import Kind
from tests.world import PATIENT, Start, World


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A desk that has paid once, for tests that only read; this process is in its folder."""
    folder = tmp_path_factory.mktemp("daily-report")
    with pytest.MonkeyPatch.context() as patch, running_sandbox(returns=40) as sandbox:
        patch.chdir(folder)
        world = World(sandbox, f"sqlite:///{folder / 'ledger.sqlite'}", dict(PATIENT))
        for name, value in world.environment.items():
            patch.setenv(name, value)
        world.act()
        world.let_pass(60)
        yield world


def reported(world: World, **values: str) -> DailyRun:
    report = run_flow("daily-report", values, prefect=False, clock=world.clock)
    assert isinstance(report, DailyRun)
    return report


def tables(run: DailyRun) -> DailyReport:
    assert run.found is not None
    return run.found


def paid_by(world: World, store: str, since: datetime, until: datetime, *, api: bool) -> dict[str, Decimal]:
    """What was paid in a store by the sandbox's books, through the API or by others; not what was before it began."""
    sums: dict[str, Decimal] = {}
    for effect in world.sandbox.books.effects:
        if effect.amount and effect.store == store and (effect.by is Actor.API) is api and since <= effect.at < until:
            sums[effect.currency] = sums.get(effect.currency, Decimal(0)) + effect.amount
    return sums


def sums(found: DailyReport, table: str, column: str, store: str, **only: str) -> dict[str, Decimal]:
    added: dict[str, Decimal] = {}
    for row in found.table(table).records():
        amount = row[column]
        if row["store"] == store and isinstance(amount, Decimal) and all(row[name] == it for name, it in only.items()):
            added[str(row["currency"])] = added.get(str(row["currency"]), Decimal(0)) + amount
    return {currency: amount for currency, amount in added.items() if amount}


@pytest.fixture
def paid(start_world: Start) -> tuple[World, list[datetime]]:
    """A desk that paid in three rounds, a day and more apart, and the times before, between and after them."""
    world = start_world(returns=48)
    rounds = ["approved_one", "two_methods", "mixed_review"]
    all_of_them = dict(world.sandbox.sandbox.processes)
    cuts = [world.now()]
    for scenario in rounds:
        with world.sandbox.sandbox.locked():
            world.sandbox.sandbox.processes.clear()
            world.sandbox.sandbox.processes.update(
                {name: it for name, it in all_of_them.items() if it.scenario == scenario}
            )
        world.act()
        world.pass_time(90_000)
        cuts.append(world.now())
    with world.sandbox.sandbox.locked():
        world.sandbox.sandbox.processes.update(all_of_them)
    return world, cuts


def test_money_out_is_what_the_books_say_over_any_window(paid: tuple[World, list[datetime]]) -> None:
    world, cuts = paid
    for first, last in ((0, 1), (1, 2), (2, 3), (0, 3)):
        since, until = (cuts[place].replace(microsecond=0) for place in (first, last))
        found = tables(reported(world, since=since.isoformat(), until=until.isoformat()))
        whole = 0
        for store in world.sandbox.stores:
            books = paid_by(world, store, since, until, api=True)
            whole += len(books)
            for table in ("money", "days", "methods", "reasons", "products", "countries", "why"):
                assert sums(found, table, "refunded", store) == books, (table, first, last)
            assert sums(found, "payments", "amount", store) == books
        assert whole


def test_what_rever_shows_is_what_its_books_say_whoever_paid(shared: World) -> None:
    world = shared
    found = tables(reported(world, since="2020-01-01"))
    first = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
    for store in world.sandbox.stores:
        api, others = (paid_by(world, store, first, world.now(), api=each) for each in (True, False))
        books = {each: api.get(each, Decimal(0)) + others.get(each, Decimal(0)) for each in {*api, *others}}
        assert sums(found, "reconciled", "rever", store) == books
        desk = sums(found, "payments", "amount", store, state="done")
        assert desk == api
    assert {row["state"] for row in found.table("payments").records()} == {"done", "already paid by REVER"}


def test_it_writes_nothing_and_reads_all_that_waits(shared: World) -> None:
    world = shared
    before, books = world.ledger_file.read_bytes(), world.sandbox.books.as_json()
    found = tables(reported(world))
    assert (world.ledger_file.read_bytes(), world.sandbox.books.as_json()) == (before, books)
    running = [
        it
        for it in world.sandbox.sandbox.processes.values()
        if it.process.rever_process_status in {"RUNNING", "ON_HOLD"}
    ]
    assert found.table("open_returns").n == len(running)


def test_what_a_list_shows_garbled_and_a_read_by_id_whole_is_not_unread(
    shared: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = AsyncReverClient.walk_return_processes
    since = f"{shared.now() - timedelta(days=1):%FT%H:%M:%S%z}"
    name = str(next(iter(tables(reported(shared, since=since)).table("payments").records()))["process_id"])

    async def garbled(self: AsyncReverClient, *asked: Any) -> AsyncIterator[ReturnProcess | UnreadableProcess]:
        async for entry in listed(self, *asked):
            ours = isinstance(entry, ReturnProcess) and entry.rever_process_id == name
            yield UnreadableProcess(process_id=name, why="quantity: missing") if ours else entry

    monkeypatch.setattr(AsyncReverClient, "walk_return_processes", garbled)
    found = tables(reported(shared, since=since))
    assert name in {row["process_id"] for row in found.table("payments").records()}
    assert found.unread == {}


def test_without_a_window_it_is_yesterday_of_each_store(shared: World) -> None:
    found = tables(reported(shared))
    day = shared.now().astimezone(ZoneInfo("Europe/Madrid")).date() - timedelta(days=1)
    assert found.windows["acme"] == f"{day:%F}"
    assert [row["hours"] for row in found.table("return_days").records()] == [24, 24]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"since": "2026-11-02", "until": "2026-11-01"}, "ends before it begins"),
        ({"since": "2999-01-01"}, "ends before it begins"),
        ({"since": "2999-01-01", "until": "2999-01-02"}, "still to come"),
        ({"csv": "full"}, "full is not empty"),
        ({"orders": "none.csv"}, "none.csv"),
        ({"rates": "wrong.csv"}, r"wrong\.csv, row 2, rate is '0,1'; right would be"),
    ],
)
def test_what_cannot_be_is_refused_with_what_would_be_right(shared: World, values: dict[str, str], why: str) -> None:
    Path("full").mkdir(exist_ok=True)
    Path("full", "file").touch()
    Path("wrong.csv").write_text('currency,into,rate\nSEK,EUR,"0,1"\n')
    with pytest.raises(WrongNameError, match=why):
        reported(shared, **values)


def test_order_counts_and_rates_of_a_file_make_rates_and_converted_sums(shared: World) -> None:
    world = shared
    today = world.now().date()
    days = [today - timedelta(days=n) for n in range(-1, 32)]
    rows = [f"{store},{day},10,20" for store in ("acme", "nordic") for day in days]
    Path("orders.csv").write_text("\n".join(["store,day,orders,units", *rows]))
    Path("rates.csv").write_text("currency,into,rate\nSEK,EUR,0.0871\n")
    since = str(today - timedelta(days=30))
    found = tables(reported(world, since=since, orders="orders.csv", rates="rates.csv"))
    for row in found.table("rates").records():
        returned, placed = row["orders_returned"], row["orders"]
        assert isinstance(returned, int)
        assert isinstance(placed, int)
        assert row["order_rate"] == (Decimal(returned) / placed).quantize(Decimal("0.000001"))
    [converted] = [row for row in found.table("converted").records() if row["currency"] == "SEK"]
    assert isinstance(converted["refunded"], Decimal)
    assert converted["converted"] == (converted["refunded"] * Decimal("0.0871")).quantize(Decimal("0.01"))


# The files.


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def files(shared: World) -> tuple[World, DailyReport]:
    """A report of the last month as all kinds of files."""
    world = shared
    since = str((world.now() - timedelta(days=30)).date())
    return world, tables(reported(world, since=since, csv="csv", xlsx="r.xlsx", html="r.html"))


def test_the_csv_files_say_what_the_tables_say(files: tuple[World, DailyReport]) -> None:
    _, found = files
    for table in found.tables:
        read = read_csv(Path("csv", f"{table.name}.csv"))
        assert len(read) == len(table.rows)
        money = [column.name for column in table.columns if column.kind is Kind.MONEY]
        for row, told in zip(table.records(), read, strict=True):
            for name in money:
                assert told[name] == "" if row[name] is None else Decimal(told[name]) == row[name]
    figures = read_csv(Path("csv", "figures.csv"))
    assert all(row["formula"] and row["date_basis"] and row["left_out"] and row["n"] for row in figures if row["table"])
    assert [row["notes"] for row in figures if row["title"] == "not computable"] == list(found.not_computable)


def test_the_workbook_says_what_the_tables_say(files: tuple[World, DailyReport]) -> None:
    _, found = files
    book = openpyxl.load_workbook("r.xlsx")
    assert len(book.sheetnames) == len(found.tables) + 1
    for table, sheet in zip(found.tables, book.worksheets[1:], strict=True):
        assert sheet.freeze_panes == "A3"
        assert [cell.value for cell in sheet[2]] == [column.title for column in table.columns]
        for row, cells in zip(table.rows, sheet.iter_rows(min_row=3), strict=False):
            for value, column, cell in zip(row, table.columns, cells, strict=True):
                assert cell.data_type != "f"
                match column.kind:
                    case Kind.MONEY if isinstance(value, Decimal):
                        assert Decimal(str(cell.value)) == value
                    case Kind.DAY | Kind.TIME if value is not None:
                        assert getattr(cell, "is_date", False)
                    case Kind.ID | Kind.RETURN:
                        assert cell.data_type in {"inlineStr", "s", "n"}
                        assert (cell.value or "") == (value or "")
    assert any(getattr(sheet, "_charts", None) for sheet in book.worksheets)


def test_the_page_stands_by_itself_and_is_small(files: tuple[World, DailyReport]) -> None:
    _, found = files
    page = Path("r.html").read_text()
    assert len(page.encode()) < 300_000
    assert "<script" not in page
    assert {url for url in re.findall(r"\w+://[^\s\"'<)]*", page) if "www.w3.org" not in url} == set()
    for table in found.tables:
        assert table.lists or f'id="{table.name}"' in page
        assert f'id="figure_{table.figure.name}"' in page


def test_all_is_for_its_owner_alone_and_names_no_shopper(files: tuple[World, DailyReport]) -> None:
    world, _ = files
    written = [*Path("csv").iterdir(), Path("r.xlsx"), Path("r.html")]
    assert {path.stat().st_mode & 0o777 for path in written} == {0o600}
    text = "".join(path.read_text(errors="replace") for path in written if path.suffix != ".xlsx")
    text += "".join(
        str(cell.value) for sheet in openpyxl.load_workbook("r.xlsx") for row in sheet.iter_rows() for cell in row
    )
    for stored in world.sandbox.sandbox.processes.values():
        shopper = stored.process.shopper
        assert shopper is not None
        assert shopper.email not in text
        assert f"{shopper.first_name} {shopper.last_name}" not in text


def test_with_shoppers_the_files_name_them_and_say_so(shared: World) -> None:
    since = str((shared.now() - timedelta(days=30)).date())
    run = reported(shared, since=since, csv="named", xlsx="named.xlsx", html="named.html", with_shoppers="true")
    waits = read_csv(Path("named", "open_returns.csv"))
    assert all("@" in row["email"] for row in waits)
    assert "names shoppers" in Path("named", "figures.csv").read_text()
    overview = openpyxl.load_workbook("named.xlsx").worksheets[0]
    assert any("names shoppers" in str(cell.value) for row in overview.iter_rows() for cell in row)
    shown = Path("named.html").read_text() + run.page + "".join(run.lines())
    assert not [row["email"] for row in waits if row["email"] in shown]


TEXTS = ("=HYPERLINK(1)", "+1", "-2", "@SUM(A1)", "https://example.com", "12345678901234567890")


def test_no_text_of_revers_becomes_a_formula_a_link_or_a_number(world: World) -> None:
    with world.sandbox.sandbox.locked():
        for n, stored in enumerate(world.sandbox.sandbox.processes.values()):
            line, text = stored.process.return_line_items[0], TEXTS[n % len(TEXTS)]
            assert line.product is not None
            product = line.product.model_copy(update={"sku": text, "name": text, "variant_name": ""})
            line = line.model_copy(update={"return_reason": text, "product": product})
            stored.process = stored.process.model_copy(update={"return_line_items": (line,)})
    since = str((world.now() - timedelta(days=30)).date())
    reported(world, since=since, csv="csv", xlsx="r.xlsx", html="r.html")
    sheet = openpyxl.load_workbook("r.xlsx")["Top products"]
    cells = [cell for row in sheet.iter_rows(min_row=3, max_col=3) for cell in row if cell.value in TEXTS]
    assert {cell.value for cell in cells} == set(TEXTS)
    assert {cell.data_type for cell in cells} <= {"inlineStr", "s"}
    assert not [cell for cell in cells if cell.hyperlink]
    skus = {row["sku"] for row in read_csv(Path("csv", "top_products.csv"))}
    assert {sku for sku in skus if sku[0] in "=@"} == set()
    assert {sku.removeprefix("'") for sku in skus} == set(TEXTS)


@pytest.mark.prefect
def test_in_prefect_the_report_is_a_page(prefect_server: None, world: World) -> None:
    async def run() -> tuple[bool, list[str]]:
        ended = cast("State[DailyRun]", await daily_report(Parameters(), return_state=True))
        run_id = ended.state_details.flow_run_id
        assert run_id is not None
        async with get_client() as client:
            of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
            found = await client.read_artifacts(artifact_filter=of_run)
            return ended.is_completed(), [str(it.data) for it in found if it.key == "daily-report-tables"]

    completed, pages = asyncio.run(run())
    assert completed
    [page] = pages
    assert "#### Money out" in page
    assert "#### How the figures are worked out" in page


def test_as_json_amounts_are_exact_and_figures_are_explained(files: tuple[World, DailyReport]) -> None:
    _, found = files
    told = json.loads(json.dumps(DailyRun("daily-report", found=found).as_json()))
    assert [table["name"] for table in told["tables"]] == [table.name for table in found.tables]
    [money] = [table for table in told["tables"] if table["name"] == "money"]
    assert [Decimal(row["refunded"]) for row in money["rows"]] == [
        row["refunded"] for row in found.table("money").records()
    ]
    assert all(table["figure"] in told["figures"] for table in told["tables"])
