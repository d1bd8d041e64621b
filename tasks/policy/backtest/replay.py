"""One past return under two policies: at each moment of its life the same rules decide that every run asks.

The two sides differ by the policies alone. Guards are judged afterwards, in the order of time (`caps`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from heapq import heappop, heappush

from rever_api.models import NOT_RECEIVED, ReturnProcess, ReviewStatus
from tasks.policy.backtest.moments import turning_points
from tasks.policy.backtest.outcome import Replayed, RulesHeard
from tasks.policy.backtest.pair import Pair
from tasks.policy.backtest.past import PastReturn, View, mailbox_of
from tasks.policy.backtest.replayed_desk import ReplayedDesk, waits_for_a_day
from tasks.policy.record import Record
from tasks.policy.return_facts import EarlierReturn, ReturnFacts, Unknown, facts_of
from tasks.policy.ruling import Ruling
from tasks.policy.side_facts import SideFacts, enriched
from tasks.policy.store import StoreRules
from tasks.policy.verdict import SPEAKS, Known, Verdict, judge, stands

History = Callable[[datetime], tuple[EarlierReturn, ...] | Unknown]
"""The shopper's other returns as they were known at a time."""


def replay(
    past: PastReturn, seen: Sequence[View], pair: Pair, history: History | None, until: datetime
) -> tuple[Replayed, Replayed]:
    """What the current policy and the candidate make of a return, from these views of it, up to `until`.

    As long as the rules of both say the same, one desk stands for both.
    """
    it = _Replay(past, pair, history, until)
    for number, view in enumerate(seen, start=1):
        it.change(view, last=number == len(seen))
        it.pass_time(view.process, seen[number].at if number < len(seen) else None)
    return it.results()


@dataclass(slots=True)
class _Track:
    """One desk, and the policies (0: current, 1: candidate) that have decided alike so far.

    `facts` are those of the last look, None once the desk has done something; `known` is how the rules stood to them.
    """

    desk: ReplayedDesk
    sides: tuple[int, ...]
    facts: ReturnFacts | None = None
    known: Known = field(default_factory=dict)
    said: tuple[Verdict, ...] = ()

    def ask(self, rules: Sequence[StoreRules], facts: ReturnFacts, known: Known) -> None:
        """Ask the rules of each of its policies about these facts, as far as it is not `known` how they stand."""
        self.said = tuple(judge(rules[side].merchant_rules, facts, known) for side in self.sides)
        self.facts, self.known = facts, known

    def ask_again(self, rules: Sequence[StoreRules], pair: Pair, at: datetime, shopper: str) -> bool:
        """Ask anew where REVER shows the same as at the last look. Returns whether any rule says something else."""
        assert self.facts is not None  # noqa: S101 - there was a last look
        own = rules[self.sides[0]]
        told = own.side.earlier.get(shopper, self.facts.earlier) if own.side is not None else self.facts.earlier
        facts = replace(self.facts, now=at.astimezone(own.zone), earlier=told)
        fresh = {id(rule): stands(rule, facts) for side in self.sides for rule in pair.restless[side]}
        self.facts = facts
        if all(self.known[name] == stood for name, stood in fresh.items()):
            return any(map(waits_for_a_day, self.said))
        self.ask(rules, facts, {**self.known, **fresh})
        return True


class _Replay:
    def __init__(self, past: PastReturn, pair: Pair, history: History | None, until: datetime) -> None:
        self.pair, self.history, self.until = pair, history, until
        self.shopper = mailbox_of(past.process) if history else ""
        unreceived = any(it.return_reason == NOT_RECEIVED for it in past.process.return_line_items)
        self.early = pair.early or unreceived
        together: tuple[tuple[int, ...], ...] = ((0, 1),) if pair.alike else ((0,), (1,))
        self.tracks = [_Track(ReplayedDesk(Record(past.process_id, pair.current.store)), sides) for sides in together]
        self.heard = RulesHeard(), RulesHeard()
        self.points: list[datetime] = []
        self.told: tuple[object, Sequence[StoreRules]] | None = None
        self.shown: ReturnProcess | None = None

    def change(self, view: View, *, last: bool) -> None:
        """Ask about a change, and note the moments at which the answer may turn by the passing of time.

        As long as nothing is approved, and no rule speaks that may pay before it, nothing can be due: then it is not
        decided, and only at the last view what it waits for.
        """
        decides = last or self.early or any(it.status == ReviewStatus.APPROVED for it in view.process.reviews or ())
        before, self.shown = self.shown, view.process
        if not decides and (not self.pair.watched or self._says_nothing_new(before, view.process)):
            return
        rules = self._as_known(view.at)
        seen: dict[int, tuple[ReturnFacts, Known]] = {}
        for track in [it for it in self.tracks if not it.desk.over]:
            alike = id(track.desk.record) if self.pair.alike else id(track)
            if alike not in seen:
                seen[alike] = self._facts(track, rules, view.process, view.at), {}
            facts, known = seen[alike]
            speak = decides or self._speaks(facts, known)
            if not speak:
                track.facts, track.known, track.said = facts, known, ()
                continue
            due = decides or any(it.standing in SPEAKS for name in self.pair.payers for it in known[name])
            track.ask(rules, facts, known)
            self._decide(track, rules, view.process, view.at, exact=view.exact, decides=due)
        if not seen or self.pair.asked.calm:
            return
        facts, _ = next(iter(seen.values()))
        others = self.history(self.until) if self.history and self.pair.asked.within else ()
        earlier = others if isinstance(others, tuple) else ()
        for point in turning_points(self.pair.asked, facts, earlier, self.pair.current.zone, self.until):
            heappush(self.points, point)

    def _says_nothing_new(self, before: ReturnProcess | None, now: ReturnProcess) -> bool:
        """Whether only the goods have moved on, no rule asks where they are, and none spoke at the last look."""
        silent = all(track.facts is not None and not track.said for track in self.tracks)
        return silent and not self.pair.parcels and before is not None and before.reviews == now.reviews

    def _facts(self, track: _Track, rules: Sequence[StoreRules], process: ReturnProcess, at: datetime) -> ReturnFacts:
        """What is known of the return as REVER shows it to this desk."""
        own, shown = rules[track.sides[0]], track.desk.sees(process)
        return enriched(facts_of(shown, track.desk.record, own, at, own.zone), own.side)

    def _speaks(self, facts: ReturnFacts, known: Known) -> bool:
        """Whether a watched rule matches, or cannot be answered. How they stand becomes known."""
        for rule in self.pair.watched:
            if id(rule) not in known:
                known[id(rule)] = stands(rule, facts)
        return any(it.standing in SPEAKS for rule in self.pair.watched for it in known[id(rule)])

    def pass_time(self, process: ReturnProcess, before: datetime | None) -> None:
        """Ask at each turning point up to a time, or all that are left, about the return as it was shown last."""
        at: datetime | None = None
        while self.points and (before is None or self.points[0] < before) and not self._over:
            last, at = at, heappop(self.points)
            if at == last:
                continue
            rules = self._as_known(at)
            for track in [it for it in self.tracks if not it.desk.over]:
                if track.facts is None:
                    track.ask(rules, self._facts(track, rules, process, at), {})
                elif not track.ask_again(rules, self.pair, at, self.shopper) and not track.desk.is_late(at):
                    continue
                self._decide(track, rules, process, at, exact=True, decides=False)

    @property
    def _over(self) -> bool:
        return all(track.desk.over for track in self.tracks)

    def results(self) -> tuple[Replayed, Replayed]:
        """What became of the return by each policy."""
        desks = {side: track.desk for track in self.tracks for side in track.sides}
        first, second = (
            Replayed(desks[side].payments, desks[side].held, desks[side].waits, heard)
            for side, heard in enumerate(self.heard)
        )
        return first, second

    def _decide(
        self, track: _Track, rules: Sequence[StoreRules], process: ReturnProcess, at: datetime, *, exact: bool,
        decides: bool,
    ) -> None:  # fmt: skip
        """Decide on what the rules said, once for both policies as long as they say the same."""
        for side, said in zip(track.sides, track.said, strict=True):
            self.heard[side].hear(said)
        parted = [track]
        if len(track.said) > 1 and not _same(*track.said):
            other = replace(track, desk=replace(track.desk, payments=[*track.desk.payments]))
            for it, side in ((track, 0), (other, 1)):
                it.sides, it.said = (side,), (track.said[side] if it is track else other.said[side],)
            self.tracks = parted = [track, other]
        for it in parted:
            own, shown = rules[it.sides[0]], it.desk.sees(process)
            assert it.facts is not None  # noqa: S101 - it was asked just now
            before = it.desk.record
            it.desk.decide(own, shown, Ruling(it.facts, it.said[0]), at, exact=exact, decides=decides)
            if it.desk.record is not before and self.pair.asked.desk:
                it.facts = None  # the rules ask what the desk has done
            limit = it.desk.limit
            if limit is not None and at < limit.until <= self.until:
                heappush(self.points, limit.until)

    def _as_known(self, at: datetime) -> Sequence[StoreRules]:
        """Both policies, with the shopper's earlier returns as they were known then, where rules ask for them."""
        if self.history is None or not self.shopper:
            return self.pair.both
        earlier = self.history(at)
        if self.told is None or self.told[0] is not earlier:
            sides = [replace(it.side or SideFacts(), earlier={self.shopper: earlier}) for it in self.pair.both]
            both = [replace(it, side=side) for it, side in zip(self.pair.both, sides, strict=True)]
            self.told = earlier, both
        return self.told[1]


def _same(one: Verdict, other: Verdict) -> bool:
    """Whether two verdicts decide the same, by rules of the same name."""
    return one.whole == other.whole and one.lines == other.lines
