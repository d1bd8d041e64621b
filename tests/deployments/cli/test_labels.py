"""`labels show`: the parcels of a return, by REVER and by the ledger."""

import json

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
