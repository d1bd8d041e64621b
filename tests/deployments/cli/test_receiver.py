"""`rever-returns receiver` and `webhook send`, as processes and as a person would call them."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import SecretStr

from deployments.prefect_server import without_own_settings
from deployments.receiver.delivery import Kind, read_content
from deployments.receiver.example import example_body
from deployments.receiver.inbox import Delivery, Inbox, store
from deployments.receiver.offers import close_seen, waiting_returns
from rever_api.webhooks import SIGNATURE_HEADER, sign
from tasks.desk import utc_now
from tests.deployments.cli.conftest import ENVIRONMENT, Call
from tests.deployments.receiver.processes import ReceiverProcess, receiving

SECRET = "a-shared-s3cr3t"


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[ReceiverProcess]:
    """A receiver without Prefect, in a folder of its own."""
    folder = tmp_path / "receiver"
    folder.mkdir()
    env = {
        **without_own_settings(os.environ),
        **ENVIRONMENT,
        "REVER_WEBHOOK_SECRETS": SECRET,
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": "http://127.0.0.1:9/api",
    }
    with receiving(folder, env) as running:
        yield running


def test_the_inbox_tells_how_many_events_were_looked_at_and_for_how_many_no_run_was_made(call: Call) -> None:
    with closing(Inbox.open("sqlite:///rever-returns-inbox.sqlite")) as inbox:
        for process_id in ("retp_1", "retp_2"):
            raw = example_body(Kind.CREATED, process_id)
            inbox.write(store, Delivery(raw, read_content(raw), "", utc_now()))
        inbox.write(close_seen, {"retp_1": utc_now()}, now=utc_now())
    lines = call("inbox").out.splitlines()
    assert lines[0].startswith("retp_2  waiting, 1 event (created)")
    assert lines[1:] == [
        "Runs have looked at the returns of 1 event in the last 30 days.",
        "For 1 of them no run was made: another that began later had looked already.",
    ]


def test_it_takes_webhooks_until_ctrl_c(receiver: ReceiverProcess, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    raw, url = example_body(Kind.CREATED, "retp_1"), receiver.url
    headers = {"content-type": "application/json", SIGNATURE_HEADER: sign(raw, SecretStr(SECRET))}
    assert httpx.post(url, content=raw, headers=headers).status_code == 202
    assert httpx.post(f"{url}/created", content=raw, headers=headers).status_code == 200
    assert httpx.post(url, content=raw + b" ", headers=headers).status_code == 401
    assert httpx.get(url).status_code == 405

    monkeypatch.setenv("REVER_WEBHOOK_SECRETS", f"{SECRET},older")
    monkeypatch.setenv("REVER_INBOX_URL", f"sqlite:///{receiver.folder}/rever-returns-inbox.sqlite")
    monkeypatch.setenv("MY_SECRET", "another")
    told = call("webhook", "send", "--event", "cancelled", "--process-id", "retp_9", "--url", f"{url}/{{event}}")
    assert (told.code, told.out) == (0, "202: it is stored, and a run is offered\n")
    invented = call("webhook", "send", "--url", url)
    assert (invented.code, "an invented return" in invented.out) == (0, True)
    listed = json.loads(call("inbox", "--json").out)
    assert [each["process_id"] for each in listed][:2] == ["retp_1", "retp_9"]
    assert {each["state"] for each in listed} == {"waiting"}
    example = listed[2]["process_id"]
    assert example.startswith("example_")
    no_reason = call("inbox", "drop", example, "--by", "ann", "--why", " ")
    assert (no_reason.code, "--why" in no_reason.err) == (2, True)
    dropped = call("inbox", "drop", example, "--by", "ann", "--why", "a test of ours")
    assert (dropped.code, dropped.out.startswith(f"Dropped: 1 event about {example}.")) == (0, True)
    table = call("inbox").out.splitlines()
    assert table[0].startswith("retp_1  waiting, 1 event (created), since 20")
    assert table[-2].startswith(f"{example}  dropped, 1 event (created), closed 20")
    assert table[-1] == "    a test of ours (by ann)"
    again = call("inbox", "drop", example, "--by", "ann", "--why", "a test of ours")
    assert (again.code, "no event of the return" in again.err) == (1, True)
    refused = call("webhook", "send", "--url", url, "--secret-from", "MY_SECRET")
    assert (refused.code, refused.out) == (1, "401: the signature is not valid: the receiver has another secret\n")

    assert receiver.end(signal.SIGINT) == 0
    gone = call("webhook", "send", "--url", url)
    assert (gone.code, "is `rever-returns receiver` running?" in gone.err) == (1, True)
    assert not [word for word in ("Traceback", "shopper", SECRET) if word in receiver.log]
    with closing(Inbox.open(f"sqlite:///{receiver.folder}/rever-returns-inbox.sqlite")) as inbox:
        assert [item.process_id for item in inbox.read(waiting_returns)] == ["retp_1", "retp_9"]


def test_without_an_inbox_nothing_waits_and_none_is_made(call: Call, tmp_path: Path) -> None:
    assert call("inbox").out == "No event waits, and none was closed without a run in the last 30 days.\n"
    assert call("inbox", "--json").out == "[]\n"
    dropped = call("inbox", "drop", "retp_1", "--by", "ann", "--why", "so")
    assert (dropped.code, "there is no inbox yet" in dropped.err) == (1, True)
    assert not list(tmp_path.glob("*inbox*"))


def test_without_secrets_or_prefect_it_does_not_start(call: Call) -> None:
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        ended = call("receiver", "--port", "0")
    assert (ended.code, ended.out) == (2, "")
    assert "REVER_WEBHOOK_SECRETS is not set" in ended.err
    assert "PREFECT_API_URL is not set" in ended.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(("--event", "review"), "--event is one of created"), (("--secret-from", "NO_SUCH"), "no secret in NO_SUCH")],
)
def test_what_cannot_be_sent_is_wrong_usage(call: Call, arguments: tuple[str, ...], says: str) -> None:
    ended = call("webhook", "send", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.err


def test_two_examples_are_two_events_of_the_state_they_are_about() -> None:
    assert example_body(Kind.CREATED, "x") != example_body(Kind.CREATED, "x")
    assert b'"COMPLETED"' in example_body(Kind.COMPLETED, "x")
    assert b'"CANCELED"' in example_body(Kind.CANCELLED, "x")
    assert b'"COLLECTED"' in example_body(Kind.SHIPPED, "x")


def test_a_sandbox_that_sends_webhooks_needs_the_secret(call: Call) -> None:
    ended = call("sandbox", "--port", "0", "--webhook-url", "http://127.0.0.1:9")
    assert (ended.code, "set REVER_WEBHOOK_SECRETS" in ended.err) == (2, True)
