"""The guards: caps judged inside the claim, given back on refused and withdrawn, waived once by a person."""

import hmac
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, update

from tasks.ledger import Answer, expire, forget_email
from tasks.ledger.guards import e4, shopper_hash
from tasks.ledger.schema import ledger, shopper_refunds, shoppers, store_days
from tasks.policy.decision import Hold
from tasks.policy.record import HoldKind, IntentState
from tasks.policy.store import Guards
from tests.tasks.ledger.desk import FLOW, TODAY, LedgerDesk, pay, refund, request, units

CAP_ONE = Guards(max_refund={"EUR": Decimal("9.99")})
CAP_DAY = Guards(max_per_day={"EUR": Decimal("25.00")})
CAP_SHOPPER = Guards(max_refunds_per_shopper=2, shopper_window_days=30)


def rule_of(desk: LedgerDesk, process_id: str, **more: Any) -> str:
    decided = desk.one(process_id, **more)
    assert (decided.claim is None) == isinstance(decided.decision, Hold)
    return decided.decision.rule


def test_a_refund_above_the_cap_is_held_with_its_units(desk: LedgerDesk) -> None:
    decided = desk.one(guards=CAP_ONE)
    assert isinstance(decided.decision, Hold)
    assert (decided.decision.kind, decided.decision.rule) == (HoldKind.GUARD, "guard:max_refund")
    assert decided.new_hold
    (hold,) = desk.holds()
    assert (hold.amount, hold.currency, hold.evidence) == (Decimal("10.00"), "EUR", {"cap": "9.99", "amount": "10.00"})
    assert "unit (line l1: 1)" in hold.answers["drop"]
    assert desk.record().intents == ()


def test_a_refund_of_just_a_cap_is_not_above_it(desk: LedgerDesk) -> None:
    assert desk.one(rule=pay(refund("9.99")), guards=CAP_ONE).claim is not None


def test_the_guard_of_a_day_says_what_was_spent(desk: LedgerDesk) -> None:
    desk.decide(*(request(f"p{n}", guards=CAP_DAY) for n in (1, 2)))
    assert desk.one("p3", pay(refund("5.01")), guards=CAP_DAY).decision == Hold(
        "guard:max_per_day",
        "with this refund of 5.01 EUR the store would pass its cap of 25.00 EUR for 2026-11-23",
        HoldKind.GUARD,
        {"cap": "25.00", "amount": "5.01", "spent": "20.00", "day": "2026-11-23"},
        Decimal("5.01"),
        "EUR",
        units(1),
    )


def test_the_guard_of_a_shopper_says_how_many_there_were(desk: LedgerDesk) -> None:
    desk.decide(*(request(f"p{n}", guards=CAP_SHOPPER) for n in (1, 2)))
    assert desk.one("p3", guards=CAP_SHOPPER).decision == Hold(
        "guard:max_refunds_per_shopper",
        "the shopper already had 2 refunds within 30 days; 10.00 EUR more is due",
        HoldKind.GUARD,
        {"cap": "2", "refunds": "2"},
        Decimal("10.00"),
        "EUR",
        units(1),
    )


def test_a_shopper_is_counted_within_a_batch_and_to_the_end_of_the_window(desk: LedgerDesk) -> None:
    found = desk.decide(*(request(f"p{n}", guards=CAP_SHOPPER) for n in (1, 2, 3)))
    assert [each.claim is not None for each in found] == [True, True, False]
    desk.clock.forward(days=30)
    assert rule_of(desk, "p4", guards=CAP_SHOPPER) == "guard:max_refunds_per_shopper"
    desk.clock.forward(seconds=1)
    assert desk.one("p5", guards=CAP_SHOPPER).claim is not None


def test_each_return_of_a_batch_has_its_own_window(desk: LedgerDesk) -> None:
    desk.decide(*(request(f"p{n}") for n in (1, 2)))
    desk.clock.forward(days=5)
    day = CAP_SHOPPER.model_copy(update={"shopper_window_days": 1})
    found = desk.decide(request("p3", guards=CAP_SHOPPER), request("p4", guards=day), request("p5"))
    assert found[0].decision.rule == "guard:max_refunds_per_shopper"
    assert [each.claim is not None for each in found] == [False, True, True]


def test_a_cap_is_of_its_currency_only(desk: LedgerDesk) -> None:
    assert desk.one(rule=pay(refund("10.00", currency="SEK")), guards=CAP_ONE).claim is not None


def test_the_cap_of_a_day_counts_what_this_batch_claims(desk: LedgerDesk) -> None:
    found = desk.decide(*(request(f"p{n}", guards=CAP_DAY) for n in range(4)))
    assert [d.claim is not None for d in found] == [True, True, False, False]
    assert rule_of(desk, "p9", guards=CAP_DAY) == "guard:max_per_day"
    assert rule_of(desk, "p8", guards=CAP_DAY, store="other") == "refund_on_verified"
    assert rule_of(desk, "p7", guards=CAP_DAY, day=TODAY + timedelta(days=1)) == "refund_on_verified"
    assert desk.one("p6", pay(refund("5.00")), guards=CAP_DAY).claim is not None


@pytest.mark.parametrize("end", ["refused", "withdraw", "expire"])
def test_what_did_nothing_is_given_back(desk: LedgerDesk, end: str) -> None:
    guards = CAP_DAY.model_copy(update={"max_refunds_per_shopper": 2})
    first, second = desk.claim("p1", guards=guards), desk.claim("p2", guards=guards)
    assert rule_of(desk, "p3", guards=guards) == "guard:max_per_day"
    if end == "refused":
        desk.send(first)
        desk.refused(first)
        desk.refused(first)
    elif end == "withdraw":
        desk.withdraw(first)
        desk.withdraw(first)
    else:
        desk.send(second)
        desk.clock.forward(seconds=61)
        desk.ledger.write(expire, now=desk.clock(), actor=FLOW)
    assert desk.one("p4", guards=guards).claim is not None
    assert rule_of(desk, "p5", guards=guards) == "guard:max_per_day"


def test_unknown_and_done_still_count(desk: LedgerDesk) -> None:
    desk.unknown(desk.sent("p1", guards=CAP_DAY))
    desk.done(desk.sent("p2", guards=CAP_DAY))
    assert rule_of(desk, "p3", guards=CAP_DAY) == "guard:max_per_day"


def test_a_shopper_is_counted_however_the_address_is_written(desk: LedgerDesk) -> None:
    desk.claim("p1", guards=CAP_SHOPPER, email="Ann@Example.test ")
    desk.claim("p2", guards=CAP_SHOPPER, email="ann@example.test", store="other")
    assert rule_of(desk, "p3", guards=CAP_SHOPPER) == "guard:max_refunds_per_shopper"
    assert desk.one("p4", guards=CAP_SHOPPER, email="bob@example.test").claim is not None
    assert desk.one("p5", email="").claim is not None
    desk.clock.forward(days=31)
    assert desk.one("p6", guards=CAP_SHOPPER).claim is not None


@pytest.mark.parametrize("email", ["", "  ", "\n"])
def test_a_shopper_who_is_not_known_is_held_where_a_cap_is_set(desk: LedgerDesk, email: str) -> None:
    held = desk.one(guards=CAP_SHOPPER, email=email)
    assert isinstance(held.decision, Hold)
    assert (held.decision.rule, held.decision.kind) == ("guard:shopper_unknown", HoldKind.GUARD)
    assert "REVER names no e-mail" in held.decision.why
    desk.answer(Answer.APPROVE)
    assert desk.one(guards=CAP_SHOPPER, email=email).claim is not None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("ann@example.test", "ann+shop@example.test"),
        ("ann+a@example.test", "Ann+B@Example.test."),
        ("a.n.n@gmail.com", "ann+x@googlemail.com"),
        ("ann@example.test", "\uff41nn@example.test"),
    ],
)
def test_one_mailbox_is_one_shopper_however_it_is_written(desk: LedgerDesk, first: str, second: str) -> None:
    one = Guards(max_refunds_per_shopper=1)
    desk.claim("p1", guards=one, email=first)
    assert rule_of(desk, "p2", guards=one, email=second) == "guard:max_refunds_per_shopper"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("ann@example.test", "bob@example.test"),
        ("a.nn@example.test", "ann@example.test"),
        ("+ann@example.test", "+bob@example.test"),
        ("ann@example.test", "ann@example.com"),
    ],
)
def test_two_mailboxes_are_two_shoppers(desk: LedgerDesk, first: str, second: str) -> None:
    one = Guards(max_refunds_per_shopper=1)
    desk.claim("p1", guards=one, email=first)
    assert desk.one("p2", guards=one, email=second).claim is not None


def test_what_an_older_ledger_counted_for_this_spelling_goes_on_counting(desk: LedgerDesk) -> None:
    """It hashed the e-mail as it was written, but for case."""
    one = Guards(max_refunds_per_shopper=1)
    claim = desk.claim("p1", guards=one, email="ann+x@example.test")
    key = desk.ledger.read(lambda conn: conn.execute(select(ledger.c.shopper_key)).scalar_one())
    old = hmac.new(key, b"ann+x@example.test", "sha256").hexdigest()
    desk.ledger.write(lambda conn: conn.execute(update(shopper_refunds).values(hash=old)))
    assert rule_of(desk, "p2", guards=one, email="Ann+x@example.test") == "guard:max_refunds_per_shopper"
    assert desk.one("p3", guards=one, email="ann@example.test").claim is not None
    gone = desk.ledger.write(forget_email, "ann+x@example.test", now=desk.clock(), actor=FLOW)
    assert (gone.refunds, claim.intent.id) == (2, desk.record("p1").intents[0].id)


def test_an_address_has_the_hash_that_it_always_had() -> None:
    """What ledgers have counted of a shopper is found by it."""
    expected = hmac.new(b"key", b"ann@example.test", "sha256").hexdigest()
    assert [shopper_hash(b"key", each) for each in ("ann@example.test", " Ann@Example.TEST\n", " ")] == [
        expected,
        expected,
        "",
    ]


def test_a_cap_is_never_passed_by_rounding() -> None:
    assert [e4(Decimal(each)) for each in ("10.123", "0.00001", "0.00012")] == [101_230, 1, 2]


def test_no_address_is_kept(desk: LedgerDesk) -> None:
    desk.claim("p1", guards=CAP_SHOPPER, email="ann@example.test")
    hashes = desk.ledger.read(lambda conn: conn.execute(select(shoppers.c.hash)).scalars().all())
    assert len(hashes) == 1
    assert len(hashes[0]) == 64
    everything = repr(desk.history()) + repr(request(email="ann@example.test"))
    assert "ann@" not in everything


def test_a_retry_waives_the_guard_for_this_amount_once(desk: LedgerDesk) -> None:
    desk.one(guards=CAP_ONE)
    desk.answer(Answer.RETRY)
    claim = desk.claim(guards=CAP_ONE)
    assert claim.intent.amount == Decimal("10.00")
    assert desk.record().waivers[0].used_by == claim.intent.id
    desk.send(claim)
    desk.refused(claim)
    assert rule_of(desk, "p1", guards=CAP_ONE) == "guard:max_refund"


def test_a_waiver_does_not_cover_more(desk: LedgerDesk) -> None:
    desk.one(guards=CAP_ONE)
    desk.answer(Answer.RETRY)
    assert rule_of(desk, "p1", guards=CAP_ONE, rule=pay(refund("10.01"))) == "guard:max_refund"
    assert desk.record().waivers[0].used_by == ""


def test_a_withdrawn_claim_gives_its_waiver_back(desk: LedgerDesk) -> None:
    desk.one(guards=CAP_ONE)
    desk.answer(Answer.RETRY)
    desk.withdraw(desk.claim(guards=CAP_ONE))
    assert desk.claim(guards=CAP_ONE).intent.state is IntentState.INTENDED


def test_each_guard_is_waived_by_itself(desk: LedgerDesk) -> None:
    both = Guards(max_refund={"EUR": Decimal(1)}, max_per_day={"EUR": Decimal(2)})
    assert rule_of(desk, "p1", guards=both) == "guard:max_refund"
    desk.answer(Answer.RETRY)
    assert rule_of(desk, "p1", guards=both) == "guard:max_per_day"
    desk.answer(Answer.RETRY)
    claim = desk.claim("p1", guards=both)
    assert {waiver.used_by for waiver in desk.record().waivers} == {claim.intent.id}


def test_the_counters_are_exact(desk: LedgerDesk) -> None:
    for number, amount in enumerate(("0.0001", "10.123", "7")):
        desk.claim(f"p{number}", pay(refund(amount)))
    desk.withdraw(desk.claim("p9", pay(refund("3.33", items=units(2)))))
    found = desk.ledger.read(lambda conn: conn.execute(select(store_days.c.amount_e4)).scalar_one())
    assert found == 171_231
    assert desk.ledger.read(lambda conn: len(conn.execute(select(shopper_refunds)).all())) == 3
