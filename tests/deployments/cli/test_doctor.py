"""`rever-returns doctor` as a person calls it: what it prints, its exit codes, and no secret in either."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rever_api import Endpoints
from rever_api.openapi import read_document
from rever_api.openapi_diff import compare
from rever_api.sandbox import RunningSandbox
from tests.deployments.cli.conftest import KEY, Call
from tests.deployments.doctor.conftest import without_prefect  # noqa: F401 - a fixture
from tests.rever_api.official_document import BASE_URL, official, same

pytestmark = pytest.mark.usefixtures("without_prefect")


@pytest.fixture
def well(start_sandbox: Callable[..., RunningSandbox], monkeypatch: pytest.MonkeyPatch, call: Call) -> Call:
    """The command in front of a REVER that answers."""
    sandbox = start_sandbox(returns=5, api_key=KEY)
    monkeypatch.setenv("REVER_BASE_URL", sandbox.base_url)
    return call


def test_all_is_well(well: Call) -> None:
    ended = well("doctor")
    assert (ended.code, ended.err) == (0, "")
    assert "\nok           API key " in ended.out
    assert ended.out.splitlines()[-1].split()[1].startswith("ok")


def test_something_broken_ends_with_one(call: Call) -> None:
    ended = call("doctor", "--json")
    assert ended.code == 1
    told = json.loads(ended.out)
    assert told["ok"] is False
    states = {line["name"]: line["state"] for line in told["checks"]}
    assert (states["REVER"], states["API key"], states["ledger"]) == ("broken", "not checked", "ok")
    assert told["openapi"] is None


def test_settings_that_are_wrong_are_lines_too(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVER_LEDGER_URL", "postgresql://desk:s3cret-word@db")
    ended = call("doctor")
    assert ended.code == 1
    assert "REVER_LEDGER_URL names no database" in " ".join(ended.out.split())
    assert "s3cret-word" not in ended.out


def test_an_official_document_is_compared_and_the_correction_serves(well: Call, tmp_path: Path) -> None:
    file = tmp_path / "official.json"
    file.write_text(json.dumps(official()))
    ended = well("doctor", "--openapi", str(file))
    assert ended.code == 1
    assert "broken       official document  10 same, 5 differ, 1 missing there, 1 new there" in ended.out
    assert "\n                 method: POST here, PUT there\n" in ended.out
    assert "\n               ! it asks for the parameter tenant, which is not sent\n" in ended.out
    assert "\n! Refund.amount is an integer there" in ended.out
    (tmp_path / "endpoints.toml").write_text(ended.out.partition("as a file for REVER_ENDPOINTS:\n")[2])
    table = Endpoints.load(tmp_path / "endpoints.toml")
    assert table["issueRefund"].method == "PUT"
    told = json.loads(well("doctor", "--openapi", str(file), "--json").out)["openapi"]
    assert told["toml"] == compare(read_document(file), base_url=BASE_URL).toml
    assert [each["id"] for each in told["new"]] == ["AdminAPI_ListNotes"]


def test_a_document_that_agrees_is_well(well: Call, tmp_path: Path) -> None:
    file = tmp_path / "official.json"
    file.write_text(json.dumps(same()))
    ended = well("doctor", "--openapi", str(file))
    assert ended.code == 0
    assert "official document  16 same" in ended.out
    assert "REVER_ENDPOINTS" not in ended.out


def test_it_is_compared_with_the_contract_where_the_settings_are_wrong(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "official.json"
    file.write_text(json.dumps(same()))
    monkeypatch.delenv("REVER_API_KEY")
    ended = call("doctor", "--openapi", str(file))
    assert ended.code == 1
    assert "official document  16 same" in ended.out


def test_a_file_that_is_no_such_document_is_wrong_usage(call: Call, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<html>sign in</html>")
    ended = call("doctor", "--openapi", "page.html")
    assert (ended.code, ended.out) == (2, "")
    assert "page.html: is no OpenAPI document" in ended.err
