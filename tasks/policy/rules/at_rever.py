"""What REVER has paid of the refunds it shows, what is on its way, what has come back, and what was not made here.

A refund that REVER accepted is not paid yet: REVER pays leg by leg over the payments of the order, and a leg that a
person must pay may take days. What is paid is `amount - missing_amount`. Money on its way is as good as sent: its
units stay taken, and it is never paid a second time. It is waited for with a patience of its own, then held.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from rever_api.models import CompensationMethod, ProcessStatus, RefundTiming, ReturnProcess
from tasks.policy.case import Case
from tasks.policy.clocks import ahead, clock_time
from tasks.policy.comparison import Standing, unseen_back
from tasks.policy.decision import Adopt, Decision, Hold
from tasks.policy.facts import counted, exchange_shown, later, named, refunds_shown
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
from tasks.policy.store import RefundsBy

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
    why = f"{_words(case, amount, currency, units)}; it is waited for until {clock_time(limit, case.rules.zone)}"
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


# Rules about what REVER did by itself: adopt what equals what is due, expect what REVER pays, hold the rest.


def foreign_refund(case: Case) -> Decision | None:
    """A refund that no intent made: adopted where it is what is due to the cent and per method, held otherwise.

    Where REVER pays by itself, a part of what is due is no surprise: the rest is waited for. A person lets pass what
    they saw: where REVER shows more by now, they are asked again, also if they said that what is due be paid.
    """
    found, due = case.comparison.foreign, _due(case)
    taken_back = case.comparison.foreign_taken_back
    if not found and not taken_back:
        return None
    unpaid = case.comparison.foreign_unpaid
    if found == due and not taken_back and not (unpaid and case.by_us):
        rest = ", and has still to pay a part of it" if unpaid else ""
        why = f"REVER itself has refunded {_listed(due)}, which is what is due{rest}: nothing is sent"
        return replace(_adopt(case, why), paid_elsewhere=_just_now(case, found))
    if (
        not case.by_us
        and not taken_back
        and all(0 < amount <= due.get(purse, Decimal(0)) for purse, amount in found.items())
    ):
        return None
    if case.refunds_seen and not case.due.refunds:
        return None
    part = ", of which a part is still to be paid" if unpaid else ""
    back = ", some of them taken back again," if taken_back else ""
    why = (
        f"REVER shows refunds of {_listed(found) or 'nothing in all'}{part}{back} that were not made here, "
        f"while {_listed(due) if due else 'nothing'} is due"
    )
    evidence = {"foreign": _listed(found) or "nothing in all", "due": _listed(due) or "nothing"}
    held = case.hold("foreign_refund", HoldKind.FOREIGN_REFUND, why, evidence, refunds=case.comparison.others)
    return held and replace(held, paid_elsewhere=_just_now(case, found) if _as_we_did(case, found) else None)


MOMENT = timedelta(hours=1)
"""A refund that is no older may be another desk's that runs now; an older one is the past of the account."""


def _just_now(case: Case, found: dict[tuple[str, str], Decimal]) -> datetime | None:
    """When refunds of these purses were made, if a moment ago and at a store where only this desk pays."""
    times = [it.refunded_at for it in refunds_shown(case.process) if (it.type, it.currency) in found and it.refunded_at]
    recent = [at for at in times if abs(case.now - at) < MOMENT]
    return max(recent) if case.by_us and recent else None


def _as_we_did(case: Case, found: dict[tuple[str, str], Decimal]) -> bool:
    """Whether each is for an amount that this desk refunded too."""
    ours = {
        (it.method, it.currency, it.amount) for it in case.record.intents if it.kind is IntentKind.REFUND and it.live
    }
    return all((*purse, amount) in ours for purse, amount in found.items())


def foreign_exchange(case: Case) -> Decision | None:
    """An exchange order that no intent made, or that was made already while more units are to be exchanged."""
    if exchange_shown(case.process) is None:
        return None
    due = case.due.exchange
    worth = due.gross if due else None
    if not case.comparison.exchange_foreign:
        why = "an exchange was ordered already, and more units are to be exchanged"
        return case.hold("second_exchange", HoldKind.CONTRADICTION, why, amount=worth) if due else None
    if not case.by_us and _wanted(case.process):
        return None
    if due is None and case.exchange_seen:
        return None
    why = "REVER shows an exchange order that was not made here"
    why += "" if case.by_us else ", of other items than the shopper chose"
    return case.hold("foreign_exchange", HoldKind.FOREIGN_REFUND, why, {"exchange_order": "shown"}, amount=worth)


def expected_of_rever(case: Case) -> Decision | None:
    """What is due at a store whose refunds are not this desk's: REVER's to pay by a deadline, or nobody has said."""
    if case.by_us or not case.due:
        return None
    owed = _owed(case)
    if case.rules.refunds_by is RefundsBy.UNSTATED:
        why = f"{owed} is due, and it is not stated who pays at this store: set REVER_REFUNDS_BY to us or rever"
        return case.wait("refunds_by_unstated", why)
    if not case.due.amount and case.due.exchange is None:
        return _adopt(case, "the return's costs use up what is due: REVER has nothing to pay")
    deadline = later(_approved_at(case), timedelta(hours=case.rules.policy.rever_pays_within_hours))
    by = clock_time(deadline, case.rules.zone)
    pending = case.wait(
        "rever_pays", f"{owed} is due, which REVER pays by itself until {by}", min(deadline, _next(case))
    )
    if case.now < deadline:
        return pending
    why = f"{owed} is due, and REVER, which pays at this store, has not paid it until {by}"
    evidence = {"due": owed, "deadline": by, "shown": _listed(case.comparison.foreign) or "nothing"}
    held = case.hold("not_paid_by_rever", HoldKind.NOT_PAID_BY_REVER, why, evidence)
    return held or case.wait("rever_pays", f"{why}; a person said to go on waiting")


def _adopt(case: Case, why: str) -> Adopt:
    return Adopt("already_paid", why, case.costs, case.due.refunds)


def _due(case: Case) -> dict[tuple[str, str], Decimal]:
    """What is to be refunded, per method and currency, where it is more than 0."""
    return {(refund.method, refund.currency): refund.amount for refund in case.due.refunds if refund.amount}


def _listed(amounts: dict[tuple[str, str], Decimal]) -> str:
    return ", ".join(
        f"{shown(amount, purse[1])} by {named(purse[0]) or 'no method'}" for purse, amount in amounts.items()
    )


def _owed(case: Case) -> str:
    """What is due, in words."""
    exchanged = sum(item.quantity for item in case.due.exchanged)
    parts = [_listed(_due(case))] if case.due.amount else []
    parts += [f"the exchange of {counted(exchanged)}"] if exchanged else []
    return " and ".join(parts) or "a refund that costs use up"


def _wanted(process: ReturnProcess) -> bool:
    """Whether the exchange order names no other variants than the shopper chose, as far as it names any."""
    order = exchange_shown(process)
    lines = [it for it in process.return_line_items if it.compensation_method == CompensationMethod.EXCHANGE]
    chosen = {line.exchange_for.variant_id for line in lines if line.exchange_for}
    ordered = {item.variant_id for item in order.ordered_items} if order else set()
    return bool(lines) and ordered - {""} <= chosen


def _approved_at(case: Case) -> datetime:
    """When the last thing happened that makes REVER pay: the last review, else the start, else now."""
    if reviews := [review.review_date for review in case.process.reviews or () if review.review_date]:
        return max(reviews)
    if case.timing == RefundTiming.ON_ITEM_SENT and case.process.updated_at:
        return case.process.updated_at
    return case.process.started_at or case.now


def _next(case: Case) -> datetime:
    return later(case.now, case.rules.look_again)
