"""Windows-1252 or Windows-1250: nearly every byte is a letter in both, and only words tell which was meant. Pure.

Read in the wrong one, `zły` is `z³y` and `Kučera` is `Kuèera`. A word speaks for Windows-1250 where it is spelt as in
one language that is written in it, and as in none that is written in Windows-1252. Where few do, the text is taken for
Windows-1252: a file that was read right must not be read wrong.
"""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

WESTERN = (
    frozenset("àâæçèéêëîïôœùûüÿ"),  # French
    frozenset("áéíñóúüªº"),  # Spanish
    frozenset("áâãàçéêíóôúü"),  # Portuguese, without its õ
    frozenset("àèéìíîòóùú"),  # Italian
    frozenset("àçèéíïòóúü"),  # Catalan
    frozenset("áéëïóöüèêçí"),  # Dutch
    frozenset("æøåéäö"),  # Danish, Norwegian, Swedish
    frozenset("åäöéšžüß"),  # Finnish, German
    frozenset("áéíóúýæöðþ"),  # Icelandic
)
"""The letters of languages that are written in Windows-1252, beside those of English."""
ESTONIAN = frozenset("äöõüšž")
CENTRAL = (
    frozenset("ąćęłńóśźż"),  # Polish
    frozenset("áčďéěíňóřšťúůýž"),  # Czech
    frozenset("áäčďéíĺľňóôŕšťúýž"),  # Slovak
    frozenset("áéíóöőúüű"),  # Hungarian
    frozenset("ćčđšž"),  # Slovene, Croatian
)
"""The letters of languages that are written in Windows-1250."""

# Quotation marks, dashes, blanks and signs that stand between words in both alike.
_APART = (
    b"\x80\x82\x84\x85\x86\x87\x88\x89\x8b\x91\x92\x93\x94\x95\x96\x97\x99\x9b\xa0\xa4\xa6\xa7\xa8\xa9\xab\xac\xad\xae"
    b"\xb0\xb4\xb6\xb7\xb8\xbb\xd7\xf7"
)
_HIGH = re.escape(bytes(byte for byte in range(0x80, 0x100) if byte not in _APART))
_WORD = re.compile(rb"[A-Za-z%b]*[%b][A-Za-z%b]*" % (_HIGH, _HIGH, _HIGH))
_POLISH_CAPITAL = re.compile("[£¯][a-zà-ÿœ]")
"""Ł or Ż at the beginning of a word. The sign of the pound stands before figures."""


class CodePage(NamedTuple):
    """What the words say. `central` are those that speak for Windows-1250; `is_central` that they are enough."""

    is_central: bool
    central: tuple[str, ...]


class _Word(NamedTuple):
    """A word as both read it, where they differ."""

    western: str
    central: str


def code_page(content: bytes) -> CodePage:
    """Whether a text that is not UTF-8 is in Windows-1250; else it is in Windows-1252, as far as can be said."""
    read = [
        (word.decode("cp1252", "replace"), word.decode("cp1250", "replace")) for word in set(_WORD.findall(content))
    ]
    # Without á, é, í and ó a text with õ may be Estonian; with them that õ is Hungarian.
    western = WESTERN if _letters(word for word, _ in read) & set("áéíó") else (*WESTERN, ESTONIAN)
    words = [_Word(_without_signs(word), central) for word, central in sorted(read) if word != central]
    differ = [word for word in words if not word.western.isascii()]
    ours = [word for word in differ if _is_of(word.central, CENTRAL)]
    # Portuguese has õ before e alone.
    central = [
        word
        for word in ours
        if not (_cased(word.western) and _is_of(re.sub("õ(?=e)|Õ(?=E)", "o", word.western), western))
    ]
    return CodePage(_is_enough(differ, ours, central), tuple(word.central for word in central))


def _is_enough(differ: list[_Word], ours: list[_Word], central: list[_Word]) -> bool:
    """Two words, or a long one with a sign in it; a fifth of those that differ; and nearly all of one language."""
    signs = any(len(word.central) > 2 and not word.western.isalpha() for word in central)
    of_one = max(sum(_letters([word.central]) <= each for word in ours) for each in CENTRAL)
    return len(central) >= (1 if signs else 2) and len(central) * 5 >= len(differ) and of_one * 10 >= len(differ) * 9


def _is_of(word: str, languages: Iterable[frozenset[str]]) -> bool:
    return _cased(word) and any(_letters([word]) <= each for each in languages)


def _letters(words: Iterable[str]) -> set[str]:
    """The letters beyond ASCII, all small."""
    return {letter for word in words for letter in word.lower() if not letter.isascii()}


def _cased(word: str) -> bool:
    """Whether no capital beyond ASCII comes after a small letter, as in `wieŸ`."""
    return not any(after.isupper() and not after.isascii() and before.islower() for before, after in pairwise(word))


def _without_signs(word: str) -> str:
    """A word as Windows-1252 has it, without signs around it: `¿por`, `m³`, `2º`."""
    plain = word if _POLISH_CAPITAL.match(word) else word.lstrip("¿¡£¥")
    return plain.rstrip("¹²³ºª¼½¾¢£¥±")
