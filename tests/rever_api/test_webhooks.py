"""Every way to write the right digest verifies, and nothing else does."""

import base64

import pytest
from pydantic import SecretStr

from rever_api.webhooks import sign, verify

BODY = b'{"rever_process_id": "retp_1"}'
SECRET, OLD = SecretStr("whsec_new"), SecretStr("whsec_old")
HEX = sign(BODY, SECRET)
BASE64 = base64.b64encode(bytes.fromhex(HEX)).decode()


def test_the_digest_is_hmac_sha256() -> None:
    expected = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"  # a well-known test vector
    assert sign(b"The quick brown fox jumps over the lazy dog", SecretStr("key")) == expected


@pytest.mark.parametrize("written", [HEX, HEX.upper(), BASE64, f"sha256={HEX}", f"SHA256={BASE64}", f" {HEX}\n"])
def test_each_way_to_write_it_verifies(written: str) -> None:
    assert verify(BODY, written, [SECRET])
    assert verify(BODY, written, [OLD, SECRET])
    assert not verify(BODY + b" ", written, [SECRET])
    assert not verify(BODY, written, [OLD])


@pytest.mark.parametrize(
    "wrong", ["", "sha256=", HEX[:-1], HEX[:-2], HEX + "00", "g" * 64, "é" * 64, BASE64[:-1], BASE64.swapcase(), "\x00"]
)
def test_anything_else_does_not(wrong: str) -> None:
    assert not verify(BODY, wrong, [SECRET])


def test_no_secret_verifies_nothing() -> None:
    empty = SecretStr("")
    assert not verify(BODY, HEX, [])
    assert not verify(BODY, sign(BODY, empty), [empty])
