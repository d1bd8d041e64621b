"""Refunds beside the rows of payout files and of REVER's statement: what is in all books, and what is not. Pure.

Each row is matched with at most one refund. Nothing is corrected, and nothing is taken for equal that is not so to the
last decimal.
"""

import heapq
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import combinations

from tasks.lookup import bare_order
from tasks.policy.facts import counted
from tasks.policy.money import ZERO, shown

EARLY = timedelta(days=2)
"""So much earlier than the ledger a row may be: clocks differ, and a date without a time may be of another zone."""
REACH = timedelta(days=60)
"""So much later a row may be and still be found by order and amount; also how far back unmatched refunds are kept."""
MOST_LEGS = 4
"""Rows that one refund may be in, where they come to it exactly."""
LEGS_AMONG = 10
"""Rows of one order among which such legs are looked for; among more too many come to the sum by chance."""


class Source(StrEnum):
    """Who made a file."""

    STRIPE = "Stripe"
    ADYEN = "Adyen"
    PAYPAL = "PayPal"
    REDSYS = "Redsys"
    STATEMENT = "REVER's statement"


class Book(StrEnum):
    """A place where a refund should be found."""

    LEDGER = "ledger"
    REVER = "REVER"
    PAYOUT = "payout file"
    STATEMENT = "statement"


class RowKind(StrEnum):
    """What a row of a file is about. `OTHER` is all that is no refund: charges, fees, payouts."""

    REFUND = "refund"
    FAILED = "failed"
    REVERSED = "reversed"
    OTHER = "other"


class MatchKey(StrEnum):
    """By what a row was matched with a refund. Only a reference is sure; the others are probable."""

    REFERENCE = "reference"
    PROBABLE = "probable: order, amount and date"
    PROBABLE_LEGS = "probable: order, date, and the amount of several rows"
    ORDER_AND_DATE = "probable: order and date alone"
    NONE = ""


class Outcome(StrEnum):
    """What came of a refund in the books that were compared."""

    SEEN = "seen by all"
    LATE = "late"
    MISSING = "missing"
    PARTLY = "partly matched"
    FAILED = "failed afterwards"
    REVERSED = "reversed"
    OTHER_AMOUNT = "another amount"
    TWICE = "in two files"
    NOT_EXPECTED = "not expected in these files"


AGREES = frozenset({Outcome.SEEN, Outcome.NOT_EXPECTED})
"""Outcomes of which nothing is to be looked into."""


class Fate(StrEnum):
    """What came of a row of a file."""

    MATCHED = "matched"
    UNEXPLAINED = "no refund explains it"
    OTHER = "no refund"
    OUTSIDE = "outside the window"
    REPEATED = "repeated from another file"


@dataclass(frozen=True, slots=True)
class FileRow:
    """A row of a file. It holds nothing about a shopper.

    `amount` is what went to the shopper: negative where it came back, 0 where it never went. `asked` is the amount that
    the row is about, whatever became of it, never negative for refunds. `type` is the file's own word. `reference` is
    the provider's id that is shown, `references` all ids that may be ours or lead to the order. `link` is what a refund
    and its failure share, and `unique` what tells the row from all others, also of another file.
    """

    source: Source
    file: str
    number: int
    kind: RowKind
    type: str
    amount: Decimal
    asked: Decimal
    currency: str
    at: datetime
    order: str = ""
    reference: str = ""
    references: tuple[str, ...] = field(default=(), repr=False)
    link: str = ""
    unique: str = field(default="", repr=False)

    @property
    def key(self) -> tuple[str, str]:
        """The order as it is compared, and the currency."""
        return bare_order(self.order), self.currency


@dataclass(frozen=True, slots=True)
class BookedRefund:
    """One refund as ledger and REVER have it.

    `ledger` is None where the ledger does not have it as done, `open` that it does not know yet what came of it;
    `rever` is None where REVER's answer could not be read or is not asked for (`by_hand`). `paid` is how much of it is
    paid. `at` is when it was sent or paid, `since` the earliest time that a row of it may have; `wanted` that it is
    in the window: one before it is only there to explain rows.
    """

    id: str
    process_id: str
    order: str
    store: str
    method: str
    currency: str
    amount: Decimal
    ledger: Decimal | None
    rever: Decimal | None
    paid: Decimal | None
    at: datetime
    since: datetime
    references: tuple[str, ...] = ()
    by_hand: bool = False
    open: bool = False
    wanted: bool = True

    @property
    def key(self) -> tuple[str, str]:
        """The order as it is compared, and the currency."""
        return bare_order(self.order), self.currency


@dataclass(slots=True)
class Found:
    """What was found of a refund in one book."""

    rows: list[FileRow] = field(default_factory=list)
    key: MatchKey = MatchKey.NONE

    @property
    def amount(self) -> Decimal:
        """What went to the shopper by these rows, less what came back."""
        return sum((row.amount for row in self.rows), ZERO)

    @property
    def came_back(self) -> RowKind | None:
        """Whether a row says that it failed or was reversed."""
        return next((row.kind for row in self.rows if row.kind in {RowKind.FAILED, RowKind.REVERSED}), None)


@dataclass(frozen=True, slots=True)
class Judged:
    """A refund and its outcome. `missing_at` are the books that should have it and do not, `why` says the rest."""

    refund: BookedRefund
    outcome: Outcome
    missing_at: tuple[Book, ...]
    payout: Found
    statement: Found
    why: str

    @property
    def rows(self) -> list[FileRow]:
        """The rows of all files that are about it."""
        return [*self.payout.rows, *self.statement.rows]

    @property
    def key(self) -> MatchKey:
        """By what it was matched with its rows."""
        return self.payout.key or self.statement.key


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """A row of a file, what came of it, and why where no refund explains it."""

    row: FileRow
    fate: Fate
    why: str = ""


ADVANCED = frozenset({"BANK_TRANSFER"})
"""Methods whose refunds REVER pays and bills as supplied expenses, as far as is known."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the files should have.

    `ends` says until when the payout files go and until when the statement does, of those that there are; `days` in
    how many days a refund usually is in them. `in_statement` are the methods that REVER's statement covers. `since` and
    `until` bound the rows that are to be explained; None is without a bound.
    """

    ends: Mapping[Book, datetime]
    days: timedelta
    in_statement: frozenset[str] = ADVANCED
    since: datetime | None = None
    until: datetime | None = None

    def books(self, refund: BookedRefund) -> set[Book]:
        """The files that should have a refund. Store credit is in none; what REVER advances is in its statement."""
        if refund.method in STORE_CREDIT or refund.by_hand:
            return set()
        return {Book.STATEMENT if refund.method in self.in_statement else Book.PAYOUT} & self.ends.keys()

    def may_come(self, refund: BookedRefund, book: Book) -> bool:
        """Whether a file ends before the usual days of a refund are over."""
        return refund.at + self.days > self.ends[book]


STORE_CREDIT = frozenset({"GIFT_CARD", "PROMO_CODE"})
"""Methods by which no provider pays anything."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Refunds and rows with what came of each."""

    refunds: tuple[Judged, ...]
    rows: tuple[JudgedRow, ...]


def reconcile(refunds: Sequence[BookedRefund], rows: Sequence[FileRow], expected: Expected) -> Reconciled:
    """Match refunds and rows one to one, and judge both."""
    fates: dict[int, JudgedRow] = {}
    seen: dict[str, FileRow] = {}
    fresh: list[tuple[int, FileRow]] = []
    for place, row in enumerate(rows):
        first = seen.setdefault(row.unique, row) if row.unique else row
        if first is not row and first.source is row.source and first.currency == row.currency:
            fates[place] = JudgedRow(row, Fate.REPEATED, f"it is row {first.number} of {first.file} already")
        elif row.kind is RowKind.OTHER:
            fates[place] = JudgedRow(row, Fate.OTHER)
        else:
            fresh.append((place, row))
    in_payouts = _Pairing(refunds, [it for it in fresh if it[1].source is not Source.STATEMENT], expected.days)
    in_statement = _Pairing(refunds, [it for it in fresh if it[1].source is Source.STATEMENT], expected.days)
    for place, row in fresh:
        pairing = in_statement if row.source is Source.STATEMENT else in_payouts
        inside = (expected.since is None or expected.since <= row.at) and (
            expected.until is None or row.at < expected.until
        )
        if place in pairing.taken:
            fates[place] = JudgedRow(row, Fate.MATCHED)
        elif inside:
            fates[place] = JudgedRow(row, Fate.UNEXPLAINED, pairing.why_not(row))
        else:
            fates[place] = JudgedRow(row, Fate.OUTSIDE)
    nothing = Found()
    judged = []
    for refund in refunds:
        payout, statement = in_payouts.found.get(refund.id, nothing), in_statement.found.get(refund.id, nothing)
        if refund.wanted or payout.rows or statement.rows:
            judged.append(judge(refund, payout, statement, expected))
    return Reconciled(tuple(judged), tuple(fates[place] for place in range(len(rows))))


class _Pairing:
    """Refunds and rows of one book, matched one to one: `found` by refund, `taken` are the places of matched rows."""

    def __init__(self, refunds: Sequence[BookedRefund], rows: Sequence[tuple[int, FileRow]], usual: timedelta) -> None:
        self.found: dict[str, Found] = {}
        self.taken: dict[int, BookedRefund] = {}
        self._linked: dict[tuple[Source, str], BookedRefund] = {}
        self._refunds: dict[tuple[str, str], list[BookedRefund]] = defaultdict(list)
        for refund in refunds:
            if refund.key[0]:
                self._refunds[refund.key].append(refund)
        self._stores = {key: {it.store for it in group} for key, group in self._refunds.items()}
        out = [it for it in rows if it[1].kind is RowKind.REFUND]
        back = [it for it in rows if it[1].kind is not RowKind.REFUND]
        by_reference: dict[str, list[BookedRefund]] = defaultdict(list)
        for refund in refunds:
            for reference in refund.references:
                by_reference[reference].append(refund)
        self._by_reference(out, by_reference)
        self._by_order(out, usual)
        self._come_back(back, by_reference)
        self._by_order(out, usual)  # what failed may have been paid again

    def _take(self, refund: BookedRefund, row: tuple[int, FileRow], key: MatchKey) -> None:
        found = self.found.setdefault(refund.id, Found())
        found.rows.append(row[1])
        found.key = found.key or key
        self.taken[row[0]] = refund
        if row[1].link and row[1].kind is RowKind.REFUND:
            self._linked[row[1].source, row[1].link] = refund

    def _free(self, refund: BookedRefund) -> bool:
        """Whether nothing went to the shopper yet for this refund by the rows that were found."""
        found = self.found.get(refund.id)
        return found is None or found.amount <= 0

    def _by_reference(
        self, rows: Sequence[tuple[int, FileRow]], by_reference: Mapping[str, Sequence[BookedRefund]]
    ) -> None:
        """Rows that name a refund, or a return of which just one refund can be meant. First those of its amount."""
        named = []
        for place, row in rows:
            hits = {it.id: it for ref in row.references for it in by_reference.get(ref, ())}
            hits = {each: it for each, it in hits.items() if it.currency == row.currency}
            if hits:
                named.append(((place, row), list(hits.values())))
        for item, hits_ in named:
            exact = sorted(
                (it for it in hits_ if it.amount == item[1].amount and it.id not in self.found),
                key=lambda it: abs(it.at - item[1].at),
            )
            if exact:
                self._take(exact[0], item, MatchKey.REFERENCE)
        for item, hits_ in named:
            if item[0] not in self.taken and len(hits_) == 1:
                held = self.found.get(hits_[0].id)
                if held is None or held.amount + item[1].amount <= hits_[0].amount:
                    self._take(hits_[0], item, MatchKey.REFERENCE)

    def _by_order(self, rows: Sequence[tuple[int, FileRow]], usual: timedelta) -> None:
        """Rows of the same order: of the same amount, then several that come to it, then the only one that is left."""
        groups: dict[tuple[str, str], list[tuple[int, FileRow]]] = defaultdict(list)
        for item in rows:
            if item[0] not in self.taken and item[1].key[0]:
                groups[item[1].key].append(item)
        for key, mine in groups.items():
            if len(self._stores.get(key, ())) != 1:
                continue
            for reach in (usual, REACH):
                self._exact(self._refunds[key], mine, reach)
            self._legs(self._refunds[key], mine)
            self._only_one_left(self._refunds[key], mine)

    def _exact(self, refunds: Sequence[BookedRefund], rows: Sequence[tuple[int, FileRow]], reach: timedelta) -> None:
        """As many pairs of one amount as there can be: each row goes to the refund whose time ends first."""
        wanted: dict[Decimal, list[BookedRefund]] = defaultdict(list)
        for it in refunds:
            if self._free(it):
                wanted[it.amount].append(it)
        offered: dict[Decimal, list[tuple[int, FileRow]]] = defaultdict(list)
        for item in rows:
            if item[0] not in self.taken:
                offered[item[1].amount].append(item)
        for amount, mine in offered.items():
            waiting = sorted(wanted.get(amount, ()), key=lambda it: it.since, reverse=True)
            ready: list[tuple[datetime, str, BookedRefund]] = []
            for item in sorted(mine, key=lambda it: (it[1].at, it[0])):
                while waiting and waiting[-1].since <= item[1].at:
                    it = waiting.pop()
                    heapq.heappush(ready, (it.at + reach, it.id, it))
                while ready and ready[0][0] < item[1].at:
                    heapq.heappop(ready)
                if ready:
                    self._take(heapq.heappop(ready)[2], item, MatchKey.PROBABLE)

    def _legs(self, refunds: Sequence[BookedRefund], rows: Sequence[tuple[int, FileRow]]) -> None:
        """A refund that was paid in several rows, where just one choice of them comes to its amount."""
        for refund in refunds:
            left = self._near(refund, rows)
            if not self._free(refund) or not 2 <= len(left) <= LEGS_AMONG:
                continue
            fits = [
                some
                for many in range(2, min(MOST_LEGS, len(left)) + 1)
                for some in combinations(left, many)
                if sum((it[1].amount for it in some), ZERO) == refund.amount
            ]
            if len(fits) == 1:
                for item in fits[0]:
                    self._take(refund, item, MatchKey.PROBABLE_LEGS)

    def _only_one_left(self, refunds: Sequence[BookedRefund], rows: Sequence[tuple[int, FileRow]]) -> None:
        """One refund and one row that are left of an order belong together, though their amounts differ."""
        left = [it for it in refunds if self._free(it) and not self.found.get(it.id)]
        mine = [item for item in rows if item[0] not in self.taken]
        if len(left) == len(mine) == 1 and self._near(left[0], mine):
            self._take(left[0], mine[0], MatchKey.ORDER_AND_DATE)

    def _near(self, refund: BookedRefund, rows: Sequence[tuple[int, FileRow]]) -> list[tuple[int, FileRow]]:
        return [it for it in rows if it[0] not in self.taken and refund.since <= it[1].at <= refund.at + REACH]

    def _come_back(
        self, rows: Sequence[tuple[int, FileRow]], by_reference: Mapping[str, Sequence[BookedRefund]]
    ) -> None:
        """Rows that say that a refund failed or was reversed: by what they share with its row, else by order."""
        for item in sorted(rows, key=lambda it: (it[1].at, it[0])):
            row = item[1]
            refund = self._linked.get((row.source, row.link)) if row.link else None
            key = MatchKey.REFERENCE
            if refund is None:
                hits = {it.id: it for ref in row.references for it in by_reference.get(ref, ())}
                fits = [it for it in hits.values() if (it.amount, it.currency) == (row.asked, row.currency)]
                refund = self._back_of(fits, row)
            if refund is None and row.key[0] and len(self._stores.get(row.key, ())) == 1:
                alike = [it for it in self._refunds[row.key] if it.amount == row.asked]
                refund = self._back_of([it for it in alike if it.since <= row.at <= it.at + REACH], row)
                key = MatchKey.PROBABLE
            if refund is not None and refund.currency == row.currency and self._may_come_back(refund, row):
                self._take(refund, item, key)

    def _back_of(self, refunds: Collection[BookedRefund], row: FileRow) -> BookedRefund | None:
        """The refund that a row says came back: one that was paid before it, else one of which there is no row."""
        able = [it for it in refunds if self._may_come_back(it, row)]
        able.sort(key=lambda it: (self._free(it) == bool(row.amount), it.at, it.id))
        return able[0] if able else None

    def _may_come_back(self, refund: BookedRefund, row: FileRow) -> bool:
        """Whether no more would come back than went out; what never went out may be said of one without a row."""
        found = self.found.get(refund.id)
        if row.amount:
            return found is None or not found.rows or found.amount + row.amount >= 0
        return found is None or not any(it.kind is RowKind.FAILED for it in found.rows)

    def why_not(self, row: FileRow) -> str:
        """Why no refund explains a row."""
        if not row.key[0]:
            return "it names no order and no reference of ours"
        if len(self._stores.get(row.key, ())) > 1:
            return "several stores have an order of this name; name the store"
        group = self._refunds.get(row.key, [])
        if not group:
            others = {key[1] for key in self._refunds if key[0] == row.key[0]}
            if others:
                return f"the order's refunds are in {', '.join(sorted(others))}"
            return "no refund of this order is known in the window"
        free = [it for it in group if it.id not in self.found]
        if not free:
            return f"each of the {len(group)} refunds of this order has its row already"
        amounts = ", ".join(shown(it.amount, it.currency) for it in free[:3])
        return f"it does not fit what is left of this order ({amounts}) in one way"


def judge(refund: BookedRefund, payout: Found, statement: Found, expected: Expected) -> Judged:
    """The outcome of a refund by what was found of it."""
    found = {book: each for book, each in ((Book.PAYOUT, payout), (Book.STATEMENT, statement)) if each.rows}
    usual, missing, why = expected.books(refund), list[Book](), list[str]()
    if refund.ledger is None:
        missing.append(Book.LEDGER)
    if refund.rever == ZERO:
        missing.append(Book.REVER)
    absent = usual - found.keys()
    if found and absent:
        why.append(f"it is in the {next(iter(found))}, where {refund.method} usually is not")
    late = not found and not missing and any(expected.may_come(refund, book) for book in absent)
    if not found and not late:
        missing += sorted(absent)
    outcome = _by_rows(refund, found, why)
    if outcome is None:
        outcome = _by_books(refund, late=late, missing=bool(missing), looked_for=bool(found or usual), why=why)
    if late and outcome is Outcome.LATE:
        why.append(f"the files end less than its usual {counted(expected.days.days, 'day')} after it")
    if refund.open:
        why.append("the ledger does not know yet whether it was paid")
    if refund.rever and refund.paid is not None and refund.paid < refund.rever:
        why.append(f"REVER says that {shown(refund.rever - refund.paid, refund.currency)} is still on its way")
    if refund.rever is None and not refund.by_hand:
        why.append("REVER's answer about it could not be read")
    return Judged(refund, outcome, tuple(missing), payout, statement, "; ".join(why))


def _by_books(refund: BookedRefund, *, late: bool, missing: bool, looked_for: bool, why: list[str]) -> Outcome:
    """The outcome of a refund whose rows, if there are any, are right."""
    if missing:
        return Outcome.MISSING
    if refund.rever is not None and refund.rever < refund.amount:
        why.append(f"REVER shows {shown(refund.rever, refund.currency)} of it")
        return Outcome.PARTLY
    if late:
        return Outcome.LATE
    return Outcome.SEEN if looked_for else Outcome.NOT_EXPECTED


def _by_rows(refund: BookedRefund, found: Mapping[Book, Found], why: list[str]) -> Outcome | None:
    """The outcome that the amounts of the rows say; None where they are right, or there are none."""
    for book, each in found.items():
        net, back = each.amount, each.came_back
        how = "failed" if back is RowKind.FAILED else "was reversed"
        if net == refund.amount:
            if back:
                why.append(f"it {how} once and was paid again")
            continue
        if back:
            left = f", and {shown(net, refund.currency)} of it stayed paid" if net > 0 else ""
            why.append(f"by the {book} it {how}{left}")
            return Outcome.FAILED if back is RowKind.FAILED else Outcome.REVERSED
        off = f"{shown(abs(net - refund.amount), refund.currency)} {'less' if net < refund.amount else 'more'}"
        why.append(f"the {book} has {shown(net, refund.currency)}, {off} than was refunded")
        in_part = net < refund.amount and (len(each.rows) > 1 or refund.paid == net)
        return Outcome.PARTLY if in_part else Outcome.OTHER_AMOUNT
    if len(found) > 1:
        why.append("a payout file and REVER's statement both have it whole: it may have been paid twice")
        return Outcome.TWICE
    return None


@dataclass(slots=True)
class Sums:
    """What the books come to in one currency.

    `ledger` = `ledger_matched` + `ledger_unmatched`, over the refunds that the ledger has as done. `file` = `matched` +
    `unexplained` + `outside` + `repeated` + `other`, over all rows of the files that could be read. `rever` is what
    REVER shows of the same refunds and of its own, `only_rever`, which the ledger does not have as done.
    """

    ledger: Decimal = ZERO
    ledger_matched: Decimal = ZERO
    ledger_unmatched: Decimal = ZERO
    rever: Decimal = ZERO
    only_rever: Decimal = ZERO
    file: Decimal = ZERO
    matched: Decimal = ZERO
    unexplained: Decimal = ZERO
    outside: Decimal = ZERO
    repeated: Decimal = ZERO
    other: Decimal = ZERO


def sums_of(found: Reconciled) -> dict[str, Sums]:
    """The sums by currency."""
    sums: dict[str, Sums] = defaultdict(Sums)
    for it in found.refunds:
        mine = sums[it.refund.currency]
        mine.rever += it.refund.rever or ZERO
        if it.refund.ledger is None:
            mine.only_rever += it.refund.rever or ZERO
        else:
            mine.ledger += it.refund.ledger
            if it.rows:
                mine.ledger_matched += it.refund.ledger
            else:
                mine.ledger_unmatched += it.refund.ledger
    for each in found.rows:
        mine = sums[each.row.currency]
        mine.file += each.row.amount
        match each.fate:
            case Fate.MATCHED:
                mine.matched += each.row.amount
            case Fate.UNEXPLAINED:
                mine.unexplained += each.row.amount
            case Fate.OUTSIDE:
                mine.outside += each.row.amount
            case Fate.REPEATED:
                mine.repeated += each.row.amount
            case Fate.OTHER:
                mine.other += each.row.amount
    return dict(sorted(sums.items()))
