"""`rever-returns report`: options, output, files, exit codes."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from rever_api.sandbox import RunningSandbox
from tests.deployments.cli.conftest import Call


def test_it_prints_what_says_most_and_writes_the_files(call: Call, rever: RunningSandbox) -> None:
    assert call("run", "process-pending-returns", "mode=act", "--no-prefect").code == 0
    since = f"{datetime.now(UTC) - timedelta(days=30):%F}"
    files = ("--csv", "tables", "--xlsx", "r.xlsx", "--html", "r.html", "--frames", "year")
    ended = call("report", "--from", since, "--promise", "2", *files)
    assert ended.code == 0
    assert ended.out.startswith("daily-report over acme, nordic: 40 returns in ")
    for title in ("Money out", "Returns", "What waits, by stage and age", "The EU's 14 days", "Beside REVER"):
        assert f"\n  {title}\n" in ended.out
    assert "not computable, no order counts (give a file of them: --orders)" in ended.out
    assert "nothing was due" not in ended.out
    assert Path("r.html").read_text().startswith("<!doctype html>")
    assert Path("r.xlsx").read_bytes().startswith(b"PK")
    assert Path("tables", "money.csv").read_text().startswith("store,currency,refunds,refunded,paid,")
    paid = pd.read_parquet("year/money.parquet").groupby("store", observed=True)["refunded"].sum()
    assert f"{paid['acme']:,}" in ended.out
    again = call("report", "--csv", "tables")
    assert again.code == 2
    assert "tables is not empty" in again.err


def test_as_json_it_is_one_object(call: Call, rever: RunningSandbox) -> None:
    ended = call("report", "--store", "acme", "--json")
    told = json.loads(ended.out)
    assert (ended.code, told["flow"], told["stores"], told["failed"]) == (0, "daily-report", ["acme"], None)
    assert {row["store"] for table in told["tables"] for row in table["rows"]} == {"acme"}
    assert not list(Path().glob("*.sqlite*"))


def test_a_wrong_window_is_wrong_usage(call: Call, rever: RunningSandbox) -> None:
    ended = call("report", "--from", "2026-02-02", "--to", "2026-02-01")
    assert ended.code == 2
    assert "ends before it begins: from 2026-02-02 to 2026-02-01; name a later end" in ended.err
    assert call("report", "--from", "February").code == 2
