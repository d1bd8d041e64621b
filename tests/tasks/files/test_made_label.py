"""The file of a label: what REVER would take is read whole, all else is refused with the reason."""

import os
from hashlib import sha256
from pathlib import Path

import pytest

from rever_api.label_file import LARGEST
from tasks.files.made_label import read_label
from tasks.files.table import InputFileError

PDF, PNG, JPG = b"%PDF-1.4\n...%%EOF\n", b"\x89PNG\r\n\x1a\n...IEND\xaeB`\x82", b"\xff\xd8\xff\xe0...\xff\xd9"


@pytest.mark.parametrize(("name", "content"), [("a.pdf", PDF), ("a.PDF", PDF), ("a.png", PNG), ("a.b.jpg", JPG)])
def test_a_label_is_read_whole(tmp_path: Path, name: str, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    found = read_label(Path(name))
    assert (found.path, found.content) == (tmp_path / name, content)
    assert (found.extension, found.digest) == (name[-3:].lower(), sha256(content).hexdigest())
    assert repr(content) not in repr(found)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("label.jpeg", JPG, "REVER takes the extension jpg, and not jpeg; rename it"),
        ("label.gif", b"GIF89a", "has the extension gif; REVER takes labels as pdf, png or jpg"),
        ("label", PDF, "has no extension"),
        (".pdf", PDF, "has no extension"),
        ("label.pdf", b"", "is empty"),
        ("label.pdf", PNG, "is a png by its content; rename it to label.png"),
        ("label.png", b"<html>404</html>", "is no png by its content"),
        ("label.jpg", b"\xff\xd8", "is no jpg by its content"),
        ("label.pdf", PDF[:-6], "has no end, so it is not whole"),
        ("label.pdf", PDF + b" " * LARGEST, "has more than 5,000,000 bytes"),
    ],
    ids=lambda it: "" if isinstance(it, bytes) else it,
)
def test_what_rever_would_not_take_is_refused(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputFileError) as refused:
        read_label(tmp_path / name)
    assert str(refused.value).startswith(f"{tmp_path / name}: {why}")


@pytest.mark.parametrize("name", ["a\x1b[31mb.pdf", "y.p\x1b[31mdf", "n\nl.gif"])
def test_nothing_of_a_name_reaches_the_screen_that_is_no_letter(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(PNG)
    with pytest.raises(InputFileError) as refused:
        read_label(tmp_path / name)
    assert str(refused.value).isprintable()


def test_a_link_a_folder_a_pipe_a_device_and_what_is_not_there_are_no_label(tmp_path: Path) -> None:
    (tmp_path / "label.pdf").write_bytes(PDF)
    (tmp_path / "link.pdf").symlink_to(tmp_path / "label.pdf")
    (tmp_path / "folder.pdf").mkdir()
    os.mkfifo(tmp_path / "pipe.pdf")
    found = {"link.pdf": "is a link", "folder.pdf": "is a folder", "pipe.pdf": "is a folder or a device"}
    for name, why in (
        found | {"none.pdf": "is not there", "none/label.pdf": "is not there", "\0.pdf": "cannot be read"}
    ).items():
        with pytest.raises(InputFileError, match=why):
            read_label(tmp_path / name)
