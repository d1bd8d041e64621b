"""From a failed check to sentences: which variable, what was found (never a secret), how to mend it."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

PREFIX = "REVER_"
_SECRET = frozenset(
    f"REVER_{name}"
    for name in ("API_KEY", "LEDGER_URL", "BASE_URL", "INBOX_URL", "WEBHOOK_SECRETS", "NOTICES_URL", "BACK_OFFICE")
)
_EXPECTED = {
    "float_parsing": "a number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_parsing": "true or false",
    "finite_number": "a finite number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
}


class SettingsError(Exception):
    """A setting is missing or wrong. `problems` holds one sentence for each; the text is all of them, one a line."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def sentence(variable: str, kind: str, message: str, found: object, limits: Mapping[str, Any]) -> str:
    """One sentence for one failed check. `kind` is pydantic's error type, `message` the words of our own checks."""
    if kind == "missing":
        return f"{variable} is not set."
    if kind == "value_error":
        own = message.removeprefix("Value error, ")
        return f"{own}." if own.startswith(PREFIX) else f"{_shown(variable, found)} {own}."
    return f"{_shown(variable, found)} is wrong: {expected(kind, message, limits)}."


def expected(kind: str, message: str, limits: Mapping[str, Any]) -> str:
    """What would be right, in words; pydantic's own where we have none."""
    if kind in _EXPECTED:
        return f"{_EXPECTED[kind].format(**limits)} is needed"
    return message.removeprefix("Value error, ").replace("Input should be", "it must be", 1)


def unknown_variable(name: str, known: Iterable[str], where: str) -> str:
    """A `REVER_` name that nobody reads: a typo must not be passed over in silence."""
    nearest = get_close_matches(name.upper(), list(known), n=1, cutoff=0.0)
    return f"{name} ({where}) is no setting of rever-returns; did you mean {nearest[0]}? Correct or remove it."


def _shown(variable: str, found: object) -> str:
    return variable if variable in _SECRET else f"{variable} ({str(found)[:80]!r})"
