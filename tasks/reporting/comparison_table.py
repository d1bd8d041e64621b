"""The comparison with REVER as rows for people: a table in the UI, and a CSV file for finance."""

from tasks.policy.comparison import RefundComparison, Seen
from tasks.reconcile import Compared

COLUMNS = (
    "process_id",
    "order",
    "store",
    "status",
    "currency",
    "ours",
    "rever",
    "on_its_way",
    "difference",
    "by_hand",
    "seen",
    "decision",
    "why",
)

_AGREED = {Seen.SAME, Seen.NEITHER, Seen.BY_HAND, Seen.ONLY_BY_HAND}
"""There is nothing to look into."""


def comparison_rows(compared: Compared) -> list[dict[str, str]]:
    """A row for each return and currency, those that differ first. Amounts are decimal strings."""
    rows = [row for rows in compared.beside.values() for row in rows]
    rows.sort(key=lambda row: (row.seen in _AGREED, row.store, row.process_id, row.currency))
    return [_cells(row, compared) for row in rows]


def _cells(row: RefundComparison, compared: Compared) -> dict[str, str]:
    decided = compared.decided.get(row.process_id)
    return {
        "process_id": row.process_id,
        "order": row.order_name,
        "store": row.store,
        "status": row.status,
        "currency": row.currency,
        "ours": str(row.ours),
        "rever": str(row.theirs),
        "on_its_way": str(row.on_its_way),
        "difference": str(row.difference),
        "by_hand": str(row.by_hand),
        "seen": str(row.seen),
        "decision": decided.decision.rule if decided else "at its end",
        "why": decided.decision.why if decided else "",
    }
