"""What REVER said in its own words, where nothing but the words tells a person why: kept beside the audit.

Such words may quote a shopper's name and street, and the audit can never be changed. So the audit holds a salted hash
of them, and an erasure request removes words and salt: the hash stays, tells nothing, and the chain stays whole.
"""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update

from tasks.ledger.audit import append, audit_row
from tasks.ledger.guards import shopper_hash, shopper_hashes
from tasks.ledger.label_files import forget_label_files
from tasks.ledger.parcels import forget_tracking
from tasks.ledger.schema import (
    PARCEL,
    holds,
    intents,
    label_files,
    ledger,
    parcels,
    records,
    shopper_refunds,
    shoppers,
    words,
)
from tasks.ledger.types import Actor, Claim, KeptWords, LedgerError

IN_AUDIT = "words_sha256"
"""Under this name a row of the audit has the hash of REVER's words."""


@dataclass(frozen=True, slots=True)
class Said:
    """REVER's own words about an effect, and the e-mail of the shopper whom they may name; each may be empty."""

    words: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    salt: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    @property
    def evidence(self) -> dict[str, str]:
        """What the audit says of them: their hash, or nothing where there are none."""
        return {IN_AUDIT: digest(self.salt, self.words)} if self.words else {}


NOTHING_SAID = Said(salt="")


def digest(salt: str, text: str) -> str:
    """SHA-256 over salt and words, in hex. What stands in ledgers rests on this: it never changes."""
    return hashlib.sha256(f"{salt}\n{text}".encode()).hexdigest()


def keep(conn: Connection, claim: Claim, said: Said, now: datetime) -> None:
    """Keep the words, in the transaction of the audit's row that holds their hash."""
    if not said.words:
        return
    key = conn.execute(select(ledger.c.shopper_key)).scalar_one()
    conn.execute(
        insert(words).values(
            process_id=claim.process_id,
            intent_id=claim.intent.id,
            at=now,
            shopper=shopper_hash(key, said.email),
            salt=said.salt,
            text=said.words,
            digest=digest(said.salt, said.words),
        )
    )


def forget_words(
    conn: Connection, hashes: Collection[str], process_ids: Collection[str], now: datetime
) -> tuple[int, set[str]]:
    """Remove the words about these shoppers and returns; returns how many, and those shoppers' hashes."""
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql("PRAGMA secure_delete=ON")  # what is removed is overwritten, not only unlinked
    about: ColumnElement[bool] = words.c.process_id.in_(sorted(process_ids))
    found = {row.shopper for row in conn.execute(select(words.c.shopper).where(about))} - {""}
    whose = words.c.shopper.in_(sorted({*hashes, *found}))
    gone = update(words).where(about | whose, words.c.forgotten_at.is_(None))
    many = conn.execute(gone.values(text="", salt="", forgotten_at=now)).rowcount
    conn.execute(update(words).where(about | whose).values(shopper=""))
    return many, found


def words_of(conn: Connection, process_id: str) -> tuple[KeptWords, ...]:
    """What REVER said about a return's effects, oldest first."""
    rows = conn.execute(select(words).where(words.c.process_id == process_id).order_by(words.c.seq))
    return tuple(_kept(row) for row in rows)


def _kept(row: Row[tuple[object, ...]]) -> KeptWords:
    return KeptWords(row.intent_id, row.at, row.text, forgotten=row.forgotten_at is not None)


# An erasure request: what the ledger holds about a shopper goes; what the books need stays, and says nothing of them.
#
# What can be led back to a shopper is the keyed hash of the e-mail, kept for the cap on refunds per shopper, and what
# may name anybody: what REVER said in its own words of an effect (`tasks.ledger.words`), what a hold tells of the
# goods (`tasks.policy.parcel`), the tracking numbers of parcels, and the labels' files. All of it is removed. Amounts,
# ids and the audit stay: they explain where money went, which the law asks to be kept (GDPR, article 17, paragraph 3,
# points b and e). Words and labels' files are found by the shopper's e-mail as REVER showed it then, or by the return's
# id; goods and tracking numbers by the return's id, or by a refund that counted.


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was removed: the refunds counted under the hash, REVER's words, what so many holds told of the goods,
    and tracking numbers. `label_files` are the digests of the labels' files, which whoever asked for it deletes.

    `known` is whether there was anything of the shopper at all.
    """

    refunds: int
    words: int
    known: bool
    holds: int = 0
    tracking: int = 0
    label_files: frozenset[str] = field(default=frozenset(), repr=False)


def forget_email(conn: Connection, email: str, *, now: datetime, actor: Actor) -> Forgotten:
    """Remove all that is kept under this e-mail's hashes. Nothing is written where nothing is."""
    key = conn.execute(select(ledger.c.shopper_key)).scalar_one()
    return _forget(conn, shopper_hashes(key, email), "", now, actor)


def forget_return(conn: Connection, process_id: str, *, now: datetime, actor: Actor) -> Forgotten:
    """The same for the shopper of this return. Raises `LedgerError` for a return that is not known."""
    tables = (records, parcels, label_files)
    known = (conn.execute(select(it.c.process_id).where(it.c.process_id == process_id)) for it in tables)
    if not any(rows.first() for rows in known):
        raise LedgerError(f"{process_id} is not in the ledger, so nothing of its shopper is")
    of_it = select(intents.c.id).where(intents.c.process_id == process_id)
    hashes = select(shopper_refunds.c.hash).where(shopper_refunds.c.intent_id.in_(of_it))
    return _forget(conn, {row.hash for row in conn.execute(hashes)}, process_id, now, actor)


def _forget(conn: Connection, hashes: Collection[str], process_id: str, now: datetime, actor: Actor) -> Forgotten:
    refunded = select(intents.c.process_id).where(
        intents.c.id.in_(select(shopper_refunds.c.intent_id).where(shopper_refunds.c.hash.in_(hashes)))
    )
    returns = {process_id, *(row.process_id for row in conn.execute(refunded))} - {""}
    files, found_by_file = forget_label_files(conn, hashes, returns, now)
    removed, found = forget_words(conn, {*hashes, *found_by_file}, returns, now)
    of_shopper = {*hashes, *found, *found_by_file}
    many = conn.execute(delete(shopper_refunds).where(shopper_refunds.c.hash.in_(of_shopper))).rowcount
    known = conn.execute(delete(shoppers).where(shoppers.c.hash.in_(of_shopper))).rowcount
    told, tracking = _forget_goods(conn, returns), forget_tracking(conn, returns)
    found_any = bool(many or removed or known or told or tracking or files)
    done = Forgotten(many, removed, known=found_any, holds=told, tracking=tracking, label_files=frozenset(files))
    if done.known:
        evidence = {"refunds": many, "words": removed, "holds": told, "tracking": tracking, "label_files": len(files)}
        append(conn, [audit_row(actor, now, "forgotten", process_id, evidence=evidence)])
    return done


def _forget_goods(conn: Connection, process_ids: Collection[str]) -> int:
    """Remove what the holds of these returns tell of the goods, open or not; returns of how many."""
    query = select(holds.c.id, holds.c.details).where(holds.c.process_id.in_(sorted(process_ids)))
    told = [row for row in conn.execute(query).all() if PARCEL in row.details]
    for row in told:
        rest = {name: value for name, value in row.details.items() if name != PARCEL}
        conn.execute(update(holds).where(holds.c.id == row.id).values(details=rest))
    return len(told)
