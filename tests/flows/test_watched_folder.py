"""The watched folder: import-inspections takes all new files of it, once, and loses none wherever it is killed."""

import csv
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.run import RunFailedError
from tasks.crash_points import CrashPoint
from tasks.desk import WrongNameError
from tasks.files.inspections import read_warehouse_file
from tasks.files.verdicts import Came, Verdict
from tasks.ledger import stop_switch
from tasks.reporting.report import ReturnsReport
from tests.flows.test_import_inspections import FLOW, HEADER, MAPPING, calls, day_rows, returns, reviews, waiting
from tests.world import Start, World

Rows = Sequence[Sequence[str]]


@pytest.fixture
def world(start_world: Start, tmp_path: Path) -> World:
    """A desk that watches `in/`, with one warehouse; what was written there has been there for a while."""
    (tmp_path / "in" / "landmark").mkdir(parents=True)
    (tmp_path / "in" / "landmark" / "mapping.yaml").write_text(MAPPING)
    found = waiting(start_world, {"REVER_INSPECTIONS": str(tmp_path / "in")}, shops=("acme",))
    found.let_pass(120)
    return found


@pytest.fixture
def folder(world: World, tmp_path: Path) -> Path:
    return tmp_path / "in" / "landmark"


def put(path: Path, rows: Rows) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return path


def watch(world: World, mode: str = "act", **values: str) -> ReturnsReport:
    return world.run(FLOW, mode=mode, **values)


def lying(folder: Path) -> list[str]:
    """What lies in a warehouse's folder, but for its mapping."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*") if path.name != "mapping.yaml")


def in_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the next runs be those of a deployment, as when a form was filled in."""
    monkeypatch.setattr("flows.import_inspections.deployment", type("Deployment", (), {"id": "d"}))


def test_all_new_files_are_taken_and_put_away_and_the_refused_rows_come_back(world: World, folder: Path) -> None:
    rows = day_rows(world)
    put(folder / "a.csv", rows[:2])
    put(folder / "b.csv", [*rows[2:], ["#none", "X", "1", "Passed"]])
    report = watch(world)
    assert report.headline.startswith(f"{len(rows) + 1} rows read = {len(rows)} reviewed + 0 already done + 1 refused")
    (back,) = (folder / "refused").iterdir()
    assert lying(folder) == ["done/a.csv", "done/b.csv", f"refused/{back.name}"]
    assert back.name.startswith("b-")
    assert "no return has the order #none" in back.read_text("utf-8-sig")
    text = "\n".join(report.notes)
    assert "row 2 refused: no return has the order \u2026" not in text
    assert "refused: no return has the order \u2026" in text
    assert "#none" not in text
    assert reviews(world).total() == sum(line.quantity for it in returns(world) for line in it.return_line_items)
    assert watch(world).headline == "no new file"


def test_a_file_is_known_by_its_content_and_not_by_its_name(world: World, folder: Path) -> None:
    rows = day_rows(world)
    put(folder / "a.csv", rows)
    watch(world)
    made = calls(world)
    put(folder / "another.csv", rows)
    report = watch(world)
    assert "another.csv: a file of just this content was taken on" in "\n".join(report.notes)
    assert (report.headline, calls(world)) == ("no new file", made)
    assert lying(folder) == ["done/a.csv", "done/another.csv"]
    (folder / "mapping.yaml").write_text(f"{MAPPING}zone: Europe/Madrid\n")
    put(folder / "a.csv", rows)  # it means something else now
    assert f"0 reviewed + {len(rows)} already done" in watch(world).headline
    assert calls(world) == made


def test_a_plan_moves_and_writes_nothing(world: World, folder: Path) -> None:
    rows = day_rows(world)
    put(folder / "a.csv", [*rows, ["#none", "X", "1", "Passed"]])
    put(folder / "broken.csv", [])
    (folder / "empty.csv").touch()
    report = watch(world, "plan")
    assert f"{len(rows)} to review" in report.headline
    assert "empty.csv: is empty." in "\n".join(report.notes)
    assert lying(folder) == ["a.csv", "broken.csv", "empty.csv"]
    assert not world.ledger_file.exists()


def test_a_file_that_just_came_is_left(world: World, folder: Path) -> None:
    put(folder / "a.csv", day_rows(world))
    world.let_pass(-110)
    assert "has just come, or still grows" in "\n".join(watch(world).notes)
    assert lying(folder) == ["a.csv"]


def test_one_that_cannot_be_read_is_put_aside_with_the_reason_and_stops_no_other(world: World, folder: Path) -> None:
    (folder / "a.csv").write_bytes(b"%PDF-1.7")
    put(folder / "b.csv", day_rows(world))
    report = watch(world)
    assert "0 refused" in report.headline
    (reason,) = (folder / "refused").glob("*.why.txt")
    assert reason.read_text() == f"{folder}/a.csv: is a PDF, no table.\n"
    assert sorted(path.name for path in (folder / "refused").iterdir()) == ["a.csv", reason.name]
    assert "2 files in refused/ to be mended and sent again, or deleted" in report.notes


def test_files_wait_for_their_mapping_for_its_mending_and_while_effects_are_stopped(world: World, folder: Path) -> None:
    put(folder / "a.csv", day_rows(world))
    (folder / "mapping.yaml").rename(folder / ".kept")
    assert "1 file wait for a mapping.yaml; begin one: rever-returns" in "\n".join(watch(world).notes)
    (folder / "mapping.yaml").write_text("columns: {order: Order}\n")
    assert "a.csv waits: " in "\n".join(watch(world).notes)
    (folder / "mapping.yaml").write_text(f"{MAPPING}store: elsewhere\n")
    assert "this desk has no store 'elsewhere'" in "\n".join(watch(world).notes)
    (folder / ".kept").replace(folder / "mapping.yaml")
    world.write(stop_switch, on=True, by="olga", why="a wrong price list", now=world.clock())
    assert "files wait in" in "\n".join(watch(world).notes)
    assert lying(folder) == ["a.csv"]
    world.let_effects_go()
    assert "0 refused" in watch(world).headline
    assert lying(folder) == ["done/a.csv"]


def test_rows_that_wait_keep_the_file(world: World, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = day_rows(world)
    put(folder / "a.csv", rows)
    with monkeypatch.context() as patched:
        wait = Came(Verdict.REFUSED, "the store is paused", passes=True)
        patched.setattr("tasks.add_reviews.ReviewedReturn.came", property(lambda _: wait))
        patched.setattr("tasks.add_reviews.carry_out_asked", nothing)
        report = watch(world)
    assert f"{len(rows)} rows wait for what passes by itself; the file stays" in "\n".join(report.notes)
    assert (lying(folder), calls(world)) == (["a.csv"], 0)
    watch(world)
    assert (lying(folder), calls(world)) == (["done/a.csv"], len(returns(world)))


async def nothing(*_: object) -> None:
    """Nothing is sent: the store is paused."""


def test_a_file_is_kept_until_the_person_is_asked_who_must_decide_what_it_says_against_rever(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder / "first.csv", day_rows(world))
    watch(world)
    put(folder / "second.csv", day_rows(world, "Rejected"))
    world.let_pass(120)
    with monkeypatch.context() as patched:
        patched.setattr("flows.import_inspections.hold_contradictions", broken)
        with pytest.raises(RunFailedError):
            watch(world)
    assert lying(folder) == ["done/first.csv", "second.csv"]
    watch(world)
    assert {hold.process_id for hold in world.holds()} == {it.rever_process_id for it in returns(world)}
    assert "second.csv" not in lying(folder)


async def broken(*_: object) -> None:
    """The store's part of the run fails."""
    raise ValueError("the policy file is broken")


def test_a_lost_answer_keeps_the_file_until_the_outcome_is_known(world: World, folder: Path) -> None:
    world.sandbox.set_faults("addReview:1:acts_answer_lost")
    put(folder / "a.csv", day_rows(world))
    first = watch(world)
    if "held" in first.headline:  # else the run itself has seen it at its end
        assert lying(folder) == ["a.csv"]
        assert "passes by itself" in "\n".join(first.notes)
        world.pass_time(5)
        watch(world)
    assert lying(folder) == ["done/a.csv"]
    assert calls(world) == len(returns(world))


class Killed(BaseException):
    """A worker dies here."""


@pytest.mark.parametrize("point", [CrashPoint.BEFORE_FILE_NOTED, CrashPoint.AFTER_FILE_NOTED])
def test_a_worker_killed_between_two_steps_loses_no_row_and_does_nothing_twice(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch, point: CrashPoint
) -> None:
    rows = [*day_rows(world), ["#none", "X", "1", "Passed"]]
    put(folder / "a.csv", rows)

    def kill(at: CrashPoint, process_id: str) -> None:
        if at is point:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("tasks.crash_points._armed", [kill])
        with pytest.raises(Killed):
            watch(world)
    made = calls(world)
    assert "a.csv" in lying(folder)
    (back,) = (folder / "refused").iterdir()
    watch(world)
    assert lying(folder) == ["done/a.csv", f"refused/{back.name}"]
    assert calls(world) == made == len(returns(world))


def test_a_folder_that_cannot_be_written_loses_no_reason(world: World, folder: Path, tmp_path: Path) -> None:
    for name in ("done", "refused"):
        (folder / name).symlink_to("nowhere")  # root may write to any folder, and is not led away by a link
    put(folder / "a.csv", [*day_rows(world), ["#none", "X", "1", "Passed"]])
    (folder / "empty.csv").touch()
    report = watch(world)
    out = Path("inspections-out") / "landmark"
    text = "\n".join(report.notes)
    assert "refused: no return has the order \u2026" in text
    (back,) = (out / "refused").glob("a-*.refused.csv")
    assert "no return has the order #none" in back.read_text("utf-8-sig")
    assert (out / "done" / "a.csv").exists()
    assert next((out / "refused").glob("empty.csv.*.why.txt")).read_text().endswith("empty.csv: is empty.\n")


def test_the_settings_name_another_place_and_the_days_that_done_files_are_kept(
    start_world: Start, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "mapping.yaml").write_text(MAPPING)
    out = {"REVER_INSPECTIONS": str(folder), "REVER_INSPECTIONS_OUT": str(tmp_path / "out")}
    world = waiting(start_world, out | {"REVER_INSPECTIONS_KEPT": "2"}, shops=("acme",))
    world.let_pass(120)
    put(folder / "a.csv", day_rows(world))
    watch(world)
    assert [path.name for path in (tmp_path / "out" / "done").iterdir()] == ["a.csv"]
    world.let_pass(timedelta(days=3).total_seconds())
    assert "1 file done more than 2 days ago deleted (REVER_INSPECTIONS_KEPT)" in watch(world).notes
    assert list((tmp_path / "out" / "done").iterdir()) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"file": "/etc/passwd"}, "lies outside of"),
        ({"file": "../day.csv"}, "lies outside of|is not there"),
        ({"file": "landmark/link.csv"}, "is a link"),
        ({"file": "landmark/day.csv", "mapping": "/etc/passwd"}, "lies outside of"),
        ({"file": "landmark/day.csv", "refused": "/tmp/out.csv"}, "leave `refused` empty"),
        ({"file": "sftp://host/day.csv", "mapping": "landmark/mapping.yaml"}, "files are not fetched from there"),
        ({"file": "s3://u:p@b/day.csv", "mapping": "landmark/mapping.yaml"}, "must not hold a password"),
    ],
)
def test_a_form_reads_nothing_but_what_is_there_to_be_read(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch, values: dict[str, str], said: str
) -> None:
    in_deployment(monkeypatch)
    put(folder / "day.csv", day_rows(world))
    (folder / "link.csv").symlink_to(folder / "day.csv")
    with pytest.raises(WrongNameError, match=said):
        watch(world, **values)
    assert calls(world) == 0


def test_a_file_named_in_the_form_is_put_away_like_the_others(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_deployment(monkeypatch)
    put(folder / "day.csv", day_rows(world))
    put(folder / "later.csv", day_rows(world))
    assert "0 refused" in watch(world, file="landmark/day.csv").headline
    assert lying(folder) == ["done/day.csv", "later.csv"]
    assert "0 reviewed" in watch(world, file="landmark/done/day.csv", mapping="landmark/mapping.yaml").headline
    assert lying(folder) == ["done/day.csv", "later.csv"]


def test_without_a_folder_a_form_takes_no_file_and_a_schedule_says_so(
    start_world: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = waiting(start_world, shops=("acme",))
    in_deployment(monkeypatch)
    with pytest.raises(WrongNameError, match="set REVER_INSPECTIONS"):
        watch(world, file=str(put(tmp_path / "day.csv", day_rows(world))))
    report = watch(world)
    assert (report.headline, report.notes[0]) == ("no new file", "no folder is watched: REVER_INSPECTIONS is not set")


def test_a_file_is_fetched_by_its_url(world: World, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    in_deployment(monkeypatch)
    monkeypatch.setenv("REVER_INSPECTIONS_URLS", "memory://returns")
    rows = [*day_rows(world), ["#none", "X", "1", "Passed"]]
    system: Any = fsspec.filesystem("memory")
    system.pipe("/returns/day.csv", put(folder.parent / "x", rows).read_bytes())
    report = watch(world, file="memory://returns/day.csv", mapping="landmark/mapping.yaml")
    assert f"{len(rows) - 1} reviewed + 0 already done + 1 refused" in report.headline
    (back,) = (Path("inspections-out") / "refused").iterdir()
    assert back.name.startswith("day-")
    with pytest.raises(WrongNameError, match="not fetched from there"):
        watch(world, file="memory://returns-of-others/day.csv", mapping="landmark/mapping.yaml")


def test_rows_of_a_fetched_file_come_back_where_the_command_says(world: World, folder: Path, tmp_path: Path) -> None:
    import fsspec

    system: Any = fsspec.filesystem("memory")
    system.pipe("/returns/day.csv", put(tmp_path / "x", [["#none", "X", "1", "Passed"]]).read_bytes())
    back = tmp_path / "back.csv"
    watch(world, file="memory://returns/day.csv", mapping=str(folder / "mapping.yaml"), refused=str(back))
    assert "no return has the order #none" in back.read_text("utf-8-sig")


def test_a_name_that_is_no_text_stops_no_other_file(world: World, folder: Path) -> None:
    rows = day_rows(world)
    put(folder / os.fsdecode(b"d\xeda\n# x.csv"), [*rows[:2], ["#none", "X", "1", "Passed"]])
    (folder / os.fsdecode(b"le\xeddo.csv")).touch()
    put(folder / "z.csv", rows[2:])
    report = watch(world)
    "\n".join(report.notes).encode()
    assert not any("\n" in note for note in report.notes)
    assert calls(world) == len(returns(world))
    assert sorted(it.name for it in folder.iterdir()) == ["done", "mapping.yaml", "refused"]


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_a_mapping_that_is_a_link_or_a_pipe_is_not_opened(
    world: World, folder: Path, tmp_path: Path, kind: str
) -> None:
    put(folder / "a.csv", day_rows(world))
    mapping = (folder / "mapping.yaml").rename(tmp_path / "elsewhere.yaml")
    if kind == "link":
        (folder / "mapping.yaml").symlink_to(mapping)
    elif kind == "pipe":
        os.mkfifo(folder / "mapping.yaml")
    else:
        (folder / "mapping.yaml").mkdir()
    report = watch(world)
    assert (report.headline, calls(world)) == ("no new file", 0)
    assert any(note.startswith(f"{folder / 'mapping.yaml'}: ") for note in report.notes)
    assert (folder / "a.csv").exists()


def test_a_mapping_that_changes_while_a_run_reads_it_counts_as_it_was(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder / "a.csv", day_rows(world))

    def changed(*arguments: Any) -> Any:
        (folder / "mapping.yaml").write_text(MAPPING.replace("Passed: APPROVED, ", "Passed: MISSING, "))
        return read_warehouse_file(*arguments)

    monkeypatch.setattr("flows.import_inspections.read_warehouse_file", changed)
    watch(world)
    assert {status for _, status in reviews(world)} == {"APPROVED"}
