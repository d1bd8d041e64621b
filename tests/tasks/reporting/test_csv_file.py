"""Files that are written whole or not at all, for their owner alone."""

from pathlib import Path

import pytest

from tasks.desk import DeskError
from tasks.reporting.csv_file import write_csv, write_whole


def test_a_file_that_cannot_take_its_place_leaves_nothing_behind(tmp_path: Path) -> None:
    there = tmp_path / "report.html"
    there.mkdir()
    with pytest.raises(DeskError, match=r"report\.html could not be written"):
        write_whole(there, "<p>Ana Ruiz</p>")
    assert list(tmp_path.iterdir()) == [there]


def test_a_file_is_as_it_was_given_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("what was there")
    write_csv(path, ["a", "b"], [{"a": "ñ", "b": "=1+1"}])
    assert path.read_bytes().decode() == "a,b\r\nñ,'=1+1\r\n"
    assert path.stat().st_mode & 0o777 == 0o600
