"""Check a ledger: whether what it says can be true. Each broken rule is one finding, in a sentence.

`check` reads only. It is for a cron job, for the minute before a restore, and for whoever doubts.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import groupby
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    Row,
    Table,
    and_,
    exists,
    func,
    not_,
    or_,
    select,
    true,
)

from tasks.database.engines import chunks
from tasks.ledger.archive_files import decoded, returns
from tasks.ledger.archives import ARCHIVED_EVENT, Archive, known_archives
from tasks.ledger.audit import Head
from tasks.ledger.guards import e4
from tasks.ledger.records import intent_of, unit_rows
from tasks.ledger.schema import (
    archives,
    audit,
    caught_up,
    chains,
    files,
    holds,
    intents,
    ledger,
    lines,
    metadata,
    order_shipping,
    parcel_changes,
    parcels,
    pauses,
    records,
    shadow,
    shopper_refunds,
    store_days,
    units,
    waivers,
    words,
)
from tasks.ledger.send import UNKNOWN_OUTCOME
from tasks.ledger.stops import LONGEST
from tasks.ledger.types import LedgerError
from tasks.ledger.words import IN_AUDIT, digest
from tasks.policy.clocks import DIFFER, LONGEST_SETTING, clock_time
from tasks.policy.kinds import KINDS
from tasks.policy.money import ZERO, fee_in_percent, gross, net
from tasks.policy.record import (
    BY_A_PERSON,
    DEAD_STATES,
    MONEY_KINDS,
    SHIPPING,
    HoldKind,
    Intent,
    IntentKind,
    IntentState,
    LineTerms,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that cannot be right, or is late. `rule` names the check, `where` a return or a counter."""

    rule: str
    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.where}: {self.why}"


# Whether the audit is whole: each return's chain unbroken to its end, and each effect's state told by a step.


TOLD_BY = {
    IntentState.INTENDED: {"intended"},
    IntentState.SENT: {"sent"},
    IntentState.UNKNOWN: {"unknown"},
    IntentState.DONE: {"done", "adopted", "nothing_to_send"},
    IntentState.REFUSED: {"refused"},
    IntentState.WITHDRAWN: {"withdrawn"},
    IntentState.DONE_BY_HAND: {"answered"},
    IntentState.DROPPED: {"answered"},
}
"""State -> the steps of which one must have been written when an intent came to it."""


def check_audit(conn: Connection) -> Iterator[Finding]:
    """Yield chains that are broken or cut, effects whose state no step tells, and REVER's words that were changed."""
    past = _Past()
    yield from _check_archives(conn, past)
    heads, broken, told, hashed = past.heads, past.broken, past.told, past.hashed
    for row in conn.execute(select(audit).order_by(audit.c.id)):
        told[row.intent_id].add(row.event)
        if IN_AUDIT in row.evidence:
            hashed[str(row.evidence[IN_AUDIT])] = row.process_id
        if heads[row.process_id].link(row._asdict()) != row.hash and row.process_id not in broken:
            broken.add(row.process_id)
            steps = heads[row.process_id].steps
            why = (
                f"step {steps} ({row.event}, row {row.id}) does not follow from the one before: changed, or one is gone"
            )
            yield Finding("audit", row.process_id or "the ledger itself", why)
    ends = {row.process_id: row for row in conn.execute(select(chains))}
    for process_id in sorted({*heads, *ends} - broken):
        head, end = heads.get(process_id, Head()), ends.get(process_id)
        known = (end.steps, end.head) if end else (0, "")
        if known != (head.steps, head.hash):
            why = f"there are {head.steps} steps where {known[0]} were written: the last ones were changed or removed"
            yield Finding("audit", process_id or "the ledger itself", why)
    for row in conn.execute(select(intents.c.id, intents.c.process_id, intents.c.state)):
        if row.process_id not in past.unread and not told[row.id] & TOLD_BY[IntentState(row.state)]:
            why = f"effect {row.id} is {IntentState(row.state).replace('_', ' ')}, and no step of the audit says so"
            yield Finding("audit", row.process_id, why)
    yield from _words(conn, hashed, past.unread)


ARCHIVE = "archive"
"""The rule of an archive that is missing, or is not what was written. What effects are decided by is not in it."""


@dataclass(slots=True)
class _Past:
    """What the archives tell: where the chains that go on in the ledger begin there, and what their steps have told.

    `unread` are the returns of archives that cannot be read.
    """

    heads: dict[str, Head] = field(default_factory=lambda: defaultdict(Head))
    broken: set[str] = field(default_factory=set)
    told: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    hashed: dict[str, str] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)


def _check_archives(conn: Connection, past: _Past) -> Iterator[Finding]:
    """Yield archives that are missing or changed, chains that are broken in them, and anchors that do not follow."""
    known = known_archives(conn)
    anchors = {row.process_id: row for row in conn.execute(select(chains).where(chains.c.archive > 0))}
    named = {
        (row.evidence.get("archive"), row.evidence.get("sha256"))
        for row in conn.execute(select(audit).where(audit.c.process_id == "", audit.c.event == ARCHIVED_EVENT))
    }
    unread: set[int] = set()
    for archive in known:
        if (archive.name, archive.digest) not in named:
            yield Finding(ARCHIVE, archive.name, "no step of the ledger's own audit tells of this archive")
        try:
            yield from _check_archive(conn, archive, past)
        except LedgerError as error:
            unread.add(archive.number)
            yield Finding(ARCHIVE, archive.name, str(error))
    numbers = {archive.number for archive in known}
    for process_id, row in anchors.items():
        head = past.heads[process_id]
        if row.archive not in numbers:
            yield Finding(
                "audit", process_id, f"its steps are in archive {row.archive}, which the ledger does not know"
            )
        elif unread:  # of a return with steps in several, nobody can say here in which
            past.unread.add(process_id)
        elif process_id not in past.broken and (head.steps, head.hash) != (row.archived_steps, row.archived_head):
            yield Finding("audit", process_id, "its chain in the archives does not end where the ledger's begins")
            past.broken.add(process_id)
        past.heads[process_id] = Head(row.archived_steps, row.archived_head)


def _check_archive(conn: Connection, archive: Archive, past: _Past) -> Iterator[Finding]:
    """Follow the chains of one archive, and compare its effects with those that stayed in the ledger."""
    folder = archive.opened()
    about = {row["process_id"]: row for row in folder.rows(returns)}
    steps, effects = folder.rows(audit), folder.rows(intents)
    for row in (decoded(audit, step) for step in steps):
        past.told[row["intent_id"]].add(row["event"])
        if IN_AUDIT in row["evidence"]:
            past.hashed[str(row["evidence"][IN_AUDIT])] = row["process_id"]
        if past.heads[row["process_id"]].link(row) != row["hash"] and row["process_id"] not in past.broken:
            past.broken.add(row["process_id"])
            why = f"step {row['event']} (row {row['id']}) of {archive.name} does not follow from the one before"
            yield Finding("audit", row["process_id"], why)
    for process_id, row in about.items():
        head = past.heads[process_id]
        if process_id not in past.broken and (head.steps, head.hash) != (row["steps"], row["head"]):
            past.broken.add(process_id)
            yield Finding("audit", process_id, f"its chain in {archive.name} does not end where that says it ends")
    kept = {
        row.id: row
        for ids in chunks(about)
        for row in conn.execute(select(intents).where(intents.c.process_id.in_(ids)))
    }
    for row in (decoded(intents, effect) for effect in effects):
        stayed = kept.get(row["id"])
        if stayed is None or any(getattr(stayed, name) != row[name] for name in _SAME):
            why = f"effect {row['id']} is not as {archive.name} has it: it was changed or removed"
            yield Finding("units", row["process_id"], why)


_SAME = ("process_id", "kind", "method", "currency", "amount", "gross", "items")
"""What of an effect that was archived never changes in the ledger."""


def _words(conn: Connection, hashed: Mapping[str, str], unread: Collection[str]) -> Iterator[Finding]:
    """Compare REVER's words with the hashes in the audit; those that were forgotten on request have only the hash."""
    missing = {words_digest: of for words_digest, of in hashed.items() if of not in unread}
    for row in conn.execute(select(words).order_by(words.c.seq)):
        if row.process_id in unread:
            continue
        named = missing.pop(row.digest, None)
        if named != row.process_id:
            yield Finding("audit", row.process_id, "REVER's words are kept that no step of the audit names")
        elif row.forgotten_at is None and digest(row.salt, row.text) != row.digest:
            yield Finding("audit", row.process_id, "REVER's words are not those that the audit has the hash of")
    for process_id in sorted(set(missing.values())):
        yield Finding("audit", process_id, "REVER's words, which the audit has the hash of, are gone")


# Whether the guards' counters are what the intents add up to.


def check_counters(conn: Connection) -> Iterator[Finding]:
    """Yield the days of a store whose sum is not that of its counted refunds, and refunds counted for nothing."""
    due: Counter[tuple[str, Any, str]] = Counter()
    counted = set()
    for row in conn.execute(select(intents).where(intents.c.counted, intents.c.state.not_in(sorted(DEAD_STATES)))):
        due[row.store, row.day, row.currency] += e4(_meant(row))
        counted.add(row.id)
    found = {(row.store, row.day, row.currency): row.amount_e4 for row in conn.execute(select(store_days))}
    for key in sorted({*due, *found}):
        if due[key] != found.get(key, 0):
            store, day, currency = key
            said = f"counts {_money(found.get(key, 0))} {currency}, the refunds of that day are {_money(due[key])}"
            yield Finding("counter", f"store {store} on {day}", said)
    for (intent_id,) in conn.execute(select(shopper_refunds.c.intent_id)):
        if intent_id not in counted:
            yield Finding("counter", intent_id, "is counted for a shopper, though it is no refund that counts")


def _meant(row: Row[Any]) -> Decimal:
    """What was claimed: a person who closed it by hand may have named another amount."""
    return Decimal(row.evidence["meant"]) if "meant" in row.evidence else row.amount


def _money(amount_e4: int) -> str:
    return f"{Decimal(amount_e4) / 10_000:f}"


# What should have been settled long ago: a sign that no run comes by any more.


AHEAD = "ahead"
"""The rule of a time that is to come. It damages nothing."""

LONGEST_WAIT = timedelta(days=366)
"""A return waits for no longer: for REVER to pay, at most (`rever_pays_within_hours`)."""

GRACE = timedelta(hours=1)
"""Runs come every ten minutes; one that is missed, or a night's pause of a store, is nothing to report."""


def ahead_of(conn: Connection, now: datetime) -> Iterator[Finding]:
    """Yield times that lie further ahead than any rule or setting can have put them: a clock was ahead.

    Nothing waits for them, so that it is enough to know; what was written then is dated wrong.
    """
    right = now + DIFFER
    told = (
        (records.c.looked_at, records.c.process_id, right),
        (records.c.run_began_at, records.c.process_id, right),
        (records.c.next_look_at, records.c.process_id, right + LONGEST_WAIT),
        (intents.c.created_at, intents.c.process_id, right),
        (intents.c.sent_at, intents.c.process_id, right),
        (intents.c.closed_at, intents.c.process_id, right),
        (intents.c.lease_until, intents.c.process_id, right + LONGEST_SETTING),
        (intents.c.deadline, intents.c.process_id, right + 2 * LONGEST_SETTING),
        (intents.c.settle_at, intents.c.process_id, right + LONGEST_SETTING),
        (holds.c.since, holds.c.process_id, right),
        (audit.c.at, audit.c.process_id, right),
        (shopper_refunds.c.at, shopper_refunds.c.intent_id, right),
        (pauses.c.paused_until, pauses.c.store, right + LONGEST),
        (caught_up.c.at, caught_up.c.store, right),
        (shadow.c.looked_at, shadow.c.process_id, right),
        (files.c.taken_at, files.c.digest, right),
        (parcels.c.looked_at, parcels.c.process_id, right),
        (parcel_changes.c.seen_at, parcel_changes.c.process_id, right),
        (ledger.c.restored_at, ledger.c.account, right),
        (ledger.c.stopped_since, ledger.c.account, right),
        (archives.c.made_at, archives.c.name, right),
    )
    for column, name, most in told:
        query = select(func.count(), func.max(column, type_=column.type), func.max(name)).where(column > most)
        many, last, one = conn.execute(query).one()
        if many:
            what = f"{column.table.name}.{column.name}"
            why = f"{what} is {clock_time(last)}, which is to come, in {many} of them: a clock was ahead"
            yield Finding(AHEAD, one or "the ledger itself", why)


def check_lateness(conn: Connection, now: datetime) -> Iterator[Finding]:
    """Yield open effects past their time by more than `GRACE`, and unknown ones that nobody was asked about."""
    late = now - GRACE
    asked = exists().where(holds.c.intent_id == intents.c.id, holds.c.state == "open")
    query = select(intents).where(
        or_(
            and_(intents.c.state == IntentState.INTENDED, intents.c.lease_until < late),
            and_(intents.c.state == IntentState.SENT, intents.c.deadline < late),
            and_(intents.c.state == IntentState.UNKNOWN, intents.c.settle_at < late, ~asked),
        )
    )
    for row in conn.execute(query.order_by(intents.c.seq)):
        since = {IntentState.INTENDED: row.lease_until, IntentState.SENT: row.deadline}.get(row.state, row.settle_at)
        why = f"{row.kind} {row.id} is {row.state} since {clock_time(since)}, and no run has settled it; run reconcile"
        yield Finding("late", row.process_id, why)


# Whether each refund is what its units are worth after costs, to the cent, and no line has more units than it has.


def check_money(conn: Connection) -> Iterator[Finding]:
    """Yield refunds that are not worth their units, and returns whose refunds are more than is due."""
    costs = {row.process_id: row.costs for row in conn.execute(select(records.c.process_id, records.c.costs))}
    terms: dict[str, dict[str, LineTerms]] = {}
    for row in conn.execute(select(lines)):
        terms.setdefault(row.process_id, {})[row.line_id] = LineTerms(
            row.total, row.quantity, row.currency, row.rounding
        )
    rows = conn.execute(select(intents).order_by(intents.c.process_id, intents.c.seq))
    for process_id, group in groupby(rows, key=lambda row: str(row.process_id)):
        made = _live(list(group))
        yield from check_payments(process_id, made, terms.get(process_id, {}), costs.get(process_id) or ZERO)


def check_payments(
    process_id: str, made: Sequence[Intent], terms: Mapping[str, LineTerms], costs: Decimal
) -> Iterator[Finding]:
    """Yield what is wrong with the live refunds and exchanges of one return, which are in the order they were made."""
    yield from _worth(process_id, made, terms)
    yield from _paid(process_id, made, costs)
    yield from _fees(process_id, made, terms)


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
        # Where a person closed units, those that bear no costs count for nothing.
        by_hand = intent.state in BY_A_PERSON and intent.gross <= worth
        if not wrong and worth != intent.gross and not by_hand:
            said = f"{intent.kind} {intent.id} says its units are worth {intent.gross}, but they are worth {worth}"
            yield Finding("money", process_id, f"{said} {intent.currency}")


def _paid(process_id: str, made: Sequence[Intent], costs: Decimal) -> Iterator[Finding]:
    before = ZERO
    for intent in made:
        if not KINDS[intent.kind].pays:
            continue
        after = before + intent.gross - intent.exempt
        due = net(after, costs) - net(before, costs) + intent.exempt + intent.bonus - intent.fee
        due += intent.shipping.amount if intent.shipping else ZERO
        if intent.state not in BY_A_PERSON and intent.amount != due:
            why = f"refund {intent.id} is of {intent.amount} {intent.currency}, where {due} was due after costs"
            yield Finding("money", process_id, why)
        before = after


def _fees(process_id: str, made: Sequence[Intent], terms: Mapping[str, LineTerms]) -> Iterator[Finding]:
    """Yield refunds whose fees in percent are not what their terms come to, after all that bore them before."""
    worth: dict[str, Decimal] = defaultdict(Decimal)
    for intent in made:
        due, of = ZERO, dict(intent.fee_terms)
        for item in intent.items:
            if (fee := of.get(item.line_id)) is None or item.line_id not in terms:
                continue
            before = worth[fee.rule]
            worth[fee.rule] = after = before + gross(terms[item.line_id], item.units)
            due += fee_in_percent(after, fee, intent.currency) - fee_in_percent(before, fee, intent.currency)
        if intent.state not in BY_A_PERSON and intent.fee != due:
            why = f"refund {intent.id} bears a fee of {intent.fee} {intent.currency}, where {due} was due by its terms"
            yield Finding("money", process_id, why)


# Whether no order's shipping was refunded beyond what it cost, and each refund that has a part of it is numbered.


def check_shipping(conn: Connection) -> Iterator[Finding]:
    """Yield orders of which more shipping was refunded than they had, and refunds with shipping that have no number."""
    numbered = {row.intent_id: row for row in conn.execute(select(order_shipping))}
    paid: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    most: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in conn.execute(select(intents).order_by(intents.c.seq)):
        intent = intent_of(row)
        if intent.shipping is None:
            continue
        order, held = (row.store, intent.shipping.order_id), numbered.get(intent.id)
        if held is None or (held.store, held.order_id, held.number) != (*order, intent.shipping.number):
            yield Finding("shipping", row.process_id, f"refund {intent.id} has shipping of an order that does not know")
        most[order] = max(most[order], intent.shipping.whole)
        if intent.live and intent.state is not IntentState.DROPPED:
            paid[order] += intent.shipping.amount
    for order, amount in paid.items():
        if amount > most[order]:
            why = f"{amount} of the shipping of order {order[1]} was refunded, which cost {most[order]}"
            yield Finding("shipping", order[1], why)


# Whether everything that names something else names what is there: no orphaned claim, hold or waiver.


def check_references(conn: Connection) -> Iterator[Finding]:
    """Yield what names nothing."""
    for table, what in ((intents, "an effect"), (holds, "a hold"), (waivers, "a waiver"), (lines, "a line")):
        for (process_id,) in _naming_nothing(conn, table, table.c.process_id, records.c.process_id, table.c.process_id):
            yield Finding("orphan", process_id, f"{what} belongs to a return that the ledger does not have")
    named = (
        (units, units.c.intent_id, "a unit is claimed by"),
        (holds, holds.c.intent_id, "a hold asks about"),
        (waivers, waivers.c.used_by, "a waiver was used by"),
        (order_shipping, order_shipping.c.intent_id, "a part of an order's shipping is of"),
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


# Whether each unit is in at most one live intent, and the claims' rows say the same as the intents.


Key = tuple[str, str, str, int]
"""A unit: return, space, line, number. A label's number is its generation."""


def check_taken(conn: Connection) -> Iterator[Finding]:
    """Yield units that are taken twice, claims without a row, and rows of a claim that names other units."""
    rows = {(row.process_id, row.space, row.line_id, row.n): row.intent_id for row in conn.execute(select(units))}
    named: dict[str, set[Key]] = defaultdict(set)
    taken: dict[Key, str] = {}
    for row in conn.execute(select(intents).order_by(intents.c.seq)):
        intent = intent_of(row)
        keys = [
            (row.process_id, unit["space"], unit["line_id"], unit["n"]) for unit in unit_rows(row.process_id, intent)
        ]
        named[intent.id].update(keys)
        if not intent.live:
            continue
        if not keys or len(set(keys)) < len(keys):
            yield Finding("units", row.process_id, f"{intent.kind} {intent.id} names no unit, or one of them twice")
        for key in keys:
            if key in taken:
                yield Finding("units", row.process_id, f"{_unit(key)} is in {taken[key]} and in {intent.id}, both live")
            elif rows.get(key) != intent.id:
                holder = rows.get(key) or "nobody"
                yield Finding("units", row.process_id, f"{_unit(key)} is {intent.id}'s, but is claimed by {holder}")
            taken[key] = intent.id
    for key, intent_id in rows.items():
        if intent_id in named and key not in named[intent_id]:
            yield Finding("units", key[0], f"{_unit(key)} is claimed by {intent_id}, which does not name it")


def _unit(key: Key) -> str:
    _, space, line_id, n = key
    if space == SHIPPING:
        return "the shipping of the return's order"
    return f"unit {n} of line {line_id}" if line_id else f"{KINDS[space].noun} {n}"


# Whether the changes of each parcel follow from one another, and it stands where the last one left it.


def check_parcels(conn: Connection) -> Iterator[Finding]:
    """Yield parcels with a change that is missing or does not follow, and those that stand elsewhere.

    The first changes of a return that was archived are in its archive: those in the ledger follow from these.
    """
    archived = {process_id for (process_id,) in conn.execute(select(chains.c.process_id).where(chains.c.archive > 0))}
    last: dict[tuple[str, int], tuple[int, str]] = {}
    broken: set[tuple[str, int]] = set()
    in_order = (parcel_changes.c.process_id, parcel_changes.c.parcel, parcel_changes.c.n)
    for row in conn.execute(select(parcel_changes).order_by(*in_order)):
        key = (row.process_id, row.parcel)
        n, status = last.get(key, (row.n - 1, row.before) if row.process_id in archived else (0, ""))
        if (row.n, row.before) != (n + 1, status) and key not in broken:
            broken.add(key)
            why = f"change {row.n} of parcel {row.parcel} does not follow from the one before: changed, or one is gone"
            yield Finding("parcels", row.process_id, why)
        last[key] = (row.n, row.status)
    stands = {(row.process_id, row.parcel): (row.changes, row.status) for row in conn.execute(select(parcels))}
    for key in sorted({*last, *stands} - broken):
        if key[0] in archived:  # its changes are in an archive, whose digests hold them together
            continue
        if stands.get(key) != last.get(key):
            yield Finding("parcels", key[0], f"parcel {key[1]} does not stand where its last change left it")


# All checks over one consistent view of the ledger.


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and what was found wrong in it."""

    returns: int
    intents: int
    steps: int
    findings: tuple[Finding, ...]


def check(conn: Connection, *, now: datetime) -> Checked:
    """Check everything. A finding is no repair: nothing is changed."""
    found = tuple(_file(conn))
    if not found:  # a file that is damaged cannot be read any further
        rules = (check_references, check_taken, check_money, check_shipping, check_counters, check_audit, check_parcels)
        for rule in rules:
            found += tuple(rule(conn))
        found += tuple(check_lateness(conn, now)) + tuple(ahead_of(conn, now))
    return Checked(_many(conn, records), _many(conn, intents), _many(conn, audit), found)


def _many(conn: Connection, table: Table) -> int:
    return int(conn.execute(select(func.count()).select_from(table)).scalar_one())


def _file(conn: Connection) -> Iterator[Finding]:
    if conn.dialect.name != "sqlite":
        return
    for (said,) in conn.exec_driver_sql("PRAGMA integrity_check(20)"):
        if said != "ok":
            yield Finding("file", "the database file", f"SQLite finds it damaged: {said}")


# Whether each value of a ledger on SQLite can be what it stands for: asked when an operation fails unexpectedly.
#
# SQLite keeps any bytes in any column and decodes them only when they are read, so a damaged file shows as a value
# that is no time, no amount or no text. Such a ledger is to be restored, not to be looked for in this software's
# code.


_ONE_OF: Mapping[Column[Any], type[StrEnum]] = MappingProxyType(
    {intents.c.state: IntentState, intents.c.kind: IntentKind, holds.c.kind: HoldKind}
)


def unreadable(conn: Connection) -> bool:
    """Whether any value cannot be read, or is of another kind than its column. Always False on PostgreSQL."""
    if conn.dialect.name != "sqlite":
        return False
    return any(_of_another_kind(conn, table) or _undecodable(conn, table) for table in metadata.sorted_tables)


def _of_another_kind(conn: Connection, table: Table) -> bool:
    for column in table.columns:
        kind = func.typeof(column)
        allowed = {_stored_as(column), *(["null"] if column.nullable else [])}
        known = column.in_(list(_ONE_OF[column])) if column in _ONE_OF else true()
        wrong = or_(kind.not_in(sorted(allowed)), not_(known))
        if conn.execute(select(kind).select_from(table).where(wrong).limit(1)).first() is not None:
            return True
    return False


def _stored_as(column: Column[Any]) -> str:
    if isinstance(column.type, Integer | BigInteger | Boolean):
        return "integer"
    return "blob" if isinstance(column.type, LargeBinary) else "text"


def _undecodable(conn: Connection, table: Table) -> bool:
    documents = [column.name for column in table.columns if isinstance(column.type, JSON)]
    try:
        rows = conn.execute(select(table)).mappings()
        return any(not isinstance(row[name], dict | None) for row in rows for name in documents)
    except Exception:  # noqa: BLE001 - whatever a value's type raises: it cannot be read
        return True
