"""Rules about what REVER did by itself: adopt what equals what is due, expect what REVER pays, hold the rest."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from rever_api.models import CompensationMethod, RefundTiming, ReturnProcess
from tasks.policy.case import Case
from tasks.policy.decision import Adopt, Decision
from tasks.policy.facts import counted, exchange_shown, later, named, refunds_shown
from tasks.policy.money import shown
from tasks.policy.record import HoldKind, IntentKind
from tasks.policy.store import RefundsBy


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
    by = deadline.isoformat(timespec="minutes")
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
