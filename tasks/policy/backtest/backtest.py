"""Two policies over past returns, in the order of time, and what they come to."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from rever_api.models import ReturnProcess
from tasks.policy.backtest.caps import capped
from tasks.policy.backtest.differences import Change, Difference, Purse, compared, rules_between
from tasks.policy.backtest.moments import times_asked
from tasks.policy.backtest.outcome import Replayed
from tasks.policy.backtest.pair import Pair
from tasks.policy.backtest.past import PastReturn, happenings, known_at, mailbox_of, views
from tasks.policy.backtest.replay import History, replay
from tasks.policy.backtest.unknown import cannot_be_known
from tasks.policy.comparison import beside
from tasks.policy.earlier_returns import earlier_of
from tasks.policy.merchant_rules import MerchantRule
from tasks.policy.money import ZERO
from tasks.policy.record import BY_A_PERSON, IntentKind, IntentState
from tasks.policy.return_facts import EarlierReturns, Unknown
from tasks.policy.store import StoreRules


@dataclass(frozen=True, slots=True)
class StorePolicies:
    """The two policies of a store: what decides there now, and what is tried."""

    current: StoreRules
    candidate: StoreRules


@dataclass(slots=True)
class RuleUse:
    """How often a merchant's rule had a part in the replay, in returns.

    `fired`: it matched at some moment; `decisive`: it decided something; `outranked`: it matched, and another decided;
    `unknown`: it could not be answered, and `needs` says what was missing, each with the number of returns.
    """

    name: str
    candidate: bool
    fired: int = 0
    decisive: int = 0
    outranked: int = 0
    unknown: int = 0
    needs: dict[str, int] = field(default_factory=dict)

    @property
    def never(self) -> bool:
        """Whether it matched no return."""
        return not self.fired


@dataclass(slots=True)
class Totals:
    """What was paid in one currency: really, by the ledger; by hand, as people said; what REVER shows; and by each
    policy in the replay. `changes` has how much the candidate pays earlier, later, more, less, another way, or holds.
    """

    ledger: Decimal = ZERO
    by_hand: Decimal = ZERO
    rever: Decimal = ZERO
    current: Decimal = ZERO
    candidate: Decimal = ZERO
    changes: dict[Change, Decimal] = field(default_factory=lambda: defaultdict(Decimal))


Replays = dict[str, tuple[Replayed, Replayed]]
"""What the current policy and the candidate make of each return, by its id; guards are not judged yet."""


@dataclass(frozen=True, slots=True)
class Backtest:
    """The result. `left_out` are returns that could not be replayed, and why; `unknown` is what cannot be known."""

    returns: int
    until: datetime
    rules: tuple[RuleUse, ...]
    money: Mapping[Purse, Totals]
    differences: tuple[Difference, ...]
    unknown: tuple[str, ...]
    left_out: Mapping[str, str]


def backtest(
    past: Iterable[PastReturn],
    stores: Mapping[str, StorePolicies],
    until: datetime,
    others: Iterable[ReturnProcess] = (),
) -> Backtest:
    """Try the candidates of these stores over these returns, up to `until`, the time at which they were read.

    `others` are further returns that count only as shoppers' earlier ones. The order of neither matters.
    """
    past = tuple(past)
    return summed_up(past, stores, until, replayed(past, stores, until, others))


def replayed(
    past: Iterable[PastReturn],
    stores: Mapping[str, StorePolicies],
    until: datetime,
    others: Iterable[ReturnProcess] = (),
) -> Replays:
    """Replay these returns. Nothing of one hangs on another, but on those of the same shopper (`shares`)."""
    return _Replays(tuple(past), stores, until, others).run()


def summed_up(
    past: Iterable[PastReturn], stores: Mapping[str, StorePolicies], until: datetime, replays: Replays
) -> Backtest:
    """What the replays of these returns come to, once the guards are judged over all of them."""
    return _Summed(past, stores, until, replays).run()


def widest_history(rules: Iterable[MerchantRule]) -> int | None:
    """How many days of a shopper's earlier returns these rules ask for: 0 for none, None without an end."""
    asked = times_asked(rules)
    return None if asked.endless else max(asked.within, default=0)


class _Replays:
    def __init__(
        self,
        past: Sequence[PastReturn],
        stores: Mapping[str, StorePolicies],
        until: datetime,
        others: Iterable[ReturnProcess],
    ) -> None:
        self.past, self.until = past, until
        self.pairs = {name: Pair.of(it.current, it.candidate) for name, it in stores.items()}
        self.outcomes = any(pair.asked.outcomes for pair in self.pairs.values())
        self.turns: dict[str, list[datetime]] = {}
        self.earlier: dict[tuple[str, str, int], EarlierReturns] = {}
        self.by_shopper: dict[str, dict[str, ReturnProcess]] = defaultdict(dict)
        if any(pair.asked.history for pair in self.pairs.values()):
            for process in (*others, *(it.process for it in self.past)):
                if shopper := mailbox_of(process):
                    self.by_shopper[shopper][process.rever_process_id] = process

    def run(self) -> Replays:
        found: Replays = {}
        for it in self.past:
            pair = self.pairs[it.store]
            seen = views(it, self.until, pair.current.look_again, scan=pair.asked.scan, arrival=pair.asked.arrival)
            if seen:
                found[it.process_id] = replay(it, seen, pair, self._history(it, pair), self.until)
        return found

    def _history(self, past: PastReturn, pair: Pair) -> History | None:
        """The shopper's other returns as they were known at a time; None where no rule asks."""
        if not pair.asked.history:
            return None
        shopper = mailbox_of(past.process)
        others = [it for name, it in self.by_shopper[shopper].items() if name != past.process_id] if shopper else []
        rules = pair.current

        times = sorted({at for it in others for at in self._turns(it)})
        found: dict[int, EarlierReturns] = {}

        def known(at: datetime) -> EarlierReturns:
            place = bisect_right(times, at)
            if place not in found:
                begun = [
                    self._earlier(it, shopper, rules, at) for it in others if not it.started_at or it.started_at <= at
                ]
                untold = next((each for each in begun if isinstance(each, Unknown)), None)
                found[place] = untold or tuple(it for each in begun if isinstance(each, tuple) for it in each)
            return found[place]

        return History(times, known)

    def _earlier(self, process: ReturnProcess, shopper: str, rules: StoreRules, at: datetime) -> EarlierReturns:
        """A return as an earlier one of its shopper at a time: the same for all their others until it turns."""
        key = process.rever_process_id, rules.store, bisect_right(self._turns(process), at)
        if key not in self.earlier:
            omits = rules.omits_empty_fields
            self.earlier[key] = earlier_of([known_at(process, at)], shopper, rules.zone, omits_empty_fields=omits)
        return self.earlier[key]

    def _turns(self, process: ReturnProcess) -> list[datetime]:
        """The times at which a return looks otherwise to its shopper's others, as far as rules ask what they see."""
        name = process.rever_process_id
        if name not in self.turns:
            self.turns[name] = sorted(happenings(process, outcomes=self.outcomes))
        return self.turns[name]


class _Summed:
    def __init__(
        self,
        past: Iterable[PastReturn],
        stores: Mapping[str, StorePolicies],
        until: datetime,
        replays: Replays,
    ) -> None:
        unique = {it.process_id: it for it in past}
        self.past = [unique[name] for name in sorted(unique)]
        self.replayed = {name: unique[name] for name in sorted(unique) if name in replays}
        self.shoppers = {name: mailbox_of(it.process) for name, it in self.replayed.items()}
        self.until, self.replays = until, replays
        self.pairs = {name: Pair.of(it.current, it.candidate) for name, it in stores.items()}
        self.money: dict[Purse, Totals] = defaultdict(Totals)
        self.uses: dict[tuple[bool, str], RuleUse] = {
            (is_candidate, rule.name): RuleUse(rule.name, is_candidate)
            for pair in self.pairs.values()
            for is_candidate, rules in ((False, pair.current), (True, pair.candidate))
            for rule in rules.merchant_rules
        }

    def run(self) -> Backtest:
        first, second = (self._capped(side) for side in (0, 1))
        found = [one for name, it in self.replayed.items() for one in self._compared(it, first[name], second[name])]
        found.sort(key=lambda one: (-one.amount, one.process_id, one.purse))
        return Backtest(
            len(self.replays),
            self.until,
            tuple(self.uses.values()),
            dict(sorted(self.money.items())),
            tuple(found),
            tuple(cannot_be_known(self.past, self.pairs, first, second)),
            {name: "REVER does not say when it began" for it in self.past if (name := it.process_id) not in first},
        )

    def _capped(self, side: int) -> dict[str, Replayed]:
        rules = {name: self.pairs[it.store].both[side] for name, it in self.replayed.items()}
        return capped({name: self.replays[name][side] for name in self.replayed}, rules, self.shoppers)

    def _compared(self, past: PastReturn, current: Replayed, candidate: Replayed) -> Iterable[Difference]:
        """Count one return, and tell where the two differ."""
        process, pair = past.process, self.pairs[past.store]
        for is_candidate, side in ((False, current), (True, candidate)):
            self._count(is_candidate, side)
            for payment in side.payments:
                totals = self.money[Purse(payment.currency, payment.goods)]
                totals.candidate += payment.amount if is_candidate else ZERO
                totals.current += ZERO if is_candidate else payment.amount
        ledger: dict[str, Decimal] = defaultdict(Decimal)
        for row in beside(process, past.record, pair.current.store):
            if row.ours or row.theirs or row.by_hand:
                totals = self.money[Purse(row.currency)]
                totals.ledger += row.ours
                totals.by_hand += row.by_hand
                totals.rever += row.theirs
                ledger[row.currency] += row.ours
        if current.payments == candidate.payments and current.held == candidate.held:
            return
        for found in compared(current, candidate, pair.current.zone):
            for change, amount in found.changes.items():
                self.money[found.purse].changes[change] += amount
            yield Difference(
                process_id=past.process_id,
                order=process.order_name,
                store=pair.current.store,
                purse=found.purse,
                current=found.current,
                candidate=found.candidate,
                changes=found.changes,
                rules=rules_between(current, candidate),
                why=candidate.held.why if candidate.held else candidate.waits,
                days=found.most_days,
                current_at=_last(current, found.purse),
                candidate_at=_last(candidate, found.purse),
                really=ZERO if found.purse.goods else ledger[found.purse.currency],
                really_at=_really_at(past),
            )

    def _count(self, is_candidate: bool, side: Replayed) -> None:
        for name in side.heard.matched:
            self.uses[is_candidate, name].fired += 1
        for name in side.heard.decided:
            self.uses[is_candidate, name].decisive += 1
        for name in side.heard.outranked:
            self.uses[is_candidate, name].outranked += 1
        for name, needs in side.heard.unknown.items():
            use = self.uses[is_candidate, name]
            use.unknown += 1
            for word in needs:
                use.needs[word] = use.needs.get(word, 0) + 1


def _last(side: Replayed, purse: Purse) -> datetime | None:
    """When the last payment of this purse was made; None where none was, or nobody knows when."""
    paid = [it for it in side.payments if (it.currency, it.goods) == purse and it.amount]
    return max((it.at for it in paid), default=None) if all(it.exact for it in paid) else None


def _really_at(past: PastReturn) -> datetime | None:
    """When the last refund of the ledger's was really sent."""
    done = {IntentState.DONE, *BY_A_PERSON}
    refunds = [it for it in past.record.intents if it.kind is IntentKind.REFUND and it.state in done and it.amount]
    return max((at for it in refunds if (at := it.sent_at or it.created_at)), default=None)
