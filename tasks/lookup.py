"""What a person types to name a return, and which kinds of key it can be. Pure: nothing is asked.

An e-mail address is a shopper's data: it is in no repr and no sentence here.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum


class KeyKind(StrEnum):
    """What a return can be found by. The value is the word that, with a colon, says so: `order:1001`."""

    ID = "id"
    HOLD = "hold"
    ORDER = "order"
    TRACKING = "tracking"
    EMAIL = "email"

    @property
    def noun(self) -> str:
        """The kind in words."""
        return _NOUNS[self]


_NOUNS = {
    KeyKind.ID: "return",
    KeyKind.HOLD: "hold",
    KeyKind.ORDER: "order number",
    KeyKind.TRACKING: "tracking number",
    KeyKind.EMAIL: "e-mail address",
}

LONGEST = 200

NO_EMAIL = r"^(?!no e-mail address is taken here)(?:[^@]*|id:.*)$"
"""What a form takes, as a pattern of JSON schema: Prefect refuses an e-mail address by it before it stores the run. It
shows the pattern as the reason, so that the words in it are for the person who reads it.
"""

WAYS = "REVER's id of the return (retp_...), an order number (#1001), a hold's id, or a tracking number"
"""What is taken where an e-mail address is not, in words."""

_EMAIL = re.compile(r"[^\s@]+@[^\s@.]+(?:\.[^\s@.]+)+")
_HOLD = re.compile(r"[0-9a-f]{32}(?::[1-9][0-9]*)?")
_LETTERS = re.compile(r"[A-Z]{8,}")
"""A tracking number of letters alone."""
_BEFORE_ORDER = re.compile(r"^[#\s]+")
_SAID = re.compile(rf"({'|'.join(KeyKind)}):\s*(.*)", re.IGNORECASE)
_BARE = (KeyKind.ID, KeyKind.ORDER, KeyKind.TRACKING)


class WrongKeyError(ValueError):
    """What was typed can name no return; the sentence says what can. It quotes no e-mail address."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """A key to returns. `kinds` are what it can be, in the order in which they are tried, until one finds any."""

    text: str = field(repr=False)
    kinds: tuple[KeyKind, ...]

    @property
    def shown(self) -> str:
        """The key as it may be shown: never an e-mail address."""
        return f"this {KeyKind.EMAIL.noun}" if KeyKind.EMAIL in self.kinds else self.text

    @property
    def is_id(self) -> bool:
        """Whether it can be nothing but REVER's id of one return, so that nothing has to be searched for."""
        return self.kinds == (KeyKind.ID,)


def read_key(typed: str) -> Lookup:
    """Say what was typed. Raises `WrongKeyError`.

    With an @ it is an e-mail address, with `retp_` before it REVER's id, with # an order number, and 32 digits of 0-9
    and a-f are a hold's id (`HOLD:VERSION` too) where there is such a hold. All else is REVER's id, else an order
    number, else a tracking number. `order:`, `tracking:`, `hold:`, `id:` or `email:` before it says which.
    """
    text = typed.strip()
    said = _SAID.fullmatch(text)
    if said is not None:
        kind, text = KeyKind(said[1].lower()), said[2].strip()
        if kind is KeyKind.ID and text:  # from another program: whatever REVER has named a return, it is asked for
            return Lookup(text, (kind,))
        return Lookup(_checked(text, (kind,)), (kind,))
    kinds = _kinds(text)
    return Lookup(_checked(text, kinds), kinds)


def _kinds(text: str) -> tuple[KeyKind, ...]:
    if "@" in text:
        return (KeyKind.EMAIL,)
    if text.lower().startswith("retp_"):
        return (KeyKind.ID,)
    if text.startswith("#"):
        return (KeyKind.ORDER,)
    return (KeyKind.HOLD, *_BARE) if _HOLD.fullmatch(text) else _BARE


def _checked(text: str, kinds: tuple[KeyKind, ...]) -> str:
    """The text as its kind is written. Raises `WrongKeyError`."""
    if kinds == (KeyKind.EMAIL,):
        if not _EMAIL.fullmatch(text) or len(text) > LONGEST or not text.isprintable():
            raise WrongKeyError("write the e-mail address as name@example.com")
        return text
    if "@" in text:
        raise WrongKeyError(f"an e-mail address is no {kinds[0].noun}")
    if not text.strip("# "):
        raise WrongKeyError(f"name a return: {WAYS}")
    if len(text) > LONGEST or not text.isprintable():
        raise WrongKeyError(f"{len(text)} characters, or unprintable ones, do not name a return; write {WAYS}")
    if kinds == _BARE and not any(letter.isdigit() for letter in text) and not _LETTERS.fullmatch(text):
        # A name, most likely: it is not repeated, for it may be a shopper's.
        raise WrongKeyError(f"what was typed has no digit in it; write {WAYS}")
    return "".join(text.split()) if kinds == (KeyKind.TRACKING,) else text


def as_id(process_id: str) -> str:
    """A return's id as another program hands it to a form: it is taken for nothing else, whatever it looks like."""
    return process_id if process_id.startswith("retp_") and "@" not in process_id else f"{KeyKind.ID}:{process_id}"


def hold_id(key: Lookup) -> str:
    """The id of the hold that the key names, without its version."""
    return key.text.partition(":")[0].lower()


def order_names(key: Lookup) -> tuple[str, ...]:
    """The order's number as shops write it: with and without #, as it was typed, in capitals, and in small letters."""
    bare = key.text.lstrip("#").strip()
    spelled = (bare, bare.upper(), bare.casefold())
    return tuple(dict.fromkeys(sign + each for each in spelled for sign in ("#", "")))


def same_order(one: str, other: str) -> bool:
    """Whether two spellings name the same order: # and capitals do not count."""
    return bare_order(one) == bare_order(other) != ""


def bare_order(name: str) -> str:
    """An order's name as it is compared: without #, without blanks around it, folded."""
    return _BEFORE_ORDER.sub("", name).strip().casefold()


def same_tracking(one: str, other: str) -> bool:
    """Whether two spellings are the same tracking number: blanks and capitals do not count."""
    return "".join(one.split()).casefold() == "".join(other.split()).casefold() != ""


def same_email(one: str, other: str) -> bool:
    """Whether two spellings are the same e-mail address: capitals do not count."""
    return one.strip().casefold() == other.strip().casefold() != ""
