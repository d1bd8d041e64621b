"""A person at Prefect's UI: fills the form of process-return, starts it, sees it complete, and reads what was done; and
reads the story of a return that was found by its order number.

The UI is V2, which is what Prefect shows to who opens its address.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.ui.browser import opened_page, picture
from tests.ui.desks import wait_until
from tests.ui.running_up import UP_WITHIN_S, Up, running_up

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    # Without a worker: a scheduled run, which begins at full ten minutes by the clock, would pay what is due first.
    with running_up(tmp_path_factory.mktemp("up"), "--workers", "0") as running:
        running.wait_for("The desk is up", UP_WITHIN_S)
        yield running


def test_a_return_is_refunded_by_a_form(up: Up) -> None:
    process_id, amount, currency = _a_refund_that_is_due(up)
    with opened_page(f"{up.address('Prefect')}/", up.auth()) as page:
        assert "/v2/" in page.url
        _open_the_form(page)
        _fill(page, process_id)
        picture(page, "2 form")
        page.get_by_role("button", name="Submit").click()
        _open_the_run(page)
        expect(page.get_by_text("Completed", exact=True).first).to_be_visible(timeout=120_000)
        expect(page.get_by_text(re.compile(rf"process-return .*act.*{process_id}")).first).to_be_visible()
        picture(page, "3 run")
        _open_an_artifact(page, "process-return-returns")
        row = page.get_by_role("row").filter(has_text=process_id)
        expect(row).to_contain_text(f"{amount} {currency}")
        expect(row).to_contain_text("refund")
        picture(page, "4 artifact")
    audit = _asked(up, "audit")
    assert audit["clean"], audit["violations"]
    assert process_id not in {due["process_id"] for due in audit["due"]}
    assert [move["amount"] for move in _refunds(up, process_id)] == [amount]


def test_the_form_harms_nobody_by_itself(up: Up) -> None:
    with opened_page(f"{up.address('Prefect')}/", up.auth()) as page:
        _open_the_form(page)
        expect(_mode(page)).to_have_text("plan")
        page.get_by_role("button", name="Submit").click()
        expect(page.get_by_text(re.compile("required|must|invalid", re.IGNORECASE)).first).to_be_visible()
        picture(page, "5 form without a return")


def test_a_returns_story_is_opened_from_its_order_number(up: Up) -> None:
    process_id, amount, currency = _a_refund_that_is_due(up)
    order = _process(up, process_id)["order_name"]
    _pay(up, process_id)
    with opened_page(f"{up.address('Prefect')}/", up.auth()) as page:
        _open_the_form(page, "explain-return")
        page.get_by_label("Return", exact=True).fill(order)
        picture(page, "8 form of explain-return")
        page.get_by_role("button", name="Submit").click()
        _open_the_run(page)
        expect(page.get_by_text("Completed", exact=True).first).to_be_visible(timeout=120_000)
        expect(page.get_by_text(re.compile(rf"explain-return \w+ {order}")).first).to_be_visible()
        _open_an_artifact(page, "explain-return-story")
        expect(page.get_by_role("heading", name=f"Return of order {order}, store ")).to_be_visible()
        for title in ("At REVER", "Decided", "What was sent to REVER", "Waits for", "Next look", "What happened"):
            expect(page.get_by_role("heading", name=title)).to_be_visible()
        row = page.get_by_role("row").filter(has_text="done: the refund of")
        expect(row).to_contain_text(f"{amount} {currency} by ")
        expect(row).to_contain_text("REVER confirmed the refund")
        expect(page.get_by_role("row").filter(has_text="the shopper started the return")).to_be_visible()
        picture(page, "9 story of a return")
        text = page.inner_text("body")
    shopper = _process(up, process_id)["shopper"]
    assert not [word for word in (shopper["email"], shopper["last_name"]) if word in text]


def test_an_email_is_refused_by_the_form_and_is_stored_nowhere(up: Up) -> None:
    email, before = "olga.ortiz@example.com", _runs(up)
    with opened_page(f"{up.address('Prefect')}/", up.auth()) as page:
        _open_the_form(page, "explain-return")
        page.get_by_label("Return", exact=True).fill(email)
        page.get_by_role("button", name="Submit").click()
        expect(page.get_by_text(re.compile("no e-mail address is taken here")).first).to_be_visible()
        picture(page, "10 form with an e-mail")
    assert _runs(up) == before
    kept = (file for file in up.folder.rglob("*") if file.is_file() and ".up" in file.parts)
    assert not [file for file in kept if email.encode() in file.read_bytes()]


def test_a_page_of_anothers_can_neither_read_nor_do_anything(up: Up) -> None:
    api, before = f"{up.address('Prefect')}/api", _runs(up)
    with _a_page_of_anothers() as foreign, opened_page(f"{up.address('Prefect')}/", up.auth()) as page:
        picture(page, "6 logged in")
        page.goto(foreign)
        tried: list[list[str]] = page.evaluate(TRIES, api)
        picture(page, "7 a page of anothers")
    assert tried == [[name, "refused"] for name, _ in tried]
    assert len(tried) == 9
    assert _runs(up) == before


@pytest.mark.parametrize("ui", ["/", "/v2/runs", "/dashboard"])
def test_the_ui_asks_nobody_else(up: Up, ui: str) -> None:
    """What a browser asks of others, by its own account; V2 tries, and the policy of its pages keeps it from it."""
    ours = up.address("Prefect")
    with opened_page(f"{ours}{ui}", up.auth()) as page:
        asked: list[tuple[str, str]] = []
        page.on("response", lambda response: asked.append((response.url, "answered")))
        page.on("requestfailed", lambda request: asked.append((request.url, request.failure or "")))
        page.wait_for_load_state("networkidle")  # a reload that cuts a call off would log out
        page.reload()
        page.get_by_text("Deployments").first.wait_for()
        page.wait_for_timeout(5_000)
    others = [(url, how) for url, how in asked if not url.startswith((ours, "blob:", "data:"))]
    assert [(url, how) for url, how in others if how != "csp"] == []


@pytest.mark.parametrize("path", ["/api/health", "/api/flow_runs/count", "/", "/ui-settings"])
def test_a_name_of_anothers_that_points_here_is_refused(up: Up, path: str) -> None:
    ours = {"127.0.0.1", "localhost"}
    answers = {host: _asked_as(up, host, path) for host in (*ours, "evil.example", "evil.example:4200")}
    assert {host for host, status in answers.items() if status != 400} == ours


def _asked_as(up: Up, host: str, path: str) -> int:
    return httpx.get(f"{up.address('Prefect')}{path}", headers={"Host": host}, trust_env=False).status_code


TRIES = """async api => {
    const json = {method: "POST", headers: {"content-type": "application/json"}, body: "{}"}
    const shout = {mode: "no-cors", method: "POST", body: "{}"}
    const requests = {
        "read health": [`${api}/health`], "read settings": [`${api}/admin/settings`],
        "read runs": [`${api}/flow_runs/filter`, json], "read blocks": [`${api}/block_documents/filter`, json],
        "make a run": [`${api}/flow_runs/`, json], "make a run, unseen": [`${api}/flow_runs/`, shout],
        "take a token": [`${api}/csrf-token?client=x`],
    }
    const told = []
    for (const [name, [url, how]] of Object.entries(requests)) {
        // Unseen, the answer says nothing: that nothing came of it is for the test to see.
        told.push([name, await fetch(url, how).then(r => r.type == "opaque" ? "refused" : `answered ${r.status}`,
                                                    _ => "refused")])
    }
    for (const path of ["events/in", "events/out"]) {
        told.push([path, await new Promise(done => {
            const socket = new WebSocket(`${api.replace("http", "ws")}/${path}`)
            socket.onopen = () => done("opened"); socket.onclose = () => done("refused")
        })])
    }
    return told
}"""


@contextmanager
def _a_page_of_anothers() -> Iterator[str]:
    """A web page of another origin, as any that a person may have open."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<h1>Win a prize</h1>")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


def _runs(up: Up) -> int:
    """How many runs nobody has scheduled."""
    with up.client() as client:
        made = client.read_flow_runs(limit=200)
    return len([run for run in made if not run.auto_scheduled])


def _a_refund_that_is_due(up: Up) -> tuple[str, str, str]:
    """A return of one refund and nothing else: its id, amount and currency."""
    due = next(
        due
        for due in _asked(up, "audit")["due"]
        if float(due["amount"]) and due["payer"] == "desk" and not (due["blocked"] or due["exchange_units"])
    )
    return due["process_id"], due["amount"], due["currency"]


def _asked(up: Up, name: str) -> Any:
    return httpx.get(f"{up.address('sandbox')}/_sandbox/{name}", trust_env=False).raise_for_status().json()


def _process(up: Up, process_id: str) -> dict[str, Any]:
    """REVER's own view of the return."""
    url = f"{up.address('sandbox')}/v1/processes/{process_id}"
    answer = httpx.get(url, headers={"x-rever-api-key": "sandbox-key"}, trust_env=False).raise_for_status().json()
    found: dict[str, Any] = answer.get("process", answer)
    return found


def _refunds(up: Up, process_id: str) -> list[dict[str, Any]]:
    """What was paid for the return."""
    refunds: list[dict[str, Any]] = _process(up, process_id)["compensation"]["refunds"]
    return refunds


def _pay(up: Up, process_id: str) -> None:
    """Have a run pay what is due for the return."""
    with up.client() as client:
        deployment = client.read_deployment_by_name("process-return/process-return")
        form = {"process_id": process_id, "mode": "act"}
        run = client.create_flow_run_from_deployment(deployment.id, parameters={"parameters": form})
        wait_until(lambda: bool(_refunds(up, process_id)), "the refund", every_s=1)
        wait_until(lambda: (state := client.read_flow_run(run.id).state) is not None and state.is_final(), "its end")


def _open_the_form(page: Page, deployment_name: str = "process-return") -> None:
    page.get_by_role("link", name="Deployments").click()
    # They fill more than one page, so it is searched for, as a person does. The search undoes a click that came before
    # its result.
    page.get_by_placeholder("Search deployments").fill(deployment_name)
    page.get_by_text("Page 1 of 1").wait_for()
    deployment = page.get_by_role("link", name=deployment_name, exact=True).first
    deployment.wait_for()
    picture(page, "1 deployments")
    deployment.click()
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Custom run").click()
    page.wait_for_url(re.compile(r"/run\b"))


def _mode(page: Page) -> Locator:
    return page.get_by_role("button", name="Select Mode")


def _fill(page: Page, process_id: str) -> None:
    page.get_by_label("Return", exact=True).fill(process_id)
    _mode(page).click()
    page.get_by_role("option", name="act", exact=True).click()


def _open_the_run(page: Page) -> None:
    run = page.locator("a[href*='/runs/flow-run/']").first
    run.wait_for(timeout=120_000)
    run.click()
    page.wait_for_url(re.compile("/runs/flow-run/"))


def _open_an_artifact(page: Page, key: str) -> None:
    page.get_by_role("tab", name="Artifacts").click()
    page.locator("a[href*='/artifacts/']").filter(has_text=key).first.click()
    page.wait_for_url(re.compile("/artifacts/"))
