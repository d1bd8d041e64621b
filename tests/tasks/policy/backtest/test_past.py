"""How a past return looked: each change at its time, nothing of what came later, and what has no date said so."""

from datetime import timedelta

from rever_api.models import Review
from tasks.policy.backtest.past import known_at, views
from tests.tasks.policy.backtest.histories import BEGAN, DAY, UNTIL, past
from tests.tasks.policy.factories import line, refund

GAP = timedelta(minutes=10)


def test_before_a_review_nothing_of_it_is_seen() -> None:
    it = past(line("a", quantity=2), reviewed=[("APPROVED", 5), ("DECLINED", 7)], refunds=[refund()])
    first, second, third = views(it, UNTIL, GAP, scan=False)
    assert [view.at for view in (first, second, third)] == [BEGAN, BEGAN + 5 * DAY, BEGAN + 7 * DAY]
    assert [len(view.process.reviews or ()) for view in (first, second, third)] == [0, 1, 2]
    assert (first.process.return_status, first.process.rever_process_status) == ("STARTED", "RUNNING")
    assert [entry.status for entry in first.process.logistics or ()] == ["CREATED"]
    for view in (first, second, third):
        assert view.process.compensation
        assert view.process.compensation.refunds == ()
        assert view.process.updated_at == view.at


def test_reviews_between_two_looks_are_one_change() -> None:
    minute = 1 / (24 * 60)
    it = past(
        line("a", quantity=3), reviewed=[("APPROVED", 5), ("APPROVED", 5 + minute), ("APPROVED", 5 + 20 * minute)]
    )
    assert [len(view.process.reviews or ()) for view in views(it, UNTIL, GAP, scan=False)] == [0, 2, 3]


def test_a_scan_without_a_date_is_seen_at_the_latest_time_that_can_be_and_said_not_to_be_exact() -> None:
    began, scanned, arrived, reviewed = views(past(), UNTIL, GAP, scan=True, arrival=True)
    assert (scanned.at, scanned.exact) == (BEGAN + 5 * DAY, False)
    assert scanned.process.return_status == "COLLECTED"
    assert [entry.status for entry in scanned.process.logistics or ()] == ["COLLECTED"]
    assert (arrived.at, arrived.exact, arrived.process.return_status) == (BEGAN + 5 * DAY, False, "REVIEW_REQUIRED")
    assert arrived.process.reviews == ()
    assert (began.exact, reviewed.exact) == (True, True)


def test_a_scan_that_somebody_told_the_time_of_is_exact() -> None:
    it = past(scanned_at=BEGAN + DAY, arrived_at=BEGAN + 3 * DAY)
    shown = [(view.at, view.exact) for view in views(it, UNTIL, GAP, scan=True, arrival=True)]
    assert shown == [(BEGAN + days * DAY, True) for days in (0, 1, 3, 5)]


def test_times_that_contradict_each_other_never_run_backwards() -> None:
    it = past(scanned_at=BEGAN + 8 * DAY)
    shown = views(it, UNTIL, GAP, scan=True, arrival=True)
    assert [view.at for view in shown] == sorted(view.at for view in shown)
    assert not shown[-1].exact


def test_a_review_without_a_date_is_seen_at_the_last_change() -> None:
    last = views(past(reviewed=[("APPROVED", None)]), UNTIL, GAP, scan=False)[-1]
    assert (last.at, last.exact) == (BEGAN + 9 * DAY, False)
    assert len(last.process.reviews or ()) == 1


def test_a_cancelled_return_runs_until_its_last_change() -> None:
    shown = views(past(status="CANCELED"), UNTIL, GAP, scan=False)
    assert [str(view.process.rever_process_status) for view in shown] == ["RUNNING", "RUNNING", "CANCELED"]
    assert shown[-1].at == BEGAN + 9 * DAY


def test_one_without_a_start_or_that_began_later_is_not_seen_at_all() -> None:
    assert views(past(began=None), UNTIL, GAP, scan=True, arrival=True) == ()
    assert views(past(), BEGAN - DAY, GAP, scan=True, arrival=True) == ()


def test_what_was_not_told_stays_not_told() -> None:
    shown = views(past(reviews=None, compensation=None), UNTIL, GAP, scan=True, arrival=True)
    assert shown
    for view in shown:
        assert view.process.reviews is None
        assert view.process.compensation is None


def test_another_return_is_known_as_it_really_was_at_that_time() -> None:
    paid = refund().model_copy(update={"refunded_at": BEGAN + 6 * DAY})
    it = past(refunds=[paid], status="CANCELED").process
    before, between, after = (known_at(it, BEGAN + days * DAY) for days in (1, 5, 9))
    assert [len(each.reviews or ()) for each in (before, between, after)] == [0, 1, 1]
    told = [each.compensation.refunds if each.compensation else None for each in (before, between, after)]
    assert told == [(), (), (paid,)]
    assert [str(each.rever_process_status) for each in (before, between, after)] == ["RUNNING", "RUNNING", "CANCELED"]


def test_of_another_return_what_has_no_date_counts_as_not_told() -> None:
    undated = Review(line_item_id="a", status="DECLINED")
    it = past(refunds=[refund().model_copy(update={"refunded_at": None})], reviews=(undated,)).process
    known = known_at(it, UNTIL)
    assert known.reviews is None
    assert known.compensation
    assert known.compensation.refunds is None
