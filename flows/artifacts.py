"""What a run leaves behind in Prefect's UI: its report, its returns, and the holds that are open at its stores.

Keys are stable, so that the UI shows under each the newest and those before it. Prefect renders the cells of a table
as markdown.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence

from prefect.artifacts import Artifact, MarkdownArtifact, TableArtifact

from tasks.ledger import HoldRow
from tasks.report import Report
from tasks.report_page import holds_table, report_page, returns_table

MOST_ROWS = 500
"""Rows of a table; the ledger has all."""

LONGEST_KEY = 60


def artifacts_of(report: Report, holds: Sequence[HoldRow]) -> list[Artifact]:
    """The artifacts of a run. A run over one return shows the holds of that return only."""
    flow = report.flow
    made: list[Artifact] = [
        MarkdownArtifact(markdown=report_page(report), key=f"{flow}-report", description=f"{flow}: what was done"),
        _table(returns_table(report, MOST_ROWS), f"{flow}-returns", f"{flow}: return by return"),
    ]
    made += [_table(cells, f"{flow}-{name}", f"{flow}: {name}") for name, cells in report.tables.items()]
    key = f"open-holds-{_slug(report.stores)}"
    told = "What waits for a person. To answer, run answer-hold with the hold's id and version as they stand here."
    if flow == "process-return":
        holds = [hold for hold in holds if hold.process_id in report.rows]
        key = f"{flow}-holds"
    if holds or flow != "process-return":
        made.append(_table(holds_table(holds[:MOST_ROWS], report.back_office), key, told))
    return made


def _table(rows: Iterable[dict[str, str]], key: str, description: str) -> TableArtifact:
    return TableArtifact(table=[dict(row) for row in rows], key=key, description=description)


def _slug(stores: Sequence[str]) -> str:
    """The stores as part of a key: lower-case letters, digits and dashes; a digest where that would be too long."""
    words = "-".join(re.sub("[^a-z0-9]+", "-", store.lower()).strip("-") for store in stores)
    if len(words) <= LONGEST_KEY:
        return words
    return f"{len(stores)}-stores-{hashlib.sha256(words.encode()).hexdigest()[:8]}"
