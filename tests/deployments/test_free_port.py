"""A port that can be listened on, and that no outgoing connection is given."""

import socket
from pathlib import Path

import pytest

from deployments import free_port as module
from deployments.free_port import free_port, is_free

EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_a_free_port_can_be_listened_on() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)
    assert is_free(port)


def test_it_is_none_that_is_wanted_for_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    two = range(free_port(), 32_000)[:2]
    monkeypatch.setattr(module, "_PORTS", two)
    monkeypatch.setattr(module, "_TRIES", 2)
    assert free_port(besides={two[0]}) == two[1]


@pytest.mark.skipif(not EPHEMERAL.exists(), reason="only Linux tells which these are")
def test_no_outgoing_connection_is_given_it() -> None:
    assert max(module._PORTS) < int(EPHEMERAL.read_text().split()[0])


def test_it_says_so_where_none_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(module, "_PORTS", range(port, port + 1))
        monkeypatch.setattr(module, "_TRIES", 1)
        with pytest.raises(OSError, match="is free"):
            free_port()
