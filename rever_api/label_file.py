"""A label's file, fetched from the short-lived address that REVER gives for it, without trusting that address.

The address is a secret by its signature, and it is REVER's word alone that it leads to a file: a wrong one could lead
into the network of who fetches. So the name is resolved once, every address that it has must be a public one, and the
connection is made to just that address. TLS is checked for the name. Nothing is followed, no key is sent, and the file
is taken only if it is whole, small, and a PDF, PNG or JPG by its content.
"""

import asyncio
import hashlib
import logging
import re
import socket
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from ssl import SSLContext
from typing import cast

import httpx
from pydantic import SecretStr

from rever_api.config import is_loopback
from rever_api.http import BROKEN, reason_in_words, trusted

LARGEST = 5_000_000
"""Bytes of a label's file: that many are taken, one more is refused."""

WITHIN_S = 20.0
"""Seconds for one file, from the look-up of the name to the last byte."""

PORTS = frozenset({443})
"""Where storages serve files over https; at other ports are services of another kind."""

_LONGEST_URL = 8_000
_MOST_ADDRESSES = 3
_ASKED_ANEW = frozenset({400, 401, 403, 404, 410})
"""What storages answer to an address that has run out (S3: 403, and 400 for a session that has)."""

IPAddress = IPv4Address | IPv6Address


class FileKind(StrEnum):
    """What a label's file can be. The value ends its name."""

    PDF = "pdf"
    PNG = "png"
    JPG = "jpg"


class Trouble(StrEnum):
    """Why there is no file. `EXPIRED` alone is a reason to ask REVER for another address at once; `ABSENT`: REVER has
    no address, `EARLIER`: it has that of an earlier label.
    """

    ADDRESS = "address"
    PLACE = "place"
    UNREACHABLE = "unreachable"
    EXPIRED = "expired"
    REDIRECT = "redirect"
    STATUS = "status"
    TOO_SLOW = "too slow"
    TOO_LARGE = "too large"
    KIND = "kind"
    CUT_OFF = "cut off"
    ABSENT = "absent"
    EARLIER = "earlier"


class LabelFileError(Exception):
    """No file came; the sentence says why, in words that hold nothing of the address but its host."""

    def __init__(self, trouble: Trouble, sentence: str) -> None:
        super().__init__(sentence)
        self.trouble = trouble


@dataclass(frozen=True, slots=True)
class LabelFile:
    """The file of a label, whole. It shows where the shopper lives."""

    content: bytes = field(repr=False)
    kind: FileKind

    @property
    def digest(self) -> str:
        """SHA-256 of the content, in hex."""
        return hashlib.sha256(self.content).hexdigest()


async def resolved(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as the system resolves it. Raises `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


# Where a connection may go.


_NAT64 = IPv6Network("64:ff9b::/96")
_WORLD = IPv6Network("2000::/3")
_PRIVATE_V6 = IPv6Network("fc00::/7")
_PLACES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("this machine", ("127.0.0.0/8", "0.0.0.0/8")),
    ("the address at which clouds tell machines their secrets", ("169.254.169.254/32", "168.63.129.16/32")),
    ("a private network", ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")),
    ("a link-local address", ("169.254.0.0/16",)),
    (
        "an address that is not for files",
        (
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    ),
)
_REFUSED_V4 = tuple((words, IPv4Network(each)) for words, networks in _PLACES for each in networks)
_REFUSED_V6 = tuple(IPv6Network(each) for each in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))


def no_public_address(address: IPAddress) -> str:
    """What an address is, in words, where it is not one of the public internet; empty where it is.

    An IPv4 address in an IPv6 one (mapped, NAT64) is judged as the one that is meant.
    """
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or (IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None)
        if inner is None:
            return _no_public_v6(address)
        address = inner
    return next((words for words, network in _REFUSED_V4 if address in network), "")


def _no_public_v6(address: IPv6Address) -> str:
    if address.is_loopback or address.is_unspecified:
        return "this machine"
    if address.is_link_local:
        return "a link-local address"
    if address in _PRIVATE_V6:  # not `is_private`: what that takes in differs from one Python to the next
        return "a private network"
    known = address in _WORLD and not any(address in network for network in _REFUSED_V6)
    return "" if known else "an address that is not for files"


@dataclass(frozen=True, slots=True)
class LabelFetcher:
    """Fetches labels' files. `base_url` is REVER's own address: where that is this machine, its files may be as well.

    `resolve` looks names up, once for each file. `judge` says of an address that it may not be connected to, and what
    it is; `tls` has the trusted certificates.
    """

    base_url: str
    within_s: float = WITHIN_S
    resolve: Callable[[str, int], Awaitable[Sequence[str]]] = resolved
    judge: Callable[[IPAddress], str] = no_public_address
    tls: SSLContext | None = field(default=None, repr=False)

    async def fetch(self, url: SecretStr) -> LabelFile:
        """The file at this address. Raises `LabelFileError`."""
        target = self._target(url)
        try:
            async with asyncio.timeout(self.within_s):
                return await self._fetched(target)
        except TimeoutError:
            error = LabelFileError(
                Trouble.TOO_SLOW,
                f"{_place(target)} did not send the whole label's file within {self.within_s:g} s",
            )
        raise error  # out here, so that nothing of the exchange hangs on it

    def _target(self, url: SecretStr) -> httpx.URL:
        """The address, if it is one that a file may be fetched from."""
        text = url.get_secret_value()
        try:
            target = httpx.URL(text) if len(text) <= _LONGEST_URL and text.isprintable() else None
        except httpx.InvalidURL:
            target = None
        if target is None or not _is_host(target):
            raise LabelFileError(Trouble.ADDRESS, "REVER's address of the label's file is no web address")
        if target.scheme == "http" and self._is_local(target):
            return target
        if target.scheme != "https":
            name = target.scheme if re.fullmatch("[a-z]{1,12}", target.scheme) else ""
            found = f"begins with {name}:" if name else "is none of the web"
            raise LabelFileError(Trouble.ADDRESS, f"REVER's address of the label's file {found}; https: is needed")
        if not target.raw_host:
            raise LabelFileError(Trouble.ADDRESS, "REVER's address of the label's file names no host")
        if target.userinfo:
            raise LabelFileError(Trouble.ADDRESS, "REVER's address of the label's file carries a user or a password")
        if target.port is not None and target.port not in PORTS:
            words = f"names port {target.port}; files are at 443, and at others are services of another kind"
            raise LabelFileError(Trouble.ADDRESS, f"REVER's address of the label's file {words}")
        return target

    def _is_local(self, target: httpx.URL) -> bool:
        """Whether it is this machine's, as REVER is, by its number or by the name that REVER has."""
        if not is_loopback(self.base_url) or target.userinfo:
            return False
        try:
            return ip_address(_host(target)).is_loopback
        except ValueError:
            return target.raw_host == httpx.URL(self.base_url).raw_host

    async def _fetched(self, target: httpx.URL) -> LabelFile:
        error: LabelFileError | None = None
        addresses = await self._addresses(target)
        for address in addresses:
            try:
                return await self._over(target, address, connect_s=self.within_s / (len(addresses) + 1))
            except LabelFileError as failed:
                error = failed
            if error.trouble is not Trouble.UNREACHABLE:
                break
        assert error is not None  # noqa: S101 - there is at least one address
        raise error

    async def _addresses(self, target: httpx.URL) -> list[IPAddress]:
        """What the host's name stands for now; nobody asks again for this file."""
        port = target.port or (443 if target.scheme == "https" else 80)
        try:
            found = [ip_address(each.partition("%")[0]) for each in await self.resolve(_host(target), port)]
        except (OSError, UnicodeError):
            found = []
        if not found:
            raise LabelFileError(Trouble.UNREACHABLE, f"{_place(target)} is not known: its name leads nowhere")
        for address in found:
            where = self.judge(address)
            if target.scheme == "http":
                where = "" if address.is_loopback else "not this machine"
            if where:
                words = f"{_place(target)} stands for {where}, and no label's file is fetched from there"
                raise LabelFileError(Trouble.PLACE, words)
        return found[:_MOST_ADDRESSES]

    async def _over(self, target: httpx.URL, address: IPAddress, *, connect_s: float) -> LabelFile:
        """Ask just this address, as the host that it stands for. One that is mute leaves time for the next."""
        within = dict.fromkeys(("connect", "read", "write", "pool"), self.within_s)
        request = httpx.Request(
            "GET",
            target.copy_with(host=str(address)),
            headers={
                "host": target.netloc.decode("ascii"),
                "accept": ", ".join(_MEDIA),
                "accept-encoding": "identity",
                "user-agent": "rever-returns",
            },
            extensions={"sni_hostname": _host(target), "timeout": within | {"connect": connect_s}},
        )
        began, quiet = False, _FETCHING.set(True)
        try:
            # The transport alone: a client of httpx's would log the address, and take proxies, cookies and redirects.
            async with httpx.AsyncHTTPTransport(verify=self.tls or trusted(), trust_env=False) as transport:
                response = await transport.handle_async_request(request)
                began = True
                async with aclosing(response):
                    return await _read(target, response)
        except BROKEN as broken:
            why = reason_in_words(broken)
        finally:
            _FETCHING.reset(quiet)
        if began:
            raise LabelFileError(Trouble.CUT_OFF, f"{_place(target)} broke off within the label's file ({why})")
        raise LabelFileError(Trouble.UNREACHABLE, f"{_place(target)} could not be reached for the label's file ({why})")


_FETCHING: ContextVar[bool] = ContextVar("fetching", default=False)


class _Unheard(logging.Filter):
    """Leaves out what httpcore logs of a label's file: where a redirect leads is signed too."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - logging's
        return not _FETCHING.get()


for _name in ("httpcore.connection", "httpcore.http11"):
    logging.getLogger(_name).addFilter(_Unheard())


def _host(target: httpx.URL) -> str:
    """The host as it is asked for; `URL.host` would read it as a name in other letters, which some are not."""
    return target.raw_host.decode("ascii")


_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")


def _is_host(target: httpx.URL) -> bool:
    """Whether what stands as the host is a name or an IP address; or nothing does."""
    host = _host(target)
    return not host or ":" in host or _NAME.fullmatch(host) is not None


def _place(target: httpx.URL) -> str:
    """The host, as a sentence may name it."""
    return _host(target)[:100]


# What comes back.


async def _read(target: httpx.URL, response: httpx.Response) -> LabelFile:
    """The file in an answer. Raises `LabelFileError`."""
    place, status = _place(target), response.status_code
    if status in _ASKED_ANEW:
        words = f"{place} answered {status}: the address of the label's file has run out, or never led to one"
        raise LabelFileError(Trouble.EXPIRED, words)
    if 300 <= status < 400:
        words = f"{place} answered {status}, which leads elsewhere; no redirect of a label's file is followed"
        raise LabelFileError(Trouble.REDIRECT, words)
    if status != 200:
        raise LabelFileError(Trouble.STATUS, f"{place} answered {status} where the label's file should be")
    if response.headers.get("content-encoding", "").strip().lower() not in {"", "identity"}:
        raise LabelFileError(Trouble.KIND, f"{place} sent the label's file packed, which was not asked for")
    length = response.headers.get("content-length", "")
    too_large = LabelFileError(
        Trouble.TOO_LARGE, f"{place} has a label's file of more than {LARGEST:,} bytes, and no larger one is taken"
    )
    if length.isdecimal() and int(length[:20]) > LARGEST:
        raise too_large
    content = bytearray()
    async for chunk in cast("AsyncIterable[bytes]", response.stream):
        content += chunk
        if len(content) > LARGEST:
            raise too_large
    kind = kind_of(bytes(content))
    if kind is None:
        raise LabelFileError(Trouble.KIND, f"what {place} sent is no PDF, PNG or JPG, so it is no label's file")
    if not is_whole(kind, bytes(content)):
        raise LabelFileError(Trouble.CUT_OFF, f"the label's file that {place} sent has no end: it is not whole")
    return LabelFile(bytes(content), kind)


_MEDIA = ("application/pdf", "image/png", "image/jpeg")
_BEGINS = {FileKind.PDF: b"%PDF-", FileKind.PNG: b"\x89PNG\r\n\x1a\n", FileKind.JPG: b"\xff\xd8\xff"}
_ENDS = {FileKind.PDF: b"%%EOF", FileKind.PNG: b"IEND\xaeB`\x82", FileKind.JPG: b"\xff\xd9"}
_TAIL = 1_024
"""Bytes at the end of a file in which its end mark stands; some programs write a little behind it, or fill it up."""


def kind_of(content: bytes) -> FileKind | None:
    """What a file is by its first bytes, whatever was said of it; None for any other kind."""
    return next((kind for kind, begins in _BEGINS.items() if content.startswith(begins)), None)


def is_whole(kind: FileKind, content: bytes) -> bool:
    """Whether a file of this kind has its end."""
    return _ENDS[kind] in content.rstrip(b"\0\r\n\t ")[-_TAIL:]
