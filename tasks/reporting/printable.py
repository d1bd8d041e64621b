"""Text fit for where people read it, a terminal, a page of markdown or a message: what is from outside, REVER's words,
rows as aligned lines.

REVER's names are written by shops and shoppers. On a terminal they must not move the cursor, change the title or turn
the direction of writing; on a page they must not become a link, an image or HTML.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from rever_api.models import (
    CompensationMethod,
    PickupRange,
    ProcessStatus,
    RefundTiming,
    ReturnMethod,
    ReturnStatus,
    ReviewStatus,
    ShippingStatus,
)

_ACTIVE = re.compile(r"([\\`*\[\]<>|~&$^@]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
_ADDRESS = re.compile(r"(?i)(://|\bwww\.|\bmailto:)")
_AT_THE_BEGINNING = re.compile(r"^(\d*)([#+=-](?!\w)|(?<=\d)[.)](?=\s|$))")
_IN_MESSAGES = str.maketrans("<>[]", "()()")


def printable(text: str) -> str:
    r"""One line in which whatever a terminal would act on, or a reader could not see, is an escape: `\x1b`, `\u202e`.

    That is all control, format (bidi, zero-width), private and unassigned characters, and lone surrogates; spaces of
    other widths become a space.
    """
    return "".join(letter if letter.isprintable() else _escape(letter) for letter in text)


def printable_lines(text: str) -> str:
    """The same for a text of several lines, whose line ends and tabs stay."""
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON with letters as they are, and every character that `printable` shows as an escape as JSON's own escape."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return "".join(each if each.isprintable() or each == "\n" else json.dumps(each)[1:-1] for each in text)


def markdown(text: str) -> str:
    """Text on one line with nothing left in it on which markdown, or HTML in it, would act: it reads as it is."""
    escaped = _ACTIVE.sub(r"\\\1", printable(text).strip())
    escaped = _ADDRESS.sub(lambda found: re.sub(r"([:.])", r"\\\1", found[0]), escaped)
    return _AT_THE_BEGINNING.sub(r"\1\\\2", escaped)


def code(text: str) -> str:
    """Text as markdown's code, where a backslash escapes nothing: a backtick in it becomes an apostrophe."""
    return f"`{printable(text).replace('`', chr(39))}`"


def message(text: str) -> str:
    """Text on one line for a message whose receiver's markup nobody knows: no link, mention or tag is left in it."""
    return _ADDRESS.sub(lambda found: found[0].replace(":", ": ").replace("www.", "www ."), printable(text)).translate(
        _IN_MESSAGES
    )


def _escape(letter: str) -> str:
    """A space of another width is a space; all else is shown by its number."""
    if letter.isspace() and letter not in "\t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\u2028\u2029":
        return " "
    return letter.encode("unicode_escape").decode("ascii")


# REVER's words as people read them.

_ENUMS = (
    CompensationMethod,
    PickupRange,
    ProcessStatus,
    RefundTiming,
    ReturnMethod,
    ReturnStatus,
    ReviewStatus,
    ShippingStatus,
)
_PLAIN = {str(word): word.lower().replace("_", " ") for words in _ENUMS for word in words if "_" in word}
_WORD = re.compile(rf"(?<!\w)(?:{'|'.join(sorted(_PLAIN, key=len, reverse=True))})(?!\w)")


def plain_words(text: str) -> str:
    """A sentence without REVER's spelling of its words: `gift card` for `GIFT_CARD`.

    A word that is not known here stays as it is: a person has to find it as REVER has it. So do names of settings.
    """
    return _WORD.sub(lambda found: _PLAIN[found[0]], text)


def columns(cells: Sequence[Sequence[str]], left: int, gap: str = "   ") -> list[str]:
    """Rows of text as aligned lines: the first `left` columns to the left, the others, numbers, to the right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        gap.join(
            text.ljust(width) if place < left else text.rjust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
