"""Read the settings, and say every problem at once in words a person can act on."""

import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tasks.settings.addresses import without_password
from tasks.settings.model import ANY_STORE, Settings, remembered

# From a failed check to sentences: which variable, what was found (never a secret), how to mend it.


PREFIX = "REVER_"
_SECRET = frozenset(
    f"REVER_{name}"
    for name in (
        "API_KEY",
        "LEDGER_URL",
        "BASE_URL",
        "INBOX_URL",
        "WEBHOOK_SECRETS",
        "NOTICES_URL",
        "BACK_OFFICE",
        "SHOP_URL",
        "SHOP_KEY",
    )
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


ENV_FILE = Path(".env")

_MEND = {"REVER_API_KEY": " It is the key your REVER account manager gave you; put it in the environment or in .env."}


def variable_of(field: str) -> str:
    """The environment variable a field is read from."""
    alias = Settings.model_fields[field].validation_alias if field in Settings.model_fields else field
    return alias if isinstance(alias, str) else f"{PREFIX}{field.upper()}"


def variables() -> dict[str, str]:
    """Every setting's variable -> its field, in the order of the table."""
    return {variable_of(field): field for field in Settings.model_fields}


def load_settings(
    env_file: Path | None = ENV_FILE, overrides: Mapping[str, Any] | None = None, source: str = ""
) -> Settings:
    """The settings from the environment, and below it from `env_file` in the working folder where there is one.

    `overrides` (field -> value) stand above both; `source` says in a sentence where they come from.
    Raises SettingsError with one sentence for each problem, never repeating a key or password.
    """
    given, written = dict(overrides or {}), _written(env_file)
    problems = _unknown(os.environ, "in the environment")
    problems += _unknown(written, f"in {env_file}")
    problems += _one_ledger_for_two(given, written, source)
    if problems:
        raise SettingsError(problems)
    try:
        return remembered(Settings(_env_file=env_file, _env_file_encoding="utf-8", **given))
    except ValidationError as failed:
        problems = [f"{words}{source and f' ({source})'}" for words in _sentences(failed)]
    # Raised outside of the except: the ValidationError, whose inputs may be secrets, is not even chained.
    raise SettingsError(problems)


def load_notices_url(env_file: Path | None = ENV_FILE) -> SecretStr:
    """`REVER_NOTICES_URL` alone, or empty: a Prefect server is set up from machines that have no key of REVER's too."""
    if problems := _unknown(os.environ, "in the environment") + _unknown(_written(env_file), f"in {env_file}"):
        raise SettingsError(problems)
    return SecretStr(read_variable(variable_of("notices_url"), env_file).strip())


def read_variable(name: str, env_file: Path | None = ENV_FILE) -> str:
    """A variable's value in the environment, else in `env_file`; "" if it is in neither. Raises `SettingsError`."""
    return os.environ.get(name) or _written(env_file).get(name) or ""


def _written(env_file: Path | None) -> Mapping[str, str | None]:
    if env_file is None or not env_file.is_file():
        return {}
    try:
        return dotenv_values(env_file, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as failed:
        raise SettingsError([f"{env_file} cannot be read ({type(failed).__name__}): make it a text file."]) from None


def _one_ledger_for_two(given: Mapping[str, Any], written: Mapping[str, str | None], source: str) -> list[str]:
    """Refuse another account's key or address above the environment's ledger: two accounts in one would be mixed.

    An environment without a key names no account.
    """
    if "ledger_url" in given or not _here("api_key", written):
        return []
    words = {"api_key": "key", "base_url": "address"}
    others = [word for field, word in words.items() if field in given and _plain(given[field]) != _here(field, written)]
    if not others:
        return []
    return [
        f"The {' and the '.join(others)} are other than the environment's, and no ledger is stated beside: two "
        f"accounts in one ledger would be mixed; state the ledger there too ({source})"
    ]


def _plain(value: Any) -> str:
    return str(value.get_secret_value() if isinstance(value, SecretStr) else value).rstrip("/")


def _here(field: str, written: Mapping[str, str | None]) -> str:
    """The environment's value of a field, or the default of the address."""
    name = variable_of(field)
    default = str(Settings.model_fields["base_url"].default) if field == "base_url" else ""
    return (os.environ.get(name) or written.get(name) or default).strip().rstrip("/")


def _unknown(found: Iterable[str], where: str) -> list[str]:
    known = variables()
    strange = [name for name in found if name.upper().startswith(PREFIX) and name.upper() not in known]
    return [unknown_variable(name, known, where) for name in sorted(strange)]


def _sentences(failed: ValidationError) -> list[str]:
    problems = []
    for error in failed.errors(include_url=False):
        if error["type"] == "default_factory_not_called":
            continue  # its base URL was wrong, which is said already
        variable = variable_of(str(error["loc"][0])) if error["loc"] else ""
        words = sentence(variable, error["type"], error["msg"], error["input"], error.get("ctx", {}))
        problems.append(words + (_MEND.get(variable, "") if error["type"] == "missing" else ""))
    return problems


# The settings as tables: for the documentation, and for a person who asks what is in force.

INTRO = """# Settings

Read from the environment, and below it from a `.env` file in the working folder. An empty variable counts as not set.
A `REVER_` variable that is not in this table is refused, so that a slip in a name is not passed over.
This page is generated: `make docs`.

| Variable | Default | What it is |
| --- | --- | --- |
"""


def settings_table() -> str:
    """The whole of `docs/settings.md`."""
    rows = [f"| `{name}` | {_default(field)} | {field.description} |\n" for name, field in _fields().items()]
    return INTRO + "".join(rows)


def masked_settings(settings: Settings) -> dict[str, str]:
    """Variable -> its value in force as it may be shown: the key and passwords are replaced."""
    shown = {name: _default_shown(getattr(settings, field)) for name, field in variables().items()}
    return shown | {"REVER_RATE": shown["REVER_RATE"] or "none"}


def _fields() -> dict[str, FieldInfo]:
    return {name: Settings.model_fields[field] for name, field in variables().items()}


def _default(field: FieldInfo) -> str:
    if isinstance(field.json_schema_extra, dict):
        return str(field.json_schema_extra["default"])
    if field.default is PydanticUndefined:
        return "must be set"
    if field.default in (None, "", (), SecretStr("")):
        return "not set"
    text = f"{field.default:g}" if isinstance(field.default, float) else str(field.default)
    return f"`{text.lower() if isinstance(field.default, bool) else text}`"


def _masked(secret: str) -> str:
    """A database's URL without its password; of any other secret only that it is there."""
    if secret.startswith(("sqlite:", "postgresql:")):
        return without_password(secret)
    return "***" if secret else ""


def _default_shown(value: object) -> str:
    match value:
        case SecretStr():
            text = _masked(value.get_secret_value())
        case dict():
            text = ",".join(str(payer) if store == ANY_STORE else f"{store}={payer}" for store, payer in value.items())
        case tuple():
            text = ",".join("***" if isinstance(each, SecretStr) else str(each) for each in value)
        case None:
            text = ""
        case bool():
            text = str(value).lower()
        case float():
            text = f"{value:g}"
        case _:
            text = str(value)
    return text
