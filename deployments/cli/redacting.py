"""The last net under every line that leaves the command line: known secrets are replaced, whoever wrote them."""

import os
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dotenv import dotenv_values

from tasks.settings.load import ENV_FILE

_SHORTEST = 4  # a shorter one would blot out ordinary words


def redacted(text: str) -> str:
    """`text` with the API key and the ledger's password replaced by ***."""
    key, ledger_url = os.environ.get("REVER_API_KEY", ""), os.environ.get("REVER_LEDGER_URL", "")
    for secret in _secrets(key, ledger_url, ENV_FILE.absolute()):
        text = text.replace(secret, "***")
    return text


@cache
def _secrets(key: str, ledger_url: str, file: Path) -> tuple[str, ...]:
    """What must not be shown, longest first: from the environment as given, and from the settings file."""
    written = _written(file)
    found = {key.strip(), (written.get("REVER_API_KEY") or "").strip()}
    for url in (ledger_url, written.get("REVER_LEDGER_URL") or ""):
        password = _password(url)
        found |= {password, unquote(password)}
    return tuple(sorted((secret for secret in found if len(secret) >= _SHORTEST), key=len, reverse=True))


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
