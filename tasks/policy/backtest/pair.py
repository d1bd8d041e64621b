"""The two policies of a store, made ready for a replay."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rever_api.models import RefundTiming
from tasks.policy.actions import Action, KeepItem, Pay
from tasks.policy.backtest.moments import PARCELS, TimesAsked, times_asked
from tasks.policy.conditions import checks_of
from tasks.policy.facts import timing_of
from tasks.policy.merchant_rules import MerchantRule
from tasks.policy.store import Guards, RefundsBy, StoreRules


@dataclass(frozen=True, slots=True)
class Pair:
    """The two policies of a store, made ready: a rule that both have is one object.

    `alike` says that but for guards they differ in merchant's rules alone, with the same tables of facts; `unstated`
    that nobody has said who pays there; `early` that REVER's timing pays before the inspection. `payers` are the rules
    that may pay before it, by identity, each with its actions that do: as long as nothing is approved and none of them
    speaks, nothing is due.
    `fixed` are the rules whose answer is the same at every moment of a return's life, by identity. `watched` are the
    payers, and the rules that are not fixed; `restless` those of each policy
    whose answer may turn while REVER shows the same; `parcels` says that an answer may hang on how far the goods have
    come.
    """

    current: StoreRules
    candidate: StoreRules
    asked: TimesAsked
    alike: bool = False
    unstated: bool = False
    early: bool = True
    payers: Mapping[int, tuple[Action, ...]] = field(default_factory=dict)
    fixed: frozenset[int] = frozenset()
    watched: tuple[MerchantRule, ...] = ()
    restless: tuple[tuple[MerchantRule, ...], ...] = ((), ())
    parcels: bool = True

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
        # What the ledger has as refunded of an order's shipping is of today; in a replay each return is the first.
        current, candidate = (
            replace(it, side=it.side and replace(it.side, shipping_parts=None)) for it in (current, candidate)
        )
        ours = {rule.name: rule for rule in current.merchant_rules}
        shared = [mine if (mine := ours.get(it.name)) == it and mine else it for it in candidate.merchant_rules]
        candidate = replace(candidate, merchant_rules=tuple(shared))
        rules = (*current.merchant_rules, *candidate.merchant_rules)
        timing = timing_of(current)
        asked = times_asked(rules)
        if timing == RefundTiming.ON_ITEM_SENT:
            asked = replace(asked, scan=True)
        bare = [it.policy.model_copy(update={"guards": Guards()}) for it in (current, candidate)]
        each = {id(rule): rule for rule in rules}
        restless = _restless(current), _restless(candidate)
        fixed = frozenset(name for name, it in each.items() if times_asked([it]).fixed)
        early = {name: tuple(filter(_pays_early, it.then)) for name, it in each.items()}
        payers = {name: actions for name, actions in early.items() if actions}
        return cls(
            current,
            candidate,
            asked,
            alike=bare[0] == bare[1] and current.side == candidate.side,
            unstated=unstated,
            early=timing != RefundTiming.ON_ITEM_VERIFIED,
            payers=payers,
            fixed=fixed,
            watched=tuple(it for name, it in each.items() if name in payers or name not in fixed),
            restless=restless,
            parcels=any(check.field in PARCELS for rule in rules for check in checks_of(rule.when))
            or any(id(rule) in payers for side in restless for rule in side),
        )


def _pays_early(action: Action) -> bool:
    """Whether a line may be due before it is reviewed."""
    return isinstance(action, KeepItem) or (isinstance(action, Pay) and action.at != "inspection")


def _restless(rules: StoreRules) -> tuple[MerchantRule, ...]:
    return tuple(rule for rule in rules.merchant_rules if not times_asked([rule]).settled)
