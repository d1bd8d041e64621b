"""A configuration that cannot work, or would give the key away, is refused with a sentence."""

from typing import Any

import pytest
from pydantic import SecretStr

from rever_api import ClientConfig, WrongSetup
from rever_api.addresses import is_loopback


@pytest.mark.parametrize(
    "url",
    ["https://api.byrever.com", "https://x.example/a/b/", "http://127.0.0.1:8", "http://localhost", "http://[::1]:8"],
)
def test_a_base_url_is_https_or_of_this_machine(url: str) -> None:
    assert ClientConfig(url, SecretStr("k")).base_url == url


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://api.byrever.com", "in clear text"),
        ("http://127.0.0.1.example.org", "in clear text"),
        ("http://localhost.example.org", "in clear text"),
        ("", "not an http or https address"),
        ("api.byrever.com", "not an http or https address"),
        ("ftp://api.byrever.com", "not an http or https address"),
        ("https://", "not an http or https address"),
        ("https://host:port", "not an http or https address"),
        ("https://[::1", "not an http or https address"),
        ("https://ada:secret@api.byrever.com", "no user"),
        ("https://api.byrever.com?key=secret", "query"),
    ],
)
def test_a_wrong_base_url_is_refused(url: str, sentence: str) -> None:
    with pytest.raises(WrongSetup, match=sentence) as raised:
        ClientConfig(url, SecretStr("k"))
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("key", ["", "  ", "secret\n", "sec ret", "sécret", "sec\x00ret"])
def test_a_key_that_is_no_header_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(WrongSetup, match="REVER_API_KEY") as raised:
        ClientConfig("https://x.example", SecretStr(key))
    assert "cret" not in str(raised.value)


@pytest.mark.parametrize("wrong", [0, -1, float("nan")])
@pytest.mark.parametrize("name", ["timeout", "deadline", "rate", "max_in_flight", "read_attempts"])
def test_numbers_must_be_above_zero(name: str, wrong: Any) -> None:
    with pytest.raises(WrongSetup, match=name):
        ClientConfig("https://x.example", SecretStr("k"), **{name: wrong})


def test_the_deadline_is_the_timeout_unless_stated() -> None:
    assert ClientConfig("https://x.example", SecretStr("k"), timeout=7).attempt_deadline == 7
    assert ClientConfig("https://x.example", SecretStr("k"), timeout=7, deadline=9).attempt_deadline == 9


def test_loopback() -> None:
    assert all(is_loopback(f"http://{host}/x") for host in ("127.9.9.9", "LOCALHOST:1", "sand.localhost", "[::1]"))
    assert not any(is_loopback(url) for url in ("http://128.0.0.1", "http://0.0.0.0", "nonsense", "", "http://[::1"))
