"""The body of an answer as it comes in: unpacked piece by piece, and refused as soon as it is too long.

Some kilobytes of gzip can hold gigabytes, and layers of it (`gzip, gzip`) far more. So no layer ever gives more than
`MOST_BODY`, none hands on more than a piece at a time, and a body is whole only where every layer says so.
"""

import zlib
from collections.abc import Iterator, Mapping

import httpx

MOST_BODY = 32 * 1024 * 1024
"""Bytes of a body, and of each layer of it; a page of a hundred returns has some hundred kilobytes."""

_PIECE = 256 * 1024
_MOST_LAYERS = 3
_MOST_MEMBERS = 1000
_GZIP, _ZLIB, _RAW = 31, 15, -15
_GZIP_BEGINS = b"\x1f\x8b"
_FRAME = 2


class Body:
    """Collects a body. Raises `httpx.DecodingError` where it is too long or is not what its headers say."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        named = [name.strip().lower() for name in headers.get("content-encoding", "").split(",")]
        layers = [name for name in named if name not in {"", "identity"}]
        if len(layers) > _MOST_LAYERS or any(name not in {"gzip", "x-gzip", "deflate"} for name in layers):
            raise httpx.DecodingError("the body is packed in a way that was not asked for")
        # What was packed last is unpacked first (RFC 9110, 8.4).
        self._layers = [_Layer(gzip="gzip" in name) for name in reversed(layers)]
        self._whole = bytearray()

    def take(self, chunk: bytes) -> Iterator[None]:
        """Take what came in. Yields after each piece, so that a caller can let others run."""
        for piece in self._unpacked(chunk, 0):
            if len(self._whole) + len(piece) > MOST_BODY:
                raise httpx.DecodingError("the body is too long")
            self._whole += piece
            yield

    def whole(self) -> bytes:
        """The body, once all of it came in."""
        for layer in self._layers:
            layer.check_end()
        return bytes(self._whole)

    def _unpacked(self, chunk: bytes, depth: int) -> Iterator[bytes]:
        if depth == len(self._layers):
            yield chunk
            return
        for piece in self._layers[depth].pieces(chunk):
            yield from self._unpacked(piece, depth + 1)


class _Layer:
    """One gzip or deflate around a body."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._stream = zlib.decompressobj(_GZIP if gzip else _ZLIB)
        self._head: bytes | None = b""
        self._taken = self._given = self._members = 0

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Unpack what came in, a piece at a time."""
        self._taken += len(chunk)
        while True:
            if self._stream.eof:
                if not self._gzip or not chunk.startswith(_GZIP_BEGINS):
                    return
                self._members += 1
                self._stream = zlib.decompressobj(_GZIP)  # gzip files may follow one another (RFC 1952, 2.2)
            piece = self._inflated(chunk)
            self._given += len(piece)
            if max(self._taken, self._given) > MOST_BODY or self._members > _MOST_MEMBERS:
                raise httpx.DecodingError("the body is too long")
            yield piece
            chunk = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            if not chunk and len(piece) < _PIECE:
                return

    def check_end(self) -> None:
        """Refuse a body that ends before this layer does."""
        if self._taken and not self._stream.eof:
            raise httpx.DecodingError("the body is cut off")

    def _inflated(self, chunk: bytes) -> bytes:
        try:
            piece = self._stream.decompress(chunk, _PIECE)
        except zlib.error as error:
            if self._gzip or self._head is None:
                raise httpx.DecodingError(f"the body is not packed as it says ({error})") from None
            # "deflate" without zlib's frame, as old servers send it; the frame would have been the first two bytes.
            self._stream, chunk, self._head = zlib.decompressobj(_RAW), self._head + chunk, None
            return self._inflated(chunk)
        if self._head is not None:
            self._head = self._head + chunk if len(self._head) + len(chunk) < _FRAME else None
        return piece
