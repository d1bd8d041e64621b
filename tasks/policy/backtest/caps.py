"""The guards over replayed payments, in the order of time: what a cap would have kept back.

The guards of a run are judged in the ledger (`tasks.ledger.guards`), against counters that it locks. Here they are
judged by the same bounds against counters that begin at nothing: what was paid before the replay is not in them.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from tasks.policy.backtest.outcome import HeldPayment, Payment, Replayed
from tasks.policy.facts import counted
from tasks.policy.money import shown
from tasks.policy.store import MAX_PER_DAY, MAX_PER_SHOPPER, MAX_REFUND, SHOPPER_UNKNOWN, StoreRules


def capped(
    replayed: Mapping[str, Replayed], stores: Mapping[str, StoreRules], shoppers: Mapping[str, str]
) -> dict[str, Replayed]:
    """What is left of each return's payments (by process id) once the guards have held what they hold.

    `stores` are the rules of each return's store, `shoppers` its shopper's mailbox. A hold stops all that would come
    after it in the same return. An exchange is no refund: it meets no guard.
    """
    found = dict(replayed)
    days: dict[tuple[str, date, str], Decimal] = defaultdict(Decimal)
    refunds: dict[str, list[datetime]] = defaultdict(list)
    asked = [name for name in replayed if _any(stores[name])]
    steps = sorted((it.at, name, n) for name in asked for n, it in enumerate(replayed[name].payments))
    held: set[str] = set()
    for _, name, n in steps:
        payment, rules = replayed[name].payments[n], stores[name]
        if name in held or payment.goods or not payment.amount:
            continue
        day = rules.store, payment.at.astimezone(rules.zone).date(), payment.currency
        since = payment.at - timedelta(days=rules.policy.guards.shopper_window_days)
        had = sum(at >= since for at in refunds[shoppers[name]])
        guard = _tripped(payment, rules, days[day], had, known=bool(shoppers[name]))
        if guard is None:
            days[day] += payment.amount
            refunds[shoppers[name]].append(payment.at)
            continue
        held.add(name)
        rest = replayed[name].payments[:n]
        rule, why = guard
        kept = HeldPayment(payment.at, rule, why, payment.amount, payment.currency, payment.rules)
        found[name] = replace(replayed[name], payments=rest, held=kept, waits="")
    return found


def _any(rules: StoreRules) -> bool:
    guards = rules.policy.guards
    return bool(guards.max_refund or guards.max_per_day or guards.max_refunds_per_shopper)


def _tripped(payment: Payment, rules: StoreRules, spent: Decimal, had: int, *, known: bool) -> tuple[str, str] | None:
    """The rule and the reason of the first guard that holds this payment."""
    guards, money = rules.policy.guards, shown(payment.amount, payment.currency)
    most = guards.max_refund.get(payment.currency)
    if most is not None and payment.amount > most:
        return MAX_REFUND, f"the refund of {money} is above the most that one may be, {most:,}"
    most = guards.max_per_day.get(payment.currency)
    if most is not None and spent + payment.amount > most:
        return MAX_PER_DAY, f"with this refund of {money} the store would pass its cap of {most:,} for a day"
    times = guards.max_refunds_per_shopper
    if times is not None and not known:
        return SHOPPER_UNKNOWN, f"REVER names no e-mail, so the shopper's cap cannot be judged; {money} is due"
    if times is not None and had >= times:
        span = counted(guards.shopper_window_days, "day")
        return MAX_PER_SHOPPER, f"the shopper already had {counted(had, 'refund')} within {span}"
    return None
