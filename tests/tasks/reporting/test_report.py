"""The report: its JSON shape, and when a run counts as failed."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from tasks.reporting.report import Failure, Mode, Progress, ReturnsReport, Row
from tasks.reporting.report_page import returns_table


def test_the_json_has_the_promised_keys_and_strings_for_money() -> None:
    report = ReturnsReport("reconcile", ("acme",), mode=Mode.ACT, seen=3)
    report.decisions["refund"] += 2
    report.outcomes["done"] += 1
    report.pay("acme", "EUR", Decimal("10.10"))
    report.pay("acme", "EUR", Decimal("0.20"))
    found = report.as_json()
    assert list(found)[:4] == ["flow", "mode", "stores", "seen"]
    assert found["mode"] == "act"
    assert found["paid"] == {"EUR": "10.30"}
    assert found["outcomes"] == {"done": 1, "unknown": 0, "refused": 0, "held": 0}


def test_a_run_fails_only_past_a_fifth_of_own_faults() -> None:
    report = ReturnsReport("x", mode=Mode.ACT, seen=10)
    report.failures = [Failure("a", "why", ours=True)] * 2 + [Failure("b", "REVER did not answer")] * 8
    assert not report.failed
    report.failures.append(Failure("c", "why", ours=True))
    assert report.failed


def test_the_table_shows_what_moved_first_and_is_bounded() -> None:
    report = ReturnsReport("x", mode=Mode.ACT)
    for number in range(30):
        report.rows[f"w{number}"] = Row(f"w{number}", "#1", "acme", "wait", "not yet")
    report.rows["moved"] = Row("moved", "#2", "acme", "refund", "approved", Decimal("5.00"), "EUR")
    table = returns_table(report, most=5)
    assert len(table) == 5
    assert table[0]["return"] == "moved"
    assert table[0]["amount"] == "5.00 EUR"


def test_the_sentence_says_what_was_done_or_what_is_due() -> None:
    report = ReturnsReport("x", mode=Mode.ACT, seen=2)
    report.decisions["refund"] += 2
    report.pay("acme", "EUR", Decimal("3.50"))
    report.owe("acme", "EUR", Decimal("3.50"))
    assert report.sentence() == "2 returns: 2 refund; paid 3.50 EUR"
    report.mode = Mode.PLAN
    assert report.sentence() == "plan, nothing was done: 2 returns: 2 refund; 3.50 EUR due; act would pay nothing now"


def test_one_return_is_no_plural() -> None:
    report = ReturnsReport("reconcile", ("acme",), mode=Mode.PLAN, open_outcomes=1)
    text = "\n".join(report.lines())
    assert "1 return has an effect whose outcome act looks at first, so it is left out" in text
    report.open_outcomes = 2
    assert "2 returns have an effect" in "\n".join(report.lines())


def test_times_are_told_in_the_zone_of_their_store_and_else_in_the_one_that_all_stores_share() -> None:
    madrid, lisbon = ZoneInfo("Europe/Madrid"), ZoneInfo("Europe/Lisbon")
    report = ReturnsReport("x", ("acme", "north"), mode=Mode.ACT)
    report.paused["acme"] = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert report.sentence().endswith("acme is paused until 2026-11-23 12:00 UTC")
    report.zones["acme"] = madrid
    assert report.sentence().endswith("acme is paused until 2026-11-23 13:00 CET")
    assert (report.zone("acme"), report.zone("north"), report.zone()) == (madrid, UTC, madrid)
    report.zones["north"] = lisbon
    assert (report.zone("north"), report.zone()) == (lisbon, UTC)


def test_progress_says_returns_money_and_what_waits_for_the_rate() -> None:
    progress = Progress()
    assert (progress.words, progress.share) == ("0 of 0 returns", 0.0)
    progress.find(2000)
    progress.finish(1200)
    progress.pay("SEK", Decimal("26906.03"))
    progress.pay("EUR", Decimal("1000.00"))
    progress.pay("EUR", Decimal("0.50"))
    assert progress.words == "1,200 of 2,000 returns, paid 1,000.50 EUR, 26,906.03 SEK"
    assert progress.share == 0.6
    progress.rate_waits = lambda: 1
    assert progress.words.endswith(", 1 call waits for the rate limit")


def test_a_list_that_shrinks_while_it_is_read_is_never_more_than_done() -> None:
    progress = Progress(found=10, done=12)
    assert progress.share == 1.0
    progress.find(-10)
    assert progress.share == 0.0
