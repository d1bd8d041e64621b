"""The examples of docs/client.md run as they stand there, and print what the page says."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from rever_api.sandbox import running_sandbox

PAGE = Path(__file__).parents[2] / "docs" / "client.md"


class Example(NamedTuple):
    title: str
    line: int
    code: str
    output: str


def examples() -> list[Example]:
    text, found = PAGE.read_text("utf-8"), []
    headings = list(re.finditer(r"^## (\d+\. .+)$", text, re.MULTILINE))
    for heading, begin in ((each[1], each.end()) for each in headings):
        block = re.compile(r"```python\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL).search(text, begin)
        assert block is not None, heading
        found.append(Example(heading, text[: block.start(1)].count("\n"), block[1], block[2]))
    return found


def test_there_are_ten_and_each_block_of_python_is_one_of_them() -> None:
    assert [example.title.split(".")[0] for example in examples()] == [str(number) for number in range(1, 11)]
    assert PAGE.read_text("utf-8").count("```python") == 10


@pytest.mark.parametrize("example", examples(), ids=[example.title for example in examples()])
def test_an_example_prints_what_the_page_says(
    example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with running_sandbox() as rever:
        monkeypatch.setenv("REVER_API_KEY", rever.api_key)
        monkeypatch.setenv("REVER_BASE_URL", rever.base_url)
        monkeypatch.setenv("REVER_GROUP", rever.group)
        program = compile("\n" * example.line + example.code, str(PAGE), "exec")
        scope: dict[str, Any] = {"__name__": "__main__"}
        exec(program, scope)
    assert capsys.readouterr().out == example.output
