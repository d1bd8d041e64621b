"""Whether everything that names something else names what is there: no orphaned claim, hold or waiver."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, Connection, Table, select

from tasks.ledger.checking.finding import Finding
from tasks.ledger.schema import holds, intents, lines, records, shopper_refunds, units, waivers
from tasks.ledger.transitions import UNKNOWN_OUTCOME
from tasks.policy.record import IntentState


def check_references(conn: Connection) -> Iterator[Finding]:
    """Yield what names nothing."""
    for table, what in ((intents, "an effect"), (holds, "a hold"), (waivers, "a waiver"), (lines, "a line")):
        for (process_id,) in _naming_nothing(conn, table, table.c.process_id, records.c.process_id, table.c.process_id):
            yield Finding("orphan", process_id, f"{what} belongs to a return that the ledger does not have")
    named = (
        (units, units.c.intent_id, "a unit is claimed by"),
        (holds, holds.c.intent_id, "a hold asks about"),
        (waivers, waivers.c.used_by, "a waiver was used by"),
    )
    for table, column, what in named:
        for process_id, intent_id in _naming_nothing(conn, table, column, intents.c.id, table.c.process_id, column):
            yield Finding("orphan", process_id, f"{what} the effect {intent_id}, which does not exist")
    for (intent_id,) in _naming_nothing(
        conn, shopper_refunds, shopper_refunds.c.intent_id, intents.c.id, shopper_refunds.c.intent_id
    ):
        yield Finding("orphan", intent_id, "a shopper's refund is counted for an effect that does not exist")
    yield from _questions(conn)


def _naming_nothing(conn: Connection, table: Table, name: Column[Any], key: Column[Any], *shown: Column[Any]) -> Any:
    joined = table.outerjoin(key.table, key == name)
    return conn.execute(select(*shown).select_from(joined).where(key.is_(None), name != "").distinct())


def _questions(conn: Connection) -> Iterator[Finding]:
    """An open question about an outcome must be about one that is unknown, or about to be sent once more."""
    asked = (IntentState.UNKNOWN, IntentState.SENT, IntentState.INTENDED)
    query = (
        select(holds.c.process_id, holds.c.id, intents.c.state)
        .select_from(holds.join(intents, intents.c.id == holds.c.intent_id))
        .where(holds.c.state == "open", holds.c.rule == UNKNOWN_OUTCOME, intents.c.state.not_in(asked))
    )
    for process_id, hold_id, state in conn.execute(query):
        why = f"hold {hold_id} asks about an effect that is {IntentState(state).replace('_', ' ')}, not unknown"
        yield Finding("hold", process_id, why)
