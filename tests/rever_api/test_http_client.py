"""A client of httpx's that a user hands in: what is used of it, and what an attempt over it counts as."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from rever_api import AsyncReverClient, NotSent, OutcomeUnknown, ReverClient, Unauthorized
from rever_api.http import Progress
from rever_api.limits import Limits
from rever_api.models import SearchQuery
from tests.rever_api.conftest import KEY, Caller
from tests.rever_api.samples import PROCESS_ID, REFUND, REFUNDED, page, process
from tests.rever_api.test_http import refused_port
from tests.rever_api.told_server import ToldServer, answers, closes

Use = Callable[[Any], Any]


def over(call: Caller, use: Use, *, config: dict[str, Any] | None = None, **options: Any) -> Any:
    """Use a client of ours over one of httpx's with these options."""
    settings = call.config(**(config or {}))
    limits = Limits(settings.rate, settings.max_in_flight, call.time.monotonic)
    if call.kind == "sync":
        with (
            httpx.Client(**options) as http,
            ReverClient(settings, limits=limits, sleep=call.time.sleep, http_client=http) as client,
        ):
            return use(client)

    async def use_async() -> Any:
        async with (
            httpx.AsyncClient(**options) as http,
            AsyncReverClient(settings, limits=limits, sleep=call.time.asleep, http_client=http) as client,
        ):
            return await use(client)

    return asyncio.run(use_async())


def refund(client: Any) -> Any:
    return client.issue_refund(PROCESS_ID, REFUND)


def test_a_mock_transport_is_enough(call: Caller) -> None:
    heard: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        heard.append(request)
        return httpx.Response(200, json=REFUNDED)

    assert over(call, refund, transport=httpx.MockTransport(answer)).amount == REFUND.amount
    (request,) = heard
    assert request.headers["x-rever-api-key"] == KEY
    assert KEY not in f"{request!r} {request.url}"


def test_mounts_and_request_hooks_work_as_httpx_documents_them(call: Caller) -> None:
    """A proxy is a mount of httpx's."""
    heard: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        heard.append(request)
        return httpx.Response(200, json=process())

    def mark(request: httpx.Request) -> None:
        request.headers["x-trace"] = "7"

    async def mark_async(request: httpx.Request) -> None:
        mark(request)

    found = over(
        call,
        lambda client: client.get_return_process(PROCESS_ID),
        config={"base_url": "https://api.rever.example/v0"},
        mounts={"https://api.rever.example": httpx.MockTransport(answer)},
        event_hooks={"request": [mark if call.kind == "sync" else mark_async]},
    )
    assert found.rever_process_id == PROCESS_ID
    assert [(str(each.url), each.headers["x-trace"]) for each in heard] == [
        (f"https://api.rever.example/v0/v1/processes/{PROCESS_ID}", "7")
    ]


@pytest.mark.parametrize("broken", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, ConnectionResetError])
def test_a_transport_without_trace_events_may_have_sent(call: Caller, broken: type[Exception]) -> None:
    """It may be one that tries again: what it says of its last try tells nothing of the first."""
    tried: list[str] = []

    def breaks(request: httpx.Request) -> httpx.Response:
        tried.append(request.method)
        raise broken("no")

    with pytest.raises(OutcomeUnknown):
        over(call, refund, transport=httpx.MockTransport(breaks))
    assert tried == ["POST"]


def test_a_client_with_httpx_s_own_transport_tells_that_nothing_left(call: Caller) -> None:
    with pytest.raises(NotSent, match="connection refused"):
        over(call, refund, config={"base_url": f"http://127.0.0.1:{refused_port()}"})


class TriesAgain(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Sends what was broken a second time, to where nobody listens: that try does not even connect."""

    def __init__(self) -> None:
        self.sync, self.asynchronous = httpx.HTTPTransport(), httpx.AsyncHTTPTransport()
        self.elsewhere = refused_port()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return self.sync.handle_request(request)
        except httpx.TransportError:
            request.url = request.url.copy_with(port=self.elsewhere)
            return self.sync.handle_request(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self.asynchronous.handle_async_request(request)
        except httpx.TransportError:
            request.url = request.url.copy_with(port=self.elsewhere)
            return await self.asynchronous.handle_async_request(request)

    def close(self) -> None:
        self.sync.close()

    async def aclose(self) -> None:
        await self.asynchronous.aclose()


def test_what_was_sent_once_stays_sent_though_a_later_try_did_not_connect(call: Caller, told: ToldServer) -> None:
    told.tell(closes())
    with pytest.raises(OutcomeUnknown):
        over(call, refund, transport=TriesAgain())
    assert len(told.heard) == 1


def test_the_connect_request_to_a_proxy_is_not_the_request() -> None:
    class Request:
        method = b"CONNECT"

    progress = Progress(10.0)
    progress.left = True
    progress.note("connection.connect_tcp.started", {})
    progress.note("http11.send_request_headers.started", {"request": Request})
    assert not progress.left
    Request.method = b"POST"
    progress.note("http11.send_request_headers.started", {"request": Request})
    progress.note("socks.connect_tcp.started", {})
    assert progress.left


def test_its_headers_go_to_rever_and_not_to_where_a_label_lies(call: Caller, told: ToldServer) -> None:
    told.tell(answers(200, process()), answers(200, b"%PDF"))
    theirs = {"x-gateway": "ours", "accept": "text/html", "x-rever-api-key": "another"}
    over(call, lambda client: client.get_return_process(PROCESS_ID), headers=theirs)
    over(call, lambda client: client.fetch_label(f"{told.url}/file.pdf"), headers=theirs)
    first, second = (heard.headers for heard in told.heard)
    assert (first["x-gateway"], first["accept"], first["x-rever-api-key"]) == ("ours", "application/json", KEY)
    assert not {"x-gateway", "x-rever-api-key"} & set(second)


def test_it_follows_no_redirect_and_answers_no_challenge(call: Caller, told: ToldServer) -> None:
    told.tell(answers(307, headers={"location": "/elsewhere"}))
    with pytest.raises(OutcomeUnknown):
        over(call, refund, follow_redirects=True)
    told.tell(answers(401, headers={"www-authenticate": 'Digest realm="r", nonce="n", qop="auth", algorithm=MD5'}))
    with pytest.raises(Unauthorized):
        over(call, refund, auth=httpx.DigestAuth("user", "p4ss"))
    assert len(told.heard) == 2


def test_its_hooks_are_called_and_may_read_the_answer(call: Caller, told: ToldServer) -> None:
    told.tell(answers(200, page()))
    seen: list[int] = []

    def reads(response: httpx.Response) -> None:
        response.read()
        seen.append(len(response.content))

    async def reads_async(response: httpx.Response) -> None:
        await response.aread()
        seen.append(len(response.content))

    hook = reads if call.kind == "sync" else reads_async
    query = SearchQuery()
    found = over(call, lambda client: client.search_return_processes(query), event_hooks={"response": [hook]})
    assert (found.processes, len(seen)) == ((), 1)


def test_it_is_its_owner_who_closes_it(call: Caller, told: ToldServer) -> None:
    told.tell(answers(200, process()))
    http: Any = httpx.Client() if call.kind == "sync" else httpx.AsyncClient()

    async def use_async() -> None:
        async with AsyncReverClient(call.config(), http_client=http) as client:
            await client.get_return_process(PROCESS_ID)
        assert not http.is_closed
        await http.aclose()

    if call.kind == "async":
        asyncio.run(use_async())
        return
    with ReverClient(call.config(), http_client=http) as client:
        client.get_return_process(PROCESS_ID)
    assert not http.is_closed
    http.close()
