"""What an answer means: its body as packed, its JSON, the error of every status, REVER's words as a class, its time."""

import gzip
import json
import pickle
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rever_api import NotFound, OutcomeUnknown, Reason, Refused, RefusedForNow, ReverError, Unauthorized, WrongRoute
from rever_api.messages import MOST_BODY, Answer, Body, OtherClock, reason_of
from tests.rever_api.fake_time import START


def answer(status: int, body: Any = b"", **headers: str) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer("issueRefund", status, headers, raw, START)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        *((status, b"", WrongRoute) for status in (300, 301, 302, 304, 307, 308, 404, 405)),
        (404, {"code": 5, "message": "Not Found", "details": []}, WrongRoute),
        (404, {"error": "nothing here"}, WrongRoute),
        (404, {"code": 12, "message": "Method Not Allowed"}, WrongRoute),
        (404, b"<html>404</html>", WrongRoute),
        (404, {"code": 5, "message": "process not found"}, NotFound),
        (404, {"code": "5", "message": "process not found"}, NotFound),
        (404, {"error": {"code": 5, "message": "no such process"}}, NotFound),
        (401, {"code": 16}, Unauthorized),
        (403, {"code": 7}, Unauthorized),
        (407, b"", Unauthorized),
        *((status, b"", Refused) for status in (400, 402, 406, 409, 410, 413, 415, 422, 451, 501)),
        (429, b"", RefusedForNow),
        *((status, b"", OutcomeUnknown) for status in (100, 199, 408, 425, 499, 500, 502, 503, 504, 520, 599)),
    ],
)
def test_each_status_means_one_class(status: int, body: Any, kind: type[ReverError]) -> None:
    assert type(answer(status, body).error()) is kind


def test_every_status_is_judged_and_only_a_clear_no_counts_as_refused() -> None:
    for status in [*range(100, 200), *range(300, 600)]:
        error = answer(status).error()
        if status in {408, 425, 499} or status < 200 or (status >= 500 and status != 501):
            assert type(error) is OutcomeUnknown, status
        else:
            assert isinstance(error, Refused | RefusedForNow | Unauthorized | WrongRoute), status


def test_no_redirect_of_an_effect_says_that_nothing_was_done() -> None:
    for status in range(300, 400):
        error = replace(answer(status, {"code": 5, "message": "Not Found"}), effect=True).error()
        assert type(error) is OutcomeUnknown, status
        assert "what was done is not known" in str(error)


@pytest.mark.parametrize("body", [b"", b"<html>429</html>", {"message": "slow down"}, {"code": 3}, {"error": "busy"}])
def test_a_429_in_other_words_than_those_of_rever_may_be_a_proxys(body: Any) -> None:
    error = answer(429, body).error()
    assert isinstance(error, RefusedForNow)
    assert not error.by_rever
    own = answer(429, {"code": 8, "message": "too many requests"}).error()
    assert isinstance(own, RefusedForNow)
    assert own.by_rever


SHAPES = st.one_of(
    st.binary(max_size=60),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["code", "message", "error", "details", "x"]), inner, max_size=4)
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
)


@given(status=st.integers(300, 599), body=SHAPES)
@settings(max_examples=150, deadline=None)
def test_an_error_body_of_any_shape_is_survived(status: int, body: bytes) -> None:
    error = answer(status, body).error()
    assert error.status == status
    assert len(error.message) <= 200


@pytest.mark.parametrize("body", [b"\xff\xfe", b"[" * 100_000, b"NaN", b"", b"1" * 5000, b"{"])
def test_a_2xx_that_is_not_json_is_unknown(body: bytes) -> None:
    with pytest.raises(OutcomeUnknown, match="not JSON"):
        answer(200, body).document()


def test_words_are_one_short_line_without_shoppers() -> None:
    body = {"code": 3, "message": "no\x00 refund\n for <Ada.Lovelace@example.org>, " + "x" * 500}
    error = answer(400, body).error()
    assert error.message.startswith("no refund for <***>, xxx")
    assert len(error.message) == 200
    assert error.code == 3


def test_errors_survive_pickling() -> None:
    error = answer(429, {"code": 8, "message": "slow down"}, **{"retry-after": "5"}).error()
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is RefusedForNow
    assert (str(copy), vars(copy)) == (str(error), {**vars(error), "body": None})
    assert error.body == {"code": 8, "message": "slow down"}
    assert (copy.retry_after, copy.code, copy.operation) == (5.0, 8, "issueRefund")


@pytest.mark.parametrize(
    ("status", "code", "words", "reason"),
    [
        (
            400,
            3,
            "the combination of provider, carrier and return method is not supported",
            Reason.COMBINATION,
        ),
        (400, 3, "the combination of provider, carrier and country is not supported", Reason.COMBINATION),
        (400, 3, "Carrier GLS does not support return method DROP_OFF_POINT", Reason.COMBINATION),
        (400, 3, "no pickup on a bank holiday", Reason.PICKUP),
        (400, 3, "the carrier is not available in this time window", Reason.PICKUP),
        (400, 3, "address_line_1 is not supported by the carrier", Reason.ADDRESS),
        (400, 3, "address_line_1: longer than 35 characters", Reason.ADDRESS),
        (400, 3, "amount: more than two decimals", Reason.AMOUNT),
        (400, 3, "reject_reason: required when DECLINED", Reason.REJECT_REASON),
        (409, 9, "a wanted variant is out of stock", Reason.OUT_OF_STOCK),
        (409, 6, "a unit of the line was reviewed already", Reason.ALREADY_REVIEWED),
        (422, 9, "the amount is above what is still refundable", Reason.ALREADY_REFUNDED),
        (409, 6, "the line was already refunded", Reason.ALREADY_REFUNDED),
        (409, 9, "process is COMPLETED", Reason.NOT_RUNNING),
        (404, 5, "process not found", Reason.NOT_FOUND),
        (409, 6, "", Reason.ALREADY_DONE),
        (501, 12, "Ada Lovelace has to be called", Reason.BY_HAND),
        (401, 16, "", Reason.NO_ACCESS),
        (429, 8, "slow down", Reason.TOO_MANY),
        (503, 14, "out of stock", Reason.FAULT),
        (400, 3, "Ada Lovelace is not at home", Reason.OTHER),
        (400, None, "", Reason.OTHER),
    ],
)
def test_words_and_code_give_one_class(status: int, code: int | None, words: str, reason: Reason) -> None:
    assert reason_of(status, code, words) is reason


@given(status=st.integers(300, 599), words=st.text("abcdefghijklmnopqrstuvwxyz ", min_size=12, max_size=60))
@settings(max_examples=100, deadline=None)
def test_no_word_of_revers_is_in_an_errors_text(status: int, words: str) -> None:
    """The name of a shopper that the request did not tell cannot be masked, so nothing of REVER's words is shown."""
    body = json.dumps({"code": 3, "message": f"Qxz {words} 7 Zyx Street"}).encode()
    error = Answer("issueRefund", status, {}, body, START).error()
    assert "Qxz" not in str(error)
    assert "Zyx" not in str(error)
    assert error.message.startswith("Qxz")


@pytest.mark.parametrize("code", ["9" * 6000, "12x", -3, True, 1.5, None, [], "²", 10**40])
def test_a_code_that_is_none_is_left_out(code: object) -> None:
    error = Answer("issueRefund", 400, {}, json.dumps({"code": code, "message": "no"}).encode(), START).error()
    assert error.code is None


def test_every_class_has_words() -> None:
    assert all(reason.words for reason in Reason if reason is not Reason.OTHER)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"", None),
        (b"<html>\n<title>502 Bad Gateway</title>", "<html> <title>502 Bad Gateway</title>"),
        ({"message": "write to bob@example.org"}, {"message": "write to ***"}),
        (
            {"City": "Oslo", "phone": 479, "ok": True, "n": None},
            {"City": "***", "phone": "***", "ok": True, "n": None},
        ),
        ({"bob@example.org": {"first_name": {"a": 1}}}, {"***": {"first_name": "***"}}),
        (b'{"amount": 1.10, "odd": NaN}', {"amount": Decimal("1.10"), "odd": "***"}),
        ([[[[[[[1]]]]]]], [[[[[["..."]]]]]]),
    ],
)
def test_the_body_of_an_error_is_kept_without_what_is_personal(body: Any, shown: Any) -> None:
    assert answer(502, body).error().body == shown


def test_a_long_body_is_cut() -> None:
    wide: Any = [[["x" * 500] * 25] * 25] * 25
    error = answer(500, wide).error()
    assert len(json.dumps(error.body)) < 100_000
    assert len(error.body[0][0][0]) == 200


def test_the_body_of_a_2xx_is_not_kept_and_its_request_is_named() -> None:
    error = answer(200, {"shopper": {"email": "ada@example.org"}}, **{"x-request-id": "r-1"}).unreadable("it is odd")
    assert (error.body, error.request_id) == (None, "r-1")


@pytest.mark.parametrize("name", ["x-request-id", "request-id", "x-correlation-id", "x-amzn-requestid"])
def test_the_request_is_named_by_the_header_that_names_it(name: str) -> None:
    assert answer(400, **{name: "r 1\n"}).error().request_id == "r 1"
    assert answer(400).error().request_id == ""


MIB = 1024 * 1024


def raw(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "identity": bytes,
    "gzip": gzip.compress,
    "X-GZIP": gzip.compress,
    "deflate": zlib.compress,
    "deflate ": raw,
    "deflate, gzip": lambda data: gzip.compress(zlib.compress(data)),
    "gzip, gzip": lambda data: gzip.compress(gzip.compress(data)),
    "deflate, identity, gzip": lambda data: gzip.compress(raw(data)),
}


def unpacked(encoding: str, packed: bytes, size: int = 64 * 1024) -> bytes:
    body = Body({"content-encoding": encoding} if encoding else {})
    for start in range(0, len(packed), size):
        for _ in body.take(packed[start : start + size]):
            pass
    return body.whole()


@pytest.mark.parametrize("encoding", PACKED)
@given(data=st.binary(max_size=4000), size=st.integers(1, 50))
@settings(max_examples=40, deadline=None)
def test_a_body_is_what_it_was_before_it_was_packed(encoding: str, data: bytes, size: int) -> None:
    assert unpacked(encoding, PACKED[encoding](data), size) == data


@pytest.mark.parametrize("encoding", PACKED)
def test_a_large_body_comes_whole_in_small_pieces(encoding: str) -> None:
    data = b"0123456789" * 300_000
    assert unpacked(encoding, PACKED[encoding](data)) == data
    assert unpacked("gzip", gzip.compress(data) + gzip.compress(b"more") + b"\0\0") == data + b"more"


def zeros(size: int) -> bytes:
    """A gzip of so many zeros, made without having them."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([packer.compress(bytes(MIB)) for _ in range(size // MIB)] + [packer.flush()])


BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: zeros(64 * MIB) * 24,  # 1.5 MB that hold 1.5 GiB
    "gzip, gzip": lambda: gzip.compress(zeros(64 * MIB) * 24),
    "gzip, deflate": lambda: zlib.compress(zeros(64 * MIB)),
    "deflate": lambda: zlib.compress(bytes(40 * MIB)),
    "": lambda: bytes(MOST_BODY + 1),
    "identity": lambda: bytes(MOST_BODY + 1),
    "x-gzip": lambda: gzip.compress(b"") * (MOST_BODY // 20 + 1),
}


@pytest.mark.parametrize("encoding", BOMBS)
def test_a_body_without_end_is_refused_with_little_memory(encoding: str) -> None:
    bomb = BOMBS[encoding]()
    tracemalloc.start()
    try:
        with pytest.raises(httpx.DecodingError, match="too long"):
            unpacked(encoding, bomb)
        assert tracemalloc.get_traced_memory()[1] < 3 * MOST_BODY
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("encoding", ["br", "gzip, br", "gzip, gzip, gzip, gzip", "zip"])
def test_a_packing_that_was_not_asked_for_is_refused(encoding: str) -> None:
    with pytest.raises(httpx.DecodingError, match="not asked for"):
        Body({"content-encoding": encoding})


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "gzip, gzip", "deflate, gzip"])
def test_a_body_that_is_cut_off_or_packed_wrong_is_refused(encoding: str) -> None:
    with pytest.raises(httpx.DecodingError):
        unpacked(encoding, PACKED[encoding](b"{" * 100)[:-6])
    with pytest.raises(httpx.DecodingError):
        unpacked(encoding, b"no such thing")
    assert unpacked(encoding, b"") == b""


NOW = datetime(2026, 3, 29, 1, 0, 0, 400_000, tzinfo=UTC)
DAY = timedelta(days=1)


def dated(date: str, *, took: float = 0.0, theirs: bool = True, **headers: str) -> Answer:
    return Answer("someOperation", 200, {"date": date, **headers}, b"", NOW, took=took, theirs=theirs)


def date(offset: timedelta) -> str:
    return format_datetime(NOW + offset, usegmt=True)


def heard(*answers: Answer) -> timedelta:
    clock = OtherClock(lambda: NOW)
    for each in answers:
        clock.hear(each)
    return clock.ahead


DATES = st.from_regex(r"[A-Z][a-z]{2}, \d{1,30} (Jan|Dec|Foo) \d{1,30} \d{1,3}:\d{1,3}(:\d{1,3})? ?(GMT|[+-]\d{1,30}|)")


@given(st.text() | DATES)
def test_no_date_is_an_error(text: str) -> None:
    heard(dated(text))


@pytest.mark.parametrize(
    "text",
    [
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Mon, 01 Jan 0001 00:00:00 +1400",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 29 Mar 2026 01:00:00 GMT, Sun, 29 Mar 2026 01:00:00 GMT",
    ],
)
def test_an_odd_date_is_no_error(text: str) -> None:
    heard(dated(text))


def test_nothing_told_is_no_difference() -> None:
    assert heard() == timedelta(0)
    assert heard(dated(""), Answer("someOperation", 200, {}, b"", NOW)) == timedelta(0)


@pytest.mark.parametrize("offset", [DAY, -DAY])
def test_the_nearest_of_the_last_two_is_believed(offset: timedelta) -> None:
    odd, right = dated(date(offset)), dated(date(timedelta(0)))
    assert heard(odd, right) == heard(right, odd) == timedelta(0)
    assert abs(heard(right, odd, odd) - offset) <= timedelta(seconds=1)
    assert abs(heard(odd) - offset) <= timedelta(seconds=1)
    assert heard(odd, odd, right) == timedelta(0)


def test_the_time_an_answer_took_is_no_difference() -> None:
    """An dated that was written ten minutes ago, and came only now, as after a sleep of this machine."""
    assert heard(dated(date(timedelta(minutes=-10)), took=600)) == timedelta(0)
    assert heard(dated(date(timedelta(minutes=-10)), took=60)) == timedelta(minutes=-9, seconds=1) - timedelta(
        microseconds=400_000
    )


def test_a_cache_and_a_labels_place_tell_nothing_of_rever() -> None:
    assert heard(dated(date(-DAY), age="86400")) == timedelta(0)
    assert heard(dated(date(-DAY), theirs=False)) == timedelta(0)
    assert heard(dated(date(-DAY), age="0")) < timedelta(0)
