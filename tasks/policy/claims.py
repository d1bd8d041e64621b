"""What the ledger's intents of one return have taken: units, gross value, and what REVER once refused."""

from collections.abc import Iterable, Mapping

from tasks.policy.record import MONEY_KINDS, Intent, IntentKind, IntentState, LineUnits, Record

BY_A_PERSON = frozenset({IntentState.DONE_BY_HAND, IntentState.DROPPED})
"""States in which a person closed an intent: REVER is not expected to show it, and it may."""

Units = Mapping[str, frozenset[int]]
"""Line id -> numbers of units."""


def units_of(items: Iterable[LineUnits]) -> Units:
    """The units named, per line."""
    units: dict[str, frozenset[int]] = {}
    for item in items:
        units[item.line_id] = units.get(item.line_id, frozenset()) | frozenset(item.units)
    return units


def money_intents(record: Record) -> tuple[Intent, ...]:
    """The live refund and exchange intents."""
    return tuple(intent for intent in record.intents if intent.kind in MONEY_KINDS and intent.live)


def taken(record: Record) -> Units:
    """Units that no other intent may take."""
    return units_of(item for intent in money_intents(record) for item in intent.items)


def taken_by_desk(record: Record) -> Units:
    """Units that an effect of this desk compensates, or REVER itself: not those that a person closed."""
    return units_of(
        item for intent in money_intents(record) if intent.state not in BY_A_PERSON for item in intent.items
    )


def closed_by_person(record: Record) -> bool:
    """Whether a person has closed units of this return."""
    return any(intent.state in BY_A_PERSON for intent in money_intents(record))


def open_money_intent(record: Record) -> Intent | None:
    """The refund or exchange whose outcome is still to come, if any."""
    return next((intent for intent in money_intents(record) if intent.open), None)


def refusal(record: Record, kind: IntentKind, units: Units, method: str | None = None) -> Intent | None:
    """The last refused intent of this kind, and method if one is given, that asked for any of these units."""
    for intent in reversed(record.intents):
        alike = intent.kind is kind and intent.state is IntentState.REFUSED and method in {None, intent.method}
        if alike and overlap(units_of(intent.items), units):
            return intent
    return None


def overlap(some: Units, others: Units) -> bool:
    """Whether any unit is in both."""
    return any(numbers & others.get(line_id, frozenset()) for line_id, numbers in some.items())
