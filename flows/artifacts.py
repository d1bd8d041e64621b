"""What a run leaves behind in Prefect's UI: its report, its returns, and, one table a store, the holds that are open.

Keys are stable, so that the UI shows under each the newest and those before it. Prefect renders the cells of a table
as markdown.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence

from prefect.artifacts import Artifact, MarkdownArtifact, TableArtifact

from tasks.ledger import HoldRow, Pause
from tasks.reporting.printable import markdown
from tasks.reporting.report import Report
from tasks.reporting.report_page import holds_table, report_page, returns_table

MOST_ROWS = 500
"""Rows of a table; the ledger has all."""

LONGEST_KEY = 60


def artifacts_of(report: Report) -> list[Artifact]:
    """The artifacts of a run itself: what was done, and return by return."""
    flow = report.flow
    made: list[Artifact] = [
        MarkdownArtifact(markdown=report_page(report), key=f"{flow}-report", description=f"{flow}: what was done"),
        _table(returns_table(report, MOST_ROWS), f"{flow}-returns", f"{flow}: return by return"),
    ]
    for name, rows in report.tables.items():
        cells = [{column: markdown(value) for column, value in row.items()} for row in rows]
        made.append(_table(cells, f"{flow}-{name}", f"{flow}: {name}"))
    return made


def open_holds_table(store: str, holds: Sequence[HoldRow], pauses: Sequence[Pause], back_office: str) -> Artifact:
    """What waits for a person at one store: the one such table there is of it, whichever run writes it."""
    told = ["What waits for a person. To answer, run answer-hold with the hold's id and version as they stand here."]
    told += [f"There are {len(holds)}; these are the oldest {MOST_ROWS}."] if len(holds) > MOST_ROWS else []
    told += [markdown(pause.words[0].upper() + pause.words[1:]) + "." for pause in pauses]
    return _table(holds_table(holds[:MOST_ROWS], back_office), f"open-holds-{_slug(store)}", " ".join(told))


def _table(rows: Iterable[dict[str, str]], key: str, description: str) -> TableArtifact:
    return TableArtifact(table=[dict(row) for row in rows], key=key, description=description)


def _slug(store: str) -> str:
    """A store as part of a key: lower-case letters, digits and dashes, with a digest where that loses something."""
    words = re.sub("[^a-z0-9]+", "-", store.lower()).strip("-")
    if words == store and len(words) <= LONGEST_KEY:
        return words
    digest = hashlib.sha256(store.encode(errors="replace")).hexdigest()[:8]
    return "-".join(filter(None, [words[:LONGEST_KEY], digest]))
