"""The replay beside the plainest one there is: the desk is asked at every change and at each midnight, by the rules.

What the replay leaves out (moments at which nothing can turn, a second asking where both policies say the same) must
leave no trace in what is paid or held.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from rever_api.models import ReturnProcess
from tasks.policy.backtest.outcome import Replayed
from tasks.policy.backtest.pair import Pair
from tasks.policy.backtest.past import PastReturn, View, views
from tasks.policy.backtest.replay import replay
from tasks.policy.case import Case
from tasks.policy.decide import decide_money, ended_holds
from tasks.policy.decision import Compensate, Hold
from tasks.policy.kinds import EXCHANGE, REFUND
from tasks.policy.record import OpenHold, Record
from tasks.policy.store import StoreRules
from tests.tasks.policy.backtest.histories import BEGAN, DAY, ruled
from tests.tasks.policy.backtest.test_backtest import histories
from tests.tasks.policy.backtest.test_rules_tried import RULES, SECOND
from tests.tasks.policy.carrying_out import carry_out
from tests.tasks.policy.factories import NOW

Paid = list[tuple[datetime, str, str, Decimal]]
GAP, UNTIL = timedelta(minutes=10), BEGAN + 14 * DAY


def plainly(past: PastReturn, rules: StoreRules) -> tuple[Paid, str]:
    """What is paid, and the rule of the hold that is open at the end; of a return that is wholly paid none is asked."""
    seen = views(past, UNTIL, GAP, scan=True, arrival=True)
    record, paid, done = Record(past.process_id, "acme"), Paid(), None
    for view in moments(seen):
        process = view.process if done is None else view.process.model_copy(update={"compensation": done})
        if record.holds and ended_holds(process, rules, record, view.at):
            record = replace(record, holds=())
        decision = decide_money(Case(process, rules, record, view.at))
        if isinstance(decision, Hold) and not record.holds:
            asks = OpenHold("h", 1, decision.kind, decision.rule, decision.why, view.at)
            record = replace(record, holds=(asks,))
        while isinstance(decision, Compensate):
            before = len(record.intents)
            record, process = at(view.at, *carry_out(decision, record, process))
            made = record.intents[before]
            goods = made.kind is EXCHANGE.name
            amount = decision.exchange.gross if goods and decision.exchange else made.amount
            paid.append((view.at, str(made.kind), made.method, amount))
            done = process.compensation
            decision = decide_money(Case(process, rules, record, view.at))
    taken = sum(item.quantity for it in record.intents for item in it.items)
    over = taken == sum(line.quantity for line in past.process.return_line_items)
    return paid, "" if over or not record.holds else record.holds[0].rule


def at(now: datetime, record: Record, process: ReturnProcess) -> tuple[Record, ReturnProcess]:
    """What was carried out just now, with its own times in the place of those of `carry_out`."""
    intents = tuple(replace(it, created_at=now, sent_at=now) if it.sent_at == NOW else it for it in record.intents)
    told = process.compensation
    refunds = tuple(
        it.model_copy(update={"refunded_at": now}) if it.refunded_at == NOW else it
        for it in (told.refunds if told else ()) or ()
    )
    shown = told and told.model_copy(update={"refunds": refunds})
    return replace(record, intents=intents), process.model_copy(update={"compensation": shown})


def moments(seen: tuple[View, ...]) -> list[View]:
    """Each change, and the return as it last looked at each midnight after it, while nothing is left to happen."""
    found = []
    for number, view in enumerate(seen):
        found.append(view)
        ends = seen[number + 1].at if number + 1 < len(seen) else UNTIL + timedelta(seconds=1)
        day = view.at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        while day < ends:
            found.append(View(day, view.process))
            day += timedelta(days=1)
    return found


def as_plain(replayed: Replayed) -> tuple[Paid, str]:
    paid = [
        (it.at, str(EXCHANGE.name if it.goods else REFUND.name), "" if it.goods else it.method, it.amount)
        for it in replayed.payments
    ]
    return paid, replayed.held.rule if replayed.held else ""


POLICIES = st.lists(st.sampled_from([it for it in RULES if it != SECOND]), unique=True, max_size=5).map("".join)
TIMINGS = st.sampled_from(["ON_ITEM_VERIFIED", "ON_ITEM_VERIFIED", "ON_START", "ON_ITEM_SENT"])


@settings(max_examples=60, deadline=None)
@given(histories(), POLICIES, POLICIES, TIMINGS)
def test_both_sides_pay_and_hold_what_the_plain_replay_does(
    returns: list[PastReturn], one: str, other: str, timing: str
) -> None:
    current, candidate = ruled(one, timing=timing), ruled(other, timing=timing)
    pair = Pair.of(current, candidate)
    for past in returns[:2]:
        seen = views(past, UNTIL, GAP, scan=pair.asked.scan, arrival=pair.asked.arrival)
        first, second = replay(past, seen, pair, None, UNTIL)
        assert as_plain(first) == plainly(past, current)
        assert as_plain(second) == plainly(past, candidate)
