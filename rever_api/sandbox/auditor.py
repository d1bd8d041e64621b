"""The auditor: judges from the books and the state alone what was done and what is still owed."""

from decimal import Decimal

from rever_api.sandbox.books import Actor
from rever_api.sandbox.dues import due_of
from rever_api.sandbox.state import Sandbox
from rever_api.sandbox.trail import Trail
from rever_api.sandbox.verdict import Audit


def audit(sandbox: Sandbox) -> Audit:
    """Go through the books in order and through all processes as they are now."""
    with sandbox.locked():
        trails: dict[str, Trail] = {}
        for effect in sandbox.books:
            timing = sandbox.shops[effect.store].timing
            trails.setdefault(effect.process_id, Trail(timing)).follow(effect)
        found = (violation for trail in trails.values() for violation in trail.violations)
        dues = [due_of(sandbox, stored) for stored in sandbox.processes.values()]
        return Audit(
            violations=tuple(sorted(found, key=lambda violation: violation.effect)),
            due=tuple(due for due in dues if due is not None),
            paid=sandbox.books.paid(),
            paid_by_others=_paid_by_others(sandbox),
        )


def _paid_by_others(sandbox: Sandbox) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = {}
    for actor in Actor:
        if actor is not Actor.API:
            for currency, amount in sandbox.books.paid(by=actor).items():
                totals[currency] = totals.get(currency, Decimal(0)) + amount
    return dict(sorted(totals.items()))
