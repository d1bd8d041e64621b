"""What REVER said in its own words, where nothing but the words tells a person why: kept beside the audit.

Such words may quote a shopper's name and street, and the audit can never be changed. So the audit holds a salted hash
of them, and an erasure request removes words and salt: the hash stays, tells nothing, and the chain stays whole.
"""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Row, insert, select, update

from tasks.ledger.counters import shopper_hash
from tasks.ledger.schema import ledger, words
from tasks.ledger.types import Claim, KeptWords

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
