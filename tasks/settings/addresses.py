"""What an address says: which REVER account it stands for, and where a ledger lives."""

import re
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import SplitResult, urlsplit

from rever_api.config import is_loopback

_DEFAULT_PORTS = {"http": 80, "https": 443}
_FORGETS = {
    "ledger": "a ledger in memory forgets what was paid",
    "inbox": "an inbox in memory forgets events that REVER will not send again",
}
_TWO = {"ledger": "two ledgers that both pay", "inbox": "two inboxes, and one is looked into by nobody"}
_CREDENTIALS = re.compile(r"(?<=://).*@")
PROCESS_ID = "{process_id}"
"""What stands for the return's id in a link."""

_QUERY_PASSWORD = re.compile(r"((?:^|[?&])[^=&]*(?:password|secret|key)[^=&]*=)[^&]*", re.IGNORECASE)


def checked_base_url(value: str, *, like: str = "https://api.byrever.com", key: str = "REVER_API_KEY") -> str:
    """An address without a trailing slash, to which `key` is sent. A path of its own is kept.

    Raises ValueError with a sentence.
    """
    url = value.strip()
    parts = _split(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"is not an http or https address; write it like {like}")
    if "@" in parts.netloc or "\\" in url:
        raise ValueError(f"must not carry a user or password; the key goes in {key}")
    if parts.query or parts.fragment or any(sign.isspace() for sign in url):
        raise ValueError("must end with the host or a path: no query, no fragment, no blank in it")
    if parts.scheme == "http" and not is_loopback(url):
        raise ValueError("would send the API key unencrypted; use https (http is only for this machine)")
    return url.rstrip("/")


def account_of(base_url: str) -> str:
    """The name a ledger is bound to when none is stated: the address in one spelling, so that it compares equal."""
    parts = _split(base_url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"


def inbox_beside(ledger_url: str) -> str:
    """Where the webhooks' inbox lives unless stated: a file beside the ledger's, or its PostgreSQL database."""
    if not ledger_url.startswith("sqlite:///"):
        return ledger_url
    path, dot, ending = ledger_url.rpartition(".")
    return f"{path}-inbox.{ending}" if dot and "/" not in ending else f"{ledger_url}-inbox"


def checked_inbox_url(value: str, ledger_url: str, *, loopback: bool) -> str:
    """The inbox's plain URL. Raises ValueError with a sentence that does not repeat a password."""
    url = checked_database_url(value, what="inbox", loopback=loopback)
    if url.startswith("sqlite:") and url == ledger_url:
        raise ValueError("is the ledger's own file: its backups would hold personal data; name a file of its own")
    return url


def checked_ledger_url(value: str, *, loopback: bool) -> str:
    """The ledger's plain URL. Raises ValueError with a sentence that does not repeat a password."""
    return checked_database_url(value, what="ledger", loopback=loopback)


def checked_database_url(value: str, *, what: str, loopback: bool) -> str:
    """The plain URL of the ledger or the inbox (`what`). Raises ValueError with a sentence without password."""
    url = value.strip()
    if url.startswith("postgresql://"):
        parts = _split(url)
        if not parts.path.strip("/"):
            raise ValueError("names no database; write it like postgresql://user:password@host/database")
        return url
    if not url.startswith("sqlite:///"):
        raise ValueError("must be sqlite:////absolute/path.sqlite or postgresql://user:password@host/database")
    path = url.removeprefix("sqlite:///")
    if not path or ":memory:" in path or "mode=memory" in path:
        raise ValueError(f"names no file: {_FORGETS[what]}; name a file")
    if not loopback and not (PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute()):
        raise ValueError(
            f"is a relative path: started from two folders there would be {_TWO[what]}; "
            f"write an absolute one, with four slashes: sqlite:////var/lib/rever-returns/{what}.sqlite"
        )
    return url


def checked_link(value: str) -> str:
    """A URL with one `{process_id}`, or nothing. Raises ValueError with a sentence."""
    url = value.strip()
    if not url:
        return ""
    if url.count(PROCESS_ID) != 1 or set("{}") & set(url.replace(PROCESS_ID, "")):
        raise ValueError(f"must have {PROCESS_ID} in it once, and no other braces: https://example.com/{PROCESS_ID}")
    parts = _split(url.replace(PROCESS_ID, "id"))
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or any(sign.isspace() for sign in url):
        raise ValueError(f"is not an http or https address; write it like https://example.com/returns/{PROCESS_ID}")
    if "@" in parts.netloc:
        raise ValueError("must not carry a user or password: everybody who may see a report sees it")
    return url


def without_password(url: str) -> str:
    """A URL as it may be shown: user, password and password-like query values replaced."""
    return _QUERY_PASSWORD.sub(r"\1***", _CREDENTIALS.sub("***@", url))


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError(
            "is not an address: the host or the port cannot be read; percent-encode / # ? @ in a password"
        ) from None
    return parts
