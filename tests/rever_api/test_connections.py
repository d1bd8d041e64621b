"""Through a proxy where the environment names one, straight otherwise; packed bodies; what goes over the wire."""

import gzip
import json
from urllib.parse import urlsplit

import pytest

from rever_api import NotSent, OutcomeUnknown
from rever_api.errors import WrongSetup
from rever_api.models import SearchQuery
from tests.rever_api.conftest import KEY, Caller
from tests.rever_api.samples import PROCESS_ID, REFUND, REFUNDED, page, process
from tests.rever_api.told_server import ToldServer, answers

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine's environment says."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_asked_and_never_sees_the_key(
    call: Caller, told: ToldServer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, told.url.replace("http://", "http://user:p4ss@"))
    told.tell(answers(403, close=True))
    with pytest.raises(NotSent, match="issueRefund was not sent"):
        call("issue_refund", PROCESS_ID, REFUND, base_url="https://no-such-host.invalid")
    (heard,) = told.heard
    assert (heard.method, heard.target) == ("CONNECT", "no-such-host.invalid:443")
    assert heard.headers["proxy-authorization"] == "Basic dXNlcjpwNHNz"
    assert KEY not in str(heard)


def test_no_proxy_leaves_it_out(call: Caller, told: ToldServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", told.url)
    monkeypatch.setenv("NO_PROXY", "elsewhere.example,.invalid")
    with pytest.raises(NotSent):
        call("issue_refund", PROCESS_ID, REFUND, base_url="https://no-such-host.invalid")
    assert told.heard == []


def test_a_sandbox_on_this_machine_is_reached_without_a_proxy(
    call: Caller, told: ToldServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    told.tell(answers(200, process()))
    assert call("get_return_process", PROCESS_ID).rever_process_id == PROCESS_ID


def test_a_proxy_whose_address_is_none_says_so(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "ftp://user:p4ss@127.0.0.1:1")
    with pytest.raises(WrongSetup, match=r"check HTTPS_PROXY and ALL_PROXY\.$"):
        call("issue_refund", PROCESS_ID, REFUND, base_url="https://no-such-host.invalid")


def test_a_packed_body_is_read(call: Caller, told: ToldServer) -> None:
    packed = gzip.compress(json.dumps(process()).encode())
    told.tell(answers(200, packed, headers={"Content-Encoding": "gzip"}))
    assert call("get_return_process", PROCESS_ID).rever_process_id == PROCESS_ID
    assert "gzip" in told.heard[0].headers["accept-encoding"]


@pytest.mark.parametrize("body", [b"no gzip at all", gzip.compress(b"{" * 100)[:-6]], ids=["none", "cut"])
def test_a_body_that_is_packed_wrong_is_unknown(call: Caller, told: ToldServer, body: bytes) -> None:
    told.tell(answers(200, body, headers={"content-encoding": "gzip"}))
    with pytest.raises(OutcomeUnknown):
        call("issue_refund", PROCESS_ID, REFUND)
    assert len(told.heard) == 1


def test_a_small_body_that_unpacks_without_end_is_refused(
    call: Caller, told: ToldServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rever_api.unpacking.MOST_BODY", 1000)
    told.tell(answers(200, gzip.compress(b" " * 5000), headers={"content-encoding": "gzip"}))
    with pytest.raises(OutcomeUnknown):
        call("issue_refund", PROCESS_ID, REFUND)


def test_what_goes_over_the_wire(call: Caller, told: ToldServer) -> None:
    told.tell(answers(200, REFUNDED))
    call("issue_refund", PROCESS_ID, REFUND)
    (heard,) = told.heard
    assert heard.headers["host"] == urlsplit(told.url).netloc
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["content-length"] == str(len(heard.body))
    assert (heard.headers["accept"], heard.headers["user-agent"]) == ("application/json", "rever-returns")


def test_a_path_of_the_base_url_and_letters_of_a_query_arrive(call: Caller, told: ToldServer) -> None:
    told.tell(answers(200, page()))
    call("search_return_processes", SearchQuery(freetext="größe 12&3"), base_url=f"{told.url}/mock/")
    path, _, query = told.heard[0].target.partition("?")
    assert path == "/mock/v1/processes"
    assert "freetext=gr%C3%B6%C3%9Fe+12%263" in query


@pytest.mark.parametrize("address", ["{url}/label file.pdf", "{url}/größe.pdf"])
def test_a_label_whose_address_is_written_carelessly_is_fetched(call: Caller, told: ToldServer, address: str) -> None:
    told.tell(answers(200, b"%PDF"))
    assert call("fetch_label", address.format(url=told.url)) == b"%PDF"
    assert told.heard[0].target in {"/label%20file.pdf", "/gr%C3%B6%C3%9Fe.pdf"}


def test_a_label_at_a_port_that_is_none_is_not_sent(call: Caller) -> None:
    with pytest.raises(NotSent):
        call("fetch_label", "https://files.example:99999999/label.pdf")
