"""What is read of a delivery, and what is refused."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from deployments.receiver.delivery import (
    MOST_BYTES,
    Content,
    Kind,
    Rejected,
    check_type,
    kind_of,
    read_body,
    read_content,
)
from tests.deployments.receiver.conftest import body


async def chunks(*parts: bytes, every_s: float = 0.0) -> AsyncIterator[bytes]:
    for part in parts:
        await asyncio.sleep(every_s)
        yield part


async def test_a_body_is_read_as_it_came() -> None:
    assert await read_body(chunks(b"a", b"", b"b" * 10)) == b"a" + b"b" * 10
    assert len(await read_body(chunks(b"x" * MOST_BYTES))) == MOST_BYTES


@pytest.mark.parametrize("parts", [1, 2000])
async def test_too_large_is_413_and_nothing_endless_is_read(parts: int) -> None:
    seen = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal seen
        for _ in range(parts):
            seen += 1
            yield b"x" * (MOST_BYTES + 1)

    with pytest.raises(Rejected, match="larger than 256 KiB") as refused:
        await read_body(endless())
    assert (refused.value.status, seen < 10) == (413, True)


async def test_too_slow_is_408() -> None:
    with pytest.raises(Rejected, match=r"within 0\.05 s") as refused:
        await read_body(chunks(b"a", b"b", every_s=0.04), within=0.05)
    assert refused.value.status == 408


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "application/cloudevents+json"]
)
def test_json_is_taken(kind: str) -> None:
    check_type(kind)


@pytest.mark.parametrize("kind", ["", "text/plain", "application/xml", "application/jsonx", "text/x+json"])
def test_anything_else_is_415(kind: str) -> None:
    with pytest.raises(Rejected) as refused:
        check_type(kind)
    assert refused.value.status == 415


def test_the_return_its_status_and_its_youngest_parcel_are_told() -> None:
    raw = body(logistics=[{"status": "CANCELED"}, {"status": "COLLECTED"}], rever_process_status="CANCELLED")
    assert read_content(raw) == Content("retp_1", "CANCELED", "COLLECTED")
    assert read_content(b'{"rever_process_id": "x"}') == Content("x", "", "")
    strange = b'{"rever_process_id": "x", "rever_process_status": 7, "logistics": [{"status": ["a"]}, 3]}'
    assert read_content(strange) == Content("x", "", "")


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "not readable JSON"),
        (b"{", "not readable JSON"),
        (b"\xff\xfe\xff", "not readable JSON"),
        (b"[" * 100_000, "not readable JSON"),
        (b"9" * 5000, "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"{}", "no rever_process_id"),
        (b'{"rever_process_id": true}', "no rever_process_id"),
        (b'{"rever_process_id": 7.5}', "no rever_process_id"),
        (b'{"rever_process_id": NaN}', "no rever_process_id"),
        (b'{"rever_process_id": ' + b"9" * 5000 + b"}", "no rever_process_id"),
        (b'{"rever_process_id": "a\xff"}', "no rever_process_id"),
        (b'{"rever_process_id": "a", "rever_process_id": "b"}', "no rever_process_id"),
        (b'{"rever_process_id": ""}', "no rever_process_id"),
        (b'{"rever_process_id": "a b"}', "no rever_process_id"),
        *(
            (b'{"rever_process_id": "%s"}' % odd, "no rever_process_id")
            for odd in (b"a/b", b"..", b"a?b", b"a%2fb", b"`a")
        ),
        (b'{"rever_process_id": "\\ud800"}', "no rever_process_id"),
        (b'{"rever_process_id": "a\\u0000"}', "no rever_process_id"),
        (b'{"rever_process_id": "' + b"x" * 201 + b'"}', "no rever_process_id"),
    ],
)
def test_what_cannot_be_read_is_422_and_says_why(raw: bytes, says: str) -> None:
    with pytest.raises(Rejected, match=says) as refused:
        read_content(raw)
    assert refused.value.status == 422


SPOILED = [
    b'"total": ' + b"9" * 5000,
    b'"total": -1' + b"0" * 5000 + b".5e99999",
    b'"total": NaN, "other": -Infinity',
    b'"name": "\xff\xfe"',
    b'"name": "a\x00\x1b\n"',
    b'"name": "\\ud800"',
    b'"deep": ' + b"[" * 50_000 + b"]" * 50_000,
    b'"name": "a", "name": "b"',
    b'"rever_process_status": NaN, "logistics": [Infinity]',
]


@pytest.mark.parametrize("spoiled", SPOILED)
def test_what_spoils_another_field_hides_no_return(spoiled: bytes) -> None:
    assert read_content(b'{"rever_process_id": "retp_1", ' + spoiled + b"}").process_id == "retp_1"
    assert read_content(b'{%s, "rever_process_id": "retp_1"}' % spoiled).process_id == "retp_1"


@pytest.mark.parametrize("raw", [b'{"rever_process_id": 4711}', b'\xef\xbb\xbf{"rever_process_id": "4711"}'])
def test_an_id_that_came_as_a_number_or_after_a_mark_is_read(raw: bytes) -> None:
    assert read_content(raw) == Content("4711", "", "")


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("created", Kind.CREATED),
        ("onReturnProcessCreation", Kind.CREATED),
        ("shipping-update", Kind.UNKNOWN),
        ("Shipping", Kind.SHIPPED),
        ("completion", Kind.COMPLETED),
        ("canceled", Kind.CANCELLED),
        ("cancelled", Kind.CANCELLED),
        ("refund", Kind.UNKNOWN),
    ],
)
def test_the_url_says_it(event: str, kind: Kind) -> None:
    assert kind_of(event, "COMPLETED" if kind is not Kind.COMPLETED else "RUNNING", "", None) is kind


@pytest.mark.parametrize(
    ("status", "shipping", "known", "kind"),
    [
        ("CANCELED", "CREATED", None, Kind.CANCELLED),
        ("COMPLETED", "IN_WAREHOUSE", "COLLECTED", Kind.COMPLETED),
        ("RUNNING", "CREATED", None, Kind.CREATED),
        ("RUNNING", "COLLECTED", "CREATED", Kind.SHIPPED),
        ("RUNNING", "CREATED", "CREATED", Kind.UNKNOWN),
        ("RUNNING", "", "CREATED", Kind.UNKNOWN),
        ("ON_HOLD", "CREATED", "CREATED", Kind.UNKNOWN),
        ("A_NEW_ONE", "", None, Kind.CREATED),
    ],
)
def test_without_one_the_state_says_it(status: str, shipping: str, known: str | None, kind: Kind) -> None:
    assert kind_of("", status, shipping, known) is kind
