"""What each delivery is answered, and that nothing else than the inbox decides it."""

import base64
import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from pydantic import SecretStr

from deployments.receiver import inbox as inbox_module
from deployments.receiver.delivery import MOST_BYTES
from deployments.receiver.inbox import Inbox, beat
from deployments.receiver.offers import waiting_returns
from rever_api.webhooks import SIGNATURE_HEADER, sign
from tasks.database import engines
from tasks.ledger import LedgerError
from tests.deployments.receiver.conftest import OLD, SECRET, Clock, Desk, body, sender, signed

URL = "/webhooks/rever"
HASH = bytes.fromhex(sign(body(), SECRET))


async def test_stored_is_202_and_a_repeat_200(local: Desk, http: httpx.AsyncClient) -> None:
    first = await http.post(URL, content=body(), headers=signed(body()))
    assert (first.status_code, first.json()) == (202, {"outcome": "stored"})
    again = await http.post(f"{URL}/completed", content=body(), headers=signed(body()))
    assert (again.status_code, again.json()) == (200, {"outcome": "repeat"})
    assert local.number("rever_webhook_received_total", outcome="stored") == 1
    assert local.number("rever_webhook_received_total", outcome="repeat") == 1
    assert len(local.inbox.read(waiting_returns)) == 1


@pytest.mark.parametrize(
    "signature",
    [HASH.hex(), HASH.hex().upper(), f"sha256={HASH.hex()}", base64.b64encode(HASH).decode(), sign(body(), OLD)],
)
async def test_every_way_to_write_a_signature_and_both_secrets_verify(http: httpx.AsyncClient, signature: str) -> None:
    headers = {"content-type": "application/json", SIGNATURE_HEADER: signature}
    assert (await http.post(URL, content=body(), headers=headers)).status_code == 202


@pytest.mark.parametrize(
    ("headers", "raw", "status", "outcome", "says"),
    [
        (signed(body(), SecretStr("another")), body(), 401, "bad_signature", "X-REVER-Signature is not valid"),
        (signed(body("other")), body(), 401, "bad_signature", "not valid"),
        ({"content-type": "application/json"}, body(), 401, "bad_signature", "X-REVER-Signature is missing"),
        ({**signed(body()), SIGNATURE_HEADER: "\xe9" * 64}, body(), 401, "bad_signature", "not valid"),
        ({**signed(body()), "content-type": "text/plain"}, body(), 415, "wrong_type", "application/json"),
        (signed(b"{"), b"{", 422, "unreadable", "not readable JSON"),
        (signed(b"{}"), b"{}", 422, "unreadable", "rever_process_id"),
        (signed(b"x"), b"x" * (MOST_BYTES + 1), 413, "too_large", "256 KiB"),
    ],
)
async def test_a_refusal_says_why_and_stores_nothing(
    local: Desk, http: httpx.AsyncClient, headers: dict[str, str], raw: bytes, status: int, outcome: str, says: str
) -> None:
    sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = await http.post(URL, content=raw, headers=sent)
    assert (answer.status_code, says in answer.json()["error"]) == (status, True)
    assert answer.headers.get("connection") == ("close" if status == 413 else None)
    assert local.inbox.read(waiting_returns) == []
    assert local.number("rever_webhook_received_total", outcome=outcome) == 1


async def test_a_delivery_that_cannot_be_stored_is_to_be_sent_again(
    local: Desk, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise LedgerError("the inbox's disk is full")

    monkeypatch.setattr(local.inbox, "awrite", broken)
    answer = await http.post(URL, content=body(), headers=signed(body()))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    health = await http.get("/health")
    assert (health.status_code, health.json()["inbox"]) == (503, "not writable: the inbox's disk is full")


async def test_a_full_disk_is_told_by_health_and_once_by_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"sqlite:///{tmp_path}/inbox.sqlite"
    Inbox.open(url).close()
    with closing(sqlite3.connect(tmp_path / "inbox.sqlite")) as conn:
        (pages,) = conn.execute("PRAGMA page_count").fetchone()
    patient = engines._PRAGMAS
    monkeypatch.setattr(engines, "_PRAGMAS", (*patient, f"max_page_count={pages}"))
    big = [body(f"retp_{number}", note="x" * 20_000) for number in range(3)]
    with closing(Inbox.open(url)) as inbox:
        full = Desk(inbox, Clock())
        async with sender(full) as http:
            assert (await http.get("/health")).status_code == 200
            assert [(await http.post(URL, content=raw, headers=signed(raw))).status_code for raw in big] == [503] * 3
            inbox.write(beat, now=full.clock())  # what health tries goes well all the same
            health = await http.get("/health")
            assert (health.status_code, health.json()["inbox"]) == (
                503,
                f"not writable: the inbox {url} cannot be used: the disk is full; make room, then run again",
            )
            assert [record.message for record in caplog.records if "cannot be stored" in record.message] == [
                f"events cannot be stored, and REVER is asked to send them again: the inbox {url} cannot be used: the"
                " disk is full; make room, then run again"
            ]
            full.clock.forward(minutes=6)
            assert (await http.get("/health")).status_code == 200
    monkeypatch.setattr(engines, "_PRAGMAS", patient)


async def test_what_was_stored_again_ends_it(
    local: Desk, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept = local.inbox.awrite

    async def broken(*_: object, **__: object) -> None:
        raise LedgerError("full")

    for spell in (1, 2):
        monkeypatch.setattr(local.inbox, "awrite", broken)
        assert (await http.post(URL, content=body(), headers=signed(body()))).status_code == 503
        monkeypatch.setattr(local.inbox, "awrite", kept)
        assert (await http.get("/health")).status_code == 503
        assert (await http.post(URL, content=body(), headers=signed(body()))).status_code in {200, 202}
        assert (await http.get("/health")).status_code == 200
        assert caplog.text.count("events cannot be stored") == caplog.text.count("events are stored again") == spell


async def test_a_disk_without_room_is_told_before_an_event_is_lost_on_it(
    local: Desk, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "disk_usage", lambda _: SimpleNamespace(free=4096))
    health = await http.get("/health")
    assert health.status_code == 503
    assert "is full; make room" in health.json()["inbox"]


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/rever", "/webhooks/rever/", "/webhooks/rever//", "//webhooks//rever", "/webhooks/rever/created",
        "/webhooks/rever/created/", "/returns/webhooks/rever", "/a/b/webhooks/rever/", "/a/webhooks/rever/shipped/",
        "/webhooks/rever/?a=b", "/webhooks%2Frever",
    ],
)  # fmt: skip
async def test_it_is_taken_by_any_prefix_and_with_any_slashes_without_a_redirect(
    local: Desk, http: httpx.AsyncClient, path: str
) -> None:
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example", "X-Forwarded-For": "not an address"}
    more = {**forwarded, "X-Forwarded-Prefix": "/returns", "Forwarded": "host=evil.example;proto=https"}
    answer = await http.post(f"http://receiver{path}", content=body(), headers={**signed(body()), **more})
    assert (answer.status_code, answer.json()) == (202, {"outcome": "stored"})
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/webhooks", "/webhooks/reverse", "/webhooks/rever/a/b", "/", "/health/", "/x/health"]
)
async def test_no_other_path_is_taken_or_redirected(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.post(path, content=body(), headers=signed(body()))).status_code == 404


@pytest.mark.parametrize("path", [URL, "/health", "/metrics"])
async def test_a_host_that_it_is_not_known_by_is_refused_and_named_once(
    local: Desk, http: httpx.AsyncClient, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    for host in ("evil.example", "evil.example:8766", "x\x1b[2J", "127.0.0.1.evil.example"):
        answer = await http.post(path, content=body(), headers={**signed(body()), "Host": host})
        assert answer.status_code == 400
    assert local.inbox.read(waiting_returns) == []
    assert caplog.text.count("REVER_WEBHOOK_HOSTS") == 3
    assert "\x1b" not in caplog.text
    health = await http.get("/health")
    assert (health.status_code, health.json()["hosts"][:6]) == (200, "3 not ")
    assert local.number("rever_webhook_received_total", outcome="wrong_host") == 4


@pytest.mark.parametrize("host", ["127.0.0.1:8766", "localhost", "[::1]:8766", "10.0.0.4", "Receiver:443"])
async def test_its_own_names_and_addresses_are_taken(http: httpx.AsyncClient, host: str) -> None:
    assert (await http.post(URL, content=body(), headers={**signed(body()), "Host": host})).status_code == 202


async def test_the_answer_does_not_depend_on_prefect(local: Desk, http: httpx.AsyncClient) -> None:
    local.prefect.away = True
    assert (await http.post(URL, content=body(), headers=signed(body()))).status_code == 202
    health = await http.get("/health")
    assert health.status_code == 200
    assert health.json() == {
        "inbox": "writable",
        "dispatcher": "alive",
        "prefect": "not reachable: events wait in the inbox",
    }


async def test_a_stuck_dispatcher_is_told(
    local: Desk, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local.dispatcher, "_alive", local.dispatcher._alive - 100)
    health = await http.get("/health")
    assert (health.status_code, health.json()["dispatcher"]) == (503, "stuck")


async def test_the_metrics_tell_what_waits(local: Desk, http: httpx.AsyncClient) -> None:
    for raw in (body(), body("retp_2"), body("retp_2", shipping="COLLECTED")):
        await http.post(URL, content=raw, headers=signed(raw))
    local.clock.forward(seconds=90)
    text = (await http.get("/metrics")).text
    for line in (
        'rever_webhook_received_total{outcome="stored"} 3.0',
        "rever_webhook_waiting_events 3.0",
        "rever_webhook_oldest_waiting_seconds 90.0",
        "rever_webhook_answer_seconds_count 3.0",
    ):
        assert line in text
    assert "retp_" not in text


async def test_no_log_line_has_a_body_a_signature_or_a_shopper(
    local: Desk, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    local.prefect.away = True
    headers = signed(body())
    wrong = b"{ann@example.com"
    for raw, sent in ((body(), headers), (body(), headers), (body("other"), headers), (wrong, signed(wrong))):
        await http.post(URL, content=raw, headers=sent)
    await local.dispatcher.step()
    said = caplog.text
    assert "events wait in the inbox" in said
    for word in ("ann@", "Ann", headers[SIGNATURE_HEADER], SECRET.get_secret_value()):
        assert word not in said
