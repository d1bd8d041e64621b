"""What holds for every return: the right total, never too much, nothing twice, always an answer."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from rever_api.models import ReturnLineItem, ReturnProcess, Review
from tasks.policy.decide import decide
from tasks.policy.decision import Adopt, Compensate, Hold, MakeLabel, Nothing, Wait
from tasks.policy.kinds import KINDS
from tasks.policy.kinds.kind import Held, NotYet, Seen
from tasks.policy.money import value
from tasks.policy.record import IntentKind, IntentState, LineUnits, Record
from tasks.policy.rules.label import decide_label
from tasks.policy.store import RefundsBy
from tests.tasks.policy.carrying_out import carry_out, paid
from tests.tasks.policy.factories import BANK, EXCHANGE, GIFT, NOW, ORIGINAL, line, process, record, rules
from tests.tasks.policy.oddities import TIMES, Odd

METHODS = [ORIGINAL, GIFT, BANK]


CURRENCIES = ("BHD", "JPY")
SHOP = rules(currencies=CURRENCIES)


@st.composite
def lines(draw: st.DrawFn, methods: list[str]) -> list[ReturnLineItem]:
    """Lines of one currency, by any method."""
    currency, digits = draw(st.sampled_from([("EUR", 2), ("JPY", 0), ("BHD", 3)]))
    return [
        line(
            f"line{number}",
            draw(st.integers(1, 5)),
            str(Decimal(draw(st.integers(0, 5000))).scaleb(-digits)),
            draw(st.sampled_from(methods)),
            currency,
            variant=f"v{number}",
        )
        for number in range(draw(st.integers(1, 4)))
    ]


@st.composite
def inspections(draw: st.DrawFn, methods: list[str]) -> tuple[ReturnProcess, list[Review]]:
    """A return and the reviews of all its units, in the order they come in."""
    of = draw(lines(methods))
    costs = Decimal(draw(st.integers(0, 6000)))
    costs = costs if of[0].currency == "JPY" else costs.scaleb(-2)
    outcomes = [
        Review(line_item_id=it.id, status=draw(st.sampled_from(["APPROVED", "APPROVED", "DECLINED", "MISSING"])))
        for it in of
        for _ in range(it.quantity)
    ]
    return process(*of, costs=str(costs)), draw(st.permutations(outcomes))


def worth(it: ReturnProcess) -> Decimal:
    """The value of the approved units that are to be refunded, less costs; worked out apart from the rules."""
    found = Counter(review.line_item_id for review in it.reviews or () if review.status == "APPROVED")
    total = sum(
        (
            value(item.total_price or Decimal(0), item.quantity, found[item.id], item.currency)
            for item in it.return_line_items
            if item.compensation_method != EXCHANGE
        ),
        Decimal(0),
    )
    return max(Decimal(0), total - (it.return_costs or Decimal(0)))


def no_unit_twice(known: Record) -> bool:
    """Whether every unit is in at most one live intent."""
    units = Counter(
        (item.line_id, unit)
        for intent in known.intents
        if intent.live and intent.kind is not IntentKind.LABEL
        for item in intent.items
        for unit in item.units
    )
    return all(times == 1 for times in units.values())


@given(inspections([*METHODS, EXCHANGE]), st.data())
@settings(max_examples=150, deadline=None)
def test_any_course_of_approvals_pays_exactly_what_is_due(
    told: tuple[ReturnProcess, list[Review]], data: st.DataObject
) -> None:
    it, outcomes = told
    known, seen = record(), 0
    while True:
        for _ in range(12):
            decision = decide(it, SHOP, known, NOW)
            if not isinstance(decision, Compensate):
                break
            outcome = data.draw(st.sampled_from([IntentState.DONE, IntentState.DONE, IntentState.WITHDRAWN]))
            known, it = carry_out(decision, known, it, outcome)
            made = known.intents[-1]
            assert made.state is not outcome or KINDS[made.kind].covers(
                decide(it, SHOP, known.without(made.id), NOW) if not made.live else decision,
                made,
                decision.exchange.items if decision.exchange else (),
            )
            assert no_unit_twice(known)
            assert paid(it) <= worth(it)
        if seen == len(outcomes):
            break
        step = data.draw(st.integers(1, len(outcomes) - seen))
        seen += step
        it = it.model_copy(update={"reviews": tuple(outcomes[:seen])})
    for _ in range(12):
        known, it = carry_out(decide(it, SHOP, known, NOW), known, it)
    assert paid(it) == worth(it)
    end = decide(it, SHOP, known, NOW)
    assert isinstance(end, Nothing), end
    assert end.final


@given(inspections(METHODS))
@settings(max_examples=60, deadline=None)
def test_all_at_once_and_unit_by_unit_come_to_the_same(told: tuple[ReturnProcess, list[Review]]) -> None:
    it, outcomes = told
    totals = []
    for step in (1, len(outcomes)):
        known, now = record(), it
        for seen in range(step, len(outcomes) + 1, step):
            now = now.model_copy(update={"reviews": tuple(outcomes[:seen])})
            for _ in range(6):
                known, now = carry_out(decide(now, SHOP, known, NOW), known, now)
        totals.append(paid(now))
    assert totals[0] == totals[1] == worth(now)


@given(inspections(METHODS), st.booleans())
@settings(max_examples=60, deadline=None)
def test_what_rever_pays_itself_is_adopted_and_never_paid_again(
    told: tuple[ReturnProcess, list[Review]], ours: bool
) -> None:
    it, outcomes = told
    it = it.model_copy(update={"reviews": tuple(outcomes)})
    twin, shown = record(), it
    for _ in range(6):
        twin, shown = carry_out(decide(shown, SHOP, twin, NOW), twin, shown)
    who = rules(RefundsBy.US if ours else RefundsBy.REVER, currencies=CURRENCIES)
    known = record()
    first = decide(shown, who, known, NOW)
    assert isinstance(first, Adopt | Nothing) or paid(shown) == 0
    for _ in range(6):
        known, after = carry_out(decide(shown, who, known, NOW), known, shown)
        assert paid(after) == paid(shown)
    end = decide(shown, who, known, NOW)
    assert isinstance(end, Nothing), end
    assert end.final


EVERY_ANSWER = Compensate | Adopt | MakeLabel | Wait | Hold | Nothing


def check_answers(seed: int) -> set[str]:
    """Decide about one odd return, and check what every answer promises. Gives the rules that answered."""
    odd = Odd(seed)
    it, store, now = odd.process(), odd.rules(), odd.one([NOW], TIMES)
    known = odd.record(it)
    named = set()
    for rule in (decide, decide_label):
        decision = rule(it, store, known, now)
        assert isinstance(decision, EVERY_ANSWER)
        assert decision.rule
        assert decision.why
        assert decision == rule(it, store, known, now)
        named.add(decision.rule)
        if isinstance(decision, Compensate):
            assert it.rever_process_status == "RUNNING" or not any(due.amount for due in decision.refunds)
            assert all(0 <= due.amount <= due.gross for due in decision.refunds)
            assert store.refunds_by is RefundsBy.US
            assert not any(intent.open and intent.kind is not IntentKind.LABEL for intent in known.intents)
            assert not any(not hold.label for hold in known.holds)
            assert none_taken_again(known, decision)
    return named


def none_taken_again(known: Record, decision: Compensate) -> bool:
    """Whether what is to be compensated is in no live intent."""
    live = [it for it in known.intents if it.live and it.kind is not IntentKind.LABEL]
    claimed = {(item.line_id, unit) for it in live for item in it.items for unit in item.units}
    wanted = [item for due in decision.refunds for item in due.items]
    wanted += [LineUnits(item.line_id, item.units) for item in decision.exchange.items] if decision.exchange else []
    units = [(item.line_id, unit) for item in wanted for unit in item.units]
    return len(units) == len(set(units)) and not claimed & set(units)


@given(st.integers(0, 2**40))
@settings(max_examples=300, deadline=None)
def test_there_is_always_an_answer_with_its_rule_and_why(seed: int) -> None:
    check_answers(seed)


def test_the_odd_returns_come_past_every_rule() -> None:
    named = set().union(*(check_answers(seed) for seed in range(4000)))
    assert {
        "guard", "open_intent", "contradictory", "incomplete_read", "stale_view", "rever_shows_less", "unknown_status",
        "rever_on_hold", "not_running", "unknown_timing", "fewer_approvals", "terms_changed", "unknown_review_status",
        "unknown_method", "foreign_refund", "already_paid", "foreign_exchange", "rever_pays", "not_paid_by_rever",
        "refunds_by_unstated", "completed_unpaid", "not_received", "refused_by_rever", "no_variant", "completed",
        "on_item_verified", "on_start", "on_item_sent", "all_settled", "wait_inspection", "wait_parcel", "wait_goods",
        "wait_exchange_inspection", "label_due", "label_pending", "label_there", "label_error", "no_carrier",
    } <= named  # fmt: skip


@given(st.integers(0, 2**40))
@settings(max_examples=150, deadline=None)
def test_every_sent_effect_gets_a_verdict(seed: int) -> None:
    odd = Odd(seed)
    before, after, sent, late = odd.process(), odd.process(), odd.intent(0), odd.maybe(0.5)
    kind = KINDS[sent.kind]
    seen = kind.snapshot(sent, (), before)
    settle_at = NOW + timedelta(minutes=15)
    verdict = kind.judge(
        sent, {**seen, "ledger_knew": odd.one([0, 1])}, after, now=settle_at if late else NOW, settle_at=settle_at
    )
    assert isinstance(verdict, Seen | Held | NotYet)
    assert not (late and isinstance(verdict, NotYet))
