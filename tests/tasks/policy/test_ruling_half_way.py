"""A merchant's rules at returns that are half way: units are paid or closed by hand, and the rules or facts change."""

from decimal import Decimal

from tasks.policy.decide import decide
from tasks.policy.decision import Hold
from tasks.policy.record import IntentState, LineUnits, Record
from tests.tasks.policy.factories import NOW, approved, intent, line, process, record, terms
from tests.tasks.policy.test_ruling import AT_HOME, SCANNED, pays, shop, told

SALE = "{name: final sale, when: {product_tags: {has: final sale}}, then: {decline: {why: final sale}}}"
LATER = "{name: later, then: {pay: {at: inspection, plus_days: 3}}}"


def closed(*units: int, quantity: int = 2) -> Record:
    """A record in which a person has dropped these units of a line of 10.00 EUR each."""
    total = Decimal(10 * quantity)
    dropped = intent(state=IntentState.DROPPED, units=units, amount="0", gross=Decimal(10 * len(units)))
    return record(dropped, lines={"retl_1": terms(f"{total}.00", quantity)})


def test_a_unit_below_one_that_a_person_closed_is_not_paid_against_the_rules() -> None:
    """A person may close unit 2 of 2: of unit 1 the rules decide as before."""
    it = process(line(quantity=2, total="20.00"), reviews=approved(units=2))
    assert pays(decide(it, shop(), closed(2), NOW)) == {"ORIGINAL_PAYMENT_METHOD": "10.00"}
    declined = decide(it, shop("{name: promo, then: {decline: {why: promo}}}"), closed(2), NOW)
    assert told(declined) == ("Nothing", "all_settled")
    assert "; 1 unit not compensated by rule 'promo'" in declined.why
    assert told(decide(it, shop(SALE), closed(2), NOW)) == ("Hold", "needs_facts")
    waiting = decide(it, shop(LATER), closed(2), NOW)
    assert told(waiting) == ("Wait", "wait_moment")
    assert "1 unit to be paid when rule 'later' says so" in waiting.why
    at_home = process(line(quantity=2, total="20.00"), **AT_HOME)
    scan = "{name: scan, then: {pay: {at: first_scan}}}"
    assert pays(decide(at_home, shop(scan), closed(2), NOW)) == {}
    assert pays(decide(process(line(quantity=2, total="20.00"), **SCANNED), shop(scan), closed(2), NOW)) == {
        "ORIGINAL_PAYMENT_METHOD": "10.00"
    }


def test_a_completed_return_names_the_units_that_were_to_be_paid_later() -> None:
    """So that a person can close them without naming each."""
    it = process(line(quantity=2, total="20.00"), reviews=approved(units=2), status="COMPLETED")
    held = decide(it, shop(LATER), record(), NOW)
    assert isinstance(held, Hold)
    assert (held.rule, held.items, held.amount) == ("completed_unpaid", (LineUnits("retl_1", (1, 2)),), None)
    assert told(decide(it, shop(LATER), closed(1, 2), NOW)) == ("Nothing", "completed")
