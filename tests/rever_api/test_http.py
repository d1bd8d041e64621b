"""One attempt: what breaks on the way ends in the one class that says how to react; proxies, bodies, what is sent."""

import asyncio
import gzip
import json
import socket
import time
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from rever_api import AsyncReverClient, NotSent, OutcomeUnknown, Refused, WrongRoute
from rever_api.errors import ReverError, WrongSetup
from rever_api.models import SearchQuery
from tests.rever_api.conftest import KEY, Caller
from tests.rever_api.samples import EFFECTS, PROCESS_ID, REFUND, REFUNDED, page, process
from tests.rever_api.told_server import ToldServer, answers, closes, cuts, drips, keeps_silent


def refused_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def test_a_refused_connection_is_not_sent(call: Caller) -> None:
    with pytest.raises(NotSent, match=r"issueRefund was not sent: http://127.0.0.1:\d+ .*connection refused"):
        call("issue_refund", PROCESS_ID, REFUND, base_url=f"http://127.0.0.1:{refused_port()}")


def test_an_unknown_host_is_not_sent(call: Caller) -> None:
    with pytest.raises(NotSent, match="issueRefund was not sent"):
        call("issue_refund", PROCESS_ID, REFUND, base_url="https://no-such-host.invalid")


def test_tls_to_a_plain_port_is_not_sent(call: Caller, told: ToldServer) -> None:
    told.tell(answers(200, REFUNDED))
    with pytest.raises(NotSent, match="issueRefund was not sent"):
        call("issue_refund", PROCESS_ID, REFUND, base_url=told.url.replace("http:", "https:"), timeout=0.3)
    assert told.heard == []


def test_a_connect_that_hangs_past_the_deadline_is_not_sent(call: Caller) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for knock in waiting:
            knock.setblocking(False)
            knock.connect_ex(("127.0.0.1", port))
        with pytest.raises(NotSent):
            call("issue_refund", PROCESS_ID, REFUND, base_url=f"http://127.0.0.1:{port}", timeout=5, deadline=0.3)
        for knock in waiting:
            knock.close()


@pytest.mark.parametrize(
    ("play", "timeout"),
    [
        (closes(), 10.0),
        (closes(reset=True), 10.0),
        (keeps_silent(0.8), 0.5),
        (cuts(b'{"type": "GIFT_', 90), 10.0),
        (answers(200, b"<html>"), 10.0),
    ],
    ids=["closed", "reset", "silent", "cut", "html"],
)
@pytest.mark.parametrize(("method", "arguments", "_answer"), EFFECTS, ids=[name for name, *_ in EFFECTS])
def test_an_effect_without_a_whole_answer_is_unknown_and_sent_once(
    call: Caller, told: ToldServer, play: Any, timeout: float, method: str, arguments: tuple[Any, ...], _answer: Any
) -> None:
    told.tell(play)
    with pytest.raises(OutcomeUnknown):
        call(method, *arguments, timeout=timeout)
    assert len(told.heard) == 1


def test_a_slow_body_meets_the_deadline_though_every_byte_is_in_time(call: Caller, told: ToldServer) -> None:
    told.tell(drips(REFUNDED, every=0.05))
    begun = time.monotonic()
    with pytest.raises(OutcomeUnknown, match="deadline"):
        call("issue_refund", PROCESS_ID, REFUND, timeout=2.0, deadline=0.3)
    assert time.monotonic() - begun < 1.0


def test_a_stage_takes_no_more_than_its_own_time_though_the_deadline_is_far(call: Caller, told: ToldServer) -> None:
    told.tell(keeps_silent(3.0))
    begun = time.monotonic()
    with pytest.raises(OutcomeUnknown, match="read timeout"):
        call("issue_refund", PROCESS_ID, REFUND, timeout=0.3, deadline=30.0)
    assert time.monotonic() - begun < 2.5


def test_a_kept_alive_connection_that_closes_under_an_effect_is_unknown(call: Caller, told: ToldServer) -> None:
    told.tell(answers(200, process()), closes())

    def use(client: Any) -> Any:
        if call.kind == "sync":
            client.get_return_process(PROCESS_ID)
            return client.issue_refund(PROCESS_ID, REFUND)
        return _both(client)

    async def _both(client: Any) -> Any:
        await client.get_return_process(PROCESS_ID)
        return await client.issue_refund(PROCESS_ID, REFUND)

    with pytest.raises(OutcomeUnknown):
        call.session(use)
    assert [heard.method for heard in told.heard] == ["GET", "POST"]


def test_a_read_survives_a_connection_that_closes(call: Caller, told: ToldServer) -> None:
    told.tell(closes(), cuts(b"{", 50), answers(502, b"<html>"), answers(200, process()))
    assert call("get_return_process", PROCESS_ID).rever_process_id == PROCESS_ID
    assert len(told.heard) == 4


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/elsewhere", "http://127.0.0.1:1/", "\x7f:nonsense"])
def test_no_redirect_is_followed(call: Caller, told: ToldServer, status: int, location: str) -> None:
    told.tell(answers(status, headers={"location": location}))
    with pytest.raises(OutcomeUnknown):
        call("issue_refund", PROCESS_ID, REFUND)
    assert len(told.heard) == 1


def test_a_redirect_of_a_read_says_that_the_address_is_wrong(call: Caller, told: ToldServer) -> None:
    told.tell(answers(303, headers={"location": "/elsewhere"}))
    with pytest.raises(WrongRoute, match="REVER_BASE_URL"):
        call("get_return_process", PROCESS_ID)
    assert len(told.heard) == 1


async def test_a_cancelled_effect_is_cancelled_and_was_sent_once(told: ToldServer) -> None:
    told.tell(keeps_silent(0.5))
    caller = Caller("async", told.url)
    effect = asyncio.create_task(
        asyncio.to_thread(lambda: caller.session(lambda client: _cancelled(client, told), timeout=5.0))
    )
    assert await effect == "cancelled"
    assert len(told.heard) == 1


async def _cancelled(client: Any, told: ToldServer) -> str:
    call = asyncio.create_task(client.issue_refund(PROCESS_ID, REFUND))
    while not told.heard:  # noqa: ASYNC110 - it is a thread that hears
        await asyncio.sleep(0.01)
    call.cancel()
    try:
        await call
    except asyncio.CancelledError:
        return "cancelled"
    return "not cancelled"


def test_connections_are_used_again(call: Caller, told: ToldServer) -> None:
    peers = set()

    def remember(conversation: Any) -> None:
        peers.add(conversation.client_address)
        answers(200, page("a"))(conversation)

    told.tell(remember)
    call.session(lambda client: list(client.walk_return_processes(_query())) if call.kind == "sync" else _walk(client))
    assert len(told.heard) == 2
    assert len(peers) == 1


@pytest.mark.parametrize("steps", range(5))
async def test_a_process_that_was_stopped_past_the_deadline_sends_nothing_more(told: ToldServer, steps: int) -> None:
    """The event loop of a process that wakes up goes on with what was ready, before it looks at any timer."""
    told.tell(answers(200, REFUNDED))

    def whole() -> int:
        return sum(bool(heard.body) for heard in told.heard)

    async def stop() -> int:
        for _ in range(steps):
            await asyncio.sleep(0)
        time.sleep(1.1)  # noqa: ASYNC251 - the loop stands still, as under SIGSTOP
        return whole()

    async with AsyncReverClient(Caller("async", told.url).config(timeout=1.0)) as client:
        await client.issue_refund(PROCESS_ID, REFUND)  # a connection that is kept alive
        refund = asyncio.create_task(client.issue_refund(PROCESS_ID, REFUND))
        heard_until_it_woke = await asyncio.create_task(stop())
        await asyncio.wait([refund])
        await asyncio.sleep(0.2)
    assert whole() == heard_until_it_woke
    if isinstance(refund.exception(), NotSent):
        assert whole() == 1


async def test_calls_at_the_same_time_share_no_connection_and_later_ones_take_the_last_used(told: ToldServer) -> None:
    peers: list[Any] = []

    def remember(conversation: Any) -> None:
        peers.append(conversation.client_address)
        time.sleep(0.05)
        answers(200, process())(conversation)

    told.tell(remember)
    async with AsyncReverClient(Caller("async", told.url).config()) as client:
        await asyncio.gather(*(client.get_return_process(PROCESS_ID) for _ in range(4)))
        assert len(set(peers)) == 4
        for _ in range(3):
            await client.get_return_process(PROCESS_ID)
        assert len(set(peers)) == 4
        assert len(set(peers[4:])) == 1
        assert len(established(peers)) == 4
    assert established(peers) == set()


def established(peers: list[Any]) -> set[Any]:
    """Which of these addresses of a client are connected."""
    open_now = {each.laddr for each in psutil.Process().net_connections() if each.status == psutil.CONN_ESTABLISHED}
    return open_now & set(peers)


def test_no_cookie_is_kept(call: Caller, told: ToldServer) -> None:
    told.tell(answers(200, process(), headers={"set-cookie": "seen=1; Path=/"}))

    async def twice(client: Any) -> None:
        for _ in range(2):
            await client.get_return_process(PROCESS_ID)

    call.session(
        lambda client: (
            [client.get_return_process(PROCESS_ID) for _ in range(2)] if call.kind == "sync" else twice(client)
        )
    )
    # A read that a busy machine answers too late is tried again, so there may be more than two.
    assert len(told.heard) >= 2
    assert {heard.headers.get("cookie") for heard in told.heard} == {None}


def _query() -> Any:
    from rever_api.models import SearchQuery

    return SearchQuery()


async def _walk(client: Any) -> list[Any]:
    return [entry async for entry in client.walk_return_processes(_query())]


def test_a_body_without_end_is_refused(call: Caller, told: ToldServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rever_api.messages.MOST_BODY", 10)
    told.tell(answers(200, REFUNDED))
    with pytest.raises(OutcomeUnknown):
        call("issue_refund", PROCESS_ID, REFUND)


def test_the_label_is_fetched_without_the_key_and_its_refusal_stops_nothing(call: Caller, told: ToldServer) -> None:
    told.tell(answers(200, b"%PDF"), answers(403, b"<Error>expired</Error>"))
    assert call("fetch_label", f"{told.url}/file.pdf?sig=a%2Fb") == b"%PDF"
    assert told.heard[0].target == "/file.pdf?sig=a%2Fb"
    assert "x-rever-api-key" not in told.heard[0].headers
    with pytest.raises(Refused, match="run out"):
        call("fetch_label", f"{told.url}/file.pdf?sig=a")
    with pytest.raises(NotSent):
        call("fetch_label", "http://files.example/label.pdf")


def test_every_failure_is_a_rever_error_with_its_operation(call: Caller, told: ToldServer) -> None:
    told.tell(closes())
    with pytest.raises(ReverError) as raised:
        call("issue_refund", PROCESS_ID, REFUND)
    assert raised.value.operation == "issueRefund"


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
    monkeypatch.setattr("rever_api.messages.MOST_BODY", 1000)
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
