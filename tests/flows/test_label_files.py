"""The files of labels, over HTTP: fetched once and kept, each fault refused with its sentence, no harm done by any."""

import errno
import hashlib
import json
import stat
from pathlib import Path

import pytest

from rever_api.label_file import kind_of
from rever_api.sandbox import Options
from rever_api.sandbox.labels import LabelFault
from tasks.ledger import label_files_of
from tasks.policy.label_files import KnownFile
from tasks.reporting.report_page import report_page
from tasks.reporting.report_parts import LabelFilesTally
from tests.flows.test_generate_labels import waiting
from tests.world import Start, World

LABELS = {"REVER_LABELS": "labels", "REVER_TIMEOUT": "5"}
KEEPS = ("label_ready", "label_needed_pickup", "label_needed_drop_off")


@pytest.fixture
def world(start_world: Start) -> World:
    return start_world(LABELS, returns=30, scenarios=KEEPS)


def run(world: World, **values: str) -> LabelFilesTally:
    report = world.run("generate-labels", mode=values.pop("mode", "act"), **values)
    assert report.label_files is not None
    assert not report.failed
    return report.label_files


def kept(world: World) -> dict[str, KnownFile]:
    ids = world.sandbox.process_ids()
    return {it.process_id: it for rows in world.read(label_files_of, ids).values() for it in rows if it.kept}


def files() -> list[Path]:
    return sorted(Path("labels").glob("*")) if Path("labels").exists() else []


def asked(world: World) -> int:
    """How often REVER was asked for an address."""
    return sum(entry.operation == "getPresignedLabelUrl" for entry in world.sandbox.journal.entries)


def test_each_label_that_is_shown_or_was_made_is_fetched_once_and_kept(world: World) -> None:
    made, shown = waiting(world), set(world.sandbox.process_ids("label_ready"))
    plan = run(world, mode="plan")
    assert (plan.kept, plan.left, files(), asked(world)) == (0, len(shown), [], 0)
    tally = run(world)
    assert (tally.kept, tally.missing, tally.left) == (len(made | shown), [], 0)
    found = kept(world)
    assert set(found) == made | shown
    assert {it.kind for it in found.values()} == {"pdf", "png"}
    assert stat.S_IMODE(Path("labels").stat().st_mode) == 0o700
    for path in files():
        content = path.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.name == f"{hashlib.sha256(content).hexdigest()}.{kind_of(content)}"
    for process_id, it in found.items():
        (order,) = world.sandbox.sandbox.processes[process_id].orders
        assert (Path("labels") / f"{it.digest}.{it.kind}").read_bytes() == world.sandbox.sandbox.label_files[order.id][
            0
        ]
    calls = asked(world)
    assert calls == len(made | shown)
    again = run(world)
    assert (again.kept, again.missing, asked(world)) == (0, [], calls), "what is kept is not asked for again"
    assert len(world.sandbox.sandbox.label_requests) == calls


def test_the_key_goes_to_rever_alone_and_the_address_nowhere(
    world: World, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    one, other = world.sandbox.process_ids("label_ready")[:2]
    world.sandbox.act("label_fault", other, fault="redirect")
    with caplog.at_level("DEBUG"):
        report = world.run("generate-labels", mode="act", process_ids=f"{one},{other}")
    requests = world.sandbox.sandbox.label_requests
    assert requests
    for headers in requests:
        assert world.sandbox.api_key not in headers.values()
        assert set(headers) == {"host", "accept", "accept-encoding", "user-agent"}
    out = capfd.readouterr()
    told = [caplog.text, out.out, out.err, "\n".join(report.lines()), report_page(report), json.dumps(report.as_json())]
    told += [repr(world.read(label_files_of, [one, other])), world.ledger_file.read_bytes().decode("latin-1")]
    for text in told:
        assert "signature=" not in text
        assert "/_sandbox/labels/" not in text
    shopper = world.sandbox.sandbox.processes[one].process.shopper
    assert shopper is not None
    assert not [text for text in told if shopper.email in text or shopper.last_name in text]


TOO_LARGE = "127.0.0.1 has a label's file of more than 5,000,000 bytes, and no larger one is taken"
FAULTS = {
    LabelFault.NO_FILE: "REVER has no file of this label, or none yet",
    LabelFault.EXPIRED: "127.0.0.1 answered 403: the address of the label's file has run out, or never led to one",
    LabelFault.FILE: "REVER's address of the label's file begins with file:; https: is needed",
    LabelFault.DATA: "REVER's address of the label's file begins with data:; https: is needed",
    LabelFault.PLAIN_HTTP: "REVER's address of the label's file begins with http:; https: is needed",
    LabelFault.USER: "REVER's address of the label's file carries a user or a password",
    LabelFault.PORT: "REVER's address of the label's file names port 6379; files are at 443, and at others are services"
    " of another kind",
    LabelFault.LOOPBACK_NAME: "localhost stands for this machine, and no label's file is fetched from there",
    LabelFault.PRIVATE: "10.255.255.1 stands for a private network, and no label's file is fetched from there",
    LabelFault.METADATA: "::ffff:169.254.169.254 stands for the address at which clouds tell machines their secrets,"
    " and no label's file is fetched from there",
    LabelFault.REDIRECT: "127.0.0.1 answered 302, which leads elsewhere; no redirect of a label's file is followed",
    LabelFault.HTML: "what 127.0.0.1 sent is no PDF, PNG or JPG, so it is no label's file",
    LabelFault.SVG: "what 127.0.0.1 sent is no PDF, PNG or JPG, so it is no label's file",
    LabelFault.ZIP: "what 127.0.0.1 sent is no PDF, PNG or JPG, so it is no label's file",
    LabelFault.EMPTY: "what 127.0.0.1 sent is no PDF, PNG or JPG, so it is no label's file",
    LabelFault.PACKED: "127.0.0.1 sent the label's file packed, which was not asked for",
    LabelFault.TOO_LARGE: TOO_LARGE,
    LabelFault.TOO_LARGE_UNSAID: TOO_LARGE,
    LabelFault.DRIP: "127.0.0.1 did not send the whole label's file within 1 s",
    LabelFault.CUT: "127.0.0.1 broke off within the label's file (remote protocol error)",
    LabelFault.NO_END: "the label's file that 127.0.0.1 sent has no end: it is not whole",
}
TAKEN = {LabelFault.EXPIRED_ONCE, LabelFault.LARGEST}
"""Faults with which the file comes all the same."""


def test_every_fault_is_refused_with_its_sentence_and_stops_nothing_else(
    start_world: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(FAULTS) | TAKEN == set(LabelFault)
    monkeypatch.setattr("tasks.fetch_label_files.FAILED_IN_A_ROW", 100)
    world = start_world({"REVER_LABELS": "labels", "REVER_TIMEOUT": "0.5"}, returns=60, scenarios=("label_ready",))
    ids = world.sandbox.process_ids()
    broken = dict(zip(ids, LabelFault, strict=False))
    for process_id, fault in broken.items():
        world.sandbox.act("label_fault", process_id, fault=fault)
    tally = run(world)
    assert {broken[it.process_id]: it.why for it in tally.missing} == FAULTS
    assert set(kept(world)) == {it for it in ids if broken.get(it) in {None, *TAKEN}}
    assert tally.kept == len(kept(world)) == len(files())
    calls = dict.fromkeys(ids, 0)
    for entry in world.sandbox.journal.entries:
        if entry.operation == "getPresignedLabelUrl":
            calls[entry.process_id] += 1
    twice = {LabelFault.EXPIRED, LabelFault.EXPIRED_ONCE}
    for process_id, many in calls.items():
        assert many == (2 if broken.get(process_id) in twice else 1), broken.get(process_id)
    assert world.holds() == []
    assert world.sandbox.audit().violations == ()


def test_a_file_that_does_not_come_is_asked_for_again_ever_more_seldom(world: World) -> None:
    (process_id,) = world.sandbox.process_ids("label_ready")[:1]
    world.sandbox.act("label_fault", process_id, fault="html")
    tries = []
    for _ in range(8):  # one run in a quarter of an hour
        told = run(world, process_ids=process_id).words
        assert told in {
            "none to be fetched",
            "1 did not come (rever-returns labels show ORDER says when it is asked for again)",
        }
        tries.append(asked(world))
        world.pass_time(900)
    assert tries == [1, 2, 2, 3, 3, 3, 3, 4]


def test_a_file_that_came_late_is_kept(world: World) -> None:
    (process_id,) = world.sandbox.process_ids("label_ready")[:1]
    world.sandbox.act("label_fault", process_id, fault="no_file")
    assert [it.process_id for it in run(world, process_ids=process_id).missing] == [process_id]
    world.sandbox.act("label_fault", process_id)
    assert run(world, process_ids=process_id).kept == 1
    (row,) = world.read(label_files_of, [process_id])[process_id]
    assert (row.kept, row.tries, row.why) == (True, 1, "")


def test_old_files_are_deleted_and_not_fetched_again(world: World) -> None:
    many = run(world).kept
    calls = asked(world)
    stray = Path("labels") / f"{'0' * 64}.pdf"
    stray.write_bytes(b"%PDF-")
    other = Path("labels") / "README"
    other.write_text("not ours")
    world.pass_time(31 * 86_400)
    tally = run(world)
    assert (tally.deleted, tally.kept) == (many + 1, 0)
    assert files() == [other]
    assert asked(world) == calls
    assert kept(world) == {}


def test_a_folder_that_others_may_open_is_not_used(world: World) -> None:
    Path("labels").mkdir(mode=0o755)
    Path("labels").chmod(0o755)
    tally = run(world)
    assert "is open to others (mode 0755" in tally.why_left
    assert (tally.kept, files(), kept(world)) == (0, [], {})
    Path("labels").chmod(0o700)
    assert run(world).kept > 0


def test_on_a_full_disk_nothing_is_taken_for_kept_and_what_is_old_makes_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first, *others) = world.sandbox.process_ids("label_ready")
    assert run(world, process_ids=first).kept == 1
    world.pass_time(31 * 86_400)

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("tasks.files.kept_labels.os.fsync", full)
        stopped = run(world, process_ids=",".join(others))
    assert (stopped.kept, stopped.missing, stopped.left, stopped.deleted) == (0, [], len(others), 1)
    assert "labels (REVER_LABELS) cannot be used for the files of labels: no space left on device" in stopped.why_left
    assert (files(), kept(world)) == ([], {})
    assert run(world, process_ids=",".join(others)).kept == len(others)


def test_a_rever_that_denies_the_call_fails_no_run(start_world: Start) -> None:
    world = start_world(LABELS, returns=10, scenarios=KEEPS, faults="getPresignedLabelUrl:1:unauthorized_401")
    tally = run(world)
    assert "REVER could not be asked for the files of labels" in tally.why_left
    assert tally.left > 0
    assert run(world).missing == []


def test_after_many_in_a_row_the_rest_is_left_to_another_run(world: World) -> None:
    ids = world.sandbox.process_ids()
    assert len(ids) > 12
    for process_id in ids:
        world.sandbox.act("label_fault", process_id, fault="html")
    tally = run(world)
    assert len(tally.missing) < len(ids)
    assert tally.left == len(ids) - len(tally.missing)
    assert "files in a row did not come" in tally.why_left


def test_where_the_last_ones_failed_nothing_is_said_of_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.fetch_label_files.FAILED_IN_A_ROW", 2)
    ids = world.sandbox.process_ids("label_ready")[:2]
    for process_id in ids:
        world.sandbox.act("label_fault", process_id, fault="html")
    tally = run(world, process_ids=",".join(ids))
    assert (len(tally.missing), tally.left, tally.why_left) == (2, 0, "")


def test_an_address_that_the_return_shows_is_used_and_saves_the_call(start_world: Start) -> None:
    shown = Options(shows_label_urls=True)
    world = start_world(LABELS, returns=6, scenarios=("label_ready",), options=shown)
    many = run(world).kept
    assert (many, asked(world)) == (6, 0)
    assert len(kept(world)) == 6


def test_where_the_shown_address_has_run_out_rever_is_asked_once(start_world: Start) -> None:
    shown = Options(shows_label_urls=True)
    world = start_world(LABELS, returns=6, scenarios=("label_ready",), options=shown)
    world.sandbox.act("label_fault", world.sandbox.process_ids()[0], fault="expired_once")
    assert (run(world).kept, asked(world)) == (6, 1)


def test_the_file_of_an_earlier_label_is_not_kept_for_a_new_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (process_id,) = world.sandbox.process_ids("label_ready")[:1]
    run(world, process_ids=process_id)
    (before,) = world.read(label_files_of, [process_id])[process_id]
    world.sandbox.act("cancel_label", process_id)
    stored = world.sandbox.sandbox.processes[process_id]
    first = world.sandbox.sandbox.label_files[stored.orders[0].id]
    run(world, process_ids=process_id)
    new = stored.orders[-1].id
    assert new != stored.orders[0].id
    both = world.read(label_files_of, [process_id])[process_id]
    assert [(it.parcel, it.kept) for it in both] == [(1, True), (2, True)]
    assert both[0].digest == before.digest != both[1].digest
    world.sandbox.act("cancel_label", process_id)

    monkeypatch.setattr("rever_api.sandbox.labels.label_of", lambda _order: first)
    tally = run(world, process_ids=process_id)
    (missing,) = tally.missing
    assert (missing.parcel, missing.why) == (3, "REVER still gives the file of an earlier label of this return")


def test_without_a_folder_nothing_is_fetched(start_world: Start) -> None:
    world = start_world(returns=10, scenarios=KEEPS)
    report = world.run("generate-labels", mode="act")
    assert (report.label_files, asked(world)) == (None, 0)
    assert not [line for line in report.lines() if "label file" in line]
