"""The folder with the files of labels: whole or not at all, for its owner alone, and no link of somebody else's."""

import errno
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rever_api.label_file import FileKind, LabelFile
from rever_api.sandbox.labels import label_pdf
from tasks.files.kept_labels import KeptLabels, LabelFolderError

FILE = LabelFile(label_pdf("DHL"), FileKind.PDF)
NAME = f"{FILE.digest}.pdf"


@pytest.fixture
def labels(tmp_path: Path) -> KeptLabels:
    return KeptLabels(tmp_path / "labels")


def test_a_file_is_kept_once_however_often_it_comes(labels: KeptLabels) -> None:
    assert labels.keep(FILE) == labels.keep(FILE) == FILE.digest
    (path,) = labels.folder.iterdir()
    assert (path.name, stat.S_IMODE(path.stat().st_mode)) == (NAME, 0o600)
    assert labels.read(FILE.digest, "pdf") == FILE.content
    path.write_bytes(b"%PDF-1.4 another %%EOF")
    assert labels.read(FILE.digest, "pdf") is None


def test_a_link_in_the_place_of_a_file_is_none_and_gives_way_to_it(labels: KeptLabels, tmp_path: Path) -> None:
    labels.keep(FILE)
    target = tmp_path / "elsewhere.pdf"
    target.write_bytes(FILE.content)
    (labels.folder / NAME).unlink()
    (labels.folder / NAME).symlink_to(target)
    assert (labels.has(FILE.digest, "pdf"), labels.read(FILE.digest, "pdf")) == (False, None)
    assert labels.remove({FILE.digest}) == 0
    labels.keep(FILE)
    assert labels.has(FILE.digest, "pdf")
    assert not (labels.folder / NAME).is_symlink()
    assert target.read_bytes() == FILE.content


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(labels: KeptLabels) -> None:
    labels.folder.mkdir(mode=0o700)
    os.mkfifo(labels.folder / NAME)
    assert labels.read(FILE.digest, "pdf") is None


def test_a_folder_that_is_a_link_is_not_used(labels: KeptLabels, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir(mode=0o700)
    labels.folder.symlink_to(tmp_path / "other")
    with pytest.raises(LabelFolderError, match="is a link; name the folder itself"):
        labels.keep(FILE)
    assert list((tmp_path / "other").iterdir()) == []


def test_a_full_disk_leaves_no_part_of_a_file(labels: KeptLabels, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tasks.files.kept_labels.os.fsync", full)
    with pytest.raises(LabelFolderError, match="no space left on device"):
        labels.keep(FILE)
    assert list(labels.folder.iterdir()) == []


def test_what_the_ledger_does_not_know_is_swept_after_an_hour_and_nothing_else(labels: KeptLabels) -> None:
    labels.keep(FILE)
    part = labels.folder / f"{NAME}.{'0' * 16}.part"
    part.write_bytes(b"%PDF-")
    (labels.folder / "README").write_text("not ours")
    now = datetime.now(UTC)
    assert labels.sweep((), now + timedelta(minutes=59)) == 0
    assert labels.sweep({FILE.digest}, now + timedelta(minutes=61)) == 1
    assert sorted(it.name for it in labels.folder.iterdir()) == sorted([NAME, "README"])
    assert labels.sweep((), now + timedelta(minutes=61)) == 1
