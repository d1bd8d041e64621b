"""One return in our ledger beside the same return at REVER: the refunds of both, per currency, to the cent. Pure."""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from rever_api.models import ReturnProcess
from tasks.policy.claims import BY_A_PERSON
from tasks.policy.comparison import compare, unseen_back
from tasks.policy.money import shown
from tasks.policy.reading import named, paid_of, refunds_shown, strange
from tasks.policy.record import SHOWS_LESS, IntentKind, IntentState, Record

RULE = "differs_from_rever"
"""The rule of the hold that asks about a difference which no other rule asks about."""


class Seen(StrEnum):
    """How the two sides of a return and currency compare."""

    NEITHER = "neither"
    SAME = "same"
    ONLY_OURS = "only ours"
    ONLY_THEIRS = "only theirs"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Beside:
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


def beside(process: ReturnProcess, record: Record, store: str) -> list[Beside]:
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
        Beside(
            process_id=process.rever_process_id,
            order_name=process.order_name,
            store=store,
            currency=currency,
            ours=ours[currency],
            theirs=theirs[currency],
            by_hand=by_hand[currency],
            seen=_seen(ours[currency], theirs[currency]),
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
            f"REVER does not show {amount} {currency} by {method}"
            for (method, currency), amount in found.missing.items()
        ]
    if not record.seen(found.others):
        words += [
            f"REVER shows {amount} {named(currency)} by {named(method) or 'no method'} that our ledger does not have"
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


def _seen(ours: Decimal, theirs: Decimal) -> Seen:
    if ours == theirs:
        return Seen.SAME if ours else Seen.NEITHER
    if not ours:
        return Seen.ONLY_THEIRS
    return Seen.DIFFERENT if theirs else Seen.ONLY_OURS


def _currency(process: ReturnProcess) -> str:
    return next((line.currency for line in process.return_line_items), "")
