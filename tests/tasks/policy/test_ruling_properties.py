"""What holds whatever the rules of a merchant say: no unit twice, none above its value, in any order of the rules."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rever_api.models import ReturnProcess, Review
from tasks.policy.actions import kind_of
from tasks.policy.conditions import checks_of
from tasks.policy.decide import decide
from tasks.policy.decision import AskedEffect, Compensate, Hold, Nothing, Wait
from tasks.policy.kinds import KINDS
from tasks.policy.merchant_rules import MerchantRule
from tasks.policy.money import value
from tasks.policy.record import Record
from tasks.policy.store import StoreRules
from tests.tasks.policy.carrying_out import carry_out, paid
from tests.tasks.policy.factories import BANK, EXCHANGE, GIFT, NOW, ORIGINAL, STARTED, record, rules
from tests.tasks.policy.test_merchant_rules import RULES
from tests.tasks.policy.test_properties import CURRENCIES, inspections, no_unit_twice


@st.composite
def some_rules(draw: st.DrawFn) -> tuple[MerchantRule, ...]:
    """Rules of different names."""
    found = draw(st.lists(RULES, max_size=6))
    return tuple(replace(it, name=f"r{number}") for number, it in enumerate(found))


def _worth(it: ReturnProcess) -> Decimal:
    """The value of all units that no review has turned down."""
    gone = Counter(review.line_item_id for review in it.reviews or () if review.status != "APPROVED")
    worth = Decimal(0)
    for each in it.return_line_items:
        left = each.quantity - gone[each.id]
        worth += value(each.total_price or Decimal(0), each.quantity, left, each.currency)
    return worth


def _until_still(it: ReturnProcess, of: StoreRules, known: Record) -> tuple[Record, ReturnProcess]:
    for _ in range(12):
        decision = decide(it, of, known, NOW)
        assert decision == decide(it, of, known, NOW)
        if not isinstance(decision, Compensate):
            break
        known, it = carry_out(decision, known, it)
        made = known.intents[-1]
        assert KINDS[made.kind].covers(decision, made, decision.exchange.items if decision.exchange else ())
        assert no_unit_twice(known)
        assert made.amount <= made.gross + made.bonus
        assert not made.bonus or made.method in {GIFT, "PROMO_CODE"}
    return known, it


@given(inspections([ORIGINAL, GIFT, BANK, EXCHANGE]), some_rules(), st.data())
@settings(max_examples=200, deadline=None)
def test_whatever_the_rules_say_no_unit_is_paid_twice_or_above_its_value(
    told_: tuple[ReturnProcess, list[Review]], found: tuple[MerchantRule, ...], data: st.DataObject
) -> None:
    it, outcomes = told_
    of, known, seen = replace(rules(currencies=CURRENCIES), merchant_rules=found), record(), 0
    while seen < len(outcomes):
        seen += data.draw(st.integers(1, len(outcomes) - seen))
        it = it.model_copy(update={"reviews": tuple(outcomes[:seen])})
        known, it = _until_still(it, of, known)
        bonus = sum((made.bonus for made in known.intents), Decimal(0))
        assert paid(it) <= _worth(it.model_copy(update={"reviews": ()})) + bonus
    end = decide(it, of, known, NOW)
    assert isinstance(end, Hold | Wait | Nothing | AskedEffect)
    assert not isinstance(end, AskedEffect) or not known.intents, "what was paid is not called off"
    if isinstance(end, Nothing) and end.final:
        taken = {(item.line_id, unit) for made in known.intents for item in made.items for unit in item.units}
        approved_units = Counter(review.line_item_id for review in outcomes if review.status == "APPROVED")
        assert {line_id for line_id, many in approved_units.items() if many} <= {line_id for line_id, _ in taken}


@given(inspections([ORIGINAL, GIFT, BANK]), some_rules(), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_the_order_of_rules_of_different_kinds_does_not_matter(
    told_: tuple[ReturnProcess, list[Review]], found: tuple[MerchantRule, ...], random: Any
) -> None:
    it, outcomes = told_
    it = it.model_copy(update={"reviews": tuple(outcomes)})
    single = [replace(rule, name=f"{rule.name}{n}", then=(a,)) for rule in found for n, a in enumerate(rule.then)]
    mixed = _interleaved(single, random)
    results = [
        paid(_until_still(it, replace(rules(currencies=CURRENCIES), merchant_rules=tuple(order)), record())[1])
        for order in (single, mixed)
    ]
    assert results[0] == results[1]


OF_THE_REVIEW = frozenset(
    {"review", "reviewed", "all_approved", "reject_reason", "inspector", "days_since_review", "refunded", "held"}
)


@given(inspections([ORIGINAL, GIFT, BANK]), some_rules(), st.data())
@settings(max_examples=100, deadline=None)
def test_a_further_approval_never_makes_less_be_paid(
    told_: tuple[ReturnProcess, list[Review]], found: tuple[MerchantRule, ...], data: st.DataObject
) -> None:
    """By rules that do not ask for the inspection themselves."""
    it, _ = told_
    of = replace(
        rules(currencies=CURRENCIES),
        merchant_rules=tuple(
            rule for rule in found if OF_THE_REVIEW.isdisjoint(it.field for it in checks_of(rule.when))
        ),
    )
    some = [Review(line_item_id=x.id, status="APPROVED") for x in it.return_line_items for _ in range(x.quantity)]
    fewer = data.draw(st.integers(0, len(some) - 1))
    amounts = []
    for many in (fewer, fewer + 1):
        approved_now = it.model_copy(update={"reviews": tuple(some[:many])})
        decision = decide(approved_now, of, record(), NOW)
        if isinstance(decision, Hold):
            return
        amounts.append(paid(_until_still(approved_now, of, record())[1]))
    assert amounts[0] <= amounts[1]


def _interleaved(ordered: Sequence[MerchantRule], random: Any) -> list[MerchantRule]:
    """The rules in another order, in which those of one kind stand as before."""
    kinds: dict[str, list[MerchantRule]] = {}
    for rule in ordered:
        kinds.setdefault(kind_of(rule.then[0]), []).append(rule)
    mixed = []
    while any(kinds.values()):
        mixed.append(kinds[random.choice([kind for kind, left in kinds.items() if left])].pop(0))
    return mixed


@given(inspections([ORIGINAL, GIFT, BANK]), some_rules())
@settings(max_examples=100, deadline=None)
def test_a_store_without_rules_decides_as_before(
    told_: tuple[ReturnProcess, list[Review]], found: tuple[MerchantRule, ...]
) -> None:
    """And rules that are not in force change nothing."""
    it, outcomes = told_
    it = it.model_copy(update={"reviews": tuple(outcomes)})
    day = (STARTED - timedelta(days=900)).date()
    over = tuple(replace(rule, begins=day, ends=day) for rule in found)
    plain = rules(currencies=CURRENCIES)
    assert decide(it, replace(plain, merchant_rules=over), record(), NOW) == decide(it, plain, record(), NOW)
