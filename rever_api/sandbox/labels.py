"""Labels: logistic orders and the parcels shown for them, and short-lived URLs of their files, which need no key."""

import hashlib
import hmac
import struct
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum

from rever_api.models import Address, LogisticOrder, LogisticsEntry, ReturnProcess, ShippingStatus
from rever_api.sandbox.state import Actor, Sandbox, StoredProcess

# The files of labels: small real PDFs and PNGs that show the invented shopper, and every way in which one is wrong.

LARGEST = 5_000_000
"""Bytes that a desk takes of a label's file, as its documentation has it; this REVER has larger ones too."""

_AS_PNG = frozenset({"CORREOS", "BRING"})
"""The carriers whose labels are pictures."""


class LabelFault(StrEnum):
    """A way in which the file of a label, or REVER's address of it, is wrong."""

    NO_FILE = "no_file"  # REVER answers 404: not available
    EXPIRED_ONCE = "expired_once"  # the first address has run out, the next has not
    EXPIRED = "expired"  # each address has run out
    FILE = "file"  # a file: address
    DATA = "data"  # a data: address, with the label in it
    PLAIN_HTTP = "plain_http"  # http, on another host
    USER = "user"  # a user and a password in the address
    PORT = "port"  # another service's port
    LOOPBACK_NAME = "loopback_name"  # a name that stands for this machine
    PRIVATE = "private"  # an address of a private network
    METADATA = "metadata"  # where clouds tell machines their secrets
    REDIRECT = "redirect"  # the file is behind a redirect
    HTML = "html"
    SVG = "svg"
    ZIP = "zip"
    EMPTY = "empty"
    PACKED = "packed"  # gzip, though it was not asked for
    LARGEST = "largest"  # just as large as is taken
    TOO_LARGE = "too_large"  # one byte more
    TOO_LARGE_UNSAID = "too_large_unsaid"  # the same, and no length is said before
    DRIP = "drip"  # it comes byte by byte, for minutes
    CUT = "cut"  # the connection ends in the middle
    NO_END = "no_end"  # whole as HTTP, and yet half a file


ADDRESSES: Mapping[LabelFault, str] = {
    LabelFault.FILE: "file:///etc/passwd",
    LabelFault.DATA: "data:application/pdf;base64,JVBERi0xLjQK",
    LabelFault.PLAIN_HTTP: "http://files.example.com/label.pdf?signature=s1gned",
    LabelFault.USER: "https://admin:s1gned@files.example.com/label.pdf",
    LabelFault.PORT: "https://files.example.com:6379/label.pdf?signature=s1gned",
    LabelFault.LOOPBACK_NAME: "https://localhost/label.pdf?signature=s1gned",
    LabelFault.PRIVATE: "https://10.255.255.1/label.pdf?signature=s1gned",
    LabelFault.METADATA: "https://[::ffff:169.254.169.254]/latest/meta-data?signature=s1gned",
}
"""What REVER says in place of an address of its own. Nothing of it is ever asked: a desk refuses each by its looks."""


def faulty(fault: LabelFault, content: bytes) -> bytes:
    """Return the file as this fault has it; the whole file for a fault that is not in it."""
    return _CONTENTS[fault](content) if fault in _CONTENTS else content


def _padded(content: bytes, size: int) -> bytes:
    """A PDF of just this size: what stands before its last line is a comment."""
    end = b"\n%%EOF\n"
    return content + b"%" * (size - len(content) - len(end)) + end


_CONTENTS: Mapping[LabelFault, Callable[[bytes], bytes]] = {
    LabelFault.HTML: lambda _: b"<!doctype html><html><body>Your session has ended</body></html>",
    LabelFault.SVG: lambda _: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    LabelFault.ZIP: lambda _: b"PK\x03\x04" + bytes(60),
    LabelFault.EMPTY: lambda _: b"",
    LabelFault.LARGEST: lambda content: _padded(content, LARGEST),
    LabelFault.TOO_LARGE: lambda content: _padded(content, LARGEST + 1),
    LabelFault.TOO_LARGE_UNSAID: lambda content: _padded(content, LARGEST + 1),
    LabelFault.PACKED: zlib.compress,
    LabelFault.NO_END: lambda content: content[: len(content) // 2],
}


def label_of(order: LogisticOrder) -> tuple[bytes, str]:
    """Return the file of a logistic order's label, and its extension."""
    if order.carrier in _AS_PNG:
        return label_png(order.tracking_id), "png"
    origin = order.from_
    sender = (
        (f"{origin.first_name} {origin.last_name}", origin.address_line_1, f"{origin.postcode} {origin.city}")
        if origin
        else ()
    )
    return label_pdf(order.carrier, order.tracking_id, *sender), "pdf"


def label_png(tracking_id: str) -> bytes:
    """Return a small greyscale PNG (ISO 15948) with bars that stand for the tracking number."""
    bits = [bit for letter in tracking_id.encode() for bit in f"{letter:08b}"]
    row = bytes(byte for bit in bits for byte in (b"\x00\x00" if bit == "1" else b"\xff\xff"))
    height = 64
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", len(row), height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress((b"\x00" + row) * height)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def label_pdf(*lines: str) -> bytes:
    """Return a one-page PDF (ISO 32000-1), 4 by 6 inches, with these lines on it."""
    shown = " 0 -24 Td ".join(f"({_pdf_text(line)}) Tj" for line in lines)
    text = f"BT /F1 14 Tf 24 392 Td {shown} ET".encode("latin-1")
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 288 432] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def _pdf_text(value: str) -> str:
    plain = value.encode("latin-1", "replace").decode("latin-1")
    return plain.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def parcel_of(order: LogisticOrder, status: ShippingStatus) -> LogisticsEntry:
    """Return the parcel that the process shows for a logistic order."""
    return LogisticsEntry(
        tracking_number=order.tracking_id, tracking_url=order.tracking_url, status=status, carrier=order.carrier,
        method=order.return_method, from_=order.from_, to=order.to,
    )  # fmt: skip


def new_order(sandbox: Sandbox, process: ReturnProcess, provider: str, carrier: str, method: str) -> LogisticOrder:
    """Return an order, with a new tracking number, from the shopper to the warehouse that serves their country."""
    order_id = sandbox.ids.new("lord")
    tracking = f"{carrier[:3].upper()}{order_id[-12:].upper()}"
    origin = process.pickup_address or Address()
    warehouses = sandbox.shops[process.ecommerce_id].warehouses
    default = next(house for house in warehouses if house.is_default)
    warehouse = next((house for house in warehouses if origin.country_code in house.countries), default)
    return LogisticOrder(
        id=order_id,
        process_id=process.rever_process_id,
        provider=provider,
        carrier=carrier,
        return_method=method,
        tracking_id=tracking,
        tracking_url=f"https://tracking.example.com/{tracking}",
        from_=origin,
        to=warehouse.address,
    )


def register(
    sandbox: Sandbox, stored: StoredProcess, order: LogisticOrder, operation: str, file: tuple[bytes, str] | None = None
) -> LogisticOrder:
    """Make an order through the API: books, label file, and a parcel on the process with status CREATED."""
    before = stored.process
    sandbox.write_effect(before, operation, Actor.API, reference=order.id)
    sandbox.label_files[order.id] = file or label_of(order)
    stored.orders = (*stored.orders, order)
    sandbox.change(stored, logistics=(*(before.logistics or ()), parcel_of(order, ShippingStatus.CREATED)))
    return order


def presigned_path(order_id: str, extension: str, expires: datetime, seed: int) -> str:
    """Return the path and query under which the label can be fetched until `expires`, without a key."""
    until = int(expires.timestamp())
    return f"/_sandbox/labels/{order_id}.{extension}?expires={until}&signature={_sign(order_id, until, seed)}"


def is_signed(order_id: str, expires: str, signature: str, now: datetime, seed: int) -> bool:
    """Whether the query of a label's URL was made here and has not run out."""
    if not expires.isdecimal() or int(expires) < now.timestamp():
        return False
    return hmac.compare_digest(signature, _sign(order_id, int(expires), seed))


def _sign(order_id: str, until: int, seed: int) -> str:
    return hmac.new(f"sandbox-{seed}".encode(), f"{order_id}/{until}".encode(), hashlib.sha256).hexdigest()
