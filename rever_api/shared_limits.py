"""One set of limits per API key and process: clients that state the same numbers for the same key share it."""

from hashlib import sha256
from threading import Lock
from weakref import WeakValueDictionary

from rever_api.config import ClientConfig
from rever_api.limits import Limits

_lock = Lock()
_shared: "WeakValueDictionary[tuple[str, bytes, float | None, int], Limits]" = WeakValueDictionary()


def shared_limits(config: ClientConfig) -> Limits:
    """The limits of this key, rate and number in flight; they live as long as a client that uses them."""
    digest = sha256(config.api_key.get_secret_value().encode()).digest()
    identity = (config.base_url.rstrip("/"), digest, config.rate, config.max_in_flight)
    with _lock:
        limits = _shared.get(identity)
        if limits is None:
            limits = _shared[identity] = Limits(config.rate, config.max_in_flight)
        return limits
