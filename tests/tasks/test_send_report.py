"""The report is sent where a secret address says, by a real server here; what goes wrong says no secret."""

import json
import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from pydantic import SecretStr

from tasks.desk import DeskError, WrongNameError
from tasks.send_report import channel_of, send_report
from tests.tasks.reporting.daily import effect, report, returned

SECRET = "s3cr3t-path"


class Inbox:
    """A server that takes JSON; `status` is what it answers."""

    def __init__(self) -> None:
        self.status, self.took = 200, list[dict[str, Any]]()
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                inbox.took.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(inbox.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = SecretStr(f"http://127.0.0.1:{self.server.server_port}/{SECRET}")


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    inbox = Inbox()
    thread = Thread(target=inbox.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield inbox
    inbox.server.shutdown()
    inbox.server.server_close()
    thread.join()


async def test_the_totals_are_sent_and_no_shopper(inbox: Inbox) -> None:
    found = report(returned(name="Ana Ruiz", email="ana@example.com"), effects=[effect()], personal=True)
    await send_report(channel_of(inbox.address), found)
    [message] = inbox.took
    assert message["title"] == found.title
    assert message["message"].splitlines() == [
        "acme: 10.00 EUR refunded in 1 refund, of it 0.00 on its way",
        "acme: 0 returns started, 1 wait, 0 open holds, 0 late by the EU's 14 days, 0 nearly",
        "0 returns differ from REVER",
    ]
    assert "Ana" not in str(message)


async def test_the_page_goes_with_it(inbox: Inbox, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    page.write_text("<!doctype html>")
    await send_report(channel_of(inbox.address), report(), page)
    assert [each["filename"] for each in inbox.took[0]["attachments"]] == ["r.html"]


async def test_what_is_not_taken_is_an_error_that_says_no_secret(
    inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    inbox.status = 500
    caplog.set_level(logging.DEBUG)
    with pytest.raises(DeskError, match="where REVER_REPORT_URL says it was not taken") as error:
        await send_report(channel_of(inbox.address), report())
    assert SECRET not in f"{error.value}{error.value.__cause__}{caplog.text}"


@pytest.mark.parametrize("address", ["", "  ", "ftp://s3cr3t-path", "nonsense s3cr3t-path"])
def test_an_address_that_is_none_is_refused_before_anything_is_read(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(WrongNameError, match="REVER_REPORT_URL") as error:
        channel_of(SecretStr(address))
    assert SECRET not in f"{error.value}{caplog.text}"
