"""Signing and verifying REVER's webhooks.

REVER signs the raw body with HMAC-SHA256 and a shared secret, in the header `X-REVER-Signature` (its reference).
Whether the digest is written as hex or base64 is not stated, so every way to write the same 32 bytes is accepted, with
or without `sha256=` in front; that gives nothing away. Nothing signed holds a time: a copied delivery verifies for
ever, and to act on it once is the receiver's duty.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable
from hashlib import sha256

from pydantic import SecretStr

SIGNATURE_HEADER = "X-REVER-Signature"
"""The header that carries the signature."""


def sign(body: bytes, secret: SecretStr) -> str:
    """The signature of a raw body, in lower-case hex."""
    return _digest(body, secret).hex()


def verify(body: bytes, signature: str, secrets: Iterable[SecretStr]) -> bool:
    """Whether the signature is that of the raw body under one of the secrets (two while one is being replaced).

    Compares in constant time, and with every secret. An empty secret never verifies. Pass the body as it came.
    """
    given = _decoded(signature)
    matches = [hmac.compare_digest(_digest(body, secret), given) for secret in secrets if secret.get_secret_value()]
    return any(matches)


def _digest(body: bytes, secret: SecretStr) -> bytes:
    """HMAC-SHA256 of the raw body."""
    return hmac.digest(secret.get_secret_value().encode(), body, sha256)


def _decoded(signature: str) -> bytes:
    """The bytes that a signature writes in hex or base64; none where it is neither."""
    text = signature.strip()
    if text[:7].lower() == "sha256=":
        text = text[7:]
    try:
        return bytes.fromhex(text) if len(text) == 64 else base64.b64decode(text.encode("ascii"), validate=True)
    except (ValueError, binascii.Error):
        return b""
