"""import-inspections: a warehouse's file becomes reviews, once, whatever happens to the file or the run."""

import csv
import json
import logging
import stat
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flows.run import run_flow
from rever_api import AsyncReverClient
from rever_api.models import Compensation, ProcessStatus, ReturnProcess, SearchQuery, UnreadableProcess
from tasks.desk import WrongNameError
from tasks.fetch_returns import Entry
from tasks.ledger import stop_switch
from tasks.reporting.report import ReturnsReport
from tests.books import Books, LedgerState
from tests.flows.test_many_stores import move_to
from tests.judge import assert_promises_kept
from tests.world import Start, World

MAPPING = """\
columns: {order: Order, sku: SKU, quantity: Qty, outcome: Result}
words: {Passed: APPROVED, Rejected: {status: DECLINED, reason: It was worn}, Gone: MISSING}
"""
HEADER = ["Order", "SKU", "Qty", "Result"]
FLOW = "import-inspections"

Rows = Sequence[Sequence[str]]


def returns(world: World) -> list[ReturnProcess]:
    with world.sandbox.sandbox.locked():
        found = [stored.process for stored in world.sandbox.sandbox.processes.values()]
    return sorted(found, key=lambda it: it.order_name)


def day_rows(world: World, word: str = "Passed") -> list[list[str]]:
    """A row for each line of each return: all its units passed."""
    rows = []
    for it in returns(world):
        for line in it.return_line_items:
            assert line.product
            rows.append([it.order_name, line.product.sku, str(line.quantity), word])
    return rows


def sent_file(
    world: World, folder: Path, rows: Rows, name: str = "day.csv", mode: str = "act", header: Sequence[str] = HEADER
) -> ReturnsReport:
    """Run the flow over a file of these rows."""
    with (folder / name).open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    (folder / "m.yaml").write_text(MAPPING)
    return world.run(FLOW, mode=mode, file=str(folder / name), mapping=str(folder / "m.yaml"))


def reviews(world: World) -> Counter[tuple[str, str]]:
    """(line, status) -> how many REVER has recorded."""
    return Counter((it.line_item_id, str(it.status)) for each in returns(world) for it in each.reviews or ())


def calls(world: World) -> int:
    """How often REVER has taken reviews from us."""
    return sum(effect.operation == "addReview" and not effect.foreign for effect in world.sandbox.books)


def waiting(start_world: Start, settings: dict[str, str] | None = None, **how: object) -> World:
    world = start_world(settings=settings, returns=60, **how)
    world.keep_only(["in_warehouse"])
    assert len(returns(world)) >= 2 or len(world.sandbox.stores) == 1
    return world


def test_a_file_becomes_reviews_and_the_refunds_follow(start_world: Start, tmp_path: Path) -> None:
    world = waiting(start_world)
    report = sent_file(world, tmp_path, day_rows(world))
    assert report.outcomes["done"] == len(returns(world)) == calls(world)
    for it in returns(world):
        assert Counter(review.line_item_id for review in it.reviews or ()) == {
            line.id: line.quantity for line in it.return_line_items
        }
    assert list(tmp_path.glob("*.refused*")) == []
    world.act()
    assert world.paid()
    assert_promises_kept(world)


def test_a_store_with_many_rows_does_not_keep_the_rows_of_another_waiting(start_world: Start, tmp_path: Path) -> None:
    world = start_world({"REVER_MAX_IN_FLIGHT": "1"}, shops=("acme", "nordic"), returns=30, scenarios=("in_warehouse",))
    move_to(world, "acme", ("nordic",))
    report = sent_file(world, tmp_path, day_rows(world))
    reviewed = [effect.store for effect in world.sandbox.books if effect.operation == "addReview"]
    assert Counter(reviewed) == {"acme": len(returns(world)) - 1, "nordic": 1}
    assert len(reviewed) > 6
    assert reviewed.index("nordic") < len(reviewed) / 2
    assert report.outcomes["done"] == len(reviewed)
    assert world.sandbox.audit().violations == ()


def test_a_plan_writes_nothing_anywhere(start_world: Start, tmp_path: Path) -> None:
    world = waiting(start_world)
    rows = [*day_rows(world), ["#none", "X", "1", "Passed"]]
    report = sent_file(world, tmp_path, rows, mode="plan")
    assert f"{len(rows)} rows read = {len(rows) - 1} to review + 0 already done + 1 refused" in report.headline
    assert calls(world) == 0
    assert not world.ledger_file.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"day.csv", "m.yaml"}


def test_the_same_file_again_cut_in_half_or_grown_does_nothing_twice(start_world: Start, tmp_path: Path) -> None:
    world = waiting(start_world)
    rows = day_rows(world)
    half = len(rows) // 2
    sent_file(world, tmp_path, rows[:half], "half.csv")
    sent_file(world, tmp_path, rows, "whole.csv")
    done, asked = reviews(world), calls(world)
    assert done.total() == sum(line.quantity for it in returns(world) for line in it.return_line_items)
    for name, again in (("whole.csv", rows), ("half.csv", rows[half:]), ("mixed.csv", list(reversed(rows)))):
        report = sent_file(world, tmp_path, again, name)
        assert f"= 0 reviewed + {len(again)} already done + 0 refused" in report.headline
    grown = sent_file(world, tmp_path, [*rows, *([rows[0]] * 10)])
    assert f"= 0 reviewed + {len(rows)} already done + 0 refused + 10 that contradict" in grown.headline
    assert (reviews(world), calls(world)) == (done, asked)
    world.act()
    assert_promises_kept(world)


def test_two_workers_with_the_same_file_do_nothing_twice(start_world: Start, tmp_path: Path) -> None:
    world = waiting(start_world)
    sent_file(world, tmp_path, day_rows(world), mode="plan")
    values = {"mode": "act", "file": str(tmp_path / "day.csv"), "mapping": str(tmp_path / "m.yaml")}
    with ThreadPoolExecutor(3) as workers:
        ran = [workers.submit(run_flow, FLOW, values, prefect=False) for _ in range(3)]
    assert [each.result().broke_off for each in ran] == ["", "", ""]
    assert calls(world) == len(returns(world))
    assert reviews(world).total() == sum(line.quantity for it in returns(world) for line in it.return_line_items)


def test_what_is_refused_comes_back_and_is_taken_once_it_is_mended(start_world: Start, tmp_path: Path) -> None:
    world = waiting(start_world)
    rows = day_rows(world)
    wrong = [[*rows[0][:3], "Like new"], *rows[1:]]
    report = sent_file(world, tmp_path, wrong)
    assert f"{len(rows)} rows read = {len(rows) - 1} reviewed + 0 already done + 1 refused" in report.headline
    back = tmp_path / "day.refused.csv"
    assert any(note.startswith(str(back)) for note in report.notes)
    assert "Like new" not in "".join(report.lines()), "what stands in a file is not reported"
    back.write_text(back.read_text("utf-8-sig").replace("Like new", "Passed"))
    mended = world.run(FLOW, mode="act", file=str(back), mapping=str(tmp_path / "m.yaml"))
    assert "1 row read = 1 reviewed" in mended.headline
    assert reviews(world).total() == sum(line.quantity for it in returns(world) for line in it.return_line_items)


def test_a_name_in_a_row_gets_nowhere_but_into_the_file_that_comes_back(
    start_world: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    world = waiting(start_world)
    first, *rows = day_rows(world)
    named = [[*row, "Ana Ruiz"] for row in ([*first[:3], "Like new"], *rows)]
    report = sent_file(world, tmp_path, named, header=[*HEADER, "Customer"])
    assert report.outcomes["done"] > 0
    back = tmp_path / "day.refused.csv"
    assert "Ana Ruiz" in back.read_text("utf-8-sig")
    assert stat.S_IMODE(back.stat().st_mode) == 0o600
    assert "Ana Ruiz" not in json.dumps(report.as_json()) + "".join(report.lines()) + caplog.text
    assert not [path for path in tmp_path.glob("*ledger*") if path.is_file() and b"Ana Ruiz" in path.read_bytes()]


def test_an_answer_that_is_lost_is_found_by_the_next_run_and_not_sent_again(start_world: Start, tmp_path: Path) -> None:
    world = waiting(start_world, shops=("acme",))
    world.sandbox.set_faults("addReview:1:acts_answer_lost")
    first = sent_file(world, tmp_path, day_rows(world))
    assert first.outcomes["unknown"] + first.outcomes["done"] == len(returns(world))
    world.pass_time(5)
    again = sent_file(world, tmp_path, day_rows(world))
    assert "= 0 reviewed" in again.headline
    assert calls(world) == len(returns(world))
    world.act()
    assert_promises_kept(world)


def test_one_that_rever_does_not_show_is_held_and_its_rows_come_back(start_world: Start, tmp_path: Path) -> None:
    world = waiting(start_world, shops=("acme",))
    world.sandbox.set_faults("addReview:1:error_500_before")
    first = sent_file(world, tmp_path, day_rows(world))
    assert "held" in first.headline
    again = sent_file(world, tmp_path, day_rows(world), "again.csv")
    assert "its review is still to come (unknown)" in (tmp_path / "again.refused.csv").read_text("utf-8-sig")
    assert "refused" in again.headline
    assert len(returns(world)) - 1 == calls(world)
    world.pass_time(120)
    sent_file(world, tmp_path, day_rows(world), "later.csv")
    (hold,) = world.holds()
    assert hold.rule == "unknown_outcome"
    assert len(returns(world)) - 1 == calls(world)


def test_where_rever_pays_the_guards_hold_and_a_plan_says_the_money(start_world: Start, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("default: {guards: {max_refund: {EUR: 0}}}\n")
    settings = {"REVER_POLICY": str(policy), "REVER_REFUNDS_BY": "rever"}
    world = waiting(start_world, settings, shops=("autopay",))
    policy.write_text("default: {}\n")
    plan = sent_file(world, tmp_path, day_rows(world), mode="plan")
    (note,) = (note for note in plan.notes if note.startswith("REVER pays by itself"))
    assert note.endswith(" EUR")
    policy.write_text("default: {guards: {max_refund: {EUR: 0}}}\n")
    report = sent_file(world, tmp_path, day_rows(world))
    assert "0 reviewed" in report.headline
    assert "held" in report.headline
    assert calls(world) == 0
    assert {hold.rule for hold in world.holds()} == {"guard:max_refund"}
    back = (tmp_path / "day.refused.csv").read_text("utf-8-sig")
    assert "held: a person is asked: " in back


def test_where_rever_pays_an_older_view_of_what_it_has_paid_approves_nothing(
    start_world: Start, tmp_path: Path
) -> None:
    """The back office had approved a unit, and REVER paid. The file comes by while REVER shows neither."""
    world = waiting(start_world, {"REVER_REFUNDS_BY": "rever"}, shops=("autopay",))
    for each in returns(world):
        world.sandbox.act("review_one", each.rever_process_id, line_item_id=each.return_line_items[0].id)
    for _ in range(2):
        world.act()
        world.pass_time(3600)
    paid = Books.of(world.sandbox).refunds(of_all=True)
    assert paid
    with world.sandbox.sandbox.locked():
        for stored in world.sandbox.sandbox.processes.values():
            world.sandbox.sandbox.change(stored, reviews=(), compensation=Compensation(refunds=()))
            world.sandbox.sandbox.change(stored, rever_process_status=ProcessStatus.RUNNING)
    report = sent_file(world, tmp_path, day_rows(world))
    assert (calls(world), Books.of(world.sandbox).refunds(of_all=True)) == (0, paid), report.headline
    assert [str(it) for it in world.sandbox.audit().violations] == []


def test_the_stop_switch_stops_it(start_world: Start, tmp_path: Path) -> None:
    world = waiting(start_world)
    world.write(stop_switch, on=True, by="olga", why="a wrong price list", now=world.clock())
    report = sent_file(world, tmp_path, day_rows(world))
    assert "0 reviewed" in report.headline
    assert calls(world) == 0
    assert "a wrong price list" in (tmp_path / "day.refused.csv").read_text("utf-8-sig")


def test_what_rever_refuses_comes_back_with_its_reason(start_world: Start, tmp_path: Path) -> None:
    world = waiting(start_world, shops=("acme",))
    world.sandbox.set_faults("addReview:1:conflict_409")
    report = sent_file(world, tmp_path, day_rows(world))
    assert "refused" in report.headline
    assert (tmp_path / "day.refused.csv").exists()
    (refused,) = [it for it in world.read(LedgerState.read).intents if it.state == "refused"]
    assert refused.kind == "review"


def test_one_that_cannot_be_read_again_comes_back_and_the_others_are_done(
    start_world: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = waiting(start_world, shops=("acme",))
    walk = AsyncReverClient.walk_return_processes

    async def without_costs(client: AsyncReverClient, query: SearchQuery) -> AsyncIterator[Entry]:
        async for entry in walk(client, query):
            yield entry.model_copy(update={"return_costs": None})

    monkeypatch.setattr(AsyncReverClient, "walk_return_processes", without_costs)
    world.sandbox.set_faults("getReturnProcess:1:conflict_409")
    report = sent_file(world, tmp_path, day_rows(world))
    (failed,) = report.failures
    assert "it could not be read again" in failed.why
    assert calls(world) == len(returns(world)) - 1
    assert failed.why in (tmp_path / "day.refused.csv").read_text("utf-8-sig")
    assert report.progress.done == report.progress.found == len(returns(world))


def test_an_order_with_a_return_that_cannot_be_read_is_not_approved_at_its_other_one(
    start_world: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = waiting(start_world, shops=("acme",))
    walk, order = AsyncReverClient.walk_return_processes, returns(world)[0].order_name

    async def with_a_broken_one(client: AsyncReverClient, query: SearchQuery) -> AsyncIterator[Entry]:
        yield UnreadableProcess(process_id="retp_broken", why="its lines are odd", order_name=order)
        async for entry in walk(client, query):
            yield entry

    monkeypatch.setattr(AsyncReverClient, "walk_return_processes", with_a_broken_one)
    sent_file(world, tmp_path, day_rows(world))
    assert [it.order_name for it in returns(world) if not it.reviews] == [order]
    assert "has a return that cannot be read" in (tmp_path / "day.refused.csv").read_text("utf-8-sig")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"file": "none.csv"}, "none.csv: is not there."),
        ({"mapping": "none.yaml"}, "none.yaml: the mapping cannot be read"),
        ({"refused": "no/where.csv"}, "no/where.csv: name a new file"),
        ({"refused": "day.csv"}, "day.csv: name a new file"),
    ],
)
def test_a_file_that_cannot_be_used_begins_nothing(
    start_world: Start, tmp_path: Path, values: dict[str, str], said: str
) -> None:
    world = waiting(start_world)
    sent_file(world, tmp_path, day_rows(world), mode="plan")
    with pytest.raises(WrongNameError, match=said):
        world.run(FLOW, **{"mode": "act", "file": "day.csv", "mapping": "m.yaml", **values})
    assert calls(world) == 0


def test_two_pieces_of_one_line_in_two_files_on_two_evenings_are_two_units(start_world: Start, tmp_path: Path) -> None:
    world = waiting(start_world, shops=("acme",))
    it, line = next((it, line) for it in returns(world) for line in it.return_line_items if line.quantity > 1)
    assert line.product
    sku, dated = line.product.sku, "columns: {order: Order, sku: SKU, outcome: Result, receipt: Receipt}\n"
    (tmp_path / "dated.yaml").write_text(dated + MAPPING.splitlines()[1])
    lines = ["Order,SKU,Result,Receipt", *(f"{it.order_name},{sku},Passed,W-{n}" for n in range(line.quantity))]

    def take(name: str, *rows: str) -> str:
        (tmp_path / name).write_text("\n".join((lines[0], *rows)))
        mapping = str(tmp_path / "dated.yaml")
        return world.run(FLOW, mode="act", file=str(tmp_path / name), mapping=mapping).headline

    for number, row in enumerate(lines[1:], 1):
        assert "1 reviewed" in take(f"evening{number}.csv", row)
        assert reviews(world)[line.id, "APPROVED"] == number
        assert "0 reviewed + 1 already done" in take(f"again{number}.csv", row)
    assert f"0 reviewed + {line.quantity} already done" in take("all.csv", *lines[1:])
    assert reviews(world)[line.id, "APPROVED"] == line.quantity


def test_a_row_that_may_be_an_old_one_again_comes_back_and_is_mended_by_the_count(
    start_world: Start, tmp_path: Path
) -> None:
    world = waiting(start_world, shops=("acme",))
    it, line = next((it, line) for it in returns(world) for line in it.return_line_items if line.quantity == 2)
    assert line.product
    row = [it.order_name, line.product.sku, "1", "Passed"]
    sent_file(world, tmp_path, [row], "evening1.csv")
    assert "0 reviewed + 1 already done" in sent_file(world, tmp_path, [row], "the same.csv").headline
    other = ["#none", "X", "1", "Passed"]
    report = sent_file(world, tmp_path, [row, other], "evening2.csv")
    assert "0 reviewed + 0 already done + 2 refused" in report.headline
    assert "cannot be told" in (tmp_path / "evening2.refused.csv").read_text("utf-8-sig")
    assert "1 reviewed" in sent_file(world, tmp_path, [[*row[:2], "2", "Passed"]], "mended.csv").headline
    assert reviews(world)[line.id, "APPROVED"] == 2
