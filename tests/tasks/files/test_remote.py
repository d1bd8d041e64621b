"""Files by a URL: fetched with credentials that stand elsewhere, and refused where the URL itself has one."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from tasks.files.remote import checked_url, fetched, is_url
from tasks.files.table import InputFileError

PASSWORD = "correct-horse"


@pytest.fixture
def stored() -> Iterator[str]:
    system = fsspec.filesystem("memory")
    system.pipe("/returns/day.csv", b"a,b\n1,2\n")
    yield "memory://returns/day.csv"
    system.rm("/returns", recursive=True)


def test_a_file_is_fetched_into_a_copy_for_its_owner_alone(tmp_path: Path, stored: str) -> None:
    (tmp_path / "m.yaml").touch()
    found = fetched(stored, tmp_path / "m.yaml", tmp_path, {})
    assert (found.name, found.copy.read_bytes(), found.watched) == (stored, b"a,b\n1,2\n", False)
    assert found.copy.stat().st_mode & 0o777 == 0o600
    with pytest.raises(InputFileError, match=r"^memory://returns/none\.csv: is not there\.$"):
        fetched("memory://returns/none.csv", tmp_path / "m.yaml", tmp_path, {})


@pytest.mark.parametrize(
    "url",
    [
        f"sftp://warehouse:{PASSWORD}@host/day.csv",
        f"s3://KEY:{PASSWORD}@bucket/day.csv",
        f"s3://{PASSWORD}@bucket/day.csv",
        f"gs://bucket/day.csv?X-Goog-Signature={PASSWORD}",
        f"s3://bucket/day.csv#{PASSWORD}",
        f"simplecache::s3://{PASSWORD}/day.csv",
        f"https://{PASSWORD}@host/day.csv",
        f"sftp://warehouse:{PASSWORD}@[bad/day.csv",
        "file:///etc/passwd",
        "local:///etc/passwd",
    ],
)
def test_a_url_with_a_secret_or_of_another_kind_is_refused_and_not_printed(tmp_path: Path, url: str) -> None:
    assert is_url(url)
    with pytest.raises(InputFileError) as refused:
        fetched(url, tmp_path / "m.yaml", tmp_path, {})
    assert PASSWORD not in str(refused.value)
    assert "passwd" not in str(refused.value)
    assert str(refused.value).endswith(".")


def test_a_path_is_no_url_and_a_user_of_sftp_is_no_secret() -> None:
    assert not any(map(is_url, ("day.csv", "/a/b.csv", "C:/a.csv", "a:b.csv", "../x")))
    assert checked_url("SFTP://warehouse@host:2222/out/day.csv") == "sftp://warehouse@host:2222/out/day.csv"


def test_what_a_storage_says_of_its_own_errors_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: Any, **options: Any) -> None:
        raise RuntimeError(f"denied with {options}")

    monkeypatch.setattr("fsspec.core.url_to_fs", fails)
    with pytest.raises(InputFileError) as refused:
        fetched("s3://bucket/day.csv", tmp_path / "m.yaml", tmp_path, {"secret": PASSWORD})
    assert str(refused.value) == (
        "s3://bucket/day.csv: cannot be fetched (RuntimeError); look at the address, the network and the credentials."
    )


def test_a_storage_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: Any, **options: Any) -> None:
        raise ImportError("Install s3fs")

    monkeypatch.setattr("fsspec.core.url_to_fs", fails)
    with pytest.raises(InputFileError, match=r"needs pip install 'rever-returns\[s3\]'"):
        fetched("s3://bucket/day.csv", tmp_path / "m.yaml", tmp_path, {})


@pytest.fixture
def sftp(tmp_path: Path) -> Iterator[tuple[int, str]]:
    """The port of an SFTP server in front of `tmp_path / "out"`, and its public key."""
    asyncssh = pytest.importorskip("asyncssh")
    pytest.importorskip("sshfs")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "day.csv").write_text("a,b\n1,2\n")
    key = asyncssh.generate_private_key("ssh-ed25519")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    said = {
        "begin_auth": lambda self, user: True,
        "password_auth_supported": lambda self: True,
        "validate_password": lambda self, user, password: (user, password) == ("warehouse", PASSWORD),
    }
    warehouse = type("Warehouse", (asyncssh.SSHServer,), said)

    async def serve() -> Any:
        def root(channel: Any) -> Any:
            return asyncssh.SFTPServer(channel, chroot=str(tmp_path / "out").encode())

        return await asyncssh.listen(
            "127.0.0.1", 0, server_factory=warehouse, server_host_keys=[key], sftp_factory=root
        )

    server = asyncio.run_coroutine_threadsafe(serve(), loop).result(10)
    yield server.get_port(), key.export_public_key().decode().strip()

    async def end() -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(end(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def test_sftp_with_the_password_in_the_options_and_only_from_a_known_server(
    tmp_path: Path, sftp: tuple[int, str]
) -> None:
    port, key = sftp
    url = f"sftp://warehouse@127.0.0.1:{port}/day.csv"
    hosts = tmp_path / "known_hosts"
    hosts.write_text(f"[127.0.0.1]:{port} {key}\n")
    known = {"known_hosts": str(hosts), "client_keys": None, "agent_path": None}
    (tmp_path / "m.yaml").touch()
    found = fetched(url, tmp_path / "m.yaml", tmp_path, {**known, "password": PASSWORD})
    assert found.copy.read_text() == "a,b\n1,2\n"
    found.copy.unlink()
    hosts.write_text("")
    for options in ({**known, "password": PASSWORD}, {**known, "password": "wrong"}):
        with pytest.raises(InputFileError, match="cannot be fetched") as refused:
            fetched(url, tmp_path / "m.yaml", tmp_path, options)
        assert PASSWORD not in str(refused.value)


def test_s3_with_the_keys_in_the_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("s3fs")
    moto = pytest.importorskip(
        "moto.server", reason="pip install 's3fs' 'moto[server]': 70 packages, so no part of dev"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        keys = {"key": "made-up", "secret": PASSWORD, "endpoint_url": address}
        bucket = fsspec.filesystem("s3", **keys, skip_instance_cache=True, asynchronous=False)
        bucket.mkdir("returns-of-may")
        bucket.pipe("returns-of-may/out/day.csv", b"a,b\n1,2\n")
        (tmp_path / "m.yaml").touch()
        found = fetched("s3://returns-of-may/out/day.csv", tmp_path / "m.yaml", tmp_path, keys)
        assert (found.name, found.copy.read_text()) == ("s3://returns-of-may/out/day.csv", "a,b\n1,2\n")
        for url in ("s3://returns-of-may/out/none.csv", "s3://another/day.csv"):
            with pytest.raises(InputFileError, match="is not there") as refused:
                fetched(url, tmp_path / "m.yaml", tmp_path, keys)
            assert PASSWORD not in str(refused.value)
    finally:
        server.stop()
