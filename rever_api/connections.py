"""Where connections go: straight to REVER, or through the proxy that the environment names."""

import ssl
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from rever_api.errors import WrongSetup

_KEEP_ALIVE = 4.0  # under the 5 s after which common servers close: an effect must not meet a closing connection


def pool_options(url: str, count: int, *, trust_env: bool) -> dict[str, Any]:
    """The options of a pool of httpcore's for this address, of at most `count` connections.

    With `trust_env` the environment says which proxy (HTTPS_PROXY, ALL_PROXY, NO_PROXY) and certificates
    (SSL_CERT_FILE, SSL_CERT_DIR) are used. Raises `WrongSetup` for a proxy that is none.
    """
    return {
        "ssl_context": _tls(trust_env=trust_env),
        "proxy": _proxy(url) if trust_env else None,
        "max_connections": count,
        "max_keepalive_connections": count,
        "keepalive_expiry": _KEEP_ALIVE,
    }


def _proxy(url: str) -> httpcore.Proxy | None:
    parts = urlsplit(url)
    proxies = getproxies()
    address = proxies.get(parts.scheme) or proxies.get("all")
    if not address or proxy_bypass(parts.hostname or ""):
        return None
    try:
        told = httpx.Proxy(address if "://" in address else f"http://{address}")
    except ValueError:
        raise WrongSetup(
            f"The proxy that the environment names for {parts.scheme} is no http or socks5 address: check HTTPS_PROXY"
            " and ALL_PROXY."
        ) from None
    return httpcore.Proxy(str(told.url), auth=told.raw_auth, headers=told.headers.raw)


@cache
def _tls(*, trust_env: bool) -> ssl.SSLContext:
    """The trusted certificates, read once: that takes as long as twenty calls."""
    return httpx.create_ssl_context(trust_env=trust_env)
