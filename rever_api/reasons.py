"""Why REVER said no, as a class instead of its words: the words may quote a shopper's name and address.

The codes are gRPC's, as REVER's reference names two of them (3 and 12); the words are those of its reference and, for
want of more, those that such systems use (assumed). What fits none of the classes is `OTHER`, and never a guess: a
class only says more, it never makes a refusal out of an unknown outcome.
"""

import re
from collections.abc import Mapping
from enum import StrEnum


class Reason(StrEnum):
    """The class of an answer that is no 2xx. Values are kept in ledgers: they are added to, never changed."""

    COMBINATION = "combination_not_supported"
    PICKUP = "pickup_slot_refused"
    ADDRESS = "address_refused"
    OUT_OF_STOCK = "out_of_stock"
    AMOUNT = "amount_refused"
    ALREADY_REFUNDED = "already_refunded"
    ALREADY_REVIEWED = "already_reviewed"
    ALREADY_DONE = "already_done"
    PAYMENT = "payment_refused"
    REJECT_REASON = "reject_reason_missing"
    NOT_RUNNING = "return_not_running"
    BY_HAND = "done_by_hand_only"
    NOT_FOUND = "not_found"
    NO_ACCESS = "no_access"
    TOO_MANY = "too_many_requests"
    FAULT = "fault_at_rever"
    OTHER = "other"

    @property
    def words(self) -> str:
        """The class as a part of a sentence, empty where nothing is known."""
        return _WORDS[self]


_WORDS: Mapping[Reason, str] = {
    Reason.COMBINATION: "provider, carrier and return method are not supported together",
    Reason.PICKUP: "the pickup's day or hours are refused",
    Reason.ADDRESS: "an address is refused",
    Reason.OUT_OF_STOCK: "a variant is out of stock",
    Reason.AMOUNT: "the amount is refused",
    Reason.ALREADY_REFUNDED: "it is refunded already",
    Reason.ALREADY_REVIEWED: "it is reviewed already",
    Reason.ALREADY_DONE: "it is there or done already",
    Reason.PAYMENT: "the payment is refused",
    Reason.REJECT_REASON: "a reject reason is missing",
    Reason.NOT_RUNNING: "the return is not in a state that allows it",
    Reason.BY_HAND: "a person has to do it",
    Reason.NOT_FOUND: "it is not known there",
    Reason.NO_ACCESS: "the key is not known or may not do this",
    Reason.TOO_MANY: "too many requests",
    Reason.FAULT: "a fault at REVER",
    Reason.OTHER: "",
}

_SAID = tuple(
    (re.compile(pattern), reason)
    for pattern, reason in (
        (r"reject[ _]?reason", Reason.REJECT_REASON),
        (r"combination|combinaci", Reason.COMBINATION),
        (r"out of stock|no stock|insufficient (stock|inventory)|inventory|sold out", Reason.OUT_OF_STOCK),
        (r"pick-?up|\bslots?\b|holiday|festiv|non[- ]?working day|weekend|time (range|window)", Reason.PICKUP),
        (r"address|postcode|postal|zip code|phone|country|province|city\b|street", Reason.ADDRESS),
        # After pickups and addresses: only what speaks of carrier and method themselves is worth another carrier.
        (
            r"not supported (by|for|with) |unsupported carrier"
            r"|\b(carrier|provider)\b.*\b(not|un)\W*(support|available|valid|allow)",
            Reason.COMBINATION,
        ),
        (r"already.*refund|refund.*already|fully refunded|above what is still refundable", Reason.ALREADY_REFUNDED),
        (r"already.*review|review.*already", Reason.ALREADY_REVIEWED),
        (r"\bamount\b|currency", Reason.AMOUNT),
        (r"payment|transaction|gateway declined|insufficient funds|\biban\b", Reason.PAYMENT),
        (r"already", Reason.ALREADY_DONE),
        (r"process is |return is |\bstatus\b|\bstate\b", Reason.NOT_RUNNING),
        (r"by hand|manual", Reason.BY_HAND),
        (r"not found|no such|does not exist|unknown ", Reason.NOT_FOUND),
    )
)
_OF_STATUS = {401: Reason.NO_ACCESS, 403: Reason.NO_ACCESS, 429: Reason.TOO_MANY, 501: Reason.BY_HAND}
_OF_CODE = {
    5: Reason.NOT_FOUND,
    6: Reason.ALREADY_DONE,
    7: Reason.NO_ACCESS,
    8: Reason.TOO_MANY,
    12: Reason.BY_HAND,
    16: Reason.NO_ACCESS,
}


def reason_of(status: int, code: int | None, words: str) -> Reason:
    """The class of an answer: by its status where that says it, else by REVER's words, else by the gRPC code."""
    if status in _OF_STATUS:
        return _OF_STATUS[status]
    if status >= 500:
        return Reason.FAULT
    said = next((reason for pattern, reason in _SAID if pattern.search(words.lower())), None)
    return said or _OF_CODE.get(code or 0, Reason.OTHER)
