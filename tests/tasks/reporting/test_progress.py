"""How far a run is, in words and as a share."""

from decimal import Decimal

from tasks.reporting.progress import Progress


def test_it_says_returns_money_and_what_waits_for_the_rate() -> None:
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
