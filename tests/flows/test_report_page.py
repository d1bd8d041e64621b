"""What the page of a real run lists as done is what REVER's books have of it, whatever went wrong on the way."""

import re
from decimal import Decimal

import pytest

from rever_api.sandbox.faults import Fault, FaultPlan, NamedFault
from tasks.desk import utc_now
from tasks.ledger import stop_switch
from tasks.reporting.report import ReturnsReport
from tasks.reporting.report_page import report_page
from tests.world import Start, World


def listed(report: ReturnsReport, title: str) -> set[str]:
    """The returns that one list of the page names."""
    lists = dict(part.split("\n", 1) for part in report_page(report).split("\n#### ")[1:])
    return set(re.findall(r"^- (retp_\w+)", lists.get(title, "").replace("\\", ""), re.MULTILINE))


def refunded(world: World) -> set[str]:
    effects = world.sandbox.books.effects
    return {effect.process_id for effect in effects if effect.operation == "issueRefund" and effect.by == "api"}


def done(report: ReturnsReport) -> set[str]:
    """The returns of which something was done, by their rows."""
    return {row.process_id for row in report.rows.values() if row.done}


@pytest.mark.parametrize("fault", ["conflict_409", "error_500_before", "connection_dropped"])
def test_a_refund_that_was_not_made_is_not_listed_as_done(start_world: Start, fault: str) -> None:
    world = start_world(returns=20, faults=f"issueRefund:1:{fault}")
    report = world.act()
    broken = {row.process_id for row in report.rows.values() if row.decision == "refund"} - refunded(world)
    assert broken
    assert refunded(world) <= done(report)
    assert not broken & done(report)
    assert broken <= listed(report, "Decided, not done") | listed(report, "On hold for a person")


def test_while_all_is_stopped_what_is_due_is_listed_as_not_done(world: World) -> None:
    due = {row.process_id for row in world.run("process-pending-returns").rows.values() if row.decision == "refund"}
    world.act(max_returns="1")
    world.write(stop_switch, on=True, by="olga", why="audit", now=utc_now())
    due -= refunded(world)
    report = world.act()
    assert due
    assert due <= listed(report, "Decided, not done")
    assert not due & listed(report, "Done")
    assert "stopped by olga: audit" in report_page(report)


def test_what_an_earlier_run_sent_and_this_one_found_done_is_listed_as_done(start_world: Start) -> None:
    world = start_world(returns=20, faults=FaultPlan(named=(NamedFault("issueRefund", 1, Fault.ACTS_LATER),), later=50))
    first = world.act()
    [unknown] = [row for row in first.rows.values() if ": unknown" in row.outcome]
    assert unknown.process_id in listed(first, "Decided, not done")
    world.pass_time(60)
    second = world.act()
    assert unknown.process_id in listed(second, "Done")
    assert sum(second.paid.values(), Decimal(0))
