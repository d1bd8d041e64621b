"""The watched folder: what is taken from it, what never is, and where files go."""

import os
import socket
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.files.drop_folder import delete_old, inside, put_away, waiting, warehouses, writable, write_reason
from tasks.files.private_copy import StillGrowingError, arrived, private_copies, stamp_of
from tasks.files.table import InputFileError

NOW = datetime.now(UTC) + timedelta(hours=12)
"""Long after what a test writes, whenever it is played: a whole run takes minutes from the import to the test."""


@pytest.fixture
def copies() -> Iterator[Path]:
    with private_copies(NOW) as folder:
        yield folder


def put(path: Path, text: str = "a,b\n1,2\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_complete_files_are_found_the_oldest_first_and_the_others_are_left(tmp_path: Path) -> None:
    for age, name in enumerate(("late.csv", "early.xlsx")):
        os.utime(put(tmp_path / name), (age and 1_000_000, age and 1_000_000))
    os.utime(tmp_path / "late.csv", (2_000_000, 2_000_000))
    for name in ("mapping.yaml", ".hidden.csv", "up.csv.part", "x.filepart", "done/old.csv", "refused/no.csv"):
        put(tmp_path / name)
    found, said = waiting(tmp_path, NOW)
    assert ([path.name for path in found], said) == (["early.xlsx", "late.csv"], [])
    found, said = waiting(tmp_path, datetime.now(UTC))
    assert found == []
    assert len(said) == 2
    assert said[0].endswith(
        "early.xlsx: has just come, or still grows; it is taken once it stays the same for a minute."
    )


def test_links_devices_pipes_and_sockets_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link.csv").symlink_to(put(tmp_path / "away" / "secret.csv"))
    os.mkfifo(tmp_path / "pipe.csv")
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(tmp_path)  # the name of a socket is short
        listening.bind("socket.csv")
    found, said = waiting(tmp_path, NOW)
    assert found == []
    assert [line.split(": ")[1] for line in said] == [
        "is a link, and is not opened; put the file itself there.",
        *["is a device, a pipe or a socket, and is not opened; put the file itself there."] * 2,
    ]


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_took_the_place_of_a_file_after_it_was_found_is_not_read(tmp_path: Path, copies: Path, kind: str) -> None:
    path = tmp_path / "day.csv"
    if kind == "link":
        path.symlink_to(put(tmp_path / "secret"))
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(InputFileError, match=r"day\.csv: (cannot be read|is no file)"):
        arrived(path, tmp_path / "m.yaml", copies, watched=True)


@pytest.mark.parametrize(
    "typed",
    ["../out.csv", "/etc/passwd", "sub/../../out.csv", "gone.csv", "link.csv", "sub/in.csv", "a\0.csv", "x" * 5000],
)
def test_a_named_file_must_lie_in_the_folder(tmp_path: Path, typed: str) -> None:
    root = tmp_path / "in"
    put(tmp_path / "out.csv")
    put(root / "day.csv")
    (root / "link.csv").symlink_to(root / "day.csv")
    (root / "sub").symlink_to(tmp_path / "elsewhere")
    put(tmp_path / "elsewhere" / "in.csv")
    assert inside(root, "day.csv") == inside(root, str(root / "day.csv")) == root / "day.csv"
    with pytest.raises(InputFileError, match=r"lies outside of|is not there|is a link"):
        inside(root, typed)


def test_a_file_is_known_by_its_content_and_its_mapping(tmp_path: Path, copies: Path) -> None:
    mapping = put(tmp_path / "m.yaml", "one")
    first = arrived(put(tmp_path / "a.csv"), mapping, copies, watched=True)
    same = arrived(put(tmp_path / "b.csv"), mapping, copies, watched=True)
    other = arrived(put(tmp_path / "c.csv", "a,b\n1,3\n"), mapping, copies, watched=True)
    assert first.digest == same.digest != other.digest
    put(mapping, "two")
    (copies / "again").mkdir()
    assert arrived(tmp_path / "a.csv", mapping, copies / "again", watched=True).digest != first.digest
    assert first.copy.read_text() == "a,b\n1,2\n"
    assert stat.S_IMODE(first.copy.stat().st_mode) == 0o600


def test_a_file_that_grows_while_it_is_copied_is_left(
    tmp_path: Path, copies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(tmp_path / "day.csv")
    looks = iter(((1, 8, 1), (1, 9, 2)))
    monkeypatch.setattr("tasks.files.private_copy.stamp_of", lambda status: next(looks))
    with pytest.raises(StillGrowingError, match="changed while it was read"):
        arrived(path, tmp_path / "m.yaml", copies, watched=True)


def test_the_copies_of_a_killed_run_are_deleted_by_the_next_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = put(tmp_path / "rever-inspections-killed" / "day.csv").parent
    other = put(tmp_path / "somebody" / "day.csv")
    with private_copies(datetime.now(UTC)) as copies:
        assert left.exists()
        assert stat.S_IMODE(copies.stat().st_mode) == 0o700
        with private_copies(datetime.now(UTC) + timedelta(minutes=2)):
            assert not left.exists()
            assert copies.exists(), "that run is under way"
    assert list(tmp_path.iterdir()) == [other.parent]


def test_putting_away_writes_over_nothing_and_leaves_what_came_in_its_place(tmp_path: Path) -> None:
    done = tmp_path / "done"
    done.mkdir()
    for text in ("one", "two"):
        path = put(tmp_path / "day.csv", text)
        put_away(path, stamp_of(path.lstat()), done, NOW)
    assert {path.name: path.read_text() for path in done.iterdir()} == {"day.csv": "one", "day-2.csv": "two"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in done.iterdir()} == {0o600}
    path = put(tmp_path / "day.csv", "three")
    stamp = stamp_of(path.lstat())
    path.unlink()
    assert put_away(path, stamp, done, NOW) is None
    put(path, "another, longer")
    assert put_away(path, stamp, done, NOW) is None
    assert path.read_text() == "another, longer"


def test_the_first_folder_that_can_be_written_is_taken(tmp_path: Path) -> None:
    blocked = put(tmp_path / "blocked")
    assert writable([blocked, tmp_path / "out"], "refused") == tmp_path / "out" / "refused"
    with pytest.raises(InputFileError, match="no folder refused can be written there"):
        writable([blocked], "refused")
    reason = write_reason(tmp_path / "out" / "refused", "a/day.csv", "0123456789", "it is empty.")
    assert write_reason(tmp_path / "out" / "refused", "a/day.csv", "0123456789", "it is empty.") == reason
    assert (reason.name, reason.read_text()) == ("day.csv.01234567.why.txt", "it is empty.\n")


def test_done_files_are_deleted_once_they_are_old(tmp_path: Path) -> None:
    for days in (1, 40):
        path = put(tmp_path / f"{days}.csv")
        moment = (NOW - timedelta(days=days)).timestamp()
        os.utime(path, (moment, moment))
    assert delete_old(tmp_path, NOW - timedelta(days=30)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["1.csv"]
    assert delete_old(tmp_path / "none", NOW) == 0


@pytest.mark.parametrize("linked", ["in/landmark/done", "in/landmark"])
def test_nothing_is_deleted_through_a_link(tmp_path: Path, linked: str) -> None:
    precious = put(tmp_path / "home" / "precious.csv"), put(tmp_path / "home" / "done" / "precious.csv")
    for path in precious:
        os.utime(path, (1, 1))
    (tmp_path / linked).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / linked).symlink_to(tmp_path / "home")
    assert delete_old(tmp_path / "in" / "landmark" / "done", NOW) == 0
    assert all(path.exists() for path in precious)


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("later", ["", "came later still"])
def test_what_comes_while_a_file_is_moved_away_is_left_for_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, across: bool, later: str
) -> None:
    path, done = put(tmp_path / "day.csv"), tmp_path / "done"
    done.mkdir()
    stamp, replace = stamp_of(path.lstat()), Path.replace

    def another_comes(self: Path, to: Path) -> Path:
        put(tmp_path / "new", "another, longer").rename(self)
        if across:
            raise OSError(18, "another file system")
        moved = replace(self, to)
        if later:
            put(self, later)
        return moved

    monkeypatch.setattr(Path, "replace", another_comes)
    assert put_away(path, stamp, done, NOW) is None
    there = {found.name: found.read_text() for found in tmp_path.glob("*.csv")}
    both = later and not across
    assert there == ({"day.csv": later, "day-2.csv": "another, longer"} if both else {"day.csv": "another, longer"})
    assert list(done.iterdir()) == []


def test_a_warehouse_is_a_folder_and_the_root_too_where_it_has_a_mapping(tmp_path: Path) -> None:
    for name in ("b", "a", "done", "refused", ".git"):
        (tmp_path / name).mkdir()
    assert [path.name for path in warehouses(tmp_path)] == ["a", "b"]
    put(tmp_path / "mapping.yaml")
    assert warehouses(tmp_path) == [tmp_path, tmp_path / "a", tmp_path / "b"]
    with pytest.raises(InputFileError, match="cannot be read"):
        warehouses(tmp_path / "none")
