"""What a run reports: what ran, how far it is, what failed; of one over returns also counts, money and a row a return.

No names, addresses or e-mails.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar

from tasks.policy.clocks import clock_time
from tasks.policy.decision import DecisionName
from tasks.policy.facts import counted
from tasks.policy.money import add_to
from tasks.policy.shadow import Candidate
from tasks.reporting.printable import plain_words, printable
from tasks.reporting.report_parts import OUTCOMES, LabelFilesTally, ShadowTally, StoreTally

FAILED_SHARE = Decimal("0.2")
"""A run fails when more than this share of its returns failed of our own fault."""

MANY_STORES = 8
"""Stores that are named one by one; of more it is told how many, and they are in a table."""

NOT_WORKED_ON = "not worked on"
"""What stands in a row in place of a decision where there is none."""


class Mode(StrEnum):
    """`plan` decides and writes nothing anywhere; `act` carries the decisions out."""

    PLAN = "plan"
    ACT = "act"


@dataclass(frozen=True, slots=True)
class Row:
    """One return in this run: what was decided, why, and what came of it. `hold_open`: a hold of it stands open.

    `amount` is what the decision is about: of a run that acts all that was due then, whatever became of it later.
    `outcome` says of each refund whether it was made. `done` says that something of it was, `left` that something due
    was not, as far as is known: another run does it, or finds out.
    """

    process_id: str
    order: str
    store: str
    decision: str
    why: str
    amount: Decimal | None = None
    currency: str = ""
    outcome: str = ""
    hold_open: bool = False
    done: bool = False
    left: bool = False

    @property
    def held(self) -> bool:
        """Whether a person must answer before this return goes on."""
        return self.decision == DecisionName.HOLD or self.hold_open

    @property
    def money(self) -> str:
        """The amount in words; empty where there is none."""
        return "" if self.amount is None else f"{self.amount:,} {self.currency}"

    @property
    def moves(self) -> bool:
        """Whether something was done or tried for it, or would be: no person is asked, and it does not just wait."""
        waits = self.decision in {DecisionName.WAIT, DecisionName.NO_ACTION}
        return not self.held and (bool(self.outcome) or not waits)

    @property
    def undone(self) -> bool:
        """Whether an effect was decided and not done, or not all of it, though no person is asked."""
        return not self.held and (self.left or (self.moves and not self.done))

    COLUMNS: ClassVar = ("process_id", "order", "store", "decision", "amount", "currency", "why", "outcome")

    def as_json(self) -> dict[str, str | None]:
        """The object of `rows` in `--json`, and the row of `--csv`. `amount` is a decimal string, or null."""
        return {
            "process_id": self.process_id,
            "order": self.order,
            "store": self.store,
            "decision": self.decision,
            "amount": None if self.amount is None else str(self.amount),
            "currency": self.currency,
            "why": self.why,
            "outcome": self.outcome,
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """A return that could not be worked on. `ours`: the fault lies in this software, not at REVER or in the input.

    `unknown`: REVER knows no such return, or none at the stores asked for.
    """

    process_id: str
    why: str
    ours: bool = False
    unknown: bool = False


@dataclass
class Progress:
    """What a run has found so far and what it is done with; it only shows, and nothing is decided by it.

    `found` is what REVER counted, so it may move while the run goes. `paid` counts each refund as REVER confirms it.
    `rate_waits` returns how many calls wait for `REVER_RATE` at this moment.
    """

    found: int = 0
    done: int = 0
    paid: dict[str, Decimal] = field(default_factory=dict)
    rate_waits: Callable[[], int] = lambda: 0

    @property
    def share(self) -> float:
        """The part that is done, from 0 to 1; 0 while nothing is found."""
        return min(1.0, self.done / self.found) if self.found else 0.0

    def find(self, returns: int) -> None:
        """Add returns that the run will look at; a negative number takes back what was counted and did not come."""
        self.found += returns

    def finish(self, returns: int = 1) -> None:
        """Add returns that the run is done with."""
        self.done += returns

    def pay(self, currency: str, amount: Decimal) -> None:
        """Add what REVER has just confirmed."""
        self.paid[currency] = self.paid.get(currency, Decimal(0)) + amount

    @property
    def words(self) -> str:
        """The state in a few words: `1,200 of 2,000 returns, paid 31,204.50 EUR, 6 calls wait for the rate limit`."""
        money = ", ".join(f"{amount:,} {currency}" for currency, amount in sorted(self.paid.items()))
        waits = self.rate_waits()
        said = [f"{self.done:,} of {self.found:,} returns"]
        said += [f"paid {money}"] if money else []
        said += [f"{counted(waits, 'call')} {'waits' if waits == 1 else 'wait'} for the rate limit"] if waits else []
        return ", ".join(said)


@dataclass
class RunReport:
    """The account of one run, whatever it is about: what ran, over which stores, what failed, what is to be known.

    It grows as the run goes, so that it can be printed at any end. `seen` counts what the run was about. `broke_off` is
    what ended the run before its own end, `cut_off` that it was not an error but a person or a signal, `stores_failed`
    why the work at a store was given up, while it went on at the others, `by_store` what was done at each. `tables`
    are further tables of a flow, by name. `limits` says what bounded how much was worked on at a time.
    `back_office` is where a person looks at a return: a URL with `{process_id}` in it, or nothing; `holds_pages`
    where the open holds of a store are shown. `paused` are the stores that were paused at its end, each with the
    time until which it is. `progress` is how far it is, `zones` are the time zones of the stores that it asked for.
    """

    flow: str
    stores: tuple[str, ...] = ()
    seen: int = 0
    failures: list[Failure] = field(default_factory=list)
    stores_failed: dict[str, str] = field(default_factory=dict)
    by_store: dict[str, StoreTally] = field(default_factory=dict)
    broke_off: str = ""
    cut_off: bool = False
    notes: list[str] = field(default_factory=list)
    tables: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    duration_s: float = 0.0
    limits: str = ""
    back_office: str = ""
    holds_pages: dict[str, str] = field(default_factory=dict)
    paused: dict[str, datetime] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)
    zones: dict[str, tzinfo] = field(default_factory=dict, repr=False)

    thing: ClassVar[str] = "thing"
    """What `seen` counts, in the singular."""
    by_stores: ClassVar[bool] = True
    """Whether it is said of stores that nothing was due there; of a run that only tells that says nothing."""

    @property
    def acts(self) -> bool:
        """Whether the run may write: carry decisions out, settle, hold."""
        return False

    @property
    def title(self) -> str:
        """What ran, in words."""
        return self.flow

    @property
    def counted(self) -> str:
        """How many things the run was about, in words."""
        return counted(self.seen, self.thing)

    def zone(self, store: str = "") -> tzinfo:
        """The zone in which people of a store read times; without one, that which all the run's stores share.

        UTC where it is not known.
        """
        zones = {self.zones[store]} if store in self.zones else set() if store else {*self.zones.values()}
        return zones.pop() if len(zones) == 1 else UTC

    def watch(self, candidate: Candidate | None) -> None:
        """Tell of the candidate policy that decides in shadow, if there is one: here what is wrong with it."""
        if candidate is not None and candidate.problem:
            self.notes.append(candidate.problem)

    def at(self, store: str) -> StoreTally:
        """What the run did at a store, to be added to."""
        return self.by_store.setdefault(store, StoreTally())

    def told_of(self, store: str) -> StoreTally:
        """What the run did at a store, to be read: nothing where it did not come to it, which is then left as it is."""
        return self.by_store.get(store, StoreTally())

    def see(self, store: str, things: int) -> None:
        """Add things of a store that the run was about."""
        self.seen += things
        self.at(store).seen += things

    def fail(self, store: str, failures: Sequence[Failure]) -> None:
        """Add what could not be worked on at a store."""
        self.failures += failures
        if failures:
            self.at(store).failures += len(failures)

    def state_of(self, store: str) -> str:
        """How it stands with a store of the run, in a word or two; empty where all went well."""
        tally = self.by_store.get(store)
        if store in self.stores_failed:
            return "failed"
        if self.broke_off and (tally is None or not tally.ended):
            return "not begun" if tally is None else "cut off"
        return "paused" if store in self.paused else ""

    def fail_store(self, store: str, why: str) -> None:
        """Note why the work at a store was given up; the first reason stands."""
        self.stores_failed.setdefault(store, why)

    @property
    def failed(self) -> bool:
        """Whether the run counts as failed."""
        return bool(self.failed_why)

    @property
    def failed_why(self) -> str:
        """Why the run counts as failed; empty where it does not.

        It broke off, a store was given up, or too much failed of our own fault.
        """
        said = [self.broke_off] if self.broke_off else []
        said += [f"{whose}: {why}" for whose, why in self._stores_by_failure()]
        ours = [failure for failure in self.failures if failure.ours]
        if len(ours) > FAILED_SHARE * max(self.seen, 1):
            first = f"{ours[0].process_id}: {ours[0].why}"
            of = f"{len(ours)} of {self.seen} {self.thing}s"
            said.append(f"{of} failed by a fault of this software; the first: {first}")
        return "; ".join(said)

    def _stores_by_failure(self) -> list[tuple[str, str]]:
        """Why stores were given up, each reason once: whose it is, and the reason. The most stores first."""
        reasons: dict[str, list[str]] = {}
        for store, why in self.stores_failed.items():
            reasons.setdefault(why, []).append(store)
        ordered = sorted(reasons.items(), key=lambda it: -len(it[1]))
        return [(f"store{'s' if len(alike) > 1 else ''} {_few(alike)}", why) for why, alike in ordered]

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints. Amounts are decimal strings."""
        return {
            "flow": self.flow,
            "stores": list(self.stores),
            "seen": self.seen,
            "failed": self.failed_why or None,
            "stores_failed": dict(self.stores_failed),
            "by_store": {store: self.by_store[store].as_json() for store in self.stores if store in self.by_store},
            "failures": [{"process_id": item.process_id, "why": item.why} for item in self.failures],
            "notes": list(self.notes),
            "paused": {store: at.isoformat(timespec="seconds") for store, at in sorted(self.paused.items())},
            "duration_s": round(self.duration_s, 3),
        }

    def lines(self) -> list[str]:
        """The report in a few lines for a terminal."""
        lines = [
            f"{self.title} over {stores_in_words(self.stores)}: {self.counted} in {self.duration_s:.1f} s",
            *self.results(),
            *([f"  FAILED:    {self.broke_off}"] if self.broke_off else []),
            *(f"  FAILED:    {whose}: {why}" for whose, why in self._stores_by_failure()),
            *self._store_lines(),
            *self.not_worked_on(),
            *(f"  note: {note}" for note in self.notes),
            *([f"  limits:    {self.limits}"] if self.limits else []),
        ]
        return [printable(plain_words(line)) for line in lines]

    def _store_lines(self) -> list[str]:
        """What was done at each of several stores, those first at which something went wrong; what is alike is told at
        once.
        """
        if len(self.stores) < 2 or not self.by_store:
            return []
        told = [store for store in self.ordered_stores() if self.state_of(store) or self.told_of(store).tells]
        lines = [f"  at {store}: {', '.join(self._store_words(store))}" for store in told[:MOST_STORES]]
        rest = [self.by_store[store] for store in self.stores if store in self.by_store and store not in told]
        if (more := len(told) - MOST_STORES) > 0:
            lines.append(f"  at {counted(more, 'more store')} something was done; --json has all")
        seen = sum(tally.seen for tally in rest)
        if rest and self.by_stores and (seen or told):
            lines.append(f"  at {counted(len(rest), 'store')}: {counted(seen, self.thing)}, nothing was due")
        return lines

    def ordered_stores(self) -> list[str]:
        """The stores of the run, those first at which something went wrong, then those at which most was done."""
        states = ("failed", "cut off", "not begun", "paused", "")

        def place(store: str) -> tuple[int, bool, int]:
            tally = self.told_of(store)
            return states.index(self.state_of(store)), not tally.failures, -tally.outcomes.total()

        return sorted(self.stores, key=place)

    def _store_words(self, store: str) -> list[str]:
        tally = self.told_of(store)
        return [
            *filter(None, [self.state_of(store)]),
            counted(tally.seen, self.thing),
            *(f"{many} {name}" for name, many in sorted((+tally.outcomes or tally.decided).items())),
            *([f"{amounts(tally.due)} due"] if tally.due and not self.acts else []),
            *([f"paid {amounts(tally.paid)}"] if tally.paid else []),
            *([f"{amounts(tally.on_its_way)} on its way"] if tally.on_its_way else []),
            *([f"{tally.failures} not worked on"] if tally.failures else []),
        ]

    def results(self) -> list[str]:
        """The lines for a terminal that say what the run has done."""
        return []

    def not_worked_on(self) -> list[str]:
        """The lines for a terminal that say what could not be worked on."""
        return [f"  not worked on: {item.process_id}: {item.why}" for item in self.failures]

    def sentence(self) -> str:
        """The report in one line, for the state of a run."""
        said = [self.result()]
        if self.stores_failed:
            said.append(f"given up at {stores_in_words(tuple(self.stores_failed))}")
        if self.failures:
            said.append(f"{len(self.failures)} not worked on")
        if len(self.paused) > MANY_STORES:
            said.append(f"{len(self.paused)} stores are paused")
        else:
            said += [
                f"{store} is paused until {clock_time(at, self.zone(store))}"
                for store, at in sorted(self.paused.items())
            ]
        return "; ".join(said)

    def result(self) -> str:
        """What the run has done, in a few words."""
        return self.counted


ALARMED = 20
"""How many of the orders that an alarm is about are named."""


@dataclass
class ReturnsReport(RunReport):
    """The account of a run over returns: what was decided, done and paid, and one row a return.

    `paid` counts refunds done in this run, those settled by it included; what REVER has accepted of them and not paid
    yet is in `on_its_way` instead. Of a plan, `would_pay` is what `act` would pay now and `would_hold` the holds it
    would open, by rule: what is `due`, less what guards, stop switch, pauses and open outcomes keep back (`kept_back`,
    `open_outcomes`); `forecasts` says that there is anything of it to say. `alarms` are those of the merchant's rules:
    rule and reason -> id and order of each return that they are about. `labels` are those that REVER made, or that a
    plan would order: store -> `PROVIDER/CARRIER` -> how many. `headline` says of a run about one thing in full
    what it did, where there is such a thing to say. `shadow` is what a candidate policy would have done otherwise; None
    where the policy file names none. `label_files` is what became of the files of labels; None where none are kept.
    """

    mode: Mode = field(kw_only=True)
    decisions: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    paid: dict[str, Decimal] = field(default_factory=dict)
    on_its_way: dict[str, Decimal] = field(default_factory=dict)
    due: dict[str, Decimal] = field(default_factory=dict)
    would_pay: dict[str, Decimal] = field(default_factory=dict)
    would_hold: Counter[str] = field(default_factory=Counter)
    forecasts: bool = True
    open_outcomes: int = 0
    kept_back: dict[str, str] = field(default_factory=dict)
    alarms: dict[str, dict[str, str]] = field(default_factory=dict)
    labels: dict[str, Counter[str]] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    headline: str = ""
    shadow: ShadowTally | None = None
    label_files: LabelFilesTally | None = None

    thing = "return"

    @property
    def acts(self) -> bool:
        """Whether the run carries decisions out; a plan writes nothing."""
        return self.mode is Mode.ACT

    @property
    def title(self) -> str:
        """The flow and its mode."""
        return f"{self.flow} ({self.mode})"

    def zone(self, store: str = "") -> tzinfo:
        """The zone in which people of a store read times; without one, that which all the run's stores share.

        UTC where it is not known.
        """
        zones = {self.zones[store]} if store in self.zones else set() if store else {*self.zones.values()}
        return zones.pop() if len(zones) == 1 else UTC

    def watch(self, candidate: Candidate | None) -> None:
        """Begin to count what the candidate decides otherwise."""
        super().watch(candidate)
        if candidate is not None:
            self.shadow = ShadowTally.of(candidate)

    def count(self, store: str, outcome: str, many: int = 1) -> None:
        """Add outcomes of effects, or holds that were opened, at a store."""
        self.outcomes[outcome] += many
        self.at(store).outcomes[outcome] += many

    def pay(self, store: str, currency: str, amount: Decimal) -> None:
        """Add a refund that is known to have been made."""
        add_to(self.paid, currency, amount)
        add_to(self.at(store).paid, currency, amount)

    def send_on(self, store: str, currency: str, amount: Decimal) -> None:
        """Add what REVER has accepted to pay and not paid yet."""
        add_to(self.on_its_way, currency, amount)
        add_to(self.at(store).on_its_way, currency, amount)

    def owe(self, store: str, currency: str, amount: Decimal) -> None:
        """Add a refund that the rules found due in this run."""
        add_to(self.due, currency, amount)
        add_to(self.at(store).due, currency, amount)

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints. Amounts are decimal strings."""
        return {
            "flow": self.flow,
            "mode": str(self.mode),
            "stores": list(self.stores),
            "seen": self.seen,
            "decisions": dict(sorted(self.decisions.items())),
            "outcomes": {name: self.outcomes[name] for name in OUTCOMES},
            "paid": _strings(self.paid),
            "on_its_way": _strings(self.on_its_way),
            "due": _strings(self.due),
            "would_pay": _strings(self.would_pay),
            "would_hold": dict(sorted(self.would_hold.items())),
            "alarms": {alarm: list(returns) for alarm, returns in self.alarms.items()},
            **super().as_json(),
            "shadow": self.shadow.as_json() if self.shadow else None,
            "label_files": self.label_files.as_json() if self.label_files else None,
            "rows": [row.as_json() for row in self.all_rows()],
        }

    def all_rows(self) -> list[Row]:
        """A row for each return of the run, those that could not be worked on, or to their end, among them.

        Store by store, in the order of the stores: they are worked on side by side.
        """
        places = {store: place for place, store in enumerate(self.stores)}
        found = dict(sorted(self.rows.items(), key=lambda it: places.get(it[1].store, len(places))))
        for item in self.failures:
            row = found.get(item.process_id) or Row(item.process_id, "", "", NOT_WORKED_ON, "")
            found[item.process_id or item.why] = replace(row, outcome="; ".join(filter(None, [row.outcome, item.why])))
        return list(found.values())

    def not_worked_on(self) -> list[str]:
        """Nothing: they have rows of their own."""
        return []

    def results(self) -> list[str]:
        """Decisions, outcomes and money."""
        return [
            f"  decisions: {counts(self.decisions)}",
            f"  outcomes:  {counts(self.outcomes)}",
            f"  due:       {amounts(self.due)}",
            f"  paid:      {amounts(self.paid)}",
            *(self._planned() if self.mode is Mode.PLAN and self.forecasts else []),
            *([f"  on its way: {amounts(self.on_its_way)}"] if self.on_its_way else []),
            *(f"  alarm: {words}" for words in self.alarms_in_words()),
            *([f"  shadow:    {self.shadow.words}"] if self.shadow else []),
            *([f"  label files: {self.label_files.words}"] if self.label_files else []),
            *(f"  no label file: {words}" for words in (self.label_files.details() if self.label_files else ())),
        ]

    def alarms_in_words(self) -> list[str]:
        """Each alarm with the orders that it is about, the first few by their numbers."""
        told = []
        for alarm, returns in self.alarms.items():
            names = [order or process_id for process_id, order in returns.items()]
            more = f" and {len(names) - ALARMED} more" if len(names) > ALARMED else ""
            told.append(f"{alarm} ({', '.join(names[:ALARMED])}{more})")
        return told

    def _planned(self) -> list[str]:
        """What `act` would do now, and what a plan cannot know."""
        one = self.open_outcomes == 1
        first = f"{counted(self.open_outcomes, 'return')} {'has' if one else 'have'} an effect whose outcome act looks"
        first += f" at first, so {'it is' if one else 'they are'} left out"
        return [
            f"  act would pay now:  {amounts(self.would_pay)}",
            f"  act would hold now: {counts(self.would_hold)}",
            *(f"  nothing would be sent at {store}: {why}" for store, why in self.kept_back.items()),
            *([f"  {first}"] if self.open_outcomes else []),
            *(
                ["  (as REVER and the ledger are now, and if REVER accepts each request)"]
                if self.due or self.would_hold
                else []
            ),
        ]

    def sentence(self) -> str:
        """The report in one line, for the state of a run."""
        return super().sentence() if self.acts else f"plan, nothing was done: {super().sentence()}"

    def result(self) -> str:
        """Decisions and money, in a few words; or the headline."""
        if self.headline:
            return self.headline
        said = [f"{self.counted}: {counts(self.decisions)}" if self.seen else "no return had to be looked at"]
        if self.mode is Mode.ACT:
            said.append(f"paid {amounts(self.paid)}")
            said += [f"{amounts(self.on_its_way)} on its way"] if self.on_its_way else []
            said += [f"{self.outcomes[name]} {name}" for name in ("held", "unknown", "refused") if self.outcomes[name]]
        elif self.forecasts:
            said.append(f"{amounts(self.due)} due")
            if self.due:
                said.append(f"act would pay {amounts(self.would_pay) if self.would_pay else 'nothing'} now")
            if self.would_hold:
                said.append(f"and hold {self.would_hold.total()}")
        return "; ".join(said)


MOST_STORES = 20
"""Stores that have a line of their own at a terminal."""


def stores_in_words(stores: Sequence[str]) -> str:
    """The stores by name; of many how many they are."""
    if len(stores) <= MANY_STORES:
        return ", ".join(stores) or "no store"
    return f"{len(stores)} stores"


def _few(stores: Sequence[str]) -> str:
    """The stores by name, of many the first few and how many more there are."""
    named = ", ".join(map(repr, stores[:MANY_STORES]))
    return f"{named} and {len(stores) - MANY_STORES} more" if len(stores) > MANY_STORES else named


def _strings(amounts: dict[str, Decimal]) -> dict[str, str]:
    return {currency: str(amount) for currency, amount in sorted(amounts.items())}


def counts(counter: Counter[str]) -> str:
    """Counts in words."""
    return ", ".join(f"{count} {name}" for name, count in sorted(counter.items()) if count) or "none"


def amounts(money: dict[str, Decimal]) -> str:
    """Amounts per currency in words."""
    return ", ".join(f"{amount:,} {currency}" for currency, amount in sorted(money.items())) or "none"
