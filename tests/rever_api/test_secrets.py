"""The API key and a shopper's data are in no repr, error, log line or traceback; the key is in one header only."""

import logging
import traceback
from typing import Any

import pytest
from pydantic import SecretStr

from rever_api import AsyncReverClient, ClientConfig, ReverClient, ReverError
from rever_api.models import LogisticCustomer, SearchQuery
from tests.rever_api.conftest import KEY, Caller
from tests.rever_api.samples import PICKUP, PROCESS_ID, REFUND, RETURN, page
from tests.rever_api.told_server import ToldServer, answers, closes


def everything(error: BaseException) -> str:
    """All that a traceback could ever show: texts, the chain, and each frame's variables outside the tests."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    parts = [repr(error), str(vars(error))]
    link: traceback.TracebackException | None = told
    while link is not None:
        parts += [str(link), *(str(frame.locals) for frame in link.stack if "/tests/" not in frame.filename)]
        link = link.__cause__ or link.__context__
    return "\n".join(parts)


@pytest.mark.parametrize(
    "play",
    [
        answers(401, {"code": 16, "message": f"the key {KEY.upper()} is not known"}),
        answers(400, {"error": f"bad header {KEY}"}),
        answers(500, KEY.encode()),
        answers(200, {"amount": KEY}),
        answers(301, headers={"location": f"https://elsewhere.example/?key={KEY}"}),
        closes(),
        closes(reset=True),
    ],
)
def test_the_key_is_in_no_error(call: Caller, told: ToldServer, play: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told.tell(play)
    with pytest.raises(ReverError) as raised:
        call("issue_refund", PROCESS_ID, REFUND)
    assert (raised.value.__cause__, raised.value.__context__) == (None, None)
    assert KEY.lower() not in everything(raised.value).lower()
    assert KEY.lower() not in caplog.text.lower() or "301" in str(
        raised.value
    )  # httpcore logs the answer's own headers


def test_the_key_goes_in_its_header_only(call: Caller, told: ToldServer) -> None:
    told.tell(answers(200, page()))
    call("search_return_processes", SearchQuery())
    (heard,) = told.heard
    assert [name for name, value in heard.headers.items() if KEY in value] == ["x-rever-api-key"]
    assert KEY not in heard.target


def test_the_key_is_in_no_repr() -> None:
    config = ClientConfig("https://api.byrever.com", SecretStr(KEY))
    for thing in (config, ReverClient(config), AsyncReverClient(config)):
        assert KEY not in f"{thing!r} {thing!s}"


def test_what_a_request_told_of_a_shopper_is_masked(call: Caller, told: ToldServer) -> None:
    shopper = LogisticCustomer(first_name="Ada", last_name="Lovelace", email="ada@example.org")
    told.tell(answers(400, {"code": 3, "message": "no pickup for ADA Lovelace, ada@example.org, bob@example.org"}))
    with pytest.raises(ReverError) as raised:
        call("create_order_v2", PICKUP.model_copy(update={"customer": shopper}))
    assert raised.value.message == "no pickup for *** ***, ***, ***"
    for word in ("lovelace", "example.org"):
        assert word not in everything(raised.value).lower()


def test_a_new_return_tells_no_email(call: Caller, told: ToldServer) -> None:
    told.tell(closes())
    with pytest.raises(ReverError) as raised:
        call("create_return", RETURN)
    assert "ada@example.org" not in everything(raised.value)


def test_logs_show_no_query(call: Caller, told: ToldServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for chatty in ("httpx", "httpcore"):  # another test may have silenced them, as the command line does
        caplog.set_level(logging.DEBUG, logger=chatty)
    told.tell(answers(200, page()), answers(200, b"%PDF"))
    call("search_return_processes", SearchQuery(freetext="ada@example.org"))
    call("fetch_label", f"{told.url}/label.pdf?signature=s3cr3t")
    assert "ada" in told.heard[0].target
    assert "/v1/processes" in caplog.text
    assert "example.org" not in caplog.text
    assert "s3cr3t" not in caplog.text
