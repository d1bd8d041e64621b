"""Starting, stopping, the key, the control endpoints, and the shop whose REVER pays by itself."""

import os
import signal
import subprocess
import sys
import time

import httpx
import pytest

from rever_api.models import ReturnProcess
from rever_api.sandbox import Options, RunningSandbox, running_sandbox
from rever_api.sandbox.server import Quota
from rever_api.sandbox.state import Actor
from tests.rever_api.sandbox.conftest import client_of


def test_it_answers_when_it_is_yielded_and_is_gone_afterwards(capfd: pytest.CaptureFixture[str]) -> None:
    started = time.process_time()
    with running_sandbox(returns=200) as running:
        assert time.process_time() - started < 1
        with client_of(running) as http:
            assert http.get("/v1/processes").json()["rowcount"] == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(running.base_url)
    assert capfd.readouterr() == ("", "")


def test_answers_do_not_wait_for_a_delayed_acknowledgement(running: RunningSandbox, http: httpx.Client) -> None:
    started = time.monotonic()
    for _ in range(50):
        http.get("/v1/settings", params={"ecommerce_id": "acme"})
    assert time.monotonic() - started < 1.5


def test_a_wrong_key_is_a_401_and_the_control_endpoints_need_none(running: RunningSandbox) -> None:
    for headers in ({}, {"x-rever-api-key": "wrong"}):
        answer = httpx.get(f"{running.base_url}/v1/processes", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, 16)
    for name in ("books", "audit", "faults", "state", "journal"):
        answer = httpx.get(f"{running.base_url}/_sandbox/{name}")
        assert answer.status_code == 200
        assert running.api_key not in answer.text


def test_paths_and_methods_that_are_not_in_the_contract(http: httpx.Client) -> None:
    assert http.get("/v1/processes/").json()["code"] == 5
    assert http.get("/v2/processes").status_code == 404
    assert http.delete("/v1/processes").status_code == 405


def test_an_outage_refuses_connections_and_loses_nothing(running: RunningSandbox, http: httpx.Client) -> None:
    before = http.get("/v1/processes").json()
    with running.outage(), pytest.raises(httpx.ConnectError):
        httpx.get(running.base_url)
    assert http.get("/v1/processes").json() == before


def test_faults_are_set_and_stopped_over_http(running: RunningSandbox, http: httpx.Client) -> None:
    http.post("/_sandbox/faults", json={"faults": "getReturnProcess:1:unavailable_503", "seed": 5})
    path = f"/v1/processes/{running.process_ids()[0]}"
    assert http.get(path).status_code == 503
    found = http.get("/_sandbox/faults").json()
    assert (found["seed"], found["injected"]) == (5, {"unavailable_503": 1})
    http.post("/_sandbox/faults", json={"faults": "mixed:1"})
    http.post("/_sandbox/faults", json={"stop": True})
    assert http.get(path).status_code == 200
    assert http.post("/_sandbox/faults", json={"faults": "x"}).status_code == 400


def test_others_act_over_http(running: RunningSandbox, http: httpx.Client) -> None:
    process_id = running.process_ids("label_ready", "acme")[0]
    path = f"/v1/processes/{process_id}"
    for action in ("collect", "arrive", "review"):
        assert http.post("/_sandbox/act", json={"action": action, "process_id": process_id}).status_code == 200
    process = ReturnProcess.model_validate(http.get(path).json())
    assert [review.status for review in process.reviews or ()] == ["APPROVED"]
    http.post("/_sandbox/act", json={"action": "pay", "process_id": process_id})
    assert http.get(path).json()["rever_process_status"] == "COMPLETED"
    assert [(e.operation, e.by) for e in running.books.of(process_id)] == [
        ("addReview", "warehouse"),
        ("issueRefund", "back_office"),
    ]
    for wrong in ({"action": "fly", "process_id": process_id}, {"action": "hold", "process_id": "x"}, [1]):
        assert http.post("/_sandbox/act", json=wrong).status_code in {400, 404}
    assert (
        http.post("/_sandbox/act", json={"action": "pay", "process_id": process_id, "amount": "x"}).status_code == 400
    )


def test_changes_are_published(running: RunningSandbox) -> None:
    seen: list[tuple[str, str]] = []
    running.sandbox.subscribers.append(lambda p: seen.append((p.rever_process_id, str(p.rever_process_status))))
    process_id = running.process_ids("approved_one")[0]
    running.act("hold", process_id)
    running.act("release", process_id)
    assert seen == [(process_id, "ON_HOLD"), (process_id, "RUNNING")]


def test_a_rever_that_pays_by_itself_does_so_some_seconds_after_the_review() -> None:
    with running_sandbox(returns=80, shops=("acme", "autopay"), pays_itself_after=60) as running:
        waiting = running.process_ids("in_warehouse", "autopay")[0]
        running.act("review", waiting)
        assert running.books.paid(by=Actor.REVER) == {}
        running.advance(61)
        (refund,) = (e for e in running.books.of(waiting, "issueRefund"))
        assert (refund.by, refund.currency) == ("rever", "EUR")
        with running.sandbox.locked():
            assert running.sandbox.find(waiting).process.rever_process_status == "COMPLETED"
        assert running.books.paid("acme", by=Actor.REVER) == {}
        assert running.audit().violations == ()
        unpaid = [due for due in running.audit().due if due.payer == "rever" and due.amount]
        assert unpaid
        assert not any(due.anything for due in unpaid if not due.label)


def test_it_pays_the_rest_after_a_second_review() -> None:
    with running_sandbox(returns=40, shops=("autopay",), pays_itself_after=10) as running:
        process_id = running.process_ids("in_warehouse")[0]
        with running.sandbox.locked():
            lines = running.sandbox.find(process_id).process.return_line_items
        for line in (lines[0], lines[0], lines[1]):
            running.act("review_one", process_id, line_item_id=line.id)
            running.advance(11)
        paid = [effect.amount for effect in running.books.of(process_id, "issueRefund")]
        assert len(paid) == 3
        assert sum(amount or 0 for amount in paid) == sum(line.total_price or 0 for line in lines)


def test_shops_may_pay_before_the_review() -> None:
    with running_sandbox(timings={"nordic": "ON_ITEM_SENT"}) as running:
        collected = running.process_ids("collected", "nordic")
        assert {due.process_id for due in running.audit().due if due.amount} >= set(collected)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_served_by_itself_it_says_how_to_use_it_and_ends_cleanly(number: signal.Signals) -> None:
    code = "from rever_api.sandbox import serve; serve(port=0, returns=5)"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        found = [process.stdout.readline() for _ in range(8)]
        url = found[0].split()[-1]
        answer = httpx.get(f"{url}/v1/processes", headers={"x-rever-api-key": "sandbox-key"})
        assert answer.json()["rowcount"] == 5
        process.send_signal(number)
        _, err = process.communicate(timeout=5)
    finally:
        process.kill()
    assert (process.returncode, err) == (0, "")
    assert "sandbox-key" in found[1]
    assert "acme, nordic" in found[2]


def test_unknown_shops_and_faults_and_a_taken_port_are_said() -> None:
    with pytest.raises(ValueError, match="there is no shop 'zara'"), running_sandbox(shops=("zara",)):
        pass
    with pytest.raises(ValueError, match=r"^faults"), running_sandbox(faults="wild"):
        pass
    with running_sandbox(returns=1) as running:
        port = int(running.base_url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"), running_sandbox(port=port):
            pass


def test_a_limited_rever_answers_a_second_s_worth_and_refuses_the_rest_for_now() -> None:
    with running_sandbox(returns=1, options=Options(rate=5)) as limited, client_of(limited) as http:
        answers = [http.get("/v1/settings", params={"ecommerce_id": "acme"}) for _ in range(7)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
        assert (answers[-1].headers["Retry-After"], answers[-1].json()["code"]) == ("1", 8)
        assert [entry.status for entry in limited.journal.entries] == [200] * 5 + [429] * 2


def test_the_lean_server_answers_the_same() -> None:
    pytest.importorskip("httptools")
    with running_sandbox(returns=3, seed=5) as plain, running_sandbox(returns=3, seed=5, lean=True) as lean:
        for path in ("/v1/settings?ecommerce_id=acme", f"/v1/processes/{plain.process_ids()[0]}/label", "/nothing"):
            answers = [client.get(path) for client in (client_of(plain), client_of(lean))]
            assert answers[0].text.replace(plain.base_url, lean.base_url) == answers[1].text
            assert answers[0].status_code == answers[1].status_code


def test_a_second_s_worth_at_once_then_one_after_each_interval() -> None:
    now = [100.0]
    quota = Quota(4, lambda: now[0])
    assert [quota.take() for _ in range(4)] == [0] * 4
    assert quota.take() == pytest.approx(0.25)
    now[0] += 0.25
    assert quota.take() == 0
    assert quota.take() > 0
    now[0] += 60
    assert [bool(quota.take()) for _ in range(5)] == [False] * 4 + [True]


def test_no_rate_is_no_limit() -> None:
    quota = Quota(None)
    assert [quota.take() for _ in range(100)] == [0] * 100
