"""Read the settings, and say every problem at once in words a person can act on."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError

from tasks.settings.errors import PREFIX, SettingsError, sentence, unknown_variable
from tasks.settings.model import Settings

ENV_FILE = Path(".env")

_MEND = {"REVER_API_KEY": " It is the key your REVER account manager gave you; put it in the environment or in .env."}


def variable_of(field: str) -> str:
    """The environment variable a field is read from."""
    alias = Settings.model_fields[field].validation_alias if field in Settings.model_fields else field
    return alias if isinstance(alias, str) else f"{PREFIX}{field.upper()}"


def variables() -> dict[str, str]:
    """Every setting's variable -> its field, in the order of the table."""
    return {variable_of(field): field for field in Settings.model_fields}


def load_settings(env_file: Path | None = ENV_FILE) -> Settings:
    """The settings from the environment, and below it from `env_file` in the working folder where there is one.

    Raises SettingsError with one sentence for each problem, never repeating a key or password.
    """
    problems = _unknown(os.environ, "in the environment")
    problems += _unknown(_written(env_file), f"in {env_file}")
    if problems:
        raise SettingsError(problems)
    try:
        return Settings(_env_file=env_file, _env_file_encoding="utf-8")
    except ValidationError as failed:
        problems = _sentences(failed)
    # Raised outside of the except: the ValidationError, whose inputs may be secrets, is not even chained.
    raise SettingsError(problems)


def load_notices_url(env_file: Path | None = ENV_FILE) -> SecretStr:
    """`REVER_NOTICES_URL` alone, or empty: a Prefect server is set up from machines that have no key of REVER's too."""
    if problems := _unknown(os.environ, "in the environment") + _unknown(_written(env_file), f"in {env_file}"):
        raise SettingsError(problems)
    name = variable_of("notices_url")
    return SecretStr((os.environ.get(name) or _written(env_file).get(name) or "").strip())


def _written(env_file: Path | None) -> Mapping[str, str | None]:
    if env_file is None or not env_file.is_file():
        return {}
    try:
        return dotenv_values(env_file, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as failed:
        raise SettingsError([f"{env_file} cannot be read ({type(failed).__name__}): make it a text file."]) from None


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
