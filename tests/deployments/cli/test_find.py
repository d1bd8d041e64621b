"""`find` and `why` by whatever a person knows of a return, what they say of several, and exit code 2 for none."""

import io
import json
from contextlib import closing

import pytest

from deployments.receiver.delivery import Kind, read_content
from deployments.receiver.example import example_body
from deployments.receiver.inbox import Delivery, Inbox, store
from rever_api.models import ReturnProcess
from rever_api.sandbox import RunningSandbox
from tasks.desk import utc_now
from tests.deployments.cli.conftest import Call
from tests.hurry import hurry


@pytest.fixture
def rever(call: Call, rever: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> RunningSandbox:
    """A sandbox whose returns a run has looked at."""
    hurry(monkeypatch.setattr)
    assert call("run", "process-pending-returns", "mode=act", "--no-prefect").code == 0
    return rever


def paid(rever: RunningSandbox) -> ReturnProcess:
    """A return that was paid, with a parcel."""
    return rever.sandbox.processes[rever.process_ids("approved_one")[0]].process


def keys(call: Call, rever: RunningSandbox) -> dict[str, str]:
    """What leads to one return, by the kind of key."""
    hold = next(hold for hold in json.loads(call("holds", "--json").out) if hold["kind"] == "foreign_refund")
    it = rever.sandbox.processes[hold["process_id"]].process
    assert it.logistics
    return {
        "id": it.rever_process_id,
        "order": it.order_name,
        "bare order": it.order_name.lstrip("#"),
        "hold": hold["hold_id"],
        "tracking": it.logistics[0].tracking_number,
    }


def test_every_key_leads_to_the_return_and_its_story(call: Call, rever: RunningSandbox) -> None:
    known = keys(call, rever)
    for typed in known.values():
        found, story = call("find", typed), call("why", typed)
        assert (found.code, story.code) == (0, 0), story.err
        assert found.out.startswith(f"{known['id']} (order {known['order']}, store acme, running")
        assert story.out.startswith(f"Return of order {known['order']}, store acme\n  return     {known['id']}\n")
        assert "waits for  a person's answer" in story.out
        assert "CET  REVER: the shopper started the return" in story.out


def test_why_tells_how_a_label_is_chosen_though_there_are_no_rules(call: Call, rever: RunningSandbox) -> None:
    (process_id,) = rever.process_ids("carrier_ops")
    story = call("why", process_id).out
    assert "label      " in story
    assert "OPS/CTT: takes it" in story
    assert "SENDCLOUD/DHL: PT is not served" in story


def test_an_email_is_read_from_stdin_or_typed_and_is_said_nowhere(
    call: Call, rever: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = paid(rever)
    assert it.shopper
    email = it.shopper.email
    typed = call("why", email)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{email}\n"))
    read = call("why", "-")
    assert typed.code == read.code == 0
    assert it.rever_process_id in typed.out
    assert it.rever_process_id in read.out
    assert email not in typed.out + typed.err + read.out + read.err


def test_several_returns_are_all_shown_and_said_to_be(call: Call, rever: RunningSandbox) -> None:
    one, other = (rever.sandbox.processes[process_id] for process_id in rever.process_ids("approved_one")[:2])
    with rever.sandbox.locked():
        other.process = other.process.model_copy(update={"order_name": one.process.order_name})
    typed = one.process.order_name.lstrip("#")
    story = call("why", typed)
    assert story.out.startswith(f"2 returns found by order number {typed}.\n\nReturn of order ")
    assert story.out.count("\n  return     ") == 2
    listed = json.loads(call("find", typed, "--json").out)
    ids = {one.process.rever_process_id, other.process.rever_process_id}
    assert {each["process_id"] for each in listed} == ids
    assert all(each["worth"] and each["state"] == "completed" for each in listed)


NOTHING = {
    "retp_nobody": "no id of a return at REVER",
    "#AC1": "no return of an order #AC1",
    "AC1": "no return of an order AC1",
    "tracking:XX1": "all 20 returns of acme",
    "e" * 32: "the ledger has no hold",
    "nobody@example.com": "no return was found by this e-mail address",
    "nobody@": "write the e-mail address as",
    "Olga Ortiz": "no digit",
    " ": "name a return",
}


@pytest.mark.parametrize("command", ["find", "why"])
def test_nothing_found_is_exit_code_2_and_says_where_it_was_looked_for(
    call: Call, rever: RunningSandbox, command: str
) -> None:
    for typed, said in NOTHING.items():
        ended = call(command, typed)
        assert (ended.code, ended.out) == (2, ""), typed
        assert said in ended.err, typed
        assert "nobody@" not in ended.err
        assert "Olga" not in ended.err


def test_in_an_outage_the_ledger_finds_and_tells_and_says_that_rever_was_not_asked(
    call: Call, rever: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = keys(call, rever)
    monkeypatch.setenv("REVER_ACCOUNT", rever.base_url)
    monkeypatch.setenv("REVER_BASE_URL", "http://127.0.0.1:9")
    for kind, typed in known.items():
        ended = call("why", typed)
        if kind == "tracking":
            assert ended.code == 1
            assert "is not in the ledger, and REVER could not be asked" in ended.err
            continue
        assert ended.code == 0, ended.err
        assert ended.out.startswith("REVER could not be asked (")
        assert f"return     {known['id']}" in ended.out
        assert " UTC  process-pending-returns: decided:" in ended.out
    assert call("why", "nobody@example.com").code == 1
    listed = call("find", known["order"], "--json")
    assert [each["process_id"] for each in json.loads(listed.out)] == [known["id"]]
    assert "there may be more returns" in listed.err


def test_the_events_of_an_order_are_dropped_by_its_number(call: Call, rever: RunningSandbox) -> None:
    it = paid(rever)
    for process_id in (it.rever_process_id, "example_1"):
        raw = example_body(Kind.CREATED, process_id)
        with closing(Inbox.open("sqlite:///rever-returns-inbox.sqlite")) as inbox:
            inbox.write(store, Delivery(raw, read_content(raw), "", utc_now()))
    dropped = call("inbox", "drop", it.order_name, "--by", "ann", "--why", "a test")
    assert (dropped.code, f"1 event about {it.rever_process_id}." in dropped.out) == (0, True), dropped.err
    assert call("inbox", "drop", "example_1", "--by", "ann", "--why", "a test").code == 0
    assert call("inbox", "drop", "#AC1", "--by", "ann", "--why", "a test").code == 2


@pytest.mark.parametrize(
    ("command", "by_id"),
    [("ledger forget", "2 webhook bodies"), ("inbox drop --why test", "1 event about")],  # the bodies' shopper is one
)
def test_nothing_is_removed_by_the_number_of_an_order_that_two_stores_have(
    call: Call, rever: RunningSandbox, command: str, by_id: str
) -> None:
    at: dict[str, str] = {}
    with rever.sandbox.locked(), closing(Inbox.open("sqlite:///rever-returns-inbox.sqlite")) as inbox:
        for process_id in rever.process_ids("approved_one"):
            stored = rever.sandbox.processes[process_id]
            if at.setdefault(stored.process.ecommerce_id, process_id) == process_id:
                stored.process = stored.process.model_copy(update={"order_name": "#1001"})
                raw = example_body(Kind.CREATED, process_id)
                inbox.write(store, Delivery(raw, read_content(raw), "", utc_now()))
    assert set(at) == {"acme", "nordic"}
    group, name, *reason = command.split()
    refused = call(group, name, "1001", "--by", "ann", *reason)
    assert (refused.code, refused.out) == (2, "")
    assert all(f"{process_id} (order #1001, store {shop}" in refused.err for shop, process_id in at.items())
    one = call(group, name, at["acme"], "--by", "ann", *reason)
    assert (one.code, by_id in one.out) == (0, True), one.out + one.err
