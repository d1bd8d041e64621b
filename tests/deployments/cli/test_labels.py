"""`labels`: the parcels of a return, by REVER and by the ledger; a label made by hand."""

import json
from pathlib import Path

import pytest

from rever_api.sandbox import RunningSandbox
from tests.deployments.cli.conftest import Call
from tests.hurry import hurry


@pytest.fixture
def rever(call: Call, rever: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> RunningSandbox:
    """A sandbox whose returns got their labels by a run."""
    hurry(monkeypatch.setattr)
    assert call("run", "process-pending-returns", "mode=act", "--no-prefect").code == 0
    return rever


def test_the_parcels_of_a_return_are_listed_with_the_time_since_when(call: Call, rever: RunningSandbox) -> None:
    process_id = rever.process_ids("label_ready")[0]
    process = rever.sandbox.processes[process_id].process
    assert process.logistics
    (parcel,) = process.logistics
    (shown,) = json.loads(call("labels", "show", process_id, "--json").out)
    (row,) = shown["parcels"]
    assert (row["parcel"], row["carrier"], row["tracking"]) == (1, parcel.carrier, parcel.tracking_number)
    assert (row["status"], shown["store"]) == ("CREATED", process.ecommerce_id)
    assert row["since"] is not None
    with rever.outage():
        told = call("labels", "show", process.order_name)
    assert "REVER could not be asked" in told.out
    assert parcel.tracking_number in told.out


def test_a_label_that_no_run_has_read_yet_is_just_seen(call: Call, rever: RunningSandbox) -> None:
    made = call("labels", "show", rever.process_ids("label_needed_pickup")[0])
    assert made.code == 0, made.err
    assert "just seen" in made.out


def test_a_return_without_a_parcel_says_so(call: Call, rever: RunningSandbox) -> None:
    assert call("labels", "show", rever.process_ids("in_store")[0]).out.rstrip().endswith(": no parcel")


def test_a_label_made_by_hand_is_registered_by_a_command(call: Call, rever: RunningSandbox, tmp_path: Path) -> None:
    order = rever.sandbox.find(process_id := rever.process_ids("carrier_ops", store="acme")[0]).process.order_name
    (tmp_path / "label.png").write_bytes(b"\x89PNG\r\n\x1a\n...")
    label = ("labels", "register", order, str(tmp_path / "label.png"), "--carrier", "CTT", "--tracking", "JD 01")
    plan = call(*label, "--no-prefect")
    assert (plan.code, rever.sandbox.find(process_id).orders) == (0, ())
    sent = "would be sent to REVER (createReverseDelivery): label 1 of the return: provider OPS, carrier CTT"
    assert sent in plan.out
    done = call(*label, "--url", "https://ctt.pt/JD01", "--act", "--no-prefect")
    assert (done.code, "the hold `label_refused` is closed" in done.out) == (0, True)
    (made,) = rever.sandbox.find(process_id).orders
    assert (made.tracking_id, made.tracking_url) == ("JD 01", "https://ctt.pt/JD01")
    wrong = call(*label[:3], str(tmp_path / "label.jpeg"), *label[4:], "--act", "--no-prefect")
    assert (wrong.code, "REVER takes the extension jpg, and not jpeg" in wrong.err) == (2, True)
