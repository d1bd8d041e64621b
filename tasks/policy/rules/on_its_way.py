"""What REVER has paid of the refunds it shows, what is on its way, and what has come back.

A refund that REVER accepted is not paid yet: REVER pays leg by leg over the payments of the order, and a leg that a
person must pay may take days. What is paid is `amount - missing_amount`. Money on its way is as good as sent: its
units stay taken, and it is never paid a second time. It is waited for with a patience of its own, then held.
"""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from rever_api.models import CompensationMethod, ProcessStatus
from tasks.policy.case import Case
from tasks.policy.clocks import ahead, clock_time
from tasks.policy.comparison import Standing, unseen_back
from tasks.policy.decision import Decision, Hold
from tasks.policy.facts import counted, exchange_shown, later
from tasks.policy.money import ZERO, shown
from tasks.policy.record import (
    CAME_BACK,
    STILL_ON_ITS_WAY,
    TAKEN,
    HoldKind,
    Intent,
    IntentKind,
    IntentState,
    PaidSeen,
    Waiver,
)

ON_ITS_WAY = "on_its_way"
"""The rule by which a return waits whose money REVER has accepted to pay and not wholly paid."""


def news(case: Case) -> dict[str, PaidSeen]:
    """Intent id -> what is to be remembered of what REVER shows as paid, where it is not known yet.

    What falls is not believed as long as it may be an older view of the return.
    """
    found = {}
    for standing in case.comparison.standings:
        seen = standing.seen(case.now)
        if seen != standing.intent.paid_seen and not (standing.back and _maybe_stale(case, standing)):
            found[standing.intent.id] = seen
    return found


def came_back(case: Case) -> Decision | None:
    """Money that was shown as paid no longer is: a payment that failed after days, a return reversed after its end."""
    back = unseen_back(case.comparison.standings, case.record)
    if not back:
        return None
    amount, currency = sum((it.back for it in back), ZERO), back[0].intent.currency
    was, now = sum((it.back + it.paid for it in back), ZERO), sum((it.paid for it in back), ZERO)
    why = f"REVER showed {shown(was, currency)} as paid, and now shows {shown(now, currency)}"
    young = [it for it in back if _maybe_stale(case, it)]
    if young:
        until = max(later(_since(it), case.rules.settle_after) for it in young)
        return case.wait("stale_view", f"{why}; this may be an older view of the return", until)
    why += f": {shown(amount, currency)} came back. Nothing is sent again"
    evidence = {"was paid": shown(was, currency), "is paid": shown(now, currency)}
    return Hold(CAME_BACK, why, HoldKind.CAME_BACK, evidence, amount, currency)


def still_on_its_way(case: Case) -> Decision | None:
    """What REVER accepted and has not paid within the patience for it: a person is asked."""
    amount, currency, until = _open(case)
    units, goods_until = _goods_open(case)
    late = bool(amount) and until is not None and case.now >= until
    late_goods = bool(units) and goods_until is not None and case.now >= goods_until
    if not (late or late_goods):
        return None
    days = case.rules.on_its_way_after.total_seconds() / 86_400
    words = f"{_words(case, amount, currency, units)}, longer than the {days:g} days that are waited for it"
    why = f"{words}. Nothing is sent again"
    evidence = {"on its way": shown(amount, currency) if amount else counted(units), "days": f"{days:g}"}
    stake, of = (amount, currency) if amount else (None, "")
    return Hold(STILL_ON_ITS_WAY, why, HoldKind.ON_ITS_WAY, evidence, stake, of)


def on_its_way(case: Case) -> Decision | None:
    """A return that would be at its end, but for what is on its way: it is waited for, and looked at again."""
    amount, currency, until = _open(case)
    units, goods_until = _goods_open(case)
    if not amount and not units:
        return None
    running = case.process.rever_process_status == ProcessStatus.RUNNING
    if running and (case.free or not all(line.reviewed for line in case.inspection.lines)):
        return None
    limit = min(it for it in (until, goods_until) if it is not None)
    why = f"{_words(case, amount, currency, units)}; it is waited for until {clock_time(limit)}"
    wait = case.wait(ON_ITS_WAY, why)
    return replace(wait, until=min(limit, wait.until), reopens=True)


def all_paid(case: Case) -> bool:
    """Whether nothing is on its way and nothing has come back, but for what a person has taken as REVER shows it."""
    back = unseen_back(case.comparison.standings, case.record)
    return not back and not _open(case)[0] and not _goods_open(case)[0]


def told_on_its_way(case: Case) -> str:
    """What is on its way, as the end of a sentence about something else; empty where nothing is."""
    amount, currency, _ = _open(case)
    return f"; {shown(amount, currency)} on its way to the shopper" if amount else ""


def _open(case: Case) -> tuple[Decimal, str, datetime | None]:
    """The money on its way, its currency, and when the first of it is late."""
    rest = [it for it in case.comparison.standings if it.open]
    amount = sum((it.open for it in rest), ZERO)
    if not amount or amount <= _taken(case, amount, rest[0].intent.currency):
        return ZERO, "", None
    currency = rest[0].intent.currency
    again = [it.at for it in _answered(case) if it.at and not ahead(it.at, case.now) and _covers(it, amount, currency)]
    begun = [max([_begun(it.intent, case), *again]) for it in rest]
    return amount, currency, later(min(begun), case.rules.on_its_way_after)


def _goods_open(case: Case) -> tuple[int, datetime | None]:
    """Units of an exchange that REVER's order leaves out so far, and when they are late."""
    units, begun = case.comparison.exchange_short, case.now
    ours = [it for it in case.record.intents if it.kind is IntentKind.EXCHANGE and it.state is IntentState.DONE]
    if ours:
        begun = min(_begun(it, case) for it in ours)
    elif not case.by_us and (order := exchange_shown(case.process)) is not None and order.ordered_items:
        lines = [it for it in case.process.return_line_items if it.compensation_method == CompensationMethod.EXCHANGE]
        approved = sum(case.inspected(it.id).counted for it in lines)
        units = max(0, approved - len(order.ordered_items))
        reviewed = [it.review_date for it in case.process.reviews or () if it.review_date]
        begun = max([it for it in reviewed if it <= case.now], default=case.process.started_at or case.now)
    if not units or any(it.answer in TAKEN for it in _answered(case) if it.amount is None):
        return 0, None
    again = [it.at for it in _answered(case) if it.amount is None and it.at and not ahead(it.at, case.now)]
    return units, later(max([begun, *again]), case.rules.on_its_way_after)


def _words(case: Case, amount: Decimal, currency: str, units: int) -> str:
    """What is paid and what is on its way."""
    parts = []
    if amount:
        paid = sum((it.paid for it in case.comparison.standings), ZERO)
        parts.append(f"REVER has paid {shown(paid, currency)}; {shown(amount, currency)} is on its way to the shopper")
    if units:
        parts.append(f"the exchange is filled in part: {counted(units)} still to be ordered by REVER")
    return "; ".join(parts)


def _begun(intent: Intent, case: Case) -> datetime:
    """When a refund or exchange was made; one that a clock ahead has dated is late now."""
    at = intent.sent_at or intent.created_at or case.now
    return case.now - case.rules.on_its_way_after if ahead(at, case.now) else min(at, case.now)


def _since(standing: Standing) -> datetime:
    before = standing.intent.paid_seen
    assert before is not None  # noqa: S101 - only what was seen can have come back
    return before.since


def _maybe_stale(case: Case, standing: Standing) -> bool:
    """Whether what was paid was seen so lately that a read may still be older; a time ahead of the clock is not."""
    since = _since(standing)
    return since <= case.now < later(since, case.rules.settle_after)


def _answered(case: Case) -> list[Waiver]:
    return [it for it in case.record.waivers if it.rule in {STILL_ON_ITS_WAY, CAME_BACK}]


def _covers(waiver: Waiver, amount: Decimal, currency: str) -> bool:
    return waiver.amount is not None and waiver.currency == currency and amount <= waiver.amount


def _taken(case: Case, amount: Decimal, currency: str) -> Decimal:
    """The amount, where a person has taken it as REVER shows it; else 0."""
    taken = [it for it in _answered(case) if it.answer in TAKEN and _covers(it, amount, currency)]
    return amount if taken else ZERO
