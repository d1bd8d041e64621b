"""Free ports of 127.0.0.1, for servers that may be killed, or connected to before they listen."""

import random
import socket
from collections.abc import Collection

LOOPBACK = "127.0.0.1"

_PORTS = range(20_000, 32_000)
"""Below the ports of outgoing connections (Linux from 32768, others from 49152). A client that connects to a port of
those where nobody listens may be given the same port as its own: it is then connected to itself, and the server cannot
start there.
"""
_TRIES = 200


def free_port(besides: Collection[int] = ()) -> int:
    """A free port of 127.0.0.1 that is not in `besides`. Raises `OSError` if none of many tries is free."""
    for port in random.sample(_PORTS, _TRIES):
        if port not in besides and is_free(port):
            return port
    raise OSError(f"none of {_TRIES} ports tried from {_PORTS.start} to {_PORTS.stop} of {LOOPBACK} is free")


def is_free(port: int) -> bool:
    """Whether a server can listen on this port."""
    try:
        with socket.create_server((LOOPBACK, port)):
            return True
    except OSError:
        return False
