"""register-label: a label that a person has made is registered at REVER once, and what waited for it goes on."""

import asyncio
import base64
from pathlib import Path

import pytest

from flows.run import UsageError, parameters_for
from rever_api.models import Review
from rever_api.sandbox.labels import label_pdf
from tasks.desk import Desk, WrongNameError
from tasks.effects.perform import Outcome, Result
from tasks.fetch_returns import PendingReturn, fetch_return
from tasks.ledger import Actor, forget_return, history
from tasks.register_label import LabelByHand, register_labels
from tasks.reporting.report import ReturnsReport
from tests.asked import at_desk
from tests.books import LedgerState
from tests.judge import assert_promises_kept
from tests.world import Start, World, told

FLOW = "register-label"
NUMBER = "JD 0140 2278"


@pytest.fixture
def world(start_world: Start) -> World:
    """One return that REVER's own people make the label of: a run has asked, was told so (501), and holds it."""
    world = start_world(shops=("acme",), returns=34)
    world.keep_only(("carrier_ops",))
    world.run("generate-labels", mode="act")
    assert [hold.rule for hold in world.holds()] == ["label_refused"]
    return world


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "label.pdf"
    path.write_bytes(label_pdf("JD01402278", "CTT"))
    return path


def register(world: World, file: Path | str, mode: str = "act", **values: str) -> ReturnsReport:
    (process_id,) = world.sandbox.process_ids()
    order = world.sandbox.sandbox.find(process_id).process.order_name.lstrip("#")
    given = {"process_id": order, "carrier": "CTT", "tracking_id": NUMBER} | values
    return world.run(FLOW, mode=mode, **({"file": str(file)} if str(file) else {}), **given)


def said(report: ReturnsReport) -> str:
    return "; ".join(report.notes)


def registered(world: World) -> list[str]:
    """The returns for which REVER has registered a label for us."""
    effects = world.sandbox.books.effects
    return [effect.process_id for effect in effects if effect.operation == "createReverseDelivery"]


def test_a_label_that_rever_refused_to_make_is_registered_once_and_its_hold_closes(world: World, file: Path) -> None:
    (process_id,) = world.sandbox.process_ids()
    plan = register(world, file, "plan", tracking_url="https://www.ctt.pt/track?id=1")
    assert (plan.decisions["register label"], registered(world)) == (1, [])
    for words in (
        "provider OPS",
        "carrier CTT",
        f"number {NUMBER}",
        "https://www.ctt.pt/track?id=1",
        "label.pdf (pdf, ",
    ):
        assert words in plan.notes[-1]
    done = register(world, file, tracking_url="https://www.ctt.pt/track?id=1")
    assert done.outcomes["done"] == 1
    assert done.notes[-1] == "the hold `label_refused` is closed"
    assert (registered(world), world.holds()) == ([process_id], [])
    stored = world.sandbox.sandbox.find(process_id)
    (parcel,) = stored.process.logistics or ()
    assert (parcel.tracking_number, parcel.carrier) == (NUMBER, "CTT")
    assert world.sandbox.sandbox.label_files[stored.orders[-1].id] == (file.read_bytes(), "pdf")
    again = register(world, file)
    assert again.notes[-1] == ("not registered: the registered label is not to be done: REVER shows a parcel already")
    world.act()
    world.run("generate-labels", mode="act")
    assert (registered(world), world.holds()) == ([process_id], [])
    assert_promises_kept(world)


def test_the_ledger_has_a_digest_and_not_the_label_and_forgets_the_number(world: World, file: Path) -> None:
    register(world, file)
    (process_id,) = world.sandbox.process_ids()
    kept = b"".join(it.read_bytes() for it in world.ledger_file.parent.glob(f"{world.ledger_file.name}*"))
    assert base64.b64encode(file.read_bytes())[:60] not in kept
    assert b"%PDF" not in kept
    known = world.read(history, process_id)
    assert known is not None
    assert NUMBER not in told(known)
    world.write(forget_return, process_id, now=world.clock(), actor=Actor("ada"))
    assert NUMBER not in repr(world.read(LedgerState.read))
    assert str(file) not in repr(world.read(LedgerState.read))


def test_a_file_that_rever_would_not_take_is_refused_before_anything_is_read(world: World, tmp_path: Path) -> None:
    (tmp_path / "label.jpeg").write_bytes(b"\xff\xd8\xff\xe0")
    before = world.sandbox.journal.as_json()
    for mode in ("plan", "act"):
        with pytest.raises(WrongNameError, match=r"nothing was sent: .*label.jpeg: REVER takes the extension jpg"):
            register(world, tmp_path / "label.jpeg", mode)
    assert world.sandbox.journal.as_json() == before


def test_a_form_reads_labels_of_its_folder_alone(
    world: World, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.register_label.deployment", type("Deployment", (), {"id": "d"}))
    with pytest.raises(WrongNameError, match="set REVER_LABEL_FILES"):
        register(world, file)
    inside = tmp_path / "labels"
    inside.mkdir()
    monkeypatch.setenv("REVER_LABEL_FILES", str(inside))
    with pytest.raises(WrongNameError, match="lies outside"):
        register(world, file)
    (inside / "label.pdf").write_bytes(file.read_bytes())
    assert register(world, "label.pdf").outcomes["done"] == 1


def test_a_carrier_that_the_store_does_not_know_is_refused_with_those_it_knows(world: World, file: Path) -> None:
    with pytest.raises(WrongNameError, match="know no carrier 'DLH'; they know DHL, CORREOS, CTT"):
        register(world, file, carrier="DLH")
    assert registered(world) == []


def test_a_number_of_another_return_s_parcel_is_refused(start_world: Start, file: Path) -> None:
    world = start_world(shops=("acme",), returns=34)
    world.keep_only(("carrier_ops", "label_ready"))
    other, mine = world.sandbox.process_ids("label_ready")[0], world.sandbox.process_ids("carrier_ops")[0]
    world.act()
    (parcel,) = world.sandbox.sandbox.find(other).process.logistics or ()
    lower = f" {parcel.tracking_number[:4].lower()} {parcel.tracking_number[4:]}"
    for mode in ("plan", "act"):
        with pytest.raises(WrongNameError, match=f"tracking number .* is that of {other} "):
            world.run(FLOW, mode=mode, process_id=mine, carrier="CTT", tracking_id=lower, file=str(file))
    assert registered(world) == []


def test_a_number_that_was_registered_a_moment_ago_is_taken_too(start_world: Start, file: Path) -> None:
    world = start_world(shops=("acme",), returns=34)
    world.keep_only(("carrier_ops", "label_needed_drop_off"))
    one, other = world.sandbox.process_ids("carrier_ops")[0], world.sandbox.process_ids("label_needed_drop_off")[0]
    world.sandbox.set_faults("createReverseDelivery:1:error_500_after")
    values = {"carrier": "CTT", "tracking_id": NUMBER, "file": str(file)}
    assert "is not known" in said(world.run(FLOW, mode="act", process_id=one, **values))
    with pytest.raises(WrongNameError, match=f"is that of {one} "):
        world.run(FLOW, mode="act", process_id=other, **values)


def test_of_two_returns_that_are_given_one_number_at_the_same_instant_not_both_get_it(start_world: Start) -> None:
    world = start_world(shops=("acme",), returns=34)
    world.keep_only(("carrier_ops", "label_needed_drop_off"))
    ids = [*world.sandbox.process_ids("carrier_ops")[:1], *world.sandbox.process_ids("label_needed_drop_off")[:1]]
    label = LabelByHand("OPS", "CTT", "", NUMBER, "")

    outcomes: list[Outcome | None] = []

    async def both(desk: Desk) -> None:
        async def one(process_id: str) -> None:
            pending = await fetch_return(desk, process_id)
            assert isinstance(pending, PendingReturn)
            _, asked = await register_labels(desk, pending, label)
            outcomes.append(asked.outcome)

        await asyncio.gather(*map(one, ids))

    at_desk(world, both)
    assert len(registered(world)) <= 1
    refused = [it for it in outcomes if it is not None and it.result is Result.NOT_SENT]
    assert refused, "both have passed the check before either was claimed"
    for it in refused:
        assert it.why == "another return has a label of this tracking number, or is being given one; look at the label"
    world.pass_time(600)
    if not registered(world):
        world.run(FLOW, mode="act", process_id=ids[0], carrier="CTT", tracking_id=NUMBER)
    (owner,) = registered(world)
    with pytest.raises(WrongNameError, match=f"is that of {owner} "):
        world.run(FLOW, mode="act", process_id=next(it for it in ids if it != owner), carrier="CTT", tracking_id=NUMBER)
    assert len(registered(world)) == 1
    world.act()
    assert_promises_kept(world)


@pytest.mark.parametrize(
    ("scenario", "why"),
    [
        ("label_ready", "REVER shows a parcel already"),
        ("collected", "past collection"),
        ("completed", "so no label is made"),
    ],
)
def test_a_return_that_waits_for_no_label_gets_none(start_world: Start, file: Path, scenario: str, why: str) -> None:
    world = start_world(shops=("acme",), returns=34)
    world.keep_only((scenario,))
    assert why in said(register(world, file))
    assert registered(world) == []


def test_a_lost_answer_is_held_and_sent_again_only_by_a_person_and_with_the_same_file(world: World, file: Path) -> None:
    world.sandbox.set_faults("createReverseDelivery:1:error_500_before")
    assert "whether REVER registered it is not known" in register(world, file).notes[-1]
    world.pass_time(120)
    repeated = register(world, file)
    assert repeated.notes[-1].startswith("not registered: REVER does not show the label that was asked for")
    assert registered(world) == []
    held = {hold.rule: hold for hold in world.holds()}
    assert set(held) == {"unknown_outcome", "label_refused"}
    label = file.read_bytes()
    file.unlink()
    again = {"mode": "act", "answer": "send_again", "by": "ada", "reason": "not there"}
    hold = held["unknown_outcome"]
    gone = world.run("answer-hold", hold_id=hold.hold_id, version=str(hold.version), **again)
    assert "not sent" in repr(gone.rows) + repr(gone.notes)
    assert "the label's file is not there any more" in repr(gone.rows)
    assert registered(world) == []
    file.write_bytes(label)
    assert register(world, file).outcomes["done"] == 1
    assert (len(registered(world)), world.holds()) == (1, [])
    assert_promises_kept(world)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"tracking_url": "http://www.dhl.com/1"}, "with https:// before it"),
        ({"tracking_url": "javascript:alert(1)"}, "with https:// before it"),
        ({"tracking_url": "https://ann:secret@dhl.com"}, "with https:// before it"),
        ({"tracking_id": ""}, "its tracking number, or both"),
        ({"carrier": " "}, "carrier"),
        ({"carrier": "ann@example.com"}, "in one line"),
        ({"return_method": "IN_STORE"}, "return_method"),
    ],
)
def test_the_form_says_at_which_field_it_is_wrong(values: dict[str, str], said: str) -> None:
    given = {"process_id": "retp_1", "carrier": "DHL", "tracking_id": "1"} | values
    with pytest.raises(UsageError, match=said):
        parameters_for(FLOW, given)


def test_a_label_that_a_person_has_closed_is_not_registered_too(world: World, file: Path) -> None:
    (hold,) = world.holds()
    about = {"hold_id": hold.hold_id, "version": str(hold.version), "by": "ada", "reason": "sent", "reference": "mail"}
    world.run("answer-hold", mode="act", answer="done_by_hand", **about)
    assert "a person has said that the label is taken care of" in said(register(world, file))
    assert registered(world) == []


def test_a_plan_needs_no_ledger(start_world: Start, file: Path) -> None:
    world = start_world(shops=("acme",), returns=34)
    world.keep_only(("carrier_ops",))
    assert "would be sent" in said(register(world, file, "plan"))
    assert not world.ledger_file.exists()


def test_of_several_parcels_the_second_is_registered_beside_the_first(
    start_world: Start, file: Path, tmp_path: Path
) -> None:
    (tmp_path / "policy.yaml").write_text("default: {labels: {parcels: {max_units: 1}}}\n")
    world = start_world(settings={"REVER_POLICY": str(tmp_path / "policy.yaml")}, shops=("acme",), returns=34)
    world.keep_only(("carrier_ops",))
    with world.sandbox.sandbox.locked():
        (stored,) = world.sandbox.sandbox.processes.values()
        lines = [it.model_copy(update={"quantity": 2}) for it in stored.process.return_line_items[:1]]
        world.sandbox.sandbox.change(stored, return_line_items=tuple(lines))
    world.run("generate-labels", mode="act")
    for number in ("A1", "A2"):
        assert register(world, file, tracking_id=number).outcomes["done"] == 1
        world.run("generate-labels", mode="act")
        if number == "A1":  # the same command again
            for mode in ("plan", "act"):
                with pytest.raises(WrongNameError, match="tracking number a 1 is that of its parcel 1 already"):
                    register(world, file, mode, tracking_id="a 1")
    assert "REVER shows all its parcels already" in said(register(world, file, tracking_id="A3"))
    assert (len(registered(world)), world.holds()) == (2, [])


def test_a_refund_goes_out_beside_a_label_of_unknown_outcome(start_world: Start, file: Path) -> None:
    world = start_world(shops=("acme",), returns=34)
    world.keep_only(("label_needed_drop_off",))
    with world.sandbox.sandbox.locked():
        (stored,) = world.sandbox.sandbox.processes.values()
        line, *others = stored.process.return_line_items
        two = line.model_copy(update={"quantity": 2})
        seen = Review(line_item_id=line.id, status="APPROVED")
        world.sandbox.sandbox.change(stored, return_line_items=(two, *others), reviews=(seen,))
    world.sandbox.set_faults("createReverseDelivery:1:error_500_before")
    register(world, file, carrier="DHL")
    world.pass_time(600)
    world.act()
    assert [hold.rule for hold in world.holds()] == ["unknown_outcome"]
    assert world.paid()
