"""The sandbox's webhooks: signed, over real HTTP, until they are taken."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

from pydantic import SecretStr

from rever_api.models import ReturnProcess
from rever_api.sandbox import Webhook, running_sandbox
from rever_api.webhooks import SIGNATURE_HEADER, verify

SECRET = SecretStr("s3cr3t")


@contextmanager
def listening(*statuses: int) -> Iterator[tuple[str, list[tuple[str, bytes, str]]]]:
    """A receiver that answers with these statuses in turn, then with 202: its address, and what came in."""
    came: list[tuple[str, bytes, str]] = []
    left = list(statuses)

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            came.append((self.path, body, self.headers[SIGNATURE_HEADER]))
            self.send_response(left.pop(0) if left else 202)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", came
        finally:
            server.shutdown()
            thread.join()


def wait_for(came: list[tuple[str, bytes, str]], many: int) -> None:
    ended = threading.Event()
    for _ in range(1000):
        if len(came) >= many:
            return
        ended.wait(0.02)
    raise AssertionError(f"{len(came)} of {many} webhooks came")


def test_what_happens_to_a_return_is_told_in_signed_bodies_without_a_word_of_what_it_was() -> None:
    with (
        listening() as (url, came),
        running_sandbox(returns=0, webhook=Webhook(f"{url}/rever/{{event}}", SECRET)) as sandbox,
    ):
        sku = next(iter(sandbox.sandbox.shops["acme"].goods))
        opened = {"ecommerce_id": "acme", "order_name": "#1", "email": "a@example.com"}
        lines = [{"sku": sku, "quantity": 1, "return_reason": "OTHER", "compensation_method": "GIFT_CARD"}]
        first = sandbox.act("open", **opened, items=lines)["process_id"]
        second = sandbox.act("open", **opened, items=lines)["process_id"]
        sandbox.act("review", first)
        sandbox.act("pay", first)
        sandbox.act("cancel", second)
        wait_for(came, 5)
        events = [path.rpartition("/")[2] for path, _, _ in came]
        assert events == ["creation", "creation", "review", "completion", "cancellation"]
        assert all(verify(body, signature, [SECRET]) for _, body, signature in came)
        found = [json.loads(body) for _, body, _ in came]
        assert [item["rever_process_id"] for item in found] == [first, second, first, first, second]
        assert [item["rever_process_status"] for item in found] == [*["RUNNING"] * 3, "COMPLETED", "CANCELED"]
        assert len(found[2]["reviews"]) == 1
        assert all("event" not in item for item in found)
        ReturnProcess.model_validate(found[3])


def test_the_parcels_way_is_told_and_what_nobody_asked_about_is_not() -> None:
    with listening() as (url, came), running_sandbox(webhook=Webhook(url, SECRET)) as sandbox:
        process_id = next(
            key for key, stored in sandbox.sandbox.processes.items()
            if stored.process.logistics and stored.process.rever_process_status == "RUNNING"
        )  # fmt: skip
        sandbox.act("hold", process_id)
        sandbox.act("release", process_id)
        sandbox.act("cancel_label", process_id)
        sandbox.act("label_ready", process_id)
        wait_for(came, 2)
        assert [json.loads(body)["logistics"][-1]["status"] for _, body, _ in came] == ["CANCELED", "CREATED"]


def test_what_is_not_taken_is_sent_again_and_some_are_sent_twice() -> None:
    with (
        listening(503, 401) as (url, came),
        running_sandbox(returns=2, webhook=Webhook(url, SECRET, repeats=1.0)) as sandbox,
    ):
        sandbox.act("cancel", sandbox.process_ids()[0])
        wait_for(came, 4)
        assert len({body for _, body, _ in came}) == 1
