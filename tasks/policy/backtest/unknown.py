"""What a replay of the past cannot know, in sentences with the number of returns they are about."""

from collections.abc import Iterator, Mapping, Sequence

from rever_api.models import ProcessStatus
from tasks.policy.actions import ActionKind, kind_of
from tasks.policy.backtest.outcome import Replayed
from tasks.policy.backtest.pair import Pair
from tasks.policy.backtest.past import PastReturn, has_arrived, undated_reviews, was_scanned
from tasks.policy.facts import counted
from tasks.policy.store import RefundsBy

_CHOICES = frozenset({ActionKind.METHODS, ActionKind.BONUS, ActionKind.KEEP, ActionKind.RETURN_METHOD, ActionKind.FEE})
"""Kinds of action that a shopper sees before choosing."""

ALWAYS = (
    "Lines, values, costs, tags and the outcome of each review are as they are known today; what they were before is "
    "not told.",
    "A return that is COMPLETED counts as running until the policy has paid it: REVER completes it because of a "
    "payment.",
    "REVER answers each replayed payment with a yes: a refusal or a variant out of stock is not foreseen.",
    "A return that is wholly paid is not looked at any more: where it is declined later, no hold is counted for that.",
    "Labels are not replayed: a rule about a carrier counts as fired or decisive, and moves no money.",
)


def cannot_be_known(
    past: Sequence[PastReturn],
    pairs: Mapping[str, Pair],
    current: Mapping[str, Replayed],
    candidate: Mapping[str, Replayed],
) -> Iterator[str]:
    """The sentences that are true of this replay, those about single returns first."""
    mine = [it for it in past if it.process_id in candidate]
    yield from _about_times(mine, pairs)
    held = sum(it.held is not None for it in candidate.values())
    if held:
        yield f"{_returns(held)} held by the candidate: what a person would have answered is not known."
    held = sum(it.held is not None for it in current.values())
    if held:
        yield f"{_returns(held)} held by the current policy: it is replayed without the answers that people gave."
    for store, pair in pairs.items():
        if pair.current.refunds_by is RefundsBy.REVER:
            yield f"At {store} REVER pays: no policy of this desk decides about its money, so nothing is paid here."
        if pair.unstated:
            yield f"At {store} nobody has said who pays (REVER_REFUNDS_BY): it is replayed as if this desk did."
        if any(rules.policy.guards.max_per_day or rules.policy.guards.max_refunds_per_shopper for rules in pair.both):
            yield f"The caps of {store} count what is paid in the replay, and nothing that was paid before it."
    kinds = {
        kind_of(action) for pair in pairs.values() for rule in pair.candidate.merchant_rules for action in rule.then
    }
    if kinds & _CHOICES:
        names = ", ".join(sorted(kinds & _CHOICES))
        yield f"The candidate has rules that a shopper sees ({names}): another choice because of them is not known."
    yield from ALWAYS


def _about_times(past: Sequence[PastReturn], pairs: Mapping[str, Pair]) -> Iterator[str]:
    asked = [it for it in past if pairs[it.store].asked.scan]
    scans = sum(was_scanned(it.process) and it.scanned_at is None for it in asked)
    if scans:
        yield (
            f"The first scan of {counted(scans, 'return')} has no date: REVER tells that there was one, not when. What"
            " a rule pays at the scan counts as paid some time before the next thing that has a date, nobody knows how"
            " many days."
        )
    asked = [it for it in past if pairs[it.store].asked.arrival]
    arrivals = sum(has_arrived(it.process) and it.arrived_at is None for it in asked)
    if arrivals:
        yield f"The arrival of {counted(arrivals, 'return')} has no date: what a rule pays then counts in the same way."
    undated = sum(bool(undated_reviews(it.process)) for it in past)
    if undated:
        yield f"Reviews of {counted(undated, 'return')} have no date: they count as made at the last change."
    goes_on = {ProcessStatus.RUNNING, ProcessStatus.COMPLETED}
    others = sum(it.process.rever_process_status not in goes_on for it in past)
    if others:
        yield (
            f"The end or the stop of {counted(others, 'return')} has no date: it counts from the last change at REVER"
            " on, which may be later than the true day."
        )


def _returns(number: int) -> str:
    return f"{counted(number, 'return')} {'is' if number == 1 else 'are'}"
