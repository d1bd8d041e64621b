"""REVER's refunds beside the ledger's, and two reads of a return beside each other: what only one of the two shows."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import combinations

from rever_api.models import Refund, ReturnLineItem, ReturnProcess
from tasks.policy.decision import Hold
from tasks.policy.facts import counted, exchange_shown, named, paid_of, quoted, refunds_shown, strange
from tasks.policy.money import ZERO, shown
from tasks.policy.record import (
    BY_A_PERSON,
    CAME_BACK,
    SHOWS_LESS,
    HoldKind,
    Intent,
    IntentKind,
    IntentState,
    PaidSeen,
    Record,
    money_intents,
)

Shape = tuple[str, Decimal, str]
"""A refund as both sides can name it: type, amount, currency."""

Purse = tuple[str, str]
"""Type and currency, in which amounts may be added up."""

MOST_LEGS = 12
"""Refunds among which the legs of one are looked for: of more it is not tried, and a person is asked."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A done refund of ours and what REVER shows of it: how much in all, and how much of that as paid.

    `dated` says that REVER names when it was paid.
    """

    intent: Intent
    amount: Decimal
    paid: Decimal
    dated: bool

    @classmethod
    def of(cls, intent: Intent, refunds: Sequence[Refund]) -> "Standing":
        """The standing of a refund that REVER shows as these."""
        amount, paid = sum((it.amount for it in refunds), ZERO), sum((paid_of(it) for it in refunds), ZERO)
        return cls.dating(intent, amount, paid, dated=any(it.refunded_at is not None for it in refunds))

    @classmethod
    def dating(cls, intent: Intent, amount: Decimal, paid: Decimal, *, dated: bool) -> "Standing":
        """The standing by sums. Where all seems paid, and its time that was named before no longer is, none is paid."""
        before = intent.paid_seen
        gone = before is not None and before.dated and not dated and paid >= amount
        return cls(intent, amount, ZERO if gone else paid, dated)

    @property
    def open(self) -> Decimal:
        """What is not paid of it."""
        return max(ZERO, self.intent.amount - self.paid)

    @property
    def back(self) -> Decimal:
        """What was shown as paid before, and no longer is."""
        before = self.intent.paid_seen
        return max(ZERO, before.most - self.paid) if before else ZERO

    def seen(self, now: datetime) -> PaidSeen:
        """What is to be remembered of it."""
        before = self.intent.paid_seen
        if before is None or self.paid > before.most:
            return PaidSeen(self.paid, self.paid, now, self.dated)
        return replace(before, paid=self.paid, dated=before.dated or self.dated)


def unseen_back(standings: Sequence[Standing], record: Record) -> list[Standing]:
    """The refunds whose money has come back, where that is more than a person has seen and let pass."""
    back = [it for it in standings if it.back]
    seen = [it.amount for it in record.waivers if it.rule == CAME_BACK and it.amount is not None]
    return back if sum((it.back for it in back), ZERO) > max(seen, default=ZERO) else []


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs. `missing` and `foreign` are amounts per type and currency, each only where not 0.

    `others` is all that REVER shows and this desk did not send, per currency, adopted and closed by hand or not, what
    was taken back added as well: it grows with each further movement, whatever became of those before.
    `foreign_taken_back` says that some of it is negative, so that `foreign` may be less than was moved, or nothing.
    `foreign_unpaid` says that a foreign refund is not wholly paid yet by REVER's own account (`missing_amount`).
    `standings` say of each done refund that REVER shows how much of it is paid. `in_legs` says that one of them was
    found only as several refunds, or as a part of itself: another's refund might be taken for a leg. `unshown` are the
    refunds of ours that are not shown at all, `beside` amount and currency of each refund that we did not send.
    `exchange_short` counts units that an exchange of ours asked for and REVER's order does not name.
    """

    missing: dict[Purse, Decimal]
    foreign: dict[Purse, Decimal]
    others: dict[str, Decimal]
    foreign_unpaid: bool
    foreign_taken_back: bool
    exchange_missing: bool
    exchange_foreign: bool
    standings: tuple[Standing, ...] = ()
    unshown: tuple[Intent, ...] = ()
    beside: tuple[tuple[Decimal, str], ...] = ()
    in_legs: bool = False
    exchange_short: int = 0


NOTHING_MADE = Comparison(
    missing={},
    foreign={},
    others={},
    foreign_unpaid=False,
    foreign_taken_back=False,
    exchange_missing=False,
    exchange_foreign=False,
)
"""Where neither REVER nor the ledger has any refund or exchange."""


def went_out(process: ReturnProcess, record: Record) -> bool:
    """Whether money or goods went out for a return, by what REVER shows or by the ledger."""
    return bool(refunds_shown(process) or exchange_shown(process) or money_intents(record))


def compare(process: ReturnProcess, record: Record) -> Comparison:
    """Match REVER's refunds with the done ones, one to one by type, amount and currency, else leg by leg.

    REVER may pay one refund in several, of the same type: ours is found where they come to its amount exactly, and is
    shown in part where there are less, and nothing else is due to be found among them. A refund that REVER made itself
    was adopted by its method's sum, since it may have paid in several parts: those are matched by sum. A refund that a
    person closed by hand is matched by its amount where it can be seen.
    """
    if not (record.intents or refunds_shown(process) or exchange_shown(process)):
        return NOTHING_MADE
    done = [intent for intent in money_intents(record) if intent.state is IntentState.DONE]
    refunds = [intent for intent in done if intent.kind is IntentKind.REFUND and intent.amount]
    rest: dict[Shape, list[Refund]] = defaultdict(list)
    for it in sorted(refunds_shown(process), key=lambda it: (paid_of(it), it.refunded_at is not None), reverse=True):
        if it.amount:
            rest[str(it.type), it.amount, it.currency].append(it)
    # What was paid before is looked for among what is paid now, so that alike refunds do not change places.
    refunds.sort(key=lambda it: it.paid_seen.most if it.paid_seen else Decimal(0), reverse=True)
    standings, unshown = _alike([it for it in refunds if not it.adopted], rest)
    waits_for = {(it.method, it.currency) for it in refunds if it.adopted and not rest.get(_shape(it))}
    by_legs, unshown = _by_legs(unshown, rest, waits_for)
    standings += by_legs
    missing = _sums(_shape(it) for it in unshown)
    others: dict[str, Decimal] = {}
    for shape, found in rest.items():
        if found:
            others[shape[2]] = others.get(shape[2], Decimal(0)) + abs(shape[1]) * len(found)
    beside = [(shape[1], shape[2]) for shape, found in rest.items() for _ in found]
    adopted, by_sum = _alike([it for it in refunds if it.adopted], rest)
    standings += adopted
    foreign = [it for found in rest.values() for it in found]
    left = _without_closed(foreign, record)
    difference = _sums(left.elements())
    for purse, amount in _sums(_shape(it) for it in by_sum).items():
        difference[purse] = difference.get(purse, Decimal(0)) - amount
        alike = [it for it in foreign if (str(it.type), it.currency) == purse]
        standings += _in_turn([it for it in by_sum if (it.method, it.currency) == purse], alike)
        if difference[purse] < 0:
            missing[purse] = missing.get(purse, Decimal(0)) - difference[purse]
    exchanges = [intent for intent in done if intent.kind is IntentKind.EXCHANGE]
    order = exchange_shown(process)
    return Comparison(
        missing=missing,
        foreign={purse: amount for purse, amount in difference.items() if amount and purse not in missing},
        others=others,
        foreign_taken_back=any(amount < 0 for _, amount, _ in left),
        foreign_unpaid=any(paid_of(it) != it.amount for it in foreign),
        exchange_missing=bool(exchanges) and order is None,
        exchange_foreign=not exchanges and order is not None,
        standings=tuple(standings),
        unshown=tuple(unshown),
        beside=tuple(beside),
        in_legs=bool(by_legs),
        exchange_short=_short(exchanges, len(order.ordered_items) if order else 0),
    )


def received(process: ReturnProcess, record: Record) -> dict[str, Decimal]:
    """What the shopper has in all, per currency: all that REVER shows, what is on its way too, what we did and it does
    not show yet, and what people said they paid by hand, where REVER shows no such refund beside ours.
    """
    found = compare(process, record)
    sums: dict[str, Decimal] = {}

    def add(amount: Decimal, currency: str) -> None:
        sums[currency] = sums.get(currency, Decimal(0)) + amount

    for it in refunds_shown(process):
        if it.amount:
            add(it.amount, it.currency)
    for intent in found.unshown:
        add(intent.amount, intent.currency)
    for standing in found.standings:
        if standing.amount < standing.intent.amount:
            add(standing.intent.amount - standing.amount, standing.intent.currency)
    closed = [it for it in money_intents(record) if it.state is IntentState.DONE_BY_HAND and it.amount]
    by_hand = Counter((it.amount, it.currency) for it in closed if it.kind is IntentKind.REFUND)
    for (amount, currency), times in (by_hand - Counter(found.beside)).items():
        add(amount * times, currency)
    return sums


def _shape(intent: Intent) -> Shape:
    return intent.method, intent.amount, intent.currency


def _alike(refunds: Sequence[Intent], rest: dict[Shape, list[Refund]]) -> tuple[list[Standing], list[Intent]]:
    """The refunds that are shown as they were made, taken out of `rest`, and those that are not."""
    standings, unshown = [], []
    for intent in refunds:
        found = rest.get(_shape(intent))
        if found:
            standings.append(Standing.of(intent, [found.pop(0)]))
        else:
            unshown.append(intent)
    return standings, unshown


def _by_legs(
    refunds: Sequence[Intent], rest: dict[Shape, list[Refund]], waits_for: set[Purse]
) -> tuple[list[Standing], list[Intent]]:
    """The refunds that are shown leg by leg, taken out of `rest`, and those that are not shown at all.

    First those that come out exactly. What is left of a type is a part of ours only where REVER has said that ours is
    on its way, where it is less than ours, and where no refund of REVER's own (`waits_for`) may be part of it.
    """
    standings, unshown = [], []
    for intent in refunds:
        legs = _legs(intent, [it for found in rest.values() for it in found])
        if legs:
            standings.append(Standing.of(intent, legs))
            _take(rest, legs)
        else:
            unshown.append(intent)
    missing = []
    for purse in dict.fromkeys((it.method, it.currency) for it in unshown):
        ours = [it for it in unshown if (it.method, it.currency) == purse]
        shown = [it for found in rest.values() for it in found if (str(it.type), it.currency) == purse]
        amount = sum((it.amount for it in shown), Decimal(0))
        on_its_way = all(it.paid_seen is not None and it.paid_seen.most < it.amount for it in ours)
        fits = all(it.amount > 0 for it in shown) and 0 < amount < sum((it.amount for it in ours), Decimal(0))
        if purse in waits_for or not on_its_way or not fits:
            missing += ours
            continue
        partly = _in_turn(ours, shown)
        standings += partly
        missing += [it for it in ours if it not in [each.intent for each in partly]]
        _take(rest, shown)
    return standings, missing


def _legs(intent: Intent, rest: Sequence[Refund]) -> tuple[Refund, ...]:
    """Two or more refunds that come to this one's amount exactly; none where there are too many to tell."""
    alike = [it for it in rest if (str(it.type), it.currency) == (intent.method, intent.currency) and it.amount > 0]
    if len(alike) > MOST_LEGS:
        return ()
    for many in range(2, len(alike) + 1):
        for some in combinations(alike, many):
            if sum(it.amount for it in some) == intent.amount:
                return some
    return ()


def _take(rest: dict[Shape, list[Refund]], refunds: Iterable[Refund]) -> None:
    for it in refunds:
        rest[str(it.type), it.amount, it.currency].remove(it)


def _in_turn(refunds: Sequence[Intent], shown: Sequence[Refund]) -> list[Standing]:
    """What is shown, counted for one refund after another, each up to its amount; those that get nothing are left out.

    Of refunds matched by sum nobody can say whose is whose; the sums are right.
    """
    amount, paid = sum((it.amount for it in shown), Decimal(0)), sum((paid_of(it) for it in shown), Decimal(0))
    dated = any(it.refunded_at is not None for it in shown)
    standings = []
    for intent in refunds:
        here = min(intent.amount, amount)
        if here > 0:
            standings.append(Standing.dating(intent, here, max(Decimal(0), min(here, paid)), dated=dated))
        amount, paid = amount - here, paid - min(here, paid)
    return standings


def _short(exchanges: Sequence[Intent], ordered: int) -> int:
    """The units of ours that an order leaves out which says of what it is."""
    asked = sum(item.quantity for intent in exchanges for item in intent.items)
    return max(0, asked - ordered) if ordered else 0


def _sums(refunds: Iterable[Shape]) -> dict[Purse, Decimal]:
    """The amounts per type and currency."""
    sums: dict[Purse, Decimal] = {}
    for method, amount, currency in refunds:
        sums[method, currency] = sums.get((method, currency), Decimal(0)) + amount
    return sums


def _without_closed(foreign: Iterable[Refund], record: Record) -> Counter[Shape]:
    """Take out what a person said was paid: of the same type if there is one, else of any."""
    left = Counter((str(it.type), it.amount, it.currency) for it in foreign)
    closed = [it for it in money_intents(record) if it.state in BY_A_PERSON and it.kind is IntentKind.REFUND]
    for intent in closed:
        alike = [shape for shape in left if shape[1:] == (intent.amount, intent.currency) and left[shape] > 0]
        alike.sort(key=lambda shape: shape[0] != intent.method)
        if alike:
            left[alike[0]] -= 1
    return +left


# One return in our ledger beside the same return at REVER: the refunds of both, per currency, to the cent. Pure.


RULE = "differs_from_rever"
"""The rule of the hold that asks about a difference which no other rule asks about."""


class Seen(StrEnum):
    """How the two sides of a return and currency compare.

    `BY_HAND`: they differ by just what people said was paid by hand. `ONLY_BY_HAND`: there is nothing else.
    """

    NEITHER = "neither"
    SAME = "same"
    BY_HAND = "by hand"
    ONLY_BY_HAND = "only by hand"
    ONLY_OURS = "only ours"
    ONLY_THEIRS = "only theirs"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class RefundComparison:
    """A return's refunds in one currency. `by_hand` is what people said was paid, which REVER may show or not.

    `on_its_way` is the part of `theirs` that REVER has not paid yet.
    """

    process_id: str
    order_name: str
    store: str
    currency: str
    ours: Decimal
    theirs: Decimal
    by_hand: Decimal
    seen: Seen
    status: str
    on_its_way: Decimal = Decimal(0)

    @property
    def difference(self) -> Decimal:
        """What REVER shows more than our ledger."""
        return self.theirs - self.ours


def beside(process: ReturnProcess, record: Record, store: str) -> list[RefundComparison]:
    """Both sides of a return, a row for each currency; one row without money where nobody refunded anything.

    Ours are the refunds that the ledger has for done at REVER, adopted ones too.
    """
    ours: dict[str, Decimal] = defaultdict(Decimal)
    theirs: dict[str, Decimal] = defaultdict(Decimal)
    by_hand: dict[str, Decimal] = defaultdict(Decimal)
    for intent in record.intents:
        if intent.kind is IntentKind.REFUND and intent.amount:
            if intent.state is IntentState.DONE and not intent.nothing_sent:
                ours[intent.currency] += intent.amount
            elif intent.state in BY_A_PERSON:
                by_hand[intent.currency] += intent.amount
    on_its_way: dict[str, Decimal] = defaultdict(Decimal)
    for refund in refunds_shown(process):
        theirs[refund.currency] += refund.amount
        if not strange(refund):
            on_its_way[refund.currency] += refund.amount - paid_of(refund)
    money = sorted({*ours, *theirs, *by_hand}) or [_currency(process)]
    return [
        RefundComparison(
            process_id=process.rever_process_id,
            order_name=process.order_name,
            store=store,
            currency=currency,
            ours=ours[currency],
            theirs=theirs[currency],
            by_hand=by_hand[currency],
            seen=_seen(ours[currency], theirs[currency], by_hand[currency]),
            status=str(process.rever_process_status),
            on_its_way=on_its_way[currency],
        )
        for currency in money
    ]


def differs(process: ReturnProcess, record: Record) -> str:
    """In which way REVER shows other refunds than our ledger, matched one by one; empty where it does not.

    What a person said was paid by hand, or has seen when they answered, is no difference.
    """
    found = compare(process, record)
    words = [
        f"of a refund REVER showed {shown(it.paid + it.back, it.intent.currency)} as paid, and shows {it.paid} now"
        for it in unseen_back(found.standings, record)
    ]
    unseen = sum(found.missing.values(), Decimal(0))
    if not record.waived(SHOWS_LESS, unseen, next(iter(found.missing), ("", ""))[1]):
        words += [
            f"REVER does not show {amount:,} {currency} by {method}"
            for (method, currency), amount in found.missing.items()
        ]
    if not record.seen(found.others):
        words += [
            f"REVER shows {amount:,} {named(currency)} by {named(method) or 'no method'} that our ledger does not have"
            for (method, currency), amount in found.foreign.items()
        ]
        if found.foreign_taken_back:
            words.append("REVER shows refunds that our ledger does not have, some of them taken back again")
    return "; ".join(words)


def outstanding(process: ReturnProcess, record: Record) -> bool:
    """Whether REVER has not wholly paid, or not wholly ordered, what the ledger has as done, or tells odd sums."""
    found = compare(process, record)
    impossible = any(strange(it) for it in refunds_shown(process))
    return impossible or bool(found.exchange_short) or any(it.open for it in found.standings)


def _seen(ours: Decimal, theirs: Decimal, by_hand: Decimal) -> Seen:
    if ours == theirs:
        nothing = Seen.ONLY_BY_HAND if by_hand else Seen.NEITHER
        return Seen.SAME if ours else nothing
    if theirs - ours == by_hand:
        return Seen.BY_HAND
    if not ours:
        return Seen.ONLY_THEIRS
    return Seen.DIFFERENT if theirs else Seen.ONLY_OURS


def _currency(process: ReturnProcess) -> str:
    return next((line.currency for line in process.return_line_items), "")


# Two reads of one return in one run, beside each other: what money hangs on must be the same in both.
#
# Further approvals, a refund and an exchange that appear meanwhile are news, which the rules judge. A total, quantity,
# currency, method, variant, store or cost that differs between a search and a read by id is none, nor is a review, a
# refund or an exchange that the later read no longer shows: one of the two is wrong or old, and nobody can tell which.

READS_DIFFER = "reads_differ"
"""The rule of the hold; it ends by itself when a search and a read by id of one later run agree."""


def differences(first: ReturnProcess, second: ReturnProcess) -> tuple[str, ...]:
    """One sentence for each difference between an earlier and a later read; empty where they agree.

    What one of them does not tell is no difference, but for costs, reviews, refunds and an exchange that the earlier
    one showed: where an account leaves empty fields out, the later one says that there are none.
    """
    return tuple(_differences(first, second))


def reads_differ(found: tuple[str, ...]) -> Hold:
    """The hold of a return whose two reads differ so."""
    why = f"two reads of this return in one run differ: {'; '.join(found[:3])}; nothing is sent on either"
    evidence = {str(number): sentence for number, sentence in enumerate(found[:20], start=1)}
    return Hold(READS_DIFFER, why, HoldKind.CONTRADICTION, evidence)


def _differences(first: ReturnProcess, second: ReturnProcess) -> Iterator[str]:
    before = {line.id: line for line in first.return_line_items}
    after = {line.id: line for line in second.return_line_items}
    if before and after:  # a read without lines is held as such
        for line_id in sorted(before.keys() ^ after.keys()):
            yield f"line {quoted(line_id)} is in only one of them"
        for line_id in sorted(before.keys() & after.keys()):
            yield from _of_line(before[line_id], after[line_id])
    stores = first.ecommerce_id, second.ecommerce_id
    if all(stores) and stores[0] != stores[1]:
        yield f"the store is {quoted(stores[0])} and {quoted(stores[1])}"
    costs = first.return_costs, second.return_costs
    if costs[0] != costs[1] and (None not in costs or costs[0]):
        yield f"the return costs are {costs[0]} and {'not given' if costs[1] is None else costs[1]}"
    yield from _gone(first, second)


def _gone(first: ReturnProcess, second: ReturnProcess) -> Iterator[str]:
    """What the first read showed as done and the second no longer does; its paid part may change meanwhile."""
    reviews = _reviews(first) - _reviews(second)
    if reviews:
        yield f"{counted(reviews.total(), 'review')} in the first alone"
    for (method, amount, currency), times in (_refunds_of(first) - _refunds_of(second)).items():
        many = f"{times} refunds" if times > 1 else "a refund"
        yield f"{many} of {shown(amount, currency)} by {quoted(method)} in the first alone"
    if exchange_shown(first) is not None and exchange_shown(second) is None:
        yield "the exchange order in the first alone"


def _reviews(process: ReturnProcess) -> Counter[tuple[str, str]]:
    return Counter((review.line_item_id, str(review.status)) for review in process.reviews or ())


def _refunds_of(process: ReturnProcess) -> Counter[tuple[str, Decimal, str]]:
    return Counter((str(it.type), it.amount, it.currency) for it in refunds_shown(process))


def _of_line(before: ReturnLineItem, after: ReturnLineItem) -> Iterator[str]:
    name = f"line {quoted(before.id)}"
    told = (
        ("total", before.total_price, after.total_price),
        ("quantity", before.quantity, after.quantity),
        ("currency", before.currency or None, after.currency or None),
        ("compensation method", str(before.compensation_method) or None, str(after.compensation_method) or None),
        ("variant to exchange for", _variant(before), _variant(after)),
    )
    for what, one, other in told:
        if one is not None and other is not None and one != other:
            shown = (quoted(each) if isinstance(each, str) else str(each) for each in (one, other))
            yield f"{name} has the {what} {' and '.join(shown)}"


def _variant(line: ReturnLineItem) -> str | None:
    return (line.exchange_for.variant_id or None) if line.exchange_for else None
