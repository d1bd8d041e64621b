"""The two policies of a store, made ready for a replay."""

from dataclasses import dataclass, replace

from rever_api.models import (
    RefundTiming,
)
from tasks.policy.actions import Action, KeepItem, Pay
from tasks.policy.backtest.moments import TimesAsked, times_asked
from tasks.policy.facts import timing_of
from tasks.policy.store import Guards, RefundsBy, StoreRules


@dataclass(frozen=True, slots=True)
class Pair:
    """The two policies of a store, made ready: a rule that both have is one object.

    `alike` says that but for guards they differ in merchant's rules alone, with the same tables of facts; `unstated`
    that nobody has said who pays there; `early` that something may be due before a unit is approved. `restless` are the
    rules, by identity, whose answer may turn while REVER shows the same.
    """

    current: StoreRules
    candidate: StoreRules
    asked: TimesAsked
    alike: bool = False
    unstated: bool = False
    early: bool = True
    restless: frozenset[int] = frozenset()

    @property
    def both(self) -> tuple[StoreRules, StoreRules]:
        """The current policy, then the candidate."""
        return self.current, self.candidate

    @classmethod
    def of(cls, current: StoreRules, candidate: StoreRules) -> "Pair":
        """The policies as they are replayed: where nobody has said who pays, this desk does."""
        unstated = current.refunds_by is RefundsBy.UNSTATED
        if unstated:
            current, candidate = (replace(it, refunds_by=RefundsBy.US) for it in (current, candidate))
        ours = {rule.name: rule for rule in current.merchant_rules}
        shared = [mine if (mine := ours.get(it.name)) == it and mine else it for it in candidate.merchant_rules]
        candidate = replace(candidate, merchant_rules=tuple(shared))
        rules = (*current.merchant_rules, *candidate.merchant_rules)
        timing = timing_of(current)
        asked = times_asked(rules)
        if timing == RefundTiming.ON_ITEM_SENT:
            asked = replace(asked, parcels=True)
        early = timing != RefundTiming.ON_ITEM_VERIFIED or any(_pays_early(it) for rule in rules for it in rule.then)
        bare = [it.policy.model_copy(update={"guards": Guards()}) for it in (current, candidate)]
        alike = bare[0] == bare[1] and current.side is candidate.side
        restless = frozenset(id(rule) for rule in rules if not times_asked([rule]).settled)
        return cls(current, candidate, asked, alike, unstated, early, restless)


def _pays_early(action: Action) -> bool:
    """Whether a line may be due before it is reviewed."""
    return isinstance(action, KeepItem) or (isinstance(action, Pay) and action.at != "inspection")
