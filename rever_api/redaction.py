"""What must not get into an error's text or a log line: the API key, and what a request says about a shopper."""

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

_EMAIL = re.compile(r"[^\s@<>\"',;:()]+@[^\s@<>\"',;:()]+")
_PERSONAL = frozenset(
    {
        "address_line_1",
        "address_line_2",
        "city",
        "company",
        "email",
        "first_name",
        "freetext",
        "last_name",
        "phone",
        "phone_number",
        "postcode",
        "state_province",
    }
)
_SHOWN = 200
_MASK = "***"
_MOST_ENTRIES = 20
_MOST_VALUES = 200
_DEEPEST = 6


def shown(text: str) -> str:
    """Make words fit to show: one line of at most 200 characters, without e-mail addresses."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text[:4000]).split())
    line = _EMAIL.sub(_MASK, line)
    return line if len(line) <= _SHOWN else line[: _SHOWN - 3] + "..."


def masked(text: str, *, key: str, sent: Mapping[str, Any]) -> str:
    """REVER's words, fit to show: without the key and the personal data that was `sent` to it."""
    hidden = sorted({key, *_personal(sent)}, key=len, reverse=True)
    pattern = re.compile("|".join(re.escape(text) for text in hidden), re.IGNORECASE)
    return shown(pattern.sub(_MASK, text))


def redacted(body: Any, mask: Callable[[str], str]) -> Any:
    """A body of JSON, fit to look at: each text masked, personal fields left out, and cut where it is deep or long."""
    left = _MOST_VALUES

    def some(value: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if isinstance(value, str):
            return mask(value)
        if not isinstance(value, Mapping | list):
            return value if value is None or isinstance(value, bool | int | Decimal) else _MASK
        if not depth or left <= 0:
            return "..."
        if isinstance(value, list):
            return [some(item, depth - 1) for item in value[:_MOST_ENTRIES]]
        fields = list(value.items())[:_MOST_ENTRIES]
        return {mask(name): _MASK if name.lower() in _PERSONAL else some(item, depth - 1) for name, item in fields}

    return some(body, _DEEPEST)


def _personal(value: Any) -> Iterator[str]:
    """Find the values of personal fields in a body, at any depth, but for texts of one or two letters."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if name in _PERSONAL and isinstance(item, str):
                if len(item) > 2:
                    yield item
            else:
                yield from _personal(item)
    elif isinstance(value, list):
        for item in value:
            yield from _personal(item)
