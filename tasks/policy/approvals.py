"""The time in which a person is asked for an approval, and what the merchant's rule has happen after it. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum

from tasks.policy.actions import Approve
from tasks.policy.clocks import clock_time
from tasks.policy.facts import later
from tasks.policy.merchant_rules import MerchantRule

APPROVAL = "approval"
"""The rule of the hold by which the merchant's own rules ask a person."""


class Then(StrEnum):
    """What happens where nobody has answered in time."""

    DECLINE = "decline"
    GO_ON = "go_on"


_THEN = frozenset(Then)


@dataclass(frozen=True, slots=True)
class Limit:
    """Until when a hold is for a person alone, and what happens then: fixed when the hold is opened."""

    until: datetime
    days: int
    then: Then

    @classmethod
    def of(cls, asked: Collection[Approve], now: datetime) -> "Limit | None":
        """The limit of a hold that is opened now; None where there is none, or where the rules say different things."""
        limits = {(it.within_days, it.then) for it in asked}
        (days, then), *others = limits
        if others or days is None or then == "wait":
            return None
        return cls(later(now, timedelta(days=days)), days, Then(then))

    @classmethod
    def told(cls, evidence: Mapping[str, str]) -> "Limit | None":
        """The limit that the evidence of a hold has, if any."""
        until, days, then = (evidence.get(name, "") for name in ("until", "within_days", "then"))
        if then not in _THEN or not days.isdigit():
            return None
        return cls(datetime.fromisoformat(until), int(days), Then(then))

    @property
    def evidence(self) -> dict[str, str]:
        """The limit as the evidence of a hold."""
        return {"until": self.until.isoformat(), "within_days": str(self.days), "then": str(self.then)}

    def words(self, zone: tzinfo) -> str:
        """What happens without an answer, as the end of a sentence; the time is that of the store's zone."""
        what = "paid" if self.then is Then.GO_ON else "dropped"
        return f"; without an answer by {clock_time(self.until, zone)} it is {what}"

    def is_up(self, rules: Iterable[MerchantRule], now: datetime) -> bool:
        """Whether the time has passed, and a rule that says so is still among these."""
        asked = (it for rule in rules for it in rule.then if isinstance(it, Approve))
        return now >= self.until and any((it.within_days, it.then) == (self.days, self.then) for it in asked)
