"""The merchant's own rules in whole runs: what they leave due is paid once, to the cent, and the ledger agrees."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flows.run import RunFailedError
from rever_api import AsyncReverClient
from rever_api.errors import NotSent
from rever_api.models import CompensationMethod, LogisticOrderRequest, Review
from tasks.desk import DeskError
from tasks.effects.calls import order_request
from tasks.ledger import Claim, check, find_hold, open_holds, open_intents
from tasks.policy.clocks import clock_time
from tasks.policy.decision import MakeLabel
from tests.world import Start, World

Shop = Callable[..., World]


@pytest.fixture
def shop(start_world: Start, tmp_path: Path) -> Shop:
    """A desk with these rules, each as in a policy file, before a shop with a return of each scenario."""

    def start(*scenarios: str, rules: str, **settings: str) -> World:
        policy = tmp_path / "policy.yaml"
        policy.write_text(f"default:\n  rules: [{rules}]\n")
        world = start_world(settings={"REVER_POLICY": str(policy), **settings}, shops=("acme",), returns=34)
        world.keep_only(scenarios)
        return world

    return start


def refunds(world: World) -> dict[str, Decimal]:
    """Method -> what was refunded through the API."""
    made: dict[str, Decimal] = {}
    for effect in world.sandbox.books:
        if effect.operation == "issueRefund" and not effect.foreign:
            made[effect.type] = made.get(effect.type, Decimal(0)) + (effect.amount or Decimal(0))
    return made


def totals(world: World) -> dict[str, Decimal]:
    """Method wished for -> the lines' totals."""
    found: dict[str, Decimal] = {}
    for stored in world.sandbox.sandbox.processes.values():
        for line in stored.process.return_line_items:
            method = str(line.compensation_method)
            found[method] = found.get(method, Decimal(0)) + (line.total_price or Decimal(0))
    return found


def agrees(world: World) -> bool:
    """Whether the ledger's own check finds nothing."""
    return world.read(check, now=world.clock()).findings == ()


def test_a_line_that_a_rule_declines_is_never_paid_and_the_rest_is(shop: Shop) -> None:
    world = shop("two_methods", rules="{name: rule, when: {method: {is: GIFT_CARD}}, then: {decline: {why: no cards}}}")
    plan = world.run("process-pending-returns", mode="plan")
    for _ in range(2):
        world.act()
    wished = totals(world)
    assert refunds(world) == {"ORIGINAL_PAYMENT_METHOD": wished["ORIGINAL_PAYMENT_METHOD"]}
    assert plan.would_pay == {"EUR": wished["ORIGINAL_PAYMENT_METHOD"]}
    assert world.holds() == []
    assert agrees(world)


def test_costs_are_borne_by_the_lines_that_a_rule_leaves_them_to(shop: Shop) -> None:
    world = shop(
        "costs_smaller", rules="{name: rule, when: {method: {is: ORIGINAL_PAYMENT_METHOD}}, then: {no_fee: {}}}"
    )
    costs = Decimal("5.00")
    with world.sandbox.sandbox.locked():
        (stored,) = world.sandbox.sandbox.processes.values()
        world.sandbox.sandbox.change(stored, return_costs=costs)
    wished = totals(world)
    for _ in range(2):
        world.act()
    assert refunds(world) == wished | {"GIFT_CARD": wished["GIFT_CARD"] - costs}
    assert agrees(world)


@pytest.mark.parametrize("exchange", [False, True])
def test_units_that_bear_no_costs_leave_them_to_the_others_also_where_a_person_closes_them(
    shop: Shop, exchange: bool
) -> None:
    """An exchange that becomes a refund bears them."""
    money = "when: {method: {is: ORIGINAL_PAYMENT_METHOD}}"
    ask = f"{{name: ask, {money}, then: {{approve: {{who: o, why: w}}}}}}"
    free = f"{{name: free, {money}, then: {{no_fee: {{}}}}}}"
    if exchange:
        money = "when: {method: {is: EXCHANGE}}"
        free = f"{{name: no goods, {money}, then: {{methods: {{never: [EXCHANGE], instead: [GIFT_CARD]}}}}}}"
        ask = f"{{name: ask, {money}, then: {{approve: {{who: o, why: w}}}}}}"
    world = shop("two_methods", rules=f"{free}, {ask}")
    costs = Decimal("5.00")
    with world.sandbox.sandbox.locked():
        (stored,) = world.sandbox.sandbox.processes.values()
        world.sandbox.sandbox.change(stored, return_costs=costs)
        if exchange:
            lines = [
                line.model_copy(update={"compensation_method": CompensationMethod.EXCHANGE})
                if line.compensation_method == CompensationMethod.ORIGINAL_PAYMENT_METHOD
                else line
                for line in stored.process.return_line_items
            ]
            world.sandbox.sandbox.change(stored, return_line_items=tuple(lines))
    world.act()
    (hold,) = world.holds()
    gift = totals(world)["GIFT_CARD"]
    left = gift if exchange else gift - costs
    assert f"{left:,} EUR stays due for other units" in hold.answers["drop"]
    world.run("answer-hold", mode="act", hold_id=hold.hold_id, version="1", answer="drop", by="olga", reason="no")
    for _ in range(2):
        world.act()
    assert refunds(world) == {"GIFT_CARD": left}
    assert agrees(world)


def test_a_bonus_is_paid_once_and_only_on_top_of_credit(shop: Shop) -> None:
    world = shop("two_methods", rules="{name: more, then: {bonus: {percent: 10 %, methods: [GIFT_CARD]}}}")
    world.sandbox.sandbox.options = replace(world.sandbox.sandbox.options, bonus={"GIFT_CARD": Decimal(10)})
    for _ in range(3):
        world.act()
    wished = totals(world)
    more = (wished["GIFT_CARD"] / 10).quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert refunds(world) == wished | {"GIFT_CARD": wished["GIFT_CARD"] + more}
    assert world.sandbox.audit().violations == ()
    assert world.holds() == []
    assert agrees(world)


def inspect_all(world: World) -> None:
    """Approve the units of the one return that nobody has inspected yet."""
    with world.sandbox.sandbox.locked():
        (stored,) = world.sandbox.sandbox.processes.values()
        reviews = list(stored.process.reviews or ())
        for line in stored.process.return_line_items:
            done = sum(review.line_item_id == line.id for review in reviews)
            reviews += [Review(line_item_id=line.id, status="APPROVED") for _ in range(line.quantity - done)]
        world.sandbox.sandbox.change(stored, reviews=tuple(reviews))


def amounts(world: World) -> list[Decimal | None]:
    """What was refunded through the API, one after another."""
    return [it.amount for it in world.sandbox.books if it.operation == "issueRefund" and not it.foreign]


def test_a_fee_in_percent_of_a_line_that_is_refunded_in_two_parts_is_that_of_all_to_the_cent(shop: Shop) -> None:
    """Three units of 10.01 EUR in all, two approved at first: 25 % of 6.67 are 1.67, of 10.01 they are 2.50."""
    world = shop("approved_two_of_three", rules="{name: opened, then: {fee: {percent: 25 %}}}")
    plan = world.run("process-pending-returns", mode="plan")
    for _ in range(2):
        world.act()
    assert plan.would_pay == {"EUR": Decimal("5.00")}
    assert amounts(world) == [Decimal("5.00")]
    inspect_all(world)
    for _ in range(2):
        world.act()
    assert amounts(world) == [Decimal("5.00"), Decimal("2.51")]
    assert sum(refunds(world).values()) == Decimal("10.01") - Decimal("2.50")
    assert world.sandbox.audit().violations == ()
    assert world.holds() == []
    assert agrees(world)


def test_a_fee_in_percent_that_the_store_changes_between_two_refunds_is_asked_about(shop: Shop, tmp_path: Path) -> None:
    """Who approves goes on by the first one, as the ledger has it."""
    world = shop("approved_two_of_three", rules="{name: opened, then: {fee: {percent: 15 %, at_most: 9.00 EUR}}}")
    world.act()
    (tmp_path / "policy.yaml").write_text("default: {rules: [{name: opened, then: {fee: {percent: 50 %}}}]}\n")
    inspect_all(world)
    world.act()
    (hold,) = world.holds()
    assert (hold.rule, amounts(world)) == ("terms_changed", [Decimal("5.67")])
    assert "was 15 %, at most 9.00 EUR by rule 'opened', is 50 % by rule 'opened'" in hold.why
    said = {"answer": "approve", "by": "olga", "reason": "as it was promised"}
    world.run("answer-hold", mode="act", hold_id=hold.hold_id, version=str(hold.version), **said)
    for _ in range(2):
        world.act()
    assert amounts(world) == [Decimal("5.67"), Decimal("2.84")]
    assert world.holds() == []
    assert agrees(world)


@pytest.mark.parametrize(
    ("answer", "amount", "due"),
    [
        ("done_by_hand", "", "3.34"),
        ("done_by_hand", "3.67", "3.34"),
        ("done_by_hand", "6.67", "0.34"),
        ("drop", "", "0.34"),
    ],
)
def test_a_fee_in_percent_that_was_taken_off_what_a_person_paid_is_not_taken_again(
    shop: Shop, answer: str, amount: str, due: str
) -> None:
    """Its least came off the first two units; not where all that they are worth was paid, or they were given up."""
    world = shop(
        "approved_two_of_three",
        rules="{name: opened, then: {fee: {percent: 15 %, at_least: 3.00 EUR, at_most: 9.00 EUR}}}, "
        "{name: ask, then: {approve: {who: the owner, why: every refund}}}",
    )
    world.act()
    (hold,) = world.holds()
    assert hold.amount == Decimal("3.67")
    said = {"answer": answer, "by": "olga", "reason": "in the shop"}
    said |= {"reference": "till 7", "on": f"{world.clock():%F}"} if answer == "done_by_hand" else {}
    said |= {"amount": amount} if amount else {}
    world.run("answer-hold", mode="act", hold_id=hold.hold_id, version=str(hold.version), **said)
    inspect_all(world)
    world.act()
    (later,) = world.holds()
    assert later.amount == Decimal(due)
    world.run("answer-hold", mode="act", hold_id=later.hold_id, version="1", answer="approve", by="o", reason="x")
    for _ in range(2):
        world.act()
    assert amounts(world) == [Decimal(due)]
    assert world.holds() == []
    assert agrees(world)


@pytest.mark.parametrize("answer", ["done_by_hand", "drop"])
def test_a_hold_says_what_stays_due_beside_a_fee_in_percent_and_that_is_paid(shop: Shop, answer: str) -> None:
    """Paid by hand, the line that is asked about had the least and the sum; given up, it leaves both to the other."""
    money = "when: {method: {is: ORIGINAL_PAYMENT_METHOD}}"
    world = shop(
        "two_methods",
        rules="{name: opened, then: {fee: {percent: 0 %, at_least: 3.00 EUR}}}, "
        "{name: five, then: {bonus: {amount: 5.00 EUR, methods: [GIFT_CARD, PROMO_CODE]}}}, "
        f"{{name: credit, {money}, then: {{methods: {{only: [PROMO_CODE], instead: [PROMO_CODE]}}}}}}, "
        f"{{name: ask, {money}, then: {{approve: {{who: o, why: w}}}}}}",
    )
    wished = totals(world)
    world.act()
    (hold,) = world.holds()
    other = wished["GIFT_CARD"] + (Decimal("2.00") if answer == "drop" else 0)
    assert f"{other:,} EUR stays due for other units" in hold.answers[answer]
    said = {"answer": answer, "by": "olga", "reason": "in the shop"}
    if answer == "done_by_hand":
        paid = wished["ORIGINAL_PAYMENT_METHOD"] + Decimal("2.00")
        said |= {"reference": "till 7", "on": f"{world.clock():%F}", "amount": f"{paid}"}
    world.run("answer-hold", mode="act", hold_id=hold.hold_id, version=str(hold.version), **said)
    for _ in range(2):
        world.act()
    assert refunds(world) == {"GIFT_CARD": other}
    assert agrees(world)


@pytest.mark.parametrize("answer", ["done_by_hand", "drop"])
def test_a_cap_s_hold_tells_no_figure_that_the_fee_of_units_given_up_makes_another(
    shop: Shop, tmp_path: Path, answer: str
) -> None:
    world = shop("two_methods", rules="{name: opened, then: {fee: {percent: 0 %, at_least: 3.00 EUR}}}")
    with (tmp_path / "policy.yaml").open("a") as policy:
        policy.write('  guards: {max_refund: {EUR: "0.01"}}\n')
    world.act()
    (hold,) = world.holds()
    assert hold.rule == "guard:max_refund"
    said = {"answer": answer, "by": "olga", "reason": "in the shop"}
    said |= {"reference": "till 7", "on": f"{world.clock():%F}"} if answer == "done_by_hand" else {}
    world.run("answer-hold", mode="act", hold_id=hold.hold_id, version=str(hold.version), **said)
    world.act()
    (other,) = world.holds()
    assert (f"{other.amount:,} EUR stays due" in hold.answers[answer]) == (answer == "done_by_hand")
    assert (" EUR stays due" in hold.answers[answer]) == (answer == "done_by_hand")
    assert agrees(world)


def test_a_sum_on_top_of_credit_is_paid_once_for_the_return(shop: Shop) -> None:
    """The sandbox's auditor knows no rule, and says of it what it says of every bonus."""
    world = shop(
        "approved_two_of_three",
        rules="{name: credit, then: {methods: {only: [GIFT_CARD], instead: [GIFT_CARD]}}}, "
        "{name: more, then: {bonus: {amount: 5.00 EUR, methods: [GIFT_CARD]}}}",
    )
    for _ in range(2):
        world.act()
    inspect_all(world)
    for _ in range(2):
        world.act()
    assert amounts(world) == [Decimal("11.67"), Decimal("3.34")]
    assert refunds(world) == {"GIFT_CARD": Decimal("15.01")}
    assert "over_paid" in {violation.kind for violation in world.sandbox.audit().violations}
    assert world.holds() == []
    assert agrees(world)


@pytest.mark.parametrize(("answer", "due"), [("done_by_hand", "3.34"), ("drop", "8.34")])
def test_a_sum_on_top_of_credit_that_was_paid_by_hand_is_not_paid_again(shop: Shop, answer: str, due: str) -> None:
    """Who pays what the hold states has paid it; of units that were given up nobody had it."""
    world = shop(
        "approved_two_of_three",
        rules="{name: credit, then: {methods: {only: [GIFT_CARD], instead: [GIFT_CARD]}}}, "
        "{name: more, then: {bonus: {amount: 5.00 EUR, methods: [GIFT_CARD]}}}, "
        "{name: ask, then: {approve: {who: the owner, why: every refund}}}",
    )
    world.act()
    (hold,) = world.holds()
    assert hold.amount == Decimal("11.67")
    said = {"answer": answer, "by": "olga", "reason": "in the shop"}
    said |= {"reference": "till 7", "on": f"{world.clock():%F}"} if answer == "done_by_hand" else {}
    world.run("answer-hold", mode="act", hold_id=hold.hold_id, version=str(hold.version), **said)
    inspect_all(world)
    world.act()
    (later,) = world.holds()
    assert later.amount == Decimal(due)
    assert agrees(world)


SUM_AND_FEE = (
    "{name: credit, then: {methods: {only: [GIFT_CARD], instead: [GIFT_CARD]}}}, "
    "{name: more, then: {bonus: {amount: 5.00 EUR, methods: [GIFT_CARD]}}}, "
    "{name: opened, then: {fee: {percent: 0 %, at_least: 3.00 EUR}}}"
)


@pytest.mark.parametrize(("answer", "due"), [("done_by_hand", "3.34"), ("drop", "5.34")])
def test_what_was_paid_by_hand_at_a_hold_that_nobody_can_let_pass_had_the_sum_and_bore_the_fee(
    shop: Shop, tmp_path: Path, answer: str, due: str
) -> None:
    world = shop(
        "approved_two_of_three",
        rules=f"{SUM_AND_FEE}, {{name: sale, when: {{product_tags: {{has: sale}}}}, then: {{decline: {{why: w}}}}}}",
    )
    world.act()
    (hold,) = world.holds()
    assert hold.rule == "needs_facts"
    said = {"answer": answer, "by": "olga", "reason": "in the shop"}
    said |= {"reference": "till 7", "on": f"{world.clock():%F}", "amount": "8.67"} if answer == "done_by_hand" else {}
    world.run("answer-hold", mode="act", hold_id=hold.hold_id, version=str(hold.version), **said)
    (tmp_path / "policy.yaml").write_text(f"default:\n  rules: [{SUM_AND_FEE}]\n")
    inspect_all(world)
    for _ in range(2):
        world.act()
    assert amounts(world) == [Decimal(due)]
    assert world.holds() == []
    assert agrees(world)


@pytest.mark.parametrize(
    ("answer", "paid"),
    [("send_again", ["8.67", "3.34"]), ("done_by_hand", ["3.34"]), ("drop", ["3.34"])],
)
def test_a_refund_that_may_have_been_made_has_had_the_sum_and_borne_the_fee_whatever_a_person_says(
    start_world: Start, tmp_path: Path, answer: str, paid: list[str]
) -> None:
    """Also where it was given up: it may land all the same, with both in it."""
    (tmp_path / "policy.yaml").write_text(f"default:\n  rules: [{SUM_AND_FEE}]\n")
    settings = {"REVER_POLICY": str(tmp_path / "policy.yaml")}
    world = start_world(settings=settings, shops=("acme",), returns=34, faults="issueRefund:1:error_500_before")
    world.keep_only(["approved_two_of_three"])
    world.act()
    before = world.clock
    world.clock = lambda: before() + timedelta(minutes=5)
    world.run("reconcile", mode="act")
    (hold,) = world.holds()
    assert (hold.rule, hold.amount) == ("unknown_outcome", Decimal("8.67"))
    said = {"answer": answer, "by": "olga", "reason": "looked", "reference": "till 7"}
    world.run("answer-hold", mode="act", hold_id=hold.hold_id, version=str(hold.version), **said)
    inspect_all(world)
    for _ in range(2):
        world.act()
    assert amounts(world) == [Decimal(it) for it in paid]
    assert world.holds() == []
    assert agrees(world)


def test_a_cap_counts_the_sum_on_top(shop: Shop, tmp_path: Path) -> None:
    world = shop("two_methods", rules="{name: more, then: {bonus: {amount: 5.00 EUR, methods: [GIFT_CARD]}}}")
    gift = totals(world)["GIFT_CARD"]
    with (tmp_path / "policy.yaml").open("a") as policy:
        policy.write(f'  guards: {{max_refund: {{EUR: "{gift + Decimal("4.99")}"}}}}\n')
    for _ in range(2):
        world.act()
    assert "GIFT_CARD" not in refunds(world)
    assert [hold.rule for hold in world.holds()] == ["guard:max_refund"]


def test_another_method_is_paid_once_and_seen_as_ours(shop: Shop) -> None:
    rule = "{methods: {never: [ORIGINAL_PAYMENT_METHOD], instead: [GIFT_CARD]}}"
    world = shop("approved_one", "approved_thirds", rules=f"{{name: credit only, then: {rule}}}")
    reports = [world.act() for _ in range(3)]
    assert refunds(world) == {"GIFT_CARD": sum(totals(world).values())}
    assert [report.outcomes.get("done", 0) for report in reports] == [2, 0, 0]
    assert world.holds() == []
    assert agrees(world)


def test_what_a_rule_asks_a_person_about_is_paid_after_their_answer_and_once(shop: Shop) -> None:
    rule = "{approve: {who: the owner, why: every refund}}"
    world = shop("approved_one", "two_methods", rules=f"{{name: ask, then: {rule}}}")
    world.act()
    world.act()
    assert refunds(world) == {}
    held = world.holds()
    assert {hold.rule for hold in held} == {"approval"}
    named = ",".join(f"{hold.hold_id}:{hold.version}" for hold in held)
    world.run("answer-holds", mode="act", holds=named, answer="approve", by="olga", reason="seen")
    world.act()
    assert refunds(world) == totals(world)
    assert world.holds() == []
    assert agrees(world)


ASK = "{{approve: {{who: the owner, why: every refund, within_days: 3, then: {then}}}}}"


@pytest.mark.parametrize(("then", "paid"), [("go_on", True), ("decline", False)])
def test_an_approval_that_nobody_gives_in_time_ends_as_the_rule_says(shop: Shop, then: str, paid: bool) -> None:
    world = shop("approved_one", rules=f"{{name: ask, then: {ASK.format(then=then)}}}")
    world.act()
    (hold,) = world.holds()
    until = clock_time(hold.since + timedelta(days=3), ZoneInfo("Europe/Madrid"))
    assert f"without an answer by {until} it is " in hold.why
    world.pass_time(3 * 86_400 - 60)
    assert world.act().notes == []
    world.pass_time(120)
    plan = world.run("process-pending-returns", mode="plan")
    assert "`act` answers" in plan.notes[0]
    assert f"nobody answered until {until}" in plan.notes[0]
    assert (len(world.holds()), refunds(world)) == (1, {})
    said = world.act().notes
    assert len(said) == 1
    assert f"answered {'approve' if paid else 'drop'} by the store's own rule" in said[0]
    for _ in range(2):
        world.act()
    assert refunds(world) == (totals(world) if paid else {})
    assert world.holds() == []
    past = world.read(find_hold, hold.hold_id)
    assert past is not None
    assert (past.answered_by, past.answer) == ("the policy", "approve" if paid else "drop")
    assert agrees(world)


def test_an_approval_is_left_to_a_person_where_its_rule_is_gone(shop: Shop, tmp_path: Path) -> None:
    world = shop("approved_one", rules=f"{{name: ask, then: {ASK.format(then='go_on')}}}")
    world.act()
    (tmp_path / "policy.yaml").write_text("default: {rules: []}\n")
    world.pass_time(4 * 86_400)
    world.act()
    assert (len(world.holds()), refunds(world)) == (1, {})


@pytest.mark.parametrize("then", ["go_on", "decline"])
def test_an_approval_is_left_to_a_person_where_the_rules_no_longer_ask_for_it(
    shop: Shop, tmp_path: Path, then: str
) -> None:
    """Another rule with the same limit asks about other returns: it is none of this one's."""
    world = shop("approved_one", rules=f"{{name: ask, then: {ASK.format(then=then)}}}")
    world.act()
    dear = f"{{name: ask, when: {{return_value: {{over: 9000.00 EUR}}}}, then: {ASK.format(then=then)}}}"
    (tmp_path / "policy.yaml").write_text(f"default: {{rules: [{dear}]}}\n")
    world.pass_time(4 * 86_400)
    said = world.act().notes
    assert (len(world.holds()), refunds(world)) == (1, {})
    assert "the store's own rules no longer ask for it: it is left to a person" in said[0]


def test_an_approval_that_a_person_gives_at_the_moment_of_its_limit_is_no_failure(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = shop("approved_one", rules=f"{{name: ask, then: {ASK.format(then='decline')}}}")
    world.act()
    (hold,) = world.holds()
    world.pass_time(4 * 86_400)
    as_listed = world.read(open_holds)
    said = {"hold_id": hold.hold_id, "version": str(hold.version), "answer": "approve", "by": "olga", "reason": "yes"}
    world.run("answer-hold", mode="act", **said)
    monkeypatch.setattr("tasks.answer_hold.open_holds", lambda *_: as_listed)
    report = world.act()
    assert report.failures == []
    assert refunds(world) == totals(world)
    assert agrees(world)


SALE = "{name: sale, when: {product_tags: {has: final sale}}, then: {decline: {why: final sale}}}"


def tell_of_products(folder: Path, rows: str) -> None:
    """Name a table of products with these rows in the policy file of this folder."""
    (folder / "products.csv").write_text(f"sku,product_tags\n{rows}")
    with (folder / "policy.yaml").open("a") as policy:
        policy.write("  facts: {products: products.csv}\n")


def test_a_fact_that_nobody_tells_holds_what_is_due_and_nothing_else(shop: Shop) -> None:
    world = shop("approved_one", "in_warehouse", rules=SALE)
    world.act()
    (hold,) = world.holds()
    assert (hold.rule, refunds(world)) == ("needs_facts", {})
    assert "the product's tags" in hold.why


@pytest.mark.parametrize(("tags", "paid"), [("new", True), ("final sale", False)])
def test_a_fact_that_comes_later_pays_once_a_person_looks_again_or_ends_the_question(
    shop: Shop, tmp_path: Path, tags: str, paid: bool
) -> None:
    """What a person was asked about is not paid without them; where nothing is due any more, the hold closes."""
    world = shop("approved_one", rules=SALE)
    world.act()
    (stored,) = world.sandbox.sandbox.processes.values()
    product = stored.process.return_line_items[0].product
    assert product is not None
    tell_of_products(tmp_path, f"{product.sku},{tags}\n")
    world.act()
    assert refunds(world) == {}
    held = world.holds()
    assert [hold.rule for hold in held] == (["needs_facts"] if paid else [])
    for hold in held:
        said = {"answer": "look_again", "by": "olga", "reason": "the table is there"}
        world.run("answer-hold", mode="act", hold_id=hold.hold_id, version=str(hold.version), **said)
    world.act()
    assert refunds(world) == (totals(world) if paid else {})
    assert world.holds() == []
    assert agrees(world)


def test_an_alarm_is_in_the_report_and_changes_nothing(shop: Shop) -> None:
    old = "{name: old, when: {days_since_start: {at_least: 1}}, then: {alarm: {why: 14 days are near}}}"
    world = shop("approved_one", "in_warehouse", rules=old)
    report = world.act()
    assert sorted(report.alarms["rule 'old': 14 days are near"].values()) == sorted(
        stored.process.order_name for stored in world.sandbox.sandbox.processes.values()
    )
    assert "alarm: rule 'old': 14 days are near (#AC" in "\n".join(report.lines())
    assert report.as_json()["alarms"] == {name: list(returns) for name, returns in report.alarms.items()}
    assert world.paid()


def test_a_table_of_products_decides_up_to_the_call(shop: Shop, tmp_path: Path) -> None:
    world = shop("approved_one", "approved_thirds", rules=SALE)
    found = [stored.process for stored in world.sandbox.sandbox.processes.values()]
    skus = [str(process.return_line_items[0].product.sku) for process in found if process.return_line_items[0].product]
    assert len(set(skus)) == 2
    rows = "".join(f"{sku},{tags}\n" for sku, tags in zip(skus, ("final sale", "new"), strict=True))
    tell_of_products(tmp_path, rows)
    for _ in range(2):
        world.act()
    assert [effect.process_id for effect in world.sandbox.books if not effect.foreign] == [found[1].rever_process_id]
    assert world.holds() == []


def test_goods_that_may_be_kept_are_paid_without_a_label(shop: Shop) -> None:
    world = shop("label_needed_pickup", rules="{name: keep, then: {keep_item: {}}}")
    for _ in range(2):
        world.act()
    assert refunds(world) == totals(world)
    assert [effect.operation for effect in world.sandbox.books if effect.operation != "issueRefund"] == []
    assert agrees(world)


def test_the_goods_go_to_the_warehouse_of_the_rule(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox's shop has one in Getafe, which serves Spain, and one in Lyon."""
    asked: list[LogisticOrderRequest] = []

    def watch(claim: Claim, label: MakeLabel, *rest: Any) -> LogisticOrderRequest:
        asked.append(order_request(claim, label, *rest))
        return asked[-1]

    monkeypatch.setattr("tasks.effects.calls.order_request", watch)
    lyon = "{name: repairs, when: {country: {is: ES}}, then: {warehouse: {name: lyon}}}"
    world = shop("label_needed_pickup", rules=lyon)
    world.act()
    assert [it.ecommerce_warehouse_address.city for it in asked if it.ecommerce_warehouse_address] == ["Lyon"]


def test_a_warehouse_that_the_store_does_not_have_is_named_before_anything_is_done(shop: Shop) -> None:
    world = shop("label_needed_pickup", "approved_one", rules="{name: far, then: {warehouse: {name: Leeds}}}")
    with pytest.raises((DeskError, RunFailedError), match="'Leeds', and its warehouses at REVER are"):
        world.act()
    assert world.paid() == {}


def test_a_warehouse_that_is_gone_when_the_list_can_be_read_at_last_leaves_no_label_open(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list cannot be read as the run begins; by the time of the label it can, without the rule's warehouse."""
    asked, original = [], AsyncReverClient.list_warehouses

    async def late(client: AsyncReverClient, store: str) -> Any:
        asked.append(store)
        if len(asked) == 1:
            raise NotSent("REVER could not be reached")
        return [it for it in await original(client, store) if it.name != "Lyon"]

    monkeypatch.setattr(AsyncReverClient, "list_warehouses", late)
    world = shop("label_needed_pickup", "approved_one", rules="{name: repairs, then: {warehouse: {name: Lyon}}}")
    with pytest.raises(RunFailedError, match=r"'Lyon', .*its warehouses at REVER are Getafe"):
        world.act()
    assert world.read(open_intents) == []
    assert world.holds() == []
    assert [effect.operation for effect in world.sandbox.books if not effect.foreign] == ["issueRefund"]


def test_rules_about_money_where_rever_pays_are_refused_and_named(shop: Shop) -> None:
    world = shop("approved_one", rules="{name: keep, then: {keep_item: {}}}", REVER_REFUNDS_BY="rever")
    with pytest.raises((DeskError, RunFailedError), match="its rules about money would do nothing: 'keep'"):
        world.act()
