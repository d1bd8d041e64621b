"""`rever-returns policy backtest`: options, output, exit codes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rever_api.sandbox import RunningSandbox
from tests.deployments.cli.conftest import Call
from tests.flows.test_backtest_policy import EARLY


@pytest.fixture
def rever(start_sandbox: Callable[..., RunningSandbox], monkeypatch: pytest.MonkeyPatch) -> RunningSandbox:
    """A local REVER that the command line points at, with a candidate beside it."""
    running = start_sandbox(scenarios=("approved_one", "declined"), returns=8)
    monkeypatch.setenv("REVER_BASE_URL", running.base_url)
    monkeypatch.setenv("REVER_API_KEY", running.api_key)
    monkeypatch.setenv("REVER_STORES", "acme,nordic")
    return running


@pytest.fixture
def candidate(call: Call) -> str:
    """A policy file in the folder of the call."""
    Path("candidate.yaml").write_text(EARLY)
    return "candidate.yaml"


def test_it_says_what_would_have_differed_and_writes_the_files(
    call: Call, rever: RunningSandbox, candidate: str
) -> None:
    ended = call("policy", "backtest", candidate, "--csv", "out.csv", "--html", "out.html")
    assert ended.code == 0
    assert ended.out.startswith("backtest-policy over acme, nordic: 8 returns in ")
    assert "  rules of the candidate, in returns:\n    trusted: fired 8, decisive 8\n" in ended.out
    assert " more by trusted: current 0.00 " in ended.out
    assert "  what cannot be known:\n" in ended.out
    assert Path("out.csv").read_text().count("\n") == 1 + ended.out.count(" by trusted: ")
    assert Path("out.html").read_text().startswith("<!doctype html>")
    assert not list(Path().glob("*.sqlite*"))


def test_as_json_it_is_one_object(call: Call, rever: RunningSandbox, candidate: str) -> None:
    ended = call("policy", "backtest", candidate, "--store", "acme", "--json")
    told = json.loads(ended.out)
    assert (ended.code, told["flow"], told["stores"], told["failed"]) == (0, "backtest-policy", ["acme"], None)
    assert {one["store"] for one in told["differences"]} == {"acme"}
    assert [rule["rule"] for rule in told["rules"]] == ["trusted"]
    assert told["cannot_be_known"]


def test_a_window_without_returns_says_so(call: Call, rever: RunningSandbox, candidate: str) -> None:
    ended = call("policy", "backtest", candidate, "--from", "2001-01-01", "--to", "2001-02-01")
    assert ended.code == 0
    assert ": 0 returns in " in ended.out
    assert "  0 differences\n" in ended.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("gone.yaml",), "gone.yaml: the policy file cannot be read"),
        (("candidate.yaml", "--from", "yesterday"), "started_since: write a date such as 2026-11-01"),
        (("candidate.yaml", "--store", "acne"), "this desk has no store 'acne'"),
        (("candidate.yaml", "--csv", "no/such/out.csv"), "no file can be written at no/such/out.csv"),
        (("candidate.yaml", "--export", "gone.jsonl"), "gone.jsonl: the export cannot be read"),
    ],
)
def test_what_is_wrong_is_said_with_exit_code_2(
    call: Call, rever: RunningSandbox, candidate: str, options: tuple[str, ...], said: str
) -> None:
    ended = call("policy", "backtest", *options)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
