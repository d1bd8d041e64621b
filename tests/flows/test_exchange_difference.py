"""An exchange for dearer goods at a desk: asked about once, and ordered once a person has seen the payment."""

from decimal import Decimal

from tests.judge import assert_promises_kept
from tests.world import Start, World


def ordered(world: World) -> int:
    return sum(effect.operation == "issueExchange" for effect in world.sandbox.books)


def test_it_is_not_ordered_before_a_person_has_seen_that_the_shopper_paid(start_world: Start) -> None:
    world = start_world(shops=("acme",), returns=34)
    world.keep_only(("exchange_reviewed",))
    with world.sandbox.sandbox.locked():
        (stored,) = world.sandbox.sandbox.processes.values()
        (line,) = stored.process.return_line_items
        assert line.exchange_for
        assert line.total_price
        dearer = line.exchange_for.model_copy(update={"unit_price": line.total_price / line.quantity + Decimal(3)})
        world.sandbox.sandbox.change(stored, return_line_items=(line.model_copy(update={"exchange_for": dearer}),))
    for _ in range(2):
        world.act()
        (hold,) = world.holds()
        assert (hold.rule, hold.kind, ordered(world)) == ("exchange_difference", "approval", 0)
    assert "6.00 EUR more. Whether the shopper has paid for that, REVER does not tell" in hold.why
    said = {"answer": "approve", "by": "olga", "reason": "paid, seen in the back office"}
    world.run("answer-hold", mode="act", hold_id=hold.hold_id, version=str(hold.version), **said)
    world.act()
    world.act()
    assert (ordered(world), world.holds()) == (1, [])
    assert_promises_kept(world)
