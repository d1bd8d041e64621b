"""A run's report as a page and tables for Prefect's UI: what was decided and done, what waits, where to look."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC

from tasks.ledger import HoldRow
from tasks.report import Mode, Report, Row, amounts, counts

MOST = 50
"""Returns that one part of the page lists; the table has all."""

_ACTIVE = re.compile(r"([\[\]<>|*_~])")


def report_page(report: Report) -> str:
    """The report as markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"### {report.flow} ({report.mode})\n"
    yield f"{report.sentence()}\n"
    yield from ("| | |", "| --- | --- |")
    yield f"| Stores | {_text(', '.join(report.stores)) or 'none'} |"
    yield f"| Decisions | {counts(report.decisions)} |"
    yield f"| Due | {amounts(report.due)} |"
    if report.mode is Mode.ACT:
        yield f"| Effects | {counts(report.effects)} |"
        yield f"| Paid | {amounts(report.paid)} |"
    if report.on_its_way:
        yield f"| On its way | {amounts(report.on_its_way)} |"
    yield f"| Limits | {report.limits or 'none'} |"
    yield f"| Time | {report.duration_s:.1f} s |"
    held = [row for row in report.rows.values() if row.held]
    moved = [row for row in report.rows.values() if not row.held and row.decision not in ("wait", "nothing")]
    yield from _part("Done" if report.mode is Mode.ACT else "Would be done", [_row(row, report) for row in moved])
    yield from _part("On hold for a person", [_row(row, report) for row in held])
    yield from _part(
        "Not worked on",
        [f"{linked(item.process_id, report.back_office)}: {_text(item.why)}" for item in report.failures],
    )
    yield from _part("Notes", [_text(note) for note in report.notes])


def _part(title: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield f"\n#### {title}\n"
        yield from (f"- {item}" for item in items[:MOST])
        if len(items) > MOST:
            yield f"- and {len(items) - MOST} more"


def _row(row: Row, report: Report) -> str:
    money = "" if row.amount is None else f" {row.amount} {row.currency}"
    outcome = f" → {_text(row.outcome)}" if row.outcome else ""
    order = f" ({_text(row.order)}, {_text(row.store)})"
    return f"{linked(row.process_id, report.back_office)}{order}: {row.decision}{money}{outcome}. {_text(row.why)}"


def returns_table(report: Report, most: int) -> list[dict[str, str]]:
    """A row for each return: those on which something happened first, at most `most`."""
    moved = sorted(report.rows.values(), key=lambda row: row.decision in ("wait", "nothing"))
    return [
        {
            "return": linked(row.process_id, report.back_office),
            "order": row.order,
            "store": row.store,
            "decision": row.decision,
            "amount": "" if row.amount is None else f"{row.amount} {row.currency}",
            "outcome": row.outcome,
            "why": row.why,
        }
        for row in moved[:most]
    ]


def holds_table(holds: Sequence[HoldRow], back_office: str) -> list[dict[str, str]]:
    """A row for each open hold: what `answer-hold` asks for, and what each answer would do."""
    return [
        {
            "return": linked(hold.process_id, back_office),
            "order": hold.order_name,
            "store": hold.store,
            "since": f"{hold.since.astimezone(UTC):%Y-%m-%d %H:%MZ}",
            "amount": f"{hold.amount} {hold.currency}" if hold.amount else "",
            "why": f"{hold.why} (`{hold.rule}`)",
            "hold_id": hold.hold_id,
            "version": str(hold.version),
            "answers": "\n".join(f"- `{answer}`: {does}" for answer, does in hold.answers.items()),
        }
        for hold in holds
    ]


def linked(process_id: str, back_office: str) -> str:
    """A return's id, as a link to it at REVER where the settings say where that is."""
    return f"[{process_id}]({back_office.replace('{process_id}', process_id)})" if back_office else process_id


def _text(words: str) -> str:
    """Words that came from outside, with what markdown would act on made harmless."""
    return _ACTIVE.sub(r"\\\1", words)
