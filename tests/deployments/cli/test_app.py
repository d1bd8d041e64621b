"""The command line: what it says, where it says it, and its exit codes."""

import json
import logging
import os
import re
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

import pytest

import flows.run
from flows.catalog import FLOWS
from flows.run import BEGUN, RunFailedError, form_of
from rever_api.errors import Unauthorized
from tasks.reporting.report import Failure, Mode, ReturnsReport
from tests.deployments.cli.conftest import ENVIRONMENT, KEY, Call


def report(*, ours: bool = False) -> ReturnsReport:
    made = ReturnsReport(
        "reconcile", ("acme",), mode=Mode.ACT, seen=1, decisions=Counter(wait=1), paid={"EUR": Decimal("19.90")}
    )
    made.failures += [Failure("retp_1", "a fault", ours=True)] if ours else []
    return made


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = f"import deployments.cli; deployments.cli.main({words!r})"
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True)
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "deployments.cli" in imported
    heavy = {"prefect", "pandas", "sqlalchemy", "httpx", "uvicorn"}
    assert not heavy & {name.split(".")[0] for name in imported}
    if words == ["--help"]:
        assert "importlib.metadata" not in imported  # a fifth of its time, and only --version needs it
    assert done.stdout


def test_it_names_its_version_and_its_flows(call: Call) -> None:
    assert call("--version").out.strip() == version("rever-returns")
    said = " ".join(call("run", "--help").out.split())
    assert all(name in said for name in FLOWS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "generate-label"], "'generate-label'"),
        (["run", "reconcile", "acme"], "'acme' is no parameter: write name=value."),
        (["run", "reconcile", "mode="], "mode is given no value"),
        (["run", "reconcile", "stores=,"], "stores is given no value"),
        (["run", "reconcile", "mode=act", "mode=plan"], "mode is given twice, as 'act' and as 'plan'"),
        (["report", "--store", ""], "stores is given no value"),
        (["report", "--from", ""], "since is given no value"),
        (["payouts", "check", "payout.csv", "--zone", ""], "zone is given no value"),
        (["policy", "backtest", "policy.yaml", "--to", ""], "started_before is given no value"),
        (["run", "process-pending-returns", "max_return=3"], "'max_return'"),
        (["run", "process-pending-returns", "max_returns=some"], "'some'"),
        (["run", "answer-hold", "hold_id=h"], "version"),
        (["run", "answer-hold"], "rever-returns: hold_id: Field required; version: Field required"),
        (["run", "answer-holds"], "rever-returns: name the holds by cause, or each by holds"),
        (
            [
                "labels",
                "register",
                "AC1",
                "--carrier",
                "DHL",
                "--tracking",
                "J1",
                "--method",
                "DROP_OFF",
            ],
            "return_method: it must be '', 'HOME_PICK_UP', 'DROP_OFF_POINT' or 'DELIVERY_PICKUP', found 'DROP_OFF'",
        ),
        (["run"], "FLOW"),
        (["pay"], "pay"),
        (["sandbox", "--port", "70000"], "--port"),
    ],
)
def test_wrong_usage_is_a_sentence(call: Call, words: list[str], said: str) -> None:
    ended = call(*words)
    assert ended.code == 2
    assert ended.out == ""
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_a_wrong_parameter_is_named_first_with_the_one_that_was_meant(call: Call) -> None:
    said = call("run", "process-pending-returns", "max_return=3").err
    assert said.startswith("rever-returns: 'max_return' is no parameter of process-pending-returns: did you mean 'max_")
    assert "run process-pending-returns --help" in said


@pytest.mark.parametrize("flow", FLOWS)
def test_the_help_of_a_flow_lists_its_parameters(call: Call, flow: str) -> None:
    ended = call("run", flow, "--help")
    assert ended.code == 0
    for name, field in form_of(flow).model_fields.items():
        assert f"  {name}=VALUE" in ended.out
        assert " ".join((field.description or "").split()[:3]) in " ".join(ended.out.split())
    assert ("[default: plan]" in " ".join(ended.out.split())) is ("mode" in form_of(flow).model_fields)


def test_the_help_of_no_flow_is_an_error(call: Call) -> None:
    ended = call("run", "generate-label", "--help")
    assert (ended.code, ended.out) == (2, "")
    assert "'generate-label'" in ended.err


@pytest.mark.parametrize("words", [["run", "reconcile", "--json"], ["why", "retp_1"], ["holds"], ["settings"]])
def test_missing_settings_are_said_before_anything_starts(
    call: Call, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.delenv("REVER_API_KEY")
    monkeypatch.setenv("REVER_LEASE", "long")
    ended = call(*words)
    assert ended.code == 2
    assert json.loads(ended.out)["failed"] if "--json" in words else ended.out == ""
    assert [line.split()[1] for line in ended.err.splitlines()] == ["REVER_API_KEY", "REVER_LEASE"]


def test_settings_are_shown_without_secrets(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVER_LEDGER_URL", "postgresql://desk:s3cret@db/returns")
    ended = call("settings")
    assert ended.code == 0
    assert "REVER_API_KEY=***\n" in ended.out
    assert "REVER_LEDGER_URL=postgresql://***@db/returns\n" in ended.out


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", "import deployments.cli; deployments.cli.main(['settings'])"],
        cwd=tmp_path,
        env={**os.environ, **ENVIRONMENT, "PYTHONUNBUFFERED": ""},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_json_is_alone_on_stdout(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def noisy(name: str, values: dict[str, str], *, prefect: bool) -> ReturnsReport:
        assert (name, values, prefect) == ("reconcile", {"stores": "a,b", "mode": "act"}, False)
        print("a library's notice")
        logging.getLogger("tasks.effects.perform").warning("a log line with %s", KEY)
        return report()

    monkeypatch.setattr(flows.run, "run_flow", noisy)
    ended = call("run", "reconcile", "stores=a,b", "mode=act", "--json", "--no-prefect")
    assert ended.code == 0
    found = json.loads(ended.out)
    assert ended.out.count("\n") == 1
    assert found["paid"] == {"EUR": "19.90"}
    assert "a library's notice" in ended.err
    assert "a log line with ***" in ended.err


def test_a_run_that_failed_reports_all_the_same(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> ReturnsReport:
        raise RunFailedError(report(ours=True))

    monkeypatch.setattr(flows.run, "run_flow", failing)
    ended = call("run", "reconcile", "--json")
    assert ended.code == 1
    assert json.loads(ended.out)["failures"] == [{"process_id": "retp_1", "why": "a fault"}]


@pytest.mark.parametrize("debug", [False, True])
def test_an_error_is_a_sentence_and_a_traceback_only_on_demand(
    call: Call, monkeypatch: pytest.MonkeyPatch, *, debug: bool
) -> None:
    def refused(*_: object, **__: object) -> ReturnsReport:
        error = Unauthorized(f"REVER refused the key {KEY}: check REVER_API_KEY.", status=401)
        logging.getLogger("tasks").error("Encountered exception during execution", exc_info=error)
        raise error

    monkeypatch.setattr(flows.run, "run_flow", refused)
    ended = call("run", "reconcile", *(["--debug"] if debug else []))
    assert (ended.code, ended.out) == (1, "")
    assert "rever-returns: REVER refused the key ***: check REVER_API_KEY." in ended.err
    assert ("Traceback" in ended.err) is debug


def test_an_unforeseen_error_shows_its_place_but_not_its_text(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> ReturnsReport:
        raise KeyError("jane@example.com")

    monkeypatch.setattr(flows.run, "run_flow", broken)
    ended = call("run", "reconcile")
    assert ended.code == 1
    assert re.search(r"a fault of this software: KeyError at test_app.py:\d+", ended.err)
    assert "jane" not in ended.err


def test_a_stopped_run_says_so(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> ReturnsReport:
        raise KeyboardInterrupt

    monkeypatch.setattr(flows.run, "run_flow", stopped)
    ended = call("run", "reconcile")
    assert (ended.code, ended.out) == (1, "")
    assert "rever-returns: stopped. Nothing was under way." in ended.err
    ended = call("run", "reconcile", "mode=act", "--json")
    assert (ended.code, json.loads(ended.out)["mode"]) == (1, "act")
    assert json.loads(ended.out)["failed"] == "stopped. Nothing was under way."


@pytest.mark.parametrize(("mode", "words"), [(Mode.PLAN, "Nothing was"), (Mode.ACT, "What was")])
def test_a_run_that_is_stopped_once_it_acts_says_who_settles_what_was_under_way(
    call: Call, monkeypatch: pytest.MonkeyPatch, mode: Mode, words: str
) -> None:
    def stopped(flow: str, *_: object, **__: object) -> ReturnsReport:
        begun = BEGUN.get()
        assert begun is not None
        begun.append(ReturnsReport(flow, mode=mode))
        raise KeyboardInterrupt

    monkeypatch.setattr(flows.run, "run_flow", stopped)
    assert f"stopped. {words} under way" in call("run", "reconcile", f"mode={mode}").err


def test_a_command_that_sends_nothing_is_just_stopped(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tasks.ledger.Ledger.open", stopped)
    ended = call("holds")
    assert ended.code == 130
    assert ended.err.strip() == "rever-returns: stopped."


def test_the_key_of_the_settings_file_is_kept_back_too(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def leaking(*_: object, **__: object) -> ReturnsReport:
        raise Unauthorized("refused: other-key-1234, p%40ss, p@ss", status=401)

    monkeypatch.setattr(flows.run, "run_flow", leaking)
    Path(".env").write_text("REVER_API_KEY=other-key-1234\nREVER_LEDGER_URL=postgresql://u:p%40ss@h/d\n")
    monkeypatch.delenv("REVER_API_KEY")
    assert "refused: ***, ***, ***" in call("run", "reconcile").err
