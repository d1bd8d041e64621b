"""The secrets of the settings that this process has read, so that whoever prints can leave them out."""

from contextlib import suppress
from urllib.parse import unquote, urlsplit

from tasks.settings.model import Settings

_known: set[str] = set()


def remembered(settings: Settings) -> Settings:
    """Note the key and the ledger's password, wherever they came from; answers the settings."""
    _known.add(settings.api_key.get_secret_value())
    with suppress(ValueError):
        password = urlsplit(settings.ledger_url.get_secret_value()).password or ""
        _known.update({password, unquote(password)})
    return settings


def known_secrets() -> frozenset[str]:
    """All secrets read so far, those of credentials blocks included."""
    return frozenset(_known - {""})
