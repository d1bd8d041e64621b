"""Small hand-made cases for the daily report: effects, returns and windows with defaults that say nothing."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tasks.ledger import Effect, HeldReturn
from tasks.policy.record import IntentKind, IntentState
from tasks.reporting.daily_data import ReportData, StoreWindow
from tasks.reporting.daily_report import DailyReport
from tasks.reporting.return_rows import LineRow, RefundRow, ReturnParts, ReturnRow, ReviewRow, Seen, Stage

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
WINDOW = StoreWindow("acme", NOW - timedelta(days=1), NOW)
PAID_AT = NOW - timedelta(hours=2)


def effect(name: str = "i1", amount: str = "10.00", **more: Any) -> Effect:
    """A done refund of the window, of one line, unless `more` says otherwise."""
    fields: dict[str, Any] = {
        "id": name,
        "process_id": "retp_1",
        "order": "#1",
        "store": "acme",
        "kind": IntentKind.REFUND,
        "state": IntentState.DONE,
        "method": "ORIGINAL_PAYMENT_METHOD",
        "currency": "EUR",
        "amount": Decimal(amount),
        "gross": Decimal(amount),
        "shipping": Decimal(0),
        "units": 1,
        "parts": (("l1", Decimal(amount)),),
        "carrier": "",
        "created_at": PAID_AT,
        "sent_at": PAID_AT,
        "closed_at": PAID_AT,
        "rule": "on_item_verified",
        "why": "1 unit is approved",
        "adopted": False,
        "paid_seen": None,
        "approved_by": "",
        "approved_at": None,
    }
    return Effect(**{**fields, **more})


def held(name: str = "h1", **more: Any) -> HeldReturn:
    """An open hold that was opened in the window."""
    fields: dict[str, Any] = {
        "id": name,
        "process_id": "retp_1",
        "order": "#1",
        "store": "acme",
        "kind": "guard",
        "rule": "guard:max_refund",
        "why": "above the cap",
        "amount": None,
        "currency": "",
        "since": PAID_AT,
        "state": "open",
        "answer": "",
        "answered_by": "",
        "answered_at": None,
    }
    return HeldReturn(**{**fields, **more})


def line(name: str = "l1", total: str = "10.00", **more: Any) -> LineRow:
    """One unit of a shirt."""
    fields: dict[str, Any] = {
        "process_id": "retp_1",
        "line_id": name,
        "store": "acme",
        "sku": "SHIRT-M",
        "product": "Shirt, M",
        "reason": "WRONG_SIZE",
        "method": "ORIGINAL_PAYMENT_METHOD",
        "quantity": 1,
        "total": Decimal(total),
        "currency": "EUR",
    }
    return LineRow(**{**fields, **more})


def review(
    status: str = "APPROVED", at: datetime | None = PAID_AT - timedelta(hours=1), value: str = "10.00"
) -> ReviewRow:
    """A unit that was inspected an hour before it was paid."""
    return ReviewRow("retp_1", "l1", "acme", status, at, Decimal(value), "EUR")


def returned(
    *lines: LineRow,
    reviews: tuple[ReviewRow, ...] = (),
    refunds: tuple[RefundRow, ...] = (),
    seen: tuple[Seen, ...] = (),
    **more: Any,
) -> ReturnParts:
    """A return of ten days ago that waits, of one line unless others are given."""
    lines = lines or (line(),)
    fields: dict[str, Any] = {
        "process_id": "retp_1",
        "order": "#1",
        "store": "acme",
        "status": "RUNNING",
        "return_status": "STARTED",
        "country": "ES",
        "return_method": "HOME_PICK_UP",
        "started_at": NOW - timedelta(days=10),
        "moved_at": None,
        "arrived_at": None,
        "reviewed_at": max((it.reviewed_at for it in reviews if it.reviewed_at), default=None),
        "moved": False,
        "units": sum(it.quantity for it in lines),
        "value": sum((it.total for it in lines if it.total is not None), Decimal(0)),
        "refunded": sum((it.amount for it in refunds), Decimal(0)),
        "currency": "EUR",
        "stage": Stage.NO_LABEL,
        "waits": True,
    }
    row = ReturnRow(**{**fields, **more})
    return ReturnParts(row, tuple(lines), reviews, (), refunds, seen)


def report(*returns: ReturnParts, windows: dict[str, StoreWindow] | None = None, **more: Any) -> DailyReport:
    """The report of these returns, and of `effects`, `holds` and so on."""
    return DailyReport.of(ReportData(windows or {"acme": WINDOW}, NOW, returns=returns, **more))


def rows(found: DailyReport, table: str) -> list[dict[str, Any]]:
    """The rows of a table by their columns."""
    return [dict(row) for row in found.table(table).records()]


def row(found: DailyReport, table: str) -> dict[str, Any]:
    """The one row of a table."""
    [one] = rows(found, table)
    return one
