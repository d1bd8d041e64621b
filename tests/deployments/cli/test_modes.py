"""What the commands leave behind is its owner's alone, whatever the umask they are called under; and doctor says so."""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from deployments.doctor.command import CHECKS, examine
from deployments.doctor.examination import Examination, State
from deployments.doctor.settings import FILE_MODES, kept, modes_line, open_to_others
from deployments.prefect_server import without_own_settings
from deployments.receiver.inbox import Inbox
from rever_api.sandbox import RunningSandbox
from tasks.desk import utc_now
from tasks.ledger import Ledger, back_up, export
from tasks.ledger.export import Format
from tasks.reporting.csv_file import write_csv
from tests.deployments.cli.conftest import Call
from tests.forked import Forked, rever_returns


@pytest.fixture
def loose() -> object:
    """The umask of an ordinary shell, or a looser one."""
    before = os.umask(0o000)
    yield
    os.umask(before)


def others(folder: Path) -> dict[str, str]:
    """What in this folder others may read, write or enter, with its mode."""
    modes = {path: path.stat().st_mode & 0o777 for path in folder.rglob("*")}
    return {str(path.relative_to(folder)): f"{mode:o}" for path, mode in modes.items() if mode & 0o077}


def _as_in_a_shell(*words: str) -> None:
    os.umask(0o022)
    rever_returns(*words)


def test_what_a_command_writes_is_its_owners_alone(
    start_sandbox: Callable[..., RunningSandbox], tmp_path: Path
) -> None:
    sandbox = start_sandbox(returns=10)
    env = {
        **without_own_settings(os.environ),
        "REVER_BASE_URL": sandbox.base_url,
        "REVER_API_KEY": sandbox.api_key,
        "REVER_STORES": ",".join(sandbox.stores),
        "REVER_LEDGER_URL": f"sqlite:///{tmp_path}/ledger.sqlite",
        "PREFECT_HOME": f"{tmp_path}/prefect",
    }
    for words in (
        ["run", "process-pending-returns", "mode=act", "--no-prefect"],
        ["run", "reconcile", "mode=act", f"csv={tmp_path}/comparison.csv", "--no-prefect"],
        ["ledger", "backup", f"{tmp_path}/backup.sqlite"],
        ["ledger", "export", f"{tmp_path}/exported"],
        ["ledger", "restore", f"{tmp_path}/backup.sqlite", "--by", "me"],
    ):
        Forked(_as_in_a_shell, *words, environment=env, folder=tmp_path).ended().check_returncode()
    assert {path.name for path in tmp_path.iterdir()} >= {"ledger.sqlite", "comparison.csv", "backup.sqlite"}
    assert others(tmp_path) == {}


def test_what_the_library_writes_is_its_owners_alone_under_any_umask(loose: None, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    ledger = Ledger.open(url, account="a", clock=utc_now)
    assert (tmp_path / "ledger.sqlite-wal").exists()
    ledger.read(export, tmp_path / "csv", Format.CSV)
    ledger.read(export, tmp_path / "jsonl", Format.JSONL)
    back_up(url, tmp_path / "backup.sqlite")
    with closing(Inbox.open(f"sqlite:///{tmp_path}/inbox.sqlite")) as inbox:
        assert (tmp_path / "inbox.sqlite-wal").exists()
        assert others(tmp_path) == {}
        inbox.trim()
    write_csv(tmp_path / "comparison.csv", ["process_id"], [])
    assert others(tmp_path) == {}
    ledger.close()


def test_a_database_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    url, file = f"sqlite:///{tmp_path}/ledger.sqlite", tmp_path / "ledger.sqlite"
    Ledger.open(url, account="a", clock=utc_now).close()
    file.chmod(0o660)
    Ledger.open(url, account="a", clock=utc_now).close()
    assert file.stat().st_mode & 0o777 == 0o660


@pytest.mark.parametrize(
    ("name", "mode", "state"),
    [
        (".env", 0o644, State.ATTENTION),
        (".env", 0o640, State.ATTENTION),
        (".env", 0o666, State.BROKEN),
        ("ledger.sqlite", 0o644, State.ATTENTION),
        ("ledger.sqlite-wal", 0o644, State.ATTENTION),
        ("ledger.sqlite-shm", 0o604, State.ATTENTION),
        ("ledger.sqlite.before-20261129T080000000000Z", 0o644, State.ATTENTION),
        ("ledger-inbox.sqlite", 0o644, State.ATTENTION),
        ("ledger-inbox.sqlite-wal", 0o646, State.BROKEN),
        (".up/prefect-password", 0o644, State.ATTENTION),
        (".up/logs/Prefect.log", 0o644, State.ATTENTION),
        ("exported/audit.csv", 0o644, State.ATTENTION),
        ("exported/intents.csv", 0o644, State.ATTENTION),
        ("exported", 0o755, State.ATTENTION),
        ("prefect/prefect.db", 0o644, State.ATTENTION),
        ("policy.toml", 0o664, State.ATTENTION),
        ("policy.toml", 0o644, State.OK),
        ("elsewhere.txt", 0o666, State.OK),
    ],
)
def test_doctor_names_what_others_may_read_or_change(
    name: str, mode: int, state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.toml").touch(mode=0o600)
    for variable, value in {
        "REVER_BASE_URL": "http://127.0.0.1:9",
        "REVER_API_KEY": "key",
        "REVER_STORES": "acme",
        "REVER_LEDGER_URL": f"sqlite:///{tmp_path}/ledger.sqlite",
        "REVER_POLICY": "policy.toml",
    }.items():
        monkeypatch.setenv(variable, value)
    for each in ("exported/audit.csv", "exported/intents.csv", ".up/prefect-password", ".up/logs/Prefect.log"):
        (tmp_path / each).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        (tmp_path / each).touch(mode=0o600)
    (tmp_path / ".up").chmod(0o700)
    (tmp_path / name).parent.mkdir(mode=0o700, exist_ok=True)
    (tmp_path / name).touch()
    (tmp_path / name).chmod(mode)
    from prefect.settings import PREFECT_HOME, temporary_settings

    with temporary_settings({PREFECT_HOME: tmp_path / "prefect"}):
        checks = [each for each in CHECKS if each.name in {"settings", FILE_MODES}]
        (line,) = [each for each in examine(checks, Examination()) if each.name == FILE_MODES]
    assert line.state is state
    if state is not State.OK:
        assert name.rsplit("/", 1)[-1] in line.found
        assert f"{mode:04o}" in line.found
        assert "chmod" in line.to_do


def test_what_is_gone_or_not_there_is_no_finding(tmp_path: Path) -> None:
    assert open_to_others([tmp_path / "gone"], [tmp_path / "rules"]) == []
    assert modes_line([]).state is State.OK
    assert kept([None], tmp_path / "gone") is not None


def test_settings_warns_of_a_key_that_others_may_read(call: Call, tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_text("REVER_RATE=5\n")
    env.chmod(0o644)
    told = call("settings")
    assert told.code == 0
    assert "chmod 600 .env" in told.err
    assert "chmod" not in told.out
    env.chmod(0o600)
    assert call("settings").err == ""
