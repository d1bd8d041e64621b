"""Which returns have stood still for too long: at what, since when, who has to act, and what comes next. Pure.

The limits are a store's own (`StorePolicy.stale` and `.parcels`). Where nobody saw when something happened, the days
count from the start of the return, which is earlier: such a return is told of sooner, never later.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from rever_api.models import CompensationMethod, ProcessStatus, ReturnProcess, ReviewStatus, ShippingStatus
from tasks.policy.actions import Cancel
from tasks.policy.case import Case
from tasks.policy.decide import decide
from tasks.policy.decision import AskedEffect, Decision, Hold, Nothing, Wait
from tasks.policy.facts import exchange_shown, goods_here, goods_sent, refunds_shown
from tasks.policy.label_case import DEAD_PARCEL, NEEDS_LABEL
from tasks.policy.record import LABEL_KINDS, Intent, IntentKind, IntentState, ParcelChange, Record
from tasks.policy.replaced import replaced_as_seen
from tasks.policy.store import RefundsBy, StaleLimits, StoreRules
from tasks.policy.tracking import OF_RETURN, goods_moved, parcel_statuses


class StaleStage(StrEnum):
    """What a return waits for. The ledger keeps these words."""

    NO_LABEL = "no_label"
    NOT_SENT = "not_sent"
    LABEL_UNUSED = "label_unused"
    PARCEL_STOPPED = "parcel_stopped"
    NOT_INSPECTED = "not_inspected"
    NOT_PAID = "not_paid"
    ON_ITS_WAY = "on_its_way"
    HOLD_OPEN = "hold_open"

    @property
    def words(self) -> str:
        """The stage as a person reads it."""
        return _WORDS[self]


_WORDS = {
    StaleStage.NO_LABEL: "no label yet",
    StaleStage.NOT_SENT: "goods not sent",
    StaleStage.LABEL_UNUSED: "label not used",
    StaleStage.PARCEL_STOPPED: "parcel does not arrive",
    StaleStage.NOT_INSPECTED: "arrived, not inspected",
    StaleStage.NOT_PAID: "approved, not paid",
    StaleStage.ON_ITS_WAY: "refund on its way",
    StaleStage.HOLD_OPEN: "hold not answered",
}


class WaitsFor(StrEnum):
    """Who has to act."""

    SHOPPER = "shopper"
    CARRIER = "carrier"
    WAREHOUSE = "warehouse"
    REVER = "REVER"
    US = "us"
    PERSON = "a person"


class KnownBy(StrEnum):
    """By what it is known since when a return stands still."""

    REVER = "REVER says so"
    SEEN = "seen here, then at the latest"
    LEDGER = "the ledger has it"
    START = "counted from its start"


@dataclass(frozen=True, slots=True)
class StaleReturn:
    """A return that has stood still for longer than its limit. `over` counts whole days beyond it, from 0.

    `about` is the hold or the effect that is waited for, where it is one. `comes_next` says what happens now; where a
    rule of the store's calls the return off if nothing changes, `called_off_by` names it and `called_off_on` its day.
    """

    process_id: str
    store: str
    order_name: str
    stage: StaleStage
    since: datetime
    known_by: KnownBy
    over: int
    waits_for: WaitsFor
    about: str = ""
    comes_next: str = ""
    called_off_by: str = ""
    called_off_on: date | None = None


@dataclass(frozen=True, slots=True)
class _Standing:
    """What a return waits for, since when, and how long it may."""

    stage: StaleStage
    since: datetime | None
    known_by: KnownBy
    days: int
    waits_for: WaitsFor
    about: str = ""


LOOKED_AHEAD = 60
"""Days for which it is worked out whether a rule will call a return off."""

_GOING_ON = frozenset({ProcessStatus.RUNNING, ProcessStatus.ON_HOLD})


def stale(process: ReturnProcess, rules: StoreRules, record: Record, now: datetime) -> tuple[StaleReturn, ...]:
    """What a return has waited for too long, by what REVER shows and the ledger knows; none where it has not.

    Open holds are told of by `stale_hold`, once each; what waits for their answer is left out here. A return may stand
    still in two ways: paid before the goods came, its refund may be on its way too long, and its parcel too.
    """
    case = Case(process, rules, record, now)
    found = [] if process.rever_process_status not in _GOING_ON else [*_goods(case), *_unpaid(case)]
    return tuple(
        StaleReturn(
            process.rever_process_id,
            rules.store,
            process.order_name,
            it.stage,
            it.since,
            it.known_by,
            over,
            it.waits_for,
            it.about,
        )
        for it in (*found, *_on_its_way(case))
        if it.since is not None and (over := days_over(it.since, it.days, now)) is not None
    )


def stale_hold(
    process_id: str, store: str, order_name: str, hold_id: str, since: datetime, limits: StaleLimits, now: datetime
) -> StaleReturn | None:
    """The open hold, where nobody has answered it for too long; else None."""
    over = days_over(since, limits.hold_days, now)
    if over is None:
        return None
    stage, known_by = StaleStage.HOLD_OPEN, KnownBy.LEDGER
    return StaleReturn(process_id, store, order_name, stage, since, known_by, over, WaitsFor.PERSON, hold_id)


def days_over(since: datetime, days: int, now: datetime) -> int | None:
    """By how many whole days it has stood still for longer than so many; None where it has not."""
    over = now - since - timedelta(days=days)
    return over.days if over >= timedelta(0) else None


def _goods(case: Case) -> Iterator[_Standing]:
    """Where the goods stand."""
    process, limits, policy = case.process, case.rules.policy.stale, case.rules.policy
    known = case.record.parcels or ()
    moved = goods_moved(known)
    reviews = process.reviews or ()
    parcels = parcel_statuses(process, case.record)
    sent = goods_sent(process) or (process.logistics is None and moved.scanned_at is not None)
    labelled = any(it and it not in DEAD_PARCEL for it in parcels)
    untold = process.logistics is None and not case.rules.omits_empty_fields
    if reviews or goods_here(process) or ShippingStatus.IN_WAREHOUSE in parcels:
        if case.inspection.uninspected:
            dated = [it.review_date for it in reviews if it.review_date and it.review_date <= case.now]
            since, known_by = _first_known((max(dated, default=None), KnownBy.REVER), (moved.arrived_at, KnownBy.SEEN))
            yield _standing(case, StaleStage.NOT_INSPECTED, since, known_by, limits.not_inspected_days)
    elif not case.inspection.uninspected:
        return  # nothing of it ever reached the shopper: no goods come back
    elif sent:
        since, known_by = _last_change(known)
        yield _standing(case, StaleStage.PARCEL_STOPPED, since, known_by, policy.parcels.on_the_way_days)
    elif labelled or (untold and _labels(case)):
        since, known_by = _label_since(case, known)
        yield _standing(case, StaleStage.LABEL_UNUSED, since, known_by, policy.parcels.label_unused_days)
    elif untold or process.return_method not in NEEDS_LABEL:
        yield _standing(case, StaleStage.NOT_SENT, None, KnownBy.START, policy.parcels.label_unused_days)
    elif not case.record.holds:
        yield _standing(case, StaleStage.NO_LABEL, None, KnownBy.START, limits.no_label_days)


_HOLDERS = {
    StaleStage.NO_LABEL: WaitsFor.US,
    StaleStage.NOT_SENT: WaitsFor.SHOPPER,
    StaleStage.LABEL_UNUSED: WaitsFor.SHOPPER,
    StaleStage.PARCEL_STOPPED: WaitsFor.CARRIER,
    StaleStage.NOT_INSPECTED: WaitsFor.WAREHOUSE,
}


def _standing(case: Case, stage: StaleStage, since: datetime | None, known_by: KnownBy, days: int) -> _Standing:
    """The standing of the goods; from the start of the return where nothing later is known."""
    if since is None or since > case.now:
        since, known_by = case.process.started_at, KnownBy.START
    on_hold = case.process.rever_process_status == ProcessStatus.ON_HOLD
    who = WaitsFor.REVER if on_hold and stage is StaleStage.NO_LABEL else _HOLDERS[stage]
    return _Standing(stage, since, known_by, days, who)


def _unpaid(case: Case) -> Iterator[_Standing]:
    """Units that count as approved, and of which nothing was paid or asked for yet."""
    if any(not hold.label for hold in case.record.holds):
        return
    if not case.by_us and (refunds_shown(case.process) or exchange_shown(case.process)):
        return
    claimed = case.taken
    methods = {line.id: line.compensation_method for line in case.process.return_line_items}
    if not any(
        line.counted > len(claimed.get(line.line_id, ()))
        for line in case.inspection.lines
        if methods[line.line_id] != CompensationMethod.EXCHANGE or case.exchange_inspected
    ):
        return
    dated = [it.review_date for it in case.process.reviews or () if it.status == ReviewStatus.APPROVED]
    moved = goods_moved(case.record.parcels or ())
    since, known_by = _first_known(
        (max((it for it in dated if it and it <= case.now), default=None), KnownBy.REVER),
        (moved.arrived_at, KnownBy.SEEN),
        (moved.scanned_at, KnownBy.SEEN),
        (case.process.started_at, KnownBy.START),
    )
    who = {RefundsBy.US: WaitsFor.US, RefundsBy.REVER: WaitsFor.REVER}.get(case.rules.refunds_by, WaitsFor.PERSON)
    if case.process.rever_process_status == ProcessStatus.ON_HOLD:
        who = WaitsFor.REVER
    yield _Standing(StaleStage.NOT_PAID, since, known_by, case.rules.policy.stale.not_paid_days, who)


def _on_its_way(case: Case) -> Iterator[_Standing]:
    """The oldest refund that REVER has accepted and not wholly paid."""
    if any(not hold.label for hold in case.record.holds):
        return
    begun = [(it.intent.sent_at or it.intent.created_at, it.intent.id) for it in case.comparison.standings if it.open]
    since, about = min(((at, each) for at, each in begun if at is not None), default=(None, ""))
    days = case.rules.policy.stale.on_its_way_days
    yield _Standing(StaleStage.ON_ITS_WAY, since, KnownBy.LEDGER, days, WaitsFor.REVER, about)


def _first_known(*times: tuple[datetime | None, KnownBy]) -> tuple[datetime | None, KnownBy]:
    return next(((at, known_by) for at, known_by in times if at is not None), (None, KnownBy.START))


def _last_change(known: Sequence[ParcelChange]) -> tuple[datetime | None, KnownBy]:
    """When a parcel last moved; by the return's own status where no parcel was seen."""
    last = max(
        [it for it in known if it.parcel != OF_RETURN] or list(known), key=lambda it: (it.at, it.n), default=None
    )
    return (None, KnownBy.START) if last is None else (last.at, _told(last))


def _label_since(case: Case, known: Sequence[ParcelChange]) -> tuple[datetime | None, KnownBy]:
    """Since when the youngest label that still counts is there: as the ledger made it, else as it was seen."""
    gone = {OF_RETURN, *replaced_as_seen(case.record).numbers}
    last = {it.parcel: it for it in sorted(known, key=lambda it: it.n) if it.parcel not in gone}
    alive = [it for it in last.values() if it.status not in {*DEAD_PARCEL, ""}]
    seen = max(alive, key=lambda it: it.at, default=None)
    labels = _labels(case)
    made = (labels[-1].sent_at or labels[-1].created_at) if labels else None
    if made is not None and (seen is None or seen.n == 1 or made > seen.at):
        return made, KnownBy.LEDGER
    return (None, KnownBy.START) if seen is None else (seen.at, _told(seen))


def _labels(case: Case) -> list[Intent]:
    """The labels that this desk has made or registered, in their order."""
    return [it for it in case.record.intents if it.kind in LABEL_KINDS and it.state is IntentState.DONE]


def _told(change: ParcelChange) -> KnownBy:
    return KnownBy.SEEN if change.told_at is None else KnownBy.REVER


# What comes next, as the rules are now and if nothing changes at REVER.


@dataclass(frozen=True, slots=True)
class Coming:
    """What the rules say of a return now, in words; and by which rule and on which day they call it off."""

    words: str
    called_off_by: str = ""
    called_off_on: date | None = None


def coming(process: ReturnProcess, rules: StoreRules, record: Record, now: datetime) -> Coming:
    """What the rules say of a return now; and where they will call it off, within `LOOKED_AHEAD` days."""
    decision = decide(process, rules, record, now)
    words = _in_words(decision, record)
    if any(isinstance(action, Cancel) for rule in rules.merchant_rules for action in rule.then):
        for days in range(LOOKED_AHEAD + 1):
            at = now + timedelta(days=days)
            then = decision if not days else decide(process, rules, record, at)
            if isinstance(then, AskedEffect) and then.kind is IntentKind.CANCEL:
                return Coming(words, str(then.wanted.policy_rule), at.astimezone(rules.zone).date())
            if isinstance(then, Hold) and not then.label:
                break  # what a person answers nobody knows
    return Coming(words)


def _in_words(decision: Decision, record: Record) -> str:
    if isinstance(decision, Hold):
        asked = any(hold.rule == decision.rule for hold in record.holds)
        return f"{'a person is asked' if asked else 'the next run asks a person'}: {decision.why}"
    if isinstance(decision, Wait | Nothing):
        return decision.why
    return f"the next run that acts does it: {decision.why}"
