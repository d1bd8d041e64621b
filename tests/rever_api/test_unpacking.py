"""A body is unpacked piece by piece: one that holds gigabytes is refused before they are there."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rever_api.unpacking import MOST_BODY, Body

MIB = 1024 * 1024


def raw(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "identity": bytes,
    "gzip": gzip.compress,
    "X-GZIP": gzip.compress,
    "deflate": zlib.compress,
    "deflate ": raw,
    "deflate, gzip": lambda data: gzip.compress(zlib.compress(data)),
    "gzip, gzip": lambda data: gzip.compress(gzip.compress(data)),
    "deflate, identity, gzip": lambda data: gzip.compress(raw(data)),
}


def unpacked(encoding: str, packed: bytes, size: int = 64 * 1024) -> bytes:
    body = Body({"content-encoding": encoding} if encoding else {})
    for start in range(0, len(packed), size):
        for _ in body.take(packed[start : start + size]):
            pass
    return body.whole()


@pytest.mark.parametrize("encoding", PACKED)
@given(data=st.binary(max_size=4000), size=st.integers(1, 50))
@settings(max_examples=40, deadline=None)
def test_a_body_is_what_it_was_before_it_was_packed(encoding: str, data: bytes, size: int) -> None:
    assert unpacked(encoding, PACKED[encoding](data), size) == data


@pytest.mark.parametrize("encoding", PACKED)
def test_a_large_body_comes_whole_in_small_pieces(encoding: str) -> None:
    data = b"0123456789" * 300_000
    assert unpacked(encoding, PACKED[encoding](data)) == data
    assert unpacked("gzip", gzip.compress(data) + gzip.compress(b"more") + b"\0\0") == data + b"more"


def zeros(size: int) -> bytes:
    """A gzip of so many zeros, made without having them."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([packer.compress(bytes(MIB)) for _ in range(size // MIB)] + [packer.flush()])


BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: zeros(64 * MIB) * 24,  # 1.5 MB that hold 1.5 GiB
    "gzip, gzip": lambda: gzip.compress(zeros(64 * MIB) * 24),
    "gzip, deflate": lambda: zlib.compress(zeros(64 * MIB)),
    "deflate": lambda: zlib.compress(bytes(40 * MIB)),
    "": lambda: bytes(MOST_BODY + 1),
    "identity": lambda: bytes(MOST_BODY + 1),
    "x-gzip": lambda: gzip.compress(b"") * (MOST_BODY // 20 + 1),
}


@pytest.mark.parametrize("encoding", BOMBS)
def test_a_body_without_end_is_refused_with_little_memory(encoding: str) -> None:
    bomb = BOMBS[encoding]()
    tracemalloc.start()
    try:
        with pytest.raises(httpx.DecodingError, match="too long"):
            unpacked(encoding, bomb)
        assert tracemalloc.get_traced_memory()[1] < 3 * MOST_BODY
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("encoding", ["br", "gzip, br", "gzip, gzip, gzip, gzip", "zip"])
def test_a_packing_that_was_not_asked_for_is_refused(encoding: str) -> None:
    with pytest.raises(httpx.DecodingError, match="not asked for"):
        Body({"content-encoding": encoding})


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "gzip, gzip", "deflate, gzip"])
def test_a_body_that_is_cut_off_or_packed_wrong_is_refused(encoding: str) -> None:
    with pytest.raises(httpx.DecodingError):
        unpacked(encoding, PACKED[encoding](b"{" * 100)[:-6])
    with pytest.raises(httpx.DecodingError):
        unpacked(encoding, b"no such thing")
    assert unpacked(encoding, b"") == b""
