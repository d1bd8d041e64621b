"""The rule after a restore: what people answered since the backup is seen nowhere, so a person goes over what is due.

Asked about is a return that began before the ledger was restored (or made), with units that were due before that too.
What is approved later than that nobody can have answered before. Where the former ledger could be read, just those
returns are asked about of which it knows more.
"""

from datetime import datetime, timedelta

from rever_api.models import ReturnProcess, ReviewStatus
from tasks.policy.case import Case
from tasks.policy.clocks import clock_time
from tasks.policy.decision import Hold
from tasks.policy.record import HoldKind, Record

MONEY_ASKED = "after_restore"
LABEL_ASKED = "label_after_restore"
"""The rules of the two holds."""

CLOCKS_DIFFER = timedelta(hours=1)
"""REVER's times are of another clock: what happened shortly after the restore may have been before it."""

_GENERAL = "it began before the ledger was restored or made, which knows nothing of what people answered before that"


def after_restore(case: Case) -> Hold | None:
    """Money or goods are due that a person may have settled, or given up, before the ledger was restored.

    One answer lasts: what REVER refuses afterwards, or what is left of it, is asked about by its own rule.
    """
    due, record = case.due, case.record
    if not (due.amount or due.exchange):
        return None
    if not record.former and not (_began_before(case.process, record) and _due_then(case)):
        return None
    looked_at = [waiver for waiver in record.waivers if waiver.rule == MONEY_ASKED]
    if looked_at and (not due.amount or any(it.lets_pass(MONEY_ASKED, due.amount, case.currency) for it in looked_at)):
        return None
    amount = due.amount or (due.exchange.gross if due.exchange else None)
    why = f"{_asked(record)}; a person looks at it once before it is paid"
    return case.hold(MONEY_ASKED, HoldKind.AFTER_RESTORE, why, _evidence(record), amount=amount)


def may_be_lost(process: ReturnProcess, record: Record) -> bool:
    """Whether something of this return may have been done or answered that only a ledger before this one knew."""
    return bool(record.former) or _began_before(process, record)


def label_after_restore(process: ReturnProcess, record: Record) -> Hold | None:
    """A label is due that a person may have ordered by hand, or given up, before the ledger was restored."""
    if not may_be_lost(process, record) or any(it.rule == LABEL_ASKED for it in record.waivers):
        return None
    why = f"{_asked(record)}; a person looks at it once before its label is made"
    return Hold(LABEL_ASKED, why, HoldKind.AFTER_RESTORE, _evidence(record), label=True)


def _asked(record: Record) -> str:
    return f"the ledger before this one knows more of it: {record.former}" if record.former else _GENERAL


def _evidence(record: Record) -> dict[str, str]:
    found = {"former_ledger": record.former} if record.former else {}
    return found | ({"restored": clock_time(record.review_before)} if record.review_before else {})


def _began_before(process: ReturnProcess, record: Record) -> bool:
    before = record.review_before
    return before is not None and _before(process.started_at, before)


def _due_then(case: Case) -> bool:
    """Whether any unit that is due now may have been due before the restore: units are counted as they are approved."""
    before = case.record.review_before
    if before is None:
        return False
    then: dict[str, int] = {}
    for review in case.process.reviews or ():
        if review.status == ReviewStatus.APPROVED and _before(review.review_date, before):
            then[review.line_item_id] = then.get(review.line_item_id, 0) + 1
    return any(
        case.inspected(item.line_id).assumed or min(item.units, default=1) <= then.get(item.line_id, 0)
        for item in case.due.items
    )


def _before(at: datetime | None, restored: datetime) -> bool:
    return at is None or at < restored + CLOCKS_DIFFER
