"""What a person reads of payouts that were compared."""

from tasks.policy.payouts import FileRow, Outcome, Source, reconcile
from tasks.reconcile_payouts import PayoutsFound
from tasks.reporting.payouts_report import PayoutsReport
from tests.tasks.policy.test_payouts import DAY, END, expected, refund, row


def report_of(*rows: FileRow) -> PayoutsReport:
    return PayoutsReport("reconcile-payouts", found=PayoutsFound((), DAY, END, reconcile([refund()], rows, expected())))


def test_each_row_of_a_refund_is_named_with_its_file() -> None:
    report = report_of(row(n=3), row(source=Source.STATEMENT, file="suplidos.csv", n=5))
    assert report.judged()[0].outcome is Outcome.TWICE
    assert any("; a.csv row 3, suplidos.csv row 5; " in line for line in report.lines())
    (cells,) = report.as_json()["refunds"]
    assert (cells["file"], cells["rows"]) == ("a.csv, suplidos.csv", "3, 5")
    report = report_of(row("10.00", n=3), row("14.00", n=4), row(source=Source.STATEMENT, file="suplidos.csv", n=5))
    assert any("; a.csv row 3, 4, suplidos.csv row 5; " in line for line in report.lines())
