"""A configuration that cannot work, or would give the key away, is refused with a sentence."""

from typing import Any

import pytest
from pydantic import SecretStr

from rever_api import ClientConfig, WrongSetup
from rever_api.config import is_loopback
from tasks.settings.addresses import checked_base_url


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


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:80/x", True),
        ("http://LOCALHOST", True),
        ("http://127.8.9.1", True),
        ("http://[::1]:8080", True),
        ("https://api.byrever.com", False),
        ("http://127.0.0.1.example.com", False),
        ("http://127.0.0.1@example.com", False),
        ("http://example.com\\@127.0.0.1", False),
        ("http://[::1", False),
        ("http://a.localhost", False),
        ("http://localhost.", False),
        ("http://u@localhost", False),
        ("http://u:p@127.0.0.1", False),
        ("http://128.0.0.1", False),
        ("http://0.0.0.0", False),
        ("nonsense", False),
        ("", False),
    ],
)
def test_only_this_machine_is_loopback(url: str, *, expected: bool) -> None:
    assert is_loopback(url) is expected


@pytest.mark.parametrize("url", ["http://a.localhost", "http://localhost.", "http://u@localhost"])
def test_who_pays_and_whether_plain_http_is_taken_go_by_one_rule(url: str) -> None:
    """The desk takes REVER to be a sandbox that does not pay where its client would send the key unencrypted."""
    with pytest.raises(WrongSetup):
        ClientConfig(url, SecretStr("k"))
    with pytest.raises(ValueError, match=r"must not carry a user|would send the API key"):
        checked_base_url(url)
