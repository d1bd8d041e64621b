"""`python -m tasks.reporting.figures_page`: the page `docs/reports.md`, on stdout."""

import sys
from collections.abc import Iterator

from tasks.reporting.daily_report import FIGURES
from tasks.reporting.tables import Figure

HEAD = """# Reports

What was paid, what waits and how long it took, per store and day. Nothing here moves money, and nothing is written at
REVER or in the ledger. This page is generated from the code that works the figures out: `make docs`.

```console
rever-returns report                                                # yesterday, of each store
rever-returns report --from 2026-11-01 --to 2026-11-30 --store acme
rever-returns report --from 2026-11-01 --to 2026-11-30 --xlsx november.xlsx --html november.html --csv november
rever-returns report --from 2026-11-01 --json                       # up to now
```

In Prefect it is the flow `daily-report`: each day at 06:00, and by hand with its form. The page is its artifact
`daily-report-tables`.

- **Days are the store's own**, from midnight to midnight in its time zone: 23 or 25 hours when clocks change. `--to` is
  the last day, and is in it whole. A time with its offset (`2026-11-01T09:00+01:00`) cuts a day.
- **Money is the ledger's**: each refund that REVER confirmed, by when it did. What REVER shows of it stands beside it: paid,
  on its way, not shown. The sums of all tables of money are the same, to the cent, whatever they are split by.
- **Currencies are never added.** `--rates FILE` shows them converted besides.
- **What waits is as it stands** when the report is made, whatever the window: nobody keeps how it stood before.
- **What cannot be worked out is said**, with the reason, at the end of each report.

## The forms

| form | for | what is in it |
| --- | --- | --- |
| on the terminal | a look | the tables that say most |
| the page in Prefect | a look | all tables but the lists, cut to 30 rows, with links to the returns (`REVER_BACK_OFFICE`) |
| `--html FILE` | to send on, to print | the same in one file with charts, under 300 KB: cut to 40 rows, or fewer; no script, opens offline |
| `--xlsx FILE` | to work with | all tables, a sheet each, with charts; dates are dates, ids are text; times are the store's |
| `--csv DIR` | programs | all tables, a file each, and `figures.csv`: exact decimals, times in UTC, shares of 1 |
| `--json` | programs | all tables and how they are worked out, as one object |
| `--frames DIR` | questions of your own | the rows that it is all worked out from, as Parquet files ([frames.md](frames.md)) |

**Sent**, by mail, chat or webhook: `--send` (or `send` in the flow's form) sends the totals where `REVER_REPORT_URL` says, with
the HTML file attached where one is written and the channel takes it. Whoever knows that address may post there: it is in no
log, artifact or error. A schedule sends once its form says so ([deployments.md](deployments.md)).

![The report as an HTML page](pictures/report-html.png)

![A sheet of the workbook, as it is printed](pictures/report-excel.png)

Both pictures are of a local REVER; `python -m tests.docs.report_pictures` makes them anew.

Files are for their owner alone (0600). A text that a spreadsheet would take for a formula or a link stays text.
**No shopper is in any of it.** `--with-shoppers` adds name and e-mail to the lists (`payments`, `open_returns`) of CSV, Excel
and JSON and to the frame `returns`, and these say so.

## Files that you may give

`--orders FILE`: what was sold, for return rates. A row for each day (and store, where there are several), CSV or Excel.
Of a store of which a day of the window has no row there is no rate. Days count whole, also where the window begins or ends
within one.

```csv
store,day,orders,units,sales,currency
acme,2026-11-01,412,655,31880.50,EUR
```

`--rates FILE`: what one unit of a currency is worth in another.

```csv
currency,into,rate
SEK,EUR,0.0871
```

`--payouts FILE` (again for each file), `--statement`, `--mapping`: your payment provider's payout files and REVER's
statement beside the window's refunds, as `payouts check` compares them ([payouts.md](payouts.md)): how many were seen by all,
late, missing, partly matched, failed afterwards, reversed or of another amount, with their money, and what is only probable
apart. In Prefect the files are in the folder `REVER_PAYOUT_FILES`, and `adyen-*.csv` names all that fit. Without a file
the report says so.

`--promise DAYS`: in how many days from the arrival the store promises to pay; the report then counts what took longer.

## The figures

*n* is how many cases are in a table; it stands below each. What is left out is in no sum.
"""

OTHERS = """
## Others count otherwise

A figure of this name elsewhere may be another one; before two are compared, look at these.

| figure | here | elsewhere |
| --- | --- | --- |
| order return rate | returns started in the window by orders placed in it | AfterShip: of the orders placed in the window, those with a return, whenever |
| retained revenue | what was done: store credit and exchanges, by what was refunded and exchanged | REVER's tile: new sales; its share: returns by what was requested. Redo, AfterShip: by what was submitted |
| time to process | from the arrival to the first refund | Refundid: "time open" is from the start, transit included; Reveni: "return time" ends at the arrival |
| approval rate | three rates: by units, by value, by returns | one of the three, often not said which |
| in transit | by stage; buckets of age as REVER's | REVER 2023: the same buckets |

The EU's 14 days are counted by article 13 of Directive 2011/83: the shop may wait until the goods are back, or the shopper
has shown that they were sent. It is a warning, no legal advice.
"""


def figures_page() -> str:
    """The page."""
    return "\n".join((HEAD, *(line for figure in FIGURES for line in _figure(figure)))) + OTHERS


def _figure(figure: Figure) -> Iterator[str]:
    yield f"### {figure.title}\n"
    yield f"{figure.formula}.\n"
    yield f"- **What is in it:** {figure.basis.words}."
    yield f"- **Left out:** {figure.left_out}."
    yield f"- **n:** {figure.n}.\n"


if __name__ == "__main__":
    sys.stdout.write(figures_page())
