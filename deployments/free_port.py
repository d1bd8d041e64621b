"""A port for a server of this machine that will be killed, or knocked at before it listens."""

import random
import socket
from collections.abc import Collection

LOOPBACK = "127.0.0.1"

_PORTS = range(20_000, 32_000)
"""Below those that systems give to outgoing connections (Linux from 32768, others from 49152). Of those a client that
knocks at a server which is away may be given the server's own, and then it is connected with itself, and the server
cannot come back.
"""
_TRIES = 200


def free_port(besides: Collection[int] = ()) -> int:
    """A port of 127.0.0.1 that is free just now, and none of `besides`. Raises `OSError` where none of many is."""
    for port in random.sample(_PORTS, _TRIES):
        if port not in besides and is_free(port):
            return port
    raise OSError(f"none of {_TRIES} ports from {_PORTS.start} to {_PORTS.stop} of {LOOPBACK} is free")


def is_free(port: int) -> bool:
    """Whether a server could listen there."""
    try:
        with socket.create_server((LOOPBACK, port)):
            return True
    except OSError:
        return False
