"""The client that people use: operations by subject, all pages, patience per call, and a client that is closed."""

import asyncio
import inspect
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from rever_api import (
    AsyncReverClient,
    ClientClosed,
    ClientConfig,
    Endpoints,
    NotFound,
    NotSent,
    OutcomeUnknown,
    RefusedForNow,
    ReturnProcess,
    ReverClient,
    ReverError,
    SearchPage,
    Unreadable,
)
from rever_api.sandbox import Fault, running_sandbox
from tests.rever_api import sync_twin
from tests.rever_api.conftest import KEY, Caller
from tests.rever_api.samples import BY_HAND, NOT_FOUND, PICKUP, PROCESS_ID, REFUNDED, RETURN, REVIEWED, page, process
from tests.rever_api.test_http import refused_port
from tests.rever_api.told_server import ToldServer, answers, keeps_silent

ITEMS = [{"line_item_id": "retl_1", "quantity": 1}]
REFUND: dict[str, Any] = {"type": "GIFT_CARD", "amount": "24.00", "currency": "EUR", "items": ITEMS}
NEW: dict[str, Any] = {"ecommerce_id": "acme", "order_name": "#1001", "email": "ada@example.org"}
GOODS = [{"line_item_id": "retl_1", "variant_id": "v2", "quantity": 1}]
WAREHOUSES = {"warehouses": [{"id": "w1"}]}

CALLS: list[tuple[str, Callable[[Any], Any], Any]] = [
    ("searchReturnProcesses", lambda client: client.processes.search(status="RUNNING").page(), page("a")),
    ("getReturnProcess", lambda client: client.processes.get(PROCESS_ID), process()),
    ("getShippingStatus", lambda client: client.processes.get_shipping_status(PROCESS_ID), {"status": "COLLECTED"}),
    (
        "getPresignedLabelUrl",
        lambda client: client.labels.get_presigned_url(PROCESS_ID),
        {"url": "https://x.example/l"},
    ),
    ("listLogisticOrders", lambda client: client.logistics.list(PROCESS_ID), {"orders": [{"id": "lo_1"}]}),
    ("getEcommerceSettings", lambda client: client.ecommerces.get_settings("acme"), {"ecommerce_id": "acme"}),
    ("listEcommerces", lambda client: client.ecommerces.list("ACME"), {"ecommerces": [{"ecommerce_id": "acme"}]}),
    ("listWarehouses", lambda client: client.ecommerces.list_warehouses("acme"), WAREHOUSES),
    (
        "addReview",
        lambda client: client.processes.add_review(PROCESS_ID, [{"line_item_id": "retl_1", "status": "APPROVED"}]),
        REVIEWED,
    ),
    ("issueRefund", lambda client: client.processes.issue_refund(PROCESS_ID, **REFUND), REFUNDED),
    ("issueExchange", lambda client: client.processes.issue_exchange(PROCESS_ID, GOODS), {"order_id": "o2"}),
    (
        "cancelReturnProcess",
        lambda client: client.processes.cancel(PROCESS_ID, "lost"),
        process(rever_process_status="CANCELED"),
    ),
    (
        "createReverseDelivery",
        lambda client: client.logistics.create_reverse_delivery(
            PROCESS_ID, BY_HAND, label=b"%PDF", label_extension="pdf"
        ),
        {"order": {"id": "lo_1"}},
    ),
    ("createOrderV2", lambda client: client.logistics.create_order(PICKUP), {"order": {"id": "lo_1"}}),
    (
        "createReturn",
        lambda client: client.processes.create(**NEW, items=[{"sku": "S", "quantity": 1}]),
        process("retp_new"),
    ),
    (
        "importReturns",
        lambda client: client.processes.import_returns([RETURN, {**NEW, "items": [{"sku": "S", "quantity": 1}]}]),
        {"results": [{"process_id": "retp_1"}, {"process_id": "retp_2"}]},
    ),
]
"""An operation, how a person calls it, and a good answer."""


def listed(call: Caller, search: Callable[[Any], Any], **settings: Any) -> list[ReturnProcess]:
    """All that a search gives."""

    async def collect(client: Any) -> list[ReturnProcess]:
        return [each async for each in search(client)]

    return call.session(collect if call.kind == "async" else lambda client: list(search(client)), **settings)  # type: ignore[no-any-return]


def test_the_synchronous_client_is_made_from_the_asynchronous_one() -> None:
    for source, twin in sync_twin.TWINS.items():
        assert twin.read_text("utf-8") == sync_twin.synchronous(source), "run `make sync-client`"


def test_each_operation_of_the_contract_is_in_a_namespace() -> None:
    assert {operation for operation, *_ in CALLS} == set(Endpoints.load().by_operation)


@pytest.mark.parametrize(("operation", "use", "answer"), CALLS, ids=[operation for operation, *_ in CALLS])
def test_a_namespace_calls_its_operation(
    call: Caller, told: ToldServer, operation: str, use: Callable[[Any], Any], answer: Any
) -> None:
    told.tell(answers(200, answer))
    assert call.session(use)
    assert [each.operation for each in call.watched] == [operation]


def test_a_label_is_downloaded_without_the_key(call: Caller, told: ToldServer) -> None:
    told.tell(answers(200, {"url": f"{told.url}/label.pdf"}), answers(200, b"%PDF"))
    assert call.session(lambda client: client.labels.download(PROCESS_ID)) == b"%PDF"
    assert ["x-rever-api-key" in heard.headers for heard in told.heard] == [True, False]


def test_a_search_sends_its_filters_and_reads_all_pages(call: Caller, told: ToldServer) -> None:
    told.tell(
        answers(200, page("a", "b", rowcount=3)),
        answers(200, page("b", "c", rowcount=3)),
        answers(200, page("c", rowcount=3)),
    )
    since = datetime(2026, 11, 1, tzinfo=UTC)
    found = listed(
        call,
        lambda client: client.processes.search(
            ecommerce_id="acme",
            status=["RUNNING", "ON_HOLD"],
            return_status="COLLECTED",
            fully_refunded=False,
            updated_since=since,
            page_size=2,
        ),
        group="ACME",
    )
    assert [each.rever_process_id for each in found] == ["a", "b", "c"]
    query = told.heard[0].target.partition("?")[2]
    assert query == (
        "ecommerce_id=acme&status=RUNNING%2CON_HOLD&return_status=COLLECTED&fully_refunded=false"
        "&updated_since=2026-11-01T00%3A00%3A00%2B00%3A00&sortby=started_at&order=asc&limit=2&offset=0"
    )


def test_nothing_is_sent_before_a_search_is_iterated(call: Caller, told: ToldServer) -> None:
    with ReverClient(call.config()) as client:
        client.processes.search(status="RUNNING")
    assert told.heard == []


@pytest.mark.parametrize(
    ("given", "sent"),
    [({}, "ACME"), ({"ecommerce_group": "OTHER"}, "OTHER"), ({"ecommerce_group": ""}, ""), ({"ecommerce_id": "a"}, "")],
)
def test_the_client_s_group_is_searched_where_a_call_names_nothing_else(
    call: Caller, told: ToldServer, given: dict[str, str], sent: str
) -> None:
    told.tell(answers(200, page()))
    call.session(lambda client: client.processes.search(**given).page(), group="ACME")
    target = told.heard[0].target
    assert (f"ecommerce_group={sent}&" in target) is bool(sent)
    assert ("ecommerce_group" in target) is bool(sent)


def test_stores_of_no_group_are_not_asked_for(call: Caller, told: ToldServer) -> None:
    with pytest.raises(ValueError, match="REVER_GROUP"):
        call.session(lambda client: client.ecommerces.list())
    assert told.heard == []


@pytest.mark.parametrize("size", [0, -1, 101, 500])
def test_a_page_has_from_one_to_a_hundred(call: Caller, size: int) -> None:
    with pytest.raises(ValueError, match=f"from 1 to 100, found {size}"):
        call.session(lambda client: client.processes.search(page_size=size).page())


def test_what_cannot_be_read_ends_a_search_after_all_that_can(call: Caller, told: ToldServer) -> None:
    told.tell(answers(200, {"processes": [process("a"), {"rever_process_id": "b"}, process("c")], "rowcount": 3}))
    found: list[str] = []

    async def collect(client: Any) -> None:
        async for each in client.processes.search():
            found.append(each.rever_process_id)  # noqa: PERF401 - what came before the error

    def collect_in_turn(client: Any) -> None:
        for each in client.processes.search():
            found.append(each.rever_process_id)  # noqa: PERF401 - as above

    with pytest.raises(Unreadable, match=r"1 of the returns found cannot be read.*: b \(") as raised:
        call.session(collect if call.kind == "async" else collect_in_turn)
    assert (raised.value.process.process_id, found) == ("b", ["a", "c"])


def test_what_cannot_be_read_may_be_left_out_and_is_named(call: Caller, told: ToldServer) -> None:
    told.tell(answers(200, {"processes": [{"rever_process_id": "b"}, process("c")], "rowcount": 2}))
    searches: list[Any] = []

    def search(client: Any) -> Any:
        searches.append(client.processes.search(skip_unreadable=True))
        return searches[0]

    assert [each.rever_process_id for each in listed(call, search)] == ["c"]
    assert [each.process_id for each in searches[0].unreadable] == ["b"]


def test_a_search_may_be_iterated_again(told: ToldServer) -> None:
    told.tell(answers(200, page("a", rowcount=1)), answers(200, page("b", rowcount=1)))
    with ReverClient(Caller("sync", told.url).config()) as client:
        search = client.processes.search()
        assert [each.rever_process_id for each in search] == ["a"]
        assert [each.rever_process_id for each in search] == ["b"]


@pytest.mark.parametrize("wrong", [{"amount": 24.0}, {"amount": "0"}, {"currency": "EURO"}, {"items": []}])
def test_a_wrong_refund_is_refused_before_it_is_sent(call: Caller, told: ToldServer, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call.session(lambda client: client.processes.issue_refund(PROCESS_ID, **REFUND | wrong))
    assert told.heard == []


@pytest.mark.parametrize("wrong", [ITEMS[0], "retl_1", ["retl_1"], [None]])
def test_items_are_a_list_of_items(call: Caller, told: ToldServer, wrong: Any) -> None:
    with pytest.raises(TypeError, match="a list of LineQuantity, or of mappings with its fields, is needed; found a"):
        call.session(lambda client: client.processes.issue_refund(PROCESS_ID, **REFUND | {"items": wrong}))
    assert told.heard == []


@pytest.mark.parametrize("wrong", [None, 5, "", "..", "a\nb"])
def test_a_wrong_id_is_refused_before_it_is_sent(call: Caller, told: ToldServer, wrong: Any) -> None:
    with pytest.raises(NotSent, match="cannot be the process_id in an address"):
        call.session(lambda client: client.processes.get(wrong))
    assert told.heard == []


@pytest.mark.parametrize("kind", [ReverClient, AsyncReverClient])
def test_a_key_in_the_place_of_the_configuration_is_not_shown(kind: Any) -> None:
    with pytest.raises(TypeError, match="found a str; a key goes in api_key=") as raised:
        kind(KEY)
    assert KEY not in str(raised.value)


def test_unknown_fields_can_be_reached(told: ToldServer) -> None:
    told.tell(answers(200, process(brand_new={"amount": 1.10})))
    with ReverClient(Caller("sync", told.url).config()) as client:
        found = client.processes.get(PROCESS_ID)
    assert found.model_extra == {"brand_new": {"amount": Decimal("1.1")}}


def test_wrong_input_shows_no_shopper(call: Caller) -> None:
    with pytest.raises(ValueError, match="quantity") as raised:
        call.session(lambda client: client.processes.create(**NEW, items=[{"sku": "ada@example.org"}]))
    assert "ada@" not in f"{raised.value} {raised.value!r}"


# Patience


def test_max_retries_and_timeout_hold_for_a_client_or_for_some_calls(call: Caller, told: ToldServer) -> None:
    def tries(use: Callable[[Any], Any], **settings: Any) -> int:
        told.heard.clear()
        told.tell(answers(503))
        with pytest.raises(OutcomeUnknown):
            call.session(use, **settings)
        return len(told.heard)

    assert tries(lambda client: client.processes.get(PROCESS_ID)) == 5
    assert tries(lambda client: client.with_options(max_retries=0).processes.get(PROCESS_ID)) == 1
    assert tries(lambda client: client.with_options(max_retries=2).processes.get(PROCESS_ID)) == 3
    assert tries(lambda client: client.with_options(timeout=1).processes.get(PROCESS_ID), read_attempts=2) == 2


def test_options_of_some_calls_leave_the_client_as_it_is(call: Caller) -> None:
    client = ReverClient(call.config(deadline=9.0))
    other = client.with_options(timeout=1.5, max_retries=0)
    assert (other.config.timeout, other.config.attempt_deadline, other.config.read_attempts) == (1.5, 1.5, 1)
    assert (client.config.timeout, client.config.attempt_deadline, client.config.read_attempts) == (2.0, 9.0, 5)
    assert type(other) is ReverClient
    client.close()


def test_the_timeout_of_some_calls_is_kept(call: Caller, told: ToldServer) -> None:
    told.tell(keeps_silent(1.5))
    started = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        call.session(lambda client: client.with_options(timeout=0.1, max_retries=0).processes.get(PROCESS_ID))
    assert time.monotonic() - started < 1.0


@pytest.mark.parametrize(
    "fault", [Fault.ACTS_ANSWER_LOST, Fault.ERROR_500_AFTER, Fault.CONNECTION_DROPPED, Fault.TOO_MANY_SECONDS]
)
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_max_retries_sends_no_refund_again(kind: str, fault: Fault) -> None:
    """Against the sandbox's own books: one request, at most one refund, whatever the client was told to retry."""
    with running_sandbox(faults=f"issueRefund:1:{fault}", returns=10, scenarios=("approved_one",)) as rever:
        process_id = rever.process_ids("approved_one", "acme")[0]
        options: dict[str, Any] = {"api_key": rever.api_key, "base_url": rever.base_url, "max_retries": 9}

        def refund(client: Any, it: ReturnProcess) -> Any:
            items = [{"line_item_id": it.return_line_items[0].id, "quantity": 1}]
            patient = client.with_options(max_retries=9)
            return patient.processes.issue_refund(process_id, **REFUND | {"amount": "1.00", "items": items})

        async def use_async() -> None:
            async with AsyncReverClient(**options) as client:
                await refund(client, await client.processes.get(process_id))

        def use() -> None:
            with ReverClient(**options) as client:
                refund(client, client.processes.get(process_id))

        with pytest.raises((OutcomeUnknown, RefusedForNow)):
            asyncio.run(use_async()) if kind == "async" else use()
        asked = [entry for entry in rever.journal.entries if entry.operation == "issueRefund"]
        made = 1 if fault in {Fault.ACTS_ANSWER_LOST, Fault.ERROR_500_AFTER} else 0
        assert (len(asked), rever.books.counts().get("issueRefund", 0)) == (1, made)


def test_a_refund_that_was_not_sent_is_left_to_who_asked_for_it(call: Caller) -> None:
    nowhere = f"http://127.0.0.1:{refused_port()}"
    with pytest.raises(NotSent):
        call.session(
            lambda client: client.with_options(max_retries=9).processes.issue_refund(PROCESS_ID, **REFUND),
            base_url=nowhere,
        )
    assert call.time.slept == []


# Closed


def closed_client(kind: str, config: ClientConfig, **options: Any) -> Any:
    """A client that was used and closed."""

    async def use_async() -> AsyncReverClient:
        async with AsyncReverClient(config, **options) as client:
            await client.processes.get(PROCESS_ID)
        return client

    if kind == "async":
        return asyncio.run(use_async())
    with ReverClient(config, **options) as client:
        client.processes.get(PROCESS_ID)
    return client


def result(made: Any) -> Any:
    """The value of a call of either client."""

    async def wait() -> Any:
        return await made

    return asyncio.run(wait()) if inspect.isawaitable(made) else made


@pytest.mark.parametrize("own", [True, False])
def test_a_closed_client_says_so_and_sends_nothing(call: Caller, told: ToldServer, own: bool) -> None:
    told.tell(answers(200, process()))
    options: dict[str, Any] = {"sleep": call.time.sleep if call.kind == "sync" else call.time.asleep}
    if not own:
        options["http_client"] = httpx.Client() if call.kind == "sync" else httpx.AsyncClient()
    client = closed_client(call.kind, call.config(), **options)
    uses: list[Callable[[], Any]] = [
        lambda: client.processes.get(PROCESS_ID),
        lambda: client.processes.issue_refund(PROCESS_ID, **REFUND),
        lambda: client.with_options(timeout=1).processes.get(PROCESS_ID),
    ]
    for use in uses:
        with pytest.raises(ClientClosed, match="the client is closed") as raised:
            result(use())
        assert isinstance(raised.value, NotSent)
    with pytest.raises(ClientClosed):
        result(getattr(client, "__aenter__" if call.kind == "async" else "__enter__")())
    assert (len(told.heard), call.time.slept) == (1, [])


def test_closing_a_client_with_other_options_leaves_the_connections_open(told: ToldServer) -> None:
    told.tell(answers(200, process()))
    with ReverClient(Caller("sync", told.url).config()) as client:
        with client.with_options(timeout=1.0) as other:
            other.processes.get(PROCESS_ID)
        with pytest.raises(ClientClosed):
            other.processes.get(PROCESS_ID)
        assert client.processes.get(PROCESS_ID)
    last = client.with_options(timeout=1.0)
    with pytest.raises(ClientClosed):
        last.processes.get(PROCESS_ID)


def test_an_http_client_of_the_other_kind_is_refused(call: Caller) -> None:
    wrong: Any = httpx.AsyncClient() if call.kind == "sync" else httpx.Client()
    made: Any = ReverClient if call.kind == "sync" else AsyncReverClient
    with pytest.raises(TypeError, match=r"must be an httpx\.\w+, found"):
        made(call.config(), http_client=wrong)


# What is not in the way of a person


def test_results_are_typed_and_amounts_exact(call: Caller, told: ToldServer) -> None:
    told.tell(answers(200, process()))
    found = call.session(lambda client: client.processes.get(PROCESS_ID))
    assert found.return_line_items[0].total_price == Decimal("24.00")
    told.tell(answers(200, page("a")))
    assert isinstance(call.session(lambda client: client.processes.search().page()), SearchPage)


def test_an_error_names_request_and_body_without_what_was_sent_of_a_shopper(call: Caller, told: ToldServer) -> None:
    body = {"code": 3, "message": "no", "details": [{"email": "bob@example.org", "field": "ADA@example.org", "n": 3}]}
    told.tell(answers(400, body, headers={"X-Request-Id": "req-7"}))
    with pytest.raises(ReverError) as raised:
        call.session(lambda client: client.processes.create(**NEW, items=[{"sku": "S", "quantity": 1}]))
    assert raised.value.request_id == "req-7"
    assert raised.value.body == {"code": 3, "message": "no", "details": [{"email": "***", "field": "***", "n": 3}]}
    assert "req-7" not in str(raised.value)


def test_the_environment_is_enough(told: ToldServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVER_API_KEY", KEY)
    monkeypatch.setenv("REVER_BASE_URL", told.url)
    monkeypatch.setenv("REVER_GROUP", "ACME")
    told.tell(answers(200, {"ecommerces": []}), answers(404, NOT_FOUND))
    with ReverClient() as client:
        assert client.ecommerces.list() == ()
        with pytest.raises(NotFound):
            client.processes.get("retp_x")
    assert (told.heard[0].target.partition("?")[2], told.heard[0].headers["x-rever-api-key"]) == (
        "ecommerce_group=ACME",
        KEY,
    )
