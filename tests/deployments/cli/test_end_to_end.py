"""The command line against a local REVER over real HTTP: what it prints agrees with the sandbox's books."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from rever_api.sandbox import RunningSandbox
from tasks.reporting.printable import plain_words
from tests.deployments.cli.conftest import KEY, Call
from tests.hurry import hurry

KEYS = ["flow", "mode", "stores", "seen", "decisions", "outcomes", "rows", "paid", "duration_s"]
HOLD_KEYS = [
    *("hold_id", "version", "process_id", "order", "store", "kind", "why", "since"),
    *("amount", "currency", "answers", "forms"),
]
RUN = ("run", "process-pending-returns", "--json")


def paid(rever: RunningSandbox) -> dict[str, str]:
    return {currency: str(amount) for currency, amount in sorted(rever.books.paid().items())}


def test_a_run_pays_what_is_due_and_says_so(call: Call, rever: RunningSandbox) -> None:
    ended = call(*RUN, "mode=act", "--no-prefect")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert [key for key in KEYS if key not in found] == []
    assert found["paid"] == paid(rever)
    assert paid(rever)
    assert not rever.audit().violations
    again = json.loads(call(*RUN, "mode=act", "--no-prefect").out)
    assert again["paid"] == {}
    listed = json.loads(call("holds", "--json").out)
    assert listed
    assert all(list(hold) == HOLD_KEYS for hold in listed)
    held = call("why", listed[0]["process_id"]).out
    assert listed[0]["hold_id"] in held
    assert plain_words(listed[0]["why"]) in held
    done = call("why", rever.process_ids("approved_one")[0]).out
    assert "refund" in done
    assert ": done" in done
    assert "@example.com" not in ended.out + held + done


def test_a_plan_writes_nothing_anywhere(call: Call, rever: RunningSandbox) -> None:
    before = rever.books.effects
    found = json.loads(call(*RUN, "--no-prefect").out)
    assert found["mode"] == "plan"
    assert found["due"]
    assert found["paid"] == {}
    assert rever.books.effects == before
    assert list(Path.cwd().iterdir()) == []
    assert any("there is no ledger" in note for note in found["notes"])
    assert call("holds").code == 2
    assert call("why", rever.process_ids()[0]).code == 2


@pytest.mark.prefect
def test_with_prefect_the_same_is_paid(call: Call, rever: RunningSandbox, prefect_server: None) -> None:
    ended = call(*RUN, "mode=act")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["paid"] == paid(rever) != {}


@pytest.mark.parametrize(
    ("wrong", "code", "said"),
    [
        ({"REVER_API_KEY": KEY}, 1, "REVER_API_KEY"),
        ({"REVER_STORES": "nowhere"}, 1, "'nowhere'"),
        ({"REVER_STORES": "", "REVER_GROUP": "no-such-group"}, 1, "no-such-group"),
        ({"REVER_BASE_URL": "http://127.0.0.1:9"}, 1, ""),
        ({"REVER_POLICY": "policy.toml"}, 2, "policy.toml"),
        ({"REVER_ENDPOINTS": "endpoints.toml"}, 2, "endpoints.toml"),
        ({"REVER_LEDGER_URL": "sqlite:///folder"}, 1, "folder"),
        ({"REVER_LEDGER_URL": "sqlite:///missing/ledger.sqlite"}, 1, "missing"),
        ({"REVER_LEDGER_URL": "sqlite:///policy.toml"}, 1, "policy.toml"),
    ],
)
def test_a_bad_start_is_one_clear_sentence_and_nothing_half_done(
    call: Call, rever: RunningSandbox, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str], code: int, said: str
) -> None:
    hurry(monkeypatch.setattr)
    before = rever.books.effects
    Path("policy.toml").write_text("[default\nnot = toml\n" * 50)
    Path("folder").mkdir()
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    ended = call(*RUN, "mode=act", "--no-prefect")
    assert (ended.code, ended.out.count("\n")) == (code, 1), ended.err
    assert said in json.loads(ended.out)["failed"]
    assert said in ended.err
    assert "Traceback" not in ended.err
    assert "fault of this software" not in ended.err
    assert rever.books.effects == before


def test_a_page_that_is_no_json_is_one_clear_sentence(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch.setattr)
    with web_page() as address:
        monkeypatch.setenv("REVER_BASE_URL", address)
        ended = call(*RUN, "mode=act", "--no-prefect")
    assert "JSON" in json.loads(ended.out)["failed"]
    assert ended.code == 1, ended.err
    assert "Traceback" not in ended.err
    assert "fault of this software" not in ended.err


@contextmanager
def web_page() -> Iterator[str]:
    """Something that is not REVER: it answers 200 and HTML to everything."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<html><body>It works!</body></html>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep stderr clean."""

    server = HTTPServer(("127.0.0.1", 0), Page)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
