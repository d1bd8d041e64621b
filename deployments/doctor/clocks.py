"""What is said of another clock."""

from collections.abc import Sequence
from datetime import timedelta

from deployments.doctor.line import Line, attention, broken, ok
from rever_api.other_clock import Sample, ahead, in_words

WORTH_SAYING = timedelta(seconds=5)
TOO_MUCH = timedelta(seconds=60)
"""As long as a claimed effect is left to its worker by default (`REVER_LEASE`)."""


def judged(name: str, whose: str, samples: Sequence[Sample]) -> Line:
    """One line about another clock; there is at least one sample."""
    skew = ahead(samples)
    if abs(skew) <= WORTH_SAYING:
        return ok(name, f"{whose} clock and ours agree to within {WORTH_SAYING.total_seconds():.0f} s")
    way = "ahead of" if skew > timedelta(0) else "behind"
    found = f"{whose} clock is {in_words(abs(skew))} {way} ours"
    mend = "synchronise this machine's clock (NTP: `timedatectl`), or theirs"
    return (broken if abs(skew) > TOO_MUCH else attention)(name, found, mend)
