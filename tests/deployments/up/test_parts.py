"""What `up` decides before it starts anything: ports, whose desk, what each child is told, and what the page says."""

import os
import socket
from pathlib import Path

import pytest

from deployments.console.errors import UsageError
from deployments.prefect_server import kept_auth
from deployments.up.command import page, run_up
from deployments.up.desk import MARK, Ports, free_ports, has_key, own_desk, sandbox_desk
from deployments.up.parts import Parts
from tasks.settings import SettingsError

PORTS = Ports(14200, 18766, 18765)
KEY = "a-key-nobody-may-see"
AUTH = "admin:a-password-nobody-may-see"


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _set_up_own(monkeypatch: pytest.MonkeyPatch, **more: str) -> None:
    own = {"API_KEY": KEY, "BASE_URL": "https://api.example", "STORES": "mine", "LEDGER_URL": "sqlite:////var/l.sqlite"}
    for name, value in {**own, **more}.items():
        monkeypatch.setenv(f"REVER_{name}", value)


def test_a_taken_port_is_named_with_the_option_that_changes_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        first, second = one.getsockname()[1], other.getsockname()[1]
        with pytest.raises(UsageError) as refused:
            free_ports(prefect=first, receiver=second, sandbox=0)
    sentences = str(refused.value).splitlines()
    assert f"port {first} of 127.0.0.1 is taken" in sentences[0]
    assert "--prefect-port" in sentences[0]
    assert "--receiver-port" in sentences[1]


def test_port_0_is_a_free_one_and_no_sandbox_takes_none() -> None:
    ports = free_ports(prefect=0, receiver=0, sandbox=None)
    assert ports.prefect
    assert ports.receiver
    assert not ports.sandbox


def test_the_key_decides_whose_desk_it_is(in_a_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not has_key()
    (in_a_folder / ".env").write_text("REVER_API_KEY=\n")
    assert not has_key()
    (in_a_folder / ".env").write_text("REVER_API_KEY=k\n")
    assert has_key()
    (in_a_folder / ".env").unlink()
    monkeypatch.setenv("REVER_API_KEY", "k")
    assert has_key()


def test_no_sandbox_without_a_key_is_refused() -> None:
    with pytest.raises(UsageError, match="REVER_API_KEY is not set"):
        run_up(sandbox=False, workers=1, prefect_port=0, receiver_port=0, sandbox_port=0)


def test_an_own_desk_with_wrong_settings_is_refused_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    _set_up_own(monkeypatch, STORES="")
    with pytest.raises(SettingsError, match="REVER_STORES"):
        own_desk(PORTS, Path.cwd())


def test_a_sandboxs_desk_keeps_all_in_its_folder_and_nothing_of_a_persons_own(
    in_a_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set_up_own(monkeypatch)
    monkeypatch.setenv("PREFECT_HOME", "/nowhere/prefect")
    folder = in_a_folder / ".up" / "sandbox"
    desk = sandbox_desk(folder, PORTS)
    kept = [desk.env[name] for name in ("REVER_LEDGER_URL", "REVER_INBOX_URL", "PREFECT_HOME")]
    assert kept == [f"sqlite:///{folder}/ledger.sqlite", f"sqlite:///{folder}/inbox.sqlite", f"{folder}/prefect"]
    assert KEY not in desk.env.values()
    taken = [desk.env[f"REVER_{name}"] for name in ("INSPECTIONS", "RETURN_FILES", "LABEL_FILES", "LABELS")]
    assert all(Path(it).is_dir() and Path(it).parent == folder and it in desk.variables.read_text() for it in taken)
    assert desk.env["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == "30"
    assert len(desk.env["REVER_WEBHOOK_SECRETS"]) == 64
    assert desk.variables.stat().st_mode & 0o077 == 0
    (folder / "ledger.sqlite").write_text("of the last sandbox")
    again = sandbox_desk(folder, PORTS)
    assert not (folder / "ledger.sqlite").exists()
    assert again.env["REVER_WEBHOOK_SECRETS"] != desk.env["REVER_WEBHOOK_SECRETS"]
    assert desk.env["REVER_WEBHOOK_SECRETS"] not in repr(desk)


def test_a_folder_that_up_did_not_make_is_left_alone(in_a_folder: Path) -> None:
    (in_a_folder / "precious").mkdir()
    with pytest.raises(UsageError, match="was not made by `up`"):
        sandbox_desk(in_a_folder / "precious", PORTS)
    assert not (in_a_folder / "precious" / MARK).exists()


def test_an_own_desk_talks_to_the_server_started_here_and_keeps_the_persons_settings(
    in_a_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set_up_own(monkeypatch, WEBHOOK_SECRETS="s" * 32)
    monkeypatch.setenv("PREFECT_API_URL", "https://elsewhere.example/api")
    monkeypatch.setenv("PREFECT_WORKER_QUERY_SECONDS", "7")
    desk = own_desk(PORTS, Path.cwd())
    assert desk.env["PREFECT_API_URL"] == "http://127.0.0.1:14200/api"
    assert desk.env["PREFECT_WORKER_QUERY_SECONDS"] == "7"
    assert desk.env["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert desk.folder == in_a_folder
    assert desk.receives
    assert "PREFECT_HOME" not in set(desk.env) - set(os.environ)


@pytest.mark.parametrize("sandbox", [True, False])
def test_the_page_shows_addresses_and_no_secret(
    sandbox: bool, in_a_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set_up_own(monkeypatch)
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", AUTH)
    desk = sandbox_desk(in_a_folder / "box", PORTS) if sandbox else own_desk(PORTS, Path.cwd())
    text = page(desk, Parts(desk, PORTS), in_a_folder / "logs", workers=2, seconds=21.4)
    assert "http://127.0.0.1:14200" in text
    assert ("http://127.0.0.1:18765" in text) is sandbox
    assert ("No receiver: REVER_WEBHOOK_SECRETS is not set." in text) is not sandbox
    assert "PREFECT_SERVER_API_AUTH_STRING" in text
    assert "Prefect's UI asks for a password" in text
    assert ("has run with mode=act: until then there is no ledger" in text) is sandbox
    hidden = [KEY, "a-password", desk.env["REVER_API_KEY"], desk.env.get("REVER_WEBHOOK_SECRETS", KEY)]
    assert not [secret for secret in hidden if secret in text]


def test_one_variable_is_the_password_of_server_and_clients(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", AUTH)
    desk = sandbox_desk(tmp_path / "box", PORTS)
    assert desk.env["PREFECT_API_AUTH_STRING"] == desk.env["PREFECT_SERVER_API_AUTH_STRING"] == AUTH
    assert desk.auth == ("admin", "a-password-nobody-may-see")
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "no-colon")
    with pytest.raises(UsageError, match="must be user:password") as refused:
        sandbox_desk(tmp_path / "other", PORTS)
    assert "no-colon" not in str(refused.value)


@pytest.mark.parametrize("sandbox", [True, False])
def test_a_password_is_made_at_the_first_start_and_kept_for_its_owner_alone(
    sandbox: bool, in_a_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set_up_own(monkeypatch)
    kept = in_a_folder / ".up"
    kept.mkdir()
    old = os.umask(0o000)
    try:
        first, again = (sandbox_desk(kept / "box", PORTS) if sandbox else own_desk(PORTS, kept) for _ in range(2))
    finally:
        os.umask(old)
    auth = first.env["PREFECT_SERVER_API_AUTH_STRING"]
    assert first.auth == again.auth
    assert len(first.auth[1]) >= 32
    assert first.password == kept / "prefect-password"
    assert first.password.read_text() == f"{auth}\n"
    assert first.env["PREFECT_API_AUTH_STRING"] == auth
    assert [
        file for file in kept.rglob("*") if file.is_file() and file.stat().st_mode & 0o077 and auth in file.read_text()
    ] == []
    assert first.variables.stat().st_mode & 0o077 == 0
    assert f"PREFECT_API_AUTH_STRING={auth}" in first.variables.read_text().splitlines()
    shown = page(first, Parts(first, PORTS), in_a_folder / "logs", workers=1, seconds=1)
    assert str(first.password) in shown
    assert str(first.variables) in shown
    assert first.auth[1] not in shown
    assert first.auth[1] not in repr(first)


@pytest.mark.parametrize("found", ["", "no colon", "desk:short", "\x00", "a:b c" * 20])
def test_what_is_no_password_is_made_anew_and_what_others_may_read_is_closed(found: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(found)
    file.chmod(0o644)
    made = kept_auth(file)
    assert made != found
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    assert kept_auth(file) == made
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_folder_of_an_earlier_version_is_closed_to_others(in_a_folder: Path) -> None:
    (in_a_folder / ".up").mkdir()
    (in_a_folder / ".up").chmod(0o755)
    with pytest.raises(UsageError), socket.create_server(("127.0.0.1", 0)) as taken:
        run_up(sandbox=True, workers=1, prefect_port=taken.getsockname()[1], receiver_port=0, sandbox_port=0)
    assert (in_a_folder / ".up").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"])
def test_a_password_in_the_settings_file_is_the_desks(
    name: str, in_a_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set_up_own(monkeypatch)
    (in_a_folder / ".env").write_text(f"{name}={AUTH}\n")
    desk = own_desk(PORTS, in_a_folder)
    assert desk.env["PREFECT_SERVER_API_AUTH_STRING"] == desk.env["PREFECT_API_AUTH_STRING"] == AUTH
    assert desk.password is None
    assert not (in_a_folder / "prefect-password").exists()


def test_a_servers_doors_are_shut_to_other_pages(tmp_path: Path) -> None:
    desk = sandbox_desk(tmp_path / "box", PORTS)
    origins = desk.env["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"].split(",")
    assert origins == ["http://127.0.0.1:14200", "http://localhost:14200"]
    assert desk.env["PREFECT_SERVER_CSRF_PROTECTION_ENABLED"] == "true"


def test_each_part_is_told_of_the_password_what_it_needs(tmp_path: Path) -> None:
    desk = sandbox_desk(tmp_path / "box", PORTS)
    parts = Parts(desk, PORTS)
    specs = {spec.name: spec for spec in [*parts.first(), parts.bootstrap(), *parts.executors(1)]}
    asks = {name for name, spec in specs.items() if "PREFECT_API_AUTH_STRING" in spec.env}
    knows = {name for name, spec in specs.items() if "PREFECT_SERVER_API_AUTH_STRING" in spec.env}
    assert asks == {"Prefect", "receiver", "bootstrap", "fast lane", "worker 1"}
    assert knows == {"Prefect"}
    assert not [spec for spec in specs.values() if any(desk.auth[1] in word for word in spec.command)]
    assert desk.auth[1] not in repr(specs)


def test_no_child_is_told_a_secret_on_its_command_line_and_the_server_none_at_all(tmp_path: Path) -> None:
    desk = sandbox_desk(tmp_path / "box", PORTS)
    parts = Parts(desk, PORTS)
    specs = [*parts.first(), parts.bootstrap(), *parts.executors(2)]
    assert [spec.name for spec in specs] == [
        "sandbox", "Prefect", "receiver", "bootstrap", "fast lane", "worker 1", "worker 2",
    ]  # fmt: skip
    secrets = {desk.env["REVER_API_KEY"], desk.env["REVER_WEBHOOK_SECRETS"]}
    assert not [spec for spec in specs if any(secret in word for secret in secrets for word in spec.command)]
    server = next(spec for spec in specs if spec.name == "Prefect")
    assert not [name for name in server.env if name.startswith("REVER_")]
    assert not secrets & set(repr(specs))
