"""Which addresses are this machine's own."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine: `localhost`, `*.localhost`, 127.0.0.0/8 or ::1 (RFC 6761, RFC 1122)."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
        return host == "localhost" or host.endswith(".localhost") or ip_address(host).is_loopback
    except ValueError:
        return False
