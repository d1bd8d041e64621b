"""What may be true at REVER: the auditor's judgment of each effect by what could be known when it was sent.

REVER takes no idempotency key, so what others do between our second read and REVER's acting cannot be known: a
cancellation that overtakes a refund, a back office that pays in that moment, a read that shows an older state. Of such
a violation it is asked whether it stands when the effect is put to the moment of which its second read told. One that
stands is a broken promise, unless a person's `retry` asked for just that effect before.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby

from rever_api.sandbox.auditor import Trail, Violation
from rever_api.sandbox.state import Actor, Effect
from tests.model.watching import Sent, View, WatchedSandbox

MONEY_AND_GOODS = frozenset({"issueRefund", "issueExchange"})

WAIVED = frozenset(
    {
        *("unknown_outcome", "foreign_refund", "foreign_exchange", "second_exchange", "rever_shows_less"),
        *("late_answer", "fewer_approvals", "terms_changed"),
    }
)
"""Rules that stand between a return and an effect that may be one too many: a person's retry lets one pass."""


@dataclass(frozen=True, slots=True)
class Say:
    """A person's retry: of which return's hold, of what rule, and how many effects were in the books by then.

    `asks` is for how many effects: a hold about foreign refunds is about the refund by each method that is due.
    """

    process_id: str
    rule: str
    effects: int
    asks: int = 1


@dataclass(frozen=True, slots=True)
class Judgment:
    """Violations that stand; how many were a race that is REVER's; how many a person had asked for."""

    broken: tuple[Violation, ...]
    races: int
    asked_for: int


def without_races(sandbox: WatchedSandbox, says: Iterable[Say]) -> Judgment:
    """Judge all effects so far by what could be known.

    Raises AssertionError for an effect through the API that no worker sent.
    """
    with sandbox.locked():
        effects = sandbox.books.effects
    broken: list[Violation] = []
    seen = asked_for = 0
    for process_id, of_one in groupby(sorted(effects, key=_by_process), key=lambda effect: effect.process_id):
        trail = list(of_one)
        timing = sandbox.shops[trail[0].store].timing
        seen += len(_violations(trail, timing))
        stands = _violations(_as_known(trail, sandbox.sent), timing)
        left = _without_asked_for(stands, [say for say in says if say.process_id == process_id])
        asked_for += len(stands) - len(left)
        broken += left
    return Judgment(tuple(broken), max(0, seen - asked_for - len(broken)), asked_for)


def _by_process(effect: Effect) -> tuple[str, int]:
    return effect.process_id, effect.number


def _violations(effects: Iterable[Effect], timing: str) -> list[Violation]:
    trail = Trail(timing)
    for effect in effects:
        trail.follow(effect)
    return trail.violations


def _as_known(effects: list[Effect], sent: Iterable[Sent]) -> list[Effect]:
    """The effects in the order, and each upon the state, that its second read told of."""
    open_calls = list(sent)
    placed: list[tuple[float, int, Effect]] = []
    for effect in effects:
        place = float(effect.number)
        if effect.by is Actor.API and effect.operation in MONEY_AND_GOODS:
            view = _view_of(effect, open_calls)
            place = view.effects + 0.5
            status = str(view.process.rever_process_status)
            effect = replace(effect, before=view.process, status_before=status)  # noqa: PLW2901 - the same effect
        placed.append((place, effect.number, effect))
    return [effect for _, _, effect in sorted(placed, key=lambda one: one[:2])]


def _view_of(effect: Effect, calls: list[Sent]) -> View:
    """What the read before this effect's call showed; a call carries out one effect at most."""
    items = tuple((item.line_item_id, item.quantity) for item in effect.items)
    for call in calls:
        same = (call.process_id, call.operation, call.type, call.items) == (
            (effect.process_id, effect.operation, effect.type, items)
        )
        if same and call.amount == effect.amount:
            calls.remove(call)
            assert call.view is not None, f"{call.operation} was sent for {call.process_id} without a second read"
            return call.view
    raise AssertionError(f"REVER carried out {effect.operation} for {effect.process_id}, and no worker sent it")


def _without_asked_for(violations: list[Violation], says: list[Say]) -> list[Violation]:
    """The violations of effects that no retry had asked for; each retry asks for so many effects after it."""
    unused = [say for say in says if say.rule in WAIVED for _ in range(say.asks)]
    excused: set[int] = set()
    for violation in sorted(violations, key=lambda each: each.effect):
        if violation.invariant == 3 or violation.effect in excused:
            continue
        before = [say for say in unused if say.effects < violation.effect]
        if before:
            unused.remove(before[0])
            excused.add(violation.effect)
    return [violation for violation in violations if violation.invariant == 3 or violation.effect not in excused]
