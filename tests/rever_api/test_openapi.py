"""A document is somebody else's: a wrong one is refused with a sentence, a strange one is survived."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rever_api import openapi as module
from rever_api.openapi import Document, DocumentError, parsed, read_document
from rever_api.openapi_diff import compare


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is no OpenAPI document"),
        ("- a\n- b\n", "is no OpenAPI document: it has no `openapi: 3"),
        ("<html><body>Sign in</body></html>", "is no OpenAPI document"),
        ('{"info": {}}', "is no OpenAPI document"),
        ('{"openapi": "3.0.0", "paths": {}}', "has no `paths`"),
        ("openapi: 3.0.0\npaths: nothing\n", "has no `paths`"),
        ('{"openapi": "3.0.0", ', "is not JSON .*column"),
        ("openapi: 3.0.0\npaths: [\n", "is not YAML .* in line 3"),
        ("openapi: *nobody\n", "is not YAML .* in line 1"),
        ("[" * 100_000, "is nested too deeply"),
    ],
)
def test_a_wrong_file_is_refused_with_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "official.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(DocumentError, match=sentence) as raised:
        read_document(file)
    assert str(raised.value).startswith(f"{file}: ")


def test_a_file_that_cannot_be_read_is_said_to_be_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DocumentError, match="cannot be read"):
        read_document(tmp_path / "none.yaml")
    with pytest.raises(DocumentError, match="cannot be read"):
        read_document(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"openapi: \xff")
    with pytest.raises(DocumentError, match="not text in UTF-8"):
        read_document(tmp_path / "latin.yaml")
    monkeypatch.setattr(module, "MOST_BYTES", 3)
    with pytest.raises(DocumentError, match="too large"):
        read_document(tmp_path / "latin.yaml")


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "official.json"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps({"openapi": "3.0.0", "paths": {"/x": {}}}).encode())
    assert read_document(file).tree["paths"] == {"/x": {}}


def test_values_stay_what_they_are_written_as() -> None:
    tree = parsed("openapi: 3.0.0\npaths: {/x: {get: {enum: [NO, 2026-01-01, 1.0]}}}\n", "f").tree
    assert tree["paths"]["/x"]["get"]["enum"] == ["NO", "2026-01-01", "1.0"]


def test_references_are_followed_as_far_as_they_go() -> None:
    tree = {
        "a": {"b/c": {"d~": {"type": "string"}}},
        "to": {"$ref": "#/a/b~1c/d~0"},
        "round": {"$ref": "#/round"},
    }
    document = Document(tree)
    assert document.resolve({"$ref": "#/to"})[1] == {"type": "string"}
    assert document.resolve({"$ref": "#/round"})[1] == {}
    assert document.resolve({"$ref": "other.yaml#/x"})[1] == {}
    assert document.resolve({"$ref": "#/a/none/at/all"})[1] == {}
    assert document.resolve("nonsense") == ("", {})


KEYS = st.sampled_from(
    ["$ref", "get", "post", "parameters", "schema", "properties", "items", "allOf", "enum", "type", "name", "in",
     "required", "responses", "200", "content", "application/json", "requestBody", "operationId", "url"]
)  # fmt: skip
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=8),
    st.sampled_from(["#/paths", "#/components/schemas/X", "issueRefund", "searchReturnProcesses", "path", "query"]),
)  # fmt: skip
TREES = st.recursive(LEAVES, lambda below: st.lists(below, max_size=4) | st.dictionaries(KEYS, below, max_size=6))
PATHS = st.sampled_from(["/v1/processes", "/v1/processes/{process_id}/refunds", "{", "/{}/{x}", ""])


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(PATHS, TREES, min_size=1), TREES, TREES)
def test_a_strange_document_is_survived(paths: dict[str, Any], schema: Any, servers: Any) -> None:
    tree = {"openapi": "3.0.0", "paths": paths, "components": {"schemas": {"X": schema}}, "servers": servers}
    found = compare(parsed(json.dumps(tree), "f"), base_url="https://api.byrever.com")
    assert found.operations


def test_aliases_that_make_a_few_lines_billions_of_nodes_are_refused() -> None:
    layers = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10))
    bomb = f"openapi: 3.0.0\npaths: {{/v1: {{}}}}\na0: &a0 [x]\n{layers}\n"
    with pytest.raises(DocumentError, match="grow without end"):
        parsed(bomb, "bomb.yaml")
    with pytest.raises(DocumentError):
        parsed("openapi: 3.0.0\npaths: &p {/v1: *p}\n", "circle.yaml")
