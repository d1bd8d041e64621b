"""The page of a run: what was done, what was decided and not done with the reason, what is held."""

from dataclasses import replace
from decimal import Decimal

from tasks.reporting.report import Failure, Mode, ReturnsReport, Row
from tasks.reporting.report_page import report_page

REFUND = Row("retp_1", "#1", "acme", "refund", "1 unit is approved", Decimal("5.00"), "EUR")


def parts(*rows: Row, mode: Mode = Mode.ACT, failures: tuple[Failure, ...] = ()) -> dict[str, list[str]]:
    """The lists of the page, by their headings."""
    report = ReturnsReport("process-pending-returns", ("acme",), mode=mode, failures=list(failures))
    report.rows = {row.process_id: row for row in rows}
    found: dict[str, list[str]] = {}
    for part in report_page(report).split("\n#### ")[1:]:
        title, _, items = part.partition("\n")
        found[title] = [line.removeprefix("- ") for line in items.splitlines() if line]
    return found


def test_what_was_decided_and_not_carried_out_is_not_listed_as_done() -> None:
    done = replace(REFUND, outcome="refund 5.00 EUR by CARD: done", done=True)
    stopped = replace(REFUND, process_id="retp_2", outcome="refund 5.00 EUR by CARD: not sent (stopped by olga)")
    found = parts(done, stopped)
    assert found["Done"] == ["retp_1 (#1, acme): refund 5.00 EUR → refund 5.00 EUR by CARD: done. 1 unit is approved"]
    assert len(found["Decided, not done"]) == 1
    assert "not sent (stopped by olga)" in found["Decided, not done"][0]


def test_what_is_left_to_another_run_is_listed_with_its_reason() -> None:
    waits = Row("retp_1", "#1", "acme", "wait", "all effects are stopped by olga: audit", left=True)
    just_waits = Row("retp_2", "#2", "acme", "wait", "for the warehouse")
    found = parts(waits, just_waits)
    assert list(found) == ["Decided, not done"]
    assert found["Decided, not done"] == ["retp_1 (#1, acme): wait. all effects are stopped by olga: audit"]


def test_a_return_of_which_a_part_is_done_stands_under_both() -> None:
    part = replace(REFUND, outcome="refund 5.00 EUR by CARD: done; exchange: unknown", done=True, left=True)
    held = replace(part, process_id="retp_2", outcome="refund 5.00 EUR by CARD: done; held", left=False, hold_open=True)
    found = parts(part, held)
    assert [len(found[title]) for title in ("Done", "Decided, not done", "On hold for a person")] == [2, 1, 1]


def test_what_a_run_did_not_come_to_says_so() -> None:
    found = parts(REFUND)
    assert found == {
        "Decided, not done": ["retp_1 (#1, acme): refund 5.00 EUR → the run ended before it. 1 unit is approved"]
    }


def test_a_fault_on_the_way_is_the_reason_and_is_said_once() -> None:
    found = parts(REFUND, failures=(Failure("retp_1", "a fault"), Failure("retp_9", "no answer")))
    assert found["Decided, not done"] == ["retp_1 (#1, acme): refund 5.00 EUR → a fault. 1 unit is approved"]
    assert found["Not worked on"] == ["retp_9: no answer"]


def test_a_plan_says_what_would_be_done() -> None:
    assert list(parts(REFUND, mode=Mode.PLAN)) == ["Would be done"]
