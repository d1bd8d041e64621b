"""The command in a process of its own, with everything that can be wrong: a clear sentence and exit code 1 or 2,
nothing half done, no traceback without --debug, and the key in no output at all.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rever_api.sandbox import RunningSandbox
from tests.deployments.cli.conftest import KEY
from tests.deployments.cli.test_end_to_end import web_page
from tests.forked import command

ACT = ("process-pending-returns", "mode=act")
TOML = {
    "syntax.toml": "[default\nrefund = ",
    "unknown.toml": "[default]\npay_everything = true\n",
    "type.toml": '[default.guards]\nmax_refund = "much"\n',
    "float.yaml": "default:\n  guards:\n    max_refund: {EUR: 24.50}\n",
}


@dataclass(frozen=True)
class Wrong:
    """One thing that is wrong: settings beside the right ones, or words after `run`; what is said, with which code."""

    about: str
    said: str
    code: int
    settings: dict[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ACT


CASES = (
    Wrong("no key", "REVER_API_KEY", 2, {"REVER_API_KEY": ""}),
    Wrong("a wrong key", "401", 1, {"REVER_API_KEY": KEY}),
    Wrong("an unknown store", "'nowhere'", 1, {"REVER_STORES": "nowhere"}),
    Wrong("a store that is not this desk's", "'autopay'", 2, words=(*ACT, "stores=autopay")),
    Wrong("a policy file that is not there", "missing.toml", 2, {"REVER_POLICY": "missing.toml"}),
    Wrong("a policy file that is no TOML", "syntax.toml", 2, {"REVER_POLICY": "syntax.toml"}),
    Wrong("a policy file with an unknown key", "pay_everything", 2, {"REVER_POLICY": "unknown.toml"}),
    Wrong("a policy file with a wrong type", "max_refund", 2, {"REVER_POLICY": "type.toml"}),
    Wrong("a policy file with a float", "float.yaml, line 3", 2, {"REVER_POLICY": "float.yaml"}),
    Wrong("a ledger in no folder", "missing", 1, {"REVER_LEDGER_URL": "sqlite:///missing/ledger.sqlite"}),
    Wrong("a ledger under a file", "syntax.toml", 1, {"REVER_LEDGER_URL": "sqlite:///syntax.toml/ledger.sqlite"}),
    Wrong("a folder for a ledger", "folder", 1, {"REVER_LEDGER_URL": "sqlite:///folder"}),
    Wrong("a ledger that is no database", "type.toml", 1, {"REVER_LEDGER_URL": "sqlite:///type.toml"}),
    Wrong("a ledger of another kind", "REVER_LEDGER_URL", 2, {"REVER_LEDGER_URL": "mysql://u:p@h/d"}),
    Wrong("no REVER at its address", "127.0.0.1:9", 1, {"REVER_BASE_URL": "http://127.0.0.1:9"}),
    Wrong("no flow of that name", "'process-pending-return'", 2, words=("process-pending-return", "mode=act")),
    Wrong("no parameter of that name", "'max_return'", 2, words=(*ACT, "max_return=3")),
    Wrong("a value that does not fit", "'-3'", 2, words=(*ACT, "max_returns=-3")),
    Wrong("a mode that there is not", "'pay'", 2, words=("process-pending-returns", "mode=pay")),
    Wrong("a time-out too near settling", "REVER_TIMEOUT", 2, {"REVER_TIMEOUT": "60", "REVER_SETTLE_AFTER": "90"}),
)

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def rever(start_sandbox: Callable[..., RunningSandbox]) -> RunningSandbox:
    return start_sandbox(returns=20)


@pytest.fixture
def run(rever: RunningSandbox, tmp_path: Path) -> Run:
    """Run the command in the test's folder, with right settings but for those given."""
    (tmp_path / "folder").mkdir()
    for name, text in TOML.items():
        (tmp_path / name).write_text(text)
    right = {"REVER_BASE_URL": rever.base_url, "REVER_API_KEY": rever.api_key, "REVER_STORES": "acme,nordic"}

    def run(*words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        asked = ("run", *words, "--json", "--no-prefect")
        return command(*asked, environment={**right, **settings}, folder=tmp_path).ended()

    return run


def assert_said(wrong: Wrong, ended: "subprocess.CompletedProcess[str]", rever: RunningSandbox, *, debug: bool) -> None:
    output = ended.stdout + ended.stderr
    assert ended.returncode == wrong.code, output
    assert wrong.said in json.loads(ended.stdout)["failed"]
    assert wrong.said in ended.stderr
    assert "fault of this software" not in ended.stderr
    assert debug or "Traceback" not in output
    assert debug or len([line for line in ended.stderr.splitlines() if line.startswith("rever-returns: ")]) == 1, output
    assert not [key for key in (KEY, rever.api_key) if key in output]


@pytest.mark.parametrize("wrong", CASES, ids=lambda wrong: wrong.about)
def test_what_is_wrong_is_said_and_nothing_is_half_done(
    wrong: Wrong, run: Run, rever: RunningSandbox, tmp_path: Path
) -> None:
    effects, texts = rever.books.effects, {name: (tmp_path / name).read_bytes() for name in TOML}
    assert_said(wrong, run(*wrong.words, **wrong.settings), rever, debug=False)
    assert rever.books.effects == effects
    assert {name: (tmp_path / name).read_bytes() for name in TOML} == texts
    assert list((tmp_path / "folder").iterdir()) == []


def test_the_installed_command_says_the_same(run: Run, rever: RunningSandbox, tmp_path: Path) -> None:
    wrong = next(case for case in CASES if case.about == "a wrong key")
    ended = run(*wrong.words, **wrong.settings)
    installed = [str(Path(sys.executable).with_name("rever-returns")), "run", *wrong.words, "--json", "--no-prefect"]
    settings = {"REVER_BASE_URL": rever.base_url, "REVER_STORES": "acme,nordic", **wrong.settings}
    started = subprocess.run(
        installed, cwd=tmp_path, env=os.environ | settings, capture_output=True, text=True, timeout=100, check=False
    )
    assert_said(wrong, started, rever, debug=False)
    assert started.stderr == ended.stderr


@pytest.mark.parametrize("about", ["a wrong key", "no REVER at its address", "a ledger that is no database"])
def test_a_traceback_on_demand_shows_no_key(about: str, run: Run, rever: RunningSandbox) -> None:
    wrong = next(case for case in CASES if case.about == about)
    ended = run(*wrong.words, "--debug", **wrong.settings)
    assert "Traceback" in ended.stderr
    assert_said(wrong, ended, rever, debug=True)


def test_a_page_that_is_no_json_is_said(run: Run, rever: RunningSandbox) -> None:
    with web_page() as address:
        wrong = Wrong("a web page", "JSON", 1)
        assert_said(wrong, run(*ACT, REVER_BASE_URL=address), rever, debug=False)


def test_a_page_of_the_list_that_is_no_json_ends_the_run_and_the_next_goes_on(run: Run, rever: RunningSandbox) -> None:
    due = rever.audit().due_total
    every_page = ",".join(f"searchReturnProcesses:{nth}:cut_json" for nth in range(1, 60))
    rever.set_faults(every_page)
    ended = run(*ACT)
    assert ended.returncode == 1, ended.stderr
    assert ended.stderr.startswith("rever-returns: ")
    assert "Traceback" not in ended.stderr
    assert rever.books.paid().get("EUR", 0) == 0
    rever.stop_faults()
    assert run(*ACT).returncode == 0
    assert rever.books.paid() == due
    assert rever.audit().clean


def test_a_ledger_of_another_account_is_refused(run: Run, rever: RunningSandbox) -> None:
    assert run(*ACT).returncode == 0
    effects = rever.books.effects
    wrong = Wrong("another account", "account", 1)
    assert_said(wrong, run(*ACT, REVER_ACCOUNT="another"), rever, debug=False)
    assert_said(wrong, run(*ACT, "--debug", REVER_ACCOUNT="another"), rever, debug=True)
    assert rever.books.effects == effects
