"""The last net under every line that leaves the command line: known secrets are replaced, whoever wrote them."""

import os
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dotenv import dotenv_values

from tasks.settings.load import ENV_FILE
from tasks.settings.model import known_secrets

_SECRETS = ("REVER_API_KEY", "REVER_WEBHOOK_SECRETS", "REVER_NOTICES_URL")
_LOGINS = ("PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING")
_URLS = ("REVER_LEDGER_URL", "REVER_INBOX_URL")
_NAMES = (*_SECRETS, *_LOGINS, *_URLS)
_SHORTEST = 4  # a shorter one would blot out ordinary words


def redacted(text: str) -> str:
    """`text` with API key, webhooks' secrets, address of notices and all passwords replaced by ***."""
    given = tuple(os.environ.get(name, "") for name in _NAMES)
    read = {secret for secret in known_secrets() if len(secret) >= _SHORTEST}
    for secret in sorted(read.union(_secrets(given, ENV_FILE.absolute())), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


@cache
def _secrets(given: tuple[str, ...], file: Path) -> tuple[str, ...]:
    """What must not be shown: from the environment as given, and from the settings file."""
    written = _written(file)
    values = {name: {written.get(name) or ""} for name in _NAMES}
    for name, value in zip(_NAMES, given, strict=True):
        values[name].add(value)
    found = {part.strip() for name in _SECRETS for value in values[name] for part in value.split(",")}
    found |= {value.strip().partition(":")[2] for name in _LOGINS for value in values[name]}
    for url in (value for name in _URLS for value in values[name]):
        password = _password(url)
        found |= {password, unquote(password)}
    return tuple(secret for secret in found if len(secret) >= _SHORTEST)


def _written(file: Path) -> dict[str, str | None]:
    try:
        return dict(dotenv_values(file)) if file.is_file() else {}
    except (OSError, UnicodeDecodeError):
        return {}  # the settings say so where it matters; here there is just no secret to be read from it


def _password(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""
