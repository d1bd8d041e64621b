"""The two sides that a judge compares: what REVER's books say, and what the desk's ledger holds."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import httpx
from sqlalchemy import Connection, select

from rever_api.models import LineQuantity
from rever_api.sandbox import Due, RunningSandbox, Violation
from rever_api.sandbox.state import Actor, Effect
from tasks.ledger import Answer
from tasks.ledger.archives import archived_evidence, archived_rows
from tasks.ledger.schema import audit, holds, intents, records
from tasks.policy.record import OPEN_STATES, IntentKind, IntentState

Amounts = dict[str, Decimal]
"""Currency -> money."""
Sums = dict[tuple[str, str], Decimal]
"""(process id, currency) -> money."""
CLOSES = {Answer.DONE_BY_HAND, Answer.DROP}
"""The answers that close units rather than let the rules go on."""
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Books:
    """REVER's side. `shown` is process id -> the refunds that REVER shows at the return, by whomever they were made."""

    effects: Sequence[Effect]
    violations: Sequence[Violation]
    due: Sequence[Due] = ()
    shown: Mapping[str, Decimal] = field(default_factory=dict)

    @classmethod
    def of(cls, sandbox: RunningSandbox) -> "Books":
        """The books of a sandbox in this process."""
        found = sandbox.audit()
        with sandbox.sandbox.locked():
            processes = {key: stored.process for key, stored in sandbox.sandbox.processes.items()}
        refunds = {key: (it.compensation.refunds if it.compensation else ()) or () for key, it in processes.items()}
        totals = {key: sum((refund.amount for refund in made), Decimal(0)) for key, made in refunds.items()}
        return cls(sandbox.books.effects, found.violations, found.due, totals)

    @classmethod
    def served_at(cls, base_url: str) -> "Books":
        """The books of a sandbox that another process serves."""

        def told(name: str) -> Any:
            url = f"{base_url}/_sandbox/{name}"
            return httpx.get(url, timeout=PATIENCE_S, trust_env=False, verify=False).raise_for_status().json()

        found = told("audit")
        return cls(
            tuple(effect_of(each) for each in told("books")["effects"]),
            tuple(Violation(**each) for each in found["violations"]),
            tuple(Due(**each | {"amount": Decimal(each["amount"])}) for each in found["due"]),
        )

    def of_return(self, process_id: str) -> list[Effect]:
        """The effects of one return."""
        return [effect for effect in self.effects if effect.process_id == process_id]

    def refunds(self, *, of_all: bool) -> Sums:
        """What was refunded, by all or by users of the API."""
        sums: Sums = defaultdict(Decimal)
        for effect in self.effects:
            if effect.operation == "issueRefund" and effect.amount is not None and (of_all or effect.by is Actor.API):
                sums[effect.process_id, effect.currency] += effect.amount
        return sums


def effect_of(told: Mapping[str, Any]) -> Effect:
    """An effect from the JSON that the sandbox serves."""
    values = {key: value for key, value in told.items() if key != "foreign"}
    return Effect(**values | {
        "at": datetime.fromisoformat(told["at"]),
        "by": Actor(told["by"]),
        "amount": None if told["amount"] is None else Decimal(told["amount"]),
        "items": tuple(LineQuantity(**item) for item in told["items"]),
    })  # fmt: skip


@dataclass(frozen=True)
class LedgerState:
    """All that the ledger holds, in its archives too, in one reading: rows of its tables, oldest first."""

    intents: Sequence[Any]
    holds: Sequence[Any]
    steps: Sequence[Any]
    records: Sequence[Any]

    @classmethod
    def read(cls, conn: Connection) -> "LedgerState":
        """Read it: an operation of the ledger."""
        made, whole = conn.execute(select(intents).order_by(intents.c.seq)).all(), archived_evidence(conn)
        archived = [SimpleNamespace(**row) for row in archived_rows(conn, audit)]
        return cls(
            [SimpleNamespace(**(row._asdict() | whole[row.id])) if row.id in whole else row for row in made],
            conn.execute(select(holds).order_by(holds.c.seq)).all(),
            sorted([*archived, *conn.execute(select(audit))], key=lambda row: row.id),
            conn.execute(select(records)).all(),
        )

    def of_return(self, process_id: str) -> "LedgerState":
        """The same of one return."""
        parts = (self.intents, self.holds, self.steps, self.records)
        return LedgerState(*([row for row in part if row.process_id == process_id] for part in parts))

    @cached_property
    def open(self) -> list[Any]:
        """The intents whose outcome is to come."""
        return [row for row in self.intents if row.state in OPEN_STATES]

    @cached_property
    def open_holds(self) -> list[Any]:
        """The holds that a person has yet to answer."""
        return [row for row in self.holds if row.state == "open"]

    @cached_property
    def held(self) -> dict[str, list[str]]:
        """Process id -> the rules by which it is held."""
        found: dict[str, list[str]] = defaultdict(list)
        for row in self.open_holds:
            found[row.process_id].append(row.rule)
        return found

    @cached_property
    def closed_by_hand(self) -> set[str]:
        """The returns of which a person has closed something: it is that person's word that counts."""
        return {row.process_id for row in self.holds if row.answer in CLOSES}

    @cached_property
    def asked_again(self) -> set[str]:
        """The returns of which a person has let something go on that was held."""
        return {row.process_id for row in self.holds if row.answer and row.answer not in CLOSES}

    @cached_property
    def left_as_paid(self) -> set[str]:
        """The returns of which REVER shows less than was done, and a person has said to go on as the ledger has it."""
        return {row.process_id for row in self.holds if row.answer and row.rule == "rever_shows_less"}

    @cached_property
    def asked_about(self) -> list[Any]:
        """The intents of unknown outcome about which an open hold asks a person."""
        about = {row.intent_id for row in self.open_holds}
        return [row for row in self.intents if row.state == IntentState.UNKNOWN and row.id in about]

    @cached_property
    def final(self) -> set[str]:
        """The returns that are at their end."""
        return {row.process_id for row in self.records if row.final}

    @cached_property
    def looked_at_again(self) -> set[str]:
        """The returns that are not at their end, with nothing open and a time at which they are looked at next."""
        busy = {row.process_id for row in self.open}
        return {row.process_id for row in self.records if not row.final and row.next_look_at} - busy

    @cached_property
    def waits(self) -> set[str]:
        """The returns with an open outcome or a next look."""
        return {row.process_id for row in self.open} | self.looked_at_again

    @cached_property
    def done(self) -> list[Any]:
        """The effects that were sent by this desk and are known to be done."""
        return [it for it in self.intents if it.state == IntentState.DONE and not it.adopted and not it.nothing_sent]

    @cached_property
    def paid(self) -> Amounts:
        """Currency -> what this desk has refunded and knows to be done."""
        totals: Amounts = defaultdict(Decimal)
        for row in self.done:
            if row.kind == IntentKind.REFUND:
                totals[row.currency] += row.amount
        return {currency: amount for currency, amount in sorted(totals.items()) if amount}

    def said_of(self, process_id: str) -> str:
        """What the ledger says of a return, in words."""
        for row in self.records:
            if row.process_id == process_id:
                return f"{row.decision} by {row.rule}: {row.why}, next look {row.next_look_at}"
        return "never seen"
