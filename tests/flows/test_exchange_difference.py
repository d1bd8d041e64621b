"""An exchange for dearer goods at a desk: asked about once, and ordered once a person has seen the payment."""

from decimal import Decimal

from tests.judge import assert_promises_kept
from tests.world import Start, World


def ordered(world: World) -> int:
    return sum(effect.operation == "issueExchange" for effect in world.sandbox.books)


def wants_dearer(world: World, more: Decimal) -> None:
    """Let the one return's shopper want goods that cost so much more a unit."""
    with world.sandbox.sandbox.locked():
        (stored,) = world.sandbox.sandbox.processes.values()
        (line,) = stored.process.return_line_items
        assert line.exchange_for
        assert line.total_price
        dearer = line.exchange_for.model_copy(update={"unit_price": line.total_price / line.quantity + more})
        world.sandbox.sandbox.change(stored, return_line_items=(line.model_copy(update={"exchange_for": dearer}),))


def approve(world: World) -> None:
    (hold,) = world.holds()
    said = {"answer": "approve", "by": "olga", "reason": "paid, seen in the back office"}
    world.run("answer-hold", mode="act", hold_id=hold.hold_id, version=str(hold.version), **said)


def test_it_is_not_ordered_before_a_person_has_seen_that_the_shopper_paid(start_world: Start) -> None:
    world = start_world(shops=("acme",), returns=34)
    world.keep_only(("exchange_reviewed",))
    wants_dearer(world, Decimal(3))
    for _ in range(2):
        world.act()
        (hold,) = world.holds()
        assert (hold.rule, hold.kind, ordered(world)) == ("exchange_difference", "approval", 0)
    assert hold.why.startswith("the shopper is to pay 6.00 EUR: the goods wanted instead cost")
    assert hold.why.endswith("REVER does not tell whether that is paid: look there, and `approve` orders the exchange")
    approve(world)
    world.act()
    world.act()
    assert (ordered(world), world.holds()) == (1, [])
    assert_promises_kept(world)


def test_who_has_seen_that_a_difference_is_paid_has_not_seen_a_larger_one(start_world: Start) -> None:
    world = start_world(shops=("acme",), returns=34)
    world.keep_only(("exchange_reviewed",))
    wants_dearer(world, Decimal(3))
    world.act()
    wants_dearer(world, Decimal(50))
    approve(world)
    world.act()
    (hold,) = world.holds()
    assert "is to pay 100.00 EUR" in hold.why
    assert ordered(world) == 0
    wants_dearer(world, Decimal(49))
    approve(world)
    world.act()
    assert (ordered(world), world.holds()) == (1, [])
    assert_promises_kept(world)
