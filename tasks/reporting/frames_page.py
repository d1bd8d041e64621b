"""`python -m tasks.reporting.frames_page`: the page `docs/frames.md`, on stdout."""

import sys
from collections.abc import Iterator

from tasks.reporting.frames import FRAMES, Frame
from tasks.reporting.return_rows import columns_of

HEAD = """# Questions of your own: frames

The rows that the report is worked out from, as Parquet files, which pandas, DuckDB, Polars and R read. This page is
generated from the code (`make docs`), and its Python runs in the tests.

```console
rever-returns report --from 2026-01-01 --to 2026-12-31 --frames year
```

writes a file for each frame below into a new folder. In them are the returns that began, changed or were acted on in the
window, and all that wait; `ledger` has the effects that were closed in it and those that are open, `money` the refunds paid
in it: `money` sums up to the report's *money out*, to the cent.

```python
import pandas as pd

returns, lines, reviews, money, ledger, holds = (
    pd.read_parquet(f"year/{name}.parquet") for name in ("returns", "lines", "reviews", "money", "ledger", "holds")
)
```

**Amounts are `Decimal`** in columns of objects: sums are exact, means are not for them (`astype(float)` first). **Never sum
over currencies**: group by `currency`. Times are aware and in UTC; `day` of `money` is the store's own date. Words that come
again and again are categories: say `observed=True` when you group by them. What is not known is `None`, `NaT` or an empty
text, never 0.

## Ten questions

1. What did each store pay in each month?

```python
month = pd.to_datetime(money["day"]).dt.to_period("M")
paid = money.groupby(["store", "currency", month], observed=True)["refunded"].sum()
```

2. Which ten products cost most, by what their lines cost?

```python
goods = lines.groupby(["currency", "sku", "product"], observed=True)["total"].sum()
costliest = goods.sort_values(ascending=False, key=lambda it: it.astype(float)).groupby("currency").head(10)
```

3. Why do they come back: the share of each reason, by units?

```python
units = lines.groupby("reason", observed=True)["quantity"].sum()
reasons = (units / units.sum()).sort_values(ascending=False)
```

4. How much of the money stays with the shop, as store credit?

```python
credit = money[money["method"].isin(["GIFT_CARD", "PROMO_CODE"])]
kept = credit.groupby("currency", observed=True)["refunded"].sum()
```

5. How long from the last inspection to the payment: median and nine of ten?

```python
first = money[money["by_hand"] == 0].groupby("process_id", as_index=False)["closed_at"].min()
course = first.merge(returns[["process_id", "store", "reviewed_at"]], on="process_id")
days = (course["closed_at"] - course["reviewed_at"]).dt.total_seconds() / 86_400
took = days[days >= 0].groupby(course["store"], observed=True).quantile([0.5, 0.9])
```

6. What waits longest, and for what?

```python
waits = returns[returns["waits"]].sort_values("started_at")
oldest = waits[["process_id", "order", "store", "started_at", "stage", "decision", "rule"]].head(20)
```

7. How often is a return held, by the rule that held it?

```python
held = holds.groupby("rule", observed=True)["process_id"].nunique().sort_values(ascending=False)
hold_rate = returns["process_id"].isin(holds["process_id"]).mean()
```

8. Which products does the warehouse decline?

```python
inspected = reviews.merge(lines[["process_id", "line_id", "sku"]], on=["process_id", "line_id"])
declined = (inspected["status"] == "DECLINED").groupby(inspected["sku"], observed=True).agg(["mean", "count"])
```

9. What is on its way, and since when?

```python
open_money = money[money["on_its_way"] > 0].sort_values("closed_at")
on_its_way = open_money[["process_id", "store", "currency", "on_its_way", "closed_at"]]
```

10. Who approved how much?

```python
approved = ledger[(ledger["kind"] == "refund") & (ledger["state"] == "done") & (ledger["approved_by"] != "")]
by_person = approved.groupby(["approved_by", "currency"], observed=True)["amount"].agg(["sum", "count"])
```

**How large.** A year of a brand, made up: 300,000 returns are 2.1 million rows, 74 MB of files, 19 s of one core and 956 MB of
memory, 803 of which are the rows as they were read (`python -m tests.benchmarks.year_of_returns`, November 2026). Reading
them from REVER comes before, and takes as long as its rate allows.

In Python, without files: `tasks.gather_report.gather_report` reads what a report needs, `tasks.reporting.frames.frame_of`
makes a frame of it. REVER's own answers as tables, with all their fields: [client.md](client.md).

## The columns
"""

_ABOUT = {
    Frame.RETURNS: "a return",
    Frame.LINES: "a line of a return",
    Frame.REVIEWS: "a unit that was inspected",
    Frame.PARCELS: "a parcel of a return",
    Frame.REFUNDS: "a refund that REVER shows, whoever made it",
    Frame.LEDGER: "an effect of the ledger",
    Frame.MONEY: "a refund that was paid in the window",
    Frame.HOLDS: "a question to a person",
}


def frames_page() -> str:
    """The page."""
    return "\n".join((HEAD, *(line for frame in Frame for line in _frame(frame))))


def _frame(frame: Frame) -> Iterator[str]:
    yield f"### `{frame}`: {_ABOUT[frame]} a row\n"
    yield from ("| column | what it is | unit |", "| --- | --- | --- |")
    for name, told in columns_of(FRAMES[frame]).items():
        personal = "; only with `--with-shoppers`" if told.personal else ""
        yield f"| `{name}` | {told.about}{personal} | {told.unit} |"
    yield ""


if __name__ == "__main__":
    sys.stdout.write(frames_page())
