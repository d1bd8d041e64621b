"""One past return under two policies: at each moment of its life the same rules decide that every run asks.

The two sides differ by the policies alone. Guards are judged afterwards, in the order of time (`caps`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from heapq import heappop, heappush

from rever_api.models import NOT_RECEIVED, ReturnProcess, ReviewStatus
from tasks.policy.actions import Pay, is_due
from tasks.policy.backtest.moments import turning_points
from tasks.policy.backtest.outcome import Replayed, RulesHeard, deciding
from tasks.policy.backtest.pair import Pair
from tasks.policy.backtest.past import PastReturn, View, mailbox_of
from tasks.policy.backtest.replayed_desk import Look, ReplayedDesk, put_off
from tasks.policy.conditions import Truth
from tasks.policy.merchant_rules import MerchantRule
from tasks.policy.record import Record
from tasks.policy.return_facts import EARLIER_NOT_TOLD, EarlierReturns, ReturnFacts, facts_now, lasting_facts
from tasks.policy.ruling import Ruling
from tasks.policy.side_facts import enriched
from tasks.policy.verdict import Known, Verdict, said_by, standings, stands


@dataclass(frozen=True, slots=True)
class History:
    """The shopper's other returns: the times, in order, at which one looks otherwise, and what was known at a time."""

    turns: Sequence[datetime]
    known: Callable[[datetime], EarlierReturns]


def replay(
    past: PastReturn, seen: Sequence[View], pair: Pair, history: History | None, until: datetime
) -> tuple[Replayed, Replayed]:
    """What the current policy and the candidate make of a return, from these views of it, up to `until`.

    As long as the rules of both say the same, one desk stands for both.
    """
    it = _Replay(past, pair, history, until)
    if history:
        it.points = [at for at in history.turns if seen[0].at < at <= until]
    for number, view in enumerate(seen, start=1):
        it.change(view, last=number == len(seen))
        it.pass_time(view.process, seen[number].at if number < len(seen) else None)
    return it.results()


@dataclass(slots=True)
class _Track:
    """One desk, and the policies (0: current, 1: candidate) that have decided alike so far.

    `lasting` are the facts of the return that no look changes. `facts` are those of the last look, None once the desk
    has done something; `known` is how the rules stood to them.
    `said` is what the rules of each of its policies said, and `last` what they said when they were asked last.
    """

    desk: ReplayedDesk
    sides: tuple[int, ...]
    lasting: ReturnFacts | None = None
    facts: ReturnFacts | None = None
    known: Known = field(default_factory=dict)
    said: tuple[Verdict, ...] = ()
    last: dict[int, Verdict] = field(default_factory=dict)

    def ask(self, pair: Pair, facts: ReturnFacts, known: Known) -> None:
        """Ask the rules of each of its policies about these facts, as far as it is not `known` how they stand."""
        self.said = tuple([self._verdict(side, pair.both[side].merchant_rules, facts, known) for side in self.sides])
        self.facts, self.known = facts, known

    def _verdict(self, side: int, rules: Sequence[MerchantRule], facts: ReturnFacts, known: Known) -> Verdict:
        """What these rules say: the same object as long as all of them stand as before.

        Where the rules of both policies stand alike, what follows from it is worked out once.
        """
        stood, before = standings(rules, facts, known), self.last.get(side)
        if before is not None and before.stood == stood:
            return before
        alike = next((it for it in self.last.values() if it.stood == stood), None)
        said = said_by(rules, stood, facts) if alike is None else replace(alike, rules=rules, facts=facts)
        self.last = {**self.last, side: said}
        return said

    def ask_again(self, pair: Pair, at: datetime, earlier: EarlierReturns) -> bool:
        """Ask anew where REVER shows the same as at the last look.

        Returns whether any rule says something else, or the day has come that one waits for.
        """
        assert self.facts is not None  # noqa: S101 - there was a last look
        before = self.facts
        facts = before._replace(now=at.astimezone(pair.both[self.sides[0]].zone), earlier=earlier)
        restless = {id(rule): rule for side in self.sides for rule in pair.restless[side]}
        fresh = {name: stands(rule, facts) for name, rule in restless.items()}
        self.facts = facts
        if all(self.known[name] == stood for name, stood in fresh.items()):
            pays = [pay for said in self.said for pay in put_off(said)]
            return any(is_due(pay, before) is not is_due(pay, facts) for pay in pays)
        self.ask(pair, facts, {**self.known, **fresh})
        return True


class _Replay:
    def __init__(self, past: PastReturn, pair: Pair, history: History | None, until: datetime) -> None:
        self.past, self.pair, self.history, self.until = past, pair, history, until
        self.shopper = mailbox_of(past.process) if history else ""
        unreceived = any(it.return_reason == NOT_RECEIVED for it in past.process.return_line_items)
        self.early = pair.early or unreceived
        together: tuple[tuple[int, ...], ...] = ((0, 1),) if pair.alike else ((0,), (1,))
        record = Record(past.process_id, pair.current.store)
        self.tracks = [_Track(ReplayedDesk(record, pair.asked.desk), sides) for sides in together]
        self.heard = RulesHeard(), RulesHeard()
        self.noted: list[Verdict | None] = [None, None]
        self.points: list[datetime] = []
        self.shown: ReturnProcess | None = None
        self.look: Look | None = None

    def change(self, view: View, *, last: bool) -> None:
        """Ask about a change, and note the moments at which the answer may turn by the passing of time.

        As long as nothing is approved, and no rule speaks that may pay before it, nothing can be due: then it is not
        decided, and only at the last view what it waits for.
        """
        decides = last or self.early or any(it.status == ReviewStatus.APPROVED for it in view.process.reviews or ())
        before, self.shown = self.shown, view.process
        if not decides and (not self.pair.watched or self._says_nothing_new(before, view.process)):
            return
        seen: dict[int, tuple[ReturnFacts, Known]] = {}
        for track in [it for it in self.tracks if not it.desk.over]:
            alike = id(track.desk.record) if self.pair.alike else id(track)
            if alike not in seen:
                settled = {name: track.known[name] for name in self.pair.fixed if name in track.known}
                seen[alike] = self._facts(track, view.process, view.at), settled
            facts, known = seen[alike]
            speak = decides or self._speaks(facts, known)
            if not speak:
                track.facts, track.known, track.said = facts, known, ()
                continue
            track.ask(self.pair, facts, known)
            due = decides or self._may_pay(track)
            self._decide(track, view.process, view.at, exact=view.exact, decides=due)
        if not seen or self.pair.asked.calm:
            return
        facts, _ = next(iter(seen.values()))
        others = self.history.known(self.until) if self.history and self.pair.asked.within else ()
        earlier = others if isinstance(others, tuple) else ()
        for point in turning_points(self.pair.asked, facts, earlier, self.pair.current.zone, self.until):
            heappush(self.points, point)

    def _says_nothing_new(self, before: ReturnProcess | None, now: ReturnProcess) -> bool:
        """Whether only the goods have moved on, no rule asks where they are, and none spoke at the last look."""
        silent = all(track.facts is not None and not track.said for track in self.tracks)
        return silent and not self.pair.parcels and before is not None and before.reviews == now.reviews

    def _facts(self, track: _Track, process: ReturnProcess, at: datetime) -> ReturnFacts:
        """What is known of the return as REVER shows it to this desk."""
        own, shown, record = self.pair.both[track.sides[0]], track.desk.sees(process), track.desk.record
        if (parcels := self.past.parcels(at)) is not None:
            record = replace(record, parcels=parcels)
        if track.lasting is None:
            track.lasting = lasting_facts(process, own, own.zone)
        lines, earlier = self._look(track, shown).lines, self._earlier(at)
        facts = facts_now(track.lasting, shown, lines, record, own, at, own.zone, earlier)
        return enriched(facts, own.side)

    def _earlier(self, at: datetime) -> EarlierReturns:
        """The shopper's earlier returns as they were known then, where rules ask for them."""
        return EARLIER_NOT_TOLD if self.history is None or not self.shopper else self.history.known(at)

    def _speaks(self, facts: ReturnFacts, known: Known) -> bool:
        """Whether a watched rule matches, or cannot be answered. How they stand becomes known."""
        return bool(standings(self.pair.watched, facts, known))

    def _may_pay(self, track: _Track) -> bool:
        """Whether a rule speaks that may pay before the inspection, and its moment may have come."""
        assert track.facts is not None  # noqa: S101 - it was asked just now
        for name, actions in self.pair.payers.items():
            came = any(not isinstance(it, Pay) or is_due(it, track.facts) is not Truth.NO for it in actions)
            if came and track.known.get(name):
                return True
        return False

    def pass_time(self, process: ReturnProcess, before: datetime | None) -> None:
        """Ask at each turning point up to a time, or all that are left, about the return as it was shown last."""
        at: datetime | None = None
        while self.points and (before is None or self.points[0] < before) and not self._over:
            last, at = at, heappop(self.points)
            if at == last:
                continue
            for track in [it for it in self.tracks if not it.desk.over]:
                if track.facts is None:
                    track.ask(self.pair, self._facts(track, process, at), {})
                elif not track.ask_again(self.pair, at, self._earlier(at)) and not track.desk.is_late(at):
                    continue
                due = track.desk.last is None and self._may_pay(track)
                self._decide(track, process, at, exact=True, decides=due)

    @property
    def _over(self) -> bool:
        return all(track.desk.over for track in self.tracks)

    def results(self) -> tuple[Replayed, Replayed]:
        """What became of the return by each policy."""
        desks = {side: track.desk for track in self.tracks for side in track.sides}
        for heard, said in zip(self.heard, self.noted, strict=True):
            heard.last = deciding(said, said.lines) if said is not None else ()
        first, second = (
            Replayed(desks[side].payments, desks[side].held, desks[side].waits, heard)
            for side, heard in enumerate(self.heard)
        )
        return first, second

    def _decide(self, track: _Track, process: ReturnProcess, at: datetime, *, exact: bool, decides: bool) -> None:
        """Decide on what the rules said, once for both policies as long as they say the same."""
        for side, said in zip(track.sides, track.said, strict=True):
            if said is not self.noted[side]:
                self.noted[side] = said
                self.heard[side].hear(said)
        parted = [track]
        if len(track.said) > 1 and not _same(*track.said):
            other = replace(track, desk=replace(track.desk, payments=[*track.desk.payments]))
            for it, side in ((track, 0), (other, 1)):
                it.sides, it.said = (side,), (track.said[side] if it is track else other.said[side],)
            self.tracks = parted = [track, other]
        for it in parted:
            assert it.facts is not None  # noqa: S101 - it was asked just now
            before, look = it.desk.record, self._look(it, it.desk.sees(process))
            ruling = Ruling(it.facts, it.said[0])
            it.desk.decide(self.pair.both[it.sides[0]], look, ruling, at, exact=exact, decides=decides)
            if it.desk.record is not before and self.pair.asked.desk:
                it.facts = None  # the rules ask what the desk has done
            limit = it.desk.limit
            if limit is not None and at < limit.until <= self.until:
                heappush(self.points, limit.until)

    def _look(self, track: _Track, shown: ReturnProcess) -> Look:
        """The return as it is shown to this desk: one object for both desks as long as they see the same."""
        own = self.pair.both[track.sides[0]]
        if self.look is None or self.look.process is not shown or not self.pair.alike:
            self.look = Look(shown, own)
        return self.look


def _same(one: Verdict, other: Verdict) -> bool:
    """Whether two verdicts decide the same, by rules of the same name."""
    return one.whole == other.whole and one.lines == other.lines
