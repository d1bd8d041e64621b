"""A label's file from its address: what is refused with which sentence, where the connection goes, and what is told."""

import asyncio
import logging
import ssl
import threading
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from rever_api.label_file import (
    LARGEST,
    FileKind,
    LabelFetcher,
    LabelFile,
    LabelFileError,
    Trouble,
    kind_of,
    no_public_address,
)
from rever_api.sandbox.labels import LabelFault, faulty, label_pdf, label_png
from tests.rever_api.told_server import ToldServer, answers, closes, cuts, told_server

SECRET = "s1gned-s1gned"
REAL = "https://api.byrever.com"
PDF = label_pdf("DHL", "DHL123")


@pytest.fixture
def told() -> Iterator[ToldServer]:
    with told_server() as server:
        yield server


def fetch(url: str, base_url: str = REAL, **how: object) -> LabelFile:
    fetcher = LabelFetcher(base_url, **how)  # type: ignore[arg-type]
    return asyncio.run(fetcher.fetch(SecretStr(url)))


def refused(url: str, base_url: str = REAL, **how: object) -> LabelFileError:
    """The error; nothing of the address but its host is in it, nor in the traceback."""
    with pytest.raises(LabelFileError) as caught:
        fetch(url, base_url, **how)
    error = caught.value
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(error.__dict__)
    assert SECRET not in shown
    assert error.__context__ is None
    return error


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (f"file:///etc/passwd?{SECRET}", "begins with file:; https: is needed"),
        (f"data:application/pdf;base64,{SECRET}", "begins with data:; https: is needed"),
        (f"ftp://files.example/{SECRET}", "begins with ftp:; https: is needed"),
        (f"http://files.example/{SECRET}", "begins with http:; https: is needed"),
        (f"http://127.0.0.1/{SECRET}", "begins with http:; https: is needed"),
        (f"//files.example/{SECRET}", "is none of the web"),
        (f"https:///{SECRET}", "names no host"),
        (f"https://admin:{SECRET}@files.example/label.pdf", "carries a user or a password"),
        (f"https://admin@files.example/{SECRET}", "carries a user or a password"),
        (f"https://files.example:6379/{SECRET}", "names port 6379"),
        (f"https://files.example:x/{SECRET}", "is no web address"),
        (f"https://.example/{SECRET}", "is no web address"),
        (f"https://files..example/{SECRET}", "is no web address"),
        (f"https://files%00.example/{SECRET}", "is no web address"),
        (f"https://files.exam\nple/{SECRET}", "is no web address"),
        (f"https://files.example/{SECRET * 1000}", "is no web address"),
    ],
)
def test_an_address_that_no_file_is_fetched_from_is_refused_before_anything_is_asked(url: str, sentence: str) -> None:
    async def never(_host: str, _port: int) -> list[str]:
        raise AssertionError

    error = refused(url, resolve=never)
    assert sentence in str(error)
    assert error.trouble is Trouble.ADDRESS


@given(
    st.text(max_size=60),
    st.sampled_from(["", "https://", "https://x:", "https://[", "https://x@", "https://xn--", "http://127.0."]),
)
def test_whatever_stands_in_place_of_an_address_is_refused_with_a_sentence(text: str, before: str) -> None:
    async def nowhere(_host: str, _port: int) -> list[str]:
        return []

    with pytest.raises(LabelFileError) as caught:
        fetch(before + text, "http://127.0.0.1:1", resolve=nowhere, within_s=1)
    assert caught.value.trouble in {Trouble.ADDRESS, Trouble.UNREACHABLE}
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1", "this machine"),
        ("127.9.9.9", "this machine"),
        ("0.0.0.0", "this machine"),
        ("::1", "this machine"),
        ("::", "this machine"),
        ("::ffff:127.0.0.1", "this machine"),
        ("64:ff9b::7f00:1", "this machine"),
        ("169.254.169.254", "clouds"),
        ("168.63.129.16", "clouds"),
        ("::ffff:169.254.169.254", "clouds"),
        ("64:ff9b::a9fe:a9fe", "clouds"),
        ("169.254.1.1", "link-local"),
        ("fe80::1", "link-local"),
        ("10.0.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1", "private"),
        ("100.100.100.200", "private"),
        ("fd00:ec2::254", "private"),
        ("64:ff9b::a00:1", "private"),
        ("192.0.0.192", "not for files"),
        ("224.0.0.1", "not for files"),
        ("255.255.255.255", "not for files"),
        ("ff02::1", "not for files"),
        ("64:ff9b:1::a00:1", "not for files"),
        ("::10.0.0.1", "not for files"),
        ("2002:a00:1::", "not for files"),
        ("2001::1", "not for files"),
        ("2001:db8::1", "not for files"),
        ("fec0::1", "not for files"),
        ("52.218.1.1", ""),
        ("172.32.0.1", ""),
        ("2600:1fa0::1", ""),
        ("::ffff:52.218.1.1", ""),
        ("64:ff9b::34da:101", ""),
    ],
)
def test_only_public_addresses_are_connected_to(address: str, words: str) -> None:
    found = no_public_address(ip_address(address))
    assert found == "" if not words else words in found
    if not words:
        return

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["52.218.1.1", address]  # one that leads elsewhere spoils all

    error = refused(f"https://files.example/label.pdf?{SECRET}", resolve=resolve)
    assert str(error) == f"files.example stands for {found}, and no label's file is fetched from there"
    assert error.trouble is Trouble.PLACE


@pytest.mark.parametrize("host", ["xn--", "xn--a.invalid"])
def test_a_name_that_cannot_be_read_in_its_own_letters_leads_nowhere(host: str) -> None:
    assert refused(f"https://{host}/{SECRET}").trouble is Trouble.UNREACHABLE


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "localhost", "[::1]", "[::ffff:a00:1]"])
def test_however_an_address_is_spelled_it_is_judged_as_what_it_stands_for(host: str) -> None:
    assert refused(f"https://{host}/{SECRET}").trouble in {Trouble.PLACE, Trouble.UNREACHABLE}


def test_the_name_is_resolved_once_and_the_connection_goes_to_that_address(told: ToldServer) -> None:
    told.tell(answers(200, PDF))
    asked: list[str] = []

    async def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    url = f"http://rever.test:{told.port}/label.pdf?signature=a%2Fb%3D&x=1"
    with pytest.raises(LabelFileError):  # REVER is not this machine
        fetch(url, resolve=rebinding)
    assert asked == []
    asked.clear()
    base = f"http://localhost:{told.port}"
    found = fetch(url.replace("rever.test", "localhost"), base, resolve=rebinding)
    assert (found.content, found.kind, asked) == (PDF, FileKind.PDF, ["localhost"])
    (heard,) = told.heard
    assert heard.target == "/label.pdf?signature=a%2Fb%3D&x=1", "the signature is over the address as it stands"
    assert heard.headers["host"] == f"localhost:{told.port}"
    assert set(heard.headers) == {"host", "accept", "accept-encoding", "user-agent"}


def local(told: ToldServer) -> tuple[str, str]:
    return f"{told.url}/label.pdf?signature={SECRET}", told.url


def test_what_is_not_whole_or_no_label_is_refused_with_its_sentence(told: ToldServer) -> None:
    large = label_pdf("x") + b" " * (LARGEST - len(label_pdf("x"))) + b" "
    for play, trouble, sentence in (
        (answers(403), Trouble.EXPIRED, "127.0.0.1 answered 403: the address of the label's file has run out"),
        (answers(404), Trouble.EXPIRED, "has run out, or never led to one"),
        (answers(302, headers={"location": f"https://x.example/{SECRET}"}), Trouble.REDIRECT, "no redirect"),
        (answers(503, f"<html>{SECRET}".encode()), Trouble.STATUS, "answered 503"),
        (answers(206, PDF), Trouble.STATUS, "answered 206"),
        (answers(200, large), Trouble.TOO_LARGE, "more than 5,000,000 bytes"),
        (answers(200, b"<!doctype html>"), Trouble.KIND, "no PDF, PNG or JPG"),
        (answers(200, b"<svg/>", headers={"content-type": "application/pdf"}), Trouble.KIND, "no PDF, PNG or JPG"),
        (answers(200, b"PK\x03\x04"), Trouble.KIND, "no PDF, PNG or JPG"),
        (answers(200, b""), Trouble.KIND, "no PDF, PNG or JPG"),
        (answers(200, PDF, headers={"content-encoding": "gzip"}), Trouble.KIND, "packed"),
        (answers(200, PDF[:-20]), Trouble.CUT_OFF, "has no end"),
        (answers(200, PDF + b"x" * 1024), Trouble.CUT_OFF, "has no end"),
        (answers(200, b"\n" + PDF), Trouble.KIND, "no PDF, PNG or JPG"),
        (cuts(PDF, 40), Trouble.CUT_OFF, "has no end"),
        (answers(200, PDF, headers={"content-length": "12"}), Trouble.UNREACHABLE, "remote protocol error"),
        (cuts(PDF[:40], len(PDF)), Trouble.CUT_OFF, "broke off"),
        (closes(), Trouble.UNREACHABLE, "could not be reached"),
        (closes(reset=True), Trouble.UNREACHABLE, "could not be reached"),
    ):
        told.tell(play)
        error = refused(*local(told))
        assert (error.trouble, sentence in str(error)) == (trouble, True), str(error)
    assert len(told.heard) == 19, "each was asked for once: nothing is followed, and nothing tried again"


def test_the_largest_file_is_taken_and_each_kind_is_known_by_its_content(told: ToldServer) -> None:
    png, jpg = label_png("DHL123"), b"\xff\xd8\xff\xe0" + bytes(100) + b"\xff\xd9"
    full = faulty(LabelFault.LARGEST, PDF)
    assert len(full) == LARGEST
    padded = PDF + bytes(4096) + b"\r\n"
    for content, kind in ((PDF, "pdf"), (png, "png"), (jpg, "jpg"), (full, "pdf"), (padded, "pdf")):
        told.tell(answers(200, content, headers={"content-type": "text/html", "content-encoding": ""}))
        found = fetch(*local(told))
        assert (found.content, found.kind) == (content, kind)
        assert content[:20] not in repr(found).encode()
    assert kind_of(b"GIF89a") is None


def test_what_comes_too_slowly_is_given_up(told: ToldServer) -> None:
    def drip(conversation: object) -> None:
        wfile = conversation.wfile  # type: ignore[attr-defined]
        wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n%PDF-")
        for _ in range(1000):
            wfile.write(b"x")
            wfile.flush()
            if waiting.wait(0.02):
                return

    waiting = threading.Event()
    told.tell(drip)
    error = refused(*local(told), within_s=0.3)
    waiting.set()
    assert error.trouble is Trouble.TOO_SLOW
    assert str(error) == "127.0.0.1 did not send the whole label's file within 0.3 s"


def test_nothing_of_the_address_is_logged(told: ToldServer, caplog: pytest.LogCaptureFixture) -> None:
    told.tell(answers(200, PDF), answers(302, headers={"location": "https://x.example/elsewhere"}))
    with caplog.at_level(logging.DEBUG):
        for logger in ("httpx", "httpcore", "asyncio"):
            logging.getLogger(logger).setLevel(logging.DEBUG)
        fetch(*local(told))
        refused(*local(told))
    assert SECRET not in caplog.text


# TLS: the connection goes by number, and the certificate is the name's.


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The contexts of a server that has a certificate of its own for this name, and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, form, plain) + made.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cadata=made.public_bytes(serialization.Encoding.PEM).decode())


@pytest.mark.parametrize(
    ("of", "trusted", "words"),
    [
        ("files.example", True, ""),
        ("other.example", True, "TLS: certificate verify failed"),
        ("files.example", False, "TLS: certificate verify failed"),
    ],
)
def test_the_certificate_must_be_that_of_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of: str, trusted: bool, words: str
) -> None:
    server, client = certificate(tmp_path, of)
    names: list[str | None] = []
    server.sni_callback = lambda _socket, name, _context: names.append(name)
    bodies: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bodies.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(PDF) + PDF)
        await writer.drain()
        writer.close()

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    async def play() -> LabelFile:
        listening = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server)
        async with listening:
            port = listening.sockets[0].getsockname()[1]
            monkeypatch.setattr("rever_api.label_file.PORTS", frozenset({port}))
            fetcher = LabelFetcher(REAL, resolve=resolve, judge=lambda _: "", tls=client if trusted else None)
            return await fetcher.fetch(SecretStr(f"https://files.example:{port}/label.pdf?{SECRET}"))

    if words:
        with pytest.raises(LabelFileError, match=words) as caught:
            asyncio.run(play())
        assert (caught.value.trouble, bodies) == (Trouble.UNREACHABLE, [])
    else:
        assert asyncio.run(play()).content == PDF
        assert b"\r\nhost: files.example:" in bodies[0].lower()
    assert names == ["files.example"]


def test_where_one_address_of_a_host_is_mute_the_next_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server, client = certificate(tmp_path, "files.example")
    asked: list[str] = []

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append("mute")
        await reader.read()
        writer.close()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(PDF) + PDF)
        await writer.drain()
        writer.close()

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    async def play() -> LabelFile:
        async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server) as listening:
            port = listening.sockets[0].getsockname()[1]
            monkeypatch.setattr("rever_api.label_file.PORTS", frozenset({port}))
            async with await asyncio.start_server(mute, "127.0.0.2", port):
                fetcher = LabelFetcher(REAL, within_s=3, resolve=resolve, judge=lambda _: "", tls=client)
                return await fetcher.fetch(SecretStr(f"https://files.example:{port}/label.pdf?{SECRET}"))

    assert asyncio.run(play()).content == PDF
    assert asked == ["mute"]
