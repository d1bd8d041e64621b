"""A run's report as a page and tables for Prefect's UI: what was decided and done, what waits, where to look."""

from collections import Counter
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from tasks.policy.clocks import clock_time
from tasks.policy.order_returns import OrderKey
from tasks.reporting.archive_report import ArchiveReport
from tasks.reporting.parcels_report import BACK, MOVED, STOPPED, ParcelsReport
from tasks.reporting.printable import markdown, plain_words
from tasks.reporting.report import MANY_STORES, NOT_WORKED_ON, Mode, ReturnsReport, Row, RunReport, amounts, counts
from tasks.reporting.stale_report import StaleReport, what_comes

MOST = 50
"""Returns that one part of the page lists; the table has all."""


def report_page(report: RunReport) -> str:
    """The report as markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: RunReport) -> Iterator[str]:
    yield f"### {report.title}\n"
    yield f"{markdown(plain_words(report.sentence()))}\n"
    yield from ("| | |", "| --- | --- |")
    yield f"| Stores | {_stores(report)} |"
    if isinstance(report, ParcelsReport):
        yield f"| Moved | {len(report.moved)} |"
        yield f"| Went back | {len(report.gone_back)} |"
        yield f"| Stopped | {len(report.stopped)} |"
    elif isinstance(report, StaleReport):
        yield f"| Stand still | {len(report.rows)} |"
        yield f"| Wait for | {counts(Counter(str(it.waits_for) for it in report.stale))} |"
    elif isinstance(report, ReturnsReport):
        yield from _money(report)
    if report.holds_pages and len(report.stores) <= MANY_STORES:
        pages = ", ".join(f"[{markdown(store)}]({page})" for store, page in report.holds_pages.items())
        yield f"| What waits for a person | {pages} |"
    if report.failed:
        yield f"| Failed | {markdown(report.failed_why)} |"
    if isinstance(report, ArchiveReport):
        yield from (f"| {name} | {markdown(value)} |" for name, value in report.figures())
    yield f"| Limits | {report.limits or 'none'} |"
    yield f"| Time | {report.duration_s:.1f} s |"
    told: set[str] = set()
    if isinstance(report, ReturnsReport):
        for title, rows in _parts(report):
            told |= {row.process_id for row in rows}
            yield from _part(title, [_row(row, report) for row in rows])
        yield from _part("Alarms", [markdown(words) for words in report.alarms_in_words()])
        if report.label_files:
            yield from _part("Label files that did not come", [markdown(it) for it in report.label_files.details()])
    yield from _part(
        "Not worked on",
        [
            f"{linked(item.process_id, report.back_office)}: {markdown(item.why)}"
            for item in report.failures
            if item.process_id not in told
        ],
    )
    yield from _part("Notes", [markdown(plain_words(note)) for note in report.notes])


def _stores(report: RunReport) -> str:
    """The stores; of many how many, and at how many of them something went wrong. The table has all."""
    if len(report.stores) <= MANY_STORES:
        return markdown(", ".join(report.stores)) or "none"
    wrong = Counter(state for store in report.stores if (state := report.state_of(store)))
    return (
        f"{len(report.stores)}: {counts(wrong)} (artifact `{report.flow}-stores`)" if wrong else str(len(report.stores))
    )


def stores_table(report: RunReport) -> list[dict[str, str]]:
    """A row for each store, those first at which something went wrong, with the link to what waits for a person."""
    rows = []
    for store in report.ordered_stores():
        tally, page = report.told_of(store), report.holds_pages.get(store)
        due = {} if report.acts else {"due": markdown(amounts(tally.due)) if tally.due else ""}
        rows.append(
            {
                "store": f"[{markdown(store)}]({page})" if page else markdown(store),
                "state": report.state_of(store),
                f"{report.thing}s": str(tally.seen),
                "outcomes": counts(tally.outcomes) if tally.outcomes.total() else "",
                **due,
                "paid": markdown(amounts(tally.paid)) if tally.paid else "",
                "on its way": markdown(amounts(tally.on_its_way)) if tally.on_its_way else "",
                "not worked on": str(tally.failures or ""),
                "seconds": f"{tally.seconds:.0f}",
                "why": markdown(plain_words(report.stores_failed.get(store, ""))),
            }
        )
    return rows


def _parts(report: ReturnsReport) -> Iterator[tuple[str, list[Row]]]:
    """The returns of which something is to be said, by what came of them; a part done return is in two lists."""
    rows = [row for row in report.all_rows() if row.decision != NOT_WORKED_ON]
    if isinstance(report, ParcelsReport):
        for what in (STOPPED, BACK, MOVED):
            yield what.capitalize(), [row for row in rows if row.decision == what]
        return
    if isinstance(report, StaleReport):
        yield "Stand still, the oldest first", rows
        return
    if report.acts:
        yield "Done", [row for row in rows if row.done]
        yield "Decided, not done", [row for row in rows if row.undone]
    else:
        yield "Would be done", [row for row in rows if row.moves]
    yield "On hold for a person", [row for row in rows if row.held]


def _money(report: ReturnsReport) -> Iterator[str]:
    """The decisions, outcomes and sums."""
    yield f"| Decisions | {counts(report.decisions)} |"
    yield f"| Due | {markdown(amounts(report.due))} |"
    if report.mode is Mode.PLAN and report.forecasts:
        yield f"| Act would pay now | {markdown(amounts(report.would_pay))} |"
        yield f"| Act would hold now | {counts(report.would_hold)} |"
        for store, why in report.kept_back.items():
            yield f"| Nothing would be sent at {markdown(store)} | {markdown(why)} |"
    if report.mode is Mode.ACT:
        yield f"| Outcomes | {counts(report.outcomes)} |"
        yield f"| Paid | {markdown(amounts(report.paid))} |"
    if report.on_its_way:
        yield f"| On its way | {markdown(amounts(report.on_its_way))} |"
    if report.shadow:
        yield f"| Shadow policy | {markdown(report.shadow.words)} |"
    if report.label_files:
        yield f"| Label files | {markdown(report.label_files.words)} |"


def _part(title: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield f"\n#### {title}\n"
        yield from (f"- {item}" for item in items[:MOST])
        if len(items) > MOST:
            yield f"- and {len(items) - MOST} more"


def _row(row: Row, report: ReturnsReport) -> str:
    money = f" {markdown(row.money)}" if row.money else ""
    came = row.outcome or ("the run ended before it" if report.acts and row.undone and row.moves else "")
    outcome = f" → {markdown(plain_words(came))}" if came else ""
    order = f" ({markdown(', '.join(filter(None, [row.order, row.store])))})"
    why = f". {markdown(plain_words(row.why))}" if row.why else ""
    return f"{linked(row.process_id, report.back_office)}{order}: {row.decision}{money}{outcome}{why}"


def returns_table(report: ReturnsReport, most: int) -> list[dict[str, str]]:
    """A row for each return: those on which something happened first, at most `most`."""
    moved = sorted(report.rows.values(), key=lambda row: not (row.moves or row.held))
    return [
        {
            "return": linked(row.process_id, report.back_office),
            "order": markdown(row.order),
            "store": markdown(row.store),
            "decision": row.decision,
            "amount": markdown(row.money),
            "outcome": markdown(plain_words(row.outcome)),
            "why": markdown(plain_words(row.why)),
        }
        for row in moved[:most]
    ]


def stale_table(report: StaleReport, most: int) -> list[dict[str, str]]:
    """A row for each return and stage that has stood still for too long, the oldest first, at most `most`."""
    return [
        {
            "return": linked(it.process_id, report.back_office),
            "order": markdown(it.order_name),
            "store": markdown(it.store),
            "stands at": it.stage.words,
            "since": clock_time(it.since, report.zone(it.store)),
            "known by": str(it.known_by),
            "days over": str(it.over),
            "waits for": str(it.waits_for),
            "what comes next": markdown(plain_words(what_comes(it))),
        }
        for it in report.stale[:most]
    ]


def shadow_table(report: ReturnsReport, most: int) -> list[dict[str, str]]:
    """A row for each return that the shadow policy decides otherwise, at most `most`."""
    rows = report.shadow.table()[:most] if report.shadow else []
    return [
        {name: linked(cell, report.back_office) if name == "return" else markdown(cell) for name, cell in row.items()}
        for row in rows
    ]


def linked(process_id: str, back_office: str, name: str = "") -> str:
    """A return's id, or another name of it, as a link to it at REVER where there is one."""
    shown, url = markdown(name or process_id), return_url(process_id, back_office)
    return f"[{shown}]({url})" if url else shown


def return_url(process_id: str, back_office: str) -> str:
    """Where a return is shown at REVER; empty where the settings do not say, and for an order's stand-in.

    REVER has no return of a stand-in's id.
    """
    if OrderKey.of(process_id):
        return ""
    return back_office.replace("{process_id}", quote(process_id, safe=""))
