"""Every operation over real HTTP, retries of reads, and that effects have none."""

from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from rever_api import (
    AsyncReverClient,
    Endpoints,
    NotFound,
    NotSent,
    OutcomeUnknown,
    Refused,
    RefusedForNow,
    ReverError,
    Unauthorized,
    WrongRoute,
)
from rever_api.models import ReturnProcess, SearchQuery, UnreadableProcess
from rever_api.operations import seen_reviews
from tests.rever_api.conftest import KEY, Caller
from tests.rever_api.fake_time import START
from tests.rever_api.samples import EFFECTS, NOT_FOUND, PROCESS_ID, READS, REVIEW, REVIEWED, page, process
from tests.rever_api.told_server import ToldServer, answers, closes

GOOD = [*READS, *EFFECTS]
BUSY = {"code": 8, "message": "too fast"}


def test_each_operation_of_the_contract_has_its_method() -> None:
    methods = {"search_return_processes", *(method for method, *_ in GOOD)}
    assert len(methods) == len(Endpoints.load().by_operation)
    assert all(callable(getattr(AsyncReverClient, method)) for method in methods)


@pytest.mark.parametrize(("method", "arguments", "answer"), GOOD, ids=[name for name, *_ in GOOD])
def test_a_good_answer_is_read(
    call: Caller, told: ToldServer, method: str, arguments: tuple[Any, ...], answer: Any
) -> None:
    told.tell(answers(200, answer))
    assert call(method, *arguments)
    assert [heard.headers["x-rever-api-key"] for heard in told.heard] == [KEY]


def test_whoever_watches_sees_every_answer_also_a_refusal(call: Caller, told: ToldServer) -> None:
    told.tell(answers(429, BUSY), answers(200, page()))
    call("search_return_processes", SearchQuery())
    assert [answer.status for answer in call.watched] == [429, 200]
    assert call.watched[0].operation == "searchReturnProcesses"


def test_one_page_keeps_what_can_be_read(call: Caller, told: ToldServer) -> None:
    told.tell(answers(200, {"processes": [process("a"), {"rever_process_id": "b"}, process("c")], "rowcount": "3"}))
    found = call("search_return_processes", SearchQuery(ecommerce_id="acme"))
    assert [type(entry) for entry in found.processes] == [ReturnProcess, UnreadableProcess, ReturnProcess]
    assert (found.processes[1].process_id, found.rowcount) == ("b", 3)
    assert told.heard[0].target == "/v1/processes?ecommerce_id=acme&limit=50&offset=0"


@pytest.mark.parametrize(("method", "arguments", "_answer"), EFFECTS, ids=[name for name, *_ in EFFECTS])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Refused),
        (401, Unauthorized),
        (404, NotFound),
        (409, Refused),
        (422, Refused),
        (429, RefusedForNow),
        (500, OutcomeUnknown),
        (501, Refused),
        (503, OutcomeUnknown),
    ],
)
def test_a_refused_effect_is_sent_once_and_never_waits(
    call: Caller,
    told: ToldServer,
    method: str,
    arguments: tuple[Any, ...],
    _answer: Any,
    status: int,
    error: type[ReverError],
) -> None:
    told.tell(answers(status, NOT_FOUND, headers={"retry-after": "3"}))
    with pytest.raises(error) as raised:
        call(method, *arguments)
    assert (type(raised.value), raised.value.status, len(told.heard), call.time.slept) == (error, status, 1, [])


@pytest.mark.parametrize("status", [408, 425, 429, 499, 500, 502, 503, 504])
def test_a_read_is_tried_again(call: Caller, told: ToldServer, status: int) -> None:
    told.tell(answers(status, b"<html>"), answers(status), answers(200, process()))
    assert call("get_return_process", PROCESS_ID).rever_process_id == PROCESS_ID
    first, second = call.time.slept
    assert 0.25 <= first <= 0.375
    assert 0.5 <= second <= 0.75


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 422, 501, 301])
def test_a_read_that_was_refused_is_not_tried_again(call: Caller, told: ToldServer, status: int) -> None:
    told.tell(answers(status, NOT_FOUND))
    with pytest.raises((Refused, Unauthorized, WrongRoute)):
        call("get_return_process", PROCESS_ID)
    assert len(told.heard) == 1


def test_a_read_ends_after_its_attempts(call: Caller, told: ToldServer) -> None:
    told.tell(answers(503))
    with pytest.raises(OutcomeUnknown):
        call("get_return_process", PROCESS_ID)
    assert len(told.heard) == 5


def test_a_read_ends_when_its_patience_does(call: Caller, told: ToldServer) -> None:
    told.tell(answers(429, BUSY, headers={"retry-after": "20"}))
    with pytest.raises(RefusedForNow):
        call("get_return_process", PROCESS_ID, read_attempts=50, read_patience=45.0)
    assert call.time.slept == [20.0, 20.0]


@pytest.mark.parametrize(
    ("header", "waits"),
    [
        ("7", 7.0),
        (format_datetime(START + timedelta(seconds=9), usegmt=True), 9.0),
        ("600", 30.0),
        ("99999999999999999999", None),
        ("soon", None),
        ("-5", None),
        ("0", None),
    ],
)
def test_retry_after_is_obeyed_up_to_the_cap(call: Caller, told: ToldServer, header: str, waits: float | None) -> None:
    told.tell(answers(429, BUSY, headers={"retry-after": header}), answers(200, process()))
    call("get_return_process", PROCESS_ID)
    (slept,) = call.time.slept
    assert slept == waits if waits else 0.25 <= slept <= 0.375


def test_a_429_makes_the_other_calls_wait_too(call: Caller, told: ToldServer) -> None:
    told.tell(answers(429, BUSY, headers={"retry-after": "12"}), answers(200, process()))

    async def both(client: Any) -> Any:
        with pytest.raises(RefusedForNow):
            await client.cancel_return_process(PROCESS_ID)
        return await client.get_return_process(PROCESS_ID)

    def both_in_turn(client: Any) -> Any:
        if call.kind == "async":
            return both(client)
        with pytest.raises(RefusedForNow):
            client.cancel_return_process(PROCESS_ID)
        return client.get_return_process(PROCESS_ID)

    call.session(both_in_turn)
    assert call.time.slept == [12.0]


def test_the_rate_is_kept_and_a_slot_pays_before_its_calls(call: Caller, told: ToldServer) -> None:
    told.tell(answers(500), answers(200, process()), answers(200, process(rever_process_status="CANCELED")))
    slept_inside: list[list[float]] = []

    async def use(client: Any) -> None:
        async with client.slot(calls=2) as slot:
            begun = len(call.time.slept)
            await client.get_return_process(PROCESS_ID, slot=slot)
            slept_inside.append(call.time.slept[begun:])
            begun = len(call.time.slept)
            await client.cancel_return_process(PROCESS_ID, slot=slot)
            slept_inside.append(call.time.slept[begun:])

    def use_either(client: Any) -> Any:
        if call.kind == "async":
            return use(client)
        with client.slot(calls=2) as slot:
            begun = len(call.time.slept)
            client.get_return_process(PROCESS_ID, slot=slot)
            slept_inside.append(call.time.slept[begun:])
            begun = len(call.time.slept)
            client.cancel_return_process(PROCESS_ID, slot=slot)
            slept_inside.append(call.time.slept[begun:])
        return None

    call.session(use_either, rate=0.5)
    (backoff, token), effect = slept_inside
    assert effect == []  # its token was paid up front, and the read's second attempt did not take it
    assert backoff + token == pytest.approx(4.0)  # the third token comes two intervals after the two of the slot


def test_a_wrong_id_never_leaves(call: Caller, told: ToldServer) -> None:
    for wrong in ("", ".", "..", " ", "a\nb"):
        with pytest.raises(NotSent, match="process_id"):
            call("cancel_return_process", wrong)
    assert told.heard == []


def test_the_base_url_may_have_a_path_and_the_slash_stays(call: Caller, told: ToldServer) -> None:
    told.tell(answers(200, {"orders": []}))
    call("list_logistic_orders", "re tp/1?", base_url=f"{told.url}/_mock/apis/admin/")
    assert told.heard[0].target == "/_mock/apis/admin/v1/processes/re%20tp%2F1%3F/logistics/"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ((401, {"code": 16, "message": "no"}), "REVER refused the API key (401): check REVER_API_KEY"),
        ((404, b"<html>nginx"), "check REVER_BASE_URL and the endpoint table"),
        (
            (422, {"error": "above what is still refundable"}),
            ": it is refunded already. Nothing",
        ),
        ((501, {"code": 12, "message": "OPS"}), "a person has to"),
    ],
)
def test_the_sentences_are_fit_for_a_person(call: Caller, told: ToldServer, error: Any, sentence: str) -> None:
    told.tell(answers(*error))
    with pytest.raises(ReverError) as raised:
        call("get_return_process", PROCESS_ID)
    assert sentence in str(raised.value)


def test_the_walk_reads_all_pages(call: Caller, told: ToldServer) -> None:
    told.tell(
        answers(200, page("a", "b", rowcount=3)),
        answers(200, page("b", "c", rowcount=3)),
        answers(200, page("c", rowcount=3)),
    )

    async def walk(client: Any) -> list[str]:
        return [entry.rever_process_id async for entry in client.walk_return_processes(SearchQuery(limit=2))]

    def use(client: Any) -> Any:
        if call.kind == "async":
            return walk(client)
        return [entry.rever_process_id for entry in client.walk_return_processes(SearchQuery(limit=2))]

    assert call.session(use) == ["a", "b", "c"]
    assert [heard.target.partition("?")[2] for heard in told.heard] == [
        f"sortby=started_at&order=asc&limit=2&offset={offset}" for offset in (0, 1, 2)
    ]


EMPTY = [b"", b"null", b'""', b"{}", b" null\n"]


@pytest.mark.parametrize("body", EMPTY)
def test_a_review_answered_with_nothing_is_looked_for_once(call: Caller, told: ToldServer, body: bytes) -> None:
    told.tell(answers(200, body), answers(200, REVIEWED))
    assert call("add_review", PROCESS_ID, [REVIEW]).reviews
    assert [heard.method for heard in told.heard] == ["POST", "GET"]


@pytest.mark.parametrize("read", [answers(200, process()), answers(500), answers(404, NOT_FOUND), closes()])
def test_a_review_that_is_not_seen_after_an_empty_answer_is_unknown(call: Caller, told: ToldServer, read: Any) -> None:
    told.tell(answers(200, b""), read)
    with pytest.raises(OutcomeUnknown) as raised:
        call("add_review", PROCESS_ID, [REVIEW])
    assert (raised.value.operation, len(told.heard)) == ("addReview", 2)


def test_an_equal_review_that_was_there_before_is_no_evidence() -> None:
    line = {"id": REVIEW.line_item_id, "quantity": 2}
    one = {"line_item_id": REVIEW.line_item_id, "status": str(REVIEW.status)}
    shown = [ReturnProcess.model_validate(process(return_line_items=[line], reviews=[one] * many)) for many in range(3)]
    assert not seen_reviews(shown[1], [REVIEW], None)  # of two units: one of before, or ours
    assert seen_reviews(shown[2], [REVIEW], None)
    assert not seen_reviews(shown[1], [REVIEW], shown[1])
    assert seen_reviews(shown[1], [REVIEW], shown[0])
    assert seen_reviews(shown[2], [REVIEW], shown[1])


@pytest.mark.parametrize(("method", "arguments", "_answer"), EFFECTS, ids=[name for name, *_ in EFFECTS])
@pytest.mark.parametrize("body", EMPTY)
def test_any_other_effect_answered_with_nothing_is_unknown_and_sent_once(
    call: Caller, told: ToldServer, method: str, arguments: tuple[Any, ...], _answer: Any, body: bytes
) -> None:
    if method == "add_review":
        return
    told.tell(answers(200, body))
    with pytest.raises(OutcomeUnknown):
        call(method, *arguments)
    assert len(told.heard) == 1
