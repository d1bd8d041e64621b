"""A candidate policy beside the live one: what it would do otherwise, with the money, and never more than that."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rever_api.models import Carrier, ReturnProcess
from tasks.policy.backtest.differences import Change, Purse
from tasks.policy.case import Case
from tasks.policy.decide import decide
from tasks.policy.decision import Compensate, Decision, DecisionName, Hold, RefundDue
from tasks.policy.policy_file import PolicyFile, PolicyFileError, read_policy
from tasks.policy.record import HoldKind, OpenHold, Record, Waiver
from tasks.policy.shadow import (
    Candidate,
    Differs,
    capped,
    difference,
    leaves_units,
    read_candidate,
    unjudged,
    without_questions,
)
from tasks.policy.side_facts import OrderFacts, ProductFacts, SideFacts
from tasks.policy.store import MAX_REFUND, Guards, StoreRules
from tests.tasks.policy.factories import GIFT, NOW, ORIGINAL, approved, line, process, record, rules
from tests.tasks.policy.oddities import Odd
from tests.tasks.policy.rule_texts import rules_of
from tests.tasks.policy.shop_returns import POLICIES

EUR = Purse("EUR")
AT_ONCE = "rules: [{name: at once, then: {pay: {at: start}}}]"
ASK = "rules: [{name: dear, when: {return_value: {over: 15.00 EUR}}, then: {approve: {who: service, why: dear}}}]"
GIFTS = "rules: [{name: gifts, then: {methods: {only: [GIFT_CARD], instead: [GIFT_CARD]}}}]"
FEE = "rules: [{name: fee, then: {fee: {amount: 3.00 EUR}}}]"
SHARE = "rules: [{name: fee, then: {fee: {percent: 15 %}}}]"
NOT_PAID = "rules: [{name: final sale, then: {decline: {why: final sale}}}]"
LATER = "rules: [{name: buffer, then: {pay: {at: inspection, plus_days: 5}}}]"


def policy(text: str = "", **guards: object) -> StoreRules:
    """A store with these merchant's rules and guards."""
    own = rules(guards=Guards.model_validate(guards))
    return replace(own, merchant_rules=rules_of(text) if text else ())


def asked(live: StoreRules, other: StoreRules, it: ReturnProcess, known: Record | None = None) -> Differs | None:
    """Both asked about a return, as a run asks them."""
    known = without_questions(known or record())
    both = [capped(decide(it, each, known, NOW), each.policy.guards, known) for each in (live, other)]
    leave = [leaves_units(Case(it, each, known, NOW), said) for each, said in zip((live, other), both, strict=True)]
    told = {"process_id": "retp_1", "order": "#1001"}
    return difference(both[0], both[1], **told, rules=live, now=NOW, leave=(leave[0], leave[1]))


def changes(found: Differs | None) -> dict[Purse, dict[Change, Decimal]]:
    assert found is not None
    return {purse: dict(each) for purse, each in found.changes.items()}


@pytest.mark.parametrize(
    ("live", "other", "waits", "change"),
    [
        ("", AT_ONCE, True, {Change.EARLIER: Decimal("20.00")}),
        (AT_ONCE, "", True, {Change.LATER: Decimal("20.00")}),
        ("", LATER, False, {Change.LATER: Decimal("20.00")}),
        ("", FEE, False, {Change.LESS: Decimal("3.00")}),
        (FEE, "", False, {Change.MORE: Decimal("3.00")}),
        ("", SHARE, False, {Change.LESS: Decimal("3.00")}),
        ("", NOT_PAID, False, {Change.LESS: Decimal("20.00")}),
        (NOT_PAID, "", False, {Change.MORE: Decimal("20.00")}),
        ("", ASK, False, {Change.HELD: Decimal("20.00")}),
        (ASK, "", False, {Change.EARLIER: Decimal("20.00")}),
        ("", GIFTS, False, {Change.OTHER_WAY: Decimal("20.00")}),
    ],
)
def test_each_way_to_differ_is_named_with_its_money(
    live: str, other: str, waits: bool, change: dict[Change, Decimal]
) -> None:
    it = process(line(quantity=2, total="20.00"), reviews=() if waits else approved(units=2))
    assert changes(asked(policy(live), policy(other), it)) == {EUR: change}


@pytest.mark.parametrize(
    ("live", "other", "change"),
    [
        ("", AT_ONCE, {Change.EARLIER: Decimal("10.00")}),
        (AT_ONCE, "", {Change.LATER: Decimal("10.00")}),
        ("", FEE, {Change.LESS: Decimal("3.00")}),
        (FEE, "", {Change.MORE: Decimal("3.00")}),
        (SHARE, "", {Change.MORE: Decimal("1.50")}),
    ],
)
def test_of_a_return_that_is_half_inspected_the_other_half_is_earlier_or_later_and_not_more_or_less(
    live: str, other: str, change: dict[Change, Decimal]
) -> None:
    it = process(line(quantity=2, total="20.00"), reviews=approved(units=1))
    assert changes(asked(policy(live), policy(other), it)) == {EUR: change}


def test_two_waits_for_different_things_are_no_difference() -> None:
    pays_later = "rules: [{name: week, then: {pay: {at: start, plus_days: 7}}}]"
    it = process(line(total="20.00"))
    first, second = (decide(it, each, record(), NOW) for each in (policy(), policy(pays_later)))
    assert first.why != second.why
    assert asked(policy(), policy(pays_later), it) is None


def test_an_end_where_the_live_policy_still_waits_differs_though_no_money_is_known() -> None:
    no_goods = "rules: [{name: insurance, then: {add_on: {}}}]"
    found = asked(policy(), policy(no_goods), process(line(total="20.00")))
    assert found is not None
    assert (found.live.decision, found.candidate.decision) == (DecisionName.WAIT, DecisionName.NO_ACTION)
    assert found.kinds == ()


def test_another_carrier_of_the_label_differs() -> None:
    carriers = (Carrier(provider="SENDCLOUD", carrier="DHL"), Carrier(provider="SENDCLOUD", carrier="GLS"))
    live, other = (rules(carriers=carriers, label_carriers=(name,)) for name in ("SENDCLOUD/DHL", "SENDCLOUD/GLS"))
    found = asked(live, other, process(line(), return_status="STARTED", logistics=()))
    assert found is not None
    assert (found.live.label, found.candidate.label) == (
        "SENDCLOUD/DHL (DROP_OFF_POINT)",
        "SENDCLOUD/GLS (DROP_OFF_POINT)",
    )
    assert found.kinds == ()


def test_what_the_live_policy_asks_a_person_does_not_silence_the_candidate() -> None:
    it = process(line(total="20.00"), reviews=approved())
    first = asked(policy(ASK), policy(), it)
    hold = OpenHold("h", 1, HoldKind.APPROVAL, "approval", "dear", NOW, amount=Decimal("20.00"), currency="EUR")
    assert asked(policy(ASK), policy(), it, record(holds=(hold,))) == first
    assert changes(first) == {EUR: {Change.EARLIER: Decimal("20.00")}}


def test_other_holds_hold_under_both() -> None:
    hold = OpenHold("h", 1, HoldKind.UNKNOWN_OUTCOME, "unknown_outcome", "not known", NOW, intent_id="i")
    it = process(line(total="20.00"), reviews=approved())
    assert asked(policy(), policy(FEE), it, record(holds=(hold,))) is None


def test_the_cap_of_one_refund_is_judged_to_the_cent_and_what_a_person_let_pass_passes() -> None:
    it = process(line(total="20.00"), reviews=approved())
    at_the_cap, below = policy(max_refund={"EUR": "20.00"}), policy(max_refund={"EUR": "19.99"})
    assert asked(policy(), at_the_cap, it) is None
    found = asked(policy(), below, it)
    assert found is not None
    assert (found.candidate.rule, found.candidate.held) == (MAX_REFUND, Decimal("20.00"))
    waiver = Waiver(MAX_REFUND, Decimal("20.00"), "EUR")
    assert asked(policy(), below, it, record(waivers=(waiver,))) is None


def test_caps_that_count_what_is_really_paid_are_named_and_not_judged() -> None:
    live = PolicyFile()
    other = PolicyFile(live.default.model_copy(update={"guards": Guards(max_refunds_per_shopper=1)}))
    (note,) = unjudged(live, Candidate(Path("candidate.yaml"), other), ["acme"])
    assert "other caps per day or per shopper at acme" in note
    same = PolicyFile(live.default.model_copy(update={"guards": Guards(max_refund={"EUR": Decimal(1)})}))
    assert unjudged(live, Candidate(Path("candidate.yaml"), same), ["acme"]) == []


TEXTS = ["", AT_ONCE, ASK, GIFTS, FEE, NOT_PAID, LATER]


@given(st.integers(0, 2**32), st.sampled_from(TEXTS), st.sampled_from(TEXTS), st.sampled_from([None, "9.00", "500"]))
@settings(max_examples=300, deadline=None)
def test_of_any_return_the_sums_add_up_and_nothing_that_was_asked_with_is_changed(
    seed: int, one: str, two: str, cap: str | None
) -> None:
    odd = Odd(seed)
    it = odd.process()
    known, base = odd.record(it), odd.rules()
    guards = Guards(max_refund={"EUR": Decimal(cap)}) if cap else Guards()
    live = replace(base, merchant_rules=rules_of(one) if one else ())
    other = replace(
        base,
        merchant_rules=rules_of(two) if two else (),
        policy=base.policy.model_copy(update={"guards": guards}),
    )
    before = repr((it, known))
    asked_with = without_questions(known)
    decisions = [capped(decide(it, each, asked_with, NOW), each.policy.guards, known) for each in (live, other)]
    found = difference(*decisions, process_id="p", order="#1", rules=live, now=NOW)
    assert repr((it, known)) == before
    assert asked_with == without_questions(asked_with)
    if (one, cap) == (two, None):
        assert found is None
    pays, would = (_paid(decision) for decision in decisions)
    if found is None:
        assert pays == would
        return
    for purse in {*found.changes, *pays, *would}:
        change = found.changes.get(purse, {})
        more = change.get(Change.EARLIER, Decimal(0)) + change.get(Change.MORE, Decimal(0))
        less = change.get(Change.LATER, Decimal(0)) + change.get(Change.LESS, Decimal(0))
        held = change.get(Change.HELD, Decimal(0)) if pays.get(purse) else Decimal(0)
        assert would.get(purse, Decimal(0)) - pays.get(purse, Decimal(0)) == more - less - held
        assert all(amount >= 0 for amount in change.values())


def _paid(decision: Decision) -> dict[Purse, Decimal]:
    paid: dict[Purse, Decimal] = {}
    if isinstance(decision, Compensate):
        for refund in decision.refunds:
            purse = Purse(refund.currency)
            paid[purse] = paid.get(purse, Decimal(0)) + refund.amount
        if decision.exchange:
            paid[Purse(decision.exchange.currency, goods=True)] = decision.exchange.gross
    return {purse: amount for purse, amount in paid.items() if amount}


def test_a_cap_never_lets_more_pass() -> None:
    assert MAX_REFUND == "guard:max_refund"  # as it stands in ledgers
    due = Compensate("r", "w", Decimal(0), (RefundDue(ORIGINAL, Decimal(5), Decimal(5), "EUR", ()),))
    assert capped(due, Guards(), record()) == due
    assert isinstance(capped(due, Guards(max_refund={"EUR": Decimal(4)}), record()), Hold)
    assert capped(due, Guards(max_refund={"SEK": Decimal(4)}), record()) == due


# The candidate's file.


def files(folder: Path, live: str, candidate: str | None) -> PolicyFile:
    """The live policy, beside a candidate."""
    (folder / "policy.yaml").write_text(live)
    if candidate is not None:
        (folder / "candidate.yaml").write_text(candidate)
    return read_policy(folder / "policy.yaml")


LIVE = "shadow: candidate.yaml\ndefault: {not_received: hold}\n"


def test_the_candidate_is_named_relative_to_the_policy_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    live = files(tmp_path, LIVE, "default: {out_of_stock: GIFT_CARD}\n")
    found = read_candidate(live)
    assert found is not None
    assert (found.name, found.problem) == ("candidate.yaml", "")
    own = found.rules(rules())
    assert (own.policy.out_of_stock, own.policy.not_received) == (GIFT, "approved")
    assert read_candidate(PolicyFile()) is None


def test_its_own_shadow_is_not_followed(tmp_path: Path) -> None:
    found = read_candidate(files(tmp_path, LIVE, "shadow: candidate.yaml\ndefault: {not_received: hold}\n"))
    assert found is not None
    assert found.policies is not None
    assert found.digest == read_policy(tmp_path / "policy.yaml").digest  # apart from the shadow they say the same


@pytest.mark.parametrize(
    ("candidate", "says"),
    [
        (None, "candidate.yaml: the policy file cannot be read"),
        ("", "the policy file is empty"),
        ("default: {\n", "line 2: this is not YAML"),
        ("default:\n  not_received: no\n", "line 2: default.not_received is no without quotes"),
    ],
)
def test_a_candidate_that_cannot_be_read_stops_nothing_and_says_why(
    tmp_path: Path, candidate: str | None, says: str
) -> None:
    live = files(tmp_path, LIVE, candidate)
    found = read_candidate(live)
    assert found is not None
    assert found.policies is None
    assert says in found.problem
    assert found.problem.startswith("the shadow policy candidate.yaml decides nothing, since it is wrong: ")
    assert "\n" not in found.problem
    with pytest.raises(ValueError, match="decides nothing"):
        found.rules(rules())


@pytest.mark.parametrize("value", ["5", '""', "[a.yaml]", "{file: a.yaml}", "null", "", "true"])
def test_a_name_that_is_none_is_a_problem_of_the_live_file(tmp_path: Path, value: str) -> None:
    with pytest.raises(PolicyFileError, match=r"policy\.yaml, line 2: shadow (is|has no value)") as refused:
        files(tmp_path, f"default: {{}}\nshadow: {value}\n", None)
    assert len(refused.value.problems) == 1


def test_the_digest_stands_for_what_the_file_says_and_not_for_how(tmp_path: Path) -> None:
    def digest(text: str) -> str:
        (tmp_path / "policy.yaml").write_text(text)
        return read_policy(tmp_path / "policy.yaml").digest

    first = digest("default: {not_received: hold, guards: {max_refund: {EUR: 5}}}\n")
    assert first
    assert first == digest("# tried since May\ndefault:\n  guards: {max_refund: {EUR: 5}}\n  not_received: hold\n")
    assert first != digest("default: {not_received: hold, guards: {max_refund: {EUR: 6}}}\n")
    two = "default: {rules: [{name: a, then: {no_fee: {}}}, {name: b, then: {fee: {amount: 1.00 EUR}}}]}\n"
    turned = "default: {rules: [{name: b, then: {fee: {amount: 1.00 EUR}}}, {name: a, then: {no_fee: {}}}]}\n"
    assert digest(two) != digest(turned)


def test_tables_are_the_candidates_own_and_what_was_gathered_by_the_run_stays() -> None:
    live = SideFacts(
        products={"A": ProductFacts("live.csv")},
        shop_orders={"1": OrderFacts("shop")},
        earlier={"mailbox": ()},
    )
    own = SideFacts(products={"B": ProductFacts("own.csv")})
    candidate = Candidate(Path("candidate.yaml"), PolicyFile(), sides={"acme": own})
    side = candidate.rules(replace(rules(), store="acme", side=live)).side
    assert side == replace(own, shop_orders=live.shop_orders, earlier=live.earlier)


@pytest.mark.parametrize("path", sorted(POLICIES.glob("R*.yaml")), ids=lambda path: path.name[:3])
def test_a_rule_of_a_real_shop_beside_no_rule_is_read_and_never_fails(path: Path) -> None:
    found = read_candidate(PolicyFile(shadow=path))
    assert found is not None
    it = process(line(quantity=2, total="20.00"), reviews=approved(units=1), started_at=NOW - timedelta(days=2))
    live = rules()
    both = [decide(it, each, record(), NOW) for each in (live, found.rules(live))]
    difference(*both, process_id="p", order="#1", rules=live, now=NOW)
