"""Whether each refund is what its units are worth after costs, to the cent, and no line has more units than it has."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, select

from tasks.ledger.checking.finding import Finding
from tasks.ledger.rows import intent_of
from tasks.ledger.schema import intents, lines, records
from tasks.policy.claims import BY_A_PERSON
from tasks.policy.money import ZERO, gross, net
from tasks.policy.record import MONEY_KINDS, Intent, IntentKind, LineTerms


def check_money(conn: Connection) -> Iterator[Finding]:
    """Yield refunds that are not worth their units, and returns whose refunds are more than is due."""
    costs = {row.process_id: row.costs for row in conn.execute(select(records.c.process_id, records.c.costs))}
    terms: dict[str, dict[str, LineTerms]] = {}
    for row in conn.execute(select(lines)):
        terms.setdefault(row.process_id, {})[row.line_id] = LineTerms(row.total, row.quantity, row.currency)
    rows = conn.execute(select(intents).order_by(intents.c.process_id, intents.c.seq))
    for process_id, group in groupby(rows, key=lambda row: str(row.process_id)):
        made = _live(list(group))
        yield from _worth(process_id, made, terms.get(process_id, {}))
        yield from _paid(process_id, made, costs.get(process_id) or ZERO)


def _live(rows: Sequence[Row[Any]]) -> list[Intent]:
    made = [intent_of(row) for row in rows]
    return [intent for intent in made if intent.live and intent.kind in MONEY_KINDS]


def _worth(process_id: str, made: Sequence[Intent], terms: Mapping[str, LineTerms]) -> Iterator[Finding]:
    for intent in made:
        known = all(item.line_id in terms for item in intent.items)
        if not known:
            if intent.state not in BY_A_PERSON:
                yield Finding("money", process_id, f"{intent.kind} {intent.id} names a line whose terms are not known")
            continue
        wrong = [i for i in intent.items if not all(1 <= n <= terms[i.line_id].quantity for n in i.units)]
        for item in wrong:
            many = terms[item.line_id].quantity
            yield Finding("money", process_id, f"{intent.id} names units {item.units} of line {item.line_id} of {many}")
        worth = sum((gross(terms[item.line_id], item.units) for item in intent.items), ZERO)
        by_hand = intent.state in BY_A_PERSON and intent.gross <= worth  # units to be exchanged count for nothing there
        if not wrong and worth != intent.gross and not by_hand:
            said = f"{intent.kind} {intent.id} says its units are worth {intent.gross}, but they are worth {worth}"
            yield Finding("money", process_id, f"{said} {intent.currency}")


def _paid(process_id: str, made: Sequence[Intent], costs: Decimal) -> Iterator[Finding]:
    before = ZERO
    for intent in made:
        if intent.kind is not IntentKind.REFUND:
            continue
        after = before + intent.gross
        due = net(after, costs) - net(before, costs)
        if intent.state not in BY_A_PERSON and intent.amount != due:
            why = f"refund {intent.id} is of {intent.amount} {intent.currency}, where {due} was due after costs"
            yield Finding("money", process_id, why)
        before = after
