"""The frames: exact amounts, aware times, categories; what Parquet keeps of them; and that the page's Python runs."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pandas import CategoricalDtype, DataFrame, DatetimeTZDtype
from pyarrow.parquet import read_schema

from tasks.reporting.daily_data import ReportData
from tasks.reporting.frames import FRAMES, Frame, frame_of, write_frames
from tasks.reporting.frames_page import frames_page
from tasks.reporting.return_rows import RefundRow, Seen, columns_of
from tests.tasks.reporting.daily import NOW, PAID_AT, WINDOW, effect, held, line, report, returned, review

PAGE = Path(__file__).parents[3] / "docs" / "frames.md"


def data(**more: Any) -> ReportData:
    """Two returns, three refunds in two currencies, one of them by a person's approval, and a hold."""
    seen = (Seen("i1", Decimal("10.00"), Decimal("4.00"), None),)
    refund = RefundRow("retp_1", "#1", "acme", "GIFT_CARD", Decimal("10.00"), Decimal("4.00"), "EUR", PAID_AT)
    one = returned(
        line(), line("l2", "0.05", sku="HAT"), reviews=(review(), review("DECLINED")), refunds=(refund,), seen=seen
    )
    two = returned(
        line(process_id="retp_2", total="7.00"), process_id="retp_2", started_at=None, name="Ana", email="ana@b.c"
    )
    approved = effect("i2", "99.00", currency="SEK", process_id="retp_2", approved_by="olga", approved_at=PAID_AT)
    effects = [effect(method="GIFT_CARD"), approved, effect("i3", "0.10", process_id="retp_2")]
    return ReportData({"acme": WINDOW}, NOW, effects, [held()], (one, two), **more)


def frames(**more: Any) -> dict[str, DataFrame]:
    found = data(**more)
    return {name: frame_of(found, name) for name in Frame}


def test_amounts_are_exact_and_times_are_aware() -> None:
    money = frames()["money"]
    sums = money.groupby("currency", observed=True)["refunded"].sum()
    assert sums.to_dict() == {"EUR": Decimal("10.10"), "SEK": Decimal("99.00")}
    assert {type(each) for each in money["paid"]} == {Decimal}
    assert money["closed_at"].dtype == DatetimeTZDtype("us", "UTC")
    assert money["closed_at"].iloc[0] == PAID_AT


@pytest.mark.parametrize("name", Frame)
def test_a_frame_has_its_columns_and_their_types_though_it_has_no_row(name: Frame) -> None:
    full, empty = frames()[name], frame_of(ReportData({"acme": WINDOW}, NOW), name)
    told = columns_of(FRAMES[name])
    assert list(empty.columns) == list(full.columns) == [each for each in told if not told[each].personal]
    for column in full.columns:
        if told[column].category:
            assert isinstance(full[column].dtype, CategoricalDtype)
            assert isinstance(empty[column].dtype, CategoricalDtype)
        else:
            assert empty[column].dtype == full[column].dtype


def test_what_is_not_known_is_not_0() -> None:
    found = frames()
    assert found["returns"]["started_at"].isna().tolist() == [False, True]
    assert found["holds"]["amount"].tolist() == [None]


def test_the_money_of_the_frames_is_that_of_the_report() -> None:
    table = report(*data().returns, effects=data().effects).table("money")
    sums = frames()["money"].groupby(["store", "currency"], observed=True)[["refunded", "paid", "on_its_way"]].sum()
    for row in table.records():
        for column in sums.columns:
            assert sums.loc[(str(row["store"]), str(row["currency"])), column] == row[column]


def test_parquet_keeps_amounts_times_and_what_a_column_is(tmp_path: Path) -> None:
    assert write_frames(tmp_path, data())["money.parquet"] == 3
    for name, frame in frames().items():
        path = tmp_path / f"{name}.parquet"
        assert path.stat().st_mode & 0o777 == 0o600
        read = pd.read_parquet(path)
        assert list(read.columns) == list(frame.columns)
        for column in frame.columns:
            before = [None if pd.isna(each) else each for each in frame[column]]
            assert [None if pd.isna(each) else each for each in read[column]] == before, (name, column)
    schema = read_schema(tmp_path / "money.parquet")
    assert schema.field("paid").metadata[b"unit"] == b"currency"
    assert b"of it, what REVER shows as paid" in schema.field("paid").metadata[b"about"]
    assert schema.metadata[b"with_shoppers"] == b"no"


def test_an_empty_report_has_files_too(tmp_path: Path) -> None:
    assert set(write_frames(tmp_path, ReportData({"acme": WINDOW}, NOW)).values()) == {0}
    assert len(pd.read_parquet(tmp_path / "money.parquet")) == 0


def test_an_amount_of_many_decimals_stays_exact(tmp_path: Path) -> None:
    odd = returned(line(total="0.1234567"))
    write_frames(tmp_path, ReportData({"acme": WINDOW}, NOW, returns=(odd,)))
    assert pd.read_parquet(tmp_path / "lines.parquet")["total"].tolist() == [Decimal("0.1234567")]


def test_shoppers_are_in_the_frames_only_where_they_are_asked_for(tmp_path: Path) -> None:
    assert not {"name", "email"} & set(frames()["returns"].columns)
    assert frames(personal=True)["returns"]["email"].tolist() == ["", "ana@b.c"]
    write_frames(tmp_path, data(personal=True))
    assert read_schema(tmp_path / "returns.parquet").metadata[b"with_shoppers"] == b"yes"


# The page.


def test_the_page_is_that_of_the_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == frames_page(), "run `make docs`"


def test_the_ten_questions_are_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("year").mkdir()
    write_frames(Path("year"), data())
    text = PAGE.read_text(encoding="utf-8")
    assert len(re.findall(r"^\d+\. ", text, re.MULTILINE)) == 10
    found: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), found)
    assert found["paid"].to_dict() == {
        ("acme", "EUR", pd.Period("2026-11", "M")): Decimal("10.10"),
        ("acme", "SEK", pd.Period("2026-11", "M")): Decimal("99.00"),
    }
    assert found["costliest"].iloc[0] == Decimal("17.00")
    assert found["reasons"].to_dict() == {"WRONG_SIZE": 1.0}
    assert found["kept"].to_dict() == {"EUR": Decimal("10.00")}
    assert found["took"].loc[("acme", 0.5)] == pytest.approx(1 / 24)
    assert found["oldest"]["process_id"].tolist() == ["retp_1", "retp_2"]
    assert (found["held"].to_dict(), found["hold_rate"]) == ({"guard:max_refund": 1}, 0.5)
    assert found["declined"].loc["SHIRT-M"].tolist() == [0.5, 2.0]
    assert found["on_its_way"]["on_its_way"].tolist() == [Decimal("6.00")]
    assert found["by_person"].loc[("olga", "SEK")].tolist() == [Decimal("99.00"), 1]
    assert found["month"].iloc[0] == pd.Period(datetime(2026, 11, 20, tzinfo=UTC).date(), "M")
