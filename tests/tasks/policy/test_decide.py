"""The rules in their order: each answer whole, with evidence, amount and time; and what ends each hold."""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rever_api.models import ReturnProcess
from tasks.policy.decide import ENDINGS, Ending, decide, ended_holds
from tasks.policy.decision import Adopt, Decision, Hold, Nothing, RefundDue, Wait
from tasks.policy.record import HoldKind, Intent, IntentKind, IntentState, LineUnits, OpenHold, Record, Waiver
from tasks.policy.store import RefundsBy, StoreRules
from tests.tasks.policy.factories import (
    BANK,
    EXCHANGE,
    GIFT,
    NOW,
    ORIGINAL,
    approved,
    hold,
    intent,
    line,
    order,
    process,
    record,
    refund,
    reviews,
    rules,
    terms,
)

EMPTY, OURS, REVERS = record(), rules(), rules(RefundsBy.REVER)
SWAP = line(method=EXCHANGE, variant="v")
MINE, OTHER = LineUnits("retl_1", (1,)), LineUnits("b", (1,))
TEN, SOON, LATE = Decimal("10.00"), NOW + timedelta(minutes=10), NOW + timedelta(days=2)
OWED = "10.00 EUR by ORIGINAL_PAYMENT_METHOD"
FOREIGN, CONTRADICTION, UNKNOWN = HoldKind.FOREIGN_REFUND, HoldKind.CONTRADICTION, HoldKind.UNKNOWN_VALUE


def same(found: ReturnProcess, by: StoreRules, known: Record, expected: Decision, now: datetime = NOW) -> None:
    assert decide(found, by, known, now) == expected


def test_the_oldest_hold_answers() -> None:
    first = replace(hold("earlier"), id="a", amount=Decimal(3), currency="EUR")
    known = record(holds=(replace(hold("later"), since=NOW + timedelta(seconds=1)), replace(hold(), id="b"), first))
    told = {"hold": "a", "since": "2026-03-21T12:00:00+00:00"}
    same(process(), OURS, known, Hold("earlier", "somebody else has paid", FOREIGN, told, Decimal(3), "EUR"))


@pytest.mark.parametrize(
    ("known", "what", "until"),
    [
        (intent(state=IntentState.SENT), "refund of 10.00 EUR is still open (sent)", NOW + timedelta(minutes=5)),
        (intent(IntentKind.EXCHANGE, IntentState.UNKNOWN, look_at=None), "exchange is still open (unknown)", SOON),
        (intent(state=IntentState.SENT, amount="0", look_at=NOW - timedelta(1)), "refund is still open (sent)", NOW),
    ],
)
def test_an_open_effect_is_waited_for_by_its_time(known: Intent, what: str, until: datetime) -> None:
    same(process(), OURS, record(known), Wait("open_intent", f"the outcome of the {what}", until))


def test_contradictions_are_all_evidence_and_the_first_three_are_told() -> None:
    lines = (line(quantity=0), line(currency="SEK"), line("b", total=None), line("c", total="-1"))
    found = [
        "line 'retl_1' is there 2 times",
        "the lines are in more than one currency: 'EUR', 'SEK'",
        "line 'retl_1' has the quantity 0",
        "line 'b' has no total",
        "line 'c' has a negative total, -1",
    ]
    why = f"REVER's own figures contradict each other: {'; '.join(found[:3])}"
    told = {str(number): each for number, each in enumerate(found, start=1)}
    same(process(*lines), OURS, EMPTY, Hold("contradictory", why, CONTRADICTION, told))


def test_what_a_read_leaves_out_is_named() -> None:
    why = "REVER's answer leaves out reviews, return_costs, so nothing can be paid on it; if this account leaves empty "
    why += "fields out, say so with REVER_OMITS_EMPTY_FIELDS=true"
    expected = Hold("incomplete_read", why, UNKNOWN, {"missing": "reviews, return_costs"})
    same(process(reviews=None, costs=None), OURS, EMPTY, expected)


def test_what_was_done_and_is_not_shown_is_waited_for_and_then_held() -> None:
    known = record(
        intent(line_id="b", sent_at=NOW),
        intent(IntentKind.EXCHANGE),
        lines={"b": terms(), "retl_1": terms()},
    )
    why = f"REVER does not show what was done: {OWED}, the exchange order"
    until = NOW + timedelta(minutes=15)
    waited = Wait("stale_view", f"{why}; this may be an older view of the return", until)
    same(process(SWAP, line("b")), OURS, known, waited)
    told = {"absent": f"{OWED}, the exchange order"}
    held = Hold("rever_shows_less", f"{why}, though it was done long enough ago", CONTRADICTION, told, TEN, "EUR")
    same(process(SWAP, line("b")), OURS, known, held, until)


@pytest.mark.parametrize(
    ("it", "expected"),
    [
        (
            process(status="ON_HOLD"),
            Wait("rever_on_hold", "the return is ON_HOLD at REVER, whose own people work on it", SOON),
        ),
        (
            process(status="ASLEEP"),
            Hold(
                "unknown_status",
                "the return has the status 'ASLEEP', which is not known here, so nothing is paid",
                UNKNOWN,
                {"rever_process_status": "'ASLEEP'"},
            ),
        ),
        (
            process(line(quantity=2), status="CANCELED", reviews=approved(units=2)),
            Nothing(
                "not_running",
                "the return is CANCELED at REVER, so nothing is paid; 2 approved units left without compensation",
            ),
        ),
        (
            process(status="FAILED"),
            Nothing("not_running", "the return is FAILED at REVER, so nothing is paid", final=True),
        ),
        (
            process(line(quantity=2), status="COMPLETED", reviews=reviews("retl_1", "DECLINED")),
            Nothing("completed", "the return is COMPLETED at REVER; 1 unit never inspected"),
        ),
        (
            process(status="COMPLETED", reviews=reviews("retl_1", "DECLINED")),
            Nothing("completed", "the return is COMPLETED at REVER; every unit has its outcome", final=True),
        ),
    ],
)
def test_the_status_at_rever(it: ReturnProcess, expected: Decision) -> None:
    same(it, OURS, EMPTY, expected)


@pytest.mark.parametrize(
    ("it", "amount"), [(process(reviews=approved()), TEN), (process(SWAP, reviews=approved()), None)]
)
def test_a_timing_that_says_nothing(it: ReturnProcess, amount: Decimal | None) -> None:
    by = rules(timing="ON_FULL_MOON")
    why, told = "the store's refund timing is 'ON_FULL_MOON', which does not say when to pay", "'ON_FULL_MOON'"
    currency = "EUR" if amount else ""
    same(it, by, EMPTY, Hold("unknown_timing", why, UNKNOWN, {"refund.timing": told}, amount, currency, (MINE,)))
    same(process(), by, EMPTY, Wait("unknown_timing", f"{why}; nothing is approved yet", SOON))


def test_fewer_approvals_are_told_line_by_line() -> None:
    known = record(intent(units=(1, 2), amount="6.67"), lines={"retl_1": terms("10.00", 3)})
    it = process(line(quantity=3), reviews=reviews("retl_1", "APPROVED", "DECLINED"), refunds=[refund("6.67")])
    short = "line 'retl_1': 2 compensated, 1 approved"
    why = f"fewer units are approved than were compensated ({short})"
    same(it, OURS, known, Hold("fewer_approvals", why, CONTRADICTION, {"lines": short}))


def test_changed_terms_are_all_evidence_and_the_first_three_are_told() -> None:
    known = record(
        *(intent(line_id=each, amount="1.00") for each in "abc"),
        lines={"retl_1": terms(), "b": terms(), "a": terms(), "c": terms()},
        costs=Decimal(0),
    )
    it = process(line(total="12.00"), line("b", 4), line("d"), costs="1.00", refunds=[refund("1.00")] * 3)
    changes = [
        "line 'a' is no longer there",
        "line 'b' was 1 for 10.00 EUR, is 4 for 10.00 EUR",
        "line 'c' is no longer there",
        "line 'retl_1' was 1 for 10.00 EUR, is 1 for 12.00 EUR",
        "the return costs were 0.00 EUR, are 1.00 EUR",
    ]
    held = decide(it, rules(timing="ON_START"), known, NOW)
    why = f"the terms have changed since the first payment: {'; '.join(changes[:3])}; going on is by the first ones"
    assert isinstance(held, Hold)
    assert (held.rule, held.why, held.evidence) == ("terms_changed", why, {"changes": "; ".join(changes)})


def test_values_that_are_not_known_are_named() -> None:
    it = process(line(quantity=3), reviews=reviews("retl_1", "MAYBE", "APPROVED", "LATER"))
    why, told = (
        "a review has the status 'LATER', 'MAYBE', which is not known here",
        {"reviews.status": "'LATER', 'MAYBE'"},
    )
    same(it, OURS, EMPTY, Hold("unknown_review_status", why, UNKNOWN, told))
    lines = (line(method="BIZUM"), line("b", 2, method=""), line("c"))
    it = process(*lines, reviews=[*approved(), *approved("b", 2), *approved("c")])
    why = "3 approved units to be compensated by a method that is not known here: 'BIZUM', empty"
    told = {"compensation_method": "'BIZUM', empty", "lines": "'retl_1', 'b'"}
    items = (MINE, LineUnits("b", (1, 2)), LineUnits("c", (1,)))
    same(it, OURS, EMPTY, Hold("unknown_method", why, UNKNOWN, told, items=items))


def test_refunds_of_others_are_told_beside_what_is_due() -> None:
    shown, due = "9.00 EUR by ORIGINAL_PAYMENT_METHOD, 4.00 EUR by BANK_TRANSFER", f"{OWED}, 10.00 EUR by GIFT_CARD"
    it = process(
        line(), line("b", method=GIFT),
        reviews=[*approved(), *approved("b")], refunds=[refund("9.00"), refund("4.00", BANK, missing="1.00")],
    )  # fmt: skip
    why = f"REVER shows refunds of {shown}, of which a part is still to be paid that were not made here, "
    why += f"while {due} is due"
    told, seen = {"foreign": shown, "due": due}, {"EUR": Decimal("13.00")}
    same(it, OURS, EMPTY, Hold("foreign_refund", why, FOREIGN, told, Decimal(20), "EUR", (MINE, OTHER), refunds=seen))
    why = "REVER shows refunds of 9.00 EUR by no method that were not made here, while nothing is due"
    told, seen = {"foreign": "9.00 EUR by no method", "due": "nothing"}, {"EUR": Decimal("9.00")}
    same(process(refunds=[refund("9.00", "")]), OURS, EMPTY, Hold("foreign_refund", why, FOREIGN, told, refunds=seen))


def test_an_exchange_of_others_or_beside_the_first_is_told() -> None:
    why, told = "REVER shows an exchange order that was not made here", {"exchange_order": "shown"}
    it = process(SWAP, reviews=approved(), exchange=order("v"))
    same(it, OURS, EMPTY, Hold("foreign_exchange", why, FOREIGN, told, TEN, "EUR", (MINE,)))
    why += ", of other items than the shopper chose"
    same(process(SWAP, exchange=order("w")), REVERS, EMPTY, Hold("foreign_exchange", why, FOREIGN, told))
    more = (SWAP, line("b", method=EXCHANGE, variant="w"))
    it = process(*more, reviews=[*approved(), *approved("b")], exchange=order("v"))
    known = record(intent(IntentKind.EXCHANGE), lines={"retl_1": terms()})
    why = "an exchange was ordered already, and more units are to be exchanged"
    same(it, OURS, known, Hold("second_exchange", why, CONTRADICTION, {}, TEN, "EUR", (OTHER,)))


def test_what_is_not_this_desks_to_pay_is_told_with_its_deadline() -> None:
    it = process(SWAP, line("b", method=BANK), reviews=[*approved(), *approved("b")])
    why = "10.00 EUR by BANK_TRANSFER and the exchange of 1 unit is due, and it is not stated who pays at this store: "
    why += "set REVER_REFUNDS_BY to us or rever"
    same(it, rules(RefundsBy.UNSTATED), EMPTY, Wait("refunds_by_unstated", why, SOON))
    it, by = process(reviews=approved(), refunds=[refund("4.00")]), "2026-03-23 11:00 UTC"
    same(it, REVERS, EMPTY, Wait("rever_pays", f"{OWED} is due, which REVER pays by itself until {by}", SOON))
    why = f"{OWED} is due, and REVER, which pays at this store, has not paid it until {by}"
    told = {"due": OWED, "deadline": by, "shown": "4.00 EUR by ORIGINAL_PAYMENT_METHOD"}
    held = Hold("not_paid_by_rever", why, HoldKind.NOT_PAID_BY_REVER, told, TEN, "EUR", (MINE,))
    same(it, REVERS, EMPTY, held, LATE)
    held = replace(held, evidence={**told, "shown": "nothing"})
    same(process(reviews=approved()), REVERS, EMPTY, held, LATE)
    waived = record(waivers=(Waiver("not_paid_by_rever", TEN, "EUR"),))
    waits = Wait("rever_pays", f"{why}; a person said to go on waiting", LATE + timedelta(minutes=10))
    same(it, REVERS, waived, waits, LATE)


def test_times_in_a_reason_are_those_of_the_stores_zone() -> None:
    """Clocks in Madrid go forward on the 29th."""
    it, winter = process(reviews=approved()), replace(REVERS, zone=ZoneInfo("Europe/Madrid"))
    held = decide(it, winter, EMPTY, LATE)
    assert isinstance(held, Hold)
    assert "has not paid it until 2026-03-23 12:00 CET" in held.why
    assert held.evidence["deadline"] == "2026-03-23 12:00 CET"
    ours = replace(OURS, zone=ZoneInfo("Europe/Madrid"))
    over = decide(it, ours, record(archived_at=NOW + timedelta(days=10)), NOW + timedelta(days=11))
    assert isinstance(over, Hold)
    assert "archived at 2026-03-31 14:00 CEST; a person looks" in over.why
    assert over.evidence == {"archived": "2026-03-31 14:00 CEST"}
    lost = decide(it, ours, record(review_before=NOW), NOW)
    assert isinstance(lost, Hold)
    assert lost.evidence == {"restored": "2026-03-21 13:00 CET"}


def test_what_rever_paid_itself_is_adopted_with_its_costs() -> None:
    it = process(reviews=approved(), costs="10.00")
    why = "the return's costs use up what is due: REVER has nothing to pay"
    due = RefundDue(ORIGINAL, Decimal("0.00"), TEN, "EUR", (MINE,))
    same(it, REVERS, EMPTY, Adopt("already_paid", why, TEN, (due,)))
    it = process(reviews=approved(), costs="1.00", refunds=[refund("9.00")])
    why = "REVER itself has refunded 9.00 EUR by ORIGINAL_PAYMENT_METHOD, which is what is due: nothing is sent"
    same(it, OURS, EMPTY, Adopt("already_paid", why, Decimal("1.00"), (replace(due, amount=Decimal("9.00")),)))


def test_an_end_says_what_became_of_every_unit() -> None:
    each = reviews("retl_1", "APPROVED", "DECLINED", "MISSING", "MISSING")
    it = process(line(quantity=4), refunds=[refund("2.50")], reviews=each)
    known = record(intent(amount="2.50"), lines={"retl_1": terms("10.00", 4)})
    why = "every unit has its outcome: 1 approved and compensated, 3 declined or missing"
    same(it, OURS, known, Nothing("all_settled", why, final=True))
    it = process(line(quantity=2), reviews=reviews("retl_1", "DECLINED", "DECLINED"), refunds=[refund()])
    known = record(intent(units=(1, 2)), lines={"retl_1": terms("10.00", 2)})
    why = "every unit has its outcome: 0 approved and compensated, 2 declined or missing; "
    why += "2 units paid before the inspection and not approved in it, which is not reclaimed"
    same(it, rules(timing="ON_START"), known, Nothing("all_settled", why, final=True))


@pytest.mark.parametrize(
    ("it", "rule", "why"),
    [
        (
            process(
                line(quantity=2, method=EXCHANGE, variant="v"),
                line("b", method=EXCHANGE, variant="w"),
                reviews=reviews("retl_1", "APPROVED", "DECLINED"),
            ),
            "wait_exchange_inspection",
            "1 approved unit to be exchanged once the whole exchange is inspected; 1 unit not inspected yet",
        ),
        (process(line(quantity=2)), "wait_inspection", "waiting for the inspection: 2 units not inspected yet"),
        (
            process(return_status="COLLECTED", logistics=["COLLECTED"]),
            "wait_parcel",
            "the goods are on their way to the warehouse; 1 unit not inspected yet",
        ),
        (
            process(return_status="STARTED", logistics=[], method="IN_STORE"),
            "wait_goods",
            "waiting for the shopper to bring the goods",
        ),
        (
            process(return_status="STARTED", logistics=["CREATED", "CANCELED"]),
            "wait_goods",
            "the label is there; waiting for the carrier to collect the goods",
        ),
        (
            process(return_status="STARTED", logistics=["NO_SHIPPING_STATUS"]),
            "wait_label",
            "waiting for the label, which REVER is making",
        ),
    ],
)
def test_a_wait_says_for_what_and_how_much(it: ReturnProcess, rule: str, why: str) -> None:
    same(it, OURS, EMPTY, Wait(rule, why, SOON))


ROOT = Path(__file__).parents[3]
HOW = (
    "Each rule that holds needs a row: name it in ENDINGS of tasks/policy/decide.py with what ends its hold "
    "without a person, and in the table `What ends a hold without a person` of docs/holds.md; each HoldKind needs a "
    "row of the table `Why a return is held` there. Say in your own tests what closes it, where it is not one of the "
    "endings here."
)
BY_RULES = [rule for rule, ending in ENDINGS.items() if ending is Ending.NOTHING_DUE]
OF_LABELS = [rule for rule, ending in ENDINGS.items() if ending is Ending.NO_LABEL_NEEDED]
MAKERS = {"Hold", "hold", "_hold", "hold_intent"}


def rules_that_hold() -> set[str]:
    """The first argument, or `rule=`, of each call that makes a hold, and the names of the guards."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "tasks").rglob("*.py")]
    constants = {
        target.id: node.value.value
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }
    names = {
        constants.get(arg.id, "") if isinstance(arg, ast.Name) else arg.value
        for tree in trees
        for arg in _rules_of(tree)
        if isinstance(arg, ast.Name | ast.Constant)
    }
    return {str(name) for name in names if name} | {value for value in constants.values() if value.startswith("guard:")}


def _rules_of(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in MAKERS:
            yield from (word.value for word in node.keywords if word.arg == "rule")
            yield from [it for it in node.args[:1] if not isinstance(it, ast.Constant) or isinstance(it.value, str)]


def on_the_page(title: str) -> dict[str, str]:
    """A table of docs/holds.md: each name of the first column -> the last one."""
    page = (ROOT / "docs/holds.md").read_text(encoding="utf-8").split(f"## {title}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("| `")]
    return {name: cells[-1].strip() for cells in rows for name in re.findall(r"`([^`]+)`", cells[0])}


def test_every_rule_that_holds_says_what_ends_it_without_a_person() -> None:
    found = rules_that_hold()
    assert {"contradictory", "late_answer", "no_carrier", "unknown_outcome", "differs_from_rever"} <= found
    assert found - ENDINGS.keys() == set(), HOW
    assert ENDINGS.keys() - found == set(), "no rule of this name holds any more"


def test_the_page_says_the_same() -> None:
    told = on_the_page("What ends a hold without a person")
    assert told.keys() == ENDINGS.keys(), HOW
    wrong = {rule: words for rule, words in told.items() if not words.startswith(ENDINGS[rule].value)}
    assert wrong == {}, HOW


def test_the_page_has_every_kind_of_hold() -> None:
    assert on_the_page("Why a return is held").keys() == set(HoldKind), HOW


def ended(told: ReturnProcess, held: OpenHold, **known: Any) -> dict[str, str]:
    return ended_holds(told, rules(), record(holds=(held,), **known), NOW)


@pytest.mark.parametrize("rule", BY_RULES)
@pytest.mark.parametrize("status", ["CANCELED", "FAILED"])
def test_a_hold_of_a_return_that_was_called_off_closes(rule: str, status: str) -> None:
    (why,) = ended(process(reviews=approved(), status=status), hold(rule)).values()
    assert f"is {status} at REVER" in why


@pytest.mark.parametrize("rule", BY_RULES)
def test_a_hold_of_a_return_that_is_settled_closes(rule: str) -> None:
    settled = process(reviews=approved(), refunds=[refund()], status="COMPLETED")
    known = record(intent(), holds=(hold(rule),), lines={"retl_1": terms()}, costs=process().return_costs)
    assert "every unit has its outcome" in ended_holds(settled, rules(), known, NOW)["hold-1"]


@pytest.mark.parametrize("rule", BY_RULES)
def test_a_hold_whose_approvals_were_withdrawn_closes(rule: str) -> None:
    assert ended(process(), hold(rule)).keys() == {"hold-1"}


@pytest.mark.parametrize("rule", BY_RULES)
def test_a_hold_closes_where_rever_itself_has_paid_what_was_due(rule: str) -> None:
    assert ended(process(reviews=approved(), refunds=[refund()]), hold(rule)).keys() == {"hold-1"}


def test_two_reads_that_differ_hold_until_they_agree_or_the_return_has_ended() -> None:
    """One of them asks for nothing, and may be the wrong one: closed by it, the hold would come again in each run."""
    held = hold("reads_differ")
    assert ended(process(), held) == {}
    assert ended(process(status="CANCELED"), held).keys() == {"hold-1"}
    due = process(reviews=approved())
    assert ended(due, held) == {}
    assert ended_holds(due, rules(), record(holds=(held,)), NOW, agreed=True).keys() == {"hold-1"}


@pytest.mark.parametrize("rule", [*BY_RULES, "late_answer", "unknown_outcome"])
def test_a_hold_never_turns_into_a_payment_by_itself(rule: str) -> None:
    """A person may be paying it by hand at that very moment."""
    assert ended(process(reviews=approved()), hold(rule)) == {}


@pytest.mark.parametrize("rule", BY_RULES)
def test_a_refund_that_nobody_has_seen_keeps_a_hold_open(rule: str) -> None:
    assert ended(process(refunds=[refund()], status="CANCELED"), hold(rule)) == {}


@pytest.mark.parametrize("rule", BY_RULES)
def test_an_older_view_closes_nothing_for_want_of_approvals(rule: str) -> None:
    older = process(updated_at=NOW - timedelta(seconds=1))
    assert ended(older, hold(rule)) == {}
    assert ended(process(updated_at=NOW), hold(rule)).keys() == {"hold-1"}


@pytest.mark.parametrize("rule", [*OF_LABELS, "incomplete_read"])
@pytest.mark.parametrize(
    "told",
    [
        process(reviews=approved(), refunds=[refund()], status="COMPLETED"),
        process(status="CANCELED", logistics=()),
        process(logistics=["LABEL_CREATED"], return_status="STARTED"),
        process(logistics=(), reviews=approved(), return_status="STARTED"),
        process(logistics=(), return_status="COLLECTED"),
        process(logistics=[""], return_status="STARTED"),
    ],
    ids=["completed", "cancelled", "label there", "inspected", "on its way", "label being made"],
)
def test_a_hold_of_a_label_closes_once_none_is_needed(rule: str, told: ReturnProcess) -> None:
    assert ended(told, hold(rule, label=True)).keys() == {"hold-1"}


@pytest.mark.parametrize("rule", [*OF_LABELS, "incomplete_read"])
def test_a_hold_of_a_label_never_turns_into_a_label_by_itself(rule: str) -> None:
    assert ended(process(logistics=(), return_status="STARTED"), hold(rule, label=True)) == {}
    assert ended(process(logistics=["ERROR"], return_status="STARTED"), hold(rule, label=True)) == {}


@pytest.mark.parametrize("rule", [rule for rule, ending in ENDINGS.items() if ending is Ending.PERSON])
@pytest.mark.parametrize("status", ["CANCELED", "COMPLETED"])
def test_what_only_a_person_ends_stays_open(rule: str, status: str) -> None:
    assert ended(process(status=status), hold(rule)) == {}


@pytest.mark.parametrize("label", [False, True])
def test_a_hold_about_an_outcome_is_not_the_rules_to_close(*, label: bool) -> None:
    """It closes when the effect is seen at REVER: see the tests of settling and outcomes in the ledger."""
    asked = replace(hold("unknown_outcome", label=label), intent_id="i1")
    assert ended(process(status="CANCELED"), asked) == {}


def test_a_rule_that_nobody_listed_is_left_to_a_person() -> None:
    assert ended(process(status="CANCELED"), hold("a rule of tomorrow")) == {}


def test_one_of_two_holds_can_be_gone() -> None:
    both = (hold("guard:max_refund"), replace(hold("no_carrier", label=True), id="hold-2"))
    due = process(reviews=approved())
    assert ended_holds(due, rules(), record(holds=both), NOW).keys() == {"hold-2"}
