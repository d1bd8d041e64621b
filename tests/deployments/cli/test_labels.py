"""`labels`: the parcels of a return with their files, a file got out, old ones deleted, a shopper's forgotten."""

import json
import os
import resource
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.cli import label_files
from rever_api.sandbox import RunningSandbox
from tests.deployments.cli.conftest import Call
from tests.hurry import hurry


@pytest.fixture
def rever(call: Call, start_sandbox: Callable[..., RunningSandbox], monkeypatch: pytest.MonkeyPatch) -> RunningSandbox:
    """A sandbox whose returns got their labels by a run."""
    rever = start_sandbox(returns=12, scenarios=("label_ready", "label_needed_pickup", "in_store", "carrier_ops"))
    monkeypatch.setenv("REVER_BASE_URL", rever.base_url)
    monkeypatch.setenv("REVER_API_KEY", rever.api_key)
    monkeypatch.setenv("REVER_STORES", ",".join(rever.stores))
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
    (tmp_path / "label.png").write_bytes(b"\x89PNG\r\n\x1a\n...IEND\xaeB`\x82")
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


@pytest.fixture
def keeping(call: Call, rever: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> RunningSandbox:
    """A desk that keeps the files of labels, and has fetched them."""
    monkeypatch.setenv("REVER_LABELS", "labels")
    ran = call("run", "generate-labels", "mode=act", "--no-prefect")
    assert "fetched; get one: rever-returns labels get ORDER --out FILE" in ran.out
    return rever


def asked(rever: RunningSandbox) -> int:
    return sum(entry.operation == "getPresignedLabelUrl" for entry in rever.journal.entries)


def test_a_kept_file_is_shown_and_got_without_asking_rever_for_it(call: Call, keeping: RunningSandbox) -> None:
    process_id = keeping.process_ids("label_ready")[0]
    stored = keeping.sandbox.processes[process_id]
    content, kind = keeping.sandbox.label_files[stored.orders[0].id]
    calls = asked(keeping)
    assert f"({kind}, {len(content):,} bytes)" in call("labels", "show", process_id).out
    got = call("labels", "get", stored.process.order_name, "--out", "label.pdf")
    assert got.code == 0, got.err
    assert got.out.startswith(f"label.pdf: the label of {stored.process.order_name}, parcel 1 ({kind}, ")
    assert Path("label.pdf").read_bytes() == content
    assert stat.S_IMODE(Path("label.pdf").stat().st_mode) == 0o600
    again = call("labels", "get", process_id, "--out", "label.pdf")
    assert (again.code, "nothing is overwritten" in again.err) == (2, True)
    folder = call("labels", "get", process_id, "--out", "for-ada")
    names = [it.name for it in Path("for-ada").iterdir()]
    assert (folder.code, names) == (0, [f"{stored.process.order_name.lstrip('#')}-1.{kind}"])
    with keeping.outage():
        assert "REVER could not be asked" in call("labels", "get", process_id, "--out", "in-an-outage.pdf").out
    assert Path("in-an-outage.pdf").read_bytes() == content
    assert asked(keeping) == calls


def test_a_file_that_is_not_kept_is_asked_for_and_one_that_does_not_come_is_said(
    call: Call, rever: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = rever.process_ids("label_ready")[0], rever.process_ids("label_needed_pickup")[0]
    got = call("labels", "get", one, "--out", "label.pdf")
    assert (got.code, Path("labels").exists()) == (0, False)
    monkeypatch.setenv("REVER_LABELS", "labels")
    rever.act("label_fault", other, fault="zip")
    failed = call("labels", "get", other, "--out", "other.pdf")
    assert failed.code == 1
    assert failed.out == f"{other}, parcel 1: what 127.0.0.1 sent is no PDF, PNG or JPG, so it is no label's file\n"
    assert not Path("other.pdf").exists()
    rever.act("label_fault", other)
    assert call("labels", "get", other, "--out", "other.pdf").code == 0
    calls = asked(rever)
    assert call("labels", "get", other, "--out", "again.pdf").code == 0
    assert asked(rever) == calls, "what a person has fetched is kept too"
    none = call("labels", "get", rever.process_ids("in_store")[0], "--out", "none.pdf")
    assert (none.code, none.out) == (1, "there is no label that is ready and not used yet\n")


def test_two_returns_of_one_order_get_a_file_each(call: Call, keeping: RunningSandbox) -> None:
    ids = keeping.process_ids("label_ready", store="acme")[:2]
    one, other = (keeping.sandbox.processes[process_id] for process_id in ids)
    with keeping.sandbox.locked():
        other.process = other.process.model_copy(update={"order_name": one.process.order_name})
    got = call("labels", "get", one.process.order_name, "--out", "both")
    assert got.code == 0, got.out + got.err
    assert len(list(Path("both").iterdir())) == 2
    assert all(any(process_id in it.name for it in Path("both").iterdir()) for process_id in ids)


def test_a_kept_file_that_is_gone_from_the_folder_is_said_to_be_and_got_from_rever(
    call: Call, keeping: RunningSandbox
) -> None:
    process_id = keeping.process_ids("label_ready")[0]
    (shown,) = json.loads(call("labels", "show", process_id, "--json").out)
    file = shown["parcels"][0]["file"]
    path = Path("labels") / f"{file['sha256']}.{file['kind']}"
    content = path.read_bytes()
    path.unlink()
    path.symlink_to("/etc/hostname")
    (shown,) = json.loads(call("labels", "show", process_id, "--json").out)
    assert shown["parcels"][0]["file"] is None
    gone = "and is not in labels (REVER_LABELS) any more: labels get asks REVER for it"
    assert gone in shown["parcels"][0]["no_file"]
    assert gone in call("labels", "show", process_id).out
    assert call("labels", "get", process_id, "--out", "label.pdf").code == 0
    assert Path("label.pdf").read_bytes() == path.read_bytes() == content
    assert not path.is_symlink()


def test_a_file_that_cannot_be_written_whole_is_not_left_behind(
    call: Call, keeping: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    process_id = keeping.process_ids("label_ready")[0]
    write, before = label_files._write, resource.getrlimit(resource.RLIMIT_FSIZE)

    def on_a_full_disk(path: Path, content: bytes) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
        try:
            write(path, content)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    monkeypatch.setattr(label_files, "_write", on_a_full_disk)
    failed = call("labels", "get", process_id, "--out", "label.pdf")
    assert (failed.code, "the system refused" in failed.err) == (1, True)
    assert not Path("label.pdf").exists()


def test_the_label_of_a_cancelled_parcel_is_not_handed_out(call: Call, keeping: RunningSandbox) -> None:
    process_id = keeping.process_ids("label_ready")[0]
    keeping.act("cancel_label", process_id)
    got = call("labels", "get", process_id, "--out", "label.pdf")
    assert (got.code, Path("label.pdf").exists()) == (1, False)


def test_once_a_label_was_replaced_the_new_one_is_handed_out_and_the_old_one_never_again(
    call: Call, keeping: RunningSandbox
) -> None:
    process_id = keeping.process_ids("label_needed_pickup")[0]
    reissued = call("labels", "reissue", process_id, "--why", "the shopper lost it", "--act", "--no-prefect")
    assert reissued.code == 0, reissued.out + reissued.err
    stored = keeping.sandbox.processes[process_id]
    old, new = (keeping.sandbox.label_files[order.id][0] for order in stored.orders)
    assert call("run", "generate-labels", "mode=act", "--no-prefect").code == 0
    (shown,) = json.loads(call("labels", "show", process_id, "--json").out)
    assert [(it["parcel"], it["replaced"], bool(it["file"])) for it in shown["parcels"]] == [
        (1, True, True),
        (2, False, True),
    ]
    assert call("labels", "get", process_id, "--out", "label.pdf").code == 0
    assert Path("label.pdf").read_bytes() == new != old
    with keeping.outage():
        call("labels", "get", process_id, "--out", "outage.pdf")
    assert Path("outage.pdf").read_bytes() == new


def test_a_forgotten_shoppers_files_are_deleted_and_no_run_fetches_them_again(
    call: Call, keeping: RunningSandbox
) -> None:
    one, other = keeping.process_ids("label_ready")[0], keeping.process_ids("label_needed_pickup")[0]
    shopper = keeping.sandbox.processes[other].process.shopper
    assert shopper is not None
    before = set(Path("labels").iterdir())
    gone = call("ledger", "forget", one, "--by", "olga")
    assert (gone.code, "and 1 file of labels. Kept:" in gone.out) == (0, True), gone.out + gone.err
    (removed,) = before - set(Path("labels").iterdir())
    assert removed.stem not in call("labels", "show", one, "--json").out
    assert "of labels. Kept:" in call("ledger", "forget", "--email", shopper.email, "--by", "olga").out
    left = set(Path("labels").iterdir())
    assert len(left) < len(before) - 1
    calls = asked(keeping)
    assert call("run", "generate-labels", "mode=act", "--no-prefect").code == 0
    assert (asked(keeping), set(Path("labels").iterdir())) == (calls, left)


def test_old_files_are_deleted_by_a_command(
    call: Call, keeping: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = len(list(Path("labels").iterdir()))
    assert call("labels", "prune").out == "0 files deleted from labels: older than 30 days, or unknown to the ledger.\n"
    monkeypatch.setenv("REVER_LABELS_KEPT", "0.0000001")
    for file in Path("labels").iterdir():
        os.utime(file, (0, 0))
    assert call("labels", "prune").out.startswith(f"{many} files deleted from labels")
    assert list(Path("labels").iterdir()) == []
    assert "deleted 20" in call("labels", "show", keeping.process_ids("label_ready")[0]).out
    monkeypatch.setenv("REVER_LABELS", "")
    assert call("labels", "prune").code == 2


def test_a_lost_label_is_replaced_by_a_command_and_shown_as_replaced(call: Call, rever: RunningSandbox) -> None:
    order = rever.sandbox.find(process_id := rever.process_ids("label_ready", store="acme")[0]).process.order_name
    rever.act("lose_label", process_id)
    command = ("labels", "reissue", order, "--why", "the shopper lost it", "--by", "olga", "--no-prefect")
    plan = call(*command)
    assert (plan.code, len(rever.sandbox.find(process_id).orders)) == (0, 1)
    assert "would be replaced: the label of parcel 1" in plan.out
    for said in (
        "replaced: the label of parcel 1",
        "not replaced: the label of parcel 1 was replaced already, for olga",
    ):
        done = call(*command, "--act")
        assert (done.code, said in done.out) == (0, True)
    assert len(rever.sandbox.find(process_id).orders) == 2
    (shown,) = json.loads(call("labels", "show", order, "--json").out)
    assert [(row["parcel"], row["replaced"]) for row in shown["parcels"]] == [(1, True), (2, False)]
    assert "created, replaced" in call("labels", "show", order).out
    wrong = call(*command[:4], "ann@example.com lost it", "--act")
    assert (wrong.code, "without an e-mail address" in wrong.err) == (2, True)
