"""The moments at which a merchant's rules may change their mind while nothing happens to the return: a number of days
has passed, a date has come, it is another weekday or hour. They follow from what the rules ask about.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from types import MappingProxyType

from tasks.policy.actions import Pay
from tasks.policy.condition_fields import FIELDS
from tasks.policy.conditions import checks_of
from tasks.policy.merchant_rules import AppliesTo, MerchantRule
from tasks.policy.return_facts import EarlierReturn, ReturnFacts

_AFTER = MappingProxyType(
    {
        "days_since_start": "started_on",
        "days_since_first_scan": "first_scanned_on",
        "days_since_arrival": "arrived_on",
        "days_since_review": "reviewed_on",
        "days_since_order": "ordered_on",
        "days_since_fulfilment": "fulfilled_on",
        "days_since_delivery": "delivered_on",
    }
)
"""A field that counts days -> the fact from which it counts."""

_PAID_AFTER = MappingProxyType(
    {"start": "started_on", "first_scan": "first_scanned_on", "arrival": "arrived_on", "inspection": "reviewed_on"}
)
_SCAN = frozenset({"shipping_status", "scanned", "days_since_first_scan"})
_ARRIVAL = frozenset({"shipping_status", "arrived", "days_since_arrival"})
PARCELS = _SCAN | _ARRIVAL
"""Fields about how far the goods have come."""

_REVIEWS = frozenset({"review", "reject_reason", "inspector", "reviewed", "all_approved", "days_since_review"})
_DESK = frozenset({"refunded", "held"})
_OUTCOMES = frozenset({"earlier_refunds", "earlier_refund_value", "earlier_wrong_items", "earlier_bonuses"})

WEEK = 8
"""Days after each change at which rules that ask for the weekday are asked again: each weekday comes once."""


@dataclass(frozen=True, slots=True)
class TimesAsked:
    """What rules ask about time. `after` has, by fact, the days after it at which an answer may turn; `within` are
    windows of earlier returns in days; `hours` those at which an answer may turn. `scan` and `arrival` say that they
    ask how far the goods have come, `reviews` what was inspected, `history` about the shopper's earlier returns,
    `outcomes` what became of these, `endless` about these without a window, and `desk` what this desk has done.
    """

    after: Mapping[str, frozenset[int]] = field(default_factory=dict)
    on: frozenset[date] = frozenset()
    within: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    weekdays: bool = False
    scan: bool = False
    arrival: bool = False
    reviews: bool = False
    history: bool = False
    outcomes: bool = False
    endless: bool = False
    desk: bool = False

    @property
    def settled(self) -> bool:
        """Whether the answers stay the same as long as REVER shows the same."""
        return self.calm and not (self.history or self.desk)

    @property
    def fixed(self) -> bool:
        """Whether the answers are the same at every moment of a return's life."""
        return self.settled and not (self.scan or self.arrival or self.reviews)

    @property
    def calm(self) -> bool:
        """Whether the passing of time alone changes nothing."""
        return not (self.after or self.on or self.within or self.hours or self.weekdays)


def times_asked(rules: Iterable[MerchantRule]) -> TimesAsked:
    """What these rules ask about time."""
    after: dict[str, set[int]] = {}
    on, within, hours = set[date](), set[int](), set[int]()
    weekdays = scan = arrival = reviews = history = outcomes = endless = desk = False
    for rule in rules:
        if rule.applies_to is AppliesTo.ALL:
            on |= {rule.begins} if rule.begins else set()
            on |= {rule.ends + timedelta(days=1)} if rule.ends else set()
        for action in rule.then:
            if isinstance(action, Pay):
                scan, arrival = scan or action.at == "first_scan", arrival or action.at == "arrival"
                if action.plus_days:
                    after.setdefault(_PAID_AFTER[action.at], set()).add(action.plus_days)
        for check in checks_of(rule.when):
            scan, arrival = scan or check.field in _SCAN, arrival or check.field in _ARRIVAL
            reviews, desk = reviews or check.field in _REVIEWS, desk or check.field in _DESK
            weekdays = weekdays or check.field == "weekday"
            if FIELDS[check.field].counts is not None:
                history, outcomes = True, outcomes or check.field in _OUTCOMES
                endless = endless or check.within_days is None
                within |= set() if check.within_days is None else {check.within_days}
            elif check.field in _AFTER and isinstance(check.wanted, int):
                after.setdefault(_AFTER[check.field], set()).update((check.wanted, check.wanted + 1))
            elif check.field == "hour" and isinstance(check.wanted, int):
                hours |= {check.wanted, check.wanted + 1} & set(range(24))
            elif check.field == "today" and isinstance(check.wanted, date):
                on |= {check.wanted, check.wanted + timedelta(days=1)}
    days = {name: frozenset(many) for name, many in after.items()}
    turns = frozenset(on), frozenset(within), frozenset(hours)
    return TimesAsked(days, *turns, weekdays, scan, arrival, reviews, history, outcomes, endless, desk)


def turning_points(
    asked: TimesAsked, facts: ReturnFacts, earlier: Sequence[EarlierReturn], zone: tzinfo, until: datetime
) -> Iterator[datetime]:
    """When, after the moment of these facts, an answer may turn by the passing of time alone, up to `until`."""
    days, last = set(asked.on), until.astimezone(zone).date()
    for name, many in asked.after.items():
        day = getattr(facts, name)
        if isinstance(day, date):
            days |= {day + timedelta(days=count) for count in many if count <= (last - day).days}
    for other in earlier:
        left = (last - other.started_on).days
        days |= {other.started_on + timedelta(days=window + 1) for window in asked.within if window < left}
    week = WEEK if asked.weekdays else 1 if asked.hours else 0
    for start in {facts.today, *days} if week else ():
        days |= {start + timedelta(days=count) for count in range(week + 1) if start <= last}
    for day in sorted(each for each in days if facts.today <= each <= last):
        for hour in {0, *asked.hours} if week else (0,):
            at = datetime(day.year, day.month, day.day, hour, tzinfo=zone)
            if facts.now < at <= until:
                yield at
