"""An erasure request: what the ledger holds about a shopper goes; what the books need stays, and says nothing of them.

What can be led back to a shopper is the keyed hash of the e-mail, kept for the cap on refunds per shopper, and what
REVER said in its own words of an effect (`tasks.ledger.words`), which may name anybody; both are removed. Amounts, ids
and the audit stay: they explain where money went, which the law asks to be kept (GDPR, article 17, paragraph 3, points
b and e). Words are found by the shopper's e-mail as REVER showed it when they were said, or by the return's id.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select

from tasks.ledger.counters import shopper_hashes
from tasks.ledger.errors import LedgerError
from tasks.ledger.schema import intents, ledger, records, shopper_refunds, shoppers
from tasks.ledger.trail import append, audit_row
from tasks.ledger.types import Actor
from tasks.ledger.words import forget_words


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was removed: whether the shopper was known at all, the refunds counted under the hash, and REVER's words."""

    refunds: int
    words: int
    known: bool


def forget_email(conn: Connection, email: str, *, now: datetime, actor: Actor) -> Forgotten:
    """Remove all that is kept under this e-mail's hashes. Nothing is written where nothing is."""
    key = conn.execute(select(ledger.c.shopper_key)).scalar_one()
    return _forget(conn, shopper_hashes(key, email), "", now, actor)


def forget_return(conn: Connection, process_id: str, *, now: datetime, actor: Actor) -> Forgotten:
    """The same for the shopper of this return. Raises `LedgerError` for a return that is not known."""
    if conn.execute(select(records.c.process_id).where(records.c.process_id == process_id)).first() is None:
        raise LedgerError(f"{process_id} is not in the ledger, so nothing of its shopper is")
    of_it = select(intents.c.id).where(intents.c.process_id == process_id)
    hashes = select(shopper_refunds.c.hash).where(shopper_refunds.c.intent_id.in_(of_it))
    return _forget(conn, {row.hash for row in conn.execute(hashes)}, process_id, now, actor)


def _forget(conn: Connection, hashes: Collection[str], process_id: str, now: datetime, actor: Actor) -> Forgotten:
    refunded = select(intents.c.process_id).where(
        intents.c.id.in_(select(shopper_refunds.c.intent_id).where(shopper_refunds.c.hash.in_(hashes)))
    )
    returns = {process_id, *(row.process_id for row in conn.execute(refunded))} - {""}
    removed, found = forget_words(conn, hashes, returns, now)
    of_shopper = {*hashes, *found}
    many = conn.execute(delete(shopper_refunds).where(shopper_refunds.c.hash.in_(of_shopper))).rowcount
    known = conn.execute(delete(shoppers).where(shoppers.c.hash.in_(of_shopper))).rowcount
    done = Forgotten(many, removed, known=bool(many or removed or known))
    if done.known:
        evidence = {"refunds": many, "words": removed}
        append(conn, [audit_row(actor, now, "forgotten", process_id, evidence=evidence)])
    return done
